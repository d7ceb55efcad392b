"""Levels of detail and tiles, against means taken block by block and against the array itself."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from convlens.errors import ChannelError, InputError
from convlens.lens import tiles


def _block_by_block(plane: np.ndarray[Any, Any], side: int) -> np.ndarray[Any, Any]:
    """The same means, one block at a time, each summed exactly."""
    rows, columns = (range(0, size, side) for size in plane.shape)
    blocks = [[plane[r : r + side, c : c + side].ravel() for c in columns] for r in rows]
    means = [[math.fsum(block.tolist()) / block.size for block in row] for row in blocks]
    return np.array(means, np.float32)


@given(st.integers(1, 90), st.integers(1, 90), st.integers(0, 2**32 - 1), st.data())
def test_each_level_holds_the_means_of_its_blocks(rows: int, columns: int, seed: int, data: st.DataObject) -> None:
    planes = np.random.default_rng(seed).normal(size=(2, 2, rows, columns)).astype(np.float32)
    level = data.draw(st.integers(0, tiles.levels_of(rows, columns) - 1))
    found = tiles.at_level(planes, level, [1, 0], 1)
    expected = np.stack([_block_by_block(planes[channel, 1], 1 << level) for channel in (1, 0)])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_tiles_put_together_are_the_level(level: int) -> None:
    planes = np.random.default_rng(0).normal(size=(1, 1, 700, 530)).astype(np.float32)
    whole = tiles.at_level(planes, level, [0], 0)[0]
    rows, columns = (-(-size // tiles.TILE) for size in whole.shape)
    bands = [[tiles.tile_of(planes, level, 0, 0, row, column) for column in range(columns)] for row in range(rows)]
    assert max(tile.shape[0] for band in bands for tile in band) <= tiles.TILE
    assert_array_equal(np.block(bands), whole)


def test_level_0_is_the_values_to_the_bit() -> None:
    odd = np.array([[np.nan, -0.0, np.inf], [1e-45, 3.4e38, -np.inf]], np.float32)
    found = tiles.at_level(tiles.as_planes(odd[None]), 0, [0], 0)
    assert_array_equal(found[0].view(np.uint32), odd.view(np.uint32))


def test_a_nan_stays_in_its_own_block() -> None:
    plane = np.zeros((1, 1, 64, 64), np.float32)
    plane[0, 0, 5, 9] = np.nan
    assert np.argwhere(np.isnan(tiles.at_level(plane, 1, [0], 0)[0])).tolist() == [[2, 4]]


@pytest.mark.parametrize("shape", [(), (7,), (4, 9), (4, 9, 5), (4, 3, 9, 5), (4, 2, 3, 9, 5)])
def test_every_rank_is_channels_slices_rows_columns_of_the_same_memory(shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape), dtype=np.float32).reshape(shape)
    planes = tiles.as_planes(array)
    assert planes.ndim == 4
    assert planes.shape[0] == (shape[0] if shape else 1)
    assert np.shares_memory(planes, array)
    assert_array_equal(planes.ravel(), array.ravel())


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (32, 32), (33, 1), (1438, 1078), (4096, 4096)])
def test_the_last_level_is_the_first_that_fits_32(rows: int, columns: int) -> None:
    count = tiles.levels_of(rows, columns)
    sides = [math.ceil(max(rows, columns) / 2**level) for level in range(count)]
    assert sides[-1] <= 32
    assert all(side > 32 for side in sides[:-1])


PLANES = np.zeros((3, 2, 300, 40), np.float32)


@pytest.mark.parametrize("place", [(0, 3, 0), (0, -1, 0), (0, 0, 2), (0, 0, -1), (-1, 0, 0), (99, 0, 0)])
def test_what_the_layer_does_not_have_is_refused(place: tuple[int, int, int]) -> None:
    level, channel, slice_ = place
    with pytest.raises((ChannelError, InputError)) as told:
        tiles.at_level(PLANES, level, [channel], slice_)
    assert told.value.expected.startswith("0 to ")
    with pytest.raises((ChannelError, InputError)):
        tiles.tile_of(PLANES, level, channel, slice_, 0, 0)


@pytest.mark.parametrize(("row", "column"), [(2, 0), (0, 1), (-1, 0), (0, -1), (10**9, 0)])
def test_a_tile_beyond_the_map_is_refused(row: int, column: int) -> None:
    with pytest.raises(InputError, match="row 0 to 1, column 0 to 0"):
        tiles.tile_of(PLANES, 0, 0, 0, row, column)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1.5, -2.0], "float16"),
        ([0.0, 0.0], "float16"),
        ([1e-4, 0.0], "float32"),  # float16 has few bits left so near to 0
        ([70_000.0, 1.0], "float32"),
        ([65_519.9, 1.0], "float32"),
        ([float("inf"), 1.0], "float32"),
        ([float("nan"), 1.0], "float32"),
    ],
)
def test_float16_only_where_it_holds_the_values(values: list[float], dtype: str) -> None:
    found = tiles.as_float16(np.array(values, np.float32))
    assert found.dtype.name == dtype
    largest = np.abs(np.array(values))[np.isfinite(values)].max()
    assert np.abs(found[np.isfinite(found)].astype(np.float64)).max() == pytest.approx(largest, rel=2**-11)
