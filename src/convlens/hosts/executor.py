"""Work in threads that keep no process alive: one queue, a bounded number of threads, futures for the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock, Thread
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_LONG = 256
"""Jobs from which on a queue is looked through for those that nobody waits for any more."""


class Executor:
    """Does what is submitted, first come, first served, at most ``threads`` jobs at a time.

    Unlike ``concurrent.futures.ThreadPoolExecutor`` it never holds up the end of the process (a forward pass in native
    code can't be interrupted), and a queue that is empty has no threads. With one thread it is a lock for which nobody
    waits in a thread of his own.

    >>> Executor(1, "example").submit(pow, 2, 10).result()
    1024
    """

    def __init__(self, threads: int, name: str) -> None:
        self._threads = threads
        self._name = f"convlens-{name}"
        self._lock = Lock()
        self._waiting: deque[tuple[Future[Any], Callable[[], None]]] = deque()
        self._active = 0

    def submit(self, work: Callable[P, T], *given: P.args, **options: P.kwargs) -> Future[T]:
        """Have this done as soon as a thread is free; a future that is cancelled before is passed over."""
        future: Future[T] = Future()

        def job() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                result = work(*given, **options)
            except BaseException as error:  # whoever waits is told, whatever it was
                future.set_exception(error)
            else:
                future.set_result(result)

        with self._lock:
            if len(self._waiting) >= _LONG:
                self._waiting = deque(one for one in self._waiting if not one[0].cancelled())
            self._waiting.append((future, job))
            if self._active < self._threads:
                self._active += 1
                Thread(target=self._work, name=self._name, daemon=True).start()
        return future

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._active -= 1
                    return
                job = self._waiting.popleft()[1]
            job()
            del job  # a thread that waits for the lock holds on to nothing
