"""What moves, cuts, pads or resizes a value."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from convlens.engines.keras import backend
from convlens.engines.keras.calls import Call, Reader, Reading, always, snake_case
from convlens.engines.keras.layout import LAST, framework_axis, our_axis
from convlens.engines.keras.windows import scale
from convlens.network import Kind, Operation, Pad, Pads, Reshape, Resize, Shape, Slice, Whole

COPYING = (
    *("RepeatVector", "Split", "Unstack", "Tile", "Repeat", "BroadcastTo", "Take", "Roll", "Flip", "Rot90"),
    *("Moveaxis", "Swapaxes", "Diagonal", "TakeAlongAxis", "SpaceToDepth", "DepthToSpace", "GetItem"),
)
"""Operations that copy numbers from one value, in an order of their own."""


def order(call: Call) -> Shape | None:
    """Where the axes of the input go, for a call that moves them."""
    if call.word == "Permute":
        return (0, *(int(n) for n in call.op.dims))
    if call.word == "Transpose" and call.input:
        axes = call.argument(1, "axes")
        return tuple(int(n) for n in axes) if axes else tuple(reversed(range(len(call.input))))
    return None


def _reshape(call: Call) -> Reading:
    moved = order(call)
    if moved is not None:
        return Reading(Kind.RESHAPE, _transpose(call, moved))
    before, after = call.before, call.after
    aligned = bool(before) and (before == after or _squeezed(before) == _squeezed(after) != ())
    moves = getattr(call.op, "_channels_first", False)  # a Flatten that brings the channels to the end
    last = moves or (bool(call.inputs) and call.inputs[0].layout == LAST)
    return Reading(Kind.RESHAPE, Reshape(snake_case(call.word), aligned, channels_last=last))


def _transpose(call: Call, moved: Shape) -> Operation:
    if moved[0] != 0:
        return Whole("transpose")
    rank = len(moved)
    layouts = call.inputs[0].layout, call.output_layout
    axes = (our_axis(moved[framework_axis(n, rank, layouts[1])], rank, layouts[0]) for n in range(rank - 1))
    aligned = layouts[0] != layouts[1] or moved == tuple(range(rank))
    return Reshape("transpose", aligned, tuple(axes))


def _squeezed(shape: Shape) -> Shape:
    return tuple(n for n in shape if n != 1)


def _spatial_pads(padding: Any, rank: int) -> Pads:
    if isinstance(padding, int):
        return ((padding, padding),) * rank
    pairs = [(n, n) if isinstance(n, int) else tuple(n) for n in padding]
    if rank == 1 and len(pairs) == 2 and all(isinstance(n, int) for n in padding):
        pairs = [tuple(padding)]
    return tuple((int(a), int(b)) for a, b in pairs)


def _zero_padding(call: Call) -> Reading:
    return Reading(Kind.PADDING, Pad(_spatial_pads(call.op.padding, len(call.before))))


def _cropping(call: Call) -> Reading:
    crops = _spatial_pads(call.op.cropping, len(call.before))
    return Reading(Kind.PADDING, Pad(tuple((-a, -b) for a, b in crops)))


def _centre_crop(call: Call) -> Reading:
    if any(m > n for n, m in zip(call.before, call.after, strict=True)):
        return _resize(call)
    first = [(n - m) // 2 for n, m in zip(call.before, call.after, strict=True)]
    pairs = zip(first, call.before, call.after, strict=True)
    return Reading(Kind.PADDING, Pad(tuple((-f, -(n - m - f)) for f, n, m in pairs)))


_PAD_MODES = {"constant": "constant", "reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def _pad(call: Call) -> Reading:
    rank, given = len(call.input), getattr(call.op, "pad_width", None)
    mode = _PAD_MODES.get(str(getattr(call.op, "mode", "constant")))
    widths = [(given, given)] * rank if isinstance(given, int) else [tuple(w) for w in (given or ())]
    widths = widths * rank if len(widths) == 1 else widths
    value = call.argument(1, "constant_values") or 0.0
    if len(widths) != rank or mode is None or rank < 3 or widths[0] != (0, 0) or not isinstance(value, (int, float)):
        return Reading(Kind.PADDING, Whole("pad"))
    inside = widths[1:-1] if call.layout == LAST else widths[2:]
    before, after = widths[-1] if call.layout == LAST else widths[1]
    mode = "zeros" if mode == "constant" and not value else mode
    channels = int(before), int(after)
    return Reading(Kind.PADDING, Pad(tuple((int(a), int(b)) for a, b in inside), mode, float(value), channels))


_INTERPOLATIONS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


def _resize(call: Call) -> Reading:
    mode = _INTERPOLATIONS.get(str(getattr(call.op, "interpolation", "nearest")))
    plain = len(call.before) == len(call.after) and not getattr(call.op, "crop_to_aspect_ratio", False)
    if mode is None or not plain or getattr(call.op, "pad_to_aspect_ratio", False) or getattr(call.op, "antialias", 0):
        return Reading(Kind.RESIZE, Whole("resize"))
    return Reading(Kind.RESIZE, _resized(mode, scale(call.before, call.after)))


def _resized(mode: str, by: tuple[Fraction, ...]) -> Resize:
    """How each backend's ``image.resize`` finds its pixels."""
    if mode == "nearest":
        arithmetic = "exact" if backend.NAME == "jax" else "step"
        return Resize(mode, by, rounding="round_prefer_ceil", coordinate_arithmetic=arithmetic)
    if mode == "cubic" and backend.NAME == "tensorflow":
        return Resize(mode, by, cubic_coefficient=-0.5, exclude_outside=True, cubic_steps=1024)
    if mode == "cubic" and backend.NAME == "jax":
        return Resize(mode, by, cubic_coefficient=-0.5, exclude_outside=True)
    return Resize(mode, by)


def _upsampling(call: Call) -> Reading:
    """Nearest neighbours are repeated, which no backend does in another way."""
    if getattr(call.op, "interpolation", "nearest") != "nearest":
        return _resize(call)
    by = scale(call.before, call.after)
    return Reading(Kind.RESIZE, Resize("nearest", by, coordinates="asymmetric", rounding="floor"))


def _item(call: Call) -> Reading:
    """``x[...]``: a slice of axes where it is one."""
    key = call.argument(1, "key")
    parts = list(key) if isinstance(key, tuple) else [key]
    rank = len(call.input)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (rank - len(parts) + 1)
    parts += [slice(None)] * (rank - len(parts))
    plain = len(parts) == rank and rank > 1 and all(isinstance(part, slice) for part in parts)
    if not plain or parts[0] != slice(None) or len(call.output) != rank:
        return Reading(Kind.RESHAPE, Whole("slice"))
    steps = [part.indices(size) for part, size in zip(parts, call.input, strict=True)]
    if any(step < 1 for _, _, step in steps):
        return Reading(Kind.RESHAPE, Whole("slice"))
    inside, own = (steps[1:-1], steps[-1]) if call.layout == LAST or rank == 2 else (steps[2:], steps[1])
    starts, strides = tuple(s[0] for s in inside), tuple(s[2] for s in inside)
    return Reading(Kind.RESHAPE, Slice(starts, strides, own[0], own[2]))


READERS: dict[str, Reader] = {
    **dict.fromkeys(COPYING, always(Kind.RESHAPE, Whole("rearrange"))),
    **dict.fromkeys(("Flatten", "Reshape", "Permute", "Transpose", "Squeeze", "ExpandDims", "Ravel"), _reshape),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), _zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D", "Cropping3D"), _cropping),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D"), _upsampling),
    **dict.fromkeys(("Resizing", "Resize"), _resize),
    "CenterCrop": _centre_crop,
    "Pad": _pad,
    "GetItem": _item,
}
