"""Constants among an operation's operands, wherever they stand, however a model holds them: the framework decides."""

from __future__ import annotations

import os
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly

import keras
import numpy as np
import onnx
import torch
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from onnx import helper, numpy_helper
from tests.arithmetic.harness import check_every_value, examples
from tests.arithmetic.operands import BROADCAST, Together, together
from torch import nn

from convlens.engines.base import Engine, Trace
from convlens.engines.keras.sums import ELSEWHERE
from convlens.engines.onnx import OnnxEngine
from convlens.engines.torch import TorchEngine
from convlens.network import Layer, Merge, Network, Whole


def traced(engine: Engine, feed: dict[str, Any]) -> Trace:
    return engine.trace({name: value.shape for name, value in feed.items()})


def says(trace: Trace, drawn: Together, found: Layer) -> None:
    """The layer names its inputs in order, and its constants by their places."""
    assert found.inputs == drawn.moving, drawn
    if isinstance(found.operation, Merge):
        weights = trace.weights(found.name)
        assert tuple(place for place, _ in found.operation.constants) == drawn.constant_places, drawn
        for place, shape in found.operation.constants:
            assert weights[f"operand{place}"].shape == shape, drawn


# --- ONNX

ONNX = {
    **{"concat": "Concat", "where": "Where", "matmul": "MatMul", "add": "Sum", "subtract": "Sub"},
    **{"multiply": "Mul", "divide": "Div", "maximum": "Max", "minimum": "Min", "mean": "Mean"},
}
IN_ONNX = ("initializer", "Constant", "computed", "of the size")


def in_onnx(drawn: Together) -> onnx.ModelProto:
    """The operands as ``x``, ``y`` and constants of one kind, put together by the node ``layer``."""
    nodes, initializers, reads = [], [], []
    for place, array in drawn.constants().items():
        name, stored = f"c{place}", f"stored{place}" if drawn.way in ("computed", "of the size") else f"c{place}"
        tensor = numpy_helper.from_array(-array if drawn.way == "computed" else array, stored)
        if drawn.way == "Constant":
            nodes.append(helper.make_node("Constant", [], [stored], value=tensor))
        else:
            initializers.append(tensor)
        if drawn.way == "computed":
            nodes.append(helper.make_node("Neg", [stored], [name]))
        elif drawn.way == "of the size":
            fed = next(iter(drawn.fed))
            initializers += [numpy_helper.from_array(np.array(n, np.int64), f"{place} {n}") for n in ([0], [1])]
            initializers.append(numpy_helper.from_array(np.ones(1, np.int64) * max(1, array.ndim), f"{place} rank"))
            nodes += [
                helper.make_node("Shape", [fed], [f"shape{place}"]),
                helper.make_node("Slice", [f"shape{place}", f"{place} [0]", f"{place} [1]"], [f"batch{place}"]),
                helper.make_node("Expand", [f"batch{place}", f"{place} rank"], [f"ones{place}"]),
                helper.make_node("Expand", [stored, f"ones{place}"], [name]),
            ]
    for place, kind in enumerate(drawn.kinds):
        reads.append(f"c{place}" if kind == "c" else kind)
        if drawn.function == "where" and place == 0:
            nodes.append(helper.make_node("Cast", [reads[0]], ["condition"], "cast", to=onnx.TensorProto.BOOL))
            reads[0] = "condition"
    attributes: dict[str, Any] = {"axis": drawn.axis + 1} if drawn.function == "concat" else {}
    binary = drawn.function == "multiply" and len(reads) > 2
    op = "Max" if binary else ONNX[drawn.function]
    nodes.append(helper.make_node(op, reads, ["out"], "layer", **attributes))
    graph = helper.make_graph(
        nodes,
        "drawn",
        [helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, (1, *s)) for n, s in drawn.fed.items()],
        [onnx.ValueInfoProto(name="out")],
        initializers,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


@examples(200)
@given(drawn=together(IN_ONNX, ("concat", "where", "matmul", "mean", *BROADCAST)))
def test_constants_among_the_operands_of_onnx_nodes(drawn: Together) -> None:
    engine, feed = OnnxEngine.open(in_onnx(drawn)), drawn.feed()
    trace = traced(engine, feed)
    sizes = [layer.name for layer in trace.network if layer.kind == "plumbing"]
    check_every_value(engine, feed, np.random.default_rng(drawn.seed), unexplained=sizes)
    if drawn.function != "where" or drawn.kinds[0] == "c":
        says(trace, drawn, trace.network["layer"])


# --- PyTorch

IN_TORCH = ("parameter", "buffer", "literal", "expanded", "computed", "written later")


class PutTogether(nn.Module):
    """The operands put together, the constants being of one kind."""

    def __init__(self, drawn: Together) -> None:
        super().__init__()
        self.drawn = drawn
        for place, array in drawn.constants().items():
            tensor = torch.from_numpy(array)
            if drawn.way == "buffer":
                self.register_buffer(f"c{place}", tensor)
            elif drawn.way in ("parameter", "expanded", "computed"):
                self.register_parameter(f"c{place}", nn.Parameter(tensor))

    def constant(self, place: int) -> torch.Tensor:
        drawn = self.drawn
        if drawn.way in ("literal", "written later"):
            return torch.tensor(drawn.constants()[place].tolist())
        held: torch.Tensor = getattr(self, f"c{place}")
        if drawn.way == "expanded" and held.ndim:
            return held.expand(held.shape)
        return held * 2 if drawn.way == "computed" else held

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        drawn, fed = self.drawn, {"x": x, "y": y}
        operands = [self.constant(n) if kind == "c" else fed[kind] for n, kind in enumerate(drawn.kinds)]
        made = self.put(operands)
        if drawn.way == "written later":  # what the layer read is what it was then
            for n, kind in enumerate(drawn.kinds):
                if kind == "c":
                    operands[n].zero_()
        return made

    def put(self, operands: list[torch.Tensor]) -> torch.Tensor:
        function, axis = self.drawn.function, self.drawn.axis + 1
        if function in ("concat", "stack"):
            put: Any = {"concat": torch.cat, "stack": torch.stack}[function]
            joined: torch.Tensor = put(operands, axis)
            return joined
        if function == "where":
            return torch.where(operands[0].bool(), operands[1], operands[2])
        made = operands[0]
        for operand in operands[1:]:
            made = getattr(torch, function)(made, operand)
        return made


@examples(200)
@given(drawn=together(IN_TORCH))
def test_constants_among_the_operands_of_torch_operators(drawn: Together) -> None:
    feed = {"x": np.ones((1, 1), np.float32), "y": np.ones((1, 1), np.float32)} | drawn.feed()
    engine = TorchEngine.open(PutTogether(drawn).eval())
    check_every_value(engine, feed, np.random.default_rng(drawn.seed))
    trace = traced(engine, feed)
    op = {"concat": "cat"}.get(drawn.function, drawn.function)
    if len(drawn.kinds) == 2 or drawn.function in ("concat", "stack"):
        says(trace, drawn, next(layer for layer in trace.network if layer.op == op))


# --- Keras

IN_KERAS = ("weight", "array", "tensor")
TOGETHER = 20


class Putting(keras.layers.Layer):  # type: ignore[misc]  # keras has no types
    """The operands put together in a call, the constants being of one kind."""

    def __init__(self, drawn: Together, name: str) -> None:
        super().__init__(name=name)
        self.drawn, self.held = drawn, dict[str, Any]()
        for place, array in drawn.constants().items():
            condition = drawn.function == "where" and place == 0
            if condition:
                self.held[str(place)] = array.astype(bool)
            elif drawn.way == "weight":
                self.held[str(place)] = self.add_weight(
                    shape=array.shape, initializer=lambda _, dtype=None, array=array: keras.ops.convert_to_tensor(array)
                )
            else:
                self.held[str(place)] = array if drawn.way == "array" else keras.ops.convert_to_tensor(array)

    def call(self, fed: list[Any]) -> Any:
        drawn, own = self.drawn, dict(zip(self.drawn.fed, fed, strict=True))
        operands = [self.held[str(n)] if kind == "c" else own[kind] for n, kind in enumerate(drawn.kinds)]
        if drawn.function in ("concat", "stack"):
            put = {"concat": keras.ops.concatenate, "stack": keras.ops.stack}[drawn.function]
            return put(operands, axis=drawn.axis + 1)
        if drawn.function == "where":
            condition = operands[0] if drawn.kinds[0] == "c" else keras.ops.cast(operands[0], "bool")
            return keras.ops.where(condition, *operands[1:])
        made = operands[0]
        for operand in operands[1:]:
            made = getattr(keras.ops, drawn.function)(made, operand)
        return made


def unexplained(network: Network) -> list[str]:
    """What says that it isn't explained: additions that Keras does elsewhere, products and stacks whose rows aren't
    those that are shown."""
    whole = (Whole("matmul"), Whole("stack"))
    return [layer.name for layer in network if ELSEWHERE in layer.notes or layer.operation in whole]


def of_values(drawn: Together) -> bool:
    """Whether no step is computed from constants alone: what a compiled call makes of those, nobody knows before."""
    return drawn.function not in BROADCAST or drawn.kinds[:2] != ("c", "c")


@settings(examples(5), phases=[Phase.generate])  # nothing is made smaller: each step would compile a model
@given(parts=st.lists(together(IN_KERAS).filter(of_values), min_size=TOGETHER, max_size=TOGETHER))
def test_constants_among_the_operands_of_keras_functions(parts: list[Together]) -> None:
    inputs, outputs, feed = list[Any](), list[Any](), dict[str, Any]()
    for number, drawn in enumerate(parts):
        own = {name: keras.Input(shape, name=f"{name}{number}") for name, shape in drawn.fed.items()}
        inputs += own.values()
        outputs.append(Putting(drawn, f"part{number}")(list(own.values())))
        feed |= {f"{name}{number}": value for name, value in drawn.feed().items()}
    keras.utils.clear_session(free_memory=False)
    engine = KerasEngine.open(keras.Model(inputs, outputs))
    network = traced(engine, feed).network
    check_every_value(engine, feed, np.random.default_rng(parts[0].seed), unexplained=unexplained(network))
