"""Text for pictures: numbers made short, lines broken to a width, words turned once into small grey bitmaps."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from PIL.ImageFont import FreeTypeFont

Covered = tuple[npt.NDArray[np.uint8], int, int]
"""How much of each pixel is covered, 0 to 255 (rows, columns), and where that lies: columns to the right, rows down."""

_BEYOND_ASCII = "±°·…"  # what the font has beside it

# The font that Pillow carries knows little beyond ASCII; these keep their meaning when spelt so.
_SPELT = str.maketrans(
    {
        "×": "x",
        "−": "-",
        "–": "-",
        "—": "-",
        "≤": "<=",
        "≥": ">=",
        "→": "->",
        "∞": "inf",
        "‘": "'",
        "’": "'",
        "“": '"',
        "”": '"',
    }
)


def format_value(value: float) -> str:
    """Return a value in at most four significant digits.

    >>> [format_value(v) for v in (0.0, 0.25, -1234.5, 1e-7, float("nan"))]
    ['0', '0.25', '-1234', '1e-07', 'nan']
    """
    if not math.isfinite(value):
        return str(value)
    return f"{value:.4g}" if abs(value) >= 1000 else f"{value:.3g}"


def one_line(text: str) -> str:
    """Return ``text`` with control characters and line ends as single spaces.

    >>> one_line("a\\n\\tb")
    'a b'
    """
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


@lru_cache(maxsize=16)
def _font(size: int) -> FreeTypeFont:
    from PIL import ImageFont
    from PIL.ImageFont import FreeTypeFont

    font = ImageFont.load_default(size)
    if not isinstance(font, FreeTypeFont):  # pragma: no cover  # Pillow built without FreeType has one bitmap font
        raise ImportError("this Pillow has no FreeType; the wheels on PyPI have it")
    return font


def font_file() -> bytes:
    """Return the picture font's own file (TrueType), to be embedded."""
    return bytes(_font(16).font_bytes)


@lru_cache(maxsize=4096)
def drawable(text: str) -> str:
    """Return ``text`` as the picture font can draw it: accents dropped, signs spelt out, the rest left as boxes.

    >>> drawable("3×3 café")
    '3x3 cafe'
    """
    spelt = one_line(text).translate(_SPELT)
    return "".join(
        c
        if c.isascii() or c in _BEYOND_ASCII
        else "".join(d for d in unicodedata.normalize("NFKD", c) if not unicodedata.combining(d))
        for c in spelt
    )


def _space(size: int) -> int:
    """The font's own space, rounded to a pixel, lets small words run together."""
    return round(0.32 * size)


@lru_cache(maxsize=8192)
def text_width(text: str, size: int) -> int:
    """Return the width of one line of text in pixels."""
    words = drawable(text).split(" ")
    return sum(math.ceil(_font(size).getlength(word)) for word in words) + _space(size) * (len(words) - 1)


@lru_cache(maxsize=8192)
def text_coverage(text: str, size: int) -> Covered:
    """Return how much of each pixel the text covers, 0 to 255 (rows, columns), and its place.

    The place, (columns to the right, rows down) from the baseline's start, is negative above the baseline.
    """
    pieces: list[Covered] = []
    x = 0
    for word in drawable(text).split(" "):
        mask, (left, top) = _font(size).getmask2(word, mode="L", anchor="ls")
        width, height = mask.size
        if width and height:
            pieces.append((np.frombuffer(bytes(mask), np.uint8).reshape(height, width), x + int(left), int(top)))
        x += text_width(word, size) + _space(size)
    return together(pieces)


def together(pieces: Sequence[Covered]) -> Covered:
    """Pieces of one line as one."""
    if not pieces:
        return np.zeros((0, 0), np.uint8), 0, 0
    first, highest = min(left for _, left, _ in pieces), min(top for _, _, top in pieces)
    last = max(left + bitmap.shape[1] for bitmap, left, _ in pieces)
    lowest = max(top + bitmap.shape[0] for bitmap, _, top in pieces)
    coverage = np.zeros((lowest - highest, last - first), np.uint8)
    for bitmap, left, top in pieces:
        rows = slice(top - highest, top - highest + bitmap.shape[0])
        columns = slice(left - first, left - first + bitmap.shape[1])
        np.maximum(coverage[rows, columns], bitmap, out=coverage[rows, columns])
    return coverage, first, highest


def known(text: str) -> bool:
    """Return whether the picture font has every sign of ``text``, as it is or spelt out, so that its width is right."""
    return all(character.isascii() or character in _BEYOND_ASCII for character in drawable(text))


def wrap(text: str, size: int, width: int) -> list[str]:
    """Break ``text`` into lines no wider than ``width`` pixels, between words where it can; nothing is left out.

    >>> wrap("to be or not", 13, 40)
    ['to be', 'or not']
    """
    lines: list[str] = []
    line = ""
    for word in one_line(text).split(" "):
        while True:
            longer = f"{line} {word}" if line else word
            if text_width(longer, size) <= width:
                line = longer
                break
            if line:
                lines.append(line)
                line = ""
                continue
            fits = max(1, _fitting(word, size, width))
            if fits >= len(word):
                line = word
                break
            lines.append(word[:fits])
            word = word[fits:]
    if line:
        lines.append(line)
    return lines


def _fitting(word: str, size: int, width: int) -> int:
    low, high = 0, len(word)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_width(word[:middle], size) <= width else (low, middle - 1)
    return low
