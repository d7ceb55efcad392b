"""Small PyTorch models, one for each thing that real ones do. Weights are random but the same each time."""

# mypy: disable-error-code="no-any-return"
# A module returns Any to a type checker.

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

Built = TypeVar("Built", bound=nn.Module)


class InPlaceRelu(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(self.conv(x))


class InPlaceOnView(nn.Module):
    """The first half of the channels is rectified through a view; the whole is read afterwards."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y.chunk(2, 1)[0].relu_()
        return self.last(y)


class Filled(nn.Module):
    """Interleaves two convolutions into a tensor made of zeros."""

    def __init__(self) -> None:
        super().__init__()
        self.even = nn.Conv2d(3, 2, 3, padding=1)
        self.odd = nn.Conv2d(3, 2, 3, padding=1)
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.zeros(x.shape[0], 4, *x.shape[2:], dtype=x.dtype, device=x.device)
        both[:, ::2] = self.even(x)
        both[:, 1::2] = self.odd(x)
        return self.last(both)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.again = nn.Conv2d(4, 4, 3, padding=1)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.again(self.first(x)))
        return self.act(self.again(x))


class Functional(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 3, 3, 3))
        self.inner = nn.Conv2d(4, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = F.relu(F.conv2d(x, self.weight, padding=1))
        y = F.conv2d(x, self.inner.weight, self.inner.bias)
        return torch.cat([x, y * torch.sigmoid(y)], 1)


class Branching(nn.Module):
    """Which way it goes depends on the values."""

    def __init__(self) -> None:
        super().__init__()
        self.bright = nn.Conv2d(3, 2, 1)
        self.dark = nn.Conv2d(3, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.bright(x) if x.mean() > 0 else self.dark(x)


class Block(nn.Module):
    def __init__(self, channels: int, filters: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(filters)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(filters, filters, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(filters)
        self.downsample: nn.Module | None = None
        if stride != 1 or channels != filters:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, filters, 1, stride, bias=False), nn.BatchNorm2d(filters)
            )

    def forward(self, x: Tensor) -> Tensor:
        y = self.relu(self.bn1(self.conv1(x)))
        y = self.bn2(self.conv2(y))
        y += x if self.downsample is None else self.downsample(x)
        return self.relu(y)


class ResNet(nn.Module):
    """ResNet-18 with the default widths."""

    def __init__(self, widths: tuple[int, ...] = (64, 128, 256, 512), depth: int = 2, classes: int = 1000) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, widths[0], 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        blocks: list[nn.Module] = []
        channels = widths[0]
        for place, filters in enumerate(widths):
            for i in range(depth):
                blocks.append(Block(channels, filters, 2 if i == 0 and place > 0 else 1))
                channels = filters
        self.layers = nn.Sequential(*blocks)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.maxpool(self.relu(self.bn1(self.conv1(x))))
        return self.fc(torch.flatten(self.avgpool(self.layers(x)), 1))


VGG_16 = (64, 64, 0, 128, 128, 0, *(256,) * 3, 0, *(512,) * 3, 0, *(512,) * 3, 0)


class Vgg(nn.Module):
    """VGG-16 with the default plan; flattens with ``view``, as its first authors did."""

    def __init__(
        self, plan: tuple[int, ...] = (64, 64, 0, 128, 128, 0, *(256,) * 3, 0, *(512,) * 3, 0, *(512,) * 3, 0)
    ) -> None:
        super().__init__()
        parts: list[nn.Module] = []
        channels = 3
        for filters in plan:
            if filters:
                parts += [nn.Conv2d(channels, filters, 3, padding=1), nn.ReLU(inplace=True)]
                channels = filters
            else:
                parts.append(nn.MaxPool2d(2, 2))
        self.features = nn.Sequential(*parts)
        self.avgpool = nn.AdaptiveAvgPool2d(7 if channels > 64 else 2)
        hidden, flat = (4096, channels * 49) if channels > 64 else (16, channels * 4)
        dense = [nn.Linear(flat, hidden), nn.ReLU(True), nn.Dropout(), nn.Linear(hidden, hidden), nn.ReLU(True)]
        self.classifier = nn.Sequential(*dense, nn.Dropout(), nn.Linear(hidden, 1000))

    def forward(self, x: Tensor) -> Tensor:
        x = self.avgpool(self.features(x))
        return self.classifier(x.view(x.size(0), -1))


class Split(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 6, 3)

    def forward(self, x: Tensor) -> Tensor:
        a, b = self.conv(x).chunk(2, 1)
        return torch.cat([a, b.relu(), a + b], 1)


class UNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(3, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.bottom = nn.Conv2d(4, 6, 3, padding=1)
        self.up = nn.ConvTranspose2d(6, 4, 3, stride=2, padding=1, output_padding=1)
        self.last = nn.Conv2d(8, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        skip = F.relu(self.down(x))
        y = F.relu(self.bottom(self.pool(skip)))
        y = F.interpolate(self.up(y), size=skip.shape[2:], mode="bilinear", align_corners=False)
        return self.last(torch.cat([y, skip], 1))


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 4, stride=4)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.encoder = nn.TransformerEncoder(
            nn.TransformerEncoderLayer(8, 2, 16, batch_first=True), 1, enable_nested_tensor=False
        )
        self.head = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        tokens = self.patches(x).flatten(2).transpose(1, 2)
        tokens = tokens + self.attention(tokens, tokens, tokens, need_weights=False)[0]
        return self.head(self.encoder(tokens).mean(1))


class Outputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.head = nn.Linear(4, 2)

    def forward(self, x: Tensor) -> dict[str, object]:
        y = self.conv(x)
        pooled = y.mean((2, 3))
        return {"maps": y, "scores": (self.head(pooled), pooled), "count": 3}


class TwoInputs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left_conv = nn.Conv2d(3, 4, 3)
        self.right_conv = nn.Conv2d(1, 4, 3)

    def forward(self, left: Tensor, right: Tensor) -> Tensor:
        return self.left_conv(left) + self.right_conv(right)


class Embedded(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(10, 4)
        self.conv = nn.Conv1d(4, 3, 3)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.conv(self.words(tokens).transpose(1, 2))


def seeded(build: Callable[[], Built]) -> Built:
    """The model with the same random weights each time, also in its statistics."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = build().eval()
        for name, buffer in model.named_buffers():
            if name.endswith("running_mean"):
                buffer.normal_()
            elif name.endswith("running_var"):
                buffer.uniform_(0.5, 2.0)
    return model


def _sequence(*parts: Callable[[], nn.Module]) -> Callable[[], nn.Module]:
    return lambda: nn.Sequential(*(part() for part in parts))


def _normed() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 4, 3),
        nn.GroupNorm(2, 4),
        nn.InstanceNorm2d(4, affine=True),
        nn.LayerNorm([4, 10, 12]),
        nn.BatchNorm2d(4),
        nn.LocalResponseNorm(2),
    )


def _activated() -> nn.Module:
    kinds = (nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Hardswish, nn.Hardsigmoid)
    more = (nn.Sigmoid, nn.Tanh, nn.Softplus, nn.Softsign, nn.LogSigmoid, nn.PReLU, nn.Hardtanh)
    return nn.Sequential(nn.Conv2d(3, 4, 3), *(kind() for kind in (*kinds, *more)), nn.Softmax(1))


CASES: dict[str, tuple[Callable[[], nn.Module], dict[str, tuple[int, ...]]]] = {
    "in-place": (InPlaceRelu, {"x": (1, 3, 8, 9)}),
    "in-place on a view": (InPlaceOnView, {"x": (1, 3, 8, 9)}),
    "filled": (Filled, {"x": (1, 3, 6, 5)}),
    "shared": (Shared, {"x": (1, 3, 6, 5)}),
    "functional": (Functional, {"x": (1, 3, 6, 5)}),
    "residual": (lambda: ResNet((4, 6), 2, 5), {"x": (1, 3, 32, 40)}),
    "vgg": (lambda: Vgg((4, 0, 6, 0)), {"x": (1, 3, 16, 20)}),
    "split": (Split, {"x": (1, 3, 8, 9)}),
    "u-net": (UNet, {"x": (1, 3, 13, 10)}),
    "attention": (Attention, {"x": (1, 3, 16, 12)}),
    "outputs": (Outputs, {"x": (1, 3, 8, 9)}),
    "two inputs": (TwoInputs, {"left": (1, 3, 8, 9), "right": (1, 1, 8, 9)}),
    "one-dimensional": (
        _sequence(lambda: nn.Conv1d(2, 4, 5, padding=2, stride=2), lambda: nn.MaxPool1d(3), lambda: nn.ReLU()),
        {"input": (1, 2, 31)},
    ),
    "three-dimensional": (
        _sequence(lambda: nn.Conv3d(2, 4, (3, 1, 2)), lambda: nn.AvgPool3d(2), lambda: nn.ConvTranspose3d(4, 2, 2)),
        {"input": (1, 2, 6, 5, 7)},
    ),
    "grouped and dilated": (
        _sequence(
            lambda: nn.Conv2d(4, 8, 3, groups=2, dilation=2, padding=2),
            lambda: nn.Conv2d(8, 16, (3, 5), groups=8, padding=(1, 2), stride=(2, 1)),
            lambda: nn.ConvTranspose2d(16, 8, 3, stride=2, groups=4, dilation=2, output_padding=1),
        ),
        {"input": (1, 4, 12, 11)},
    ),
    "same padding": (
        _sequence(
            lambda: nn.Conv2d(3, 4, 4, padding="same"), lambda: nn.Conv2d(4, 2, (2, 3), padding="same", dilation=3)
        ),
        {"input": (1, 3, 9, 8)},
    ),
    "reflected": (
        _sequence(
            lambda: nn.Conv2d(3, 4, 3, padding=1, padding_mode="reflect"),
            lambda: nn.Conv2d(4, 4, (3, 5), padding=(1, 2), padding_mode="circular"),
            lambda: nn.Conv2d(4, 2, 3, padding=2, padding_mode="replicate"),
        ),
        {"input": (1, 3, 9, 8)},
    ),
    "normed": (_normed, {"input": (1, 3, 12, 14)}),
    "activated": (_activated, {"input": (1, 3, 6, 7)}),
    "pooled": (
        _sequence(
            lambda: nn.Conv2d(3, 4, 3),
            lambda: nn.AvgPool2d(3, 2, ceil_mode=True, count_include_pad=False, padding=1),
            lambda: nn.MaxPool2d(3, 2, padding=1, ceil_mode=True),
            lambda: nn.AdaptiveAvgPool2d((3, 2)),
            lambda: nn.AdaptiveMaxPool2d(1),
            lambda: nn.Flatten(),
        ),
        {"input": (1, 3, 24, 21)},
    ),
    "weight norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU()),
        {"input": (1, 3, 8, 9)},
    ),
    "old weight norm": (
        lambda: nn.Sequential(nn.utils.weight_norm(nn.Conv2d(3, 4, 3)), nn.ReLU()),
        {"input": (1, 3, 8, 9)},
    ),
    "spectral norm": (
        lambda: nn.Sequential(nn.utils.parametrizations.spectral_norm(nn.Conv2d(3, 4, 3)), nn.ReLU()),
        {"input": (1, 3, 8, 9)},
    ),
    "embedding": (Embedded, {"tokens": (1, 12)}),
    "recurrent": (lambda: nn.LSTM(4, 3, batch_first=True), {"input": (1, 7, 4)}),
    "dense only": (_sequence(lambda: nn.Linear(6, 4), lambda: nn.Dropout(), lambda: nn.Softmax(-1)), {"input": (1, 6)}),
}
