"""ONNX Runtime decides: every value of every layer that it computes is explained, and agrees."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from hypothesis import given
from tests.arithmetic.harness import check_every_value, examples
from tests.arithmetic.onnx_layers import KINDS, Drawn
from tests.engines.onnx_models import model, node, numbers
from tests.engines.test_onnx import CASES

from convlens.engines.onnx import OnnxEngine
from convlens.network import Kind

BESIDE = ("layer:2",)
"""The second output of a pooling or a dropout: indices, or a mask."""


def check(drawn: Drawn) -> None:
    engine = OnnxEngine.open(drawn.model())
    unexplained = BESIDE if drawn.op in ("MaxPool", "Dropout") else ()
    check_every_value(engine, drawn.feed(), np.random.default_rng(drawn.seed), unexplained=unexplained, places=1)


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_value_of_every_layer_is_explained(kind: str) -> None:
    @examples(1000)
    @given(drawn=KINDS[kind])
    def held(drawn: Drawn) -> None:
        check(drawn)

    held()


UNEXPLAINED = {"branching": ("Greater", "If")}
"""The operators of whole models whose arithmetic convlens doesn't know."""


@pytest.mark.parametrize("name", [*CASES])
def test_every_value_of_models_as_files_hold_them(name: str) -> None:
    model, feed = CASES[name]()
    engine = OnnxEngine.open(model)
    network = engine.trace({n: a.shape for n, a in feed.items()}).network
    sizes = [layer.name for layer in network if layer.kind is Kind.PLUMBING]
    unexplained = (*UNEXPLAINED.get(name, ()), *sizes)
    check_every_value(engine, feed, np.random.default_rng(7), unexplained=unexplained)


def channels_last(rank: int) -> tuple[onnx.ModelProto, dict[str, np.ndarray]]:
    """What TensorFlow's exporter makes of a network: convolutions between transposes, all else with channels last."""
    sizes = (5, 4, 3)[:rank]
    first, last = [0, rank + 1, *range(1, rank + 1)], [0, *range(2, rank + 2), 1]
    weights = {
        "w": numbers(6, 3, *(1,) * rank),
        "tint": numbers(6),
        "veil": numbers(*sizes, 6),
        "slope": numbers(*(1,) * rank, 6),
        "scale": numbers(6),
        "shift": numbers(6),
        "dense": numbers(6, 4),
        "pads": np.array([0, *(1,) * rank, 0, 0, *(0,) * rank, 1], np.int64),
        "flat": np.array([1, -1], np.int64),
        "parts": np.array([3, 7], np.int64),
        "eight": numbers(8),
        "second": np.array([1], np.int64),
        "spatial": np.arange(1, rank + 1),
    }
    nodes = [
        node("Transpose", "image", "turned", perm=first),
        node("Conv", "turned w", "conv"),
        node("Transpose", "conv", "back", perm=last),
        node("Add", "back tint", "tinted"),
        node("Mul", "veil tinted", "veiled"),
        node("PRelu", "veiled slope", "prelu"),
        node("LayerNormalization", "prelu scale shift", "layer_norm"),
        node("LayerNormalization", "prelu veil", "map_norm", axis=1),
        node("Softmax", "layer_norm", "softmax"),
        node("MatMul", "softmax dense", "dense1"),
        node("Concat", "dense1 map_norm", "concat", axis=-1),
        node("Split", "concat parts", "some rest", axis=-1, name="split"),
        node("Pad", "rest pads", "padded"),
        node("ReduceMean", "padded spatial", "pooled", keepdims=0),
        node("Add", "pooled eight", "end"),
        node("Reshape", "some flat", "vector"),
        node("Unsqueeze", "rest second", "deeper"),
    ]
    outputs = ["end", "vector", "deeper"]
    return model(nodes, {"image": (1, *sizes, 3)}, outputs, weights), {"image": numbers(1, *sizes, 3, seed=3)}


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_channels_that_a_file_keeps_last_are_explained_as_they_are_shown(rank: int) -> None:
    built, feed = channels_last(rank)
    engine = OnnxEngine.open(built)
    check_every_value(engine, feed, np.random.default_rng(7))
