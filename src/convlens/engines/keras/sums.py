"""Products with matrices, normalisations, merges and reductions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import keras  # noqa: TID251
import numpy as np

from convlens.engines.keras import backend
from convlens.engines.keras.calls import Call, Reader, Reading, snake_case
from convlens.engines.keras.layout import LAST, framework_axis, our_axis
from convlens.engines.keras.operands import constants
from convlens.engines.keras.windows import whole_pooling
from convlens.network import Dense, Kind, Merge, Normalisation, Operation, Pointwise, Whole


def _dense(call: Call) -> Reading:
    features, out = int(call.op.kernel.shape[0]), int(call.op.units)
    return Reading(Kind.DENSE, _product(call, features, out, bool(call.op.use_bias)))


def _product(call: Call, features: int, out: int, bias: bool) -> Dense:
    """A product along the last axis, wherever the channels are."""
    rank = len(call.input)
    axis = our_axis(-1, rank, call.inputs[0].layout) if rank > 2 else None
    return Dense(features, out, bias, rank > 2, axis)


def _matmul(call: Call) -> Reading:
    operands = call.operands
    constant = [place for place, (_, fixed) in enumerate(operands) if fixed]
    if constant == [1] and len(operands[1][0]) == 2:
        rows, columns = operands[1][0]
        return Reading(Kind.DENSE, _product(call, rows, columns, bias=False))
    ranks = all(len(shape) == 3 or (fixed and len(shape) == 2) for shape, fixed in operands)
    known = len(operands) == 2 and ranks and _line_up(call) and (not constant or call.word == "Matmul")
    return Reading(Kind.ARITHMETIC, Whole("matrix_product" if known else "matmul"))


def normalised_axes(layer: Any, rank: int) -> tuple[int, ...]:
    """Keras's own axes that a normalisation goes over, of a value of ``rank`` axes.

    On PyTorch Keras hands axes that follow each other on as if they were the last ones, which goes unnoticed where they
    are as long.
    """
    given = getattr(layer, "axis", -1)
    axes = sorted(int(axis) % rank for axis in ([given] if isinstance(given, int) else given))
    follow = axes == list(range(axes[0], axes[0] + len(axes)))
    native = isinstance(layer, (keras.layers.LayerNormalization, keras.layers.RMSNormalization))
    if backend.NAME == "torch" and native and follow and not getattr(layer, "rms_scaling", False):
        return tuple(range(rank - len(axes), rank))
    return tuple(axes)


def _normalisation(mode: str) -> Reader:
    def reading(call: Call) -> Reading:
        op = call.op
        axes = tuple(sorted(call.axis(axis) for axis in normalised_axes(op, call.rank)))
        epsilon = float(getattr(op, "epsilon", 0.0) or 0.0)
        if -1 in axes or call.output != call.input:
            return Reading(Kind.NORMALISATION, Whole("normalisation"))
        if getattr(op, "rms_scaling", False):  # divided by the deviation from a mean that isn't taken off
            return Reading(Kind.NORMALISATION, Normalisation("scaled_only", epsilon, axes=axes))
        if mode == "batch":
            return Reading(Kind.NORMALISATION, Normalisation("batch", epsilon))
        if mode == "group":
            groups = int(op.groups) if op.groups != -1 else call.in_channels
            everything = tuple(range(call.rank - 1))
            if axes != (0,):
                return Reading(Kind.NORMALISATION, Whole("group_normalization"))
            return Reading(Kind.NORMALISATION, Normalisation("group", epsilon, groups, everything))
        if mode == "unit":
            if op.compute_dtype == "float16":  # too small for the squares of ordinary numbers, and for 1 / epsilon
                return Reading(Kind.NORMALISATION, Whole("unit_normalization"))
            epsilon = 1e-12  # Keras's own; the layer has none to set
        return Reading(Kind.NORMALISATION, Normalisation(mode, epsilon, axes=axes))

    return reading


def _merge_or_pointwise(call: Call, function: str) -> Operation:
    if len(call.operands) < 2:
        return Pointwise(function)
    if not _line_up(call):
        return Whole(function)
    return _merged(call, Merge(function)) if len(call.operands) > 2 or call.merges else Pointwise(function)


def _merged(call: Call, operation: Merge) -> Operation:
    """The merge with its constants in their places."""
    placed = constants(call, operation) if _line_up(call) else None
    return Whole(operation.function) if placed is None else replace(operation, constants=placed)


def _line_up(call: Call) -> bool:
    """Whether all values have their axes in the same places: of unequal ranks, one's batch meets another's axis."""
    layouts = {source.layout for source in call.inputs if len(source.shape) > 2}
    ranks = {len(source.shape) for source in call.inputs}
    return len(ranks) == 1 and len(layouts) < 2 and all(len(shape) <= max(ranks) for shape, _ in call.operands)


def _merge(function: str, kind: Kind) -> Reader:
    def reading(call: Call) -> Reading:
        own = kind if call.merges else Kind.ARITHMETIC
        if function == "add" and _added_elsewhere(call):
            return Reading(own, Whole(function), notes=(ELSEWHERE,))
        return Reading(own, _merge_or_pointwise(call, function))

    return reading


ELSEWHERE = "Keras on TensorFlow takes the value for a bias and adds it along another axis than the one it lies on"


def _added_elsewhere(call: Call) -> bool:
    """Whether Keras on TensorFlow adds along another axis than broadcasting does, or to a value of another shape.

    Its ``add`` hands a second operand with one long axis to ``tf.nn.bias_add`` where that is as long as the last or the
    second axis of the first, wherever it lies; the result has the shape of the first.
    """
    if backend.NAME != "tensorflow":
        return False
    total, *others = (shape for shape, _ in call.operands) if call.operands else ((),)
    for shape in others:
        long = [(axis - len(shape), size) for axis, size in enumerate(shape) if size > 1]
        if len(long) == 1 and len(total) > 1 and long[0][1] in (total[1], total[-1]):
            axis, size = long[0]
            elsewhere = axis != (-1 if total[-1] == size else 1 - len(total))
            if elsewhere or len(shape) > len(total):
                return True
        total = np.broadcast_shapes(total, shape)
    return False


def _concat(call: Call) -> Reading:
    axis = call.axis(int(getattr(call.op, "axis", -1)))
    return Reading(Kind.CONCAT, _merged(call, Merge("concat", axis)) if axis >= 0 else Whole("concat"))


def _stack(call: Call) -> Reading:
    axis = call.axis(int(call.op.axis))
    moved = axis == 0 and len(call.input) > 2  # what were channels are none any more
    return Reading(Kind.CONCAT, _merged(call, Merge("stack", axis)) if axis >= 0 and not moved else Whole("stack"))


def _einsum_dense(call: Call) -> Reading:
    reads, _, rest = str(call.op.equation).replace(" ", "").partition(",")
    kernel, _, makes = rest.partition("->")
    rows = reads.replace("...", "")[:-1]
    matrix = len(kernel) == 2 and kernel[0] == reads[-1:] and kernel[1] not in reads
    plain = matrix and makes.replace("...", "") == rows + kernel[1] and kernel[0] not in rows
    bias = call.op.bias
    if plain and (bias is None or call.op.bias_axes == kernel[1]) and call.op.quantization_mode is None:
        features, out = (int(n) for n in call.op.kernel.shape)
        return Reading(Kind.DENSE, _product(call, features, out, bias is not None))
    return Reading(Kind.DENSE, Whole("einsum"))


def _average(call: Call) -> Reading:
    if _added_elsewhere(call):
        return Reading(Kind.ARITHMETIC, Whole("mean"), notes=(ELSEWHERE,))
    merges = isinstance(call.op, keras.layers.Layer) and len(call.operands) > 1
    return Reading(Kind.ARITHMETIC, _merged(call, Merge("mean")) if merges else Whole("mean"))


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
        keeps = bool(getattr(call.op, "keepdims", False))
        over = tuple(sorted(our_axis(axis, rank, call.layout) for axis in ours))
        if 0 in ours or not (keeps or _in_place(call, ours)):
            over = ()
        if ours == [rank - 1 if call.layout == LAST else 1] and rank > 2 and keeps:
            return Reading(Kind.ARITHMETIC, Pointwise(function, over))
        return Reading(Kind.ARITHMETIC, Whole(function, over))

    return reading


def _in_place(call: Call, gone: list[int]) -> bool:
    """Whether the axes that are left keep their order when channels come first."""
    left = [axis for axis in range(len(call.input)) if axis not in gone]
    order = [left[framework_axis(n, len(left), call.output_layout)] for n in range(len(left) - 1)]
    ours = [our_axis(axis, len(call.input), call.layout) for axis in order]
    return ours == sorted(ours)


def _dot(call: Call) -> Reading:
    return Reading(Kind.ARITHMETIC, Whole("dot")) if isinstance(call.op, keras.layers.Layer) else _matmul(call)


def _where(call: Call) -> Reading:
    known = len(call.operands) == 3
    return Reading(Kind.ARITHMETIC, _merged(call, Merge("where")) if known else Whole("where"))


def _elementwise(call: Call) -> Reading:
    name = snake_case(call.word)
    return Reading(Kind.ARITHMETIC, _merge_or_pointwise(call, _OURS.get(name, name)))


_OURS = {"absolute": "abs", "negative": "neg"}


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
    *("GreaterEqual", "Less", "LessEqual", "Mod", "FloorDivide", "NanToNum"),
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
    "Where": _where,
    "Concatenate": _concat,
    "Stack": _stack,
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
