"""A scale or shift that the network computes is no weight: a normalisation with one isn't explained, never wrongly."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import convlens
from convlens.errors import ConvlensError


@pytest.mark.parametrize("op", ["LayerNormalization", "InstanceNormalization", "BatchNormalization"])
@pytest.mark.parametrize("computed", [("scale",), ("shift",), ("scale", "shift"), ()])
def test_what_is_computed_is_not_left_out(op: str, computed: tuple[str, ...]) -> None:
    size = 4 if op == "LayerNormalization" else 3
    names = ["scale", "shift", "mean", "variance"] if op == "BatchNormalization" else ["scale", "shift"]
    nodes = [helper.make_node("ReduceSum", ["factor"], ["k"], keepdims=0)]
    nodes += [helper.make_node("Mul", ["k", f"{name}_c"], [name]) for name in names if name in computed]
    rng = np.random.default_rng(2)
    constants = [
        numpy_helper.from_array((rng.random(size) + 0.5).astype(np.float32), f"{name}_c" if name in computed else name)
        for name in names
    ]
    nodes.append(helper.make_node(op, ["x", *names], ["y"]))
    nodes.append(helper.make_node("Identity", ["k"], ["z"]))
    given = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 4]),
        helper.make_tensor_value_info("factor", TensorProto.FLOAT, [1, 1]),
    ]
    outputs = [onnx.ValueInfoProto(name=name) for name in ("y", "z")]
    graph = helper.make_graph(nodes, "computed", given, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    feed = {"x": rng.random((1, 3, 4)).astype(np.float32), "factor": np.full((1, 1), 2, np.float32)}
    found = convlens.open(model).feature_maps(feed).explain("y", (1, 2))
    assert found.agrees if not computed else not found.explained


def test_kernels_that_are_computed_are_no_kernels_to_show() -> None:
    nodes = [
        helper.make_node("Mul", ["factor", "kernel_c"], ["kernel"]),
        helper.make_node("Conv", ["x", "kernel"], ["y"]),
    ]
    constants = [numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "kernel_c")]
    given = [
        helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 5, 5]),
        helper.make_tensor_value_info("factor", TensorProto.FLOAT, [1, 1, 1, 1]),
    ]
    graph = helper.make_graph(nodes, "computed", given, [onnx.ValueInfoProto(name="y")], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    with pytest.raises(ConvlensError, match="computed by the network"):
        convlens.open(model).kernels("y")
