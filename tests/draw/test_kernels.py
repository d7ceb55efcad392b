"""Kernels: every weight is there, in its place, with its own colour, and in numbers where there are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.colour_kernels import in_colour
from convlens.draw.colours import Scale, index, scale_for
from convlens.draw.kernels import draw_kernels, draw_kernels_pages, kernels_pages, kernels_png, short_value
from convlens.draw.page import Words
from convlens.errors import DrawingError

rng = np.random.default_rng(0)
BARE = Words(numbers=False, legend=False)


def words_of(canvas: Canvas) -> str:
    return " ".join(text.string for text in canvas.texts)


def coloured(canvas: Canvas) -> int:
    return int(np.count_nonzero(canvas.pixels < colours.COLOURS))


@given(st.integers(1, 40), st.integers(2, 20), st.integers(1, 5), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_every_weight_has_its_pixels(filters: int, channels: int, rows: int, columns: int) -> None:
    kernels = rng.normal(size=(filters, channels, rows, columns)).astype(np.float32)
    canvas = draw_kernels(kernels, Words(legend=False))
    share, rest = divmod(coloured(canvas), kernels.size)
    assert rest == 0
    assert int(share**0.5) ** 2 == share >= 1


def test_filters_are_rows_and_channels_are_columns() -> None:
    kernels = rng.normal(size=(2, 20, 3, 3)).astype(np.float32)
    canvas = draw_kernels(kernels, BARE)
    scale = scale_for(kernels, mode="diverging")
    factor, gap = 12, 4
    pitch = 3 * factor + gap
    for one, channel, row, column in np.ndindex(*kernels.shape):
        pixel = canvas.pixels[one * pitch + row * factor, channel * pitch + column * factor]
        assert pixel == index(kernels[one, channel, row, column], scale)


def test_a_1x1_layer_is_one_matrix() -> None:
    kernels = rng.normal(size=(6, 9, 1, 1)).astype(np.float32)
    canvas = draw_kernels(kernels, BARE)
    shown = canvas.pixels[::16, ::16]
    assert (shown == index(kernels[:, :, 0, 0], scale_for(kernels, mode="diverging"))).all()


def test_many_filters_stand_in_blocks_side_by_side() -> None:
    kernels = rng.normal(size=(256, 3, 3, 3)).astype(np.float32)
    canvas = draw_kernels(kernels, Words(legend=False))
    assert canvas.height < 2 * canvas.width
    assert {str(one) for one in range(256)} <= {text.string for text in canvas.texts}


def test_few_weights_stand_in_their_cells() -> None:
    kernels = np.arange(81, dtype=np.float32).reshape(3, 3, 3, 3) / 100 - 0.4
    canvas = draw_kernels(kernels, Words())
    written = [text.string for text in canvas.texts if text.colour is not None]
    assert written == [short_value(float(value)) for value in kernels.reshape(-1)]
    assert written[0] == "-0.40"


def test_text_on_a_dark_cell_is_light_and_on_a_light_cell_dark() -> None:
    kernels = np.array([-1.0, 0.0, 1.0, 0.05], np.float32).reshape(1, 1, 2, 2)
    shades = [text.colour for text in draw_kernels(kernels, Words()).texts if text.colour is not None]
    assert shades == [theme.PAGE, theme.INK, theme.PAGE, theme.INK]


def test_colour_shows_three_channels_as_red_green_blue() -> None:
    kernels = np.zeros((1, 3, 1, 3), np.float32)
    kernels[0, 0, 0, 1] = 2.0
    kernels[0, 2, 0, 2] = -2.0
    pixels = in_colour(kernels, np.array([2.0], np.float32))
    assert pixels.tolist() == [[[[128, 128, 128], [255, 128, 128], [128, 128, 1]]]]
    canvas = draw_kernels(kernels, Words(), colour=True)
    raster = canvas.raster()
    assert raster.shape == (canvas.height, canvas.width, 3)
    for colour in pixels.reshape(-1, 3):
        assert (raster == colour).all(axis=2).sum() >= 24 * 24
    assert "mid-grey is 0" in words_of(canvas)


def test_row_19_a_colour_that_is_no_number_is_marked() -> None:
    kernels = np.zeros((1, 3, 1, 3), np.float32)
    kernels[0, 1] = [[np.nan, np.inf, -np.inf]]
    pixels = in_colour(kernels, np.array([1.0], np.float32))[0, 0].tolist()
    assert pixels == [list(theme.NOT_A_NUMBER), list(theme.PLUS_INFINITY), list(theme.MINUS_INFINITY)]
    said = words_of(draw_kernels(kernels, Words(), colour=True))
    assert "1 kernel has NaN (1 value)." in said


def test_each_filter_on_its_own_scale_has_its_range_beside_it() -> None:
    kernels = rng.normal(size=(6, 4, 3, 3)).astype(np.float32)
    kernels[1] *= 100
    canvas = draw_kernels(kernels, Words(), scale="map")
    ranges = [text.string for text in canvas.texts if text.string.startswith("±")]
    assert len(ranges) == 6
    coloured_ones = draw_kernels(kernels[:, :3], Words(), scale="map", colour=True)
    assert len([text for text in coloured_ones.texts if text.string.startswith("±")]) == 6


def test_row_19_constant_and_strange_kernels_are_marked() -> None:
    kernels = rng.normal(size=(4, 4, 3, 3)).astype(np.float32)
    kernels[0, 0] = 0.5
    kernels[1, 1, 1, 1] = np.nan
    canvas = draw_kernels(kernels, Words())
    assert (canvas.pixels == colours.STRIKE).any()
    assert "1 kernel is constant: 0.5. 1 kernel has NaN (1 value)." in words_of(canvas)
    assert (canvas.pixels == colours.NOT_A_NUMBER).sum() > 12 * 12


@given(st.integers(1, 15), st.integers(1, 15), st.integers(1, 8), st.integers(1, 8))
@settings(deadline=None, max_examples=30)
def test_every_kernel_is_on_exactly_one_page(filters: int, channels: int, down: int, across: int) -> None:
    """Every kernel has a colour of its own, so that it is known again."""
    kernels = np.zeros((filters, channels, 2, 2), np.float32)
    kernels[:] = np.arange(filters * channels).reshape(filters, channels, 1, 1)
    scale = Scale(0.0, float(colours.COLOURS - 1), diverging=False)
    pages = list(draw_kernels_pages(kernels, Words(legend=False), (down, across), scale=scale))
    assert len(pages) == -(-filters // down) * -(-channels // across)
    shown = np.concatenate([np.unique(page.pixels[page.pixels < colours.COLOURS]) for page in pages])
    assert sorted(shown.tolist()) == list(range(filters * channels))


def test_pages_name_their_filters_and_channels() -> None:
    kernels = rng.normal(size=(70, 3, 3, 3))
    pages = list(draw_kernels_pages(kernels, Words("conv")))
    assert len(pages) == len(list(kernels_pages(kernels))) == 2
    assert "filters 64 to 69 of 70, channels 0 to 2 of 3" in words_of(pages[1])
    numbers = [text.string for page in pages for text in page.texts if text.anchor == "end" and text.string.isdigit()]
    assert sorted(map(int, numbers)) == list(range(70))


def test_row_14_depthwise_kernels_are_laid_out_like_maps() -> None:
    kernels = rng.normal(size=(32, 1, 3, 3)).astype(np.float32)
    canvas = draw_kernels(kernels, Words())
    assert "32 kernels of 3 × 3" in words_of(canvas)
    assert canvas.width > canvas.height


def test_row_32_kernels_of_one_and_three_dimensions() -> None:
    assert "of 1 × 5" in words_of(draw_kernels(rng.normal(size=(4, 2, 5)), Words()))
    volume = rng.normal(size=(4, 2, 5, 3, 3))
    canvas = draw_kernels(volume, Words())
    assert "slice 2 of depth 0 to 4" in words_of(canvas)
    middle = draw_kernels(volume[:, :, 2], Words()).pixels
    assert (canvas.pixels[canvas.pixels < colours.COLOURS] == middle[middle < colours.COLOURS]).all()


@pytest.mark.parametrize("shape", [(0, 3, 3, 3), (2, 0, 3, 3), (2, 3, 0, 3), (2, 3, 3, 0)])
def test_row_19_layers_without_weights_are_drawn_as_empty(shape: tuple[int, ...]) -> None:
    assert kernels_png(np.zeros(shape)).startswith(b"\x89PNG")
    assert kernels_png(np.zeros(shape), colour=True).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: kernels_png(np.zeros((3, 3))),
        lambda: kernels_png(np.zeros((2, 4, 3, 3)), colour=True),
        lambda: kernels_png(np.zeros((2, 3, 3, 3)), scale="filter"),  # type: ignore[arg-type]
        lambda: list(kernels_pages(np.zeros((2, 3, 3, 3)), filters_per_page=0)),
    ],
)
def test_wrong_requests_are_refused_in_one_line(wrong: object) -> None:
    with pytest.raises(DrawingError) as caught:
        wrong()  # type: ignore[operator]
    assert "\n" not in str(caught.value)
