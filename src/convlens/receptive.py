"""Receptive fields: which part of the picture can reach a value, as an interval an axis, carried through the graph.

A unit at index ``i`` of a layer reads the picture from ``stride * i + low`` to ``stride * i + high`` (inclusive). Each
operation maps that interval to its own; where branches meet, the union is taken. Fractions appear behind transposed
convolutions and resizing. Source of the recurrences: A. Araujo, W. Norris, J. Sim, "Computing Receptive Fields of
Convolutional Neural Networks", Distill 2019.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil, floor, prod

from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Input,
    Kind,
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
    Whole,
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
    """``places``: the layer's axis along which each interval moves, and ``sizes`` its length; both empty once the
    position is lost.

    ``unit_exact``: the box of each unit is exact; ``union_exact``: the union over the layer is. ``alike``: all channels
    see the same.
    """

    axes: tuple[_Axis, ...]
    places: Shape
    sizes: Shape
    unit_exact: bool = True
    union_exact: bool = True
    alike: bool = True

    def joined(self) -> _Field:
        """Every unit sees what all units of this layer see together."""
        if not self.places:
            return replace(self, unit_exact=self.union_exact, alike=True)
        axes = tuple(axis.over(count) for axis, count in zip(self.axes, self.sizes, strict=True))
        return _Field(axes, (), (), self.union_exact, self.union_exact)

    def joined_along(self, mixed: tuple[int | None, ...]) -> _Field:
        """Every unit sees what all units see that differ from it along these axes of the layer alone."""
        if not self.places:
            return self.joined()
        axes = tuple(
            axis.over(count) if place in mixed else axis
            for axis, place, count in zip(self.axes, self.places, self.sizes, strict=True)
        )
        return replace(self, axes=axes, alike=self.alike or 0 in mixed)

    def blurred(self) -> _Field:
        """Position is lost, yet a unit may see less than the union: a bound for each unit."""
        joined = self.joined()
        moved = any(axis.stride for axis in self.axes)
        return replace(joined, unit_exact=self.unit_exact and not moved)

    def bound(self) -> _Field:
        """Position is lost, and nobody says that a unit sees all of the union."""
        return replace(self.joined(), unit_exact=False, union_exact=False)


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
    picture = picture_of(network)
    if picture is None:
        return {layer.name: None for layer in network.layers}
    fields: dict[str, _Field] = {picture.name: _of_picture(picture)}
    shapes = {layer.name: layer.output_shape for layer in network.layers}
    shapes |= {given.name: tuple(n or 0 for n in given.shape) for given in network.inputs}
    for layer in network.layers:
        read = [fields[name] for name in layer.inputs if name in fields]
        sizes_alone = layer.kind is Kind.PLUMBING and layer.operation is None
        if read and not sizes_alone:
            first = next(name for name in layer.inputs if name in fields)
            fields[layer.name] = _through(layer, read, shapes[first])
    return {layer.name: _public(fields.get(layer.name)) for layer in network.layers}


def features_axis(operation: Dense, rank: int) -> int:
    """The axis of the input along which a product at each position adds up: the last where it isn't said."""
    return rank - 1 if operation.features_axis is None else operation.features_axis


def picture_of(network: Network) -> Input | None:
    """The input that receptive fields are told in: the first with channels and at least one spatial axis."""
    return next((given for given in network.inputs if len(given.shape) >= 2), None)


def box(field: ReceptiveField, index: Shape, *, channel: int = 0) -> tuple[tuple[int, int], ...]:
    """The unclipped box of the unit at ``index``, its spatial place: (first, last) pixel an axis, both inside the box.

    ``channel`` counts only where a transpose has brought a spatial axis to the front.

    >>> field = ReceptiveField((7,), (Fraction(4),), (Fraction(-3),), (Fraction(3),))
    >>> box(field, (0,)), box(field, (1,))
    (((-3, 3),), ((1, 7),))
    """
    axes = field.axes or tuple(range(1, 1 + len(field.size)))
    places = [channel if axis == 0 else index[axis - 1] if axis <= len(index) else 0 for axis in axes]
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
    sizes = tuple(n for n in picture.shape[1:] if n is not None)
    places = tuple(range(1, len(picture.shape)))
    known = len(sizes) == len(places)
    return _Field((identity,) * len(places), places if known else (), sizes if known else ())


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
        axes=() if field.places == tuple(range(1, 1 + len(field.axes))) else field.places,
    )


def _longest(axis: _Axis) -> int:
    """Whole pixels in the interval, the most over all units: with a fractional stride they differ from unit to unit."""
    phases = axis.stride.denominator
    return max(
        floor(axis.high + axis.stride * i) - ceil(axis.low + axis.stride * i) + 1 for i in range(min(phases, 1000))
    )


def _through(layer: Layer, read: list[_Field], before: Shape) -> _Field:
    operation, after = layer.operation, layer.output_shape
    if isinstance(operation, Merge):
        return _merged(operation, read, blind=len(read) < len(layer.inputs) + len(operation.constants))
    if len(read) > 1:
        return _hull([field.bound() for field in read])
    field = read[0]
    match operation:
        case Pooling(whole=True) | Dense(per_position=False):
            return field.joined()
        case Dense():
            return field.joined_along((features_axis(operation, len(before)),))
        case Normalisation():
            return field.joined_along(operation.axes or ((0,) if operation.mode == "local_response" else ()))
        case Activation(function="glu", axis=int(axis)):
            return field.bound() if axis in field.places else field
        case Activation(axis=int(axis)):
            return field.joined_along((axis,))
        case Pointwise() | Whole() if operation.axes:
            return _reduced(operation.axes, field, before, after)
        case Activation() | Pointwise():
            return field if len(after) == len(before) else field.bound()
        case Reshape():
            places = _places_after(operation, field, before, after)
            return field.blurred() if places is None else replace(field, places=places)
        case Convolution() | Pooling() | Pad() | Slice() | Resize() if _in_order(field, after):
            return _windowed(layer, field, before, after)
        case _:
            return field.bound()


def _in_order(field: _Field, after: Shape) -> bool:
    """Whether the intervals move along the spatial axes of the layer, first along the first."""
    return bool(field.places) and field.places == tuple(range(1, len(after)))


def _reduced(axes: Shape, field: _Field, before: Shape, after: Shape) -> _Field:
    """A mean, a sum, a maximum over some axes, which stay with length 1 or go."""
    over = field.joined_along(axes)
    if len(after) == len(before) or not over.places:
        return over
    if not after:
        return replace(over, places=(), sizes=())
    left = [
        axis for axis in range(len(before)) if axis not in axes
    ]  # along an axis that is gone, nothing moves any more
    return replace(over, places=tuple(left.index(place) if place in left else 0 for place in over.places))


def _windowed(layer: Layer, field: _Field, before: Shape, after: Shape) -> _Field:
    steps = _steps(layer, before[1:], after[1:])
    if steps is None or len(steps[0]) != len(field.axes):
        return field.bound()
    reads, exact = steps
    axes = tuple(axis.reads(*step) for axis, step in zip(field.axes, reads, strict=True))
    on_picture = all(axis == _Axis(Fraction(1), Fraction(0), Fraction(0)) for axis in field.axes)
    unit = field.unit_exact and (exact if exact is not None else on_picture)
    operation = layer.operation
    if isinstance(operation, Slice) and after[0] != before[0]:
        unit = unit and field.alike  # the channels that are left may be those that see less
    alike = field.alike or (isinstance(operation, Convolution) and operation.groups == 1)
    return _Field(axes, field.places, after[1:], unit, field.union_exact and exact is not False, alike)


def _places_after(operation: Reshape, field: _Field, before: Shape, after: Shape) -> Shape | None:
    """The axes along which the intervals move in the reshaped value; ``None`` where they no longer do."""
    if operation.axes:
        known = len(operation.axes) == len(before) == len(after)
        return tuple(operation.axes.index(place) for place in field.places) if known else None
    if operation.aligned and before == after:
        return field.places
    if operation.function in REORDERING:
        return None
    there = {  # an axis keeps its place if as many numbers lie behind it as before, and it is as long
        (size, behind): axis for axis, size, behind in _in_memory(after, operation.channels_last) if size > 1
    }
    here = {axis: (size, behind) for axis, size, behind in _in_memory(before, operation.channels_last)}
    found = tuple(there.get(here[place], 0 if here[place][0] == 1 else -1) for place in field.places)
    return None if -1 in found or prod(before) != prod(after) else found


REORDERING = (
    *("permute", "transpose", "swapaxes", "t", "numpy_T", "movedim"),
    *("depth_to_space", "pixel_shuffle", "space_to_depth", "pixel_unshuffle", "channel_shuffle"),
)
"""Functions of :class:`~convlens.network.Reshape` that change the order of the numbers."""


def _in_memory(shape: Shape, channels_last: bool) -> list[tuple[int, int, int]]:
    """Each axis with its size and how many numbers lie behind one step along it."""
    order = [*range(1, len(shape)), 0] if channels_last and shape else list(range(len(shape)))
    return [(axis, shape[axis], prod(shape[n] for n in order[place + 1 :])) for place, axis in enumerate(order)]


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
            resized = [_resized(operation, axis, n, m) for axis, (n, m) in enumerate(zip(before, after, strict=True))]
            reads = [found[0] for found in resized if found is not None]
            if len(reads) < len(resized):
                return None
            certain = [found[1] for found in resized if found is not None]
            return reads, False if False in certain else None if None in certain else True
        case _:
            return None


def _adaptive(size: int, outputs: int) -> Step:
    stride = Fraction(size, outputs)
    slack = Fraction(outputs - 1, outputs) if size % outputs else Fraction(0)
    return stride, -slack, stride + slack - 1


def _resized(operation: Resize, axis: int, size: int, outputs: int) -> tuple[Step, bool | None] | None:
    if size == 0 or outputs == 0:  # nothing is read
        return None
    scale = operation.scale[axis] if operation.scale else Fraction(outputs, size)
    if outputs % size == 0 and operation.mode == "nearest":
        times = outputs // size
        if operation.coordinates == "half_pixel" or (operation.coordinates, operation.rounding) == (
            "asymmetric",
            "floor",
        ):
            return (Fraction(1, times), Fraction(1 - times, times), 0), None
    match operation.coordinates:
        case "align_corners":
            stride, centre = Fraction(size - 1, max(outputs - 1, 1)), Fraction(0)
        case "asymmetric":
            stride, centre = 1 / scale, Fraction(0)
        case "half_pixel" | "pytorch_half_pixel":
            stride, centre = 1 / scale, 1 / (2 * scale) - Fraction(1, 2)
        case "half_pixel_symmetric":
            left_out = Fraction(size, 2) * (1 - outputs / (size * scale))
            stride, centre = 1 / scale, left_out + 1 / (2 * scale) - Fraction(1, 2)
        case _:
            return None
    if operation.coordinates == "pytorch_half_pixel" and outputs == 1:
        centre = Fraction(0)
    if operation.mode == "nearest" and stride.denominator == centre.denominator == 1:
        return (stride, centre, centre), True
    reach = {"nearest": 1, "linear": 1, "cubic": 2}.get(operation.mode.removesuffix("_antialias"))
    if reach is None:
        return None
    shrink = max(Fraction(1), stride) if operation.mode != "nearest" else Fraction(1)
    return (stride, centre - reach * shrink, centre + reach * shrink), False


def _merged(operation: Merge, read: list[_Field], *, blind: bool) -> _Field:
    """The union over all branches, as far as they move alike; ``blind``: whether some operand sees no picture."""
    if operation.function == "stack":
        return _hull([field.bound() for field in read])
    if operation.function == "concat":
        if any(operation.axis in field.places for field in read):
            return replace(_union([field.joined() for field in read]), unit_exact=False)
        return replace(_union(read), alike=not blind and all(field == read[0] and field.alike for field in read))
    return _union(read)


def _union(read: list[_Field]) -> _Field:
    first = read[0]
    if all(field == first for field in read):
        return first
    same = all(
        f.places == first.places
        and f.sizes == first.sizes
        and all(a.stride == b.stride for a, b in zip(f.axes, first.axes, strict=True))
        for f in read
    )
    if same:
        return _hull(read)
    hull = _hull([field.joined() for field in read])
    return replace(hull, unit_exact=_covered([_still(field) for field in read]))


def _still(field: _Field) -> _Field:
    """The joined field, exact only if each unit sees all of it by itself."""
    moves = any(axis.stride for axis in field.axes) and bool(field.places)
    joined = field.joined()
    return replace(joined, unit_exact=joined.unit_exact and field.unit_exact and not moves)


def _hull(read: list[_Field]) -> _Field:
    axes = tuple(
        _Axis(axis.stride, min(f.axes[n].low for f in read), max(f.axes[n].high for f in read))
        for n, axis in enumerate(read[0].axes)
    )
    return replace(
        read[0],
        axes=axes,
        unit_exact=all(f.unit_exact for f in read),
        union_exact=all(f.union_exact for f in read),
        alike=all(f.alike for f in read),
    )


def _covered(read: list[_Field]) -> bool:
    """Whether one of the joined fields holds all the others, and each of its units really sees all of it."""
    hull = _hull(read)
    return any(f.axes == hull.axes and f.unit_exact for f in read)
