"""One node with the sizes of this run: what the readers of operators read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convlens.engines.base import Array
from convlens.network import Kind, Operation, Shape


@dataclass(frozen=True, slots=True)
class Call:
    """One node with the sizes of this run. Shapes are the file's own, batch included; ``None`` for an absent input."""

    op: str
    attributes: Mapping[str, Any]
    inputs: tuple[Shape | None, ...]
    result: Shape
    moving: tuple[bool, ...]
    """Which inputs the network's input can change: all others are constants or absent."""
    constant: Callable[[int], Array | None]
    """The value of an input that is known beforehand, else ``None``."""
    opset: int
    batched: bool
    channels_last: bool = False
    output_index: int = 0

    def shape(self, index: int) -> Shape:
        """The shape of an input that the operator must have, channels first, batch included."""
        found = self.inputs[index]
        if found is None:
            raise LookupError(f"{self.op} has no input {index}")
        return self._channels_first(found)

    @property
    def output(self) -> Shape:
        """The shape of the output, channels first, batch included."""
        return self._channels_first(self.result)

    def _channels_first(self, shape: Shape) -> Shape:
        turned = self.channels_last and len(shape) == len(self.result) and len(shape) > 2
        return (shape[0], shape[-1], *shape[1:-1]) if turned else shape

    def axis(self, axis: int, rank: int) -> int:
        """An axis as the file counts it, as an axis of the channels-first shape, batch included."""
        axis = axis % rank if rank else axis
        if not self.channels_last or axis == 0:
            return axis
        return 1 if axis == rank - 1 else axis + 1

    def has(self, index: int) -> bool:
        """Whether this optional input is given."""
        return index < len(self.inputs) and self.inputs[index] is not None

    def number(self, index: int, attribute: str, default: float) -> float:
        """A setting that newer opsets have as an input and older ones as an attribute."""
        value = self.constant(index) if self.has(index) else None
        if value is not None and value.size:
            return float(value.reshape(-1)[0])
        return float(self.attributes.get(attribute, default))

    def integers(self, index: int, attribute: str) -> tuple[int, ...] | None:
        """As :meth:`number`, for a list of integers; ``None`` when it isn't given or can't be known."""
        value = self.constant(index) if self.has(index) else self.attributes.get(attribute)
        return None if value is None else tuple(int(v) for v in np.asarray(value).reshape(-1))

    def batchless(self, axis: int, rank: int) -> int:
        """An axis as the file counts it, as an axis of the map."""
        return self.axis(axis, rank) - (1 if self.batched else 0)


Described = tuple[Kind, Operation | None]
"""What an operator is to a reader."""
