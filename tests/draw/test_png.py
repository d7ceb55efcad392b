"""PNG bytes, decoded again by Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from convlens.draw import png

shapes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(shapes.flatmap(lambda shape: hnp.arrays(np.uint8, shape)), hnp.arrays(np.uint8, (256, 3)))
@settings(deadline=None, max_examples=40)
def test_an_indexed_png_decodes_to_the_same_pixels(indices: np.ndarray, palette: np.ndarray) -> None:
    picture = Image.open(io.BytesIO(png.encode_indexed(indices, palette)))
    assert picture.mode == "P"
    assert (np.asarray(picture) == indices).all()
    assert (np.asarray(picture.convert("RGB")) == palette[indices]).all()


@given(shapes.flatmap(lambda shape: hnp.arrays(np.uint8, (*shape, 3))))
@settings(deadline=None, max_examples=40)
def test_a_true_colour_png_decodes_to_the_same_pixels(pixels: np.ndarray) -> None:
    assert (np.asarray(Image.open(io.BytesIO(png.encode_rgb(pixels)))) == pixels).all()


def test_without_isal_the_pixels_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    import zlib

    indices = np.arange(256, dtype=np.uint8).reshape(16, 16)
    palette = np.repeat(np.arange(256, dtype=np.uint8)[:, None], 3, axis=1)
    fast = png.encode_indexed(indices, palette)
    monkeypatch.setattr(png, "_deflate", zlib.compress)
    slow = png.encode_indexed(indices, palette)
    decoded = [np.asarray(Image.open(io.BytesIO(data)).convert("RGB")) for data in (fast, slow)]
    assert (decoded[0] == decoded[1]).all()


def test_a_picture_without_pixels_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one pixel"):
        png.encode_rgb(np.zeros((0, 3, 3), np.uint8))
