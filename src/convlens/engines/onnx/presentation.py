"""How a value of the file is shown: which axis is the batch, and in which order the others stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from convlens.engines.base import Array, as_float32
from convlens.network import Shape


@dataclass(frozen=True, slots=True)
class Presentation:
    """A value of the file as a map: ``batch`` is the file's batch axis, ``None`` where there is none; ``axes`` are the
    file's other axes in the order in which they are shown.

    >>> Presentation(0, (3, 1, 2)).shape((1, 9, 11, 3))
    (3, 9, 11)
    """

    batch: int | None
    axes: tuple[int, ...]

    @classmethod
    def as_filed(cls, rank: int, batch: int | None = None) -> Self:
        """The axes in the file's own order, without the batch axis.

        >>> Presentation.as_filed(3, 1)
        Presentation(batch=1, axes=(0, 2))
        """
        return cls(batch, tuple(axis for axis in range(rank) if axis != batch))

    @classmethod
    def channels_at(cls, channels: int, rank: int, batch: int | None = None) -> Self:
        """The channels first, the other axes behind them in the file's order.

        >>> Presentation.channels_at(3, 4, 0)
        Presentation(batch=0, axes=(3, 1, 2))
        """
        return cls(batch, (channels, *(axis for axis in range(rank) if axis not in (channels, batch))))

    @property
    def order(self) -> tuple[int, ...]:
        """The file's axes, the batch before those that are shown."""
        return self.axes if self.batch is None else (self.batch, *self.axes)

    def shape(self, shape: Shape) -> Shape:
        """The map's shape, of a value that has this shape in the file."""
        return tuple(shape[axis] for axis in self.axes)

    def array(self, array: Array, *, own: bool = False) -> Array:
        """The map, float32; a batch of several keeps its axis, in front.

        ``own``: the batch was only filled up, so that the first item is taken, and not as a view of all of them.
        """
        shown = self.with_batch(array)
        if self.batch is None:
            return as_float32(shown)
        several = len(shown) > 1
        if several and not own:
            return as_float32(shown)
        return as_float32(shown[0].copy() if several else shown[0])

    def with_batch(self, array: Array) -> Array:
        """The value with its axes as they are shown, behind the batch."""
        return array if self.order == tuple(range(array.ndim)) else array.transpose(self.order)

    def as_stored(self, shown: Array) -> Array:
        """The way back: a value with its axes as they are shown, behind the batch, as the file has it.

        >>> Presentation(0, (3, 1, 2)).as_stored(np.zeros((1, 3, 9, 11))).shape
        (1, 9, 11, 3)
        """
        return shown.transpose(np.argsort(self.order)) if self.order else shown

    def reads_in_order(self, shape: Shape, *, channels_last: bool = False) -> bool:
        """Whether the file has the numbers of each item in the order of the map, or of the map with its first axis
        taken to the end.

        >>> last = Presentation(0, (3, 1, 2))
        >>> last.reads_in_order((1, 9, 11, 3)), last.reads_in_order((1, 9, 11, 3), channels_last=True)
        (False, True)
        """
        axes = (*self.axes[1:], *self.axes[:1]) if channels_last else self.axes
        return _ascending([axis for axis in axes if shape[axis] != 1])


def _ascending(axes: Sequence[int]) -> bool:
    return list(axes) == sorted(axes)
