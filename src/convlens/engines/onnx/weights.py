"""The effective weights of a layer, by role."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.engines.base import Array, as_float32

Lookup = Callable[[int], Array | None]
"""The numbers at an input of the node; ``None`` if it is absent or not known beforehand."""

_NORMALISATION = {1: "scale", 2: "shift", 3: "mean", 4: "variance"}


def weights_of(node: onnx.NodeProto, at: Lookup) -> dict[str, Array]:
    """What :meth:`convlens.engines.base.Engine.weights` gives for this node; quantised weights as the real numbers.

    A quantised layer has ``kernel_scale`` and ``kernel_zero_point`` too, one a filter or one in all.
    """
    attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    match node.op_type:
        case "Conv" | "FusedConv":
            found = {"kernel": at(1), "bias": at(2)}
        case "ConvTranspose":
            kernel = at(1)
            gathered = None if kernel is None else gather_form(kernel, int(attributes.get("group", 1)))
            found = {"kernel": gathered, "bias": at(2)}
        case "QLinearConv":
            found = _quantised_convolution(at)
        case "ConvInteger":
            found = {"kernel": real_numbers(at(1), np.float32(1), at(3)), "kernel_zero_point": at(3)}
        case "Gemm" | "FusedGemm":
            found = _gemm(attributes, at)
        case "MatMul":
            found = {"weight": _transposed(at(1))}
        case "MatMulInteger":
            found = {"weight": _transposed(real_numbers(at(1), np.float32(1), at(3)))}
        case "QLinearMatMul":
            found = {"weight": _transposed(real_numbers(at(3), at(4), at(5)))}
        case "BatchNormalization" | "InstanceNormalization" | "GroupNormalization":
            found = {role: at(place) for place, role in _NORMALISATION.items()}
        case "LayerNormalization" | "SimplifiedLayerNormalization" | "RMSNormalization":
            found = {"scale": at(1), "shift": at(2)}
        case "PRelu":
            slope = at(1)
            found = {"slope": None if slope is None else slope.reshape(-1)}
        case _:
            found = {}
    return {role: as_float32(value) for role, value in found.items() if value is not None}


def gather_form(kernel: Array, groups: int) -> Array:
    """A transposed convolution's (channels, filters per group, *kernel) as (filters, channels per group, *kernel).

    >>> gather_form(np.zeros((4, 3, 5, 5)), groups=2).shape
    (6, 2, 5, 5)
    """
    channels, per_group, *size = kernel.shape
    grouped = kernel.reshape(groups, channels // groups, per_group, *size)
    return np.swapaxes(grouped, 1, 2).reshape(groups * per_group, channels // groups, *size)


def real_numbers(integers: Array | None, scale: Array | np.float32 | None, zero_point: Array | None) -> Array | None:
    """Real value = scale * (integer - zero point); scale and zero point are one in all, or one a filter (axis 0).

    >>> real_numbers(np.array([[3], [5]], np.int8), np.array([0.5, 2.0]), np.array([1, 1], np.int8)).tolist()
    [[1.0], [8.0]]
    """
    if integers is None or scale is None:
        return None

    def spread(each: Array) -> Array:
        flat = each.astype(np.float32).reshape(-1)
        return flat if flat.size == 1 else flat.reshape(-1, *[1] * (integers.ndim - 1))

    shift = np.zeros(1, np.float32) if zero_point is None else spread(zero_point)
    return (integers.astype(np.float32) - shift) * spread(np.asarray(scale))


def _quantised_convolution(at: Lookup) -> dict[str, Array | None]:
    bias, input_scale, scale = at(8), at(1), at(4)
    real_bias = None
    if bias is not None and input_scale is not None and scale is not None:
        real_bias = bias.astype(np.float32) * input_scale.reshape(-1) * scale.reshape(-1)
    return {
        "kernel": real_numbers(at(3), scale, at(5)),
        "bias": real_bias,
        "kernel_scale": scale,
        "kernel_zero_point": at(5),
    }


def _gemm(attributes: Mapping[str, Any], at: Lookup) -> dict[str, Array | None]:
    weight, bias = at(1), at(2)
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    if weight is None:
        return {}
    if not attributes.get("transB", 0):
        weight = weight.T
    if alpha != 1.0:
        weight = weight * np.asarray(alpha, weight.dtype)
    if bias is not None:
        if bias.size not in (1, weight.shape[0]):
            bias = None  # one bias a row of the batch: no bias of the layer
        else:
            flat = np.broadcast_to(bias.reshape(-1), (weight.shape[0],))
            bias = flat if beta == 1.0 else flat * np.asarray(beta, bias.dtype)
    return {"weight": weight, "bias": None if beta == 0.0 else bias}


def _transposed(weight: Array | None) -> Array | None:
    return None if weight is None or weight.ndim != 2 else weight.T
