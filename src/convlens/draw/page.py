"""What stands around every picture: title, notes, the colour bar with its values, what else a colour means, caption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas, Patch
from convlens.draw.colours import Scale
from convlens.draw.lettering import format_value, text_width, wrap
from convlens.draw.survey import Survey

_LEAST_WIDTH = 368
_BAR_HEIGHT = 10
_SWATCH = 12


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
    def of_scale(cls, scale: Scale, found: Survey, note: str) -> Legend:
        """Return the legend of one scale, with ``<=`` and ``>=`` where values lie beyond its ends."""
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
    *,
    diverging: bool,
    title: str | None = None,
    notes: str = "",
    legend: Legend | None = None,
    caption: str = "",
    bare: bool = False,
) -> tuple[Canvas, int, int]:
    """Return a page with everything written around an empty body of (width, height), and where the body begins (x, y).

    ``bare``: no margins and no words, the picture is its body.
    """
    width, height = body
    palette = colours.palette(diverging)
    if bare:
        return Canvas.blank(width, height, palette), 0, 0
    inner = max(width, _LEAST_WIDTH)
    header = [(line, theme.TITLE_SIZE, theme.INK_TONE) for line in wrap(title or "", theme.TITLE_SIZE, inner)]
    header += [(line, theme.TEXT_SIZE, theme.MUTED_TONE) for line in wrap(notes, theme.TEXT_SIZE, inner)]
    footer = [(line, theme.TEXT_SIZE, theme.MUTED_TONE) for line in wrap(caption, theme.TEXT_SIZE, inner)]
    above = sum(theme.LINE_HEIGHT[size] for _, size, _ in header)
    above += 2 * theme.GAP if header else 0
    below = 0
    if legend:
        below += 2 * theme.GAP + _legend_height(legend, inner)
    if footer:
        below += 2 * theme.GAP + sum(theme.LINE_HEIGHT[size] for _, size, _ in footer)
    canvas = Canvas.blank(inner + 2 * theme.MARGIN, above + height + below + 2 * theme.MARGIN, palette)
    x, y = theme.MARGIN, theme.MARGIN
    _write_lines(canvas, x, y, header)
    top = y + above
    bottom = top + height
    if legend:
        bottom += 2 * theme.GAP
        draw_legend(canvas, x, bottom, legend, inner)
        bottom += _legend_height(legend, inner)
    if footer:
        _write_lines(canvas, x, bottom + 2 * theme.GAP, footer)
    return canvas, x, top


def _write_lines(canvas: Canvas, x: int, y: int, lines: list[tuple[str, int, float]]) -> None:
    for line, size, tone in lines:
        canvas.write(x, y + size, line, size=size, tone=tone)
        y += theme.LINE_HEIGHT[size]


def _bar_width(width: int) -> int:
    return min(colours.COLOURS, width)


def _asides(legend: Legend, width: int) -> list[tuple[int, int, int | None, str]]:
    """Place the note and the swatches right of the bar, or below it in a narrow picture: (x, row, colour, words)."""
    start = _bar_width(width) + 3 * theme.GAP
    words: list[tuple[int | None, str]] = [(colour, label) for colour, label in legend.swatches]
    if legend.note:
        words.insert(0, (None, legend.note))
    placed = []
    x, row = start, 0
    for colour, label in words:
        lead = _SWATCH + 6 if colour is not None else 0
        needs = lead + text_width(label, theme.SMALL_SIZE)
        if x + needs > width and (x > 0 or row == 0):
            x, row = (0, 2) if row == 0 else (0, row + 1)
        for line in wrap(label, theme.SMALL_SIZE, max(width - x - lead, 40)):
            placed.append((x, row, colour, line))
            if line != label:
                row += 1
        x += needs + 2 * theme.GAP
    return placed


def _legend_height(legend: Legend, width: int) -> int:
    rows = max([1, *(row for _, row, _, _ in _asides(legend, width))])
    return _BAR_HEIGHT + 4 + theme.LINE_HEIGHT[theme.SMALL_SIZE] * rows


def draw_legend(canvas: Canvas, x: int, y: int, legend: Legend, width: int) -> None:
    """Draw the colour bar at ``x``, ``y``, its values below it, the rest beside it within ``width`` pixels."""
    bar = _bar_width(width)
    ramp = np.rint(np.linspace(0, colours.COLOURS - 1, bar)).astype(np.uint8)
    canvas.outline(x, y, bar, _BAR_HEIGHT, colours.FRAME)
    if legend.grey:
        greys = np.rint(np.linspace(1, 255, bar)).astype(np.uint8)
        canvas.patches.append(Patch(x, y, np.broadcast_to(greys[None, :, None], (_BAR_HEIGHT, bar, 3))))
    else:
        canvas.paste(x, y, np.broadcast_to(ramp, (_BAR_HEIGHT, bar)))
    baseline = y + _BAR_HEIGHT + 5 + theme.SMALL_SIZE
    small = theme.SMALL_SIZE
    canvas.write(x, baseline, legend.low, size=small, tone=theme.INK_TONE)
    if legend.middle:
        canvas.write(x + bar // 2, baseline, legend.middle, size=small, tone=theme.INK_TONE, anchor="middle")
    canvas.write(x + bar, baseline, legend.high, size=small, tone=theme.INK_TONE, anchor="end")
    for left, row, colour, words in _asides(legend, width):
        line = y + _BAR_HEIGHT if row == 0 else baseline + (row - 1) * theme.LINE_HEIGHT[small]
        if colour is not None:
            canvas.outline(x + left + 1, line - _SWATCH + 2, _SWATCH - 2, _SWATCH - 2, colours.FRAME)
            canvas.fill(x + left + 1, line - _SWATCH + 2, _SWATCH - 2, _SWATCH - 2, colour)
            left += _SWATCH + 6
        canvas.write(x + left, line, words, size=small, tone=theme.MUTED_TONE)
