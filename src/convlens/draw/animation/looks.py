"""How an animation looks: five colours from which all others follow, the size of a cell, the speed."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from convlens.draw import theme
from convlens.draw.theme import Rgb
from convlens.errors import DrawingError, closest

SMALLEST_CELL, _LARGEST_CELL = 12, 160
_FASTEST = 25.0


@dataclass(frozen=True, slots=True)
class Colours:
    """What each colour stands for: the page, the ink on it, the input's cells, the window with its kernel, the output.

    The cells of the three grids are tints of their colours; letters on them are mixed towards the ink until they can
    be read (WCAG AA, 4.5 : 1).
    """

    page: Rgb
    ink: Rgb
    input: Rgb
    window: Rgb
    output: Rgb
    tint: float = 0.2

    def tinted(self, colour: Rgb) -> Rgb:
        """The cell of a grid of this colour."""
        return mixed(self.page, colour, self.tint)

    @property
    def muted(self) -> Rgb:
        """Ink that stands back, still readable."""
        return readable(mixed(self.page, self.ink, 0.62), self.page, self.ink)

    @property
    def line(self) -> Rgb:
        """The frame of an empty cell."""
        return mixed(self.page, self.ink, 0.28)


THEMES = {
    "light": Colours(theme.PAGE, theme.INK, (58, 118, 196), (214, 104, 20), (14, 140, 112)),
    "dark": Colours((22, 25, 33), (232, 235, 241), (92, 156, 240), (255, 156, 74), (64, 204, 168), 0.3),
    "paper": Colours(theme.PAGE, (0, 0, 0), (120, 120, 120), (0, 0, 0), (60, 60, 60), 0.16),
}


@dataclass(frozen=True, slots=True)
class Look:
    """``cell`` is the side of a cell in pixels, ``fps`` how many windows a second, ``numbers`` whether the cells hold
    theirs, ``shade`` whether the input's cells are coloured by value.

    >>> Look(cell=32).cell
    32
    """

    colours: Colours = field(default_factory=lambda: THEMES["light"])
    cell: int = 40
    fps: float = 1.5
    numbers: bool = True
    shade: bool = False

    def __post_init__(self) -> None:
        if not SMALLEST_CELL <= self.cell <= _LARGEST_CELL:
            expected = f"{SMALLEST_CELL} to {_LARGEST_CELL} pixels"
            raise DrawingError(
                "No such cell", expected=expected, received=str(self.cell), hint="Choose 40 for a page, 64 for a slide."
            )
        if not 0.1 <= self.fps <= _FASTEST:
            raise DrawingError(
                "No such speed",
                expected=f"0.1 to {_FASTEST:g} windows a second",
                received=f"{self.fps:g}",
                hint="Choose 1.5, or 0.5 for a slow one.",
            )

    @classmethod
    def of(cls, name: str = "light", colours: str = "", **settings: Any) -> Look:
        """A theme by name, with single colours replaced: ``"window=#c2185b,page=#fffdf5"``.

        Where ``page`` is given alone and the theme's ink can't be read on it, the ink is a dark or a light one.

        Raises:
            DrawingError: no such theme, no such colour, an ink that can't be read, a size or speed out of range.

        >>> Look.of("paper", "window=#c2185b").colours.window
        (194, 24, 91)
        """
        if name not in THEMES:
            raise DrawingError("No such theme", expected=", ".join(THEMES), received=repr(name))
        return cls(_replaced(THEMES[name], colours), **settings)


_INKS = (THEMES["light"].ink, THEMES["dark"].ink)
_NAMES = ("page", "ink", "input", "window", "output")
_HEX = re.compile(r"#?([0-9a-f]{3}|[0-9a-f]{6})", re.IGNORECASE)


def _replaced(colours: Colours, text: str) -> Colours:
    named = set()
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, _, value = (word.strip() for word in part.partition("="))
        found = _HEX.fullmatch(value)
        if name not in _NAMES or found is None:
            close = closest(name, _NAMES, n=1)
            raise DrawingError(
                "No such colour",
                expected=" or ".join(", ".join(_NAMES).rsplit(", ", 1)) + ", each = #rrggbb",
                received=repr(part),
                hint=f"Type {close[0] if close else 'window'}={value if found else '#c2185b'}",
            )
        digits = found.group(1) if len(found.group(1)) == 6 else "".join(2 * digit for digit in found.group(1))
        red, green, blue = (int(digits[n : n + 2], 16) for n in (0, 2, 4))
        colours = _with(colours, name, (red, green, blue))
        named.add(name)
    if contrast(colours.ink, colours.page) >= 4.5:
        return colours
    ink = next(ink for ink in (*_INKS, (0, 0, 0), (255, 255, 255)) if contrast(ink, colours.page) >= 4.5)
    if "ink" in named:
        raise DrawingError(
            "The ink can't be read on this page",
            expected="a contrast of 4.5 : 1 or more",
            received=f"{contrast(colours.ink, colours.page):.1f} : 1",
            hint=f"Choose ink={theme.hexadecimal(ink)}, or page alone: the ink then follows it.",
        )
    return _with(colours, "ink", ink)


def _with(colours: Colours, name: str, colour: Rgb) -> Colours:
    changed: dict[str, Any] = {name: colour}
    return replace(colours, **changed)


def mixed(one: Rgb, other: Rgb, share: float) -> Rgb:
    """A colour on the way from one to another.

    >>> mixed((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def readable(letters: Rgb, ground: Rgb, towards: Rgb) -> Rgb:
    """``letters``, moved towards another colour only as far as they need to be read on ``ground``.

    >>> readable((200, 200, 200), (255, 255, 255), (0, 0, 0))
    (110, 110, 110)
    """
    for step in range(21):
        found = mixed(letters, towards, step / 20)
        if contrast(found, ground) >= 4.5:
            return found
    return (0, 0, 0) if _luminance(ground) > 0.18 else (255, 255, 255)


def contrast(one: Rgb, other: Rgb) -> float:
    """The contrast ratio of WCAG 2.2, from 1 to 21.

    >>> contrast((0, 0, 0), (255, 255, 255))
    21.0
    """
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: Rgb) -> float:
    parts = [part / 255 for part in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
