"""What each torch operator is, as data: a table from its word to the reader of its arguments."""

from __future__ import annotations

from convlens.engines.torch import arranged, computed, windowed
from convlens.engines.torch.calls import Call, Described, Reader
from convlens.engines.torch.reordering import REORDERING
from convlens.network import Activation, Kind, Pointwise, Pooling, Reshape, Resize, Slice, Whole


def describe(call: Call) -> Described:
    """Kind and operation of a call; an operator that convlens doesn't know is one opaque layer."""
    reader = READERS.get(call.op)
    if reader is not None:
        return reader(call)
    if call.pointwise:
        return computed.pointwise(call)
    return Kind.OTHER, Whole(call.op)


def described_elsewhere(call: Call) -> Described:
    """An operator of another library than PyTorch's own: its kind, as far as its name says it; no arithmetic."""
    return _KINDS.get(call.op.removesuffix("_relu"), Kind.OTHER), Whole(call.op)


_KINDS = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d"), Kind.CONVOLUTION),
    "linear": Kind.DENSE,
    "add": Kind.ADD,
    "mul": Kind.MULTIPLY,
    "cat": Kind.CONCAT,
}


def described_quantised(call: Call) -> Described:
    """One of PyTorch's own operators on a value that is stored in whole numbers and shown as the real ones.

    What copies, and what picks the largest, does the same to both. Anything else rounds its result to the steps of its
    own scale, which nothing here says.
    """
    kind, operation = describe(call)
    match operation:
        case Reshape() | Slice() | Resize(mode="nearest") | Pooling(mode="max") | Activation(function="relu"):
            return kind, operation
        case _ if call.op == "dequantize":
            return kind, Pointwise("identity")
        case _ if call.op in REORDERING:
            return kind, operation
        case Pointwise() | Activation():
            return kind, Pointwise("quantised")
        case _:
            return kind, Whole(call.op)


def _plain(function: str, kind: Kind) -> Reader:
    return lambda _: (kind, Pointwise(function))


def _opaque(kind: Kind) -> Reader:
    return lambda call: (kind, Whole(call.op))


def _each(words: str, reader: Reader) -> dict[str, Reader]:
    return dict.fromkeys(words.split(), reader)


_CONVOLUTIONS = (
    "conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution _convolution"
    " mkldnn_convolution cudnn_convolution cudnn_convolution_transpose"
)
_BATCH_NORMS = (
    "batch_norm native_batch_norm cudnn_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training"
    " _batch_norm_no_update"
)
_SELU = {"alpha": 1.67326319217681884765625, "gamma": 1.05070102214813232421875}

READERS: dict[str, Reader] = {
    **_each(_CONVOLUTIONS, windowed.convolution),
    **_each(
        "max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices",
        windowed.pooling("max"),
    ),
    **_each("avg_pool1d avg_pool2d avg_pool3d", windowed.pooling("average")),
    **_each(
        "adaptive_avg_pool1d adaptive_avg_pool2d adaptive_avg_pool3d _adaptive_avg_pool2d _adaptive_avg_pool3d",
        windowed.adaptive_pooling("average"),
    ),
    **_each("adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d", windowed.adaptive_pooling("max")),
    **_each(
        "pad constant_pad_nd reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d"
        " replication_pad3d",
        windowed.pad,
    ),
    **_each("upsample_nearest1d upsample_nearest2d upsample_nearest3d", windowed.resize("nearest", "asymmetric")),
    **_each(
        "_upsample_nearest_exact1d _upsample_nearest_exact2d _upsample_nearest_exact3d",
        windowed.resize("nearest", rounding="round_prefer_ceil"),
    ),
    **_each("upsample_linear1d upsample_bilinear2d upsample_trilinear3d", windowed.resize("linear")),
    "upsample_bicubic2d": windowed.resize("cubic"),
    **_each("_upsample_bilinear2d_aa _upsample_bicubic2d_aa", _opaque(Kind.RESIZE)),
    "linear": computed.linear,
    "addmm": computed.addmm,
    **_each("matmul mm bmm", computed.matrix_product),
    "mean": computed.reduction("mean"),
    **_each("max amax", computed.extreme("max", "maximum")),
    **_each("min amin", computed.extreme("min", "minimum")),
    "sum": computed.reduction("sum"),
    "prod": computed.reduction("product"),
    **_each(_BATCH_NORMS, computed.batch_norm),
    "instance_norm": computed.instance_norm,
    **_each("group_norm native_group_norm", computed.group_norm),
    **_each("layer_norm native_layer_norm", computed.layer_norm("layer")),
    **_each("rms_norm _fused_rms_norm", computed.layer_norm("rms")),
    "relu": computed.activation("relu"),
    "relu6": computed.activation("clip", min=0.0, max=6.0),
    "hardtanh": computed.activation("clip", min="min_val", max="max_val"),
    **_each("clamp clip clamp_min clamp_max", computed.clip),
    "leaky_relu": computed.activation("leaky_relu", alpha="negative_slope"),
    "rrelu": computed.activation("rrelu", lower="lower", upper="upper"),
    **_each("prelu _prelu_kernel", computed.activation("prelu")),
    "elu": computed.elu,
    "celu": computed.activation("celu", alpha="alpha"),
    "selu": computed.activation("selu", **_SELU),
    "gelu": computed.gelu,
    "silu": computed.activation("swish", alpha=1.0),
    "mish": computed.activation("mish"),
    "sigmoid": computed.activation("sigmoid"),
    **_each("log_sigmoid log_sigmoid_forward", computed.activation("log_sigmoid")),
    "tanh": computed.activation("tanh"),
    "softplus": computed.activation("softplus", beta="beta", threshold="threshold"),
    "hardsigmoid": computed.activation("hard_sigmoid", alpha=1 / 6, beta=0.5),
    "hardswish": computed.activation("hard_swish"),
    "hardshrink": computed.activation("hard_shrink", lambd="lambd"),
    "softshrink": computed.activation("soft_shrink", lambd="lambd"),
    "threshold": computed.activation("threshold", threshold="threshold", value="value"),
    "erf": computed.activation("erf"),
    **_each("softmax _softmax", computed.along_an_axis("softmax")),
    **_each("log_softmax _log_softmax", computed.along_an_axis("log_softmax")),
    "glu": computed.along_an_axis("glu"),
    "add": computed.merge("add", Kind.ADD),
    **_each("sub subtract rsub", computed.merge("subtract", Kind.ARITHMETIC)),
    **_each("mul multiply", computed.merge("multiply", Kind.MULTIPLY)),
    **_each("div divide true_divide", computed.merge("divide", Kind.ARITHMETIC)),
    "maximum": computed.merge("maximum", Kind.ARITHMETIC),
    "minimum": computed.merge("minimum", Kind.ARITHMETIC),
    "pow": computed.merge("power", Kind.ARITHMETIC),
    "where": computed.where,
    **_each("cat concat concatenate", arranged.concat),
    "stack": arranged.stack,
    **_each("slice narrow", arranged.slice_),
    **_each("chunk split split_with_sizes unsafe_chunk unsafe_split tensor_split", arranged.split),
    **_each("view reshape flatten unflatten _unsafe_view _reshape_alias view_as reshape_as", arranged.reshape),
    **_each("squeeze unsqueeze", arranged.squeeze),
    **_each("permute transpose swapaxes t numpy_T", arranged.permute),
    **_each("pixel_shuffle pixel_unshuffle channel_shuffle", arranged.reordered),
    **_each(
        "expand expand_as repeat tile select index index_select gather unbind roll flip unfold as_strided movedim",
        _opaque(Kind.RESHAPE),
    ),
    **_each(
        "dropout feature_dropout alpha_dropout feature_alpha_dropout native_dropout", _plain("dropout", Kind.DROPOUT)
    ),
    **_each("to _to_copy type_as", _plain("cast", Kind.PLUMBING)),
    "copy": arranged.copy,
    **_each("lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell", _opaque(Kind.RECURRENT)),
    **_each(
        "scaled_dot_product_attention _scaled_dot_product_flash_attention_for_cpu _native_multi_head_attention"
        " _scaled_dot_product_flash_attention _scaled_dot_product_efficient_attention _transformer_encoder_layer_fwd",
        _opaque(Kind.ATTENTION),
    ),
    **_each("quantize_per_tensor quantize_per_channel", _plain("quantise", Kind.QUANTISE)),
    "dequantize": _plain("dequantise", Kind.QUANTISE),
}

_KERNEL = {"weight": "kernel", "bias": "bias"}
_STATISTICS = {"running_mean": "mean", "running_var": "variance", "weight": "scale", "bias": "shift"}
_AFFINE = "instance_norm group_norm native_group_norm layer_norm native_layer_norm rms_norm _fused_rms_norm"

ROLES: dict[str, dict[str, str]] = {
    **dict.fromkeys(_CONVOLUTIONS.split(), _KERNEL),
    **dict.fromkeys(f"{_BATCH_NORMS} {_AFFINE}".split(), _STATISTICS),
    "linear": {"weight": "weight", "bias": "bias"},
    "prelu": {"weight": "slope"},
    "_prelu_kernel": {"weight": "slope"},
    "embedding": {"weight": "weight"},
    "addmm": {"mat2": "matrix", "self": "bias"},
    "mm": {"mat2": "matrix"},
    "matmul": {"other": "matrix"},
}
"""Which argument of an operator is which weight. ``matrix`` is (in, out): the transpose of a dense ``weight``."""

OPERANDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide"), ("self", "other")),
    **dict.fromkeys(("maximum", "minimum", "max", "min", "matmul"), ("self", "other")),
    "rsub": ("other", "self"),  # what is subtracted stands in front
    "pow": ("self", "exponent"),
    "where": ("condition", "self", "other"),
    **dict.fromkeys(("mm", "bmm"), ("self", "mat2")),
    **dict.fromkeys(("cat", "concat", "concatenate", "stack"), ("tensors",)),
}
"""The arguments that an operator puts together, in the order of its operands (a list has several); each may be a
constant."""
