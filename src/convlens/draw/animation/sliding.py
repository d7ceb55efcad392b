"""A window that slides, as data: where every input value lies, what is under the window at each step, what is made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import prod

import numpy as np

from convlens import geometry
from convlens.arithmetic import PADDING, Working, explain
from convlens.arithmetic.windows import inside_padding
from convlens.arithmetic.working import Array
from convlens.errors import DrawingError
from convlens.network import Convolution, Layer, Pooling, Shape

HOLE = -3
"""Stands for a zero that a transposed convolution's stride puts between two input values."""

MOST_FRAMES = 400
MOST_CELLS = 4000
MOST_PLANES = 4
"""Input channels that are shown; the sum of the others stands in the arithmetic."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the input as it is laid out: ``cells`` holds for each place the input position, PADDING or HOLE.

    ``outputs`` are the output positions that are shown, ``windows`` the places under each tap for each of them.
    """

    size: int
    cells: tuple[int, ...]
    outputs: range
    windows: tuple[tuple[int, ...], ...]

    @property
    def whole(self) -> bool:
        """Whether every input position is among the cells."""
        return {cell for cell in self.cells if cell >= 0} >= set(range(self.size))


@dataclass(frozen=True, slots=True)
class Slide:
    """One filter, or one channel of a pooling, on its way over the input, one output value a frame, row by row.

    ``source`` is (channels, rows, columns); ``planes`` are those of its channels that are shown. ``workings`` is how
    each value comes about, in the order of the frames; ``values`` are the values themselves: the framework's own where
    it has computed them, else the workings' totals.
    """

    layer: Layer
    operation: Convolution | Pooling
    source: Array
    channel: int
    planes: tuple[int, ...]
    rows: Axis
    columns: Axis
    workings: tuple[Working, ...]
    values: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.workings)

    @property
    def places(self) -> Iterator[tuple[int, int]]:
        """Row and column of the output value that each frame makes."""
        return ((row, column) for row in self.rows.outputs for column in self.columns.outputs)

    @property
    def transposed(self) -> bool:
        """Whether the window slides over an input with zeros put in between."""
        return isinstance(self.operation, Convolution) and self.operation.transposed

    def cell(self, plane: int, row: int, column: int) -> float | None:
        """The number at a place of the laid-out input; ``None`` for padding that the arithmetic leaves out."""
        at, beside = self.rows.cells[row], self.columns.cells[column]
        if at >= 0 and beside >= 0:
            return float(self.source[plane, at, beside])
        counted = isinstance(self.operation, Convolution) or (
            self.operation.mode == "average" and self.operation.count_include_pad
        )
        return 0.0 if counted else None


def slide(
    layer: Layer,
    source: Array,
    weights: Mapping[str, Array],
    *,
    channel: int = 0,
    outputs: tuple[range, range] | None = None,
    values: Array | None = None,
    planes: int = MOST_PLANES,
) -> Slide:
    """Lay out a convolution or a pooling, 1-D or 2-D, for every frame of an animation.

    Args:
        layer: the layer, its output's shape included.
        source: its input, (channels, rows, columns) or (channels, length).
        weights: its weights by role; none for a pooling.
        channel: which output channel.
        outputs: the rows and columns of the output that are made; all by default.
        values: the layer's output as its framework computed it.
        planes: how many input channels have a grid of their own, at most.

    Raises:
        DrawingError: the layer does something else, or there would be too much to show.

    >>> from convlens.network import Kind
    >>> conv = Convolution(1, 1, (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)), bias=False)
    >>> layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (1, 2, 2), conv)
    >>> found = slide(layer, np.ones((1, 5, 5)), {"kernel": np.ones((1, 1, 3, 3))})
    >>> len(found), list(found.places), found.values
    (4, [(0, 0), (0, 1), (1, 0), (1, 1)], (9.0, 9.0, 9.0, 9.0))
    """
    operation = layer.operation
    if not isinstance(operation, (Convolution, Pooling)) or source.ndim not in (2, 3):
        raise DrawingError(
            "No window slides in this layer",
            expected="a convolution or a pooling, 1-D or 2-D",
            received=f"{layer.name} ({layer.op})",
            hint="Choose another layer: the summary lists them.",
        )
    if source.ndim == 2:
        layer, operation, source, weights = _lifted(layer, operation, source, weights)
        values = values if values is None else values[:, None]
    shape = layer.output_shape if len(layer.output_shape) == 3 else (layer.output_shape[0], 1, 1)
    asked = outputs or (range(shape[1]), range(shape[2]))
    _check_frames(asked)
    rows, columns = (_axis(operation, axis, source.shape[1 + axis], shape[1 + axis], asked[axis]) for axis in range(2))
    shown = _planes(operation, channel, min(planes, MOST_PLANES))
    _check_cells(len(rows.cells) * len(columns.cells) * len(shown))
    workings = [
        explain(layer, (channel, row, column), [source], weights) for row in rows.outputs for column in columns.outputs
    ]
    known = tuple(working for working in workings if working is not None)
    if len(known) < len(workings):
        raise DrawingError(f"The arithmetic of {layer.op} isn't known, so {layer.name} can't be shown")
    totals = [working.total for working in known]
    if values is not None:
        made = values.reshape(values.shape[0], *shape[1:])[channel]
        totals = [float(made[row, column]) for row in rows.outputs for column in columns.outputs]
    return Slide(layer, operation, source, channel, shown, rows, columns, known, tuple(totals))


def _lifted(
    layer: Layer, operation: Convolution | Pooling, source: Array, weights: Mapping[str, Array]
) -> tuple[Layer, Convolution | Pooling, Array, Mapping[str, Array]]:
    """A 1-D layer as one of a single row."""
    pads = ((0, 0), *operation.padding)
    flat: Convolution | Pooling = replace(
        operation,
        kernel_size=(1, *operation.kernel_size),
        stride=(1, *operation.stride),
        dilation=(1, *operation.dilation),
        padding=pads,
    )
    if isinstance(flat, Convolution) and flat.output_padding:
        flat = replace(flat, output_padding=(0, *flat.output_padding))
    shape = (layer.output_shape[0], 1, *layer.output_shape[1:]) if len(layer.output_shape) == 2 else layer.output_shape
    kernels = {role: array[:, :, None] if role == "kernel" else array for role, array in weights.items()}
    return replace(layer, operation=flat, output_shape=shape), flat, source[:, None], kernels


def _planes(operation: Convolution | Pooling, channel: int, most: int) -> tuple[int, ...]:
    if isinstance(operation, Pooling):
        return (channel,)
    inside = operation.in_channels // operation.groups
    first = channel // (operation.filters // operation.groups) * inside
    return tuple(range(first, first + min(inside, most)))


def _axis(operation: Convolution | Pooling, number: int, size: int, made: int, outputs: range) -> Axis:
    """Where everything lies along one axis; ``made`` is how many positions the output has there in all."""
    windows = [_window(operation, number, size, made, place) for place in outputs]
    ends = {place for window in windows for place in window}
    stride = operation.stride[number] if isinstance(operation, Convolution) and operation.transposed else 1
    if len(outputs) == made:
        around = operation.padding[number] if stride == 1 and not _gathers(operation) else (0, 0)
        ends |= {-around[0], (size - 1) * stride + around[1]}
    first, last = min(ends), max(ends)
    if _gathers(operation):
        cells = tuple(_gathered(place, stride, size) for place in range(first, last + 1))
    else:
        found = inside_padding(np.arange(first, last + 1), size, operation.padding_mode)
        cells = tuple(int(place) for place in found)
    return Axis(size, cells, outputs, tuple(tuple(place - first for place in window) for window in windows))


def _gathers(operation: Convolution | Pooling) -> bool:
    return isinstance(operation, Convolution) and operation.transposed


def _window(operation: Convolution | Pooling, number: int, size: int, made: int, place: int) -> tuple[int, ...]:
    """The places under each tap; those of a transposed convolution count in the input with zeros in between."""
    kernel, stride = operation.kernel_size[number], operation.stride[number]
    dilation, padding = operation.dilation[number], operation.padding[number]
    if isinstance(operation, Pooling) and operation.whole:
        return tuple(range(size))
    if isinstance(operation, Pooling) and operation.adaptive:
        return tuple(geometry.adaptive_window(place, size, made))
    if _gathers(operation):
        return tuple(place + padding[0] - dilation * tap for tap in range(kernel))
    return tuple(geometry.window(place, kernel, stride, dilation, padding))


def _gathered(place: int, stride: int, size: int) -> int:
    position, rest = divmod(place, stride)
    if not 0 <= place <= (size - 1) * stride:
        return PADDING
    return HOLE if rest else position


def _check_frames(outputs: tuple[range, range]) -> None:
    count = prod(len(side) for side in outputs)
    if not 1 <= count <= MOST_FRAMES:
        raise DrawingError(
            "Too many frames" if count else "Nothing to show",
            expected=f"1 to {MOST_FRAMES} output values, one a frame",
            received=f"{len(outputs[0])} x {len(outputs[1])} = {count:,}",
            hint="Choose a smaller input, a larger stride, or a part of the output.",
        )


def _check_cells(count: int) -> None:
    if count > MOST_CELLS:
        raise DrawingError(
            "Too many cells to show",
            expected=f"at most {MOST_CELLS:,} input values, padding included",
            received=f"{count:,}",
            hint="Choose a smaller input, or a part of the output.",
        )


def cropped(shape: Shape, at: tuple[int, int], size: tuple[int, int]) -> tuple[range, range]:
    """The rows and columns of an output (rows, columns) around a place: ``size`` of them, or all where there are fewer.

    >>> cropped((10, 4), (9, 1), (4, 6))
    (range(6, 10), range(0, 4))
    """
    spans = []
    for length, place, wanted in zip(shape, at, size, strict=True):
        count = min(wanted, length)
        first = min(max(place - (count - 1) // 2, 0), length - count)
        spans.append(range(first, first + count))
    return spans[0], spans[1]
