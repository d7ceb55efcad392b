"""What stands around every picture: title, notes, the colour bar with its values, what else a colour means, caption."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas, Patch
from convlens.draw.colours import Scale
from convlens.draw.lettering import format_value, text_width, wrap
from convlens.draw.survey import Survey

_LEAST_WIDTH = 400
_BAR_HEIGHT = 10
_SWATCH = 12


@dataclass(frozen=True, slots=True)
class Words:
    """What the caller wants written around a picture; ``place`` says which part of a layer it shows."""

    title: str | None = None
    caption: str | None = None
    place: str = ""
    numbers: bool = True
    legend: bool = True

    def at(self, place: str) -> Words:
        """Return the same words, with one more fact on which part of a layer is shown."""
        return replace(self, place=" · ".join(filter(None, [self.place, place])))

    @property
    def none(self) -> bool:
        """Whether nothing at all is to be written: the picture is then its body alone."""
        return not (self.title or self.caption or self.place or self.numbers or self.legend)


@dataclass(frozen=True, slots=True)
class Legend:
    """A colour bar with the values of its ends (and middle), a word on what it holds for, and swatches."""

    diverging: bool
    low: str
    middle: str
    high: str
    note: str = ""
    swatches: tuple[tuple[int, str], ...] = ()
    grey: bool = False  # the bar runs from black over mid-grey to white: the scale of true-colour kernels

    @classmethod
    def of_scale(cls, scale: Scale, found: Survey, note: str = "") -> Legend | None:
        """Return the legend of one scale, none for empty maps; ``<=`` and ``>=`` where values lie beyond its ends."""
        if found.size == 0:
            return None
        below = "≤ " if (found.minimum < scale.minimum).any() else ""
        above = "≥ " if (found.maximum > scale.maximum).any() else ""
        centre = (scale.minimum + scale.maximum) / 2
        return cls(
            scale.diverging,
            below + format_value(scale.minimum),
            "0" if scale.diverging else format_value(centre),
            above + format_value(scale.maximum),
            note,
            swatches(found),
        )


def swatches(found: Survey) -> tuple[tuple[int, str], ...]:
    """Return the reserved colours that the maps use, with their meaning."""
    uses = (
        (found.nan, colours.NOT_A_NUMBER, "NaN"),
        (found.plus_infinity, colours.PLUS_INFINITY, "+inf"),
        (found.minus_infinity, colours.MINUS_INFINITY, "-inf"),
    )
    return tuple((colour, label) for counts, colour, label in uses if counts.any())


def compose(
    body: tuple[int, int],
    words: Words,
    *,
    diverging: bool,
    notes: list[str],
    legend: Legend | None,
    remarks: str,
) -> tuple[Canvas, int, int]:
    """Return a page with everything written around an empty body of (width, height), and where the body begins (x, y).

    ``notes`` stand under the title, ``remarks`` before the caption; empty maps have no ``legend``. Without any
    ``words``, the page is its body.
    """
    width, height = body
    palette = colours.palette(diverging)
    if words.none:
        return Canvas.blank(width, height, palette), 0, 0
    inner = max(width, _LEAST_WIDTH)
    under_title = " · ".join(filter(None, [*notes, words.place]))
    caption = " ".join(filter(None, [remarks, words.caption]))
    header = [(line, theme.TITLE_SIZE, theme.INK_TONE) for line in wrap(words.title or "", theme.TITLE_SIZE, inner)]
    header += [(line, theme.TEXT_SIZE, theme.MUTED_TONE) for line in wrap(under_title, theme.TEXT_SIZE, inner)]
    footer = [(line, theme.TEXT_SIZE, theme.MUTED_TONE) for line in wrap(caption, theme.TEXT_SIZE, inner)]
    above = sum(theme.LINE_HEIGHT[size] for _, size, _ in header) + (2 * theme.GAP if header else 0)
    shown = legend if words.legend else None
    below = 3 * theme.GAP + _legend_height(shown, inner) if shown else 0
    if footer:
        below += 2 * theme.GAP + sum(theme.LINE_HEIGHT[size] for _, size, _ in footer)
    canvas = Canvas.blank(inner + 2 * theme.MARGIN, above + height + below + 2 * theme.MARGIN, palette)
    x, top = theme.MARGIN, theme.MARGIN + above
    _write_lines(canvas, x, theme.MARGIN, header)
    bottom = top + height
    if shown:
        draw_legend(canvas, x, bottom + 3 * theme.GAP, shown, inner)
        bottom += 3 * theme.GAP + _legend_height(shown, inner)
    _write_lines(canvas, x, bottom + 2 * theme.GAP, footer)
    return canvas, x, top


def _write_lines(canvas: Canvas, x: int, y: int, lines: list[tuple[str, int, float]]) -> None:
    for line, size, tone in lines:
        canvas.write(x, y + size, line, size=size, tone=tone)
        y += theme.LINE_HEIGHT[size]


def _bar_width(width: int) -> int:
    return min(colours.COLOURS, width)


def _asides(legend: Legend, width: int) -> list[tuple[int, int, int | None, str]]:
    """Place the note and the swatches, beside the bar and then in rows below it: (x, row, colour, words)."""
    items: list[tuple[int | None, str]] = [(None, line) for line in wrap(legend.note, theme.TEXT_SIZE, width)]
    items += legend.swatches
    placed = []
    x, row = _bar_width(width) + 3 * theme.GAP, 0
    for colour, words in items:
        lead = 0 if colour is None else _SWATCH + 6
        needs = lead + text_width(words, theme.TEXT_SIZE)
        if x + needs > width:
            x, row = 0, row + 1
        placed.append((x, row, colour, words))
        x += needs + 2 * theme.GAP
    return placed


def _legend_height(legend: Legend, width: int) -> int:
    rows = max((row for _, row, _, _ in _asides(legend, width)), default=0)
    return _BAR_HEIGHT + theme.LINE_HEIGHT[theme.SMALL_SIZE] + theme.LINE_HEIGHT[theme.TEXT_SIZE] * rows


def draw_legend(canvas: Canvas, x: int, y: int, legend: Legend, width: int) -> None:
    """Draw the colour bar at ``x``, ``y``, its values below it, the rest beside it within ``width`` pixels."""
    bar = _bar_width(width)
    canvas.outline(x, y, bar, _BAR_HEIGHT, colours.FRAME)
    if legend.grey:
        greys = np.rint(np.linspace(1, 255, bar)).astype(np.uint8)
        canvas.patches.append(Patch(x, y, np.broadcast_to(greys[None, :, None], (_BAR_HEIGHT, bar, 3))))
    else:
        ramp = np.rint(np.linspace(0, colours.COLOURS - 1, bar)).astype(np.uint8)
        canvas.paste(x, y, np.broadcast_to(ramp, (_BAR_HEIGHT, bar)))
    small = theme.SMALL_SIZE
    baseline = y + _BAR_HEIGHT + 5 + small
    canvas.write(x, baseline, legend.low, size=small)
    canvas.write(x + bar // 2, baseline, legend.middle, size=small, anchor="middle")
    canvas.write(x + bar, baseline, legend.high, size=small, anchor="end")
    for left, row, colour, words in _asides(legend, width):
        line = y + _BAR_HEIGHT if row == 0 else baseline + row * theme.LINE_HEIGHT[theme.TEXT_SIZE]
        if colour is not None:
            side = _SWATCH - 2
            canvas.outline(x + left + 1, line - side, side, side, colours.FRAME)
            canvas.fill(x + left + 1, line - side, side, side, colour)
            left += _SWATCH + 6
        canvas.write(x + left, line, words, tone=theme.MUTED_TONE)
