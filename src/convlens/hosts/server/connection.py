"""Connections within bounds: how many there are, how long each may take to ask and to listen.

Uvicorn waits for ever for a request that never comes, or never ends, and for a listener that never reads; here a look a
second ends those. What a request's own body may take is in ``receiving``.
"""

from __future__ import annotations

import asyncio
import sys
from time import monotonic
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 256
"""The most at the same time, where the system grants the process that many open files."""
BACKLOG = 64
"""Connections that the system keeps until they are taken, and that are taken at a time."""
HEAD = 10.0
"""Seconds in which the head of a request has to arrive whole."""
STALLED = 30.0
"""Seconds after which a listener who takes nothing of an answer is left."""
LINGER = 5.0
"""Seconds for what was answered already: to send the rest of a body, to take the end of an answer."""
_OWN = 64
"""Open files that the process needs for itself: libraries, models, pictures."""
REFUSED = 32
"""Connections beyond the most that are told so before they are closed."""
_LATE = b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nRetry-After: 1\r\n"
    b"Content-Length: 48\r\nConnection: close\r\n\r\nToo many connections at this moment: ask later.\n"
)


def most_connections() -> int:
    """How many there may be at the same time; fewer than ``CONNECTIONS`` where the system grants few open files."""
    if sys.platform == "win32":
        return CONNECTIONS
    import resource

    granted, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if granted == resource.RLIM_INFINITY:
        return CONNECTIONS
    return min(CONNECTIONS, max(8, granted - _OWN - BACKLOG - REFUSED))


class Connection(H11Protocol):
    """One connection; ``look`` is called once a second."""

    most = CONNECTIONS

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._met = monotonic()
        self._since: dict[str, float] = {}
        self._unsent = 0
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take it, if need be in the place of the oldest that asks nothing; else say that all are in use."""
        super().connection_made(transport)
        there = [one for one in self.connections if isinstance(one, Connection) and one._counts]
        if len(there) <= self.most:
            return
        idle = [one for one in there if one is not self and one.is_idle]
        if idle:
            min(idle, key=lambda one: (one.cycle is not None, one._met)).transport.abort()
        elif len(self.connections) <= self.most + REFUSED:
            self._refused = True
            transport.write(_FULL)
            transport.write_eof()  # closed at once, with a request unread, the system would take the answer back
        else:
            transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read on, unless it has been refused."""
        if not self._refused:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nobody listens any more: what is being done for this request alone is left."""
        super().connection_lost(exc)
        task = (self.scope or {}).get("convlens.task")
        if self.cycle is not None and not self.cycle.response_complete and isinstance(task, asyncio.Task):
            task.cancel()

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP; where its body alone is none, what was begun for it is left."""
        if self.cycle is None or self.cycle.response_complete:
            super().send_400_response(msg)
            return
        if not self.cycle.response_started:
            self.transport.write(_BAD)
        self.cycle.disconnected = True
        self.cycle.message_event.set()
        self.transport.close()

    @property
    def _counts(self) -> bool:
        return not (self._refused or self.transport.is_closing())

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered."""
        return self.cycle is None or self.cycle.response_complete

    def look(self, now: float) -> None:
        """End what takes too long."""
        if not self._counts:
            if self._lasts("closing", True, now) > LINGER:
                self.transport.abort()
            return
        asking = self.is_idle and self.conn.their_state is h11.IDLE and self.timeout_keep_alive_task is None
        if self._lasts("head", asking, now) > HEAD:
            self._end_late()
            return
        if self._lasts("rest", self.is_idle and self.conn.their_state is h11.SEND_BODY, now) > LINGER:
            self.transport.close()
            return
        unsent = self.transport.get_write_buffer_size()
        stalled = unsent > 0 and unsent == self._unsent
        self._unsent = unsent
        if self._lasts("listening", stalled, now) > STALLED:
            self.transport.abort()

    def _lasts(self, what: str, so: bool, now: float) -> float:
        """For how long it has been so, seconds."""
        if not so:
            self._since.pop(what, None)
            return 0.0
        return now - self._since.setdefault(what, now)

    def _end_late(self) -> None:
        begun = bool(self.conn.trailing_data[0])
        if begun and self.cycle is None:
            self.transport.write(_LATE)
        self.transport.close()
