"""Every value of one channel at once: the same arithmetic as :func:`convlens.arithmetic.explain`, over whole arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from convlens import geometry
from convlens.arithmetic import functions, merging, normalising, windows
from convlens.arithmetic.explaining import explain, slopes
from convlens.arithmetic.working import PADDING, Array, Floats, Integers, bound
from convlens.network import (
    Activation,
    Convolution,
    Layer,
    Merge,
    Normalisation,
    Operation,
    Pooling,
    Shape,
)


@dataclass(frozen=True, slots=True)
class Sweep:
    """``total``: what the terms of each value of the channel add up to, float64; ``tolerance``: what rounding can do."""

    total: Floats
    tolerance: Floats


def explain_all(layer: Layer, channel: int, sources: Sequence[Array], weights: Mapping[str, Array]) -> Sweep | None:
    """Work out every value of one output channel; arguments and ``None`` as for :func:`explain`."""
    places = layer.output_shape[1:]
    swept = _swept(layer, channel, sources, weights) if places else None
    if swept is not None:
        total, roundings, magnitude = swept
        return Sweep(total, bound(roundings, magnitude, total, layer.dtype))
    total, tolerance = np.empty(places), np.empty(places)
    for place in np.ndindex(*places):
        working = explain(layer, (channel, *place), sources, weights)
        if working is None:
            return None
        total[place], tolerance[place] = working.total, working.tolerance(layer.dtype)
    return Sweep(total, tolerance)


Swept = tuple[Floats, int, Floats]  # totals, roundings, magnitudes


def _swept(layer: Layer, channel: int, sources: Sequence[Array], weights: Mapping[str, Array]) -> Swept | None:
    """The kinds of layer that whole arrays serve; ``None`` for the others, which go value by value."""
    operation, source = layer.operation, sources[0]
    if isinstance(operation, Merge) and operation.function in merging.KNOWN and len(sources) > 1:
        return _merged(operation, channel, layer.output_shape, sources)
    if len(sources) != 1:
        return None
    match operation:
        case Convolution() if "kernel" in weights and source.ndim == 1 + len(operation.kernel_size):
            return _convolved(operation, channel, layer.output_shape[1:], source, weights)
        case Pooling() if not operation.whole and not operation.adaptive and source.ndim == len(layer.output_shape):
            return _pooled(operation, channel, layer.output_shape[1:], source)
        case Normalisation() if source.shape == layer.output_shape:
            return _normalised(operation, channel, source, weights)
        case Activation() if operation.axis is None and operation.function in functions.FUNCTIONS:
            return _activated(operation, channel, source, weights)
        case _:
            return None


def _tap_tables(operation: Operation, sizes: Shape, outputs: Shape) -> list[Integers]:
    """For each axis (taps, outputs): the input position under each tap, ``PADDING`` where there is none."""
    assert isinstance(operation, (Convolution, Pooling))
    tables = []
    for axis, (size, count) in enumerate(zip(sizes, outputs, strict=True)):
        kernel, stride = operation.kernel_size[axis], operation.stride[axis]
        dilation, before = operation.dilation[axis], operation.padding[axis][0]
        taps, places = np.arange(kernel)[:, None], np.arange(count)[None, :]
        if isinstance(operation, Convolution) and operation.transposed:
            position, rest = np.divmod(places + before - dilation * taps, stride)
            tables.append(np.where((rest == 0) & (position >= 0) & (position < size), position, PADDING))
        else:
            mode = operation.padding_mode if isinstance(operation, Convolution) else "zeros"
            tables.append(windows.inside_padding(places * stride - before + dilation * taps, size, mode))
    return tables


def _shifted(source: Floats, tables: Sequence[Integers]) -> Iterator[tuple[Shape, Floats, Array]]:
    """Each tap, the input value that it reads for every output position (all channels), and whether it is real."""
    for taps in product(*(range(len(table)) for table in tables)):
        picked = [table[tap] for table, tap in zip(tables, taps, strict=True)]
        real = np.ones((1,) * len(picked), np.bool_)
        for mesh in np.ix_(*picked):
            real = real & (mesh != PADDING)
        values = source[np.ix_(np.arange(len(source)), *(np.maximum(axis, 0) for axis in picked))]
        yield taps, values, real


def _convolved(
    operation: Convolution, channel: int, outputs: Shape, source: Array, weights: Mapping[str, Array]
) -> Swept:
    per_group = operation.in_channels // operation.groups
    first = channel // (operation.filters // operation.groups) * per_group
    values = source[first : first + per_group].astype(np.float64)
    kernel = weights["kernel"][channel].astype(np.float64)
    bias = float(weights["bias"][channel]) if "bias" in weights else 0.0
    total, magnitude = np.full(outputs, bias), np.full(outputs, abs(bias))
    for taps, shifted, real in _shifted(values, _tap_tables(operation, source.shape[1:], outputs)):
        weight = kernel[(slice(None), *taps)]
        total += np.where(real, np.tensordot(weight, shifted, 1), 0.0)
        magnitude += np.where(real, np.tensordot(np.abs(weight), np.abs(shifted), 1), 0.0)
    return total, kernel.size + 2, magnitude


def _pooled(operation: Pooling, channel: int, outputs: Shape, source: Array) -> Swept | None:
    values = source[channel : channel + 1].astype(np.float64)
    taps = _shifted(values, _tap_tables(operation, source.shape[1:], outputs))
    if operation.mode == "max":
        largest = np.full(outputs, -np.inf)
        for _, shifted, real in taps:
            largest = np.maximum(largest, np.where(real, shifted[0], -np.inf))
        return largest, 1, np.zeros(outputs)
    if operation.mode != "average":
        return None
    total, magnitude = np.zeros(outputs), np.zeros(outputs)
    for _, shifted, real in taps:
        total += np.where(real, shifted[0], 0.0)
        magnitude += np.where(real, np.abs(shifted[0]), 0.0)
    divisor = _divisors(operation, source.shape[1:], outputs)
    return total / divisor, prod(operation.kernel_size) + 2, magnitude / divisor


def _divisors(operation: Pooling, sizes: Shape, outputs: Shape) -> Floats:
    if operation.divisor is not None:
        return np.full(outputs, float(operation.divisor))
    found = np.ones(outputs)
    for axis, (size, count) in enumerate(zip(sizes, outputs, strict=True)):
        before, after = operation.padding[axis] if operation.count_include_pad else (0, 0)
        settings = (operation.kernel_size[axis], operation.stride[axis], operation.dilation[axis])
        counts = [
            sum(-before <= at < size + after for at in geometry.window(place, *settings, operation.padding[axis]))
            for place in range(count)
        ]
        found = found * np.reshape(counts, (-1,) + (1,) * (len(outputs) - 1 - axis))
    return found


def _normalised(operation: Normalisation, channel: int, source: Array, weights: Mapping[str, Array]) -> Swept | None:
    statistics = normalising.statistics(operation, source, weights)
    if statistics is None:
        return None
    mean, variance, count, centre = (np.asarray(part) for part in statistics)
    scale = normalising.spread(weights["scale"], source.shape)[channel] if "scale" in weights else 1.0
    shift = normalising.spread(weights["shift"], source.shape)[channel] if "shift" in weights else 0.0
    mean, variance, centre = (np.broadcast_to(part, source.shape)[channel] for part in (mean, variance, centre))
    values = source[channel].astype(np.float64)
    factor = scale / np.sqrt(variance + operation.epsilon)
    magnitude = (np.abs(values) + centre) * np.abs(factor) + np.abs(shift)
    return (values - mean) * factor + shift, int(count), magnitude


def _activated(operation: Activation, channel: int, source: Array, weights: Mapping[str, Array]) -> Swept | None:
    values = source[channel].astype(np.float64)
    slope = slopes(weights, source.shape)
    total = functions.computed(operation, values, None if slope is None else slope[channel])
    if total is None:
        return None
    return total, 16, functions.magnitudes(operation, values, total)


def _merged(operation: Merge, channel: int, shape: Shape, sources: Sequence[Array]) -> Swept:
    parts = [np.broadcast_to(source, shape)[channel].astype(np.float64) for source in sources]
    total, magnitude = merging.merged(operation.function, parts)
    return total, 4 * len(parts), magnitude
