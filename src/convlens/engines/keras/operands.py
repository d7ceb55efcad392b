"""Constants among the operands of a step: how they cross the border, channels first and without the batch axis."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlens.engines.base import Array
from convlens.engines.keras.calls import Call
from convlens.engines.keras.layout import LAST, constant_aligned, to_channels_first
from convlens.network import Merge, Operation, Shape, Whole


def turned(operation: Operation | None, layout: str) -> bool:
    """Whether a product is shown the other way round, since its channels stand last: (x y)^T = y^T x^T."""
    return operation == Whole("matrix_product") and layout == LAST


def as_operand(operation: Operation | None, array: Array, rank: int, layout: str) -> Array | None:
    """A constant as it is joined or broadcast with the other operands of a step of ``rank`` axes, batch included;
    ``None`` where it is another for each item of the batch, or has axes of its own.

    >>> as_operand(Merge("concat", 1), np.zeros((1, 1, 8)), 3, LAST).shape
    (8, 1)
    >>> as_operand(Merge("add"), np.zeros(8), 4, LAST).shape
    (8, 1, 1)
    """
    product = operation == Whole("matrix_product")
    if product and array.ndim == 2:
        return array.T if turned(operation, layout) else array
    own = rank - 1 if isinstance(operation, Merge) and operation.function == "stack" else rank
    if array.ndim == own and own > 0:
        if not len(array) or any(not np.array_equal(item, array[0], equal_nan=True) for item in array[1:]):
            return None
        array = array[:1]
    if product or (isinstance(operation, Merge) and operation.function in ("concat", "stack")):
        return to_channels_first(array, 1, layout) if array.ndim == own else None
    return constant_aligned(array, rank, layout)


def constants(call: Call, operation: Operation) -> tuple[tuple[int, Shape], ...] | None:
    """The place and the shape of the constants of a call that does ``operation``; ``None`` where one can't be told."""
    found = []
    for place in sorted(call.constants):
        same = np.broadcast_to(np.zeros((), np.bool_), call.operands[place][0])
        operand = as_operand(operation, same, call.rank, call.output_layout)
        if operand is None:
            return None
        found.append((place, tuple(operand.shape)))
    return tuple(found)


def by_place(operation: Operation | None, values: Mapping[int, Array], rank: int, layout: str) -> dict[int, Array]:
    """The constants by the places in which they are shown; those that can't be told are left out."""
    found = {}
    for place, value in values.items():
        operand = as_operand(operation, value, rank, layout)
        if operand is not None:
            found[1 - place if turned(operation, layout) else place] = operand
    return found
