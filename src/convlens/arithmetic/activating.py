"""Activations: a function of each value alone."""

from __future__ import annotations

from collections.abc import Mapping
from math import isinf, isnan

import numpy as np

from convlens.arithmetic import functions, moving, normalising, quantised
from convlens.arithmetic.rounding import Floats, Truths
from convlens.arithmetic.working import Array, Integers, Step, Swept, Working, single
from convlens.network import Activation, Pointwise, Shape

UNCHANGED = ("dropout", "identity")
ROUNDINGS = 16
"""Of an activation: its formula has at most eight operations, and frameworks approximate the functions in it to a few
units in the last place."""


def activation(
    operation: Activation, index: Shape, source: Array, weights: Mapping[str, Array], dtype: str
) -> Working | None:
    """One value of an activation; ``None`` for a function not known here."""
    every = _slopes(weights, source.shape)
    slope = None if every is None else float(every[index])
    value = float(source[index])
    found = functions.computed(operation, np.array(value), slope)
    if found is None:
        return None
    total, astray = float(found), float(_astray(operation, np.array(value), slope, dtype))
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
        astray=astray,
        unsettled=isinf(astray) or (operation.function == "signum" and isnan(value)),
    )


def activated(
    operation: Activation, channel: int, source: Array, weights: Mapping[str, Array], dtype: str
) -> Swept | None:
    """Every value of one channel."""
    values = source[channel].astype(np.float64) if source.ndim else source.astype(np.float64)
    slope = _slopes(weights, source.shape)
    slopes = None if slope is None else slope[channel]
    total = functions.computed(operation, values, slopes)
    if total is None:
        return None
    astray = _astray(operation, values, slopes, dtype)
    size = functions.magnitudes(operation, values, total)
    unsettled = np.isinf(astray) | (np.isnan(values) & (operation.function == "signum"))
    return Swept(total, _roundings(operation), size, astray=astray, unsettled=unsettled)


def _astray(operation: Activation, values: Floats, slope: Floats | float | None, dtype: str) -> Floats:
    """How far the function goes between a float32 and the float64 that it stands for: without bound at a pole."""
    if dtype != "float64" or operation.function in _EVEN:
        return np.zeros(values.shape)
    reach = np.where(values == 0, 0.0, np.abs(values) * 2.0**-24 + 2.0**-150)
    found = np.zeros(values.shape)
    with np.errstate(all="ignore"):
        own = functions.computed(operation, values, slope)
        for moved in (values - reach, values + reach):
            other = functions.computed(operation, moved, slope)
            if own is not None and other is not None:
                found = np.where(np.isfinite(own), np.fmax(found, np.abs(other - own)), 0.0)
    return found


_EVEN = ("relu", "abs", "neg", "sign", "signum")
"""Functions that go no farther than what they are given, and jump nowhere but at 0."""


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
        unsettled = bool(_out_of_range(np.array(value), dtype))
        return single(
            "cast", f"the same as {dtype}", value, total, index, roundings=int(_rounded(total)), unsettled=unsettled
        )
    if operation.function == "affine" and "scale" in weights and "shift" in weights:
        return _affine(index, source, weights)
    if operation.function in functions.FUNCTIONS:
        return activation(Activation(operation.function), index, source, {}, dtype)
    return None


def all_pointwise(
    operation: Pointwise, channel: int, source: Array, weights: Mapping[str, Array], dtype: str
) -> Swept | None:
    """Every value of one channel."""
    if operation.function in UNCHANGED:
        return Swept(source[channel].astype(np.float64), 0)
    if operation.function == "cast":
        values = source[channel].astype(np.float64)
        total = _cast(values, dtype)
        return Swept(total, _rounded(total), unsettled=_out_of_range(values, dtype))
    if operation.function == "affine" and "scale" in weights and "shift" in weights:
        values = source[channel].astype(np.float64)
        scale, shift = (normalising.spread(weights[role], source.shape)[channel] for role in ("scale", "shift"))
        with np.errstate(all="ignore"):
            size = np.abs(values * scale) + np.abs(shift)
            return Swept(values * scale + shift, 4, size, size)
    if operation.function in functions.FUNCTIONS:
        return activated(Activation(operation.function), channel, source, {}, dtype)
    return None


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


def _out_of_range(values: Floats, dtype: str) -> Truths:
    """Where a type of whole numbers can't hold the number: it becomes whatever the processor makes of it.

    >>> _out_of_range(np.array([-1.5, -0.5, 255.9, 256.0, np.nan]), "uint8").tolist()
    [True, False, False, True, True]
    """
    held = quantised.limits(dtype)
    if held is None:
        return np.zeros(values.shape, np.bool_)
    return ~((np.trunc(values) >= held[0]) & (values < held[1] + 1))


def _rounded(cast: Floats | float) -> Integers:
    """How often a cast rounds: what isn't finite stands for itself in every type that has it."""
    return np.asarray(np.isfinite(cast), np.int64)


def _cast(values: Floats, dtype: str) -> Floats:
    """What a value becomes in another type; to a floating one it is rounded, which the tolerance covers."""
    if dtype == "bool":
        return np.asarray(values != 0, np.float64)
    if dtype.startswith(("int", "uint")):
        return np.asarray(np.trunc(values))
    return values
