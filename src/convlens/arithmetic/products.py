"""Sums of products with a matrix: dense layers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlens.arithmetic.rounding import finite_sizes
from convlens.arithmetic.working import Array, Step, Swept, Working
from convlens.network import Dense, Shape
from convlens.receptive import features_axis


def dense(operation: Dense, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working:
    """One value of a dense layer: input x weight over all features, plus the bias.

    The features lie along the input's axis of that size: the channels, or the last axis, or the whole vector.
    """
    axis = feature_axis(operation, source.shape)
    at = index if len(index) == source.ndim else (0,) * source.ndim
    places = [np.array([place]) for place in at]
    places[axis] = np.arange(source.shape[axis])
    mesh = np.ix_(*places)
    unit = index[axis] if len(index) == source.ndim else index[0]
    values = source[mesh].astype(np.float64).reshape(-1)
    kernel = weights["weight"][unit].astype(np.float64)
    with np.errstate(all="ignore"):
        products = values * kernel
        summed, magnitude = float(products.sum()), float(finite_sizes(products).sum())
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
        magnitude=magnitude + float(finite_sizes(np.array(bias or 0.0))),
        stored=abs(summed) if bias is not None else 0.0,
    )


def all_dense(operation: Dense, channel: int, outputs: Shape, source: Array, weights: Mapping[str, Array]) -> Swept:
    """Every value of one channel: one unit's where the features are the channels, else one position's."""
    axis = feature_axis(operation, source.shape)
    matrix = weights["weight"].astype(np.float64)
    bias = weights["bias"].astype(np.float64) if "bias" in weights else np.zeros(len(matrix))
    if axis == 0:
        matrix, bias, values = matrix[channel : channel + 1], bias[channel : channel + 1], source
    else:
        values, axis = source[channel], axis - 1
    values = np.moveaxis(values.astype(np.float64), axis, -1)
    with np.errstate(all="ignore"):
        products = np.moveaxis(values @ matrix.T, -1, axis)
        sizes = np.moveaxis(finite_sizes(values) @ finite_sizes(matrix).T, -1, axis)
        along = bias.reshape(-1, *(1,) * (products.ndim - 1 - axis))
        shape = outputs[1:]
        total, size = (products + along).reshape(shape), (sizes + finite_sizes(along)).reshape(shape)
        stored = np.abs(products).reshape(shape) if "bias" in weights else 0.0
        return Swept(total, matrix.shape[1] + 2, size, stored)


def feature_axis(operation: Dense, shape: Shape) -> int:
    """The axis of the input along which a dense layer adds up."""
    if len(shape) == 1 or not operation.per_position:
        return 0
    return features_axis(operation, len(shape))
