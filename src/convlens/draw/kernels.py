"""Kernels as a table of filters x channels, as colour where they read red, green and blue, as numbers where few."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas, Patch
from convlens.draw.canvas import enlarge as enlarge_pixels
from convlens.draw.colours import Bytes, Floats, Mode, Scale, index, scale_for
from convlens.draw.lettering import format_value, text_width
from convlens.draw.mosaic import as_float32, draw_mosaic, grid_columns
from convlens.draw.page import Legend, compose, swatches
from convlens.draw.survey import survey

_WIDTH = 1200  # pixels that a table of kernels should fit into
_CELL_WITH_VALUE = 48
_MOST_KERNELS_WITH_VALUES = 9
_LARGEST_KERNEL_WITH_VALUES = 5
_LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]

KernelScale = Literal["layer", "map"] | Scale


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
    return draw_kernels(
        kernels,
        scale=scale,
        mode=mode,
        colour=colour,
        numbers=numbers,
        legend=legend,
        title=title,
        caption=caption,
    ).png()


def kernels_pages(
    kernels: npt.ArrayLike,
    *,
    filters_per_page: int = 64,
    channels_per_page: int = 64,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
    colour: bool = False,
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
) -> Iterator[bytes]:
    """Yield PNG pages of at most so many filters x channels, every kernel on exactly one; one scale for all pages.

    >>> len(list(kernels_pages(np.ones((5, 3, 3, 3)), filters_per_page=2)))
    3
    """
    if filters_per_page < 1 or channels_per_page < 1:
        raise ValueError("a page holds at least one filter and one channel")
    values, notes = _two_dimensional(kernels)
    filters, channels = values.shape[:2]
    shared: KernelScale = scale_for(values, mode=mode) if scale == "layer" else scale
    across = max(1, math.ceil(channels / channels_per_page))
    pages = max(1, math.ceil(filters / filters_per_page)) * across
    for page in range(pages):
        first_filter, first_channel = page // across * filters_per_page, page % across * channels_per_page
        last_filter = min(first_filter + filters_per_page, filters)
        last_channel = min(first_channel + channels_per_page, channels)
        place = (
            f"page {page + 1} of {pages}: filters {first_filter} to {last_filter - 1} of {filters}, "
            f"channels {first_channel} to {last_channel - 1} of {channels}"
        )
        yield draw_kernels(
            values[first_filter:last_filter, first_channel:last_channel],
            scale=shared,
            mode=mode,
            colour=colour,
            numbers=numbers,
            legend=legend,
            title=title,
            caption=caption,
            first=(first_filter, first_channel),
            place=" · ".join(filter(None, [notes, place if pages > 1 else ""])),
        ).png()


def draw_kernels(
    kernels: npt.ArrayLike,
    *,
    scale: KernelScale = "layer",
    mode: Mode = "diverging",
    colour: bool = False,
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    first: tuple[int, int] = (0, 0),
    place: str = "",
) -> Canvas:
    """Return ``kernels`` as one canvas; ``first`` are the numbers of the first filter and channel."""
    values, notes = _two_dimensional(kernels)
    place = " · ".join(filter(None, [notes, place]))
    filters, channels, rows, columns = values.shape
    if colour:
        if channels != 3:
            raise ValueError(f"colour needs kernels of 3 channels (red, green, blue), received {channels}")
        return _draw_in_colour(values, scale, numbers, legend, title, caption, first[0], place)
    with_values = _few(values)
    if values.size == 0 or (channels == 1 and rows * columns > 1 and not with_values):
        return draw_mosaic(
            values.reshape(filters, rows * channels, columns) if values.size == 0 else values[:, 0],
            scale=scale,
            mode=mode,
            numbers=numbers,
            legend=legend,
            title=title,
            caption=caption,
            first=first[0],
            place=place,
            noun="kernel",
        )
    return _draw_table(values, scale, mode, numbers, legend, title, caption, first, place, with_values)


def _two_dimensional(kernels: npt.ArrayLike) -> tuple[Floats, str]:
    values = np.asarray(kernels)
    if values.ndim == 3:
        return as_float32(values[:, :, None, :], 4, "filters, channels, rows, columns"), ""
    if values.ndim == 5:
        depth = values.shape[2]
        middle = values[:, :, depth // 2] if depth else values.reshape(*values.shape[:2], 0, values.shape[4])
        note = f"depth slice {depth // 2} of 0 to {depth - 1} is shown"
        return as_float32(middle, 4, "filters, channels, rows, columns"), note
    return as_float32(values, 4, "filters, channels, rows, columns"), ""


def _few(values: Floats) -> bool:
    filters, channels, rows, columns = map(int, values.shape)
    return (
        0 < filters * channels <= _MOST_KERNELS_WITH_VALUES
        and rows * columns > 1
        and max(rows, columns) <= _LARGEST_KERNEL_WITH_VALUES
    )


def _draw_table(
    values: Floats,
    scale: KernelScale,
    mode: Mode,
    numbers: bool,
    legend: bool,
    title: str | None,
    caption: str | None,
    first: tuple[int, int],
    place: str,
    with_values: bool,
) -> Canvas:
    filters, channels, rows, columns = values.shape
    found = survey(values.reshape(filters * channels, rows * columns))
    per_filter = scale == "map"
    if per_filter:
        scales = [scale_for(one, mode="diverging") for one in values]
        indices = np.stack([index(one, own) for one, own in zip(values, scales, strict=True)])
    else:
        scales = [scale if isinstance(scale, Scale) else scale_for(values, mode=mode)]
        indices = index(values, scales[0])
    diverging = scales[0].diverging
    single = rows * columns == 1
    gap = 0 if single else 3 * theme.GAP if with_values else 0
    if with_values:
        factor = _CELL_WITH_VALUE
    elif single:
        factor = max(1, min(16, _WIDTH // channels))
    else:
        gap = 4 if channels * (columns * 2 + 4) <= _WIDTH else 1
        factor = max(1, min(12, (_WIDTH // channels - gap) // columns))
    high, wide = rows * factor, columns * factor
    pitch_y, pitch_x = high + gap, wide + gap
    left, above = 0, 0
    if numbers:
        left = text_width(str(first[0] + filters - 1), theme.SMALL_SIZE) + theme.GAP
        above = _LABEL_HEIGHT
    ranges = [f"±{format_value(s.limit)}" for s in scales] if per_filter else []
    every_row = _every(pitch_y, _LABEL_HEIGHT - 2)
    right = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
    width = left + channels * pitch_x - gap + (theme.GAP + right if ranges else 0)
    what = (
        f"{filters:,} filter{'s' * (filters != 1)} × {channels:,} channel{'s' * (channels != 1)} of {rows} × {columns}"
    )
    bare = not (numbers or legend or title or caption or place or with_values or per_filter)
    canvas, x, y = compose(
        (width, above + filters * pitch_y - gap),
        diverging=diverging,
        title=title,
        notes=" · ".join(filter(None, [what, place])),
        legend=_legend(per_filter, Legend.of_scale(scales[0], found, "")) if legend else None,
        caption=" ".join(filter(None, ["" if single else found.sentence("kernel"), caption])),
        bare=bare,
    )
    x, y = x + left, y + above
    table = np.full((filters, pitch_y, channels, pitch_x), colours.PAGE, np.uint8)
    enlarged = indices.repeat(factor, axis=3).repeat(factor, axis=2)
    table[:, :high, :, :wide] = enlarged.transpose(0, 2, 1, 3)
    canvas.paste(
        x,
        y,
        table.reshape(filters * pitch_y, channels * pitch_x)[: filters * pitch_y - gap, : channels * pitch_x - gap],
    )
    if gap > 1:
        for row in range(filters):
            for column in range(channels):
                canvas.outline(x + column * pitch_x, y + row * pitch_y, wide, high, colours.FRAME)
    elif single:
        canvas.outline(x, y, channels * pitch_x, filters * pitch_y, colours.FRAME)
    if numbers:
        widest = text_width(str(first[1] + channels - 1), theme.SMALL_SIZE) + 6
        for column in range(0, channels, _every(pitch_x, widest)):
            middle = x + column * pitch_x + wide // 2
            _number(canvas, middle, y - 5, first[1] + column, "middle")
        for row in range(0, filters, every_row):
            _number(canvas, x - theme.GAP, y + row * pitch_y + high // 2 + 4, first[0] + row, "end")
    for row, text in enumerate(ranges):
        if row % every_row == 0:
            end = x + channels * pitch_x - gap + theme.GAP
            canvas.write(end, y + row * pitch_y + high // 2 + 4, text, size=theme.SMALL_SIZE, tone=theme.MUTED_TONE)
    if with_values:
        _write_values(canvas, x, y, values, indices, factor, pitch_x, pitch_y)
    return canvas


def _every(pitch: int, needs: int) -> int:
    """Every how many rows or columns a number has room: 1, 2, 4, 8, ..."""
    every = 1
    while every * pitch < needs:
        every *= 2
    return every


def _number(canvas: Canvas, x: int, y: int, number: int, anchor: Literal["start", "middle", "end"]) -> None:
    canvas.write(x, y, str(number), size=theme.SMALL_SIZE, tone=theme.MUTED_TONE, anchor=anchor)


def _legend(per_filter: bool, shared: Legend) -> Legend:
    if not per_filter:
        return shared
    return Legend(True, "-m", "0", "+m", "each filter on its own scale, its m is written beside it", shared.swatches)


def _write_values(
    canvas: Canvas, x: int, y: int, values: Floats, indices: Bytes, factor: int, pitch_x: int, pitch_y: int
) -> None:
    lightness = colours.to_oklab(canvas.palette / 255)[:, 0]
    for (filter_, channel, row, column), value in np.ndenumerate(values):
        dark = lightness[indices[filter_, channel, row, column]] < 0.62
        canvas.write(
            x + channel * pitch_x + column * factor + factor // 2,
            y + filter_ * pitch_y + row * factor + factor // 2 + 4,
            _short(float(value)),
            size=theme.TEXT_SIZE - 1,
            anchor="middle",
            colour=theme.PAGE if dark else theme.INK,
        )


def _short(value: float) -> str:
    if not math.isfinite(value):
        return str(value)
    if value == 0 or 0.01 <= abs(value) < 100:
        return f"{value:.2f}".rstrip("0").rstrip(".") if value == round(value) else f"{value:.2f}"
    return f"{value:.0e}" if abs(value) < 0.01 or abs(value) >= 10000 else f"{value:.0f}"


def _draw_in_colour(
    values: Floats,
    scale: KernelScale,
    numbers: bool,
    legend: bool,
    title: str | None,
    caption: str | None,
    first: int,
    place: str,
) -> Canvas:
    filters, channels, rows, columns = values.shape
    found = survey(values.reshape(filters * channels, rows * columns))
    if scale == "map":
        limits = np.array([scale_for(one, mode="diverging").limit for one in values], np.float32)
    else:
        shared = scale if isinstance(scale, Scale) else scale_for(values, mode="diverging")
        limits = np.full(filters, shared.limit, np.float32)
    pixels = in_colour(values, limits)
    factor = max(1, min(24, (96 if filters <= 64 else 64) // max(rows, columns)))
    high, wide = rows * factor, columns * factor
    ranges = [f"±{format_value(float(limit))}" for limit in limits] if scale == "map" else []
    number = text_width(str(first + filters - 1), theme.SMALL_SIZE) + 6 if numbers else 0
    widest = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
    above = _LABEL_HEIGHT if numbers or ranges else 0
    pitch_x, pitch_y = max(wide, number + widest) + theme.GAP, high + above + theme.GAP
    across = grid_columns(filters, pitch_x, pitch_y)
    down = math.ceil(filters / across)
    note = "red, green, blue: the three channels of a filter, mid-grey is 0"
    if scale == "map":
        bar = Legend(
            True, "-m", "0", "+m", f"{note}; each filter on its own scale, m is written above it", swatches(found), True
        )
    else:
        limit = format_value(float(limits[0]) if filters else 0.0)
        bar = Legend(True, f"-{limit}", "0", limit, note, swatches(found), True)
    what = f"{filters:,} filter{'s' * (filters != 1)} of {rows} × {columns} in colour"
    canvas, left, top = compose(
        (across * pitch_x - theme.GAP, down * pitch_y - theme.GAP),
        diverging=True,
        title=title,
        notes=" · ".join(filter(None, [what, f"enlarged {factor}×" if factor > 1 else "", place])),
        legend=bar if legend else None,
        caption=" ".join(filter(None, [found.sentence("kernel"), caption])),
        bare=not (numbers or legend or title or caption or place or ranges),
    )
    for one in range(filters):
        x, y = left + one % across * pitch_x, top + one // across * pitch_y + above
        canvas.patches.append(Patch(x, y, enlarge_pixels(pixels[one], factor)))
        if numbers:
            _number(canvas, x, y - 5, first + one, "start")
        if ranges:
            canvas.write(x + wide, y - 5, ranges[one], size=theme.SMALL_SIZE, tone=theme.MUTED_TONE, anchor="end")
    return canvas


def in_colour(kernels: Floats, limits: Floats) -> Bytes:
    """Return kernels (filters, 3, rows, columns) as pixels (filters, rows, columns, 3): 128 is 0, 1 and 255 the limits.

    A position with NaN or an infinity in any channel takes its reserved colour.

    >>> in_colour(np.array([[[[0.0]], [[1.0]], [[-1.0]]]], np.float32), np.array([1.0], np.float32)).tolist()
    [[[[128, 255, 1]]]]
    """
    whole = np.where(limits > 0, limits, 1)[:, None, None, None]
    finite = np.where(np.isfinite(kernels), kernels, 0)
    shares = np.clip(finite.astype(np.float64) / whole, -1, 1)
    pixels: Bytes = np.rint(128 + 127 * shares).astype(np.uint8).transpose(0, 2, 3, 1)
    pixels[(kernels == -np.inf).any(axis=1)] = theme.MINUS_INFINITY
    pixels[(kernels == np.inf).any(axis=1)] = theme.PLUS_INFINITY
    pixels[np.isnan(kernels).any(axis=1)] = theme.NOT_A_NUMBER
    return pixels
