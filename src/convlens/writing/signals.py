"""Signals that wait: what must not stop half-way is finished first."""

from __future__ import annotations

import signal
from threading import RLock, current_thread, main_thread
from types import FrameType, TracebackType
from typing import Any, Self

SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""By which a person, a supervisor or a closed terminal ends a process."""

_lock = RLock()
_inside: list[object] = []


class uninterrupted:  # noqa: N801  # reads as a word: with uninterrupted()
    """What is begun inside is finished: a signal takes effect at the end, and no other thread is inside meanwhile.

    Python tells the main thread alone of signals; any other one is never interrupted.

    >>> before = signal.signal(signal.SIGTERM, lambda *_: print("now the signal"))
    >>> with uninterrupted():
    ...     signal.raise_signal(signal.SIGTERM)
    ...     print("finished")
    finished
    now the signal
    >>> handler = signal.signal(signal.SIGTERM, before)
    """

    def __init__(self) -> None:
        self._came: list[int] = []
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Self:
        _lock.acquire()
        try:
            if current_thread() is main_thread() and not _inside:
                _inside.append(self)
                found = {number: signal.getsignal(number) for number in SIGNALS}
                self._before = {number: handler for number, handler in found.items() if handler is not None}
                for number, handler in self._before.items():
                    if handler is not signal.SIG_IGN:
                        signal.signal(number, self._note)
        except BaseException:
            self._leave()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave()
        for number in dict.fromkeys(self._came):
            signal.raise_signal(number)

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self._came.append(number)

    def _leave(self) -> None:
        """Put every handler back; one that is back may raise at once, and keeps no other from its place."""
        first, second, third = [*self._before.items(), None, None, None][:3]
        self._before = {}
        try:
            _put_back(third)
        finally:
            try:
                _put_back(second)
            finally:
                try:
                    _put_back(first)
                finally:
                    if self in _inside:
                        _inside.remove(self)
                    _lock.release()


def _put_back(pair: tuple[int, Any] | None) -> None:
    if pair is not None:
        signal.signal(*pair)
