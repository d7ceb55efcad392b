"""Turns a run that pushes its layers into an iterator that the reader pulls from."""

from __future__ import annotations

import atexit
from collections.abc import Callable, Generator
from queue import Full, Queue
from threading import Event, Thread
from time import monotonic, sleep

from convlens.engines.base import Array, Sink
from convlens.network import Layer

_NAME = "convlens-walk"


class _Abandoned(BaseException):  # not an error: the reader has left, and no framework may swallow it
    """Raised inside the run when the reader stops early."""


def one_by_one(run: Callable[[Sink], object]) -> Generator[tuple[Layer, Array]]:
    """Run in a thread of its own, one layer ahead of the reader at most; stopping early stops the run.

    >>> from convlens.network import Kind
    >>> layer = Layer("relu", "Relu", Kind.ACTIVATION, ("x",), (1, 2, 2))
    >>> [(found.name, array) for found, array in one_by_one(lambda sink: sink(layer, 7))]
    [('relu', 7)]
    """
    queue: Queue[tuple[Layer, Array] | BaseException | None] = Queue(maxsize=1)
    left = Event()

    def offer(item: tuple[Layer, Array] | BaseException | None) -> None:
        while not left.is_set():
            try:
                queue.put(item, timeout=0.1)
            except Full:
                continue
            return
        raise _Abandoned

    def work() -> None:
        end: BaseException | None = None
        try:
            run(lambda layer, array: offer((layer, array)))
        except _Abandoned:
            return
        except BaseException as error:  # handed over to the reader's thread, which raises it
            end = error
        try:
            offer(end)
        except _Abandoned:
            return

    thread = Thread(target=work, name=_NAME, daemon=True)
    wait = True
    try:
        thread.start()
        while (item := queue.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    except KeyboardInterrupt:  # the person gets the prompt back at once; the run stops by itself at its next layer
        wait = False
        atexit.register(_wait_for, thread)
        raise
    finally:
        left.set()
        if wait:
            _wait_for(thread)


def _wait_for(thread: Thread) -> None:
    """Join a thread, also one that Ctrl-C met while it was being started: a process must not end under native code."""
    patience = monotonic() + 0.5
    while thread.ident is None and monotonic() < patience:
        sleep(0.01)
    if thread.ident is not None:
        thread.join()
