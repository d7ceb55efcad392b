"""Every kind of PyTorch layer, drawn by hypothesis: its settings, its sizes, its weights. All are small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor, nn

Draw = Any  # hypothesis' draw function


@dataclass(frozen=True)
class Drawn:
    """A model with the shapes of its inputs. ``positive``: its inputs must be."""

    model: nn.Module
    shapes: tuple[tuple[int, ...], ...]
    dtype: torch.dtype
    seed: int
    positive: bool = False

    def feed(self) -> dict[str, Tensor]:
        """Values around 0 of many sizes; some are exactly 0, some are equal."""
        generator = torch.Generator().manual_seed(self.seed)
        feed = {}
        for number, shape in enumerate(self.shapes):
            values = torch.randn(shape, generator=generator) * (1 + 3 * (self.seed % 3))
            if self.seed % 4 == 0:
                values = values.round()
            if self.seed % 5 == 0:
                values = values + 20
            feed[f"x{number}"] = values.abs() + 0.5 if self.positive else values
        return feed

    def __repr__(self) -> str:
        return f"{self.model}\n{self.shapes} {self.dtype} seed {self.seed}"


class Applied(nn.Module):
    """A function as a model, with the words of what it does. Its inputs are x0, x1."""

    def __init__(self, words: str, function: Callable[..., Tensor], inputs: int = 1, **constants: Tensor) -> None:
        super().__init__()
        self.words, self.function = words, function
        for name, constant in constants.items():
            self.register_buffer(name, constant)
        if inputs == 1:
            self.forward = self.of_one
        else:
            self.forward = self.of_two

    def of_one(self, x0: Tensor) -> Tensor:
        return self.function(x0)

    def of_two(self, x0: Tensor, x1: Tensor) -> Tensor:
        return self.function(x0, x1)

    def extra_repr(self) -> str:
        return self.words


class Wrapped(nn.Module):
    """A module whose input is called x0."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x0: Tensor) -> Any:
        return self.inner(x0)


seeds = st.integers(0, 2**31 - 1)
dtypes = st.sampled_from([torch.float32] * 7 + [torch.float64, torch.float16, torch.bfloat16])
small = st.integers(1, 3)
flags = st.booleans()


def finished(draw: Draw, model: nn.Module, *shapes: tuple[int, ...], positive: bool = False) -> Drawn:
    """The model with drawn weights and a drawn type."""
    seed, dtype = draw(seeds), draw(dtypes)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in (*model.named_parameters(), *model.named_buffers()):
            if name.endswith("running_var"):
                tensor.uniform_(0.1, 3.0, generator=generator)
            elif tensor.is_floating_point():
                tensor.normal_(generator=generator)
    return Drawn(model.to(dtype).eval(), tuple((1, *shape) for shape in shapes), dtype, seed, positive)


def per_axis(draw: Draw, rank: int, low: int, high: int) -> tuple[int, ...]:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def sizes_for(draw: Draw, reach: tuple[int, ...], padding: tuple[int, ...], most: int = 4) -> tuple[int, ...]:
    """Sizes that a window of this reach fits into, with this padding on both sides."""
    return tuple(max(1, r - 2 * p) + draw(st.integers(0, most)) for r, p in zip(reach, padding, strict=True))


@st.composite
def convolutions(draw: Draw) -> Drawn:
    rank, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    channels = groups * draw(st.sampled_from([1, 1, 2]))
    filters = groups * draw(small)
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride, dilation = per_axis(draw, rank, 1, 3), per_axis(draw, rank, 1, 2)
    mode = draw(st.sampled_from(["zeros", "zeros", "reflect", "replicate", "circular"]))
    pads = per_axis(draw, rank, 0, 2)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    sizes = sizes_for(draw, reach, (0,) * rank if mode != "zeros" else pads, 4 if rank < 3 else 2)
    least = {"reflect": 1, "circular": 0}.get(mode, -2)  # more values than are padded; as many
    sizes = tuple(max(size, pad + least) for size, pad in zip(sizes, pads, strict=True))
    padding: str | tuple[int, ...] = pads
    if draw(st.integers(0, 5)) == 0:
        padding, stride, mode = "same", (1,) * rank, "zeros"
    kind: Any = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[rank - 1]
    conv = kind(channels, filters, kernel, stride, padding, dilation, groups, draw(flags), mode)
    around = per_axis(draw, 2 * rank, 0, 2) if draw(flags) else ()
    model = nn.Sequential(Applied(f"F.pad {around}", lambda x: F.pad(x, around)), conv) if around else conv
    return finished(draw, Wrapped(model), (channels, *sizes))


@st.composite
def transposed_convolutions(draw: Draw) -> Drawn:
    rank, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2]))
    channels, filters = groups * draw(small), groups * draw(st.integers(1, 2))
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride, dilation = per_axis(draw, rank, 1, 3 if rank < 3 else 2), per_axis(draw, rank, 1, 2)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    sizes = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    padding = tuple(
        draw(st.integers(0, min(2, ((size - 1) * s + d * (k - 1) + e) // 2)))
        for size, s, d, k, e in zip(sizes, stride, dilation, kernel, extra, strict=True)
    )
    kind: Any = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
    conv = kind(channels, filters, kernel, stride, padding, extra, groups, draw(flags), dilation)
    return finished(draw, Wrapped(conv), (channels, *sizes))


@st.composite
def dense_layers(draw: Draw) -> Drawn:
    features, units = draw(st.integers(1, 40)), draw(st.integers(1, 8))
    before = per_axis(draw, draw(st.integers(0, 3)), 1, 4)
    how = draw(st.sampled_from(["linear", "linear", "matmul", "addmm"]))
    if how == "linear":
        return finished(draw, Wrapped(nn.Linear(features, units, draw(flags))), (*before, features))
    weight = torch.zeros(features, units)
    if how == "matmul":
        model = Applied("x @ w", lambda x: x @ model.weight, weight=weight)
        return finished(draw, model, (*before, features))
    adds: Any = Applied(
        "addmm", lambda x: torch.addmm(adds.bias, x, adds.weight), weight=weight, bias=torch.zeros(units)
    )
    return finished(draw, adds, (features,))


@st.composite
def matrix_products(draw: Draw) -> Drawn:
    heads, rows, inner, columns = (draw(st.integers(1, 5)) for _ in range(4))
    model = Applied("x @ y", lambda x, y: x @ y, 2)
    return finished(draw, model, (heads, rows, inner), (draw(st.sampled_from([1, heads])), inner, columns))


@st.composite
def max_pools(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride = per_axis(draw, rank, 1, 3)
    dilation = per_axis(draw, rank, 1, 2)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    reach = tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))
    kind: Any = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)[rank - 1]
    model = kind(kernel, stride, padding, dilation, return_indices=False, ceil_mode=draw(flags))
    sizes = sizes_for(draw, reach, padding, 4 if rank < 3 else 3)
    return finished(draw, Wrapped(model), (draw(small), *sizes))


@st.composite
def average_pools(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride = per_axis(draw, rank, 1, 3)
    padding = tuple(draw(st.integers(0, k // 2)) for k in kernel)
    options: dict[str, Any] = {"ceil_mode": draw(flags), "count_include_pad": draw(flags)}
    if rank > 1 and draw(flags):
        options["divisor_override"] = draw(st.integers(1, 9))
    kind: Any = (nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d)[rank - 1]
    # in 3-D PyTorch asks for as many values as the kernel has, padding not counted
    sizes = sizes_for(draw, kernel, padding if rank < 3 else (0, 0, 0), 4 if rank < 3 else 3)
    return finished(draw, Wrapped(kind(kernel, stride, padding, **options)), (draw(small), *sizes))


@st.composite
def lp_pools(draw: Draw) -> Drawn:
    """PyTorch takes these apart itself: power, average, sign, absolute value, ReLU, products, root."""
    rank = draw(st.integers(1, 2))
    power, kernel = draw(st.sampled_from([1.0, 2.0, 3.0, 2.5])), draw(st.integers(1, 3))
    function: Any = F.lp_pool1d if rank == 1 else F.lp_pool2d
    stride, ceil = draw(small), draw(flags)
    model = Applied(
        f"lp_pool{rank}d {power} {kernel} {stride} {ceil}", lambda x: function(x, power, kernel, stride, ceil)
    )
    sizes = sizes_for(draw, (kernel,) * rank, (0,) * rank)
    return finished(draw, model, (draw(small), *sizes), positive=True)


@st.composite
def adaptive_pools(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    sizes = per_axis(draw, rank, 1, 8 if rank < 3 else 4)
    outputs = (1,) * rank if draw(st.integers(0, 3)) == 0 else per_axis(draw, rank, 1, 5 if rank < 3 else 3)
    average = (nn.AdaptiveAvgPool1d, nn.AdaptiveAvgPool2d, nn.AdaptiveAvgPool3d)
    maximum = (nn.AdaptiveMaxPool1d, nn.AdaptiveMaxPool2d, nn.AdaptiveMaxPool3d)
    kind: Any = (average if draw(flags) else maximum)[rank - 1]
    return finished(draw, Wrapped(kind(outputs[0] if rank == 1 else outputs)), (draw(small), *sizes))


@st.composite
def batch_normalisations(draw: Draw) -> Drawn:
    rank, channels = draw(st.integers(0, 3)), draw(st.integers(1, 5))
    kind: Any = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)[rank]
    model = kind(channels, eps=draw(st.sampled_from([1e-5, 1e-3, 0.1])), affine=draw(flags))
    return finished(draw, Wrapped(model), (channels, *per_axis(draw, rank, 1, 5)))


@st.composite
def other_normalisations(draw: Draw) -> Drawn:
    kind = draw(st.sampled_from(["layer", "group", "instance", "rms"]))
    rank, channels = draw(st.integers(1, 3)), draw(st.integers(1, 6))
    sizes = per_axis(draw, rank, 2, 5 if rank < 3 else 3)
    epsilon, affine = draw(st.sampled_from([1e-5, 1e-3])), draw(flags)
    model: nn.Module
    if kind == "group":
        groups = draw(st.sampled_from([n for n in (1, 2, 3) if channels % n == 0]))
        model = nn.GroupNorm(groups, channels, epsilon, affine)
    elif kind == "instance":
        of_rank: Any = (nn.InstanceNorm1d, nn.InstanceNorm2d, nn.InstanceNorm3d)[rank - 1]
        model = of_rank(channels, epsilon, affine=affine, track_running_stats=draw(flags))
    else:
        over = draw(st.integers(1, rank + 1))
        shape = (channels, *sizes)[-over:]
        of: Any = nn.LayerNorm if kind == "layer" else nn.RMSNorm
        stated = {} if kind == "rms" and draw(flags) else {"eps": epsilon}
        model = of(shape, elementwise_affine=affine, **stated)
    return finished(draw, Wrapped(model), (channels, *sizes))


amounts = st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0])


def _clamped(low: float) -> nn.Module:
    return Applied(f"clamp {low}", lambda x: x.clamp(min=low))


ACTIVATIONS: dict[str, Callable[[Draw], nn.Module]] = {
    "relu": lambda _: nn.ReLU(),
    "relu in place": lambda _: nn.ReLU(inplace=True),
    "relu6": lambda _: nn.ReLU6(),
    "hardtanh": lambda draw: nn.Hardtanh(-draw(amounts), draw(amounts)),
    "leaky_relu": lambda draw: nn.LeakyReLU(draw(amounts)),
    "rrelu": lambda draw: nn.RReLU(0.1, 0.1 + draw(amounts)),
    "prelu": lambda draw: nn.PReLU(draw(st.sampled_from([1, 3]))),
    "elu": lambda draw: nn.ELU(draw(amounts)),
    "celu": lambda draw: nn.CELU(draw(amounts)),
    "selu": lambda _: nn.SELU(),
    "gelu": lambda draw: nn.GELU(draw(st.sampled_from(["none", "tanh"]))),
    "silu": lambda _: nn.SiLU(),
    "mish": lambda _: nn.Mish(),
    "sigmoid": lambda _: nn.Sigmoid(),
    "log_sigmoid": lambda _: nn.LogSigmoid(),
    "tanh": lambda _: nn.Tanh(),
    "softplus": lambda draw: nn.Softplus(draw(amounts), draw(st.sampled_from([5.0, 20.0]))),
    "softsign": lambda _: nn.Softsign(),
    "tanhshrink": lambda _: nn.Tanhshrink(),
    "hardsigmoid": lambda _: nn.Hardsigmoid(),
    "hardswish": lambda _: nn.Hardswish(),
    "hardshrink": lambda draw: nn.Hardshrink(draw(amounts)),
    "softshrink": lambda draw: nn.Softshrink(draw(amounts)),
    "threshold": lambda draw: nn.Threshold(draw(amounts), draw(amounts)),
    "clamp": lambda draw: _clamped(-draw(amounts)),
    "erf": lambda _: Applied("erf", torch.erf),
    **{
        name: lambda _, name=name: Applied(name, getattr(torch, name))  # type: ignore[misc]
        for name in (
            *("abs", "neg", "sign", "floor", "ceil", "trunc", "round", "exp", "exp2", "expm1", "square", "sin", "cos"),
            "reciprocal",
        )
    },
}
POSITIVE = ("log", "log2", "log10", "log1p", "sqrt", "rsqrt")


@st.composite
def activations(draw: Draw) -> Drawn:
    name = draw(st.sampled_from([*ACTIVATIONS, *POSITIVE]))
    shape = (3, *per_axis(draw, draw(st.integers(0, 3)), 1, 4))
    if name in POSITIVE:
        return finished(draw, Applied(name, getattr(torch, name)), shape, positive=True)
    model = ACTIVATIONS[name](draw)
    return finished(draw, model if isinstance(model, Applied) else Wrapped(model), shape)


@st.composite
def softmaxes(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 4))
    axis = draw(st.integers(1, rank))
    kind = draw(st.sampled_from([nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.GLU]))
    sizes = [*per_axis(draw, rank, 1, 5 if rank < 4 else 3)]
    if kind is nn.GLU:
        sizes[axis - 1] *= 2
    return finished(draw, Wrapped(kind(draw(st.sampled_from([axis, axis - rank - 1])))), tuple(sizes))


TWO: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "x + y": lambda x, y: x + y,
    "x - y": lambda x, y: x - y,
    "x * y": lambda x, y: x * y,
    "x / y": lambda x, y: x / y,
    "rsub": lambda x, y: torch.rsub(x, y),
    "maximum": torch.maximum,
    "minimum": torch.minimum,
    "add alpha": lambda x, y: torch.add(x, y, alpha=2.5),
    "sub alpha": lambda x, y: torch.sub(x, y, alpha=0.3),
}


@st.composite
def merges(draw: Draw) -> Drawn:
    name = draw(st.sampled_from([*TWO]))
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 5)
    other = tuple(size if draw(st.integers(0, 2)) else 1 for size in shape)
    if draw(flags):
        shape, other = other, shape
    positive = name == "x / y"
    return finished(draw, Applied(name, TWO[name], 2), shape, other, positive=positive)


@st.composite
def twice_the_same(draw: Draw) -> Drawn:
    name = draw(st.sampled_from([*TWO]))
    return finished(draw, Applied(f"{name}, y = x", lambda x: TWO[name](x, x)), per_axis(draw, 3, 1, 4), positive=True)


CONSTANTS: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "x + c": lambda x, c: x + c,
    "c - x": lambda x, c: c - x,
    "x - c": lambda x, c: x - c,
    "x * c": lambda x, c: x * c,
    "x / c": lambda x, c: x / c,
}
CONSTANTS_TO_POSITIVE: dict[str, Callable[[Tensor, Any], Tensor]] = {
    "c / x": lambda x, c: c / x,
    "x ** c": lambda x, c: x**c,
    "c ** x": lambda x, c: c**x,
}


@st.composite
def constants(draw: Draw) -> Drawn:
    name = draw(st.sampled_from([*CONSTANTS, *CONSTANTS_TO_POSITIVE]))
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 5)
    function = (CONSTANTS | CONSTANTS_TO_POSITIVE)[name]
    positive = name in CONSTANTS_TO_POSITIVE
    if draw(flags) and not positive:
        size = tuple(size if draw(flags) else 1 for size in shape)
        if draw(flags):
            size = (1, *size)
        model = Applied(f"{name}, c {size}", lambda x: function(x, model.c), c=torch.zeros(size))
        return finished(draw, model, shape)
    number = draw(st.sampled_from([0.1, 0.5, 1, 2, 3, 2.5, 0.1307]))
    return finished(draw, Applied(f"{name}, c = {number}", lambda x: function(x, number)), shape, positive=positive)


@st.composite
def joins(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 4)
    if draw(flags):
        axis = draw(st.integers(1, len(shape) + 1))
        return finished(draw, Applied(f"stack {axis}", lambda x, y: torch.stack([x, y], axis), 2), shape, shape)
    axis = draw(st.integers(1, len(shape)))
    other = tuple(draw(small) if n == axis - 1 else size for n, size in enumerate(shape))
    times = draw(st.integers(1, 2))
    model = Applied(f"cat {axis}", lambda x, y: torch.cat([x, y] * times, axis), 2)
    return finished(draw, model, shape, other)


@st.composite
def pads(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    mode = draw(st.sampled_from(["constant", "constant", "reflect", "replicate", "circular"]))
    sizes = per_axis(draw, rank, 3, 5)
    constant = mode == "constant"
    amount = tuple(draw(st.integers(-1 if constant else 0, 2)) for _ in range(2 * rank))
    if constant and draw(flags):
        amount += (draw(st.integers(0, 2)), draw(st.integers(0, 2)))  # around the channels
    value = draw(st.sampled_from([0.0, 1.5, -2.0])) if constant else None
    model = Applied(f"pad {amount} {mode} {value}", lambda x: F.pad(x, amount, mode, value))
    return finished(draw, model, (draw(small), *sizes))


@st.composite
def resizes(draw: Draw) -> Drawn:
    mode = draw(st.sampled_from(["nearest", "nearest-exact", "linear", "bicubic"]))
    rank = 2 if mode == "bicubic" else draw(st.integers(1, 3))
    mode = {"linear": ("linear", "bilinear", "trilinear")[rank - 1]}.get(mode, mode)
    sizes = per_axis(draw, rank, 1, 7 if rank < 3 else 3)
    options: dict[str, Any] = {"mode": mode}
    if "nearest" not in mode:
        options["align_corners"] = draw(flags)
    if draw(flags):
        options["size"] = per_axis(draw, rank, 1, 12 if rank < 3 else 5)
    else:
        factors = st.sampled_from([2.0, 3.0, 0.5, 1.7, 0.6, 1 / 3, 1.25, 1.04])
        options["scale_factor"] = tuple(draw(factors) for _ in range(rank))
        sizes = tuple(max(size, 3) for size in sizes)
        keeps = any(int(size * f) == size for size, f in zip(sizes, options["scale_factor"], strict=True))
        undecided = keeps and "nearest" in mode  # see test_what_pytorch_does_in_two_ways_is_not_guessed
        options["recompute_scale_factor"] = True if undecided else draw(st.sampled_from([None, True]))
    model = Applied(f"interpolate {options}", lambda x: F.interpolate(x, **options))
    return finished(draw, model, (draw(st.integers(1, 2)), *sizes))


@st.composite
def rearrangements(draw: Draw) -> Drawn:
    channels, rows, columns = draw(st.sampled_from([4, 8])), draw(st.integers(2, 4)), draw(st.integers(2, 5))
    axis = draw(st.integers(1, 3))
    size = (channels, rows, columns)[axis - 1]
    start, step = draw(st.integers(-size, size - 1)), draw(small)
    at = [slice(None)] * 4
    at[axis] = slice(start, None, step)
    order = (0, *draw(st.permutations([1, 2, 3])))
    pieces = draw(st.integers(1, size))
    choices: dict[str, Callable[[Tensor], Any]] = {
        "flatten": lambda x: x.flatten(1),
        "flatten spatial": lambda x: x.flatten(2),
        "reshape": lambda x: x.reshape(1, columns, -1, 2),
        "view": lambda x: x.view(1, 2, -1, rows, columns),
        "unflatten": lambda x: torch.unflatten(x, 1, (2, -1)),
        f"permute {order}": lambda x: x.permute(order),
        f"transpose 1 {axis}": lambda x: x.transpose(1, axis),
        f"transpose {axis} -1": lambda x: x.transpose(axis, -1),
        f"slice {at}": lambda x: x[tuple(at)],
        f"narrow {axis}": lambda x: x.narrow(axis, 0, 1),
        f"select {axis} {start}": lambda x: x.select(axis, start),
        f"chunk {axis} {pieces}": lambda x: x.chunk(pieces, axis)[-1],
        f"split {axis} {pieces}": lambda x: torch.cat(torch.split(x, pieces, axis)[::-1], axis),
        f"tensor_split {axis}": lambda x: x.tensor_split(2, axis)[1],
        f"unbind {axis}": lambda x: x.unbind(axis)[-1],
        "squeeze": lambda x: x[:, :, :1].squeeze(2),
        f"unsqueeze {axis}": lambda x: x.unsqueeze(axis),
        "pixel_shuffle": lambda x: F.pixel_shuffle(x, 2),
        "pixel_unshuffle": lambda x: F.pixel_unshuffle(F.pixel_shuffle(x, 2), 2),
        "channel_shuffle": lambda x: F.channel_shuffle(x, 2),
        f"flip {axis}": lambda x: x.flip(axis),
        f"roll {axis}": lambda x: x.roll(start, axis),
        "expand": lambda x: x[:, :1].expand(-1, 3, -1, -1),
        "repeat": lambda x: x.repeat(1, 2, 1, 2),
        "movedim": lambda x: x.movedim(1, -1),
        "index_select": lambda x: x.index_select(axis, torch.tensor([size - 1, 0])),
    }
    name = draw(st.sampled_from([*choices]))
    return finished(draw, Applied(name, choices[name]), (channels, rows, columns))


@st.composite
def reductions(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    shape = per_axis(draw, rank, 1, 5)
    over = tuple(draw(st.permutations(range(1, rank + 1)))[: draw(st.integers(1, rank))])
    keep = draw(flags)
    name = draw(st.sampled_from(["mean", "sum", "amax", "amin", "prod", "max", "mean of all"]))
    first = over[0]
    functions: dict[str, Callable[[Tensor], Tensor]] = {
        "mean": lambda x: x.mean(over, keep),
        "sum": lambda x: x.sum(over, keep),
        "amax": lambda x: x.amax(over, keep),
        "amin": lambda x: x.amin(over, keep),
        "prod": lambda x: x.prod(first, keep),
        "max": lambda x: x.max(first, keep).values,
        "mean of all": lambda x: x.mean(),
    }
    return finished(draw, Applied(f"{name} {over} {keep}", functions[name]), shape)


@st.composite
def nothings(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    casts = {
        f"to {dtype}": Applied(f"to {dtype}", lambda x, dtype=dtype: x.to(dtype))
        for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int32, torch.int64)
    }
    models: dict[str, nn.Module] = {
        "dropout": Wrapped(nn.Dropout(0.5)),
        "dropout in place": Wrapped(nn.Sequential(nn.ReLU(), nn.Dropout(0.5, inplace=True))),
        "channel dropout": Wrapped((nn.Dropout1d, nn.Dropout2d, nn.Dropout3d)[rank - 1]()),
        "alpha dropout": Wrapped(nn.AlphaDropout()),
        "identity": Wrapped(nn.Sequential(nn.Identity(), nn.ReLU())),
        **casts,
    }
    name = draw(st.sampled_from([*models]))
    return finished(draw, models[name], (draw(small), *per_axis(draw, rank, 1, 4)))


@st.composite
def networks(draw: Draw) -> Drawn:
    """A few layers one after the other, with a residual and a concatenation, in one type."""
    channels = draw(st.sampled_from([2, 4]))
    conv = nn.Conv2d(3, channels, 3, padding=1, stride=draw(st.integers(1, 2)))
    parts = [
        nn.Conv2d(channels, channels, 3, padding=1, groups=draw(st.sampled_from([1, 2])), bias=draw(flags)),
        nn.BatchNorm2d(channels),
        draw(st.sampled_from([nn.ReLU(), nn.SiLU(), nn.Hardswish()])),
    ]
    inner, head = nn.Sequential(*parts), nn.Linear(2 * channels, 5)
    model = Applied("network", lambda x: _forward(model, x))
    model.conv, model.inner, model.head = conv, inner, head
    return finished(draw, model, (3, *per_axis(draw, 2, 3, 8)))


def _forward(model: Any, x: Tensor) -> Tensor:
    first = model.conv(x)
    residual = model.inner(first) + first
    both = torch.cat([residual, first], 1)
    scores: Tensor = model.head(both.mean((2, 3)))
    return scores.softmax(-1)


KINDS: dict[str, st.SearchStrategy[Drawn]] = {
    "convolution": convolutions(),
    "transposed convolution": transposed_convolutions(),
    "dense": dense_layers(),
    "matrix product": matrix_products(),
    "max pooling": max_pools(),
    "average pooling": average_pools(),
    "Lp pooling": lp_pools(),
    "adaptive pooling": adaptive_pools(),
    "batch normalisation": batch_normalisations(),
    "other normalisation": other_normalisations(),
    "activation": activations(),
    "softmax and GLU": softmaxes(),
    "merge": st.one_of(merges(), twice_the_same()),
    "arithmetic with a constant": constants(),
    "concat and stack": joins(),
    "padding": pads(),
    "resize": resizes(),
    "rearrangement": rearrangements(),
    "reduction": reductions(),
    "nothing happens": nothings(),
    "network": networks(),
}
