"""Keras models for the tests: small ones with one difficulty each, and the two networks that speed is measured on."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops

ROWS, COLUMNS = 9, 8


def picture(*shape: int, seed: int = 0) -> Any:
    """Random values in -1..1, with batch axis."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, *shape)).astype("float32")


def randomised(model: Any, seed: int = 1) -> Any:
    """The same model with random weights, biases and statistics, so that none of them is 0 or 1."""
    random = np.random.default_rng(seed)
    for variable in model.weights:
        low = 0.5 if "variance" in variable.path else -0.5
        variable.assign(random.uniform(low, low + 1, variable.shape).astype("float32"))
    return model


def sequential(*parts: Any, shape: tuple[int, ...] = (ROWS, COLUMNS, 3), name: str = "model") -> Any:
    """A chain of layers behind an input called ``picture``."""
    return randomised(keras.Sequential([keras.Input(shape, name="picture"), *parts], name=name))


def plain() -> Any:
    """Convolution, normalisation, activation, pooling, dense."""
    return sequential(
        layers.Conv2D(4, 3, name="conv"),
        layers.BatchNormalization(name="norm"),
        layers.ReLU(name="relu"),
        layers.MaxPooling2D(2, name="pool"),
        layers.Flatten(name="flat"),
        layers.Dense(5, activation="softmax", name="classes"),
    )


def residual() -> Any:
    """A residual add and a concatenation in the functional style, half of them functions."""
    image = keras.Input((ROWS, COLUMNS, 3), name="picture")
    first = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(image)
    second = layers.Conv2D(4, 3, padding="same", name="second")(first)
    joined = ops.relu(second + first)
    wide = ops.concatenate([joined, first], axis=-1)
    return randomised(keras.Model(image, ops.mean(wide, axis=(1, 2)), name="residual"))


class Block(layers.Layer):  # type: ignore[misc]  # keras has no types
    """A residual block whose ``call`` mixes layers, an operator and a function."""

    def __init__(self, filters: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.conv = layers.Conv2D(filters, 3, padding="same", name="conv")
        self.norm = layers.BatchNormalization(name="norm")

    def call(self, x: Any) -> Any:
        return ops.relu(self.norm(self.conv(x)) + x)


class Subclassed(keras.Model):  # type: ignore[misc]  # keras has no types
    """A subclassed model that calls the same block twice."""

    def __init__(self) -> None:
        super().__init__(name="subclassed")
        self.stem = layers.Conv2D(4, 3, strides=2, padding="same", activation="relu", name="stem")
        self.block = Block(4, name="block")
        self.head = layers.Dense(3, name="head")

    def call(self, x: Any) -> Any:
        x = self.block(self.block(self.stem(x)))
        return self.head(ops.mean(x, axis=(1, 2)))


def subclassed() -> Any:
    """The subclassed model, built."""
    model = Subclassed()
    model(picture(ROWS, COLUMNS, 3))
    return randomised(model)


def nested() -> Any:
    """A Sequential in a Sequential in a functional model, called twice."""
    inner = keras.Sequential(
        [
            layers.Conv2D(3, 3, padding="same", name="conv"),
            keras.Sequential([layers.ReLU(name="relu"), layers.Dropout(0.5, name="drop")], name="tail"),
        ],
        name="inner",
    )
    image = keras.Input((ROWS, COLUMNS, 3), name="picture")
    return randomised(keras.Model(image, layers.Add(name="sum")([inner(inner(image)), image]), name="nested"))


class Branching(keras.Model):  # type: ignore[misc]  # keras has no types
    """Control flow that depends on the picture's values."""

    def __init__(self) -> None:
        super().__init__(name="branching")
        self.bright = layers.Conv2D(2, 3, name="bright")
        self.dark = layers.Conv2D(2, 1, name="dark")

    def call(self, x: Any) -> Any:
        return self.bright(x) if ops.sum(x) > 0 else self.dark(x)


class TwoInputs(keras.Model):  # type: ignore[misc]  # keras has no types
    """A subclassed model that asks for two inputs."""

    def __init__(self) -> None:
        super().__init__(name="two_inputs")
        self.conv = layers.Conv2D(2, 1, name="conv")

    def call(self, left: Any, right: Any) -> Any:
        return {"sum": self.conv(left) + self.conv(right), "left": left * 2.0}


@keras.saving.register_keras_serializable("convlens_tests")
class Noisy(layers.Layer):  # type: ignore[misc]  # keras has no types
    """Adds random numbers from a generator of its own, also at inference."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seed = keras.random.SeedGenerator(7)

    def call(self, x: Any) -> Any:
        return x + keras.random.normal(ops.shape(x), seed=self.seed)


def resnet18(classes: int = 10) -> Any:
    """ResNet-18 (He et al. 2015) with random weights, 224 x 224."""

    def convolved(x: Any, filters: int, size: int, stride: int, name: str) -> Any:
        x = layers.Conv2D(filters, size, stride, padding="same", use_bias=False, name=f"{name}_conv")(x)
        return layers.BatchNormalization(name=f"{name}_norm")(x)

    image = keras.Input((224, 224, 3), name="picture")
    x = layers.ReLU(name="stem_relu")(convolved(image, 64, 7, 2, "stem"))
    x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, filters in enumerate((64, 128, 256, 512)):
        for block in range(2):
            name, stride = f"stage{stage}_block{block}", 2 if stage and not block else 1
            y = layers.ReLU(name=f"{name}_relu1")(convolved(x, filters, 3, stride, f"{name}_1"))
            y = convolved(y, filters, 3, 1, f"{name}_2")
            skip = convolved(x, filters, 1, stride, f"{name}_skip") if stride == 2 else x
            x = layers.ReLU(name=f"{name}_relu2")(layers.Add(name=f"{name}_add")([y, skip]))
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    return keras.Model(image, layers.Dense(classes, activation="softmax", name="classes")(x), name="resnet18")


def vgg16() -> Any:
    """VGG-16 (Simonyan and Zisserman 2014) with random weights, 224 x 224."""
    return keras.applications.VGG16(weights=None)
