"""Many pictures through one network: in batches where the model takes them, one FeatureMaps a picture all the same."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from convlens.engines.base import Array, Feed
from convlens.errors import InputError
from convlens.lens.feeding import to_numpy
from convlens.lens.intake import Prepared
from convlens.network import Layer


def check_single(feed: Feed) -> None:
    """Raise :class:`InputError` where a batch of several was fed to what looks at one picture."""
    for name, value in feed.items():
        if value.ndim and value.shape[0] > 1:
            raise InputError(
                f"The input {name!r} holds {value.shape[0]} items",
                expected="one picture at a time",
                received=f"an array of {' x '.join(str(n) for n in value.shape)}",
                hint="Type for maps in lens.feature_maps_of(pictures), or pick one: array[:1].",
            )


def check_batch(batch: int) -> None:
    """Raise :class:`InputError` where a batch would hold nothing, or where it isn't known how much."""
    if batch < 1:
        raise InputError(
            "A batch holds at least one picture",
            expected="a whole number from 1",
            received=str(batch)[:40],
            hint="Type batch=16, for example.",
        )


def in_batches(prepared: Iterable[Prepared], most: int) -> Iterator[list[Prepared]]:
    """Consecutive pictures whose inputs have one shape, ``most`` at a time at most."""
    waiting: list[Prepared] = []
    for one in prepared:
        if waiting and (len(waiting) == most or _shapes(one[2]) != _shapes(waiting[0][2])):
            yield waiting
            waiting = []
        waiting.append(one)
    if waiting:
        yield waiting


def joined(batch: list[Prepared]) -> Feed:
    """The feed of all pictures of a batch together."""
    names = batch[0][2]
    return {name: np.concatenate([to_numpy(feed[name]) for _, _, feed in batch]) for name in names}


def item(layer: Layer, array: Array, number: int, count: int) -> Array:
    """One picture's part of what a layer made of the batch."""
    return array[number] if count > 1 and array.ndim > len(layer.output_shape) else array


def items(value: object) -> Iterator[object]:
    """The pictures one by one: of an iterable, or of an array whose first axis is the batch."""
    if isinstance(value, np.ndarray) or hasattr(value, "detach"):
        return iter(value[number : number + 1] for number in range(len(value)))  # type: ignore[index, arg-type]
    if isinstance(value, (str, bytes)) or not isinstance(value, Iterable):
        raise InputError("These are not several pictures", expected="a list of pictures", received=repr(value)[:80])
    return iter(value)


def _shapes(feed: Feed) -> dict[str, tuple[int, ...]]:
    return {name: tuple(value.shape) for name, value in feed.items()}
