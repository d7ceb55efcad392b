"""Filters that read red, green and blue, each as one coloured tile."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from convlens.draw import theme
from convlens.draw.canvas import Canvas, Patch, enlarge
from convlens.draw.colours import Bytes, Floats, Scale, scale_for
from convlens.draw.grid import grid_columns
from convlens.draw.lettering import format_value, text_width
from convlens.draw.page import Legend, Words, compose, swatches
from convlens.draw.survey import survey
from convlens.errors import DrawingError

_LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]
_SIDE, _SIDE_OF_MANY, _MANY = 96, 64, 64
_LARGEST_PIXEL = 24


def in_colour(kernels: Floats, limits: Floats) -> Bytes:
    """Return kernels (filters, 3, rows, columns) as pixels (filters, rows, columns, 3): 128 is 0, 1 and 255 the limits.

    A position with NaN or an infinity in any channel takes its reserved colour.

    >>> in_colour(np.array([[[[0.0]], [[1.0]], [[-1.0]]]], np.float32), np.array([1.0], np.float32)).tolist()
    [[[[128, 255, 1]]]]
    """
    whole = np.where(limits > 0, limits, 1).astype(np.float64)[:, None, None, None]
    finite = np.where(np.isfinite(kernels), kernels, 0)
    pixels: Bytes = np.rint(128 + 127 * np.clip(finite / whole, -1, 1)).astype(np.uint8).transpose(0, 2, 3, 1)
    pixels[(kernels == -np.inf).any(axis=1)] = theme.MINUS_INFINITY
    pixels[(kernels == np.inf).any(axis=1)] = theme.PLUS_INFINITY
    pixels[np.isnan(kernels).any(axis=1)] = theme.NOT_A_NUMBER
    return pixels


def draw_in_colour(values: Floats, words: Words, scale: Literal["layer", "map"] | Scale) -> Canvas:
    """Return filters (filters, 3, rows, columns) as a canvas of coloured tiles, one scale for all or one each."""
    filters, channels, rows, columns = values.shape
    if channels != 3:
        raise DrawingError("No colour", expected="kernels of 3 channels (red, green, blue)", received=f"{channels}")
    found = survey(values.reshape(filters * channels, rows * columns))
    own = scale == "map"
    if own:
        limits = np.array([scale_for(one, mode="diverging").limit for one in values], np.float32)
    else:
        limit = (scale if isinstance(scale, Scale) else scale_for(values)).limit
        limits = np.full(filters, limit, np.float32)
    pixels = in_colour(values, limits)
    side = _SIDE if filters <= _MANY else _SIDE_OF_MANY
    factor = max(1, min(_LARGEST_PIXEL, side // max(rows, columns)))
    ranges = [f"±{format_value(float(limit))}" for limit in limits] if own else []
    number = text_width(str(filters - 1), theme.SMALL_SIZE) + 6 if words.numbers else 0
    widest = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
    label = _LABEL_HEIGHT if number or widest else 0
    pitch = (max(columns * factor, number + widest) + theme.GAP, rows * factor + label + theme.GAP)
    across = grid_columns(filters, *pitch)
    limit_text = format_value(float(limits[0]))
    ends = ("lowest", "highest") if own else (f"-{limit_text}", limit_text)
    note = "Red, green and blue are the three channels; mid-grey is 0."
    if own:
        note += " Each filter on its own scale; its range is written above it."
    canvas, left, top = compose(
        (across * pitch[0] - theme.GAP, math.ceil(filters / across) * pitch[1] - theme.GAP),
        words,
        diverging=True,
        notes=[f"{filters:,} filter{'s' * (filters != 1)} of {rows} × {columns} in colour", f"enlarged {factor}×"],
        legend=Legend(True, ends[0], "0", ends[1], note, swatches(found), grey=True),
        remarks=found.sentence("kernel"),
    )
    for one in range(filters):
        x, y = left + one % across * pitch[0], top + one // across * pitch[1] + label
        canvas.patches.append(Patch(x, y, enlarge(pixels[one], factor)))
        if words.numbers:
            canvas.write(x, y - 5, str(one), size=theme.SMALL_SIZE, tone=theme.MUTED_TONE)
        if ranges:
            right = x + pitch[0] - theme.GAP
            canvas.write(right, y - 5, ranges[one], size=theme.SMALL_SIZE, tone=theme.MUTED_TONE, anchor="end")
    return canvas
