"""Receptive fields against a published table and against the support of PyTorch's gradient."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from convlens import geometry
from convlens.network import Convolution, Input, Kind, Layer, Merge, Network, Operation, Pooling, ReceptiveField, Resize
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


@dataclass(frozen=True)
class Published:
    """One row of table 1 of Araujo, Norris and Sim, "Computing Receptive Fields of CNNs", Distill 2019."""

    name: str
    size: int
    stride: int
    steps: tuple[tuple[int, int], ...]  # (kernel, stride), padded as "same"; branches by their widest path


def _vgg() -> tuple[tuple[int, int], ...]:
    return sum((((3, 1),) * n + ((2, 2),) for n in (2, 2, 3, 3, 3)), ())


def _mobilenet() -> tuple[tuple[int, int], ...]:
    return ((3, 2), *((3, stride) for stride in (1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1)))


def _resnet(blocks: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Slim's resnet_v1: the last unit of a block has the stride, except in the last block."""
    steps: list[tuple[int, int]] = [(7, 2), (3, 2)]
    for number, count in enumerate(blocks):
        steps += [(3, 2 if unit == count - 1 and number < len(blocks) - 1 else 1) for unit in range(count)]
    return tuple(steps)


TABLE = [
    Published("alexnet_v2", 195, 32, ((11, 4), (3, 2), (5, 1), (3, 2), (3, 1), (3, 1), (3, 1), (3, 2))),
    Published("vgg_16", 212, 32, _vgg()),
    Published("mobilenet_v1", 315, 32, _mobilenet()),
    Published("resnet_v1_50", 483, 32, _resnet((3, 4, 6, 3))),
    Published("resnet_v1_101", 1027, 32, _resnet((3, 4, 23, 3))),
    Published("resnet_v1_152", 1507, 32, _resnet((3, 8, 36, 3))),
]


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_the_published_table(row: Published) -> None:
    size, reads, layers = 1024, "picture", []
    for number, (kernel, stride) in enumerate(row.steps):
        pad = geometry.same_padding(size, kernel, stride)
        operation = Convolution(1, 1, (kernel,) * 2, (stride,) * 2, (1, 1), (pad, pad))
        size = geometry.output_size(size, kernel, stride, padding=pad)
        layers.append(Layer(f"c{number}", "Conv", Kind.CONVOLUTION, (reads,), (1, size, size), operation))
        reads = f"c{number}"
    network = Network(row.name, "onnx", (Input("picture", (1, 1024, 1024)),), tuple(layers), (reads,), 0)
    field = receptive_fields(network)[reads]
    assert field is not None
    assert (field.size, field.stride) == ((row.size,) * 2, (Fraction(row.stride),) * 2)
