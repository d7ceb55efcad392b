"""Arrays as bytes, and back again."""

from __future__ import annotations

import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.hosts.report.reading import decoded

from convlens.engines.base import Array
from convlens.hosts.report import coding

ANY = arrays.arrays(np.float32, arrays.array_shapes(max_dims=4), elements=st.floats(width=32))
FINITE = arrays.arrays(
    np.float32, arrays.array_shapes(max_dims=3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)
)


@given(ANY)
def test_float32_keeps_every_bit(array: Array) -> None:
    coded = coding.as_f32(array)
    assert coded.exact
    assert decoded(coded).tobytes() == array.tobytes()


@given(ANY)
def test_float16_says_whether_it_is_exact(array: Array) -> None:
    coded = coding.as_f16(array)
    if coded is None:
        assert (np.abs(array[np.isfinite(array)]) >= 65504).any()
        return
    back = decoded(coded)
    assert coded.exact == np.array_equal(back, array, equal_nan=True)
    with np.errstate(over="ignore"):
        assert np.array_equal(back, array.astype(np.float16).astype(np.float32), equal_nan=True)


@given(FINITE)
def test_eight_bits_are_off_by_half_a_step_at_most(array: Array) -> None:
    coded = coding.as_q8(array)
    if coded is None:
        assert (np.abs(array) >= 1e38).any()
        return
    assert not coded.exact
    flat, back = (one.reshape(len(array), -1).astype(np.float64) for one in (array, decoded(coded)))
    step = np.abs(flat).max(axis=1, keepdims=True) / 127
    assert (np.abs(flat - back) <= step * 0.51 + 1e-44).all()


def test_what_is_not_finite_gets_no_eight_bits() -> None:
    assert coding.as_q8(np.array([[1, np.inf]], np.float32)) is None


@given(FINITE, st.integers(0, 2**32 - 1))
def test_steps_lead_from_near_values_to_the_true_ones(values: Array, seed: int) -> None:
    values = np.clip(values, -1e30, 1e30)  # away from where the numbers end
    off = np.random.default_rng(seed).integers(-3, 4, values.shape)
    near = values.copy()
    for _ in range(3):
        moved = np.nextafter(near, np.where(off > 0, np.inf, -np.inf).astype(np.float32))
        near = np.where((off != 0) & np.isfinite(moved), moved, near)
        off = off - np.sign(off)
    steps = coding.steps_between(near, values)
    assert steps is not None
    whole = np.where(steps % 2 == 0, steps // 2, -(steps + 1) // 2)
    while whole.any():
        near = np.where(whole != 0, np.nextafter(near, np.where(whole > 0, np.inf, -np.inf).astype(np.float32)), near)
        near = np.where(near == 0, np.float32(0), near)  # one zero, as in the row of numbers
        whole = whole - np.sign(whole)
    assert np.array_equal(near, values)


def test_nothing_leads_to_what_is_no_number() -> None:
    assert coding.steps_between(np.array([1], np.float32), np.array([np.nan], np.float32)) is None


def test_the_checksum_is_the_one_of_the_bytes() -> None:
    values = np.array([1.5, -2, 0], np.float32)
    assert coding.checksum(values) == zlib.crc32(values.tobytes())
    assert coding.checksum(values) != coding.checksum(np.nextafter(values, np.float32(9)))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_come_back_pixel_by_pixel(channels: int) -> None:
    from io import BytesIO

    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, channels), np.uint8)
    read = np.asarray(Image.open(BytesIO(coding.as_png(pixels))))
    assert np.array_equal(read.reshape(pixels.shape), pixels)


def test_every_nan_counts_alike() -> None:
    odd = np.array([0x7FC00000, 0xFFC00000, 0x7F800001, 0xFFFFFFFF], np.uint32).view(np.float32)
    assert coding.checksum(odd) == coding.checksum(np.full(4, np.nan, np.float32))


def test_the_same_bytes_are_in_a_file_once() -> None:
    blobs = coding.Blobs()
    assert [blobs.add(b"a"), blobs.add(b"b"), blobs.add(b"a")] == [0, 1, 0]
    assert blobs.pieces == [b"a", b"b"]
