"""What stands between quantised values is shown as the file says it, not as the runtime would rather compute it."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

import convlens

RNG = np.random.default_rng(4)


def test_real_weights_between_quantised_values_stay_real() -> None:
    """ONNX Runtime rounds them to int8 where it may, which moves every sum by up to a percent."""
    node = helper.make_node
    nodes = [
        node("QuantizeLinear", ["x", "scale", "zero"], ["q"]),
        node("DequantizeLinear", ["q", "scale", "zero"], ["real"]),
        node("Conv", ["real", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        node("QuantizeLinear", ["conv", "scale", "zero"], ["q_2"]),
        node("DequantizeLinear", ["q_2", "scale", "zero"], ["y"]),
    ]
    constants = [
        numpy_helper.from_array(np.array(0.05, np.float32), "scale"),
        numpy_helper.from_array(np.array(0, np.int8), "zero"),
        numpy_helper.from_array(RNG.normal(size=(4, 3, 3, 3)).astype(np.float32), "kernel"),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 8, 8])
    outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4, 8, 8]) for name in ("conv", "y")]
    graph = helper.make_graph(nodes, "qdq", [given], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)
    picture = RNG.normal(size=(1, 3, 8, 8)).astype(np.float32)
    maps = convlens.open(model).feature_maps(picture)
    by_hand = next(iter(ReferenceEvaluator(model).run(["conv"], {"x": picture})))
    assert isinstance(by_hand, np.ndarray)
    np.testing.assert_allclose(maps["conv"].array, by_hand[0], atol=1e-5)
    assert all(maps.explain_all("conv", channel).agrees for channel in range(4))
