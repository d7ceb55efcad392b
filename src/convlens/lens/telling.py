"""An explanation as text that a person reads with pleasure, whose printed numbers add up.

Numbers are printed with as many decimals as their size asks for. Where rounding for print leaves the printed terms
short of the printed total, the rest stands in a line of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_EVEN, Decimal
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

import numpy as np

from convlens.arithmetic.rounding import Floats
from convlens.arithmetic.working import Array, Working

if TYPE_CHECKING:
    from convlens.lens.explanation import Explanation

MOST_CELLS = 7
"""Windows of up to so many columns and rows are shown in full."""
MOST_CHANNELS = 4
MOST_TERMS = 10
_DIGITS = 6


def explanation_text(explanation: Explanation) -> str:
    """The whole explanation, plain text, one fact a line."""
    from convlens.lens.explanation import place_in_words

    layer = explanation.layer
    shape = " x ".join(str(n) for n in layer.output_shape)
    lines = [f"{layer.name}: {place_in_words(explanation.index)}   ({layer.op}, {shape}, {layer.dtype})"]
    working = explanation.working
    if working is None:
        sources = ", ".join(layer.inputs)
        lines += ["", explanation.verdict, f"value      {explanation.framework_value:.9g}", f"reads      {sources}"]
        return "\n".join(lines)
    lines += [working.formula, ""]
    decimals = decimals_for(working, explanation.framework_value)
    if working.window.size > 1:
        lines += [*_terms(explanation, working, decimals), ""]
    elif len(explanation.inputs) == 1:
        lines += [str(explanation.inputs[0]), ""]
    lines += ledger(explanation, working, decimals)
    lines += ["", explanation.verdict]
    return "\n".join(lines)


def decimals_for(working: Working, value: float) -> int:
    """Decimals that give the largest number of the explanation six significant digits.

    >>> from convlens.arithmetic.working import single
    >>> decimals_for(single("copy", "", 123.456, 123.456, (0,)), 123.456)
    3
    """
    products = working.products if working.products is not None else np.zeros(0)
    return _decimals(np.concatenate([[value, working.total], working.window.ravel(), products.ravel()]))


def _decimals(numbers: Floats) -> int:
    finite = np.abs(numbers[np.isfinite(numbers)])
    largest = float(finite.max(initial=0.0))
    return _DIGITS if largest == 0 else max(0, min(12, _DIGITS - 1 - floor(log10(largest))))


def ledger(explanation: Explanation, working: Working, decimals: int) -> list[str]:
    """The sum line by line, then the framework's value, the difference and its bound."""
    rows: list[tuple[str, str]] = []
    sums = working.channel_sums
    if sums is not None and len(sums) > 1:
        added = _added(sums, working)
        if working.bias is not None:
            added.append(("bias", working.bias))
        printed = [_printed(number, decimals) for _, number in added]
        rows += [(name, f"{number}") for (name, _), number in zip(added, printed, strict=True)]
        if all(number.is_finite() for number in printed):
            rest = _printed(working.total, decimals) - sum(printed, Decimal(0))
            rows += [("rounding of the lines above", f"{rest}")] if rest else []
    else:
        rows += [(step.words, f"{_printed(step.value, decimals)}") for step in working.steps]
    rows += [
        ("total", f"{_printed(working.total, decimals)}"),
        ("the framework's own value", f"{_printed(explanation.framework_value, decimals)}"),
        ("difference", f"{explanation.residual:.2e}"),
        ("rounding can make", f"{explanation.tolerance:.2e}"),
    ]
    width, most = max(len(name) for name, _ in rows), max(len(number) for _, number in rows)
    return [f"{name.ljust(width)}  {number.rjust(most)}" for name, number in rows]


def _added(sums: Floats, working: Working) -> list[tuple[str, float]]:
    """The numbers that the ledger adds: one a channel, or the strongest and all the rest together."""
    names = [entry_words(working, number) for number in range(len(sums))]
    if len(sums) <= MOST_TERMS:
        return [(name, float(number)) for name, number in zip(names, sums, strict=True)]
    order = np.argsort(-np.abs(sums), kind="stable")
    strongest, rest = order[:MOST_TERMS], order[MOST_TERMS:]
    shown = [(names[n], float(sums[n])) for n in strongest]
    return [*shown, (f"the other {len(rest):,}", float(sums[rest].sum()))]


def entry_words(working: Working, number: int) -> str:
    """What a reader calls the ``number``-th entry along the window's first axis."""
    if working.rule in ("convolution", "transposed convolution"):
        first = int(working.places[0].ravel()[0])
        return f"channel {first + number}"
    if working.rule == "dense":
        return f"feature {number}"
    if working.inputs.size > 1:
        return f"input {number}"
    return f"line {number}"


def _terms(explanation: Explanation, working: Working, decimals: int) -> Iterable[str]:
    rows, columns = working.window.shape[-2:] if working.window.ndim > 1 else (1, working.window.size)
    planes = working.window.size // max(rows * columns, 1)
    if rows <= MOST_CELLS and columns <= MOST_CELLS and planes <= MOST_CHANNELS:
        return _grids(working, decimals, planes, (rows, columns))
    return _strongest(explanation, working)


def _grids(working: Working, decimals: int, planes: int, size: tuple[int, int]) -> list[str]:
    """Window, kernel and products side by side, one block a channel; ``.`` is padding, ``*`` won."""

    def cut(array: Array | None) -> Array | None:
        return None if array is None else array.reshape(planes, *size)

    inside = working.inside.reshape(planes, *size)
    winners = cut(working.winners)
    shown = {"window": cut(working.window), "kernel": cut(working.kernel), "products": cut(working.products)}
    own = _decimals(working.kernel) if working.kernel is not None else decimals
    lines = []
    for plane in range(planes):
        blocks = []
        for title, values in shown.items():
            if values is None:
                continue
            cells = [
                [
                    _cell(
                        values[plane, row, column],
                        own if title == "kernel" else decimals,
                        inside[plane, row, column] or title == "kernel",
                        winner=title == "window" and winners is not None and bool(winners[plane, row, column]),
                    )
                    for column in range(size[1])
                ]
                for row in range(size[0])
            ]
            blocks.append(_block(title, cells))
        if planes > 1:
            lines.append(entry_words(working, plane))
        lines += ["   ".join(parts).rstrip() for parts in zip(*blocks, strict=True)]
    return lines


def _cell(value: float, decimals: int, inside: bool, *, winner: bool) -> str:
    if not inside:
        return "." if value == 0 or not isfinite(value) else f"({value:g})"
    return f"{_printed(value, decimals)}{'*' if winner else ''}"


def _block(title: str, cells: Sequence[Sequence[str]]) -> list[str]:
    width = max(len(cell) for row in cells for cell in row)
    lines = [" ".join(cell.rjust(width) for cell in row) for row in cells]
    across = max(len(title), *(len(line) for line in lines))
    return [title.ljust(across), *(line.ljust(across) for line in lines)]


def _strongest(explanation: Explanation, working: Working) -> list[str]:
    terms = explanation.inputs
    shown = [f"  {term}" for term in terms[:MOST_TERMS]]
    count = working.window.size
    if working.products is None:
        return [f"the {len(shown)} largest of {count:,} values", *shown]
    half = explanation.leading(0.8)
    rest = working.products.sum() - sum(term.contribution or 0.0 for term in terms[:MOST_TERMS])
    lines = [f"{half:,} of {count:,} terms hold 80 % of all magnitudes; the strongest:", *shown]
    if count > len(shown):
        lines.append(f"  the other {count - len(shown):,} terms together: {rest:.9g}")
    return lines


def _printed(value: float, decimals: int) -> Decimal:
    if not isfinite(value):
        return Decimal(value)
    rounded = Decimal(value).quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_EVEN)
    return rounded if rounded else abs(rounded)  # no negative zero
