"""Feature maps side by side: a layer in one picture, or on numbered pages, with nothing left out in silence."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas, Text
from convlens.draw.canvas import enlarge as enlarge_pixels
from convlens.draw.colours import Bytes, Floats, Mode, Scale, index, index_each, scale_for
from convlens.draw.grid import LABEL_HEIGHT, Grid, mark
from convlens.draw.page import Legend, Words, compose, swatches
from convlens.draw.scaling import ScaleChoice, check_scale, layer_scale, own_scales, range_texts
from convlens.draw.survey import Survey, as_float32, survey
from convlens.errors import DrawingError

PER_PAGE = 256

_LARGEST_PIXEL = 40  # of the picture, for one value of a map
_EMPTY_TILE = 40
# Up to so many maps, the longest side of each on the picture.
_SIDES = ((1, 560), (4, 360), (16, 200), (64, 128), (256, 72), (math.inf, 56))
_LONGEST_SIDE_ALONE = 1600


def map_png(
    array: npt.ArrayLike,
    *,
    scale: Scale | None = None,
    mode: Mode = "auto",
    enlarge: int | Literal["auto"] = 1,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
) -> bytes:
    """Return one map (rows, columns) as PNG, every value a pixel or a square of ``enlarge`` x ``enlarge`` pixels.

    Never scaled down. Without ``legend``, ``title`` and ``caption`` the picture is the map and nothing else.

    >>> map_png(np.eye(4))[1:4]
    b'PNG'
    """
    words = Words(title, caption, numbers=False, legend=legend)
    return draw_map(array, words, scale=scale, mode=mode, enlarge=enlarge).png()


def draw_map(
    array: npt.ArrayLike,
    words: Words,
    *,
    scale: Scale | None = None,
    mode: Mode = "auto",
    enlarge: int | Literal["auto"] = 1,
) -> Canvas:
    """Return one map (rows, columns) as a canvas; see :func:`map_png`."""
    values = as_float32(array, 2, "rows, columns")
    rows, columns = values.shape
    factor = _enlargement(rows, columns, _SIDES[0][1]) if enlarge == "auto" else enlarge
    if factor < 1:
        raise DrawingError("Can't enlarge", expected="a whole number from 1, or 'auto'", received=repr(enlarge))
    found = survey(values[None])
    shown = scale or layer_scale(found, mode)
    canvas, x, y = compose(
        (max(columns * factor, 1), max(rows * factor, 1)),
        words,
        diverging=shown.diverging,
        notes=[f"{rows} × {columns}", _size_note(factor, 1)],
        legend=Legend.of_scale(shown, found),
        remarks=found.sentence(),
    )
    if values.size:
        canvas.paste(x, y, enlarge_pixels(index(values, shown), factor))
    return canvas


def mosaic_png(
    maps: npt.ArrayLike,
    *,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    columns: int | None = None,
) -> bytes:
    """Return all ``maps`` (channels, rows, columns) in one PNG.

    ``scale`` is shared by the layer, or each ``"map"`` has its own, its range written above it. Small maps are enlarged
    by whole numbers; large ones are shown at 1/2, 1/3, ..., each pixel the mean of its block, which the picture says.
    A map with NaN or infinities has a frame of their colour, a constant one a diagonal line.

    >>> mosaic_png(np.random.default_rng(0).normal(size=(8, 5, 5)), title="conv1")[1:4]
    b'PNG'
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    return draw_mosaic(maps, words, scale=scale, mode=mode, columns=columns).png()


def mosaic_pages(
    maps: npt.ArrayLike,
    *,
    per_page: int = PER_PAGE,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    columns: int | None = None,
) -> Iterator[bytes]:
    """Yield PNG pages of at most ``per_page`` maps, every channel on exactly one; the scale is that of all maps.

    >>> len(list(mosaic_pages(np.zeros((5, 2, 2)), per_page=2)))
    3
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    for canvas in draw_mosaic_pages(maps, words, per_page=per_page, scale=scale, mode=mode, columns=columns):
        yield canvas.png()


def draw_mosaic_pages(
    maps: npt.ArrayLike,
    words: Words,
    *,
    per_page: int = PER_PAGE,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    columns: int | None = None,
) -> Iterator[Canvas]:
    """Yield the canvases of :func:`mosaic_pages`."""
    if per_page < 1:
        raise DrawingError("No map fits on a page", expected="per_page from 1", received=str(per_page))
    values = as_float32(maps, 3, "channels, rows, columns")
    shared: ScaleChoice = scale_for(values, mode=mode) if scale == "layer" else scale
    channels = values.shape[0]
    pages = max(1, math.ceil(channels / per_page))
    for page in range(pages):
        start, stop = page * per_page, min((page + 1) * per_page, channels)
        part = f"page {page + 1} of {pages}: channels {start} to {stop - 1} of {channels}" if pages > 1 else ""
        yield draw_mosaic(values[start:stop], words.at(part), scale=shared, mode=mode, columns=columns, first=start)


def draw_mosaic(
    maps: npt.ArrayLike,
    words: Words,
    *,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    columns: int | None = None,
    first: int = 0,
    noun: str = "map",
) -> Canvas:
    """Return all ``maps`` (channels, rows, columns) as one canvas; see :func:`mosaic_png`.

    ``first`` is the number of the first channel, ``noun`` what one of the maps is.
    """
    check_scale(scale)
    values = as_float32(maps, 3, "channels, rows, columns")
    count, map_rows, map_columns = values.shape
    found = survey(values)
    if scale == "map":
        scales = own_scales(found, mode)
    else:
        scales = [scale if isinstance(scale, Scale) else layer_scale(found, mode)]
    diverging = any(one.diverging for one in scales)
    ranges = range_texts(scales, found) if scale == "map" else []
    factor, step = tile_size(count, map_rows, map_columns)
    tiles = _tiles(values, scales, factor, step) if values.size else _empty_tiles(count)
    grid = Grid.of(tiles, str(first + max(count - 1, 0)) if words.numbers else "", ranges, columns)
    canvas, left, top = compose(
        grid.size,
        words,
        diverging=diverging,
        notes=[
            f"{count:,} {noun}{'s' * (count != 1)} of {map_rows} × {map_columns}",
            _size_note(factor, step) if values.size else "",
        ],
        legend=_own_legend(scales, found, noun) if scale == "map" else Legend.of_scale(scales[0], found),
        remarks=found.sentence(noun),
    )
    for position, tile in enumerate(tiles):
        x, y = grid.corner(position, left, top)
        height, width = tile.shape
        canvas.paste(x, y, tile)
        if not words.none:
            canvas.outline(x, y, width, height, colours.FRAME)
            mark(canvas, (x, y), (width, height), found, position)
        if words.numbers:
            baseline = y - grid.label + theme.SMALL_SIZE
            canvas.texts.append(Text(x, baseline, str(first + position), theme.SMALL_SIZE, theme.MUTED_TONE))
        if ranges:
            beside = grid.label == LABEL_HEIGHT and words.numbers
            x_range = x + width if beside else x
            anchor: Literal["start", "end"] = "end" if beside else "start"
            canvas.texts.append(Text(x_range, y - 5, ranges[position], theme.SMALL_SIZE, theme.MUTED_TONE, anchor))
    return canvas


def tile_size(count: int, rows: int, columns: int) -> tuple[int, int]:
    """Return by which whole number a map is enlarged, and its step when it is scaled down; one of the two is 1.

    >>> tile_size(512, 14, 14), tile_size(64, 112, 112), tile_size(3, 1438, 1078)
    ((4, 1), (1, 1), (1, 3))
    """
    side = next(side for most, side in _SIDES if count <= most)
    longest = max(rows, columns, 1)
    most = _LONGEST_SIDE_ALONE if count == 1 else side * 3 // 2
    if longest > most:
        return 1, math.ceil(longest / most)
    return _enlargement(rows, columns, side), 1


def shrink(maps: Floats, step: int) -> Floats:
    """Return the means of blocks of ``step`` x ``step`` values of maps (channels, rows, columns); the last may be part.

    A block with a NaN or an infinity has it as its mean, so that none is lost.

    >>> shrink(np.arange(9, dtype=np.float32).reshape(1, 3, 3), 2).tolist()
    [[[2.0, 3.5], [6.5, 8.0]]]
    """
    if step == 1:
        return maps
    rows, columns = maps.shape[1:]
    row_starts, column_starts = np.arange(0, rows, step), np.arange(0, columns, step)
    heights = np.minimum(row_starts + step, rows) - row_starts
    widths = np.minimum(column_starts + step, columns) - column_starts
    shares = (1 / np.outer(heights, widths)).astype(np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        means: Floats = np.add.reduceat(np.add.reduceat(maps, row_starts, axis=1), column_starts, axis=2)
        means *= shares
    return means


def _enlargement(rows: int, columns: int, side: int) -> int:
    return max(1, min(side // max(rows, columns, 1), _LARGEST_PIXEL))


def _size_note(factor: int, step: int) -> str:
    if factor > 1:
        return f"enlarged {factor}×"
    return f"shown at 1/{step}, each pixel the mean of {step} × {step} values" if step > 1 else ""


def _own_legend(scales: list[Scale], found: Survey, noun: str) -> Legend:
    note = f"Each {noun} on its own scale; its range is written above it."
    if any(scale.diverging for scale in scales):
        return Legend(True, "lowest", "0", "highest", note, swatches(found))
    from_zero = all(scale.minimum == 0 for scale in scales)
    return Legend(False, "0" if from_zero else "lowest", "", "highest", note, swatches(found))


def _tiles(values: Floats, scales: list[Scale], factor: int, step: int) -> Bytes:
    indices = index_each(shrink(values, step), scales)
    return indices if factor == 1 else indices.repeat(factor, axis=2).repeat(factor, axis=1)


def _empty_tiles(count: int) -> Bytes:
    return np.full((count, _EMPTY_TILE, _EMPTY_TILE), colours.EMPTY, np.uint8)
