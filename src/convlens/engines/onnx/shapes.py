"""The type and size of every value for given input sizes, without running the network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
from onnx import helper

from convlens.engines.onnx.graph import Graph
from convlens.network import Shape

_SMALL = 1024
"""Initializers up to this many elements can be sizes that inference needs; larger ones are weights."""


@dataclass(frozen=True, slots=True)
class Value:
    """One value of the graph: ONNX element type, and shape in the file's own layout, batch included."""

    element: int
    shape: Shape


def infer(graph: Graph, bound: Mapping[str, Value]) -> dict[str, Value]:
    """Every value whose type and whole shape ONNX's own inference finds; values that it can't tell are absent."""
    found = dict(bound)
    given = [helper.make_tensor_value_info(n, v.element, v.shape) for n, v in bound.items()]
    for info in _inferred(graph, given):
        value = stated(info)
        if value is not None:
            found.setdefault(info.name, value)
    return found


def infer_ranks(graph: Graph, given: Mapping[str, int | None]) -> dict[str, int]:
    """How many axes each value has, where ONNX's own inference finds it from how many the inputs have."""
    elements = {i.name: i.type.tensor_type.elem_type for i in graph.inputs}
    free = {name: None if rank is None else (None,) * rank for name, rank in given.items()}
    inputs = [helper.make_tensor_value_info(name, elements[name], sizes) for name, sizes in free.items()]
    found = {}
    for info in [*inputs, *_inferred(graph, inputs)]:
        if info.type.HasField("tensor_type") and info.type.tensor_type.HasField("shape"):
            found[info.name] = len(info.type.tensor_type.shape.dim)
    return found


def _inferred(graph: Graph, given: Sequence[onnx.ValueInfoProto]) -> list[onnx.ValueInfoProto]:
    """What ONNX's own inference says of every value; nothing where it gives up."""
    model = onnx.ModelProto(ir_version=max(graph.proto.ir_version, 4))
    model.opset_import.extend(graph.proto.opset_import)
    model.functions.extend(graph.proto.functions)
    inner = model.graph
    inner.name = "sizes"
    inner.node.extend(graph.nodes)
    inner.input.extend(given)
    bound = {info.name for info in given}
    for name, tensor in graph.initializers.items():
        if name in bound:
            continue
        elements = 1
        for size in tensor.dims:
            elements *= size
        if elements <= _SMALL and tensor.data_location != onnx.TensorProto.EXTERNAL:
            inner.initializer.append(tensor)
        else:
            inner.input.append(helper.make_tensor_value_info(name, tensor.data_type, list(tensor.dims)))
    for name, sparse in graph.sparse.items():
        inner.input.append(helper.make_tensor_value_info(name, sparse.values.data_type, list(sparse.dims)))
    inner.output.extend(onnx.ValueInfoProto(name=name) for name in graph.outputs)
    try:
        inferred = onnx.shape_inference.infer_shapes(model, strict_mode=False, data_prop=True).graph
    except (onnx.shape_inference.InferenceError, RuntimeError):
        return []
    return [*inferred.input, *inferred.value_info, *inferred.output]


def stated(info: onnx.ValueInfoProto) -> Value | None:
    """What a value's declaration says, when it says all of it."""
    if not info.type.HasField("tensor_type") or not info.type.tensor_type.HasField("shape"):
        return None
    tensor = info.type.tensor_type
    sizes = [d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim]
    if -1 in sizes or not tensor.elem_type:
        return None
    return Value(tensor.elem_type, tuple(sizes))
