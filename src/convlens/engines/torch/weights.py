"""Weights as they cross the border: by role, float32, kernels as (filters, channels per group, *kernel size)."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array
from convlens.engines.torch.graph import Weight
from convlens.engines.torch.memory import lent
from convlens.engines.torch.reordering import Reordering
from convlens.network import Convolution, Layer


def by_role(layer: Layer, given: Mapping[str, Weight]) -> dict[str, Array]:
    """The layer's weights; what torch stores the other way round is turned."""
    weights = {role: _array(layer, value) for role, value in given.items()}
    if "matrix" in weights:
        weights["weight"] = weights.pop("matrix").T
    operation = layer.operation
    if isinstance(operation, Convolution) and operation.transposed:
        weights["kernel"] = _gathered(weights["kernel"], operation.groups)
    for role in ("left", "right"):  # what is added, ... may have a batch axis of length one
        if role in weights and weights[role].ndim == len(layer.output_shape) + 1 and len(weights[role]) == 1:
            weights[role] = weights[role][0]
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
