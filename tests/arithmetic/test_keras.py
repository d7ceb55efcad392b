"""Keras decides, on whichever backend ``KERAS_BACKEND`` names: every value of every layer is explained, and agrees."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly
from convlens.engines.keras import backend  # isort: skip

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers, ops
from tests.arithmetic.harness import check_every_value, examples
from tests.arithmetic.keras_layers import BACKEND, KINDS, Drawn, feed_of, model_of
from tests.engines import keras_models as zoo

TOGETHER = 20
"""Cases in one model: compiling costs more than computing, and costs it once a model."""


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_value_of_every_layer_is_explained(kind: str) -> None:
    @examples(100 // TOGETHER)
    @given(parts=st.lists(KINDS[kind], min_size=TOGETHER, max_size=TOGETHER), seed=st.integers(0, 2**31 - 1))
    def held(parts: list[Drawn], seed: int) -> None:
        keras.utils.clear_session(free_memory=False)
        engine = KerasEngine.open(model_of(parts, seed))
        feed = feed_of(parts, seed)
        check_every_value(engine, feed, np.random.default_rng(seed), unexplained=wrong_numbers(engine, feed), places=2)

    held()


def wrong_numbers(engine: KerasEngine, feed: dict[str, Any]) -> list[str]:
    """The layers of which the engine says that TensorFlow's kernel gives wrong numbers: volumes, and no others."""
    network = engine.run(feed, None, lambda layer, array: None).network
    found = [layer for layer in network.layers if any("TensorFlow's oneDNN kernel" in note for note in layer.notes)]
    for layer in found:
        assert layer.op == "Conv3D", layer
        assert layer.output_shape[-1] == 1, layer
        assert BACKEND == "tensorflow"
        assert backend.one_column_goes_wrong(layer.dtype), layer
    return [layer.name for layer in found]


def of_inputs(function: Callable[..., Any], *shapes: tuple[int, ...]) -> Any:
    """A functional model of inputs ``x0``, ``x1``, ..."""
    inputs = [keras.Input(shape, name=f"x{number}") for number, shape in enumerate(shapes)]
    return zoo.randomised(keras.Model(inputs, function(*inputs)))


def in_call(function: Callable[[Any], Any], *shape: int) -> Any:
    """A subclassed model with the function as its call, built."""

    class Calling(keras.Model):  # type: ignore[misc]  # keras has no types
        def call(self, x0: Any) -> Any:
            return function(x0)

    model = Calling()
    model(np.zeros((1, *shape), "float32"))
    return model


def in_time(layer: Any) -> Any:
    return zoo.sequential(layers.TimeDistributed(layer, name="timed"), shape=(3, 6, 5, 2))


def squeezed(x: Any) -> Any:
    """Squeeze and excitation: each channel multiplied by a number that all channels decide."""
    y = layers.Reshape((1, 1, 2))(layers.Dense(2, activation="silu")(layers.GlobalAveragePooling2D()(x)))
    return layers.Multiply()([x, layers.Dense(6, activation="sigmoid")(y)])


def doubled(x: Any) -> Any:
    return ops.relu(x) * 2


def ranges() -> Any:
    return ops.convert_to_tensor(np.linspace(1, 2, 4).astype("float32"))


MODELS: dict[str, tuple[Callable[[], Any], tuple[str, ...]]] = {
    "plain": (zoo.plain, ()),
    "residual": (zoo.residual, ()),
    "subclassed": (zoo.subclassed, ()),
    "nested": (zoo.nested, ()),
    "channels first": (
        lambda: zoo.sequential(
            layers.Permute((3, 1, 2)), layers.Reshape((3, 8, 9)), layers.Permute((2, 3, 1)), layers.Flatten()
        ),
        (),
    ),
    "squeeze and excitation": (lambda: of_inputs(squeezed, (5, 4, 6)), ()),
    "attention in products": (
        lambda: of_inputs(lambda x, y: ops.matmul(ops.softmax(ops.matmul(x, y)), x), (3, 4), (4, 3)),
        (),
    ),
    "the same twice": (lambda: of_inputs(lambda x: ops.concatenate([x + x, x * x, x - x], axis=-1), (5, 4, 6)), ()),
    "parts of one": (lambda: of_inputs(lambda x: ops.split(x, 3, axis=-1), (5, 4, 6)), ()),
    "stacked": (lambda: of_inputs(lambda x, y: ops.stack([x, y], axis=2), (5, 4), (5, 4)), ()),
    "a constant tensor": (lambda: of_inputs(lambda x: x * ranges() - 1, (3, 4)), ()),
    "a constant array in a call": (lambda: in_call(lambda x: 2 - x * np.array([1, 2, 3, 4], np.float32), 3, 3, 4), ()),
    "normalised over rows": (lambda: zoo.sequential(layers.BatchNormalization(axis=1)), ()),
    "another scale than axis": (lambda: zoo.sequential(layers.RMSNormalization(axis=1), shape=(4, 4)), ()),
    "axes as long as the last": (lambda: zoo.sequential(layers.LayerNormalization(axis=1), shape=(4, 4)), ()),
    "row 9: a convolution in time": (lambda: in_time(layers.Conv2D(2, 3, activation="relu")), ()),
    "row 9: a dense layer in time": (lambda: in_time(layers.Dense(2, activation="softmax")), ()),
    "row 9: pooling in time": (lambda: in_time(layers.MaxPooling2D(2)), ()),
    "row 9: a softmax in time": (lambda: in_time(layers.Softmax(axis=1)), ()),
    "row 9: slopes in time": (lambda: in_time(layers.PReLU(shared_axes=(1,))), ()),
    "row 9: every map in time": (lambda: in_time(layers.GlobalAveragePooling2D(keepdims=True)), ("timed",)),
    "spectral normalisation": (
        lambda: zoo.sequential(layers.SpectralNormalization(layers.Conv2D(2, 3, activation="relu"))),
        (),
    ),
    "a function of one's own": (
        lambda: zoo.sequential(layers.Conv2D(2, 3, activation=doubled, name="conv")),
        ("conv/doubled",),
    ),
    "ranks that differ": (lambda: of_inputs(lambda x, y: x + y, (5, 4), (3, 5, 4)), ("Add",)),
    "layouts that differ": (lambda: of_inputs(lambda x: x + ops.transpose(x, (0, 3, 1, 2)), (4, 4, 4)), ("Add",)),
    "a batch reduced": (lambda: of_inputs(ops.sum, (4, 4, 4)), ("Sum",)),
    "a scale without centre": (
        lambda: zoo.sequential(layers.LayerNormalization(rms_scaling=True)),
        ("LayerNormalization",),
    ),
    "row 9: recurrence": (lambda: zoo.sequential(layers.LSTM(3), shape=(5, 4)), ("LSTM",)),
}
"""Models as people write them, and what of them isn't explained: never wrongly, rather not at all."""


@pytest.mark.parametrize("name", [*MODELS])
def test_every_value_of_models_as_people_write_them(name: str) -> None:
    build, unexplained = MODELS[name]
    engine = KerasEngine.open(build())
    random = np.random.default_rng(3)
    feed = {}
    for given_input in engine.inputs:
        channels, *sizes = given_input.shape
        shape = (*sizes, channels) if given_input.layout == "channels_last" else given_input.shape
        feed[given_input.name] = random.normal(size=(1, *(size or 5 for size in shape))).astype("float32")
    check_every_value(engine, feed, random, unexplained=unexplained)


@pytest.mark.skipif(BACKEND == "tensorflow", reason="TensorFlow has no channels-first convolution on a CPU")
@pytest.mark.parametrize("stated", ["channels_first", "channels_last"])
def test_row_16_a_channels_first_model_flattens_as_it_says(stated: str) -> None:
    parts = layers.Conv2D(2, 3, data_format="channels_first"), layers.Flatten(data_format=stated), layers.Dense(2)
    model = zoo.sequential(*parts, shape=(3, 8, 7))
    feed = {"picture": np.random.default_rng(0).normal(size=(1, 3, 8, 7)).astype("float32")}
    check_every_value(KerasEngine.open(model), feed, np.random.default_rng(0))


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the other backends add where the value lies")
def test_on_tensorflow_a_value_that_is_added_along_another_axis_is_not_explained_as_if_it_were_not() -> None:
    model = of_inputs(lambda x, y: x + y, (5, 5, 2), (1, 5, 1))
    feed = {"x0": zoo.picture(5, 5, 2), "x1": zoo.picture(1, 5, 1)}
    made = np.asarray(model([feed["x0"], feed["x1"]])[0])
    np.testing.assert_array_equal(made, feed["x0"][0] + feed["x1"][0].reshape(5, 1, 1))
    check_every_value(KerasEngine.open(model), feed, np.random.default_rng(0), unexplained=["Add"])


@pytest.mark.skipif(BACKEND != "torch", reason="the other backends leave the padding out")
def test_row_12_on_pytorch_the_edge_is_repeated_into_unequal_padding_and_counts() -> None:
    model = zoo.sequential(layers.AveragePooling1D(2, 1, padding="same", name="pool"), shape=(3, 1))
    engine = KerasEngine.open(model)
    checked = check_every_value(engine, {"picture": np.array([[[1], [2], [4]]], np.float32)}, np.random.default_rng(0))
    assert checked.values == 3
