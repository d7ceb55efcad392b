"""Operators that move values without computing, or mix neighbours: pad, resize, slice, reshape, transpose, concat."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

import numpy as np

from convlens.engines.onnx.call import Call, Described
from convlens.network import Kind, Merge, Pad, Reshape, Resize, Shape, Slice, Whole

Reader = Callable[[Call], Described]


def concat(call: Call) -> Described:
    """Values side by side along an axis."""
    axis = call.batchless(int(call.attributes.get("axis", 1)), len(call.output))
    if axis < 0 or not all(call.in_place(place) for place, moves in enumerate(call.moving) if moves):
        return Kind.CONCAT, Whole("concat")
    return Kind.CONCAT, Merge("concat", axis, constants=call.constants)


def pad(call: Call) -> Described:
    """Values put around; negative padding crops."""
    rank = len(call.output)
    pads = call.integers(1, "pads") or tuple(call.attributes.get("paddings", ()))
    axes = call.integers(3, "axes") or tuple(range(rank))
    if len(pads) != 2 * len(axes):
        return Kind.PADDING, Whole("pad")
    each = dict.fromkeys(range(-int(call.batched), rank - int(call.batched)), (0, 0))
    for place, axis in enumerate(axes):
        each[call.batchless(axis, rank)] = (int(pads[place]), int(pads[place + len(axes)]))
    if each.pop(-1, (0, 0)) != (0, 0) or not each:
        return Kind.PADDING, Whole("pad")
    if call.has(2) and call.constant(2) is None:
        return Kind.PADDING, Whole("pad")
    value = call.number(2, "value", 0.0)
    mode = call.word("mode", "constant")
    if mode == "constant":
        mode = "constant" if value else "zeros"
    else:
        mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    spatial = tuple(each[axis] for axis in sorted(each) if axis > 0)
    return Kind.PADDING, Pad(spatial, mode, value if mode == "constant" else 0.0, channels=each[0])


def resize(call: Call) -> Described:
    """Another size of the map. Source of the defaults: the ONNX operator specification of Resize and Upsample."""
    kind, before, after = Kind.RESIZE, call.shape(0), call.output
    mode, old = call.word("mode", "nearest"), call.op == "Upsample" or call.opset < 11
    mode = {"bilinear": "linear"}.get(mode, mode)
    coordinates = call.word("coordinate_transformation_mode", "asymmetric" if old else "half_pixel")
    crop: tuple[tuple[float, float], ...] = ()
    if coordinates == "tf_crop_and_resize":
        coordinates, crop = "crop", _crop(call, before, after)
    if len(before) < 3 or before[:2] != after[:2] or coordinates not in COORDINATES or not call.batched:
        return kind, Whole(call.op.lower())
    if mode != "nearest" and not call.dtype.startswith("float"):
        return kind, Whole(call.op.lower())
    if before == after:  # ONNX Runtime copies where every size stays, whatever else is stated
        ones = (Fraction(1),) * (len(after) - 2)
        return kind, Resize("nearest", ones, coordinates="asymmetric", rounding="floor")
    scale = _scale(call, before, after)
    rounding = call.word("nearest_mode", "round_prefer_floor")
    if old:  # no mode is said; ONNX Runtime takes the pixel before where it enlarges, the one behind where it reduces
        if mode == "nearest" and min(scale) < 1 < max(scale):
            return kind, Whole(call.op.lower())
        rounding = "ceil" if min(scale) < 1 else "floor"
    if call.attributes.get("antialias") and mode != "nearest":
        if crop:  # the runtime's filter moves with the part in a way that no specification states
            return kind, Whole(call.op.lower())
        mode = f"{mode}_antialias"
        kept = zip(scale, before[2:], after[2:], strict=True)
        scale = tuple(Fraction(1) if n == m else factor for factor, n, m in kept)  # the filter leaves these axes out
    return kind, Resize(
        mode,
        scale,
        align_corners=coordinates == "align_corners",
        coordinates=coordinates,
        rounding=rounding,
        cubic_coefficient=float(call.attributes.get("cubic_coeff_a", -0.75)),
        coordinate_arithmetic="scale",
        exclude_outside=mode.startswith("cubic") and bool(call.attributes.get("exclude_outside", 0)),
        crop=crop,
        outside=float(call.attributes.get("extrapolation_value", 0.0)) if crop else 0.0,
    )


COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric", "crop")


def _crop(call: Call, before: Shape, after: Shape) -> tuple[tuple[float, float], ...]:
    """The part of each spatial axis, from start to end; ONNX Runtime takes the whole of one that is scaled by 1.

    Raises:
        LookupError: it is computed.
    """
    roi, rank = call.constant(1), len(before)
    if roi is None:
        raise LookupError("the part is computed")
    axes = [call.axis(int(axis), rank) for axis in call.attributes.get("axes") or range(rank)]
    parts = {axis: (first, last) for axis, (first, last) in zip(axes, roi.reshape(2, -1).T.tolist(), strict=True)}
    scales = zip(range(2, rank), _scale(call, before, after), strict=True)
    return tuple((0.0, 1.0) if scale == 1 else parts.get(axis, (0.0, 1.0)) for axis, scale in scales)


def _scale(call: Call, before: Shape, after: Shape) -> tuple[Fraction, ...]:
    """The factor that the coordinates are computed with, one a spatial axis: as it is stated, else from the sizes."""
    stated = [Fraction(o, i) for i, o in zip(before[2:], after[2:], strict=True)]
    place = 1 if call.op == "Upsample" or call.opset < 11 else 2
    scales = call.constant(place) if call.has(place) else call.attributes.get("scales")
    rank = len(before)
    axes = [call.axis(int(axis), rank) for axis in call.attributes.get("axes") or range(rank)]
    if scales is not None and np.size(scales):
        for axis, factor in zip(axes, np.asarray(scales).reshape(-1), strict=True):
            if axis >= 2:
                stated[axis - 2] = Fraction(float(factor))
        return tuple(stated)
    policy = call.word("keep_aspect_ratio_policy", "stretch")
    sizes = call.integers(3, "sizes")
    if policy != "stretch" and sizes is not None:
        ratios = [Fraction(size, before[axis]) for size, axis in zip(sizes, axes, strict=True)]
        one = min(ratios) if policy == "not_larger" else max(ratios)
        for axis in axes:
            if axis >= 2:
                stated[axis - 2] = one
    return tuple(stated)


def slice_(call: Call) -> Described:
    """A part of the value, with steps."""
    shape = call.shape(0)
    rank = len(shape)
    starts, ends, axes = call.integers(1, "starts"), call.integers(2, "ends"), call.integers(3, "axes")
    steps = call.integers(4, "steps")
    if starts is None or ends is None or (call.has(3) and axes is None) or (call.has(4) and steps is None):
        return Kind.RESHAPE, Whole("slice")
    axes = axes or tuple(range(len(starts)))
    steps = steps or (1,) * len(starts)
    start, step = [0] * rank, [1] * rank
    for axis, first, stride in zip(axes, starts, steps, strict=True):
        place = call.axis(axis, rank)
        size = shape[place]
        first = first + size if first < 0 else first
        start[place] = min(max(first, 0), size - 1 if stride < 0 else size)
        step[place] = stride
    return Kind.RESHAPE, _part(call, start, step)


def split(call: Call) -> Described:
    """One of several parts along an axis."""
    shape = call.shape(0)
    rank = len(shape)
    axis = call.axis(int(call.attributes.get("axis", 0)), rank)
    sizes = call.integers(1, "split")
    if call.has(1) and sizes is None:
        return Kind.RESHAPE, Whole("split")
    if sizes is None:
        count = int(call.attributes.get("num_outputs", 0))
        chunk = -(-shape[axis] // count) if count else call.output[axis]
        first = chunk * call.output_index
    else:
        first = sum(sizes[: call.output_index])
    return Kind.RESHAPE, _part(call, [first if a == axis else 0 for a in range(rank)], [1] * rank)


def _part(call: Call, start: list[int], step: list[int]) -> Slice | Whole:
    """The part that begins at ``start``, axes channels first, batch included."""
    lead = int(call.batched)
    through = start[:lead] == [0] * lead and step[:lead] == [1] * lead
    if not through or len(start) == lead:
        return Whole(call.op.lower())
    return Slice(tuple(start[lead + 1 :]), tuple(step[lead + 1 :]), start[lead], step[lead])


def reshape(call: Call) -> Described:
    """The same numbers, read in the same order, in another shape."""
    before, after, last = call.shape(0), call.output, _channels_last(call)
    if last is None:
        return Kind.RESHAPE, Whole(call.op.lower())
    aligned = len(before) > 2 and before[2:] == after[2:] and not last
    return Kind.RESHAPE, Reshape(call.op.lower(), aligned=aligned, channels_last=last)


def squeeze(call: Call) -> Described:
    """An axis of length one comes or goes."""
    last = _channels_last(call)
    if last is None:
        return Kind.RESHAPE, Whole(call.op.lower())
    before = [n for n in call.shape(0)[1:] if n != 1]
    after = [n for n in call.output[1:] if n != 1]
    return Kind.RESHAPE, Reshape(call.op.lower(), aligned=before == after and not last, channels_last=last)


def _channels_last(call: Call) -> bool | None:
    """In which order both the input and the output have each item's numbers: as they are shown, or with the channels
    at the end; ``None`` where neither holds, or where items of a batch are mixed."""
    both = ((call.shown(0), call.inputs[0] or ()), (call.made, call.result))
    items = [shape[shown.batch] for shown, shape in both if shown.batch is not None]
    if len(items) == 1 and items[0] > 1:
        return None
    for last in (False, True):
        if all(shown.reads_in_order(shape, channels_last=last) for shown, shape in both):
            return last
    return None


def transpose(call: Call) -> Described:
    """Axes in another order."""
    rank, read = len(call.result), call.shown(0)
    order = [int(a) % rank for a in call.attributes.get("perm") or reversed(range(rank))]
    came = [order[axis] for axis in call.made.axes]
    if sorted(came) != sorted(read.axes):
        return Kind.RESHAPE, Whole("transpose")
    axes = tuple(read.axes.index(axis) for axis in came)
    spatial = [axis for axis in axes if axis > 0]
    return Kind.RESHAPE, Reshape("transpose", aligned=spatial == sorted(spatial), axes=axes)


def block(function: str) -> Reader:
    """Blocks of pixels that become channels, or the way back."""

    def read(_: Call) -> Described:
        return Kind.RESHAPE, Reshape(function)

    return read
