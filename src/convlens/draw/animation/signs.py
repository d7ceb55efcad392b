"""The signs that the pictures' font lacks, drawn as strokes, so that pixels say what the SVG says."""

from __future__ import annotations

import re
from functools import lru_cache
from math import ceil, pi, sin

import numpy as np

from convlens.draw import lettering

Point = tuple[float, float]

_AXIS = 0.34  # the height of a plus sign's bar; every length is in parts of the letters' size
_STROKE = 0.085
_FINER = 8


def _wave(height: float) -> list[Point]:
    steps = [n / 16 for n in range(17)]
    return [(0.06 + 0.46 * step, height + 0.055 * sin(2 * pi * step)) for step in steps]


_SIGNS: dict[str, tuple[float, list[list[Point]]]] = {
    " ": (0.32, []),
    "−": (0.58, [[(0.07, _AXIS), (0.51, _AXIS)]]),
    "–": (0.54, [[(0.04, _AXIS), (0.5, _AXIS)]]),
    "×": (0.58, [[(0.11, _AXIS - 0.18), (0.47, _AXIS + 0.18)], [(0.11, _AXIS + 0.18), (0.47, _AXIS - 0.18)]]),
    "→": (0.92, [[(0.07, _AXIS), (0.83, _AXIS)], [(0.6, _AXIS + 0.21), (0.83, _AXIS), (0.6, _AXIS - 0.21)]]),
    "≈": (0.58, [_wave(_AXIS + 0.11), _wave(_AXIS - 0.11)]),
    "·": (0.28, [[(0.12, _AXIS), (0.16, _AXIS)]]),
}
"""How far each takes the pen, and its lines."""

_ANY = re.compile(f"([{''.join(_SIGNS)}])")


@lru_cache(maxsize=8192)
def text_width(text: str, size: int) -> int:
    """The width of one line in pixels.

    >>> text_width("−2", 20) == text_width("−", 20) + text_width("2", 20)
    True
    """
    return sum(_advance(run, size) for run in _runs(text))


def _advance(run: str, size: int) -> int:
    return ceil(_SIGNS[run][0] * size) if run in _SIGNS else lettering.text_width(run, size)


@lru_cache(maxsize=8192)
def text_coverage(text: str, size: int) -> lettering.Covered:
    """How much of each pixel a line covers, and its place from the baseline's start, as in ``lettering``."""
    pieces: list[lettering.Covered] = []
    x = 0
    for run in _runs(text):
        bitmap, left, top = _drawn(run, size) if run in _SIGNS else lettering.text_coverage(run, size)
        if bitmap.size:
            pieces.append((bitmap, x + left, top))
        x += _advance(run, size)
    return lettering.together(pieces)


def known(text: str) -> bool:
    """Whether every sign of ``text`` can be drawn."""
    return lettering.known(_ANY.sub("", text))


def _runs(text: str) -> list[str]:
    return [run for run in _ANY.split(lettering.one_line(text)) if run]


@lru_cache(maxsize=256)
def _drawn(sign: str, size: int) -> lettering.Covered:
    from PIL import Image, ImageDraw

    advance, lines = _SIGNS[sign]
    scale = size * _FINER
    picture = Image.new("L", (ceil(advance * size) * _FINER, size * _FINER))
    pen, half = ImageDraw.Draw(picture), (0.8 if sign == "·" else 0.5) * _STROKE * scale
    for line in lines:
        points = [(x * scale, scale - y * scale) for x, y in line]
        pen.line(points, fill=255, width=round(2 * half), joint="curve")
        for x, y in points:
            pen.ellipse((x - half, y - half, x + half, y + half), fill=255)
    small = np.asarray(picture).reshape(size, _FINER, -1, _FINER).mean(axis=(1, 3))
    return np.rint(small).astype(np.uint8), 0, -size
