"""Values that only move: pad, slice, reshape, transpose, concat, stack, and whatever else copies.

Each rule maps an output index to the input index that it was copied from. An index is one entry an axis: whole numbers
for one value, or arrays that broadcast for many at once; the same rule serves both.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from convlens.arithmetic.operands import Operands
from convlens.arithmetic.windows import padded_positions
from convlens.arithmetic.working import PADDING, Array, Integers, Swept, Working, single
from convlens.network import CONSTANT, Merge, Pad, Reshape, Shape, Slice

Index = tuple[Integers, ...]
Mover = Pad | Slice | Reshape


def moved(operation: Mover, index: Shape, outputs: Shape, source: Array) -> Working | None:
    """Where one value of a layer that moves values came from; ``None`` where the layer doesn't say its order."""
    found = _whence(operation, tuple(np.asarray(place) for place in index), outputs, source.shape)
    if found is None:
        return None
    place = tuple(int(axis) for axis in found)
    if isinstance(operation, Pad) and PADDING in place:
        value = operation.value if operation.mode in ("zeros", "constant") else 0.0
        return Working(
            rule="constant",
            formula=f"padding: {value:g}",
            window=np.array([value]),
            inputs=np.array([0]),
            places=tuple(np.array([PADDING]) for _ in place),
            total=value,
            roundings=_roundings(operation),
        )
    words = "input at " + ", ".join(str(n) for n in place)
    if isinstance(operation, Reshape) and not operation.axes:
        words = f"number {_flat(index, outputs, operation)} in memory: {words}"
    return copied(place, source, words, roundings=_roundings(operation))


def _roundings(operation: Mover) -> int:
    """Of the constant that is padded with, to the layer's own type; what only moves isn't rounded."""
    return 1 if isinstance(operation, Pad) and operation.value else 0


def all_moved(operation: Mover, channel: int, outputs: Shape, source: Array) -> Swept | None:
    """The same for a whole channel."""
    found = _whence(operation, every_place(channel, outputs), outputs, source.shape)
    if found is None:
        return None
    values = source[found].astype(np.float64)
    if isinstance(operation, Pad):
        for axis in found:
            values = np.where(axis == PADDING, operation.value, values)
    return Swept(np.broadcast_to(values, outputs[1:]), _roundings(operation))


def every_place(channel: int, outputs: Shape) -> Index:
    """The index of every value of a channel."""
    return (np.asarray(channel), *np.ix_(*(np.arange(size) for size in outputs[1:]))) if outputs else ()


def copied(index: Shape, source: Array, words: str, *, number: int = 0, roundings: int = 0) -> Working:
    """A value that was taken over from ``index`` of an input, the one of this ``number``."""
    value = float(source[index])
    return single("copy", words, value, value, index, source=number, roundings=roundings)


def taken(index: Shape, source: Array, origin: Array) -> Working:
    """A value that an engine says was copied: ``origin`` has, for each output value, the number of its input value."""
    place = tuple(int(n) for n in np.unravel_index(int(origin[index]), source.shape))
    return copied(place, source, "input at " + ", ".join(str(n) for n in place))


def all_taken(channel: int, outputs: Shape, source: Array, origin: Array) -> Swept:
    """The same for a whole channel."""
    numbers = origin[channel] if outputs else origin
    return Swept(source.reshape(-1)[numbers].astype(np.float64), 0)


def _whence(operation: Mover, index: Index, outputs: Shape, shape: Shape) -> Index | None:
    match operation:
        case Pad() if len(index) == len(shape) == 1 + len(operation.padding):
            pads = (operation.channels, *operation.padding)
            return tuple(
                padded_positions(place, around, size, operation.mode)
                for place, around, size in zip(index, pads, shape, strict=True)
            )
        case Slice() if len(operation.start) == len(shape) - 1 == len(index) - 1:
            starts, steps = (operation.first_channel, *operation.start), (operation.channel_step, *operation.step)
            return tuple(start + step * place for start, step, place in zip(starts, steps, index, strict=True))
        case Reshape() if operation.axes and len(operation.axes) == len(index) == len(shape):
            found = [index[0]] * len(shape)
            for place, axis in zip(index, operation.axes, strict=True):
                found[axis] = place
            return tuple(found)
        case Reshape() if not operation.axes and prod(shape) == prod(outputs):
            return _unflattened(_flat(index, outputs, operation), shape, operation)
        case _:
            return None


def _flat(index: Sequence[Integers | int], sizes: Shape, operation: Reshape) -> Integers:
    """The number that an index has in the framework's memory."""
    places, lengths = list(index), list(sizes)
    if operation.channels_last and len(lengths) > 1:
        places, lengths = [*places[1:], places[0]], [*lengths[1:], lengths[0]]
    flat = np.asarray(0)
    for place, length in zip(places, lengths, strict=True):
        flat = flat * length + place
    return flat


def _unflattened(flat: Integers, sizes: Shape, operation: Reshape) -> Index:
    last = operation.channels_last and len(sizes) > 1
    lengths = [*sizes[1:], sizes[0]] if last else list(sizes)
    found: list[Integers] = []
    for length in reversed(lengths):
        flat, place = np.divmod(flat, length)
        found.insert(0, np.asarray(place))
    return (found[-1], *found[:-1]) if last else tuple(found)


def lines_up(operation: Merge, outputs: Shape, operands: Operands) -> bool:
    """Whether these operands beside one another, along an old axis or a new one, have the layer's shape."""
    axis, shapes = operation.axis, [value.shape for value in operands.values]
    if axis is None or not shapes or not 0 <= axis < len(outputs):
        return False
    if operation.function == "stack":
        return len(shapes) == outputs[axis] and all(shape == _but(outputs, axis) for shape in shapes)
    alike = all(len(shape) == len(outputs) and _but(shape, axis) == _but(outputs, axis) for shape in shapes)
    return alike and sum(shape[axis] for shape in shapes) == outputs[axis]


def _but(shape: Shape, axis: int) -> Shape:
    return (*shape[:axis], *shape[axis + 1 :])


def joined(operation: Merge, index: Shape, operands: Operands) -> Working:
    """Which operand a value of a concatenation or a stack came from."""
    axis = operation.axis or 0
    place, along = index[axis], axis_words(axis)
    if operation.function == "stack":
        return _from(operands, place, _but(index, axis), "")
    number = 0
    while place >= operands.values[number].shape[axis]:
        place -= operands.values[number].shape[axis]
        number += 1
    return _from(operands, number, (*index[:axis], place, *index[axis + 1 :]), f" at {along} {place}")


def _from(operands: Operands, place: int, index: Shape, where: str) -> Working:
    """The value at ``index`` of the operand at ``place``, as it is."""
    source, number = operands.values[place], operands.numbers[place]
    if number != CONSTANT:
        return copied(index, source, f"input {number}{where}", number=number)
    value = float(source[index])
    return Working(
        rule="constant",
        formula=f"constant, operand {place}{where}: {value:.9g}",
        window=np.array([value]),
        inputs=np.array([CONSTANT]),
        places=tuple(np.array([PADDING]) for _ in index),
        total=value,
        roundings=0,
    )


def all_joined(operation: Merge, channel: int, operands: Operands) -> Swept:
    """The same for a whole channel."""
    axis, sources = operation.axis or 0, operands.values
    if operation.function == "stack":
        parts = sources[channel] if axis == 0 else np.stack([source[channel] for source in sources], axis - 1)
        return Swept(parts.astype(np.float64), 0)
    if axis > 0:
        return Swept(np.concatenate([source[channel] for source in sources], axis - 1).astype(np.float64), 0)
    firsts = np.cumsum([0, *(len(source) for source in sources)])
    number = int(np.searchsorted(firsts, channel, side="right")) - 1
    return Swept(sources[number][channel - int(firsts[number])].astype(np.float64), 0)


def axis_words(axis: int) -> str:
    """What a reader calls a batchless axis.

    >>> axis_words(0), axis_words(2)
    ('channel', 'axis 2')
    """
    return "channel" if axis == 0 else f"axis {axis}"
