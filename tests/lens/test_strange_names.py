"""Layers with names of a megabyte, of every script, and with what would control a terminal: shown short and inert."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import helper

import convlens
from convlens.errors import LayerNotFoundError

NAMES = {
    "a megabyte": "b" * 10**6,
    "a megabyte of words": "block/conv1 " * 10**5,
    "control characters": "a\x1b[31m\x07b\x9b2J",
    "the other direction": "abc\u202eעברית\u2066x",
    "every script": "ไทย 漢字 العربية Ελλάδα हिन्दी 😀",
    "markup": "</script><script>alert(1)</script><img src=x>",
}


def named(name: str) -> onnx.ModelProto:
    nodes = [helper.make_node("Conv", ["x", "w"], [name], name=name), helper.make_node("Relu", [name], ["z"])]
    kernel = onnx.numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    given = helper.make_tensor_value_info("x", 1, [1, 3, 8, 8])
    graph = helper.make_graph(nodes, "g", [given], [onnx.ValueInfoProto(name="z")], [kernel])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_a_strange_name_is_shown_short_and_inert(name: str) -> None:
    lens = convlens.open(named(name))
    layer = lens.network.layers[0].name
    maps = lens.feature_maps(np.zeros((1, 3, 8, 8), np.float32))
    with pytest.raises(LayerNotFoundError) as caught:
        _ = maps[layer + "x"]
    drawn = lens.diagram()
    for told in (str(caught.value), maps[layer].title, lens.kernels(layer).title, drawn):
        assert len(told) < 9000
        assert not any(c in told for c in ("\x1b", "\x07", "\x9b", "\u202e"))
    assert "<script" not in drawn
    assert maps[layer].png()[:4] == b"\x89PNG"
    assert len(str(lens.summary())) < 20_000
