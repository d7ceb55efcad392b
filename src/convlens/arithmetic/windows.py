"""Windows that slide: convolution, transposed convolution in gather form, pooling."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from convlens import geometry
from convlens.arithmetic.working import PADDING, Array, Floats, Integers, Step, Working
from convlens.network import Convolution, Pooling, Shape


def convolution(operation: Convolution, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working:
    """One value of a convolution: window x kernel, added up a channel at a time, plus the bias."""
    filter_number, per_group = index[0], operation.in_channels // operation.groups
    first = filter_number // (operation.filters // operation.groups) * per_group
    kernel = weights["kernel"][filter_number].astype(np.float64)
    axes: list[Integers] = []
    for axis, place in enumerate(index[1:]):
        size, taps = source.shape[1 + axis], operation.kernel_size[axis]
        stride, dilation, padding = operation.stride[axis], operation.dilation[axis], operation.padding[axis]
        if operation.transposed:
            found = np.full(taps, PADDING)
            for position, tap in geometry.transposed_window(place, size, taps, stride, dilation, padding):
                found[tap] = position
        else:
            found = np.arange(taps) * dilation + (place * stride - padding[0])
            found = inside_padding(found, size, operation.padding_mode)
        axes.append(found)
    channels = np.arange(first, first + per_group)
    window, places = gather(source, [channels, *axes])
    products = window * kernel
    summed = float(products.sum())
    bias = float(weights["bias"][filter_number]) if "bias" in weights else None
    total = summed + (bias or 0.0)
    steps = [Step("sum of window x kernel", summed)]
    if bias is not None:
        steps.append(Step("+ bias", total))
    name = "transposed convolution" if operation.transposed else "convolution"
    return Working(
        rule=name,
        formula="sum of window x kernel" + (" + bias" if bias is not None else ""),
        window=window,
        kernel=kernel,
        products=products,
        inputs=np.zeros((1,) * window.ndim, np.intp),
        places=places,
        bias=bias,
        steps=tuple(steps),
        total=total,
        roundings=window.size + 2,
        magnitude=float(np.abs(products).sum()) + abs(bias or 0.0),
    )


def inside_padding(positions: Integers, size: int, mode: str) -> Integers:
    """Positions along an axis of ``size``, with those outside mapped to what the padding mode puts there.

    >>> inside_padding(np.array([-1, 0, 3]), 3, "zeros").tolist()
    [-1, 0, -1]
    >>> inside_padding(np.array([-1, 0, 3]), 3, "reflect").tolist()
    [1, 0, 1]
    """
    if mode == "replicate":
        return np.clip(positions, 0, size - 1)
    if mode == "circular":
        return positions % size
    if mode == "reflect":
        period = max(2 * (size - 1), 1)
        folded = positions % period
        return np.where(folded >= size, period - folded, folded)
    return np.where((positions < 0) | (positions >= size), PADDING, positions)


def gather(source: Array, axes: list[Integers], fill: float = 0.0) -> tuple[Floats, tuple[Integers, ...]]:
    """The values of ``source`` at the open mesh of ``axes``, ``fill`` in the padding, and the mesh itself."""
    mesh = np.ix_(*axes)
    values = source[mesh].astype(np.float64)
    if any((axis == PADDING).any() for axis in axes):
        outside = np.zeros(values.shape, np.bool_)
        for axis in mesh:
            outside |= axis == PADDING
        values[outside] = fill
    return values, tuple(mesh)


def pooling(operation: Pooling, outputs: Shape, index: Shape, source: Array) -> Working:
    """One value of a pooling: which input won (maximum), or the mean over the real divisor, or the p-norm.

    ``outputs`` are the spatial sizes that the layer makes, from which adaptive pooling finds its windows.
    """
    fill = -np.inf if operation.mode == "max" else 0.0
    axes = pooling_axes(operation, outputs, index[1:], source.shape[1:])
    values, places = gather(source, [np.array(index[:1]), *axes], fill)
    window, places = values[0], tuple(np.broadcast_to(axis, values.shape)[0] for axis in places)
    inputs = np.zeros((1,) * window.ndim, np.intp)
    if operation.mode == "max":
        return _maximum(window, places, inputs)
    if operation.mode == "lp":
        return _norm(operation.power, window, places, inputs)
    divisor = pooling_divisor(operation, outputs, index[1:], source.shape[1:])
    products = window / divisor
    summed = float(window.sum())
    return Working(
        rule="mean",
        formula=f"sum of window / {divisor}",
        window=window,
        kernel=np.full(window.shape, 1.0 / divisor),
        products=products,
        inputs=inputs,
        places=places,
        steps=(Step("sum of window", summed), Step(f"/ {divisor}", summed / divisor)),
        total=summed / divisor,
        roundings=window.size + 2,
        magnitude=float(np.abs(products).sum()),
    )


def _maximum(window: Floats, places: tuple[Integers, ...], inputs: Integers) -> Working:
    best = float(np.nan if np.isnan(window).any() else window.max())
    winners = np.isnan(window) if np.isnan(best) else window == best
    ties = int(winners.sum())
    words = "the largest value" if ties == 1 else f"the largest value, {ties} times"
    return Working(
        rule="maximum",
        formula="largest value of the window",
        window=window,
        inputs=inputs,
        places=places,
        steps=(Step(words, best),),
        total=best,
        winners=winners,
    )


def _norm(power: float, window: Floats, places: tuple[Integers, ...], inputs: Integers) -> Working:
    powers = np.abs(window) ** power
    summed = float(powers.sum())
    total = summed ** (1 / power)
    return Working(
        rule="norm",
        formula=f"(sum of |window|^{power:g})^(1/{power:g})",
        window=window,
        inputs=inputs,
        places=places,
        steps=(Step(f"sum of |window|^{power:g}", summed), Step(f"^(1/{power:g})", total)),
        total=total,
        roundings=window.size + 16,
        magnitude=total,
    )


def pooling_axes(operation: Pooling, outputs: Shape, index: Shape, sizes: Shape) -> list[Integers]:
    """The input positions of one pooling window, ``PADDING`` outside the map."""
    if operation.whole:
        return [np.arange(size) for size in sizes]
    axes = []
    for axis, (place, size) in enumerate(zip(index, sizes, strict=True)):
        if operation.adaptive:
            window = geometry.adaptive_window(place, size, outputs[axis])
            axes.append(np.arange(window.start, window.stop))
        else:
            taps = np.arange(operation.kernel_size[axis]) * operation.dilation[axis]
            positions = taps + (place * operation.stride[axis] - operation.padding[axis][0])
            axes.append(inside_padding(positions, size, "zeros"))
    return axes


def pooling_divisor(operation: Pooling, outputs: Shape, index: Shape, sizes: Shape) -> int:
    """What an average divides by: the real values of this window; padding too where the layer counts it.

    With ``count_include_pad`` the stated padding counts, but not what ``ceil_mode`` lets hang over beyond it (the rule
    of PyTorch's ``avg_pool2d`` and of ONNX's AveragePool).
    """
    if operation.divisor is not None:
        return operation.divisor
    if operation.whole:
        return prod(sizes)
    counts = []
    for axis, (place, size) in enumerate(zip(index, sizes, strict=True)):
        if operation.adaptive:
            counts.append(len(geometry.adaptive_window(place, size, outputs[axis])))
            continue
        before, after = operation.padding[axis] if operation.count_include_pad else (0, 0)
        window = geometry.window(
            place,
            operation.kernel_size[axis],
            operation.stride[axis],
            operation.dilation[axis],
            operation.padding[axis],
        )
        counts.append(sum(-before <= position < size + after for position in window))
    return prod(counts)
