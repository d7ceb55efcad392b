"""The application: its commands, and what happens to errors on their way to a person."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import Annotated

import typer

from convlens.errors import ConvlensError
from convlens.hosts.cli import (
    animating,
    explaining,
    facts,
    figuring,
    files,
    interrupts,
    looking,
    reporting,
    showing,
    terminal,
    viewing,
)
from convlens.hosts.cli.command import PipeClosedError, StoppedError
from convlens.hosts.cli.options import examples

_WRONG, _BUG, _SUCCESS = 2, 1, 0
_TYPER_INTERRUPTED = 130  # what Typer makes of Ctrl-C before a command begins
_PIPE_CLOSED = 141  # 128 + SIGPIPE, as a shell reports it for every other tool


app = typer.Typer(
    name="convlens",
    help="See inside a convolutional network: its kernels, its feature maps, its arithmetic.",
    rich_markup_mode="rich" if terminal.RICH_HELP else None,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        ("the eight small models of the tutorial, on a cat", "convlens demo"),
        ("what a model is made of", "convlens summary model.onnx"),
        ("what every layer makes of a picture", "convlens maps model.onnx cat.jpg"),
        ("why one value is what it is", "convlens explain model.onnx cat.jpg conv1 --channel 5 --at 10,20"),
        ("a model of your own, in one line", 'convlens sketch "conv 3 3x3 | relu | maxpool 5x5" -o small.onnx'),
    ),
)
for part in (viewing, reporting, facts, looking, explaining, files, figuring, animating, showing):
    part.add_to(app)


@app.callback()
def convlens(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version.", show_default=False)] = False,
) -> None:
    """See inside a convolutional network: its kernels, its feature maps, its arithmetic."""
    if version:
        from convlens import __version__

        terminal.say(f"convlens {__version__}")
    elif context.invoked_subcommand is None:
        terminal.say(context.get_help())


def run(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 for bad input, 1 for a bug in convlens.

    Raises:
        KeyboardInterrupt: Ctrl-C, also where a framework has made an error of its own of it.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow greets everybody at length
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        code = typer.main.get_command(app).main(arguments, prog_name="convlens", standalone_mode=False)
        if code == _TYPER_INTERRUPTED:
            raise KeyboardInterrupt
        sys.stdout.flush()
        return code if isinstance(code, int) else _SUCCESS
    except StoppedError:
        raise KeyboardInterrupt from None
    except Exception as error:
        if interrupts.seen():
            raise KeyboardInterrupt from error
        return _answer(error)


def _answer(error: Exception) -> int:
    if isinstance(error, ConvlensError):
        terminal.complain(f"convlens: {error}")
        return _WRONG
    if isinstance(error, (BrokenPipeError, PipeClosedError)):
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123  # the interpreter flushes it once more at its end
        return _PIPE_CLOSED
    if isinstance(error, OSError):  # a full disk behind stdout, above all
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        terminal.complain(f"convlens: {error.strerror or error}: {error.filename or 'writing the output'}")
        return _WRONG
    if hasattr(error, "format_message"):  # Typer's errors, wherever its version takes them from
        context = getattr(error, "ctx", None)
        command = context.command_path if context is not None else "convlens"
        terminal.complain(f"convlens: {_sentence(error.format_message())} Type: {command} --help")
        return _WRONG
    if os.environ.get("CONVLENS_DEBUG"):
        raise error
    what = " ".join(str(error).split())[:300]
    terminal.complain(
        f"convlens: {type(error).__name__}: {what}. This is a bug in convlens: please report it, "
        "with what CONVLENS_DEBUG=1 shows."
    )
    return _BUG


def _sentence(text: str) -> str:
    text = " ".join(text.split())
    return text.rstrip(".") if text.endswith("?.") else text if text.endswith((".", "?")) else f"{text}."
