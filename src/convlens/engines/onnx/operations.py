"""What a node does, as data: operator and attributes to a kind and a typed operation, every default made explicit."""

from __future__ import annotations

from convlens.engines.onnx.call import Call, Described
from convlens.engines.onnx.computing import (
    MERGES,
    Reader,
    activation,
    batch_normalisation,
    cast,
    clip,
    dropout,
    gelu,
    gemm,
    group_normalisation,
    instance_normalisation,
    layer_normalisation,
    local_response,
    matmul,
    merge,
    pointwise,
    reduction,
    softmax,
    whole,
)
from convlens.engines.onnx.moving import block, concat, pad, reshape, resize, slice_, split, squeeze, transpose
from convlens.engines.onnx.windows import convolution, pooling, transposed_convolution, whole_pooling
from convlens.network import RANDOM, Kind, Pointwise, Whole


def describe(call: Call) -> Described:
    """Kind and operation of a call; an operator that convlens doesn't know is one opaque layer.

    An operator's operation belongs to its first output; the others (indices, masks, states) are opaque.
    """
    if call.op in _RANDOM_OF_EACH and call.output_index == 0:
        return Kind.OTHER, Pointwise(RANDOM)
    reader = READERS.get(call.op)
    if reader is None or (call.output_index > 0 and call.op not in ("Split", "LSTM", "GRU", "RNN")):
        return Kind.OTHER, Whole(call.op.lower())
    try:
        kind, operation = reader(call)
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        # Attributes that contradict the shapes: the runtime ran it all the same, so it is shown, without its formula.
        return Kind.OTHER, Whole(call.op.lower())
    if operation == Whole("constant"):  # of a value that is read, it has the type alone
        return kind, operation
    if call.op not in ACROSS and not call.in_place(next((n for n, read in enumerate(call.read) if read), 0)):
        operation = Whole(call.op.lower())  # as they are shown, values don't stand where they are read
    return kind, operation


ACROSS = frozenset(
    (
        *MERGES,
        *("QLinearAdd", "QLinearMul", "Concat", "Gemm", "FusedGemm", "MatMul", "MatMulInteger", "QLinearMatMul"),
        *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "Expand", "Tile", "Gather"),
        *("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd", "ReduceL1", "ReduceL2"),
        *("LSTM", "GRU", "RNN", "Attention", "MultiHeadAttention", "GroupQueryAttention"),
    )
)
"""Operators whose readers see for themselves how what they read is shown; all others read and make the same axes."""
_RANDOM_OF_EACH = ("Bernoulli",)
"""Operators that draw each value by the one in its place."""

READERS: dict[str, Reader] = {
    "Conv": convolution(1, 2),
    "FusedConv": convolution(1, 2),
    "ConvInteger": convolution(1, 99),
    "QLinearConv": convolution(3, 8),
    "ConvTranspose": transposed_convolution,
    "MaxPool": pooling("max"),
    "AveragePool": pooling("average"),
    "QLinearAveragePool": pooling("average"),
    "LpPool": pooling("lp"),
    "GlobalMaxPool": whole_pooling("max"),
    "GlobalAveragePool": whole_pooling("average"),
    "QLinearGlobalAveragePool": whole_pooling("average"),
    "GlobalLpPool": whole_pooling("lp"),
    "BatchNormalization": batch_normalisation,
    "InstanceNormalization": instance_normalisation,
    "GroupNormalization": group_normalisation,
    "LayerNormalization": layer_normalisation("layer"),
    "SimplifiedLayerNormalization": layer_normalisation("rms"),
    "RMSNormalization": layer_normalisation("rms"),
    "LRN": local_response,
    "Relu": activation("relu"),
    "LeakyRelu": activation("leaky_relu", alpha=0.01),
    "QLinearLeakyRelu": activation("leaky_relu", alpha=0.01),
    "PRelu": activation("prelu"),
    "ThresholdedRelu": activation("thresholded_relu", alpha=1.0),
    "Sigmoid": activation("sigmoid"),
    "QLinearSigmoid": activation("sigmoid"),
    "HardSigmoid": activation("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": activation("hard_swish"),
    "Swish": activation("swish", alpha=1.0),
    "Tanh": activation("tanh"),
    "Elu": activation("elu", alpha=1.0),
    "Celu": activation("celu", alpha=1.0),
    "Selu": activation("selu", alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Softplus": activation("softplus"),
    "Softsign": activation("softsign"),
    "Mish": activation("mish"),
    "Erf": activation("erf"),
    "Gelu": gelu,
    "FastGelu": activation("gelu_tanh"),
    "QuickGelu": activation("swish", alpha=1.702),
    "Clip": clip,
    "Shrink": activation("shrink", lambd=0.5, bias=0.0),
    "Softmax": softmax("softmax"),
    "LogSoftmax": softmax("log_softmax"),
    "Hardmax": softmax("hardmax"),
    "Gemm": gemm,
    "FusedGemm": gemm,
    "MatMul": matmul(1),
    "MatMulInteger": matmul(1),
    "QLinearMatMul": matmul(3),
    "Add": merge("add", Kind.ADD),
    "Sum": merge("add", Kind.ADD),
    "QLinearAdd": merge("add", Kind.ADD),
    "Sub": merge("subtract", Kind.ARITHMETIC),
    "Mul": merge("multiply", Kind.MULTIPLY),
    "QLinearMul": merge("multiply", Kind.MULTIPLY),
    "Div": merge("divide", Kind.ARITHMETIC),
    "Max": merge("maximum", Kind.ARITHMETIC),
    "Min": merge("minimum", Kind.ARITHMETIC),
    "Mean": merge("mean", Kind.ARITHMETIC),
    "Pow": merge("power", Kind.ARITHMETIC),
    "Where": merge("where", Kind.ARITHMETIC),
    "Concat": concat,
    "Pad": pad,
    "Resize": resize,
    "Upsample": resize,
    "Slice": slice_,
    "Split": split,
    "Flatten": reshape,
    "Reshape": reshape,
    "Squeeze": squeeze,
    "Unsqueeze": squeeze,
    "Transpose": transpose,
    "DepthToSpace": block("depth_to_space"),
    "SpaceToDepth": block("space_to_depth"),
    "Expand": whole("expand", Kind.RESHAPE),
    "Tile": whole("tile", Kind.RESHAPE),
    "Gather": whole("gather", Kind.RESHAPE),
    "ReduceMean": reduction("mean"),
    "ReduceMax": reduction("max"),
    "ReduceMin": reduction("min"),
    "ReduceSum": reduction("sum"),
    "ReduceProd": reduction("product"),
    "ReduceL1": reduction("l1"),
    "ReduceL2": reduction("l2"),
    "Dropout": dropout,
    "Identity": pointwise("identity", Kind.RESHAPE),
    "Cast": cast,
    "CastLike": cast,
    "Sign": pointwise("signum", Kind.ARITHMETIC),
    "QuantizeLinear": pointwise("quantise", Kind.QUANTISE),
    "DequantizeLinear": pointwise("dequantise", Kind.QUANTISE),
    "DynamicQuantizeLinear": whole("quantise", Kind.QUANTISE),
    "LSTM": whole("lstm", Kind.RECURRENT),
    "GRU": whole("gru", Kind.RECURRENT),
    "RNN": whole("rnn", Kind.RECURRENT),
    "Attention": whole("attention", Kind.ATTENTION),
    "MultiHeadAttention": whole("attention", Kind.ATTENTION),
    "GroupQueryAttention": whole("attention", Kind.ATTENTION),
    **{
        op: pointwise(op.lower(), Kind.ARITHMETIC)
        for op in [
            "Abs",
            "Neg",
            "Exp",
            "Log",
            "Sqrt",
            "Reciprocal",
            "Floor",
            "Ceil",
            "Round",
            "Sin",
            "Cos",
            "Tan",
            "Asin",
            "Acos",
            "Atan",
            "Sinh",
            "Cosh",
            "Asinh",
            "Acosh",
            "Atanh",
            "Not",
            "IsNaN",
            "IsInf",
            "BitwiseNot",
        ]
    },
    **{
        op: merge(op.lower(), Kind.ARITHMETIC)
        for op in [
            "Equal",
            "Greater",
            "GreaterOrEqual",
            "Less",
            "LessOrEqual",
            "And",
            "Or",
            "Xor",
            "Mod",
            "BitShift",
            "BitwiseAnd",
            "BitwiseOr",
            "BitwiseXor",
        ]
    },
}
