"""TensorFlow greets everybody on stderr, from C++, where no logging level reaches; here those lines are left out."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

_STDERR = 2
_GREETING = re.compile(
    rb"WARNING: All log messages before absl::InitializeLog"
    rb"|[IW]\d{4} \d\d:\d\d"  # the log lines of absl: information and warnings
    rb"|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d+: [IW] "  # and TensorFlow's own
)


@contextmanager
def without_greetings() -> Iterator[None]:
    """Let through what native code writes to stderr, line by line, all but information and warnings of TensorFlow.

    What Python writes goes straight to the terminal as ever. With ``CONVLENS_DEBUG`` set, everything is let through.
    """
    if os.environ.get("CONVLENS_DEBUG") or not _python_writes_there():
        yield
        return
    sys.stderr.flush()
    terminal = os.dup(_STDERR)
    reading, writing = os.pipe()
    os.dup2(writing, _STDERR)
    os.close(writing)
    before = sys.stderr
    sys.stderr = open(terminal, "w", encoding=before.encoding, errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sieve = Thread(target=_let_through, args=(reading, terminal), daemon=True)
    sieve.start()
    try:
        yield
    finally:
        sys.stderr.flush()
        sys.stderr = before
        os.dup2(terminal, _STDERR)  # closes the last way into the pipe, so that the thread comes to its end
        sieve.join(timeout=1)
        if not sieve.is_alive():  # else a process that the framework left behind still writes, and is let through
            os.close(terminal)


def _python_writes_there() -> bool:
    try:
        return sys.stderr.fileno() == _STDERR
    except (AttributeError, OSError, ValueError):  # no stderr, or one that isn't a file
        return False


def _let_through(reading: int, terminal: int) -> None:
    with os.fdopen(reading, "rb") as lines:
        for line in lines:
            if not _GREETING.match(line):
                os.write(terminal, line)
