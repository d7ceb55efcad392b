"""Dense layers and softmax: sums over all values of a vector."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlens.arithmetic.working import Array, Step, Working
from convlens.network import Activation, Dense, Shape


def dense(operation: Dense, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working:
    """One value of a dense layer: input x weight over all features, plus the bias.

    The features lie along the input's axis of that size: the channels, or the last axis, or the whole vector.
    """
    axis = feature_axis(operation, source.shape)
    at = index if len(index) == source.ndim else (0,) * source.ndim
    places = [np.array([place]) for place in at]
    places[axis] = np.arange(operation.in_features)
    mesh = np.ix_(*places)
    unit = index[axis] if len(index) == source.ndim else index[0]
    values = source[mesh].astype(np.float64).reshape(-1)
    kernel = weights["weight"][unit].astype(np.float64)
    products = values * kernel
    summed = float(products.sum())
    bias = float(weights["bias"][unit]) if "bias" in weights else None
    total = summed + (bias or 0.0)
    steps = [Step("sum of input x weight", summed)]
    if bias is not None:
        steps.append(Step("+ bias", total))
    return Working(
        rule="dense",
        formula="sum of input x weight" + (" + bias" if bias is not None else ""),
        window=values,
        kernel=kernel,
        products=products,
        inputs=np.zeros(1, np.intp),
        places=tuple(np.broadcast_to(part, source[mesh].shape).reshape(-1) for part in mesh),
        bias=bias,
        steps=tuple(steps),
        total=total,
        roundings=values.size + 2,
        magnitude=float(np.abs(products).sum()) + abs(bias or 0.0),
    )


def feature_axis(operation: Dense, shape: Shape) -> int:
    """The axis of the input along which a dense layer adds up."""
    if len(shape) == 1 or not operation.per_position:
        return 0
    return len(shape) - 1 if operation.features_axis is None else operation.features_axis


def softmax(operation: Activation, index: Shape, source: Array) -> Working:
    """One value of a softmax or log-softmax: its exponential's share of all exponentials along the axis."""
    axis = operation.axis or 0
    places = [np.array([place]) for place in index]
    places[axis] = np.arange(source.shape[axis])
    mesh = np.ix_(*places)
    values = source[mesh].astype(np.float64).reshape(-1)
    largest = float(values.max())
    powers = np.exp(values - largest)
    summed = float(powers.sum())
    own = float(powers[index[axis]])
    share = own / summed
    logarithm = operation.function == "log_softmax"
    total = float(values[index[axis]] - largest - np.log(summed)) if logarithm else share
    steps = [
        Step(f"exp(x - largest ({largest:.9g}))", own),
        Step(f"/ sum of all {values.size} exponentials ({summed:.9g})", share),
    ]
    if logarithm:
        steps.append(Step("logarithm", total))
    return Working(
        rule=operation.function,
        formula="log(exp(x) / sum of exp)" if logarithm else "exp(x) / sum of exp",
        window=values,
        inputs=np.zeros(1, np.intp),
        places=tuple(np.broadcast_to(part, source[mesh].shape).reshape(-1) for part in mesh),
        steps=tuple(steps),
        total=total,
        activation=operation.function,
        roundings=values.size + 16,
        # the difference x - largest is rounded once before it is exponentiated
        magnitude=(abs(total) + (np.log(values.size) if logarithm else 0.0)) * (1 + abs(values[index[axis]] - largest)),
    )
