"""What one pass through an ONNX model left: its network, its sizes, and the weights of its layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import onnx

from convlens.engines.base import Array
from convlens.engines.onnx.call import Call
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.origins import origin
from convlens.engines.onnx.presentation import Presentation
from convlens.engines.onnx.shapes import Value
from convlens.engines.onnx.weights import weights_of
from convlens.errors import LayerNotFoundError
from convlens.network import Network, Shape


@dataclass(frozen=True, slots=True)
class OnnxTrace:
    """See :class:`convlens.engines.base.Trace`.

    ``shapes`` are the inputs' (batch included, the file's own layout), ``values`` the type and size of every value.
    ``fed``: what the run was fed at places where operators have their weights.
    """

    network: Network
    shapes: dict[str, Shape]
    values: dict[str, Value]
    presentations: dict[str, Presentation]
    calls: dict[str, Call]
    graph: Graph
    constants: Constants
    fed: Mapping[str, Array] = field(default_factory=dict)
    origins: dict[str, Array | None] = field(default_factory=dict)

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The effective weights of a layer, float32, by role; weights that are fed as inputs are those of this run.

        Raises:
            LayerNotFoundError: no layer has this name.
        """
        value = next((value for value, name in self.graph.layers.items() if name == layer), None)
        if value is None or layer not in self.network:
            raise LayerNotFoundError.among(layer, [one.name for one in self.network])
        node = self.graph.nodes[self.graph.maker[value]]
        call = self.calls.get(value)
        weights = weights_of(node, partial(self._weight_at, node), call)
        return weights if call is None else weights | self._origin(value, node, call)

    def _origin(self, value: str, node: onnx.NodeProto, call: Call) -> dict[str, Array]:
        if value not in self.origins:
            self.origins[value] = origin(node, call)
        order = self.origins[value]
        return {} if order is None else {"origin": order}

    def _weight_at(self, node: onnx.NodeProto, place: int) -> Array | None:
        name = node.input[place] if place < len(node.input) else ""
        fed = self.fed.get(name)
        return self.constants.value(name) if fed is None else fed
