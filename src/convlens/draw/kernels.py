"""Kernels as a table of filters x channels, as colour where they read red, green and blue, as numbers where few."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.colour_kernels import draw_in_colour
from convlens.draw.colours import Bytes, Floats, Mode, Scale, index_each, scale_for
from convlens.draw.grid import every, mark
from convlens.draw.lettering import text_width
from convlens.draw.mosaic import draw_mosaic
from convlens.draw.page import Legend, Words, compose, swatches
from convlens.draw.scaling import check_scale, range_texts
from convlens.draw.survey import Survey, as_float32, survey
from convlens.errors import DrawingError

KernelScale = Literal["layer", "map"] | Scale

_LARGEST_AREA = 1_400_000  # pixels that the cells of a table may take together, as long as each keeps one
_LARGEST_CELL, _LARGEST_LONE_CELL = 12, 16  # pixels a side for one value; of a 1x1 kernel
_CELL_WITH_VALUE = 48
_MOST_KERNELS_WITH_VALUES = 9
_LARGEST_KERNEL_WITH_VALUES = 5
_WIDEST = 1800
_WIDTH_TO_HEIGHT = 1.3
_BLOCK_GAP = 4 * theme.GAP
_LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]


def kernels_png(
    kernels: npt.ArrayLike,
    *,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
    colour: bool = False,
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
) -> bytes:
    """Return all ``kernels`` (filters, channels, rows, columns) in one PNG, a row for each filter.

    ``scale`` is shared by the layer, or each filter (``"map"``) has its own. ``colour`` shows the three channels of a
    filter as red, green and blue, mid-grey for 0. 1x1 kernels make one matrix; kernels of one channel are laid out like
    maps; the values stand in the cells where there are few. Kernels of 1-D convolutions (filters, channels, length) are
    one row high; of 3-D ones (filters, channels, depth, rows, columns) the middle slice is shown, and named.

    >>> kernels_png(np.ones((3, 3, 3, 3)), title="conv")[1:4]
    b'PNG'
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    return draw_kernels(kernels, words, scale=scale, mode=mode, colour=colour).png()


def kernels_pages(
    kernels: npt.ArrayLike,
    *,
    filters_per_page: int = 64,
    channels_per_page: int = 64,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
) -> Iterator[bytes]:
    """Yield PNG pages of at most so many filters x channels, every kernel on exactly one; one scale for all pages.

    >>> len(list(kernels_pages(np.ones((5, 3, 3, 3)), filters_per_page=2)))
    3
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    for canvas in draw_kernels_pages(kernels, words, (filters_per_page, channels_per_page), scale=scale, mode=mode):
        yield canvas.png()


def draw_kernels_pages(
    kernels: npt.ArrayLike,
    words: Words,
    per_page: tuple[int, int] = (64, 64),
    *,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
) -> Iterator[Canvas]:
    """Yield the canvases of :func:`kernels_pages`; ``per_page`` is (filters, channels)."""
    if min(per_page) < 1:
        expected = "at least one filter and one channel a page"
        raise DrawingError("No kernel fits on a page", expected=expected, received=str(per_page))
    values, slice_note = two_dimensional(kernels)
    filters, channels = values.shape[:2]
    shared: KernelScale = scale_for(values, mode=mode) if scale == "layer" else scale
    across = max(1, math.ceil(channels / per_page[1]))
    pages = max(1, math.ceil(filters / per_page[0])) * across
    for page in range(pages):
        first = (page // across * per_page[0], page % across * per_page[1])
        last = (min(first[0] + per_page[0], filters), min(first[1] + per_page[1], channels))
        part = (
            f"page {page + 1} of {pages}: filters {first[0]} to {last[0] - 1} of {filters}, "
            f"channels {first[1]} to {last[1] - 1} of {channels}"
        )
        around = words.at(slice_note).at(part if pages > 1 else "")
        yield draw_kernels(values[first[0] : last[0], first[1] : last[1]], around, scale=shared, mode=mode, first=first)


def draw_kernels(
    kernels: npt.ArrayLike,
    words: Words,
    *,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
    colour: bool = False,
    first: tuple[int, int] = (0, 0),
) -> Canvas:
    """Return ``kernels`` as one canvas, see :func:`kernels_png`; ``first`` numbers the first filter and channel."""
    check_scale(scale)
    values, slice_note = two_dimensional(kernels)
    words = words.at(slice_note)
    filters, channels, rows, columns = values.shape
    if values.size == 0:
        nothing = values.reshape(filters, 0, columns)
        return draw_mosaic(nothing, words, first=first[0], noun="kernel")
    if colour:
        return draw_in_colour(values, words, scale)
    if channels == 1 and rows * columns > 1 and not _few(values):
        return draw_mosaic(values[:, 0], words, scale=scale, mode=mode, first=first[0], noun="kernel")
    return _draw_table(values, words, scale, mode, first)


def two_dimensional(kernels: npt.ArrayLike) -> tuple[Floats, str]:
    """Return kernels of any dimension as (filters, channels, rows, columns), and which slice of a volume that is."""
    values = np.asarray(kernels)
    note = ""
    if values.ndim == 3:
        values = values[:, :, None, :]
    elif values.ndim == 5 and values.shape[2]:
        middle = values.shape[2] // 2
        note = f"slice {middle} of depth 0 to {values.shape[2] - 1}"
        values = values[:, :, middle]
    return as_float32(values, 4, "filters, channels, rows, columns"), note


def _few(values: Floats) -> bool:
    filters, channels, rows, columns = map(int, values.shape)
    return filters * channels <= _MOST_KERNELS_WITH_VALUES and 1 < max(rows, columns) <= _LARGEST_KERNEL_WITH_VALUES


class _Table:
    """Where the cells of a table lie: kernels in blocks of filters x channels, side by side where that saves height."""

    def __init__(self, values: Floats, words: Words, first: tuple[int, int], ranges: list[str]) -> None:
        self.filters, self.channels, rows, columns = map(int, values.shape)
        self.with_values = _few(values)
        self.lone = rows * columns == 1
        self.factor, self.gap = self._cell(rows, columns)
        self.high, self.wide = rows * self.factor, columns * self.factor
        self.pitch_y, self.pitch_x = self.high + self.gap, self.wide + self.gap
        self.left, self.above = 0, 0
        if words.numbers:
            self.left = text_width(str(first[0] + self.filters - 1), theme.SMALL_SIZE) + theme.GAP
            self.above = _LABEL_HEIGHT
        right = max((theme.GAP + text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
        self.block_width = self.left + self.channels * self.pitch_x - self.gap + right
        self.per_block = self._per_block()
        self.blocks = math.ceil(self.filters / self.per_block)
        width = self.blocks * (self.block_width + _BLOCK_GAP) - _BLOCK_GAP
        self.size = (width, self.above + self.per_block * self.pitch_y - self.gap)

    def _cell(self, rows: int, columns: int) -> tuple[int, int]:
        if self.with_values:
            return _CELL_WITH_VALUE, 3 * theme.GAP
        if self.lone:
            fits = math.isqrt(_LARGEST_AREA // (self.filters * self.channels))
            return max(1, min(_LARGEST_LONE_CELL, fits)), 0
        for factor in range(_LARGEST_CELL, 1, -1):
            if self.filters * self.channels * (rows * factor + 4) * (columns * factor + 4) <= _LARGEST_AREA:
                return factor, 4
        return 1, 1

    def _per_block(self) -> int:
        if self.with_values:
            return self.filters

        def shape(blocks: int) -> float:
            height = self.above + math.ceil(self.filters / blocks) * self.pitch_y
            return abs(math.log(blocks * (self.block_width + _BLOCK_GAP) / height / _WIDTH_TO_HEIGHT))

        most = max(1, min(self.filters, _WIDEST // (self.block_width + _BLOCK_GAP)))
        blocks = min(range(1, most + 1), key=shape)
        return math.ceil(self.filters / blocks)

    def corner(self, one: int, channel: int = 0) -> tuple[int, int]:
        """Where the kernel of filter ``one`` and ``channel`` begins (x, y), from the corner of the table."""
        block, row = divmod(one, self.per_block)
        x = block * (self.block_width + _BLOCK_GAP) + self.left + channel * self.pitch_x
        return x, self.above + row * self.pitch_y


def _draw_table(values: Floats, words: Words, scale: KernelScale, mode: Mode, first: tuple[int, int]) -> Canvas:
    filters, channels, rows, columns = values.shape
    found = survey(values.reshape(filters * channels, rows * columns))
    ranges = []
    if scale == "map":
        scales = [scale_for(one, mode="diverging") for one in values]
        ranges = range_texts(scales, found)
    else:
        scales = [scale if isinstance(scale, Scale) else scale_for(values, mode=mode)]
    indices = index_each(values, scales)
    table = _Table(values, words, first, ranges)
    what = f"{_counted(filters, 'filter')} (rows) × {_counted(channels, 'channel')} (columns) of {rows} × {columns}"
    canvas, x, y = compose(
        table.size,
        words,
        diverging=scales[0].diverging,
        notes=[what],
        legend=_legend(scales, found),
        remarks=found.sentence("kernel"),
    )
    cells = np.full((filters, table.pitch_y, channels, table.pitch_x), colours.PAGE, np.uint8)
    enlarged = indices.repeat(table.factor, axis=3).repeat(table.factor, axis=2)
    cells[:, : table.high, :, : table.wide] = enlarged.transpose(0, 2, 1, 3)
    for block in range(table.blocks):
        start = block * table.per_block
        stop = min(start + table.per_block, filters)
        left, top = table.corner(start)
        pixels = cells[start:stop].reshape((stop - start) * table.pitch_y, channels * table.pitch_x)
        pixels = pixels[: pixels.shape[0] - table.gap, : pixels.shape[1] - table.gap]
        if table.lone and not words.none:
            canvas.outline(x + left, y + top, pixels.shape[1], pixels.shape[0], colours.FRAME)
        canvas.paste(x + left, y + top, pixels)
        if words.numbers:
            _write_channels(canvas, x + left, y + top, table, first[1])
    if table.gap > 1:
        _frame_kernels(canvas, x, y, table, found)
    _write_filters(canvas, x, y, table, words, first[0], ranges)
    if table.with_values:
        _write_values(canvas, x, y, values, indices, table)
    return canvas


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _legend(scales: list[Scale], found: Survey) -> Legend | None:
    if len(scales) == 1:
        return Legend.of_scale(scales[0], found)
    note = "Each filter on its own scale; its range is written beside it."
    return Legend(True, "lowest", "0", "highest", note, swatches(found))


def _frame_kernels(canvas: Canvas, x: int, y: int, table: _Table, found: Survey) -> None:
    for one in range(table.filters):
        for channel in range(table.channels):
            left, top = table.corner(one, channel)
            kernel = one * table.channels + channel
            canvas.outline(x + left, y + top, table.wide, table.high, colours.FRAME)
            mark(canvas, (x + left, y + top), (table.wide, table.high), found, kernel)


def _write_channels(canvas: Canvas, x: int, y: int, table: _Table, first: int) -> None:
    labelled = every(table.pitch_x, text_width(str(first + table.channels - 1), theme.SMALL_SIZE) + 6)
    for channel in range(0, table.channels, labelled):
        middle = x + channel * table.pitch_x + table.wide // 2
        canvas.write(middle, y - 5, str(first + channel), size=theme.SMALL_SIZE, tone=theme.MUTED_TONE, anchor="middle")


def _write_filters(canvas: Canvas, x: int, y: int, table: _Table, words: Words, first: int, ranges: list[str]) -> None:
    labelled = every(table.pitch_y, _LABEL_HEIGHT - 2)
    for one in range(table.filters):
        if one % table.per_block % labelled:
            continue
        left, top = table.corner(one)
        baseline = y + top + table.high // 2 + 4
        if words.numbers:
            label = str(first + one)
            canvas.write(
                x + left - theme.GAP, baseline, label, size=theme.SMALL_SIZE, tone=theme.MUTED_TONE, anchor="end"
            )
        if ranges:
            end = x + left + table.channels * table.pitch_x - table.gap + theme.GAP
            canvas.write(end, baseline, ranges[one], size=theme.SMALL_SIZE, tone=theme.MUTED_TONE)


def _write_values(canvas: Canvas, x: int, y: int, values: Floats, indices: Bytes, table: _Table) -> None:
    lightness = colours.to_oklab(canvas.palette / 255)[:, 0]
    middle = table.factor // 2
    for (one, channel, row, column), value in np.ndenumerate(values):
        left, top = table.corner(one, channel)
        dark = lightness[indices[one, channel, row, column]] < 0.62
        canvas.write(
            x + left + column * table.factor + middle,
            y + top + row * table.factor + middle + 4,
            short_value(float(value)),
            size=theme.TEXT_SIZE - 1,
            anchor="middle",
            colour=theme.PAGE if dark else theme.INK,
        )


def short_value(value: float) -> str:
    """Return a value in the few characters that fit into a cell.

    >>> [short_value(v) for v in (0.0, 1.0, -0.327, 0.0094, -7.3e-5, 123.4)]
    ['0', '1', '-0.33', '0.009', '-7e-5', '123']
    """
    if not math.isfinite(value):
        return str(value)
    if value == round(value) and abs(value) < 1000:
        return f"{value:.0f}"
    if 0.01 <= abs(value) < 100:
        return f"{value:.2f}"
    text = f"{value:.1g}" if abs(value) < 0.01 else f"{value:.3g}"
    return text.replace("e-0", "e-").replace("e+0", "e+")
