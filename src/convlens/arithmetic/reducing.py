"""Reductions over any axes: mean, sum, product, maximum, minimum."""

from __future__ import annotations

from math import prod

import numpy as np

from convlens.arithmetic.pooling import maximum
from convlens.arithmetic.working import Array, Integers, Step, Swept, Working
from convlens.network import Shape

FUNCTIONS = ("mean", "sum", "product", "max", "min")


def reduction(function: str, over: Shape, index: Shape, source: Array) -> Working | None:
    """One value of a reduction over the input axes ``over``; ``None`` for a function not known here."""
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
        return maximum(window, inputs, tuple(mesh), smallest=function == "min")
    count = window.size
    with np.errstate(all="ignore"):
        if function == "product":
            total = float(window.prod())
            words, kernel = "product of all", None
        else:
            total = float(window.sum()) / (count if function == "mean" else 1)
            words, kernel = f"{function} of all", np.full(window.shape, 1 / count if function == "mean" else 1.0)
        magnitude = abs(total) if kernel is None else float(np.abs(window * kernel).sum())
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
            roundings=count + 2,
            magnitude=magnitude,
        )


def all_reduced(function: str, over: Shape, channel: int, outputs: Shape, source: Array) -> Swept | None:
    """Every value of one channel."""
    if function not in FUNCTIONS or (not source.size and function in ("max", "min")):
        return None
    values = source.astype(np.float64)
    if 0 not in over:
        values = values[channel : channel + 1]
    count = prod(source.shape[axis] for axis in over)
    with np.errstate(all="ignore"):
        if function in ("max", "min"):
            total = values.max(axis=over, keepdims=True) if function == "max" else values.min(axis=over, keepdims=True)
            return Swept(_channel(total, over, channel, outputs), 0)
        if function == "product":
            total = _channel(values.prod(axis=over, keepdims=True), over, channel, outputs)
            return Swept(total, count + 2, np.abs(total))
        parts = count if function == "mean" else 1
        total = values.sum(axis=over, keepdims=True) / parts
        size = np.abs(values).sum(axis=over, keepdims=True) / parts
        return Swept(_channel(total, over, channel, outputs), count + 2, _channel(size, over, channel, outputs))


def _channel(reduced: Array, over: Shape, channel: int, outputs: Shape) -> Array:
    """The wanted channel of the result, whose axes may have moved up where those that were reduced are gone."""
    whole: Array = reduced.reshape(outputs[1:] if not outputs or 0 not in over else outputs)
    return whole if not outputs or 0 not in over else np.asarray(whole[channel])
