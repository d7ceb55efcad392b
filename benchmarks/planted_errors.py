"""How many planted errors an explanation catches, by operation: in the description, in the weights, in the values.

Every layer of the drawn networks that the tests of the arithmetic use is explained once as it is and once for each
error that is planted in it:

- *description*: one field of the operation is another number, word or axis (stride 2 for 1, padding moved to the other
  side, epsilon doubled, average for maximum, ...)
- *weights*: of one role, one number is 1 % larger, or all stand in reverse order
- *values*: one value that the framework made is 1 % larger, or changes places with its neighbour

``caught``: at least one value is said to disagree. ``refused``: the changed layer isn't explained any more, so that
nothing wrong is said. ``missed``: what we work out changed, and all values are still said to agree. Errors that change
no value (dilation of a kernel of one pixel) are counted apart, as ``same``.

    python -m benchmarks.planted_errors [onnx] [torch] [keras]
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
from tests.arithmetic import cases

from convlens.arithmetic import explain_all
from convlens.engines.base import Array
from convlens.network import Layer

CHANNELS = 3  # of each layer, the first ones
WORDS = {
    "mode": ("max", "average", "layer", "rms", "nearest", "linear", "cubic", "zeros", "reflect", "replicate"),
    "function": ("add", "subtract", "multiply", "maximum", "mean", "relu", "sigmoid", "tanh", "concat", "stack"),
    "padding_mode": ("zeros", "reflect", "replicate", "circular"),
    "coordinates": ("half_pixel", "asymmetric", "align_corners"),
    "rounding": ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil"),
}


@dataclass(frozen=True)
class Planted:
    """A layer with one error: what kind, and all that an explanation takes."""

    kind: str
    layer: Layer
    sources: Sequence[Array]
    weights: Mapping[str, Array]
    made: Array


def changed(name: str, value: Any) -> Iterator[Any]:
    """Other values that a field could wrongly have."""
    match value:
        case bool():
            yield not value
        case int() | Fraction():
            yield value + 1
            if value > 1:
                yield value - 1
        case float():
            yield value * 2 if value else 0.1
        case str():
            yield from (word for word in WORDS.get(name, ()) if word != value)
        case tuple() if value:
            for place, one in enumerate(value):
                for other in changed(name, one):
                    yield (*value[:place], other, *value[place + 1 :])
            if len(value) > 1 and value[::-1] != value:
                yield value[::-1]
        case _:
            return


def planted(seen: Any) -> Iterator[Planted]:
    """Every error that is planted in one layer."""
    layer, operation = seen.layer, seen.layer.operation
    if is_dataclass(operation):
        for field in fields(operation):
            for value in changed(field.name, getattr(operation, field.name)):
                wrong: Any = replace(operation, **{field.name: value})
                yield Planted("description", replace(layer, operation=wrong), seen.sources, seen.weights, seen.made)
    for role, array in seen.weights.items():
        if not array.size or array.dtype.kind != "f":
            continue
        larger = array.copy()
        place = np.unravel_index(int(np.argmax(np.abs(np.nan_to_num(larger)))), larger.shape)
        larger[place] = larger[place] * 1.01 if larger[place] else 0.1
        for other in (larger, array.reshape(-1)[::-1].reshape(array.shape)):
            yield Planted("weights", layer, seen.sources, {**seen.weights, role: other}, seen.made)
    inside = np.atleast_1d(seen.made)[:CHANNELS]
    if seen.made.ndim and inside.size and np.isfinite(inside).any():
        wrong = seen.made.copy()
        place = np.unravel_index(int(np.argmax(np.abs(np.nan_to_num(inside, posinf=0, neginf=0)))), inside.shape)
        wrong[place] = wrong[place] * 1.01 if wrong[place] else 0.1
        yield Planted("values", layer, seen.sources, seen.weights, wrong)
        turned = seen.made.copy()
        turned[:CHANNELS] = np.roll(inside.reshape(-1), 1).reshape(inside.shape)
        yield Planted("values", layer, seen.sources, seen.weights, turned)


def worked_out(layer: Layer, sources: Sequence[Array], weights: Mapping[str, Array]) -> list[Any] | None:
    """The first channels worked out; ``None`` where they aren't explained."""
    swept = []
    for channel in range(min(CHANNELS, layer.output_shape[0]) if layer.output_shape else 1):
        one = explain_all(layer, channel, sources, weights)
        if one is None:
            return None
        swept.append(one)
    return swept


def verdict(error: Planted, right: Sequence[Any], made: Array) -> str:
    """What becomes of a planted error."""
    try:
        wrong = worked_out(error.layer, error.sources, error.weights)
    except Exception:  # a description that contradicts its shapes: whatever it raises, nothing wrong was said
        return "refused"
    if wrong is None or not any(one.explained.any() for one in wrong):
        return "refused"
    for channel, one in enumerate(wrong):
        theirs = error.made[channel] if error.layer.output_shape else error.made
        if one.total.shape != theirs.shape:
            return "refused"
        if not (one.agrees(theirs) | ~one.explained).all():
            return "caught"
    alike = all(np.array_equal(a.total, b.total, equal_nan=True) for a, b in zip(wrong, right, strict=True))
    return "same" if alike and np.array_equal(error.made, made, equal_nan=True) else "missed"


def main(engines: Sequence[str]) -> None:
    """Print the table."""
    origins = {"torch": cases.of_torch, "onnx": cases.of_onnx, "keras": cases.of_keras}
    table: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for engine in engines or origins:
        for seen in origins[engine]():
            right = worked_out(seen.layer, seen.sources, seen.weights)
            if right is None or not seen.made.size:
                continue
            for error in planted(seen):
                name = type(seen.layer.operation).__name__
                table[name, error.kind][verdict(error, right, seen.made)] += 1
    print(f"{'operation':<16}{'planted in':<14}{'caught':>8}{'refused':>9}{'missed':>8}{'same':>7}   share caught")
    whole: Counter[str] = Counter()
    for (name, kind), counts in sorted(table.items()):
        whole.update(counts)
        told = counts["caught"] + counts["missed"]
        share = f"{counts['caught'] / told:.1%}" if told else "-"
        numbers = f"{counts['caught']:>8}{counts['refused']:>9}{counts['missed']:>8}{counts['same']:>7}"
        print(f"{name:<16}{kind:<14}{numbers}   {share}")
    told = whole["caught"] + whole["missed"]
    print(f"all: {whole['caught']:,} of {told:,} caught ({whole['caught'] / told:.2%}), {whole['refused']:,} refused")


if __name__ == "__main__":
    main(sys.argv[1:])
