"""Small ONNX models, one for each thing that real files do. Weights are random but the same each time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
Sizes = Sequence[int | str | None]


def numbers(*shape: int, dtype: str = "float32", seed: int = 0) -> Array:
    """Random numbers of a usual size."""
    drawn: Array = np.random.default_rng([seed, *shape]).normal(0, 0.5, shape).astype(dtype)
    return drawn


def node(op: str, inputs: str, output: str, **attributes: Any) -> onnx.NodeProto:
    """A node named after its first output; names separated by blanks, ``-`` for an absent input."""
    name = attributes.pop("name", output.split()[0])
    read = ["" if i == "-" else i for i in inputs.split()]
    return helper.make_node(op, read, output.split(), name=name, **attributes)


def model(
    nodes: Sequence[onnx.NodeProto],
    inputs: dict[str, Sizes],
    outputs: Sequence[str],
    weights: dict[str, Array] | None = None,
    *,
    opset: int = 18,
    ir: int = 9,
    element: int = TensorProto.FLOAT,
    extra_inputs: Sequence[onnx.ValueInfoProto] = (),
    functions: Sequence[onnx.FunctionProto] = (),
    metadata: dict[str, str] | None = None,
) -> onnx.ModelProto:
    """A model of these nodes; outputs are declared without a type, as far as the checker lets them be."""
    graph = helper.make_graph(
        list(nodes),
        "small",
        [*(helper.make_tensor_value_info(n, element, list(s)) for n, s in inputs.items()), *extra_inputs],
        [onnx.ValueInfoProto(name=o) for o in outputs],
        [numpy_helper.from_array(a, n) for n, a in (weights or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    if functions:
        opsets.append(helper.make_opsetid("local", 1))
    made = helper.make_model(graph, opset_imports=opsets, ir_version=ir, functions=list(functions))
    made.producer_name = "tests"
    helper.set_model_props(made, metadata or {})
    return made


def convolution(
    weight: tuple[int, ...],
    sizes: Sizes,
    *,
    op: str = "Conv",
    bias: int | None = None,
    dtype: str = "float32",
    **attributes: Any,
) -> onnx.ModelProto:
    """image -> conv -> relu."""
    weights = {"w": numbers(*weight, dtype=dtype)}
    if bias:
        weights["b"] = numbers(bias, dtype=dtype)
    nodes = [node(op, "image w b" if bias else "image w", "conv", **attributes), node("Relu", "conv", "relu")]
    element = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return model(nodes, {"image": sizes}, ["relu"], weights, element=element)


def residual() -> onnx.ModelProto:
    """A convolution with batch normalisation, added to a pooled branch, joined, flattened, classified; free batch."""
    weights: dict[str, Array] = {
        "w1": numbers(4, 3, 3, 3),
        "b1": numbers(4),
        "w2": numbers(4, 4, 3, 3, seed=1),
        **{role: numbers(4, seed=n) for n, role in enumerate(("scale", "shift", "mean"), 2)},
        "variance": np.abs(numbers(4, seed=9)) + 1,
        "dense": numbers(5, 4 * 2 * 16, seed=3),
        "dense_bias": numbers(5),
    }
    nodes = [
        node("Conv", "image w1 b1", "conv1", pads=[1] * 4),
        node("Relu", "conv1", "relu1"),
        node("Conv", "relu1 w2", "conv2", pads=[1] * 4),
        node("BatchNormalization", "conv2 scale shift mean variance", "norm"),
        node("Add", "norm conv1", "add"),
        node("Concat", "add relu1", "concat", axis=1),
        node("MaxPool", "concat", "pool", kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", "pool", "flat"),
        node("Gemm", "flat dense dense_bias", "gemm", transB=1),
        node("Softmax", "gemm", "softmax", axis=1),
    ]
    return model(nodes, {"image": ("N", 3, 8, 8)}, ["softmax"], weights)


def weights_everywhere() -> onnx.ModelProto:
    """Weights as Constant nodes, as a graph input with a default, and computed (Transpose, DequantizeLinear)."""
    integers = np.random.default_rng(1).integers(-100, 100, (4, 3, 3, 3)).astype(np.int8)
    nodes = [
        helper.make_node("Constant", [], ["cw"], value=numpy_helper.from_array(numbers(3, 3, 1, 1), "cw")),
        node("Conv", "image cw", "by_constant"),
        node("Conv", "by_constant default", "by_default"),
        node("DequantizeLinear", "integers step zero", "dw"),
        node("Conv", "by_default dw", "by_dequantised"),
        node("Identity", "default_bias", "same_bias"),
        node("Transpose", "turned", "tw", perm=[1, 0, 2, 3]),
        node("Conv", "by_dequantised tw same_bias", "by_transposed"),
    ]
    weights = {
        "default": numbers(3, 3, 3, 3, seed=1),
        "integers": integers,
        "step": np.array(0.02, np.float32),
        "zero": np.array(3, np.int8),
        "turned": numbers(4, 2, 3, 3, seed=2),
        "default_bias": numbers(2, seed=5),
    }
    declared = [helper.make_tensor_value_info("default", TensorProto.FLOAT, [3, 3, 3, 3])]
    return model(nodes, {"image": (1, 3, 10, 9)}, ["by_transposed"], weights, extra_inputs=declared)


def shared() -> onnx.ModelProto:
    """One weight used by two convolutions."""
    nodes = [node("Conv", "image w", "first"), node("Conv", "first w", "second")]
    return model(nodes, {"image": (1, 3, 8, 8)}, ["second"], {"w": numbers(3, 3, 3, 3)})


def quantised() -> onnx.ModelProto:
    """QuantizeLinear -> QLinearConv -> MaxPool -> DequantizeLinear."""
    random = np.random.default_rng(0)
    weights: dict[str, Array] = {
        "xs": np.array(0.02, np.float32),
        "xz": np.array(128, np.uint8),
        "w": random.integers(-90, 90, (4, 3, 3, 3)).astype(np.int8),
        "ws": np.array([0.01, 0.02, 0.03, 0.04], np.float32),
        "wz": np.zeros(4, np.int8),
        "ys": np.array(0.1, np.float32),
        "yz": np.array(120, np.uint8),
        "b": random.integers(-500, 500, 4).astype(np.int32),
    }
    nodes = [
        node("QuantizeLinear", "image xs xz", "q"),
        node("QLinearConv", "q xs xz w ws wz ys yz b", "qconv", pads=[1] * 4),
        node("MaxPool", "qconv", "qpool", kernel_shape=[2, 2]),
        node("DequantizeLinear", "qpool ys yz", "real"),
    ]
    return model(nodes, {"image": (1, 3, 8, 8)}, ["real"], weights)


def shape_chain() -> onnx.ModelProto:
    """Shape -> Gather -> Concat -> Reshape, and a Pad whose amounts are computed from constants alone."""
    weights = {
        "w": numbers(4, 3, 3, 3),
        "zero": np.array([0], np.int64),
        "rest": np.array([-1], np.int64),
        "half": np.array([0, 0, 1, 0], np.int64),
        "other_half": np.array([0, 0, 0, 2], np.int64),
        "value": np.array(0.5, np.float32),
    }
    nodes = [
        node("Concat", "half other_half", "amounts", axis=0),
        node("Pad", "image amounts value", "pad"),
        node("Conv", "pad w", "conv"),
        node("Shape", "conv", "shape"),
        node("Gather", "shape zero", "batch"),
        node("Concat", "batch rest", "target", axis=0),
        node("Reshape", "conv target", "flat"),
    ]
    return model(nodes, {"image": ("N", 3, "H", "W")}, ["flat"], weights)


def channels_last() -> onnx.ModelProto:
    """As files from TensorFlow: rows x columns x channels outside, turned around the convolution."""
    weights = {"w": numbers(4, 3, 3, 3), "mean": np.array([0.1, 0.2, 0.3], np.float32), "b": numbers(4)}
    nodes = [
        node("Sub", "image mean", "centred"),
        node("Transpose", "centred", "first", perm=[0, 3, 1, 2]),
        node("Conv", "first w", "conv", strides=[2, 2]),
        node("Transpose", "conv", "last", perm=[0, 2, 3, 1]),
        node("Add", "last b", "biased"),
        node("Softmax", "biased", "softmax", axis=-1),
    ]
    return model(nodes, {"image": (1, 9, 11, 3)}, ["softmax"], weights)


def two_inputs() -> onnx.ModelProto:
    """left, right -> add; two outputs."""
    nodes = [
        node("Conv", "left w", "conv"),
        node("Add", "conv right", "add"),
        node("Split", "add", "part part2", axis=1, num_outputs=2),
    ]
    inputs: dict[str, Sizes] = {"left": (1, 3, 6, 6), "right": (1, 4, 4, 4)}
    return model(nodes, inputs, ["part", "part2"], {"w": numbers(4, 3, 3, 3)})


def branching() -> onnx.ModelProto:
    """An If whose branch reads an outer value, behind a convolution."""
    branches = {}
    for name, op in (("then_branch", "Relu"), ("else_branch", "Neg")):
        branches[name] = helper.make_graph(
            [helper.make_node(op, ["conv"], [f"{op}_out"])], name, [], [onnx.ValueInfoProto(name=f"{op}_out")]
        )
    nodes = [
        node("Conv", "image w", "conv"),
        node("ReduceMax", "conv", "largest", keepdims=0),
        node("Greater", "largest zero", "positive"),
        node("If", "positive", "chosen", **branches),
        node("MaxPool", "chosen", "pool", kernel_shape=[2, 2]),
    ]
    weights = {"w": numbers(2, 3, 3, 3), "zero": np.array(0, np.float32)}
    return model(nodes, {"image": (1, 3, 6, 6)}, ["pool"], weights)


def with_function() -> onnx.ModelProto:
    """A local function (convolution and ReLU) called twice."""
    body = [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["z"])]
    block = helper.make_function("local", "Block", ["x", "w"], ["z"], body, [helper.make_opsetid("", 18)])
    nodes = [
        helper.make_node("Block", ["image", "w"], ["once"], domain="local", name="a"),
        helper.make_node("Block", ["once", "w2"], ["twice"], domain="local", name="b"),
    ]
    weights = {"w": numbers(3, 3, 3, 3), "w2": numbers(2, 3, 3, 3)}
    return model(nodes, {"image": (1, 3, 8, 8)}, ["twice"], weights, functions=[block])


def chain(length: int, size: int = 32, channels: int = 8) -> onnx.ModelProto:
    """A row of convolutions and ReLUs with a skip over each pair."""
    nodes, weights, read = [], {}, "image"
    for n in range(length):
        weights[f"w{n}"] = numbers(channels, channels, 3, 3, seed=n) * np.float32(0.3)
        nodes.append(node("Conv", f"{read} w{n}", f"conv{n}", pads=[1] * 4))
        nodes.append(node("Relu", f"conv{n}", f"relu{n}"))
        nodes.append(node("Add", f"relu{n} {read}", f"add{n}"))
        read = f"add{n}"
    return model(nodes, {"image": ("N", channels, size, size)}, [read], weights)
