"""An explanation, and a trace, as plain text that a person reads with pleasure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

import numpy as np

from convlens.lens.printed import (
    Grid,
    Plane,
    Strongest,
    decimals_for,
    decimals_of,
    ledger,
    planes,
    rounded,
    strongest,
)

if TYPE_CHECKING:
    from convlens.lens.explanation import Explanation, PictureValue


def explanation_text(explanation: Explanation) -> str:
    """The whole explanation, plain text, one fact a line."""
    lines = [heading(explanation)]
    working = explanation.working
    if working is None:
        value, sources = f"{explanation.framework_value:.9g}", ", ".join(explanation.layer.inputs)
        return "\n".join([*lines, "", explanation.verdict, f"value      {value}", f"reads      {sources}"])
    lines += [working.formula, ""]
    decimals = decimals_for(working, explanation.framework_value)
    if working.window.size > 1:
        blocks = planes(working, decimals)
        lines += [*(_strongest(strongest(explanation, working)) if blocks is None else _planes(blocks)), ""]
    elif len(explanation.inputs) == 1:
        lines += [str(explanation.inputs[0]), ""]
    rows = list(ledger(explanation, working, decimals))
    width, most = max(len(row.name) for row in rows), max(len(row.number) for row in rows)
    lines += [f"{row.name.ljust(width)}  {row.number.rjust(most)}" for row in rows]
    lines += ["", explanation.verdict]
    return "\n".join(lines)


def heading(explanation: Explanation) -> str:
    """One line: the layer, the place, and what the layer is."""
    from convlens.lens.explanation import place_in_words

    layer = explanation.layer
    shape = " x ".join(str(n) for n in layer.output_shape) or "one number"
    place = f": {place_in_words(explanation.index)}" if explanation.index else ""
    return f"{layer.name}{place}   ({layer.op}, {shape}, {layer.dtype})"


def trace_text(steps: Iterable[Explanation | PictureValue]) -> str:
    """A trace as a table: where the value stands, what it is, and how it entered the one above it."""
    rows = trace_rows(steps)
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        f"{name.ljust(widths[0])}  {place.ljust(widths[1])}  {value.rjust(widths[2])}  {entered}".rstrip()
        for name, place, value, entered in rows
    )


def trace_rows(steps: Iterable[Explanation | PictureValue]) -> list[tuple[str, str, str, str]]:
    """A trace as (layer, place, value, how it entered the value above), from the value back to the picture."""
    from convlens.lens.explanation import PictureValue, place_in_words

    rows, above = [], ""
    for step in steps:
        name, value = (
            (step.input, step.value) if isinstance(step, PictureValue) else (step.layer.name, step.framework_value)
        )
        rows.append((name, place_in_words(step.index), f"{value:.6g}", above))
        above = "" if isinstance(step, PictureValue) else _entered(step)
    return rows


def _entered(step: Explanation) -> str:
    """How the largest term of a value entered it."""
    if not step.inputs or step.working is None:
        return ""
    term, count = step.inputs[0], step.working.window.size
    if term.contribution is not None and term.weight is not None and count > 1:
        return f"x {term.weight:.4g} = {term.contribution:.4g}, the largest of {count:,} terms"
    return f"the largest of {count:,}" if count > 1 else step.working.formula


def _planes(blocks: Sequence[Plane]) -> list[str]:
    """Window, kernel and products side by side, one block a channel; ``.`` is padding, ``*`` won."""
    lines = []
    for plane in blocks:
        lines += [plane.name] if plane.name else []
        lines += ["   ".join(parts).rstrip() for parts in zip(*map(_block, plane.grids), strict=True)]
    return lines


def _block(grid: Grid) -> list[str]:
    width = max(len(cell.text) for row in grid.rows for cell in row)
    lines = [" ".join(cell.text.rjust(width) for cell in row) for row in grid.rows]
    across = max(len(grid.title), *(len(line) for line in lines))
    return [grid.title.ljust(across), *(line.ljust(across) for line in lines)]


def _strongest(found: Strongest) -> list[str]:
    """The largest terms as a table: where each stands, its value, x weight, = contribution."""
    from convlens.lens.explanation import place_in_words

    count, rest = found.rest
    columns = [
        [f"{term.layer} at {place_in_words(term.index)}" for term in found.terms],
        _column("", [term.value for term in found.terms]),
        _column("x ", [term.weight for term in found.terms]),
        _column("= ", [*(term.contribution for term in found.terms), rest]),
    ]
    if count:
        columns[0].append(f"the other {count:,} terms together" if rest is not None else f"and {count:,} more")
    for column in columns[1:3]:
        column += [" " * len(column[0])] * (len(columns[0]) - len(column)) if column else []
    width = max(len(words) for words in columns[0])
    lines = [[words.ljust(width), *numbers] for words, *numbers in zip_longest(*columns, fillvalue="")]
    return [found.sentence, *("  " + "  ".join(cells).rstrip() for cells in lines)]


def _column(sign: str, numbers: Sequence[float | None]) -> list[str]:
    """Numbers below each other, with as many decimals each, behind a sign."""
    known = [number for number in numbers if number is not None]
    decimals = decimals_of(np.array(known))
    printed = [f"{rounded(number, decimals)}" for number in known]
    width = max((len(number) for number in printed), default=0)
    return [sign + number.rjust(width) for number in printed]
