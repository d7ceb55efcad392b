"""Receptive fields: which part of the picture can reach a value, as an interval an axis, carried through the graph.

A unit at index ``i`` of a layer reads the picture from ``stride * i + low`` to ``stride * i + high`` (inclusive). Each
operation maps that interval to its own; where branches meet, the union is taken. Fractions appear behind transposed
convolutions and resizing. Source of the recurrences: A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of
Convolutional Neural Networks", Distill 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor

from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Input,
    Layer,
    Merge,
    Network,
    Normalisation,
    Pad,
    Pointwise,
    Pooling,
    ReceptiveField,
    Reshape,
    Resize,
    Shape,
    Slice,
)


@dataclass(frozen=True, slots=True)
class _Axis:
    stride: Fraction
    low: Fraction
    high: Fraction

    def over(self, count: int) -> _Axis:
        """The union over ``count`` units: the same interval for everybody."""
        last = self.stride * (count - 1)
        return _Axis(Fraction(0), self.low + min(last, Fraction(0)), self.high + max(last, Fraction(0)))

    def reads(self, stride: Fraction | int, low: Fraction | int, high: Fraction | int) -> _Axis:
        """Unit ``i`` reads this layer's units from ``stride * i + low`` to ``stride * i + high``."""
        return _Axis(self.stride * stride, self.stride * low + self.low, self.stride * high + self.high)


@dataclass(frozen=True, slots=True)
class _Field:
    """``unit_exact``: the box of each unit is exact; ``union_exact``: the union over the layer is."""

    axes: tuple[_Axis, ...]
    shape: Shape  # spatial sizes of the layer that has this field, () once the position is lost
    unit_exact: bool = True
    union_exact: bool = True

    def joined(self) -> _Field:
        """Every unit sees what all units of this layer see together."""
        if not self.shape:
            return replace(self, unit_exact=self.union_exact)
        axes = tuple(axis.over(count) for axis, count in zip(self.axes, self.shape, strict=True))
        return _Field(axes, (), self.union_exact, self.union_exact)

    def blurred(self) -> _Field:
        """Position is lost, yet a unit may see less than the union: a bound for each unit."""
        joined = self.joined()
        moved = any(axis.stride for axis in self.axes)
        return replace(joined, unit_exact=self.unit_exact and not moved)


def receptive_fields(network: Network) -> dict[str, ReceptiveField | None]:
    """The receptive field of every layer in the network's first picture-like input; ``None`` where it isn't read.

    >>> from convlens.network import Kind
    >>> def conv(name, reads, n):
    ...     op = Convolution(1, 1, (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)))
    ...     return Layer(name, "Conv", Kind.CONVOLUTION, (reads,), (1, n, n), op)
    >>> net = Network("n", "onnx", (Input("x", (1, 8, 8)),), (conv("a", "x", 4), conv("b", "a", 2)), ("b",), 20)
    >>> field = receptive_fields(net)["b"]
    >>> field.size, [int(s) for s in field.stride], [int(s) for s in field.start]
    ((7, 7), [4, 4], [-3, -3])
    """
    picture = next((i for i in network.inputs if len(i.shape) >= 2), None)
    if picture is None:
        return {layer.name: None for layer in network.layers}
    fields: dict[str, _Field] = {picture.name: _of_picture(picture)}
    for layer in network.layers:
        read = [fields[name] for name in layer.inputs if name in fields]
        if read:
            fields[layer.name] = _through(layer, read)
    return {layer.name: _public(fields.get(layer.name)) for layer in network.layers}


def box(field: ReceptiveField, index: Shape) -> tuple[tuple[int, int], ...]:
    """The unclipped box of the unit at ``index``: (first, last) pixel an axis, both inside the box.

    >>> field = ReceptiveField((7,), (Fraction(4),), (Fraction(-3),), (Fraction(3),))
    >>> box(field, (0,)), box(field, (1,))
    (((-3, 3),), ((1, 7),))
    """
    places = index if len(index) == len(field.size) else (0,) * len(field.size)
    return tuple(
        (ceil(start + stride * i), floor(end + stride * i))
        for start, end, stride, i in zip(field.start, field.end, field.stride, places, strict=True)
    )


def clip(unclipped: tuple[tuple[int, int], ...], picture: Shape) -> tuple[tuple[int, int], ...]:
    """The part of the box inside a picture of these spatial sizes.

    >>> clip(((-3, 3), (1, 7)), (6, 6))
    ((0, 3), (1, 5))
    """
    return tuple((max(first, 0), min(last, size - 1)) for (first, last), size in zip(unclipped, picture, strict=True))


def _of_picture(picture: Input) -> _Field:
    identity = _Axis(Fraction(1), Fraction(0), Fraction(0))
    sizes = picture.shape[1:]
    known = tuple(n for n in sizes if n is not None)
    return _Field((identity,) * len(sizes), known if len(known) == len(sizes) else ())


def _public(field: _Field | None) -> ReceptiveField | None:
    if field is None:
        return None
    return ReceptiveField(
        size=tuple(_longest(axis) for axis in field.axes),
        stride=tuple(axis.stride for axis in field.axes),
        start=tuple(axis.low for axis in field.axes),
        end=tuple(axis.high for axis in field.axes),
        whole=all(axis.stride == 0 for axis in field.axes),
        exact=field.unit_exact,
    )


def _longest(axis: _Axis) -> int:
    """Whole pixels in the interval, the most over all units: with a fractional stride they differ from unit to unit."""
    phases = axis.stride.denominator
    return max(
        floor(axis.high + axis.stride * i) - ceil(axis.low + axis.stride * i) + 1 for i in range(min(phases, 1000))
    )


def _through(layer: Layer, read: list[_Field]) -> _Field:
    operation, shape = layer.operation, layer.output_shape[1:]
    rank = len(read[0].axes)
    if len(read) > 1 or isinstance(operation, Merge):
        if isinstance(operation, Merge) and operation.function == "concat" and (operation.axis or 0) > 0:
            return replace(_union([field.joined() for field in read]), unit_exact=False)
        return _union(read, shape)
    field = read[0]
    if isinstance(operation, Pooling) and operation.whole:
        return field.joined()
    if isinstance(operation, Dense) and not operation.per_position:
        return field.joined()
    if isinstance(operation, Normalisation) and any(axis > 0 for axis in operation.axes):
        return _spread(field.joined(), shape)
    if isinstance(operation, Activation) and (operation.axis or 0) > 0:
        return _spread(field.joined(), shape)
    if isinstance(operation, (Activation, Normalisation, Pointwise, Dense, Merge)):
        return field
    if isinstance(operation, Reshape):
        return field if operation.aligned else field.blurred()
    if not field.shape or len(shape) != rank:
        return field.joined()
    steps = _steps(layer, field.shape, shape)
    if steps is None:
        return field.joined()
    reads, exact = steps
    axes = tuple(axis.reads(*step) for axis, step in zip(field.axes, reads, strict=True))
    on_picture = all(axis == _Axis(Fraction(1), Fraction(0), Fraction(0)) for axis in field.axes)
    unit = field.unit_exact and (exact if exact is not None else on_picture)
    return _Field(axes, shape, unit, field.union_exact and exact is not False)


Step = tuple[Fraction | int, Fraction | int, Fraction | int]


def _steps(layer: Layer, before: Shape, after: Shape) -> tuple[list[Step], bool | None] | None:
    """Which input units output ``i`` reads, as (stride, low, high) an axis, and whether that is exact.

    ``None`` for exactness: exact when the layer reads the picture itself, a bound further on, since rounding to whole
    units doesn't commute with a fractional stride. ``None`` altogether: any unit can be read.
    """
    operation = layer.operation
    match operation:
        case Convolution(transposed=True):
            steps: list[Step] = []
            settings = zip(operation.kernel_size, operation.stride, operation.dilation, operation.padding, strict=True)
            for kernel, stride, dilation, (pad, _) in settings:
                steps.append(
                    (Fraction(1, stride), Fraction(pad - dilation * (kernel - 1), stride), Fraction(pad, stride))
                )
            if all(stride == 1 for stride in operation.stride):
                return steps, True
            settings = zip(operation.kernel_size, operation.stride, operation.dilation, operation.padding, strict=True)
            gapless = all(dilation == 1 and kernel >= stride for kernel, stride, dilation, _ in settings)
            return steps, None if gapless else False
        case Pooling(adaptive=True):
            return [_adaptive(n, m) for n, m in zip(before, after, strict=True)], all(
                n % m == 0 for n, m in zip(before, after, strict=True)
            )
        case Convolution() | Pooling():
            settings = zip(operation.kernel_size, operation.stride, operation.dilation, operation.padding, strict=True)
            windows: list[Step] = [(s, -pad, d * (k - 1) - pad) for k, s, d, (pad, _) in settings]
            circular = isinstance(operation, Convolution) and operation.padding_mode == "circular"
            return windows, not circular
        case Pad():
            return [(1, -first, -first) for first, _ in operation.padding], operation.mode in ("zeros", "constant")
        case Slice():
            return [(step, start, start) for start, step in zip(operation.start, operation.step, strict=True)], True
        case Resize():
            return [_resized(operation, n, m) for n, m in zip(before, after, strict=True)], (
                None
                if operation.mode == "nearest" and all(m % n == 0 for n, m in zip(before, after, strict=True))
                else False
            )
        case _:
            return None


def _adaptive(size: int, outputs: int) -> Step:
    stride = Fraction(size, outputs)
    slack = Fraction(outputs - 1, outputs) if size % outputs else Fraction(0)
    return stride, -slack, stride + slack - 1


def _resized(operation: Resize, size: int, outputs: int) -> Step:
    if operation.mode == "nearest" and outputs % size == 0:
        times = outputs // size
        return Fraction(1, times), Fraction(1 - times, times), 0
    reach = {"nearest": 1, "linear": 1, "cubic": 2}.get(operation.mode, 2)
    if operation.align_corners and outputs > 1:
        stride, centre = Fraction(size - 1, outputs - 1), Fraction(0)
    else:
        stride = Fraction(size, outputs)
        centre = stride / 2 - Fraction(1, 2)
    shrink = max(Fraction(1), stride) if operation.mode != "nearest" else Fraction(1)
    return stride, centre - reach * shrink, centre + reach * shrink


def _spread(field: _Field, shape: Shape) -> _Field:
    """The joined field, on a layer that still has positions."""
    return replace(field, shape=shape if len(shape) == len(field.axes) else ())


def _union(read: list[_Field], shape: Shape = ()) -> _Field:
    first = read[0]
    if all(f == first for f in read):
        return first
    same = all(
        f.shape == first.shape and all(a.stride == b.stride for a, b in zip(f.axes, first.axes, strict=True))
        for f in read
    )
    if not same:
        read = [_spread(field.joined(), shape) for field in read]
        return replace(_hull(read), unit_exact=_covered(read))
    return _hull(read)


def _hull(read: list[_Field]) -> _Field:
    axes = tuple(
        _Axis(axis.stride, min(f.axes[n].low for f in read), max(f.axes[n].high for f in read))
        for n, axis in enumerate(read[0].axes)
    )
    return _Field(axes, read[0].shape, all(f.unit_exact for f in read), all(f.union_exact for f in read))


def _covered(read: list[_Field]) -> bool:
    """Whether one of the joined fields holds all the others, and each of its units really sees all of it."""
    hull = _hull(read)
    return any(f.axes == hull.axes and f.unit_exact for f in read)
