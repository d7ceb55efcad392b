"""What can be said of an ONNX graph before any input is known: constants, plumbing, names, layers."""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import cached_property

import onnx

from convlens.engines.onnx.naming import Names, layer_name

_RANDOM = frozenset(
    ("RandomNormal", "RandomUniform", "RandomNormalLike", "RandomUniformLike", "Multinomial", "Bernoulli")
)
MEASURES = frozenset(("Shape", "Size"))
"""Operators that tell a size."""


def names_random(node: onnx.NodeProto) -> bool:
    """Whether the node is an operator that draws at random, or holds one in a branch or a loop's body."""
    inner = [a.g for a in node.attribute if a.type == onnx.AttributeProto.GRAPH]
    inner += [graph for a in node.attribute for graph in a.graphs]
    return node.op_type in _RANDOM or any(names_random(one) for graph in inner for one in graph.node)


class Graph:
    """The nodes, weights and values of a model, with nothing that depends on the input's size."""

    def __init__(self, proto: onnx.ModelProto) -> None:
        self.proto = proto
        self.nodes: list[onnx.NodeProto] = list(proto.graph.node)
        self.initializers: dict[str, onnx.TensorProto] = {t.name: t for t in proto.graph.initializer}
        self.sparse: dict[str, onnx.SparseTensorProto] = {t.values.name: t for t in proto.graph.sparse_initializer}
        given = self.initializers.keys() | self.sparse.keys()
        self.inputs: list[onnx.ValueInfoProto] = [i for i in proto.graph.input if i.name not in given]
        self.outputs: list[str] = [o.name for o in proto.graph.output]
        self.opsets: dict[str, int] = {o.domain or "ai.onnx": o.version for o in proto.opset_import}
        self.reads: list[tuple[str, ...]] = [_reads(node) for node in self.nodes]
        self.maker: dict[str, int] = {o: i for i, node in enumerate(self.nodes) for o in node.output if o}
        self.constant_values: frozenset[str] = self._constants()
        self.plumbing: frozenset[int] = self._plumbing()

    def _constants(self) -> frozenset[str]:
        """Values that no input can change: initializers, and what nodes compute from them alone."""
        constant = set(self.initializers) | set(self.sparse)
        for node, reads in zip(self.nodes, self.reads, strict=True):
            if not names_random(node) and constant.issuperset(reads):
                constant.update(o for o in node.output if o)
        return frozenset(constant)

    def _plumbing(self) -> frozenset[int]:
        """Nodes that compute with sizes only: Shape, and whatever reads nothing but such values and constants."""
        sizes: set[str] = set()
        found = set()
        for index, (node, reads) in enumerate(zip(self.nodes, self.reads, strict=True)):
            moving = [r for r in reads if r not in self.constant_values]
            if node.op_type in MEASURES or (moving and sizes.issuperset(moving)):
                sizes.update(node.output)
                found.add(index)
        return frozenset(found)

    @cached_property
    def layers(self) -> dict[str, str]:
        """Value name -> layer name, in the order of the file, for every value that an input can change.

        Constants are weights, not layers, unless the network gives them out.
        """
        names = Names(i.name for i in self.inputs)
        found = {}
        for index, node in enumerate(self.nodes):
            base = ""
            for output in node.output:
                if not output or (output in self.constant_values and output not in self.outputs):
                    continue
                base = base or layer_name(node, self._weight_names(index))
                found[output] = names.unique(base)
        return found

    def _weight_names(self, index: int) -> list[str]:
        """The initializers that a node reads, directly or through what computes its weights."""
        found = []
        for read in self.reads[index]:
            root = self.root(read)
            if root is not None:
                found.append(root)
        return found

    def root(self, value: str) -> str | None:
        """The initializer (or Constant output) that a constant value is mainly made of: first inputs, followed up."""
        if value not in self.constant_values:
            return None
        while value in self.maker:
            reads = self.reads[self.maker[value]]
            if not reads:
                break
            value = reads[0]
        return value

    def sources(self, index: int, shown: Container[str], without: Container[str] = ()) -> tuple[str, ...]:
        """The layers and inputs that a node reads, by name and in its order; constants are left out, as is ``without``.

        What is no layer (a sequence of tensors, say) is replaced by what it was made of.
        """
        inputs = {i.name for i in self.inputs}
        found: list[str] = []
        for read in self.reads[index]:
            if read in without:
                continue
            if read in inputs:
                found.append(read)
            elif read in self.layers and read in shown:
                found.append(self.layers[read])
            elif read in self.maker and read not in self.constant_values:
                found.extend(self.sources(self.maker[read], shown))
        return tuple(found)

    def metadata(self) -> Mapping[str, str]:
        """Facts that the file states about itself, as text."""
        proto = self.proto
        producer = f"{proto.producer_name} {proto.producer_version}".strip()
        stated = {
            "producer": producer,
            "domain": proto.domain,
            "description": proto.doc_string or proto.graph.doc_string,
            "ir_version": str(proto.ir_version),
            "opset": ", ".join(f"{domain} {version}" for domain, version in self.opsets.items()),
        }
        found = {key: text for key, text in stated.items() if text}
        found.update({p.key: p.value for p in proto.metadata_props})
        return found


def _reads(node: onnx.NodeProto) -> tuple[str, ...]:
    """The values that a node reads, those that its inner graphs capture included."""
    found = [i for i in node.input if i]
    for attribute in node.attribute:
        for inner in [attribute.g] if attribute.type == onnx.AttributeProto.GRAPH else attribute.graphs:
            found.extend(captured(inner))
    return tuple(found)


def captured(graph: onnx.GraphProto) -> list[str]:
    """The outer values that an inner graph (a branch, a loop's body) reads."""
    own = {i.name for i in graph.input} | {t.name for t in graph.initializer}
    found: list[str] = []
    for node in graph.node:
        found.extend(r for r in _reads(node) if r not in own)
        own.update(node.output)
    found.extend(o.name for o in graph.output if o.name not in own)
    return found
