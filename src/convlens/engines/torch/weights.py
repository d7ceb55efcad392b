"""Weights as they cross the border: by role, float32, kernels as (filters, channels per group, *kernel size)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.arithmetic.operands import constant_places, role
from convlens.engines.base import Array
from convlens.engines.torch.graph import Weight
from convlens.engines.torch.memory import lent
from convlens.engines.torch.reordering import Reordering
from convlens.network import Convolution, Layer, Merge


def by_role(layer: Layer, given: Mapping[str, Weight]) -> dict[str, Array]:
    """The layer's weights; what torch stores the other way round is turned."""
    weights = {name: _array(layer, value) for name, value in given.items()}
    if "matrix" in weights:
        weights["weight"] = weights.pop("matrix").T
    operation = layer.operation
    if isinstance(operation, Convolution) and operation.transposed:
        weights["kernel"] = _gathered(weights["kernel"], operation.groups)
    rank = len(layer.output_shape) - (isinstance(operation, Merge) and operation.function == "stack")
    for place in constant_places(weights.keys()):
        operand = weights[role(place)]
        if operand.ndim == rank + 1:  # it has a batch axis
            if any(not np.array_equal(item, operand[0], equal_nan=True) for item in operand[1:]):
                del weights[role(place)]  # which is another for each picture
            else:
                weights[role(place)] = operand[0]
    return weights


def _array(layer: Layer, value: Weight) -> Array:
    if isinstance(value, Reordering):
        return value.origin().reshape(layer.output_shape)
    return lent(value) if isinstance(value, torch.Tensor) else np.array(value, np.float64)


def _gathered(kernel: Array, groups: int) -> Array:
    """(channels, filters per group, *size), as torch stores it, to (filters, channels per group, *size)."""
    channels, per_group, *size = kernel.shape
    split = kernel.reshape(groups, channels // groups, per_group, *size)
    return split.swapaxes(1, 2).reshape(groups * per_group, channels // groups, *size)
