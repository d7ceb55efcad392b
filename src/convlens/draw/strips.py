"""Maps without rows and columns: 1-D maps as strips of colour, vectors as bars of the largest and a grid of all."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.canvas import enlarge as enlarge_pixels
from convlens.draw.colours import Floats, Mode, Scale, index, index_each, scale_for
from convlens.draw.grid import every, mark
from convlens.draw.lettering import format_value, one_line, text_width, wrap
from convlens.draw.mosaic import PER_PAGE
from convlens.draw.page import Legend, Words, compose, swatches
from convlens.draw.scaling import ScaleChoice, check_scale, layer_scale, own_scales, range_texts
from convlens.draw.survey import as_float32, survey

_LENGTH = 1040  # pixels that a strip should fit into
_LONGEST = 1600
_LARGEST_PIXEL = 24
_HEIGHT = 800  # pixels that the strips together should fit into
_STRIP_HEIGHT = (4, 20)  # pixels, at least and at most
_CELL = 16
_BAR_ROW = 24
_BAR_LENGTH = 320
_LABEL_WIDTH = 280
_SMALL = theme.SMALL_SIZE


def draw_strip_pages(
    maps: npt.ArrayLike,
    words: Words,
    *,
    per_page: int = PER_PAGE,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
) -> Iterator[Canvas]:
    """Yield 1-D maps (channels, length) as pages of at most ``per_page`` strips, every channel on exactly one."""
    values = as_float32(maps, 2, "channels, length")
    shared: ScaleChoice = scale_for(values, mode=mode) if scale == "layer" else scale
    channels = values.shape[0]
    pages = max(1, math.ceil(channels / per_page))
    for page in range(pages):
        start, stop = page * per_page, min((page + 1) * per_page, channels)
        part = f"page {page + 1} of {pages}: channels {start} to {stop - 1} of {channels}" if pages > 1 else ""
        yield draw_strips(values[start:stop], words.at(part), scale=shared, mode=mode, first=start)


def draw_strips(
    maps: npt.ArrayLike, words: Words, *, scale: ScaleChoice = "layer", mode: Mode = "auto", first: int = 0
) -> Canvas:
    """Return 1-D maps (channels, length) as one canvas: a strip a channel, the positions from left to right."""
    check_scale(scale)
    values = as_float32(maps, 2, "channels, length")
    channels, length = values.shape
    found = survey(values)
    if scale == "map" and channels:
        scales = own_scales(found, mode)
    else:
        scales = [scale if isinstance(scale, Scale) else layer_scale(found, mode)]
    step = math.ceil(length / _LONGEST) if length > _LONGEST else 1
    factor = max(1, min(_LARGEST_PIXEL, _LENGTH // max(length, 1)))
    indices = index_each(_mean_along(values, step), scales)
    pitch = max(_STRIP_HEIGHT[0], min(_STRIP_HEIGHT[1], _HEIGHT // max(channels, 1)))
    gap = 2 if pitch >= 8 else 0
    width = max(indices.shape[1] * factor, 1)
    ranges = range_texts(scales, found) if scale == "map" and channels else []
    left = text_width(str(first + channels - 1), _SMALL) + theme.GAP if words.numbers else 0
    right = max((text_width(text, _SMALL) + theme.GAP for text in ranges), default=0)
    below = theme.LINE_HEIGHT[_SMALL] if words.numbers else 0
    size_note = f"enlarged {factor}×" if factor > 1 else ""
    if step > 1:
        size_note = f"shown at 1/{step}, each pixel the mean of {step} values"
    note = "Each map on its own scale; its range is written beside it." if scale == "map" else ""
    legend = Legend.of_scale(scales[0], found)
    if scale == "map" and values.size:
        legend = Legend(scales[0].diverging, "lowest", "", "highest", note, swatches(found))
    canvas, x, y = compose(
        (left + width + right, max(channels * pitch - gap, 1) + below),
        words,
        diverging=any(one.diverging for one in scales),
        notes=[f"{channels:,} map{'s' * (channels != 1)} of length {length:,}", size_note],
        legend=legend,
        remarks=found.sentence(),
    )
    x += left
    strips = np.full((channels, pitch, width), colours.PAGE, np.uint8)
    if values.size:
        strips[:, : pitch - gap] = indices.repeat(factor, axis=1)[:, None, :]
    canvas.paste(x, y, strips.reshape(channels * pitch, width)[: channels * pitch - gap])
    labelled = every(pitch, theme.LINE_HEIGHT[_SMALL] - 2)
    for channel in range(channels):
        top = y + channel * pitch
        if gap:
            mark(canvas, (x, top), (width, pitch - gap), found, channel, thickness=1)
        if channel % labelled:
            continue
        baseline = top + (pitch - gap) // 2 + 4
        if words.numbers:
            canvas.write(
                x - theme.GAP, baseline, str(first + channel), size=_SMALL, tone=theme.MUTED_TONE, anchor="end"
            )
        if ranges:
            canvas.write(x + width + theme.GAP, baseline, ranges[channel], size=_SMALL, tone=theme.MUTED_TONE)
    if words.numbers and length:
        baseline = y + channels * pitch - gap + theme.LINE_HEIGHT[_SMALL] - 2
        canvas.write(x, baseline, "0", size=_SMALL, tone=theme.MUTED_TONE)
        if length > 1:
            canvas.write(x + width, baseline, str(length - 1), size=_SMALL, tone=theme.MUTED_TONE, anchor="end")
    return canvas


def draw_vector(
    vector: npt.ArrayLike,
    words: Words,
    *,
    scale: Scale | None = None,
    mode: Mode = "auto",
    labels: Sequence[str] | None = None,
    top: int = 10,
    first: int = 0,
) -> Canvas:
    """Return a vector (features,) as one canvas: its ``top`` largest values as bars, below them all values as cells.

    ``labels``, one a feature, name the bars; class scores with the classes' names, for example. ``first`` is the number
    of the first feature. With a ``scale``, the bars have its length too, so that parts of a vector can be compared.
    """
    values = as_float32(vector, 1, "features")
    features = values.size
    found = survey(values[None])
    shown = scale or layer_scale(found, mode)
    names = [str(first + one) for one in range(features)]
    if labels is not None:
        named = [f"{name} · {one_line(label)}" for name, label in zip(names, labels, strict=False)]
        names = named + names[len(named) :]
    largest = _largest(values, top)
    lines = [wrap(names[one], theme.TEXT_SIZE, _LABEL_WIDTH) for one in largest]
    heights = [max(_BAR_ROW, len(each) * theme.LINE_HEIGHT[theme.TEXT_SIZE] + 4) for each in lines]
    across = _across(features)
    down = math.ceil(features / across)
    left = text_width(str(first + max(features - 1, 0)), _SMALL) + theme.GAP if words.numbers else 0
    name_width = max((text_width(line, theme.TEXT_SIZE) for each in lines for line in each), default=0)
    value_width = max((text_width(format_value(float(values[one])), theme.TEXT_SIZE) for one in largest), default=0)
    bars_width = name_width + 2 * theme.GAP + _BAR_LENGTH + theme.GAP + value_width
    bars_height = sum(heights) + 2 * theme.GAP if largest else 0
    what = f"{features:,} value{'s' * (features != 1)}"
    canvas, x, y = compose(
        (max(bars_width, left + across * _CELL), max(bars_height + down * _CELL, 1)),
        words,
        diverging=shown.diverging,
        notes=[what, f"the {len(largest)} largest above, all of them below" if features > len(largest) > 0 else ""],
        legend=Legend.of_scale(shown, found),
        remarks=found.sentence("vector"),
    )
    ends = (scale.minimum, scale.maximum) if scale is not None else (0.0, 0.0)
    _draw_bars(canvas, x + name_width + 2 * theme.GAP, y, values, largest, lines, heights, ends)
    y += bars_height
    cells = np.full(down * across, colours.PAGE, np.uint8)
    cells[:features] = index(values, shown)
    canvas.paste(x + left, y, enlarge_pixels(cells.reshape(down, across), _CELL))
    for row in range(down if words.numbers else 0):
        filled = min(across, features - row * across) * _CELL
        canvas.outline(x + left, y + row * _CELL, filled, _CELL, colours.FRAME)
    for row in range(down if words.numbers else 0):
        canvas.paste(x + left, y + row * _CELL, enlarge_pixels(cells[None, row * across : (row + 1) * across], _CELL))
        baseline = y + row * _CELL + _CELL // 2 + 4
        canvas.write(
            x + left - theme.GAP, baseline, str(first + row * across), size=_SMALL, tone=theme.MUTED_TONE, anchor="end"
        )
    return canvas


def _mean_along(values: Floats, step: int) -> Floats:
    """Return the means of ``step`` values along the length of 1-D maps (channels, length)."""
    if step == 1:
        return values
    starts = np.arange(0, values.shape[1], step)
    counts = np.minimum(starts + step, values.shape[1]) - starts
    with np.errstate(invalid="ignore", over="ignore"):
        return (np.add.reduceat(values, starts, axis=1) / counts).astype(np.float32)


def _largest(values: Floats, top: int) -> list[int]:
    """The features with the largest finite values, the largest first."""
    finite = np.flatnonzero(np.isfinite(values))
    order = np.argsort(-values[finite], kind="stable")[:top]
    return [int(one) for one in finite[order]]


def _across(features: int) -> int:
    """A round number of cells a row, so that a feature is found by counting."""
    return next(
        (across for across in (10, 20, 50) if features <= across * across // 2), 50 if features <= 5000 else 100
    )


def _draw_bars(
    canvas: Canvas,
    x: int,
    y: int,
    values: Floats,
    largest: list[int],
    lines: list[list[str]],
    heights: list[int],
    ends: tuple[float, float],
) -> None:
    """Bars that start at zero; the longest possible one reaches from end to end of ``ends`` and the values."""
    if not largest:
        return
    chosen = values[largest].astype(np.float64)
    lowest, highest = min(0.0, ends[0], float(chosen.min())), max(0.0, ends[1], float(chosen.max()))
    pixels = _BAR_LENGTH / (highest - lowest) if highest > lowest else 0.0
    zero = x + round(-lowest * pixels)
    for value, names, height in zip(chosen, lines, heights, strict=True):
        middle = y + height // 2
        for line, name in enumerate(names):
            baseline = middle + 5 + round((line - (len(names) - 1) / 2) * theme.LINE_HEIGHT[theme.TEXT_SIZE])
            canvas.write(x - 2 * theme.GAP, baseline, name, anchor="end")
        length = round(abs(value) * pixels)
        start = zero if value >= 0 else zero - length
        canvas.fill(start, middle - 7, max(length, 1), 14, colours.POSITIVE_BAR if value >= 0 else colours.NEGATIVE_BAR)
        end = start + length if value >= 0 else zero
        canvas.write(end + theme.GAP, middle + 5, format_value(float(value)), tone=theme.MUTED_TONE)
        y += height
