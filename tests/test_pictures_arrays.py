"""NumPy arrays as pictures, and what is fed to the network untouched (row 35)."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convlens.errors import PictureError
from convlens.pictures import is_fed, read

COLOUR = np.random.default_rng(3).integers(0, 256, (5, 7, 3), dtype=np.uint8)


def test_row_35_rows_columns_channels_is_what_it_says() -> None:
    picture = read(COLOUR)
    assert np.array_equal(picture.pixels, COLOUR)
    assert (picture.name, picture.notes) == ("array", ())
    assert read(COLOUR[..., 0]).pixels.shape == (5, 7, 1)
    assert read(COLOUR[..., :1]).pixels.shape == (5, 7, 1)


def test_row_35_the_picture_keeps_its_own_pixels() -> None:
    array = COLOUR.copy()
    picture = read(array)
    array[:] = 0
    assert np.array_equal(picture.pixels, COLOUR)


def test_row_35_bgr_is_turned_and_noted() -> None:
    picture = read(COLOUR[..., ::-1], order="bgr")
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.notes == ("BGR array turned to RGB",)
    opaque = np.concatenate([COLOUR[..., ::-1], np.full((5, 7, 1), 255, np.uint8)], axis=2)
    assert np.array_equal(read(opaque, order="bgr").pixels, COLOUR)
    assert read(COLOUR[..., 0], order="bgr").notes == ()


def test_row_35_an_order_needs_an_array_and_must_exist() -> None:
    with pytest.raises(PictureError, match="Only an array needs a channel order"):
        read(Image.fromarray(COLOUR), order="bgr")
    with pytest.raises(PictureError, match="'rgb' or 'bgr'"):
        read(COLOUR, order="gbr")


def test_row_35_a_batch_of_one_is_opened_and_noted() -> None:
    picture = read(COLOUR[None])
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.notes == ("the only picture of a batch",)
    with pytest.raises(PictureError, match=r"batch of pictures: expected one picture.*pictures\[0\]"):
        read(np.stack([COLOUR, COLOUR]))


@pytest.mark.parametrize("channels", [1, 3])
def test_row_35_channels_first_is_recognised_where_nothing_else_is_possible(channels: int) -> None:
    first = COLOUR[..., :channels].transpose(2, 0, 1)
    assert np.array_equal(read(first).pixels, COLOUR[..., :channels])
    assert "channels-first array" in read(first).notes[0]
    assert np.array_equal(read(first[None]).pixels, COLOUR[..., :channels])


@pytest.mark.parametrize("shape", [(4, 5, 7), (2, 5, 7), (5, 7, 2), (5, 7, 6), (7,), (), (1, 1, 5, 7, 3)])
def test_row_35_any_other_shape_is_asked_about(shape: tuple[int, ...]) -> None:
    with pytest.raises(PictureError, match=r"which axis.*transpose\(1, 2, 0\)") as caught:
        read(np.zeros(shape, np.uint8))
    assert str(shape) in caught.value.received


@settings(deadline=None, max_examples=200)
@given(st.lists(st.integers(0, 6), min_size=0, max_size=5))
def test_row_35_no_shape_is_read_in_two_ways(shape: list[int]) -> None:
    array = np.arange(np.prod(shape, dtype=int), dtype=np.uint8).reshape(shape)
    batchless = shape[1:] if len(shape) == 4 else shape
    try:
        picture = read(array)
    except PictureError:
        # refused: no pixels, several pictures, or no axis that must be the channels
        last_is_channels = len(batchless) == 2 or (len(batchless) == 3 and batchless[2] in (1, 3, 4))
        assert 0 in shape or (len(shape) == 4 and shape[0] != 1) or not last_is_channels
    else:
        rows_first = len(batchless) == 2 or batchless[2] in (1, 3, 4)
        assert list(picture.pixels.shape[:2]) == (batchless[:2] if rows_first else batchless[1:])


def test_row_35_no_pixels() -> None:
    with pytest.raises(PictureError, match="no pixels"):
        read(np.zeros((0, 4, 3), np.uint8))


def test_row_35_alpha_is_composited_on_white() -> None:
    array = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert read(array).pixels.tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_row_35_16_bit_arrays_and_those_that_only_look_so() -> None:
    deep = COLOUR.astype(np.uint16) * 257
    assert np.array_equal(read(deep).pixels, deep)
    assert read(deep).notes == ("16-bit",)
    assert read(np.zeros((2, 2), np.uint16)).pixels.shape == (2, 2, 1)
    with pytest.raises(PictureError, match=r"8-bit values or a very dark 16-bit picture.*astype\('uint8'\)"):
        read(COLOUR.astype(np.uint16))


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.uint32, bool, complex, object, "U3"])
def test_row_35_other_types_are_asked_about(dtype: Any) -> None:
    array = np.zeros((5, 7, 3), dtype)
    assert not is_fed(array)
    with pytest.raises(PictureError, match=r"This array is not a picture: expected uint8"):
        read(array)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_row_35_float_arrays_are_fed_untouched(dtype: type) -> None:
    assert is_fed(np.zeros((3, 5, 7), dtype))


def test_row_35_bfloat16_arrays_are_fed_untouched() -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    assert is_fed(np.zeros((3, 5, 7), ml_dtypes.bfloat16))
    assert is_fed(np.zeros((3, 5, 7), ml_dtypes.float8_e4m3fn))


@pytest.mark.parametrize("dtype", ["float32", "uint8"])
def test_row_35_tensors_of_frameworks_are_fed_untouched(dtype: str) -> None:
    jax_numpy = pytest.importorskip("jax.numpy")
    assert is_fed(jax_numpy.zeros((3, 5, 7), dtype))
    torch = pytest.importorskip("torch")
    assert is_fed(torch.zeros((3, 5, 7), dtype=getattr(torch, dtype)))


def test_row_35_dicts_are_fed_and_pictures_are_not() -> None:
    assert is_fed({"image": COLOUR})
    for picture in (COLOUR, Image.fromarray(COLOUR), read(COLOUR), "cat.jpg", np.float32(1), [[1.0]], None):
        assert not is_fed(picture)


def test_row_35_a_tensor_given_to_read_is_pointed_to_the_network() -> None:
    tensor = importlib.import_module("types").SimpleNamespace(dtype="float32", shape=(3, 5, 7), __array__=None)
    assert is_fed(tensor)
    with pytest.raises(PictureError, match="fed to the network as it is"):
        read(tensor)
