"""Reductions over any axes: mean, sum, product, maximum, minimum."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, prod

import numpy as np

from convlens.arithmetic.pooling import SMALLEST, maximum
from convlens.arithmetic.rounding import Floats, Truths, finite_sizes
from convlens.arithmetic.working import Array, Integers, Step, Swept, Working
from convlens.network import Pointwise, Shape, Whole

FUNCTIONS = ("mean", "sum", "product", "max", "min")
_SHOWS = 2.0
"""Factors that together make less than this multiply what is lost below the normal range by no more than the bound has
room for."""


def reduction(operation: Pointwise | Whole, index: Shape, source: Array) -> Working | None:
    """One value of a reduction over input axes; ``None`` for a function not known here."""
    function, over = operation.function, operation.axes
    if function not in FUNCTIONS or (not source.size and function in ("max", "min")):
        return None
    if len(index) not in (source.ndim, source.ndim - len(over)):
        return None
    kept = iter(index if len(index) != source.ndim else [n for axis, n in enumerate(index) if axis not in over])
    axes = [np.arange(size) if axis in over else np.array([next(kept)]) for axis, size in enumerate(source.shape)]
    mesh = np.ix_(*axes)
    window = source[mesh].astype(np.float64)
    inputs: Integers = np.zeros((1,) * window.ndim, np.intp)
    if function in ("max", "min"):
        found = maximum(window, inputs, tuple(mesh), smallest=function == "min")
        return replace(found, unsettled=not operation.settles_nan and isnan(found.total))
    count = window.size
    with np.errstate(all="ignore"):
        if function == "product":
            total = float(window.prod())
            words, kernel = "product of all", None
        else:
            total = float(window.sum()) / (count if function == "mean" else 1)
            words, kernel = f"{function} of all", np.full(window.shape, 1 / count if function == "mean" else 1.0)
        magnitude = abs(total) if kernel is None else float(finite_sizes(window * kernel).sum())
        lost, largest = _on_the_way(window, tuple(range(window.ndim)))
        return Working(
            rule=function,
            formula=f"{function} of {count:,} values",
            window=window,
            kernel=kernel,
            products=None if kernel is None else window * kernel,
            inputs=inputs,
            places=tuple(mesh),
            steps=(Step(words, total),),
            total=total,
            roundings=2 * (count + 2) if kernel is None else count + 2,
            magnitude=magnitude,
            peak=largest.item() if kernel is None else float(finite_sizes(window).sum()),
            unsettled=kernel is None and lost.item(),
        )


def _on_the_way(values: Floats, over: Shape) -> tuple[Truths, Floats]:
    """Of a product's factors in any order: whether some product on the way is too small for its digits, and another so
    large that this shows in the end; and the largest product."""
    with np.errstate(all="ignore"):
        sizes = np.abs(values)
        least = np.minimum(sizes, 1.0).prod(axis=over, keepdims=True)
        largest = np.maximum(sizes, 1.0).prod(axis=over, keepdims=True)
        return (least > 0) & (least < SMALLEST) & (largest > _SHOWS), largest


def all_reduced(operation: Pointwise | Whole, channel: int, outputs: Shape, source: Array) -> Swept | None:
    """Every value of one channel."""
    function, over = operation.function, operation.axes
    if function not in FUNCTIONS or (not source.size and function in ("max", "min")):
        return None
    values = source.astype(np.float64)
    if 0 not in over:
        values = values[channel : channel + 1]
    count = prod(source.shape[axis] for axis in over)
    with np.errstate(all="ignore"):
        if function in ("max", "min"):
            total = values.max(axis=over, keepdims=True) if function == "max" else values.min(axis=over, keepdims=True)
            total = _channel(total, over, channel, outputs)
            return Swept(total, 0, unsettled=np.isnan(total) & (not operation.settles_nan))
        if function == "product":
            parts = (values.prod(axis=over, keepdims=True), *_on_the_way(values, over))
            total, lost, largest = (_channel(part, over, channel, outputs) for part in parts)
            return Swept(total, 2 * (count + 2), np.abs(total), peak=largest, unsettled=lost)
        shares = count if function == "mean" else 1
        total = _channel(values.sum(axis=over, keepdims=True) / shares, over, channel, outputs)
        size = _channel(finite_sizes(values).sum(axis=over, keepdims=True), over, channel, outputs)
        return Swept(total, count + 2, size / shares, peak=size)


def _channel(reduced: Array, over: Shape, channel: int, outputs: Shape) -> Array:
    """The wanted channel of the result, whose axes may have moved up where those that were reduced are gone."""
    whole: Array = reduced.reshape(outputs[1:] if not outputs or 0 not in over else outputs)
    return whole if not outputs or 0 not in over else np.asarray(whole[channel])
