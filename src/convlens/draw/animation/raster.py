"""A stage as pixels, frame by frame: crisp rectangles, letters in the pictures' own font."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from convlens.draw.animation.signs import text_coverage
from convlens.draw.animation.staging import Box, Label, Part, Stage
from convlens.draw.colours import Bytes
from convlens.draw.theme import Rgb

_LEVELS = 6
"""Greys between the letters and their ground: few enough that a GIF's 256 colours hold a whole animation."""


def frames(stage: Stage) -> Iterator[Bytes]:
    """Every frame, (rows, columns, 3), red, green, blue."""
    still = np.empty((stage.height, stage.width, 3), np.uint8)
    still[:] = stage.page
    parts = list(stage.parts)
    while parts and not parts[0].moves and (parts[0].first, parts[0].last) == (0, stage.frames - 1):
        _paint(still, parts.pop(0), 0)
    for frame in range(stage.frames):
        pixels = still.copy()
        for part in parts:
            if part.first <= frame <= part.last:
                _paint(pixels, part, frame)
        yield pixels


def _paint(pixels: Bytes, part: Part, frame: int) -> None:
    right, down = part.moves[frame] if part.moves else (0, 0)
    for shape in part.shapes:
        if isinstance(shape, Box):
            _box(pixels, shape, shape.x + right, shape.y + down)
        else:
            _label(pixels, shape, shape.x + right, shape.y + down)


def _box(pixels: Bytes, box: Box, x: int, y: int) -> None:
    inside = pixels[max(y, 0) : y + box.height, max(x, 0) : x + box.width]
    if box.fill is not None:
        _blend(inside, box.fill, box.opacity)
    if box.stroke is None:
        return
    thick = box.thickness
    if not box.dashed:
        for edge in (inside[:thick], inside[-thick:], inside[:, :thick], inside[:, -thick:]):
            edge[:] = box.stroke
        return
    dash = max(3, box.width // 9)
    for line in (inside[0], inside[-1], inside[:, 0], inside[:, -1]):
        line[np.arange(len(line)) % (2 * dash) < dash] = box.stroke


def _blend(ground: Bytes, colour: Rgb, opacity: float) -> None:
    if opacity >= 1:
        ground[:] = colour
    else:
        ground[:] = np.rint(ground + (np.array(colour) - ground) * opacity).astype(np.uint8)


def _label(pixels: Bytes, label: Label, x: int, y: int) -> None:
    coverage, left, top = text_coverage(label.string, label.size)
    height, width = coverage.shape
    x += left - {"start": 0, "middle": (width + 1) // 2, "end": width}[label.anchor]
    y += top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, pixels.shape[1]), min(y + height, pixels.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    share = np.rint(coverage[y0 - y : y1 - y, x0 - x : x1 - x] * (_LEVELS / 255)) / _LEVELS
    under = pixels[y0:y1, x0:x1]
    under[:] = np.rint(under + (np.array(label.colour) - under) * share[:, :, None]).astype(np.uint8)
