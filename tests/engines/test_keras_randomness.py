"""Keras models that draw at random, and TensorFlow's two ways of "same" over volumes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import convlens
from convlens.errors import ConvlensError
from convlens.lens import FeatureMaps


@keras.saving.register_keras_serializable("tests")
class Noisy(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """Its own code draws."""

    def __init__(self) -> None:
        super().__init__()
        self.seeds = keras.random.SeedGenerator(3)

    def call(self, x: Any) -> Any:
        return ops.relu(x + keras.random.normal(ops.shape(x), seed=self.seeds))


@keras.saving.register_keras_serializable("tests")
class Kept(layers.Layer):  # type: ignore[misc]
    """A layer that stays in training, whatever the model is told: Keras overrules what a functional model says."""

    def __init__(self, inner: Any) -> None:
        super().__init__()
        self.inner = inner

    def call(self, x: Any) -> Any:
        return self.inner(x, training=True) + 1.0


DRAWING: dict[str, Callable[[Any], Any]] = {
    "dropout": lambda x: Kept(layers.Dropout(0.5))(x),
    "dropout of maps": lambda x: Kept(layers.SpatialDropout2D(0.5))(x),
    "gaussian noise": lambda x: Kept(layers.GaussianNoise(0.5))(x),
    "gaussian dropout": lambda x: Kept(layers.GaussianDropout(0.5))(x),
    "alpha dropout": lambda x: Kept(layers.AlphaDropout(0.5))(x),
    "flipped": lambda x: Kept(layers.RandomFlip())(x),
    "contrast": lambda x: Kept(layers.RandomBrightness(0.5))(x),
    "a layer's own code": lambda x: Noisy()(x),
}


def model(step: Callable[[Any], Any]) -> Any:
    given = keras.Input((6, 6, 3))
    return keras.Model(given, layers.Conv2D(2, 1, name="last")(step(layers.Conv2D(4, 3, name="first")(given))))


def picture() -> Any:
    return np.random.default_rng(1).normal(size=(1, 6, 6, 3)).astype(np.float32)


def sure(maps: FeatureMaps) -> None:
    picked = np.random.default_rng(0)
    for name, found in maps.items():
        for _ in range(6):
            told = maps.explain(name, tuple(int(picked.integers(n)) for n in found.shape))
            assert told.agrees or not told.explained, f"{told!r}"


@pytest.mark.parametrize("name", DRAWING)
def test_what_is_drawn_is_marked_and_never_explained_wrongly(name: str) -> None:
    made = model(DRAWING[name])
    lens = convlens.open(made)
    for _ in range(2):
        maps = lens.feature_maps(picture())
        assert any(layer.drawn and "random" in " ".join(layer.notes) for layer in maps.network)
        assert "last" in maps.network.varying
        assert "first" not in maps.network.varying
        sure(maps)


@pytest.mark.parametrize("name", DRAWING)
def test_another_run_is_told_from_a_fault(name: str) -> None:
    made = model(DRAWING[name])
    maps = convlens.open(made).feature_maps(picture())
    made(picture(), training=False)  # draws, and moves the model's seeds on
    try:
        assert max(maps.verify().values()) < 1e-5
    except ConvlensError as problem:
        assert "Two runs of this model differ" in str(problem)  # noqa: PT017  # either is true
    few = convlens.open(made).feature_maps(picture(), layers=["last"])
    with pytest.raises(ConvlensError, match="another run would draw other values"):
        few.explain("last", (0, 1, 1))


def test_dropout_that_is_off_is_explained_like_anything_else() -> None:
    maps = convlens.open(model(layers.Dropout(0.5))).feature_maps(picture())
    told = convlens.open(model(lambda x: layers.Dropout(0.5)(x, training=True))).feature_maps(picture())
    assert not maps.network.varying
    assert not told.network.varying, "the model runs for inference"
    sure(maps)
    assert max(maps.verify().values()) < 1e-5


def test_seeds_are_left_where_they_were() -> None:
    made = model(DRAWING["dropout"])
    before = [np.array(ops.convert_to_numpy(one)) for one in made.non_trainable_variables]
    assert before
    convlens.open(made).feature_maps(picture())
    for one, was in zip(made.non_trainable_variables, before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(one), was)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("stride", [(1, 1, 3), (4, 2, 5), (3, 3, 3)])
def test_a_stride_larger_than_a_volumes_kernel(dtype: str, stride: tuple[int, int, int]) -> None:
    layer = layers.Conv3D(2, (1, 2, 1), stride, "same", dtype=dtype, name="conv")
    given = keras.Input((6, 7, 9, 2))
    maps = convlens.open(keras.Model(given, layer(given))).feature_maps(
        np.random.default_rng(2).normal(size=(1, 6, 7, 9, 2)).astype(np.float32)
    )
    for channel in range(2):
        assert maps["conv"].explain_all(channel).agrees


@pytest.mark.parametrize("size", [(4, 6, 3), (5, 7, 2), (2, 3, 5)])
def test_numbers_that_the_framework_adds_up_wrongly_are_not_explained_by_right_ones(size: tuple[int, ...]) -> None:
    given = keras.Input((*size, 1))
    made = keras.Model(given, layers.Conv3D(2, (1, 2, 2), (1, 1, size[2]), name="conv")(given))
    feed = np.random.default_rng(2).normal(size=(1, *size, 1)).astype(np.float32)
    maps = convlens.open(made).feature_maps(feed)
    layer = maps.network["conv"]
    told = [maps.explain("conv", (0, 0, row, 0)) for row in range(layer.output_shape[2])]
    assert all(one.agrees for one in told) or any("wrong numbers" in note for note in layer.notes)
    assert all(one.agrees or not one.explained for one in told)
