"""One node with the sizes of this run, and how its values are shown: what the readers of operators read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from convlens.engines.base import Array
from convlens.engines.onnx.presentation import Presentation
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
    made: Presentation
    """How the output is shown."""
    read: tuple[Presentation | None, ...]
    """How each input is shown; ``None`` for a constant or absent one."""
    output_index: int = 0
    dtype: str = "float32"
    """The type of the output, as NumPy says it."""

    @property
    def batched(self) -> bool:
        """Whether the output has a batch axis."""
        return self.made.batch is not None

    @property
    def constants(self) -> tuple[tuple[int, Shape], ...]:
        """The operands that no input can change, of an operator that puts all its inputs together: (place, shape as it
        is shown)."""
        placed = enumerate(zip(self.inputs, self.moving, strict=True))
        return tuple((n, self._operand_shape(shape)) for n, (shape, moves) in placed if shape is not None and not moves)

    def _operand_shape(self, shape: Shape) -> Shape:
        found = self.as_operand(np.broadcast_to(np.zeros((), np.bool_), shape))
        return shape if found is None else found.shape

    def shape(self, index: int) -> Shape:
        """The shape of an input as it is shown, behind the batch axis if it has one; of a constant as the file has it.

        Raises:
            LookupError: it has no such input.
        """
        given, shown = self._given(index), self.read[index]
        return given if shown is None else tuple(given[axis] for axis in shown.order)

    @property
    def output(self) -> Shape:
        """The shape of the output as it is shown, behind the batch axis if it has one."""
        return tuple(self.result[axis] for axis in self.made.order)

    def axis(self, axis: int, rank: int) -> int:
        """An axis as the file counts it, as an axis of :attr:`output`."""
        return self.made.order.index(axis % rank) if rank else axis

    def shown(self, index: int) -> Presentation:
        """How an input is shown.

        Raises:
            LookupError: it has no such input, or it is a constant.
        """
        self._given(index)
        found = self.read[index]
        if found is None:
            raise LookupError(f"input {index} of {self.op} is a constant")
        return found

    def _given(self, index: int) -> Shape:
        found = self.inputs[index]
        if found is None:
            raise LookupError(f"{self.op} has no input {index}")
        return found

    def in_place(self, index: int = 0) -> bool:
        """Whether an input that isn't constant is shown as the output is, axis by axis."""
        given = self.inputs[index]
        return given is not None and len(given) == len(self.result) and self.read[index] == self.made

    def lines_up(self, index: int) -> bool:
        """Whether broadcasting an input to the output pairs the same values as they are shown as in the file.

        Broadcasting counts axes from the last one, and an item is broadcast without its batch axis.
        """
        given, read = self.inputs[index], self.read[index]
        if given is None or read is None:
            return given is not None
        shift, count = len(self.result) - len(given), len(read.axes)
        made = self.made.axes[len(self.made.axes) - count :]
        if shift < 0 or tuple(axis + shift for axis in read.axes) != made:
            return False
        return read.batch is None or read.batch + shift == self.made.batch or given[read.batch] == 1

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
        return self.axis(axis, rank) - int(self.batched)

    def as_operand(self, constant: Array) -> Array | None:
        """A constant as it is broadcast against the map; ``None`` where it differs from item to item of the batch."""
        rank, batch = len(self.result), self.made.batch
        if constant.ndim > rank:
            return None
        if batch in (None, 0) and self.made == Presentation.as_filed(rank, batch):
            if batch is None or constant.ndim < rank:
                return constant
            return _for_every_item(constant)
        whole = constant.reshape((1,) * (rank - constant.ndim) + constant.shape)
        if batch is None:
            return self.made.with_batch(whole)
        return _for_every_item(self.made.with_batch(whole))


def _for_every_item(constant: Array) -> Array | None:
    """Without the batch axis; ``None`` where it differs from item to item."""
    if not len(constant) or any(not np.array_equal(item, constant[0], equal_nan=True) for item in constant[1:]):
        return None
    first: Array = constant[0]
    return first


Described = tuple[Kind, Operation | None]
"""What an operator is to a reader."""
