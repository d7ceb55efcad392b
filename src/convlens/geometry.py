"""Integers only: output sizes, padding, windows, parameters, multiply-accumulates.

Sources: V. Dumoulin and F. Visin, "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285).
Receptive fields have their own module, :mod:`convlens.receptive`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import prod

from convlens.network import Convolution, Dense, Layer, Network, Shape
from convlens.receptive import receptive_fields


def output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] = (0, 0),
    *,
    ceil_mode: bool = False,
) -> int:
    """Positions of a sliding window along one axis, in pixels; 0 where the window is larger than the padded axis.

    ``floor((size + before + after - dilation * (kernel - 1) - 1) / stride) + 1`` (Dumoulin and Visin 2016,
    relationship 6, with dilation as in section 5.1). With ``ceil_mode`` the last window may hang over the end, as
    long as it begins inside the axis or its leading padding (the rule of PyTorch, and of ONNX since opset 19).

    >>> output_size(1440, 3)
    1438
    >>> output_size(5, 3, stride=2)
    2
    >>> output_size(1438, 5, stride=5), output_size(1438, 5, stride=5, ceil_mode=True)
    (287, 288)
    """
    before, after = padding
    room = size + before + after - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return room // stride + 1 if room >= 0 else 0
    count = -(-room // stride) + 1
    if (count - 1) * stride >= size + before:
        count -= 1
    return max(count, 0)


def dropped(size: int, kernel: int, stride: int = 1, dilation: int = 1, padding: tuple[int, int] = (0, 0)) -> int:
    """How many positions at the end of the padded axis no window reaches.

    >>> dropped(1438, 5, stride=5)
    3
    """
    count = output_size(size, kernel, stride, dilation, padding)
    before, after = padding
    if count == 0:
        return size + before + after
    return size + before + after - ((count - 1) * stride + dilation * (kernel - 1) + 1)


def transposed_output_size(
    size: int,
    kernel: int,
    stride: int = 1,
    dilation: int = 1,
    padding: tuple[int, int] = (0, 0),
    output_padding: int = 0,
) -> int:
    """Positions that a transposed convolution makes along one axis.

    ``(size - 1) * stride - before - after + dilation * (kernel - 1) + output_padding + 1`` (Dumoulin and Visin 2016,
    section 4, in the form that PyTorch and ONNX state).

    >>> transposed_output_size(2, 3, stride=2)
    5
    """
    before, after = padding
    return (size - 1) * stride - before - after + dilation * (kernel - 1) + output_padding + 1


def same_padding(
    size: int, kernel: int, stride: int = 1, dilation: int = 1, *, extra_at_end: bool = True
) -> tuple[int, int]:
    """The (before, after) padding that makes ``ceil(size / stride)`` outputs; an odd pixel goes to the end.

    This is TensorFlow's and Keras's "same" and ONNX's SAME_UPPER; SAME_LOWER is ``extra_at_end=False``.

    >>> same_padding(224, 3, stride=2)
    (0, 1)
    >>> same_padding(10, 4)
    (1, 2)
    """
    count = -(-size // stride)
    total = max((count - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    small, large = total // 2, total - total // 2
    return (small, large) if extra_at_end else (large, small)


def window(index: int, kernel: int, stride: int = 1, dilation: int = 1, padding: tuple[int, int] = (0, 0)) -> range:
    """The input positions under the kernel for output ``index``, one a tap; outside 0..size-1 they lie in the padding.

    >>> list(window(0, 3, padding=(1, 1))), list(window(2, 3, stride=2, dilation=2))
    ([-1, 0, 1], [4, 6, 8])
    """
    first = index * stride - padding[0]
    return range(first, first + dilation * (kernel - 1) + 1, dilation)


def transposed_window(
    index: int, size: int, kernel: int, stride: int = 1, dilation: int = 1, padding: tuple[int, int] = (0, 0)
) -> tuple[tuple[int, int], ...]:
    """What output ``index`` of a transposed convolution adds up, as (input position, kernel tap) pairs.

    The gather form: tap ``k`` reads input ``(index + before - dilation * k) / stride`` where that is a whole number in
    0..size-1.

    >>> transposed_window(2, size=2, kernel=3, stride=2)
    ((1, 0), (0, 2))
    """
    pairs = []
    for tap in range(kernel):
        position, rest = divmod(index + padding[0] - dilation * tap, stride)
        if rest == 0 and 0 <= position < size:
            pairs.append((position, tap))
    return tuple(pairs)


def adaptive_window(index: int, size: int, outputs: int) -> range:
    """The input positions that adaptive pooling joins into output ``index`` of ``outputs``.

    From ``floor(index * size / outputs)`` up to, not including, ``ceil((index + 1) * size / outputs)``, as PyTorch
    does.

    >>> [list(adaptive_window(i, 5, 3)) for i in range(3)]
    [[0, 1], [1, 2, 3], [3, 4]]
    """
    return range(index * size // outputs, -(-(index + 1) * size // outputs))


def parameters(operation: Convolution | Dense) -> int:
    """How many weights and biases a convolution or a dense layer has.

    >>> parameters(Convolution(3, 3, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0))))
    84
    >>> parameters(Dense(1440 * 1080 * 3, 10))
    46656010
    """
    if isinstance(operation, Convolution):
        filters, fan_in = operation.filters, operation.in_channels // operation.groups * prod(operation.kernel_size)
    else:
        filters, fan_in = operation.out_features, operation.in_features
    return filters * fan_in + (filters if operation.bias else 0)


def multiply_accumulates(layer: Layer, input_shape: Shape | None) -> int:
    """Multiplications with a weight, each with its addition: of convolutions and dense layers; 0 for every other layer.

    Taps that lie in the padding are counted, as every published table does. A convolution computes, for each output
    value, ``channels per group * kernel size`` products. A transposed convolution spreads each input value over
    ``filters per group * kernel size`` outputs, so its count comes from ``input_shape``.

    >>> from convlens.network import Kind
    >>> conv = Convolution(3, 3, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    >>> multiply_accumulates(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (3, 1438, 1078), conv), (3, 1440, 1080))
    125563284
    """
    operation = layer.operation
    if isinstance(operation, Dense):
        return prod(layer.output_shape) * operation.in_features
    if not isinstance(operation, Convolution):
        return 0
    taps = prod(operation.kernel_size)
    if operation.transposed:
        if input_shape is None:
            return 0
        return prod(input_shape) * (operation.filters // operation.groups) * taps
    return prod(layer.output_shape) * (operation.in_channels // operation.groups) * taps


def map_bytes(layer: Layer) -> int:
    """Memory of the layer's maps as convlens keeps them: four bytes a value.

    >>> from convlens.network import Kind
    >>> map_bytes(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (64, 112, 112)))
    3211264
    """
    return 4 * prod(layer.output_shape)


def annotate(network: Network, given: Mapping[str, Shape] | None = None) -> Network:
    """The same network with ``macs`` and ``receptive_field`` filled in for every layer.

    ``given`` are the shapes that its inputs have in this run, where the network leaves them open.
    """
    shapes: dict[str, Shape] = {
        i.name: tuple(n for n in i.shape if n is not None) for i in network.inputs if None not in i.shape
    }
    shapes |= given or {}
    shapes |= {layer.name: layer.output_shape for layer in network.layers}
    fields = receptive_fields(network)
    layers = tuple(
        replace(
            layer,
            macs=multiply_accumulates(layer, shapes.get(layer.inputs[0]) if layer.inputs else None),
            receptive_field=fields[layer.name],
        )
        for layer in network.layers
    )
    return replace(network, layers=layers)
