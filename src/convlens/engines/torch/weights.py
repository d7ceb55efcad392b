"""Weights as they cross the border: by role, float32, kernels as (filters, channels per group, *kernel size)."""

from __future__ import annotations

from collections.abc import Mapping

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array
from convlens.engines.torch.memory import copied
from convlens.network import Convolution, Layer


def by_role(layer: Layer, tensors: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """The layer's weights; what torch stores the other way round is turned."""
    weights = {role: copied(tensor) for role, tensor in tensors.items()}
    if "matrix" in weights:
        matrix = weights.pop("matrix")
        if matrix.ndim == 2:
            weights["weight"] = matrix.T
    operation = layer.operation
    if isinstance(operation, Convolution) and operation.transposed:
        weights["kernel"] = _gathered(weights["kernel"], operation.groups)
    return weights


def _gathered(kernel: Array, groups: int) -> Array:
    """(channels, filters per group, *size), as torch stores it, to (filters, channels per group, *size)."""
    channels, per_group, *size = kernel.shape
    split = kernel.reshape(groups, channels // groups, per_group, *size)
    return split.swapaxes(1, 2).reshape(groups * per_group, channels // groups, *size)
