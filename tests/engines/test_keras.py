"""The Keras engine on whichever backend ``KERAS_BACKEND`` names: run this file once for each of the three."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from convlens.engines.base import Trace

from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from keras import layers, ops
from keras.src.backend.common import global_state
from tests.engines import keras_models as zoo

import convlens
from convlens import geometry
from convlens.errors import ConvlensError, InputError, LayerNotFoundError, ModelError
from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Kind,
    Layer,
    Merge,
    Network,
    Normalisation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Slice,
    Whole,
)
from convlens.testing import EngineCase, EngineTests, naive_convolution

BACKEND = keras.backend.backend()
ROWS, COLUMNS = zoo.ROWS, zoo.COLUMNS
Maps = dict[str, np.ndarray[Any, Any]]


def fingerprint(model: Any) -> Callable[[], tuple[object, ...]]:
    """What must compare equal before and after: values, flags, attributes, Keras's own methods and counters."""

    def taken() -> tuple[object, ...]:
        return (
            [(v.path, v.trainable, np.asarray(ops.convert_to_numpy(v.value)).tobytes()) for v in model.variables],
            [(layer.trainable, layer.built, len(layer._inbound_nodes)) for layer in model._flatten_layers()],
            [(layer.name, sorted(vars(layer))) for layer in model._flatten_layers()],
            [id(getattr(layer, "activation", None)) for layer in model._flatten_layers()],
            keras.layers.Layer.__call__,
            keras.Operation.__call__,
            keras.Operation.symbolic_call,
            layers.Rescaling.__call__,
            dict(global_state.get_global_attribute("object_name_uids") or {}),
        )

    return taken


def captured(model: Any, feed: Mapping[str, Any] | Any, **options: Any) -> tuple[KerasEngine, Network, Maps]:
    """The model opened and run once: engine, network, all maps."""
    engine = KerasEngine.open(model, **options)
    trace, maps = ran(engine, feed)
    return engine, trace.network, maps


def traced(model: Any, feed: Mapping[str, Any] | Any, **options: Any) -> tuple[Trace, Network, Maps]:
    """The model opened and run once: trace, network, all maps."""
    trace, maps = ran(KerasEngine.open(model, **options), feed)
    return trace, trace.network, maps


def ran(engine: KerasEngine, feed: Mapping[str, Any] | Any) -> tuple[Trace, Maps]:
    if not isinstance(feed, Mapping):
        feed = {engine.inputs[0].name: feed}
    maps: Maps = {}
    trace = engine.run(feed, None, lambda layer, array: maps.update({layer.name: np.array(array)}))
    return trace, maps


def first(value: Any, layout: str = "channels_last") -> np.ndarray[Any, Any]:
    """A framework value as convlens shows it."""
    array = np.asarray(ops.convert_to_numpy(ops.cast(value, "float32")))[0]
    return np.moveaxis(array, -1, 0) if layout == "channels_last" and array.ndim > 1 else array


def close(ours: Any, theirs: Any, tolerance: float = 2e-5) -> None:
    """Equal within ``tolerance`` of the largest magnitude."""
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    assert ours.shape == theirs.shape
    scale = max(1.0, float(np.abs(theirs).max(initial=0)))
    assert float(np.abs(ours - theirs).max(initial=0)) <= tolerance * scale


CASES: dict[str, Callable[[], Any]] = {
    "plain": zoo.plain,
    "residual": zoo.residual,
    "subclassed": zoo.subclassed,
    "nested": zoo.nested,
    "strided same": lambda: zoo.sequential(layers.Conv2D(3, (4, 3), (2, 3), padding="same", name="conv")),
    "dilated": lambda: zoo.sequential(layers.Conv2D(3, 3, dilation_rate=(2, 1), padding="same", name="conv")),
    "grouped": lambda: zoo.sequential(layers.Conv2D(6, 3, groups=3, name="conv")),
    "depthwise": lambda: zoo.sequential(layers.DepthwiseConv2D(3, depth_multiplier=2, name="conv")),
    "separable": lambda: zoo.sequential(
        layers.SeparableConv2D(5, (3, 2), 2, padding="same", depth_multiplier=2, activation="tanh", name="conv")
    ),
    "transposed": lambda: zoo.sequential(layers.Conv2DTranspose(4, 3, 2, padding="same", name="conv")),
    "transposed valid": lambda: zoo.sequential(layers.Conv2DTranspose(4, (2, 5), (3, 2), name="conv")),
    "one dimension": lambda: zoo.sequential(
        layers.Conv1D(4, 3, padding="causal", dilation_rate=2, name="causal"),
        layers.SeparableConv1D(3, 3, padding="same", name="separable"),
        layers.Conv1DTranspose(2, 3, 2, name="up"),
        layers.DepthwiseConv1D(3, name="depthwise"),
        shape=(12, 3),
    ),
    "three dimensions": lambda: zoo.sequential(
        layers.Conv3D(3, 3, padding="same", strides=2, name="conv"),
        layers.Conv3DTranspose(2, 2, 2, name="up"),
        layers.MaxPooling3D(2, name="pool"),
        shape=(5, 6, 4, 2),
    ),
    "time distributed": lambda: zoo.sequential(
        layers.TimeDistributed(layers.Conv2D(3, 3, padding="same"), name="timed"), shape=(2, ROWS, COLUMNS, 3)
    ),
}


class TestKerasEngine(EngineTests):
    engine = KerasEngine

    @pytest.fixture(params=sorted(CASES))
    def case(self, request: pytest.FixtureRequest) -> EngineCase:
        model = CASES[request.param]()
        name = KerasEngine.open(model).inputs[0].name
        shape = KerasEngine.open(model).inputs[0].shape
        feed = {name: zoo.picture(*(n or 5 for n in (*shape[1:], shape[0])))}
        return EngineCase(model, feed, fingerprint=fingerprint(model))


# --- what a run shows -------------------------------------------------------------------------------------------------


def test_every_map_is_what_keras_gives_for_the_same_layer() -> None:
    model = zoo.plain()
    image = zoo.picture(ROWS, COLUMNS, 3)
    _, _, maps = captured(model, image)
    names = ["conv", "norm", "relu", "pool", "flat"]
    oracle = keras.Model(model.inputs, [model.get_layer(name).output for name in names])(image, training=False)
    for name, value in zip(names, oracle, strict=True):
        close(maps[name], first(value))
    close(maps["classes/softmax"], first(model(image, training=False)))


def test_names_are_paths_and_inputs_are_edges() -> None:
    _, network, _ = captured(zoo.nested(), zoo.picture(ROWS, COLUMNS, 3))
    assert [layer.name for layer in network] == [
        *("inner/conv", "inner/tail/relu", "inner/tail/drop"),
        *("inner/conv:2", "inner/tail/relu:2", "inner/tail/drop:2", "sum"),
    ]
    assert network["inner/tail/relu"].scope == ("inner", "tail")
    assert network["inner/conv:2"].inputs == ("inner/tail/drop",)
    assert network["sum"].inputs == ("inner/tail/drop:2", "picture")
    assert network["sum"].kind is Kind.ADD


def test_row_03_a_block_called_twice_is_two_of_each_and_its_weights_count_once() -> None:
    model = zoo.subclassed()
    _, network, maps = captured(model, zoo.picture(ROWS, COLUMNS, 3))
    again = network["block/conv:2"]
    assert again.shares == "block/conv"
    assert again.parameters == 0
    assert network["block/conv"].parameters == 148
    assert sum(layer.parameters for layer in network) == network.parameters == model.count_params()
    assert not np.array_equal(maps["block/conv"], maps["block/conv:2"])


@pytest.mark.parametrize("build", [zoo.residual, zoo.subclassed])
def test_row_04_operators_and_functions_are_layers(build: Callable[[], Any]) -> None:
    _, network, maps = captured(build(), zoo.picture(ROWS, COLUMNS, 3))
    adds = [layer for layer in network if layer.kind is Kind.ADD]
    assert adds
    for add in adds:
        assert add.operation == Merge("add")
        close(maps[add.name], maps[add.inputs[0]] + maps[add.inputs[1]])
        reader = next(layer for layer in network if add.name in layer.inputs)
        assert reader.operation == Activation("relu")
        close(maps[reader.name], np.maximum(maps[add.name], 0))


def test_row_04_a_concatenation_names_its_axis() -> None:
    _, network, maps = captured(zoo.residual(), zoo.picture(ROWS, COLUMNS, 3))
    joined = next(layer for layer in network if layer.kind is Kind.CONCAT)
    assert joined.operation == Merge("concat", 0)
    close(maps[joined.name], np.concatenate([maps[name] for name in joined.inputs]))


@pytest.mark.parametrize(("shift", "taken"), [(2.0, "bright"), (-2.0, "dark")])
def test_row_05_the_path_that_this_picture_took_is_shown(shift: float, taken: str) -> None:
    model = zoo.Branching()
    image = zoo.picture(ROWS, COLUMNS, 3)
    model(image + 2), model(image - 2)
    before = fingerprint(model)()
    engine, network, maps = captured(model, image + shift)
    assert [layer.name for layer in network][-1] == taken
    assert network.outputs == (taken,)
    close(maps[taken], first(model(image + shift)))
    plain = engine.predict({engine.inputs[0].name: image + shift})
    close(plain[taken], maps[taken])
    assert fingerprint(model)() == before


def test_row_05_the_sink_can_stop_a_run_with_dynamic_control_flow() -> None:
    model = zoo.Branching()
    image = zoo.picture(ROWS, COLUMNS, 3) + 2
    model(image), model(-image)
    before = fingerprint(model)()
    engine = KerasEngine.open(model)

    def sink(layer: Layer, array: Any) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        engine.run({engine.inputs[0].name: image}, None, sink)
    assert fingerprint(model)() == before


def test_row_06_all_inner_layers_of_nested_and_subclassed_models_are_shown() -> None:
    _, network, _ = captured(zoo.subclassed(), zoo.picture(ROWS, COLUMNS, 3))
    assert [layer.name for layer in network] == [
        *("stem", "stem/relu", "block/conv", "block/norm", "block/add", "block/relu"),
        *("block/conv:2", "block/norm:2", "block/add:2", "block/relu:2", "mean", "head"),
    ]


@pytest.mark.parametrize("activation", ["relu", "softmax", "gelu", layers.PReLU(name="slopes")])
def test_row_07_the_value_before_and_after_a_built_in_activation(activation: Any) -> None:
    model = zoo.sequential(layers.Conv2D(4, 3, padding="same", activation=activation, name="conv"))
    image = zoo.picture(ROWS, COLUMNS, 3)
    trace, network, maps = traced(model, image)
    assert network.layers[0].name == "conv"
    conv = network["conv"].operation
    assert isinstance(conv, Convolution)
    after = network.layers[1]
    assert after.name.startswith("conv/")
    assert after.inputs == ("conv",)
    assert after.kind is Kind.ACTIVATION
    close(maps[after.name], first(model(image)))
    weights = trace.weights("conv")
    value = naive_convolution(conv, first(image), weights, (2, 4, 3))
    assert maps["conv"][2, 4, 3] == pytest.approx(value, abs=1e-5)
    assert sum(layer.parameters for layer in network) == model.count_params()
    if isinstance(activation, layers.Layer):
        assert trace.weights(after.name)["slope"].shape == (4, ROWS, COLUMNS)
        assert after.parameters == ROWS * COLUMNS * 4


def test_row_08_an_unbuilt_sequential_is_built_by_the_picture() -> None:
    model = keras.Sequential([layers.Conv2D(2, 3, name="conv"), layers.ReLU(name="relu")])
    engine = KerasEngine.open(model)
    assert not engine.inputs[0].rank_known
    maps: Maps = {}
    image = zoo.picture(ROWS, COLUMNS, 3)
    trace = engine.run({"input": image}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert [layer.name for layer in network] == ["conv", "relu"]
    assert network.inputs[0].shape == (3, ROWS, COLUMNS)
    close(maps["relu"], first(model(image)))


def test_row_08_the_input_shape_answers_for_an_unbuilt_model() -> None:
    model = keras.Sequential([layers.Conv2D(2, 3, name="conv")])
    engine = KerasEngine.open(model, input_shape=(3, ROWS, COLUMNS))
    assert engine.inputs[0].shape == (3, ROWS, COLUMNS)
    trace = engine.trace({"input": (1, ROWS, COLUMNS, 3)})
    network = trace.network
    assert network["conv"].parameters == 56
    assert network["conv"].output_shape == (2, ROWS - 2, COLUMNS - 2)


@pytest.mark.parametrize(
    "wrapped",
    [
        lambda: layers.TimeDistributed(layers.Conv2D(2, 3, activation="relu"), name="timed"),
        lambda: layers.TimeDistributed(layers.MaxPooling2D(2), name="timed"),
        lambda: layers.TimeDistributed(layers.Flatten(), name="timed"),
    ],
)
def test_row_09_time_distributed_layers_have_time_as_their_first_spatial_axis(wrapped: Callable[[], Any]) -> None:
    model = zoo.sequential(wrapped(), shape=(3, ROWS, COLUMNS, 2))
    image = zoo.picture(3, ROWS, COLUMNS, 2)
    _, network, maps = captured(model, image)
    assert any("time" in note for note in network["timed"].notes)
    close(maps[network.outputs[0]], first(model(image)))


@pytest.mark.parametrize(
    "layer",
    [
        lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True), name="recurrent"),
        lambda: layers.LSTM(3, return_state=True, name="recurrent"),
        lambda: layers.GRU(3, name="recurrent"),
        lambda: layers.SimpleRNN(3, name="recurrent"),
    ],
)
def test_row_09_recurrent_layers_are_named_as_a_whole(layer: Callable[[], Any]) -> None:
    image = keras.Input((6, 4), name="picture")
    model = randomly(keras.Model(image, layer()(image)))
    feed = zoo.picture(6, 4)
    _, network, maps = captured(model, feed)
    assert network["recurrent"].kind is Kind.RECURRENT
    assert network["recurrent"].parameters == model.count_params()
    assert isinstance(network["recurrent"].operation, Whole)
    outputs = keras.tree.flatten(model(feed))
    assert len(network.outputs) == len(outputs)
    for name, value in zip(network.outputs, outputs, strict=True):
        close(maps[name], first(value))


def randomly(model: Any) -> Any:
    return zoo.randomised(model)


# --- windows ----------------------------------------------------------------------------------------------------------


def assert_convolutions(trace: Trace, network: Network, maps: Maps, feed: Any) -> None:
    """A few values of every convolution against a naive loop, the first and last ones among them."""
    maps = {**maps, network.inputs[0].name: first(feed, network.inputs[0].layout)}
    random = np.random.default_rng(0)
    for layer in network:
        if not isinstance(layer.operation, Convolution):
            continue
        weights, source = trace.weights(layer.name), maps[layer.inputs[0]]
        size = maps[layer.name].size
        for flat in {0, size - 1, *random.integers(0, size, 6).tolist()}:
            index = tuple(int(i) for i in np.unravel_index(flat, layer.output_shape))
            value = naive_convolution(layer.operation, source, weights, index)
            assert float(maps[layer.name][index]) == pytest.approx(value, abs=1e-4)


sizes = st.integers(1, 4)


@given(size=st.integers(4, 9), kernel=sizes, stride=st.integers(1, 3), dilation=st.integers(1, 3), same=st.booleans())
@settings(max_examples=25, deadline=None)
def test_row_10_11_15_padding_is_explicit_for_the_actual_size(
    size: int, kernel: int, stride: int, dilation: int, same: bool
) -> None:
    assume(stride == 1 or dilation == 1)
    assume(same or size >= dilation * (kernel - 1) + 1)
    model = zoo.sequential(
        layers.Conv1D(2, kernel, stride, padding="same" if same else "valid", dilation_rate=dilation, name="conv"),
        shape=(size, 2),
    )
    feed = zoo.picture(size, 2)
    trace, network, maps = traced(model, feed)
    conv = network["conv"].operation
    assert isinstance(conv, Convolution)
    length = geometry.output_size(size, kernel, stride, dilation, conv.padding[0])
    assert network["conv"].output_shape == (2, length)
    assert_convolutions(trace, network, maps, feed)


def test_row_10_same_with_stride_2_pads_more_at_the_end() -> None:
    model = zoo.sequential(layers.Conv2D(2, 3, 2, padding="same", name="conv"), shape=(8, 9, 1))
    _, network, _ = captured(model, zoo.picture(8, 9, 1))
    conv = network["conv"].operation
    assert isinstance(conv, Convolution)
    assert conv.padding == ((0, 1), (1, 1))


def test_row_11_even_kernels_pad_one_before_and_two_after() -> None:
    model = zoo.sequential(layers.Conv2D(2, 4, padding="same", name="conv"))
    _, network, _ = captured(model, zoo.picture(ROWS, COLUMNS, 3))
    conv = network["conv"].operation
    assert isinstance(conv, Convolution)
    assert conv.padding == ((1, 2), (1, 2))


def runs(model: Any, feed: Any) -> bool:
    """Whether the backend can compute this at all: TensorFlow's CPU kernels lack some small cases and layouts."""
    try:
        model.predict_on_batch(feed)
    except Exception:
        return False
    return True


def naive_pooling(
    operation: Pooling, source: np.ndarray[Any, Any], index: tuple[int, ...], edge_counts: bool = False
) -> float:
    """One value of a pooling layer by its definition; padding doesn't count, or is the edge repeated."""
    inside = []
    for axis, place in enumerate(index[1:]):
        window = geometry.window(place, operation.kernel_size[axis], operation.stride[axis], 1, operation.padding[axis])
        inside.append([position for position in window if 0 <= position < source.shape[1 + axis]])
    if edge_counts:
        inside = [
            [min(max(position, 0), source.shape[1 + axis] - 1) for position in geometry.window(place, k, s, 1, p)]
            for axis, (place, k, s, p) in enumerate(
                zip(index[1:], operation.kernel_size, operation.stride, operation.padding, strict=True)
            )
        ]
    values = source[index[0]][np.ix_(*inside)]
    return float(values.max() if operation.mode == "max" else values.mean())


@given(
    mode=st.sampled_from(["max", "average"]),
    size=st.tuples(st.integers(4, 8), st.integers(4, 8)),
    window=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    stride=st.none() | st.integers(1, 3),
    padding=st.sampled_from(["same", "valid"]),
)
@settings(max_examples=25, deadline=None)
def test_row_12_pooling_at_the_border_has_the_real_divisor(
    mode: str, size: tuple[int, int], window: tuple[int, int], stride: int | None, padding: str
) -> None:
    make = layers.MaxPooling2D if mode == "max" else layers.AveragePooling2D
    model = zoo.sequential(make(window, stride, padding=padding, name="pool"), shape=(*size, 2))
    feed = zoo.picture(*size, 2)
    _, network, maps = captured(model, feed)
    pool = network["pool"].operation
    assert isinstance(pool, Pooling)
    for index in np.ndindex(network["pool"].output_shape):
        value = naive_pooling(pool, first(feed), index, edge_counts=bool(network["pool"].notes))
        assert float(maps["pool"][index]) == pytest.approx(value, abs=1e-5)


@given(
    size=st.integers(2, 6),
    kernel=sizes,
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    padding=st.sampled_from(["same", "valid"]),
    extra=st.none() | st.integers(0, 2),
)
@settings(max_examples=30, deadline=None)
@pytest.mark.filterwarnings("ignore")
def test_row_13_transposed_convolutions_gather(
    size: int, kernel: int, stride: int, dilation: int, padding: str, extra: int | None
) -> None:
    assume(stride == 1 or dilation == 1)
    assume(extra is None or extra < stride)
    layer = layers.Conv2DTranspose(
        3, (kernel, 2), stride, padding=padding, dilation_rate=dilation, output_padding=extra, name="up"
    )
    model = zoo.sequential(layer, shape=(size, 3, 2))
    feed = zoo.picture(size, 3, 2)
    assume(runs(model, feed))
    trace, network, maps = traced(model, feed)
    up = network["up"].operation
    assert isinstance(up, Convolution)
    assert up.transposed
    assert_convolutions(trace, network, maps, feed)


def test_row_14_separable_convolutions_show_both_steps() -> None:
    model = zoo.sequential(
        layers.SeparableConv2D(5, 3, padding="same", depth_multiplier=2, activation="relu", name="sep")
    )
    feed = zoo.picture(ROWS, COLUMNS, 3)
    trace, network, maps = traced(model, feed)
    assert [layer.name for layer in network] == ["sep/depthwise", "sep", "sep/relu"]
    depthwise, pointwise = network["sep/depthwise"].operation, network["sep"].operation
    assert isinstance(depthwise, Convolution)
    assert isinstance(pointwise, Convolution)
    assert (depthwise.groups, depthwise.filters) == (3, 6)
    assert (pointwise.groups, pointwise.in_channels, pointwise.filters) == (1, 6, 5)
    assert [layer.parameters for layer in network] == [54, 35, 0]
    assert trace.weights("sep/depthwise")["kernel"].shape == (6, 1, 3, 3)
    assert trace.weights("sep")["kernel"].shape == (5, 6, 1, 1)
    assert_convolutions(trace, network, maps, feed)
    close(maps["sep/relu"], first(model(feed)))


def channels_first_models() -> list[Any]:
    """Convolutions without padding: TensorFlow runs most others on a GPU alone."""
    rows: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
        ("Conv2D", (2, 3), {}),
        ("DepthwiseConv2D", (3,), {"depth_multiplier": 2}),
        ("SeparableConv2D", (4, 3), {}),
        ("MaxPooling2D", (2,), {}),
        ("Conv2DTranspose", (2, 3), {"strides": 2}),
        ("AveragePooling2D", (2,), {}),
        ("GlobalAveragePooling2D", (), {}),
        ("ZeroPadding2D", (1,), {}),
        ("UpSampling2D", (2,), {}),
        ("Cropping2D", (((1, 0), (0, 2)),), {}),
        ("Conv2D", (2, 3, 2, "same"), {"activation": "relu"}),
    ]
    return [pytest.param(*row, id=f"{row[0]} {row[1]} {row[2]}") for row in rows]


@pytest.mark.parametrize(("kind", "arguments", "options"), channels_first_models())
def test_row_16_channels_first_models_give_the_same_pictures(
    kind: str, arguments: tuple[Any, ...], options: dict[str, Any]
) -> None:
    def built(layout: str, shape: tuple[int, ...]) -> Any:
        layer = getattr(layers, kind)(*arguments, **options, data_format=layout, name="layer")
        return zoo.sequential(layer, shape=shape)

    feed = zoo.picture(ROWS, COLUMNS, 3)
    last = built("channels_last", (ROWS, COLUMNS, 3))
    _, network, maps = captured(last, feed)
    other = built("channels_first", (3, ROWS, COLUMNS))
    if not runs(other, np.moveaxis(feed, -1, 1)):
        pytest.skip("TensorFlow can't compute this layout on a CPU")
    if not np.allclose(first(last(feed)), first(other(np.moveaxis(feed, -1, 1)), "channels_first"), atol=1e-5):
        pytest.skip("TensorFlow adds the bias of this layout along another axis")
    _, same, theirs = captured(other, np.moveaxis(feed, -1, 1))
    assert same.inputs[0].layout == "channels_first"
    assert same.inputs[0].shape == network.inputs[0].shape
    assert [layer.operation for layer in same] == [layer.operation for layer in network]
    for name, array in maps.items():
        close(theirs[name], array)


# --- inputs and outputs -----------------------------------------------------------------------------------------------


def two_headed() -> Any:
    left, right = keras.Input((4, 4, 2), name="left"), keras.Input((4, 4, 2), name="right")
    both = layers.Concatenate(name="both")([left, right])
    outputs = {"maps": layers.Conv2D(2, 1, name="conv")(both), "mean": layers.GlobalMaxPooling2D(name="top")(both)}
    return zoo.randomised(keras.Model({"left": left, "right": right}, outputs, name="heads"))


def test_row_17_every_output_is_shown_and_every_input_asked_for_by_name() -> None:
    model = two_headed()
    feed = {"left": zoo.picture(4, 4, 2), "right": zoo.picture(4, 4, 2, seed=5)}
    engine, network, maps = captured(model, feed)
    assert {i.name for i in network.inputs} == {"left", "right"}
    assert set(network.outputs) == {"conv", "top"}
    expected = model(feed, training=False)
    close(maps["conv"], first(expected["maps"]))
    close(engine.predict(feed)["top"], first(expected["mean"]))
    with pytest.raises(InputError, match="right"):
        engine.run({"left": feed["left"]}, None, lambda layer, array: None)
    with pytest.raises(InputError, match="middle"):
        engine.run({**feed, "middle": feed["left"]}, None, lambda layer, array: None)


def test_row_17_a_subclassed_model_names_its_inputs_as_its_call_does() -> None:
    model = zoo.TwoInputs()
    feed = {"left": zoo.picture(4, 4, 2), "right": zoo.picture(4, 4, 2, seed=5)}
    engine, network, maps = captured(model, feed)
    assert [i.name for i in engine.inputs] == ["left", "right"]
    expected = model(**feed)
    close(maps["add"], first(expected["sum"]))
    close(maps["multiply"], first(expected["left"]))
    assert set(network.outputs) == {"add", "multiply"}


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16", "bfloat16", "float64"])
def test_row_18_other_types_come_as_float32_and_are_named(policy: str) -> None:
    with keras.DTypePolicyScope(policy) if hasattr(keras, "DTypePolicyScope") else _policy(policy):
        model = zoo.sequential(
            layers.Conv2D(4, 3, activation="relu", name="conv"),
            layers.BatchNormalization(name="norm"),
            keras.Sequential([layers.Conv2D(2, 1, name="one")], name="inner"),
        )
    feed = zoo.picture(ROWS, COLUMNS, 3)
    trace, network, maps = traced(model, feed)
    output = model(feed, training=False)
    assert network["conv"].dtype == keras.backend.standardize_dtype(output.dtype)
    assert network["inner/one"].inputs == ("norm",)
    assert all(array.dtype == np.float32 for array in maps.values())
    assert all(array.dtype == np.float32 for array in trace.weights("conv").values())
    close(maps["inner/one"], first(output), 1e-2)


class _policy:
    def __init__(self, policy: str) -> None:
        self.policy = policy

    def __enter__(self) -> None:
        self.before = keras.config.dtype_policy()
        keras.config.set_dtype_policy(self.policy)

    def __exit__(self, *_: object) -> None:
        keras.config.set_dtype_policy(self.before)


def test_row_19_values_that_are_not_numbers_come_through_unchanged() -> None:
    feed = zoo.picture(ROWS, COLUMNS, 3)
    feed[0, 2, 3, 0], feed[0, 5, 5, 1] = np.nan, np.inf
    model = zoo.sequential(layers.Conv2D(2, 3, name="conv"), layers.Rescaling(0.0, name="nothing"))
    _, _, maps = captured(model, feed)
    np.testing.assert_array_equal(np.isnan(maps["conv"]), np.isnan(first(model.layers[0](feed))))
    assert np.isnan(maps["nothing"]).any()


def test_row_20_the_run_is_inference_and_nothing_changes() -> None:
    model = zoo.sequential(
        layers.Conv2D(3, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.Dropout(0.5, name="drop"),
        zoo.Noisy(name="noisy"),
    )
    before = fingerprint(model)()
    feed = zoo.picture(ROWS, COLUMNS, 3)
    engine, network, maps = captured(model, feed)
    np.testing.assert_array_equal(maps["drop"], maps["norm"])
    assert network["drop"].operation == Pointwise("identity")
    first_noise = maps["noisy"] - maps["drop"]
    assert first_noise.std() > 0.5
    again = captured(model, feed)[2]
    close(again["noisy"] - again["drop"], first_noise, 1e-4)
    engine.predict({"picture": feed})
    assert fingerprint(model)() == before


def test_row_20_an_error_inside_the_model_leaves_everything_as_it_was() -> None:
    class Failing(layers.Layer):  # type: ignore[misc]  # keras has no types
        armed = False

        def call(self, x: Any) -> Any:
            y = ops.relu(x)
            if self.armed:
                raise OSError(f"no such thing as {len(y.shape)} axes")
            return y

    failing = Failing(name="failing")
    model = zoo.sequential(layers.Conv2D(3, 3, activation="relu", name="conv"), failing)
    failing.armed = True
    before = fingerprint(model)()
    with pytest.raises(ModelError, match="no such thing as 4 axes"):
        captured(model, zoo.picture(ROWS, COLUMNS, 3))
    assert fingerprint(model)() == before


@pytest.mark.parametrize("shape", [(ROWS, COLUMNS, 3), (1, ROWS, COLUMNS, 3)])
def test_row_35_arrays_of_pixels_are_prepared_by_the_recipe_and_floats_are_fed_as_they_are(
    shape: tuple[int, ...],
) -> None:
    lens = convlens.open(zoo.plain())
    pixels = np.random.default_rng(4).integers(0, 256, shape, np.uint8)
    told = lens.feature_maps(pixels, recipe=convlens.Recipe(scale=1 / 255))
    scaled = (pixels.reshape(1, ROWS, COLUMNS, 3) / 255).astype("float32")
    fed = lens.feature_maps(scaled)
    for name in ("conv", "classes/softmax"):
        close(told[name].array, fed[name].array)
    assert told.recipe is not None
    assert told.recipe.scale == 1 / 255
    close(fed["classes/softmax"].array, first(zoo.plain()(scaled, training=False)))


@pytest.mark.parametrize("policy", ["mixed_float16", "float32"])
def test_row_07_18_19_values_of_any_type_and_kind_are_explained(policy: str) -> None:
    with _policy(policy):
        model = zoo.plain()
    feed = zoo.picture(ROWS, COLUMNS, 3)
    feed[0, 2, 3, 0] = np.nan
    maps = convlens.open(model).feature_maps(feed)
    assert [name for name in maps if name.endswith("/cast")] == (["conv/cast"] if "mixed" in policy else [])
    for name in maps:
        for index in np.ndindex(*(min(n, 2) for n in maps[name].array.shape)):
            assert maps[name].explain(*index).agrees


def test_a_live_keras_model_is_opened_by_the_keras_engine_whatever_else_it_is() -> None:
    """On the PyTorch backend it is a ``torch.nn.Module`` too."""
    for model in (zoo.plain(), zoo.subclassed(), keras.Sequential([keras.Input((4,)), layers.Dense(2)])):
        assert convlens.open(model).engine == "keras"
        if BACKEND == "torch":
            import torch

            assert isinstance(model, torch.nn.Module)


# --- values that code makes by itself ---------------------------------------------------------------------------------


def native(x: Any) -> Any:
    """Twice the hyperbolic tangent, in the backend's own words."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.tanh(x) * 2.0
    if BACKEND == "jax":
        import jax

        return jax.nn.tanh(x) * 2.0
    import torch

    return torch.tanh(x) * 2.0


class Native(layers.Layer):  # type: ignore[misc]  # keras has no types
    """A convolution between two pieces of the backend's own code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(2, 1, name="conv")

    def call(self, x: Any) -> Any:
        return native(self.conv(native(x)))


def test_code_of_the_backend_itself_shows_as_one_step_and_the_graph_stays_whole() -> None:
    model = zoo.sequential(layers.ReLU(name="relu"), Native(name="native"))
    feed = zoo.picture(ROWS, COLUMNS, 3)
    _, network, maps = captured(model, feed)
    steps = [layer for layer in network if layer.scope == ("native",)]
    assert [layer.name for layer in steps] == [f"native/{BACKEND}", "native/conv", f"native/{BACKEND}:2"]
    assert [layer.inputs for layer in steps[:2]] == [("relu",), (steps[0].name,)]
    assert {"native/conv"} <= set(steps[2].inputs) <= {"relu", steps[0].name, "native/conv"}
    assert steps[0].notes
    close(maps[steps[0].name], np.tanh(maps["relu"]) * 2, 1e-4)
    close(maps[network.outputs[0]], first(model(feed)))


@pytest.mark.skipif(BACKEND != "torch", reason="only PyTorch code can write into a tensor")
def test_row_01_02_code_that_writes_in_place_leaves_earlier_maps_as_they_were() -> None:
    class InPlace(layers.Layer):  # type: ignore[misc]  # keras has no types
        def __init__(self, **kwargs: Any) -> None:
            super().__init__(**kwargs)
            self.before = layers.Conv2D(2, 1, name="before")
            self.after = layers.Conv2D(2, 1, name="after")

        def call(self, x: Any) -> Any:
            y = self.before(x.relu_())
            y[..., :1].relu_()
            return self.after(y)

    model = zoo.sequential(layers.Conv2D(2, 3, name="conv"), InPlace(name="place"))
    feed = zoo.picture(ROWS, COLUMNS, 3)
    _, network, maps = captured(model, feed)
    assert maps["conv"].min() < 0
    assert maps["place/before"][0].min() < 0
    changed = network["place/after"].inputs[0]
    assert network[changed].op == "PyTorch code"
    assert maps[changed][0].min() == 0
    np.testing.assert_array_equal(maps[changed][1], maps["place/before"][1])
    close(maps["place/after"], first(model(feed)))


def test_a_layer_that_is_one_operation_has_the_layers_own_name_and_weights() -> None:
    class Gain(layers.Layer):  # type: ignore[misc]  # keras has no types
        def build(self, shape: Any) -> None:
            self.gain = self.add_weight(shape=(shape[-1],), name="gain")

        def call(self, x: Any) -> Any:
            return x * self.gain

    class Skipping(layers.Layer):  # type: ignore[misc]  # keras has no types
        def call(self, x: Any, training: bool = False) -> Any:
            return ops.zeros_like(x) if training else x

    model = zoo.sequential(Gain(name="gain"), Skipping(name="skipping"))
    feed = zoo.picture(ROWS, COLUMNS, 3)
    _, network, maps = captured(model, feed)
    assert [layer.name for layer in network] == ["gain", "skipping"]
    assert [layer.parameters for layer in network] == [3, 0]
    assert network["gain"].operation == Pointwise("multiply")
    close(maps["gain"], first(feed) * np.asarray(model.layers[0].gain)[:, None, None])
    np.testing.assert_array_equal(maps["skipping"], maps["gain"])


def test_a_convolution_written_with_functions_is_a_convolution() -> None:
    class Handmade(layers.Layer):  # type: ignore[misc]  # keras has no types
        def build(self, shape: Any) -> None:
            self.taps = self.add_weight(shape=(3, 3, shape[-1], 4), name="taps")

        def call(self, x: Any) -> Any:
            return ops.conv(ops.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0))), self.taps, 2, "valid")

    model = zoo.sequential(Handmade(name="handmade"))
    feed = zoo.picture(ROWS, COLUMNS, 3)
    trace, network, maps = traced(model, feed)
    assert [layer.name for layer in network] == ["handmade/pad", "handmade/conv"]
    assert network["handmade/pad"].operation == Pad(((1, 0), (0, 1)))
    assert trace.weights("handmade/conv")["kernel"].shape == (4, 3, 3, 3)
    assert network["handmade/conv"].parameters == 108
    assert_convolutions(trace, network, maps, feed)


def test_changed_weights_are_seen_by_the_next_run() -> None:
    model = zoo.plain()
    feed = {"picture": zoo.picture(ROWS, COLUMNS, 3)}
    engine = KerasEngine.open(model)
    maps: list[Maps] = []
    for seed in (1, 2):
        zoo.randomised(model, seed)
        found: Maps = {}
        maps.append(found)
        trace = engine.run(feed, None, lambda layer, array: maps[-1].update({layer.name: np.array(array)}))
        close(engine.predict(feed)["classes/softmax"], first(model(feed["picture"])))
        close(found["classes/softmax"], first(model(feed["picture"])))
        np.testing.assert_allclose(trace.weights("conv")["bias"], np.asarray(model.layers[0].bias))
    assert not np.allclose(maps[0]["conv"], maps[1]["conv"])


def test_row_29_a_fixed_batch_is_filled_up() -> None:
    image = keras.Input((ROWS, COLUMNS, 3), batch_size=2, name="picture")
    model = keras.Model(image, layers.Conv2D(2, 3, name="conv")(image))
    engine = KerasEngine.open(model)
    assert engine.inputs[0].batch == 2
    feed = zoo.picture(ROWS, COLUMNS, 3)
    _, network, maps = captured(model, feed)
    whole = np.concatenate([feed, feed])
    assert maps["conv"].shape == network["conv"].output_shape
    close(maps["conv"], first(model(whole)))
    close(engine.predict({"picture": feed})["conv"], maps["conv"])
    assert engine.trace({"picture": feed.shape}).network == network
    with pytest.raises(InputError, match="2 x 9 x 8 x 3"):
        engine.run({"picture": np.concatenate([whole, feed])}, None, lambda layer, array: None)


def test_another_tools_wrapper_stays_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = keras.layers.Layer.__call__

    def wrapper(self: Any, *args: Any, **kwargs: Any) -> Any:
        return plain(self, *args, **kwargs)

    monkeypatch.setattr(keras.layers.Layer, "__call__", wrapper)
    captured(zoo.plain(), zoo.picture(ROWS, COLUMNS, 3))
    assert keras.layers.Layer.__call__ is wrapper


def test_two_threads_see_their_own_model_only() -> None:
    models = [zoo.plain(), zoo.residual()]
    feed = zoo.picture(ROWS, COLUMNS, 3)
    alone = [captured(model, feed)[1] for model in models]
    together: dict[int, Network] = {}

    def work(n: int) -> None:
        for _ in range(3):
            together[n] = captured(models[n], feed)[1]
            models[n](feed)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert together == dict(enumerate(alone))
    assert keras.layers.Layer.__call__.__module__.startswith("keras.")


def test_a_float_uint8_or_framework_array_is_taken_alike() -> None:
    model = zoo.sequential(layers.Conv2D(2, 3, name="conv"))
    values = np.arange(ROWS * COLUMNS * 3, dtype="uint8").reshape(1, ROWS, COLUMNS, 3)
    wanted = captured(model, values)[2]["conv"]
    for given_as in (values.astype("float64"), values.tolist(), ops.convert_to_tensor(values.astype("float32"))):
        close(captured(model, given_as)[2]["conv"], wanted)


# --- wrong input ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "told"),
    [((ROWS, COLUMNS, 3), "batch axis"), ((1, ROWS, COLUMNS, 4), "any x 9 x 8 x 3"), ((1, 3, ROWS, COLUMNS), "rows")],
)
def test_a_wrong_shape_is_answered_with_the_right_one(shape: tuple[int, ...], told: str) -> None:
    engine = KerasEngine.open(zoo.plain())
    with pytest.raises(InputError, match=told):
        engine.run({"picture": np.zeros(shape, "float32")}, None, lambda layer, array: None)
    with pytest.raises(InputError, match=told):
        engine.trace({"picture": shape})


def test_an_input_shape_that_contradicts_the_model_is_refused() -> None:
    with pytest.raises(InputError, match="9 x 8 x 3"):
        KerasEngine.open(zoo.plain(), input_shape=(3, 5, 5))


def test_a_picture_smaller_than_the_kernel_is_refused() -> None:
    model = keras.Sequential([keras.Input((None, None, 1), name="picture"), layers.Conv2D(1, 5)])
    with pytest.raises(ConvlensError, match="picture"):
        captured(model, zoo.picture(3, 3, 1))


def test_an_unknown_layer_has_no_weights() -> None:
    trace, _, _ = traced(zoo.plain(), zoo.picture(ROWS, COLUMNS, 3))
    with pytest.raises(LayerNotFoundError, match="Did you mean 'conv'"):
        trace.weights("cnv")


# --- every layer of Keras ---------------------------------------------------------------------------------------------

CATALOGUE: list[tuple[str, Kind, type]] = [
    ("AveragePooling2D(2)", Kind.POOLING, Pooling),
    ("GlobalMaxPooling2D()", Kind.POOLING, Pooling),
    ("GlobalAveragePooling2D(keepdims=True)", Kind.POOLING, Pooling),
    ("AdaptiveAveragePooling2D((3, 2))", Kind.POOLING, Pooling),
    ("AdaptiveMaxPooling2D(4)", Kind.POOLING, Pooling),
    ("LayerNormalization()", Kind.NORMALISATION, object),
    ("GroupNormalization(2)", Kind.NORMALISATION, object),
    ("UnitNormalization()", Kind.NORMALISATION, object),
    ("RMSNormalization()", Kind.NORMALISATION, object),
    ("Normalization(mean=0.5, variance=2.0)", Kind.NORMALISATION, Normalisation),
    ("Dense(3, activation='gelu')", Kind.DENSE, Dense),
    ("EinsumDense('abcd,de->abce', (None, None, 3), bias_axes='e')", Kind.DENSE, object),
    ("Activation('silu')", Kind.ACTIVATION, Activation),
    ("LeakyReLU(0.1)", Kind.ACTIVATION, Activation),
    ("ReLU(6.0)", Kind.ACTIVATION, Activation),
    ("ELU()", Kind.ACTIVATION, Activation),
    ("PReLU(shared_axes=(1, 2))", Kind.ACTIVATION, Activation),
    ("Softmax()", Kind.ACTIVATION, Activation),
    ("UpSampling2D((2, 3))", Kind.RESIZE, Resize),
    ("UpSampling2D(2, interpolation='bilinear')", Kind.RESIZE, Resize),
    ("Resizing(5, 6)", Kind.RESIZE, Resize),
    ("CenterCrop(5, 5)", Kind.PADDING, Pad),
    ("ZeroPadding2D(((1, 2), (0, 3)))", Kind.PADDING, Pad),
    ("Cropping2D(((1, 2), (0, 3)))", Kind.PADDING, Pad),
    ("Flatten()", Kind.RESHAPE, Reshape),
    ("Reshape((8, 9, 4))", Kind.RESHAPE, Reshape),
    ("Permute((3, 1, 2))", Kind.RESHAPE, Reshape),
    ("Permute((2, 1, 3))", Kind.RESHAPE, Reshape),
    ("Dropout(0.5)", Kind.DROPOUT, Pointwise),
    ("SpatialDropout2D(0.5)", Kind.DROPOUT, Pointwise),
    ("GaussianNoise(0.5)", Kind.DROPOUT, Pointwise),
    ("RandomFlip()", Kind.DROPOUT, Pointwise),
    ("RandomRotation(0.2)", Kind.DROPOUT, Pointwise),
    ("Rescaling(0.1, 3.0)", Kind.ARITHMETIC, Pointwise),
    ("Identity()", Kind.RESHAPE, Pointwise),
    ("SpectralNormalization(layers.Conv2D(2, 3))", Kind.CONVOLUTION, Convolution),
]


@pytest.mark.parametrize(("made", "kind", "operation"), CATALOGUE, ids=[made for made, _, _ in CATALOGUE])
def test_layers_are_what_keras_says(made: str, kind: Kind, operation: type) -> None:
    layer = eval(f"layers.{made}", {"layers": layers})
    model = zoo.sequential(layer, shape=(ROWS, COLUMNS, 4))
    feed = zoo.picture(ROWS, COLUMNS, 4)
    trace, network, maps = traced(model, feed)
    assert network[0].kind is kind
    assert isinstance(network[0].operation, operation)
    layout = "channels_first" if "Permute((3" in made else "channels_last"
    close(maps[network.outputs[0]], first(model(feed, training=False), layout))
    assert sum(n.parameters for n in network) == model.count_params()
    assert all(array.dtype == np.float32 for array in trace.weights(network[0].name).values())
    geometry.annotate(network)


@pytest.mark.parametrize("name", ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Dot"])
def test_layers_that_merge_read_both(name: str) -> None:
    left, right = keras.Input((5, 6, 2), name="left"), keras.Input((5, 6, 2), name="right")
    layer = layers.Dot(axes=(3, 3), name="merge") if name == "Dot" else getattr(layers, name)(name="merge")
    model = keras.Model([left, right], layer([left, right]))
    feed = {"left": zoo.picture(5, 6, 2), "right": zoo.picture(5, 6, 2, seed=3)}
    _, network, maps = captured(model, feed)
    assert network["merge"].inputs == ("left", "right")
    close(maps["merge"], first(model([feed["left"], feed["right"]])))
    geometry.annotate(network)


FUNCTIONS: list[tuple[str, Callable[[Any], Any], object]] = [
    ("slice", lambda x: x[:, 1:8:2, ::3], Slice((1, 0), (2, 3))),
    ("slice of channels", lambda x: x[..., :2], Slice((0, 0), (1, 1))),
    ("clip", lambda x: ops.clip(x, -0.5, 0.5), Activation("clip", (("min", -0.5), ("max", 0.5)))),
    ("relu6", lambda x: ops.relu6(x), Activation("clip", (("min", 0.0), ("max", 6.0)))),
    ("max", lambda x: ops.max(x, axis=(1, 2)), Pooling("max", (9, 8), (9, 8), (1, 1), ((0, 0), (0, 0)), whole=True)),
    ("sum", lambda x: ops.sum(x, axis=3), Whole("sum")),
    ("moved", lambda x: ops.transpose(x, (0, 3, 1, 2)), Reshape("transpose", aligned=True, axes=(0, 1, 2))),
    ("turned", lambda x: ops.transpose(x, (0, 2, 1, 3)), Reshape("transpose", axes=(0, 2, 1))),
    ("scaled", lambda x: 2 * x, Pointwise("multiply")),
    ("root", lambda x: ops.sqrt(ops.abs(x)), Pointwise("sqrt")),
    ("power", lambda x: x**2, Pointwise("power")),
    ("reflect", lambda x: ops.pad(x, ((0, 0), (1, 1), (2, 0), (0, 0)), "reflect"), Pad(((1, 1), (2, 0)), "reflect")),
    ("folded", lambda x: ops.reshape(x, (-1, 4)), Reshape("reshape", channels_last=True)),
    (
        "pool",
        lambda x: ops.max_pool(x, 3, 2, "same"),
        Pooling(
            *("max", (3, 3), (2, 2), (1, 1), ((1, 1), (0, 1))),
            least=float(np.finfo(np.float32).min) if BACKEND == "tensorflow" else -np.inf,
            ignores_nan=BACKEND == "tensorflow",
        ),
    ),
]


@pytest.mark.parametrize(("function", "operation"), [row[1:] for row in FUNCTIONS], ids=[row[0] for row in FUNCTIONS])
@pytest.mark.parametrize("inside", [False, True], ids=["functional", "in a call"])
def test_functions_of_keras_ops(function: Callable[[Any], Any], operation: object, inside: bool) -> None:
    class Calling(keras.Model):  # type: ignore[misc]  # keras has no types
        def call(self, x: Any) -> Any:
            return function(x)

    image = keras.Input((ROWS, COLUMNS, 4), batch_size=None if inside else 1, name="x")
    model = Calling() if inside else keras.Model(image, function(image))
    feed = zoo.picture(ROWS, COLUMNS, 4)
    _, network, maps = captured(model, feed)
    last = network.layers[-1]
    assert last.operation == operation
    expected = np.asarray(ops.convert_to_numpy(function(ops.convert_to_tensor(feed))))
    assert maps[last.name].size == expected.size
    assert np.isclose(np.sort(maps[last.name], axis=None), np.sort(expected, axis=None), atol=1e-5).all()
    if expected.shape[0] != 1:
        assert last.notes
    geometry.annotate(network)


def test_attention_is_shown_as_a_whole() -> None:
    image = keras.Input((6, 4), name="tokens")
    model = zoo.randomised(
        keras.Model(image, layers.MultiHeadAttention(2, 3, name="attention")(image, image, use_causal_mask=True))
    )
    feed = zoo.picture(6, 4)
    _, network, maps = captured(model, feed)
    assert network["attention"].kind is Kind.ATTENTION
    assert network["attention"].parameters == model.count_params()
    close(maps["attention"], first(model(feed)))


def test_masks_reach_the_layers_behind() -> None:
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = layers.Embedding(7, 4, mask_zero=True, name="embedding")(tokens)
    model = zoo.randomised(keras.Model(tokens, layers.LSTM(3, name="lstm")(x)))
    feed = np.array([[3, 1, 2, 0, 0]])
    _, network, maps = captured(model, feed)
    assert network.inputs[0].dtype == "int32"
    close(maps["lstm"], first(model(feed)))
    close(maps["embedding"], np.asarray(model.layers[1].embeddings)[feed[0]].T)


@pytest.mark.parametrize("rank", [1, 3])
def test_row_32_pooling_padding_and_upsampling_in_other_dimensions(rank: int) -> None:
    shape = (6, 7, 5)[:rank]
    model = zoo.sequential(
        getattr(layers, f"ZeroPadding{rank}D")(1, name="pad"),
        getattr(layers, f"MaxPooling{rank}D")(2, padding="same", name="pool"),
        getattr(layers, f"UpSampling{rank}D")(2, name="up"),
        getattr(layers, f"Cropping{rank}D")(1, name="crop"),
        getattr(layers, f"GlobalAveragePooling{rank}D")(name="mean"),
        shape=(*shape, 2),
    )
    feed = zoo.picture(*shape, 2)
    _, network, maps = captured(model, feed)
    assert network["pad"].output_shape == (2, *(n + 2 for n in shape))
    close(maps["mean"], first(model(feed)))
    assert maps["up"].shape == (2, *(2 * -(-(n + 2) // 2) for n in shape))
