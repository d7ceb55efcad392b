"""Operators that compute: dense, normalisation, activation, arithmetic, reductions."""

from __future__ import annotations

from collections.abc import Callable
from math import prod

import numpy as np

from convlens.engines.onnx.call import Call, Described
from convlens.engines.onnx.presentation import Presentation
from convlens.engines.onnx.windows import over_the_map
from convlens.network import RANDOM, Activation, Dense, Kind, Merge, Normalisation, Pointwise, Shape, Whole

Reader = Callable[[Call], Described]


def reduction(function: str) -> Reader:
    """A sum, mean, ... over axes; a mean or maximum over exactly the spatial axes is a pooling of the whole map."""

    def read(call: Call) -> Described:
        shown, shape = call.shown(0), call.inputs[0] or ()
        rank = len(shape)
        axes = call.integers(1, "axes")
        if call.has(1) and axes is None:
            return Kind.ARITHMETIC, Whole(function)
        if not axes:
            if call.attributes.get("noop_with_empty_axes"):
                return Kind.ARITHMETIC, Pointwise("identity") if call.in_place() else Whole("identity")
            axes = tuple(range(rank))
        over = _reduced_axes(call, {axis % rank for axis in axes})
        if over is None:
            return Kind.ARITHMETIC, Whole(function)
        if not over:
            return Kind.ARITHMETIC, Pointwise("identity")
        spatial = tuple(range(1, len(shown.axes)))
        if spatial and shown.batch is not None and over == spatial and function in ("mean", "max"):
            size = shown.shape(shape)[1:]
            return Kind.POOLING, over_the_map("average" if function == "mean" else "max", size)
        pointwise = over == (0,) and len(shown.axes) > 1 and shown.batch is not None
        return Kind.ARITHMETIC, (Pointwise if pointwise else Whole)(function, over, settles_nan=False)

    return read


def _reduced_axes(call: Call, axes: set[int]) -> Shape | None:
    """The axes of the map that a reduction over these axes of the file goes over; ``None`` where it goes over several
    items of a batch, or makes a map whose axes aren't those that are left, in their order."""
    shown, shape = call.shown(0), call.inputs[0] or ()
    left = [axis for axis in range(len(shape)) if call.attributes.get("keepdims", 1) or axis not in axes]
    becomes = {axis: place for place, axis in enumerate(left)}
    if shown.batch in axes and shape[shown.batch] > 1:
        return None
    # an axis that stands for the batch from now on is gone; of length 1, it may count as reduced
    gone = {n for n, axis in enumerate(shown.axes) if axis not in becomes or becomes[axis] == call.made.batch}
    over = {n for n, axis in enumerate(shown.axes) if axis in axes or (n in gone and shape[axis] == 1)}
    made = tuple(becomes[axis] for n, axis in enumerate(shown.axes) if n not in gone)
    stay_or_go = not gone or gone == over  # an explanation knows all axes kept, or those gone that are reduced
    return tuple(sorted(over)) if made == call.made.axes and stay_or_go else None


def batch_normalisation(call: Call) -> Described:
    """With stored statistics; with those of the batch (``training_mode``) it is not taken apart."""
    if call.attributes.get("training_mode") or not call.batched or not call.attributes.get("spatial", 1):
        return Kind.NORMALISATION, Whole("batch_normalisation")
    return Kind.NORMALISATION, Normalisation("batch", float(call.attributes.get("epsilon", 1e-5)))


def instance_normalisation(call: Call) -> Described:
    """Each map with its own statistics."""
    if not call.batched:
        return Kind.NORMALISATION, Whole("instance_normalisation")
    axes = tuple(range(1, len(call.output) - 1))
    return Kind.NORMALISATION, Normalisation("instance", float(call.attributes.get("epsilon", 1e-5)), axes=axes)


def group_normalisation(call: Call) -> Described:
    """Groups of channels with their own statistics."""
    if not call.batched:
        return Kind.NORMALISATION, Whole("group_normalisation")
    groups = int(call.attributes.get("num_groups", 1))
    axes = tuple(range(len(call.output) - 1))
    return Kind.NORMALISATION, Normalisation("group", float(call.attributes.get("epsilon", 1e-5)), groups, axes)


def layer_normalisation(mode: str) -> Reader:
    """Statistics over the last axes of the file's own layout."""

    def read(call: Call) -> Described:
        rank = len(call.result)
        first = int(call.attributes.get("axis", -1)) % rank
        axes = tuple(sorted(call.batchless(a, rank) for a in range(first, rank)))
        if axes[0] < 0:
            return Kind.NORMALISATION, Whole(f"{mode}_normalisation")
        return Kind.NORMALISATION, Normalisation(mode, float(call.attributes.get("epsilon", 1e-5)), axes=axes)

    return read


def local_response(call: Call) -> Described:
    """Each value divided by the squares of its neighbours in the channels."""
    if not call.batched:
        return Kind.NORMALISATION, Whole("local_response")
    stated = {"alpha": 1e-4, "beta": 0.75, "bias": 1.0}
    constants = [(name, float(call.attributes.get(name, value))) for name, value in stated.items()]
    constants.append(("size", float(call.attributes["size"])))
    return Kind.NORMALISATION, Normalisation("local_response", constants=tuple(constants))


def activation(function: str, **defaults: float) -> Reader:
    """An element-wise function with its constants, which are attributes of the same names."""

    def read(call: Call) -> Described:
        constants = tuple((name, float(call.attributes.get(name, value))) for name, value in defaults.items())
        return Kind.ACTIVATION, Activation(function, constants)

    return read


def gelu(call: Call) -> Described:
    """Exact, or by a hyperbolic tangent."""
    return Kind.ACTIVATION, Activation("gelu_tanh" if call.word("approximate", "none") == "tanh" else "gelu")


def clip(call: Call) -> Described:
    """Values held between bounds; where one isn't given, ONNX Runtime takes the largest number of the type."""
    if any(call.has(place) and call.constant(place) is None for place in (1, 2)):
        return Kind.ACTIVATION, Pointwise("clip_to_computed")
    runtimes = call.dtype == "float32" or (call.dtype == "float16" and call.opset >= 11)
    largest = float(np.finfo(call.dtype).max) if runtimes else np.inf
    low, high = call.number(1, "min", -largest), call.number(2, "max", largest)
    return Kind.ACTIVATION, Activation("clip", (("min", low), ("max", high)))


def softmax(function: str) -> Reader:
    """Values that compete along an axis."""

    def read(call: Call) -> Described:
        rank = len(call.output)
        old = call.opset < 13
        stated = int(call.attributes.get("axis", 1 if old else -1)) % rank
        axis = call.batchless(stated, rank)
        shared = old and stated != rank - 1 and prod(call.result[stated + 1 :]) > 1
        if axis < 0 or shared:  # before opset 13 all axes from this one on share one sum
            return Kind.ACTIVATION, Whole(function)
        return Kind.ACTIVATION, Activation(function, axis=axis)

    return read


def gemm(call: Call) -> Described:
    """``alpha * x @ w + beta * c``: a dense layer where ``w`` is constant, else a product of two values."""
    alpha, beta = float(call.attributes.get("alpha", 1.0)), float(call.attributes.get("beta", 1.0))
    across, bias = bool(call.attributes.get("transA", 0)), call.has(2) and beta != 0.0
    if call.op == "FusedGemm" and call.attributes.get("activation"):
        return Kind.ARITHMETIC, Whole("gemm")
    if call.moving[1]:
        plain = not across and not call.attributes.get("transB", 0) and not bias and alpha == 1.0
        plain = plain and _as_matrices(call, (0, 1))
        return Kind.ARITHMETIC, Whole("matrix_product" if plain else "gemm")
    rows, columns = call.shape(1)
    inputs, outputs = (columns, rows) if call.attributes.get("transB", 0) else (rows, columns)
    added = call.inputs[2] if bias else ()
    given = call.shown(0)
    whole = call.made == given == Presentation.as_filed(2)
    if not whole and not (call.made.batch == 0 and given.batch == int(across)):
        return Kind.ARITHMETIC, Whole("gemm")
    if (across and whole) or added is None or (len(added) == 2 and added[0] > 1):  # a bias of its own for each row
        found = "matrix_product_across" if across else "matrix_product"
        return Kind.ARITHMETIC, Whole(found if whole and call.moving[2:] != (True,) else "gemm")
    return Kind.DENSE, Dense(inputs, outputs, bias, whole, 1 if whole else None)


def matmul(weight_index: int) -> Reader:
    """A dense layer where the second operand is a constant matrix, else a product of matrices."""

    def read(call: Call) -> Described:
        if not call.moving[0] or call.moving[weight_index] or len(call.shape(weight_index)) != 2:
            moving = call.op != "MatMul" and (not call.moving[0] or call.moving[weight_index])
            fits = not moving and _as_matrices(call, (0, weight_index))
            return Kind.ARITHMETIC, Whole("matrix_product" if fits else "matmul")
        inputs, outputs = call.inputs[weight_index] or ()
        rank = len(call.result)
        axis = call.batchless(rank - 1, rank)
        if axis < 0 or not call.in_place():
            return Kind.ARITHMETIC, Whole("matmul")
        per_position = rank > (2 if call.batched else 1)
        return Kind.DENSE, Dense(inputs, outputs, False, per_position, axis if per_position else None)

    return read


def _as_matrices(call: Call, places: tuple[int, int]) -> bool:
    """Whether the product of the operands as they are shown is that of the file: all axes in the file's order, and the
    batch in front of all of them, or rows of the first operand of two matrices."""
    rank, batch = len(call.result), call.made.batch
    if batch not in (None, 0) or call.made != Presentation.as_filed(rank, batch):
        return False
    for number, place in enumerate(places):
        shown, given = call.read[place], call.inputs[place]
        if given is None:
            return False
        if shown is None:
            continue
        by_vector = len(call.inputs[places[1 - number]] or ()) == 1
        rows = rank == 2 and number == 0 and len(given) == 2
        stacked = len(given) > 2 and len(given) - by_vector == rank
        if shown != Presentation.as_filed(len(given), shown.batch) or shown.batch not in (None, 0):
            return False
        if shown.batch == 0 and not (batch == 0 and (stacked or rows)):
            return False
    return True


MERGES = frozenset(
    (
        *(
            "Add",
            "Sum",
            "Sub",
            "Mul",
            "Div",
            "Max",
            "Min",
            "Mean",
            "Pow",
            "Where",
            "Equal",
            "Greater",
            "GreaterOrEqual",
        ),
        *("Less", "LessOrEqual", "And", "Or", "Xor", "Mod", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    )
)
"""Operators on values, each of which may be a constant."""

OPERANDS = MERGES | {"Concat", "MatMul", "Gemm"}
"""Operators that read their inputs as values, be they constants or not, and none as a setting."""


def merge(function: str, kind: Kind) -> Reader:
    """Several values made one, or one value and a constant."""

    def read(call: Call) -> Described:
        whole = function == "divide" and call.dtype.startswith(("int", "uint"))
        name = "divide_whole" if whole else function
        count = sum(call.moving)
        if not all(call.lines_up(place) for place, moves in enumerate(call.moving) if moves):
            return kind, Whole(name)  # as they are shown, axes don't stand one above the other
        if count < 2 and len(call.inputs) == 2:
            return Kind.ARITHMETIC, Pointwise(name)
        return (kind if count > 1 else Kind.ARITHMETIC), Merge(name, constants=call.constants)

    def or_unchanged(call: Call) -> Described:
        if len(call.inputs) == 1 and call.in_place():
            return Kind.ARITHMETIC, Pointwise("identity")
        return read(call)

    return or_unchanged


def pointwise(function: str, kind: Kind) -> Reader:
    """A function of each value alone."""

    def read(_: Call) -> Described:
        return kind, Pointwise(function)

    return read


def dropout(call: Call) -> Described:
    """Nothing, unless the file asks for training."""
    if call.has(1) and (ratio := call.constant(1)) is not None and not ratio.any():
        return Kind.DROPOUT, Pointwise("dropout")
    training = call.has(2) and call.constant(2) is not None and bool(np.any(call.constant(2)))
    if training or (call.has(2) and call.constant(2) is None):
        return Kind.DROPOUT, Pointwise(RANDOM)
    return Kind.DROPOUT, Pointwise("dropout")


_CASTS = ("float", "bfloat16", "int", "uint", "bool")


def cast(call: Call) -> Described:
    """The same number in another type, which convlens must know to say what becomes of it."""
    if not call.moving[0]:
        return Kind.ARITHMETIC, Whole("constant")  # only its type comes from the network
    known = call.dtype.startswith(_CASTS) and not call.dtype.startswith(
        ("float8", "float4", "int4", "uint4", "int2", "uint2")
    )
    return Kind.ARITHMETIC, Pointwise("cast" if known else "cast_to_few_bits")


def whole(function: str, kind: Kind) -> Reader:
    """An operator whose every output can read everything, and that is not taken apart."""

    def read(_: Call) -> Described:
        return kind, Whole(function)

    return read
