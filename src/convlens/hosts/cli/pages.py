"""An explanation, a trace and a derivation as a terminal shows them: side by side, in colour, within its width."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from convlens.hosts.cli.terminal import can_show, printable
from convlens.lens.explanation import place_in_words
from convlens.lens.printed import (
    Grid,
    Plane,
    Row,
    Strongest,
    decimals_for,
    decimals_of,
    ledger,
    planes,
    rounded,
    strongest,
)
from convlens.lens.telling import trace_rows

if TYPE_CHECKING:
    from rich.console import RenderableType

    from convlens.arithmetic import Working
    from convlens.derivation import Worked
    from convlens.lens import Explanation, PictureValue

POSITIVE, NEGATIVE = "#c8701e", "#4a86e8"
"""Orange and blue as on every picture, of a lightness that stands on a dark page and on a light one."""

_FAINT, _STRONG = 0.1, 0.5  # of the largest magnitude: below the one dim, from the other on bold
_WIDEST_BAR, _NARROWEST_BAR = 24, 8
_INDENT = 2


def explanation_page(explanation: Explanation, width: int) -> Iterator[RenderableType]:
    """The parts of an explanation, from top to bottom."""
    layer, working = explanation.layer, explanation.working
    facts = [layer.op, " x ".join(str(n) for n in layer.output_shape) or "scalar", layer.dtype]
    yield from _heading(layer.name, place_in_words(explanation.index), facts, width)
    if working is None:
        yield Text()
        yield from _unexplained(explanation)
        return
    yield Text(printable(working.formula), style="dim italic")
    yield Text()
    if working.window.size > 1:
        yield from _terms(explanation, working, width)
        yield Text()
    elif len(explanation.inputs) == 1:
        yield Text(f"{' ' * _INDENT}{printable(str(explanation.inputs[0]))}")
        yield Text()
    yield _ledger(list(ledger(explanation, working, decimals_for(working, explanation.framework_value))), width)
    yield Text()
    mark = _mark("✓", "ok:") if explanation.agrees else _mark("✗", "!!")
    yield Text(f"{mark} {printable(explanation.verdict)}", style="green" if explanation.agrees else "bold red")


def trace_page(steps: Sequence[Explanation | PictureValue]) -> Iterator[RenderableType]:
    """The way from a value back to the picture, a line a layer."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for number in range(4):
        table.add_column(justify="right" if number == 2 else "left", overflow="fold", no_wrap=number in (1, 2))
    for name, place, value, entered in trace_rows(steps):
        cells = (Text(printable(name), style="bold"), Text(place), Text(value), Text(printable(entered), style="dim"))
        table.add_row(*cells)
    yield Text()
    yield Text("the way back to the picture, by the largest term", style="dim italic")
    yield Text()
    yield table


def derivation_page(worked: Worked, width: int) -> Iterator[RenderableType]:
    """A layer's lines: the formula once, then the same with its own numbers; then what they mean."""
    layer = worked.layer
    shape = " x ".join(str(n) for n in layer.output_shape) or "scalar"
    yield from _heading(layer.name, "", [layer.op, shape], width)
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column()
    table.add_column(overflow="fold")
    before = ""
    for line in worked.derivations:
        name = Text(f"{' ' * _INDENT}{line.what}")
        if line.rule != before:
            table.add_row(name, Text(printable(line.rule), style="dim"))
            name = Text()
        result = Text(f"{line.value:,}", style="bold")
        table.add_row(name, Text.assemble(f"{line.terms} = ", result))
        before = line.rule
    yield table
    for remark in worked.remarks:
        yield Padding(Text(printable(remark), style="italic dim"), (0, 0, 0, _INDENT))
    yield Text()


def _heading(name: str, place: str, facts: Sequence[str], width: int) -> Iterator[Text]:
    """The layer and the place; what the layer is, on the same line where there is room."""
    first = Text.assemble((printable(name), "bold"), f"  {place}" if place else "")
    second = Text(printable(f" {_mark('·', '-')} ".join(facts)), style="dim")
    if first.cell_len + 2 + second.cell_len <= width:
        yield Text.assemble(first, "  ", second)
    else:
        yield from (first, second)


def _unexplained(explanation: Explanation) -> Iterator[RenderableType]:
    yield Text(printable(explanation.verdict), style="yellow")
    yield Text()
    yield Text(f"{' ' * _INDENT}value  {explanation.framework_value:.9g}")
    yield Text(printable(f"{' ' * _INDENT}reads  {', '.join(explanation.layer.inputs)}"))


def _terms(explanation: Explanation, working: Working, width: int) -> Iterator[RenderableType]:
    decimals = decimals_for(working, explanation.framework_value)
    blocks = planes(working, decimals)
    if blocks is None:
        yield from _strongest(strongest(explanation, working), width)
        return
    for digits in (5, 4, 3):  # a narrow terminal gets a kernel of fewer digits before anything else gives way
        if _across(blocks) > width:
            blocks = planes(working, decimals, kernel_digits=digits) or blocks
    yield from _side_by_side(blocks) if _across(blocks) <= width else _stacked(blocks)


_BETWEEN = {"kernel": ("×", "x"), "products": ("=", "=")}


def _side_by_side(blocks: Sequence[Plane]) -> Iterator[Text]:
    """The grids of each channel, with the sign of what is done between them at half their height."""
    wide = _widths(blocks)
    titles = [grid.title.ljust(_grid_width(grid, wide)) for grid in blocks[0].grids]
    yield Text(" " * _INDENT + "   ".join(titles).rstrip(), style="dim")
    for plane in blocks:
        if plane.name:
            yield Text(plane.name, style="bold")
        rows = [Text(" " * _INDENT) for _ in plane.grids[0].rows]
        for grid in plane.grids:
            sign = _mark(*_BETWEEN[grid.title]) if grid.title in _BETWEEN else ""
            for number, (row, line) in enumerate(zip(rows, _lines(grid, wide[grid.title]), strict=True)):
                if sign:
                    row.append(f" {sign if number == (len(rows) - 1) // 2 else ' '} ", style="dim")
                row.append_text(line)
                row.append(" " * (_grid_width(grid, wide) - line.cell_len))
        yield from rows


def _stacked(blocks: Sequence[Plane]) -> Iterator[Text]:
    wide = _widths(blocks)
    for plane in blocks:
        if plane.name:
            yield Text(plane.name, style="bold")
        for grid in plane.grids:
            yield Text(f"{' ' * _INDENT}{grid.title}", style="dim")
            for line in _lines(grid, wide[grid.title]):
                yield Text.assemble(" " * _INDENT, line)


def _across(blocks: Sequence[Plane]) -> int:
    wide = _widths(blocks)
    widths = [_grid_width(grid, wide) for grid in blocks[0].grids]
    return _INDENT + sum(widths) + 3 * (len(widths) - 1)


def _widths(blocks: Sequence[Plane]) -> dict[str, int]:
    """How wide a cell is in each kind of grid, the same for all channels, so that they stand under each other."""
    wide: dict[str, int] = {}
    for grid in (grid for plane in blocks for grid in plane.grids):
        wide[grid.title] = max(wide.get(grid.title, 0), *(len(cell.text) for row in grid.rows for cell in row))
    return wide


def _grid_width(grid: Grid, wide: Mapping[str, int]) -> int:
    return max(len(grid.title), (wide[grid.title] + 1) * len(grid.rows[0]) - 1)


def _lines(grid: Grid, wide: int) -> list[Text]:
    signed = grid.title != "window" or any(cell.value < 0 for row in grid.rows for cell in row)
    lines = []
    for row in grid.rows:
        line = Text()
        for number, cell in enumerate(row):
            style = "dim" if not cell.inside else _style(cell.value, grid.limit, signed=signed)
            line.append(" " if number else "")
            line.append(cell.text.rjust(wide), style="bold reverse" if cell.winner else style)
        lines.append(line)
    return lines


def _style(value: float, limit: float, *, signed: bool = True) -> str:
    """Zero-centred: the colour is the sign, the weight of the letters the magnitude."""
    share = abs(value) / limit if limit else 0.0
    if not share >= _FAINT:  # NaN too
        return "dim"
    if not signed:
        return ""
    colour = POSITIVE if value > 0 else NEGATIVE
    return f"bold {colour}" if share >= _STRONG else colour


def _strongest(found: Strongest, width: int) -> Iterator[RenderableType]:
    """The largest terms as a table with bars; the source's name once, where it is the same for all."""
    sources = {term.layer for term in found.terms}
    source = f" (of {printable(next(iter(sources)))})" if len(sources) == 1 else ""
    yield Text(f"{found.sentence.removesuffix(':')}{source}", style="")
    count, rest = found.rest
    names = [
        place_in_words(term.index) if len(sources) == 1 else f"{printable(term.layer)} {place_in_words(term.index)}"
        for term in found.terms
    ]
    made = [term.value if term.contribution is None else term.contribution for term in found.terms]
    columns = [[f"{' ' * _INDENT}{name}" for name in names], _column([term.value for term in found.terms])]
    if rest is not None:
        weights = [float("nan") if term.weight is None else term.weight for term in found.terms]
        columns += [[_mark("×", "x")] * len(names), _column(weights), ["="] * len(names)]
        columns.append(_column([*made, rest]))
    last = columns[-1].pop() if rest is not None else ""
    used = sum(max(len(cell) for cell in column) + 1 for column in columns)
    table = Table.grid(padding=(0, 1, 0, 0))
    for number in range(len(columns) + 1):
        table.add_column(justify="right" if number in (1, 3, 5) else "left", overflow="fold")
    for *cells, bar in zip(*columns, _bars(made, width - used), strict=True):
        table.add_row(*cells, bar)
    if count and rest is not None:
        table.add_row(Text(f"{' ' * _INDENT}the other {count:,} together", style="dim"), "", "", "", "", last, "")
    yield table


def _column(numbers: Sequence[float]) -> list[str]:
    """Numbers with their decimal points under each other."""
    decimals = decimals_of(np.array(numbers))
    return [f"{rounded(number, decimals)}" for number in numbers]


def _ledger(rows: Sequence[Row], width: int) -> Table:
    """Names to the left, numbers to the right under each other, bars for what is added up, a rule above the total."""
    wide, most = max(len(row.name) for row in rows), max(len(row.number) for row in rows)
    added = [row for row in rows if row.kind == "term"]
    bars = iter(_bars([float(row.number) for row in added], width - _INDENT - wide - most - 4))
    table = Table.grid(padding=(0, 2, 0, 0))
    for column in range(3):
        table.add_column(justify="right" if column == 1 else "left", overflow="fold", no_wrap=column > 0)
    for row in rows:
        if row.kind == "total":
            table.add_row("", Text(_mark("─", "-") * most, style="dim"), "")
        style = {"total": "bold", "framework": "bold", "rounding": "dim", "difference": "dim", "bound": "dim"}
        chosen = style.get(row.kind, "")
        name, number = Text(f"{' ' * _INDENT}{printable(row.name)}", style=chosen), Text(row.number, style=chosen)
        table.add_row(name, number, next(bars) if row.kind == "term" else "")
    return table


def _bars(numbers: Iterable[float], room: int) -> list[Text]:
    """A bar for each number, to the left of the middle where it is negative; none where there is no room."""
    values = list(numbers)
    finite = [abs(value) for value in values if abs(value) < float("inf")]
    limit, room = max(finite, default=0.0), min(room, _WIDEST_BAR)
    if room < _NARROWEST_BAR or not limit or not can_show("█▌▐"):
        return [Text() for _ in values]
    negative = any(value < 0 for value in values)
    half = room // 2 if negative else room
    return [_bar(value, limit, half, negative) for value in values]


def _bar(value: float, limit: float, half: int, negative: bool) -> Text:
    halves = round(2 * half * abs(value) / limit) if abs(value) <= limit else 0  # NaN has no bar
    whole, rest = divmod(halves, 2)
    if value < 0:
        return Text(("▐" * rest + "█" * whole).rjust(half), style=NEGATIVE)
    return Text(" " * (half if negative else 0) + "█" * whole + "▌" * rest, style=POSITIVE)


def _mark(sign: str, plain: str) -> str:
    return sign if can_show(sign) else plain
