"""Ctrl-C, SIGTERM, a closed terminal, at any moment: one true line on stderr, and nothing half-written.

The first signal is raised as ``KeyboardInterrupt``, so that everything is given back on the way out. Whatever a
framework makes of that, and however long its native code doesn't let Python on: a second thread hears of the signal
too, waits a moment, and then ends the process itself.
"""

from __future__ import annotations

import os
import signal
import sys
from _thread import interrupt_main
from contextlib import suppress
from threading import Lock, Thread, Timer, main_thread
from threading import enumerate as enumerate_threads
from time import sleep
from types import FrameType
from typing import TYPE_CHECKING

from convlens.writing import unfinished
from convlens.writing.signals import SIGNALS

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

CODE = 2
"""Of Ctrl-C; every other signal has the code that a shell gives it, 128 and its number."""
_OURS = "convlens-"
"""How the names of threads begin that may be in native code when the process ends."""
_AGAIN = 0.02  # seconds
_PATIENCE = 2.0
"""Seconds that the process has to end in the ordinary way."""

_seen: list[int] = []
_stderr: list[int] = []
"""Another handle on stderr, since a framework's output may be on its way through a pipe at that moment."""
_leaving = Lock()
_done: list[bool] = []


def watch() -> None:
    """Remember every signal from now on.

    Native modules that are interrupted while they start turn the interrupt into errors of their own ("initialization
    failed"), and an interrupt within a destructor is dropped; so that one is sent again.
    """
    with suppress(OSError):
        _stderr.append(os.dup(2))
    with suppress(ValueError):  # not in the main thread, which alone is told of signals
        for number in SIGNALS:
            if signal.getsignal(number) in (signal.default_int_handler, signal.SIG_DFL):  # else it is to be ignored
                signal.signal(number, _remember)
        sys.unraisablehook = _send_again
        _listen()


def seen() -> bool:
    """Whether a signal came, so that any error may come from it."""
    return bool(_seen)


def rest() -> None:
    """All is done and written: from now on a signal may end the process as it does every other one."""
    _done.append(True)
    with suppress(ValueError):
        for number in SIGNALS:
            if signal.getsignal(number) is _remember:
                signal.signal(number, signal.SIG_DFL)


def leave(*, alone: bool) -> int:
    """Say so, and end the process if it is ours ``alone``; the exit code.

    It ends at once: native threads may still compute, and an ordinary exit would wait for them, or abort under them.
    """
    code = CODE if not _seen or _seen[0] == signal.SIGINT else 128 + _seen[0]
    if not alone:
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.flush()
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(_line([]))
            sys.stderr.flush()
        return code
    _leaving.acquire()  # whoever comes second, of two threads, waits for the end
    line = _line([os.fspath(folder) for folder in unfinished.remove_all()])
    with suppress(OSError, ValueError, AttributeError):
        sys.stdout.flush()
    with suppress(OSError):
        os.write(_stderr[-1] if _stderr else 2, line.encode(errors="replace"))
    os._exit(code)


def _line(remaining: list[str]) -> str:
    what = "Interrupted" if not _seen or _seen[0] == signal.SIGINT else f"Ended by {signal.Signals(_seen[0]).name}"
    if remaining:
        return f"convlens: {what}. Half-written and in need of removal: {', '.join(remaining)}.\n"
    return f"convlens: {what}. Nothing half-written remains.\n"


def end(code: int) -> None:
    """End the process with this code where a thread of ours still works, as under a server that was stopped.

    Native code would go on until it is done, or abort when the interpreter goes away beneath it.
    """
    if any(thread.name.startswith(_OURS) for thread in enumerate_threads()):
        with suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()
        os._exit(code)


def _remember(number: int, _frame: FrameType | None) -> None:
    _seen.append(number)
    if len(_seen) == 1:  # what a second one would interrupt is the way out
        raise KeyboardInterrupt


def _listen() -> None:
    """Have a thread told of signals, too: Python tells the main one only once its native code returns."""
    if sys.platform == "win32":
        return
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    Thread(target=_end_after_all, args=(reading,), daemon=True).start()


def _end_after_all(reading: int) -> None:
    while signal.getsignal(os.read(reading, 1)[0]) is not _remember:
        pass  # a server, say, which has its own way to end, or something that must be finished first
    sleep(_PATIENCE)
    if not _done:
        leave(alone=True)


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
