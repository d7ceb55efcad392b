"""The one visual language of every picture: greys, accents, sizes and spacing on an 8-pixel grid."""

from __future__ import annotations

Rgb = tuple[int, int, int]

PAGE: Rgb = (255, 255, 255)
INK: Rgb = (31, 36, 48)
FRAME: Rgb = (214, 217, 222)
MARK: Rgb = (58, 118, 196)
STRIKE: Rgb = (138, 144, 156)
EMPTY: Rgb = (238, 239, 241)
NOT_A_NUMBER: Rgb = (255, 45, 166)
PLUS_INFINITY: Rgb = (126, 222, 30)
MINUS_INFINITY: Rgb = (0, 0, 0)
NEUTRAL: Rgb = (244, 244, 242)

GRID = 8
MARGIN = 24
GAP = 8

TITLE_SIZE = 17
TEXT_SIZE = 13
SMALL_SIZE = 12

LINE_HEIGHT = {TITLE_SIZE: 24, TEXT_SIZE: 20, SMALL_SIZE: 16}

# How dark a text is, as a share of the way from the page to the ink.
INK_TONE = 1.0
MUTED_TONE = 0.66

SANS_SERIF = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', Ubuntu, 'Helvetica Neue', Arial, sans-serif"


def hexadecimal(colour: Rgb) -> str:
    """Return a colour as CSS, SVG and matplotlib write it.

    >>> hexadecimal((255, 0, 16))
    '#ff0010'
    """
    return "#{:02x}{:02x}{:02x}".format(*colour)
