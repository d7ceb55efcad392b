"""How far a framework's value may lie from the exact one: what rounding can do to it, and no more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Truths = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Precision:
    """A floating type.

    ``unit``: the largest relative error of one rounding. ``tiny``: the largest absolute error of a result too small
    for full precision. ``largest``: the largest finite number.
    """

    unit: float
    tiny: float
    largest: float


_SINGLE = Precision(2.0**-24, 2.0**-126, 2.0**128 * (1 - 2.0**-24))  # frameworks may flush subnormal results to zero

PRECISIONS: Mapping[str, Precision] = {
    "float32": _SINGLE,
    "float64": _SINGLE,  # values and weights cross the engine border as float32
    "float16": Precision(2.0**-11, 2.0**-24, 65504.0),  # computed in float32 and stored: subnormals are kept
    "bfloat16": Precision(2.0**-8, 2.0**-126, 2.0**128 * (1 - 2.0**-8)),
    "tf32": Precision(2.0**-11, 2.0**-126, _SINGLE.largest),  # products of NVIDIA's tensor cores, added up in float32
}

LARGEST = _SINGLE.largest
"""Of float32, in which what is stored in a coarser type is mostly worked out too."""

_AT_THE_BORDER = 8
"""A layer in float64 adds no rounding of its own that shows in float32; but its inputs, its weights and its result were
rounded to float32 on their way here. The formulas have at most so many of them in a row (a normalisation)."""


def bound(
    roundings: NDArray[np.intp] | int,
    magnitude: Floats | float,
    total: Floats | float,
    dtype: str,
    *,
    sums_in: str | None = None,
    stored: Floats | float = 0.0,
) -> Floats:
    """The most by which a framework's value can differ from ``total``, in whatever order it adds.

    ``n * u * sum |terms|``, with ``n`` roundings of unit roundoff ``u`` in the type that the framework adds up in;
    then the rounding of the result to the layer's own type, and of what is ``stored`` in that type on the way. Source:
    C.-P. Jeannerod, S. M. Rump, "Improved error bounds for inner products in floating-point arithmetic", SIAM J. Matrix
    Anal. Appl. 34(2), 2013: it holds for every order of summation and every ``n``. Results below the normal range have
    an absolute error instead: N. J. Higham, "Accuracy and Stability of Numerical Algorithms" (2nd ed., 2002),
    section 2.1.

    0 where ``total`` isn't finite: infinities and NaN don't round; and where nothing is rounded at all (``n`` = 0).

    >>> float(bound(11, 6.0, -0.5, "float32")) / 2**-24  # a 3x3 convolution: 9 products, 8 additions, a bias
    66.5
    """
    own = PRECISIONS.get(dtype, _SINGLE)
    inner = PRECISIONS.get(sums_in or dtype, _SINGLE)
    count = np.minimum(roundings, _AT_THE_BORDER) if dtype == "float64" else roundings
    size = np.abs(total)
    with np.errstate(all="ignore"):
        error = count * (inner.unit * np.where(np.isfinite(magnitude), magnitude, size) + inner.tiny)
        error = error + own.unit * size
        if inner is not own:
            error = error + own.unit * np.where(np.isfinite(stored), stored, 0.0) + own.tiny
    return np.asarray(np.where(np.isfinite(total) & np.asarray(roundings > 0), error, 0.0), np.float64)


def can_overflow(magnitude: Floats | float, total: Floats | float, dtype: str, *, sums_in: str | None = None) -> Truths:
    """Whether the layer's type may be too small for the value, or for a sum on the way: then it makes an infinity.

    An infinity that entered overflows nothing, but beside it sums of what is finite still can.

    >>> bool(can_overflow(70000.0, 60000.0, "float16")), bool(can_overflow(70000.0, 60000.0, "float32"))
    (True, False)
    """
    own = PRECISIONS.get(dtype, _SINGLE)
    inner = PRECISIONS.get(sums_in or dtype, _SINGLE)
    with np.errstate(all="ignore"):
        # the largest number itself may be passed by a rounding, and a sum of magnitudes by no more than all roundings
        finite, size = np.isfinite(total), np.asarray(magnitude)
        result = finite & (np.abs(total) * (1 + 2 * own.unit) >= own.largest)
        return np.asarray(result | ((finite | np.isfinite(size)) & (size * 2 >= inner.largest)))


def agreement(
    theirs: Floats | float, total: Floats | float, tolerance: Floats | float, overflows: Truths | bool
) -> Truths:
    """Where a framework's value and ours are the same but for rounding.

    The same infinity and two NaN agree; so does a value that isn't finite where the layer's type can overflow, unless
    ours is NaN, which no overflow undoes.

    >>> agreement(np.array([1.0, np.nan, np.inf, 2.0]), np.array([1.0, np.nan, 5.0, np.nan]), 1e-9, False).tolist()
    [True, True, False, False]
    """
    theirs, total = np.asarray(theirs, np.float64), np.asarray(total, np.float64)
    with np.errstate(all="ignore"):
        close = np.abs(theirs - total) <= tolerance
    same = (theirs == total) | (np.isnan(theirs) & np.isnan(total))
    return np.asarray(same | close | (~np.isfinite(theirs) & ~np.isnan(total) & overflows))


def finite_sizes(terms: NDArray[Any]) -> Floats:
    """The magnitudes of what is added up, 0 for what isn't finite: it makes no rounding, and overflows nothing.

    >>> finite_sizes(np.array([-2.0, np.inf, 0.5, np.nan])).tolist()
    [2.0, 0.0, 0.5, 0.0]
    """
    sizes: Floats = np.abs(np.asarray(terms, np.float64))
    return np.where(np.isfinite(sizes), sizes, 0.0)


def rounded(array: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """The nearest values that a floating type has, to even where two are as near; still as float32.

    >>> rounded(np.array([1.0009765], np.float32), "float16"), rounded(np.array([1.00390625], np.float32), "bfloat16")
    (array([1.0009766], dtype=float32), array([1.], dtype=float32))
    """
    if dtype == "float16":
        with np.errstate(over="ignore"):
            return array.astype(np.float16).astype(np.float32)
    if dtype != "bfloat16":
        return array
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32)
    even = (bits >> np.uint32(16)) & np.uint32(1)
    cut = (bits + np.uint32(0x7FFF) + even) & np.uint32(0xFFFF0000)
    return np.where(np.isnan(array), array, cut.view(np.float32))
