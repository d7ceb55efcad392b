"""Resizing: which source pixels a value is mixed from, and with which weights.

Source of the coordinates: the Resize operator of the ONNX specification. The cubic kernel is that of R. Keys, "Cubic
Convolution Interpolation for Digital Image Processing", IEEE Trans. ASSP 29(6), 1981.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil, floor, prod

import numpy as np
from numpy.typing import NDArray

from convlens.arithmetic.rounding import Floats, Truths, finite_sizes
from convlens.arithmetic.windows import shifts
from convlens.arithmetic.working import PADDING, Array, Integers, Step, Swept, Working
from convlens.network import Resize, Shape

MODES = ("nearest", "linear", "cubic", "linear_antialias", "cubic_antialias")


def resized(operation: Resize, index: Shape, outputs: Shape, source: Array) -> Working | None:
    """One value of a resize; ``None`` for modes and coordinates that aren't known here."""
    if any(
        beyond(operation, axis, source.shape[1 + axis], outputs[1 + axis])[place]
        for axis, place in enumerate(index[1:])
    ):
        return Working(
            rule="constant",
            formula=f"outside the input: {operation.outside:g}",
            window=np.array([operation.outside]),
            inputs=np.array([0]),
            places=tuple(np.array([PADDING]) for _ in index),
            total=operation.outside,
            roundings=1,
        )
    axes: list[Integers] = [np.array([index[0]])]
    kernel = np.ones((1,) * len(index))
    for axis, place in enumerate(index[1:]):
        found = mixture(operation, axis, source.shape[1 + axis], outputs[1 + axis])
        if found is None:
            return None
        taps, weights = found
        axes.append(taps[:, place])
        kernel = kernel * weights[:, place].reshape((-1,) + (1,) * (len(index) - 2 - axis))
    mesh = np.ix_(*axes)
    window = source[mesh].astype(np.float64)
    with np.errstate(all="ignore"):
        products = window * kernel
        total, magnitude = float(products.sum()), float(finite_sizes(window).sum())
    many = window.size > 1
    return Working(
        rule="interpolation" if many else "copy",
        formula=f"{operation.mode}: sum of source pixels x weights" if many else f"{operation.mode}: one source pixel",
        window=window,
        kernel=kernel,
        products=products,
        inputs=np.zeros((1,) * window.ndim, np.intp),
        places=tuple(mesh),
        steps=(Step("sum of source pixels x weights", total),),
        total=total,
        roundings=_roundings(source.shape[1:]) if many else 0,
        magnitude=magnitude if many else 0.0,
        stored=magnitude if many else 0.0,
        unsettled=many
        and (
            _odd_elsewhere(operation, source)
            or bool((_slight(kernel, source.shape[1:]) & ~np.isfinite(window)).any())
            or bool(_beside_odd(source[index[0]], outputs[1:])[np.ix_(*axes[1:])].any())
        ),
    )


def _odd_elsewhere(operation: Resize, source: Array) -> bool:
    """Whether a value that isn't finite may be read times a weight of 0 from elsewhere: beside a part that is cut out,
    or, of a single spatial axis, which ONNX Runtime resizes together with the channels, from another channel."""
    return (operation.coordinates == "crop" or source.ndim == 2) and not bool(np.isfinite(source).all())


def all_resized(operation: Resize, channel: int, outputs: Shape, source: Array) -> Swept | None:
    """Every value of one channel."""
    mixtures = [mixture(operation, n, source.shape[1 + n], count) for n, count in enumerate(outputs[1:])]
    tables, weights = [m[0] for m in mixtures if m is not None], [m[1] for m in mixtures if m is not None]
    if len(tables) < len(mixtures):
        return None
    values = source[channel].astype(np.float64)
    beside = _beside_odd(values, outputs[1:]) | _odd_elsewhere(operation, source)
    total, magnitude, unsettled = np.zeros(outputs[1:]), np.zeros(outputs[1:]), np.zeros(outputs[1:], np.bool_)
    with np.errstate(all="ignore"):
        for tap, (mesh, _) in enumerate(shifts(tables)):
            taps = np.unravel_index(tap, [len(table) for table in tables])
            picked = values[mesh]
            magnitude += finite_sizes(picked)
            share = np.ones(())
            for axis in np.ix_(*(weight[number] for weight, number in zip(weights, taps, strict=True))):
                share = share * axis
            total += picked * share
            unsettled |= (_slight(share, source.shape[1:]) & ~np.isfinite(picked)) | beside[mesh]
    outside = np.zeros(outputs[1:], np.bool_)
    for n, count in enumerate(outputs[1:]):
        out = beyond(operation, n, source.shape[1 + n], count)
        if out.any():
            outside |= out.reshape([-1 if axis == n else 1 for axis in range(total.ndim)])
    total, magnitude = np.where(outside, operation.outside, total), np.where(outside, 0.0, magnitude)
    if prod(len(table) for table in tables) == 1:
        return Swept(total, outside.astype(np.intp))  # the constant is rounded, a copy isn't
    return Swept(total, _roundings(source.shape[1:]), magnitude, magnitude, unsettled=unsettled & ~outside)


def _beside_odd(values: Array, outputs: Shape) -> Truths:
    """Values beside one that isn't finite, on an axis that keeps its size: it may be multiplied by 0, or left out."""
    near = ~np.isfinite(values)
    beside = np.zeros(values.shape, np.bool_)
    if near.any():
        for axis, (size, count) in enumerate(zip(values.shape, outputs, strict=True)):
            if size == count and size > 1:
                neighbours = np.roll(near, 1, axis) | np.roll(near, -1, axis)
                beside, near = beside | neighbours, near | neighbours
    return beside


def _slight(weights: Floats, sizes: Shape) -> Truths:
    """Weights that may be 0 or not, by a rounding: of an infinity, or NaN, that makes all the difference."""
    return np.abs(weights) <= _roundings(sizes) * 2.0**-24


@lru_cache(maxsize=256)
def beyond(operation: Resize, axis: int, size: int, outputs: int) -> NDArray[np.bool_]:
    """Which places of a cropped resize lie outside the input."""
    if operation.coordinates != "crop":
        return np.zeros(outputs, np.bool_)
    at = [coordinate(operation, place, size, outputs, axis) for place in range(outputs)]
    return np.array([x is not None and not 0 <= x <= size - 1 for x in at], np.bool_)


def _roundings(sizes: Shape) -> int:
    """The framework computes a weight from the coordinate, in float32: near position ``n`` it is off by up to ``n``
    roundings of 1."""
    return 16 + 4 * max(sizes)


@lru_cache(maxsize=256)
def mixture(operation: Resize, axis: int, size: int, outputs: int) -> tuple[Integers, Floats] | None:
    """The source positions of every output position along an axis, and their weights: (taps, outputs) both."""
    if operation.mode not in MODES:
        return None
    if (
        operation.mode != "cubic"
        and size == outputs
        and coordinate(operation, size - 1, size, outputs, axis) == size - 1
    ):
        # frameworks copy along an axis that keeps its size, and don't touch the neighbours
        return np.arange(size)[None], np.ones((1, size))
    found = [_taps(operation, place, size, outputs, axis) for place in range(outputs)]
    known = [each for each in found if each is not None]
    if len(known) < len(found):
        return None
    if not known or size == 0:
        return np.zeros((1, outputs), np.intp), np.zeros((1, outputs))
    positions, weights = np.array([taps for taps, _ in known]).T, np.array([shares for _, shares in known]).T
    return np.clip(positions, 0, size - 1), weights


def coordinate(operation: Resize, place: int, size: int, outputs: int, axis: int) -> Fraction | None:
    """Where an output position lies on the input axis.

    >>> half = Resize("linear", (Fraction(2),))
    >>> coordinate(half, 0, 4, 8, 0), coordinate(half, 1, 4, 8, 0)
    (Fraction(-1, 4), Fraction(1, 4))
    """
    scale = operation.scale[axis] if operation.scale else Fraction(outputs, size)
    match operation.coordinates:
        case "align_corners":
            return Fraction(place * (size - 1), outputs - 1) if outputs > 1 else Fraction(0)
        case "half_pixel":
            return _over(operation, place + Fraction(1, 2), scale) - Fraction(1, 2)
        case "pytorch_half_pixel":
            return _over(operation, place + Fraction(1, 2), scale) - Fraction(1, 2) if outputs > 1 else Fraction(0)
        case "half_pixel_symmetric":
            if operation.coordinate_arithmetic == "scale":
                return _symmetric(place, size, outputs, np.float32(float(scale)))
            adjustment = outputs / (size * scale)
            centre = Fraction(size, 2)
            return centre * (1 - adjustment) + (place + Fraction(1, 2)) / scale - Fraction(1, 2)
        case "asymmetric":
            return _over(operation, Fraction(place), scale)
        case "crop" if len(operation.crop) > axis:
            return _cropped(operation.crop[axis], place, size, outputs)
        case _:
            return None


def _cropped(part: tuple[float, float], place: int, size: int, outputs: int) -> Fraction:
    """The coordinate within a part of the axis, in float32."""
    start, end, last = np.float32(part[0]), np.float32(part[1]), np.float32(size - 1)
    if outputs == 1:
        return Fraction(float(np.float32(0.5) * (start + end) * last))
    moved = np.float32(place) * (end - start) * last / np.float32(outputs - 1)
    return Fraction(float(start * last + moved))


def _symmetric(place: int, size: int, outputs: int, scale: np.float32) -> Fraction:
    """The coordinate around the middle of the axis as ONNX Runtime rounds it: the offset in float32, the sum at the
    end."""
    adjustment = np.float32(outputs) / (scale * np.float32(size))
    offset = np.float32(size) / np.float32(2) * (np.float32(1) - adjustment)
    return Fraction(float(np.float32(float(offset) + (place + 0.5) / float(scale) - 0.5)))


def _over(operation: Resize, place: Fraction, scale: Fraction) -> Fraction:
    """``place / scale``, with the float32 roundings of the framework where it chooses a pixel by them."""
    if operation.coordinate_arithmetic == "step":
        return Fraction(float(np.float32(float(place)) * np.float32(float(1 / scale))))
    if operation.coordinate_arithmetic == "scale":
        return Fraction(float(np.float32(float(place)) / np.float32(float(scale))))
    return place / scale


def _taps(operation: Resize, place: int, size: int, outputs: int, axis: int) -> tuple[list[int], list[float]] | None:
    x = coordinate(operation, place, size, outputs, axis)
    if x is None:
        return None
    if operation.mode == "nearest":
        return [_nearest(_settled(operation, x), operation.rounding)], [1.0]
    if operation.mode.endswith("_antialias"):
        scale = operation.scale[axis] if operation.scale else Fraction(outputs, size)
        return _widened(operation, x, min(float(scale), 1.0), size)
    if operation.mode == "linear":
        x = max(x, Fraction(0))  # as frameworks do: in front of the first pixel the second doesn't count
    first = floor(x)
    share = float(x - first)
    if operation.mode == "linear":
        return [first, first + 1], [1 - share, share]
    if operation.cubic_steps:
        share = round(share * operation.cubic_steps) / operation.cubic_steps
    positions, weights = [first + n for n in range(-1, 3)], _keys(share, operation.cubic_coefficient)
    return positions, _inside(positions, weights, size) if operation.exclude_outside else weights


def _inside(positions: list[int], weights: list[float], size: int) -> list[float]:
    """What lies outside has no weight, and the others are raised to a sum of 1."""
    kept = [weight if 0 <= at < size else 0.0 for at, weight in zip(positions, weights, strict=True)]
    whole = sum(kept) or 1.0  # nothing is inside of a window beyond the input, which is then a constant
    return [weight / whole for weight in kept]


def _widened(operation: Resize, x: Fraction, scale: float, size: int) -> tuple[list[int], list[float]]:
    """The window of a filter that is stretched by ``1 / scale``: as many pixels as a reduced one stands for.

    Source: the Resize operator of the ONNX specification, with ``antialias``.
    """
    linear = operation.mode == "linear_antialias"
    start = floor(-(1 if linear else 2) / scale) + 1
    first, share = floor(x), float(x - floor(x))
    steps = range(start, 2 - start)
    distances = [abs(scale * (n - share)) for n in steps]
    weights = [max(0.0, 1 - d) if linear else _key(d, operation.cubic_coefficient) for d in distances]
    positions = [first + n for n in steps]
    if operation.exclude_outside:
        return positions, _inside(positions, weights, size)
    return positions, [weight / sum(weights) for weight in weights]


def _key(distance: float, a: float) -> float:
    """The cubic filter at a distance. Source: R. Keys, as above."""
    if distance >= 2:
        return 0.0
    if distance >= 1:
        return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a
    return ((a + 2) * distance - (a + 3)) * distance * distance + 1


_TIE = 1e-6
"""How near to a half ONNX Runtime takes a coordinate for one, so that a rounding of it decides nothing."""


def _settled(operation: Resize, x: Fraction) -> Fraction:
    """A coordinate as it is compared: within a hair of a half it is one.

    >>> float(_settled(Resize("nearest", (), coordinate_arithmetic="scale"), Fraction(14.500001)))
    14.5
    """
    half = floor(x) + Fraction(1, 2)
    near = operation.coordinate_arithmetic == "scale" and operation.rounding.startswith("round")
    return half if near and abs(x - half) < _TIE else x


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
    return [_key(distance, a) for distance in (1 + share, share, 1 - share, 2 - share)]
