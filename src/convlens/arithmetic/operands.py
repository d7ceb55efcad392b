"""All that an operation puts together, in its place: what other layers made, and constants.

A layer's ``inputs`` name what is computed; a constant among the operands is a weight whose role tells its place:
``operand0``, ``operand1``, ... . The inputs fill the other places in their order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass

from convlens.arithmetic.working import Array
from convlens.network import CONSTANT, Merge, Operation

_ROLE = "operand"


def role(place: int) -> str:
    """The role of a constant that is the operand at ``place``.

    >>> role(0), role(12)
    ('operand0', 'operand12')
    """
    return f"{_ROLE}{place}"


def constant_places(roles: Set[str]) -> tuple[int, ...]:
    """The places of the constants among these roles, in order.

    >>> constant_places({"operand10", "operand2", "kernel"})
    (2, 10)
    """
    found = (name.removeprefix(_ROLE) for name in roles if name.startswith(_ROLE))
    return tuple(sorted(int(number) for number in found if number.isdecimal()))


@dataclass(frozen=True, slots=True)
class Operands:
    """``values`` are the operands as they are joined or broadcast: channels first and batchless. ``numbers`` says of
    each which of the layer's inputs it is, or ``CONSTANT``."""

    values: tuple[Array, ...]
    numbers: tuple[int, ...]

    @classmethod
    def of(cls, sources: Sequence[Array], weights: Mapping[str, Array]) -> Operands | None:
        """A layer's inputs and constants together; ``None`` where a place stays empty.

        >>> import numpy as np
        >>> both = Operands.of([np.array([1.0])], {"operand0": np.array([2.0])})
        >>> both.values, both.numbers
        ((array([2.]), array([1.])), (-1, 0))
        """
        places = constant_places(weights.keys())
        count = len(sources) + len(places)
        if places and places[-1] >= count:
            return None
        inputs = iter(range(len(sources)))
        numbers = tuple(CONSTANT if place in places else next(inputs) for place in range(count))
        values = (weights[role(n)] if number == CONSTANT else sources[number] for n, number in enumerate(numbers))
        return cls(tuple(values), numbers)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def constants(self) -> bool:
        """Whether there is a constant among them."""
        return CONSTANT in self.numbers


def complete(operation: Operation | None, roles: Set[str]) -> bool:
    """Whether the constants are all there that a merge has among its operands."""
    if not isinstance(operation, Merge):
        return True
    return tuple(sorted(place for place, _ in operation.constants)) == constant_places(roles)
