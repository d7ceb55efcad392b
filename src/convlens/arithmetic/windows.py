"""Windows that slide: which input positions lie under each tap, and what the padding puts there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np

from convlens.arithmetic.rounding import Floats, Truths
from convlens.arithmetic.working import PADDING, Array, Integers
from convlens.network import Convolution, Pooling


def tap_table(operation: Convolution | Pooling, axis: int, size: int, places: Integers) -> Integers:
    """For each tap and each output place along an axis of ``size``: the input position, ``PADDING`` where none is.

    Shape (taps, places). A transposed convolution in its gather form: tap ``k`` reads the input at
    ``(place + before - dilation * k) / stride`` where that is a whole number inside it.

    >>> conv = Convolution(1, 1, (3,), (2,), (1,), ((1, 0),))
    >>> tap_table(conv, 0, 5, np.array([0, 1])).tolist()
    [[-1, 1], [0, 2], [1, 3]]
    """
    taps, stride = np.arange(operation.kernel_size[axis])[:, None], operation.stride[axis]
    dilation, before = operation.dilation[axis], operation.padding[axis][0]
    if isinstance(operation, Convolution) and operation.transposed:
        position, rest = np.divmod(places[None, :] + before - dilation * taps, stride)
        return np.where((rest == 0) & (position >= 0) & (position < size), position, PADDING)
    return inside_padding(places[None, :] * stride - before + dilation * taps, size, operation.padding_mode)


def inside_padding(positions: Integers, size: int, mode: str) -> Integers:
    """Positions along an axis of ``size``, with those outside mapped to what the padding mode puts there.

    >>> inside_padding(np.array([-1, 0, 3]), 3, "zeros").tolist()
    [-1, 0, -1]
    >>> inside_padding(np.array([-1, 0, 3]), 3, "reflect").tolist()
    [1, 0, 1]
    """
    if mode == "replicate":
        return np.clip(positions, 0, size - 1)
    if mode == "circular":
        return positions % size
    if mode == "reflect":
        period = max(2 * (size - 1), 1)
        folded = positions % period
        return np.where(folded >= size, period - folded, folded)
    return np.where((positions < 0) | (positions >= size), PADDING, positions)


def padded_positions(places: Integers, pads: tuple[int, int], size: int, mode: str) -> Integers:
    """The positions that a layer of padding reads along an axis of ``size``. A negative pad crops first: what a mode
    takes from the other end, or mirrors, is then taken from what is left.

    >>> padded_positions(np.arange(5), (-1, 2), 4, "circular").tolist()
    [1, 2, 3, 1, 2]
    """
    before, after = pads
    first, left = max(-before, 0), size + min(before, 0) + min(after, 0)
    positions = inside_padding(places - max(before, 0), left, mode)
    return np.where(positions == PADDING, PADDING, positions + first)


def gather(source: Array, axes: Sequence[Integers], fill: float = 0.0) -> tuple[Floats, tuple[Integers, ...]]:
    """The values of ``source`` at the open mesh of ``axes``, ``fill`` in the padding, and the mesh itself."""
    mesh = np.ix_(*axes)
    values = source[mesh].astype(np.float64)
    if any((axis == PADDING).any() for axis in axes):
        outside = np.zeros(values.shape, np.bool_)
        for axis in mesh:
            outside |= axis == PADDING
        values[outside] = fill
    return values, tuple(mesh)


def shifts(tables: Sequence[Integers]) -> Iterator[tuple[tuple[Integers, ...], Truths | None]]:
    """For each tap of a window: where every output place reads, as an open mesh, and where that is a real value.

    ``None`` for the second where all are. In the padding the mesh reads any value.
    """
    padded = any((table == PADDING).any() for table in tables)
    for taps in product(*(range(len(table)) for table in tables)):
        mesh = np.ix_(*(table[tap] for table, tap in zip(tables, taps, strict=True)))
        real: Truths | None = None
        if padded:
            real = np.ones((1,) * len(mesh), np.bool_)
            for axis in mesh:
                real = real & (axis != PADDING)
        yield mesh, real
