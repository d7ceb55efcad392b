"""The size of every map of a sketch, and whether its layers fit on one another. No arrays, no ONNX."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from convlens.errors import InputError
from convlens.geometry import output_size, same_padding, transposed_output_size
from convlens.network import FreeShape, Pads, Shape
from convlens.sketches.blocks import Block, Convolution, Dense, Depthwise, Pool, Sketch, Sliding, Transposed

MOST_SIDE = 1_000_000
MOST_WEIGHTS = 100_000_000
MOST_VALUES = 2**32
"""Bounds of one model: pixels along a side, weights in total (400 MB), values of one layer (16 GiB)."""

WITH_WEIGHTS = (Convolution, Depthwise, Transposed, Dense)


@dataclass(frozen=True, slots=True)
class Fit:
    """A block that fits what it reads: both shapes batchless and channels first, ``None`` where a size is free."""

    block: Block
    input_shape: FreeShape
    output_shape: FreeShape

    @property
    def flattens(self) -> bool:
        """Whether a dense layer reads maps of one value each: a vector already, but for its shape."""
        return isinstance(self.block, Dense) and len(self.input_shape) == 3


def fit(sketch: Sketch, input_shape: FreeShape) -> tuple[Fit, ...]:
    """Every block of ``sketch`` with its shapes, for pictures of ``input_shape`` (channels, rows, columns).

    Raises:
        SketchError: a layer doesn't fit what it reads, or would be absurdly large.
        InputError: ``input_shape`` isn't the shape of a picture.

    >>> from convlens.sketches import parse
    >>> [f.output_shape for f in fit(parse("conv 3 3x3 | maxpool 5x5"), (3, 1440, 1080))]
    [(3, 1438, 1078), (3, 287, 215)]
    """
    shape = _picture_shape(input_shape)
    fits: list[Fit] = []
    weights = 0
    for block in sketch.blocks:
        after = _output_shape(sketch, block, shape)
        if isinstance(block, WITH_WEIGHTS):
            weights += prod(weight_shape(block, shape))
        _check_bounds(sketch, block, weights, after)
        fits.append(Fit(block, shape, after))
        shape = after
    return tuple(fits)


def weight_shape(block: Convolution | Depthwise | Transposed | Dense, shape: FreeShape) -> Shape:
    """The shape of a block's weights as ONNX stores them, for an input of ``shape``.

    (filters, channels per group, rows, columns); (channels, filters, rows, columns) for ``tconv``;
    (outputs, inputs) for ``dense``.
    """
    channels = shape[0] or 0
    match block:
        case Convolution():
            return (block.filters, channels // block.groups, *block.kernel)
        case Depthwise():
            return (channels * block.multiplier, 1, *block.kernel)
        case Transposed():
            return (channels, block.filters, *block.kernel)
        case Dense():
            return (block.units, channels)


def same_pads(block: Sliding, shape: FreeShape) -> Pads | None:
    """The "same" padding of a sliding block that reads ``shape``, or ``None`` where it depends on a free size.

    It depends on the size only where a window of more than one pixel moves by more than one.
    """
    pads = []
    for axis, size in enumerate(shape[1:]):
        kernel, stride, dilation = block.kernel[axis], block.stride[axis], block.dilation[axis]
        if size is None and stride > 1 and kernel > 1:
            return None
        pads.append(same_padding(size or 1, kernel, stride, dilation))
    return tuple(pads)


def told(shape: FreeShape) -> str:
    """A shape in words.

    >>> told((3, 1438, None)), told((10,)), told((1, 1, 1))
    ('3 maps of 1438 x any', 'a vector of 10', '1 map of 1 x 1')
    """
    if len(shape) == 1:
        return f"a vector of {shape[0]}"
    channels, rows, columns = shape
    return f"{channels} map{'' if channels == 1 else 's'} of {rows or 'any'} x {columns or 'any'}"


def _picture_shape(shape: FreeShape) -> FreeShape:
    def fits(size: object, free: bool) -> bool:
        return (free and size is None) or (isinstance(size, int) and 1 <= size <= MOST_SIDE)

    if not isinstance(shape, (tuple, list)) or len(shape) != 3 or not all(map(fits, shape, (False, True, True))):
        raise InputError(
            "This is not the shape of a picture",
            expected=f"(channels, rows, columns), each from 1 to {MOST_SIDE:,}, rows and columns None where free",
            received=repr(shape)[:60],
            hint="For example (3, 1440, 1080).",
        )
    return tuple(shape)


def _output_shape(sketch: Sketch, block: Block, shape: FreeShape) -> FreeShape:
    if isinstance(block, Dense):
        return _dense_shape(sketch, block, shape)
    if block.kind == "flatten":
        return _flat_shape(sketch, block, shape)
    if len(shape) == 1 and (isinstance(block, Sliding) or block.kind == "globalavgpool"):
        raise sketch.mistake(
            block.word,
            f"'{block.kind}' reads maps",
            expected="rows and columns",
            received=told(shape),
            hint=f"Put {block.kind} before flatten and dense.",
        )
    if block.kind == "globalavgpool":
        return (shape[0], 1, 1)
    if isinstance(block, Sliding):
        return (_channels_after(sketch, block, shape), *_sides_after(sketch, block, shape))
    return shape


def _channels_after(sketch: Sketch, block: Sliding, shape: FreeShape) -> int:
    channels = shape[0] or 0
    match block:
        case Convolution():
            if channels % block.groups:
                raise sketch.mistake(
                    block.place("groups"),
                    f"The {channels} channels that {block.name} reads can't be shared out among {block.groups} groups",
                    expected=f"a divisor of {channels}",
                )
            return block.filters
        case Depthwise():
            return channels * block.multiplier
        case Transposed():
            return block.filters
    return channels


def _sides_after(sketch: Sketch, block: Sliding, shape: FreeShape) -> tuple[int | None, int | None]:
    rows, columns = (
        None if shape[axis + 1] is None else _side_after(block, axis, shape[axis + 1] or 0) for axis in (0, 1)
    )
    if block.padding is None and not isinstance(block, Transposed):
        _check_same(sketch, block, shape)
    if all(side is None or side >= 1 for side in (rows, columns)):
        return rows, columns
    if isinstance(block, Transposed):
        raise sketch.mistake(
            block.place("padding"), f"The padding of {block.name} crops its whole output away", received=told(shape)
        )
    window = tuple(d * (k - 1) + 1 for k, d in zip(block.kernel, block.dilation, strict=True))
    what = "window" if isinstance(block, Pool) else "kernel"
    span = "" if window == block.kernel else f", which spans {window[0]}x{window[1]} at its dilation,"
    raise sketch.mistake(
        block.place("kernel"),
        f"The {block.kernel[0]}x{block.kernel[1]} {what} of {block.name}{span} is larger than its input",
        expected=f"a {what} that fits",
        received=told(shape),
        hint=f"Take a smaller {what}, pad, or pool less before it."
        if sketch.blocks[0] is not block
        else f"Take a smaller {what}, or a larger picture.",
    )


def _check_same(sketch: Sketch, block: Sliding, shape: FreeShape) -> None:
    """ONNX Runtime works out "same" for a free size by itself, but wrongly where windows leave gaps between them."""
    gaps = any(kernel < stride for kernel, stride in zip(block.kernel, block.stride, strict=True))
    if gaps and same_pads(block, shape) is None:
        raise sketch.mistake(
            block.place("padding"),
            f"With a stride larger than the kernel, what 'same' pads in {block.name} depends on the picture's size",
            expected="an input shape with rows and columns",
            received=told(shape),
            hint="Give the picture's size, such as input_shape=(3, 224, 224), or write pad N.",
        )


def _side_after(block: Sliding, axis: int, size: int) -> int:
    kernel, stride, dilation = block.kernel[axis], block.stride[axis], block.dilation[axis]
    if isinstance(block, Transposed):
        if block.padding is None:
            return size * stride
        pad = block.padding[axis]
        return transposed_output_size(size, kernel, stride, dilation, (pad, pad), block.output_padding[axis])
    if block.padding is None:
        return -(-size // stride)
    pad = block.padding[axis]
    return output_size(size, kernel, stride, dilation, (pad, pad))


def _flat_shape(sketch: Sketch, block: Block, shape: FreeShape) -> FreeShape:
    if None in shape:
        raise sketch.mistake(
            block.word,
            "How long this vector is depends on the picture's size",
            expected="an input shape with rows and columns",
            received=told(shape),
            hint="Give the picture's size, such as input_shape=(3, 224, 224), or write globalavgpool before it.",
        )
    return (prod(size or 0 for size in shape),)


def _dense_shape(sketch: Sketch, block: Dense, shape: FreeShape) -> FreeShape:
    if len(shape) == 3 and shape[1:] != (1, 1):
        raise sketch.mistake(
            block.word,
            "'dense' reads a vector",
            expected="flatten or globalavgpool before it",
            received=told(shape),
            hint=f"Write: flatten | dense {block.units}",
        )
    return (block.units,)


def _check_bounds(sketch: Sketch, block: Block, weights: int, after: FreeShape) -> None:
    if weights > MOST_WEIGHTS:
        raise sketch.mistake(
            block.word,
            f"With {block.name} this model would have {weights:,} weights",
            expected=f"at most {MOST_WEIGHTS:,}",
            hint="Take fewer filters or outputs, smaller kernels, or pool before flatten.",
        )
    values = prod(size or 1 for size in after)
    if values > MOST_VALUES:
        raise sketch.mistake(
            block.word,
            f"{block.name} would make {values:,} values of one picture",
            expected=f"at most {MOST_VALUES:,}",
            hint="Take fewer filters, a larger stride, or a smaller picture.",
        )
