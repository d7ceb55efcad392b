"""The arithmetic against naive loops and NumPy's own functions: no framework is asked here."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.arithmetic.harness import check_same, check_working, examples

from convlens.arithmetic import explain, explain_all
from convlens.arithmetic.functions import FUNCTIONS
from convlens.arithmetic.rounding import PRECISIONS, agreement, bound, can_overflow, rounded
from convlens.engines.base import Array
from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Kind,
    Layer,
    Merge,
    Normalisation,
    Operation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
    Whole,
)

Draw = Any
AS_NUMPY_PADS = {"zeros": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def layer_of(operation: Operation | None, shape: Shape, *, inputs: int = 1, dtype: str = "float32") -> Layer:
    names = tuple(f"x{n}" for n in range(inputs))
    return Layer("layer", "op", Kind.OTHER, names, shape, operation, dtype=dtype)


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def worked_out(
    operation: Operation,
    shape: Shape,
    sources: list[Array],
    weights: Mapping[str, Array] | None = None,
    dtype: str = "float32",
) -> Array:
    """Every value of the layer, explained one by one; each the same as in the explanation of its whole channel."""
    layer, given_weights = layer_of(operation, shape, inputs=len(sources), dtype=dtype), weights or {}
    total = np.empty(shape)
    for index in np.ndindex(*shape):
        working = explain(layer, index, sources, given_weights)
        assert working is not None
        check_working(working, layer, sources)
        whole = explain_all(layer, index[0], sources, given_weights)
        assert whole is not None
        check_same(working, whole, layer, index)
        total[index] = working.total
    return total


@st.composite
def convolutions(draw: Draw) -> tuple[Convolution, Array, dict[str, Array]]:
    rank, groups, per_group = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    filters = groups * draw(st.integers(1, 2))
    each = [
        (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(3, 5)))
        for _ in range(rank)
    ]
    kernel, stride, dilation, sizes = zip(*each, strict=True)
    padding = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    mode, seed = draw(st.sampled_from([*AS_NUMPY_PADS])), draw(st.integers(0, 10**6))
    bias = draw(st.booleans())
    operation = Convolution(
        groups * per_group, filters, kernel, stride, dilation, padding, groups, bias, padding_mode=mode
    )
    weights = {"kernel": numbers(seed, filters, per_group, *kernel)}
    if bias:
        weights["bias"] = numbers(seed + 1, filters)
    return operation, numbers(seed + 2, groups * per_group, *sizes), weights


@examples(60)
@given(case=convolutions())
def test_convolution_is_a_loop_over_a_padded_array(case: tuple[Convolution, Array, dict[str, Array]]) -> None:
    operation, source, weights = case
    padded = np.pad(source, [(0, 0), *operation.padding], AS_NUMPY_PADS[operation.padding_mode])  # type: ignore[call-overload]
    reach = [d * (k - 1) + 1 for k, d in zip(operation.kernel_size, operation.dilation, strict=True)]
    room = [size - r for size, r in zip(padded.shape[1:], reach, strict=True)]
    if min(room) < 0:
        return
    outputs = tuple(r // s + 1 for r, s in zip(room, operation.stride, strict=True))
    found = worked_out(operation, (operation.filters, *outputs), [source], weights)
    per_group = operation.in_channels // operation.groups
    for index in np.ndindex(*found.shape):
        group = index[0] // (operation.filters // operation.groups)
        value = float(weights["bias"][index[0]]) if "bias" in weights else 0.0
        for channel in range(per_group):
            for taps in itertools.product(*(range(k) for k in operation.kernel_size)):
                at = [
                    place * s + tap * d
                    for place, s, tap, d in zip(index[1:], operation.stride, taps, operation.dilation, strict=True)
                ]
                weight = float(weights["kernel"][(index[0], channel, *taps)])
                value += float(padded[(group * per_group + channel, *at)]) * weight
        assert abs(found[index] - value) < 1e-9


@st.composite
def transposed(draw: Draw) -> tuple[Convolution, Array, dict[str, Array]]:
    groups, per_group, per_filter = draw(st.integers(1, 2)), draw(st.integers(1, 2)), draw(st.integers(1, 2))
    each = [
        (draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 2)), draw(st.integers(1, 3)))
        for _ in range(2)
    ]
    kernel, stride, dilation, sizes = zip(*each, strict=True)
    extra = tuple(draw(st.integers(0, max(s, d) - 1)) for s, d in zip(stride, dilation, strict=True))
    padding = tuple((draw(st.integers(0, 1)), draw(st.integers(0, 1))) for _ in range(2))
    seed = draw(st.integers(0, 10**6))
    filters, channels = groups * per_filter, groups * per_group
    operation = Convolution(
        channels, filters, kernel, stride, dilation, padding, groups, False, transposed=True, output_padding=extra
    )
    return operation, numbers(seed, channels, *sizes), {"kernel": numbers(seed + 1, filters, per_group, *kernel)}


@examples(60)
@given(case=transposed())
def test_transposed_convolution_gathers_what_a_loop_scatters(case: tuple[Convolution, Array, dict[str, Array]]) -> None:
    operation, source, weights = case
    wide = [
        (size - 1) * s + d * (k - 1) + 1 + e
        for size, s, d, k, e in zip(
            source.shape[1:],
            operation.stride,
            operation.dilation,
            operation.kernel_size,
            operation.output_padding,
            strict=True,
        )
    ]
    scattered = np.zeros((operation.filters, *wide))
    per_group, per_filter = operation.in_channels // operation.groups, operation.filters // operation.groups
    for filter_number in range(operation.filters):
        for within in range(per_group):
            channel = filter_number // per_filter * per_group + within
            for at in np.ndindex(*source.shape[1:]):
                for taps in itertools.product(*(range(k) for k in operation.kernel_size)):
                    to = [
                        a * s + t * d for a, s, t, d in zip(at, operation.stride, taps, operation.dilation, strict=True)
                    ]
                    product = float(source[(channel, *at)]) * float(weights["kernel"][(filter_number, within, *taps)])
                    scattered[(filter_number, *to)] += product
    (top, bottom), (left, right) = operation.padding
    kept = scattered[:, top : scattered.shape[1] - bottom, left : scattered.shape[2] - right]
    if 0 in kept.shape:
        return
    found = worked_out(operation, kept.shape, [source], weights)
    np.testing.assert_allclose(found, kept, atol=1e-9)


@examples(100)
@given(
    size=st.integers(1, 7),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 3),
    dilation=st.integers(1, 2),
    pads=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    counted=st.booleans(),
    hangs_over=st.integers(0, 2),
)
def test_row_12_the_divisor_counts_what_is_really_there(
    size: int, kernel: int, stride: int, dilation: int, pads: tuple[int, int], counted: bool, hangs_over: int
) -> None:
    """Ones over the map; ones over the padding too where it counts; nothing beyond, where ceil_mode lets it hang."""
    source = numbers(size, 1, size)
    there = np.zeros(pads[0] + size + pads[1] + 20)
    there[: pads[0] + size + pads[1]] = 1 if counted else 0
    there[pads[0] : pads[0] + size] = 1
    values = np.zeros_like(there)
    values[pads[0] : pads[0] + size] = source[0]
    count = max(0, (sum(pads) + size - dilation * (kernel - 1) - 1) // stride + 1) + hangs_over
    operation = Pooling("average", (kernel,), (stride,), (dilation,), (pads,), count_include_pad=counted)
    starts = [n * stride for n in range(count)]
    windows = [range(start, start + dilation * (kernel - 1) + 1, dilation) for start in starts]
    windows = [w for w in windows if there[list(w)].sum()]
    if not windows or windows[-1].stop > len(there) or len(windows) < count:
        return
    found = worked_out(operation, (1, len(windows)), [source])
    expected = [sum(values[n] for n in w) / sum(there[n] for n in w) for w in windows]
    np.testing.assert_allclose(found[0], expected, atol=1e-12)


@examples(60)
@given(size=st.integers(1, 9), outputs=st.integers(1, 6), mode=st.sampled_from(["average", "max"]))
def test_adaptive_pooling_takes_the_windows_that_cover_its_share(size: int, outputs: int, mode: str) -> None:
    source = numbers(size, 2, size)
    operation = Pooling(mode, (1,), (1,), (1,), ((0, 0),), adaptive=True)
    found = worked_out(operation, (2, outputs), [source])
    for place in range(outputs):
        first, last = math.floor(place * size / outputs), math.ceil((place + 1) * size / outputs)
        part = source[:, first:last].astype(np.float64)
        expected = part.mean(axis=1) if mode == "average" else part.max(axis=1)
        np.testing.assert_allclose(found[:, place], expected, atol=1e-12)


def test_the_largest_value_of_a_window_its_ties_and_its_padding() -> None:
    source = np.array([[[1, 5, 5], [-2, -3, 0]]], np.float32)
    operation = Pooling("max", (2, 2), (1, 1), (1, 1), ((1, 0), (0, 0)))
    layer = layer_of(operation, (1, 2, 2))
    tied = explain(layer, (0, 1, 1), [source], {})
    assert tied is not None
    assert tied.winners is not None
    assert tied.total == 5
    assert tied.winners.tolist() == [[True, True], [False, False]]
    assert tied.steps[0].words == "the largest value, 2 times"
    at_border = explain(layer, (0, 0, 0), [source], {})
    assert at_border is not None
    assert at_border.window.tolist() == [[-math.inf, -math.inf], [1, 5]]
    assert at_border.inside.tolist() == [[False, False], [True, True]]
    assert at_border.origin((0, 0)) is None
    assert at_border.origin((1, 1)) == (0, (0, 0, 1))


@examples(60)
@given(power=st.sampled_from([1.0, 2.0, 3.0, 2.5]), seed=st.integers(0, 1000))
def test_lp_pooling_is_the_norm_of_the_window(power: float, seed: int) -> None:
    source = numbers(seed, 1, 4, 4)
    operation = Pooling("lp", (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)), power=power)
    found = worked_out(operation, (1, 2, 2), [source])
    for row, column in np.ndindex(2, 2):
        part = source[0, 2 * row : 2 * row + 2, 2 * column : 2 * column + 2].astype(np.float64)
        assert found[0, row, column] == pytest.approx(float(np.linalg.norm(part.ravel(), power)), abs=1e-12)


@examples(100)
@given(size=st.integers(2, 6), outputs=st.integers(1, 11), corners=st.booleans())
def test_linear_resizing_is_numpys_interpolation(size: int, outputs: int, corners: bool) -> None:
    source = numbers(size, 1, size)
    if corners and outputs > 1:
        positions = np.arange(outputs) * (size - 1) / (outputs - 1)
    elif corners:
        positions = np.zeros(1)
    else:
        positions = (np.arange(outputs) + 0.5) * size / outputs - 0.5
    operation = Resize("linear", (Fraction(outputs, size),), corners, "align_corners" if corners else "half_pixel")
    found = worked_out(operation, (1, outputs), [source])
    np.testing.assert_allclose(found[0], np.interp(positions, np.arange(size), source[0]), atol=1e-9)


def keys(s: float, a: float) -> float:
    """The kernel of cubic convolution as R. Keys wrote it down, equation 4."""
    s = abs(s)
    if s < 1:
        return (a + 2) * s**3 - (a + 3) * s**2 + 1
    return a * s**3 - 5 * a * s**2 + 8 * a * s - 4 * a if s < 2 else 0.0


@examples(60)
@given(size=st.integers(1, 9), outputs=st.integers(1, 20), a=st.sampled_from([-0.5, -0.75]))
def test_cubic_resizing_weighs_by_the_distance(size: int, outputs: int, a: float) -> None:
    source = numbers(size, 1, size)
    operation = Resize("cubic", (Fraction(outputs, size),), cubic_coefficient=a)
    found = worked_out(operation, (1, outputs), [source])
    for place in range(outputs):
        x = (place + 0.5) * size / outputs - 0.5
        near = range(math.floor(x) - 2, math.floor(x) + 4)
        expected = sum(keys(x - n, a) * float(source[0, min(max(n, 0), size - 1)]) for n in near)
        assert found[0, place] == pytest.approx(expected, abs=1e-9)


def test_cubic_resizing_keeps_parabolas() -> None:
    """Away from the borders, where values are repeated, and with a = -0.5: Keys 1981, section IV."""
    parabola = (np.arange(9, dtype=np.float32)[None] * 0.5 - 1) ** 2
    operation = Resize("cubic", (Fraction(20, 9),), cubic_coefficient=-0.5)
    found = worked_out(operation, (1, 20), [parabola])[0]
    positions = (np.arange(20) + 0.5) * 9 / 20 - 0.5
    inner = (positions >= 1) & (positions <= 7)
    np.testing.assert_allclose(found[inner], (positions[inner] * 0.5 - 1) ** 2, atol=1e-9)


@pytest.mark.parametrize(
    ("rounding", "expected"),
    [
        ("floor", [0, 0, 1, 1]),
        ("ceil", [0, 1, 1, 2]),
        ("round_prefer_floor", [0, 0, 1, 1]),
        ("round_prefer_ceil", [0, 1, 1, 2]),
    ],
)
def test_nearest_neighbour_rounds_halves_as_it_is_told(rounding: str, expected: list[int]) -> None:
    operation = Resize("nearest", (Fraction(2),), coordinates="asymmetric", rounding=rounding)
    found = worked_out(operation, (1, 4), [np.arange(3, dtype=np.float32)[None]])
    assert found[0].tolist() == expected


def test_coordinates_in_float32_can_fall_to_the_other_side() -> None:
    """26 pixels to 22: position 11 is 13 exactly, and 12.999999 in float32, where PyTorch computes it."""
    source = np.arange(26, dtype=np.float32)[None]
    scale = (Fraction(22, 26),)
    exact = Resize("nearest", scale, coordinates="asymmetric", rounding="floor")
    rounded_step = Resize("nearest", scale, coordinates="asymmetric", rounding="floor", coordinate_arithmetic="step")
    assert worked_out(exact, (1, 22), [source])[0, 11] == 13
    assert worked_out(rounded_step, (1, 22), [source])[0, 11] == 12


@examples(60)
@given(
    mode=st.sampled_from([*AS_NUMPY_PADS, "constant"]),
    pads=st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 2),
    channels=st.tuples(st.integers(0, 1), st.integers(0, 1)),
)
def test_padding_is_numpys(mode: str, pads: tuple[tuple[int, int], ...], channels: tuple[int, int]) -> None:
    source = numbers(1, 2, 3, 4)
    around = channels if mode in ("zeros", "constant") else (0, 0)
    options: Any = {"constant_values": 7.0} if mode == "constant" else {}
    expected = np.pad(source, [around, *pads], AS_NUMPY_PADS.get(mode, mode), **options)  # type: ignore[call-overload]
    operation = Pad(pads, mode, 7.0 if mode == "constant" else 0.0, around)
    np.testing.assert_array_equal(worked_out(operation, expected.shape, [source]), expected)


def test_negative_padding_crops() -> None:
    source = numbers(2, 1, 5, 5)
    found = worked_out(Pad(((-1, 0), (0, -2))), (1, 4, 3), [source])
    np.testing.assert_array_equal(found, source[:, 1:, :3])


@examples(60)
@given(order=st.permutations([0, 1, 2]), channels_last=st.booleans(), seed=st.integers(0, 100))
def test_what_only_moves_is_numpys_own_move(order: list[int], channels_last: bool, seed: int) -> None:
    source = numbers(seed, 4, 3, 2)
    transposed_source = source.transpose(order)
    found = worked_out(Reshape("transpose", axes=tuple(order)), transposed_source.shape, [source])
    np.testing.assert_array_equal(found, transposed_source)
    stored = np.moveaxis(source, 0, -1) if channels_last else source
    flat = worked_out(Reshape("flatten", channels_last=channels_last), (24,), [source])
    np.testing.assert_array_equal(flat, stored.ravel())
    again = stored.reshape(2, 2, 6)
    shown = np.moveaxis(again, -1, 0) if channels_last else again
    reshaped = worked_out(Reshape("reshape", channels_last=channels_last), shown.shape, [source])
    np.testing.assert_array_equal(reshaped, shown)
    cut = worked_out(Slice((0, 1), (2, 1), 1, 2), (2, 2, 1), [source])
    np.testing.assert_array_equal(cut, source[1::2, ::2, 1:])


def test_an_order_that_only_the_engine_knows() -> None:
    source = numbers(0, 2, 3)
    origin = np.arange(6).reshape(2, 3)[::-1, ::-1]
    found = worked_out(Whole("flip"), (2, 3), [source], {"origin": origin})
    np.testing.assert_array_equal(found, source[::-1, ::-1])


@examples(60)
@given(axis=st.integers(0, 2), count=st.integers(1, 3), stacks=st.booleans())
def test_joining_is_numpys(axis: int, count: int, stacks: bool) -> None:
    sources = [numbers(n, 2, 3, 2) for n in range(count)]
    expected = np.stack(sources, axis) if stacks else np.concatenate(sources, axis)
    operation = Merge("stack" if stacks else "concat", axis)
    np.testing.assert_array_equal(worked_out(operation, expected.shape, sources), expected)


@examples(60)
@given(
    function=st.sampled_from(["mean", "sum", "product", "max", "min"]),
    over=st.lists(st.integers(0, 2), min_size=1, max_size=3, unique=True),
    keep=st.booleans(),
    seed=st.integers(0, 100),
)
def test_reductions_are_numpys(function: str, over: list[int], keep: bool, seed: int) -> None:
    source = numbers(seed, 2, 3, 2)
    reduce: Any = {"mean": np.mean, "sum": np.sum, "product": np.prod, "max": np.max, "min": np.min}[function]
    expected = reduce(source.astype(np.float64), axis=tuple(over), keepdims=keep)
    if expected.shape:
        operation = Whole(function, tuple(sorted(over)))
        found = worked_out(operation, expected.shape, [source])
        np.testing.assert_allclose(found, expected, atol=1e-12)
    else:
        working = explain(layer_of(Whole(function, (0, 1, 2)), ()), (), [source], {})
        assert working is not None
        assert working.total == pytest.approx(float(expected), abs=1e-12)


@examples(60)
@given(axis=st.integers(0, 2), seed=st.integers(0, 100))
def test_softmax_shares_one_among_the_axis(axis: int, seed: int) -> None:
    source = numbers(seed, 3, 2, 4) * 5
    found = worked_out(Activation("softmax", axis=axis), source.shape, [source])
    np.testing.assert_allclose(found.sum(axis=axis), 1, atol=1e-12)
    powers = np.exp(source.astype(np.float64))
    np.testing.assert_allclose(found, powers / powers.sum(axis=axis, keepdims=True), atol=1e-12)
    logarithms = worked_out(Activation("log_softmax", axis=axis), source.shape, [source])
    np.testing.assert_allclose(np.exp(logarithms), found, atol=1e-12)


@examples(60)
@given(
    mode=st.sampled_from(["layer", "rms", "group", "instance", "batch"]), seed=st.integers(0, 100), affine=st.booleans()
)
def test_normalisations_have_the_mean_and_deviation_that_they_promise(mode: str, seed: int, affine: bool) -> None:
    source = numbers(seed, 4, 3, 5) * 3 + 1
    axes = {"layer": (1, 2), "rms": (2,), "group": (0, 1, 2), "instance": (1, 2), "batch": (1, 2)}[mode]
    weights: dict[str, Array] = {}
    if affine:
        size = {"layer": (3, 5), "rms": (5,)}.get(mode, (4,))
        weights = {"scale": numbers(seed + 1, *size), "shift": numbers(seed + 2, *size)}
    operation = Normalisation(mode, 1e-3, 2 if mode == "group" else 1, axes)
    found = worked_out(operation, source.shape, [source], weights)
    values = source.astype(np.float64).reshape(2, 2, 3, 5) if mode == "group" else source.astype(np.float64)
    over = (1, 2, 3) if mode == "group" else axes
    mean = 0.0 if mode == "rms" else values.mean(axis=over, keepdims=True)
    variance = ((values - mean) ** 2).mean(axis=over, keepdims=True)
    expected = ((values - mean) / np.sqrt(variance + 1e-3)).reshape(source.shape)
    if affine:
        shape = {"layer": (1, 3, 5), "rms": (1, 1, 5)}.get(mode, (4, 1, 1))
        expected = expected * weights["scale"].reshape(shape) + weights["shift"].reshape(shape)
    np.testing.assert_allclose(found, expected, atol=1e-9)


def test_layer_normalisation_scales_its_own_axis_where_others_are_as_long() -> None:
    source, scale = numbers(0, 5, 4, 5), np.arange(1, 6, dtype=np.float32)
    found = worked_out(Normalisation("layer", 1e-5, axes=(2,)), source.shape, [source], {"scale": scale})
    plain = worked_out(Normalisation("layer", 1e-5, axes=(2,)), source.shape, [source])
    np.testing.assert_allclose(found, plain * scale, atol=1e-12)


def test_batch_normalisation_with_stored_statistics() -> None:
    source = numbers(3, 2, 2, 2)
    weights = {role: numbers(n, 2) for n, role in enumerate(("mean", "scale", "shift"))}
    weights["variance"] = np.array([0.5, 2], np.float32)
    found = worked_out(Normalisation("batch", 1e-3), source.shape, [source], weights)
    mean, scale, shift, variance = (
        weights[role].astype(np.float64)[:, None, None] for role in ("mean", "scale", "shift", "variance")
    )
    np.testing.assert_allclose(found, (source - mean) / np.sqrt(variance + 1e-3) * scale + shift, atol=1e-12)
    layer = layer_of(Normalisation("batch", 1e-3), source.shape)
    assert explain(layer, (0, 0, 0), [source], {"scale": weights["scale"]}) is None, (
        "without statistics nothing is known"
    )


@examples(60)
@given(where=st.sampled_from(["vector", "last", "first", "middle"]), seed=st.integers(0, 100), biased=st.booleans())
def test_dense_is_a_product_with_a_matrix_along_its_axis(where: str, seed: int, biased: bool) -> None:
    weights = {"weight": numbers(seed, 4, 3)}
    if biased:
        weights["bias"] = numbers(seed + 1, 4)
    axis = {"vector": 0, "first": 0, "middle": 1, "last": 2}[where]
    shape = [2, 5, 2]
    shape[axis] = 3
    source = numbers(seed + 2, 3) if where == "vector" else numbers(seed + 2, *shape)
    operation = Dense(3, 4, biased) if where == "vector" else Dense(3, 4, biased, True, axis)
    expected = np.moveaxis(np.moveaxis(source, axis, -1).astype(np.float64) @ weights["weight"].T, -1, axis)
    if biased:
        expected = expected + weights["bias"].reshape(-1, *(1,) * (expected.ndim - 1 - axis))
    np.testing.assert_allclose(worked_out(operation, expected.shape, [source], weights), expected, atol=1e-9)


@examples(60)
@given(heads=st.integers(1, 3), shared=st.booleans(), seed=st.integers(0, 100))
def test_the_product_of_two_values_is_numpys(heads: int, shared: bool, seed: int) -> None:
    left, right = numbers(seed, heads, 2, 3), numbers(seed + 1, 1 if shared else heads, 3, 4)
    expected = left.astype(np.float64) @ right.astype(np.float64)
    np.testing.assert_allclose(worked_out(Whole("matrix_product"), expected.shape, [left, right]), expected, atol=1e-9)
    flat = left[0].astype(np.float64) @ right[0].astype(np.float64)
    np.testing.assert_allclose(worked_out(Whole("matrix_product"), flat.shape, [left[0], right[0]]), flat, atol=1e-9)


MERGES: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "subtract": np.subtract,
    "multiply": np.multiply,
    "divide": np.divide,
    "maximum": np.maximum,
    "minimum": np.minimum,
}


@examples(100)
@given(
    function=st.sampled_from([*MERGES]),
    other=st.sampled_from([(2, 3, 4), (2, 1, 1), (1, 3, 1), (4,), (3, 4), (1,)]),
    swapped=st.booleans(),
    seed=st.integers(0, 100),
)
def test_merging_broadcasts_as_numpy_does(function: str, other: Shape, swapped: bool, seed: int) -> None:
    sources = [numbers(seed, 2, 3, 4), numbers(seed + 1, *other)]
    sources = sources[::-1] if swapped else sources
    expected = MERGES[function](*(source.astype(np.float64) for source in sources))
    np.testing.assert_allclose(worked_out(Merge(function), expected.shape, sources), expected, rtol=1e-12)
    constant = {"operand0" if swapped else "operand1": sources[0 if swapped else 1]}
    moving = sources[1 if swapped else 0]
    np.testing.assert_allclose(
        worked_out(Pointwise(function), expected.shape, [moving], constant), expected, rtol=1e-12
    )


def test_a_smaller_input_of_a_sum_leads_back_to_its_own_values() -> None:
    sources = [numbers(0, 2, 3, 4), numbers(1, 3, 4)]
    working = explain(layer_of(Merge("add"), (2, 3, 4), inputs=2), (1, 2, 3), sources, {})
    assert working is not None
    assert working.origin((0,)) == (0, (1, 2, 3))
    assert working.origin((1,)) == (1, (2, 3))


def test_alpha_multiplies_what_is_added() -> None:
    sources = [numbers(0, 2, 2), numbers(1, 2, 2)]
    both = [source.astype(np.float64) for source in sources]
    np.testing.assert_allclose(worked_out(Merge("add", factor=2.5), (2, 2), sources), both[0] + 2.5 * both[1])
    np.testing.assert_allclose(worked_out(Merge("subtract", factor=2.5), (2, 2), sources), both[0] - 2.5 * both[1])


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


SPELT_OUT: dict[str, tuple[dict[str, float], Callable[[float], float]]] = {
    "relu": ({}, lambda x: x if x > 0 else 0),
    "clip": ({"min": -1.0, "max": 2.0}, lambda x: -1 if x < -1 else 2 if x > 2 else x),
    "leaky_relu": ({"alpha": 0.1}, lambda x: x if x > 0 else 0.1 * x),
    "rrelu": ({"lower": 0.1, "upper": 0.3}, lambda x: x if x > 0 else 0.2 * x),
    "thresholded_relu": ({"alpha": 1.5}, lambda x: x if x > 1.5 else 0),
    "threshold": ({"threshold": 0.5, "value": 9.0}, lambda x: x if x > 0.5 else 9),
    "sigmoid": ({}, sigmoid),
    "log_sigmoid": ({}, lambda x: math.log(sigmoid(x))),
    "hard_sigmoid": ({"alpha": 0.2, "beta": 0.5}, lambda x: max(0, min(1, 0.2 * x + 0.5))),
    "tanh": ({}, math.tanh),
    "swish": ({"alpha": 1.5}, lambda x: x * sigmoid(1.5 * x)),
    "hard_swish": ({}, lambda x: x * max(0, min(1, (x + 3) / 6))),
    "gelu": ({}, lambda x: x * math.erfc(-x / math.sqrt(2)) / 2),
    "gelu_tanh": ({}, lambda x: x * sigmoid(2 * math.sqrt(2 / math.pi) * (x + 0.044715 * x**3))),
    "mish": ({}, lambda x: x * math.tanh(math.log1p(math.exp(x)))),
    "elu": ({"alpha": 1.5}, lambda x: x if x > 0 else 1.5 * math.expm1(x)),
    "celu": ({"alpha": 1.5}, lambda x: x if x > 0 else 1.5 * math.expm1(x / 1.5)),
    "selu": ({"alpha": 1.67, "gamma": 1.05}, lambda x: 1.05 * (x if x > 0 else 1.67 * math.expm1(x))),
    "softplus": ({"beta": 2.0, "threshold": 20.0}, lambda x: x if 2 * x > 20 else math.log1p(math.exp(2 * x)) / 2),
    "softsign": ({}, lambda x: x / (1 + abs(x))),
    "hard_shrink": ({"lambd": 0.5}, lambda x: x if abs(x) > 0.5 else 0),
    "soft_shrink": ({"lambd": 0.5}, lambda x: x - 0.5 if x > 0.5 else x + 0.5 if x < -0.5 else 0),
    "sparse_sigmoid": ({}, lambda x: 0 if x <= -1 else 1 if x >= 1 else (x + 1) / 2),
    "sparse_plus": ({}, lambda x: 0 if x <= -1 else x if x >= 1 else (x + 1) ** 2 / 4),
    "squareplus": ({"b": 4.0}, lambda x: (x + math.hypot(x, 2)) / 2),
    "tanh_shrink": ({}, lambda x: x - math.tanh(x)),
    "bounded_relu": (
        {"slope": 0.1, "threshold": 0.5, "max": 6.0},
        lambda x: min(x, 6) if x > 0.5 else 0.1 * (x - 0.5),
    ),
    "erf": ({}, math.erf),
    "abs": ({}, abs),
    "neg": ({}, lambda x: -x),
    "sign": ({}, lambda x: (x > 0) - (x < 0)),
    "signum": ({}, lambda x: (x > 0) - (x < 0)),
    "floor": ({}, math.floor),
    "ceil": ({}, math.ceil),
    "trunc": ({}, math.trunc),
    "round": ({}, round),
    "exp": ({}, math.exp),
    "exp2": ({}, lambda x: 2.0**x),
    "expm1": ({}, math.expm1),
    "square": ({}, lambda x: x * x),
    "shrink": ({"lambd": 0.5, "bias": 0.2}, lambda x: x - 0.2 if x > 0.5 else x + 0.2 if x < -0.5 else 0),
    "tan": ({}, math.tan),
    "atan": ({}, math.atan),
    "sinh": ({}, math.sinh),
    "cosh": ({}, math.cosh),
    "asinh": ({}, math.asinh),
    "sin": ({}, math.sin),
    "cos": ({}, math.cos),
}
OF_POSITIVE: dict[str, Callable[[float], float]] = {
    "log": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "log1p": math.log1p,
    "sqrt": math.sqrt,
    "rsqrt": lambda x: 1 / math.sqrt(x),
    "reciprocal": lambda x: 1 / x,
}

OF_A_SHARE: dict[str, Callable[[float], float]] = {
    "asin": math.asin,
    "acos": math.acos,
    "atanh": math.atanh,
    "acosh": lambda x: math.acosh(x) if x >= 1 else math.nan,
}


def test_every_function_is_spelt_out_here() -> None:
    assert {*SPELT_OUT, *OF_POSITIVE, *OF_A_SHARE, "prelu"} == set(FUNCTIONS)


@pytest.mark.parametrize("name", [*SPELT_OUT])
def test_activations_are_what_python_makes_of_their_formula(name: str) -> None:
    constants, formula = SPELT_OUT[name]
    source = np.concatenate([np.linspace(-12, 12, 49), [0.5, -0.5, 1.5, 2.5]]).astype(np.float32)[None]
    found = worked_out(Activation(name, tuple(constants.items())), source.shape, [source])
    np.testing.assert_allclose(found[0], [formula(float(x)) for x in source[0]], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", [*OF_A_SHARE])
def test_functions_that_not_every_number_has(name: str) -> None:
    source = np.linspace(-0.99, 0.99, 25, dtype=np.float32)[None] + (2 if name == "acosh" else 0)
    found = worked_out(Pointwise(name), source.shape, [source])
    np.testing.assert_allclose(found[0], [OF_A_SHARE[name](float(x)) for x in source[0]], rtol=1e-12)
    outside = np.array([[-3, 3]] if name != "acosh" else [[-3, 0.5]], np.float32)
    assert np.isnan(worked_out(Pointwise(name), outside.shape, [outside])).all()


@pytest.mark.parametrize("name", [*OF_POSITIVE])
def test_functions_of_positive_numbers(name: str) -> None:
    source = np.geomspace(1e-3, 1e3, 25).astype(np.float32)[None]
    found = worked_out(Pointwise(name), source.shape, [source])
    np.testing.assert_allclose(found[0], [OF_POSITIVE[name](float(x)) for x in source[0]], rtol=1e-12)


def test_prelu_has_a_slope_a_channel_or_one_for_all() -> None:
    source = numbers(0, 3, 4)
    for slope in (np.array([0.1, 0.2, 0.3], np.float32), np.array([0.25], np.float32)):
        found = worked_out(Activation("prelu"), source.shape, [source], {"slope": slope})
        np.testing.assert_allclose(found, np.where(source > 0, source, source * slope.astype(np.float64)[:, None]))
    assert explain(layer_of(Activation("prelu"), source.shape), (0, 0), [source], {}) is None


def test_a_cast_rounds_to_floats_and_cuts_to_integers() -> None:
    source = np.array([[-1.5, 0.0, 2.75]], np.float32)
    assert worked_out(Pointwise("cast"), (1, 3), [source], dtype="int32").tolist() == [[-1, 0, 2]]
    assert worked_out(Pointwise("cast"), (1, 3), [source], dtype="bool").tolist() == [[1, 0, 1]]
    assert worked_out(Pointwise("cast"), (1, 3), [source], dtype="float16").tolist() == source.tolist()


UNKNOWN: list[tuple[Operation | None, int]] = [
    (None, 1),
    (Whole("attention"), 1),
    (Whole("einsum"), 2),
    (Pointwise("embedding"), 1),
    (Pointwise("add"), 1),  # with what?
    (Activation("made_up"), 1),
    (Merge("mod"), 3),
    (Merge("add"), 1),
    (Normalisation("local_response"), 1),
    (Normalisation("made_up", axes=(0,)), 1),
    (Pooling("stochastic", (1,), (1,), (1,), ((0, 0),)), 1),
    (Resize("linear_antialiased", (Fraction(1),)), 1),
    (Resize("linear", (Fraction(1),), coordinates="tf_crop_and_resize"), 1),
    (Convolution(2, 2, (1,), (1,), (1,), ((0, 0),)), 1),  # no kernel given
    (Dense(2, 2), 1),
    (Whole("median", (0,)), 1),
]


@pytest.mark.parametrize(("operation", "inputs"), UNKNOWN)
def test_what_is_not_known_is_not_guessed(operation: Operation | None, inputs: int) -> None:
    sources = [numbers(n, 2, 3) for n in range(inputs)]
    layer = layer_of(operation, (2, 3), inputs=inputs)
    assert explain(layer, (0, 0), sources, {}) is None
    assert explain_all(layer, 0, sources, {}) is None


@examples(100)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 400), scale=st.sampled_from([1e-30, 1.0, 1e3, 1e20]))
def test_a_sum_in_any_order_keeps_within_the_bound(seed: int, count: int, scale: float) -> None:
    """Products and sums in float32, one after the other, in an order drawn at random."""
    random = np.random.default_rng(seed)
    left, right = (random.normal(size=count).astype(np.float32) for _ in range(2))
    left = left * np.float32(scale)
    total = np.float32(0)
    for product in random.permutation(left * right):
        total = np.float32(total + product)
    terms = left.astype(np.float64) * right.astype(np.float64)
    limit = float(bound(count + 2, float(np.abs(terms).sum()), float(terms.sum()), "float32"))
    assert abs(float(total) - float(terms.sum())) <= limit


@examples(100)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 300))
def test_sixteen_bits_that_are_added_up_in_thirty_two_have_a_tight_bound(seed: int, count: int) -> None:
    random = np.random.default_rng(seed)
    left, right = (random.normal(size=count).astype(np.float16).astype(np.float32) for _ in range(2))
    total = np.float16(np.add.reduce(left * right, dtype=np.float32))
    terms = left.astype(np.float64) * right.astype(np.float64)
    size, exact = float(np.abs(terms).sum()), float(terms.sum())
    tight = float(bound(count + 2, size, exact, "float16", sums_in="float32"))
    assert abs(float(total) - exact) <= tight
    assert tight < float(bound(count + 2, size, exact, "float16"))


def test_what_overflows_has_no_bound() -> None:
    assert not can_overflow(100.0, 65000.0, "float16", sums_in="float32")
    assert can_overflow(100.0, 65504.0, "float16", sums_in="float32")
    assert can_overflow(70000.0, 3.0, "float16")
    assert not can_overflow(70000.0, 3.0, "float16", sums_in="float32")
    # two roundings short of the largest number, a value may still pass it; beyond them it can't
    near = 65504.0 / (1 + 2 * 2.0**-11)
    assert can_overflow(0.0, near * (1 + 1e-6), "float16")
    assert not can_overflow(0.0, near * (1 - 1e-6), "float16")
    # a sum on the way is no larger than twice the magnitudes, whatever is rounded
    assert can_overflow(65504.0 / 2, 3.0, "float16")
    assert not can_overflow(65504.0 / 2 - 1, 3.0, "float16")
    # beside an infinity what is finite can overflow too; an infinity alone can't
    assert can_overflow(40000.0, np.inf, "float16")
    assert not can_overflow(100.0, np.inf, "float16")
    assert not can_overflow(np.inf, np.inf, "float16")
    assert agreement(np.inf, 70000.0, 1.0, can_overflow(70000.0, 70000.0, "float16"))
    assert not agreement(np.inf, 3.0, 1.0, can_overflow(3.0, 3.0, "float16"))
    assert not agreement(np.nan, np.inf, 0.0, False)
    assert not agreement(-np.inf, np.inf, 0.0, False)
    assert not agreement(3.0, np.nan, 0.0, True)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_rounding_goes_to_the_nearest_value_of_the_type(dtype: str) -> None:
    values = np.concatenate([numbers(0, 500) * 100, [0, -0.0, np.inf, -np.inf, np.nan, 1e-7]]).astype(np.float32)
    found = rounded(values, dtype)
    np.testing.assert_array_equal(rounded(found, dtype), found)
    finite = np.isfinite(values)
    unit, tiny = PRECISIONS[dtype].unit, PRECISIONS[dtype].tiny
    assert (np.abs(found[finite] - values[finite]) <= unit * np.abs(values[finite]) + tiny).all()
    np.testing.assert_array_equal(found[~finite], values[~finite])
