"""Keras models drawn from a seed: layers and functions of every kind, one on another's results, kept where Keras builds
them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers, ops

Random = np.random.Generator

ACTIVATIONS = (
    *(
        "relu",
        "relu6",
        "elu",
        "selu",
        "celu",
        "gelu",
        "silu",
        "mish",
        "softplus",
        "softsign",
        "tanh",
        "sigmoid",
        "hard_sigmoid",
    ),
    *(
        "hard_silu",
        "hard_tanh",
        "hard_shrink",
        "soft_shrink",
        "tanh_shrink",
        "squareplus",
        "sparse_plus",
        "log_sigmoid",
        "softmax",
        "leaky_relu",
        "exponential",
        "linear",
    ),
)


def pick(draw: Random, *among: Any) -> Any:
    return among[int(draw.integers(len(among)))]


@keras.saving.register_keras_serializable("tests")
class Gated(layers.Layer):  # type: ignore[misc]  # Keras has no types
    """A layer with code of its own: a branch on a setting, weights, arithmetic with constants."""

    def __init__(self, turns: int, dtype: Any = None) -> None:
        super().__init__(dtype=dtype)
        self.turns = turns
        self.dense = layers.Dense(2, dtype=dtype)

    def build(self, shape: Any) -> None:
        self.scale = self.add_weight(shape=(shape[-1],), initializer="random_normal")
        self.dense.build(shape)

    def call(self, x: Any) -> Any:
        for _ in range(self.turns):
            x = x * ops.sigmoid(x) + self.scale
        return ops.concatenate([self.dense(x), x], axis=-1)


@keras.saving.register_keras_serializable("tests")
class Looped(keras.Model):  # type: ignore[misc]
    """A subclassed model that calls one layer several times."""

    def __init__(self, channels: int, dtype: Any = None) -> None:
        super().__init__(dtype=dtype)
        self.conv = layers.Conv2D(channels, 3, padding="same", activation="tanh", dtype=dtype)

    def call(self, x: Any, training: bool = False) -> Any:
        for _ in range(2):
            x = x + self.conv(x)
        return x


def windowed(draw: Random, x: Any, dtype: Any) -> Any:
    told = {"padding": pick(draw, "valid", "same"), "dtype": dtype}
    size = tuple(int(n) for n in draw.integers(1, 4, 2))
    stride = tuple(int(n) for n in draw.integers(1, 5, 2))
    activation, channels = pick(draw, None, *ACTIVATIONS), int(x.shape[-1])
    dilation = pick(draw, 1, 2) if stride == (1, 1) else 1
    match int(draw.integers(7)):
        case 0 | 1:
            groups = pick(draw, 1, channels)
            return layers.Conv2D(
                groups * int(draw.integers(1, 4)),
                size,
                stride,
                dilation_rate=dilation,
                groups=groups,
                activation=activation,
                use_bias=bool(draw.integers(2)),
                **told,
            )
        case 2:
            return layers.DepthwiseConv2D(size, stride[0], depth_multiplier=int(draw.integers(1, 3)), **told)
        case 3:
            return layers.SeparableConv2D(3, size, stride[0], activation=activation, **told)
        case 4:
            return layers.Conv2DTranspose(2, size, pick(draw, 1, 2, 3), activation=activation, **told)
        case 5:
            return layers.MaxPooling2D(size, stride, **told)
        case _:
            return layers.AveragePooling2D(size, stride, **told)


def over_volumes(draw: Random, x: Any, dtype: Any) -> Any:
    stride = tuple(int(n) for n in draw.integers(1, 4, 3))
    told = {"padding": pick(draw, "valid", "same"), "dtype": dtype}
    apart = layers.Reshape((*x.shape[1:3], x.shape[3], 1), dtype=dtype)(x)
    kernel = tuple(int(n) for n in draw.integers(1, 3, 3))
    made = pick(
        draw,
        layers.Conv3D(2, kernel, stride, **told),
        layers.MaxPooling3D(kernel, stride, **told),
        layers.AveragePooling3D(kernel, stride, **told),
    )(apart)
    return layers.Reshape((made.shape[1], made.shape[2], -1), dtype=dtype)(made)


def plain(draw: Random, x: Any, dtype: Any) -> Any:
    named: dict[str, Any] = {"dtype": dtype}
    axis = int(draw.integers(1, 4))
    crop = tuple((int(a), int(b)) for a, b in draw.integers(0, 2, (2, 2)))
    made: list[Callable[[], Any]] = [
        lambda: layers.BatchNormalization(
            moving_mean_initializer="random_normal", beta_initializer="random_normal", **named
        ),
        lambda: layers.LayerNormalization(axis=axis, **named),
        lambda: layers.GroupNormalization(pick(draw, 1, -1), **named),
        lambda: layers.UnitNormalization(**named),
        lambda: layers.RMSNormalization(**named),
        lambda: layers.Activation(pick(draw, *ACTIVATIONS), **named),
        lambda: layers.PReLU(alpha_initializer="random_normal", shared_axes=pick(draw, None, [1, 2]), **named),
        lambda: layers.Softmax(axis=axis, **named),
        lambda: layers.LeakyReLU(**named),
        lambda: layers.ReLU(4.0, negative_slope=0.1, threshold=0.2, **named),
        lambda: layers.Dense(3, activation=pick(draw, *ACTIVATIONS), **named),
        lambda: layers.EinsumDense("abcd,de->abce", output_shape=(None, None, 2), bias_axes="e", **named),
        lambda: layers.Dropout(0.5, **named),
        lambda: layers.GaussianNoise(0.5, **named),
        lambda: layers.ZeroPadding2D(crop, **named),
        lambda: layers.Cropping2D(crop, **named),
        lambda: layers.UpSampling2D(2, interpolation=pick(draw, "nearest", "bilinear", "bicubic"), **named),
        lambda: layers.Resizing(7, 5, interpolation=pick(draw, "nearest", "bilinear", "bicubic"), **named),
        lambda: layers.Permute(tuple(int(n) for n in 1 + draw.permutation(3)), **named),
        lambda: layers.Reshape((x.shape[1], -1, 1), **named),
        lambda: layers.Rescaling(0.5, 1.0, **named),
        lambda: layers.GlobalAveragePooling2D(keepdims=True, **named),
        lambda: layers.GlobalMaxPooling2D(keepdims=True, **named),
        lambda: layers.SpectralNormalization(layers.Conv2D(2, 1, **named), **named),
        lambda: layers.TimeDistributed(layers.Conv1D(2, 2, padding="same", **named), **named),
        lambda: layers.Lambda(lambda t: t * 2 + 1, **named),
        lambda: Gated(int(draw.integers(1, 3)), dtype=dtype),
        lambda: Looped(int(x.shape[-1]), dtype=dtype),
        lambda: nested(draw, x, dtype),
    ]
    return pick(draw, *made)()


def nested(draw: Random, x: Any, dtype: Any) -> Any:
    inner = [layers.Conv2D(2, 2, padding="same", dtype=dtype), layers.BatchNormalization(dtype=dtype)]
    return keras.Sequential([keras.Input(x.shape[1:]), *inner, keras.Sequential([layers.ReLU(dtype=dtype)])])


def function(draw: Random, x: Any) -> Any:
    axis = int(draw.integers(1, 4))
    order = (0, *(int(n) for n in 1 + draw.permutation(3)))
    mode = pick(draw, "constant", "reflect", "symmetric")
    steps: list[Callable[[], Any]] = [
        lambda: x * 2 - 1,
        lambda: 1 / (ops.abs(x) + 1),
        lambda: ops.pad(x, ((0, 0), (1, 0), (0, 1), (0, 0)), mode=mode),
        lambda: x[:, ::2, 1:, :],
        lambda: ops.concatenate([x, ops.flip(x, axis=axis)], axis=axis),
        lambda: ops.concatenate([x, ops.ones_like(x)], axis=axis),
        lambda: ops.split(x, [1], axis=axis)[1],
        lambda: ops.transpose(x, order),
        lambda: ops.roll(x, 1, axis=axis),
        lambda: ops.repeat(x, 2, axis=axis),
        lambda: ops.where(x > 0, x, x * 0.1),
        lambda: ops.maximum(x, 0.1),
        lambda: ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))),
        lambda: ops.einsum("bhwc,bhwd->bhcd", x, x),
        lambda: x - ops.mean(x, axis=axis, keepdims=True),
        lambda: ops.stack([x, x * x], axis=-1)[..., 0],
        lambda: ops.cumsum(x, axis=axis),
        lambda: ops.max_pool(x, 2, 1, padding="same"),
        lambda: ops.expand_dims(ops.sum(x, axis=3), 3),
        lambda: x * ops.sigmoid(ops.mean(x, axis=(1, 2), keepdims=True)),
    ]
    return pick(draw, *steps)()


def drawn(seed: int) -> tuple[Any, list[np.ndarray[Any, Any]]]:
    """A model and what to feed it with, one array an input."""
    draw = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    dtype = pick(draw, *(None,) * 6, "float64", "mixed_float16", "mixed_bfloat16", "float16")
    shape = (*(int(n) for n in draw.integers(5, 9, 2)), int(draw.integers(1, 5)))
    given = [keras.Input(shape, name=f"x{n}") for n in range(1 + (draw.random() < 0.2))]
    values: list[Any] = list(given)
    used: list[Any] = []
    wanted, tries = len(given) + int(draw.integers(3, 8)), 0
    while len(values) < wanted and tries < 40:
        tries += 1
        x = values[-1] if draw.random() < 0.8 else pick(draw, *values)
        try:
            made = one_more(draw, x, values, used, dtype)
        except (ValueError, TypeError, IndexError, NotImplementedError):
            continue
        if len(made.shape) == 4 and None not in made.shape[1:] and 0 < np.prod(made.shape[1:]) <= 4000:
            values.append(made)
    last = [values[-1]] if draw.random() < 0.7 or len(values) < len(given) + 2 else values[-2:]
    model = keras.Model(given, last if len(last) > 1 else last[0])
    feed = [draw.normal(size=(1, *shape)).astype(np.float32) for _ in model.inputs]
    try:
        model(feed[0] if len(feed) == 1 else feed, training=False)
    except Exception:  # this backend has no kernel for one of the layers in one of the types
        return drawn((seed * 31 + 1) % 2**31)
    return model, feed


def one_more(draw: Random, x: Any, values: list[Any], used: list[Any], dtype: Any) -> Any:
    alike = [one for one in values if one is not x and one.shape == x.shape]
    if alike and draw.random() < 0.3:
        kinds = (layers.Add, layers.Multiply, layers.Concatenate, layers.Average, layers.Maximum, layers.Subtract)
        return pick(draw, *kinds)(dtype=dtype)([x, pick(draw, *alike)])
    if used and draw.random() < 0.1:
        return pick(draw, *used)(x)  # a shared layer
    match int(draw.integers(8)):
        case 0 | 1:
            return function(draw, x)
        case 2:
            return over_volumes(draw, x, dtype)
        case 3 | 4:
            layer = windowed(draw, x, dtype)
        case _:
            layer = plain(draw, x, dtype)
    made = layer(x)
    used.append(layer)
    return made
