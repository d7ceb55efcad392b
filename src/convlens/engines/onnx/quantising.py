"""The numbers of quantised layers: integers, scales, zero points, and the real numbers that they stand for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from convlens.engines.base import Array
from convlens.engines.onnx.call import Call

Lookup = Callable[[int], Array | None]
"""The numbers at an input of the node; ``None`` if it is absent or not known beforehand."""


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


_PRODUCTS: Mapping[str, Mapping[str, int]] = {
    "QLinearConv": {
        "input_scale": 1,
        "input_zero_point": 2,
        "integers": 3,
        "weight_scale": 4,
        "weight_zero_point": 5,
        "output_scale": 6,
        "output_zero_point": 7,
        "bias": 8,
    },
    "QLinearMatMul": {
        "input_scale": 1,
        "input_zero_point": 2,
        "integers": 3,
        "weight_scale": 4,
        "weight_zero_point": 5,
        "output_scale": 6,
        "output_zero_point": 7,
    },
    "ConvInteger": {"integers": 1, "input_zero_point": 2, "weight_zero_point": 3},
    "MatMulInteger": {"integers": 1, "input_zero_point": 2, "weight_zero_point": 3},
}
"""Where quantised products have their numbers."""


def quantised_product(op: str, given_inputs: Sequence[str], at: Lookup, call: Call | None) -> dict[str, Array | None]:
    """The weights of a quantised convolution or matrix product by role, as real numbers and as integers.

    Scales and zero points that the network computes are no weights; only a zero point of the input may be one.
    """
    computed = {place for place, name in enumerate(given_inputs) if place and name and at(place) is None}
    if computed - ({2} if op.endswith("Integer") else set()):
        return {"fused": np.ones(1, np.float32)}
    found = {role: at(place) for role, place in _PRODUCTS[op].items()}
    integers, zero_point, scale = found.pop("integers"), found.pop("weight_zero_point"), found.pop("weight_scale", None)
    bias, given = found.pop("bias", None), scale if op.startswith("QLinear") else np.ones(1, np.float32)
    convolution = "Conv" in op
    if integers is not None and not convolution and integers.ndim > 2:
        single = all(part is None or part.size == 1 for part in (zero_point, scale))
        spread = call.as_operand(integers) if call is not None and single else None
        return {**found, "kernel_scale": scale, "right_integers": real_numbers(spread, np.float32(1), zero_point)}
    if integers is not None and not convolution:
        integers = integers.T
    whole = real_numbers(integers, np.float32(1), zero_point)
    roles = {
        **found,
        "kernel" if convolution else "weight": real_numbers(integers, given, zero_point),
        "kernel_scale": scale,
        "kernel_zero_point": zero_point,
        "kernel_integers" if convolution else "weight_integers": whole,
    }
    input_scale = found.get("input_scale")
    if bias is not None and input_scale is not None and scale is not None:
        roles["bias"] = bias.astype(np.float32) * input_scale.reshape(-1) * scale.reshape(-1)
        roles["bias_integers"] = bias
    return roles


def quantisation(attributes: Mapping[str, Any], at: Lookup, call: Call) -> dict[str, Array | None]:
    """Scale and zero point, spread over the map: one in all, one for each place along an axis, or one a block."""
    shape = call.inputs[0]
    assert shape is not None
    axis, size = int(attributes.get("axis", 1)), int(attributes.get("block_size", 0))

    def spread(value: Array | None) -> Array | None:
        if value is None or value.size == 1:
            return None if value is None else value.reshape(-1)
        if size:
            return call.as_operand(np.repeat(value, size, axis)[tuple(slice(n) for n in shape)])
        along = [1] * len(shape)
        along[axis % len(shape)] = -1
        return call.as_operand(value.reshape(along))

    return {"scale": spread(at(1)), "zero_point": spread(at(2))}
