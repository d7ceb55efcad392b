"""The weights of sketches: drawn as Keras draws them, or those of a textbook's named kernel."""

from __future__ import annotations

from math import sqrt
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.nn import functional as F

from convlens.errors import InputError
from convlens.sketches import build
from convlens.sketches.kernels import FIXED, NAMES, named_kernel

Array = NDArray[np.float32]


def weights_of(model: onnx.ModelProto) -> dict[str, Array]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def run(model: onnx.ModelProto, picture: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"picture": picture})
    return np.asarray(output)


def random_picture(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


@pytest.mark.parametrize(
    ("sketch", "fan_in", "fan_out"),
    [
        ("conv 64 5x3", 5 * 3 * 6, 5 * 3 * 64),
        ("conv 64 5x3 groups 2", 5 * 3 * 3, 5 * 3 * 64),
        ("dwconv 20 multiplier 3", 400 * 6, 400 * 3),
        ("tconv 64 5x3", 5 * 3 * 64, 5 * 3 * 6),
        ("flatten | dense 50", 6 * 21 * 22, 50),
    ],
)
def test_weights_are_glorot_uniform_and_biases_zero(sketch: str, fan_in: int, fan_out: int) -> None:
    """Glorot and Bengio 2010, equation 16: uniform within sqrt(6 / (fan_in + fan_out)), so of variance limit**2 / 3."""
    weights, bias = weights_of(build(sketch, input_shape=(6, 21, 22), seed=3)).values()
    limit = sqrt(6 / (fan_in + fan_out))
    assert 0.99 * limit < np.abs(weights).max() <= limit * (1 + 1e-6)
    assert abs(weights.mean()) < 5 * limit / sqrt(3 * weights.size)
    assert weights.var() == pytest.approx(limit**2 / 3, rel=0.1)
    assert not bias.any()


def test_one_seed_gives_one_model_and_another_seed_another() -> None:
    line = "conv 3 3x3 | conv 3 3x3"
    assert build(line, seed=7).SerializeToString() == build(line, seed=7).SerializeToString()
    one, other = weights_of(build(line, seed=7)), weights_of(build(line, seed=8))
    assert not np.array_equal(one["conv.weight"], other["conv.weight"])
    assert not np.array_equal(one["conv.weight"], one["conv2.weight"])


def test_weights_stay_when_blocks_are_added() -> None:
    short = weights_of(build("conv 4 3x3 | conv 2 3x3", seed=5))
    longer = weights_of(build("conv 4 3x3 | relu | batchnorm | maxpool 2 | conv 2 3x3 | conv 9 3x3", seed=5))
    for name, array in short.items():
        np.testing.assert_array_equal(array, longer[name])


@pytest.mark.parametrize("seed", [-1, 1.5, "one", None])
def test_what_is_no_seed_is_refused(seed: Any) -> None:
    with pytest.raises(InputError, match="0 or more"):
        build("conv 1 3x3", seed=seed)


def test_sobel_is_a_difference_across_a_binomial_mean() -> None:
    """Sobel and Feldman 1968: central difference along one axis, [1 2 1] along the other."""
    across = np.outer([1, 2, 1], [-1, 0, 1])
    np.testing.assert_array_equal(named_kernel("sobel-x"), across)
    np.testing.assert_array_equal(named_kernel("sobel-y"), across.T)


def test_laplacian_and_sharpen_come_from_second_differences() -> None:
    """Gonzalez and Woods, 3rd edition, equations 3.6-6 and 3.6-7."""
    second = np.array([1, -2, 1])
    identity = named_kernel("identity")
    laplacian = np.zeros((3, 3))
    laplacian[1, :] += second
    laplacian[:, 1] += second
    np.testing.assert_array_equal(named_kernel("laplacian"), laplacian)
    np.testing.assert_array_equal(named_kernel("sharpen"), identity - laplacian)


def test_gaussian_is_repeated_averaging_of_neighbours_with_the_variance_of_a_gaussian() -> None:
    """A binomial of n taps is [1 1]/2 convolved with itself, and has variance (n - 1) / 4."""
    for taps in (3, 5, 9):
        row = np.ones(1)
        for _ in range(taps - 1):
            row = np.convolve(row, [0.5, 0.5])
        np.testing.assert_allclose(named_kernel("gaussian", (taps, taps)), np.outer(row, row), rtol=1e-6)
        offsets = np.arange(taps) - taps // 2
        assert (row * offsets**2).sum() == pytest.approx((taps - 1) / 4)
    assert np.isfinite(named_kernel("gaussian", (255, 255))).all()
    assert named_kernel("gaussian", (255, 3)).sum() == pytest.approx(1, rel=1e-5)


def test_blurs_identity_sharpen_and_emboss_keep_even_areas_and_edges_erase_them() -> None:
    sums = {name: round(float(named_kernel(name).sum()), 5) for name in NAMES}
    assert {name for name, total in sums.items() if total == 1} == {"gaussian", "box", "identity", "sharpen", "emboss"}
    assert {name for name, total in sums.items() if total == 0} == {"sobel-x", "sobel-y", "laplacian"}


@pytest.mark.parametrize("name", NAMES)
def test_a_named_convolution_reads_the_mean_of_the_channels(name: str) -> None:
    picture = random_picture(1, 3, 9, 8)
    mean = torch.from_numpy(picture.mean(1, keepdims=True))
    expected = F.conv2d(mean, torch.from_numpy(named_kernel(name))[None, None])
    received = run(build(f"conv {name}", input_shape=(3, 9, 8)), picture)
    np.testing.assert_allclose(received, expected.numpy(), atol=1e-5)


@pytest.mark.parametrize("name", [*FIXED, "gaussian 5x3", "box 4", "identity 5"])
def test_a_named_depthwise_convolution_gives_one_map_a_channel(name: str) -> None:
    picture = random_picture(1, 3, 9, 8)
    received = run(build(f"dwconv {name} same", input_shape=(3, 9, 8)), picture)
    assert received.shape == picture.shape
    for channel in range(3):
        alone = run(build(f"conv {name} same", input_shape=(1, 9, 8)), picture[:, channel : channel + 1])
        np.testing.assert_allclose(received[:, channel], alone[:, 0], atol=1e-5)
    if name.startswith("identity"):
        np.testing.assert_array_equal(received, picture)


def test_sobel_x_is_positive_where_the_picture_gets_brighter_to_the_right() -> None:
    picture = np.zeros((1, 3, 5, 6), np.float32)
    picture[..., 3:] = 100
    assert run(build("conv sobel-x"), picture)[0, 0, 1].tolist() == pytest.approx([0, 400, 400, 0], abs=1e-3)
    assert run(build("conv sobel-y"), picture) == pytest.approx(0, abs=1e-3)


def keras_models() -> dict[str, Any]:
    import keras

    layers = keras.layers
    return {
        "conv 8 3x3 | relu | maxpool 2": [layers.Conv2D(8, 3), layers.ReLU(), layers.MaxPooling2D(2)],
        "conv 4 4 stride 2 same | leakyrelu": [layers.Conv2D(4, 4, 2, padding="same"), layers.LeakyReLU()],
        "conv 4 3 same dilation 2 | silu": [
            layers.Conv2D(4, 3, padding="same", dilation_rate=2),
            layers.Activation("silu"),
        ],
        "conv 6 3x2 groups 3 nobias | gelu": [
            layers.Conv2D(6, (3, 2), groups=3, use_bias=False),
            layers.Activation("gelu"),
        ],
        "dwconv 3 multiplier 2 | batchnorm": [
            layers.DepthwiseConv2D(3, depth_multiplier=2),
            layers.BatchNormalization(),
        ],
        "tconv 2 3 stride 2 same": [layers.Conv2DTranspose(2, 3, 2, padding="same")],
        "tconv 2 4 stride 3 same": [layers.Conv2DTranspose(2, 4, 3, padding="same")],
        "tconv 2 2 stride 3 same": [layers.Conv2DTranspose(2, 2, 3, padding="same")],
        "tconv 2 3x5 stride 2x1": [layers.Conv2DTranspose(2, (3, 5), (2, 1))],
        "maxpool 3 stride 2 same | avgpool 2 same": [
            layers.MaxPooling2D(3, 2, padding="same"),
            layers.AveragePooling2D(2, padding="same"),
        ],
        "conv 5 3 | globalavgpool | dense 10 | softmax": [
            layers.Conv2D(5, 3),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10),
            layers.Softmax(),
        ],
    }


def test_keras_makes_the_same_shapes_parameters_limits_and_values() -> None:
    """Weights are handed over in Keras's layouts: (rows, columns, channels, filters), transposed with filters first."""
    import keras

    axes = {"Conv2D": (2, 3, 1, 0), "Conv2DTranspose": (2, 3, 1, 0), "Dense": (1, 0)}
    picture = random_picture(2, 3, 11, 10)
    for line, layers in keras_models().items():
        model = build(line, input_shape=(3, 11, 10), seed=1)
        peer = keras.Sequential([keras.Input((11, 10, 3)), *layers])
        arrays = weights_of(model)
        assert sum(array.size for array in arrays.values()) == peer.count_params(), line

        ours = iter(arrays.values())
        for layer in peer.layers:
            received = []
            for variable in layer.weights:
                array = next(ours)
                if variable.path.endswith("kernel"):
                    kind = type(layer).__name__
                    if kind == "DepthwiseConv2D":
                        array = array.reshape(3, -1, *array.shape[2:]).transpose(2, 3, 0, 1)
                    else:
                        array = array.transpose(axes[kind])
                received.append(array)
            layer.set_weights(received)

        expected = np.asarray(keras.ops.convert_to_numpy(peer(picture.transpose(0, 2, 3, 1))))
        expected = expected.transpose(0, 3, 1, 2) if expected.ndim == 4 else expected
        np.testing.assert_allclose(run(model, picture), expected, rtol=1e-4, atol=1e-5, err_msg=line)


@pytest.mark.parametrize(
    ("line", "name", "settings"),
    [
        ("conv 64 5x3 groups 2", "Conv2D", {"filters": 64, "kernel_size": (5, 3), "groups": 2}),
        ("dwconv 20 multiplier 3", "DepthwiseConv2D", {"kernel_size": 20, "depth_multiplier": 3}),
        ("tconv 64 5x3", "Conv2DTranspose", {"filters": 64, "kernel_size": (5, 3)}),
    ],
)
def test_keras_draws_from_the_same_interval(line: str, name: str, settings: dict[str, Any]) -> None:
    """The largest of thousands of uniform draws tells the limit within a per cent."""
    import keras

    layer = getattr(keras.layers, name)(**settings)
    layer.build((None, 21, 22, 6))
    theirs = np.abs(keras.ops.convert_to_numpy(layer.kernel)).max()
    ours = np.abs(next(iter(weights_of(build(line, input_shape=(6, 21, 22))).values()))).max()
    assert ours == pytest.approx(theirs, rel=0.01)
