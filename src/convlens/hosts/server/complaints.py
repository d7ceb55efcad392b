"""What goes wrong while a server runs, said on stderr: a line each, seldom twice, and serving never waits for it."""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import traceback
from contextlib import suppress
from pathlib import PurePath
from queue import Full, Queue
from threading import Thread
from time import monotonic
from typing import Any

_AGAIN = 60.0  # seconds until the same is said again
_WAITING = 100  # lines


def write(stream: Any, line: str) -> None:
    """Write a line past Python's own buffer: who waits here for a full pipe holds no lock that others need."""
    with suppress(OSError, ValueError):
        try:
            number = stream.fileno()
        except (AttributeError, OSError, ValueError):  # a notebook's, or none
            if stream is not None:
                stream.write(line + "\n")
                stream.flush()
            return
        stream.flush()
        os.write(number, (line + "\n").encode(getattr(stream, "encoding", None) or "utf-8", "backslashreplace"))


class Complaints(logging.Handler):
    """Takes the log of uvicorn and what asyncio reports; a thread writes it, and what has no room is dropped."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.ending = False
        self._said: dict[str, float] = {}
        self._lines: Queue[str] = Queue(_WAITING)
        self._writer: Thread | None = None

    def say(self, line: str) -> None:
        """One line, unless it has been said within the last minute, or the server is ending."""
        now = monotonic()
        if self.ending or now - self._said.get(line, -_AGAIN) < _AGAIN:
            return
        if len(self._said) > _WAITING:
            self._said.clear()
        self._said[line] = now
        if self._writer is None:
            self._writer = Thread(target=self._write, name="convlens-complaints", daemon=True)
            self._writer.start()
        with suppress(Full):
            self._lines.put_nowait(line)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            write(sys.stderr, line)

    def emit(self, record: logging.LogRecord) -> None:
        """What uvicorn logs."""
        error = record.exc_info[1] if record.exc_info else None
        self.say(_line(record.getMessage() if error is None else "A request could not be answered", error))

    def of_loop(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What asyncio reports: no file left to open for a connection, above all."""
        error = context.get("exception")
        self.say(_line(str(context.get("message", "")), error if isinstance(error, BaseException) else None))


def _line(what: str, error: BaseException | None) -> str:
    """
    >>> _line("A request could not be answered", ValueError("no\\nnumber"))
    'convlens: A request could not be answered: ValueError: no number'
    """
    told = f"convlens: {what}" if error is None else f"convlens: {what}: {type(error).__name__}: {error}"
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    where = f" ({PurePath(frames[-1].filename).name} {frames[-1].lineno})" if frames else ""
    return " ".join(told.split())[:500] + where
