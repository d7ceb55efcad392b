"""Products of matrices: a row of the first x a column of the second, as NumPy's ``@`` pairs them up.

Both can be values that the network computes, or one a constant (role ``operand0`` or ``operand1``); ``added`` is a
constant that is added to the product.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from convlens.arithmetic.operands import Operands
from convlens.arithmetic.rounding import finite_sizes
from convlens.arithmetic.working import Array, Step, Swept, Working
from convlens.network import CONSTANT, Shape

FUNCTIONS = ("matrix_product", "matrix_product_across")
"""The second turns its first operand over: column of the first x column of the second."""


def product(
    function: str, index: Shape, outputs: Shape, sources: Sequence[Array], weights: Mapping[str, Array]
) -> Working | None:
    """One value; ``None`` where the shapes don't fit."""
    operands = _operands(function, sources, weights)
    if operands is None:
        return None
    left, right = operands
    flat, sideways = left.ndim == 1, right.ndim == 1
    place = (*index, 0) if sideways else index
    place = (*place[:-1], 0, place[-1]) if flat else place
    if not _fit(left, right, outputs):
        return None
    row = (*_leading(place, left.ndim, left.shape), *(() if flat else (place[-2],)))
    column = (*_leading(place, right.ndim, right.shape), *(() if sideways else (place[-1],)))
    first = left[row].astype(np.float64)
    second = (right if sideways else right[column[:-1]][:, column[-1]]).astype(np.float64)
    added = float(np.broadcast_to(weights["added"], outputs)[index]) if "added" in weights else None
    with np.errstate(all="ignore"):
        products = first * second
        summed, magnitude = float(products.sum()), float(finite_sizes(products).sum())
    total = summed + (added or 0.0)
    steps = [Step("sum of row x column", summed)]
    if added is not None:
        steps.append(Step("+ bias", total))
    along = np.arange(first.size)
    turned = function == "matrix_product_across"
    of_first: tuple[object, ...] = (*row[:-1], along, row[-1]) if turned else (*row, along)
    of_second: tuple[object, ...] = (along,) if sideways else (*column[:-1], along, column[-1])
    second_moves = "operand0" in weights
    return Working(
        rule="matrix product",
        formula=("column" if turned else "row") + " of the first x column of the second, added up",
        window=second if second_moves else first,
        kernel=first if second_moves else second,
        products=products,
        inputs=np.zeros(1, np.intp),
        places=tuple(np.asarray(part).reshape(-1) for part in (of_second if second_moves else of_first)),
        bias=added,
        steps=tuple(steps),
        total=total,
        roundings=first.size + 2 + 2 * (added is not None),
        magnitude=magnitude + float(finite_sizes(np.array(added or 0.0))),
        stored=abs(summed) if added is not None else 0.0,
    )


def all_products(
    function: str, channel: int, outputs: Shape, sources: Sequence[Array], weights: Mapping[str, Array]
) -> Swept | None:
    """Every value of one channel."""
    operands = _operands(function, sources, weights)
    if operands is None or not _fit(*operands, outputs):
        return None
    left, right = (part.astype(np.float64) for part in operands)
    with np.errstate(all="ignore"):
        if left.ndim == 1 or right.ndim == 1:
            sizes = (finite_sizes(left), finite_sizes(right))
            total, size = ((a @ b).reshape(outputs)[channel] for a, b in ((left, right), sizes))
        else:
            if len(outputs) == 2:
                left = left[channel : channel + 1]
            else:
                left, right = (_channel(part, channel, len(outputs)) for part in (left, right))
            total = (left @ right).reshape(outputs[1:])
            size = (finite_sizes(left) @ finite_sizes(right)).reshape(outputs[1:])
        count = left.shape[-1] + 2
        if "added" not in weights:
            return Swept(total, count, size)
        added = np.broadcast_to(weights["added"], outputs)[channel].astype(np.float64)
        return Swept(total + added, count + 2, size + finite_sizes(added), np.abs(total))


def _operands(function: str, sources: Sequence[Array], weights: Mapping[str, Array]) -> tuple[Array, Array] | None:
    both = Operands.of(sources, weights)
    if both is None or len(both) != 2 or set(both.numbers) == {CONSTANT}:
        return None
    left, right = both.values
    if function == "matrix_product_across":
        return (left.T, right) if left.ndim == 2 else None
    return left, right


def _fit(left: Array, right: Array, outputs: Shape) -> bool:
    if left.ndim == 0 or right.ndim == 0:
        return False
    inner = right.shape[0] if right.ndim == 1 else right.shape[-2]
    try:
        stacked = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    except ValueError:
        return False
    made = (*stacked, *left.shape[:-1][-1:], *(right.shape[-1:] if right.ndim > 1 else ()))
    return left.shape[-1] == inner and made == outputs


def _channel(part: Array, channel: int, rank: int) -> Array:
    if part.ndim < rank:
        return part
    found: Array = part[channel if len(part) > 1 else 0]
    return found


def _leading(place: Shape, rank: int, shape: Shape) -> Shape:
    """Where broadcasting reads the axes before the last two."""
    if rank < 3:
        return ()
    stacked = place[:-2][len(place) - rank :]
    return tuple(at if size > 1 else 0 for at, size in zip(stacked, shape[:-2], strict=True))
