"""From the graph and the sizes of one run to the :class:`~convlens.network.Network`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import onnx
from onnx import helper

from convlens.engines.base import Array
from convlens.engines.onnx.axis_inference import Layout
from convlens.engines.onnx.call import Call
from convlens.engines.onnx.computing import OPERANDS
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.feeding import dtype_name
from convlens.engines.onnx.graph import Graph, names_random
from convlens.engines.onnx.layouts import layouts
from convlens.engines.onnx.naming import nameless, scope_of
from convlens.engines.onnx.operations import describe
from convlens.engines.onnx.parameters import Parameters
from convlens.engines.onnx.presentation import Presentation
from convlens.engines.onnx.shapes import Value
from convlens.network import RANDOM, Input, Kind, Layer, Network, Shape

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
_DRAWN = "Drawn at random: another run draws other values."
_INTEGERS = frozenset(("int8", "uint8", "int16", "uint16"))
WHOLE = "This value has no batch axis; it is shown whole."
DOUBT = "What reads and makes this value disagrees on which axis holds the channels; its axes are in the file's order."


class LayerBuilder:
    """Makes the layers of one run, in the order of the file."""

    def __init__(
        self,
        graph: Graph,
        constants: Constants,
        values: Mapping[str, Value],
        sizes: Mapping[str, Array],
        channels_last: frozenset[str],
        batch: int,
    ) -> None:
        """``channels_last``: the inputs that are fed so; ``batch``: how many items are fed."""
        self._graph = graph
        self._constants = constants
        self._values = values
        self._sizes = sizes
        self._layouts = layouts(graph, values, self._shape, self._constant, channels_last, batch)
        self._parameters = Parameters(graph, constants)
        self._scale_notes: dict[str, str] = {}
        self._scopes: dict[str, tuple[int, tuple[str, ...]]] = {}  # with the place in the file
        self.presentations: dict[str, Presentation] = {}
        self.calls: dict[str, Call] = {}

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
        layout = self._layout(output)
        presentation = layout.presentation
        self.presentations[output] = presentation
        kind, operation = Kind.PLUMBING, None
        if not plumbing:
            self.calls[output] = call = self._call(node, place, value, presentation)
            kind, operation = describe(call)
        inputs = graph.sources(index, self._values, without=[i for i in node.input if self._is_operand(node, i)])
        scope = scope_of(name)
        if not scope and nameless(node, name):
            # where the file has no path for it, it stands beside what it reads
            scope = max((self._scopes[i] for i in inputs if i in self._scopes), default=(0, ()))[1]
        self._scopes[name] = (len(self._scopes), scope)
        parameters, shares = self._parameters.first_used_by(index, name) if first else (0, None)
        drawn = names_random(node) or getattr(operation, "function", None) == RANDOM
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
            notes=() if plumbing else (*self._notes(node, output, layout), *((_DRAWN,) if drawn else ())),
            drawn=drawn,
        )

    def _layout(self, name: str) -> Layout:
        """How a value is shown; what is made of sizes and constants alone, as it is."""
        return self._layouts.get(name) or Layout(Presentation.as_filed(len(self._values[name].shape)))

    def _notes(self, node: onnx.NodeProto, output: str, layout: Layout) -> tuple[str, ...]:
        notes = [] if layout.presentation.batch is not None else [WHOLE]
        if layout.doubtful:
            notes.append(DOUBT)
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

    def _is_operand(self, node: onnx.NodeProto, name: str) -> bool:
        """Whether the node reads here what follows from sizes alone as a value: a constant of this run."""
        plumbing = name in self._sizes and self._graph.maker.get(name) in self._graph.plumbing
        return plumbing and node.op_type in OPERANDS and self._graph.maker[node.output[0]] not in self._graph.plumbing

    def _at(self, node: onnx.NodeProto, place: int) -> Array | None:
        name = node.input[place] if place < len(node.input) else ""
        return self._constant(name)

    def _shape(self, name: str) -> Shape | None:
        known = self._values.get(name)
        return known.shape if known is not None else self._constants.shape(name)

    def _constant(self, name: str) -> Array | None:
        found = self._sizes.get(name)
        return self._constants.value(name) if found is None and name else found

    def _call(self, node: onnx.NodeProto, place: int, value: Value, made: Presentation) -> Call:
        def moves(name: str) -> bool:
            return bool(name) and name not in self._graph.constant_values and not self._is_operand(node, name)

        moving = tuple(moves(i) for i in node.input)

        def constant(index: int) -> Array | None:
            return self._at(node, index)

        attributes: dict[str, Any] = {a.name: helper.get_attribute_value(a) for a in node.attribute}
        return Call(
            op=node.op_type,
            attributes=attributes,
            inputs=tuple(self._shape(i) if i else None for i in node.input),
            result=value.shape,
            moving=moving,
            constant=constant,
            opset=self._graph.opsets.get(node.domain or "ai.onnx", 1),
            made=made,
            read=tuple(
                self._layout(i).presentation if moves and i in self._values else None
                for i, moves in zip(node.input, moving, strict=True)
            ),
            output_index=place,
            dtype=dtype_name(value.element),
        )
