"""Mosaics: every value has the colour that its scale gives it, every map is there once, and the words are true."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.colours import Scale, colour_map, index, scale_for
from convlens.draw.mosaic import (
    draw_map,
    draw_mosaic,
    draw_mosaic_pages,
    map_png,
    mosaic_pages,
    mosaic_png,
    shrink,
    tile_size,
)
from convlens.draw.page import Words
from convlens.errors import DrawingError

rng = np.random.default_rng(0)
sides = st.integers(1, 17)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def words_of(canvas: Canvas) -> str:
    return " | ".join(text.string for text in canvas.texts)


@given(hnp.arrays(np.float32, (5, 7), elements=st.floats(-100, 100, width=32)), st.integers(1, 4))
@settings(deadline=None, max_examples=40)
def test_a_bare_map_is_its_values_and_nothing_else(values: np.ndarray, factor: int) -> None:
    """Exact palette look-ups, nearest neighbour: each value a square of one colour."""
    scale = scale_for(values)
    picture = pixels(map_png(values, legend=False, enlarge=factor))
    expected = colour_map(scale.diverging)[index(values, scale)]
    assert (picture == expected.repeat(factor, axis=0).repeat(factor, axis=1)).all()


def test_zero_is_neutral_in_a_signed_map() -> None:
    picture = pixels(map_png([[-2.0, 0.0, 2.0]], legend=False))
    assert picture[0, 1].tolist() == list(theme.NEUTRAL)
    assert picture[0, 0, 2] > picture[0, 0, 0]  # blue below
    assert picture[0, 2, 0] > picture[0, 2, 2]  # red above


def test_a_given_scale_is_kept_and_what_lies_beyond_is_said() -> None:
    canvas = draw_map([[-5.0, 0.5]], Words(numbers=False), scale=Scale(-1.0, 1.0, diverging=True))
    assert "≤ -1" in words_of(canvas)
    assert "≥" not in words_of(canvas)


def test_the_legend_has_the_values_of_the_ends() -> None:
    said = words_of(draw_mosaic(np.array([[[-3.25, 1.0]]]), Words()))
    assert "-3.25 | 0 | 3.25" in said
    said = words_of(draw_mosaic(np.array([[[1.0, 8.0]]]), Words()))
    assert "0 | 4 | 8" in said


def test_the_colour_bar_has_every_colour_of_the_map_in_order() -> None:
    canvas = draw_mosaic(rng.normal(size=(4, 8, 8)), Words())
    bars = [row for row in canvas.pixels if (np.diff(row[24 : 24 + 239].astype(int)) == 1).all()]
    assert len(bars) == 10


@given(st.integers(1, 40), st.integers(1, 20), st.integers(1, 20), st.integers(1, 50))
@settings(deadline=None, max_examples=40)
def test_every_channel_is_on_the_pages_exactly_once(count: int, rows: int, columns: int, per_page: int) -> None:
    """Each map has a number, and every colour of its constant value is in the pixels under that number."""
    maps = np.broadcast_to(np.arange(count, dtype=np.float32)[:, None, None], (count, rows, columns))
    numbers: list[str] = []
    for canvas in draw_mosaic_pages(maps, Words(legend=False), per_page=per_page):
        own = [text for text in canvas.texts if text.string.isdigit() and text.size == theme.SMALL_SIZE]
        numbers += [text.string for text in own]
        for text in own:
            tile = canvas.pixels[text.y - theme.SMALL_SIZE + theme.LINE_HEIGHT[theme.SMALL_SIZE] :, text.x :]
            scale = Scale(0.0, float(count - 1), diverging=False)
            assert tile[0, 0] == index([float(text.string)], scale)[0]
    assert sorted(map(int, numbers)) == list(range(count))


def test_pages_share_the_scale_of_the_layer_and_say_where_they_are() -> None:
    maps = rng.normal(size=(10, 4, 4))
    pages = list(draw_mosaic_pages(maps, Words("conv"), per_page=4))
    assert len(pages) == len(list(mosaic_pages(maps, per_page=4))) == 3
    ends = [[text.string for text in page.texts if text.size == theme.SMALL_SIZE][:3] for page in pages]
    assert ends[0] == ends[1] == ends[2]
    assert "page 2 of 3: channels 4 to 7 of 10" in words_of(pages[1]).replace(" | ", " ")


def test_one_page_says_nothing_of_pages() -> None:
    assert "page" not in words_of(next(draw_mosaic_pages(rng.normal(size=(4, 4, 4)), Words())))


def test_each_map_on_its_own_scale_has_its_range_written() -> None:
    maps = np.stack([np.full((4, 4), 1.0), np.full((4, 4), 100.0)]).astype(np.float32)
    maps[:, 0, 0] = 0
    canvas = draw_mosaic(maps, Words(), scale="map")
    assert "0 to 1" in words_of(canvas)
    assert "0 to 100" in words_of(canvas)
    shared = draw_mosaic(maps, Words(), scale="layer")
    assert np.count_nonzero(canvas.pixels == colours.COLOURS - 1) > np.count_nonzero(
        shared.pixels == colours.COLOURS - 1
    )


def test_row_19_nan_infinities_and_constants_are_marked_and_counted() -> None:
    maps = rng.normal(size=(5, 12, 12)).astype(np.float32)
    maps[0, 3, 4] = np.nan
    maps[1, :2] = np.inf
    maps[2, 0, 0] = -np.inf
    maps[3] = 0
    maps[4, 0, 0] = 0.5
    canvas = draw_mosaic(maps, Words())
    said = words_of(canvas)
    for told in ("1 map is constant: 0.", "1 map has NaN (1 value).", "1 map has +inf (24 values).", "-inf (1 value)."):
        assert told in said.replace(" | ", " ")
    for label in ("NaN", "+inf", "-inf"):
        assert label in [text.string for text in canvas.texts]
    factor, _ = tile_size(5, 12, 12)
    marks = [np.count_nonzero(canvas.pixels == colour) for colour in (248, 249, 250)]
    swatch = 10 * 10
    frame = 2 * (2 * 12 * factor + 2 * (12 * factor + 4))
    assert marks == [factor**2 + frame + swatch, 24 * factor**2 + frame + swatch, factor**2 + frame + swatch]
    assert np.count_nonzero(canvas.pixels == colours.STRIKE) == 12 * factor


def test_row_19_a_single_nan_is_still_seen_when_scaled_down() -> None:
    maps = np.zeros((4, 3000, 3000), np.float32)
    maps[2, 1500, 1500] = np.nan
    canvas = draw_mosaic(maps, Words())
    assert "shown at 1/6, each pixel the mean of 6 × 6 values" in words_of(canvas)
    assert (canvas.pixels == colours.NOT_A_NUMBER).sum() > 1000  # its pixel, its frame, its swatch


def test_row_19_empty_maps_are_placeholders() -> None:
    canvas = draw_mosaic(np.zeros((3, 0, 5)), Words())
    assert (canvas.pixels == colours.EMPTY).any()
    assert "The maps are empty" in words_of(canvas)
    assert pixels(map_png(np.zeros((0, 0)))).size > 0
    assert pixels(mosaic_png(np.zeros((0, 4, 4)))).size > 0


def test_row_19_a_map_without_any_number_has_no_range() -> None:
    canvas = draw_mosaic(np.full((1, 3, 3), np.nan), Words(), scale="map")
    assert "no number" in words_of(canvas)


@given(
    hnp.arrays(
        np.float32, st.tuples(st.just(2), st.integers(1, 17), st.integers(1, 17)), elements=st.floats(-9, 9, width=32)
    ),
    st.integers(1, 6),
)
@settings(deadline=None, max_examples=40)
def test_scaled_down_pixels_are_means(maps: np.ndarray, step: int) -> None:
    """A naive loop over blocks is the oracle."""
    shown = shrink(maps, step)
    for channel in range(maps.shape[0]):
        for row in range(shown.shape[1]):
            for column in range(shown.shape[2]):
                block = maps[channel, row * step : (row + 1) * step, column * step : (column + 1) * step]
                assert shown[channel, row, column] == pytest.approx(block.astype(np.float64).mean(), abs=1e-4)


def test_a_map_alone_is_never_scaled_down() -> None:
    values = rng.normal(size=(2100, 1700)).astype(np.float32)
    assert pixels(map_png(values, legend=False)).shape == (2100, 1700, 3)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 14])
@pytest.mark.parametrize("count", [1, 16, 64, 512, 2048])
def test_small_maps_are_enlarged_to_be_seen(size: int, count: int) -> None:
    factor, step = tile_size(count, size, size)
    assert step == 1
    assert factor * size >= 40


@pytest.mark.parametrize("count", [1, 3, 7, 32, 512, 1280])
def test_nothing_is_drawn_outside_the_page(count: int) -> None:
    """Every tile is there whole: as many pixels of value colours as the maps have."""
    maps = rng.uniform(1, 2, size=(count, 7, 7)).astype(np.float32)
    factor, _ = tile_size(count, 7, 7)
    canvas = draw_mosaic(maps, Words(legend=False))
    assert np.count_nonzero(canvas.pixels < colours.COLOURS) == count * (7 * factor) ** 2
    margin = canvas.raster()[:, : theme.MARGIN - 2]
    assert (margin == colours.PAGE).all()


def test_long_titles_wrap_and_nothing_is_lost() -> None:
    title = "features.denseblock3.denselayer24." + "very_long_name_" * 12 + "conv2 · Conv2d"
    canvas = draw_mosaic(rng.normal(size=(2, 3, 3)), Words(title, "a caption " * 40))
    assert "".join(t.string for t in canvas.texts if t.size == theme.TITLE_SIZE).replace(" ", "") == title.replace(
        " ", ""
    )
    right = canvas.raster()[:, canvas.width - theme.MARGIN + 2 :]
    assert (right == colours.PAGE).all()


@pytest.mark.parametrize("title", ["<script>", "line\nbreak\x00", "مرحبا", "🙂 emoji", "你好"])
def test_hostile_titles_are_drawn(title: str) -> None:
    assert pixels(mosaic_png(rng.normal(size=(2, 3, 3)), title=title)).size


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mosaic_png(np.zeros((3, 3))),
        lambda: map_png(np.zeros(3)),
        lambda: mosaic_png(np.zeros((1, 2, 2)), scale="network"),  # type: ignore[arg-type]
        lambda: map_png(np.zeros((2, 2)), enlarge=0),
        lambda: list(mosaic_pages(np.zeros((1, 2, 2)), per_page=0)),
    ],
)
def test_wrong_requests_are_refused_in_one_line(wrong: object) -> None:
    with pytest.raises(DrawingError) as caught:
        wrong()  # type: ignore[operator]
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_integers_and_halves_are_drawn() -> None:
    for dtype in (np.uint8, np.int64, np.float16, np.bool_):
        assert pixels(mosaic_png(np.ones((2, 3, 3), dtype))).size
