"""Figures for print: panels of maps with letters, colour bars with values and captions, in exact millimetres."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from convlens.draw import colours, theme
from convlens.draw.canvas import Anchor
from convlens.draw.colours import Bytes, Floats, Mode, Scale, index, palette
from convlens.draw.page import Legend, swatches
from convlens.draw.plate_formats import DPI, Figure
from convlens.draw.plates import POINT, Plate, Raster, Stroke, Words, broken, width_of
from convlens.draw.scaling import ScaleChoice, check_scale, layer_scale, own_scales, range_texts
from convlens.draw.survey import Survey, survey
from convlens.errors import DrawingError

SINGLE, DOUBLE = 85.0, 175.0
"""Millimetres: one column of a journal, and two."""

_EDGE, _GAP, _BETWEEN = 1.0, 1.6, 3.6
_LETTER, _HEADING, _SMALL, _TEXT = 9.0, 7.0, 6.0, 7.0  # points
_LINE = 1.32  # of the size
_BAR, _BAR_GAP, _TICK = 2.0, 1.8, 0.8
_HIGHEST, _HIGHEST_BAR, _LEAST_BAR = 62.0, 34.0, 6.0
_LEAST_TILE = 5.0  # high, unless columns are asked for
_STRIP = 1.8  # millimetres of a row of a 1-D map, 6 for a vector
_INDENT = 4.2
_DOT = " · "
_MUTED: theme.Rgb = (92, 98, 110)


@dataclass(frozen=True, slots=True)
class Panel:
    """One layer's part of a figure.

    ``maps`` (channels, rows, columns) are those shown; ``labels`` name them, where there are several. ``scale_of`` are
    the values that the scale holds for: all of the layer, shown or not. ``strip`` marks rows of one picture that aren't
    a picture: 1-D maps and vectors.
    """

    heading: str
    caption: str
    maps: Floats
    labels: Sequence[str]
    scale_of: Floats
    strip: bool = False


@dataclass(frozen=True, slots=True)
class _Tile:
    pixels: Bytes | None
    palette: Bytes
    label: str
    constant: bool
    strange: bool


@dataclass(frozen=True, slots=True)
class _Block:
    """A panel on its way to the page: its tiles and what its colour bar says."""

    panel: Panel
    tiles: list[_Tile]
    legend: Legend | None
    shape: tuple[int, int]

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """What stands beside the colour bar: (share of its height from below, text)."""
        if self.legend is None:
            return []
        texts = ((0.0, self.legend.low), (0.5, self.legend.middle), (1.0, self.legend.high))
        return [(share, text) for share, text in texts if text]

    @property
    def aside(self) -> float:
        """Millimetres that the colour bar takes."""
        wide = max((width_of(text, _SMALL) for _, text in self.ticks), default=0.0)
        return _BAR_GAP + _BAR + _TICK + 0.6 + wide if self.legend is not None else 0.0


def width_in(width: float | str) -> float:
    """Millimetres of ``"single"``, ``"double"``, ``"85mm"``, ``"3.5in"``, ``"8.5cm"`` or a number.

    >>> width_in("single"), width_in("double"), width_in("120mm"), width_in(100)
    (85.0, 175.0, 120.0, 100.0)
    """
    text = str(width).strip().lower()
    number, unit = text.rstrip("abcdefghijklmnopqrstuvwxyz ").strip(), text.lstrip("0123456789. ").strip()
    factor = {"": 1.0, "mm": 1.0, "cm": 10.0, "in": 25.4}.get(unit)
    try:
        found = {"single": SINGLE, "double": DOUBLE}.get(text) or float(number) * (factor or math.nan)
    except ValueError:
        found = math.nan
    if not 30 <= found <= 1000:
        raise DrawingError(
            "This is not a figure's width",
            expected="'single' (85 mm), 'double' (175 mm), or 30 to 1000 mm",
            received=repr(width),
            hint="Type width='single' (--width 85mm), for example.",
        )
    return found


def publication(
    panels: Sequence[Panel],
    *,
    width: float | str = "single",
    columns: int | None = None,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    closing: str = "",
    captions: bool = True,
    title: str = "",
) -> Figure:
    """Return a figure of some panels: one below the other, or side by side where each has one map.

    ``columns`` is how many maps stand side by side. ``closing`` ends the caption, such as the recipe.

    >>> maps = np.random.default_rng(0).normal(size=(3, 8, 8)).astype(np.float32)
    >>> figure = publication([Panel("conv1", "conv1", maps, ["0", "1", "2"], maps)])
    >>> figure.width, figure.caption.startswith("a, conv1; colours from -")
    (85.0, True)
    """
    check_scale(scale)
    if columns is not None and columns < 1:
        raise DrawingError("A figure has columns", expected="columns from 1", received=str(columns))
    plate = Plate(width_in(width), title=title)
    blocks = [_block(panel, scale, mode) for panel in panels]
    inner = plate.width - 2 * _EDGE
    aside = max((block.aside for block in blocks), default=0.0)  # the same for all, so that maps stand below maps
    alone = all(len(block.tiles) == 1 and not block.panel.strip for block in blocks)
    most = columns or (2 if plate.width < 120 else 4)
    y = _EDGE
    if alone and len(blocks) > 1:
        across = min(most, len(blocks))
        each = (inner - _BETWEEN * (across - 1)) / across
        for start in range(0, len(blocks), across):
            row = blocks[start : start + across]
            lines = max(len(_heading(block, each)) for block in row)
            ends = [
                _put(plate, block, start + n, _EDGE + n * (each + _BETWEEN), y, (each, aside), 1, lines)
                for n, block in enumerate(row)
            ]
            y = max(ends) + _BETWEEN
    else:
        across = columns or min(
            max((len(block.tiles) for block in blocks if block.tiles), default=1), 4 if plate.width < 120 else 8
        )
        for number, block in enumerate(blocks):
            own = columns or next(n for n in range(across, 0, -1) if n == 1 or _tall(block, inner - aside, n))
            y = _put(plate, block, number, _EDGE, y, (inner, aside), own, 0) + _BETWEEN
    told = _captions(plate, blocks, scale, closing)
    y -= _BETWEEN
    if captions:
        y = _write_captions(plate, told, y + 2.6)
    plate.height = round(y + _EDGE, 2)
    return Figure(plate, " ".join(f"{letter}, {text}" if letter else text for letter, text in told))


def letter(number: int) -> str:
    """The letter of a panel.

    >>> letter(0), letter(25), letter(26)
    ('a', 'z', 'aa')
    """
    return ("" if number < 26 else letter(number // 26 - 1)) + "abcdefghijklmnopqrstuvwxyz"[number % 26]


def _block(panel: Panel, choice: ScaleChoice, mode: Mode) -> _Block:
    found = survey(panel.maps)
    if choice == "map" and not panel.strip:
        scales = own_scales(found, mode)
        ranges = range_texts(scales, found)
        legend = _own_legend(scales[0]) if found.size and scales else None
    else:
        one = choice if isinstance(choice, Scale) else layer_scale(survey(panel.scale_of), mode)
        scales, ranges = [one] * len(panel.maps), [""] * len(panel.maps)
        legend = Legend.of_scale(one, found)
    tiles = []
    for number, (array, own) in enumerate(zip(panel.maps, scales, strict=True)):
        label = ": ".join(filter(None, [panel.labels[number] if panel.labels else "", ranges[number]]))
        pixels = index(array, own) if array.size else None
        strange, constant = bool(found.strange[number]), bool(found.constant[number])
        tiles.append(_Tile(pixels, palette(own.diverging), label, constant, strange))
    return _Block(panel, tiles, legend, (panel.maps.shape[1], panel.maps.shape[2]))


def _own_legend(scale: Scale) -> Legend:
    return Legend(scale.diverging, "low", "0" if scale.diverging else "", "high")


def _heading(block: _Block, width: float) -> list[str]:
    """The heading in lines, broken between its parts where that can be."""
    lines = [""]
    for part in block.panel.heading.split(_DOT):
        longer = f"{lines[-1]}{_DOT}{part}" if lines[-1] else part
        if width_of(longer, _HEADING) <= width - _INDENT:
            lines[-1] = longer
        else:
            lines += broken(part, _HEADING, width - _INDENT)
    return [line for line in lines if line]


def _put(
    plate: Plate, block: _Block, number: int, x: float, y: float, room: tuple[float, float], across: int, lines: int
) -> float:
    """Draw a panel with its upper left corner at ``x``, ``y``; where it ends, below. ``room`` is its width, and how
    much of it is for the colour bar."""
    width, aside = room
    across = 1 if block.panel.strip else across
    words = _heading(block, width)
    plate.words.append(Words(x, y + 2.45, letter(number), _LETTER, bold=True))
    for place, line in enumerate(words):
        plate.words.append(Words(x + _INDENT, y + 2.45 + place * _LINE * _HEADING * POINT, line, _HEADING))
    y += max(lines, len(words)) * _LINE * _HEADING * POINT + 1.0
    wide, high = _tile_size(block, width - aside, across)
    lead = _SMALL * POINT * 1.25 if any(tile.label for tile in block.tiles) else 0.0
    used = min(across, len(block.tiles))
    for place, tile in enumerate(block.tiles):
        left, top = x + place % across * (wide + _GAP), y + place // across * (high + lead + _GAP) + lead
        if tile.label:
            size = min(_SMALL, _SMALL * wide / max(width_of(tile.label, _SMALL), 1e-9))
            plate.words.append(Words(left, top - 0.7, tile.label, size, colour=_MUTED))
        _put_tile(plate, tile, left, top, wide, high)
    if block.legend is not None:
        right = x + used * wide + (used - 1) * _GAP + _BAR_GAP
        _put_bar(plate, block, right, y + lead, max(min(high, _HIGHEST_BAR), _LEAST_BAR))
    rows = math.ceil(len(block.tiles) / across)
    return y + max(rows * (high + lead + _GAP) - _GAP, lead + _LEAST_BAR)


def _tall(block: _Block, width: float, across: int) -> bool:
    """Whether so many maps side by side are high enough to be looked at."""
    return 0 in block.shape or _tile_size(block, width, across)[1] >= _LEAST_TILE


def _tile_size(block: _Block, width: float, across: int) -> tuple[float, float]:
    rows, columns = (max(n, 1) for n in block.shape)
    wide = (width - _GAP * (across - 1)) / across
    if wide < 2:
        raise DrawingError(
            "So many maps don't fit side by side",
            expected=f"at most {max(1, int(width // (2 + _GAP)))} columns",
            received=str(across),
            hint="Take fewer columns, or a larger width.",
        )
    if block.panel.strip:
        return wide, 6.0 if rows == 1 else min(max(rows * _STRIP, 6.0), _HIGHEST)
    high = wide * rows / columns
    if high > _HIGHEST:
        wide, high = max(wide * _HIGHEST / high, 1.0), _HIGHEST
    return wide, max(high, 1.0)


def _put_tile(plate: Plate, tile: _Tile, x: float, y: float, width: float, height: float) -> None:
    if tile.pixels is not None:
        plate.rasters.append(Raster(x, y, width, height, tile.pixels, tile.palette))
    else:
        empty = np.full((1, 1), colours.EMPTY, np.uint8)
        plate.rasters.append(Raster(x, y, width, height, empty, tile.palette))
        plate.words.append(Words(x + width / 2, y + height / 2 + 0.7, "empty", _SMALL, anchor="middle", colour=_MUTED))
    if tile.constant:
        plate.strokes.append(Stroke(x, y + height, x + width, y, 0.5, theme.STRIKE))
    plate.frame(x, y, width, height, theme.NOT_A_NUMBER if tile.strange else _MUTED, 0.8 if tile.strange else 0.35)


def _put_bar(plate: Plate, block: _Block, x: float, y: float, height: float) -> None:
    legend = block.legend
    assert legend is not None
    ramp = np.arange(colours.COLOURS - 1, -1, -1, dtype=np.uint8)[:, None]
    plate.rasters.append(Raster(x, y, _BAR, height, ramp, palette(legend.diverging)))
    plate.frame(x, y, _BAR, height, _MUTED, 0.35)
    ticks = block.ticks
    if height < 2.2 * _SMALL * POINT:  # no room for the middle
        ticks = [tick for tick in ticks if tick[0] != 0.5]
    for share, text in ticks:
        level = y + height * (1 - share)
        plate.strokes.append(Stroke(x + _BAR, level, x + _BAR + _TICK, level, 0.35, _MUTED))
        # the outer values stand inside the bar's height, so that none runs into what is above or below
        drop = {0.0: 0.0, 0.5: 0.36, 1.0: 0.72}[share] * _SMALL * POINT
        anchor: Anchor = "start"
        plate.words.append(Words(x + _BAR + _TICK + 0.6, level + drop, text, _SMALL, anchor=anchor))


def _captions(plate: Plate, blocks: Sequence[_Block], scale: ScaleChoice, closing: str) -> list[tuple[str, str]]:
    """The caption, part by part: (letter, text); the closing without a letter."""
    told = [(letter(number), _told(block, scale)) for number, block in enumerate(blocks)]
    fine = [
        letter(number)
        for number, block in enumerate(blocks)
        if any(
            one.pixels.shape[0] > one.height * DPI / 25.4 + 1 and one.pixels.shape[1] > 1
            for one in plate.rasters
            if block.tiles and any(one.pixels is tile.pixels for tile in block.tiles)
        )
    ]
    constant = any(tile.constant for block in blocks for tile in block.tiles)
    notes = ["A diagonal line marks a constant map." if constant else "", closing]
    if fine:
        them = "Panel " + fine[0] + " has" if len(fine) == 1 else "Panels " + ", ".join(fine) + " have"
        notes.append(f"{them} more values than a print of {DPI} dots an inch; the SVG and PDF hold all of them.")
    ending = " ".join(filter(None, notes))
    return [*told, *([("", ending)] if ending else [])]


def _told(block: _Block, scale: ScaleChoice) -> str:
    found = survey(block.panel.maps)
    return " ".join(filter(None, [f"{block.panel.caption}; {_of_colours(block, scale)}.", *_strange(found)]))


def _of_colours(block: _Block, scale: ScaleChoice) -> str:
    legend = block.legend
    if legend is None:
        return "no values"
    if scale == "map" and not block.panel.strip:
        zero = ", zero in the middle" if legend.diverging else ""
        return f"each map on its own colour scale{zero}, its range written above it"
    zero = " with zero in the middle" if legend.diverging else ""
    shared = ", one scale for all channels of the layer" if len(block.panel.scale_of) > 1 else ""
    return f"colours from {legend.low} to {legend.high}{zero}{shared if not isinstance(scale, Scale) else ''}"


def _strange(found: Survey) -> Iterator[str]:
    sentence = found.sentence()
    if sentence:
        yield sentence
    names = {colours.NOT_A_NUMBER: "pink", colours.PLUS_INFINITY: "green", colours.MINUS_INFINITY: "black"}
    for colour, label in swatches(found):
        yield f"{label} is {names[colour]}."


def _write_captions(plate: Plate, told: Sequence[tuple[str, str]], y: float) -> float:
    step = _TEXT * POINT * _LINE
    for mark, text in told:
        indent = _INDENT if mark else 0.0
        if mark:
            plate.words.append(Words(_EDGE, y + _TEXT * POINT * 0.95, mark, _TEXT, bold=True))
        for line in broken(text, _TEXT, plate.width - 2 * _EDGE - indent):
            plate.words.append(Words(_EDGE + indent, y + _TEXT * POINT * 0.95, line, _TEXT))
            y += step
        y += 0.5
    return y
