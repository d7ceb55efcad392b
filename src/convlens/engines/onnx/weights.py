"""The effective weights of a layer, by role."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.arithmetic.operands import role
from convlens.engines.base import Array, as_float32
from convlens.engines.onnx.call import Call
from convlens.engines.onnx.computing import OPERANDS
from convlens.engines.onnx.operations import describe
from convlens.engines.onnx.quantising import Lookup, quantisation, quantised_product
from convlens.network import Merge, Pointwise, Whole

_NORMALISING = (
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"),
    *("SimplifiedLayerNormalization", "RMSNormalization"),
)
_NORMALISATION = {1: "scale", 2: "shift", 3: "mean", 4: "variance"}


def weights_of(node: onnx.NodeProto, at: Lookup, call: Call | None = None) -> dict[str, Array]:
    """What :meth:`convlens.engines.base.Engine.weights` gives for this node; quantised weights as the real numbers.

    ``call``: the node with the sizes of the last run, which say how a constant is spread over the map. A quantised
    layer has the roles of :mod:`convlens.arithmetic.quantised` too.
    """
    attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    at = at if call is None or node.op_type not in OPERANDS else _with_sizes(at, call)
    match node.op_type:
        case "Conv" | "FusedConv":
            found = {"kernel": at(1), "bias": at(2)}
            if "activation" in attributes or len(node.input) > 3:
                found["fused"] = np.ones(1, np.float32)
        case "ConvTranspose":
            kernel = at(1)
            gathered = None if kernel is None else gather_form(kernel, int(attributes.get("group", 1)))
            found = {"kernel": gathered, "bias": at(2)}
        case "QLinearConv" | "ConvInteger" | "QLinearMatMul" | "MatMulInteger":
            found = quantised_product(node.op_type, node.input, at, call)
        case "QuantizeLinear" | "DequantizeLinear":
            found = {} if call is None else quantisation(attributes, at, call)
        case "Gemm" | "FusedGemm":
            found = _gemm(attributes, at, call)
        case "MatMul":
            product = call is not None and isinstance(describe(call)[1], Whole)
            found = _operand(call, at) if product and call else {"weight": _transposed(at(1))}
        case "BatchNormalization" | "InstanceNormalization":
            found = {name: at(place) for place, name in _NORMALISATION.items()}
        case "GroupNormalization":
            found = {"scale": _one_a_channel(at(1), call), "shift": _one_a_channel(at(2), call)}
        case "LayerNormalization" | "SimplifiedLayerNormalization" | "RMSNormalization":
            found = {"scale": _as_shown(at(1), call), "shift": _as_shown(at(2), call)}
        case "PRelu":
            found = {"slope": _slope(at(1), call)}
        case op if op.startswith("QLinear"):  # an operator of real numbers, put between integers
            found = {"fused": np.ones(1, np.float32)}
        case _:
            found = {} if call is None else _operand(call, at)
    if node.op_type in _NORMALISING and any(
        name and at(place) is None for place, name in enumerate(node.input) if place
    ):
        found["fused"] = np.ones(1, np.float32)  # a scale or shift that the network computes is no weight
    known = {name: value for name, value in found.items() if value is not None}
    return {name: value if name == "bias_integers" else as_float32(value) for name, value in known.items()}


def _slope(slope: Array | None, call: Call | None) -> Array | None:
    """One number in all, one a channel, or an array with as many axes as the map."""
    if slope is not None and call is not None and call.opset < 7:  # one a channel, without axes for the pixels
        return slope.reshape(-1)
    operand = slope if slope is None or call is None else call.as_operand(slope)
    if operand is None or call is None:
        return operand
    rank = len(call.result) - call.batched
    whole = operand.reshape((1,) * (rank - operand.ndim) + operand.shape)
    return whole.reshape(-1) if whole.size == 1 or whole.size == len(whole) else whole


def _with_sizes(at: Lookup, call: Call) -> Lookup:
    """The constants, and what follows from the sizes of the run."""

    def found(place: int) -> Array | None:
        known = at(place)
        fixed = place < len(call.moving) and not call.moving[place]
        return call.constant(place) if known is None and fixed else known

    return found


def _operand(call: Call, at: Lookup) -> dict[str, Array | None]:
    """The constants among the operands."""
    if call.op not in OPERANDS or not isinstance(describe(call)[1], (Pointwise, Merge, Whole)):
        return {}
    found: dict[str, Array | None] = {}
    for place, _ in call.constants:
        constant = at(place)
        found[role(place)] = None if constant is None else call.as_operand(constant)
    return found


def _one_a_channel(weight: Array | None, call: Call | None) -> Array | None:
    """Before opset 21 group normalisation had a scale and a shift for each group."""
    if weight is None or call is None:
        return weight
    channels = call.output[1]
    return weight if weight.size == channels else np.repeat(weight, channels // weight.size)


def _as_shown(weight: Array | None, call: Call | None) -> Array | None:
    """The weight of a layer normalisation, which has the last axes of the file's own layout."""
    if weight is None or call is None or weight.ndim < 2:
        return weight
    first = len(call.result) - weight.ndim
    order = [axis - first for axis in call.made.axes if axis >= first]
    return weight.transpose(order) if len(order) == weight.ndim else weight


def gather_form(kernel: Array, groups: int) -> Array:
    """A transposed convolution's (channels, filters per group, *kernel) as (filters, channels per group, *kernel).

    >>> gather_form(np.zeros((4, 3, 5, 5)), groups=2).shape
    (6, 2, 5, 5)
    """
    channels, per_group, *size = kernel.shape
    grouped = kernel.reshape(groups, channels // groups, per_group, *size)
    return np.swapaxes(grouped, 1, 2).reshape(groups * per_group, channels // groups, *size)


def _gemm(attributes: Mapping[str, Any], at: Lookup, call: Call | None) -> dict[str, Array | None]:
    weight, bias = at(1), at(2)
    alpha, beta = float(attributes.get("alpha", 1.0)), float(attributes.get("beta", 1.0))
    if weight is None:
        return {} if call is None or not call.moving[1] else _operand(call, at)
    if not attributes.get("transB", 0):
        weight = weight.T
    if alpha != 1.0:
        weight = weight * np.asarray(alpha, weight.dtype)
    if call is not None and isinstance(describe(call)[1], Whole):
        added = None if bias is None or beta == 0.0 else bias * np.asarray(beta, bias.dtype)
        return {role(1): weight.T, "added": added}
    if bias is not None:
        flat = np.broadcast_to(bias, (1, weight.shape[0]))[0] if bias.ndim < 2 or len(bias) == 1 else None
        bias = flat if flat is None or beta == 1.0 else flat * np.asarray(beta, bias.dtype)
    return {"weight": weight, "bias": None if beta == 0.0 else bias}


def _transposed(weight: Array | None) -> Array | None:
    return None if weight is None or weight.ndim != 2 else weight.T
