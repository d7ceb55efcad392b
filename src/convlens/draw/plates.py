"""A printed figure before it has a format: rasters, lines and words at places in millimetres on a page."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from convlens.draw import theme
from convlens.draw.canvas import Anchor
from convlens.draw.colours import Bytes
from convlens.draw.lettering import known, one_line, text_width

POINT = 25.4 / 72
"""Millimetres."""

_UNITS = 1000


@dataclass(frozen=True, slots=True)
class Raster:
    """Palette indices (rows, columns), one a value, filling a rectangle."""

    x: float
    y: float
    width: float
    height: float
    pixels: Bytes
    palette: Bytes


@dataclass(frozen=True, slots=True)
class Words:
    """One line of text whose baseline starts, has its middle, or ends at ``x``, ``y``."""

    x: float
    y: float
    string: str
    points: float
    bold: bool = False
    anchor: Anchor = "start"
    colour: theme.Rgb = theme.INK

    @property
    def width(self) -> float:
        """Millimetres from its first to its last letter."""
        return width_of(self.string, self.points)


@dataclass(frozen=True, slots=True)
class Stroke:
    """A straight line, ``points`` thick."""

    x: float
    y: float
    to_x: float
    to_y: float
    points: float = 0.4
    colour: theme.Rgb = theme.STRIKE


@dataclass
class Plate:
    """A page of ``width`` x ``height`` millimetres, its upper left corner at 0, 0."""

    width: float
    height: float = 0.0
    title: str = ""
    rasters: list[Raster] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    words: list[Words] = field(default_factory=list)

    def frame(self, x: float, y: float, width: float, height: float, colour: theme.Rgb, points: float = 0.4) -> None:
        """Draw the outline of a rectangle, its corners closed."""
        for ends in (
            (x, y, x + width, y),
            (x, y + height, x + width, y + height),
            (x, y, x, y + height),
            (x + width, y, x + width, y + height),
        ):
            self.strokes.append(Stroke(*ends, points, colour))


@lru_cache(maxsize=8192)
def width_of(text: str, points: float) -> float:
    """How wide a line of text is, in millimetres.

    >>> width_of("", 7), 0 < width_of("a", 7) < width_of("aa", 7)
    (0.0, True)
    """
    ours = drawn_width(text, points)
    if known(text):
        return ours
    return max(ours, sum(map(_ems, text)) * points * POINT)  # another font will draw it, whose letters may be wider


def drawn_width(text: str, points: float) -> float:
    """How wide a line of text is in the picture font, which has boxes for the letters that it lacks."""
    return text_width(text, _UNITS) / _UNITS * points * POINT if text else 0.0


def _ems(letter: str) -> float:
    """How wide a letter of any script is at most, in sizes of its font."""
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    return 1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.68


def broken(text: str, points: float, width: float) -> list[str]:
    """The text in lines no wider than ``width`` millimetres, between words where it can; nothing is left out.

    >>> broken("to be or not", 7, 9.0)
    ['to be or', 'not']
    """
    lines: list[str] = []
    line = ""
    for word in one_line(text).split(" "):
        longer = f"{line} {word}" if line else word
        if width_of(longer, points) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        *full, line = _cut(word, points, width)
        lines += full
    return [*lines, line] if line else lines


def _cut(word: str, points: float, width: float) -> Sequence[str]:
    """A word that is too long for any line, letter by letter."""
    parts, part = [], ""
    for letter in word:
        if part and width_of(part + letter, points) > width:
            parts.append(part)
            part = ""
        part += letter
    return [*parts, part]
