"""Several values made one, each position on its own: add, subtract, multiply, divide, maximum, ..."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from convlens.arithmetic.rounding import Floats, finite_sizes
from convlens.arithmetic.working import NO_AXIS, PADDING, Array, Integers, Step, Swept, Working
from convlens.network import Merge, Shape

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

KNOWN = (*_REDUCTIONS, "mean")
EXACT = ("maximum", "minimum")
ROUNDINGS = 4
"""Of each operation: a power, the worst of them, is exact to a few units in the last place."""


def merge(operation: Merge, index: Shape, sources: Sequence[Array]) -> Working | None:
    """One value of an element-wise merge; smaller inputs are broadcast. ``None`` for a function not known here."""
    if operation.function not in KNOWN:
        return None
    places = [broadcast_index(index, source.shape) for source in sources]
    values = np.array([float(source[place]) for source, place in zip(sources, places, strict=True)])
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
    names = [f"input {n}" if n == 0 or factor == 1 else f"{factor:.9g} x input {n}" for n in range(count)]
    formula = f" {_SIGNS.get(function, ',')} ".join(names)
    won = (values == total) | (np.isnan(values) & np.isnan(total))
    winners = won if function in EXACT else None
    return Working(
        rule=function,
        formula=formula if function in _SIGNS else f"{function}({formula})",
        window=values,
        kernel=kernel,
        products=products,
        inputs=np.arange(count),
        places=_padded(places),
        steps=(Step(function, total),),
        total=total,
        winners=winners,
        roundings=0 if function in EXACT else ROUNDINGS * count,
        magnitude=magnitude,
        peak=_peak(operation, magnitude, count),
    )


def merged(operation: Merge, parts: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The merge of whole arrays, or of single values, and what its roundings are relative to."""
    function, factor = operation.function, operation.factor
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


def all_merged(operation: Merge, channel: int, shape: Shape, sources: Sequence[Array]) -> Swept:
    """Every value of one channel."""
    parts = [np.broadcast_to(source, shape)[channel].astype(np.float64) for source in sources]
    total, magnitude = merged(operation, parts)
    roundings = 0 if operation.function in EXACT else ROUNDINGS * len(parts)
    return Swept(total, roundings, magnitude, peak=_peak(operation, magnitude, len(parts)))


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


def _padded(places: Sequence[Shape]) -> tuple[Integers, ...]:
    """One index array an axis; inputs with fewer axes end early."""
    rank = max((len(place) for place in places), default=0)
    filled = [(*place, *(NO_AXIS,) * (rank - len(place))) for place in places]
    return tuple(np.array([place[axis] for place in filled]) for axis in range(rank))


def with_constant(worked: Working, *, left: bool) -> Working:
    """The working of a merge of the input with a constant: the constant is no input that could be walked back to."""
    number = f"{worked.window[0 if left else 1]:.9g}"
    names = (number, "x") if left else ("x", number)
    places = tuple(np.where(np.arange(2) == (0 if left else 1), PADDING, axis) for axis in worked.places)
    formula = worked.formula.replace("input 0", names[0]).replace("input 1", names[1])
    return replace(
        worked,
        formula=formula,
        inputs=np.zeros(1, np.intp),
        places=places,
        roundings=2 * ROUNDINGS,
        stored=worked.magnitude,  # a framework may round the constant to the layer's own type
    )
