"""What a run will need, known before it starts; and the budget it must keep."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from convlens import geometry
from convlens.errors import ConvlensError, MemoryBudgetError
from convlens.network import Layer

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Bytes that the maps of the chosen layers will take, largest first: ``layers`` is (name, bytes).

    >>> import convlens, numpy as np
    >>> convlens.sketch("conv 3 3x3 | relu").estimate(np.zeros((1440, 1080, 3), np.uint8))
    Estimate(37.2 MB in 2 layers, the largest conv: 18.6 MB)
    """

    total: int
    layers: tuple[tuple[str, int], ...]

    @classmethod
    def of(cls, layers: Iterable[Layer]) -> Estimate:
        """Add up float32 maps of these layers."""
        sizes = sorted(((layer.name, geometry.map_bytes(layer)) for layer in layers), key=lambda row: -row[1])
        return cls(sum(size for _, size in sizes), tuple(sizes))

    @classmethod
    def walking(cls, layers: Iterable[Layer], at_once: int) -> Estimate:
        """The most that ``at_once`` layers in a row take, when the maps come one after the other."""
        rows = [(layer.name, geometry.map_bytes(layer)) for layer in layers]
        stretches = [rows[i : i + at_once] for i in range(max(1, len(rows) - at_once + 1))]
        most = max(stretches, key=lambda stretch: sum(size for _, size in stretch))
        return cls(sum(size for _, size in most), tuple(sorted(most, key=lambda row: -row[1])))

    def __repr__(self) -> str:
        count = f"{len(self.layers)} layer{'' if len(self.layers) == 1 else 's'}"
        largest = f", the largest {self.layers[0][0]}: {in_words(self.layers[0][1])}" if self.layers else ""
        return f"Estimate({in_words(self.total)} in {count}{largest})"

    def check(self, budget: int, remedy: str = "Choose layers=[...], or walk through them with lens.walk") -> None:
        """Raise :class:`MemoryBudgetError` where the maps don't fit ``budget`` bytes; ``remedy`` is what else to do."""
        if self.total <= budget:
            return
        largest = ", ".join(f"{name} ({in_words(size)})" for name, size in self.layers[:3])
        raise MemoryBudgetError(
            "The feature maps don't fit the memory budget",
            expected=f"at most {in_words(budget)}",
            received=f"{in_words(self.total)} in {len(self.layers)} layers, the largest {largest}",
            hint=f"{remedy}, or raise the budget: memory={in_words(self.total, round_up=True)!r} "
            f"(--memory {in_words(self.total, round_up=True)}).",
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
            received=repr(budget),
            hint=f"Type --{option} 4GB ({option}='4GB'), for example.",
        )
    return int(float(match[1]) * _UNITS[match[2]])


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
