"""From the graph and the sizes of one run to the :class:`~convlens.network.Network`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.engines.base import Array
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.naming import scope_of
from convlens.engines.onnx.operations import Call, describe
from convlens.engines.onnx.shapes import Value
from convlens.network import Input, Kind, Layer, Network

WEIGHT_INPUTS: Mapping[str, tuple[int, ...]] = {
    "Conv": (1, 2),
    "FusedConv": (1, 2),
    "ConvTranspose": (1, 2),
    "ConvInteger": (1,),
    "QLinearConv": (3, 8),
    "Gemm": (0, 1, 2),
    "FusedGemm": (0, 1, 2),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
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
"""Where an operator's parameters stand."""
SETTINGS = frozenset(
    "Clip Resize Upsample Pad Slice Split Reshape Expand Tile Dropout QuantizeLinear DequantizeLinear Pow Unsqueeze Squeeze"
    " ReduceMean ReduceSum ReduceMax ReduceMin Cast Constant ConstantOfShape".split()
)
"""Operators whose constant inputs are settings, not parameters."""


class LayerBuilder:
    """Makes the layers of one run, in the order of the file."""

    def __init__(
        self, graph: Graph, constant: Callable[[str], Array | None], values: Mapping[str, Value], batch: int
    ) -> None:
        self._graph = graph
        self._constant = constant
        self._values = values
        self._batch = batch
        self._counted: dict[str, str] = {}

    def network(self, name: str, inputs: tuple[Input, ...], notes: tuple[str, ...]) -> Network:
        """All layers, in the order of the file."""
        graph = self._graph
        layers = []
        for index, node in enumerate(graph.nodes):
            first = True
            for place, output in enumerate(node.output):
                if output in graph.layers and output in self._values:
                    layers.append(self._layer(index, place, output, first))
                    first = False
        given = {i.name for i in graph.inputs}
        outputs = tuple(graph.layers.get(o, o) for o in graph.outputs if o in graph.layers or o in given)
        total = sum(layer.parameters for layer in layers)
        return Network(name, "onnx", inputs, tuple(layers), outputs, total, notes)

    def _layer(self, index: int, place: int, output: str, first: bool) -> Layer:
        graph, node = self._graph, self._graph.nodes[index]
        value = self._values[output]
        name = graph.layers[output]
        plumbing = index in graph.plumbing or output in graph.constant_values
        batched = not plumbing and is_batched(value, self._batch)
        kind, operation = Kind.PLUMBING, None
        if not plumbing:
            kind, operation = describe(self._call(node, place, value, batched))
        parameters, shares = self._parameters(index, name) if first else (0, None)
        notes = () if batched or plumbing else ("This value has no batch axis; it is shown whole.",)
        return Layer(
            name=name,
            op=node.op_type,
            kind=kind,
            inputs=graph.sources(index),
            output_shape=value.shape[1:] if batched else value.shape,
            operation=operation,
            parameters=parameters,
            dtype=element_name(value.element),
            scope=scope_of(name),
            shares=shares,
            notes=notes,
        )

    def _call(self, node: onnx.NodeProto, place: int, value: Value, batched: bool) -> Call:
        def shape(name: str) -> tuple[int, ...] | None:
            if not name:
                return None
            known = self._values.get(name)
            if known is not None:
                return known.shape
            constant = self._constant(name)
            return None if constant is None else constant.shape

        attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return Call(
            op=node.op_type,
            attributes=attributes,
            shapes=tuple(shape(i) for i in node.input),
            output=value.shape,
            moving=tuple(bool(i) and i not in self._graph.constant_values for i in node.input),
            constant=lambda i: self._constant(node.input[i]) if i < len(node.input) and node.input[i] else None,
            opset=self._graph.opsets.get(node.domain or "ai.onnx", 1),
            batched=batched,
            output_index=place,
        )

    def _parameters(self, index: int, name: str) -> tuple[int, str | None]:
        """How many parameters this layer is the first to use, and the layer that it takes its main weights from."""
        graph = self._graph
        count, shares = 0, None
        for place, value in enumerate(self.weight_values(index)):
            root = graph.root(value) or value
            if root in self._counted:
                if place == 0 and self._counted[root] != name:
                    shares = self._counted[root]
                continue
            self._counted[root] = name
            known = self._values.get(value)
            if known is None:
                constant = self._constant(value)
                count += 0 if constant is None else constant.size
            else:
                count += prod(known.shape)
        return count, shares

    def weight_values(self, index: int) -> list[str]:
        """The constants that are this node's parameters.

        Where the operator has places for weights, what stands there; else every constant of floats with more than one
        element, unless the operator's constants are settings (limits, sizes, scales).
        """
        graph, node = self._graph, self._graph.nodes[index]
        if index in graph.plumbing:
            return []
        if node.op_type in WEIGHT_INPUTS:
            places = WEIGHT_INPUTS[node.op_type]
            return [node.input[p] for p in places if p < len(node.input) and node.input[p] in graph.constant_values]
        if node.op_type in SETTINGS:
            return []
        found = []
        for read in graph.reads[index]:
            if read in graph.constant_values:
                constant = self._constant(read)
                if constant is not None and constant.dtype.kind == "f" and constant.size > 1:
                    found.append(read)
        return found


def is_batched(value: Value, batch: int) -> bool:
    """Whether axis 0 of a value is the batch axis: it is as long as the batch."""
    return bool(value.shape) and value.shape[0] == batch


def element_name(element: int) -> str:
    """The name of an ONNX element type as NumPy would say it.

    >>> element_name(onnx.TensorProto.FLOAT), element_name(onnx.TensorProto.BFLOAT16)
    ('float32', 'bfloat16')
    """
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(element)).name
    except (KeyError, TypeError, ValueError):
        return onnx.TensorProto.DataType.Name(element).lower()
