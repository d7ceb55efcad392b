"""Facts about every channel of a layer, and how its values spread: what a reader sorts the maps by."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from convlens.engines.base import Array
from convlens.lens.feature_map import Statistics

BINS = 64
_AT_ONCE = 1 << 16  # values that are worked on at a time, so that every pass after the first runs from the cache

Floats = NDArray[np.float64]
Counts = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Channels:
    """One entry a channel, of its finite values; NaN where there is none.

    ``zeros`` is the share of values that are exactly zero; ``magnitude`` the mean magnitude.
    """

    size: int
    minimum: Floats
    maximum: Floats
    mean: Floats
    variance: Floats
    magnitude: Floats
    zeros: Floats
    nan: Counts
    infinite: Counts

    @property
    def strongest(self) -> int:
        """The channel of the largest mean magnitude."""
        return int(np.nan_to_num(self.magnitude, nan=-1.0).argmax()) if self.magnitude.size else 0

    @property
    def constant(self) -> NDArray[np.bool_]:
        """Which channels hold one value everywhere."""
        same: NDArray[np.bool_] = (self.minimum == self.maximum) & (self.nan + self.infinite == 0)
        return same

    @property
    def bytes(self) -> int:
        """What these columns take."""
        return sum(column.nbytes for column in (getattr(self, name) for name in self.__slots__[1:]))

    @property
    def together(self) -> Statistics:
        """All channels as one: their means and variances joined, each by its number of finite values."""
        nan, infinite = int(self.nan.sum()), int(self.infinite.sum())
        zeros = float(self.zeros.mean()) if self.zeros.size else 0.0
        known = self.finite > 0
        if not known.any():
            return Statistics(None, None, None, None, zeros, nan, infinite, False)
        share = self.finite[known] / self.finite.sum()
        mean = float((share * self.mean[known]).sum())
        variance = (share * (self.variance[known] + np.square(self.mean[known] - mean))).sum()
        low, high = float(self.minimum[known].min()), float(self.maximum[known].max())
        same = low == high and nan + infinite == 0
        return Statistics(low, high, mean, float(np.sqrt(variance)), zeros, nan, infinite, same)

    @property
    def finite(self) -> Counts:
        """How many values of each channel are finite."""
        return self.size - self.nan - self.infinite


def survey(array: Array) -> Channels:
    """Measure an array (channels, ...), summing in float64; the variance is that of the finite values themselves.

    >>> found = survey(np.array([[1.0, 3.0], [0.0, np.nan]], np.float32))
    >>> found.mean.tolist(), found.variance.tolist(), found.zeros.tolist(), found.nan.tolist(), found.strongest
    ([2.0, 0.0], [1.0, 0.0], [0.0, 0.5], [0, 1], 0)
    """
    flat = _flat(array)
    count, size = flat.shape
    minimum, maximum, mean, variance, magnitude = np.full((5, count), np.nan)
    zeros = np.zeros(count)
    nan, infinite = np.zeros(count, np.intp), np.zeros(count, np.intp)
    if size and size <= _AT_ONCE:  # many channels at a time
        together = max(1, _AT_ONCE // size)
        parts = [slice(first, first + together) for first in range(0, count, together)]
        sums = [_rows(flat[part]) for part in parts]
    else:
        sums = [_one(values) for values in flat] if size else []
    if sums:
        columns = [np.concatenate([np.atleast_1d(found[n]) for found in sums]) for n in range(8)]
        minimum, maximum, mean, variance, magnitude, zeros = columns[:6]
        zeros = zeros / size
        nan, infinite = (column.astype(np.intp) for column in columns[6:])
    return Channels(size, minimum, maximum, mean, variance, magnitude, zeros, nan, infinite)


def histogram(array: Array, found: Channels, bins: int = BINS) -> tuple[Floats, Counts]:
    """How many finite values of the layer lie between any two of ``bins + 1`` edges, from the least to the greatest.

    One bin where all are the same.

    >>> values = np.array([[0.0, 1.0, 2.0, 3.0, np.inf]], np.float32)
    >>> edges, counts = histogram(values, survey(values), bins=2)
    >>> edges.tolist(), counts.tolist()
    ([0.0, 1.5, 3.0], [2, 2])
    """
    if not np.isfinite(found.minimum).any():
        return np.array([0.0, 0.0]), np.zeros(1, np.intp)
    low, high = float(np.nanmin(found.minimum)), float(np.nanmax(found.maximum))
    if low == high:
        return np.array([low, high]), np.array([int(found.finite.sum())], np.intp)
    edges = np.linspace(low, high, bins + 1)
    counts = np.zeros(bins, np.intp)
    values = _flat(array).reshape(-1)
    all_finite = int(found.finite.sum()) == values.size
    factor = bins / (high - low)
    for first in range(0, values.size, _AT_ONCE):
        part = values[first : first + _AT_ONCE].astype(np.float64)
        if not all_finite:
            part = part[np.isfinite(part)]
        places = np.minimum(((part - low) * factor).astype(np.intp), bins - 1)
        counts += np.bincount(places, minlength=bins)
    return edges, counts


def _flat(array: Array) -> Array:
    return array.reshape(array.shape[0], prod(array.shape[1:])) if array.ndim else array.reshape(1, 1)


def _rows(values: Array) -> tuple[Array, ...]:
    """Minimum, maximum, mean, variance, magnitude, zeros, NaN and infinite values of each row."""
    wide = values.astype(np.float64)
    zeros = np.count_nonzero(wide == 0, axis=1)
    finite = np.isfinite(wide)
    if finite.all():
        mean = wide.mean(axis=1)
        variance = np.square(wide - mean[:, None]).mean(axis=1)
        none = np.zeros(len(wide))
        return wide.min(axis=1), wide.max(axis=1), mean, variance, np.abs(wide).mean(axis=1), zeros, none, none
    count = finite.sum(axis=1)
    nan = np.isnan(wide).sum(axis=1)
    kept = np.where(finite, wide, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = kept.sum(axis=1) / count
        variance = np.where(finite, np.square(kept - mean[:, None]), 0).sum(axis=1) / count
        magnitude = np.abs(kept).sum(axis=1) / count
    least = np.where(count > 0, np.where(finite, wide, np.inf).min(axis=1), np.nan)
    greatest = np.where(count > 0, np.where(finite, wide, -np.inf).max(axis=1), np.nan)
    return least, greatest, mean, variance, magnitude, zeros, nan, wide.shape[1] - count - nan


def _one(values: Array) -> tuple[Array, ...]:
    """The same for one large channel, a piece at a time; means and variances are joined as Chan, Golub and LeVeque do
    ("Updating Formulae and a Pairwise Algorithm for Computing Sample Variances", 1979)."""
    pieces = [
        [column[0] for column in _rows(values[None, first : first + _AT_ONCE])]
        for first in range(0, values.size, _AT_ONCE)
    ]
    sizes = np.array([min(_AT_ONCE, values.size - first) for first in range(0, values.size, _AT_ONCE)])
    least, greatest, means, variances, magnitudes, zeros, nan, infinite = np.array(pieces).T
    counts = sizes - nan - infinite
    total = counts.sum()
    if total == 0:
        none = np.array(np.nan)
        return none, none, none, none, none, zeros.sum(), nan.sum(), infinite.sum()
    some = counts > 0
    weights = counts[some] / total
    mean = (weights * means[some]).sum()
    variance = (weights * (variances[some] + np.square(means[some] - mean))).sum()
    magnitude = (weights * magnitudes[some]).sum()
    low, high = least[some].min(), greatest[some].max()
    return low, high, mean, variance, magnitude, zeros.sum(), nan.sum(), infinite.sum()
