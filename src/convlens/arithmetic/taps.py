"""Which input positions each output position reads, along one axis: all outputs at once, integers only."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np

from convlens import geometry
from convlens.arithmetic import resizing
from convlens.arithmetic.windows import padded_positions, tap_table
from convlens.arithmetic.working import PADDING, Integers
from convlens.network import Convolution, Pad, Pooling, Resize, Slice

Spatial = Convolution | Pooling | Pad | Resize | Slice
"""The operations whose outputs read a window of input positions, each axis independent of the others."""


@lru_cache(maxsize=4096)
def taps(operation: Spatial, axis: int, size: int, outputs: int) -> Integers | None:
    """The positions that are read, (outputs, taps), ``PADDING`` where a tap reads none.

    ``axis`` counts the spatial axes, ``size`` is the input's length along it. ``None`` where the operation doesn't say
    what it reads.

    >>> window = Convolution(1, 1, (3,), (2,), (1,), ((1, 1),))
    >>> taps(window, 0, 5, 3).tolist()
    [[-1, 0, 1], [1, 2, 3], [3, 4, -1]]
    """
    places = np.arange(outputs)
    match operation:
        case Resize():
            # A neighbour that only the rounding of a coordinate lets in, with a millionth of the weight, isn't counted.
            exact = operation if operation.mode == "nearest" else replace(operation, coordinate_arithmetic="exact")
            mixture = resizing.mixture(exact, axis, size, outputs)
            if mixture is None:
                return None
            positions, weights = mixture
            return np.where(weights == 0, PADDING, positions).T
        case Pooling(adaptive=True):
            return _adaptive(size, outputs)
        case Pad():
            return padded_positions(places[:, None], operation.padding[axis], size, operation.mode)
        case Slice():
            positions = operation.start[axis] + operation.step[axis] * places[:, None]
            return positions if bool(((positions >= 0) & (positions < size)).all()) else None
        case _:
            return tap_table(operation, axis, size, places).T


def _adaptive(size: int, outputs: int) -> Integers:
    windows = [geometry.adaptive_window(place, size, outputs) for place in range(outputs)]
    longest = max((len(window) for window in windows), default=0)
    rows = [[*window, *[PADDING] * (longest - len(window))] for window in windows]
    return np.array(rows, np.intp).reshape(outputs, longest)
