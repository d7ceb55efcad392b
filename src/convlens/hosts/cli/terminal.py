"""Facts go to stdout, everything else to stderr; colours, tables and progress only where a person is looking."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

RICH_HELP = sys.stdout is not None and sys.stdout.isatty()
"""Whether help is drawn in boxes and colours; piped, it is plain text."""

_facts: TextIO | None = None


@contextmanager
def stdout_for_facts() -> Iterator[None]:
    """Keep stdout for what convlens says: whatever a framework prints meanwhile goes to stderr."""
    global _facts  # one process has one stdout
    before, _facts = _facts, sys.stdout
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a layer's name may not exist in the terminal's encoding
    try:
        with redirect_stdout(sys.stderr):
            yield
        _facts.flush()
    finally:
        _facts = before


def printable(text: str) -> str:
    """The text with everything escaped that could move a terminal's cursor: a model file chooses its layers' names.

    >>> printable("conv\\x1b[2J\\n")
    'conv\\\\x1b[2J\\n'
    """
    return "".join(c if c.isprintable() or c == "\n" else ascii(c)[1:-1] for c in text)


def say(text: str = "") -> None:
    """Write a line to stdout."""
    stream = _facts or sys.stdout
    stream.write(printable(text) + "\n")


def say_past_buffer(text: str) -> None:
    """Write lines to stdout in a thread: where it waits for a full pipe, it holds no lock that others need."""
    from convlens.hosts.server.complaints import write

    write(_facts or sys.stdout, printable(text))


def complain(text: str) -> None:
    """Write a line to stderr."""
    sys.stderr.write(printable(text) + "\n")
    sys.stderr.flush()


def show(rendered: RenderableType) -> None:
    """Draw something for a person: a table, a coloured line."""
    console().print(rendered)


def console() -> Console:
    """Where a person looks: stdout, with colours unless ``NO_COLOR`` is set."""
    from rich.console import Console

    return Console(file=_facts or sys.stdout, highlight=False, markup=False, emoji=False)


def width() -> int:
    """How many columns a line may have."""
    return console().width


def can_show(text: str, stream: TextIO | None = None) -> bool:
    """Whether the terminal's encoding has these letters; stdout's, unless another ``stream`` is asked about."""
    try:
        text.encode((stream or _facts or sys.stdout).encoding or "ascii")
    except UnicodeEncodeError:
        return False
    return True


def person_is_looking() -> bool:
    """Whether stdout is a terminal, and not a pipe or a file."""
    stream = _facts or sys.stdout
    return bool(stream.isatty())


def say_files(rows: Iterable[tuple[str, str, Sequence[Path]]]) -> None:
    """A line a layer: its name, its shape, the file or files that hold it."""
    lines = [(name, shape, _files(paths)) for name, shape, paths in rows]
    wide = [max(len(printable(line[column])) for line in lines) for column in (0, 1)]
    for name, shape, where in lines:
        say(f"{printable(name):<{wide[0]}}  {shape:<{wide[1]}}  {where}")


def _files(paths: Sequence[Path]) -> str:
    return str(paths[0]) if len(paths) == 1 else f"{paths[0]} to {paths[-1].name}"


def counted(count: int, noun: str) -> str:
    """A number of things, in words.

    >>> counted(1, "layer"), counted(1200, "layer")
    ('1 layer', '1,200 layers')
    """
    return f"{count:,} {noun}{'s' * (count != 1)}"


def say_json(facts: Mapping[str, Any]) -> None:
    """Write facts as JSON; NaN and infinities, which JSON doesn't have, become null."""
    say(json.dumps(_finite(facts), indent=2, allow_nan=False))


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _finite(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@contextmanager
def working(what: str) -> Iterator[None]:
    """A moving sign on stderr that something goes on; nothing where nobody looks."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(escape(printable(what)), spinner="dots" if can_show("⠋", sys.stderr) else "line"):
        yield


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[str], None]]:
    """A bar on stderr; call what it gives with the name of each step that is done."""
    if not sys.stderr.isatty():
        yield lambda _name: None
        return
    from rich.console import Console
    from rich.markup import escape
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[step]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(escape(printable(what)), total=total, step="")

        def done(name: str) -> None:
            bar.update(task, advance=1, step=escape(printable(name)))

        yield done
