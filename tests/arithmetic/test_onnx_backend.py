"""ONNX's own operator tests decide: every output value is explained, and is what the file says it must be.

A case is seen in two ways: with its first axis as the batch, each item explained alone; and, where an operator goes
over that axis, as one value without a batch. What is explained must agree in both; one of them must explain all.
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.backend.test.loader import load_model_tests

from convlens.arithmetic import explain_all
from convlens.arithmetic.rounding import PRECISIONS
from convlens.engines.base import Array
from convlens.engines.onnx import OnnxEngine
from convlens.engines.onnx.trace import OnnxTrace
from convlens.errors import ConvlensError
from convlens.network import Kind, Network, Whole

WINDOWED = (
    *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "LpPool", "GlobalMaxPool", "GlobalAveragePool"),
    *("GlobalLpPool", "Gemm", "MatMul"),
)
NORMALISING = (
    *("BatchNormalization", "InstanceNormalization", "GroupNormalization", "LayerNormalization"),
    *("RMSNormalization", "LRN"),
)
ACTIVATING = (
    *("Relu", "LeakyRelu", "PRelu", "ThresholdedRelu", "Sigmoid", "HardSigmoid", "HardSwish", "Swish", "Tanh", "Elu"),
    *("Celu", "Selu", "Softplus", "Softsign", "Mish", "Erf", "Gelu", "Clip", "Shrink", "Softmax", "LogSoftmax"),
    *("Hardmax", "Abs", "Neg", "Exp", "Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Sin", "Cos"),
    *("Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh", "Asinh", "Acosh", "Atanh"),
)
MERGING = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Pow", "Concat")
MOVING = (
    *("Pad", "Resize", "Upsample", "Flatten", "Reshape", "Transpose", "Slice", "Split", "Squeeze", "Unsqueeze"),
    *("DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Dropout", "Identity", "Cast", "CastLike"),
)
QUANTISED = (*("QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger", "QuantizeLinear", "DequantizeLinear"),)
REDUCING = ("ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd")
LISTED = (*WINDOWED, *NORMALISING, *ACTIVATING, *MERGING, *MOVING, *QUANTISED, *REDUCING)
"""The operators whose arithmetic convlens knows."""

CONSTANT_IN_FILES: Mapping[str, int] = {
    **dict.fromkeys(("Clip", "Pad", "Slice", "Resize", "Upsample", "Reshape", "Split", "Squeeze", "Unsqueeze"), 1),
    **dict.fromkeys(("Expand", "Tile", "Dropout", "CastLike", "Gemm", "PRelu", *REDUCING, *QUANTISED), 1),
}
"""From which input on these operators have settings and weights: the cases feed them, files hold them."""

LEFT_OUT: Mapping[str, str] = {
    r"test_cast.*_to_(FLOAT8|FLOAT4|U?INT4|U?INT2).*": "what becomes of a number in a type of few bits",
    r"test_quantizelinear_(e4m3fn|e5m2|float4e2m1)": "floats of few bits, which are no whole numbers",
    r"test_batchnorm_.*_training_mode": "training: the statistics of the batch",
    r"test_training_dropout(_default)?(_mask)?": "training: drawn at random",
    r"test_identity_(sequence|opt)": "no tensor",
    r"test_convinteger_with_padding": "ONNX Runtime refuses its zero point",
    r"test_reduce_(max|min)_empty_set.*": "the largest of no values",
    r"test_reshape_allowzero_reordered": "a batch of none",
}
"""Name (a pattern) -> why convlens explains nothing there."""


@dataclass(frozen=True)
class Case:
    """One model with what is fed and what must come out."""

    name: str
    op: str
    model: onnx.ModelProto
    feed: Mapping[str, Any]
    expected: Mapping[str, Any]
    rtol: float
    atol: float


@cache
def cases(kind: str) -> tuple[Case, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return tuple(case for found in load_model_tests(kind=kind) for case in _of(found))


def _of(found: Any) -> Iterator[Case]:
    model = found.model if found.model is not None else onnx.load(Path(found.model_dir) / "model.onnx")
    ops = [node.op_type for node in model.graph.node]
    sets = found.data_sets
    if sets is None:
        folder = Path(found.model_dir) / "test_data_set_0"
        sets = [tuple(_files(folder, what, list(getattr(model.graph, what))) for what in ("input", "output"))]
    held = {tensor.name for tensor in model.graph.initializer}
    names = [given.name for given in model.graph.input if given.name not in held]
    for inputs, outputs in sets:
        feed = {name: _as_array(value) for name, value in zip(names, inputs, strict=False)}
        results = (made.name for made in model.graph.output)
        expected = {name: _as_array(value) for name, value in zip(results, outputs, strict=False)}
        op = next((op for op in ops if op in LISTED), ops[0])
        if len(ops) == 1 or not found.name.endswith("_expanded"):
            yield Case(found.name, op, model, feed, expected, found.rtol, found.atol)


def _as_array(value: Any) -> Any:
    return numpy_helper.to_array(value) if isinstance(value, onnx.TensorProto) else value


def _files(folder: Path, what: str, infos: list[onnx.ValueInfoProto]) -> list[Any]:
    found = []
    for number in range(len(infos)):
        path = folder / f"{what}_{number}.pb"
        if path.is_file():
            found.append(numpy_helper.to_array(onnx.TensorProto.FromString(path.read_bytes())))
    return found


def as_in_files(case: Case) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The model with its settings as constants, and what is left to feed."""
    model = onnx.ModelProto()
    model.CopyFrom(case.model)
    feed = {name: np.asarray(value) for name, value in case.feed.items()}
    data = {n for node in model.graph.node for n in node.input[: CONSTANT_IN_FILES.get(node.op_type, len(node.input))]}
    for node in case.model.graph.node:
        first = CONSTANT_IN_FILES.get(node.op_type, len(node.input))
        for name in node.input[first:]:
            if name in feed and name not in data:
                model.graph.initializer.append(numpy_helper.from_array(feed.pop(name), name))
    kept = [given for given in model.graph.input if given.name in feed]
    del model.graph.input[:]
    model.graph.input.extend(kept)
    return model, feed


def as_one_value(model: onnx.ModelProto, feed: Mapping[str, Array]) -> tuple[onnx.ModelProto, dict[str, Array]]:
    """The model with its values without a batch, and what it is fed then.

    Its first input, which nothing reads, has a length that no axis has, so that no axis is followed as the batch. An
    input is always shown as it is fed, item by item: what the case reads is passed on first, and is whole then. What
    stands where a normalisation has its weights is fed as it is.
    """
    weights = {name for node in model.graph.node if node.op_type in NORMALISING for name in node.input[1:]}
    fed = {name: name if name in weights else f"{name}_fed" for name in feed}
    for given in model.graph.input:
        given.name = fed[given.name]
    nodes = [helper.make_node("Identity", [new], [name]) for name, new in fed.items() if new != name]
    nodes.extend(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    model.graph.input.insert(0, helper.make_tensor_value_info("apart", onnx.TensorProto.FLOAT, [997]))
    return model, {"apart": np.zeros(997, np.float32), **{fed[name]: value for name, value in feed.items()}}


class Unexplained(Exception):
    """A layer of a listed operator that has no explanation in this view."""


def look(case: Case, *, batched: bool) -> int:
    """Explain every value of a case and hold it against the runtime and the file; how many there were."""
    model, feed = as_in_files(case)
    case_feed = feed
    if not batched:
        model, feed = as_one_value(model, feed)
    engine = OnnxEngine.open(model)
    arrays: dict[str, Array] = {}
    trace = engine.run(feed, None, lambda layer, array: arrays.update({layer.name: np.array(array)}))
    network = trace.network
    batch = len(next(iter(feed.values()))) if next(iter(feed.values())).ndim else 0
    as_expected(case, engine, trace, arrays)
    count = 0
    for layer in network.layers:
        if layer.op not in LISTED or layer.kind is Kind.PLUMBING or _beside(engine, layer.name):
            continue
        if layer.op == "Identity" and any(engine._graph.layers.get(name) == layer.name for name in case_feed):
            continue  # of the view, not of the case
        if layer.operation == Whole("constant"):  # a constant, of which only the type comes from the network
            continue
        made = arrays[layer.name]
        items = batch if made.shape == (batch, *layer.output_shape) and batch > 1 else 0
        weights = trace.weights(layer.name)
        for item in range(max(items, 1)):
            sources = [_read(name, feed, arrays, network, item, batch) for name in layer.inputs]
            theirs = made[item] if items else made
            for channel in range(layer.output_shape[0] if layer.output_shape else 1):
                swept = explain_all(layer, channel, sources, weights)
                if swept is None:
                    raise Unexplained(f"{case.name}: {layer.op} {layer.operation}")
                values = theirs[channel] if layer.output_shape else theirs
                agrees = swept.agrees(values)
                assert agrees.all(), (
                    f"{case.name}: {layer.name} ({layer.operation}): {values[~agrees]} explained as "
                    f"{swept.total[~agrees]} within {swept.tolerance[~agrees]}"
                )
                count += values.size
    return count


def _beside(engine: OnnxEngine, name: str) -> bool:
    """Whether this is another output than an operator's first: a mask, indices, statistics."""
    for value, layer in engine._graph.layers.items():
        if layer == name:
            node = engine._graph.nodes[engine._graph.maker[value]]
            return node.op_type != "Split" and list(node.output).index(value) > 0
    return False


def _read(
    name: str, feed: Mapping[str, Array], arrays: Mapping[str, Array], network: Network, item: int, batch: int
) -> Array:
    if name in feed:
        value = feed[name].astype(np.float32)
        return value[item] if value.ndim and len(value) == batch else value
    array = arrays[name]
    several = array.shape == (batch, *network[name].output_shape) and batch > 1
    return array[item] if several else array


OTHERWISE = ("test_resize_downsample_scales_linear_align_corners", "test_resize_downsample_scales_cubic_align_corners")
"""What ONNX Runtime computes in another way than the file says, and is explained as computed."""


def as_expected(case: Case, engine: OnnxEngine, trace: OnnxTrace, arrays: Mapping[str, Array]) -> None:
    """What was captured is what the file says, with its axes as they are shown: a batch stands in front."""
    for name, value in case.expected.items() if case.name not in OTHERWISE else ():
        layer = trace.network[engine._graph.layers[name]]
        shown = trace.presentations[name]
        wanted: NDArray[np.float64] = shown.with_batch(np.asarray(value)).astype(np.float64)
        ours = arrays[layer.name].astype(np.float64)
        wanted = wanted[0] if shown.batch is not None and len(wanted) == 1 else wanted
        coarse = PRECISIONS[layer.dtype].unit * 4 if layer.dtype in ("float16", "bfloat16") else 0.0
        rtol = max(case.rtol, coarse)
        np.testing.assert_allclose(ours, wanted, rtol=rtol, atol=max(case.atol, coarse), err_msg=case.name)


def explained(case: Case) -> int:
    """How many values of a case are explained.

    Raises:
        Unexplained: in none of the two views all of them.
    """
    first = next(iter(case.feed.values()))
    try:
        return look(case, batched=bool(np.size(first)))
    except Unexplained:
        return look(case, batched=False)


def of_operator(kind: str, op: str) -> list[Case]:
    return [case for case in cases(kind) if case.op == op]


def reason(case: Case) -> str | None:
    return next((why for pattern, why in LEFT_OUT.items() if re.fullmatch(pattern, case.name)), None)


@pytest.mark.parametrize("op", LISTED)
@pytest.mark.parametrize("kind", ["node", "pytorch-converted"])
def test_every_value_of_the_operators_own_cases_is_explained(kind: str, op: str) -> None:
    for case in of_operator(kind, op):
        if reason(case) is None:
            explained(case)


@pytest.mark.parametrize("why", sorted(set(LEFT_OUT.values())))
def test_what_is_left_out_is_left_out_for_its_reason_still(why: str) -> None:
    left = [case for kind in ("node", "pytorch-converted") for case in cases(kind) if reason(case) == why]
    assert left
    for case in left:
        with pytest.raises((Unexplained, ConvlensError, AssertionError)):
            explained(case)


def test_how_many_there_are() -> None:
    for kind, least in (("node", 600), ("pytorch-converted", 80)):
        counts = Counter(case.op for case in cases(kind) if case.op in LISTED and reason(case) is None)
        assert sum(counts.values()) >= least, counts
