"""How much memory there is, what a person allows of it, and the refusal of what claims more."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from pathlib import Path

from convlens.errors import ConvlensError, MemoryBudgetError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_FLOOR = 2**20
"""Bytes that are never refused where nobody has set a budget, however little memory is free."""


_PRESENT: ContextVar[int | None] = ContextVar("budget", default=None)


@contextmanager
def within(budget: int | None) -> Iterator[None]:
    """Let an engine know the budget of the run inside, so that it makes no more at a time than that allows."""
    before = _PRESENT.set(budget)
    try:
        yield
    finally:
        _PRESENT.reset(before)


def present() -> int | None:
    """The budget of the run that this thread is in, in bytes; ``None`` where nobody has set one.

    >>> with within(1000):
    ...     present()
    1000
    """
    return _PRESENT.get()


def release() -> None:
    """Give freed memory back to the system, where the C library keeps it for itself.

    glibc keeps freed blocks of up to 32 MB, the maps of large layers, in its own heaps: a walk in pieces then holds
    twice and more of what its maps take. Elsewhere there is nothing to do.
    """
    trim = _trim()
    if trim is not None:
        trim(0)


@cache
def _trim() -> Callable[[int], int] | None:
    try:
        import ctypes

        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
    except (ImportError, OSError, AttributeError, TypeError):
        return None
    return found


def check(size: int, what: str, budget: int | None = None, *, hint: str = "") -> None:
    """Refuse what would take more than ``budget`` bytes, before anything is taken; ``None``: half of the free memory.

    >>> try:
    ...     check(12_000_000_000, "The array 'x'", 100_000_000)
    ... except MemoryBudgetError as error:
    ...     print(error)
    The array 'x' doesn't fit into memory: expected at most 100.0 MB, received 12.0 GB
    """
    most = max(parse(None), _FLOOR) if budget is None else budget
    if size > most:
        raise MemoryBudgetError(
            f"{what} doesn't fit into memory",
            expected=f"at most {in_words(most)}",
            received=in_words(size),
            hint=hint,
        )


def parse(budget: str | int | None, option: str = "memory") -> int:
    """A budget in bytes from ``"4GB"``, ``"512MiB"``, a number of bytes, or ``None``: half of the memory that is free.

    >>> parse("4GB"), parse("1.5MiB"), parse(100)
    (4000000000, 1572864, 100)
    """
    if budget is None:
        return available() // 2
    if isinstance(budget, int) and not isinstance(budget, bool) and budget > 0:
        return budget
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?i?)b?\s*", str(budget).lower())
    if not match or match[2] == "i":
        raise ConvlensError(
            "This is not an amount of memory",
            expected="for example 4GB or 512MiB",
            received=repr(budget)[:80],
            hint=f"Type --{option} 4GB ({option}='4GB'), for example.",
        )
    return int(min(float(match[1]) * _UNITS[match[2]], 2.0**80))


def in_words(size: int, *, round_up: bool = False) -> str:
    """A size as a person says it; with ``round_up`` one that is never less.

    >>> in_words(84), in_words(18_600_048), in_words(18_600_048, round_up=True)
    ('84 B', '18.6 MB', '19MB')
    """
    for unit, step in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if size >= step:
            return f"{-(-size // step)}{unit}" if round_up else f"{size / step:.1f} {unit}"
    return f"{size}B" if round_up else f"{size} B"


def available() -> int:
    """Bytes of memory that can be used without pushing anything out; the control group's limit counts too."""
    free = _meminfo()
    for usage, limit in (
        ("/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.max"),
        ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ):
        used, most = _number(usage), _number(limit)
        if used is not None and most is not None:
            free = min(free, max(most - used, 0))
    return free


def _meminfo() -> int:
    try:
        for line in Path("/proc/meminfo").read_text("ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return 4 * 10**9  # nothing says how much there is: assume a small laptop


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text("ascii"))
    except (OSError, ValueError):
        return None
