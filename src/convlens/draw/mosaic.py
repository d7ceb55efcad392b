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
from convlens.draw.lettering import format_value, text_width
from convlens.draw.page import Legend, Words, compose, swatches
from convlens.draw.survey import Survey, survey
from convlens.errors import DrawingError

ScaleChoice = Literal["layer", "map"] | Scale

PER_PAGE = 256

_LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]
_LARGEST_PIXEL = 40  # of the picture, for one value of a map
_EMPTY_TILE = 40
_WIDTH_TO_HEIGHT = 1.5
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
    grid = _Grid.of(tiles, str(first + max(count - 1, 0)) if words.numbers else "", ranges, columns)
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
            beside = grid.label == _LABEL_HEIGHT and words.numbers
            x_range = x + width if beside else x
            anchor: Literal["start", "end"] = "end" if beside else "start"
            canvas.texts.append(Text(x_range, y - 5, ranges[position], theme.SMALL_SIZE, theme.MUTED_TONE, anchor))
    return canvas


def as_float32(array: npt.ArrayLike, axes: int, words: str) -> Floats:
    """Return ``array`` as float32 with exactly ``axes`` axes, named ``words``, or say what is wrong."""
    values = np.asarray(array)
    if values.ndim != axes:
        raise DrawingError("Can't draw this array", expected=f"axes ({words})", received=f"shape {values.shape}")
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


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


def layer_scale(found: Survey, mode: Mode) -> Scale:
    """Return :func:`scale_for` of the surveyed values, without reading them again."""
    ends = np.concatenate([found.minimum, found.maximum])
    return scale_for(ends[np.isfinite(ends)], mode=mode)


def own_scales(found: Survey, mode: Mode) -> list[Scale]:
    """Return a scale for each surveyed map; all are diverging where one is, since a picture has one colour map."""
    scales = [scale_for(ends, mode=mode) for ends in zip(found.minimum, found.maximum, strict=True)]
    if any(scale.diverging for scale in scales):
        return [Scale(-scale.limit, scale.limit, diverging=True) for scale in scales]
    return scales


def range_texts(scales: list[Scale], found: Survey) -> list[str]:
    """Return in words the range of each map's own scale; ``found`` has as many maps, or several of each scale.

    >>> range_texts([Scale(-2.0, 2.0, diverging=True)], survey(np.array([[-2.0, 1.0]])))
    ['±2']
    """
    minimum = found.minimum.reshape(len(scales), -1)
    maximum = found.maximum.reshape(len(scales), -1)
    texts = []
    for scale, low, high in zip(scales, minimum, maximum, strict=True):
        if np.isnan(low).all():
            texts.append("no number")
        elif np.nanmin(low) == np.nanmax(high):
            texts.append(f"= {format_value(float(np.nanmax(high)))}")
        elif scale.diverging:
            texts.append(f"±{format_value(scale.limit)}")
        else:
            texts.append(f"{format_value(scale.minimum)} to {format_value(scale.maximum)}")
    return texts


def check_scale(scale: ScaleChoice) -> None:
    """Raise a :class:`DrawingError` for a scale that there isn't."""
    if not isinstance(scale, Scale) and scale not in ("layer", "map"):
        raise DrawingError("No such scale", expected="'layer', 'map' or a Scale", received=repr(scale))


def grid_columns(count: int, width: int, height: int) -> int:
    """Return a number of columns that makes the grid a little wider than high, and full where the count allows it.

    >>> grid_columns(32, 120, 136), grid_columns(3, 100, 100), grid_columns(7, 100, 100)
    (8, 3, 3)
    """
    ideal = math.sqrt(max(count, 1) * _WIDTH_TO_HEIGHT * height / width)
    near = range(max(1, round(ideal * 0.75)), min(max(count, 1), max(1, round(ideal * 1.4))) + 1)
    return min(near or [max(count, 1)], key=lambda across: (-count % across > 0, abs(math.log(across / ideal))))


class _Grid:
    """Where the tiles of a mosaic lie: cells of (width, height), ``label`` pixels of text above each tile."""

    def __init__(self, count: int, columns: int, cell: tuple[int, int], label: int) -> None:
        self.columns = columns
        self.cell = cell
        self.label = label
        width, height = cell
        rows = math.ceil(count / columns)
        self.size = (columns * width - theme.GAP, max(rows * height - theme.GAP, 1))

    @classmethod
    def of(cls, tiles: Bytes, widest_number: str, ranges: list[str], columns: int | None) -> _Grid:
        count, height, width = tiles.shape
        number = text_width(widest_number, theme.SMALL_SIZE) if widest_number else 0
        widest = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
        two_lines = bool(number and widest and number + theme.GAP + widest > width)
        label = _LABEL_HEIGHT * (2 if two_lines else 1 if number or widest else 0)
        cell = (max(width, number, widest) + theme.GAP, height + label + theme.GAP)
        return cls(count, max(1, min(columns or grid_columns(count, *cell), max(count, 1))), cell, label)

    def corner(self, position: int, left: int, top: int) -> tuple[int, int]:
        row, column = divmod(position, self.columns)
        return left + column * self.cell[0], top + row * self.cell[1] + self.label


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


def every(pitch: int, needs: int) -> int:
    """Return every how many rows or columns a label that ``needs`` so many pixels has room: 1, 2, 4, 8, ...

    >>> every(16, 14), every(4, 14)
    (1, 4)
    """
    count = 1
    while count * pitch < needs:
        count *= 2
    return count


def mark(
    canvas: Canvas, corner: tuple[int, int], size: tuple[int, int], found: Survey, one: int, thickness: int = 2
) -> None:
    """Mark the tile of one surveyed map: a diagonal where it is constant or empty, a frame where it has no numbers."""
    if found.size == 0 or found.constant[one]:
        _diagonal(canvas, *corner, *size)
    if found.nan[one]:
        canvas.outline(*corner, *size, colours.NOT_A_NUMBER, thickness)
    elif found.plus_infinity[one]:
        canvas.outline(*corner, *size, colours.PLUS_INFINITY, thickness)
    elif found.minus_infinity[one]:
        canvas.outline(*corner, *size, colours.MINUS_INFINITY, thickness)


def _diagonal(canvas: Canvas, x: int, y: int, width: int, height: int) -> None:
    steps = np.arange(max(width, height))
    last = max(len(steps) - 1, 1)
    canvas.pixels[y + height - 1 - steps * (height - 1) // last, x + steps * (width - 1) // last] = colours.STRIKE
