"""A table in a terminal of any width: columns are left out and names shortened, but nothing is broken inside a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size

GAP, EDGES = 3, 2
"""Letters between two columns, and beside the first and the last one together, as Rich draws the table."""


@dataclass(frozen=True, slots=True)
class Column:
    """``least``: to how many letters its cells may be shortened (never, where it is ``None``); ``leaves``: which column
    is left out first where there is no room, the lowest number first, and never where it is ``None``."""

    heading: str
    least: int | None = None
    leaves: int | None = None


@dataclass(frozen=True, slots=True)
class Fit:
    """Which columns are shown, and how wide each of them is; and whether a cell had to be shortened."""

    shown: tuple[int, ...]
    widths: tuple[int, ...]
    shortened: bool


def fit(columns: Sequence[Column], rows: Sequence[Sequence[str]], width: int) -> Fit:
    """Fit a table into so many letters.

    >>> columns = [Column("layer", least=8), Column("op", leaves=0), Column("MACs")]
    >>> fit(columns, [["a.rather.long.name", "Conv", "1,200"]], 40)
    Fit(shown=(0, 1, 2), widths=(18, 4, 5), shortened=False)
    >>> fit(columns, [["a.rather.long.name", "Conv", "1,200"]], 20)
    Fit(shown=(0, 2), widths=(10, 5), shortened=True)
    """
    natural = [max(cell_len(text) for text in (column.heading, *cells)) for column, cells in _cells(columns, rows)]
    least = [
        wide if column.least is None else min(wide, max(column.least, cell_len(column.heading)))
        for column, wide in zip(columns, natural, strict=True)
    ]
    shown = list(range(len(columns)))
    leaving = sorted((column.leaves, n) for n, column in enumerate(columns) if column.leaves is not None)
    while leaving and _total([least[n] for n in shown]) > width:
        shown.remove(leaving.pop(0)[1])
    widths = {n: natural[n] for n in shown}
    while (over := _total(list(widths.values())) - width) > 0:
        longest = max((n for n in shown if widths[n] > least[n]), key=lambda n: widths[n] - least[n], default=None)
        if longest is None:  # even the least is too wide: the first column takes what there is
            widths[shown[0]] = max(widths[shown[0]] - over, 1)
            break
        widths[longest] -= min(over, widths[longest] - least[longest])
    chosen = tuple(widths[n] for n in shown)
    return Fit(tuple(shown), chosen, any(widths[n] < natural[n] for n in shown))


def shortened(text: str, width: int) -> str:
    """A text with its middle left out, so that it takes at most so many letters; its indent and its end stay.

    >>> shortened("  backbone.stage2.block1.conv", 18)
    '  backbone…k1.conv'
    >>> shortened("conv", 4)
    'conv'
    """
    if cell_len(text) <= width:
        return text
    indent = text[: len(text) - len(text.lstrip())][: max(width - 3, 0)]
    bare, room = text.lstrip(), width - len(indent) - 1
    end = bare
    while cell_len(end) > room // 2:
        end = end[1:]
    return f"{indent}{set_cell_size(bare, max(room - cell_len(end), 0)).rstrip()}…{end}"


def whole_words(text: str, width: int) -> str:
    """A sentence whose words all fit into a line: those that are longer are shortened."""
    return " ".join(shortened(word, width) for word in text.split(" "))


def _cells(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[tuple[Column, list[str]]]:
    return [(column, [row[n] for row in rows]) for n, column in enumerate(columns)]


def _total(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * max(len(widths) - 1, 0) + EDGES
