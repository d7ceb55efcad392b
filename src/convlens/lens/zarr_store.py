"""A .zarr that can be told to take no more: zarr writes in threads of its own, which outlive an interrupt."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition
from typing import TYPE_CHECKING

from zarr.storage import LocalStore, WrapperStore

if TYPE_CHECKING:
    from zarr.core.buffer import Buffer

_PATIENCE = 10.0
"""Seconds that writes under way have to end."""


class StoppableStore(WrapperStore[LocalStore]):
    """A local store that :meth:`stop` ends: what is under way is waited for, what comes later is refused."""

    def __init__(self, store: LocalStore, gate: Gate | None = None) -> None:
        super().__init__(store)
        self._gate = gate or Gate()

    @classmethod
    def at(cls, folder: Path) -> StoppableStore:
        """A store in this folder."""
        return cls(LocalStore(folder))

    def stop(self) -> None:
        """Take no more; returns when nothing is written any longer."""
        self._gate.close()

    async def set(self, key: str, value: Buffer) -> None:
        """Write one file."""
        with self._gate.open():
            await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        """Write one file, unless it is there."""
        with self._gate.open():
            await super().set_if_not_exists(key, value)

    async def _set_many(self, values: Iterable[tuple[str, Buffer]]) -> None:
        with self._gate.open():
            await super()._set_many(values)

    def _with_store(self, store: LocalStore) -> StoppableStore:
        return type(self)(store, self._gate)


class Gate:
    """Counts who is inside, and lets nobody in once it is closed."""

    def __init__(self) -> None:
        self._inside = 0
        self._closed = False
        self._changed = Condition()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Be inside.

        Raises:
            InterruptedError: it is closed.
        """
        with self._changed:
            if self._closed:
                raise InterruptedError("the store was stopped")
            self._inside += 1
        try:
            yield
        finally:
            with self._changed:
                self._inside -= 1
                self._changed.notify_all()

    def close(self) -> None:
        """Let nobody in from now on, and wait until nobody is inside."""
        with self._changed:
            self._closed = True
            self._changed.wait_for(lambda: self._inside == 0, _PATIENCE)
