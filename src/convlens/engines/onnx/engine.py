"""The engine itself: what :class:`convlens.engines.base.Engine` asks for, from the parts of this package."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convlens.engines.base import Array, Feed, Sink, as_float32
from convlens.engines.onnx.graph import Graph, constant_of
from convlens.engines.onnx.layers import LayerBuilder
from convlens.engines.onnx.reading import Source, read
from convlens.engines.onnx.running import run_all, session
from convlens.engines.onnx.shapes import Value, infer
from convlens.network import Input, Network, Shape


class OnnxEngine:
    """One opened ONNX model."""

    name = "onnx"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._graph = Graph(source.proto)
        self._inputs = tuple(_input(i) for i in self._graph.inputs)

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        """Open a path ending in .onnx or a live ``onnx.ModelProto``."""
        return cls(read(model))

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads."""
        return self._inputs

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts that the file states about itself."""
        return self._graph.metadata()

    def trace(self, shapes: Mapping[str, Shape]) -> Network:
        """The network for inputs of these shapes."""
        elements = {i.name: i.type.tensor_type.elem_type for i in self._graph.inputs}
        values = infer(self._graph, {n: Value(elements[n], tuple(s)) for n, s in shapes.items()})
        batch = next(iter(shapes.values()))[0]
        return LayerBuilder(self._graph, self._constant, values, batch).network(self._source.name, self._inputs, ())

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> Network:
        """One forward pass; kept layers go to ``sink``."""
        arrays = {name: np.asarray(value) for name, value in feed.items()}
        network = self.trace({n: a.shape for n, a in arrays.items()})
        wanted = {v: n for v, n in self._graph.layers.items() if keep is None or n in keep}
        made = run_all(self._graph, list(wanted), arrays)
        for value, name in wanted.items():
            layer = network[name]
            array = made[value]
            sink(layer, as_float32(array[0] if array.ndim > len(layer.output_shape) else array))
        return network

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass of the untouched model."""
        arrays = {name: np.asarray(value) for name, value in feed.items()}
        made = session(self._source.proto.SerializeToString()).run(None, arrays)
        return {self._graph.layers.get(o, o): as_float32(a[0]) for o, a in zip(self._graph.outputs, made, strict=True)}

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The effective weights of a layer."""
        index = next(self._graph.maker[v] for v, n in self._graph.layers.items() if n == layer)
        node = self._graph.nodes[index]
        roles = {"Conv": {1: "kernel", 2: "bias"}, "Gemm": {1: "weight", 2: "bias"}}.get(node.op_type, {})
        found = {}
        for place, role in roles.items():
            value = self._constant(node.input[place]) if place < len(node.input) else None
            if value is not None:
                found[role] = as_float32(value)
        return found

    def _constant(self, value: str) -> Array | None:
        tensor = self._graph.initializers.get(value)
        if tensor is not None:
            return numpy_helper.to_array(tensor)
        if value in self._graph.maker:
            return constant_of(self._graph.nodes[self._graph.maker[value]])
        return None


def _input(info: onnx.ValueInfoProto) -> Input:
    tensor = info.type.tensor_type
    sizes = [d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim]
    dtype = np.dtype(helper.tensor_dtype_to_np_dtype(tensor.elem_type)).name
    return Input(info.name, tuple(sizes[1:]), dtype, batch=sizes[0] if sizes else None)
