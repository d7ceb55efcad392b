"""Receptive fields against a published table and against the support of PyTorch's gradient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convlens import geometry
from convlens.network import (
    Convolution,
    Dense,
    Input,
    Kind,
    Layer,
    Merge,
    Network,
    Operation,
    Pooling,
    ReceptiveField,
    Resize,
    Slice,
)
from convlens.receptive import box, clip, receptive_fields


class Chain:
    """A network drawn step by step: the layers as data, and the same steps in PyTorch with weights of one."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.layers: list[Layer] = []
        self.picture = torch.rand(1, 1, size, size, dtype=torch.float64, requires_grad=True)
        self.values = {"picture": self.picture}
        self.last = "picture"

    def convolve(self, kernel: int, stride: int = 1, dilation: int = 1, pad: tuple[int, int] = (0, 0)) -> None:
        operation = Convolution(1, 1, (kernel,) * 2, (stride,) * 2, (dilation,) * 2, (pad,) * 2)
        padded = F.pad(self.values[self.last], (*pad, *pad))
        ones = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
        self._add(Kind.CONVOLUTION, operation, F.conv2d(padded, ones, stride=stride, dilation=dilation))

    def transpose(self, kernel: int, stride: int, pad: int = 0) -> None:
        operation = Convolution(1, 1, (kernel,) * 2, (stride,) * 2, (1, 1), ((pad, pad),) * 2, transposed=True)
        ones = torch.ones(1, 1, kernel, kernel, dtype=torch.float64)
        value = F.conv_transpose2d(self.values[self.last], ones, stride=stride, padding=pad)
        self._add(Kind.CONVOLUTION, operation, value)

    def pool(self, kernel: int, stride: int, pad: int = 0) -> None:
        operation = Pooling("average", (kernel,) * 2, (stride,) * 2, (1, 1), ((pad, pad),) * 2)
        self._add(Kind.POOLING, operation, F.avg_pool2d(self.values[self.last], kernel, stride, pad))

    def adapt(self, outputs: int) -> None:
        operation = Pooling("average", (1, 1), (1, 1), (1, 1), ((0, 0),) * 2, adaptive=True, whole=outputs == 1)
        self._add(Kind.POOLING, operation, F.adaptive_avg_pool2d(self.values[self.last], outputs))

    def enlarge(self, times: int, mode: str = "nearest") -> None:
        operation = Resize({"bilinear": "linear"}.get(mode, mode), (Fraction(times),) * 2)
        self._add(Kind.RESIZE, operation, F.interpolate(self.values[self.last], scale_factor=times, mode=mode))

    def join(self, other: str) -> None:
        operation = Merge("add")
        self._add(Kind.ADD, operation, self.values[self.last] + self.values[other], also=other)

    def _add(self, kind: Kind, operation: Operation, value: torch.Tensor, also: str | None = None) -> None:
        name = f"layer{len(self.layers)}"
        inputs = (self.last, also) if also else (self.last,)
        self.layers.append(Layer(name, "op", kind, inputs, tuple(value.shape[1:]), operation))
        self.values[name] = value
        self.last = name

    def field(self) -> ReceptiveField:
        given = Input("picture", (1, self.size, self.size))
        found = receptive_fields(Network("n", "torch", (given,), tuple(self.layers), (self.last,), 0))[self.last]
        assert found is not None
        return found

    def support(self, row: int, column: int) -> tuple[tuple[int, int], tuple[int, int]] | None:
        """The bounding box of the pixels that have a gradient at this unit, or ``None``."""
        (gradient,) = torch.autograd.grad(
            self.values[self.last][0, 0, row, column], self.picture, retain_graph=True, allow_unused=True
        )
        reached = gradient[0, 0].nonzero()
        if len(reached) == 0:
            return None
        (top, left), (bottom, right) = reached.amin(0).tolist(), reached.amax(0).tolist()
        return (top, bottom), (left, right)


def check(chain: Chain, *, exact: bool) -> None:
    """The gradient reaches nothing outside the box, and all of it where the field says exact and nothing is clipped."""
    field = chain.field()
    assert field.exact or not exact
    rows, columns = chain.values[chain.last].shape[2:]
    for row in sorted({0, rows // 2, rows - 1}):
        for column in sorted({0, columns // 3, columns - 1}):
            unclipped = box(field, (row, column))
            inside = clip(unclipped, (chain.size, chain.size))
            support = chain.support(row, column)
            if support is None:
                continue
            for (first, last), (low, high) in zip(support, inside, strict=True):
                assert low <= first <= last <= high
            if field.exact and unclipped == inside:
                assert support == inside


windows = st.tuples(st.sampled_from(["conv", "pool"]), st.integers(1, 4), st.integers(1, 3), st.integers(1, 2))


@given(st.lists(st.tuples(windows, st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=4))
@settings(deadline=None, max_examples=60)
def test_chains_of_windows_are_exact(steps: list[tuple[tuple[str, int, int, int], int, int]]) -> None:
    chain = Chain(23)
    for (what, kernel, stride, dilation), before, after in steps:
        size = chain.values[chain.last].shape[-1]
        if what == "conv":
            assume(geometry.output_size(size, kernel, stride, dilation, (before, after)) > 0)
            chain.convolve(kernel, stride, dilation, (before, after))
        else:
            assume(geometry.output_size(size, kernel, stride) > 0)
            chain.pool(kernel, stride, min(before, kernel // 2))
    check(chain, exact=True)


@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 2), st.integers(1, 4), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_transposed_convolution_then_convolution_is_bounded(
    kernel: int, stride: int, pad: int, after: int, before: int
) -> None:
    chain = Chain(17)
    chain.convolve(before)
    assume(geometry.transposed_output_size(18 - before, kernel, stride, 1, (pad, pad)) >= after)
    chain.transpose(kernel, stride, pad)
    chain.convolve(after)
    check(chain, exact=False)


@given(st.integers(1, 5), st.integers(1, 4))
@settings(deadline=None, max_examples=30)
def test_transposed_convolution_of_the_picture_is_exact(kernel: int, stride: int) -> None:
    assume(kernel >= stride)  # smaller kernels leave gaps that see nothing at all
    chain = Chain(9)
    chain.transpose(kernel, stride)
    check(chain, exact=True)


@pytest.mark.parametrize("outputs", [1, 2, 3, 4, 5, 7])
def test_adaptive_pooling(outputs: int) -> None:
    chain = Chain(14)
    chain.convolve(3, pad=(1, 1))
    chain.adapt(outputs)
    check(chain, exact=14 % outputs == 0)


@pytest.mark.parametrize("mode", ["nearest", "bilinear", "bicubic"])
@pytest.mark.parametrize("times", [2, 3])
def test_enlarging(mode: str, times: int) -> None:
    chain = Chain(12)
    chain.convolve(3, stride=2, pad=(1, 1))
    chain.enlarge(times, mode)
    check(chain, exact=False)


def test_row_37_branches_take_the_union_over_all_paths() -> None:
    chain = Chain(21)
    chain.convolve(3, stride=2, pad=(1, 1))
    short = chain.last
    chain.convolve(3, pad=(1, 1))
    chain.convolve(5, pad=(2, 2))
    chain.join(short)
    assert chain.field().size == (15, 15)
    check(chain, exact=True)


def test_row_37_a_skip_over_down_and_up_is_a_bound_that_holds() -> None:
    chain = Chain(16)
    chain.convolve(3, pad=(1, 1))
    skip = chain.last
    chain.pool(2, 2)
    chain.convolve(3, pad=(1, 1))
    chain.enlarge(2)
    chain.join(skip)
    check(chain, exact=False)


def test_row_36_a_border_value_reaches_outside_the_picture() -> None:
    chain = Chain(10)
    chain.convolve(5, pad=(2, 2))
    field = chain.field()
    assert box(field, (0, 9)) == ((-2, 2), (7, 11))
    assert clip(box(field, (0, 9)), (10, 10)) == ((0, 2), (7, 9))


def test_tutorial_model_eight_sees_37_pixels_at_stride_25() -> None:
    chain = Chain(120)
    for _ in range(2):
        chain.convolve(3)
        chain.pool(5, 5)
    field = chain.field()
    assert (field.size, field.stride) == ((37, 37), (Fraction(25), Fraction(25)))
    check(chain, exact=True)


class Architecture:
    """A network as data: branches written as ``"1 3 3/2"``, kernels with strides, ``1x7`` rows x columns, ``v`` for no
    padding; all else is padded so that a stride of 1 keeps the size."""

    def __init__(self, size: int = 1024) -> None:
        self.picture = Input("picture", (1, size, size))
        self.layers: list[Layer] = []
        self.sizes = {"picture": (size, size)}

    def branch(self, source: str, text: str) -> str:
        for word in text.split():
            kernels, _, stride = word.replace("v", "").partition("/")
            kernel = tuple(int(n) for n in kernels.split("x")) * (1 if "x" in kernels else 2)
            strides = (int(stride or 1),) * 2
            sizes = self.sizes[source]
            pads = tuple(
                (0, 0) if "v" in word else geometry.same_padding(n, k, s)
                for n, k, s in zip(sizes, kernel, strides, strict=True)
            )
            operation = Convolution(1, 1, kernel, strides, (1, 1), pads)
            found = zip(sizes, kernel, strides, pads, strict=True)
            after = tuple(geometry.output_size(n, k, s, padding=pad) for n, k, s, pad in found)
            source = self._add(Kind.CONVOLUTION, operation, (source,), (after[0], after[1]))
        return source

    def block(self, source: str, *branches: str, residual: bool = False) -> str:
        """Branches side by side, concatenated; or added to one another and to their source."""
        ends = [self.branch(source, text) for text in branches]
        if residual:
            joined = (
                ends[0] if len(ends) == 1 else self._add(Kind.CONCAT, Merge("concat", 0), ends, self.sizes[ends[0]])
            )
            return self._add(Kind.ADD, Merge("add"), (source, joined), self.sizes[joined])
        return self._add(Kind.CONCAT, Merge("concat", 0), ends, self.sizes[ends[0]])

    def _add(self, kind: Kind, operation: Operation, reads: Sequence[str], sizes: tuple[int, int]) -> str:
        name = f"layer{len(self.layers)}"
        self.layers.append(Layer(name, "op", kind, tuple(reads), (1, *sizes), operation))
        self.sizes[name] = sizes
        return name

    def field(self) -> ReceptiveField:
        last = self.layers[-1].name
        found = receptive_fields(Network("n", "onnx", (self.picture,), tuple(self.layers), (last,), 0))[last]
        assert found is not None
        return found


def chain(text: str) -> Architecture:
    net = Architecture()
    net.branch("picture", text)
    return net


def resnet(*blocks: int) -> Architecture:
    """Slim's resnet_v1: the last unit of a block has the stride, except in the last block."""
    net = Architecture()
    last = net.branch("picture", "7/2 3/2")
    for number, count in enumerate(blocks):
        for unit in range(count):
            stride = 2 if unit == count - 1 and number < len(blocks) - 1 else 1
            shortcut = net.branch(last, f"1/{stride}") if unit == 0 or stride == 2 else last
            deep = net.branch(last, f"1 3/{stride} 1")
            last = net._add(Kind.ADD, Merge("add"), (shortcut, deep), net.sizes[deep])
    return net


def inception_v2() -> Architecture:
    net = Architecture()
    last = net.branch("picture", "7/2 3/2 1 3 3/2")
    for count, reduced in ((2, True), (4, True), (2, False)):
        for _ in range(count):
            last = net.block(last, "1", "1 3", "1 3 3", "3 1")
        if reduced:
            last = net.block(last, "1 3/2", "1 3 3/2", "3/2")
    return net


def inception_v3() -> Architecture:
    net = Architecture()
    last = net.branch("picture", "3v/2 3v 3 3v/2 1v 3v 3v/2")
    for _ in range(3):
        last = net.block(last, "1", "1 5", "1 3 3", "3 1")
    last = net.block(last, "3v/2", "1 3 3v/2", "3v/2")
    for _ in range(4):
        last = net.block(last, "1", "1 1x7 7x1", "1 7x1 1x7 7x1 1x7", "3 1")
    last = net.block(last, "1 3v/2", "1 1x7 7x1 3v/2", "3v/2")
    for _ in range(2):
        last = net.block(last, "1", "1 1x3", "1 3x1", "1 3 1x3", "1 3 3x1", "3 1")
    return net


def inception_v4() -> Architecture:
    net = Architecture()
    last = net.branch("picture", "3v/2 3v 3")
    for branches in (("3v/2", "3v/2"), ("1 3v", "1 1x7 7x1 3v"), ("3v/2", "3v/2")):
        last = net.block(last, *branches)
    for _ in range(4):
        last = net.block(last, "1", "1 3", "1 3 3", "3 1")
    last = net.block(last, "3v/2", "1 3 3v/2", "3v/2")
    for _ in range(7):
        last = net.block(last, "1", "1 1x7 7x1", "1 7x1 1x7 7x1 1x7", "3 1")
    last = net.block(last, "1 3v/2", "1 1x7 7x1 3v/2", "3v/2")
    for _ in range(3):
        last = net.block(last, "1", "1 1x3", "1 3x1", "1 3x1 1x3 1x3", "1 3x1 1x3 3x1", "3 1")
    return net


def inception_resnet_v2() -> Architecture:
    net = Architecture()
    last = net.branch("picture", "3v/2 3v 3 3v/2 1v 3v 3v/2")
    last = net.block(last, "1", "1 5", "1 3 3", "3 1")
    for _ in range(10):
        last = net.block(last, "1", "1 3", "1 3 3", residual=True)
    last = net.block(last, "3v/2", "1 3 3v/2", "3v/2")
    for _ in range(20):
        last = net.block(last, "1", "1 1x7 7x1", residual=True)
    last = net.block(last, "1 3v/2", "1 3v/2", "1 3 3v/2", "3v/2")
    for _ in range(10):
        last = net.block(last, "1", "1 1x3 3x1", residual=True)
    net.branch(last, "1")
    return net


def test_a_part_of_joined_channels_may_see_less() -> None:
    """A slice of channels behind a concatenation: the box is exact only where all branches see alike."""
    small, large = (Convolution(1, 1, (n, n), (1, 1), (1, 1), ((n // 2,) * 2,) * 2) for n in (1, 5))
    for first, second in ((small, large), (large, small), (large, large)):
        layers = (
            Layer("a", "op", Kind.CONVOLUTION, ("picture",), (1, 9, 9), first),
            Layer("b", "op", Kind.CONVOLUTION, ("picture",), (1, 9, 9), second),
            Layer("both", "op", Kind.CONCAT, ("a", "b"), (2, 9, 9), Merge("concat", 0)),
            Layer("one", "op", Kind.RESHAPE, ("both",), (1, 9, 9), Slice((0, 0), (1, 1))),
        )
        fields = receptive_fields(Network("n", "torch", (Input("picture", (1, 9, 9)),), layers, ("one",), 0))
        found = fields["one"]
        assert found is not None
        assert (found.size, found.exact) == ((5, 5), first == second)


def test_a_product_at_each_position_mixes_its_features_alone() -> None:
    """Against PyTorch's gradient: along the last axis where nothing else is said, whatever sizes come out."""
    for units in (7, 4):
        picture = torch.rand(1, 3, 6, 7, requires_grad=True)
        made = torch.nn.functional.linear(picture, torch.rand(units, 7))
        (gradient,) = torch.autograd.grad(made[0, 1, 2, 3], picture)
        reached = gradient[0].nonzero()
        dense = Layer("dense", "op", Kind.DENSE, ("x",), (3, 6, units), Dense(7, units, per_position=True))
        network = Network("n", "torch", (Input("x", (3, 6, 7)),), (dense,), ("dense",), 0)
        field = receptive_fields(network)["dense"]
        assert field is not None
        rows, columns = clip(box(field, (2, 3), channel=1), (6, 7))
        assert rows == (int(reached[:, 1].min()), int(reached[:, 1].max())) == (2, 2)
        assert columns == (int(reached[:, 2].min()), int(reached[:, 2].max())) == (0, 6)


MOBILENET = "3/2 " + " ".join(f"3/{stride} 1" for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1))
VGG = " ".join("3 " * count + "2/2" for count in (2, 2, 3, 3, 3))
TABLE: dict[str, tuple[Callable[[], Architecture], int, int]] = {
    "alexnet_v2": (lambda: chain("11v/4 3v/2 5 3v/2 3 3 3 3v/2"), 195, 32),
    "vgg_16": (lambda: chain(VGG), 212, 32),
    "inception_v2": (inception_v2, 699, 32),
    "inception_v3": (inception_v3, 1311, 32),
    "inception_v4": (inception_v4, 2071, 32),
    "inception_resnet_v2": (inception_resnet_v2, 3039, 32),
    "mobilenet_v1": (lambda: chain(MOBILENET), 315, 32),
    "resnet_v1_50": (lambda: resnet(3, 4, 6, 3), 483, 32),
    "resnet_v1_101": (lambda: resnet(3, 4, 23, 3), 1027, 32),
    "resnet_v1_152": (lambda: resnet(3, 8, 36, 3), 1507, 32),
    "resnet_v1_200": (lambda: resnet(3, 24, 36, 3), 1763, 32),
}
"""Table 1 of Araujo, Norris and Sim, "Computing Receptive Fields of CNNs", Distill 2019: size and stride at the last
layer of TF-Slim's networks. Inception's branches are all there, and so are the shortcuts of ResNet."""


@pytest.mark.parametrize("name", TABLE)
def test_row_37_the_published_table(name: str) -> None:
    make, size, stride = TABLE[name]
    field = make().field()
    assert (field.size, field.stride, field.exact) == ((size,) * 2, (Fraction(stride),) * 2, True)
