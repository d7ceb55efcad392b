"""Commands that print: ``summary``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import network_for, open_lens
from convlens.hosts.cli.options import examples

if TYPE_CHECKING:
    from rich.table import Table

    from convlens.lens import Summary


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("every layer with its shape, parameters, MACs and receptive field", "convlens summary model.onnx"),
            ("for pictures of another size", "convlens summary model.onnx --input-shape 3,512,512"),
            ("for this very picture", "convlens summary model.onnx --picture cat.jpg"),
            ("the five most expensive layers", SORTED),
        ),
    )(summary)


SORTED = "convlens summary model.onnx --json | jq -r '.layers | sort_by(-.macs)[:5][] | [.name, .macs] | @tsv'"


def summary(
    model: options.Model,
    input_shape: options.InputShape = None,
    picture: options.ForPicture = None,
    plumbing: Annotated[
        bool, typer.Option("--plumbing", help="Also list pure shape plumbing.", show_default=False)
    ] = False,
    trust: options.Trust = False,
    as_json: options.Json = False,
) -> None:
    """List the layers: op, output shape, parameters, MACs, receptive field."""
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    with terminal.working("Reading the network ..."):
        found = network_for(lens, picture).summary(plumbing=plumbing)
    if as_json:
        terminal.say_json(found.to_dict())
    elif terminal.person_is_looking():
        _show(found)
    else:
        terminal.say(str(found))


def _show(found: Summary) -> None:
    from rich.text import Text

    from convlens.hosts.cli import columns

    wide = terminal.width()

    def say(text: str, style: str) -> None:
        terminal.show(Text(columns.whole_words(terminal.printable(text), wide), style=style))

    table, left_out = _table(found, wide)
    say(found.heading(), "bold")
    terminal.show(table)
    say(found.totals(), "bold")
    for note in found.notes():
        say(f"Note: {note}.", "dim")
    if left_out:
        say(f"In {wide} columns: {left_out}; --json has everything.", "dim")


_LEAVING = {"receptive field": 0, "op": 1, "MACs": 2, "parameters": 3, "output shape": 4}
"""What a narrow terminal shows last: a number that isn't there is better than one that is broken in two."""


def _table(found: Summary, wide: int) -> tuple[Table, str]:
    """The table as wide as the terminal at most, and in words what it lacks."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from convlens.hosts.cli import columns
    from convlens.lens.summary import HEADINGS

    rows = list(found.rows())
    cells = [[terminal.printable(cell) for cell in ("  " * row.depth + row.cells[0], *row.cells[1:])] for row in rows]
    least = {"layer": max(12, wide // 3), "op": 12, "parameters": _longest_number(cell[3] for cell in cells)}
    kinds = [columns.Column(heading, least.get(heading), _LEAVING.get(heading)) for heading in HEADINGS]
    fit = columns.fit(kinds, cells, wide)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for column, letters in zip(fit.shown, fit.widths, strict=True):
        justify: Literal["left", "right"] = "right" if column >= 2 else "left"
        heading = columns.shortened(HEADINGS[column], letters)
        table.add_column(heading, justify=justify, no_wrap=True, width=letters)
    for row, line in zip(rows, cells, strict=True):
        style = "dim" if row.layer is None else ""
        texts = [
            Text(columns.shortened(line[column], letters), style=style)
            for column, letters in zip(fit.shown, fit.widths, strict=True)
        ]
        if row.layer is not None and row.layer.has_kernels:
            texts[0].stylize("bold")
        table.add_row(*texts)
    missing = [heading for n, heading in enumerate(HEADINGS) if n not in fit.shown]
    words = [f"no {', no '.join(missing)}"] if missing else []
    words += ["long names shortened"] if fit.shortened else []
    return table, ", ".join(words)


def _longest_number(cells: Iterable[str]) -> int:
    return max((len(cell) for cell in cells if not cell.startswith("shared")), default=1)
