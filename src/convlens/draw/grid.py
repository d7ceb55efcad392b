"""Tiles in a grid: how many a row, where each lies, and the marks on those that aren't as usual."""

from __future__ import annotations

import math

import numpy as np

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas
from convlens.draw.colours import Bytes
from convlens.draw.lettering import text_width
from convlens.draw.survey import Survey

LABEL_HEIGHT = theme.LINE_HEIGHT[theme.SMALL_SIZE]

_WIDTH_TO_HEIGHT = 1.5


def grid_columns(count: int, width: int, height: int) -> int:
    """Return a number of columns that makes the grid a little wider than high, and full where the count allows it.

    >>> grid_columns(32, 120, 136), grid_columns(3, 100, 100), grid_columns(7, 100, 100)
    (8, 3, 3)
    """
    ideal = math.sqrt(max(count, 1) * _WIDTH_TO_HEIGHT * height / width)
    near = range(max(1, round(ideal * 0.75)), min(max(count, 1), max(1, round(ideal * 1.4))) + 1)
    return min(near or [max(count, 1)], key=lambda across: (-count % across > 0, abs(math.log(across / ideal))))


class Grid:
    """Where the tiles of a mosaic lie: cells of (width, height), ``label`` pixels of text above each tile."""

    def __init__(self, count: int, columns: int, cell: tuple[int, int], label: int) -> None:
        self.columns = columns
        self.cell = cell
        self.label = label
        width, height = cell
        rows = math.ceil(count / columns)
        self.size = (columns * width - theme.GAP, max(rows * height - theme.GAP, 1))

    @classmethod
    def of(cls, tiles: Bytes, widest_number: str, ranges: list[str], columns: int | None) -> Grid:
        """Return a grid for ``tiles`` (count, rows, columns) with room for their numbers and ranges."""
        count, height, width = tiles.shape
        number = text_width(widest_number, theme.SMALL_SIZE) if widest_number else 0
        widest = max((text_width(text, theme.SMALL_SIZE) for text in ranges), default=0)
        two_lines = bool(number and widest and number + theme.GAP + widest > width)
        label = LABEL_HEIGHT * (2 if two_lines else 1 if number or widest else 0)
        cell = (max(width, number, widest) + theme.GAP, height + label + theme.GAP)
        return cls(count, max(1, min(columns or grid_columns(count, *cell), max(count, 1))), cell, label)

    def corner(self, position: int, left: int, top: int) -> tuple[int, int]:
        """Return where the tile at ``position`` begins (x, y), in a grid that begins at ``left``, ``top``."""
        row, column = divmod(position, self.columns)
        return left + column * self.cell[0], top + row * self.cell[1] + self.label


def every(pitch: int, needs: int) -> int:
    """Return every how many rows or columns a label that ``needs`` so many pixels has room: 1, 2, 4, 8, ...

    >>> every(16, 14), every(4, 14)
    (1, 4)
    """
    count = 1
    while count * pitch < needs:
        count *= 2
    return count


def mark(
    canvas: Canvas, corner: tuple[int, int], size: tuple[int, int], found: Survey, one: int, thickness: int = 2
) -> None:
    """Mark the tile of one surveyed map: a diagonal where it is constant or empty, a frame where it has no numbers."""
    if found.size == 0 or found.constant[one]:
        _diagonal(canvas, *corner, *size)
    if found.nan[one]:
        canvas.outline(*corner, *size, colours.NOT_A_NUMBER, thickness)
    elif found.plus_infinity[one]:
        canvas.outline(*corner, *size, colours.PLUS_INFINITY, thickness)
    elif found.minus_infinity[one]:
        canvas.outline(*corner, *size, colours.MINUS_INFINITY, thickness)


def _diagonal(canvas: Canvas, x: int, y: int, width: int, height: int) -> None:
    steps = np.arange(max(width, height))
    last = max(len(steps) - 1, 1)
    canvas.pixels[y + height - 1 - steps * (height - 1) // last, x + steps * (width - 1) // last] = colours.STRIKE
