"""Commands that print: ``summary``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

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

    terminal.show(Text(terminal.printable(found.heading()), style="bold"))
    terminal.show(_table(found))
    terminal.show(Text(terminal.printable(found.totals()), style="bold"))
    for note in found.notes():
        terminal.show(Text(terminal.printable(f"Note: {note}."), style="dim"))


def _table(found: Summary) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    from convlens.lens.summary import HEADINGS

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for column, heading in enumerate(HEADINGS):
        table.add_column(heading, justify="right" if column >= 2 else "left", overflow="fold")
    for row in found.rows():
        style = "dim" if row.layer is None else ""
        cells = ["  " * row.depth + row.cells[0], *row.cells[1:]]
        texts = [Text(terminal.printable(cell), style=style) for cell in cells]
        if row.layer is not None and row.layer.has_kernels:
            texts[0].stylize("bold")
        table.add_row(*texts)
    return table
