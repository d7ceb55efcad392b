"""Where a value stands in a layer: channel and place, checked before anything runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlens.errors import ChannelError, InputError
from convlens.network import Shape

_PLACES = {0: (), 1: (), 2: ("column",), 3: ("row", "column"), 4: ("depth", "row", "column")}


def place_names(layer: str, shape: Shape) -> tuple[str, ...]:
    """What tells a place in a layer of this shape, beside the channel.

    >>> place_names("conv", (3, 38, 38)), place_names("fc", (10,))
    (('row', 'column'), ())

    Raises:
        InputError: the layer has more axes than a place can name.
    """
    if len(shape) not in _PLACES:
        raise InputError(f"{layer} has {len(shape)} axes", expected="at most 4", received=str(shape))
    return _PLACES[len(shape)]


def address(layer: str, shape: Shape, channel: int, place: Mapping[str, int]) -> Shape:
    """The index of a value, batchless and channels first.

    >>> address("conv", (3, 38, 38), 0, {"row": 10, "column": 20})
    (0, 10, 20)

    Raises:
        ChannelError, InputError: no such channel or place, or a layer that is addressed otherwise.
    """
    names = place_names(layer, shape)
    if shape:
        check_channel(layer, shape, channel)
    if set(place) != set(names):
        raise _other_address(layer, shape, [*place])
    for name, size in zip(names, shape[1:], strict=True):
        if not 0 <= place[name] < size:
            raise InputError(
                f"{layer} has no {name} {place[name]}",
                expected=f"a {name} from 0 to {size - 1}" if size else f"a layer with a {name}; this one is empty",
                received=str(place[name]),
            )
    return (channel, *(place[name] for name in names)) if shape else ()


def check_index(layer: str, shape: Shape, index: Sequence[int]) -> Shape:
    """The index of a value, channels first; places are counted from the beginning, never from the end.

    >>> check_index("conv", (3, 38, 38), [0, 10, 20])
    (0, 10, 20)

    Raises:
        ChannelError, InputError: no such value.
    """
    if len(index) != len(shape):
        raise InputError(
            f"A value of {layer} has another address",
            expected=f"{len(shape)} whole numbers, one an axis of {' x '.join(map(str, shape)) or 'a single number'}",
            received=str(tuple(index))[:80],
        )
    for axis, (number, size) in enumerate(zip(index, shape, strict=True)):
        if axis == 0:
            check_channel(layer, shape, number)
        elif not 0 <= number < size:
            raise InputError(
                f"{layer} has no value at {number} along axis {axis}",
                expected=f"a number from 0 to {size - 1}",
                received=str(number),
            )
    return tuple(int(number) for number in index)


def in_order(layer: str, shape: Shape, place: Sequence[int]) -> Mapping[str, int]:
    """Numbers in the order of the axes, by name: (row, column), or (depth, row, column), or (column,).

    Raises:
        InputError: too many or too few.
    """
    names = place_names(layer, shape)
    if len(place) != len(names):
        raise _other_address(layer, shape, [str(number) for number in place])
    return dict(zip(names, place, strict=True))


def check_channel(layer: str, shape: Shape, number: int) -> None:
    """Raise :class:`ChannelError` where a layer of this shape has no such channel."""
    count = shape[0] if shape else 0
    if not 0 <= number < count:
        raise ChannelError(
            f"{layer} has no channel {number}",
            expected=f"a channel from 0 to {count - 1}" if count else "a layer with a channel; this one is empty",
            received=str(number),
            hint=f"Type --channel {count - 1}, for example." if count else "",
        )


def _other_address(layer: str, shape: Shape, received: Sequence[str]) -> InputError:
    """The example in the hint is the value in the middle of the first map."""
    names = place_names(layer, shape)
    middle = [size // 2 for size in shape[1:]]
    typed = f" --at {','.join(str(n) for n in middle)}" if middle else ""
    said = "".join(f", {name}={place}" for name, place in zip(names, middle, strict=True))
    return InputError(
        f"A value of {layer} has another address",
        expected="channel" + "".join(f", {name}" for name in names),
        received="channel" + "".join(f", {name}" for name in received),
        hint=f"Type --channel 0{typed}, or explain(channel=0{said}).",
    )
