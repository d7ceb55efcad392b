"""The weights of a layer by role, in the arrangement that convlens uses for every framework."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from convlens.engines.base import Array, as_float32
from convlens.engines.keras.backend import to_numpy
from convlens.network import Convolution, Dense, Operation


def weights(owner: Any, part: str, given: Mapping[str, Any], operation: Operation | None) -> dict[str, Array]:
    """The weights of one step: its layer's own attributes, or what a function was ``given``."""
    layer = getattr(owner, "activation", owner) if part == "activation" else owner
    wrapped = getattr(layer, "layer", None)
    if wrapped is not None and isinstance(operation, (Convolution, Dense)):
        layer = wrapped  # a wrapper such as TimeDistributed or SpectralNormalization
    kernel = given.get("kernel")
    if kernel is None:
        name = {"depthwise": "depthwise_kernel", "pointwise": "pointwise_kernel"}.get(part, "kernel")
        kernel = getattr(layer, name, None)
    if isinstance(operation, Convolution) and kernel is not None:
        found = {"kernel": filters_first(_numbers(kernel), operation)}
    elif isinstance(operation, Dense) and kernel is not None:
        found = {"weight": _numbers(kernel).T}
    else:
        found = _normalisation(layer)
        if hasattr(layer, "alpha") and hasattr(layer.alpha, "shape"):
            found["slope"] = _numbers(layer.alpha)
    if isinstance(operation, (Convolution, Dense)) and operation.bias and part != "depthwise":
        found["bias"] = _numbers(layer.bias)
    return found


def filters_first(kernel: Array, operation: Convolution) -> Array:
    """Keras's (*kernel, channels per group, filters) as (filters, channels per group, *kernel).

    A transposed convolution stores (*kernel, filters, channels); a depthwise one (*kernel, channels, multiplier), whose
    filter ``channel * multiplier + m`` reads that channel alone.
    """
    rank = len(operation.kernel_size)
    kernel = kernel.reshape((*operation.kernel_size, *kernel.shape[-2:]))  # one time step, where a wrapper adds time
    if operation.transposed:
        return np.moveaxis(kernel, (rank, rank + 1), (0, 1))
    if operation.groups == operation.in_channels and kernel.shape[-2:] != (1, operation.filters):
        return np.moveaxis(kernel.reshape((*operation.kernel_size, 1, operation.filters)), (rank + 1, rank), (0, 1))
    return np.moveaxis(kernel, (rank + 1, rank), (0, 1))


def _normalisation(layer: Any) -> dict[str, Array]:
    roles = {
        "mean": ("moving_mean", "mean"),
        "variance": ("moving_variance", "variance"),
        "scale": ("gamma", "scale"),
        "shift": ("beta",),
    }
    found: dict[str, Array] = {}
    for role, names in roles.items():
        for name in names:
            value = getattr(layer, name, None)
            if value is not None and hasattr(value, "shape"):
                found[role] = _numbers(value)
                break
    return found


def _numbers(variable: Any) -> Array:
    return as_float32(to_numpy(getattr(variable, "value", variable)))
