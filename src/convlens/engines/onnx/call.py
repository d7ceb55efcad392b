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
    dtype: str = "float32"
    """The type of the output, as NumPy says it."""
    reads_batched: bool = True
    """Whether axis 0 of what it reads is the batch."""
    reads_last: bool = False
    """Whether what it reads has its channels last in the file, and is shown with them first."""

    def shape(self, index: int) -> Shape:
        """The shape of an input that the operator must have, channels first, batch included."""
        found = self.inputs[index]
        if found is None:
            raise LookupError(f"{self.op} has no input {index}")
        return self._channels_first(found)

    def shown(self, index: int) -> tuple[Shape, Callable[[int], int]]:
        """The shape of an input as it is shown, batch included, and where each of the file's axes is in it."""
        found = self.inputs[index]
        if found is None:
            raise LookupError(f"{self.op} has no input {index}")
        rank = len(found)
        if not self.reads_last or rank < 3:
            return found, lambda axis: axis % rank
        places = [0, *range(2, rank), 1]
        return (found[0], found[-1], *found[1:-1]), lambda axis: places[axis % rank]

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
        """A setting that newer opsets have as an input and older ones as an attribute.

        Raises:
            LookupError: it is computed, so that only the run can tell.
        """
        if not self.has(index):
            return float(self.attributes.get(attribute, default))
        value = self.constant(index)
        if value is None:
            raise LookupError(f"input {index} of {self.op} is computed")
        return float(value.reshape(-1)[0]) if value.size else default

    def word(self, attribute: str, default: str) -> str:
        """A setting that is a word."""
        value = self.attributes.get(attribute, default)
        return value.decode() if isinstance(value, bytes) else str(value)

    def integers(self, index: int, attribute: str) -> tuple[int, ...] | None:
        """As :meth:`number`, for a list of integers; ``None`` when it isn't given or can't be known."""
        value = self.constant(index) if self.has(index) else self.attributes.get(attribute)
        return None if value is None else tuple(int(v) for v in np.asarray(value).reshape(-1))

    def batchless(self, axis: int, rank: int) -> int:
        """An axis as the file counts it, as an axis of the map; -1 for the batch."""
        return self.axis(axis, rank) - (1 if self.batched else 0)

    @property
    def same_rows(self) -> bool:
        """Whether both the first input and the output have a batch axis, or neither has."""
        return self.batched == self.reads_batched

    def as_operand(self, constant: Array) -> Array | None:
        """A constant as it is broadcast against the map; ``None`` where it differs from item to item of the batch."""
        rank = len(self.result)
        if constant.ndim > rank:
            return None
        if self.channels_last and constant.ndim > 1:
            constant = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
        if self.batched and constant.ndim == rank:
            if len(constant) != 1:
                return None
            constant = constant[0]
        if not self.channels_last:
            return constant
        return (
            np.moveaxis(constant, -1, 0)
            if constant.ndim > 1
            else constant.reshape(-1, *(1,) * (rank - 1 - self.batched))
        )


Described = tuple[Kind, Operation | None]
"""What an operator is to a reader."""
