"""Operators that read windows of space: convolutions, poolings, padding, resizing."""

from __future__ import annotations

from fractions import Fraction

from convlens.engines.torch.calls import Call, Described, Reader
from convlens.network import Convolution, Kind, Pad, Pads, Pooling, Resize, Shape, Whole


def convolution(call: Call) -> Described:
    """Any convolution; its weight is (filters, channels per group, *size), or (channels, filters per group, *size)."""
    weight = call.shapes["weight"]
    rank = len(weight) - 2
    transposed = "transpose" in call.op or bool(call.arguments.get("transposed"))
    groups = int(call.arguments["groups"])
    dilation = call.numbers("dilation", rank, 1)
    kernel = weight[2:]
    return Kind.CONVOLUTION, Convolution(
        in_channels=weight[0] if transposed else weight[1] * groups,
        filters=weight[1] * groups if transposed else weight[0],
        kernel_size=kernel,
        stride=call.numbers("stride", rank, 1),
        dilation=dilation,
        padding=_conv_padding(call, kernel, dilation),
        groups=groups,
        bias=call.arguments.get("bias") is not None,
        transposed=transposed,
        output_padding=call.numbers("output_padding", rank, 0) if transposed else (),
    )


def _conv_padding(call: Call, kernel: Shape, dilation: Shape) -> Pads:
    stated = call.arguments.get("padding", 0)
    if stated == "valid":
        return ((0, 0),) * len(kernel)
    if stated == "same":  # PyTorch puts the odd one after
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return tuple((total // 2, total - total // 2) for total in totals)
    return tuple((p, p) for p in call.numbers("padding", len(kernel), 0))


def pooling(mode: str) -> Reader:
    """Pooling over windows of a stated size."""

    def read(call: Call) -> Described:
        rank = call.spatial_rank
        kernel = call.numbers("kernel_size", rank)
        return Kind.POOLING, Pooling(
            mode=mode,
            kernel_size=kernel,
            stride=call.numbers("stride", rank, kernel),
            dilation=call.numbers("dilation", rank, 1),
            padding=tuple((p, p) for p in call.numbers("padding", rank, 0)),
            ceil_mode=bool(call.arguments.get("ceil_mode", False)),
            count_include_pad=bool(call.arguments.get("count_include_pad", False)),
            divisor=call.arguments.get("divisor_override"),
        )

    return read


def adaptive_pooling(mode: str) -> Reader:
    """Pooling to a stated output size: output i reads from floor(i * in / out) to ceil((i + 1) * in / out)."""

    def read(call: Call) -> Described:
        rank = call.spatial_rank
        before, after = call.before[-rank:], call.output[-rank:]
        if all(size == 1 for size in after):
            return Kind.POOLING, over_the_map(mode, before)
        stride = tuple(max(1, i // o) for i, o in zip(before, after, strict=True))
        kernel = tuple(-(-i // o) + (1 if i % o else 0) for i, o in zip(before, after, strict=True))
        return Kind.POOLING, Pooling(mode, kernel, stride, (1,) * rank, ((0, 0),) * rank, adaptive=True)

    return read


def over_the_map(mode: str, size: Shape) -> Pooling:
    """Pooling of each map to one value."""
    ones = (1,) * len(size)
    return Pooling(mode, size, ones, ones, ((0, 0),) * len(size), whole=True)


def pad(call: Call) -> Described:
    """Padding, which torch lists as (before, after) from the last axis backwards."""
    given = [int(p) for p in call.arguments.get("pad") or call.arguments.get("padding") or ()]
    pairs = list(zip(given[::2], given[1::2], strict=True))[::-1]
    each = [(0, 0)] * (len(call.output) - len(pairs)) + pairs
    lead = call.lead(call.before)
    if any(pair != (0, 0) for pair in each[:lead]):
        return Kind.PADDING, Whole(call.op)
    circular = call.arguments.get("mode") == "circular"
    if circular and any(side < 0 for pair in each for side in pair):
        return Kind.PADDING, Whole(call.op)  # it goes around what is left of the value, and not around all of it
    value = float(call.arguments.get("value") or 0.0)
    mode = next((ours for theirs, ours in _MODES.items() if theirs in call.op), None)
    mode = mode or _MODES[str(call.arguments.get("mode", "constant"))]
    if mode == "zeros" and value:
        mode = "constant"
    return Kind.PADDING, Pad(tuple(each[lead + 1 :]), mode, value, channels=each[lead] if len(each) > lead else (0, 0))


_MODES = {
    "reflection": "reflect",
    "replication": "replicate",
    "constant": "zeros",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


def resize(mode: str, coordinates: str = "half_pixel", rounding: str = "floor") -> Reader:
    """Interpolation; coordinates are multiples of the rounded input / output size, or of 1 / a stated factor."""

    def read(call: Call) -> Described:
        rank = call.spatial_rank
        sizes = list(zip(call.before[-rank:], call.output[-rank:], strict=True))
        corners = bool(call.arguments.get("align_corners"))
        stated = call.arguments.get("scale_factors")
        if stated and not corners:
            kept = [i == o and factor != 1 for (i, o), factor in zip(sizes, stated, strict=True)]
            if mode == "nearest" and any(kept):
                # Some of torch's kernels copy an axis that keeps its size in spite of the factor, others don't: which
                # of them runs depends on sizes and memory layout.
                return Kind.RESIZE, Whole(call.op)
            # its linear kernels all copy
            copied = [mode == "linear" and keeps for keeps in kept]
            scale = tuple(Fraction(1 if copy else factor) for factor, copy in zip(stated, copied, strict=True))
        else:
            scale = tuple(Fraction(o, i) for i, o in sizes)
        return Kind.RESIZE, Resize(
            mode,
            scale,
            corners,
            "align_corners" if corners else coordinates,
            rounding=rounding,
            coordinate_arithmetic="step",
        )

    return read
