"""Parameters are the frameworks' own totals; MACs are the products that a textbook loop makes, counted one by one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import convlens
from convlens.lens import Lens
from convlens.network import Convolution, Kind

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


class Counter:
    """Numbers that know how often two of them were multiplied."""

    def __init__(self) -> None:
        self.products = 0

    def times(self, one: float, other: float) -> float:
        self.products += 1
        return one * other


def convolved(
    x: np.ndarray, kernel: np.ndarray, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int, count: Counter
) -> np.ndarray:
    """The definition of a convolution, over an input that is padded already: one loop for each of its indices."""
    filters, per_group, *taps = kernel.shape
    sizes = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in zip(x.shape[1:], taps, stride, dilation, strict=True)]
    made = np.zeros((filters, *sizes))
    for f, *place in product(range(filters), *map(range, sizes)):
        for c, *tap in product(range(per_group), *map(range, taps)):
            read = [p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation, strict=True)]
            channel = f // (filters // groups) * per_group + c
            made[(f, *place)] += count.times(x[(channel, *read)], kernel[(f, c, *tap)])
    return made


def spread(
    x: np.ndarray, kernel: np.ndarray, stride: tuple[int, ...], dilation: tuple[int, ...], groups: int, count: Counter
) -> np.ndarray:
    """The definition of a transposed convolution: each input value is multiplied by the kernel and added where it
    falls. ``kernel`` is (inputs, filters per group, *taps); the result isn't cropped."""
    inputs, per_group, *taps = kernel.shape
    sizes = [(n - 1) * s + d * (k - 1) + 1 for n, k, s, d in zip(x.shape[1:], taps, stride, dilation, strict=True)]
    made = np.zeros((per_group * groups, *sizes))
    for c, *place in product(range(inputs), *map(range, x.shape[1:])):
        for f, *tap in product(range(per_group), *map(range, taps)):
            falls = [p * s + t * d for p, s, t, d in zip(place, stride, tap, dilation, strict=True)]
            filter = c // (inputs // groups) * per_group + f
            made[(filter, *falls)] += count.times(x[(c, *place)], kernel[(c, f, *tap)])
    return made


def one(lens: Lens, x: Any, expected: np.ndarray, products: int) -> None:
    """The only convolution of a network has this result and costs this many products."""
    maps = lens.feature_maps(x)
    (layer,) = [layer for layer in maps.network if layer.kind == Kind.CONVOLUTION]
    np.testing.assert_allclose(maps[layer.name].array, expected, rtol=1e-4, atol=1e-4)
    assert layer.macs == products
    assert maps.derive(layer.name)["MACs"].value == products


CASES = [
    # channels, filters, sizes, kernel, stride, dilation, groups
    pytest.param(3, 4, (6, 7), (3, 2), (1, 1), (1, 1), 1, id="plain"),
    pytest.param(4, 6, (7, 6), (3, 3), (2, 1), (1, 2), 2, id="grouped, dilated, strided"),
    pytest.param(4, 4, (5, 6), (3, 3), (1, 1), (1, 1), 4, id="depthwise"),
    pytest.param(3, 6, (6, 6), (2, 3), (2, 2), (1, 1), 3, id="depthwise with multiplier"),
    pytest.param(2, 3, (9,), (4,), (3,), (2,), 1, id="1-D"),
    pytest.param(2, 2, (4, 5, 4), (2, 3, 2), (1, 2, 1), (1, 1, 1), 2, id="3-D"),
]
Case = tuple[int, int, tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], int]


def drawn(*shape: int) -> np.ndarray:
    return np.random.default_rng(prod(shape)).standard_normal(shape).astype(np.float32)


class Functional(nn.Module):
    """A function with a weight, as no module that a counter could know."""

    def __init__(self, kernel: np.ndarray, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.kernel = nn.Parameter(torch.from_numpy(kernel))
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x, self.kernel)


@pytest.mark.parametrize(("channels", "filters", "sizes", "kernel", "stride", "dilation", "groups"), CASES)
class TestTorch:
    def test_functional_convolutions(
        self,
        channels: int,
        filters: int,
        sizes: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> None:
        function = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}[len(sizes)]
        x, weight, count = drawn(channels, *sizes), drawn(filters, channels // groups, *kernel), Counter()
        padded = np.pad(x, [(0, 0), *[(1, 1)] * len(sizes)])
        expected = convolved(padded, weight, stride, dilation, groups, count)
        model = Functional(weight, lambda x, w: function(x, w, None, stride, 1, dilation, groups))
        one(convlens.open(model), torch.from_numpy(x[None]), expected, count.products)

    def test_functional_transposed_convolutions(
        self,
        channels: int,
        filters: int,
        sizes: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> None:
        function = {1: F.conv_transpose1d, 2: F.conv_transpose2d, 3: F.conv_transpose3d}[len(sizes)]
        x, weight, count = drawn(channels, *sizes), drawn(channels, filters // groups, *kernel), Counter()
        expected = spread(x, weight, stride, dilation, groups, count)
        model = Functional(weight, lambda x, w: function(x, w, None, stride, 0, 0, groups, dilation))
        one(convlens.open(model), torch.from_numpy(x[None]), expected, count.products)

    def test_onnx(
        self,
        channels: int,
        filters: int,
        sizes: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        dilation: tuple[int, ...],
        groups: int,
    ) -> None:
        import onnx
        from onnx import TensorProto, helper

        weight, x, count = drawn(filters, channels // groups, *kernel), drawn(channels, *sizes), Counter()
        settings: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": groups, "kernel_shape": kernel}
        node = helper.make_node("Conv", ["x", "w"], ["y"], "conv", pads=[1] * 2 * len(sizes), **settings)
        graph = helper.make_graph(
            [node],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, *x.shape])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [onnx.numpy_helper.from_array(weight, "w")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        expected = convolved(np.pad(x, [(0, 0), *[(1, 1)] * len(sizes)]), weight, stride, dilation, groups, count)
        one(convlens.open(model), x[None], expected, count.products)


class TestKeras:
    """Stride and dilation don't go together in Keras; "same" is padded at the end first."""

    @staticmethod
    def keras() -> Any:
        return pytest.importorskip("keras")

    def open(self, x: np.ndarray, function: Callable[[Any], Any]) -> tuple[Lens, np.ndarray]:
        keras = self.keras()
        given = keras.Input(x.shape[1:] + x.shape[:1])
        return convlens.open(keras.Model(given, function(given))), np.moveaxis(x, 0, -1)[None]

    def functional(self, weight: np.ndarray, function: Callable[[Any, Any], Any]) -> Any:
        """A layer of its own that calls ``keras.ops``, so that nothing but the operation tells what it does."""
        keras = self.keras()

        class Functional(keras.layers.Layer):  # type: ignore[misc, name-defined]
            def build(self, _shape: Any) -> None:
                self.kernel = self.add_weight(shape=weight.shape, initializer=lambda *_, **__: weight, name="kernel")

            def call(self, x: Any) -> Any:
                return function(x, self.kernel)

        return Functional()

    def test_functional_convolutions(self) -> None:
        ops = self.keras().ops
        x, weight, count = drawn(4, 7, 6), drawn(6, 2, 3, 3), Counter()
        layer = self.functional(
            np.transpose(weight, (2, 3, 1, 0)), lambda x, w: ops.conv(x, w, strides=2, padding="valid")
        )
        lens, fed = self.open(x, layer)
        one(lens, fed, convolved(x, weight, (2, 2), (1, 1), 2, count), count.products)

    def test_transposed_layers(self) -> None:
        keras = self.keras()
        x, count = drawn(3, 4, 5), Counter()
        layer = keras.layers.Conv2DTranspose(2, 3, strides=2, use_bias=False)
        lens, fed = self.open(x, layer)
        weight = np.transpose(np.asarray(layer.get_weights()[0]), (3, 2, 0, 1))
        one(lens, fed, spread(x, weight, (2, 2), (1, 1), 1, count), count.products)

    def test_depthwise_and_dilated_layers(self) -> None:
        keras = self.keras()
        x, count = drawn(3, 7, 8), Counter()
        layer = keras.layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, use_bias=False)
        lens, fed = self.open(x, layer)
        weight = np.transpose(np.asarray(layer.get_weights()[0]), (2, 3, 0, 1)).reshape(6, 1, 3, 3)
        one(lens, fed, convolved(x, weight, (1, 1), (2, 2), 3, count), count.products)

    def test_separable_layers_are_their_two_steps(self) -> None:
        keras = self.keras()
        x, deep, flat = drawn(3, 6, 7), Counter(), Counter()
        layer = keras.layers.SeparableConv2D(5, 3, depth_multiplier=2, use_bias=False)
        lens, fed = self.open(x, layer)
        first, second = (np.asarray(weight) for weight in layer.get_weights())
        middle = convolved(x, np.transpose(first, (2, 3, 0, 1)).reshape(6, 1, 3, 3), (1, 1), (1, 1), 3, deep)
        made = convolved(middle, np.transpose(second, (3, 2, 0, 1)), (1, 1), (1, 1), 1, flat)
        maps = lens.feature_maps(fed)
        steps = [layer for layer in maps.network if layer.kind == Kind.CONVOLUTION]
        assert [step.macs for step in steps] == [deep.products, flat.products]
        np.testing.assert_allclose(maps[steps[1].name].array, made, rtol=1e-4, atol=1e-4)


def test_a_dense_layer_multiplies_its_matrix_once_a_position() -> None:
    model = nn.Linear(5, 3)
    lens = convlens.open(model)
    maps = lens.feature_maps(torch.zeros(1, 4, 5))
    (layer,) = maps.network
    assert layer.macs == 4 * 5 * 3


def summed(lens: Lens) -> int:
    """The parameters of all layers, as the derivations add them up."""
    lines = (line for worked in lens.derive_all() for line in worked.derivations)
    return sum(line.value for line in lines if line.what == "parameters")


class Shared(nn.Module):
    """One convolution used three times, one normalisation used twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.shared, self.norm = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.shared(self.first(x)))
        return self.norm(self.shared(self.shared(x)))  # type: ignore[no-any-return]


class Tied(nn.Module):
    """An encoder and a decoder with one weight, as autoencoders have."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 5, 3, bias=False)
        self.up = nn.ConvTranspose2d(5, 3, 3, bias=False)
        self.up.weight = self.down.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.up(self.down(x))  # type: ignore[no-any-return]


@pytest.mark.parametrize("model", [Shared(), Tied()], ids=["used three times", "tied weights"])
def test_shared_weights_are_counted_once(model: nn.Module) -> None:
    lens = convlens.open(model, input_shape=(3, 12, 12))
    numel = sum(weight.numel() for weight in model.parameters())
    assert lens.network.parameters == sum(layer.parameters for layer in lens.network) == summed(lens) == numel
    sharing = [layer for layer in lens.network if layer.shares]
    assert sharing
    for layer in sharing:
        assert any(f"those of {layer.shares}," in remark for remark in lens.derive(layer.name).remarks)


@pytest.mark.parametrize("engine", ["torch", "keras", "onnx"])
def test_efficientnet_is_counted_as_its_framework_counts_it(engine: str, tmp_path: Path) -> None:
    efficientnet = pytest.importorskip("tests.engines.efficientnet")
    if engine == "torch":
        model = efficientnet.in_torch()
        lens, expected = convlens.open(model, input_shape=(3, 224, 224)), sum(w.numel() for w in model.parameters())
    elif engine == "keras":
        model = efficientnet.in_keras()
        lens, expected = convlens.open(model), model.count_params()
    else:
        import onnx

        path = efficientnet.in_onnx(tmp_path / "lite0.onnx")
        # ONNX has no count of its own: what it stores are weights and settings, such as the bounds of a Clip (scalars)
        weights = [w for w in onnx.load(path).graph.initializer if w.data_type == onnx.TensorProto.FLOAT and w.dims]
        lens, expected = convlens.open(path), sum(prod(w.dims) for w in weights)
    network = lens.network
    assert network.parameters == expected
    assert sum(layer.parameters for layer in network) == summed(lens) == expected
    convolutions = [layer for layer in network if isinstance(layer.operation, Convolution)]
    assert sum(layer.macs for layer in convolutions) == _published_macs() - 1280 * 1000


def _published_macs() -> int:
    """EfficientNet-Lite0 from its table of blocks (M. Tan, google-research/automl, 2020): kernel, stride, expansion,
    filters, repeats; counted block by block."""
    total, channels, size = 112 * 112 * 3 * 9 * 32, 32, 112
    for kernel, stride, expansion, filters, repeats in (
        (3, 1, 1, 16, 1),
        (3, 2, 6, 24, 2),
        (5, 2, 6, 40, 2),
        (3, 2, 6, 80, 3),
        (5, 1, 6, 112, 3),
        (5, 2, 6, 192, 4),
        (3, 1, 6, 320, 1),
    ):
        for number in range(repeats):
            wide, step = channels * expansion, stride if number == 0 else 1
            total += size * size * channels * wide if expansion > 1 else 0
            size //= step
            total += size * size * wide * (kernel * kernel + filters)
            channels = filters
    return total + size * size * channels * 1280 + 1280 * 1000


def zoo() -> Iterator[Any]:
    keras = pytest.importorskip("keras")
    settings: dict[str, Any] = {"weights": None, "input_shape": (64, 64, 3), "classes": 7}
    for name in ("MobileNet", "MobileNetV3Small", "ResNet50V2", "DenseNet121"):
        yield getattr(keras.applications, name)(**settings)


def test_real_architectures_of_keras() -> None:
    """All of them with shared statistics, squeeze-and-excitation, separable and depthwise convolutions between them."""
    for model in zoo():
        lens = convlens.open(model)
        assert lens.network.parameters == model.count_params(), model.name
        assert sum(layer.parameters for layer in lens.network) == summed(lens) == model.count_params(), model.name
