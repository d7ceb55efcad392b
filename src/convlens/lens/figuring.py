"""Figures for print from maps: which layers and channels, and what their captions say."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index
from typing import TYPE_CHECKING

import numpy as np

from convlens.draw import Mode, ScaleChoice
from convlens.draw.plate_formats import Figure
from convlens.draw.publication import Panel, publication
from convlens.engines.base import Array
from convlens.errors import ChannelError, LayerNotFoundError, inert
from convlens.lens import addressing

if TYPE_CHECKING:
    from convlens.lens.feature_map import FeatureMap
    from convlens.lens.maps import FeatureMaps

Channels = int | Sequence[int] | Mapping[str, Sequence[int]] | None
"""Which channels: one, several, others for each layer, or ``None``: the first ones."""

MOST_LAYERS, MOST_CHANNELS = 6, 8
"""What a figure shows where nothing is chosen; its caption says so."""


def figure(
    maps: FeatureMaps,
    layers: str | Iterable[str] | None,
    channels: Channels,
    *,
    width: float | str,
    columns: int | None,
    scale: ScaleChoice,
    mode: Mode,
    captions: bool,
) -> Figure:
    """See :meth:`convlens.FeatureMaps.figure`."""
    names = list(maps)[:MOST_LAYERS] if layers is None else [layers] if isinstance(layers, str) else list(layers)
    if not names:
        raise LayerNotFoundError(
            "No layer is chosen",
            expected="layers such as " + ", ".join(list(maps)[:3]) if maps else "a run of which layers were kept",
            received="none",
        )
    shown = [maps[name] for name in dict.fromkeys(names)]
    if isinstance(channels, Mapping):
        for name in channels:
            if name not in names:
                raise LayerNotFoundError(
                    f"Channels are chosen of {name!r}, which isn't shown",
                    expected="layers of the figure: " + ", ".join(names[:5]),
                    received=repr(name),
                )
    panels = [_panel(found, _chosen(found, channels)) for found in shown]
    left_out = f"The first {len(shown)} of {len(maps)} layers. " if layers is None and len(maps) > len(shown) else ""
    title = f"{maps.network.name}: {', '.join(inert(found.name, 120) for found in shown)}"
    return publication(
        panels,
        width=width,
        columns=columns,
        scale=scale,
        mode=mode,
        closing=left_out + _closing(maps),
        captions=captions,
        title=title,
    )


def _chosen(found: FeatureMap, channels: Channels) -> list[int] | None:
    asked = channels.get(found.name) if isinstance(channels, Mapping) else channels
    if asked is None:
        return None
    try:
        numbers = [index(number) for number in (asked if isinstance(asked, Iterable) else [asked])]
    except TypeError:
        raise ChannelError(
            f"These are no channels of {found.name}", expected="whole numbers such as [0, 3, 5]", received=repr(asked)
        ) from None
    if not numbers:
        raise ChannelError(
            f"No channel of {found.name} is chosen", expected="channels such as [0, 3, 5]", received="none"
        )
    for number in numbers:
        addressing.check_channel(found.name, found.shape, number)
    return numbers


def _panel(found: FeatureMap, asked: list[int] | None) -> Panel:
    array = found.array.reshape(1) if found.array.ndim == 0 else found.array
    count = len(array)
    flat = array.ndim < 3
    numbers = asked if asked is not None else list(range(count if flat else min(count, MOST_CHANNELS)))
    said = _numbers(found, numbers, count, asked is None)
    heading = f"{found.title} · channel {numbers[0]}" if len(numbers) == 1 and count > 1 else found.title
    what = f"{inert(found.name, 120)} ({found.layer.op}), {said}"
    if flat:
        rows = array[numbers][None] if array.ndim == 2 else array[numbers][None, None]
        each = f", {array.shape[1]} values each, a row a channel" if array.ndim == 2 else ", from left to right"
        return Panel(heading, what + each, _floats(rows), [], _floats(array[None] if array.ndim == 2 else rows), True)
    note = ""
    while array.ndim > 3:
        middle = array.shape[1] // 2
        note += f", slice {middle} of {array.shape[1]}"
        array = array[:, middle] if array.shape[1] else array.reshape(count, 0, array.shape[-1])
    labels = [str(number) for number in numbers] if len(numbers) > 1 else []
    size = " x ".join(str(n) for n in array.shape[1:])
    each = f"{size} values{' each' if len(numbers) > 1 else ''}"
    return Panel(heading, f"{what}, {each}{note}", _floats(array[numbers]), labels, _floats(found.array))


def _numbers(found: FeatureMap, numbers: list[int], count: int, first: bool) -> str:
    noun = "feature" if len(found.shape) < 2 else "channel"
    if not count:
        return f"no {noun}s"
    if len(numbers) == count and numbers == list(range(count)):
        return f"all {count} {noun}s" if count > 1 else f"its one {noun}"
    if first:
        return f"the first {len(numbers)} of {count} {noun}s"
    listed = [str(number) for number in numbers]
    words = listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
    return f"{noun}{'s' * (len(listed) > 1)} {words} of {count}"


def _closing(maps: FeatureMaps) -> str:
    """Model, picture and how it became the input."""
    network = maps.network
    said = f"Model: {network.name} ({network.engine})."
    if maps.recipe is None:
        return f"{said} Input: fed untouched."
    name = f"Picture: {maps.picture.name}. " if maps.picture is not None else ""
    return f"{said} {name}Input: {maps.recipe}."


def _floats(array: Array) -> Array:
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(array, dtype=np.float32)
