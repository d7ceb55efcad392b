"""A model that leaves the size of its input free: what needs no size works without one, and a guess is called one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.hosts.command_line import spawn

import convlens
from convlens.errors import ConvlensError, InputError


def flattened(rows: int, columns: int) -> onnx.ModelProto:
    """A convolution of 3x3, pooled by 2, flattened into a dense layer: only pictures of one size fit through it."""
    node, rng = helper.make_node, np.random.default_rng(3)
    features = 4 * ((rows - 2) // 2) * ((columns - 2) // 2)
    nodes = [
        node("Conv", ["x", "kernel"], ["conv"]),
        node("MaxPool", ["conv"], ["pool"], kernel_shape=[2, 2], strides=[2, 2]),
        node("Flatten", ["pool"], ["flat"]),
        node("Gemm", ["flat", "dense"], ["scores"], transB=1),
        node("Softmax", ["scores"], ["classes"]),
    ]
    weights = [
        numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "kernel"),
        numpy_helper.from_array(rng.normal(size=(10, features)).astype(np.float32), "dense"),
    ]
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "rows", "columns"])
    graph = helper.make_graph(nodes, "flattened", [given], [onnx.ValueInfoProto(name="classes")], weights)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.mark.parametrize("size", [28, 32, 100, 224])
def test_a_size_that_fits_is_found_and_said(size: int) -> None:
    network = convlens.open(flattened(size, size)).network
    assert network.inputs[0].shape == (3, size, size)
    assert f"free sizes are taken as {size}" in network.notes[-1]


def test_without_a_size_that_fits_there_are_layers_parameters_kernels_and_no_invented_shape(tmp_path: Path) -> None:
    model = flattened(36, 50)
    lens = convlens.open(model)
    network = lens.network
    assert not network.sized
    assert [layer.op for layer in network] == ["Conv", "MaxPool", "Flatten", "Gemm", "Softmax"]
    assert {layer.output_shape for layer in network} == {()}
    assert sum(layer.macs for layer in network) == 0
    assert network.parameters == 4 * 3 * 9 + 10 * 4 * 17 * 24
    np.testing.assert_array_equal(lens.kernels().array, numpy_helper.to_array(model.graph.initializer[0]))
    text = str(lens.summary())
    assert "at 224" in text
    assert "MACs by the size of the picture" in text
    assert "0 MACs" not in text
    with pytest.raises(InputError, match="--input-shape"):
        lens.derive("conv")
    path = tmp_path / "model.onnx"
    onnx.save(model, path)
    assert spawn(["summary", path], tmp_path).code == 0
    assert spawn(["summary", path, "--json"], tmp_path).code == 0
    assert spawn(["kernels", path, "-o", tmp_path / "kernels"], tmp_path).code == 0
    assert spawn(["diagram", path, "-o", tmp_path / "diagram.svg"], tmp_path).code == 0
    assert spawn(["derive", path], tmp_path).code == 2

    maps = lens.feature_maps(np.zeros((36, 50, 3), np.uint8))  # with a picture all is known
    assert maps.network.sized
    assert maps["pool"].shape == (4, 17, 24)
    assert maps.derive("conv")["rows"].value == 34
    assert not lens.network.sized, "what a run made stays with the run"
    with pytest.raises(ConvlensError):
        lens.feature_maps(np.zeros((36, 51 * 2, 3), np.uint8))


def test_facts_for_a_picture_on_the_command_line(tmp_path: Path) -> None:
    from PIL import Image

    path, picture = tmp_path / "model.onnx", tmp_path / "picture.png"
    onnx.save(flattened(36, 50), path)
    Image.new("RGB", (50, 36)).save(picture)
    assert "4 x 34 x 48" in spawn(["summary", path, "--picture", picture], tmp_path).out
    assert "= 34" in spawn(["derive", path, "conv", "--picture", picture], tmp_path).out
    assert spawn(["diagram", path, "--picture", picture, "-o", tmp_path / "d.svg"], tmp_path).code == 0
    assert "34" in (tmp_path / "d.svg").read_text()
