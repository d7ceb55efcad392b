"""From the graph and the sizes of one run to the :class:`~convlens.network.Network`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.engines.base import Array, as_float32
from convlens.engines.onnx.call import Call
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.feeding import dtype_name
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.layouts import KEEPING, order_of, to_last
from convlens.engines.onnx.naming import nameless, scope_of
from convlens.engines.onnx.operations import describe
from convlens.engines.onnx.parameters import Parameters
from convlens.engines.onnx.shapes import Value
from convlens.network import Input, Kind, Layer, Network, Shape

_SCALES: Mapping[str, tuple[int, int]] = {
    "QuantizeLinear": (1, 2),
    "QLinearConv": (6, 7),
    "QLinearMatMul": (6, 7),
    "QLinearAdd": (6, 7),
    "QLinearMul": (6, 7),
    "QLinearSigmoid": (3, 4),
    "QLinearLeakyRelu": (3, 4),
    "QLinearGlobalAveragePool": (3, 4),
    "QLinearAveragePool": (3, 4),
}
"""Where quantised operators have the scale and zero point of their output."""
_INTEGERS = frozenset(("int8", "uint8", "int16", "uint16"))


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a value of the file becomes a map: the batch axis dropped, channels brought to the front."""

    batched: bool
    channels_last: bool

    def shape(self, shape: Shape) -> Shape:
        """The map's shape."""
        shape = shape[1:] if self.batched else shape
        return (shape[-1], *shape[:-1]) if self.channels_last else shape

    def array(self, array: Array, *, own: bool = False) -> Array:
        """The map, float32, channels first; a batch of several keeps its axis.

        ``own``: the batch was only filled up, so that the first item is taken, and not as a view of all of them.
        """
        several = self.batched and len(array) > 1
        if self.batched and (own or not several):
            array = array[0].copy() if several else array[0]
            several = False
        return as_float32(np.moveaxis(array, -1, int(several)) if self.channels_last else array)


class LayerBuilder:
    """Makes the layers of one run, in the order of the file."""

    def __init__(
        self,
        graph: Graph,
        constants: Constants,
        values: Mapping[str, Value],
        sizes: Mapping[str, Array],
        batch: int,
    ) -> None:
        self._graph = graph
        self._constants = constants
        self._values = values
        self._sizes = sizes
        self._batch = batch
        self._parameters = Parameters(graph, constants)
        self._last: set[str] = set(graph.channels_last_inputs)
        self._scale_notes: dict[str, str] = {}
        self._scopes: dict[str, tuple[int, tuple[str, ...]]] = {}  # with the place in the file
        self.presentations: dict[str, Presentation] = {}
        self.calls: dict[str, Call] = {}

    def network(self, name: str, inputs: tuple[Input, ...], notes: tuple[str, ...]) -> Network:
        """All layers, in the order of the file."""
        graph = self._graph
        layers = []
        for index, node in enumerate(graph.nodes):
            self._follow_layout(node)
            first = True
            for place, output in enumerate(node.output):
                if output in graph.layers and output in self._values:
                    layers.append(self._layer(index, place, output, first))
                    first = False
        given = {i.name for i in graph.inputs}
        shown = {layer.name for layer in layers}
        named = [graph.layers.get(o, o) for o in graph.outputs]
        outputs = tuple(dict.fromkeys(n for n in named if n in shown or n in given))
        total = sum(layer.parameters for layer in layers)
        return Network(name, "onnx", inputs, tuple(layers), outputs, total, notes)

    def _layer(self, index: int, place: int, output: str, first: bool) -> Layer:
        graph, node = self._graph, self._graph.nodes[index]
        value = self._values[output]
        name = graph.layers[output]
        plumbing = index in graph.plumbing or output in graph.constant_values
        batched = not plumbing and is_batched(value, self._batch)
        presentation = Presentation(batched, output in self._last and not plumbing)
        self.presentations[output] = presentation
        kind, operation = Kind.PLUMBING, None
        if not plumbing:
            self.calls[output] = call = self._call(node, place, value, batched)
            kind, operation = describe(call)
        inputs = graph.sources(index, self._values)
        scope = scope_of(name)
        if not scope and nameless(node, name):
            # where the file has no path for it, it stands beside what it reads
            scope = max((self._scopes[i] for i in inputs if i in self._scopes), default=(0, ()))[1]
        self._scopes[name] = (len(self._scopes), scope)
        parameters, shares = self._parameters.first_used_by(index, name) if first else (0, None)
        return Layer(
            name=name,
            op=node.op_type,
            kind=kind,
            inputs=inputs,
            output_shape=presentation.shape(value.shape),
            operation=operation,
            parameters=parameters,
            dtype=dtype_name(value.element),
            scope=scope,
            shares=shares,
            notes=self._notes(node, output, batched or plumbing),
        )

    def _notes(self, node: onnx.NodeProto, output: str, as_usual: bool) -> tuple[str, ...]:
        notes = [] if as_usual else ["This value has no batch axis; it is shown whole."]
        if dtype_name(self._values[output].element) in _INTEGERS:
            scale = self._scale_note(node)
            if scale:
                self._scale_notes[output] = scale
                notes.append(scale)
        return tuple(notes)

    def _scale_note(self, node: onnx.NodeProto) -> str:
        """What the integers of this output mean, or of the input that it only moves around."""
        if node.op_type not in _SCALES:
            return next((self._scale_notes[i] for i in node.input if i in self._scale_notes), "")
        scale, zero_point = (self._at(node, place) for place in _SCALES[node.op_type])
        if scale is None:
            return ""
        if scale.size > 1:
            return f"Integers, with a scale for each of {scale.size} channels."
        zero = 0 if zero_point is None else int(zero_point.reshape(-1)[0])
        return f"Integers: real value = {float(scale.reshape(-1)[0]):.9g} * (integer - {zero})."

    def _at(self, node: onnx.NodeProto, place: int) -> Array | None:
        name = node.input[place] if place < len(node.input) else ""
        found = self._sizes.get(name)
        return self._constants.value(name) if found is None and name else found

    def _follow_layout(self, node: onnx.NodeProto) -> None:
        """Carry over which values have their channels last."""
        moving = [i for i in node.input if i and i not in self._graph.constant_values]
        output = node.output[0] if node.output else ""
        if not moving or output not in self._values:
            return
        rank = len(self._values[output].shape)
        if node.op_type == "Transpose":
            if moving[0] not in self._last and to_last(order_of(node)) and (rank > 3 or self._last):
                self._last.add(output)
        elif node.op_type in KEEPING and rank >= 3:
            read = [i for i in moving if i in self._values and len(self._values[i].shape) == rank]
            if read and all(i in self._last for i in read):
                self._last.update(o for o in node.output if o)

    def _call(self, node: onnx.NodeProto, place: int, value: Value, batched: bool) -> Call:
        def shape(name: str) -> Shape | None:
            if not name:
                return None
            known = self._values.get(name)
            return known.shape if known is not None else self._constants.shape(name)

        def constant(index: int) -> Array | None:
            return self._at(node, index)

        reads = next((i for i in node.input if i and i not in self._graph.constant_values and i in self._values), "")
        attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return Call(
            op=node.op_type,
            attributes=attributes,
            inputs=tuple(shape(i) for i in node.input),
            result=value.shape,
            moving=tuple(bool(i) and i not in self._graph.constant_values for i in node.input),
            constant=constant,
            opset=self._graph.opsets.get(node.domain or "ai.onnx", 1),
            batched=batched,
            channels_last=(node.op_type in KEEPING or node.op_type == "Transpose") and node.output[place] in self._last,
            output_index=place,
            dtype=dtype_name(value.element),
            reads_batched=bool(reads) and is_batched(self._values[reads], self._batch),
            reads_last=reads in self._last,
        )


def is_batched(value: Value, batch: int) -> bool:
    """Whether axis 0 of a value is the batch axis: it is as long as the batch."""
    return bool(value.shape) and value.shape[0] == batch
