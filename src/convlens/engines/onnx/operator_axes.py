"""One node of an ONNX graph as axes are followed through it, and what an operator itself says its axes are.

By the ONNX operator specification, operators with windows, and those that normalise maps, read and make values as
(batch, channels, rows, columns, ...): see :func:`planes`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.engines.base import Array

Sizes = tuple[int | None, ...]
"""The shape of a value, ``None`` where a size isn't known."""

_PLAIN = (
    *(onnx.AttributeProto.INT, onnx.AttributeProto.FLOAT, onnx.AttributeProto.STRING),
    *(onnx.AttributeProto.INTS, onnx.AttributeProto.FLOATS),
)


@dataclass(frozen=True)
class Operator:
    """One node with the sizes of what it reads and makes; ``None`` where not even the number of axes is known."""

    node: onnx.NodeProto
    reads: tuple[Sizes | None, ...]
    makes: tuple[Sizes | None, ...]
    varies: tuple[bool, ...]
    """Which inputs the network's input can change: all others are constants or absent."""
    constant: Callable[[int], Array | None]
    """The value of an input that is known beforehand, else ``None``."""
    opset: int
    captured: tuple[str, ...] = ()
    """The values that the node's inner graphs read."""

    @cached_property
    def attributes(self) -> Mapping[str, Any]:
        """The node's attributes that are numbers or words, by name."""
        return {a.name: helper.get_attribute_value(a) for a in self.node.attribute if a.type in _PLAIN}

    def has(self, place: int) -> bool:
        """Whether this input is given."""
        return place < len(self.node.input) and bool(self.node.input[place])

    def integers(self, place: int, attribute: str) -> tuple[int, ...] | None:
        """A setting that newer opsets have as an input and older ones as an attribute; ``None`` without one.

        Raises:
            LookupError: it is computed, so that it isn't known.
        """
        value = self.attributes.get(attribute)
        if place and self.has(place):
            value = self.constant(place)
            if value is None:
                raise LookupError(f"input {place} of {self.node.op_type} is computed")
        return None if value is None else tuple(int(n) for n in np.asarray(value).reshape(-1))

    def axis(self, default: int, rank: int) -> int:
        """The attribute ``axis``, counted from the front."""
        return int(self.attributes.get("axis", default)) % max(rank, 1)

    def same_size(self, place: int, axis: int, output: int, becomes: int) -> bool:
        """Whether an axis keeps its length."""
        before, after = self.reads[place], self.makes[output]
        return before is not None and after is not None and before[axis] == after[becomes] is not None


@dataclass(frozen=True, slots=True)
class Link:
    """Axis ``axis`` of input ``place`` is axis ``becomes`` of output ``output``.

    ``apart``: what lies at one place of it comes from the same place of the input alone.
    """

    place: int
    axis: int
    output: int
    becomes: int
    apart: bool


def turns(operator: Operator) -> bool:
    """Whether a node puts axes into another order.

    >>> turns(Operator(helper.make_node("Transpose", ["x"], ["y"], perm=[0, 1]), (None,), (None,), (True,), len, 18))
    False
    """
    if operator.node.op_type == "Transpose":
        order = operator.attributes.get("perm")
        return order is None or list(order) != sorted(order)
    return operator.node.op_type == "Einsum"


@dataclass(frozen=True, slots=True)
class Plane:
    """A value whose axes an operator says: the batch first, the channels second or, ``channels_last``, at the end."""

    name: str
    rank: int
    channels_last: bool = False

    @property
    def channels(self) -> int:
        """The axis of the channels."""
        return self.rank - 1 if self.channels_last else 1


def planes(operator: Operator) -> list[Plane]:
    """The values that an operator reads or makes as maps with channels.

    >>> node = helper.make_node("Conv", ["x", "w"], ["y"])
    >>> conv = Operator(node, ((1, 3, 5, 5), (4, 3, 3, 3)), ((1, 4, 3, 3),), (True, False), lambda place: None, 18)
    >>> [plane.name for plane in planes(conv)]
    ['x', 'y']
    """
    places = PLANES.get(operator.node.op_type)
    if places is None:
        return []
    last = bool(operator.attributes.get("channels_last", 0))
    read = [(operator.node.input[n], operator.reads[n]) for n in places[0] if operator.has(n) and operator.varies[n]]
    made = [(operator.node.output[n], operator.makes[n]) for n in places[1] if n < len(operator.node.output)]
    return [
        Plane(name, len(sizes), last) for name, sizes in read + made if name and sizes is not None and len(sizes) > 1
    ]


PLANES: Mapping[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    **dict.fromkeys(
        (
            *("Conv", "FusedConv", "ConvInteger", "QLinearConv", "ConvTranspose", "DeformConv"),
            *("AveragePool", "LpPool", "QLinearAveragePool"),
            *("GlobalMaxPool", "GlobalAveragePool", "GlobalLpPool", "QLinearGlobalAveragePool"),
            *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LRN"),
            *("DepthToSpace", "SpaceToDepth", "GridSample", "RoiAlign", "MaxRoiPool"),
        ),
        ((0,), (0,)),
    ),
    "MaxPool": ((0,), (0, 1)),
    "MaxUnpool": ((0, 1), (0,)),
    "Col2Im": ((), (0,)),
}
"""Operators that state their layout: which of their inputs and outputs have it."""
