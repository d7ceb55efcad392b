"""Products with matrices, normalisations, merges and reductions."""

from __future__ import annotations

import keras  # noqa: TID251

from convlens.engines.keras.calls import Call, Reader, Reading, snake_case
from convlens.engines.keras.layout import LAST
from convlens.engines.keras.windows import whole_pooling
from convlens.network import Dense, Kind, Merge, Normalisation, Operation, Pointwise, Whole


def _dense(call: Call) -> Reading:
    features, out = int(call.op.kernel.shape[0]), int(call.op.units)
    return Reading(Kind.DENSE, Dense(features, out, bool(call.op.use_bias), per_position=len(call.input) > 2))


def _matmul(call: Call) -> Reading:
    second = call.argument(1, "x2")
    if call.merges or len(getattr(second, "shape", ())) != 2:
        return Reading(Kind.ARITHMETIC, Whole("matmul"))
    rows, columns = (int(n) for n in second.shape)
    return Reading(Kind.DENSE, Dense(rows, columns, bias=False, per_position=len(call.input) > 2))


def _normalisation(mode: str) -> Reader:
    def reading(call: Call) -> Reading:
        op = call.op
        axis = getattr(op, "axis", -1)
        axes = tuple(sorted(call.axis(int(a)) for a in ([axis] if isinstance(axis, int) else axis)))
        epsilon = float(getattr(op, "epsilon", 0.0) or 0.0)
        if mode == "batch":
            return Reading(Kind.NORMALISATION, Normalisation("batch", epsilon))
        if mode == "group":
            groups = int(op.groups) if op.groups != -1 else call.in_channels
            everything = tuple(range(call.rank - 1))
            return Reading(Kind.NORMALISATION, Normalisation("group", epsilon, groups, everything))
        return Reading(Kind.NORMALISATION, Normalisation(mode, epsilon, axes=axes))

    return reading


def _merge_or_pointwise(call: Call, function: str) -> Operation:
    return Merge(function) if call.merges else Pointwise(function)


def _merge(function: str, kind: Kind) -> Reader:
    def reading(call: Call) -> Reading:
        return Reading(kind if call.merges else Kind.ARITHMETIC, _merge_or_pointwise(call, function))

    return reading


def _concat(call: Call) -> Reading:
    return Reading(Kind.CONCAT, Merge("concat", call.axis(int(getattr(call.op, "axis", -1)))))


def _einsum_dense(call: Call) -> Reading:
    kernel = tuple(call.op.kernel.shape)
    if len(kernel) == 2 and call.input[:-1] == call.output[:-1]:
        bias = call.op.bias is not None
        return Reading(Kind.DENSE, Dense(kernel[0], kernel[1], bias, per_position=len(call.input) > 2))
    return Reading(Kind.DENSE, Whole("einsum"))


def _average(call: Call) -> Reading:
    return Reading(Kind.ARITHMETIC, Merge("mean") if call.merges else Whole("mean"))


def _reduction(function: str) -> Reader:
    """Mean, maximum, ... over axes: global pooling where it takes exactly the spatial axes, else all is read."""

    def reading(call: Call) -> Reading:
        rank, axis = len(call.input), getattr(call.op, "axis", None)
        axes = tuple(range(rank)) if axis is None else (axis,) if isinstance(axis, int) else tuple(axis)
        ours = sorted(a % rank for a in axes) if rank else []
        spatial = list(range(1, rank - 1)) if call.layout == LAST else list(range(2, rank))
        mode = {"mean": "average", "max": "max"}.get(function)
        if mode and spatial and ours == spatial:
            return whole_pooling(mode)(call)
        if ours == [rank - 1 if call.layout == LAST else 1] and rank > 2 and getattr(call.op, "keepdims", False):
            return Reading(Kind.ARITHMETIC, Pointwise(function))
        return Reading(Kind.ARITHMETIC, Whole(function))

    return reading


def _dot(call: Call) -> Reading:
    return Reading(Kind.ARITHMETIC, Whole("dot")) if isinstance(call.op, keras.layers.Layer) else _matmul(call)


def _elementwise(call: Call) -> Reading:
    return Reading(Kind.ARITHMETIC, _merge_or_pointwise(call, snake_case(call.word)))


_ELEMENTWISE = (
    *(
        "Absolute",
        "Abs",
        "Negative",
        "Exp",
        "Expm1",
        "Log",
        "Log1p",
        "Log2",
        "Log10",
        "Sqrt",
        "Rsqrt",
        "Square",
        "Sign",
    ),
    *("Floor", "Ceil", "Round", "Reciprocal", "Sin", "Cos", "Tan", "Arcsin", "Arccos", "Arctan", "Sinh", "Cosh"),
    *("Erf", "Isnan", "Isinf", "Isfinite", "LogicalNot", "LogicalAnd", "LogicalOr", "Equal", "NotEqual", "Greater"),
    *("GreaterEqual", "Less", "LessEqual", "Mod", "FloorDivide", "Where", "NanToNum"),
)

READERS: dict[str, Reader] = {
    "Dense": _dense,
    "EinsumDense": _einsum_dense,
    "Matmul": _matmul,
    "Dot": _dot,
    "BatchNormalization": _normalisation("batch"),
    "LayerNormalization": _normalisation("layer"),
    "RMSNormalization": _normalisation("rms"),
    "GroupNormalization": _normalisation("group"),
    "UnitNormalization": _normalisation("unit"),
    "BatchNorm": _normalisation("batch"),
    "LayerNorm": _normalisation("layer"),
    "RMSNorm": _normalisation("rms"),
    "Add": _merge("add", Kind.ADD),
    "Subtract": _merge("subtract", Kind.ARITHMETIC),
    "Multiply": _merge("multiply", Kind.MULTIPLY),
    "Divide": _merge("divide", Kind.ARITHMETIC),
    "TrueDivide": _merge("divide", Kind.ARITHMETIC),
    "Maximum": _merge("maximum", Kind.ARITHMETIC),
    "Minimum": _merge("minimum", Kind.ARITHMETIC),
    "Average": _average,
    "Power": _merge("power", Kind.ARITHMETIC),
    "Concatenate": _concat,
    "Mean": _reduction("mean"),
    "Max": _reduction("max"),
    "Amax": _reduction("max"),
    "Min": _reduction("min"),
    "Sum": _reduction("sum"),
    "Var": _reduction("variance"),
    "Std": _reduction("deviation"),
    "Prod": _reduction("product"),
    **dict.fromkeys(_ELEMENTWISE, _elementwise),
}
