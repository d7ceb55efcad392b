"""Figures for papers: the same colours, honest words, fonts embedded."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.text import Text

from convlens.draw import figures
from convlens.draw.colours import colour_map, index, scale_for
from convlens.draw.figures import paper_figure, plot_kernels, plot_map, plot_maps
from convlens.errors import DrawingError, MissingDependencyError

rng = np.random.default_rng(0)


def words_of(figure: Figure) -> str:
    figure.canvas.draw()
    return " ".join(text.get_text() for text in figure.findobj(Text) if isinstance(text, Text))


def test_a_plotted_map_has_our_colours_and_true_values() -> None:
    values = rng.normal(size=(6, 8)).astype(np.float32)
    figure = plot_map(values, title="conv $x$")
    image = figure.axes[0].get_images()[0]
    scale = scale_for(values)
    shown = image.to_rgba(values, bytes=True)[..., :3]
    # matplotlib rounds down where ours rounds to the nearest: at most one of 239 steps apart
    steps = np.abs(shown[:, :, None].astype(int) - colour_map(True).astype(int)).sum(axis=3).argmin(axis=2)
    assert np.abs(steps - index(values, scale)).max() <= 1
    assert (np.asarray(image.get_array()) == values).all()
    assert image.get_interpolation() == "nearest"
    assert figure.axes[1].get_ylim() == pytest.approx((-scale.limit, scale.limit))


def test_the_axes_of_a_map_count_rows_and_columns() -> None:
    ax = plot_map(np.zeros((4, 7))).axes[0]
    assert (ax.get_xlim(), ax.get_ylim()) == ((-0.5, 6.5), (3.5, -0.5))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("column", "row")


def test_row_19_nan_and_infinities_are_drawn_and_counted() -> None:
    values = np.zeros((4, 4), np.float32)
    values[0, :3] = np.nan, np.inf, -np.inf
    figure = plot_map(values)
    first, overlay = figure.axes[0].get_images()
    assert first.to_rgba(np.ma.masked_invalid(values), bytes=True)[0, 0, :3].tolist() == [255, 45, 166]
    painted = np.asarray(overlay.get_array())[0, :3].tolist()
    assert painted == [[0, 0, 0, 0], [126, 222, 30, 255], [0, 0, 0, 255]]
    said = words_of(figure)
    for told in ("1 map has NaN", "1 map has +inf", "1 map has -inf"):
        assert told in said


@pytest.mark.parametrize("value", [0.0, 7.0, -7.0])
def test_row_19_a_constant_map_has_its_value_on_the_bar(value: float) -> None:
    figure = plot_map(np.full((3, 3), value))
    assert f"1 map is constant: {value:g}." in words_of(figure)


def test_row_19_an_empty_map_says_so() -> None:
    assert "empty" in words_of(plot_map(np.zeros((0, 3))))
    assert "empty" in words_of(plot_maps(np.zeros((2, 0, 3))))


@pytest.mark.parametrize("count", [1, 2, 5, 32, 64])
def test_every_map_up_to_64_is_shown_and_numbered(count: int) -> None:
    figure = plot_maps(rng.normal(size=(count, 5, 5)), title="conv")
    titles = [ax.get_title(loc="left") for ax in figure.axes[:count]]
    assert titles == [str(channel) for channel in range(count)]
    assert "shown" not in words_of(figure)


def test_more_than_64_maps_are_limited_in_words_on_the_scale_of_all() -> None:
    maps = rng.normal(size=(70, 4, 4)).astype(np.float32)
    maps[69, 0, 0] = 50
    figure = plot_maps(maps)
    assert "The first 64 of 70 maps are shown." in words_of(figure)
    assert figure.axes[0].get_images()[0].get_clim() == (-50, 50)


def test_channels_choose_the_maps() -> None:
    maps = rng.normal(size=(70, 4, 4)).astype(np.float32)
    figure = plot_maps(maps, channels=[69, 3])
    assert [ax.get_title(loc="left") for ax in figure.axes[:2]] == ["69", "3"]
    assert (np.asarray(figure.axes[0].get_images()[0].get_array()) == maps[69]).all()
    with pytest.raises(DrawingError, match="channels 0 to 69"):
        plot_maps(maps, channels=[70])


def test_each_map_on_its_own_scale_has_its_range_in_its_title() -> None:
    maps = np.stack([np.eye(3), 10 * np.eye(3)])
    figure = plot_maps(maps, scale="map")
    assert [ax.get_title(loc="left") for ax in figure.axes] == ["0: 0 to 1", "1: 0 to 10"]
    assert "Each map on its own scale." in words_of(figure)


def test_axes_of_the_caller_are_drawn_into_and_their_figure_returned() -> None:
    own = Figure()
    left, right = own.subplots(1, 2)
    assert plot_map(np.eye(3), ax=left) is own
    assert plot_maps(rng.normal(size=(9, 3, 3)), ax=right, title="nine") is own
    assert len(right.child_axes) == 9
    assert left.get_images()
    part = Figure()
    nested = part.add_subfigure(part.add_gridspec(1, 2)[0]).subplots()
    assert plot_map(np.eye(3), ax=nested) is part


def test_kernels_are_a_row_a_filter() -> None:
    figure = plot_kernels(rng.normal(size=(3, 2, 3, 3)))
    titles = [ax.get_title(loc="left") for ax in figure.axes[:6]]
    assert titles == ["0, 0", "0, 1", "1, 0", "1, 1", "2, 0", "2, 1"]
    many = plot_kernels(rng.normal(size=(32, 64, 3, 3)))
    assert "The first 8 of 32 filters and 8 of 64 channels are shown." in words_of(many)


def test_row_32_maps_of_other_dimensions_are_plotted() -> None:
    strips = plot_maps(rng.normal(size=(3, 50)), title="1-D")
    assert (strips.axes[0].get_ylabel(), strips.axes[0].get_xlabel()) == ("channel", "position")
    volume = rng.normal(size=(3, 9, 5, 5)).astype(np.float32)
    figure = plot_maps(volume)
    assert "Slice 4 of depth 0 to 8 is shown." in words_of(figure)
    assert (np.asarray(figure.axes[2].get_images()[0].get_array()) == volume[2, 4]).all()
    assert "Shown: slice 1 of depth 0 to 2." in words_of(plot_kernels(rng.normal(size=(2, 2, 3, 3, 3))))


def test_a_vector_is_bars_of_its_values() -> None:
    figure = plot_maps([1.0, -2.0, 3.0])
    assert [bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)] == [1.0, -2.0, 3.0]


def test_saved_figures_embed_their_fonts() -> None:
    buffer = io.BytesIO()
    plot_map(np.eye(3), title="conv").savefig(buffer, format="pdf")
    assert b"/FontFile2" in buffer.getvalue()
    assert b"/Type3" not in buffer.getvalue()


def test_no_figure_is_left_open() -> None:
    from matplotlib import pyplot

    before = pyplot.get_fignums()
    plot_maps(np.ones((3, 3, 3)))
    assert pyplot.get_fignums() == before


def test_without_matplotlib_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'convlens\[plot\]'"):
        figures.plot_map(np.eye(3))


def test_drawing_imports_neither_matplotlib_nor_pillow() -> None:
    code = (
        "import sys, convlens.draw.layers, convlens.draw.kernels, convlens.draw.saving, convlens.draw.diagram, "
        "convlens.draw.figures; print([m for m in ('matplotlib', 'PIL') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


CAPTION = "central crop to 224 rows x 224 columns (bicubic); value = pixel (0..255) / $x$"


@pytest.mark.parametrize("inside", [False, True], ids=["alone", "in axes"])
@pytest.mark.parametrize(
    "draw",
    [
        lambda **options: plot_map(np.eye(4), **options),
        lambda **options: plot_maps(np.ones((3, 4, 4)), **options),
        lambda **options: plot_maps(np.ones((3, 9)), **options),
        lambda **options: plot_maps(np.ones(5), **options),
        lambda **options: plot_kernels(np.ones((2, 3, 3, 3)), **options),
    ],
    ids=["map", "maps", "rows", "vector", "kernels"],
)
def test_the_caption_is_in_the_figure(draw: Callable[..., Figure], inside: bool) -> None:
    options = {"ax": paper_figure(5, 4).add_subplot()} if inside else {}
    assert CAPTION.replace("$", r"\$") in " ".join(words_of(draw(caption=CAPTION, **options)).split())


def test_other_filters_and_channels_than_the_first_can_be_chosen() -> None:
    kernels = rng.normal(size=(20, 12, 3, 3)).astype(np.float32)
    figure = plot_kernels(kernels, filters=[19, 9], channels=[11, 2, 3])
    tiles = figure.axes[:6]
    assert [ax.get_title(loc="left") for ax in tiles] == ["19, 11", "19, 2", "19, 3", "9, 11", "9, 2", "9, 3"]
    assert (np.asarray(tiles[4].get_images()[0].get_array()) == kernels[9, 2]).all()
    assert "shown" not in words_of(figure)
    assert "The first 8 of 12 channels are shown." in words_of(plot_kernels(kernels, filters=[19]))
    assert len(plot_kernels(kernels, filters=range(20), channels=[0]).axes) == 21
    with pytest.raises(DrawingError, match="filters 0 to 19"):
        plot_kernels(kernels, filters=[20])
    with pytest.raises(DrawingError, match="channels 0 to 11"):
        plot_kernels(kernels, channels=[])


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("size", [(6.4, 4.8), (4, 8), (12, 3)])
def test_side_by_side_nothing_lies_on_anything_else(layout: Any, size: tuple[float, float]) -> None:
    figure = Figure(figsize=size, layout=layout)
    left, right = figure.subplots(1, 2)
    plot_maps(rng.normal(size=(32, 9, 12)), ax=left, title="stage1.block2.conv1 · Conv · 32 x 9 x 12", caption=CAPTION)
    plot_kernels(rng.normal(size=(16, 3, 3, 3)), ax=right, title="stage1.block2.conv1  16 x 3 kernels of 3 x 3")
    figure.canvas.draw()
    texts = [found for found in figure.findobj(Text) if isinstance(found, Text) and found.get_text().strip()]
    tiles = [one for ax in (left, right) for one in ax.child_axes]
    assert len(tiles) == 32 + 24
    for tile in tiles:  # matplotlib asks the locator anew at each drawing, and forgets the answer
        tile.apply_aspect(tile.get_axes_locator()(tile, None))
    ours = [found for found in texts if found.axes in (left, right, *tiles)]
    assert len(ours) == len(tiles) + 4  # a number each; two titles, the caption, what is shown
    boxes = [found.get_window_extent() for found in ours]
    for place, box in enumerate(boxes):
        for other in (*boxes[place + 1 :], *(tile.get_window_extent() for tile in tiles)):
            assert not box.padded(-0.5).overlaps(other.padded(-0.5)), ours[place].get_text()
