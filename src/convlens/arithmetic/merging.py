"""Several values made one: add, subtract, multiply, ..., and concatenation, which only picks a branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from convlens.arithmetic.working import PADDING, Array, Floats, Integers, Step, Working, single
from convlens.network import Merge, Shape

_SIGNS: Mapping[str, str] = {"add": "+", "subtract": "-", "multiply": "x", "divide": "/", "power": "^"}

_REDUCTIONS: Mapping[str, Callable[[Floats, Floats], Floats]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "power": np.power,
}

KNOWN = (*_REDUCTIONS, "mean")


def merge(operation: Merge, index: Shape, sources: Sequence[Array]) -> Working | None:
    """One value of an element-wise merge; smaller inputs are broadcast. ``None`` for a function not known here."""
    if operation.function not in KNOWN:
        return None
    places = [broadcast_index(index, source.shape) for source in sources]
    values = np.array([float(source[place]) for source, place in zip(sources, places, strict=True)])
    function, count = operation.function, len(values)
    total, magnitude = (float(part) for part in merged(function, list(values)))
    signs = {"add": [1.0] * count, "subtract": [1.0, *[-1.0] * (count - 1)], "mean": [1.0 / count] * count}.get(
        function
    )
    kernel = None if signs is None else np.array(signs)
    products = None if kernel is None else values * kernel
    joined = f" {_SIGNS.get(function, ',')} ".join(f"input {n}" for n in range(count))
    winners = values == total if function in ("maximum", "minimum") else None
    return Working(
        rule=function,
        formula=f"{function}({joined})" if function not in _SIGNS else joined,
        window=values,
        kernel=kernel,
        products=products,
        inputs=np.arange(count),
        places=_padded(places),
        steps=(Step(function, total),),
        total=total,
        winners=winners,
        roundings=4 * count,
        magnitude=magnitude,
    )


def merged(function: str, parts: Sequence[Floats]) -> tuple[Floats, Floats]:
    """The merge of whole arrays, or of single values, and the sum of the magnitudes of what was added."""
    with np.errstate(all="ignore"):
        total = parts[0]
        for part in parts[1:]:
            total = _REDUCTIONS["add" if function == "mean" else function](total, part)
        total = total / len(parts) if function == "mean" else total
        if function in ("add", "subtract", "mean"):
            added = sum(np.abs(part) for part in parts)
            return total, np.asarray(added / len(parts) if function == "mean" else added)
        return total, np.abs(total)


def concatenation(axis: int, index: Shape, sources: Sequence[Array]) -> Working:
    """Which branch a value of a concatenation came from."""
    place = index[axis]
    for number, source in enumerate(sources):
        if place < source.shape[axis]:
            found = (*index[:axis], place, *index[axis + 1 :])
            value = float(source[found])
            return single("copy", f"input {number} at {axis_words(axis)} {place}", value, value, found, source=number)
        place -= source.shape[axis]
    raise IndexError(f"position {index[axis]} lies behind all inputs")


def axis_words(axis: int) -> str:
    """What a reader calls a batchless axis.

    >>> axis_words(0), axis_words(2)
    ('channel', 'axis 2')
    """
    return "channel" if axis == 0 else f"axis {axis}"


def broadcast_index(index: Shape, shape: Shape) -> Shape:
    """Where NumPy's broadcasting reads an input of ``shape`` for the output value at ``index``.

    >>> broadcast_index((5, 2, 3), (8, 1, 1)), broadcast_index((5, 2, 3), (1,)), broadcast_index((5,), ())
    ((5, 0, 0), (0,), ())
    """
    last = index[len(index) - len(shape) :]
    return tuple(place if size > 1 else 0 for place, size in zip(last, shape, strict=True))


def _padded(places: Sequence[Shape]) -> tuple[Integers, ...]:
    """One index array an axis; inputs with fewer axes end early, marked by an axis that is no place."""
    rank = max((len(place) for place in places), default=0)
    filled = [(*place, *(PADDING,) * (rank - len(place))) for place in places]
    return tuple(np.array([place[axis] for place in filled]) for axis in range(rank))


def with_constant(worked: Working, *, left: bool) -> Working:
    """The working of a merge of the input with a constant: the constant is no input that could be walked back to."""
    names = ("constant", "x") if left else ("x", "constant")
    places = tuple(np.where(np.arange(2) == (0 if left else 1), PADDING, axis) for axis in worked.places)
    formula = worked.formula.replace("input 0", names[0]).replace("input 1", names[1])
    return replace(worked, formula=formula, inputs=np.zeros(1, np.intp), places=places)
