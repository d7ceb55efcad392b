"""Where the channels stand: Keras keeps them last or first, convlens first, without the batch axis."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from convlens.engines.base import Array
from convlens.network import Shape

LAST = "channels_last"
FIRST = "channels_first"


def batchless(shape: Shape, batch: int | None) -> Shape:
    """The shape of one item; a value that has no batch axis keeps all its axes.

    >>> batchless((16, 8, 8, 3), 16), batchless((64, 3), 16)
    ((8, 8, 3), (64, 3))
    """
    return shape[1:] if has_batch(shape, batch) else shape


def has_batch(shape: Shape, batch: int | None) -> bool:
    """Whether the first axis is the batch."""
    return bool(shape) and shape[0] == batch


def channels_first(shape: Shape, layout: str) -> Shape:
    """A batchless shape with its channels moved to the front.

    >>> channels_first((8, 9, 3), LAST), channels_first((3, 8, 9), FIRST)
    ((3, 8, 9), (3, 8, 9))
    """
    return (shape[-1], *shape[:-1]) if layout == LAST and len(shape) > 1 else shape


def framework_shape(shape: Sequence[int | None], layout: str) -> tuple[int | None, ...]:
    """The way back: a channels-first shape as the framework wants it.

    >>> framework_shape((3, 8, 9), LAST)
    (8, 9, 3)
    """
    return (*shape[1:], shape[0]) if layout == LAST and len(shape) > 1 else tuple(shape)


def framework_index(index: Shape, shape: Shape, batch: int | None, layout: str) -> Shape:
    """Where a channels-first index of the first item lies in the framework's own value of this shape.

    >>> framework_index((2, 5, 6), (1, 8, 9, 3), 1, LAST), framework_index((2, 5, 6), (1, 3, 8, 9), 1, FIRST)
    ((0, 5, 6, 2), (0, 2, 5, 6))
    """
    inside = (*index[1:], index[0]) if layout == LAST and len(index) > 1 else index
    return (0, *inside) if has_batch(shape, batch) else inside


def to_channels_first(array: Array, batch: int | None, layout: str) -> Array:
    """A view with channels first; a batch of one loses its axis, a larger one keeps it in front."""
    batched = has_batch(array.shape, batch)
    if batched and array.shape[0] == 1:
        array, batched = array[0], False
    channels, last = int(batched), array.ndim - 1
    if layout != LAST or last < 1 + channels:
        return array
    return array.transpose(*range(channels), last, *range(channels, last))


def spatial(shape: Shape, layout: str) -> Shape:
    """The spatial sizes of a shape with batch axis.

    >>> spatial((1, 8, 9, 3), LAST), spatial((1, 3, 8, 9), FIRST)
    ((8, 9), (8, 9))
    """
    return shape[1:-1] if layout == LAST else shape[2:]


def channels(shape: Shape, layout: str) -> int:
    """The number of channels of a shape with batch axis."""
    return shape[-1] if layout == LAST or len(shape) < 3 else shape[1]


def our_axis(axis: int, rank: int, layout: str, batched: bool = True) -> int:
    """A Keras axis of a value of ``rank`` axes as a batchless, channels-first axis; -1 for the batch axis.

    >>> our_axis(-1, 4, LAST), our_axis(1, 4, LAST), our_axis(1, 4, FIRST), our_axis(0, 4, LAST)
    (0, 1, 0, -1)
    """
    axis %= rank
    if layout == LAST and axis == rank - 1 and rank > 1:
        return 0
    if layout == LAST:
        return (axis or -1) if batched else axis + 1
    return axis - 1 if batched else axis


def framework_axis(axis: int, rank: int, layout: str) -> int:
    """The way back: a batchless, channels-first axis as Keras's axis of a value of ``rank`` axes.

    >>> framework_axis(0, 4, LAST), framework_axis(1, 4, LAST), framework_axis(1, 4, FIRST)
    (3, 1, 2)
    """
    if layout == LAST:
        return rank - 1 if axis == 0 else axis
    return axis + 1


def aligned_with(array: Array, axes: Sequence[int], rank: int, layout: str) -> Array:
    """An array whose axes stand for some of the axes of a Keras value of ``rank`` axes, in rising order: broadcastable
    to its batchless, channels-first shape.

    >>> aligned_with(np.zeros((5, 3)), (1, 3), 4, LAST).shape, aligned_with(np.zeros(5), (1,), 4, LAST).shape
    ((3, 5, 1), (1, 5, 1))
    """
    sizes = dict(zip(axes, array.shape, strict=True))
    whole = array.reshape([sizes.get(axis, 1) for axis in range(1, rank)])
    return np.moveaxis(whole, -1, 0) if layout == LAST and rank > 2 else whole


def constant_aligned(array: Array, rank: int, layout: str) -> Array | None:
    """A constant that Keras broadcasts against a value of ``rank`` axes: broadcastable to its batchless,
    channels-first shape. ``None`` where it has a batch of its own, or more axes.

    >>> constant_aligned(np.zeros((1, 1, 1, 3)), 4, LAST).shape, constant_aligned(np.zeros(3), 4, LAST).shape
    ((3, 1, 1), (3, 1, 1))
    """
    if array.size == 1:
        return array.reshape(())
    if array.ndim > rank or (array.ndim == rank and array.shape[0] != 1):
        return None
    axes = range(max(1, rank - array.ndim), rank)
    return aligned_with(array.reshape(array.shape[-len(axes) :]), axes, rank, layout)


def moved_layout(order: Sequence[int], layout: str) -> str:
    """The layout behind a transposition to ``order`` (batch axis included): it changes when the channels move across.

    >>> moved_layout((0, 3, 1, 2), LAST), moved_layout((0, 2, 1, 3), LAST)
    ('channels_first', 'channels_last')
    """
    rank, order = len(order), tuple(order)
    if rank < 3:
        return layout
    if layout == LAST and order == (0, rank - 1, *range(1, rank - 1)):
        return FIRST
    if layout == FIRST and order == (0, *range(2, rank), 1):
        return LAST
    return layout
