"""An explanation in its printed parts: every number rounded once, so that text, terminal and page say the same.

Numbers are printed with as many decimals as their size asks for. Where rounding for print leaves the printed terms
short of the printed total, the rest stands in a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from math import floor, isfinite, log10, prod
from typing import TYPE_CHECKING, Literal

import numpy as np

from convlens.arithmetic.rounding import Floats
from convlens.arithmetic.working import Array, Working
from convlens.network import CONSTANT

if TYPE_CHECKING:
    from convlens.lens.explanation import Explanation, Term

MOST_CELLS = 7
"""Windows of up to so many columns and rows are shown in full."""
MOST_CHANNELS = 4
MOST_TERMS = 10
_DIGITS = 6
_TOO_LARGE = 10**15
"""From here on a number is printed with its exponent; what such prints lack of their total isn't told."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a grid. ``text`` is a dot in zero padding, a constant stands in brackets, what won has a star."""

    text: str
    value: float
    inside: bool
    winner: bool


@dataclass(frozen=True, slots=True)
class Grid:
    """A window, a kernel or their products: rows of cells. ``limit`` is the largest magnitude in any of its kind."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]
    limit: float


@dataclass(frozen=True, slots=True)
class Plane:
    """The grids of one channel, side by side; ``name`` is empty where there is only one."""

    name: str
    grids: tuple[Grid, ...]


@dataclass(frozen=True, slots=True)
class Strongest:
    """The largest terms of many: ``sentence`` says how much they hold; ``rest`` is how many others there are, and
    what they add up to (``None`` where nothing is added up)."""

    sentence: str
    terms: tuple[Term, ...]
    rest: tuple[int, float | None]


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the ledger. The terms, and the rounding of their print, add up to the total as they are printed."""

    kind: Literal["term", "rounding", "step", "total", "framework", "difference", "bound"]
    name: str
    number: str


def planes(working: Working, decimals: int, *, kernel_digits: int = _DIGITS) -> tuple[Plane, ...] | None:
    """Window, kernel and products in full, a plane a channel; ``None`` where they are too many to read.

    ``kernel_digits`` are those of its largest weight; fewer make it narrower.
    """
    rows, columns = working.window.shape[-2:] if working.window.ndim > 1 else (1, working.window.size)
    count = working.window.size // max(rows * columns, 1)
    if rows > MOST_CELLS or columns > MOST_CELLS or count > MOST_CHANNELS:
        return None

    def cut(array: Array | None) -> Array | None:
        return None if array is None else array.reshape(count, rows, columns)

    inside, winners = working.inside.reshape(count, rows, columns), cut(working.winners)
    constant = working.constant.reshape(count, rows, columns)
    shown = {"window": cut(working.window), "kernel": cut(working.kernel), "products": cut(working.products)}
    if working.kernel is not None and working.rule not in _SUMS and len(set(working.kernel.flat)) == 1:
        shown = {"window": shown["window"]}  # all have the same weight, which the formula says
    own = decimals_of(working.kernel, kernel_digits) if working.kernel is not None else decimals

    def cell(title: str, values: Array, place: tuple[int, int, int]) -> Cell:
        real = bool(inside[place]) or title == "kernel"
        won = title == "window" and winners is not None and bool(winners[place])
        value = float(values[place])
        text = _cell(value, own if title == "kernel" else decimals, real, constant=bool(constant[place]))
        star = "" if winners is None or title != "window" else "*" if won else " "
        return Cell(text + star, value, real, won)

    def grid(title: str, values: Array, plane: int) -> Grid:
        finite = np.abs(values[np.isfinite(values)])
        made = tuple(
            tuple(cell(title, values, (plane, row, column)) for column in range(columns)) for row in range(rows)
        )
        return Grid(title, made, float(finite.max(initial=0.0)))

    return tuple(
        Plane(
            plane_words(working, plane),
            tuple(grid(title, values, plane) for title, values in shown.items() if values is not None),
        )
        for plane in range(count)
    )


def strongest(explanation: Explanation, working: Working) -> Strongest:
    """The largest terms, where there are too many to show all."""
    terms = tuple(explanation.inputs[:MOST_TERMS])
    count = working.window.size
    if working.products is None:
        sentence = f"the {len(terms)} largest of {count:,} values"
        if working.focus is not None:
            sentence = f"the value itself, and the {len(terms) - 1} largest of the {count:,} that take its measure"
        return Strongest(sentence, terms, (count - len(terms), None))
    half = explanation.leading(0.8)
    rest = working.products.sum() - sum(term.contribution or 0.0 for term in terms)
    sentence = f"{half:,} of {count:,} terms hold 80 % of all magnitudes; the strongest:"
    return Strongest(sentence, terms, (count - len(terms), float(rest)))


def ledger(explanation: Explanation, working: Working, decimals: int) -> Iterator[Row]:
    """The sum line by line, then the framework's value, the difference and its bound."""
    sums = working.channel_sums
    if sums is not None and _in_parts(working):
        added = _added(sums, working)
        if working.bias is not None:
            added.append(("bias", working.bias))
        printed = [rounded(number, decimals) for _, number in added]
        for (name, _), number in zip(added, printed, strict=True):
            yield Row("term", name, f"{number}")
        sum_of_terms = rounded(working.total if working.accumulated is None else working.accumulated, decimals)
        if all(number.is_finite() and abs(number) < _TOO_LARGE for number in (*printed, sum_of_terms)):
            rest = sum_of_terms - sum(printed, Decimal(0))
            if rest:
                yield Row("rounding", "rounding of the lines above", f"{rest}")
        for step in working.steps if working.accumulated is not None else ():
            yield Row("step", step.words, f"{rounded(step.value, decimals)}")
    else:
        for step in working.steps:
            yield Row("step", step.words, f"{rounded(step.value, decimals)}")
    yield Row("total", "total", f"{rounded(working.total, decimals)}")
    yield Row("framework", "the framework's own value", f"{rounded(explanation.framework_value, decimals)}")
    yield Row("difference", "difference", f"{explanation.residual:.2e}")
    yield Row("bound", "rounding can make", f"{explanation.tolerance:.2e}")


_SUMS = ("convolution", "transposed convolution", "dense")


def _in_parts(working: Working) -> bool:
    """Whether the ledger adds up channels, features or inputs, and a bias; else it goes through the steps."""
    if working.rule in _SUMS:
        return len(working.window) > 1 or working.bias is not None
    return int((working.inputs != CONSTANT).sum()) > 1


def decimals_for(working: Working, value: float) -> int:
    """Decimals that give the largest number of the explanation six significant digits.

    >>> from convlens.arithmetic.working import single
    >>> decimals_for(single("copy", "", 123.456, 123.456, (0,)), 123.456)
    3
    """
    products = working.products if working.products is not None else np.zeros(0)
    return decimals_of(np.concatenate([[value, working.total], working.window.ravel(), products.ravel()]))


def entry_words(working: Working, number: int) -> str:
    """What a reader calls the ``number``-th entry along the window's first axis."""
    if working.rule in ("convolution", "transposed convolution"):
        if len(working.window) == 1:
            return "sum of window x kernel"
        first = int(working.places[0].ravel()[0])
        return f"channel {first + number}"
    if working.rule == "dense":
        return f"feature {number}"
    if working.inputs.size > 1:
        own = int(working.inputs[number])
        return f"constant, operand {number}" if own == CONSTANT else f"input {own}"
    return f"line {number}"


def plane_words(working: Working, number: int) -> str:
    """What a reader calls the ``number``-th plane of a window: its channel, its depth; nothing for the only one."""
    lengths = working.window.shape[:-2]
    if prod(lengths) == 1:
        return ""
    place = np.unravel_index(number, lengths)
    names = ("channel", "depth") if working.window.ndim == len(working.places) else ("depth",)
    words = []
    for axis, (name, at) in enumerate(zip(names, place, strict=False)):
        shown = int(working.places[0].ravel()[at]) if name == "channel" else int(at)
        words += [f"{name} {shown}"] if lengths[axis] > 1 else []
    return ", ".join(words)


def rounded(value: float, decimals: int) -> Decimal:
    """A number as it is printed: with so many decimals, or where it is huge, with as many digits as are read.

    >>> print(rounded(2.0005, 2), rounded(-0.0001, 2), rounded(3.4028235e38, 0))
    2.00 0.00 3.40282E+38
    """
    if not isfinite(value):
        return Decimal(value)
    if abs(value) >= _TOO_LARGE:
        return Decimal(f"{value:.{_DIGITS}g}")
    number = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return number if number else abs(number)  # no negative zero


def _added(sums: Floats, working: Working) -> list[tuple[str, float]]:
    """The numbers that the ledger adds: one a channel, or the strongest and all the rest together."""
    names = [entry_words(working, number) for number in range(len(sums))]
    if len(sums) <= MOST_TERMS:
        return [(name, float(number)) for name, number in zip(names, sums, strict=True)]
    order = np.argsort(-np.abs(sums), kind="stable")
    strongest, rest = order[:MOST_TERMS], order[MOST_TERMS:]
    shown = [(names[n], float(sums[n])) for n in strongest]
    return [*shown, (f"the other {len(rest):,}", float(sums[rest].sum()))]


def _cell(value: float, decimals: int, inside: bool, *, constant: bool = False) -> str:
    if not inside:
        padding = not constant and (value == 0 or not isfinite(value))
        return "." if padding else f"({value:g})"
    return f"{rounded(value, decimals)}"


def decimals_of(numbers: Floats, digits: int = _DIGITS) -> int:
    """Decimals that give the largest of these numbers so many significant digits."""
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = float(finite.max(initial=0.0))
    return digits if largest == 0 else max(0, min(12, digits - 1 - floor(log10(largest))))
