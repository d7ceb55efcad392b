"""Several values made one, each position on its own: add, subtract, multiply, divide, maximum, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from convlens.arithmetic.operands import Operands
from convlens.arithmetic.rounding import Floats, finite_sizes
from convlens.arithmetic.working import NO_AXIS, PADDING, Array, Integers, Step, Swept, Working
from convlens.network import CONSTANT, Merge, Shape

_SIGNS: Mapping[str, str] = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "power": "^"}

_REDUCTIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "divide_whole": lambda x, y: np.trunc(x / y),
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
}

KNOWN = (*_REDUCTIONS, "mean", "where")
EXACT = ("maximum", "minimum", "where")
ROUNDINGS = 4
"""Of each operation: a power, the worst of them, is exact to a few units in the last place."""


def known(operation: Merge, operands: Operands, outputs: Shape) -> bool:
    """Whether this merge of these operands is one that is worked out here."""
    right = len(operands) == 3 if operation.function == "where" else len(operands) > 1
    return operation.function in KNOWN and right and fits(operands.values, outputs)


def merge(operation: Merge, index: Shape, operands: Operands) -> Working:
    """One value of an element-wise merge; smaller operands are broadcast."""
    places = [broadcast_index(index, value.shape) for value in operands.values]
    values = np.array([float(value[place]) for value, place in zip(operands.values, places, strict=True)])
    function, count, factor = operation.function, len(values), operation.factor
    total, magnitude = (float(part) for part in merged(operation, list(values)))
    signs = {
        "add": [1.0, *[factor] * (count - 1)],
        "subtract": [1.0, *[-factor] * (count - 1)],
        "mean": [1.0 / count] * count,
    }.get(function)
    kernel = None if signs is None else np.array(signs)
    with np.errstate(all="ignore"):
        products = None if kernel is None else values * kernel
    formula = _formula(operation, operands.numbers, values)
    won = (values == total) | (np.isnan(values) & np.isnan(total))
    if function == "where":  # the condition decides, and what it points to stays
        won = np.arange(count) == (1 if values[0] != 0 else 2)
    return Working(
        rule=function,
        formula=formula,
        window=values,
        kernel=kernel,
        products=products,
        inputs=np.array(operands.numbers),
        places=_padded([None if n == CONSTANT else place for n, place in zip(operands.numbers, places, strict=True)]),
        steps=(Step(function, total),),
        total=total,
        winners=won if function in EXACT else None,
        roundings=roundings(operation, operands),
        magnitude=magnitude,
        stored=magnitude if operands.constants else 0.0,  # a framework may round a constant to the layer's own type
        peak=_peak(operation, magnitude, count),
    )


def roundings(operation: Merge, operands: Operands) -> int:
    """Of the operations, and of the constants to the layer's own type; what is only chosen isn't rounded."""
    if operands.constants:
        return ROUNDINGS * len(operands)
    return 0 if operation.function in EXACT else ROUNDINGS * len(operands)


def _formula(operation: Merge, numbers: Sequence[int], values: Floats) -> str:
    """The arithmetic in one line: constants as numbers, the only input as ``x``, several by their numbers."""
    function, factor = operation.function, operation.factor
    alone = sum(number != CONSTANT for number in numbers) == 1
    names = []
    for place, (number, value) in enumerate(zip(numbers, values, strict=True)):
        name = f"{value:.9g}" if number == CONSTANT else "x" if alone else f"input {number}"
        names.append(name if place == 0 or factor == 1 else f"{factor:.9g} x {name}")
    if function == "where":
        return f"{names[1]} if {names[0]} else {names[2]}"
    formula = f" {_SIGNS.get(function, ',')} ".join(names)
    return formula if function in _SIGNS else f"{function}({formula})"


def merged(operation: Merge, parts: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The merge of whole arrays, or of single values, and what its roundings are relative to."""
    function, factor = operation.function, operation.factor
    if function == "where":
        chosen = np.where(parts[0] != 0, parts[1], parts[2])
        return chosen, np.zeros(np.shape(chosen))
    with np.errstate(all="ignore"):
        total = parts[0]
        for part in parts[1:]:
            part = part if factor == 1 else part * factor
            total = _REDUCTIONS["add" if function == "mean" else function](total, part)
        total = total / len(parts) if function == "mean" else total
        if function in EXACT:
            return total, np.zeros(np.shape(total))
        if function in ("add", "subtract", "mean"):
            added = sum(finite_sizes(part if factor == 1 or n == 0 else part * factor) for n, part in enumerate(parts))
            return total, np.asarray(added / len(parts) if function == "mean" else added)
        if function == "power":  # a rounding of the exponent counts as often as the logarithm of the base is large
            logarithm = np.abs(np.log(np.abs(parts[0])))
            often = np.abs(parts[1]) * (1 + logarithm)
            return total, np.abs(total) * (1 + np.where(np.isfinite(often), often, 0.0))
        return total, np.abs(total)


def all_merged(operation: Merge, channel: int, shape: Shape, operands: Operands) -> Swept:
    """Every value of one channel."""
    parts = [np.broadcast_to(value, shape)[channel].astype(np.float64) for value in operands.values]
    total, magnitude = merged(operation, parts)
    stored = magnitude if operands.constants else 0.0
    return Swept(total, roundings(operation, operands), magnitude, stored, peak=_peak(operation, magnitude, len(parts)))


Size = TypeVar("Size", float, Floats)


def _peak(operation: Merge, magnitude: Size, count: int) -> Size:
    """A mean is a sum first."""
    return magnitude * count if operation.function == "mean" else magnitude


def fits(sources: Sequence[Array], shape: Shape) -> bool:
    """Whether the inputs broadcast to the layer's shape."""
    try:
        return np.broadcast_shapes(*(source.shape for source in sources)) == shape
    except ValueError:
        return False


def broadcast_index(index: Shape, shape: Shape) -> Shape:
    """Where NumPy's broadcasting reads an input of ``shape`` for the output value at ``index``.

    >>> broadcast_index((5, 2, 3), (8, 1, 1)), broadcast_index((5, 2, 3), (1,)), broadcast_index((5,), ())
    ((5, 0, 0), (0,), ())
    """
    last = index[len(index) - len(shape) :]
    return tuple(place if size > 1 else 0 for place, size in zip(last, shape, strict=True))


def _padded(places: Sequence[Shape | None]) -> tuple[Integers, ...]:
    """One index array an axis; inputs with fewer axes end early, and ``None``, a constant, is nowhere."""
    rank = max((len(place) for place in places if place is not None), default=0)
    filled = [(PADDING,) * rank if place is None else (*place, *(NO_AXIS,) * (rank - len(place))) for place in places]
    return tuple(np.array([place[axis] for place in filled]) for axis in range(rank))
