"""What a node does, as data: operator and attributes to a kind and a typed operation, every default made explicit."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import prod

import numpy as np

from convlens.engines.onnx.call import Call, Described
from convlens.engines.onnx.layouts import to_first, to_last
from convlens.engines.onnx.windows import (
    convolution,
    over_the_map,
    pooling,
    transposed_convolution,
    whole_pooling,
)
from convlens.network import (
    Activation,
    Dense,
    Kind,
    Merge,
    Normalisation,
    Pad,
    Pointwise,
    Reshape,
    Resize,
    Slice,
    Whole,
)


def describe(call: Call) -> Described:
    """Kind and operation of a call; an operator that convlens doesn't know is one opaque layer.

    An operator's operation belongs to its first output; the others (indices, masks, states) are opaque.
    """
    reader = READERS.get(call.op)
    if reader is None or (call.output_index > 0 and call.op not in ("Split", "LSTM", "GRU", "RNN")):
        return Kind.OTHER, Whole(call.op.lower())
    try:
        return reader(call)
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        # Attributes that contradict the shapes: the runtime ran it all the same, so it is shown, without its formula.
        return Kind.OTHER, Whole(call.op.lower())


def _reduction(function: str) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        shape = call.shape(0)
        rank = len(shape)
        axes = call.integers(1, "axes")
        if call.has(1) and axes is None:
            return Kind.ARITHMETIC, Whole(function)
        if not axes:
            if call.attributes.get("noop_with_empty_axes"):
                return Kind.ARITHMETIC, Pointwise(function)
            axes = tuple(range(rank))
        reduced = {call.axis(a, rank) for a in axes}
        if rank > 2 and reduced == set(range(2, rank)) and function in ("mean", "max"):
            return Kind.POOLING, over_the_map("average" if function == "mean" else "max", shape[2:])
        if rank > 2 and reduced == {1}:
            return Kind.ARITHMETIC, Pointwise(function)
        return Kind.ARITHMETIC, Whole(function)

    return read


def _batch_normalisation(call: Call) -> Described:
    return Kind.NORMALISATION, Normalisation("batch", float(call.attributes.get("epsilon", 1e-5)))


def _instance_normalisation(call: Call) -> Described:
    axes = tuple(range(1, len(call.output) - 1))
    return Kind.NORMALISATION, Normalisation("instance", float(call.attributes.get("epsilon", 1e-5)), axes=axes)


def _group_normalisation(call: Call) -> Described:
    groups = int(call.attributes.get("num_groups", 1))
    axes = tuple(range(len(call.output) - 1))
    return Kind.NORMALISATION, Normalisation("group", float(call.attributes.get("epsilon", 1e-5)), groups, axes)


def _layer_normalisation(mode: str) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        rank = len(call.shape(0))
        first = int(call.attributes.get("axis", -1)) % rank
        axes = tuple(sorted(call.batchless(a, rank) for a in range(first, rank)))
        return Kind.NORMALISATION, Normalisation(mode, float(call.attributes.get("epsilon", 1e-5)), axes=axes)

    return read


def _local_response(_: Call) -> Described:
    return Kind.NORMALISATION, Normalisation("local_response")


def _activation(function: str, **defaults: float) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        constants = tuple((name, float(call.attributes.get(name, value))) for name, value in defaults.items())
        return Kind.ACTIVATION, Activation(function, constants)

    return read


def _gelu(call: Call) -> Described:
    approximate = call.attributes.get("approximate", b"none") in (b"tanh", "tanh")
    return Kind.ACTIVATION, Activation("gelu_tanh" if approximate else "gelu")


def _clip(call: Call) -> Described:
    low, high = call.number(1, "min", -np.inf), call.number(2, "max", np.inf)
    return Kind.ACTIVATION, Activation("clip", (("min", low), ("max", high)))


def _softmax(function: str) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        rank = len(call.output)
        old = call.opset < 13
        axis = int(call.attributes.get("axis", 1 if old else -1)) % rank
        if old and axis != rank - 1 and prod(call.output[axis + 1 :]) > 1:
            return Kind.ACTIVATION, Whole(function)  # before opset 13 all axes from this one on share one sum
        return Kind.ACTIVATION, Activation(function, axis=call.batchless(axis, rank))

    return read


def _gemm(call: Call) -> Described:
    if call.moving[1] and not call.moving[0]:
        return Kind.ARITHMETIC, Whole("gemm")
    rows, columns = call.shape(1)
    transposed = bool(call.attributes.get("transB", 0))
    bias = call.has(2) and float(call.attributes.get("beta", 1.0)) != 0.0
    return Kind.DENSE, Dense(columns if transposed else rows, rows if transposed else columns, bias)


def _matmul(weight_index: int) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        if not call.moving[0] or call.moving[weight_index] or len(call.shape(weight_index)) != 2:
            return Kind.ARITHMETIC, Whole("matmul")
        rows, columns = call.shape(weight_index)
        per_position = len(call.output) > (2 if call.batched else 1)
        return Kind.DENSE, Dense(rows, columns, bias=False, per_position=per_position)

    return read


def _merge(function: str, kind: Kind) -> Callable[[Call], Described]:
    def read(call: Call) -> Described:
        if sum(call.moving) < 2:
            return Kind.ARITHMETIC, Pointwise(function)
        return kind, Merge(function)

    return read


def _concat(call: Call) -> Described:
    axis = int(call.attributes.get("axis", 1))
    return Kind.CONCAT, Merge("concat", call.batchless(axis, len(call.output)))


def _pad(call: Call) -> Described:
    rank = len(call.output)
    pads = call.integers(1, "pads") or tuple(call.attributes.get("paddings", ()))
    axes = call.integers(3, "axes") or tuple(range(rank))
    if len(pads) != 2 * len(axes):
        return Kind.PADDING, Whole("pad")
    each = dict.fromkeys(range(rank), (0, 0))
    for place, axis in enumerate(axes):
        each[call.axis(axis, rank)] = (int(pads[place]), int(pads[place + len(axes)]))
    if any(each[axis] != (0, 0) for axis in range(min(2, rank))):
        return Kind.PADDING, Whole("pad")
    value = call.number(2, "value", 0.0)
    stated = call.attributes.get("mode", b"constant")
    mode = stated.decode() if isinstance(stated, bytes) else str(stated)
    if mode == "constant":
        mode = "constant" if value else "zeros"
    else:
        mode = {"edge": "replicate", "wrap": "circular"}.get(mode, mode)
    return Kind.PADDING, Pad(tuple(each[a] for a in range(2, rank)), mode, value if mode == "constant" else 0.0)


def _resize(call: Call) -> Described:
    stated = call.attributes.get("mode", b"nearest")
    mode = stated.decode() if isinstance(stated, bytes) else str(stated)
    default = b"asymmetric" if call.op == "Upsample" or call.opset < 11 else b"half_pixel"
    coordinates = call.attributes.get("coordinate_transformation_mode", default)
    coordinates = coordinates.decode() if isinstance(coordinates, bytes) else str(coordinates)
    before, after = call.shape(0), call.output
    if len(before) < 3 or before[:2] != after[:2]:
        return Kind.RESIZE, Whole(call.op.lower())
    scale = tuple(Fraction(o, i) for i, o in zip(before[2:], after[2:], strict=True))
    mode = "linear" if mode in ("linear", "bilinear") else mode
    return Kind.RESIZE, Resize(mode, scale, coordinates == "align_corners", coordinates)


def _slice(call: Call) -> Described:
    shape = call.shape(0)
    rank = len(shape)
    starts, axes = call.integers(1, "starts"), call.integers(3, "axes")
    steps = call.integers(4, "steps")
    if starts is None or (call.has(3) and axes is None) or (call.has(4) and steps is None):
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
    return Kind.RESHAPE, Slice(tuple(start[2:]), tuple(step[2:]))


def _split(call: Call) -> Described:
    rank = len(call.shape(0))
    axis = call.axis(int(call.attributes.get("axis", 0)), rank)
    if axis < 2:
        return Kind.RESHAPE, Slice((0,) * max(0, rank - 2), (1,) * max(0, rank - 2))
    sizes = call.integers(1, "split")
    if sizes is None:
        count = int(call.attributes.get("num_outputs", 0))
        chunk = -(-call.shape(0)[axis] // count) if count else call.output[axis]
        first = chunk * call.output_index
    else:
        first = sum(sizes[: call.output_index])
    start = [first if a == axis else 0 for a in range(2, rank)]
    return Kind.RESHAPE, Slice(tuple(start), (1,) * (rank - 2))


def _reshape(call: Call) -> Described:
    before, after = call.shape(0), call.output
    return Kind.RESHAPE, Reshape(call.op.lower(), aligned=len(before) > 2 and before[2:] == after[2:])


def _squeeze(call: Call) -> Described:
    before = [n for n in call.shape(0)[1:] if n != 1]
    after = [n for n in call.output[1:] if n != 1]
    return Kind.RESHAPE, Reshape(call.op.lower(), aligned=before == after)


def _transpose(call: Call) -> Described:
    rank = len(call.output)
    order = [int(a) for a in call.attributes.get("perm") or reversed(range(rank))]
    spatial = [a for a in order if a >= 2]
    kept = order[:1] == [0] and spatial == sorted(spatial)
    return Kind.RESHAPE, Reshape("transpose", aligned=kept or to_first(order) or to_last(order))


def _block(function: str) -> Callable[[Call], Described]:
    def read(_: Call) -> Described:
        return Kind.RESHAPE, Reshape(function)

    return read


def _pointwise(function: str, kind: Kind) -> Callable[[Call], Described]:
    def read(_: Call) -> Described:
        return kind, Pointwise(function)

    return read


def _whole(function: str, kind: Kind) -> Callable[[Call], Described]:
    def read(_: Call) -> Described:
        return kind, Whole(function)

    return read


READERS: dict[str, Callable[[Call], Described]] = {
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
    "BatchNormalization": _batch_normalisation,
    "InstanceNormalization": _instance_normalisation,
    "GroupNormalization": _group_normalisation,
    "LayerNormalization": _layer_normalisation("layer"),
    "SimplifiedLayerNormalization": _layer_normalisation("rms"),
    "RMSNormalization": _layer_normalisation("rms"),
    "LRN": _local_response,
    "Relu": _activation("relu"),
    "LeakyRelu": _activation("leaky_relu", alpha=0.01),
    "QLinearLeakyRelu": _activation("leaky_relu", alpha=0.01),
    "PRelu": _activation("prelu"),
    "ThresholdedRelu": _activation("thresholded_relu", alpha=1.0),
    "Sigmoid": _activation("sigmoid"),
    "QLinearSigmoid": _activation("sigmoid"),
    "HardSigmoid": _activation("hard_sigmoid", alpha=0.2, beta=0.5),
    "HardSwish": _activation("hard_swish"),
    "Swish": _activation("swish", alpha=1.0),
    "Tanh": _activation("tanh"),
    "Elu": _activation("elu", alpha=1.0),
    "Celu": _activation("celu", alpha=1.0),
    "Selu": _activation("selu", alpha=1.67326319217681884765625, gamma=1.05070102214813232421875),
    "Softplus": _activation("softplus"),
    "Softsign": _activation("softsign"),
    "Mish": _activation("mish"),
    "Erf": _activation("erf"),
    "Gelu": _gelu,
    "FastGelu": _activation("gelu_tanh"),
    "QuickGelu": _activation("swish", alpha=1.702),
    "Clip": _clip,
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "Hardmax": _softmax("hardmax"),
    "Gemm": _gemm,
    "FusedGemm": _gemm,
    "MatMul": _matmul(1),
    "MatMulInteger": _matmul(1),
    "QLinearMatMul": _matmul(3),
    "Add": _merge("add", Kind.ADD),
    "Sum": _merge("add", Kind.ADD),
    "QLinearAdd": _merge("add", Kind.ADD),
    "Sub": _merge("subtract", Kind.ARITHMETIC),
    "Mul": _merge("multiply", Kind.MULTIPLY),
    "QLinearMul": _merge("multiply", Kind.MULTIPLY),
    "Div": _merge("divide", Kind.ARITHMETIC),
    "Max": _merge("maximum", Kind.ARITHMETIC),
    "Min": _merge("minimum", Kind.ARITHMETIC),
    "Mean": _merge("mean", Kind.ARITHMETIC),
    "Pow": _merge("power", Kind.ARITHMETIC),
    "Where": _merge("where", Kind.ARITHMETIC),
    "Concat": _concat,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    "Slice": _slice,
    "Split": _split,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "Squeeze": _squeeze,
    "Unsqueeze": _squeeze,
    "Transpose": _transpose,
    "DepthToSpace": _block("depth_to_space"),
    "SpaceToDepth": _block("space_to_depth"),
    "Expand": _whole("expand", Kind.RESHAPE),
    "Tile": _whole("tile", Kind.RESHAPE),
    "Gather": _whole("gather", Kind.RESHAPE),
    "ReduceMean": _reduction("mean"),
    "ReduceMax": _reduction("max"),
    "ReduceMin": _reduction("min"),
    "ReduceSum": _reduction("sum"),
    "ReduceProd": _reduction("product"),
    "ReduceL1": _reduction("l1"),
    "ReduceL2": _reduction("l2"),
    "Dropout": _pointwise("dropout", Kind.DROPOUT),
    "Identity": _pointwise("identity", Kind.RESHAPE),
    "Cast": _pointwise("cast", Kind.ARITHMETIC),
    "CastLike": _pointwise("cast", Kind.ARITHMETIC),
    "QuantizeLinear": _pointwise("quantise", Kind.QUANTISE),
    "DequantizeLinear": _pointwise("dequantise", Kind.QUANTISE),
    "DynamicQuantizeLinear": _whole("quantise", Kind.QUANTISE),
    "LSTM": _whole("lstm", Kind.RECURRENT),
    "GRU": _whole("gru", Kind.RECURRENT),
    "RNN": _whole("rnn", Kind.RECURRENT),
    "Attention": _whole("attention", Kind.ATTENTION),
    "MultiHeadAttention": _whole("attention", Kind.ATTENTION),
    "GroupQueryAttention": _whole("attention", Kind.ATTENTION),
    **{
        op: _pointwise(op.lower(), Kind.ARITHMETIC)
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
            "Sign",
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
            "Shrink",
            "BitwiseNot",
        ]
    },
    **{
        op: _merge(op.lower(), Kind.ARITHMETIC)
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
