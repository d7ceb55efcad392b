"""Where the batch and the channels stand in the values of a graph, and whether its inputs are fed channels last."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import onnx

from convlens.engines.base import Array
from convlens.engines.onnx.axis_inference import ChannelAxes, Layout, presentations
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.operator_axes import Operator, Plane, Sizes
from convlens.engines.onnx.presentation import Presentation
from convlens.engines.onnx.shapes import Value, infer_ranks

ShapeOf = Callable[[str], Sizes | None]
ConstantOf = Callable[[str], Array | None]


def layouts(
    graph: Graph,
    values: Mapping[str, Value],
    shape_of: ShapeOf,
    constant: ConstantOf,
    channels_last: frozenset[str],
    batch: int,
) -> dict[str, Layout]:
    """How every value is shown, with the sizes of one run; ``channels_last`` are inputs that are fed so."""
    unseen = graph.constant_values | sizes_alone(graph)
    given = {i.name: values[i.name].shape for i in graph.inputs if i.name in values}
    shapes = {n: v.shape for n, v in values.items() if n not in unseen}
    planes = [Plane(name, len(given[name]), channels_last=True) for name in channels_last if len(given[name]) > 2]
    found = presentations(operators(graph, shape_of, constant), shapes, given, batch, planes)
    for name, shape in given.items():  # these are shown as they are fed
        found[name] = Layout(as_fed(len(shape), channels_last=name in channels_last))
    return found


def sizes_alone(graph: Graph) -> frozenset[str]:
    """The values that are computed from sizes and constants."""
    return frozenset(o for index in graph.plumbing for o in graph.nodes[index].output if o)


def as_fed(rank: int, *, channels_last: bool) -> Presentation:
    """How an input is shown.

    >>> as_fed(4, channels_last=True).axes, as_fed(0, channels_last=False).batch
    ((3, 1, 2), None)
    """
    batch = 0 if rank else None
    return Presentation.channels_at(rank - 1, rank, batch) if channels_last else Presentation.as_filed(rank, batch)


def channels_last_inputs(graph: Graph, constants: Constants) -> frozenset[str]:
    """The inputs whose last axis holds the channels, so far as that follows from the graph before any size is known."""
    if not any(_departs(node) for index, node in enumerate(graph.nodes) if index not in graph.plumbing):
        return frozenset()  # all stand where operators with windows read them
    ranks = infer_ranks(graph, {i.name: rank_of(graph, i) for i in graph.inputs})

    def shape(name: str) -> Sizes | None:
        if name in graph.initializers:
            return tuple(graph.initializers[name].dims)
        return (None,) * ranks[name] if name in ranks else None

    channels = ChannelAxes(operators(graph, shape, constants.value))
    found = []
    for given in graph.inputs:
        rank = ranks.get(given.name, 0)
        if rank > 2 and channels.layout(given.name, rank, 0).presentation == as_fed(rank, channels_last=True):
            found.append(given.name)
    return frozenset(found)


def _departs(node: onnx.NodeProto) -> bool:
    """Whether a node turns axes, or states channels last."""
    return node.op_type == "Transpose" or any(a.name == "channels_last" for a in node.attribute)


def rank_of(graph: Graph, given: onnx.ValueInfoProto) -> int | None:
    """How many axes an input has: as it is declared, else as many as the first Transpose behind it turns."""
    tensor = given.type.tensor_type
    if tensor.HasField("shape"):
        return len(tensor.shape.dim)
    same = {given.name}
    for node in graph.nodes:
        if same.intersection(node.input):
            if node.op_type == "Transpose":
                order = next((list(a.ints) for a in node.attribute if a.name == "perm"), None)
                return None if order is None else len(order)
            if node.op_type in ("Cast", "Sub", "Add", "Mul", "Div", "Identity"):
                same.update(node.output)
    return None


def operators(graph: Graph, shape_of: ShapeOf, constant: ConstantOf) -> list[Operator]:
    """The nodes that compute with what the network is fed, with what is known of their sizes."""

    def operator(index: int, node: onnx.NodeProto) -> Operator:
        def value(place: int) -> Array | None:
            return constant(node.input[place]) if place < len(node.input) and node.input[place] else None

        return Operator(
            node=node,
            reads=tuple(shape_of(name) if name else None for name in node.input),
            makes=tuple(shape_of(name) if name else None for name in node.output),
            varies=tuple(bool(name) and name not in fixed for name in node.input),
            constant=value,
            opset=graph.opsets.get(node.domain or "ai.onnx", 1),
            captured=graph.reads[index][sum(map(bool, node.input)) :],
        )

    fixed = graph.constant_values | sizes_alone(graph)
    return [
        operator(index, node)
        for index, node in enumerate(graph.nodes)
        if index not in graph.plumbing and not graph.constant_values.issuperset(o for o in node.output if o)
    ]
