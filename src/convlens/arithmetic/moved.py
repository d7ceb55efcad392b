"""Tables of what is seen, carried along with the values: united over axes, read through windows, reshaped.

A table is (2, *axes of the layer), of length 1 along axes where nothing changes; the minimum of two tables sees what
both see.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod

import numpy as np
from numpy.typing import NDArray

from convlens.arithmetic.working import Integers
from convlens.network import Reshape, Shape

Table = NDArray[np.int32]

NOTHING = np.iinfo(np.int32).max
"""What a value that sees nothing has for its least pixel."""

_PERMUTING = ("permute", "transpose", "swapaxes", "t", "numpy_T", "movedim")
_BLOCKS = ("depth_to_space", "pixel_shuffle", "space_to_depth", "pixel_unshuffle")


def but(shape: Sequence[int], axis: int, size: int) -> Shape:
    """The shape with another size along one axis.

    >>> but((4, 5, 6), 1, 1)
    (4, 1, 6)
    """
    return (*shape[:axis], size, *shape[axis + 1 :])


def ranked(table: Table, rank: int) -> Table:
    """The table of a value with fewer axes, as broadcasting takes it: axes of length 1 in front.

    >>> ranked(np.zeros((2, 5), np.int32), 3).shape
    (2, 1, 1, 5)
    """
    return table.reshape(2, *(1,) * (rank - table.ndim + 1), *table.shape[1:])


def united_along(table: Table, axes: Iterable[int]) -> Table:
    """What all places along these axes of the layer see together."""
    changing = tuple(axis + 1 for axis in axes if table.shape[axis + 1] > 1)
    return table.min(axis=changing, keepdims=True, initial=NOTHING) if changing else table


def mixed_channels(table: Table, groups: int, filters: int) -> Table:
    """What filters see that read all channels of their group."""
    channels = table.shape[1]
    if channels == 1:
        return table
    united: Table = table.reshape(2, groups, channels // groups, *table.shape[2:]).min(axis=2)
    return united if groups == 1 else united.repeat(filters // groups, axis=1)


def halves(table: Table, axis: int) -> Table:
    """What values see that are made of one value of each half of an axis."""
    size = table.shape[axis + 1]
    if size == 1:
        return table
    first, second = np.split(table, 2, axis=axis + 1)
    return np.minimum(first, second)


def read_along(tables: Sequence[Table], axis: int, taps: Integers) -> tuple[Table, ...]:
    """What outputs see that read the positions ``taps`` (outputs, taps) along one axis of the layer; -1 reads nothing.

    >>> pixels = np.stack([np.arange(4), -np.arange(4)]).astype(np.int32)[:, None]
    >>> read_along([pixels], 1, np.array([[-1, 0], [1, 3], [-1, -1]]))[0][:, 0].tolist() == [
    ...     [0, 1, NOTHING], [0, -3, NOTHING]]
    True
    """
    reads_some = (taps >= 0).any(axis=1)
    if all(table.shape[axis + 1] == 1 for table in tables):
        if reads_some.all():
            return tuple(tables)
        alive = reads_some.reshape([-1 if n == axis + 1 else 1 for n in range(tables[0].ndim)])
        return (np.where(alive, tables[0], NOTHING).astype(np.int32), *tables[1:])
    padded = bool((taps < 0).any())
    return tuple(_read(table, axis + 1, taps, padded) for table in tables)


def _read(table: Table, axis: int, taps: Integers, padded: bool) -> Table:
    if table.shape[axis] == 1:
        return table
    if padded:  # the index -1 then finds what lies behind the end: nothing
        nothing = np.full(but(table.shape, axis, 1), NOTHING, np.int32)
        table = np.concatenate([table, nothing], axis)
    if taps.shape[1] == 1:
        return table.take(taps[:, 0], axis)
    united: Table = table.take(taps, axis).min(axis=axis + 1)
    return united


def copied(table: Table, before: Shape, origin: Integers) -> Table:
    """What values see that are copies: ``origin`` has, for each of them, the number of the value it is a copy of."""
    if table[0].size == 1:
        return table.reshape(2, *(1,) * origin.ndim)
    return _without_repeats(np.broadcast_to(table, (2, *before)).reshape(2, -1)[:, origin])


def reshaped(table: Table, operation: Reshape, before: Shape, after: Shape, largest: int) -> Table | None:
    """The table of the same values in another shape; ``None`` where their order isn't known, or it would be too large.

    >>> rows = np.stack([np.arange(3), -np.arange(3)]).astype(np.int32).reshape(2, 1, 3, 1)
    >>> reshaped(rows, Reshape("flatten"), (1, 3, 2), (1, 6), 100)[:, 0].tolist()
    [[0, 0, 1, 1, 2, 2], [0, 0, -1, -1, -2, -2]]
    """
    if operation.axes:
        fits = tuple(before[axis] for axis in operation.axes) == after if len(operation.axes) == len(before) else False
        return table.transpose(0, *(axis + 1 for axis in operation.axes)) if fits else None
    if operation.function in _BLOCKS:
        return _blocks(table, operation.function, before, after, largest)
    if before == after and operation.aligned:
        return table
    if operation.function in (*_PERMUTING, "channel_shuffle") or prod(before) != prod(after):
        return None
    last = operation.channels_last
    here = np.moveaxis(table, 1, -1) if last and len(before) > 1 else table
    found = _in_order(here, _stored(before, last), _stored(after, last), largest)
    if found is None:
        return None
    return np.moveaxis(found, -1, 1) if last and len(after) > 1 else found


def _stored(shape: Shape, channels_last: bool) -> Shape:
    return (*shape[1:], shape[0]) if channels_last and len(shape) > 1 else shape


def _in_order(table: Table, before: Shape, after: Shape, largest: int) -> Table | None:
    """Reshaped where the order of the numbers stays: only the stretches of axes that change are written out."""
    full: list[int] = []
    sizes: list[int] = []
    for old, new in _stretches(before, after):
        changes = any(table.shape[axis + 1] > 1 for axis in old)
        full += [before[axis] if changes else 1 for axis in old]
        sizes += [after[axis] if changes else 1 for axis in new]
    if prod(full) > largest:
        return None
    return _without_repeats(np.broadcast_to(table, (2, *full)).reshape(2, *sizes))


def _without_repeats(table: Table) -> Table:
    """Axes along which nothing changes have length 1."""
    for axis in range(1, table.ndim):
        first = table.take([0], axis)
        if table.shape[axis] > 1 and (table == first).all():
            table = first
    return table


def _stretches(before: Shape, after: Shape) -> list[tuple[list[int], list[int]]]:
    """The shortest runs of axes that hold equally many numbers before and after."""
    found: list[tuple[list[int], list[int]]] = []
    old = new = 0
    while old < len(before) or new < len(after):
        left: list[int] = []
        right: list[int] = []
        many = more = 1
        while not left or not right or many != more:
            if old < len(before) and (many <= more or new >= len(after)):
                left.append(old)
                many *= before[old]
                old += 1
            elif new < len(after):
                right.append(new)
                more *= after[new]
                new += 1
            else:
                break
        found.append((left, right))
    return found


def _blocks(table: Table, function: str, before: Shape, after: Shape, largest: int) -> Table | None:
    """Channels laid out as blocks of pixels (channel, row in the block, column in the block), or the way back."""
    deeper = function in ("space_to_depth", "pixel_unshuffle")
    small, large = (after, before) if deeper else (before, after)
    if len(small) != len(large) or any(n == 0 or m % n for n, m in zip(small[1:], large[1:], strict=True)):
        return None
    blocks = tuple(m // n for n, m in zip(small[1:], large[1:], strict=True))
    if small[0] != large[0] * prod(blocks):
        return None
    if function == "depth_to_space" and table.shape[1] > 1:
        return None  # ONNX has two orders of the channels, and the layer doesn't say which
    rank = len(blocks)
    apart = (large[0], *blocks, *small[1:])
    woven = (large[0], *(n for pair in zip(small[1:], blocks, strict=True) for n in pair))
    order = [0, *(n for axis in range(rank) for n in (1 + rank + axis, 1 + axis))]
    if deeper:
        split = _in_order(table, before, woven, largest)
        if split is None:
            return None
        back = [order.index(axis) for axis in range(len(order))]
        if function == "space_to_depth":  # ONNX has the channel behind the place in the block
            back, apart = [*back[1 : 1 + rank], 0, *back[1 + rank :]], (*blocks, large[0], *small[1:])
        return _in_order(split.transpose(0, *(n + 1 for n in back)), apart, after, largest)
    split = _in_order(table, before, apart, largest)
    return None if split is None else _in_order(split.transpose(0, *(n + 1 for n in order)), woven, after, largest)
