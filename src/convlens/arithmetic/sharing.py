"""Values that compete along an axis: softmax and log-softmax; the gated linear unit, where one half gates the other."""

from __future__ import annotations

import numpy as np

from convlens.arithmetic import functions
from convlens.arithmetic.rounding import Truths
from convlens.arithmetic.working import Array, Step, Swept, Working
from convlens.network import Activation, Shape

FUNCTIONS = ("softmax", "log_softmax")
ROUNDINGS = 16
"""Of the exponential, logarithm, difference and quotient, beside those of the sum."""


def softmax(operation: Activation, index: Shape, source: Array) -> Working:
    """One value of a softmax or log-softmax: its exponential's share of all exponentials along the axis."""
    axis = operation.axis or 0
    places = [np.array([place]) for place in index]
    places[axis] = np.arange(source.shape[axis])
    mesh = np.ix_(*places)
    values = source[mesh].astype(np.float64).reshape(-1)
    with np.errstate(all="ignore"):
        largest = float(values.max())
        powers = np.exp(values - largest)
        summed, own = float(powers.sum()), float(powers[index[axis]])
    logarithm = operation.function == "log_softmax"
    share = own / summed
    swept = all_softmax(operation, values[:, None], index[axis])
    total = float(swept.total[0])
    steps = [
        Step(f"exp(x - largest ({largest:.9g}))", own),
        Step(f"/ sum of all {values.size} exponentials ({summed:.9g})", share),
    ]
    if logarithm:
        steps = [
            Step(f"x - largest ({largest:.9g})", float(values[index[axis]]) - largest),
            Step(f"- log of the sum of all {values.size} exponentials ({summed:.9g})", total),
        ]
    return Working(
        rule=operation.function,
        formula="x - log(sum of exp)" if logarithm else "exp(x) / sum of exp",
        window=values,
        inputs=np.zeros(1, np.intp),
        places=tuple(np.broadcast_to(part, source[mesh].shape).reshape(-1) for part in mesh),
        steps=tuple(steps),
        total=total,
        activation=operation.function,
        focus=index[axis],
        roundings=values.size + ROUNDINGS,
        magnitude=float(np.asarray(swept.magnitude)[0]),
    )


def all_softmax(operation: Activation, source: Array, place: int) -> Swept:
    """Every value at ``place`` of the first axis, which is the axis that they compete along."""
    values = source.astype(np.float64)
    count = len(values)
    with np.errstate(all="ignore"):
        difference = values - values.max(axis=0)
        powers = np.exp(difference)
        summed, own = powers.sum(axis=0), difference[place]
        # values and differences are rounded before they are exponentiated: their magnitudes, and their mean in the sum
        sizes = np.abs(values) + np.abs(difference)
        sizes = np.where(np.isfinite(sizes), sizes, 0.0)
        exponents = sizes[place] + (powers * sizes).sum(axis=0) / summed
        if operation.function == "log_softmax":
            total = own - np.log(summed)
            size = exponents + np.log(summed) + 1.0
        else:
            total = powers[place] / summed
            size = total * (1 + exponents)
    return Swept(total, count + ROUNDINGS, size)


def swept_softmax(operation: Activation, channel: int, source: Array) -> Swept:
    """Every value of one channel."""
    axis = operation.axis or 0
    if axis == 0:
        return all_softmax(operation, source, channel)
    along = np.moveaxis(source[channel], axis - 1, 0)
    places = [all_softmax(operation, along, place) for place in range(len(along))]
    total = np.moveaxis(np.stack([swept.total for swept in places]), 0, axis - 1)
    size = np.moveaxis(np.stack([np.asarray(swept.magnitude) for swept in places]), 0, axis - 1)
    return Swept(total, places[0].roundings, size)


def hardmax(operation: Activation, index: Shape, source: Array) -> Working:
    """One value of a hardmax: 1 where the first of the largest values along the axis stands, else 0."""
    axis = operation.axis or 0
    mesh = np.ix_(*(np.arange(n) if k == axis else np.array([index[k]]) for k, n in enumerate(source.shape)))
    values = source[mesh].astype(np.float64)
    line = values.reshape(-1)
    first = int(line.argmax())
    total = float(first == index[axis])
    return Working(
        rule="hardmax",
        formula="1 where the first of the largest values stands, else 0",
        window=line,
        inputs=np.zeros(1, np.intp),
        places=tuple(np.broadcast_to(part, values.shape).reshape(-1) for part in mesh),
        steps=(Step(f"the largest value, {line[first]:.9g}, stands at {first}", total),),
        total=total,
        activation="hardmax",
        unsettled=bool(np.isnan(line).any()),
    )


def all_hardmax(operation: Activation, channel: int, source: Array) -> Swept:
    """Every value of one channel."""
    axis = operation.axis or 0
    if axis == 0:
        total = (source.argmax(axis=0) == channel).astype(np.float64)
        return Swept(total, unsettled=np.asarray(np.isnan(source).any(axis=0)))
    values = source[channel]
    firsts = np.expand_dims(values.argmax(axis=axis - 1), axis - 1)
    along = [1] * values.ndim
    along[axis - 1] = -1
    total = (np.arange(values.shape[axis - 1]).reshape(along) == firsts).astype(np.float64)
    unsettled: Truths = np.asarray(np.isnan(values).any(axis=axis - 1, keepdims=True))
    return Swept(total, unsettled=np.broadcast_to(unsettled, total.shape))


def gated(operation: Activation, index: Shape, source: Array) -> Working:
    """One value of a gated linear unit: a value of the first half x the sigmoid of its partner in the second."""
    axis = operation.axis or 0
    partner = tuple(n + source.shape[axis] // 2 if k == axis else n for k, n in enumerate(index))
    value, gate = float(source[index]), float(source[partner])
    total, opened = (float(part) for part in _gate(np.array(value), np.array(gate)))
    return Working(
        rule="activation",
        formula="a / (1 + exp(-b))",
        window=np.array([value, gate]),
        inputs=np.zeros(1, np.intp),
        places=tuple(np.array(pair) for pair in zip(index, partner, strict=True)),
        steps=(Step("sigmoid of b", opened), Step("x a", total)),
        total=total,
        activation="glu",
        roundings=ROUNDINGS,
        magnitude=abs(value),
    )


def all_gated(operation: Activation, channel: int, source: Array) -> Swept:
    """Every value of one channel."""
    axis = operation.axis or 0
    half = source.shape[axis] // 2
    if axis == 0:
        values, gates = source[channel], source[channel + half]
    else:
        values, gates = np.split(source[channel], 2, axis - 1)
    total, _ = _gate(values.astype(np.float64), gates.astype(np.float64))
    return Swept(total, ROUNDINGS, np.abs(values.astype(np.float64)))


def _gate(value: Array, gate: Array) -> tuple[Array, Array]:
    opened = functions.sigmoid(gate)
    with np.errstate(all="ignore"):
        return value * opened, opened
