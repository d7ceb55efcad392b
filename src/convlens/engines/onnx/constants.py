"""The numbers of values that no input can change: initializers, Constant nodes, and what is computed from them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import onnx
from onnx import helper, numpy_helper

from convlens.engines.base import Array
from convlens.engines.onnx.graph import MEASURES, Graph
from convlens.engines.onnx.reading import Source
from convlens.engines.onnx.running import RefusedError, Runner, ancestors, needs_cast, piece_model, to_array
from convlens.engines.onnx.shapes import Value

_KEPT = 4096
"""Elements up to which a computed constant is remembered: settings and sizes, not weights."""


class Constants:
    """Looks constants up, and computes those that are computed."""

    def __init__(self, source: Source, graph: Graph) -> None:
        self._source = source
        self._graph = graph
        self._computed: dict[str, Array] = {}

    def value(self, name: str) -> Array | None:
        """The numbers of a constant value; ``None`` if it isn't constant, or of a type that has no numbers."""
        graph = self._graph
        if name not in graph.constant_values:
            return None
        if name in graph.initializers:
            tensor = graph.initializers[name]
            return None if tensor.data_type == onnx.TensorProto.STRING else self._source.array(tensor)
        if name in graph.sparse:
            return _dense(graph.sparse[name])
        if name not in self._computed:
            node = graph.nodes[graph.maker[name]]
            value = constant_of(node) if node.op_type == "Constant" else self._compute(name)
            if value is None or value.size > _KEPT:
                return value
            self._computed[name] = value
        return self._computed[name]

    def size(self, name: str) -> int:
        """How many elements a constant has, without reading an initializer's numbers."""
        tensor = self._graph.initializers.get(name)
        if tensor is not None:
            return int(np.prod(tensor.dims, dtype=np.int64))
        value = self.value(name)
        return 0 if value is None else value.size

    def shape(self, name: str) -> tuple[int, ...] | None:
        """The shape of a constant, without reading an initializer's numbers."""
        tensor = self._graph.initializers.get(name)
        if tensor is not None:
            return tuple(tensor.dims)
        value = self.value(name)
        return None if value is None else value.shape

    def is_float(self, name: str) -> bool:
        """Whether a constant holds real numbers, and not indices or sizes."""
        tensor = self._graph.initializers.get(name)
        if tensor is not None:
            element = tensor.data_type
            return needs_cast(element) or helper.tensor_dtype_to_np_dtype(element).kind == "f"
        value = self.value(name)
        return value is not None and value.dtype.kind == "f"

    def sizes(self, values: Mapping[str, Value]) -> dict[str, Array]:
        """What the plumbing (shape arithmetic) gives for values of these shapes; what can't be known is absent."""
        graph = self._graph
        known: dict[str, Array] = {}
        for index in sorted(graph.plumbing):
            node = graph.nodes[index]
            measured = values.get(node.input[0]) if node.op_type in MEASURES else None
            if measured is not None:
                known[node.output[0]] = _measured(node, measured)
        wanted = [
            o
            for index in sorted(graph.plumbing)
            for o in graph.nodes[index].output
            if o and o not in known and _known(graph, o, known)
        ]
        if wanted:
            nodes = ancestors(graph, wanted, known)
            given = {n: Value(helper.np_dtype_to_tensor_dtype(a.dtype), a.shape) for n, a in known.items()}
            try:
                made = self._run(nodes, given, known, wanted)
            except (RuntimeError, RefusedError):
                return known  # a chain of sizes that only the real run can tell
            known.update(zip(wanted, made, strict=True))
        return known

    def _compute(self, name: str) -> Array | None:
        nodes = ancestors(self._graph, [name], ())
        try:
            return self._run(nodes, {}, {}, [name])[0]
        except RuntimeError:
            return None

    def _run(
        self, nodes: list[int], given: Mapping[str, Value], feed: Mapping[str, Array], outputs: list[str]
    ) -> list[Array]:
        read = {r for i in nodes for r in self._graph.reads[i]}
        given = {n: v for n, v in given.items() if n in read}
        model = piece_model(self._graph, nodes, given, outputs, {})
        try:
            runner = Runner(model, self._source)
        except RefusedError:
            runner = Runner(model, self._source, reference=True)
        return [to_array(v) for v in runner.run({n: feed[n] for n in given}, outputs, {})]


def constant_of(node: onnx.NodeProto) -> Array | None:
    """The value of a Constant node, whatever attribute holds it."""
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        match attribute.name:
            case "value":
                return None if value.data_type == onnx.TensorProto.STRING else numpy_helper.to_array(value)
            case "value_float" | "value_floats":
                return np.asarray(value, np.float32)
            case "value_int" | "value_ints":
                return np.asarray(value, np.int64)
            case "sparse_value":
                return _dense(value)
    return None


def _known(graph: Graph, value: str, known: Iterable[str]) -> bool:
    """Whether a value follows from the ``known`` ones and constants."""
    return all(
        graph.nodes[i].op_type not in MEASURES
        and all(r in graph.constant_values or r in known or r in graph.maker for r in graph.reads[i])
        for i in ancestors(graph, [value], known)
    )


def _measured(node: onnx.NodeProto, value: Value) -> Array:
    """What Shape or Size says. Source: the ONNX operator specification."""
    if node.op_type == "Size":
        return np.asarray(np.prod(value.shape, dtype=np.int64))
    slots = {a.name: a.i for a in node.attribute}
    return np.asarray(value.shape[slots.get("start", 0) : slots.get("end")], np.int64)


def _dense(sparse: onnx.SparseTensorProto) -> Array:
    """A sparse tensor written out."""
    shape = tuple(sparse.dims)
    values, places = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    flat = places if places.ndim == 1 else np.ravel_multi_index(tuple(places.T), shape)
    whole = np.zeros(int(np.prod(shape)), values.dtype)
    whole[flat] = values
    return whole.reshape(shape)
