"""What a run will need, known before it starts, held against the budget that it must keep."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from convlens import geometry
from convlens.errors import MemoryBudgetError
from convlens.memory import available as available
from convlens.memory import in_words as in_words
from convlens.memory import parse as parse
from convlens.memory import within as within
from convlens.network import Layer


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
    def of(cls, layers: Iterable[Layer], items: int = 1) -> Estimate:
        """Add up float32 maps of these layers; ``items``: of how many pictures the run makes them at a time."""
        sizes = sorted(((layer.name, items * geometry.map_bytes(layer)) for layer in layers), key=lambda row: -row[1])
        return cls(sum(size for _, size in sizes), tuple(sizes))

    @classmethod
    def walking(cls, layers: Iterable[Layer], at_once: int, items: int = 1) -> Estimate:
        """The most that ``at_once`` layers in a row take, when the maps come one after the other."""
        rows = [(layer.name, items * geometry.map_bytes(layer)) for layer in layers]
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
