"""The command that shows what convlens is: ``demo``."""

from __future__ import annotations

import os
import sys
import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import Command
from convlens.hosts.cli.options import examples


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=Command,
        epilog=examples(
            ("into the folder convlens-demo, and open its page", "convlens demo"),
            ("somewhere else, and only write", "convlens demo -o cats --no-open"),
        ),
    )(demo)


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FOLDER", help="Where everything goes.")] = Path(
        "convlens-demo"
    ),
    open_page: Annotated[
        bool, typer.Option("--open/--no-open", help="Open the page in a browser, where there is a display.")
    ] = True,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Run the eight small models of the tutorial on a cat: kernels, feature maps, summaries, arithmetic."""
    from convlens.hosts import demo as showcase
    from convlens.sketches import TUTORIAL

    with terminal.progress("Running eight models", len(TUTORIAL)) as done:
        made = showcase.run(output, force=force, each=done)
    if as_json:
        terminal.say_json(made.to_dict())
        return
    widest = max(len(model["sketch"]) for model in made.models)
    for model in made.models:
        shape = " x ".join(str(n) for n in model["output_shape"])
        terminal.say(f"{model['number']}  {model['sketch']:<{widest}}  {model['parameters']:>5} parameters  {shape}")
    terminal.say()
    terminal.say(f"Open {made.index.resolve().as_uri()}")
    terminal.say("Type convlens view to see them on pictures of your own, and a digit network while it learns.")
    if open_page and has_display():
        webbrowser.open(made.index.resolve().as_uri())


def has_display() -> bool:
    """Whether a person sits in front of a screen that a browser can open on."""
    if not terminal.person_is_looking() or "SSH_CONNECTION" in os.environ:
        return False
    return sys.platform in ("darwin", "win32") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
