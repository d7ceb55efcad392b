"""Integers against the frameworks' own shapes and against naive loops."""

from __future__ import annotations

from itertools import pairwise, product
from math import prod

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given
from hypothesis import strategies as st

from convlens import geometry
from convlens.network import Convolution, Dense, Kind, Layer, Shape

sizes = st.integers(1, 24)
kernels = st.integers(1, 7)
strides = st.integers(1, 5)
dilations = st.integers(1, 3)
pads = st.integers(0, 4)


@given(sizes, kernels, strides, dilations, pads, pads)
def test_output_size_is_pytorchs(size: int, kernel: int, stride: int, dilation: int, before: int, after: int) -> None:
    ours = geometry.output_size(size, kernel, stride, dilation, (before, after))
    padded = F.pad(torch.zeros(1, 1, size), (before, after))
    if ours == 0:
        with pytest.raises(RuntimeError):
            F.conv1d(padded, torch.zeros(1, 1, kernel), stride=stride, dilation=dilation)
    else:
        theirs = F.conv1d(padded, torch.zeros(1, 1, kernel), stride=stride, dilation=dilation)
        assert ours == theirs.shape[-1]


@given(sizes, kernels, strides, dilations, st.data())
def test_ceil_mode_is_pytorchs(size: int, kernel: int, stride: int, dilation: int, data: st.DataObject) -> None:
    pad = data.draw(st.integers(0, kernel // 2))
    ours = geometry.output_size(size, kernel, stride, dilation, (pad, pad), ceil_mode=True)
    assume(geometry.output_size(size, kernel, stride, dilation, (pad, pad)) > 0)
    theirs = F.max_pool1d(torch.zeros(1, 1, size), kernel, stride, pad, dilation, ceil_mode=True)
    assert ours == theirs.shape[-1]


@given(sizes, kernels, strides, dilations, st.data())
def test_transposed_output_size_is_pytorchs(
    size: int, kernel: int, stride: int, dilation: int, data: st.DataObject
) -> None:
    pad = data.draw(st.integers(0, 3))
    extra = data.draw(st.integers(0, max(stride, dilation) - 1))
    ours = geometry.transposed_output_size(size, kernel, stride, dilation, (pad, pad), extra)
    assume(ours > 0)
    weight = torch.zeros(1, 1, kernel)
    theirs = F.conv_transpose1d(
        torch.zeros(1, 1, size), weight, stride=stride, padding=pad, dilation=dilation, output_padding=extra
    )
    assert ours == theirs.shape[-1]


@given(sizes, kernels, strides, dilations, pads, pads)
def test_windows_slide_inside_the_padded_axis_and_drop_the_rest(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> None:
    count = geometry.output_size(size, kernel, stride, dilation, (before, after))
    windows = [geometry.window(i, kernel, stride, dilation, (before, after)) for i in range(count)]
    assert all(len(taps) == kernel for taps in windows)
    assert all(b[0] - a[0] == stride for a, b in pairwise(windows))
    end = size + after
    if windows:
        assert windows[0][0] == -before
        assert end - 1 - windows[-1][-1] == geometry.dropped(size, kernel, stride, dilation, (before, after)) >= 0
    assert geometry.window(count, kernel, stride, dilation, (before, after))[-1] >= end, "one more would have fitted"


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3))
def test_the_gather_form_undoes_the_scatter(size: int, kernel: int, stride: int, dilation: int, pad: int) -> None:
    """A transposed convolution by its definition, spreading each input, touches exactly what each output gathers."""
    count = geometry.transposed_output_size(size, kernel, stride, dilation, (pad, pad))
    scattered = {
        (i * stride + tap * dilation - pad, i, tap)
        for i, tap in product(range(size), range(kernel))
        if 0 <= i * stride + tap * dilation - pad < count
    }
    gathered = {
        (o, i, tap)
        for o in range(max(count, 0))
        for i, tap in geometry.transposed_window(o, size, kernel, stride, dilation, (pad, pad))
    }
    assert gathered == scattered


@given(sizes, kernels, strides, dilations)
def test_same_makes_as_many_outputs_as_strides_fit(size: int, kernel: int, stride: int, dilation: int) -> None:
    before, after = geometry.same_padding(size, kernel, stride, dilation)
    assert geometry.output_size(size, kernel, stride, dilation, (before, after)) == -(-size // stride)
    assert after - before in (0, 1)
    assert geometry.same_padding(size, kernel, stride, dilation, extra_at_end=False) == (after, before)


@given(st.integers(1, 30), st.integers(1, 30))
def test_adaptive_windows_are_pytorchs(size: int, outputs: int) -> None:
    values = torch.rand(1, 1, size, dtype=torch.float64)
    theirs = F.adaptive_avg_pool1d(values, outputs)[0, 0]
    for index in range(outputs):
        window = geometry.adaptive_window(index, size, outputs)
        assert torch.isclose(values[0, 0, window.start : window.stop].mean(), theirs[index])


settings_2d = st.tuples(st.integers(1, 4), st.integers(1, 4), st.integers(1, 3), st.integers(1, 3), st.booleans())


@given(settings_2d, st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_parameters_are_pytorchs_numel(
    channels: tuple[int, int, int, int, bool], groups: int, stride: int, pad: int
) -> None:
    per_group, filters_per_group, rows, columns, bias = channels
    layer = torch.nn.Conv2d(
        per_group * groups, filters_per_group * groups, (rows, columns), stride, pad, groups=groups, bias=bias
    )
    operation = Convolution(
        layer.in_channels, layer.out_channels, (rows, columns), (stride,) * 2, (1, 1), ((pad, pad),) * 2, groups, bias
    )
    assert geometry.parameters(operation) == sum(p.numel() for p in layer.parameters())
    dense = torch.nn.Linear(per_group * rows, filters_per_group, bias=bias)
    counted = geometry.parameters(Dense(per_group * rows, filters_per_group, bias))
    assert counted == sum(p.numel() for p in dense.parameters())


def naive_macs(operation: Convolution, before: Shape, after: Shape) -> int:
    """Counts the products one by one: each place of the loop that a textbook implementation runs."""
    count = 0
    places = product(*(range(n) for n in (before if operation.transposed else after)[1:]))
    others = operation.filters if operation.transposed else operation.in_channels
    for _ in places:
        for _ in range(before[0] if operation.transposed else after[0]):
            for _ in range(others // operation.groups):
                for _ in product(*(range(k) for k in operation.kernel_size)):
                    count += 1
    return count


@given(st.booleans(), st.integers(1, 2), st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 2))
def test_macs_are_a_naive_count(
    transposed: bool, groups: int, per_group: int, kernel: int, stride: int, dilation: int
) -> None:
    size = 7
    operation = Convolution(
        per_group * groups,
        2 * groups,
        (kernel, kernel),
        (stride, stride),
        (dilation, dilation),
        ((1, 0), (0, 1)),
        groups,
        transposed=transposed,
    )
    reach = geometry.transposed_output_size if transposed else geometry.output_size
    after = tuple(reach(size, kernel, stride, dilation, pad) for pad in operation.padding)
    assume(min(after) > 0)
    before, made = (per_group * groups, size, size), (2 * groups, *after)
    layer = Layer("conv", "conv2d", Kind.CONVOLUTION, ("x",), made, operation)
    assert geometry.multiply_accumulates(layer, before) == naive_macs(operation, before, made)


def test_macs_of_a_dense_layer_are_its_matrix() -> None:
    layer = Layer("fc", "linear", Kind.DENSE, ("x",), (10,), Dense(64, 10))
    assert geometry.multiply_accumulates(layer, (64,)) == 640
    per_position = Layer("fc", "linear", Kind.DENSE, ("x",), (10, 5, 5), Dense(64, 10, per_position=True))
    assert geometry.multiply_accumulates(per_position, (64, 5, 5)) == 64 * 10 * 25
    assert geometry.map_bytes(per_position) == 4 * prod((10, 5, 5))
