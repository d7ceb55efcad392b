"""Activations: a function of each value alone; and arithmetic with a constant, which is one as well."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlens.arithmetic import functions, merging, moving, normalising
from convlens.arithmetic.rounding import Floats
from convlens.arithmetic.working import Array, Step, Swept, Working, single
from convlens.network import Activation, Merge, Pointwise, Shape

UNCHANGED = ("dropout", "identity")
ROUNDINGS = 16
"""Of an activation: its formula has at most eight operations, and frameworks approximate the functions in it to a few
units in the last place."""


def activation(operation: Activation, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working | None:
    """One value of an activation; ``None`` for a function not known here."""
    every = _slopes(weights, source.shape)
    slope = None if every is None else float(every[index])
    value = float(source[index])
    found = functions.computed(operation, np.array(value), slope)
    if found is None:
        return None
    total = float(found)
    formula = functions.in_words(operation, slope)
    return single(
        "activation",
        formula,
        value,
        total,
        index,
        steps=(Step(formula, total),),
        activation=operation.function,
        roundings=_roundings(operation),
        magnitude=float(functions.magnitudes(operation, np.array(value), found)),
    )


def activated(operation: Activation, channel: int, source: Array, weights: Mapping[str, Array]) -> Swept | None:
    """Every value of one channel."""
    values = source[channel].astype(np.float64) if source.ndim else source.astype(np.float64)
    slope = _slopes(weights, source.shape)
    total = functions.computed(operation, values, None if slope is None else slope[channel])
    if total is None:
        return None
    return Swept(total, _roundings(operation), functions.magnitudes(operation, values, total))


def _roundings(operation: Activation) -> int:
    return 0 if operation.function in functions.EXACT else ROUNDINGS


def _slopes(weights: Mapping[str, Array], shape: Shape) -> Floats | None:
    """PReLU's slope for every value of a layer of this shape."""
    return normalising.spread(weights["slope"], shape) if "slope" in weights else None


def pointwise(
    operation: Pointwise, index: Shape, source: Array, weights: Mapping[str, Array], dtype: str
) -> Working | None:
    """One value of an operation on each position alone: nothing happens, or a function."""
    if operation.function in UNCHANGED:
        return moving.copied(index, source, "unchanged")
    if operation.function == "cast":
        value = float(source[index])
        total = float(_cast(np.array(value), dtype))
        return single("cast", f"the same as {dtype}", value, total, index)
    if operation.function == "affine" and "scale" in weights and "shift" in weights:
        return _affine(index, source, weights)
    if operation.function in functions.FUNCTIONS:
        return activation(Activation(operation.function), index, source, {})
    return None


def all_pointwise(
    operation: Pointwise, channel: int, source: Array, weights: Mapping[str, Array], dtype: str
) -> Swept | None:
    """Every value of one channel."""
    if operation.function in UNCHANGED:
        return Swept(source[channel].astype(np.float64), 0)
    if operation.function == "cast":
        return Swept(_cast(source[channel].astype(np.float64), dtype))
    if operation.function == "affine" and "scale" in weights and "shift" in weights:
        values = source[channel].astype(np.float64)
        scale, shift = (normalising.spread(weights[role], source.shape)[channel] for role in ("scale", "shift"))
        with np.errstate(all="ignore"):
            size = np.abs(values * scale) + np.abs(shift)
            return Swept(values * scale + shift, 4, size, size)
    if operation.function in functions.FUNCTIONS:
        return activated(Activation(operation.function), channel, source, {})
    return None


def with_constant(
    operation: Pointwise, index: Shape, outputs: Shape, source: Array, weights: Mapping[str, Array]
) -> Working | None:
    """One value of arithmetic with a constant, against which the input may be broadcast."""
    left = "left" in weights
    both = [weights["left"], source] if left else [source, weights["right"]]
    worked = merging.merge(Merge(operation.function), index, both) if merging.fits(both, outputs) else None
    return None if worked is None else merging.with_constant(worked, left=left)


def all_with_constant(
    operation: Pointwise, channel: int, outputs: Shape, source: Array, weights: Mapping[str, Array]
) -> Swept | None:
    """Every value of one channel."""
    both = [weights["left"], source] if "left" in weights else [source, weights["right"]]
    if operation.function not in merging.KNOWN or not merging.fits(both, outputs):
        return None
    swept = merging.all_merged(Merge(operation.function), channel, outputs, both)
    return Swept(swept.total, 2 * merging.ROUNDINGS, swept.magnitude, swept.magnitude)


def _affine(index: Shape, source: Array, weights: Mapping[str, Array]) -> Working:
    """One value times a constant plus a constant."""
    value = float(source[index])
    scale, shift = (float(normalising.spread(weights[role], source.shape)[index]) for role in ("scale", "shift"))
    with np.errstate(all="ignore"):
        scaled = float(np.float64(value) * scale)
        total = scaled + shift
    size = abs(scaled) + abs(shift)
    steps = (Step(f"x times {scale:.9g}", scaled), Step(f"+ {shift:.9g}", total))
    words = f"x * {scale:.9g} + {shift:.9g}"
    return single("affine", words, value, total, index, steps=steps, roundings=4, magnitude=size, stored=size)


def _cast(values: Floats, dtype: str) -> Floats:
    """What a value becomes in another type; to a floating one it is rounded, which the tolerance covers."""
    if dtype == "bool":
        return np.asarray(values != 0, np.float64)
    if dtype.startswith(("int", "uint")):
        return np.asarray(np.trunc(values))
    return values
