"""How one value came about, as data: the window, the kernel, the products, the steps from their sum to the value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens.arithmetic.rounding import Floats, Truths, bound, can_overflow
from convlens.network import CONSTANT, Shape

Integers = NDArray[np.intp]
Array = NDArray[Any]

PADDING = -1
"""Stands for a place in the padding, where no input value lies."""

NO_AXIS = -2
"""Stands on an axis that one of several inputs doesn't have."""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the arithmetic: what was done, and the value after it."""

    words: str
    value: float


@dataclass(frozen=True, slots=True)
class Working:
    """One output value, taken apart.

    Attributes:
        rule: what kind of arithmetic this is, in a word: ``convolution``, ``maximum``, ``copy``, ...
        formula: the arithmetic in one line, with the layer's own constants.
        window: the input values that enter, float64, in their natural shape: (channels, *kernel) for a convolution.
            Padding stands in it with the value that it has in the sum.
        kernel: the weight of each, same shape; ``None`` where nothing is weighted.
        products: what each contributes to the total, same shape; ``None`` where the values aren't added up.
        inputs: which of the layer's inputs each value comes from, broadcastable to the window's shape; ``CONSTANT`` for
            what is no input but a constant of the operation.
        places: where in that input, one array an axis, each broadcastable to the window's shape; ``PADDING`` outside
            and for constants, ``NO_AXIS`` on axes that an input of smaller rank doesn't have.
        bias: the number added at the end, ``None`` without one.
        steps: from the window to the total, line by line.
        total: the value that this arithmetic gives, float64.
        winners: which window entries decided, for a maximum; several where they tie.
        activation: name of the function, where the layer is one.
        focus: which window entry, counted flat, the value is made from, where the others only take its measure: of a
            normalisation, of a softmax.
        roundings: how many rounded operations the framework makes on the way, at most; 0 for what only copies.
        magnitude: what these roundings are relative to: the sum of the magnitudes of everything added up.
        stored: the magnitude of the intermediate values that the framework may store in the layer's own type, where
            that is coarser than the type it adds up in.
        accumulated: what the terms add up to, where steps of another kind follow (scaling and rounding to integers).
        astray: how far off a rounding to whole numbers can be, because the number before it lies so near to a half;
            and whatever else an error can make that isn't one of the roundings.
        peak: the largest number on the way, where that is larger than ``magnitude``: a mean's sum, a norm's squares.
        unsettled: whether the order of the work or the processor decides what comes out, because NaN is compared or a
            number on the way leaves the range of its type: such a value isn't explained.
    """

    rule: str
    formula: str
    window: Floats
    total: float
    inputs: Integers
    places: tuple[Integers, ...]
    kernel: Floats | None = None
    products: Floats | None = None
    bias: float | None = None
    steps: tuple[Step, ...] = ()
    winners: NDArray[np.bool_] | None = None
    activation: str | None = None
    focus: int | None = None
    roundings: int = 1
    magnitude: float = 0.0
    stored: float = 0.0
    accumulated: float | None = None
    astray: float = 0.0
    peak: float = 0.0
    unsettled: bool = False

    @property
    def channel_sums(self) -> Floats | None:
        """The products added up for each input channel: (channels,)."""
        if self.products is None:
            return None
        sums: Floats = self.products.sum(axis=tuple(range(1, self.products.ndim)))
        return sums

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Which window entries are real input values; the others are padding, or constants."""
        found = ~self.constant
        for axis in self.places:
            found &= axis != PADDING
        return found

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which window entries are constants of the operation: no layer made them."""
        return np.array(np.broadcast_to(self.inputs == CONSTANT, self.window.shape))

    def origin(self, entry: Shape) -> tuple[int, Shape] | None:
        """Where the window entry at ``entry`` comes from: (number of the input, index in it); ``None`` for padding and
        constants."""
        shape = self.window.shape
        index = tuple(int(np.broadcast_to(axis, shape)[entry]) for axis in self.places)
        number = int(np.broadcast_to(self.inputs, shape)[entry])
        if PADDING in index or number == CONSTANT:
            return None
        return number, tuple(place for place in index if place != NO_AXIS)

    def tolerance(self, dtype: str = "float32", sums_in: str | None = None) -> float:
        """How far the framework's own value may lie from the exact total: :func:`convlens.arithmetic.rounding.bound`.

        ``dtype`` is the layer's type, ``sums_in`` the one that it adds up in, where that is known to be another.
        """
        found = bound(self.roundings, self.magnitude, self.total, dtype, sums_in=sums_in, stored=self.stored)
        return float(found) + self.astray

    def overflows(self, dtype: str = "float32", sums_in: str | None = None) -> bool:
        """Whether the layer's type may be too small for this value."""
        return bool(can_overflow(np.fmax(self.magnitude, self.peak), self.total, dtype, sums_in=sums_in))


@dataclass(frozen=True, slots=True)
class Swept:
    """The values of one channel all at once; what :class:`Working` says of one value, without the window."""

    total: Floats
    roundings: Integers | int = 1
    magnitude: Floats | float = 0.0
    stored: Floats | float = 0.0
    astray: Floats | float = 0.0
    peak: Floats | float = 0.0
    unsettled: Truths | bool = False


def single(
    rule: str, formula: str, value: float, total: float, index: Shape, *, source: int = 0, **more: Any
) -> Working:
    """The working of a value that comes from one input value alone."""
    return Working(
        rule=rule,
        formula=formula,
        window=np.array([value]),
        total=total,
        inputs=np.array([source]),
        places=tuple(np.array([place]) for place in index),
        **more,
    )
