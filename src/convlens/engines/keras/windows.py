"""Convolutions and poolings: "same" resolved to explicit padding for the actual input size."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod

import keras  # noqa: TID251

from convlens import geometry
from convlens.engines.keras import backend
from convlens.engines.keras.calls import Call, Reader, Reading
from convlens.network import Convolution, Kind, Pads, Pooling, Shape, Whole


def pads(padding: str, size: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pads:
    """(before, after) per axis; Keras keeps TensorFlow's "same" on every backend: the odd one goes after.

    >>> pads("same", (5, 8), (4, 3), (1, 2), (1, 1)), pads("causal", (9,), (3,), (1,), (2,))
    (((1, 2), (0, 1)), ((4, 0),))
    """
    if padding == "causal":
        return tuple((d * (k - 1), 0) for k, d in zip(kernel, dilation, strict=True))
    if padding != "same":
        return ((0, 0),) * len(kernel)
    return tuple(geometry.same_padding(n, k, s, d) for n, k, s, d in zip(size, kernel, stride, dilation, strict=True))


def convolution(call: Call) -> Reading:
    """A convolution layer, or the function ``keras.ops.conv``."""
    op = call.op
    kernel = getattr(op, "kernel", None)
    shape = tuple(kernel.shape if kernel is not None else call.argument(1, "kernel").shape)
    size, per_group, filters = shape[:-2], shape[-2], shape[-1]
    rank = len(size)
    stride, dilation = call.per_axis(op.strides, rank), call.per_axis(op.dilation_rate, rank)
    return _convolution(
        call,
        filters,
        size,
        stride,
        dilation,
        op.padding,
        call.in_channels // per_group,
        bool(getattr(op, "use_bias", False)),
    )


def depthwise(call: Call) -> Reading:
    """A depthwise convolution: each input channel has ``depth_multiplier`` filters of its own."""
    op = call.op
    kernel = op.depthwise_kernel if call.part else getattr(op, "kernel", None)
    shape = tuple(kernel.shape if kernel is not None else call.argument(1, "kernel").shape)
    size, multiplier = shape[:-2], shape[-1]
    rank = len(size)
    stride, dilation = call.per_axis(op.strides, rank), call.per_axis(op.dilation_rate, rank)
    bias = bool(getattr(op, "use_bias", False)) and not call.part
    filters = call.in_channels * multiplier
    reading = _convolution(call, filters, size, stride, dilation, op.padding, call.in_channels, bias)
    return Reading(reading.kind, reading.operation, call.word.replace("Separable", "Depthwise") if call.part else "")


def pointwise(call: Call) -> Reading:
    """The second half of a separable convolution: one value a channel, all channels."""
    rank = len(call.before)
    ones = (1,) * rank
    filters = int(call.op.pointwise_kernel.shape[-1])
    return _convolution(call, filters, ones, ones, ones, "valid", 1, bool(call.op.use_bias))


def _convolution(
    call: Call, filters: int, size: Shape, stride: Shape, dilation: Shape, padding: str, groups: int, bias: bool
) -> Reading:
    explicit = pads(padding, call.before, size, stride, dilation)
    notes: tuple[str, ...] = ()
    if padding == "same" and len(size) == 3 and backend.volumes_from_the_middle(_dtype(call)):
        explicit, before = _from_the_middle(explicit, call.before, size, stride, dilation), explicit
        notes = () if explicit == before else (_MIDDLE,)
    narrow = len(size) == 3 and call.after[-1] == 1 and stride[-1] > 1 and size[-1] > 1
    if narrow and call.in_channels == groups and backend.one_column_goes_wrong(_dtype(call)):
        return Reading(Kind.CONVOLUTION, Whole("convolution"), notes=(_ONE_COLUMN,))
    operation = Convolution(call.in_channels, filters, size, stride, dilation, explicit, groups, bias)
    return Reading(Kind.CONVOLUTION, operation, notes=notes)


_ONE_COLUMN = (
    "not explained: on this machine TensorFlow's oneDNN kernel can give wrong numbers for a volume of one channel "
    "whose result is one column wide; TF_ENABLE_ONEDNN_OPTS=0 switches to another kernel"
)

_MIDDLE = "TensorFlow's kernel for this type leaves out values at both ends here, where others leave out the last"


def _from_the_middle(found: Pads, size: Shape, kernel: Shape, stride: Shape, dilation: Shape) -> Pads:
    """Negative padding where windows that lie apart need fewer values than there are.

    >>> _from_the_middle(((0, 0),), (6,), (1,), (4,), (1,)), _from_the_middle(((1, 1),), (5,), (3,), (1,), (1,))
    (((0, -1),), ((1, 1),))
    """
    spare = [
        n - ((-(-n // s) - 1) * s + d * (k - 1) + 1) for n, k, s, d in zip(size, kernel, stride, dilation, strict=True)
    ]
    return tuple((-(n // 2), n // 2 - n) if n > 0 else pair for n, pair in zip(spare, found, strict=True))


def _dtype(call: Call) -> str:
    """The type that a convolution is computed in."""
    stated = getattr(call.op, "compute_dtype", None)
    value = call.args[0] if call.args else None
    return str(stated or keras.backend.standardize_dtype(getattr(value, "dtype", None) or "float32"))


def transposed(call: Call) -> Reading:
    """A transposed convolution, with the padding of the convolution that it undoes.

    Keras fixes the output size; what the forward convolution would have to pad to get back is halved, the odd one goes
    after, as TensorFlow defines it and the other backends follow.
    """
    op = call.op
    kernel = getattr(op, "kernel", None)
    shape = tuple(kernel.shape if kernel is not None else call.argument(1, "kernel").shape)
    size, filters = shape[:-2], shape[-2]
    rank = len(size)
    stride, dilation = call.per_axis(op.strides, rank), call.per_axis(op.dilation_rate, rank)
    padding: list[tuple[int, int]] = []
    extra: list[int] = []
    for n, m, k, s, d in zip(call.before, call.after, size, stride, dilation, strict=True):
        surplus = (n - 1) * s + d * (k - 1) + 1 - m
        cropped = max(surplus, 0) if op.padding == "same" else 0
        padding.append((cropped // 2, cropped - cropped // 2))
        extra.append(cropped - surplus)
    operation = Convolution(
        call.in_channels,
        filters,
        size,
        stride,
        dilation,
        tuple(padding),
        bias=bool(getattr(op, "use_bias", False)),
        transposed=True,
        output_padding=tuple(extra),
    )
    return Reading(Kind.CONVOLUTION, operation)


def pooling(mode: str) -> Reader:
    """Pooling layers and functions. Average pooling leaves the padding out of its divisor.

    Keras on PyTorch differs where "same" needs unequal padding: it repeats the edge into the padding, and counts it.
    """

    def reading(call: Call) -> Reading:
        op, rank = call.op, len(call.before)
        size = call.per_axis(op.pool_size, rank)
        stride = size if op.strides is None else call.per_axis(op.strides, rank)
        ones = (1,) * rank
        padding = pads(op.padding, call.before, size, stride, ones)
        repeats = backend.NAME == "torch" and mode == "average" and any(before != after for before, after in padding)
        notes = ("the edge is repeated into the padding and counts in the average",) if repeats else ()
        operation = Pooling(mode, size, stride, ones, padding, padding_mode="replicate" if repeats else "zeros")
        return Reading(Kind.POOLING, _as_compared(operation, call), notes=notes)

    return reading


def _as_compared(operation: Pooling, call: Call) -> Pooling:
    """TensorFlow's maxima begin with a lowest number of the type, and NaN is never larger."""
    if backend.NAME != "tensorflow" or operation.mode != "max":
        return operation
    least = backend.least_of_maximum(str(getattr(call.inputs[0], "dtype", "float32")))
    return replace(operation, least=least, ignores_nan=True)


def whole_pooling(mode: str) -> Reader:
    """Global pooling."""

    def reading(call: Call) -> Reading:
        size = call.before
        ones, none = (1,) * len(size), ((0, 0),) * len(size)
        return Reading(Kind.POOLING, Pooling(mode, size, size, ones, none, whole=True))

    return reading


def adaptive_pooling(mode: str) -> Reader:
    """Adaptive pooling: the windows follow from the sizes."""

    def reading(call: Call) -> Reading:
        pairs = list(zip(call.before, call.after, strict=True))
        size, stride = tuple(-(-n // m) for n, m in pairs), tuple(n // m for n, m in pairs)
        ones, none = (1,) * len(pairs), ((0, 0),) * len(pairs)
        return Reading(Kind.POOLING, _as_compared(Pooling(mode, size, stride, ones, none, adaptive=True), call))

    return reading


def scale(before: Shape, after: Shape) -> tuple[Fraction, ...]:
    """Output size / input size per axis."""
    return tuple(Fraction(m, n) if prod((n, m)) else Fraction(1) for n, m in zip(before, after, strict=True))


READERS: dict[str, Reader] = {
    **{f"Conv{n}D": convolution for n in (1, 2, 3)},
    **{f"DepthwiseConv{n}D": depthwise for n in (1, 2)},
    **{f"Conv{n}DTranspose": transposed for n in (1, 2, 3)},
    "Conv": convolution,
    "DepthwiseConv": depthwise,
    "ConvTranspose": transposed,
    **{f"MaxPooling{n}D": pooling("max") for n in (1, 2, 3)},
    **{f"AveragePooling{n}D": pooling("average") for n in (1, 2, 3)},
    **{f"GlobalMaxPooling{n}D": whole_pooling("max") for n in (1, 2, 3)},
    **{f"GlobalAveragePooling{n}D": whole_pooling("average") for n in (1, 2, 3)},
    **{f"AdaptiveMaxPooling{n}D": adaptive_pooling("max") for n in (1, 2, 3)},
    **{f"AdaptiveAveragePooling{n}D": adaptive_pooling("average") for n in (1, 2, 3)},
    "MaxPool": pooling("max"),
    "AveragePool": pooling("average"),
    "AdaptiveMaxPool": adaptive_pooling("max"),
    "AdaptiveAveragePool": adaptive_pooling("average"),
}
