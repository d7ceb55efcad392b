"""Where channels stand. ONNX operators want them first; files that come from TensorFlow keep them last in between.

A file turns channels-last values with Transpose nodes. From these it can be told, for each value, which it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx

KEEPING = frozenset(
    [
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Sigmoid",
        "HardSigmoid",
        "HardSwish",
        "Swish",
        "Tanh",
        "Elu",
        "Celu",
        "Selu",
        "Softplus",
        "Softsign",
        "Mish",
        "Erf",
        "Gelu",
        "FastGelu",
        "QuickGelu",
        "Clip",
        "ThresholdedRelu",
        "Softmax",
        "LogSoftmax",
        "Add",
        "Sub",
        "Mul",
        "Div",
        "Max",
        "Min",
        "Sum",
        "Mean",
        "Pow",
        "Where",
        "Concat",
        "Pad",
        "Resize",
        "Upsample",
        "Slice",
        "Split",
        "Dropout",
        "Identity",
        "Cast",
        "CastLike",
        "QuantizeLinear",
        "DequantizeLinear",
        "Abs",
        "Neg",
        "Exp",
        "Log",
        "Sqrt",
        "Reciprocal",
        "Floor",
        "Ceil",
        "Round",
        "Sign",
        "LayerNormalization",
        "SimplifiedLayerNormalization",
        "RMSNormalization",
        "MatMul",
        "ReduceMean",
        "ReduceMax",
        "ReduceSum",
        "ReduceMin",
    ]
)
"""Operators that leave the axes in their places."""


def to_first(order: Sequence[int]) -> bool:
    """Whether a Transpose takes channels-last to channels-first.

    >>> to_first([0, 3, 1, 2]), to_first([0, 2, 3, 1])
    (True, False)
    """
    rank = len(order)
    return rank >= 3 and list(order) == [0, rank - 1, *range(1, rank - 1)]


def to_last(order: Sequence[int]) -> bool:
    """Whether a Transpose takes channels-first to channels-last.

    >>> to_last([0, 2, 3, 1]), to_last([0, 3, 1, 2])
    (True, False)
    """
    rank = len(order)
    return rank >= 3 and list(order) == [0, *range(2, rank), 1]


def order_of(node: onnx.NodeProto) -> list[int]:
    """The axes of a Transpose node as the file gives them; empty for "reversed"."""
    return next((list(a.ints) for a in node.attribute if a.name == "perm"), [])


def channels_last_inputs(nodes: Sequence[onnx.NodeProto], inputs: Sequence[str]) -> frozenset[str]:
    """The inputs that the network turns to channels-first before anything looks at neighbouring pixels.

    In 1-D the turn is the same both ways, so it counts only in front of a convolution.
    """
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in nodes:
        for name in node.input:
            readers.setdefault(name, []).append(node)

    def turned(value: str, depth: int) -> bool:
        found = readers.get(value, [])
        return bool(found) and depth < 8 and all(turns(node, depth) for node in found)

    def turns(node: onnx.NodeProto, depth: int) -> bool:
        if node.op_type == "Transpose":
            order = order_of(node)
            plane = len(order) > 3 or any(r.op_type.startswith("Conv") for r in readers.get(node.output[0], []))
            return to_first(order) and plane
        if node.op_type in ("Shape", "Size"):
            return True
        return node.op_type in ("Cast", "Sub", "Add", "Mul", "Div", "Identity") and turned(node.output[0], depth + 1)

    return frozenset(name for name in inputs if turned(name, 0))
