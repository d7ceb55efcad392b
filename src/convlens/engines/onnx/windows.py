"""Kernel windows of convolutions and poolings: every default and every automatic padding made explicit."""

from __future__ import annotations

from collections.abc import Sequence

from convlens.network import Pads, Shape


def explicit_pads(
    automatic: str,
    pads: Sequence[int],
    size: Shape,
    kernel: Shape,
    stride: Shape,
    dilation: Shape,
) -> Pads:
    """Padding (before, after) per axis of a convolution or pooling, with ``auto_pad`` resolved for the input size.

    Source: the ONNX operator specification of Conv and MaxPool.

    >>> explicit_pads("SAME_UPPER", (), (5, 5), (2, 3), (1, 2), (1, 1))
    ((0, 1), (1, 1))
    >>> explicit_pads("NOTSET", (0, 1, 2, 3), (5, 5), (2, 3), (1, 2), (1, 1))
    ((0, 2), (1, 3))
    """
    rank = len(kernel)
    if automatic in ("SAME_UPPER", "SAME_LOWER"):
        total = [
            max(0, (-(-n // s) - 1) * s + (k - 1) * d + 1 - n)
            for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
        ]
        return tuple(_split(t, upper=automatic == "SAME_UPPER") for t in total)
    if automatic == "VALID" or not pads:
        return ((0, 0),) * rank
    return tuple((int(pads[i]), int(pads[i + rank])) for i in range(rank))


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
