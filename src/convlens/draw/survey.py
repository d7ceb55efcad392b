"""What a layer's maps hold, counted before they are drawn: ranges, constants, NaN, infinities, empty maps."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from convlens.draw.colours import Floats
from convlens.draw.lettering import format_value
from convlens.errors import DrawingError

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Survey:
    """Facts of each map (one entry a channel). Ranges are over the finite values, NaN where there are none."""

    minimum: npt.NDArray[np.float64]
    maximum: npt.NDArray[np.float64]
    nan: Counts
    plus_infinity: Counts
    minus_infinity: Counts
    size: int  # values a map

    @cached_property
    def constant(self) -> npt.NDArray[np.bool_]:
        """Which maps have one value everywhere; a map of a single value isn't called constant."""
        same: npt.NDArray[np.bool_] = (self.minimum == self.maximum) & (self.strange == 0) & (self.size > 1)
        return same

    @property
    def strange(self) -> Counts:
        """How many values of each map are NaN or infinite."""
        return self.nan + self.plus_infinity + self.minus_infinity

    def sentence(self, noun: str = "map") -> str:
        """Return what a reader must know about the maps that are not as usual, or an empty text.

        >>> survey(np.array([[0.0, 0.0], [1.0, np.nan]])).sentence()
        '1 map is constant: 0. 1 map has NaN (1 value).'
        """
        if self.size == 0:
            return f"The {noun}s are empty: they have no values."
        said = []
        constant = self.constant
        if count := int(constant.sum()):
            zero = int((constant & (self.minimum == 0)).sum())
            if count == 1:
                said.append(f"1 {noun} is constant: {format_value(float(self.minimum[constant][0]))}.")
            else:
                share = ", all 0" if zero == count else f", {zero} of them 0" if zero else ""
                said.append(f"{_counted(count, noun)} are constant{share}.")
        for what, counts in (("NaN", self.nan), ("+inf", self.plus_infinity), ("-inf", self.minus_infinity)):
            if count := int((counts > 0).sum()):
                values = int(counts.sum())
                verb = "has" if count == 1 else "have"
                said.append(f"{_counted(count, noun)} {verb} {what} ({_counted(values, 'value')}).")
        return " ".join(said)


def survey(maps: npt.NDArray[Any]) -> Survey:
    """Survey ``maps`` (channels, ...)."""
    channels = maps.shape[0]
    flat = maps.reshape(channels, -1) if maps.size else np.empty((channels, 0), np.float32)
    none = np.zeros(channels, np.int64)
    if flat.size == 0:
        missing = np.full(channels, np.nan)
        return Survey(missing, missing, none, none, none, 0)
    minimum, maximum = flat.min(axis=1).astype(np.float64), flat.max(axis=1).astype(np.float64)
    nan, plus, minus = none, none.copy(), none.copy()
    odd = np.flatnonzero(~(np.isfinite(minimum) & np.isfinite(maximum)))
    if odd.size:
        nan = none.copy()
        for channel in odd:
            values = flat[channel]
            finite = values[np.isfinite(values)]
            nan[channel] = np.isnan(values).sum()
            plus[channel] = (values == np.inf).sum()
            minus[channel] = (values == -np.inf).sum()
            minimum[channel] = finite.min() if finite.size else np.nan
            maximum[channel] = finite.max() if finite.size else np.nan
    return Survey(minimum, maximum, nan, plus, minus, flat.shape[1])


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def as_float32(array: npt.ArrayLike, axes: int, words: str) -> Floats:
    """Return ``array`` as float32 with exactly ``axes`` axes, named ``words``, or say what is wrong."""
    values = np.asarray(array)
    if values.ndim != axes:
        raise DrawingError("Can't draw this array", expected=f"axes ({words})", received=f"shape {values.shape}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)
