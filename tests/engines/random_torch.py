"""PyTorch models drawn from a seed: steps of every kind, one on another's results, kept where PyTorch can run them."""

# mypy: disable-error-code="no-any-return"
# A module returns Any to a type checker.

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrizations

Random = np.random.Generator
Step = Callable[..., Tensor]

ACTIVATIONS = (
    *(
        "relu",
        "relu6",
        "elu",
        "selu",
        "celu",
        "leaky_relu",
        "rrelu",
        "gelu",
        "silu",
        "mish",
        "hardswish",
        "hardsigmoid",
        "hardtanh",
    ),
    *("softplus", "softsign", "tanhshrink", "softshrink", "hardshrink", "logsigmoid", "sigmoid", "tanh"),
)


class Drawn(nn.Module):
    """``steps``: for each the numbers of the values that it reads, and a module or function of them."""

    def __init__(self, ending: str) -> None:
        super().__init__()
        self.steps: list[tuple[tuple[int, ...], Step]] = []
        self.parts = nn.ModuleList()
        self.ending = ending

    def add(self, reads: tuple[int, ...], step: Step) -> None:
        if isinstance(step, nn.Module) and not any(step is one for one in self.parts):
            self.parts.append(step)
        self.steps.append((reads, step))

    def follow(self, values: list[Tensor]) -> list[Tensor]:
        for reads, step in self.steps:
            values.append(step(*(values[n] for n in reads)))
        return values

    def ended(self, values: list[Tensor]) -> Any:
        if self.ending == "one":
            return values[-1]
        if self.ending == "dict":
            return {"last": values[-1], "before": values[-2]}
        return values[-1], [values[-2]]


class OfOne(Drawn):
    def forward(self, x: Tensor) -> Any:
        return self.ended(self.follow([x]))


class OfTwo(Drawn):
    def forward(self, x: Tensor, y: Tensor) -> Any:
        return self.ended(self.follow([x, y]))


def pick(draw: Random, *among: Any) -> Any:
    return among[int(draw.integers(len(among)))]


def convolution(draw: Random, x: Tensor) -> Step:
    channels, rank = x.shape[1], x.ndim - 2
    groups = pick(draw, 1, 1, channels)
    size = tuple(int(n) for n in draw.integers(1, 4, rank))
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    same = draw.random() < 0.2
    made: nn.Module = kind(
        channels,
        groups * int(draw.integers(1, 4)),
        size,
        stride=1 if same else tuple(int(n) for n in draw.integers(1, 4, rank)),
        padding="same" if same else tuple(int(n) for n in draw.integers(0, 3, rank)),
        dilation=int(draw.integers(1, 3)),
        groups=groups,
        bias=bool(draw.integers(2)),
        padding_mode=pick(draw, "zeros", "zeros", "reflect", "replicate", "circular"),
    )
    wrap = pick(draw, None, None, None, None, parametrizations.weight_norm, parametrizations.spectral_norm)
    return made if wrap is None else wrap(made)


def transposed(draw: Random, x: Tensor) -> Step:
    rank, stride = x.ndim - 2, int(draw.integers(1, 4))
    kind = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
    groups = pick(draw, 1, x.shape[1])
    return kind(
        x.shape[1],
        groups * 2,
        int(draw.integers(1, 4)),
        stride=stride,
        padding=int(draw.integers(0, 2)),
        output_padding=int(draw.integers(0, stride)),
        dilation=int(draw.integers(1, 3)),
        groups=groups,
    )


def functional_convolution(draw: Random, x: Tensor) -> Step:
    weight = torch.randn(3, x.shape[1], 2, 3)
    return lambda x: F.conv2d(x, weight.to(x.dtype), stride=(2, 1), padding=(1, 2))


def pooling(draw: Random, x: Tensor) -> Step:
    size, stride, ceil = int(draw.integers(1, 4)), int(draw.integers(1, 4)), bool(draw.integers(2))
    padding = int(draw.integers(0, size // 2 + 1))
    match int(draw.integers(6)):
        case 0:
            return nn.MaxPool2d(size, stride, padding, dilation=int(draw.integers(1, 3)), ceil_mode=ceil)
        case 1:
            counted, divisor = bool(draw.integers(2)), pick(draw, None, None, 5)
            return nn.AvgPool2d(size, stride, padding, ceil, counted, divisor)
        case 2:
            return nn.LPPool2d(pick(draw, 1, 2), size, stride, ceil)
        case 3:
            return nn.AdaptiveAvgPool2d((int(draw.integers(1, 6)), pick(draw, None, 3)))
        case 4:
            return nn.AdaptiveMaxPool2d(int(draw.integers(1, 6)))
        case _:
            return lambda x: x.amax((2, 3), keepdim=True) if ceil else x.mean((2, 3), keepdim=True)


def normalising(draw: Random, x: Tensor) -> Step:
    channels = x.shape[1]
    match int(draw.integers(6)):
        case 0:
            made = nn.BatchNorm2d(channels, track_running_stats=bool(draw.integers(3)), affine=bool(draw.integers(2)))
            if made.running_mean is not None:
                made.running_mean += torch.randn(channels)
            return made
        case 1:
            return nn.InstanceNorm2d(channels, affine=True, track_running_stats=bool(draw.integers(2)))
        case 2:
            return nn.GroupNorm(pick(draw, 1, channels), channels)
        case 3:
            return nn.LayerNorm(tuple(x.shape[pick(draw, 1, 2, 3) :]))
        case 4:
            return nn.LocalResponseNorm(3)
        case _:
            return lambda x: F.normalize(x, dim=1)


def activating(draw: Random, x: Tensor) -> Step:
    name = pick(draw, *ACTIVATIONS, "prelu", "softmax", "glu", "clamp", "threshold")
    axis, inplace = int(draw.integers(1, x.ndim)), bool(draw.integers(2))
    match name:
        case "prelu":
            return nn.PReLU(x.shape[1])
        case "softmax":
            return nn.Softmax(axis) if inplace else nn.LogSoftmax(axis)
        case "glu":
            return nn.GLU(axis)
        case "clamp":
            return lambda x: x.clamp(-0.5, pick(np.random.default_rng(3), 1.0, 2.0))
        case "threshold":
            return nn.Threshold(0.1, -7.0)
    if inplace and name in ("relu", "relu6", "elu", "leaky_relu", "silu", "hardtanh", "mish"):
        return lambda x: getattr(F, name)(x, inplace=True)
    return lambda x: getattr(F, name)(x)


def writing(draw: Random, x: Tensor) -> Step:
    """Into the value itself, through a view, by index, with ``out=``."""

    def half(x: Tensor) -> Tensor:
        x.chunk(2, 1)[0].sigmoid_()
        return x

    def assigned(x: Tensor) -> Tensor:
        x[:, 0] = x[:, -1] * 2
        return x

    def masked(x: Tensor) -> Tensor:
        x[x < 0] = 0.25
        return x

    def filled(x: Tensor) -> Tensor:
        both = torch.zeros_like(x)
        both[..., ::2] = x[..., ::2]
        return both

    def turned(x: Tensor) -> Tensor:
        x.transpose(1, -1).mul_(0.5)
        return x

    def out(x: Tensor) -> Tensor:
        return torch.add(x, x, alpha=0.5, out=torch.empty_like(x))

    def constant(x: Tensor) -> Tensor:
        x[:, :1] = 1.5
        return x + 0

    def aside(x: Tensor) -> Tensor:
        view = x[:, :1]
        x.tanh_()
        return view * 2 + x

    return pick(draw, half, assigned, masked, filled, turned, out, constant, aside)


def moving(draw: Random, x: Tensor) -> Step:
    axis, shift = int(draw.integers(1, x.ndim)), int(draw.integers(1, 3))
    around = [int(n) for n in draw.integers(-1, 3, 4)]
    mode = pick(draw, "constant", "reflect", "replicate", "circular")
    order = [0, *(1 + draw.permutation(x.ndim - 1))]
    steps: list[Step] = [
        lambda x: F.pad(x, around, mode=mode),
        lambda x: F.pad(x, (1, 0, 0, 2, 1, 0), value=0.5),
        lambda x: x.permute([int(n) for n in order]).contiguous(),
        lambda x: x.roll(shift, axis),
        lambda x: x.flip(axis),
        lambda x: x.narrow(axis, 0, max(1, x.shape[axis] - shift)),
        lambda x: x[..., ::2],
        lambda x: torch.cat([x, x.flip(axis)], axis),
        lambda x: torch.cat(x.chunk(2, axis)[::-1], axis),
        lambda x: torch.stack([x, x * 2], 2).flatten(1, 2),
        lambda x: x.repeat_interleave(2, axis),
        lambda x: x.tile(1, 2, 1, 1),
        lambda x: F.pixel_unshuffle(x, 2),
        lambda x: F.pixel_shuffle(x, 2),
        lambda x: F.channel_shuffle(x, 2),
        lambda x: x.reshape(x.shape[0], -1, *x.shape[3:], 1),
        lambda x: x.unsqueeze(1).squeeze(1),
        lambda x: x[:, [x.shape[1] - 1, 0]],
        lambda x: x.select(axis, 0).unsqueeze(axis).expand_as(x),
        lambda x: x.unfold(3, 2, 1)[..., 0],
        lambda x: torch.gather(x, axis, x.argsort(axis)),
    ]
    return pick(draw, *steps)


def resizing(draw: Random, x: Tensor) -> Step:
    factor = pick(draw, 0.5, 0.7, 1.3, 2.0, 2.5)
    mode = pick(draw, "nearest", "nearest-exact", "bilinear", "bicubic", "area")
    corners = pick(draw, True, False) if mode in ("bilinear", "bicubic") else None
    if draw.random() < 0.5:
        size = tuple(max(1, int(n * factor)) for n in x.shape[2:])
        return lambda x: F.interpolate(x, size=size, mode=mode, align_corners=corners)
    return lambda x: F.interpolate(x, scale_factor=factor, mode=mode, align_corners=corners)


def calculating(draw: Random, x: Tensor) -> Step:
    constant, axis = torch.randn(x.shape[1], 1, 1), int(draw.integers(1, x.ndim))
    mixing = nn.Linear(x.shape[-1], 3)
    turns = int(draw.integers(1, 3))

    def branching(x: Tensor) -> Tensor:
        return x * 2 if x.mean() > 0 else x.abs()

    def repeated(x: Tensor) -> Tensor:
        for _ in range(turns):
            x = x + mixing(x).mean(-1, keepdim=True)
        return x

    def attending(x: Tensor) -> Tensor:
        flat = x.flatten(2)
        return F.scaled_dot_product_attention(flat, flat, flat).reshape(x.shape)

    steps: list[Step] = [
        mixing,
        branching,
        attending,
        lambda x: x + constant.to(x.dtype),
        lambda x: constant.to(x.dtype) - x,
        lambda x: 2.5 / (x.abs() + 1),
        lambda x: x * x.mean((2, 3), keepdim=True).sigmoid(),
        lambda x: x - x.amin(axis, keepdim=True),
        lambda x: torch.where(x > 0, x, x * 0.1),
        lambda x: torch.matmul(x, x.transpose(2, 3)),
        lambda x: torch.einsum("bchw,bchv->bcwv", x, x),
        lambda x: torch.maximum(x, x.flip(1)),
        lambda x: x.cumsum(axis),
        lambda x: x.abs().sqrt() + x.exp().clamp(max=9.0),
        lambda x: x.std(axis, keepdim=True) + x,
        lambda x: x.to(torch.float64).to(x.dtype),
        nn.Dropout(0.5),
        nn.Sequential(nn.Identity(), nn.Dropout2d(0.3), nn.ReLU(inplace=True)),
    ]
    if draw.random() < 0.1:
        return lambda x: F.rrelu(F.relu(x) + mixing(x).sum())
    return pick(draw, *steps)


KINDS = (convolution, convolution, transposed, functional_convolution, pooling, normalising, activating, activating)
KINDS = (*KINDS, writing, moving, moving, resizing, calculating, calculating)  # type: ignore[assignment]
DTYPES = (*(torch.float32,) * 6, torch.float64, torch.bfloat16, torch.float16)


def drawn(seed: int) -> tuple[Drawn, dict[str, Tensor]]:
    """A model and what to feed it with. Nothing in it draws at random when it runs."""
    draw = np.random.default_rng(seed)
    torch.manual_seed(seed)
    two, dtype = draw.random() < 0.2, pick(draw, *DTYPES)
    ending = pick(draw, "one", "one", "one", "dict", "several")
    model = (OfTwo if two else OfOne)(ending)
    shape = (1, int(draw.integers(1, 5)), *(int(n) for n in draw.integers(5, 10, 2)))
    feed = {name: torch.randn(shape) for name in ("x", "y")[: 1 + two]}
    wanted, tries = int(draw.integers(3, 9)), 0
    while len(model.steps) < wanted and tries < 60:
        tries += 1
        add_one(draw, model, feed, dtype)
    model.train(bool(draw.integers(2)))
    return model.to(dtype), {name: value.to(dtype) for name, value in feed.items()}


def add_one(draw: Random, model: Drawn, feed: Mapping[str, Tensor], dtype: torch.dtype) -> None:
    """Add one step, or none where it can't be run."""
    model.eval()
    with torch.no_grad():
        values = model.to(torch.float32).follow([value.clone() for value in feed.values()])
    last = len(values) - 1
    at = last if draw.random() < 0.8 else int(draw.integers(len(values)))
    reads: tuple[int, ...] = (at,)
    alike = [n for n, value in enumerate(values) if n != at and value.shape == values[at].shape]
    if alike and draw.random() < 0.35:
        merging: list[Step] = [
            lambda a, b: a + b,
            lambda a, b: torch.sub(a, b, alpha=2),
            lambda a, b: a * b,
            lambda a, b: torch.cat([a, b, torch.ones_like(a)], 1),
            lambda a, b: torch.minimum(a, b),
            lambda a, b: a.add_(b),
        ]
        reads, step = (at, pick(draw, *alike)), pick(draw, *merging)
    elif model.parts and draw.random() < 0.1:
        step = pick(draw, *model.parts)  # a shared module
    else:
        step = pick(draw, *KINDS)(draw, values[at])
    try:
        with torch.no_grad():
            part = step.eval() if isinstance(step, nn.Module) else step
            trial = [value.clone() for value in values]
            made = part(*(trial[n] for n in reads))
            if dtype != torch.float32:
                part = step.to(dtype) if isinstance(step, nn.Module) else step
                part(*(values[n].clone().to(dtype) for n in reads))
    except (RuntimeError, ValueError, IndexError, TypeError):
        return
    if made.ndim == 4 and 0 < made.numel() <= 4000 and made.shape[0] == 1 and made.isfinite().all():
        model.add(reads, step)
        try:
            with torch.no_grad():
                model.to(torch.float32).follow([value.clone() for value in feed.values()])
        except RuntimeError:  # it writes into memory that several of its values share
            model.steps.pop()
