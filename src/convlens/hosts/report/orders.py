"""The order in which a framework adds up a convolution in float32, found by trying, and done again bit for bit.

A page that knows the picture, the kernels and the order can work out the framework's own values: eighteen megabytes of
maps then take none in a file. No framework promises an order, and it differs by processor; so it is looked for in the
values themselves, and whoever uses it holds the result against them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from convlens.engines.base import Array
from convlens.network import Convolution, Shape

_SAMPLE = 64
_AT_ONCE = 1 << 16  # values worked on together, so that they stay in the cache
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Order:
    """How the terms of one output value are added up.

    Attributes:
        block: terms are taken in blocks of so many input channels, in each block row by row, column by column, channel
            by channel; 0: one channel after the other, each row by row.
        chunk: terms are cut into runs of this length, each added up from 0, then the runs' sums one after the other; 0:
            one run.
        group: terms are added up in groups of so many, the groups' sums to the accumulator; what fills no group goes in
            groups of half its size, and so on.
        fused: products aren't rounded before they are added; groups are of 1.
        double: everything in float64, rounded once at the end.
    """

    block: int = 0
    chunk: int = 0
    group: int = 1
    fused: bool = True
    double: bool = False

    def to_dict(self) -> dict[str, object]:
        """As plain data."""
        return asdict(self)


EXACT_SUM = Order(double=True)


def fits(operation: Convolution) -> bool:
    """Whether a convolution can be done again here: not transposed, and with zeros in its padding."""
    return not operation.transposed and operation.padding_mode == "zeros"


def find(
    operation: Convolution, source: Array, weights: Mapping[str, Array], values: Array, first: Sequence[Order] = ()
) -> tuple[Order, float]:
    """The order that gives most of a sample of the framework's ``values``, and the share of them that it gives.

    ``first``: orders to try before others, such as those that other layers were added up in.
    """
    sample = np.random.default_rng(0).choice(values.size, min(_SAMPLE, values.size), replace=False)
    index = np.unravel_index(np.sort(sample), values.shape)
    terms, kernels = _terms_at(operation, index, source, weights["kernel"])
    bias = weights["bias"][index[0]].astype(np.float64) if "bias" in weights else None
    theirs = values[index]
    best, most = EXACT_SUM, 0.0
    for order in dict.fromkeys([*first, *_candidates(terms.shape[1], terms.shape[2])]):
        numbers = _order_of_terms(order, terms.shape[1], terms.shape[2])
        x, k = (part.reshape(len(theirs), -1)[:, numbers].T for part in (terms, kernels))
        share = float((_sum(order, zip(x, k, strict=True), bias, theirs.shape) == theirs).mean())
        if share > most:
            best, most = order, share
        if share == 1:
            break
    return best, most


def _candidates(channels: int, taps: int) -> Iterator[Order]:
    terms = channels * taps
    blocks = [0, *(block for block in (8, 16, channels) if taps > 1 and 1 < block <= channels)]
    chunks = [0, *(chunk for chunk in (taps, 8 * taps, 16 * taps, 128, 256, 384, 512) if 1 < chunk < terms)]
    for block, chunk in product(dict.fromkeys(blocks), chunks):
        yield Order(block, chunk)
        for group in (4, 1, 2, 8):
            yield Order(block, chunk, group, fused=False)
    yield EXACT_SUM


def _terms_at(
    operation: Convolution, index: Sequence[NDArray[np.intp]], source: Array, kernel: Array
) -> tuple[Floats, Floats]:
    """The windows and the kernels of some output values: (values, channels, taps) each."""
    per_group = operation.in_channels // operation.groups
    first = index[0] // (operation.filters // operation.groups) * per_group
    channels = first[:, None] + np.arange(per_group)
    places, inside = [], np.ones((len(first), *operation.kernel_size), np.bool_)
    for axis, size in enumerate(operation.kernel_size):
        taps = np.arange(size) * operation.dilation[axis]
        at = index[axis + 1][:, None] * operation.stride[axis] - operation.padding[axis][0] + taps
        shape = [len(first), *(size if n == axis else 1 for n in range(len(operation.kernel_size)))]
        inside &= ((at >= 0) & (at < source.shape[axis + 1])).reshape(shape)
        places.append(np.clip(at, 0, source.shape[axis + 1] - 1).reshape(len(first), 1, *shape[1:]))
    windows = source[(channels.reshape(*channels.shape, *(1,) * len(places)), *places)] * inside[:, None]
    shape = [len(first), per_group, -1]
    return windows.reshape(shape).astype(np.float64), kernel[index[0]].reshape(shape).astype(np.float64)


def _order_of_terms(order: Order, channels: int, taps: int) -> NDArray[np.intp]:
    """The numbers (channel x taps + tap) of the terms as they are taken."""
    numbers = np.arange(channels * taps).reshape(channels, taps)
    if order.block == 0:
        return numbers.ravel()
    parts = [numbers[first : first + order.block].T.ravel() for first in range(0, channels, order.block)]
    return np.concatenate(parts)


def groups(order: Order, terms: int) -> list[list[int]]:
    """How many terms each group has, run by run.

    >>> groups(Order(group=4, chunk=8, fused=False), 15)
    [[4, 4], [4, 2, 1]]
    """
    size = 1 if order.fused or order.double else order.group
    run = order.chunk or max(terms, 1)
    found = []
    for first in range(0, terms, run):
        left, sizes, group = min(run, terms - first), [], size
        while left:
            if group > left:
                group //= 2
            else:
                sizes.append(group)
                left -= group
        found.append(sizes)
    return found


def _sum(order: Order, terms: Iterator[tuple[Array, Array]], bias: Floats | None, shape: Shape) -> Array:
    """Add up ``terms``, pairs of float64 arrays that broadcast to ``shape`` and hold float32 values."""
    pairs = list(terms)
    product = np.empty(shape)
    if order.double:
        total = np.zeros(shape)
        for x, k in pairs:
            total += np.multiply(x, k, out=product)
        return (total if bias is None else total + bias).astype(np.float32)
    result: Array | None = None
    at = 0
    with np.errstate(all="ignore"):
        for run in groups(order, len(pairs)):
            accumulator = np.zeros(shape, np.float32)
            if order.fused:
                for x, k in pairs[at : at + len(run)]:
                    np.multiply(x, k, out=product)
                    np.add(product, accumulator, out=product)
                    accumulator[...] = product
                at += len(run)
            else:
                for size in run:
                    part = np.multiply(*pairs[at], out=product).astype(np.float32)
                    for x, k in pairs[at + 1 : at + size]:
                        part += np.multiply(x, k, out=product).astype(np.float32)
                    accumulator += part
                    at += size
            result = accumulator if result is None else result + accumulator
        found = result if result is not None else np.zeros(shape, np.float32)
        return found if bias is None else (found.astype(np.float64) + bias).astype(np.float32)


def added_up(
    operation: Convolution, order: Order, source: Array, weights: Mapping[str, Array], outputs: Shape
) -> Array:
    """Every value of a convolution, its terms added up in ``order``: float32 (filters, *outputs)."""
    groups_, filters, channels = operation.groups, operation.filters, operation.in_channels
    kernel = weights["kernel"].astype(np.float64).reshape(groups_, filters // groups_, channels // groups_, -1)
    bias = weights["bias"].astype(np.float64) if "bias" in weights else None
    sizes = [1] * (3 - len(outputs)) + list(outputs)  # always three axes: depth, rows, columns
    stride, dilation = (_three(values, 1) for values in (operation.stride, operation.dilation))
    window = _three(operation.kernel_size, 1)
    pads = [(0, 0)] * (3 - len(outputs)) + [*operation.padding]
    needed = [(size - 1) * s + d * (k - 1) + 1 for size, s, d, k in zip(sizes, stride, dilation, window, strict=True)]
    place = source.reshape(channels, *[1] * (3 - len(outputs)), *source.shape[1:])
    behind = [
        (max(before, 0), max(0, need - before - have))
        for (before, _), need, have in zip(pads, needed, place.shape[1:], strict=True)
    ]
    padded = np.pad(place, ((0, 0), *behind))
    result = np.empty((filters, *sizes), np.float32)
    numbers = _order_of_terms(order, channels // groups_, kernel.shape[3])
    together = max(1, _AT_ONCE // max(1, filters * sizes[2]))
    for depth in range(sizes[0]):
        for row in range(0, sizes[1], together):
            rows = min(together, sizes[1] - row)
            strip = padded[
                :,
                depth * stride[0] : depth * stride[0] + dilation[0] * (window[0] - 1) + 1 : dilation[0],
                row * stride[1] : (row + rows - 1) * stride[1] + dilation[1] * (window[1] - 1) + 1,
            ].astype(np.float64)
            strip = strip.reshape(groups_, channels // groups_, *strip.shape[1:])

            def terms(strip: Array = strip, rows: int = rows) -> Iterator[tuple[Array, Array]]:
                for number in numbers.tolist():
                    channel, tap = divmod(number, kernel.shape[3])
                    deep, down, right = np.unravel_index(tap, window)
                    x = strip[
                        :,
                        channel,
                        deep,
                        down * dilation[1] : down * dilation[1] + (rows - 1) * stride[1] + 1 : stride[1],
                        right * dilation[2] : right * dilation[2] + (sizes[2] - 1) * stride[2] + 1 : stride[2],
                    ]
                    yield x[:, None], kernel[:, :, channel, tap, None, None]

            shape = (groups_, filters // groups_, rows, sizes[2])
            added = None if bias is None else bias.reshape(groups_, -1, 1, 1)
            result[:, depth, row : row + rows] = _sum(order, terms(), added, shape).reshape(filters, rows, sizes[2])
    return result.reshape(filters, *outputs)


def _three(values: Shape, fill: int) -> Shape:
    return (*(fill,) * (3 - len(values)), *values)
