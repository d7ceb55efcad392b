"""Maps in pieces, and at several levels of detail, so that a viewer never holds more than it shows.

A layer of any rank is looked at as (channels, slices, rows, columns): a vector has one value a channel, a sequence one
row, a volume one slice a depth; axes before the last two are folded into slices. Level 0 is the values themselves; one
value of level n is the mean of the (up to) 2^n x 2^n values that it stands for, summed in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ChannelError, InputError

TILE = 256
"""Rows and columns of a tile."""


def as_planes(array: Array) -> Array:
    """The same array as (channels, slices, rows, columns), without a copy.

    >>> as_planes(np.zeros((5, 7))).shape, as_planes(np.zeros(5)).shape, as_planes(np.zeros((5, 4, 3, 2))).shape
    ((5, 1, 1, 7), (5, 1, 1, 1), (5, 4, 3, 2))
    """
    match array.ndim:
        case 0:
            return array.reshape(1, 1, 1, 1)
        case 1:
            return array[:, None, None, None]
        case 2:
            return array[:, None, None, :]
        case _:
            return array.reshape(array.shape[0], prod(array.shape[1:-2]), *array.shape[-2:])  # -1 isn't known of none


def levels_of(rows: int, columns: int) -> int:
    """How many levels there are until the whole map is 32 values or less.

    >>> levels_of(7, 7), levels_of(1438, 1078)
    (1, 7)
    """
    count = 1
    while -(-max(rows, columns) // (1 << (count - 1))) > 32:
        count += 1
    return count


def at_level(planes: Array, level: int, channels: Sequence[int], slice_: int) -> Array:
    """Several whole maps at one level: (channels, rows, columns), float32.

    Raises:
        ChannelError, InputError: no such channel, slice or level.

    >>> at_level(np.arange(66, dtype=np.float32).reshape(1, 1, 2, 33), 1, [0], 0)[0, 0, [0, 1, 16]].tolist()
    [17.0, 19.0, 48.5]
    """
    check(planes, level, channels, slice_)
    maps = [planes[channel, slice_] for channel in channels]  # views: large maps aren't copied to be averaged
    return _mean_of_blocks(maps, planes.shape[2:], 1 << level)


def tile_of(planes: Array, level: int, channel: int, slice_: int, row: int, column: int) -> Array:
    """Tile (row, column) of one map at one level: at most TILE x TILE values, float32.

    Raises:
        ChannelError, InputError: no such channel, slice, level or tile.
    """
    check(planes, level, [channel], slice_)
    side = TILE << level
    part = planes[channel, slice_, row * side : (row + 1) * side, column * side : (column + 1) * side]
    if row < 0 or column < 0 or 0 in part.shape:
        rows, columns = (-(-size // side) for size in planes.shape[2:])
        raise InputError(
            "There is no such tile",
            expected=f"row 0 to {rows - 1}, column 0 to {columns - 1} at level {level}",
            received=f"row {row}, column {column}",
        )
    tile: Array = _mean_of_blocks([part], part.shape, 1 << level)[0]
    return tile


def check(planes: Array, level: int, channels: Sequence[int], slice_: int) -> None:
    """Raise :class:`ChannelError` or :class:`InputError` for what the layer doesn't have."""
    count, slices, rows, columns = planes.shape
    for channel in channels:
        if not 0 <= channel < count:
            raise ChannelError(
                f"There is no channel {channel}",
                expected=f"0 to {count - 1}" if count else "none",
                received=f"{channel}",
            )
    for what, value, end in (("slice", slice_, slices), ("level", level, levels_of(rows, columns))):
        if not 0 <= value < end:
            raise InputError(f"There is no {what} {value}", expected=f"0 to {end - 1}", received=str(value))


def _mean_of_blocks(maps: Sequence[Array], size: tuple[int, ...], side: int) -> Array:
    """Means over blocks of ``side`` x ``side`` of maps of one size; those at the end may be smaller."""
    rows, columns = size
    means = np.empty((len(maps), -(-rows // side), -(-columns // side)), np.float32)
    if side == 1:
        for number, one in enumerate(maps):
            means[number] = one
        return means
    tall, broad = (np.minimum(side, length - np.arange(0, length, side)) for length in size)
    area = tall[:, None] * broad[None, :]
    for number, one in enumerate(maps):
        # Whole strided slices are added: several times faster than np.add.reduceat, which goes value by value.
        strips = np.zeros((means.shape[1], columns))
        for first in range(min(side, rows)):
            part = one[first::side]
            strips[: len(part)] += part
        blocks = np.zeros(means.shape[1:])
        for first in range(min(side, columns)):
            part = strips[:, first::side]
            blocks[:, : part.shape[1]] += part
        means[number] = blocks / area
    return means


def as_float16(values: Array) -> Array:
    """The values in float16, where that loses no more than its precision; else as they are.

    >>> as_float16(np.float32([1.5, 70000])).dtype.name, as_float16(np.float32([1.5, 2])).dtype.name
    ('float32', 'float16')
    """
    largest = float(np.abs(values).max(initial=0)) if values.size else 0.0
    if largest == 0 or 1e-3 < largest < 65_000:
        return values.astype(np.float16)
    return values
