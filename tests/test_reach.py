"""The box of every value against the support of PyTorch's gradient, through the real engine."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import convlens
from convlens import receptive
from convlens.lens.maps import FeatureMaps

Support = tuple[tuple[int, int], ...]


class Call(nn.Module):
    """A function as a module, so that its layer has a name that a hook can find."""

    def __init__(self, function: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *values: torch.Tensor) -> torch.Tensor:
        return self.function(*values)


class Graph(nn.Module):
    """Named steps, each with the names of what it reads; ``x`` is the picture, no name at all the step before."""

    def __init__(self, **steps: tuple[nn.Module, str] | nn.Module) -> None:
        super().__init__()
        self.reads: dict[str, list[str]] = {}
        last = "x"
        for name, step in steps.items():
            module, read = step if isinstance(step, tuple) else (step, last)
            self.add_module(name, module)
            self.reads[name] = read.split()
            last = name

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = {"x": x}
        for name, read in self.reads.items():
            made[name] = self.get_submodule(name)(*(made[source] for source in read))
        return made[name]


def positive(model: nn.Module) -> nn.Module:
    """Weights between 0.5 and 1.5, so that nothing cancels out and no ReLU is silent."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.rand(parameter.shape, generator=generator, dtype=parameter.dtype) + 0.5)
    return model.eval().double()


class Looked:
    """A model, its maps by convlens, and the gradients of its modules' outputs by PyTorch."""

    def __init__(self, model: nn.Module, shape: tuple[int, ...]) -> None:
        self.model = positive(model)
        generator = torch.Generator().manual_seed(1)
        self.picture = torch.rand((1, *shape), generator=generator, dtype=torch.float64) + 0.5
        self.maps: FeatureMaps = convlens.open(self.model).feature_maps(self.picture)
        modes = [
            getattr(layer.operation, "padding_mode", getattr(layer.operation, "mode", ""))
            for layer in self.maps.network
        ]
        self.wraps = bool(
            {"reflect", "replicate", "circular"} & set(modes)
        )  # the formula goes on outside, and doesn't turn back
        self.leaf = self.picture.clone().requires_grad_()
        self.outputs: dict[str, torch.Tensor] = {}
        hooks = [
            module.register_forward_hook(self._keeper(name))
            for name, module in self.model.named_modules()
            if name in self.maps
        ]
        self.model(self.leaf)
        for hook in hooks:
            hook.remove()

    def _keeper(self, name: str) -> Any:
        def keep(module: nn.Module, given: object, output: torch.Tensor) -> None:
            self.outputs[name] = output

        return keep

    def support(self, name: str, place: tuple[int, ...], channel: int | None) -> Support | None:
        """The bounding box of the pixels with a gradient; ``None`` where there are none."""
        values = self.outputs[name][0][(slice(None) if channel is None else channel, *place)]
        if not values.requires_grad:
            return None
        # Weighted, since what a softmax gives away to one channel it takes from another.
        weighted = (values * torch.arange(1, values.numel() + 1).reshape(values.shape)).sum()
        (gradient,) = torch.autograd.grad(weighted, self.leaf, retain_graph=True, allow_unused=True)
        if gradient is None:
            return None
        plane = gradient[0].abs().sum(0)
        reached = (plane > 1e-9 * plane.max()).nonzero()
        if len(reached) == 0 or plane.max() == 0:
            return None
        return tuple(zip(reached.amin(0).tolist(), reached.amax(0).tolist(), strict=True))

    def check(self, name: str, place: tuple[int, ...], channel: int | None) -> bool:
        """Equality where the box says exact, containment where it says bound; returns which."""
        names = {0: (), 1: ("column",), 2: ("row", "column"), 3: ("depth", "row", "column")}[len(place)]
        found = self.maps[name].receptive_field(**dict(zip(names, place, strict=True)), channel=channel)
        support = self.support(name, place, channel)
        said = None if found.sees_nothing else found.clipped
        where = f"{name} at {place}, channel {channel}: {found}, gradient {support}"
        within = receptive.clip(found.unclipped, tuple(self.picture.shape[2:]))
        if said is not None and not self.wraps:
            assert all(a <= c and d <= b for (a, b), (c, d) in zip(within, said, strict=True)), where
        if found.exact:
            assert said == support, where
        elif support is not None:
            assert said is not None, where
            assert all(a <= c and d <= b for (a, b), (c, d) in zip(said, support, strict=True)), where
        return found.exact


def check(model: nn.Module, shape: tuple[int, ...], *, bounds: set[str] | None = None) -> Looked:
    """Every layer, at its corners and in its middle: all channels together, the first, the last.

    ``bounds`` names the layers that may say bound; all others have to say exact.
    """
    looked = Looked(model, shape)
    assert len(looked.outputs) > 1
    for name, output in looked.outputs.items():
        sizes = output.shape[2:]
        ends = [sorted({0, 1 % size, size // 2, size - 1}) for size in sizes]
        for place in product(*ends):
            for channel in {None, 0, output.shape[1] - 1}:
                exact = looked.check(name, place, channel)
                assert exact or name in (bounds or set()), name
    return looked


def conv(before: int, after: int, kernel: int | tuple[int, int] = 3, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(before, after, kernel, **options)


def add() -> Call:
    return Call(torch.add)


def concat(axis: int = 1) -> Call:
    return Call(lambda *values: torch.cat(values, axis))


def test_residual_blocks_with_strided_shortcuts() -> None:
    check(
        Graph(
            stem=conv(3, 4, 7, stride=2, padding=3),
            pool=nn.AvgPool2d(3, 2, 1),
            a=conv(4, 4, padding=1),
            norm=nn.BatchNorm2d(4),
            relu=nn.ReLU(),
            b=conv(4, 4, padding=1),
            first=(add(), "b pool"),
            c=conv(4, 8, stride=2, padding=1),
            d=conv(8, 8, padding=1),
            shortcut=(conv(4, 8, 1, stride=2), "first"),
            second=(add(), "d shortcut"),
            whole=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            dense=nn.Linear(8, 5),
        ),
        (3, 25, 21),
    )


def test_row_37_inception_branches_differ_from_channel_to_channel() -> None:
    looked = check(
        Graph(
            stem=conv(3, 2, 3, stride=2),
            one=(conv(2, 2, 1), "stem"),
            three=(conv(2, 3, 3, padding=1), "stem"),
            five=(conv(2, 2, 5, padding=2), "stem"),
            pool=(nn.AvgPool2d(3, 1, 1), "stem"),
            joined=(concat(), "one three five pool"),
            wide=(nn.Conv2d(9, 4, (1, 7), padding=(0, 3)), "joined"),
            grouped=(conv(9, 9, 3, groups=3, padding=1), "joined"),
            depthwise=(conv(9, 9, 3, groups=9), "joined"),
            cut=(Call(lambda value: value[:, 1:4]), "joined"),
            mixed=conv(3, 2, 1),
        ),
        (3, 23, 25),
        bounds={"cut", "mixed"},
    )
    narrow = looked.maps["joined"].receptive_field(5, 5, channel=0)
    wide = looked.maps["joined"].receptive_field(5, 5)
    assert narrow.clipped == ((10, 12), (10, 12))
    assert wide.clipped == ((6, 16), (6, 16))


@pytest.mark.parametrize("up", ["transposed 2", "transposed 3", "nearest", "bilinear", "bicubic"])
def test_unet_with_a_skip(up: str) -> None:
    ways: dict[str, nn.Module] = {
        "transposed 2": nn.ConvTranspose2d(4, 3, 2, stride=2),
        "transposed 3": nn.ConvTranspose2d(4, 3, 3, stride=2, padding=1, output_padding=1),
        "nearest": nn.Upsample(scale_factor=2, mode="nearest"),
        "bilinear": nn.Upsample(scale_factor=2, mode="bilinear"),
        "bicubic": nn.Upsample(scale_factor=2, mode="bicubic"),
    }
    channels = 3 if "transposed" in up else 4
    check(
        Graph(
            a=conv(2, 3, padding=1),
            down=nn.AvgPool2d(2),
            b=conv(3, 4, padding=1),
            deeper=nn.AvgPool2d(2),
            c=conv(4, 4, padding=1),
            up=ways[up],
            crop=(Call(lambda value: F.pad(value, (-1, -1, -1, -1))), "b"),
            grown=(Call(lambda value: F.pad(value, (1, 1, 1, 1))), "crop"),
            skip=(concat(), "up grown"),
            end=conv(channels + 4, 2, padding=1),
        ),
        (2, 16, 20),
    )


def test_row_15_dilated_convolutions_side_by_side() -> None:
    check(
        Graph(
            stem=conv(1, 2, stride=2, padding=1),
            near=(conv(2, 2, padding=1), "stem"),
            far=(conv(2, 2, dilation=3, padding=3), "stem"),
            further=(conv(2, 2, dilation=6, padding=6), "stem"),
            scene=(nn.AdaptiveAvgPool2d(1), "stem"),
            shown=Call(lambda value: value.expand(1, 2, 13, 14)),
            together=(concat(), "near far further"),
            end=conv(6, 2, dilation=2),
        ),
        (1, 26, 28),
        bounds={"shown"},
    )


def test_row_13_transposed_convolutions_with_gaps_see_nothing_there() -> None:
    looked = check(
        Graph(
            a=conv(1, 1, padding=1),
            gaps=nn.ConvTranspose2d(1, 2, 2, stride=4),
            after=conv(2, 1, 2),
            dilated=nn.ConvTranspose2d(1, 1, 3, stride=2, dilation=2, padding=1),
            end=conv(1, 1, 3, padding=1),
        ),
        (1, 7, 6),
    )
    dead = looked.maps["gaps"].receptive_field(2, 0)
    assert dead.sees_nothing
    assert dead.clipped == ((0, -1), (0, -1))
    assert not looked.maps["gaps"].receptive_field(1, 0).sees_nothing


def test_a_branch_with_gaps_beside_one_without() -> None:
    check(
        Graph(
            a=conv(1, 1, 3, stride=2),
            gaps=nn.ConvTranspose2d(1, 1, 1, stride=2),
            grown=Call(lambda value: F.pad(value, (1, 1, 1, 1))),
            b=(conv(1, 1, 1), "x"),
            sum=(add(), "b grown"),
            end=conv(1, 1, 2),
        ),
        (1, 11, 11),
    )


def test_row_36_a_crop_before_padding_is_not_seen_through() -> None:
    looked = check(
        Graph(
            crop=Call(lambda value: value[:, :, 3:-2, 4:]),
            padded=nn.ZeroPad2d((4, 2, 3, 0)),
            a=conv(1, 1, 5, padding=2),
        ),
        (1, 12, 13),
    )
    found = looked.maps["a"].receptive_field(3, 4)
    assert found.unclipped == ((1, 5), (2, 6))
    assert found.clipped == ((3, 5), (4, 6))


def test_windows_that_skip_positions_never_see_them() -> None:
    looked = check(
        Graph(a=conv(1, 1, 1, stride=3), b=conv(1, 1, 2, padding=1), c=conv(1, 1, 3, padding=2)), (1, 11, 12)
    )
    assert looked.maps["c"].receptive_field(0, 0).clipped == ((0, 0), (0, 0))
    assert receptive.clip(looked.maps["c"].receptive_field(0, 0).unclipped, (11, 12)) == ((0, 0), (0, 0))


@pytest.mark.parametrize("mode", ["zeros", "reflect", "replicate", "circular"])
def test_padding_modes(mode: str) -> None:
    check(
        Graph(
            a=conv(1, 2, 5, padding=2, padding_mode=mode),
            b=conv(2, 1, 3, padding=1, stride=2, padding_mode=mode),
            c=conv(1, 1, 3, padding=1, padding_mode=mode),
        ),
        (1, 13, 12),
    )


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_padding_as_a_layer_of_its_own(mode: str) -> None:
    check(
        Graph(
            a=conv(1, 1, 3, stride=2),
            padded=Call(lambda value: F.pad(value, (2, 1, 0, 3), mode=mode)),
            b=conv(1, 1, 3),
        ),
        (1, 13, 15),
    )


def test_row_12_ceil_mode_and_counted_padding() -> None:
    check(
        Graph(
            a=nn.AvgPool2d(3, 2, 1, ceil_mode=True, count_include_pad=True),
            b=nn.AvgPool2d(2, 2, ceil_mode=True, count_include_pad=False),
            c=nn.AdaptiveAvgPool2d((2, 3)),
        ),
        (1, 18, 15),
    )


def test_max_pooling_reaches_what_any_picture_can_make_it_choose() -> None:
    model = Graph(a=conv(1, 1, 3, padding=1), pool=nn.MaxPool2d(3, 2, 1, ceil_mode=True), b=conv(1, 1, 2))
    looked = Looked(model, (1, 9, 10))
    united = torch.zeros(9, 10, dtype=torch.float64)
    for seed in range(300):
        leaf = torch.rand(1, 1, 9, 10, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        leaf.requires_grad_()
        (gradient,) = torch.autograd.grad(model(leaf)[0, 0, 2, 1], leaf)
        united += gradient[0, 0].abs()
    reached = united.nonzero()
    support = tuple(zip(reached.amin(0).tolist(), reached.amax(0).tolist(), strict=True))
    assert looked.maps["b"].receptive_field(2, 1).clipped == support


@pytest.mark.parametrize(
    "layer",
    [
        nn.Softmax(2),
        nn.LogSoftmax(3),
        nn.LayerNorm(9),
        nn.LayerNorm((8, 9)),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4),
        nn.LocalResponseNorm(3),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_statistics_over_space_see_it(layer: nn.Module) -> None:
    check(Graph(a=conv(1, 4, padding=1), mixed=layer, b=conv(4, 1, padding=1)), (1, 8, 9), bounds={"mixed", "b"})


def test_squeeze_and_excite_sees_the_whole_picture() -> None:
    looked = check(
        Graph(
            a=conv(3, 4, stride=2, padding=1),
            squeezed=nn.AdaptiveAvgPool2d(1),
            excited=conv(4, 4, 1),
            gate=Call(lambda value: torch.sigmoid(value / 1000)),
            scaled=(Call(torch.mul), "a gate"),
            b=conv(4, 2),
        ),
        (3, 14, 15),
    )
    assert looked.maps.network["b"].receptive_field is not None
    assert looked.maps.network["b"].receptive_field.whole
    assert looked.maps["b"].receptive_field(0, 0).clipped == ((0, 13), (0, 14))


def test_pixel_shuffle_and_back() -> None:
    check(
        Graph(
            a=conv(1, 3, padding=1),
            b=(conv(1, 1, 5, padding=2), "x"),
            both=(concat(), "a b"),
            up=nn.PixelShuffle(2),
            c=conv(1, 2, 3, padding=1),
            down=nn.PixelUnshuffle(3),
            d=conv(18, 1, 2, padding=1),
        ),
        (1, 6, 9),
    )


def test_channel_shuffle_keeps_the_places() -> None:
    def shuffle(value: torch.Tensor) -> torch.Tensor:
        batch, channels, rows, columns = value.shape
        return (
            value.view(batch, 2, channels // 2, rows, columns).transpose(1, 2).reshape(batch, channels, rows, columns)
        )

    looked = check(
        Graph(
            a=conv(1, 2, padding=1),
            b=(conv(1, 2, 5, padding=2), "x"),
            both=(concat(), "a b"),
            shuffled=Call(shuffled),
            grouped=conv(4, 4, 3, padding=1, groups=2),
        ),
        (1, 9, 8),
    )
    field = looked.maps.network["grouped"].receptive_field
    assert field is not None
    assert field.size == (7, 7)


def test_tokens_are_still_places() -> None:
    check(
        Graph(
            patches=conv(1, 4, 4, stride=4),
            tokens=Call(lambda value: value.flatten(2)),
            mixed=nn.Conv1d(4, 4, 1),
            placed=Call(lambda value: value.view(1, 4, 3, 4)),
            end=conv(4, 1, 2, padding=1),
        ),
        (1, 12, 16),
    )


def test_flattening_gives_each_feature_its_own_pixels() -> None:
    looked = check(Graph(a=conv(1, 2), flat=nn.Flatten(), dense=nn.Linear(48, 3)), (1, 6, 8))
    assert looked.maps["flat"].receptive_field(channel=7).clipped == ((1, 3), (1, 3))
    assert looked.maps["flat"].receptive_field().clipped == ((0, 5), (0, 7))
    field = looked.maps.network["flat"].receptive_field
    assert field is not None
    assert not field.exact


def test_attention_may_see_the_whole_picture() -> None:
    looked = check(
        Graph(
            a=conv(1, 4, stride=2),
            tokens=Call(lambda value: value.flatten(2).transpose(1, 2)),
            attention=Call(lambda value: F.scaled_dot_product_attention(value, value, value)),
        ),
        (1, 9, 7),
        bounds={"attention"},
    )
    field = looked.maps.network["attention"].receptive_field
    assert field is not None
    assert field.whole


def test_a_recurrent_layer_is_a_bound() -> None:
    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv1d(2, 3, 3, padding=1)
            self.lstm = nn.LSTM(3, 4, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            made: torch.Tensor = self.lstm(self.conv(x).transpose(1, 2))[0]
            return made

    maps = convlens.open(positive(Recurrent())).feature_maps(torch.rand(1, 2, 10, dtype=torch.float64))
    layer = next(name for name in maps if "lstm" in name)
    found = maps[layer].receptive_field(column=2)
    assert (found.clipped, found.exact) == (((0, 9),), False)


def test_row_32_one_and_three_dimensions() -> None:
    check(
        Graph(
            a=nn.Conv1d(1, 2, 5, stride=2, padding=1),
            b=nn.AvgPool1d(3, 2, 1),
            c=nn.ConvTranspose1d(2, 1, 4, stride=2, padding=1),
            d=nn.Conv1d(1, 1, 3, dilation=2, padding=2),
        ),
        (1, 31),
    )
    check(
        Graph(
            a=nn.Conv3d(1, 2, (3, 1, 3), stride=(1, 2, 2), padding=(1, 0, 1)),
            b=nn.AvgPool3d((1, 2, 2)),
            c=nn.Conv3d(2, 1, (2, 3, 1), padding=1),
        ),
        (1, 5, 9, 8),
    )


def test_swapped_axes_are_followed() -> None:
    looked = check(
        Graph(
            a=conv(1, 2, (3, 1), stride=(2, 1)),
            swapped=Call(lambda value: value.transpose(2, 3)),
            b=conv(2, 1, (1, 3), padding=(0, 1)),
            folded=Call(lambda value: value.transpose(1, 2)),
        ),
        (1, 11, 8),
    )
    field = looked.maps.network["swapped"].receptive_field
    assert field is not None
    assert (field.axes, field.size, field.exact) == ((2, 1), (3, 1), True)
    assert looked.maps["swapped"].receptive_field(5, 1).unclipped == ((2, 4), (5, 5))


def shuffled(value: torch.Tensor) -> torch.Tensor:
    batch, channels, rows, columns = value.shape
    return value.view(batch, 2, channels // 2, rows, columns).transpose(1, 2).reshape(batch, channels, rows, columns)


EXPORTED: dict[str, tuple[Callable[[], Graph], tuple[int, ...]]] = {
    "U-Net": (
        lambda: Graph(
            a=conv(2, 3, padding=1),
            down=nn.AvgPool2d(2),
            c=conv(3, 3, padding=1),
            smooth=nn.Upsample(scale_factor=2, mode="bilinear"),
            learnt=(nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), "c"),
            coarse=(nn.Upsample(scale_factor=2), "c"),
            skip=(concat(), "smooth learnt coarse a"),
            end=conv(11, 2, padding=1),
        ),
        (2, 12, 14),
    ),
    "ShuffleNet": (
        lambda: Graph(
            a=conv(1, 2, padding=1),
            b=(conv(1, 2, 5, padding=2), "x"),
            both=(concat(), "a b"),
            moved=Call(shuffled),
            end=conv(4, 4, padding=1, groups=2),
        ),
        (1, 9, 8),
    ),
    "tokens": (
        lambda: Graph(
            patches=conv(1, 4, 4, stride=4),
            tokens=Call(lambda value: value.flatten(2).transpose(1, 2)),
            norm=nn.LayerNorm(4),
            dense=nn.Linear(4, 3),
            placed=Call(lambda value: value.transpose(1, 2).reshape(1, 3, 3, 4)),
            end=conv(3, 1, 2, padding=1),
        ),
        (1, 12, 16),
    ),
    "padding": (
        lambda: Graph(
            a=conv(1, 2, 5, padding=2, padding_mode="reflect"),
            b=conv(2, 1, stride=2, padding=1, padding_mode="circular"),
            cut=Call(lambda value: F.pad(value[:, :, 1:, :-2], (2, 1, 0, 2))),
            end=conv(1, 1, 1),
        ),
        (1, 12, 13),
    ),
    "squeeze and excite": (
        lambda: Graph(
            a=conv(3, 4, stride=2, padding=1),
            squeezed=nn.AdaptiveAvgPool2d(1),
            gate=Call(lambda value: torch.sigmoid(value / 1000)),
            scaled=(Call(torch.mul), "a gate"),
            normed=nn.GroupNorm(2, 4),
            end=conv(4, 2),
        ),
        (3, 14, 15),
    ),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", EXPORTED)
def test_the_same_network_as_onnx_has_the_same_boxes(name: str, tmp_path: Path) -> None:
    make, shape = EXPORTED[name]
    looked = Looked(make(), shape)
    path = tmp_path / "model.onnx"
    torch.onnx.export(looked.model.float(), (torch.zeros(1, *shape),), str(path), dynamo=False, verbose=False)
    looked.model.double()
    maps = convlens.open(path).feature_maps(looked.picture.float().numpy())
    last = maps.network.outputs[0]
    for index in product(*[sorted({0, 1 % size, size // 2, size - 1}) for size in maps[last].shape]):
        seen = looked.support("end", index[1:], index[0]) or ((0, -1), (0, -1))
        assert maps.reach.box(last, index) == (seen, True), index


def test_keras_layers_against_the_gradient_of_its_backend() -> None:
    keras = pytest.importorskip("keras")
    from convlens.engines.keras.engine import KerasEngine

    layers = keras.layers
    entry = keras.Input((17, 14, 2), name="picture")
    first = layers.BatchNormalization()(layers.Conv2D(4, 3, strides=2, padding="same")(entry))
    deep = layers.Activation("softplus")(layers.SeparableConv2D(4, 3, padding="same")(first))
    added = layers.Add()([first, deep])
    ways = [
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.UpSampling2D(2),
        layers.Conv2DTranspose(4, 3, strides=2, padding="same"),
    ]
    both = layers.Concatenate()([way(added) for way in ways])
    cut = layers.ZeroPadding2D(1)(layers.Cropping2D(((1, 0), (0, 1)))(both))
    last = layers.DepthwiseConv2D(2)(cut)
    rows = layers.Reshape((-1, 12))(last)
    ends = [
        layers.Dense(3)(rows),
        layers.Permute((2, 1))(rows),
        layers.Dense(2)(layers.Flatten()(last)),
        layers.Softmax(axis=1)(layers.Rescaling(1e-3)(layers.AveragePooling2D(3, strides=2, padding="same")(last))),
        layers.LayerNormalization()(last),
        layers.GlobalAveragePooling2D()(first),
    ]
    model = keras.Model(entry, ends)
    drawn = np.random.default_rng(0)
    for variable in model.trainable_variables:
        variable.assign(drawn.random(variable.shape) + 0.5)
    feed = {"picture": drawn.random((1, 17, 14, 2), np.float32) + np.float32(0.5)}
    engine, maps = KerasEngine.open(model), convlens.open(model).feature_maps(feed)
    for name in maps:
        for _ in range(3):
            index = tuple(int(drawn.integers(size)) for size in maps[name].shape)
            gradient = engine.gradient(feed, name, index)
            assert gradient is not None
            plane = np.abs(gradient["picture"][0]).sum(axis=-1)
            reached = np.argwhere(plane > 1e-6 * plane.max())
            support = tuple(zip(reached.min(0).tolist(), reached.max(0).tolist(), strict=True))
            assert maps.reach.box(name, index) == (support, True), (name, index)


kernels = st.integers(1, 4)
steps = st.one_of(
    st.tuples(st.just("conv"), kernels, st.integers(1, 3), st.integers(1, 2), st.integers(0, 2)),
    st.tuples(st.just("pool"), kernels, st.integers(1, 3), st.just(1), st.integers(0, 1)),
    st.tuples(st.just("transposed"), kernels, st.integers(1, 3), st.integers(1, 2), st.integers(0, 1)),
    st.tuples(st.just("crop"), st.integers(-2, 2), st.integers(-2, 2), st.just(1), st.just(0)),
    st.tuples(st.just("resize"), st.integers(1, 15), st.integers(1, 15), st.integers(0, 2), st.just(0)),
    st.tuples(st.just("skip"), st.integers(0, 9), st.just(1), st.just(1), st.just(0)),
    st.tuples(st.just("beside"), st.integers(0, 9), st.just(1), st.just(1), st.just(0)),
)


def fitted(other: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Cut or padded to the size of ``value``, in its middle."""
    missing = [want - have for want, have in zip(value.shape[2:], other.shape[2:], strict=True)]
    return F.pad(other, [side for size in reversed(missing) for side in (size // 2, size - size // 2)])


class Beside(nn.Module):
    """Two values as two channels, made one again."""

    def __init__(self, spatial: int) -> None:
        super().__init__()
        self.both = Call(lambda value, other: torch.cat([value, other], 1))
        self.one = (nn.Conv1d, nn.Conv2d)[spatial - 1](2, 1, 1)

    def forward(self, value: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.one(self.both(value, other))
        return made


class Drawn(nn.Module):
    """Steps drawn at random on one channel; ``skip`` and ``beside`` bring an earlier value in, cut or padded to fit."""

    def __init__(self, drawn: list[tuple[str, int, int, int, int]], spatial: int) -> None:
        super().__init__()
        self.drawn = drawn
        self.spatial = spatial
        self.named = nn.ModuleDict()
        for number, (what, kernel, stride, dilation, pad) in enumerate(drawn):
            classes: dict[str, Any] = {
                "conv": (nn.Conv1d, nn.Conv2d)[spatial - 1],
                "transposed": (nn.ConvTranspose1d, nn.ConvTranspose2d)[spatial - 1],
            }
            if what in classes:
                layer = classes[what](1, 1, kernel, stride=stride, padding=pad, dilation=dilation)
            elif what == "pool":
                layer = (nn.AvgPool1d, nn.AvgPool2d)[spatial - 1](kernel, stride, min(pad, kernel // 2))
            elif what == "crop":
                layer = Call(lambda value, a=kernel, b=stride: F.pad(value, (a, b) * spatial))
            elif what == "resize":
                mode = ("nearest", "linear" if spatial == 1 else "bilinear", "nearest-exact")[dilation]
                size = (kernel, stride)[:spatial]
                layer = Call(lambda value, size=size, mode=mode: F.interpolate(value, size=size, mode=mode))
            elif what == "skip":
                layer = Call(torch.add)
            else:
                layer = Beside(spatial)
            self.named[str(number)] = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        made = [x]
        for (what, which, *_), layer in zip(self.drawn, self.named.values(), strict=True):
            if what in ("skip", "beside"):
                other = made[which % len(made)]
                value = made[-1]
                made.append(layer(value, fitted(other, value)))
            else:
                made.append(layer(made[-1]))
        return made[-1]


@given(st.lists(steps, min_size=2, max_size=6), st.sampled_from([1, 2]), st.integers(9, 14))
@settings(deadline=None, max_examples=60)
def test_drawn_graphs(drawn: list[tuple[str, int, int, int, int]], spatial: int, size: int) -> None:
    model = Drawn(drawn, spatial)
    shape = (1, size, size + 2)[: 1 + spatial]
    try:
        positive(model)(torch.ones((1, *shape), dtype=torch.float64))
    except RuntimeError:  # a kernel that doesn't fit, a crop that leaves nothing: PyTorch refuses it
        return
    looked = Looked(model, shape)
    for name, output in looked.outputs.items():
        if 0 in output.shape:
            continue
        ends = [sorted({0, 1 % n, n // 2, n - 1}) for n in output.shape[2:]]
        for place in product(*ends):
            assert looked.check(name, place, None), name
