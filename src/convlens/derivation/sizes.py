"""How long each axis of a layer's output is, and which positions at the border no window reaches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise
from math import floor, prod

from convlens import geometry
from convlens.derivation.line import Derivation, times
from convlens.network import (
    CONSTANT,
    Convolution,
    Layer,
    Merge,
    Operation,
    Pad,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
)

_SPATIAL = {1: ("length",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}
_LONG = 1000  # a factor with a longer denominator came from a decimal number, and is told as one


def axes(shape: Shape) -> tuple[str, ...]:
    """What a reader calls the axes of a shape.

    >>> axes((3, 32, 32)), axes((10,)), axes((2, 3, 4, 5, 6))
    (('channels', 'rows', 'columns'), ('features',), ('axis 0', 'axis 1', 'axis 2', 'axis 3', 'axis 4'))
    """
    if len(shape) == 1:
        return ("features",)
    spatial = _SPATIAL.get(len(shape) - 1)
    return ("channels", *spatial) if spatial else tuple(f"axis {number}" for number in range(len(shape)))


def sizes(layer: Layer, reads: Sequence[Shape | None]) -> list[Derivation]:
    """The axes that the layer changes. An axis whose length follows another rule than the one known here isn't told."""
    operation, first = layer.operation, reads[0] if reads else None
    found: Iterator[Derivation] = iter(())
    match operation:
        case Merge() if None not in reads:
            operands = _operands(operation, reads)
            joined = operation.function in ("concat", "stack")
            found = (
                _joined(operation, layer.output_shape, operands) if joined else _broadcast(layer.output_shape, operands)
            )
        case _ if first is None:
            pass
        case Pooling(whole=True) if len(layer.output_shape) < len(first):
            pass
        case Convolution() | Pooling() if len(first) == len(layer.output_shape) == 1 + len(operation.kernel_size):
            found = _windowed(operation, first, layer.output_shape)
        case Resize() if len(first) == len(layer.output_shape):
            found = _resized(operation, first, layer.output_shape)
        case Pad():
            found = _padded(operation, first)
        case Slice() if len(first) == len(layer.output_shape):
            found = _sliced(operation, first, layer.output_shape)
        case Reshape() if len(layer.output_shape) == 1 < len(first):
            found = iter([Derivation.of("features", "*".join(_named(first)), times(*first), prod(first))])
    told = dict(zip(axes(layer.output_shape), layer.output_shape, strict=True))
    return [line for line in found if told.get(line.what, line.value) == line.value]


def size(
    axis: str, size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int], *, ceil_mode: bool = False
) -> Derivation:
    """How many windows fit along an axis (V. Dumoulin and F. Visin, arXiv:1603.07285, relationship 6).

    >>> print(size("rows", 1438, 5, 5, 1, (0, 0)))
    rows: floor((1438 + 0 + 0 - 1*(5-1) - 1) / 5) + 1 = 287
    """
    value = geometry.output_size(size, kernel, stride, dilation, padding, ceil_mode=ceil_mode)
    rounded = "ceil" if ceil_mode else "floor"
    before, after = padding
    formula = f"{rounded}((size + before + after - dilation*(kernel-1) - 1) / stride) + 1"
    terms = f"{rounded}(({size} + {before} + {after} - {dilation}*({kernel}-1) - 1) / {stride}) + 1"
    if ceil_mode and _last_begins_behind(size, kernel, stride, dilation, padding):
        formula, terms = f"{formula} - 1", f"{terms} - 1"
    return Derivation.of(axis, formula, terms, value)


def transposed_size(
    axis: str, size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int], output_padding: int
) -> Derivation:
    """How long a transposed convolution makes an axis.

    >>> print(transposed_size("rows", 7, 3, 2, 1, (1, 1), 1))
    rows: (7-1)*2 - 1 - 1 + 1*(3-1) + 1 + 1 = 14
    """
    value = geometry.transposed_output_size(size, kernel, stride, dilation, padding, output_padding)
    before, after = padding
    terms = f"({size}-1)*{stride} - {before} - {after} + {dilation}*({kernel}-1) + {output_padding} + 1"
    formula = "(size-1)*stride - before - after + dilation*(kernel-1) + output_padding + 1"
    return Derivation.of(axis, formula, terms, value)


def left_out(operation: Operation | None, reads: Shape | None) -> list[Derivation]:
    """The positions at the end of each axis that no window reaches, those of the padding among them.

    >>> pool = Pooling("max", (5, 5), (5, 5), (1, 1), ((0, 0), (0, 0)))
    >>> for line in left_out(pool, (1, 1438, 1075)):
    ...     print(line)
    rows left out: (1438 + 0 + 0) - ((287-1)*5 + 1*(5-1) + 1) = 3
    """
    lines = []
    for axis, length, kernel, stride, dilation, padding in slides(operation, reads):
        value = geometry.dropped(length, kernel, stride, dilation, padding)
        count = geometry.output_size(length, kernel, stride, dilation, padding)
        if not value or not count:
            continue
        terms = f"({length} + {padding[0]} + {padding[1]}) - (({count}-1)*{stride} + {dilation}*({kernel}-1) + 1)"
        formula = "(size + before + after) - ((outputs-1)*stride + dilation*(kernel-1) + 1)"
        lines.append(Derivation.of(f"{axis} left out", formula, terms, value))
    return lines


Slide = tuple[str, int, int, int, int, tuple[int, int]]


def slides(operation: Operation | None, reads: Shape | None) -> Iterator[Slide]:
    """Axis, length, kernel, stride, dilation and padding, where whole windows slide along the axes."""
    if not isinstance(operation, (Convolution, Pooling)) or reads is None:
        return
    if len(reads) != 1 + len(operation.kernel_size):
        return
    if isinstance(operation, Convolution) and operation.transposed:
        return
    if isinstance(operation, Pooling) and (operation.whole or operation.adaptive or operation.ceil_mode):
        return
    yield from _settings(operation, reads)


def _settings(operation: Convolution | Pooling, reads: Shape) -> Iterator[Slide]:
    return zip(
        axes(reads)[1:],
        reads[1:],
        operation.kernel_size,
        operation.stride,
        operation.dilation,
        operation.padding,
        strict=True,
    )


def _last_begins_behind(size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int]) -> bool:
    room = size + sum(padding) - dilation * (kernel - 1) - 1
    return -(-room // stride) * stride >= size + padding[0]


def _windowed(operation: Convolution | Pooling, reads: Shape, made: Shape) -> Iterator[Derivation]:
    extras = operation.output_padding if isinstance(operation, Convolution) else ()
    for number, (axis, length, kernel, stride, dilation, padding) in enumerate(_settings(operation, reads)):
        outputs = made[1 + number]
        match operation:
            case Pooling(whole=True):
                yield Derivation.of(axis, "size - window + 1", f"{length} - {length} + 1", 1)
            case Pooling(adaptive=True):
                yield _adaptive(axis, length, outputs)
            case Convolution(transposed=True):
                yield transposed_size(axis, length, kernel, stride, dilation, padding, extras[number] if extras else 0)
            case Pooling(ceil_mode=True):
                yield _with_ceil(axis, length, kernel, stride, dilation, padding, outputs)
            case _:
                yield size(axis, length, kernel, stride, dilation, padding)


def _with_ceil(
    axis: str, length: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int], outputs: int
) -> Derivation:
    """PyTorch's rule, or ONNX's before opset 19, where a last window that lies in the padding alone counts."""
    line = size(axis, length, kernel, stride, dilation, padding, ceil_mode=True)
    if line.value == outputs or not line.terms.endswith(" + 1 - 1"):
        return line
    formula, terms = line.formula.removesuffix(" - 1"), line.terms.removesuffix(" - 1")
    return Derivation.of(axis, formula, terms, line.value + 1)


def _adaptive(axis: str, length: int, outputs: int) -> Derivation:
    """The size is asked for; what follows from it is how long the windows are. The first one is told."""
    window = geometry.adaptive_window(0, length, outputs)
    terms = f"ceil((0+1)*{length} / {outputs}) - floor(0*{length} / {outputs})"
    formula = "ceil((index+1)*size / outputs) - floor(index*size / outputs)"
    return Derivation.of(f"{axis} of the first window", formula, terms, len(window))


def _operands(operation: Merge, reads: Sequence[Shape | None]) -> Mapping[str, Shape]:
    """The shape of every operand by its name in a formula, constants in their place."""
    found: dict[str, Shape] = {}
    for number, shape in operation.operands(reads):
        name = f"input_{number}" if number != CONSTANT else f"constant_{len(found)}"
        found[name] = tuple(n or 0 for n in shape or ())
    return found


def _joined(operation: Merge, made: Shape, operands: Mapping[str, Shape]) -> Iterator[Derivation]:
    if operation.axis is None or not -len(made) <= operation.axis < len(made):
        return
    axis = operation.axis % len(made)
    stacked = operation.function == "stack"
    if not stacked and any(len(shape) != len(made) for shape in operands.values()):
        return  # an input is joined in another shape than it is shown in
    lengths = [1 if stacked else shape[axis] for shape in operands.values()]
    yield Derivation.of(axes(made)[axis], " + ".join(operands), " + ".join(str(n) for n in lengths), sum(lengths))


def _broadcast(made: Shape, operands: Mapping[str, Shape]) -> Iterator[Derivation]:
    """The smaller value is repeated along the axes where it has length 1."""
    for number, axis in enumerate(axes(made)):
        lengths = [shape[number - len(made)] if len(shape) >= len(made) - number else 1 for shape in operands.values()]
        if any(one != other for one, other in pairwise(lengths)):
            yield Derivation.of(
                axis, f"max({', '.join(operands)})", f"max({', '.join(map(str, lengths))})", max(lengths)
            )


def _resized(operation: Resize, reads: Shape, made: Shape) -> Iterator[Derivation]:
    for axis, length, scale, outputs in zip(axes(reads)[1:], reads[1:], operation.scale, made[1:], strict=False):
        ratio = Fraction(outputs, length)
        factor = scale if floor(length * scale) == outputs and scale.denominator < _LONG else ratio
        if factor.denominator == 1:
            yield Derivation.of(axis, "size * factor", f"{length} * {factor}", outputs)
        else:
            terms = f"floor({length} * {factor.numerator} / {factor.denominator})"
            yield Derivation.of(axis, "floor(size * factor)", terms, floor(length * factor))


def _padded(operation: Pad, reads: Shape) -> Iterator[Derivation]:
    around = (operation.channels, *operation.padding)
    for axis, length, (before, after) in zip(axes(reads), reads, around, strict=False):
        if before or after:
            terms = f"{length}{_signed(before)}{_signed(after)}"
            yield Derivation.of(axis, "size + before + after", terms, length + before + after)


def _signed(number: int) -> str:
    return f" - {-number}" if number < 0 else f" + {number}"


def _sliced(operation: Slice, reads: Shape, made: Shape) -> Iterator[Derivation]:
    starts = (operation.first_channel, *operation.start)
    steps = (operation.channel_step, *operation.step)
    for axis, length, outputs, start, step in zip(axes(reads), reads, made, starts, steps, strict=False):
        if length != outputs and outputs and 0 <= start + (outputs - 1) * step < length:
            last = start + (outputs - 1) * step
            name = axis.removesuffix("s")
            terms = f"{start} + ({outputs}-1)*{step}"
            yield Derivation.of(f"last {name} read", "first + (outputs-1)*step", terms, last)


def _named(shape: Shape) -> list[str]:
    return [name.replace(" ", "_") for name in axes(shape)]
