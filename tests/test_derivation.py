"""Every line of arithmetic, typed into a calculator, gives the value that it states, and that the geometry counts."""

from __future__ import annotations

from math import ceil, floor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import convlens
from convlens import derivation, geometry
from convlens.derivation import Derivation
from convlens.network import Convolution, Dense, Kind, Layer, Pooling


def calculated(line: Derivation) -> int:
    """The left side of ``terms = value``, calculated; checks that the right side is what the line says."""
    terms, _, value = line.worked.rpartition(" = ")
    assert int(value) == line.value
    found = eval(terms, {"__builtins__": {}}, {"floor": floor, "ceil": ceil})
    assert found == line.value, line
    return int(found)


def ints(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


@settings(deadline=None, max_examples=200)
@given(ints(1, 200), ints(1, 9), ints(1, 5), ints(1, 3), ints(0, 4), ints(0, 4), st.booleans())
def test_sizes(size: int, kernel: int, stride: int, dilation: int, before: int, after: int, ceil_mode: bool) -> None:
    expected = geometry.output_size(size, kernel, stride, dilation, (before, after), ceil_mode=ceil_mode)
    if expected > 0:
        line = derivation.size("rows", size, kernel, stride, dilation, (before, after), ceil_mode=ceil_mode)
        assert calculated(line) == expected


@settings(deadline=None, max_examples=100)
@given(ints(1, 60), ints(1, 7), ints(1, 4), ints(1, 3), ints(0, 2), ints(0, 3))
def test_transposed_sizes(size: int, kernel: int, stride: int, dilation: int, pad: int, extra: int) -> None:
    line = derivation.transposed_size("rows", size, kernel, stride, dilation, (pad, pad), extra)
    expected = geometry.transposed_output_size(size, kernel, stride, dilation, (pad, pad), extra)
    assert calculated(line) == expected


@settings(deadline=None, max_examples=100)
@given(ints(1, 3), ints(1, 64), ints(1, 4), ints(1, 64), st.lists(ints(1, 9), min_size=1, max_size=3), st.booleans())
def test_parameters(groups: int, channels: int, filters: int, units: int, kernel: list[int], bias: bool) -> None:
    ones = (1,) * len(kernel)
    operation = Convolution(
        channels * groups, filters * groups, tuple(kernel), ones, ones, ((0, 0),) * len(kernel), groups, bias
    )
    assert calculated(derivation.parameters(operation)) == geometry.parameters(operation)
    dense = Dense(channels, units, bias)
    assert calculated(derivation.parameters(dense)) == geometry.parameters(dense)


@pytest.mark.parametrize(
    "line",
    [
        "conv 3 3x3",
        "conv 3 10x10 stride 3x2 pad 2 nobias",
        "conv 6 5 same groups 3 dilation 2 | relu | maxpool 3x2 stride 2 pad 1",
        "dwconv 3x5 multiplier 2 | tconv 4 3 stride 2 | avgpool 2 | flatten | dense 7",
    ],
)
def test_all_lines_of_a_network(line: str) -> None:
    network = convlens.sketch(line, input_shape=(3, 37, 41)).network
    for worked in derivation.derive_all(network):
        layer = worked.layer
        by_name = {one.what: one for one in worked.derivations}
        for one in worked.derivations:
            calculated(one)
        if isinstance(layer.operation, (Convolution, Pooling)):
            assert (by_name["rows"].value, by_name["columns"].value) == layer.output_shape[1:]
        if isinstance(layer.operation, (Convolution, Dense)):
            assert by_name["parameters"].value == layer.parameters
            assert by_name["MACs"].value == layer.macs
    text = derivation.in_words(network)
    assert all(f"{layer.name} ({layer.op})" in text for layer in network)


def test_a_size_that_follows_another_rule_is_not_derived() -> None:
    pool = Pooling("max", (2,), (2,), (1,), ((0, 0),))
    layer = Layer("pool", "Pool", Kind.POOLING, ("x",), (1, 4), pool)
    assert derivation.derive(layer, (1, 7)) == ()


def test_sizes_that_the_network_leaves_open_are_not_derived() -> None:
    network = convlens.sketch("conv 3 3x3").network
    (worked,) = derivation.derive_all(network)
    assert worked.layer.name == "conv"
    assert [one.what for one in worked.derivations if one.what in ("rows", "columns")] in ([], ["rows", "columns"])
