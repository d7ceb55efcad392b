"""Which axis of an output an axis of an input becomes, for each operator, by the ONNX operator specification."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from convlens.engines.onnx.operator_axes import PLANES, Link, Operator

Rule = Callable[[Operator], Iterator[Link]]


def links(operator: Operator) -> list[Link] | None:
    """The axes that go on through a node; ``None`` for an operator that isn't known.

    >>> from onnx import helper
    >>> node = helper.make_node("Transpose", ["x"], ["y"], perm=[0, 2, 1])
    >>> turned = links(Operator(node, ((1, 5, 4),), ((1, 4, 5),), (True,), lambda place: None, 18))
    >>> [(link.axis, link.becomes) for link in turned]
    [(0, 0), (2, 1), (1, 2)]
    """
    rule = _RULES.get(operator.node.op_type)
    if rule is None:
        return None
    try:
        return list(rule(operator))
    except (LookupError, ValueError, TypeError, ZeroDivisionError):
        return []  # attributes that contradict the shapes, or a setting that only the run can tell


def _broadcast(operator: Operator, places: Sequence[int] | None = None) -> Iterator[Link]:
    """Every input, from its last axis backwards, onto every output, as NumPy broadcasts."""
    for output, after in enumerate(operator.makes):
        for place, before in enumerate(operator.reads):
            if before is None or after is None or (places is not None and place not in places):
                continue
            shift = len(after) - len(before)
            for axis in range(max(0, -shift), len(before)):
                same = operator.same_size(place, axis, output, axis + shift)
                yield Link(place, axis, output, axis + shift, same)


def _each(operator: Operator) -> Iterator[Link]:
    """A function of each value alone; other inputs are settings."""
    yield from _broadcast(operator, (0,))


def _except(axes: Callable[[Operator, int], Sequence[int]], places: tuple[int, ...] | None = (0,)) -> Rule:
    """All axes stay where they are; along some of them (``axes`` of operator and rank) places meet."""

    def rule(operator: Operator) -> Iterator[Link]:
        rank = len(next((sizes for sizes in operator.makes if sizes is not None), ()))
        if rank == 0:
            return
        mixed = {axis % rank for axis in axes(operator, rank)}
        for link in _broadcast(operator, places):
            yield Link(link.place, link.axis, link.output, link.becomes, link.apart and link.becomes not in mixed)

    return rule


def _from_axis(operator: Operator, rank: int) -> Sequence[int]:
    return range(operator.axis(-1, rank), rank)


def _one_axis(default: int) -> Callable[[Operator, int], Sequence[int]]:
    return lambda operator, rank: [operator.axis(default, rank)]


def _softmax_axes(operator: Operator, rank: int) -> Sequence[int]:
    """Before opset 13 all axes from the stated one on share one sum."""
    if operator.opset < 13:
        return range(operator.axis(1, rank), rank)
    return [operator.axis(-1, rank)]


def _computed_axis(place: int) -> Callable[[Operator, int], Sequence[int]]:
    return lambda operator, _: operator.integers(place, "axis") or ()


def _padded_axes(operator: Operator, rank: int) -> Sequence[int]:
    pads = operator.integers(1, "pads" if operator.opset > 1 else "paddings") or ()
    axes = operator.integers(3, "") or tuple(range(rank))
    return [axis for n, axis in enumerate(axes) if pads[n] or pads[n + len(axes)]]


def _cut_axes(operator: Operator, _: int) -> Sequence[int]:
    starts, ends = operator.integers(1, "starts") or (), operator.integers(2, "ends") or ()
    axes = operator.integers(3, "axes") or tuple(range(len(starts)))
    steps = operator.integers(4, "") or (1,) * len(starts)
    whole = [first == 0 and step == 1 and last > 0 for first, last, step in zip(starts, ends, steps, strict=True)]
    return [axis for axis, all_of_it in zip(axes, whole, strict=True) if not all_of_it]


def _unit_axes(operator: Operator, rank: int) -> Sequence[int]:
    """Of a normalisation that takes its mean over axes: the batch among them where nothing is said."""
    return operator.integers(0, "axes") or (0, *range(2, rank))


def _plane_batch(operator: Operator) -> Iterator[Link]:
    """An operator with a window: items stay apart; the roles of the other axes it states itself."""
    mixed = operator.attributes.get("training_mode", 0)
    for output, sizes in enumerate(operator.makes):
        if sizes:
            yield Link(0, 0, output, 0, operator.same_size(0, 0, output, 0) and not mixed)


def _transposed(operator: Operator) -> Iterator[Link]:
    sizes = operator.reads[0] if operator.reads[0] is not None else operator.makes[0]
    order = operator.attributes.get("perm")
    if order is None:
        order = range(len(sizes or ()))[::-1]
    rank = len(order)
    for becomes, axis in enumerate(order):
        yield Link(0, int(axis) % rank, 0, becomes, True)


def _reduced(operator: Operator) -> Iterator[Link]:
    before = operator.reads[0]
    if before is None:
        return
    rank = len(before)
    if operator.node.op_type.startswith("Arg"):
        axes = {operator.axis(0, rank)}
    else:
        stated = operator.integers(1, "axes")
        if not stated and operator.attributes.get("noop_with_empty_axes"):
            yield from _each(operator)
            return
        axes = {axis % rank for axis in stated or range(rank)}
    kept = bool(operator.attributes.get("keepdims", 1))
    becomes = 0
    for axis in range(rank):
        if kept or axis not in axes:
            yield Link(0, axis, 0, becomes, axis not in axes)
            becomes += 1


def _squeezed(operator: Operator) -> Iterator[Link]:
    before = operator.reads[0]
    if before is None:
        return
    rank = len(before)
    stated = operator.integers(1, "axes")
    gone = {axis for axis, size in enumerate(before) if size == 1} if stated is None else {n % rank for n in stated}
    for becomes, axis in enumerate(axis for axis in range(rank) if axis not in gone):
        yield Link(0, axis, 0, becomes, True)


def _unsqueezed(operator: Operator) -> Iterator[Link]:
    before, stated = operator.reads[0], operator.integers(1, "axes")
    if before is None or stated is None:
        return
    rank = len(before) + len(stated)
    new = {axis % rank for axis in stated}
    for axis, becomes in enumerate(becomes for becomes in range(rank) if becomes not in new):
        yield Link(0, axis, 0, becomes, True)


def _matrix_product(places: tuple[int, int]) -> Rule:
    """NumPy's ``@``: stacks of rows x columns. Features that a constant matrix makes of features stand in their place,
    as the columns of a constant do."""

    def rule(operator: Operator) -> Iterator[Link]:
        after = operator.makes[0]
        for number, place in enumerate(places):
            before = operator.reads[place]
            if before is None or after is None:
                continue
            other = operator.reads[places[1 - number]]
            turned = int(other is not None and len(other) == 1)  # whose axis is gone from the result
            shift = len(after) - len(before) + turned
            own = len(before) - 2 + number if len(before) > 1 else None  # rows of the first, columns of the second
            for axis in range(len(before)):
                becomes = axis + shift
                stacked = axis < len(before) - 2
                if stacked or axis == own:
                    becomes = becomes if stacked or not turned else len(after) - 1
                    if 0 <= becomes < len(after):
                        yield Link(place, axis, 0, becomes, operator.same_size(place, axis, 0, becomes))
                elif len(before) > 1 and other is not None and len(other) == 2:
                    yield Link(place, axis, 0, becomes, False)

    return rule


def _gemm(operator: Operator) -> Iterator[Link]:
    across = bool(operator.attributes.get("transA", 0))
    yield Link(0, int(across), 0, 0, True)
    if operator.reads[1] is not None:
        yield Link(1, 0 if operator.attributes.get("transB", 0) else 1, 0, 1, True)
    added = operator.reads[2] if operator.has(2) else None
    for axis in range(len(added or ())):
        becomes = axis + 2 - len(added or ())
        yield Link(2, axis, 0, becomes, operator.same_size(2, axis, 0, becomes))


def _gathered(operator: Operator) -> Iterator[Link]:
    """Parts of the first input, chosen by the second, whose axes take the place of one."""
    before, chosen = operator.reads[0], operator.reads[1]
    if before is None or chosen is None:
        return
    place = operator.axis(0, len(before))
    for axis in range(len(before)):
        if axis != place:
            yield Link(0, axis, 0, axis if axis < place else axis + len(chosen) - 1, True)
        elif len(chosen) == 1:
            yield Link(0, axis, 0, axis, False)
    for axis in range(len(chosen)):
        yield Link(1, axis, 0, place + axis, True)


def _compressed(operator: Operator) -> Iterator[Link]:
    if "axis" in operator.attributes:  # else all values stand in one row
        yield from _except(_one_axis(0))(operator)


def _gathered_by_places(operator: Operator) -> Iterator[Link]:
    shared = int(operator.attributes.get("batch_dims", 0))
    for place in (0, 1):
        for axis in range(shared):
            yield Link(place, axis, 0, axis, True)
    chosen = operator.reads[1]
    for axis in range(shared, len(chosen or ()) - 1):
        yield Link(1, axis, 0, axis, True)


def _einsum(operator: Operator) -> Iterator[Link]:
    equation = operator.attributes["equation"].decode().replace(" ", "")
    if "->" not in equation or "." in equation:
        return
    terms, result = equation.split("->")
    for place, term in enumerate(terms.split(",")):
        for axis, letter in enumerate(term):
            if letter in result and term.count(letter) == 1:
                yield Link(place, axis, 0, result.index(letter), True)


def _recurrent(operator: Operator) -> Iterator[Link]:
    """(sequence, batch, features), or the batch first; the state is (directions, batch, features)."""
    batch_first = bool(operator.attributes.get("layout", 0))
    read = 0 if batch_first else 1
    for output, sizes in enumerate(operator.makes):
        if sizes is not None:
            yield Link(0, read, output, 0 if batch_first else len(sizes) - 2, True)


def _sampled(_: Operator) -> Iterator[Link]:
    yield Link(0, 0, 0, 0, True)
    yield Link(1, 0, 0, 0, True)


def _nothing(_: Operator) -> Iterator[Link]:
    """What is made of all values together: no axis goes on."""
    yield from ()


ELEMENTWISE = frozenset(
    (
        *("Add", "Sub", "Mul", "Div", "Max", "Min", "Sum", "Mean", "Pow", "Mod", "Where", "PRelu"),
        *("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "And", "Or", "Xor", "BitShift"),
        *("BitwiseAnd", "BitwiseOr", "BitwiseXor"),
    )
)
"""Operators on several values, broadcast against one another."""
_EACH = (
    *("Relu", "LeakyRelu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Tanh", "Elu", "Celu"),
    *("Selu", "Softplus", "Softsign", "Mish", "Erf", "Gelu", "FastGelu", "QuickGelu", "Clip", "Shrink", "Dropout"),
    *("Identity", "Cast", "CastLike", "QuantizeLinear", "DequantizeLinear", "QLinearSigmoid", "QLinearLeakyRelu"),
    *("Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Tan"),
    *("Asin", "Acos", "Atan", "Sinh", "Cosh", "Tanh", "Asinh", "Acosh", "Atanh", "Not", "IsNaN", "IsInf"),
    *("BitwiseNot", "Bernoulli", "RandomNormalLike", "RandomUniformLike", "Expand"),
)
_REDUCING = (
    *("ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceL1", "ReduceL2", "ReduceLogSum"),
    *("ReduceLogSumExp", "ReduceSumSquare", "ArgMax", "ArgMin"),
)
_RULES: Mapping[str, Rule] = {
    **dict.fromkeys(ELEMENTWISE, _broadcast),
    **dict.fromkeys(_EACH, _each),
    **dict.fromkeys(_REDUCING, _reduced),
    **dict.fromkeys(PLANES, _plane_batch),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), lambda operator: _broadcast(operator, (0, 3))),
    "DynamicQuantizeLinear": lambda operator: (link for link in _broadcast(operator, (0,)) if link.output == 0),
    **dict.fromkeys(("Softmax", "LogSoftmax", "Hardmax"), _except(_softmax_axes)),
    **dict.fromkeys(("LayerNormalization", "SimplifiedLayerNormalization", "RMSNormalization"), _except(_from_axis)),
    "MeanVarianceNormalization": _except(_unit_axes),
    "LpNormalization": _except(_one_axis(-1)),
    "Concat": _except(_one_axis(1), None),
    "Split": _except(_one_axis(0)),
    "CumSum": _except(_computed_axis(1)),
    "TopK": _except(_one_axis(-1)),
    "Compress": _compressed,
    "GatherElements": _except(_one_axis(0), (0, 1)),
    **dict.fromkeys(("ScatterElements", "Scatter"), _except(_one_axis(0), (0, 1, 2))),
    "Trilu": _except(lambda _, rank: range(rank - 2, rank)),
    "Pad": _except(_padded_axes),
    "Slice": _except(_cut_axes),
    "Tile": _each,
    "Resize": _each,
    "Upsample": _each,
    "ReverseSequence": _except(lambda operator, _: [int(operator.attributes.get("time_axis", 0))]),
    "CenterCropPad": _each,
    "Transpose": _transposed,
    "Squeeze": _squeezed,
    "Unsqueeze": _unsqueezed,
    **dict.fromkeys(("MatMul", "MatMulInteger"), _matrix_product((0, 1))),
    "QLinearMatMul": _matrix_product((0, 3)),
    **dict.fromkeys(("Gemm", "FusedGemm"), _gemm),
    "Gather": _gathered,
    "GatherND": _gathered_by_places,
    "Einsum": _einsum,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), _recurrent),
    "GridSample": _sampled,
    **dict.fromkeys(("RoiAlign", "MaxRoiPool", "NonZero", "NonMaxSuppression", "Unique", "Range", "Shape"), _nothing),
    **dict.fromkeys(("Size", "ConstantOfShape", "RandomNormal", "RandomUniform", "Multinomial"), _nothing),
    **dict.fromkeys(("Reshape", "Flatten"), _nothing),
}
