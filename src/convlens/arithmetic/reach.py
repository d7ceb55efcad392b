"""Which pixels of the picture reach a value: the box of every single value, exact at every border.

For each axis of the picture a layer has a table: the least and the greatest pixel that reaches a value, for every place
of the layer where they differ. A layer's table comes from those of the layers it reads: the least of the least over all
that it reads, the greatest of the greatest. What lies in the padding, or is cut off, is never read, so that no box is
too large there, as that of the formula (:mod:`convlens.receptive`), clipped to the picture, can be. Where a layer
doesn't say what it reads, it is taken to read everything, and the box is a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from convlens.arithmetic import moved
from convlens.arithmetic.moved import NOTHING, Table
from convlens.arithmetic.taps import taps
from convlens.arithmetic.windows import padded_positions
from convlens.arithmetic.working import Array
from convlens.network import (
    CONSTANT,
    Activation,
    Convolution,
    Dense,
    Kind,
    Layer,
    Merge,
    Network,
    Normalisation,
    Operation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
    Whole,
)
from convlens.receptive import features_axis, picture_of

_LARGEST_TABLE = 1 << 22
_PARTLY = ("scatter", "where", "concat_of_batches", "stack_of_batches")
"""Merges that take each value from one of their inputs, and don't say which."""

Weights = Callable[[str], Mapping[str, Array]]


@dataclass(frozen=True, slots=True)
class Seen:
    """What the values of a layer see. Each table has the layer's axes behind its first one, of length 1 where nothing
    changes along them: [0] is the least pixel, [1] the greatest with its sign turned, so that the minimum unites both.

    A value sees nothing where any of its tables says ``NOTHING``. ``exact`` is false for a bound.
    """

    tables: tuple[Table, ...]
    exact: bool = True

    def each(self, change: Callable[[Table], Table]) -> Seen:
        """Every table changed alike."""
        return replace(self, tables=tuple(change(table) for table in self.tables))

    @property
    def holes(self) -> bool:
        """Whether some value sees nothing."""
        return any(bool((table[0] == NOTHING).any()) for table in self.tables)


class Reach:
    """The boxes of one network's values. Tables are made when they are first asked for, and kept.

    ``weights`` gives a layer's weights by role; it is asked for the ``origin`` of layers that copy values in an
    order of their own.

    >>> from convlens.network import Convolution, Input, Kind
    >>> conv = Convolution(1, 1, (3,), (2,), (1,), ((1, 1),))
    >>> layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (1, 4), conv)
    >>> reach = Reach(Network("n", "onnx", (Input("x", (1, 8)),), (layer,), ("conv",), 0))
    >>> reach.box("conv", (0, 0)), reach.box("conv", (0, 2))
    ((((0, 1),), True), (((3, 5),), True))
    """

    def __init__(self, network: Network, weights: Weights | None = None) -> None:
        self._network = network
        self._weights = weights
        self._shapes = {given.name: tuple(n or 0 for n in given.shape) for given in network.inputs}
        self._shapes |= {layer.name: layer.output_shape for layer in network}
        self._seen: dict[str, Seen] = {}
        picture = picture_of(network)
        self._rank = 0
        if picture is not None and None not in picture.shape:
            self._rank = len(picture.shape) - 1
            self._seen[picture.name] = _of_picture(self._shapes[picture.name])
        self._made = 0

    def box(self, layer: str, index: Sequence[int | None]) -> tuple[tuple[tuple[int, int], ...], bool] | None:
        """The pixels that reach a value, (first, last) an axis of the picture; and whether the box is exact.

        ``index`` has all axes of the layer; ``None`` stands for all places along an axis together: all channels. A
        value that sees nothing has the empty box (0, -1). The answer is ``None`` for a layer that doesn't read the
        picture.
        """
        self._prepare(layer)
        seen = self._seen.get(layer)
        if seen is None:
            return None
        found = [_at(table, index) for table in seen.tables]
        if len(found[0]) == 2 and all(column.shape == (2,) for column in found):
            least, turned = zip(*(column.tolist() for column in found), strict=True)
        else:
            together = np.broadcast_arrays(*found)
            alive = np.logical_and.reduce([table[0] != NOTHING for table in together])
            united = [np.where(alive, table, NOTHING).reshape(2, -1).min(1).tolist() for table in together]
            least, turned = zip(*united, strict=True)
        if NOTHING in least:
            return ((0, -1),) * len(least), seen.exact
        return tuple((first, -last) for first, last in zip(least, turned, strict=True)), seen.exact

    def seen(self, layer: str) -> Seen | None:
        """What the values of a layer see, as tables; ``None`` for a layer that doesn't read the picture."""
        self._prepare(layer)
        return self._seen.get(layer)

    def _prepare(self, layer: str) -> None:
        """Make the tables of all layers up to this one; each is made once."""
        while layer not in self._seen and self._made < len(self._network):
            following = self._network[self._made]
            self._made += 1
            sizes_alone = following.kind is Kind.PLUMBING and following.operation is None
            if not sizes_alone and any(name in self._seen for name in following.inputs):
                self._seen[following.name] = self._through(following)

    def _through(self, layer: Layer) -> Seen:
        operation, after = layer.operation, layer.output_shape
        if isinstance(operation, Merge):
            merged = self._merged(operation, layer)
            return merged if merged is not None else self._everything(layer)
        read = [name for name in layer.inputs if name in self._seen]
        if len(read) != 1:
            return self._everything(layer)
        source, before = self._seen[read[0]], self._shapes[read[0]]
        found = _passed(operation, source, before, after)
        if found is None and layer.kind is Kind.RESHAPE:
            found = self._copied(layer, source, before)
        if found is None or not all(_fits(table, after) for table in found.tables):
            return self._everything(layer)
        return found

    def _copied(self, layer: Layer, source: Seen, before: Shape) -> Seen | None:
        """What a layer sees that copies values in an order of its own."""
        origin = self._weights(layer.name).get("origin") if self._weights is not None else None
        if origin is None or origin.shape != layer.output_shape or max(prod(before), origin.size) > _LARGEST_TABLE:
            return None
        numbers = origin.astype(np.intp)
        return _settled(source.each(lambda table: moved.copied(table, before, numbers)))

    def _everything(self, layer: Layer) -> Seen:
        """Each value may read all that the layer reads: exact where all that is read sees the same, or one value is
        made of everything."""
        read = [self._seen[name] for name in layer.inputs if name in self._seen]
        joined = [_joined(seen, len(layer.output_shape)) for seen in read]
        exact = len(read) == 1 and (
            prod(layer.output_shape) == 1 or all(table[0].size == 1 for table in read[0].tables)
        )
        return replace(_united(joined), exact=exact and read[0].exact)

    def _merged(self, operation: Merge, layer: Layer) -> Seen | None:
        after, rank = layer.output_shape, len(layer.output_shape)
        if operation.function in ("concat", "stack"):
            blind = Seen((np.full((2, *(1,) * rank), NOTHING, np.int32),) * self._rank)
            operands = operation.operands([self._shapes[name] for name in layer.inputs])
            read = [
                blind if number == CONSTANT else self._seen.get(layer.inputs[number], blind) for number, _ in operands
            ]
            if operation.axis is None or not 0 <= operation.axis < rank:
                return None
            return _in_a_row(read, [tuple(n or 0 for n in shape or ()) for _, shape in operands], operation, after)
        read = [self._seen[name] for name in layer.inputs if name in self._seen]
        if any(len(table.shape) - 1 > rank for seen in read for table in seen.tables):
            return None
        read = [seen.each(lambda table: moved.ranked(table, rank)) for seen in read]
        if not all(_fits(table, after) for seen in read for table in seen.tables):
            return None
        united = _united(read)
        return replace(united, exact=False) if operation.function in _PARTLY else united


def _of_picture(shape: Shape) -> Seen:
    tables = []
    for axis, size in enumerate(shape[1:]):
        pixels = np.arange(size, dtype=np.int32).reshape([-1 if n == axis + 1 else 1 for n in range(len(shape))])
        tables.append(np.stack([pixels, -pixels]))
    return Seen(tuple(tables))


def _at(table: Table, index: Sequence[int | None]) -> Table:
    places = tuple(
        slice(None) if place is None else 0 if size == 1 else place
        for place, size in zip(index, table.shape[1:], strict=True)
    )
    found: Table = table[(slice(None), *places)]
    return found


def _fits(table: Table, shape: Shape) -> bool:
    return len(table.shape) - 1 == len(shape) and all(
        have in (1, want) for have, want in zip(table.shape[1:], shape, strict=True)
    )


def _passed(operation: Operation | None, seen: Seen, before: Shape, after: Shape) -> Seen | None:
    """What a layer with one input sees; ``None`` where it doesn't say what it reads."""
    rank = len(before)
    match operation:
        case Convolution() if len(operation.kernel_size) == rank - 1 == len(after) - 1:
            mixed = seen.each(lambda table: moved.mixed_channels(table, operation.groups, operation.filters))
            return _windowed(operation, mixed, before, after)
        case Pooling(whole=True) if len(operation.kernel_size) == rank - 1:
            pooled = seen.each(lambda table: moved.united_along(table, range(1, rank)))
            return pooled.each(lambda table: table.reshape(*table.shape[:2], *(1,) * (len(after) - 1)))
        case Pooling() if len(operation.kernel_size) == rank - 1 == len(after) - 1:
            return _windowed(operation, seen, before, after)
        case Pad() if len(operation.padding) == rank - 1 == len(after) - 1:
            channels = padded_positions(np.arange(after[0])[:, None], operation.channels, before[0], operation.mode)
            around = seen if after[0] == before[0] else replace(seen, tables=moved.read_along(seen.tables, 0, channels))
            return _windowed(operation, around, before, after)
        case Resize() if rank == len(after):
            return _windowed(operation, seen, before, after)
        case Slice() if len(operation.start) == rank - 1 == len(after) - 1:
            channels = operation.first_channel + operation.channel_step * np.arange(after[0])[:, None]
            if not bool(((channels >= 0) & (channels < before[0])).all()):
                return None
            return _windowed(operation, replace(seen, tables=moved.read_along(seen.tables, 0, channels)), before, after)
        case Dense():
            return _dense(operation, seen, before, after)
        case Normalisation(axes=()) if operation.mode != "local_response":
            return seen
        case Normalisation():
            return _normalised(operation, seen, before)
        case Activation(function="glu", axis=int(axis)):
            return seen.each(lambda table: moved.halves(table, axis))
        case Activation(axis=int(axis)):
            return seen.each(lambda table: moved.united_along(table, [axis]))
        case Reshape():
            return _reshaped(operation, seen, before, after)
        case Pointwise() | Whole() if operation.axes:
            return _reduced(operation.axes, seen, before, after)
        case Activation() | Pointwise():
            return seen
        case _:
            return None


def _windowed(operation: Convolution | Pooling | Pad | Resize | Slice, seen: Seen, before: Shape, after: Shape) -> Seen:
    for axis, (size, outputs) in enumerate(zip(before[1:], after[1:], strict=True), start=1):
        read = taps(operation, axis - 1, size, outputs)
        if read is None:
            along = [axis]
            seen = Seen(tuple(moved.united_along(table, along) for table in seen.tables), False)
        else:
            seen = replace(seen, tables=moved.read_along(seen.tables, axis, read))
    return _settled(seen)


def _reduced(axes: Shape, seen: Seen, before: Shape, after: Shape) -> Seen | None:
    """A mean, a sum, a maximum over some axes, which stay with length 1 or go."""
    if not all(0 <= axis < len(before) for axis in axes):
        return None
    over = seen.each(lambda table: moved.united_along(table, axes))
    if len(after) == len(before):
        return over
    return over.each(lambda table: table.squeeze(tuple(axis + 1 for axis in axes)))


def _dense(operation: Dense, seen: Seen, before: Shape, after: Shape) -> Seen | None:
    rank = len(before)
    if not operation.per_position:
        everything = seen.each(lambda table: moved.united_along(table, range(rank)))
        return everything.each(lambda table: table.reshape(2, *(1,) * len(after)))
    axis = features_axis(operation, rank)
    if not 0 <= axis < rank or rank != len(after):
        return None
    return seen.each(lambda table: moved.united_along(table, [axis]))


def _normalised(operation: Normalisation, seen: Seen, before: Shape) -> Seen | None:
    if operation.mode == "local_response":  # a window of channels, whose size it doesn't say
        alike = all(table.shape[1] == 1 for table in seen.tables)
        return replace(seen.each(lambda table: moved.united_along(table, [0])), exact=seen.exact and alike)
    axes = operation.axes
    if not all(0 <= axis < len(before) for axis in axes):
        return None
    if 0 in axes and operation.groups > 1:
        seen = seen.each(lambda table: moved.mixed_channels(table, operation.groups, before[0]))
        axes = tuple(axis for axis in axes if axis)
    return seen.each(lambda table: moved.united_along(table, axes))


def _reshaped(operation: Reshape, seen: Seen, before: Shape, after: Shape) -> Seen | None:
    def change(table: Table) -> Table | None:
        return moved.reshaped(table, operation, before, after, _LARGEST_TABLE)

    tables = tuple(change(table) for table in seen.tables)
    found = tuple(table for table in tables if table is not None)
    return _settled(replace(seen, tables=found)) if len(found) == len(tables) else None


def _in_a_row(read: list[Seen], sizes: list[Shape], operation: Merge, after: Shape) -> Seen | None:
    """Values beside one another along an axis, an old one or a new one."""
    axis, rank = operation.axis or 0, len(after)
    if operation.function == "stack":
        read = [seen.each(lambda table: np.expand_dims(table, axis + 1)) for seen in read]
        sizes = [(*shape[:axis], 1, *shape[axis:]) for shape in sizes]
    if any(len(shape) != rank for shape in sizes) or sum(shape[axis] for shape in sizes) != after[axis]:
        return None
    read = [seen.each(lambda table: moved.ranked(table, rank)) for seen in read]
    tables = []
    for number in range(len(read[0].tables)):
        parts = [seen.tables[number] for seen in read]
        if all(part.shape[axis + 1] == 1 and np.array_equal(part, parts[0]) for part in parts):
            tables.append(parts[0])
            continue
        common = np.broadcast_shapes(*((2, *moved.but(part.shape[1:], axis, 1)) for part in parts))
        whole = [
            np.broadcast_to(part, (2, *moved.but(common[1:], axis, shape[axis])))
            for part, shape in zip(parts, sizes, strict=True)
        ]
        tables.append(np.concatenate(whole, axis + 1))
    return _settled(Seen(tuple(tables), all(seen.exact for seen in read)))


def _united(read: Iterable[Seen]) -> Seen:
    """What the values see that are made of one value of each: tables of one rank, that can be broadcast."""
    known = list(read)
    first = known[0]
    if all(seen.tables is first.tables for seen in known):
        return replace(first, exact=all(seen.exact for seen in known))
    if any(seen.holes for seen in known):
        known = [_jointly(seen) for seen in known]
    united = []
    for tables in zip(*(seen.tables for seen in known), strict=True):
        least = tables[0]
        for table in tables[1:]:
            least = np.minimum(least, table)
        united.append(least)
    return Seen(tuple(united), all(seen.exact for seen in known))


def _joined(seen: Seen, rank: int) -> Seen:
    """What all values of a layer see together."""
    alive = _jointly(seen) if seen.holes else seen
    return alive.each(lambda table: table.reshape(2, -1).min(1, initial=NOTHING).reshape(2, *(1,) * rank))


def _settled(seen: Seen) -> Seen:
    """Where tables share an axis, a value that sees nothing has to be marked in each of them: the minimum over a window
    would else count what it would have seen. Tables of axes of their own keep the marks apart."""
    if not seen.holes:
        return seen
    shared = np.sum([[size > 1 for size in table.shape[1:]] for table in seen.tables], axis=0)
    return _jointly(seen) if (shared > 1).any() else seen


def _jointly(seen: Seen) -> Seen:
    """All tables over all axes that any depends on, each marked where any is; too large ones become a bound."""
    common = np.broadcast_shapes(*(table.shape for table in seen.tables))
    if prod(common) > _LARGEST_TABLE:
        return Seen(tuple(moved.united_along(table, range(len(common) - 1)) for table in seen.tables), False)
    dead = np.zeros(common[1:], np.bool_)
    for table in seen.tables:
        dead |= table[0] == NOTHING
    return seen.each(lambda table: np.where(dead, NOTHING, table))
