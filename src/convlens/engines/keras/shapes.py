"""What moves, cuts, pads or resizes a value."""

from __future__ import annotations

from typing import Any

from convlens.engines.keras.calls import Call, Reader, Reading, always, snake_case
from convlens.engines.keras.layout import LAST
from convlens.engines.keras.windows import scale
from convlens.network import Kind, Pad, Pads, Reshape, Resize, Shape, Slice, Whole


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
        aligned = call.output_layout != call.layout or moved == tuple(range(len(moved)))
        return Reading(Kind.RESHAPE, Reshape("transpose", aligned))
    before, after = call.before, call.after
    aligned = bool(before) and (before == after or _squeezed(before) == _squeezed(after) != ())
    return Reading(Kind.RESHAPE, Reshape(snake_case(call.word), aligned))


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
    if len(widths) != rank or mode is None or rank < 3:
        return Reading(Kind.PADDING, Whole("pad"))
    inside = widths[1:-1] if call.layout == LAST else widths[2:]
    outside = [widths[0], widths[-1] if call.layout == LAST else widths[1]]
    if any(w != (0, 0) for w in outside):
        return Reading(Kind.PADDING, Whole("pad"))
    value = call.argument(1, "constant_values") or 0.0
    mode = "zeros" if mode == "constant" and not value else mode
    return Reading(Kind.PADDING, Pad(tuple((int(a), int(b)) for a, b in inside), mode, float(value)))


_INTERPOLATIONS = {"nearest": "nearest", "bilinear": "linear", "bicubic": "cubic"}


def _resize(call: Call) -> Reading:
    mode = _INTERPOLATIONS.get(str(getattr(call.op, "interpolation", "nearest")))
    plain = len(call.before) == len(call.after) and not getattr(call.op, "crop_to_aspect_ratio", False)
    if mode is None or not plain or getattr(call.op, "pad_to_aspect_ratio", False) or getattr(call.op, "antialias", 0):
        return Reading(Kind.RESIZE, Whole("resize"))
    return Reading(Kind.RESIZE, Resize(mode, scale(call.before, call.after)))


def _item(call: Call) -> Reading:
    """``x[...]``: a slice of the spatial axes where it is one."""
    key = call.argument(1, "key")
    parts = list(key) if isinstance(key, tuple) else [key]
    rank = len(call.input)
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        parts[at : at + 1] = [slice(None)] * (rank - len(parts) + 1)
    parts += [slice(None)] * (rank - len(parts))
    inside = parts[1:-1] if call.layout == LAST else parts[2:]
    if len(parts) != rank or parts[0] != slice(None) or not inside or not all(isinstance(p, slice) for p in inside):
        return Reading(Kind.RESHAPE, Whole("slice"))
    steps = [part.indices(size) for part, size in zip(inside, call.before, strict=True)]
    if any(step < 1 for _, _, step in steps) or len(call.output) != rank:
        return Reading(Kind.RESHAPE, Whole("slice"))
    return Reading(Kind.RESHAPE, Slice(tuple(s[0] for s in steps), tuple(s[2] for s in steps)))


READERS: dict[str, Reader] = {
    **dict.fromkeys(("Flatten", "Reshape", "Permute", "Transpose", "Squeeze", "ExpandDims", "Ravel"), _reshape),
    **dict.fromkeys(("ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"), _zero_padding),
    **dict.fromkeys(("Cropping1D", "Cropping2D", "Cropping3D"), _cropping),
    **dict.fromkeys(("UpSampling1D", "UpSampling2D", "UpSampling3D", "Resizing", "Resize"), _resize),
    "CenterCrop": _centre_crop,
    "Pad": _pad,
    "GetItem": _item,
    "RepeatVector": always(Kind.RESHAPE, Whole("repeat")),
    **dict.fromkeys(
        ("Split", "Stack", "Unstack", "Tile", "Repeat", "BroadcastTo", "Take", "Gather", "Roll", "Flip"),
        always(Kind.RESHAPE, Whole("rearrange")),
    ),
}
