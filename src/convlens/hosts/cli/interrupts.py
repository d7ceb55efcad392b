"""Ctrl-C at any moment: one line on stderr and exit code 2, whatever a framework makes of the interrupt."""

from __future__ import annotations

import os
import signal
import sys
from _thread import interrupt_main
from contextlib import suppress
from threading import Timer, main_thread
from types import FrameType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

CODE = 2
_LINE = "convlens: Interrupted. Nothing half-written remains.\n"
_AGAIN = 0.02  # seconds

_seen: list[int] = []
_stderr: list[int] = []
"""Another handle on stderr, since a framework's output may be on its way through a pipe at that moment."""


def watch() -> None:
    """Remember every Ctrl-C from now on.

    Native modules that are interrupted while they start turn the interrupt into errors of their own ("initialization
    failed"), and an interrupt within a destructor is dropped; so that one is sent again.
    """
    with suppress(ValueError):  # not in the main thread, which alone is told of signals
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started us wants it ignored
            signal.signal(signal.SIGINT, _remember)
            sys.unraisablehook = _send_again
    with suppress(OSError):
        _stderr.append(os.dup(2))


def seen() -> bool:
    """Whether Ctrl-C was pressed, so that any error may come from it."""
    return bool(_seen)


def leave(*, alone: bool) -> int:
    """Say so, and end the process if it is ours ``alone``; the exit code.

    It ends at once: native threads may still compute, and an ordinary exit would wait for them, or abort under them.
    """
    if alone:
        with suppress(ValueError):
            signal.signal(signal.SIGINT, signal.SIG_IGN)
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    if alone and _stderr:
        with suppress(OSError):
            os.write(_stderr[-1], _LINE.encode())
    else:
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(_LINE)
            sys.stderr.flush()
    if alone:
        os._exit(CODE)
    return CODE


def _remember(number: int, _frame: FrameType | None) -> None:
    _seen.append(number)
    raise KeyboardInterrupt


def _send_again(dropped: UnraisableHookArgs) -> None:
    if issubclass(dropped.exc_type, KeyboardInterrupt):
        timer = Timer(_AGAIN, _interrupt)
        timer.daemon = True
        timer.start()
    else:
        sys.__unraisablehook__(dropped)


def _interrupt() -> None:
    ident = main_thread().ident
    if sys.platform == "win32" or ident is None:
        interrupt_main()
    else:
        signal.pthread_kill(ident, signal.SIGINT)  # wakes it from a wait, too
