"""Local response normalisation: each value divided by the squares of its neighbours in the channels."""

from __future__ import annotations

import numpy as np

from convlens.arithmetic.rounding import LARGEST, finite_sizes
from convlens.arithmetic.working import Array, Step, Swept, Working
from convlens.network import Normalisation, Shape


def local_response(operation: Normalisation, index: Shape, source: Array) -> Working:
    """One value. Source of the formula: the LRN operator of the ONNX specification.

    ``x / (bias + alpha / size * sum of squares)^beta``, over ``size`` channels around its own.
    """
    first, last = _neighbours(operation, index[0], len(source))
    places = np.ix_(np.arange(first, last), *(np.array([place]) for place in index[1:]))
    window = source[places].astype(np.float64)
    own = window[index[0] - first].reshape(-1)
    constants = dict(operation.constants)
    column: Array = source.reshape(len(source), -1)[:, np.ravel_multi_index(index[1:], source.shape[1:])]
    swept = _divided(operation, own, column.astype(np.float64)[:, None], (first, last))
    with np.errstate(all="ignore"):
        summed = float(np.square(window).sum())
        base = np.float64(constants["bias"] + constants["alpha"] / constants["size"] * summed)
        divisor = float(base ** constants["beta"])
    total = float(swept.total[0])
    return Working(
        rule="normalisation",
        formula="x / ({bias:g} + {alpha:g} / {size:g} * sum of squares)^{beta:g}".format_map(constants),
        window=window,
        inputs=np.zeros((1,) * window.ndim, np.intp),
        places=tuple(places),
        steps=(
            Step(f"sum of squares of {last - first} channels", summed),
            Step("{bias:g} + {alpha:g} / {size:g} x sum".format_map(constants), float(base)),
            Step(f"^ {constants['beta']:g}", divisor),
            Step("x / that", total),
        ),
        total=total,
        roundings=_roundings(source),
        magnitude=float(np.asarray(swept.magnitude)[0]),
        unsettled=bool(np.asarray(swept.unsettled)[0]),
    )


def all_local_responses(operation: Normalisation, channel: int, source: Array) -> Swept:
    """Every value of one channel."""
    first, last = _neighbours(operation, channel, len(source))
    return _divided(operation, source[channel].astype(np.float64), source.astype(np.float64), (first, last))


def _divided(operation: Normalisation, own: Array, line: Array, window: tuple[int, int]) -> Swept:
    """``line`` has all channels, of which ``window`` counts.

    ONNX Runtime adds the next channel's square to the sum of its neighbour and takes the last one off: what is rounded
    on the way is as large as the squares of all channels before.
    """
    constants = dict(operation.constants)
    alpha, beta, bias = constants["alpha"] / constants["size"], constants["beta"], constants["bias"]
    first, last = window
    with np.errstate(all="ignore"):
        squares = alpha * np.square(line)
        base = bias + squares[first:last].sum(axis=0)
        total = own / base**beta
        # a relative error of the base counts beta times in the power, and the power is made by a logarithm
        added = abs(bias) + np.abs(squares[:last]).sum(axis=0)
        often = 1 + abs(beta) * (added / np.abs(base) + np.abs(np.log(np.abs(base))))
        size = np.abs(total) * np.where(np.isfinite(often), often, 1.0)
        # what isn't finite stays in the running sum of the channels behind, and frameworks without one never have it
        left_over = ~np.isfinite(line[:first]).all(axis=0) & ~np.isnan(total)
        too_large = (finite_sizes(line[:last]) ** 2).sum(axis=0) * 2 >= LARGEST
    return Swept(total, _roundings(line), size, unsettled=left_over | too_large)


def _neighbours(operation: Normalisation, channel: int, channels: int) -> tuple[int, int]:
    """The first channel whose square counts, and the one behind the last.

    >>> _neighbours(Normalisation("local_response", constants=(("size", 4.0),)), 2, 10)
    (1, 5)
    """
    size = int(dict(operation.constants)["size"])
    return max(0, channel - (size - 1) // 2), min(channels, channel + size // 2 + 1)


def _roundings(line: Array) -> int:
    return 2 * len(line) + 16
