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
from convlens.draw.colours import Bytes, Floats, Mode, Scale, index, scale_for
from convlens.draw.lettering import format_value, text_width
from convlens.draw.page import Legend, compose, swatches
from convlens.draw.survey import Survey, survey

ScaleChoice = Literal["layer", "map"] | Scale

PER_PAGE = 256

_LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]
_LARGEST_PIXEL = 40  # of the picture, for one value of a map
_WIDTH_TO_HEIGHT = 1.5


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
    return draw_map(array, scale=scale, mode=mode, enlarge=enlarge, legend=legend, title=title, caption=caption).png()


def draw_map(
    array: npt.ArrayLike,
    *,
    scale: Scale | None = None,
    mode: Mode = "auto",
    enlarge: int | Literal["auto"] = 1,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
) -> Canvas:
    """Return one map (rows, columns) as a canvas; see :func:`map_png`."""
    values = as_float32(array, 2, "rows, columns")
    rows, columns = values.shape
    factor = _enlargement(rows, columns, 640) if enlarge == "auto" else enlarge
    if factor < 1:
        raise ValueError(f"enlarge is a whole number from 1, received {enlarge}")
    found = survey(values[None])
    shown = scale or scale_for(values, mode=mode)
    bare = not (legend or title or caption)
    canvas, x, y = compose(
        (max(columns * factor, 1), max(rows * factor, 1)),
        diverging=shown.diverging,
        title=title,
        notes="" if bare else " · ".join([f"{rows} × {columns}", *_sizes(factor, 1)]),
        legend=Legend.of_scale(shown, found, "") if legend else None,
        caption=" ".join(filter(None, [found.sentence(), caption])),
        bare=bare,
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
    first: int = 0,
) -> bytes:
    """Return all ``maps`` (channels, rows, columns) in one PNG; ``first`` is the number of the first channel.

    ``scale`` is shared by the layer, or each ``"map"`` has its own, its range written above it. Small maps are enlarged
    by whole numbers; large ones are shown at 1/2, 1/3, ..., each pixel the mean of its block, which the picture says.
    A map with NaN or infinities has a frame of their colour, a constant one a diagonal line.

    >>> mosaic_png(np.random.default_rng(0).normal(size=(8, 5, 5)), title="conv1")[1:4]
    b'PNG'
    """
    return draw_mosaic(
        maps,
        scale=scale,
        mode=mode,
        numbers=numbers,
        legend=legend,
        title=title,
        caption=caption,
        columns=columns,
        first=first,
    ).png()


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
    """Yield PNG pages of at most ``per_page`` maps, every channel on exactly one; the scale is that of all maps."""
    for canvas in draw_mosaic_pages(
        maps,
        per_page=per_page,
        scale=scale,
        mode=mode,
        numbers=numbers,
        legend=legend,
        title=title,
        caption=caption,
        columns=columns,
    ):
        yield canvas.png()


def draw_mosaic_pages(
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
) -> Iterator[Canvas]:
    """Yield the canvases of :func:`mosaic_pages`."""
    if per_page < 1:
        raise ValueError(f"a page holds at least one map, received per_page={per_page}")
    values = as_float32(maps, 3, "channels, rows, columns")
    shared: ScaleChoice = scale_for(values, mode=mode) if scale == "layer" else scale
    channels = values.shape[0]
    pages = max(1, math.ceil(channels / per_page))
    for page in range(pages):
        start, stop = page * per_page, min((page + 1) * per_page, channels)
        place = f"page {page + 1} of {pages}: channels {start} to {stop - 1} of {channels}" if pages > 1 else ""
        yield draw_mosaic(
            values[start:stop],
            scale=shared,
            mode=mode,
            numbers=numbers,
            legend=legend,
            title=title,
            caption=caption,
            columns=columns,
            first=start,
            place=place,
        )


def draw_mosaic(
    maps: npt.ArrayLike,
    *,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    columns: int | None = None,
    first: int = 0,
    place: str = "",
    noun: str = "map",
) -> Canvas:
    """Return all ``maps`` (channels, rows, columns) as one canvas; see :func:`mosaic_png`.

    ``place`` says which part of a layer they are, ``noun`` what one of them is.
    """
    values = as_float32(maps, 3, "channels, rows, columns")
    count, map_rows, map_columns = values.shape
    found = survey(values)
    per_map = scale == "map"
    if per_map:
        scales = [_own_scale(found, channel, mode) for channel in range(count)]
        diverging = any(s.diverging for s in scales)
        if diverging:  # one colour map a picture: its palette has room for no second
            scales = [s if s.diverging else Scale(-s.limit, s.limit, diverging=True) for s in scales]
    else:
        shared = scale if isinstance(scale, Scale) else _layer_scale(found, mode)
        scales, diverging = [shared], shared.diverging

    factor, step = tile_size(count, map_rows, map_columns)
    tiles = _tiles(values, scales, factor, step) if values.size else _empty_tiles(count)
    ranges = [_range_text(s) for s in scales] if per_map else []
    body, cell, across = _grid(count, tiles.shape[1], tiles.shape[2], numbers, ranges, first, columns)
    bare = not (numbers or legend or title or caption or place)
    what = f"{count:,} {noun}{'s' * (count != 1)} of {map_rows} × {map_columns}"
    canvas, left, top = compose(
        body,
        diverging=diverging,
        title=title,
        notes=" · ".join([what, *_sizes(factor, step), *filter(None, [place])]),
        legend=_legend(scales, found, per_map, diverging, noun) if legend and count else None,
        caption=" ".join(filter(None, [found.sentence(noun), caption])),
        bare=bare,
    )
    _place(canvas, left, top, tiles, cell, across, found, numbers, ranges, first)
    return canvas


def as_float32(array: npt.ArrayLike, axes: int, words: str) -> Floats:
    """Return ``array`` as float32 with exactly ``axes`` axes, named ``words``, or say what is wrong."""
    values = np.asarray(array)
    if values.ndim != axes:
        raise ValueError(f"expected an array ({words}), received one of shape {values.shape}")
    if values.dtype == np.float32:
        return np.ascontiguousarray(values)
    with np.errstate(over="ignore"):
        return np.ascontiguousarray(values, dtype=np.float32)


def tile_size(count: int, rows: int, columns: int) -> tuple[int, int]:
    """Return by which whole number a map is enlarged, or its step when it is scaled down; the other one is 1.

    >>> tile_size(512, 14, 14), tile_size(64, 112, 112), tile_size(3, 1438, 1078)
    ((4, 1), (1, 1), (1, 3))
    """
    target = next(
        size for most, size in ((1, 560), (4, 360), (16, 200), (64, 128), (256, 72), (math.inf, 56)) if count <= most
    )
    longest = max(rows, columns, 1)
    most = 1600 if count == 1 else target * 3 // 2
    if longest > most:
        return 1, math.ceil(longest / most)
    return _enlargement(rows, columns, target), 1


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
    with np.errstate(invalid="ignore", over="ignore"):
        sums = np.add.reduceat(np.add.reduceat(maps, row_starts, axis=1), column_starts, axis=2)
        heights = np.minimum(row_starts + step, rows) - row_starts
        widths = np.minimum(column_starts + step, columns) - column_starts
        return np.divide(sums, np.outer(heights, widths), dtype=np.float32)


def _enlargement(rows: int, columns: int, target: int) -> int:
    return max(1, min(target // max(rows, columns, 1), _LARGEST_PIXEL))


def _sizes(factor: int, step: int) -> list[str]:
    if factor > 1:
        return [f"enlarged {factor}×"]
    if step > 1:
        return [f"shown at 1/{step}, each pixel the mean of {step} × {step} values"]
    return []


def _layer_scale(found: Survey, mode: Mode) -> Scale:
    """The same as ``scale_for(values)``, from the ranges that the survey has found already."""
    finite = np.concatenate([found.minimum, found.maximum])
    return scale_for(finite[np.isfinite(finite)], mode=mode)


def _own_scale(found: Survey, channel: int, mode: Mode) -> Scale:
    return scale_for([found.minimum[channel], found.maximum[channel]], mode=mode)


def _range_text(scale: Scale) -> str:
    if scale.minimum == scale.maximum:
        return f"= {format_value(scale.maximum)}"
    if scale.diverging:
        return f"±{format_value(scale.limit)}"
    return f"{format_value(scale.minimum)} to {format_value(scale.maximum)}"


def _legend(scales: list[Scale], found: Survey, per_map: bool, diverging: bool, noun: str) -> Legend:
    if not per_map:
        return Legend.of_scale(scales[0], found, "")
    if diverging:
        return Legend(True, "-m", "0", "+m", f"each {noun} on its own scale, m is written above it", swatches(found))
    zero = all(s.minimum == 0 for s in scales)
    low = "0" if zero else "lowest"
    return Legend(False, low, "", "highest", f"each {noun} on its own scale, written above it", swatches(found))


def _tiles(values: Floats, scales: list[Scale], factor: int, step: int) -> Bytes:
    small = shrink(values, step)
    if len(scales) == 1:
        indices = index(small, scales[0])
    else:
        indices = np.stack([index(one, own) for one, own in zip(small, scales, strict=True)])
    return indices if factor == 1 else indices.repeat(factor, axis=2).repeat(factor, axis=1)


def _empty_tiles(count: int) -> Bytes:
    return np.full((count, 40, 40), colours.EMPTY, np.uint8)


def _grid(
    count: int, height: int, width: int, numbers: bool, ranges: list[str], first: int, columns: int | None
) -> tuple[tuple[int, int], tuple[int, int, int], int]:
    """Return the body's (width, height), a cell's (width, height, where its tile begins), and the number of columns."""
    number = text_width(str(first + max(count - 1, 0)), theme.SMALL_SIZE) if numbers else 0
    widest = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
    lines = 1 if numbers or ranges else 0
    if numbers and ranges and number + theme.GAP + widest > width:
        lines = 2
    needs = max(number, widest) if lines == 2 else number + widest
    label = lines * _LABEL_HEIGHT
    cell_width, cell_height = max(width, needs) + theme.GAP, height + label + theme.GAP
    across = columns or grid_columns(count, cell_width, cell_height)
    across = max(1, min(across, count or 1))
    down = math.ceil(count / across)
    return (
        (across * cell_width - theme.GAP, max(down * cell_height - theme.GAP, 1)),
        (cell_width, cell_height, label),
        across,
    )


def grid_columns(count: int, width: int, height: int) -> int:
    """Return a number of columns that makes the grid a little wider than high, and full where the count allows it."""
    ideal = math.sqrt(max(count, 1) * _WIDTH_TO_HEIGHT * height / width)
    near = range(max(1, round(ideal * 0.75)), max(1, round(ideal * 1.3)) + 1)
    return min(near, key=lambda across: (-count % across > 0, abs(math.log(across / ideal))))


def _place(
    canvas: Canvas,
    left: int,
    top: int,
    tiles: Bytes,
    cell: tuple[int, int, int],
    across: int,
    found: Survey,
    numbers: bool,
    ranges: list[str],
    first: int,
) -> None:
    count, height, width = tiles.shape
    cell_width, cell_height, label = cell
    framed = bool(label)
    constant, strange = found.constant, found.strange
    for position in range(count):
        row, column = divmod(position, across)
        x, y = left + column * cell_width, top + row * cell_height + label
        if framed:
            canvas.outline(x, y, width, height, colours.FRAME)
        canvas.pixels[y : y + height, x : x + width] = tiles[position]
        if numbers:
            baseline = y - label + theme.SMALL_SIZE
            canvas.texts.append(Text(x, baseline, str(first + position), theme.SMALL_SIZE, theme.MUTED_TONE))
        if ranges:
            canvas.write(
                x + (width if label == _LABEL_HEIGHT else 0),
                y - 5,
                ranges[position],
                size=theme.SMALL_SIZE,
                tone=theme.MUTED_TONE,
                anchor="end" if label == _LABEL_HEIGHT else "start",
            )
        if constant[position] or found.size == 0:
            _diagonal(canvas, x, y, width, height)
        if strange[position]:
            canvas.outline(x, y, width, height, _strangest(found, position), 2)


def _strangest(found: Survey, channel: int) -> int:
    if found.nan[channel]:
        return colours.NOT_A_NUMBER
    return colours.PLUS_INFINITY if found.plus_infinity[channel] else colours.MINUS_INFINITY


def _diagonal(canvas: Canvas, x: int, y: int, width: int, height: int) -> None:
    steps = np.arange(max(width, height))
    rows = steps * (height - 1) // max(len(steps) - 1, 1)
    columns = steps * (width - 1) // max(len(steps) - 1, 1)
    canvas.pixels[y + height - 1 - rows, x + columns] = colours.STRIKE
