"""Kernel windows of convolutions and poolings: every default and every automatic padding made explicit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from convlens.engines.onnx.call import Call, Described
from convlens.network import Convolution, Kind, Pads, Pooling, Shape


def explicit_pads(
    automatic: str,
    pads: Sequence[int],
    size: Shape,
    kernel: Shape,
    stride: Shape,
    dilation: Shape,
    *,
    kept: int = 0,
) -> Pads:
    """Padding (before, after) per axis of a convolution or pooling, with ``auto_pad`` resolved for the input size.

    Source: the ONNX operator specification of Conv and MaxPool. Where a stride is larger than the window, the padding
    that makes the size come out is negative, and ONNX Runtime begins behind the first pixel, or refuses; ``kept``: of
    so many pixels it then does without the cropping, one in a convolution.

    >>> explicit_pads("SAME_UPPER", (), (5, 5), (2, 3), (1, 2), (1, 1))
    ((0, 1), (1, 1))
    >>> explicit_pads("NOTSET", (0, 1, 2, 3), (5, 5), (2, 3), (1, 2), (1, 1))
    ((0, 2), (1, 3))
    """
    rank = len(kernel)
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        upper = automatic == "SAME_UPPER"
        total = [
            (-(-n // s) - 1) * s + (k - 1) * d + 1 - n
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        return tuple(_cropped(t + kept, upper) if t < -1 else _split(max(0, t), upper=upper) for t in total)
    if automatic == "VALID" or not pads:
        return ((0, 0),) * rank
    return tuple((int(pads[i]), int(pads[i + rank])) for i in range(rank))


def _cropped(total: int, upper: bool) -> tuple[int, int]:
    """Negative padding, halved as C++ does: towards 0.

    >>> _cropped(-3, True), _cropped(-3, False), _cropped(-2, True), _cropped(-2, False)
    ((-1, -2), (-1, -2), (-1, -1), (0, -2))
    """
    before = -(-total // 2) if upper else -(-(total + 1) // 2)
    return before, total - before


def _split(total: int, upper: bool) -> tuple[int, int]:
    """Half before, half after; ``upper``: the odd one goes after."""
    small, large = total // 2, total - total // 2
    return (small, large) if upper else (large, small)


def transposed_pads(
    automatic: str,
    pads: Sequence[int],
    size: Shape,
    output: Shape,
    kernel: Shape,
    stride: Shape,
    dilation: Shape,
    output_padding: Shape,
    explicit_output: bool,
) -> Pads:
    """Padding of a transposed convolution, such that it makes exactly ``output``.

    Source: the ONNX operator specification of ConvTranspose: ``total = stride * (size - 1) + output_padding + reach -
    output``, halved; the odd one goes after for SAME_UPPER (ONNX Runtime), else before.

    >>> transposed_pads("NOTSET", (1, 1), (5,), (9,), (3,), (2,), (1,), (0,), False)
    ((1, 1),)
    """
    rank = len(kernel)
    if automatic in ("SAME_UPPER", "SAME_LOWER") or explicit_output:
        total = [
            max(0, (n - 1) * s + p + (k - 1) * d + 1 - o)
            for n, s, p, k, d, o in zip(size, stride, output_padding, kernel, dilation, output, strict=True)
        ]
        return tuple(_split(t, upper=automatic == "SAME_UPPER") for t in total)
    if automatic == "VALID" or not pads:
        return ((0, 0),) * rank
    return tuple((int(pads[i]), int(pads[i + rank])) for i in range(rank))


def _spatial(call: Call, weight: Shape | None) -> tuple[Shape, Shape, Shape, Shape]:
    """Input size, kernel size, stride, dilation of a windowed operator."""
    size = call.shape(0)[2:]
    stated = call.attributes.get("kernel_shape") or (weight[2:] if weight else ())
    kernel = tuple(int(k) for k in stated)
    ones = (1,) * len(size)
    stride = tuple(int(s) for s in call.attributes.get("strides") or ones)
    dilation = tuple(int(d) for d in call.attributes.get("dilations") or ones)
    if not len(kernel) == len(stride) == len(dilation) == len(size):
        raise ValueError("attributes and shapes disagree")
    return size, kernel, stride, dilation


def convolution(weight_index: int, bias_index: int) -> Callable[[Call], Described]:
    """The reader of a convolution whose weights and bias stand at these inputs."""

    def read(call: Call) -> Described:
        weight = call.shape(weight_index)
        size, kernel, stride, dilation = _spatial(call, weight)
        groups = int(call.attributes.get("group", 1))
        pads = explicit_pads(_auto(call), call.attributes.get("pads", ()), size, kernel, stride, dilation, kept=1)
        return Kind.CONVOLUTION, Convolution(
            in_channels=weight[1] * groups,
            filters=weight[0],
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            padding=pads,
            groups=groups,
            bias=call.has(bias_index),
        )

    return read


def transposed_convolution(call: Call) -> Described:
    """Read a ConvTranspose."""
    weight = call.shape(1)
    size, kernel, stride, dilation = _spatial(call, weight)
    groups = int(call.attributes.get("group", 1))
    output = call.output[2:]
    stated = tuple(int(p) for p in call.attributes.get("output_padding") or (0,) * len(size))
    pads = transposed_pads(
        _auto(call),
        call.attributes.get("pads", ()),
        size,
        output,
        kernel,
        stride,
        dilation,
        stated,
        "output_shape" in call.attributes,
    )
    # What the padding leaves open is output padding, as the output's true size says.
    missing = tuple(
        o - ((n - 1) * s + (k - 1) * d + 1 - before - after)
        for o, n, s, k, d, (before, after) in zip(output, size, stride, kernel, dilation, pads, strict=True)
    )
    return Kind.CONVOLUTION, Convolution(
        in_channels=weight[0],
        filters=weight[1] * groups,
        kernel_size=kernel,
        stride=stride,
        dilation=dilation,
        padding=pads,
        groups=groups,
        bias=call.has(2),
        transposed=True,
        output_padding=missing,
    )


def _auto(call: Call) -> str:
    value = call.attributes.get("auto_pad", b"NOTSET")
    return value.decode() if isinstance(value, bytes) else str(value)


def pooling(mode: str) -> Callable[[Call], Described]:
    """The reader of a pooling over windows."""

    def read(call: Call) -> Described:
        size, kernel, stride, dilation = _spatial(call, None)
        return Kind.POOLING, Pooling(
            mode=mode,
            kernel_size=kernel,
            stride=stride,
            dilation=dilation,
            padding=explicit_pads(_auto(call), call.attributes.get("pads", ()), size, kernel, stride, dilation),
            ceil_mode=bool(call.attributes.get("ceil_mode", 0)),
            count_include_pad=bool(call.attributes.get("count_include_pad", 0)),
            power=float(call.attributes.get("p", 2)),
            least=_least(call.dtype) if mode == "max" else -np.inf,
            settles_nan=False,
        )

    return read


def _least(dtype: str) -> float:
    """What ONNX Runtime's maximum begins with: the least number of the type, as the maps have it."""
    if dtype.startswith(("int", "uint")):
        return float(np.iinfo(dtype).min)
    return float(np.finfo(np.float32).min) if dtype == "float32" else -np.inf


def whole_pooling(mode: str) -> Callable[[Call], Described]:
    """The reader of a pooling of each map to one value."""

    def read(call: Call) -> Described:
        found = over_the_map(mode, call.shape(0)[2:], float(call.attributes.get("p", 2)))
        return Kind.POOLING, replace(found, least=_least(call.dtype)) if mode == "max" else found

    return read


def over_the_map(mode: str, size: Shape, power: float = 2.0) -> Pooling:
    """Pooling of each map of this size to one value."""
    ones = (1,) * len(size)
    return Pooling(mode, size, ones, ones, ((0, 0),) * len(size), whole=True, power=power, settles_nan=False)
