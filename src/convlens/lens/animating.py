"""A window that slides over a real layer: its own input, its own kernel, the framework's own values."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING

import numpy as np

from convlens.draw.animation import Slide, slide
from convlens.draw.animation.sliding import MOST_FRAMES, cropped
from convlens.errors import InputError
from convlens.lens import addressing
from convlens.network import Convolution, Network, Operation, Pooling

if TYPE_CHECKING:
    from convlens.lens.maps import FeatureMaps

_USUAL, _LEAST, _ROOM = 4, 2, 14  # output values along an axis, and the input values that they may need there
_TALL = 16  # rows of input values below one another, those of all shown channels together
_COLOURS, _FEW = 3, 2  # a colour picture shows all of its channels, a deeper layer its first two and the others' sum

CELL = 48
"""The side of a cell in which a real layer's numbers have room, in pixels."""


def sliding(
    maps: FeatureMaps,
    layer: str,
    channel: int = 0,
    at: tuple[int, ...] | None = None,
    size: tuple[int, int] | None = None,
) -> Slide:
    """Lay out a part of a convolution's or a pooling's output for an animation.

    Args:
        maps: the run; the layer's inputs are fetched where they weren't kept.
        layer: its name.
        channel: which of its channels.
        at: the (row, column) in the middle of the part, (column,) in 1-D; where the value of the largest magnitude is
            by default.
        size: how many rows and columns of the output; up to 4 x 4 by default, fewer where the windows lie far apart.

    Raises:
        LayerNotFoundError, ChannelError, InputError: no such layer, channel or place.
        DrawingError: no window slides in this layer, or there is too much to show.

    >>> import convlens, numpy as np
    >>> lens = convlens.sketch("conv 2 3x3 | maxpool 2x2", input_shape=(3, 12, 12), seed=0)
    >>> found = sliding(lens.feature_maps(np.full((12, 12, 3), 100, np.uint8)), "maxpool", channel=1, size=(2, 3))
    >>> len(found), found.layer.name
    (6, 'maxpool')
    """
    made = maps.value(maps.network[layer].name)
    addressing.check_channel(layer, made.shape, channel)
    sources, weights, _ = maps._reads(layer)
    spatial = made.shape[1:]
    if 0 in spatial:
        raise InputError(
            f"{layer} has no values",
            expected="a layer with rows and columns",
            received=" x ".join(map(str, made.shape)),
        )
    if at is not None:
        at = _place(at, spatial)
    else:
        sizes = np.abs(np.nan_to_num(made[channel].astype(np.float64)))
        at = tuple(int(n) for n in np.unravel_index(int(sizes.argmax()), spatial)) if spatial else ()
    if len(spatial) == 1:
        spatial, at = (1, *spatial), (0, *at)
    found = maps.network[layer]
    asked = usual(found.operation) if size is None else _size(size)
    outputs = cropped(spatial, (at[0], at[1]), asked) if len(spatial) == 2 else None
    planes = _channels(found.operation)
    return slide(found, sources[0], weights, channel=channel, outputs=outputs, values=made, planes=planes)


def _place(at: tuple[int, ...], spatial: tuple[int, ...]) -> tuple[int, ...]:
    if not _whole(at) or len(at) != len(spatial) or not all(0 <= n < side for n, side in zip(at, spatial, strict=True)):
        middle = ",".join(str(side // 2) for side in spatial)
        raise InputError(
            "No such place in the map",
            expected=f"a place inside {' x '.join(map(str, spatial)) or 'one value'}, in whole numbers",
            received=",".join(map(str, at)) if isinstance(at, (tuple, list)) else repr(at),
            hint=f"Choose {middle}, for example." if middle else "",
        )
    return tuple(map(int, at))


def _size(size: tuple[int, int]) -> tuple[int, int]:
    if not _whole(size) or len(size) != 2 or min(size) < 1 or prod(size) > MOST_FRAMES:
        raise InputError(
            "Too many frames" if _whole(size) and prod(size) > MOST_FRAMES else "No such part of the output",
            expected=f"rows and columns, 1 to {MOST_FRAMES} values in all, one a frame",
            received=" x ".join(map(str, size)) if isinstance(size, (tuple, list)) else repr(size),
            hint="Choose 4x4, for example: --outputs 4x4, or size=(4, 4) in Python.",
        )
    return int(size[0]), int(size[1])


def _whole(numbers: object) -> bool:
    return isinstance(numbers, (tuple, list)) and all(isinstance(number, (int, np.integer)) for number in numbers)


def _channels(operation: Operation | None) -> int:
    """How many input channels are shown."""
    inside = operation.in_channels // operation.groups if isinstance(operation, Convolution) else 1
    return inside if inside <= _COLOURS else _FEW


def usual(operation: Operation | None) -> tuple[int, int]:
    """How many rows and columns of the output fit into one look.

    >>> usual(Pooling("max", (5, 5), (5, 5), (1, 1), ((0, 0), (0, 0))))
    (2, 2)
    """
    if not isinstance(operation, (Convolution, Pooling)):
        return _USUAL, _USUAL
    room = min(_ROOM, _TALL // _channels(operation))
    sides = []
    for kernel, stride, dilation in zip(operation.kernel_size, operation.stride, operation.dilation, strict=True):
        extent = dilation * (kernel - 1) + 1
        sides.append(min(max((room - extent) // stride + 1, _LEAST), _USUAL))
    return (sides[0], sides[1]) if len(sides) == 2 else (1, sides[-1])


def first_layer(network: Network) -> str:
    """The first layer in which a window slides.

    Raises:
        InputError: there is none.
    """
    for layer in network:
        if isinstance(layer.operation, Convolution) and len(layer.operation.kernel_size) < 3:
            return layer.name
    for layer in network:
        if isinstance(layer.operation, Pooling) and len(layer.operation.kernel_size) < 3:
            return layer.name
    raise InputError(
        "No window slides in this network", expected="a convolution or a pooling, 1-D or 2-D", received=network.name
    )
