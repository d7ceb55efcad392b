"""Whatever a layer makes has a picture: strips, vectors, volumes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.colours import Scale, index, scale_for
from convlens.draw.layers import draw_layer, draw_layer_pages, layer_pages, layer_png
from convlens.draw.page import Words
from convlens.draw.strips import draw_strips, draw_vector

rng = np.random.default_rng(0)
BARE = Words(numbers=False, legend=False)


def words_of(canvas: Canvas) -> str:
    return " ".join(text.string for text in canvas.texts)


def test_row_32_a_1d_map_is_a_strip_of_its_values() -> None:
    maps = rng.normal(size=(4, 50)).astype(np.float32)
    canvas = draw_strips(maps, BARE)
    scale = scale_for(maps)
    factor, pitch = 20, 20
    for channel in range(4):
        assert (canvas.pixels[channel * pitch, ::factor] == index(maps[channel], scale)).all()


def test_row_32_long_strips_say_that_they_are_shortened() -> None:
    maps = np.zeros((2, 5000), np.float32)
    maps[0, 4999] = np.nan
    canvas = draw_strips(maps, Words())
    assert "shown at 1/4, each pixel the mean of 4 values" in words_of(canvas)
    assert (canvas.pixels == colours.NOT_A_NUMBER).any()


@given(st.integers(1, 300), st.integers(1, 40), st.integers(1, 100))
@settings(deadline=None, max_examples=30)
def test_row_32_strip_pages_hold_every_channel_once(channels: int, length: int, per_page: int) -> None:
    pages = list(draw_layer_pages(np.ones((channels, length), np.float32), BARE, per_page=per_page))
    assert len(pages) == -(-channels // per_page)
    if per_page < channels:
        assert all(page.texts for page in pages)  # each says which channels it has


def test_row_32_a_volume_shows_its_middle_slice_and_says_so() -> None:
    volume = rng.normal(size=(3, 9, 6, 6))
    canvas = draw_layer(volume, Words())
    assert "slice 4 of depth 0 to 8" in words_of(canvas)
    assert (canvas.pixels == draw_layer(volume[:, 4], Words()).pixels).all()


def test_a_vector_shows_its_largest_values_by_name() -> None:
    scores = np.zeros(1000, np.float32)
    scores[[282, 285]] = 0.408, 0.340
    labels = [f"class {one}" for one in range(1000)]
    labels[282] = "tiger\ncat"
    canvas = draw_vector(scores, Words("scores"), labels=labels)
    strings = [text.string for text in canvas.texts]
    assert strings.index("282 · tiger cat") < strings.index("285 · class 285")
    assert "0.408" in strings
    assert "0.34" in strings
    assert "the 10 largest above, all of them below" in words_of(canvas)


def test_the_bars_of_a_vector_are_as_long_as_its_values() -> None:
    canvas = draw_vector([4.0, 2.0, 1.0], BARE)
    lengths = (canvas.pixels == colours.POSITIVE_BAR).sum(axis=1)
    assert sorted(set(lengths[lengths > 0].tolist())) == [80, 160, 320]
    signed = draw_vector([-4.0, 4.0], BARE)
    assert (signed.pixels == colours.NEGATIVE_BAR).sum() == (signed.pixels == colours.POSITIVE_BAR).sum() == 160 * 14


def test_all_values_of_a_vector_are_cells_in_order() -> None:
    values = rng.uniform(1, 2, size=60).astype(np.float32)
    canvas = draw_vector(values, BARE, scale=Scale(0.0, 2.0, diverging=False))
    cells = canvas.pixels[-3 * 16 :: 16, : 20 * 16 : 16]
    assert cells.reshape(-1).tolist() == index(values, Scale(0.0, 2.0, diverging=False)).tolist()


def test_row_19_a_vector_with_nan_marks_it_and_leaves_it_out_of_the_largest() -> None:
    canvas = draw_vector([1.0, np.nan, np.inf], Words())
    strings = [text.string for text in canvas.texts]
    assert "NaN" in strings
    assert "+inf" in strings
    assert "the 1 largest above, all of them below" in words_of(canvas)


@pytest.mark.parametrize(
    "shape",
    [
        (),
        (0,),
        (1,),
        (5,),
        (2000,),
        (0, 4),
        (4, 0),
        (3, 1),
        (300, 3),
        (2, 3, 4),
        (2, 0, 4, 4),
        (2, 3, 4, 5),
        (2, 3, 4, 5, 6),
    ],
)
def test_row_19_every_shape_has_a_picture(shape: tuple[int, ...]) -> None:
    array = rng.normal(size=shape)
    for options in ({}, {"scale": "map"}, {"legend": False, "numbers": False}):
        assert layer_png(array, **options).startswith(b"\x89PNG")
    assert all(page.startswith(b"\x89PNG") for page in layer_pages(array, per_page=2))


def test_row_33_token_maps_of_a_transformer_are_strips() -> None:
    canvas = draw_layer(rng.normal(size=(196, 768)), Words("attention"))
    assert "196 maps of length 768" in words_of(canvas)
    assert canvas.width > 768 + 2 * theme.MARGIN
