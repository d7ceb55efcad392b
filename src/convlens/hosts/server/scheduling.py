"""Where each answer is made, so that a cheap one never stands behind a slow one.

What is only looked up (the page, the session, how far a run is) is answered by the event loop itself. Numbers are cut
and packed by a few threads, figures are drawn by one, and whatever touches a framework stands in its model's own queue,
behind the run that may be going on there. Whoever waits, for a run or for his turn, holds no thread.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing, contextmanager, suppress
from threading import RLock
from typing import TYPE_CHECKING, ParamSpec, TypeVar
from weakref import finalize

from convlens.errors import ConvlensError, ModelError
from convlens.hosts.desk import BusyError, Desk
from convlens.hosts.executor import Executor
from convlens.hosts.running import Run
from convlens.lens.memory import in_words

if TYPE_CHECKING:
    from convlens.engines.base import Array

P = ParamSpec("P")
T = TypeVar("T")

WAITING = 128
"""Requests of one kind, and for one model, that are worked on or wait at the same time; a browser asks six."""
HELD = 1 << 30
"""Bytes of numbers that were cut for answers and are on their way; a listener may be slow."""
UPLOADS = 8
"""Files that are received or read at the same time: each is held in memory."""


class Schedule:
    """The queues of one server."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._numbers = Executor(4, "numbers")
        self._figures = Executor(1, "figures")
        self._files = Executor(2, "files")
        self._lock = RLock()  # what is let go is counted wherever Python happens to notice it
        self._held = 0
        self._counts: Counter[tuple[str, str]] = Counter()

    async def numbers(self, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Made of arrays that are there."""
        with self._counted("requests for numbers"):
            return await _result(self._numbers, work, *given, **options)

    async def cut(self, work: Callable[P, Array], *given: P.args, **options: P.kwargs) -> Array:
        """An array of its own, made for one answer; it counts until it is let go."""
        array = await self.numbers(work, *given, **options)
        size = array.nbytes
        with self._lock:
            if self._held and self._held + size > HELD:
                raise BusyError(
                    "Too many numbers are on their way at this moment",
                    expected=f"up to {in_words(HELD)} together",
                    received=f"{in_words(size)} more",
                    hint="Ask again in a second, or for fewer channels.",
                )
            self._held += size
        finalize(array, self._let_go, size)
        return array

    def _let_go(self, size: int) -> None:
        with self._lock:
            self._held -= size

    async def figure(self, run: Run, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Drawn when the run has ended."""
        with self._counted("requests for figures of a model", run.model):
            await ended(run)
            return await _result(self._figures, work, *given, **options)

    async def of_model(self, model: str, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Asked of a model, in its turn; what a framework says of one that it can't take is no error of the server."""
        with self._counted("requests that wait for a model", model):
            try:
                return await _result(self._desk.model(model).queue, work, *given, **options)
            except (ConvlensError, asyncio.CancelledError):
                raise
            except Exception as error:
                raise ModelError(
                    "This model can't be shown",
                    expected="a valid model",
                    received=f"{type(error).__name__}: {error}"[:300],
                ) from error

    async def of_running(self, run: Run, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Looked up as soon as a run's network is known, while it goes on."""
        with self._counted("requests that wait for a model", run.model):
            async with aclosing(changes(run)) as looks:
                async for _ in looks:
                    if run.described is not None:
                        break
        return work(*given, **options)

    async def of_run(self, run: Run, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Asked of a run's model when the run has ended."""
        with self._counted("requests that wait for a model", run.model):
            await ended(run)
            return await _result(self._desk.model(run.model).queue, work, *given, **options)

    @contextmanager
    def upload(self) -> Iterator[None]:
        """While a file is received and read."""
        with self._counted("files that are being sent", most=UPLOADS):
            yield

    async def file(self, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
        """Read from what was sent."""
        return await _result(self._files, work, *given, **options)

    @contextmanager
    def _counted(self, what: str, of: str = "", most: int = WAITING) -> Iterator[None]:
        with self._lock:
            if self._counts[what, of] >= most:
                raise BusyError(
                    "The server has too much to do at this moment",
                    expected=f"up to {most} {what}",
                    received="one more",
                    hint="Ask again in a second.",
                )
            self._counts[what, of] += 1
        try:
            yield
        finally:
            with self._lock:
                self._counts[what, of] -= 1
                if not self._counts[what, of]:
                    del self._counts[what, of]


async def changes(run: Run) -> AsyncGenerator[None, None]:
    """Once now, and again whenever a map has arrived, until the run has ended: the last time is after its end."""
    loop, changed = asyncio.get_running_loop(), asyncio.Event()

    def tell() -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(changed.set)

    leave = run.watch(tell)
    try:
        while True:
            over = run.ended.is_set()
            changed.clear()
            yield
            if over:
                return
            await changed.wait()
    finally:
        leave()


async def ended(run: Run) -> None:
    """Wait for a run's end."""
    async for _ in changes(run):
        pass


async def _result(executor: Executor, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> T:
    return await asyncio.wrap_future(executor.submit(work, *given, **options))
