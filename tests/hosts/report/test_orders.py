"""Sums of convolutions in a framework's own order: against loops of one number at a time, and against frameworks."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.engines.base import Array
from convlens.hosts.report import orders
from convlens.hosts.report.orders import EXACT_SUM, Order
from convlens.network import Convolution


@st.composite
def convolutions(draw: st.DrawFn) -> tuple[Convolution, tuple[int, ...]]:
    rank, groups = draw(st.integers(1, 3)), draw(st.integers(1, 3))
    channels, filters = groups * draw(st.integers(1, 5)), groups * draw(st.integers(1, 3))

    def each(most: int, least: int = 1) -> tuple[int, ...]:
        return tuple(draw(st.lists(st.integers(least, most), min_size=rank, max_size=rank)))

    kernel, stride, dilation = each(3), each(2), each(2)
    padding = tuple(zip(each(2, 0), each(2, 0), strict=True))
    sizes = tuple(d * (k - 1) + 1 + more for d, k, more in zip(dilation, kernel, each(4, 0), strict=True))
    operation = Convolution(channels, filters, kernel, stride, dilation, padding, groups, draw(st.booleans()))
    return operation, (channels, *sizes)


ORDERS = st.one_of(
    st.just(EXACT_SUM),
    st.builds(Order, block=st.sampled_from([0, 2, 3]), chunk=st.sampled_from([0, 2, 5, 9])),
    st.builds(
        Order,
        block=st.sampled_from([0, 2]),
        chunk=st.sampled_from([0, 7]),
        group=st.sampled_from([1, 2, 4, 8]),
        fused=st.just(False),
    ),
)


def drawn(operation: Convolution, shape: tuple[int, ...], seed: int) -> tuple[Array, dict[str, Array]]:
    random = np.random.default_rng(seed)
    kernel = (operation.filters, operation.in_channels // operation.groups, *operation.kernel_size)
    weights = {"kernel": random.normal(size=kernel).astype(np.float32)}
    if operation.bias:
        weights["bias"] = random.normal(size=operation.filters).astype(np.float32)
    return (100 * random.normal(size=shape)).astype(np.float32), weights


def sizes_of(operation: Convolution, shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(
        (size + sum(pads) - dilation * (kernel - 1) - 1) // stride + 1
        for size, pads, kernel, stride, dilation in zip(
            shape[1:], operation.padding, operation.kernel_size, operation.stride, operation.dilation, strict=True
        )
    )


def one_value(operation: Convolution, order: Order, index: tuple[int, ...], x: Array, weights: dict[str, Array]) -> Any:
    """A loop over single numbers, rounded where the order says it."""
    f32 = np.float32
    per_group = operation.in_channels // operation.groups
    first = index[0] // (operation.filters // operation.groups) * per_group
    block = order.block or 1
    terms: list[tuple[float, float]] = []
    for start in range(0, per_group, block):
        for tap in product(*(range(size) for size in operation.kernel_size)):
            for channel in range(start, min(start + block, per_group)):
                place = [
                    at * s - pads[0] + d * t
                    for at, s, pads, d, t in zip(
                        index[1:], operation.stride, operation.padding, operation.dilation, tap, strict=True
                    )
                ]
                inside = all(0 <= at < size for at, size in zip(place, x.shape[1:], strict=True))
                value = float(x[(first + channel, *place)]) if inside else 0.0
                terms.append((value, float(weights["kernel"][(index[0], channel, *tap)])))
    bias = float(weights["bias"][index[0]]) if operation.bias else None
    if order.double:
        total = 0.0
        for value, weight in terms:
            total += value * weight
        return f32(total if bias is None else total + bias)
    run = order.chunk or len(terms)
    result = None
    for start in range(0, len(terms), run):
        rest, accumulator, size = terms[start : start + run], f32(0), 1 if order.fused else order.group
        while rest:
            while size > len(rest):
                size //= 2
            group, rest = rest[:size], rest[size:]
            if order.fused:
                accumulator = f32(group[0][0] * group[0][1] + float(accumulator))
                continue
            part = f32(group[0][0] * group[0][1])
            for value, weight in group[1:]:
                part = f32(part + f32(value * weight))
            accumulator = f32(accumulator + part)
        result = accumulator if result is None else f32(result + accumulator)
    assert result is not None
    return result if bias is None else f32(float(result) + bias)


@given(convolutions(), ORDERS, st.integers(0, 2**32 - 1))
@settings(max_examples=150, deadline=None)
def test_every_value_is_that_of_a_loop(drawn_one: tuple[Convolution, tuple[int, ...]], order: Order, seed: int) -> None:
    operation, shape = drawn_one
    x, weights = drawn(operation, shape, seed)
    outputs = sizes_of(operation, shape)
    found = orders.added_up(operation, order, x, weights, outputs)
    for index in np.ndindex(*found.shape):
        assert found[index] == one_value(operation, order, index, x, weights), index


@pytest.mark.parametrize(
    "order",
    [
        Order(),
        Order(chunk=128),
        Order(block=8),
        Order(block=16, chunk=144),
        Order(group=4, fused=False),
        Order(chunk=9),
    ],
)
def test_an_order_is_found_again(order: Order) -> None:
    operation = Convolution(32, 8, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
    x, weights = drawn(operation, (32, 12, 12), 1)
    values = orders.added_up(operation, order, x, weights, (12, 12))
    found, share = orders.find(operation, x, weights, values)
    assert share == 1
    assert np.array_equal(orders.added_up(operation, found, x, weights, (12, 12)), values)


def test_what_has_no_order_here_is_summed_exactly() -> None:
    operation = Convolution(3, 2, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)), bias=False)
    x, weights = drawn(operation, (3, 9, 9), 2)
    found, share = orders.find(operation, x, weights, np.full((2, 7, 7), 0.125, np.float32))
    assert (found, share) == (EXACT_SUM, 0.0)


def test_transposed_and_reflecting_convolutions_are_left_out() -> None:
    plain = Convolution(1, 1, (3,), (1,), (1,), ((0, 0),))
    assert orders.fits(plain)
    assert not orders.fits(Convolution(1, 1, (3,), (1,), (1,), ((0, 0),), transposed=True))
    assert not orders.fits(Convolution(1, 1, (3,), (1,), (1,), ((1, 1),), padding_mode="reflect"))
