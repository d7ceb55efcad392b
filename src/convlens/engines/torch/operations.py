"""What one call of a torch operator does, as data: its arguments to a kind and a typed operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Kind,
    Merge,
    Normalisation,
    Operation,
    Pad,
    Pads,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
    Whole,
)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of an operator.

    ``shapes`` has the whole shape of every tensor argument, by argument name, batch included. ``moving`` are the shapes
    of the tensors that the network's input can change, in order; all others are parameters or constants. ``output`` is
    the shape of the first result; ``batched``: its axis 0 is the batch axis.
    """

    op: str
    arguments: Mapping[str, Any]
    shapes: Mapping[str, Shape]
    moving: tuple[Shape, ...]
    output: Shape
    batched: bool
    pointwise: bool

    def numbers(self, name: str, rank: int, default: Any = None) -> Shape:
        """A setting given as one number, as one a spatial axis, or not at all."""
        value = self.arguments.get(name)
        value = default if value is None or value == [] or value == () else value
        if isinstance(value, (int, float)):
            return (int(value),) * rank
        numbers = tuple(int(v) for v in value)
        return numbers * rank if len(numbers) == 1 else numbers

    @property
    def before(self) -> Shape:
        """The shape of the value that is worked on."""
        return self.moving[0]

    def batchless(self, axis: int, rank: int) -> int:
        """An axis of a value of this rank, counted without the batch axis."""
        return axis % max(1, rank) - (1 if self.batched else 0)

    @property
    def spatial_rank(self) -> int:
        """How many axes follow the batch and the channels."""
        return max(0, len(self.output) - 2)


Described = tuple[Kind, Operation | None]
Reader = Callable[[Call], Described]


def describe(call: Call) -> Described:
    """Kind and operation of a call; an operator that convlens doesn't know is one opaque layer."""
    reader = READERS.get(call.op)
    if reader is not None:
        return reader(call)
    if call.pointwise:
        return _point_by_point(call)
    return Kind.OTHER, Whole(call.op)


def _convolution(call: Call) -> Described:
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


def _linear(call: Call) -> Described:
    if "weight" not in call.shapes or len(call.moving) > 1:
        return Kind.ARITHMETIC, Whole(call.op)
    weight = call.shapes["weight"]
    per_position = len(call.output) > (2 if call.batched else 1)
    return Kind.DENSE, Dense(weight[1], weight[0], call.arguments.get("bias") is not None, per_position)


def _matrix_product(call: Call) -> Described:
    """``x @ w`` with constant ``w`` is dense; a product of two values is arithmetic."""
    weight = call.shapes.get("mat2") or call.shapes.get("other")
    if len(call.moving) > 1 or weight is None or len(weight) != 2 or call.before[-1] != weight[0]:
        return Kind.ARITHMETIC, Whole(call.op)
    per_position = len(call.output) > (2 if call.batched else 1)
    return Kind.DENSE, Dense(weight[0], weight[1], bias=call.op == "addmm", per_position=per_position)


def _pooling(mode: str) -> Reader:
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


def _adaptive_pooling(mode: str) -> Reader:
    def read(call: Call) -> Described:
        before, after = call.before[-call.spatial_rank :], call.output[-call.spatial_rank :]
        if all(size == 1 for size in after):
            return Kind.POOLING, _over_the_map(mode, before)
        # The windows of output i reach from floor(i * in / out) to ceil((i + 1) * in / out); this is the usual one.
        stride = tuple(i // o for i, o in zip(before, after, strict=True))
        kernel = tuple(i - (o - 1) * s for i, o, s in zip(before, after, stride, strict=True))
        ones = (1,) * len(after)
        regular = all(i % o == 0 for i, o in zip(before, after, strict=True))
        return Kind.POOLING, Pooling(mode, kernel, stride, ones, ((0, 0),) * len(after), adaptive=not regular)

    return read


def _over_the_map(mode: str, size: Shape) -> Pooling:
    ones = (1,) * len(size)
    return Pooling(mode, size, ones, ones, ((0, 0),) * len(size), whole=True)


def _reduction(function: str) -> Reader:
    """A mean or maximum over exactly the spatial axes is a pooling of the whole map."""

    def read(call: Call) -> Described:
        rank = len(call.before)
        axes = call.arguments.get("dim")
        axes = range(rank) if axes is None or axes == [] else [axes] if isinstance(axes, int) else axes
        reduced = {axis % rank for axis in axes}
        if rank > 2 and reduced == set(range(2, rank)) and function in ("mean", "max"):
            return Kind.POOLING, _over_the_map("average" if function == "mean" else "max", call.before[2:])
        if rank > 2 and reduced == {1}:
            return Kind.ARITHMETIC, Pointwise(function)
        return Kind.ARITHMETIC, Whole(function)

    return read


def _batch_normalisation(call: Call) -> Described:
    own = bool(call.arguments.get("training")) or call.arguments.get("running_mean") is None
    axes = tuple(range(1, 1 + call.spatial_rank)) if own else ()
    return Kind.NORMALISATION, Normalisation("batch", float(call.arguments.get("eps", 1e-5)), axes=axes)


def _instance_normalisation(call: Call) -> Described:
    axes = tuple(range(1, 1 + call.spatial_rank)) if call.arguments.get("use_input_stats") else ()
    return Kind.NORMALISATION, Normalisation("instance", float(call.arguments.get("eps", 1e-5)), axes=axes)


def _group_normalisation(call: Call) -> Described:
    groups = int(call.arguments.get("num_groups") or call.arguments.get("group", 1))
    axes = tuple(range(len(call.output) - 1))
    return Kind.NORMALISATION, Normalisation("group", float(call.arguments.get("eps", 1e-5)), groups, axes)


def _layer_normalisation(mode: str) -> Reader:
    def read(call: Call) -> Described:
        rank = len(call.output)
        first = rank - len(call.arguments["normalized_shape"])
        axes = tuple(call.batchless(axis, rank) for axis in range(first, rank))
        return Kind.NORMALISATION, Normalisation(mode, float(call.arguments.get("eps") or 1e-5), axes=axes)

    return read


def _activation(function: str, **constants: str | float) -> Reader:
    """``constants``: our name to torch's argument, or to the number itself where torch has none."""

    def read(call: Call) -> Described:
        values = tuple(
            (name, float(call.arguments[where]) if isinstance(where, str) else where)
            for name, where in constants.items()
        )
        return Kind.ACTIVATION, Activation(function, values)

    return read


def _gelu(call: Call) -> Described:
    return Kind.ACTIVATION, Activation("gelu_tanh" if call.arguments.get("approximate") == "tanh" else "gelu")


def _clip(call: Call) -> Described:
    low, high = call.arguments.get("min"), call.arguments.get("max")
    if not all(bound is None or isinstance(bound, (int, float)) for bound in (low, high)):
        return Kind.ARITHMETIC, Pointwise("clip")
    low = float("-inf") if low is None else float(low)
    high = float("inf") if high is None else float(high)
    return Kind.ACTIVATION, Activation("clip", (("min", low), ("max", high)))


def _along_an_axis(function: str) -> Reader:
    def read(call: Call) -> Described:
        return Kind.ACTIVATION, Activation(function, axis=call.batchless(call.arguments["dim"], len(call.output)))

    return read


def _merge(function: str, kind: Kind) -> Reader:
    def read(call: Call) -> Described:
        if len(call.moving) > 1:
            return kind, Merge(function)
        return Kind.ARITHMETIC, Pointwise(function)

    return read


def _concat(call: Call) -> Described:
    return Kind.CONCAT, Merge("concat", call.batchless(int(call.arguments["dim"]), len(call.output)))


def _pad(call: Call) -> Described:
    """torch lists (before, after) from the last axis backwards."""
    given = [int(p) for p in call.arguments.get("pad") or call.arguments.get("padding") or ()]
    pairs = list(zip(given[::2], given[1::2], strict=True))[::-1]
    rank = call.spatial_rank
    outside, spatial = pairs[: max(0, len(pairs) - rank)], pairs[max(0, len(pairs) - rank) :]
    if any(pair != (0, 0) for pair in outside):
        return Kind.PADDING, Whole(call.op)
    spatial = [(0, 0)] * (rank - len(spatial)) + spatial
    value = float(call.arguments.get("value") or 0.0)
    mode = next((ours for theirs, ours in _PAD_MODES.items() if theirs in call.op), None)
    mode = mode or _PAD_MODES[str(call.arguments.get("mode", "constant"))]
    if mode == "zeros" and value:
        mode = "constant"
    return Kind.PADDING, Pad(tuple(spatial), mode, value)


_PAD_MODES = {
    "reflection": "reflect",
    "replication": "replicate",
    "constant": "zeros",
    "reflect": "reflect",
    "replicate": "replicate",
    "circular": "circular",
}


def _resize(mode: str, coordinates: str = "half_pixel") -> Reader:
    def read(call: Call) -> Described:
        rank = call.spatial_rank
        before, after = call.before[-rank:], call.output[-rank:]
        scale = tuple(Fraction(o, i) for i, o in zip(before, after, strict=True))
        corners = bool(call.arguments.get("align_corners", False))
        return Kind.RESIZE, Resize(mode, scale, corners, "align_corners" if corners else coordinates)

    return read


def _slice(call: Call) -> Described:
    rank = len(call.before)
    axis = int(call.arguments.get("dim") or 0) % rank
    start, step = [0] * rank, [1] * rank
    size, first = call.before[axis], int(call.arguments.get("start") or 0)
    start[axis] = min(max(first + size if first < 0 else first, 0), size)
    step[axis] = int(call.arguments.get("step") or 1)
    return Kind.RESHAPE, Slice(tuple(start[2:]), tuple(step[2:]))


def _split(call: Call) -> Described:
    rank = len(call.before)
    if int(call.arguments.get("dim") or 0) % rank < 2:
        return Kind.RESHAPE, Slice((0,) * (rank - 2), (1,) * (rank - 2))
    return Kind.RESHAPE, Whole(call.op)


def _reshape(call: Call) -> Described:
    before = call.before
    same_places = len(before) > 2 and before[2:] == call.output[2:]
    return Kind.RESHAPE, Reshape(call.op, aligned=same_places)


def _squeeze(call: Call) -> Described:
    before = [n for n in call.before[1:] if n != 1]
    after = [n for n in call.output[1:] if n != 1]
    return Kind.RESHAPE, Reshape(call.op, aligned=before == after)


def _permute(call: Call) -> Described:
    order = list(range(len(call.before)))
    if call.op == "permute":
        order = [int(axis) % len(order) for axis in call.arguments["dims"]]
    elif call.op in ("transpose", "swapaxes"):
        first, second = (int(call.arguments[name]) for name in ("dim0", "dim1"))
        order[first], order[second] = order[second], order[first]
    else:
        order.reverse()
    spatial = [axis for axis in order if axis >= 2]
    return Kind.RESHAPE, Reshape(call.op, aligned=order[:1] == [0] and spatial == sorted(spatial))


def _plain(function: str, kind: Kind) -> Reader:
    return lambda _: (kind, Pointwise(function))


def _opaque(kind: Kind) -> Reader:
    def read(call: Call) -> Described:
        return kind, Whole(call.op)

    return read


def _reordered(call: Call) -> Described:
    return Kind.RESHAPE, Reshape(call.op)


def _point_by_point(call: Call) -> Described:
    if len(call.moving) > 1:
        return Kind.ARITHMETIC, Merge(call.op)
    return Kind.ARITHMETIC, Pointwise(call.op)


def _each(names: str, reader: Reader) -> dict[str, Reader]:
    return dict.fromkeys(names.split(), reader)


READERS: dict[str, Reader] = {
    **_each(
        "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution _convolution"
        " mkldnn_convolution cudnn_convolution cudnn_convolution_transpose",
        _convolution,
    ),
    "linear": _linear,
    **_each("matmul mm addmm", _matrix_product),
    **_each(
        "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices",
        _pooling("max"),
    ),
    **_each("avg_pool1d avg_pool2d avg_pool3d", _pooling("average")),
    **_each(
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d",
        _adaptive_pooling("average"),
    ),
    **_each("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", _adaptive_pooling("max")),
    "mean": _reduction("mean"),
    **_each("max amax", _reduction("max")),
    **_each("min amin", _reduction("min")),
    "sum": _reduction("sum"),
    "prod": _reduction("product"),
    **_each(
        "batch_norm native_batch_norm cudnn_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training"
        " _batch_norm_no_update",
        _batch_normalisation,
    ),
    "instance_norm": _instance_normalisation,
    **_each("group_norm native_group_norm", _group_normalisation),
    **_each("layer_norm native_layer_norm", _layer_normalisation("layer")),
    **_each("rms_norm _fused_rms_norm", _layer_normalisation("rms")),
    "relu": _activation("relu"),
    "relu6": _activation("clip", min=0.0, max=6.0),
    "hardtanh": _activation("clip", min="min_val", max="max_val"),
    **_each("clamp clip clamp_min clamp_max", _clip),
    "leaky_relu": _activation("leaky_relu", alpha="negative_slope"),
    "rrelu": _activation("rrelu", lower="lower", upper="upper"),
    **_each("prelu _prelu_kernel", _activation("prelu")),
    "elu": _activation("elu", alpha="alpha"),
    "celu": _activation("celu", alpha="alpha"),
    "selu": _activation("selu", alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "gelu": _gelu,
    "silu": _activation("swish", alpha=1.0),
    "mish": _activation("mish"),
    "sigmoid": _activation("sigmoid"),
    **_each("log_sigmoid log_sigmoid_forward", _activation("log_sigmoid")),
    "tanh": _activation("tanh"),
    "softplus": _activation("softplus", beta="beta", threshold="threshold"),
    "hardsigmoid": _activation("hard_sigmoid", alpha=1 / 6, beta=0.5),
    "hardswish": _activation("hard_swish"),
    "hardshrink": _activation("hard_shrink", lambd="lambd"),
    "softshrink": _activation("soft_shrink", lambd="lambd"),
    "threshold": _activation("threshold", threshold="threshold", value="value"),
    "erf": _activation("erf"),
    **_each("softmax _softmax", _along_an_axis("softmax")),
    **_each("log_softmax _log_softmax", _along_an_axis("log_softmax")),
    "glu": _along_an_axis("glu"),
    "add": _merge("add", Kind.ADD),
    "sub": _merge("subtract", Kind.ARITHMETIC),
    "rsub": _merge("subtract", Kind.ARITHMETIC),
    "mul": _merge("multiply", Kind.MULTIPLY),
    "div": _merge("divide", Kind.ARITHMETIC),
    "maximum": _merge("maximum", Kind.ARITHMETIC),
    "minimum": _merge("minimum", Kind.ARITHMETIC),
    "pow": _merge("power", Kind.ARITHMETIC),
    "where": _merge("where", Kind.ARITHMETIC),
    **_each("cat concat concatenate", _concat),
    "stack": lambda call: (Kind.CONCAT, Merge("stack", call.batchless(int(call.arguments["dim"]), len(call.output)))),
    **_each(
        "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d"
        " replication_pad3d",
        _pad,
    ),
    **_each("upsample_nearest1d upsample_nearest2d upsample_nearest3d", _resize("nearest", "asymmetric")),
    **_each("_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d", _resize("nearest")),
    **_each(
        "upsample_linear1d upsample_bilinear2d upsample_trilinear3d _upsample_bilinear2d_aa",
        _resize("linear"),
    ),
    **_each("upsample_bicubic2d _upsample_bicubic2d_aa", _resize("cubic")),
    **_each("slice narrow", _slice),
    **_each("chunk split split_with_sizes unsafe_chunk unsafe_split tensor_split", _split),
    **_each("view reshape flatten unflatten _unsafe_view _reshape_alias view_as reshape_as", _reshape),
    **_each("squeeze unsqueeze", _squeeze),
    **_each("permute transpose swapaxes t numpy_T", _permute),
    **_each("pixel_shuffle pixel_unshuffle channel_shuffle", _reordered),
    **_each(
        "expand expand_as repeat tile select index index_select gather unbind roll flip unfold as_strided movedim",
        _opaque(Kind.RESHAPE),
    ),
    **_each(
        "dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout", _plain("dropout", Kind.DROPOUT)
    ),
    **_each("to _to_copy type_as", _plain("cast", Kind.PLUMBING)),
    **_each("lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", _opaque(Kind.RECURRENT)),
    **_each(
        "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu _native_multi_head_attention"
        " _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention _transformer_encoder_layer_fwd",
        _opaque(Kind.ATTENTION),
    ),
    **_each("quantize_per_tensor quantize_per_channel", _plain("quantise", Kind.QUANTISE)),
    "dequantize": _plain("dequantise", Kind.QUANTISE),
}

_NORMALISATIONS = {READERS[op] for op in ("batch_norm", "instance_norm", "group_norm", "layer_norm", "rms_norm")}
_KERNEL = {"weight": "kernel", "bias": "bias"}
_STATISTICS = {"running_mean": "mean", "running_var": "variance", "weight": "scale", "bias": "shift"}

ROLES: dict[str, dict[str, str]] = {
    **{op: _KERNEL for op, reader in READERS.items() if reader is _convolution},
    **{
        op: _STATISTICS for op in READERS if op.removesuffix("_no_update").endswith(("_norm", "_legit", "_no_training"))
    },
    "linear": {"weight": "weight", "bias": "bias"},
    "prelu": {"weight": "slope"},
    "_prelu_kernel": {"weight": "slope"},
    "embedding": {"weight": "weight"},
    "addmm": {"mat2": "matrix", "self": "bias"},
    "mm": {"mat2": "matrix"},
    "matmul": {"other": "matrix"},
}
"""Which argument of an operator is which weight. ``matrix`` is (in, out): the transpose of a dense ``weight``."""
