"""ONNX files that draw at random: marked, not explained, not compared with another run's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import convlens
from convlens.errors import ConvlensError
from convlens.lens import FeatureMaps

N = helper.make_node
DRAWING: Mapping[str, list[onnx.NodeProto]] = {
    "normal": [N("RandomNormal", [], ["r"], shape=[1, 3, 6, 6]), N("Add", ["x", "r"], ["y"])],
    "uniform": [N("RandomUniform", [], ["r"], shape=[1, 3, 1, 1], seed=1.0), N("Mul", ["r", "x"], ["y"])],
    "normal like": [N("RandomNormalLike", ["x"], ["r"]), N("Concat", ["x", "r"], ["y"], axis=1)],
    "uniform like": [N("RandomUniformLike", ["x"], ["y"])],
    "bernoulli": [N("Sigmoid", ["x"], ["s"]), N("Bernoulli", ["s"], ["y"])],
    "multinomial": [
        N("Reshape", ["x", "flat"], ["f"]),
        N("Multinomial", ["f"], ["i"], sample_size=9),
        N("Cast", ["i"], ["y"], to=TensorProto.FLOAT),
    ],
    "dropout": [N("Dropout", ["x", "half", "yes"], ["y", "mask"])],
    "in a branch": [
        N(
            "If",
            ["yes"],
            ["r"],
            then_branch=helper.make_graph(
                [N("RandomNormalLike", ["x"], ["t"])],
                "then",
                [],
                [helper.make_tensor_value_info("t", TensorProto.FLOAT, None)],
            ),
            else_branch=helper.make_graph(
                [N("Identity", ["x"], ["e"])], "else", [], [helper.make_tensor_value_info("e", TensorProto.FLOAT, None)]
            ),
        ),
        N("Add", ["x", "r"], ["y"]),
    ],
}


def written(nodes: list[onnx.NodeProto], folder: Path) -> Path:
    constants = {"half": np.float32(0.5), "yes": np.array(True), "flat": np.array([1, 108])}
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        [*nodes, N("Relu", ["y"], ["z"], name="last"), N("Relu", ["x"], ["w"], name="beside")],
        "random",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 6, 6])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in ("z", "w")],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items() if name in used],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    path = folder / "random.onnx"
    onnx.save(model, path)
    return path


def refusal(maps: FeatureMaps) -> str:
    """Why these maps can't be compared with another run; nothing where they can."""
    try:
        assert max(maps.verify().values()) == 0
    except ConvlensError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("name", DRAWING)
def test_what_is_drawn_is_marked_and_not_compared(name: str, tmp_path: Path) -> None:
    lens = convlens.open(written(DRAWING[name], tmp_path))
    x = np.random.default_rng(0).normal(size=(1, 3, 6, 6)).astype(np.float32)
    for _ in range(2):
        maps = lens.feature_maps(x)
        assert any(layer.drawn and "random" in " ".join(layer.notes) for layer in maps.network)
        assert "last" in maps.network.varying
        assert "beside" not in maps.network.varying
        picked = np.random.default_rng(0)
        for layer, found in maps.items():
            for _ in range(6):
                told = maps.explain(layer, tuple(int(picked.integers(n)) for n in found.shape))
                assert told.agrees or not told.explained, f"{told!r}"
    problems = [refusal(maps) for _ in range(20)]
    assert "Two runs of this model differ" in max(problems)
    few = lens.feature_maps(x, layers=["last"])
    with pytest.raises(ConvlensError, match="another run would draw other values"):
        few.explain("last", tuple(0 for _ in few["last"].shape))
    assert lens.feature_maps(x, layers=["beside"]).verify() == {"beside": 0.0}
