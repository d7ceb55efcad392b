"""Windows that slide over small whole numbers: a convolution, a transposed one, a pooling, without any model.

The numbers of a 5 x 5 input and a 3 x 3 kernel are those of V. Dumoulin and F. Visin, "A guide to convolution
arithmetic for deep learning" (2016, arXiv:1603.07285), figures 1.1 and 1.5; all others come from a seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convlens import geometry
from convlens.arithmetic.working import Array
from convlens.draw.animation.sliding import Slide, slide
from convlens.errors import DrawingError
from convlens.network import Convolution, Kind, Layer, Pads, Pooling

Pair = tuple[int, int]
Numbers = npt.ArrayLike
Padding = int | tuple[int | Pair, int | Pair] | Literal["none", "half", "full"]
"""Zeros on every side, those of rows and of columns, each one number or (before, after), or a word: ``half`` keeps the
size of the input at stride 1, ``full`` lets every window in that touches it."""

LARGEST = 64
MOST_CHANNELS = 4
_USUAL_SIZES = {"input": "5x5", "kernel": "3x3"}
_OF_ONE = {"stride": "moves the window on by one cell", "dilation": "leaves no gap between the taps"}

_PAPER_INPUT = ((3, 3, 2, 1, 0), (0, 0, 1, 3, 1), (3, 1, 2, 2, 3), (2, 0, 0, 2, 2), (2, 0, 0, 0, 1))
_PAPER_KERNEL = ((0, 1, 2), (2, 2, 0), (0, 1, 2))


def convolution(
    input: Sequence[int] | Numbers = (5, 5),
    kernel: Sequence[int] | Numbers = (3, 3),
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    bias: float | None = None,
    seed: int | None = None,
) -> Slide:
    """A convolution with one filter.

    Args:
        input: its size, (rows, columns) or (channels, rows, columns); or its numbers, as a nested list or an array.
        kernel: the size, (rows, columns), or the numbers.
        stride: how far the window moves, one number or (down, right).
        padding: zeros around the input.
        dilation: how far the taps lie apart.
        bias: a number added to every sum.
        seed: where the numbers come from that aren't given.

    Raises:
        DrawingError: the kernel is larger than the padded input, a size isn't one, or there is too much to show.

    >>> convolution().values
    (12.0, 12.0, 17.0, 10.0, 17.0, 19.0, 9.0, 6.0, 14.0)
    >>> len(convolution(stride=2)), len(convolution(padding="half"))
    (4, 25)
    """
    source, weights = _input(input, seed), _kernel(kernel, seed, input)
    size, steps, gaps = _pair_of(weights), _steps("stride", stride), _steps("dilation", dilation)
    pads = _padding(padding, size, gaps)
    outputs = _fitting(source.shape[1:], size, steps, gaps, pads)
    operation = Convolution(len(source), 1, size, steps, gaps, pads, bias=bias is not None)
    return _convolved(operation, source, weights, outputs, bias)


def transposed(
    input: Sequence[int] | Numbers = (3, 3),
    kernel: Sequence[int] | Numbers = (3, 3),
    *,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    output_padding: int = 0,
    bias: float | None = None,
    seed: int | None = None,
) -> Slide:
    """A transposed convolution with one filter; ``padding`` is that of the convolution that it undoes.

    ``output_padding``: rows and columns added at the end of the output. The rest as for :func:`convolution`.

    Raises:
        DrawingError: nothing would be left of the output, a size isn't one, or there is too much to show.

    >>> found = transposed((3, 3), stride=2, padding=1)
    >>> found.layer.output_shape, len(found)
    ((1, 5, 5), 25)
    """
    source, weights = _input(input, seed), _kernel(kernel, seed, input)
    size, steps, gaps = _pair_of(weights), _steps("stride", stride), _steps("dilation", dilation)
    pads = _padding(padding, size, gaps)
    if not 0 <= output_padding < max(min(steps), min(gaps)):
        raise DrawingError(
            "No such output padding",
            expected=f"0 to {max(min(steps), min(gaps)) - 1}: less than the stride or the dilation",
            received=str(output_padding),
            hint="Choose 0, or a larger stride.",
        )
    outputs = tuple(
        geometry.transposed_output_size(source.shape[1 + n], size[n], steps[n], gaps[n], pads[n], output_padding)
        for n in range(2)
    )
    if min(outputs) < 1:
        raise DrawingError(
            "The padding takes away the whole output",
            expected="at least one row and one column",
            received=f"{outputs[0]} x {outputs[1]}",
            hint="Choose less padding or a larger input.",
        )
    operation = Convolution(
        len(source), 1, size, steps, gaps, pads, 1, bias is not None, True, (output_padding, output_padding)
    )
    return _convolved(operation, source, weights, (outputs[0], outputs[1]), bias)


def pooling(
    input: Sequence[int] | Numbers = (5, 5),
    kernel: Pair = (3, 3),
    *,
    mode: Literal["max", "average"] = "max",
    stride: int | Pair | None = None,
    padding: Padding = 0,
    seed: int | None = None,
) -> Slide:
    """A pooling; its window moves by its own size unless ``stride`` says otherwise. An average leaves out the padding.

    Raises:
        DrawingError: the window is larger than the padded input or lies in the padding alone, a size isn't one, or
            there is too much to show.

    >>> pooling(stride=1).values
    (3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 2.0, 3.0)
    """
    source = _input(input, seed)
    size = _sizes("kernel", kernel)
    if len(size) != 2:
        raise DrawingError(
            "No such window",
            expected="(rows, columns)",
            received="x".join(map(str, size)),
            hint="Choose 2x2, for example.",
        )
    window: Pair = (size[0], size[1])
    steps = window if stride is None else _steps("stride", stride)
    pads = _padding(padding, window, (1, 1))
    if any(max(pad) >= side for pad, side in zip(pads, window, strict=True)):
        raise DrawingError(
            "A window would hold padding alone",
            expected=f"padding less than the window of {window[0]} x {window[1]}",
            received=str(padding),
        )
    outputs = _fitting(source.shape[1:], window, steps, (1, 1), pads)
    operation = Pooling(mode, window, steps, (1, 1), pads)
    name = "MaxPool" if mode == "max" else "AveragePool"
    return slide(Layer("pooling", name, Kind.POOLING, ("input",), (len(source), *outputs), operation), source, {})


def _convolved(operation: Convolution, source: Array, kernel: Array, outputs: Pair, bias: float | None) -> Slide:
    if bias is not None and not isfinite(bias):
        raise DrawingError("No such bias", expected="a finite number", received=str(bias))
    weights = {"kernel": kernel[None], **({"bias": np.array([bias])} if bias is not None else {})}
    op = "ConvTranspose" if operation.transposed else "Conv"
    return slide(Layer("convolution", op, Kind.CONVOLUTION, ("input",), (1, *outputs), operation), source, weights)


def _fitting(size: Sequence[int], kernel: Pair, stride: Pair, dilation: Pair, padding: Pads) -> Pair:
    outputs = [geometry.output_size(size[n], kernel[n], stride[n], dilation[n], padding[n]) for n in range(2)]
    if min(outputs) > 0:
        return outputs[0], outputs[1]
    long = [dilation[n] * (kernel[n] - 1) + 1 for n in range(2)]
    room = [size[n] + sum(padding[n]) for n in range(2)]
    missing = max((long[n] - room[n] + 1) // 2 + padding[n][0] for n in range(2))
    raise DrawingError(
        "The window is larger than the input",
        expected=f"at most {room[0]} x {room[1]}, which is the input with its padding",
        received=f"{long[0]} x {long[1]}",
        hint=f"Choose a smaller kernel, or a padding of {missing}.",
    )


def _input(given: Sequence[int] | Numbers, seed: int | None) -> Array:
    """(channels, rows, columns), float64."""
    array = np.asarray(given)
    if array.ndim in (2, 3):
        return _numbers("input", array if array.ndim == 3 else array[None])
    sizes = _sizes("input", given)
    if len(sizes) not in (2, 3):
        raise DrawingError(
            "No such input",
            expected="rows and columns, or channels, rows and columns",
            received="x".join(map(str, sizes)),
            hint="Choose 5x5 or 3x5x5, for example.",
        )
    shape = sizes if len(sizes) == 3 else (1, *sizes)
    _few_channels(shape[0])
    if shape == (1, 5, 5) and seed is None:
        return np.array([_PAPER_INPUT], np.float64)
    return np.random.RandomState(seed or 0).randint(0, 4, shape).astype(np.float64)


def _kernel(given: Sequence[int] | Numbers, seed: int | None, input: Sequence[int] | Numbers) -> Array:
    """(channels, rows, columns), float64, for as many channels as the input has."""
    source = np.asarray(input)
    channels = (len(source) if source.ndim == 3 else 1) if source.ndim > 1 else (source[0] if source.size == 3 else 1)
    array = np.asarray(given)
    if array.ndim in (2, 3):
        found = _numbers("kernel", array if array.ndim == 3 else np.repeat(array[None], channels, axis=0))
        if len(found) != channels:
            raise DrawingError(
                "The kernel has other channels than the input", expected=str(channels), received=str(len(found))
            )
        return found
    sizes = _sizes("kernel", given)
    if len(sizes) != 2:
        raise DrawingError(
            "No such kernel",
            expected="rows and columns: it has the input's channels",
            received="x".join(map(str, sizes)),
            hint="Choose 3x3, for example.",
        )
    if sizes == (3, 3) and channels == 1 and seed is None:
        return np.array([_PAPER_KERNEL], np.float64)
    return np.random.RandomState((seed or 0) + 1).randint(-1, 3, (channels, *sizes)).astype(np.float64)


def _numbers(what: str, array: npt.NDArray[Any]) -> Array:
    if array.dtype.kind not in "iufb" or not np.isfinite(array).all() or not array.size:
        raise DrawingError(
            f"No such {what}", expected="rows of finite numbers", received=f"{array.dtype} {array.shape}"
        )
    _sizes(what, array.shape[1:])
    _few_channels(len(array))
    return array.astype(np.float64)


def _few_channels(count: int) -> None:
    if count > MOST_CHANNELS:
        raise DrawingError(
            "Too many channels to show",
            expected=f"at most {MOST_CHANNELS}",
            received=str(count),
            hint="Choose 3, for example, or a layer of a model: --model with --picture.",
        )


def _sizes(what: str, given: Any) -> tuple[int, ...]:
    try:
        sizes = tuple(int(size) for size in given)
        whole = all(int(size) == size for size in given)
    except (TypeError, ValueError):
        sizes, whole = (), False
    if not sizes or not whole or not all(1 <= size <= LARGEST for size in sizes):
        raise DrawingError(
            f"No such {what}",
            expected=f"sizes from 1 to {LARGEST}",
            received="x".join(map(str, given)) if isinstance(given, (tuple, list)) and given else _short(given),
            hint="A part of a large layer is shown with --model and --picture."
            if sizes and max(sizes) > LARGEST
            else f"Choose {_USUAL_SIZES[what]}, for example.",
        )
    return sizes


def _short(given: object) -> str:
    return f"an array of {' x '.join(map(str, given.shape))}" if isinstance(given, np.ndarray) else repr(given)


def _pair_text(given: object) -> str:
    """As it is typed: one number where both are the same."""
    sides = given if isinstance(given, tuple) else (given,)
    texts = ["+".join(map(str, side)) if isinstance(side, tuple) else str(side) for side in sides]
    return "x".join(texts if len(set(texts)) > 1 else texts[:1])


def _pair_of(kernel: Array) -> Pair:
    return kernel.shape[1], kernel.shape[2]


def _steps(what: str, given: int | Pair) -> Pair:
    found = (given, given) if isinstance(given, int) else tuple(given)
    if len(found) != 2 or not all(isinstance(step, int) and 1 <= step <= LARGEST for step in found):
        raise DrawingError(
            f"No such {what}",
            expected=f"whole numbers from 1 to {LARGEST}",
            received=_pair_text(given),
            hint=f"Choose 1 or 2: 1 {_OF_ONE[what]}.",
        )
    return found[0], found[1]


def _padding(given: Padding, kernel: Pair, dilation: Pair) -> Pads:
    extra = [dilation[n] * (kernel[n] - 1) for n in range(2)]
    if given == "none":
        return (0, 0), (0, 0)
    if given == "full":
        return (extra[0], extra[0]), (extra[1], extra[1])
    if given == "half":
        return (extra[0] // 2, extra[0] - extra[0] // 2), (extra[1] // 2, extra[1] - extra[1] // 2)
    found = given if isinstance(given, tuple) else (given, given)
    sides = [side if isinstance(side, tuple) else (side, side) for side in found]
    if len(sides) != 2 or not all(len(side) == 2 and all(isinstance(n, int) for n in side) for side in sides):
        raise DrawingError(
            "No such padding",
            expected="a whole number, half or full",
            received=repr(given),
            hint="Choose 1, or (1, 0) for rows alone.",
        )
    if not all(0 <= n <= LARGEST for side in sides for n in side):
        raise DrawingError(
            "No such padding",
            expected=f"0 to {LARGEST}",
            received=_pair_text(given),
            hint="Choose 0, 1, half or full, for example.",
        )
    rows, columns = ((int(before), int(after)) for before, after in sides)
    return rows, columns
