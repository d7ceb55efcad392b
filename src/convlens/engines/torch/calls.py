"""One call of a torch operator, as data: what :mod:`operations` turns into kinds and typed operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from convlens.network import Kind, Operation, Shape


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator.

    ``shapes`` has the whole shape of every tensor argument, by argument name, batch included. ``moving`` are the shapes
    of the tensors that the network's input can change, in order; all others are parameters or constants. ``output`` is
    the shape of the first result. A shape whose axis 0 is as long as ``batch`` begins with the batch axis.
    ``dtype`` is the type of the value that is worked on. ``constants``: the operands that the network's input can't
    change, as (place, shape); see :data:`~convlens.engines.torch.operations.OPERANDS`.
    """

    op: str
    arguments: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    moving: tuple[Shape, ...]
    output: Shape
    batch: int
    pointwise: bool
    dtype: str = "float32"
    constants: tuple[tuple[int, Shape], ...] = ()

    @property
    def before(self) -> Shape:
        """The shape of the value that is worked on."""
        return self.moving[0]

    def lead(self, shape: Shape) -> int:
        """How many axes stand before the channels: 1 with a batch axis, else 0."""
        return 1 if shape and shape[0] == self.batch else 0

    def batchless(self, axis: int, shape: Shape) -> int:
        """An axis of a value of this shape, counted without the batch axis; -1 for the batch axis itself."""
        return axis % max(1, len(shape)) - self.lead(shape)

    def operand_constants(self, *, stacked: bool = False) -> tuple[tuple[int, Shape], ...]:
        """The constant operands as they cross the border: without the batch axis, where they have one.

        ``stacked``: they have an axis less than the result.
        """
        rank, lead = len(self.output) - stacked, self.lead(self.output)
        return tuple((n, shape[1:] if lead and len(shape) == rank else shape) for n, shape in self.constants)

    @property
    def spatial_rank(self) -> int:
        """How many axes follow the batch and the channels of the result."""
        return max(0, len(self.output) - 2)

    def numbers(self, name: str, rank: int, default: Any = None) -> Shape:
        """A setting given as one number, as one a spatial axis, or not at all."""
        value = self.arguments.get(name)
        value = default if value is None or value in ((), []) else value
        if isinstance(value, (int, float)):
            return (int(value),) * rank
        numbers = tuple(int(v) for v in value)
        return numbers * rank if len(numbers) == 1 else numbers


Described = tuple[Kind, Operation | None]
Reader = Callable[[Call], Described]
