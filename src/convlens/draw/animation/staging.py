"""The stage: where every cell, number and line stands, and during which frames. GIF and SVG are painted from it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from convlens.arithmetic.rounding import Floats
from convlens.draw import colours
from convlens.draw.animation import telling
from convlens.draw.animation.looks import Look, contrast, readable
from convlens.draw.animation.signs import text_width
from convlens.draw.animation.sliding import Slide
from convlens.draw.canvas import Anchor
from convlens.draw.theme import Rgb
from convlens.network import Convolution

_LEGIBLE = 12
"""Pixels: letters of a real layer's numbers that can still be read on a slide."""

_SMALLEST = 8

_WIDER = 1.1  # the fonts of other people's screens, beside that of the pictures


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle; its stroke lies on its inside. ``opacity`` is the fill's."""

    x: int
    y: int
    width: int
    height: int
    fill: Rgb | None = None
    stroke: Rgb | None = None
    thickness: int = 1
    dashed: bool = False
    opacity: float = 1.0


@dataclass(frozen=True, slots=True)
class Label:
    """One line of text; ``x``, ``y`` is where its baseline starts, has its middle, or ends."""

    x: int
    y: int
    string: str
    size: int
    colour: Rgb
    anchor: Anchor = "middle"


Shape = Box | Label


@dataclass(frozen=True, slots=True)
class Part:
    """Shapes that are there from frame ``first`` to frame ``last``, both included; ``moves`` shifts them, one (x, y) a
    frame, where there are any."""

    shapes: tuple[Shape, ...]
    first: int
    last: int
    moves: tuple[tuple[int, int], ...] = ()


@dataclass
class Stage:
    """A picture of ``width`` x ``height`` pixels with ``frames`` frames; ``parts`` lie over one another in order."""

    width: int
    height: int
    frames: int
    page: Rgb
    title: str
    description: str
    parts: list[Part] = field(default_factory=list)

    def still(self, *shapes: Shape) -> None:
        """Add what doesn't change."""
        self.parts.append(Part(shapes, 0, self.frames - 1))

    def during(self, first: int, last: int, *shapes: Shape) -> None:
        """Add what is seen from frame ``first`` to ``last``."""
        if shapes:
            self.parts.append(Part(shapes, first, last))

    def moving(self, shapes: list[Shape], moves: list[tuple[int, int]]) -> None:
        """Add what slides."""
        self.parts.append(Part(tuple(shapes), 0, self.frames - 1, tuple(moves)))


@dataclass(frozen=True, slots=True)
class Measures:
    """Everything in proportion to the side of a cell."""

    cell: int

    def of(self, share: float) -> int:
        """A share of a cell, in whole pixels."""
        return max(1, round(self.cell * share))

    @property
    def text(self) -> int:
        """The size of the lines under and over the grids."""
        return max(11, self.of(0.36))

    @property
    def value(self) -> int:
        """The size of the numbers in the cells."""
        return max(9, self.of(0.4))

    @property
    def small(self) -> int:
        """The size of what stands back."""
        return max(10, self.of(0.3))

    @property
    def bold(self) -> int:
        """The thickness of the window's frame."""
        return max(2, self.of(0.07))


def shaded(slide: Slide) -> dict[tuple[int, int, int], Rgb]:
    """The colour of each shown input value, by (channel, row, column), on one scale for all that is shown."""
    at, beside = ([cell for cell in axis.cells if cell >= 0] for axis in (slide.rows, slide.columns))
    if not at or not beside:
        return {}
    values = slide.source[np.ix_(slide.planes, sorted(set(at)), sorted(set(beside)))]
    scale = colours.scale_for(values)
    shown = colours.palette(scale.diverging)[colours.index(values, scale)]
    found = {}
    for plane, row, column in np.ndindex(*values.shape):
        red, green, blue = (int(part) for part in shown[plane, row, column])
        found[slide.planes[plane], sorted(set(at))[row], sorted(set(beside))[column]] = (red, green, blue)
    return found


def written(values: Iterable[float], width: int, largest: int) -> tuple[list[str], int]:
    """The numbers of a grid and the size of their letters: fewer digits rather than letters too small for a slide.

    A number that is too long by itself is shortened by itself; the size is 0 where not even that helps.

    >>> written([1.0, -0.25], 36, 16), written([100.123456, -2.6e9, 3.0, 1e-7], 36, 16)
    ((['1.00', '−0.25'], 12), (['100', '−3e9', '3', '1e−7'], 13))
    """
    found = list(values)
    texts, fewer = telling.numbers(found), telling.numbers(found, 2)
    least = min(_LEGIBLE, largest)
    if size := fitting(texts, width, largest, least):
        return texts, size
    forms = [[*pair, *telling.shorter(value)] for *pair, value in zip(texts, fewer, found, strict=True)]
    shorter = _fitted(forms, least, width)
    if "…" in shorter and (size := fitting(texts, width, least)):
        return texts, size
    if "…" in shorter:
        shorter = _fitted(forms, _SMALLEST, width)
    return shorter, 0 if set(shorter) == {"…"} else fitting(shorter, width, largest)


def _fitted(forms: list[list[str]], size: int, width: int) -> list[str]:
    return [next((form for form in told if _fits(form, size, width)), "…") for told in forms]


def _fits(string: str, size: int, width: int) -> bool:
    return text_width(string, size) * _WIDER <= width


def fitting(strings: list[str], width: int, largest: int, least: int = _SMALLEST) -> int:
    """The largest size of letters at which every string fits into a cell; 0 where none does.

    >>> fitting(["12"], 40, 16), fitting(["a very long number"], 20, 16)
    (16, 0)
    """
    longest = sorted(set(strings), key=len)[-24:]
    for size in range(largest, least - 1, -1):
        if all(_fits(string, size, width) for string in longest):
            return size
    return 0


def write_value(look: Look, box: Box, string: str, size: int, ground: Rgb) -> Label:
    """A cell's number, in its middle."""
    ink = look.colours.ink if contrast(look.colours.ink, ground) >= 4.5 else look.colours.page
    ink = readable(ink, ground, look.colours.ink)
    y = box.y + round(box.height * 0.5 + size * 0.36)
    return Label(box.x + (box.width + 1) // 2, y, string, size, ink)


def weights_of(slide: Slide) -> Floats | None:
    """The kernel as it lies under the window, (channels, rows, columns): that of a transposed one turned by 180°."""
    if not isinstance(slide.operation, Convolution):
        return None
    kernel = slide.workings[0].kernel
    if kernel is None:
        return None
    shown = kernel[: len(slide.planes)]
    return shown[:, ::-1, ::-1] if slide.transposed else shown
