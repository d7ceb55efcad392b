"""The weights of a layer by role, in the arrangement that convlens uses for every framework."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import keras  # noqa: TID251
import numpy as np
from keras.src.backend import AutocastScope  # noqa: TID251

from convlens.arithmetic.operands import constant_places, role
from convlens.arithmetic.rounding import rounded
from convlens.engines.base import Array
from convlens.engines.keras import backend
from convlens.engines.keras.copying import Copying
from convlens.engines.keras.layout import FIRST, aligned_with, constant_aligned, framework_axis
from convlens.engines.keras.operands import by_place
from convlens.engines.keras.recording import Step
from convlens.engines.keras.sums import normalised_axes
from convlens.network import Activation, Convolution, Dense


def weights(step: Step) -> dict[str, Array]:
    """The weights of one step, in the type that they are used in: its layer's own attributes, or what a function was
    given."""
    owner, part, operation = step.owner, step.part, step.operation
    if step.variables or not isinstance(owner, keras.layers.Layer):
        return _given(step)
    if getattr(owner, "quantization_mode", None) is not None:
        return {}  # integers, multiplied in an arithmetic of their own
    wrapped = getattr(owner, "layer", None)
    inside = wrapped is not None and isinstance(operation, (Convolution, Dense, Activation))
    layer: Any = wrapped if inside else owner  # of a wrapper such as TimeDistributed or SpectralNormalization
    with AutocastScope(layer.compute_dtype if layer.autocast else None):
        if isinstance(operation, Convolution):
            name = {"depthwise": "depthwise_kernel", "pointwise": "pointwise_kernel"}.get(part, "kernel")
            found = {"kernel": filters_first(_numbers(getattr(layer, name)), operation)}
        elif isinstance(operation, Dense):
            found = {"weight": _numbers(layer.kernel).T}
        elif isinstance(operation, Activation) and operation.function == "prelu":
            slope = constant_aligned(_numbers(layer.alpha), len(step.shape), step.layout)
            return {} if slope is None else {"slope": slope}
        else:
            return _normalisation(layer, step)
        if operation.bias and part != "depthwise":
            found["bias"] = _numbers(layer.bias)
        return found


def _given(step: Step) -> dict[str, Array]:
    found: dict[str, Array] = {}
    operands: dict[int, Array] = {}
    for name, value in step.variables.items():
        if isinstance(value, Copying):
            found[name] = value.origin()
            continue
        array = backend.constant(value)
        if array is None:
            continue
        if isinstance(step.operation, Convolution):
            found[name] = filters_first(array, step.operation)
        elif isinstance(step.operation, Dense):
            found["weight"] = array.T
        else:
            operands |= dict.fromkeys(constant_places({name}), array)
    placed = by_place(step.operation, operands, len(step.shape), step.layout)
    return found | {role(place): array for place, array in placed.items()}


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


_ROLES = {
    "mean": ("moving_mean", "mean"),
    "variance": ("moving_variance", "variance"),
    "scale": ("gamma", "scale"),
    "shift": ("beta", "offset"),
}


def _normalisation(layer: Any, step: Step) -> dict[str, Array]:
    """Mean and variance, scale and shift, of layers that have them."""
    if not isinstance(layer, (*_PER_AXIS, *_BROADCAST)):
        return {}
    found: dict[str, Array] = {}
    for kind, names in _ROLES.items():
        values = [value for name in names if (value := getattr(layer, name, None)) is not None]
        if values and not isinstance(values[0], bool):  # GroupNormalization.scale says whether there is one
            array = _role(layer, values[0], step)
            found |= {} if array is None else {kind: array}
    return _standardisation(found, layer.invert) if isinstance(layer, keras.layers.Normalization) else found


def _role(layer: Any, value: Any, step: Step) -> Array | None:
    """A weight for each channel, or an array that broadcasts to the layer's output where it has other axes."""
    rank = len(step.shape)
    if isinstance(layer, keras.layers.RMSNormalization):  # whatever its axes, Keras lines its scale up with the last
        return constant_aligned(_numbers(value), rank, step.layout)
    if isinstance(layer, _PER_AXIS):
        axes = normalised_axes(layer, rank)
        own = axes == (framework_axis(0, rank, step.layout),)
        return _numbers(value) if own else _along(value, axes, step)
    array = _numbers(value)
    if isinstance(layer, keras.layers.Rescaling):
        array = rounded(array, layer.compute_dtype)
        if array.ndim and keras.config.image_data_format() == FIRST:
            array = array.reshape(array.shape + (1,) * (3 - array.ndim))
    return constant_aligned(array, rank, step.layout)


_PER_AXIS = (
    keras.layers.BatchNormalization,
    keras.layers.GroupNormalization,
    keras.layers.LayerNormalization,
)


_BROADCAST = (keras.layers.RMSNormalization, keras.layers.Normalization, keras.layers.Rescaling)


def _along(value: Any, axes: Iterable[int], step: Step) -> Array:
    return aligned_with(_numbers(value), list(axes), len(step.shape), step.layout)


def _standardisation(found: dict[str, Array], inverted: bool) -> dict[str, Array]:
    """Keras divides by no less than its epsilon; inverted, it multiplies by that and adds the mean."""
    if "mean" not in found or "variance" not in found:
        return {}
    least = keras.config.epsilon()
    if inverted:
        return {"scale": np.maximum(np.sqrt(found["variance"]), np.float32(least)), "shift": found["mean"]}
    return {"mean": found["mean"], "variance": np.maximum(found["variance"], np.float32(least**2))}


def _numbers(value: Any) -> Array:
    found = backend.constant(value)
    assert found is not None, "a layer's own weights are numbers"
    return found
