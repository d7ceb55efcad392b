"""Values that only move, or are mixed from their neighbours: pad, reshape, transpose, slice, resize."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor

import numpy as np

from convlens.arithmetic.windows import inside_padding
from convlens.arithmetic.working import PADDING, Array, Floats, Integers, Step, Working, single
from convlens.network import Pad, Reshape, Resize, Shape, Slice


def copied(index: Shape, source: Array, words: str) -> Working:
    """A value that was taken over from ``index`` of the input."""
    value = float(source[index])
    return single("copy", words, value, value, index)


def pad(operation: Pad, index: Shape, source: Array) -> Working:
    """Where a value of a padded map came from; or the constant that was put there."""
    found = [index[0]]
    for place, size, (before, _) in zip(index[1:], source.shape[1:], operation.padding, strict=True):
        found.append(int(inside_padding(np.array([place - before]), size, operation.mode)[0]))
    if PADDING in found:
        places = tuple(np.array([PADDING]) for _ in index)
        return Working(
            rule="constant",
            formula=f"padding: {operation.value:g}",
            window=np.array([operation.value]),
            inputs=np.array([0]),
            places=places,
            total=operation.value,
        )
    return copied(tuple(found), source, "input at " + ", ".join(str(n) for n in found))


def sliced(operation: Slice, index: Shape, source: Array) -> Working:
    """Where a value of a cut-out came from."""
    channel = index[0] + operation.first_channel
    spatial = (
        start + step * place for start, step, place in zip(operation.start, operation.step, index[1:], strict=True)
    )
    found = (channel, *spatial)
    return copied(found, source, "input at " + ", ".join(str(n) for n in found))


def reshaped(operation: Reshape, index: Shape, outputs: Shape, source: Array) -> Working | None:
    """Where a value of a reshape, flatten or transpose came from; ``None`` where the layer doesn't say its order."""
    if operation.axes:
        found = [0] * len(index)
        for place, axis in zip(index, operation.axes, strict=True):
            found[axis] = place
        return copied(tuple(found), source, "input at " + ", ".join(str(n) for n in found))
    if source.size != int(np.prod(outputs)):
        return None
    flat = int(np.ravel_multi_index(_in_memory(index, operation), _in_memory(outputs, operation)))
    there = np.unravel_index(flat, _in_memory(source.shape, operation))
    found = [int(n) for n in there]
    if operation.channels_last and len(found) > 1:
        found = [found[-1], *found[:-1]]
    return copied(tuple(found), source, f"number {flat} in memory: input at " + ", ".join(str(n) for n in found))


def _in_memory(axes: Shape, operation: Reshape) -> Shape:
    """Indices or sizes in the order in which the framework stores them."""
    return (*axes[1:], axes[0]) if operation.channels_last and len(axes) > 1 else tuple(axes)


def resized(operation: Resize, index: Shape, outputs: Shape, source: Array) -> Working | None:
    """Which source pixels a resized value is mixed from, and with which weights; ``None`` for modes not known here.

    Source of the coordinates: the Resize operator of the ONNX specification; the cubic kernel is that of R. Keys, 1981.
    """
    axes: list[Integers] = [np.array([index[0]])]
    weights: list[Floats] = [np.ones(1)]
    for axis, place in enumerate(index[1:]):
        found = _taps(operation, place, source.shape[1 + axis], outputs[1 + axis], axis)
        if found is None:
            return None
        axes.append(found[0])
        weights.append(found[1])
    mesh = np.ix_(*axes)
    window = source[mesh].astype(np.float64)
    kernel = np.ones(window.shape)
    for axis, weight in enumerate(weights):
        kernel = kernel * weight.reshape((-1,) + (1,) * (window.ndim - 1 - axis))
    products = window * kernel
    total = float(products.sum())
    return Working(
        rule="interpolation" if window.size > 1 else "copy",
        formula=f"{operation.mode}: sum of source pixels x weights",
        window=window,
        kernel=kernel,
        products=products,
        inputs=np.zeros((1,) * window.ndim, np.intp),
        places=tuple(mesh),
        steps=(Step("sum of source pixels x weights", total),),
        total=total,
        # the framework computes the coordinate itself in float32: a position near n is off by up to n roundings
        roundings=16 + 4 * max(source.shape[1:]) if window.size > 1 else 1,
        magnitude=float(np.abs(window).sum()) if window.size > 1 else abs(total),
    )


def coordinate(operation: Resize, place: int, size: int, outputs: int, axis: int) -> Fraction | None:
    """Where an output position lies on the input axis."""
    scale = operation.scale[axis] if operation.scale else Fraction(outputs, size)
    match operation.coordinates:
        case "align_corners":
            return Fraction(place * (size - 1), outputs - 1) if outputs > 1 else Fraction(0)
        case "half_pixel":
            return (place + Fraction(1, 2)) / scale - Fraction(1, 2)
        case "pytorch_half_pixel":
            return (place + Fraction(1, 2)) / scale - Fraction(1, 2) if outputs > 1 else Fraction(0)
        case "half_pixel_symmetric":
            adjustment = outputs / (size * scale)
            centre = Fraction(size, 2)
            return centre * (1 - adjustment) + (place + Fraction(1, 2)) / scale - Fraction(1, 2)
        case "asymmetric":
            return place / scale
        case _:
            return None


def _taps(operation: Resize, place: int, size: int, outputs: int, axis: int) -> tuple[Integers, Floats] | None:
    x = coordinate(operation, place, size, outputs, axis)
    if x is None:
        return None
    if operation.mode == "nearest":
        rounded = _nearest(x, operation.rounding)
        return np.array([min(max(rounded, 0), size - 1)]), np.ones(1)
    first = floor(x)
    share = float(x - first)
    if operation.mode == "linear":
        taps, weights = [first, first + 1], [1 - share, share]
    elif operation.mode == "cubic":
        taps, weights = [first + n for n in range(-1, 3)], _keys(share, operation.cubic_coefficient)
    else:
        return None
    return np.array([min(max(tap, 0), size - 1) for tap in taps]), np.array(weights)


def _nearest(x: Fraction, rounding: str) -> int:
    match rounding:
        case "floor":
            return floor(x)
        case "ceil":
            return ceil(x)
        case "round_prefer_ceil":
            return floor(x + Fraction(1, 2))
        case _:
            return ceil(x - Fraction(1, 2))


def _keys(share: float, a: float) -> list[float]:
    """The four weights of cubic interpolation, ``share`` of the way from the second source pixel to the third."""

    def inner(t: float) -> float:
        return ((a + 2) * t - (a + 3)) * t * t + 1

    def outer(t: float) -> float:
        return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a

    return [outer(1 + share), inner(share), inner(1 - share), outer(2 - share)]
