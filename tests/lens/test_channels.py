"""What is told of every channel, against NumPy on each channel alone and against exact sums."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.lens import channels
from convlens.lens.feature_map import Statistics

_ODD = [np.nan, np.inf, -np.inf, 0.0]


def _drawn(shape: tuple[int, ...], seed: int, odd: float) -> np.ndarray[Any, Any]:
    rng = np.random.default_rng(seed)
    array = (rng.normal(size=shape) * 10 ** rng.uniform(-3, 3) + rng.normal()).astype(np.float32)
    where = rng.random(shape) < odd
    array[where] = rng.choice(_ODD, size=int(where.sum()))
    return array


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.3, 1]))
def test_every_channel_as_if_it_were_alone(count: int, rows: int, columns: int, seed: int, odd: float) -> None:
    array = _drawn((count, rows, columns), seed, odd)
    found = channels.survey(array)
    for number, channel in enumerate(array):
        alone = Statistics.of(channel)
        assert found.nan[number] == alone.nan
        assert found.infinite[number] == alone.infinite
        assert found.zeros[number] * channel.size == pytest.approx(np.count_nonzero(channel == 0))
        assert bool(found.constant[number]) == alone.constant
        if alone.mean is None or alone.deviation is None:
            assert np.isnan([found.minimum[number], found.mean[number], found.variance[number]]).all()
            continue
        values = [float(value) for value in channel[np.isfinite(channel)]]
        mean = math.fsum(values) / len(values)
        variance = math.fsum((value - mean) ** 2 for value in values) / len(values)
        size = max(map(abs, values))
        assert (found.minimum[number], found.maximum[number]) == (alone.minimum, alone.maximum)
        assert found.mean[number] == pytest.approx(mean, rel=1e-12, abs=1e-14 * size)
        assert found.variance[number] == pytest.approx(variance, rel=1e-9, abs=1e-13 * size**2)
        assert found.magnitude[number] == pytest.approx(math.fsum(map(abs, values)) / len(values), rel=1e-12)


@pytest.mark.parametrize("odd", [0, 0.001])
def test_a_large_channel_is_measured_in_pieces_to_the_same_numbers(odd: float) -> None:
    array = _drawn((2, 517, 331), 3, odd) + np.float32(1000)  # a mean far from 0, where careless variances cancel
    found = channels.survey(array)
    for number, channel in enumerate(array):
        values = channel[np.isfinite(channel)].astype(np.float64)
        assert found.mean[number] == pytest.approx(values.mean(), rel=1e-12)
        assert found.variance[number] == pytest.approx(values.var(), rel=1e-9)
        assert found.nan[number] == np.isnan(channel).sum()


def test_the_strongest_is_the_largest_mean_magnitude_and_never_a_broken_one() -> None:
    array = np.array([[1, 1], [-5, 1], [4, 0.5], [np.nan, np.nan]], np.float32)
    assert channels.survey(array).strongest == 1
    assert channels.survey(array[3:]).strongest == 0


@given(st.integers(1, 400), st.integers(0, 2**32 - 1), st.sampled_from([0, 0.2, 1]), st.integers(1, 80))
def test_the_histogram_counts_each_finite_value_once_where_numpy_does(
    size: int, seed: int, odd: float, bins: int
) -> None:
    array = _drawn((2, size), seed, odd)
    edges, counts = channels.histogram(array, channels.survey(array), bins)
    values = array[np.isfinite(array)].astype(np.float64)
    assert counts.sum() == values.size
    assert len(edges) == len(counts) + 1
    if values.size and values.min() < values.max():
        assert (edges[0], edges[-1]) == (values.min(), values.max())
        theirs, _ = np.histogram(values, bins, range=(values.min(), values.max()))
        # a value that lies on an edge, to the last bit, may be rounded into either bin
        assert np.abs(np.cumsum(counts) - np.cumsum(theirs)).max() <= _on_an_edge(values, edges)


def _on_an_edge(values: np.ndarray[Any, Any], edges: np.ndarray[Any, Any]) -> int:
    near = np.abs(values[:, None] - edges[None, :]) <= 1e-12 * np.abs(edges).max()
    return int(near.any(axis=1).sum())


def test_a_layer_of_one_value_has_one_bin() -> None:
    array = np.full((3, 4), 2.5, np.float32)
    edges, counts = channels.histogram(array, channels.survey(array))
    assert (edges.tolist(), counts.tolist()) == ([2.5, 2.5], [12])
