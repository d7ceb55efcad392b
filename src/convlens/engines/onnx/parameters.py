"""Which constants of a file are parameters, and of which layer."""

from __future__ import annotations

from collections.abc import Mapping

from convlens.engines.onnx.computing import OPERANDS
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.graph import Graph

WEIGHT_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "FusedConv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "Gemm": (1, 0, 2),
    "FusedGemm": (1, 0, 2),
    "MatMul": (1, 0),
    "MatMulInteger": (1, 0),
    "QLinearMatMul": (3, 0),
    "BatchNormalization": (1, 2, 3, 4),
    "InstanceNormalization": (1, 2),
    "GroupNormalization": (1, 2),
    "LayerNormalization": (1, 2),
    "SimplifiedLayerNormalization": (1,),
    "RMSNormalization": (1,),
    "PRelu": (1,),
    "LSTM": (1, 2, 3, 7),
    "GRU": (1, 2, 3),
    "RNN": (1, 2, 3),
    "Gather": (0,),
}
"""Where an operator's parameters stand, the main one first."""
SETTINGS = frozenset(
    [
        "Clip",
        "Resize",
        "Upsample",
        "Pad",
        "Slice",
        "Split",
        "Reshape",
        "Expand",
        "Tile",
        "Dropout",
        "QuantizeLinear",
        "DequantizeLinear",
        "Pow",
        "Unsqueeze",
        "Squeeze",
        "ReduceMean",
        "ReduceSum",
        "ReduceMax",
        "ReduceMin",
        "Cast",
        "Constant",
        "ConstantOfShape",
        "QLinearAdd",
        "QLinearMul",
        "QLinearSigmoid",
        "QLinearLeakyRelu",
        "QLinearGlobalAveragePool",
        "QLinearAveragePool",
        "QLinearConcat",
        "TopK",
        "OneHot",
        "Range",
    ]
)
"""Operators whose constant inputs are settings, not parameters."""


class Parameters:
    """Counts each weight once, at the layer that is the first to use it.

    A file doesn't say which of its constants are parameters. Counted are: where the operator has places for weights,
    the constants that stand there (a batch normalisation's mean and variance too); else constants of real numbers with
    more than one element, unless the operator's constants are settings (limits, sizes, scales and zero points).
    """

    def __init__(self, graph: Graph, constants: Constants) -> None:
        self._graph = graph
        self._constants = constants
        self._counted: dict[str, str] = {}

    def first_used_by(self, index: int, layer: str) -> tuple[int, str | None]:
        """How many parameters this node is the first to use, and the layer that it takes its main weights from."""
        count, shares = 0, None
        for place, value in enumerate(self._used(index)):
            root = self._graph.root(value) or value
            owner = self._counted.setdefault(root, layer)
            if owner == layer:
                count += self._constants.size(root if self._same_size(root) else value)
                self._counted[root] = layer + "\0"  # counted, should the same layer read it twice
            elif place == 0:
                shares = owner.rstrip("\0")
        return count, None if shares == layer else shares

    def _same_size(self, root: str) -> bool:
        """Whether the file itself holds the root: its size is known without computing anything."""
        return root in self._graph.initializers

    def _used(self, index: int) -> list[str]:
        graph, node = self._graph, self._graph.nodes[index]
        if index in graph.plumbing:
            return []
        if node.op_type in WEIGHT_INPUTS:
            places = [p for p in WEIGHT_INPUTS[node.op_type] if p < len(node.input)]
            return [node.input[p] for p in places if node.input[p] in graph.constant_values]
        if node.op_type in SETTINGS:
            return []
        read = [self._behind_sizes(r) for r in graph.reads[index]] if node.op_type in OPERANDS else graph.reads[index]
        return [
            r
            for r in read
            if r in graph.constant_values and self._constants.is_float(r) and self._constants.size(r) > 1
        ]

    def _behind_sizes(self, value: str) -> str:
        """The constant that is only spread to a size of this run (a class token over the batch), else the value."""
        found = value
        while found not in self._graph.constant_values and self._graph.maker.get(found) in self._graph.plumbing:
            found = self._graph.nodes[self._graph.maker[found]].input[0]
        return found if found in self._graph.constant_values else value
