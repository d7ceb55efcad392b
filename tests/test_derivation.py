"""Every line of arithmetic, typed into a calculator, gives the value that it states; so does its LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fractions import Fraction
from math import ceil, floor
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.mathtext import MathTextParser
from torch import nn

import convlens
from convlens import derivation, geometry
from convlens.derivation import Derivation, Worked, counts, sizes, typesetting
from convlens.derivation.remarks import remarks
from convlens.network import Convolution, Dense, Input, Kind, Layer, Merge, Network, Pad, Pooling, Resize

CALCULATOR: dict[str, Any] = {"__builtins__": {}, "floor": floor, "ceil": ceil, "max": max}


def calculated(line: Derivation) -> int:
    """The left side of ``terms = value``, calculated; checks that the right side is what the line says."""
    terms, _, value = line.worked.rpartition(" = ")
    assert int(value) == line.value
    found = eval(terms, CALCULATOR)
    assert found == line.value, line
    assert eval(from_latex(line.latex.rpartition(" = ")[0]), CALCULATOR) == line.value, line.latex
    assert numbers(line.latex) == numbers(line.worked)
    return int(found)


def from_latex(formula: str) -> str:
    """LaTeX back to what a calculator takes: an inverse of its own, that knows nothing of how it was made."""
    text = formula.replace("{,}", "").replace(r"\cdot", "*").replace(r"\max", "max")
    for name in ("floor", "ceil"):
        text = text.replace(rf"\left\l{name}", f"{name}(").replace(rf"\right\r{name}", ")")
    return text.replace(r"\frac{", "((").replace("}{", ")/(").replace("}", "))")


def numbers(text: str) -> list[str]:
    return re.findall(r"\d+", text.replace("{,}", ""))


def all_lines(worked: Worked) -> Iterator[Derivation]:
    """The lines of a layer, each checked: calculated, printed, typeset."""
    printed = str(worked).splitlines()
    parser = MathTextParser("path")
    for line in worked.derivations:
        calculated(line)
        assert f"  {line}" in printed
        for formula in (line.latex, line.rule_latex):
            assert balanced(formula)
            parser.parse(f"${formula}$")
        yield line
    assert balanced(worked.latex)
    assert balanced(worked._repr_latex_())
    assert all(line.latex in worked.latex and line.latex in worked._repr_latex_() for line in worked.derivations)


def balanced(text: str) -> bool:
    depth = 0
    for bracket in re.findall(r"(?<!\\)[{}]", text):
        depth += 1 if bracket == "{" else -1
        if depth < 0:
            return False
    return depth == 0 and text.count(r"\left") == text.count(r"\right")


def ints(low: int, high: int) -> st.SearchStrategy[int]:
    return st.integers(low, high)


@settings(max_examples=200)
@given(ints(1, 200), ints(1, 9), ints(1, 5), ints(1, 3), ints(0, 4), ints(0, 4), st.booleans())
def test_sizes(size: int, kernel: int, stride: int, dilation: int, before: int, after: int, ceil_mode: bool) -> None:
    expected = geometry.output_size(size, kernel, stride, dilation, (before, after), ceil_mode=ceil_mode)
    if expected > 0:
        line = sizes.size("rows", size, kernel, stride, dilation, (before, after), ceil_mode=ceil_mode)
        assert calculated(line) == expected


@settings(max_examples=100)
@given(ints(1, 60), ints(1, 7), ints(1, 4), ints(1, 3), ints(0, 2), ints(0, 3))
def test_transposed_sizes(size: int, kernel: int, stride: int, dilation: int, pad: int, extra: int) -> None:
    line = sizes.transposed_size("rows", size, kernel, stride, dilation, (pad, pad), extra)
    assert calculated(line) == geometry.transposed_output_size(size, kernel, stride, dilation, (pad, pad), extra)


@settings(max_examples=100)
@given(ints(1, 40), ints(1, 5), ints(1, 5), ints(1, 3), ints(0, 4), ints(0, 4))
def test_what_is_left_out_is_what_no_window_touches(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> None:
    """The oracle slides the window over the padded axis and looks what lies behind the last place that it touched."""
    padded = before + size + after
    starts = range(0, padded - dilation * (kernel - 1), stride)
    assume(len(starts) > 0)
    behind = padded - 1 - (starts[-1] + dilation * (kernel - 1))
    pool = Pooling("max", (kernel,), (stride,), (dilation,), ((before, after),))
    lines = sizes.left_out(pool, (1, size))
    assert [calculated(line) for line in lines] == ([behind] if behind else [])
    layer = Layer("pool", "Pool", Kind.POOLING, ("x",), (1, len(starts)), pool)
    said = " ".join(remarks(layer, [(1, size)], {}))
    assert ("left out" in said) == (behind > after), "the padding's own end isn't a loss"
    assert ("of the padding" in said) == (behind > 0 and after > 0)


@settings(max_examples=100)
@given(ints(1, 3), ints(1, 64), ints(1, 4), ints(1, 64), st.lists(ints(1, 9), min_size=1, max_size=3), st.booleans())
def test_parameters(groups: int, channels: int, filters: int, units: int, kernel: list[int], bias: bool) -> None:
    ones = (1,) * len(kernel)
    operation = Convolution(
        channels * groups, filters * groups, tuple(kernel), ones, ones, ((0, 0),) * len(kernel), groups, bias
    )
    assert calculated(counts.of_operation(operation)) == geometry.parameters(operation)
    dense = Dense(channels, units, bias)
    assert calculated(counts.of_operation(dense)) == geometry.parameters(dense)


@settings(max_examples=100)
@given(ints(1, 60), st.sampled_from([1, 2, 3, 0.5, 1.5, 1 / 3, 0.7, 2.25]), st.booleans())
def test_resized_sizes_are_pytorchs(size: int, factor: float, by_size: bool) -> None:
    assume(size * factor >= 1)
    x = torch.zeros(1, 1, size)
    asked: dict[str, Any] = {"size": int(size * factor)} if by_size else {"scale_factor": factor}
    made = nn.functional.interpolate(x, **asked).shape[-1]
    scale = Fraction(made, size) if by_size else Fraction(factor)
    layer = Layer("up", "up", Kind.RESIZE, ("x",), (1, made), Resize("nearest", (scale,)))
    (line,) = sizes.sizes(layer, [(1, size)])
    assert calculated(line) == made


class Zoo(nn.Module):
    """Every kind of layer that has a formula, some with shared weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.prelu = nn.PReLU(4)
        self.groups = nn.GroupNorm(2, 4)
        self.instance = nn.InstanceNorm2d(4, affine=True, track_running_stats=True)
        self.up = nn.Upsample(scale_factor=(2, 1.5))
        self.transposed = nn.ConvTranspose2d(4, 6, (3, 2), (2, 3), groups=2, output_padding=1, dilation=2)
        self.ceil = nn.MaxPool2d(3, 2, 1, ceil_mode=True)
        self.normed = nn.utils.parametrizations.weight_norm(nn.Conv2d(6, 4, 1))
        self.adaptive = nn.AdaptiveAvgPool2d((5, 3))
        self.dense = nn.Linear(120, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.instance(self.groups(self.prelu(self.norm(self.conv(x)))))
        x = self.ceil(self.transposed(self.up(x)))
        x = self.normed(nn.functional.pad(x, (1, 2, -1, 3)))
        x = self.conv(x[:, 1:, ::2])
        x = torch.cat([x, x * x.mean((2, 3), keepdim=True)], 1)
        scores: torch.Tensor = self.dense(self.adaptive(x).permute(0, 2, 3, 1).flatten(1)).softmax(1)
        return scores


LINES = (
    "conv 3 3x3",
    "conv 3 10x10 stride 3x2 pad 2 nobias",
    "conv 6 5 same groups 3 dilation 2 | relu | maxpool 3x2 stride 2 pad 1",
    "dwconv 3x5 multiplier 2 | batchnorm | tconv 4 3 | avgpool 2 | globalavgpool | flatten | dense 7 | softmax",
)


@pytest.mark.parametrize("line", LINES)
def test_all_lines_of_a_network(line: str) -> None:
    lens = convlens.sketch(line, input_shape=(3, 37, 41))
    check_everything(lens)
    text = derivation.in_words(lens.network)
    assert all(f"{layer.name} ({layer.op})" in text for layer in lens.network)
    for printed in text.splitlines():
        if " = " in printed:
            terms, _, value = printed.partition(": ")[2].rpartition(" = ")
            assert eval(terms, CALCULATOR) == int(value)


def test_all_lines_of_a_pytorch_zoo() -> None:
    model = Zoo()
    lens = convlens.open(model, input_shape=(3, 20, 22))
    check_everything(lens, skipped=["normed"])
    assert lens.network.parameters == sum(weight.numel() for weight in model.parameters())
    told = {worked.layer.name: worked for worked in lens.derive_all()}
    assert told["norm"]["parameters"].rule == "scale + shift"
    assert any("8 numbers more" in remark for remark in told["norm"].remarks)
    assert told["prelu"]["parameters"].rule == "slope"
    assert told["conv:2"].remarks[1] == "Its weights are those of conv, and are counted there."
    assert told["normed"]["weights"].value == 4 * 6 + 4
    assert any("The model counts 32 parameters here" in remark for remark in told["normed"].remarks)
    rows = lens.network[told["adaptive"].layer.inputs[0]].output_shape[1]
    assert told["adaptive"]["rows of the first window"].value == len(geometry.adaptive_window(0, rows, 5)) > 1
    kinds = {worked.layer.kind for worked in told.values() if len(worked.derivations) > 1}
    assert {Kind.CONVOLUTION, Kind.POOLING, Kind.RESIZE, Kind.PADDING, Kind.CONCAT, Kind.RESHAPE, Kind.DENSE} <= kinds


def check_everything(lens: convlens.Lens, skipped: list[str] | None = None) -> None:
    """Every line holds; sizes are the framework's own; the parameters add up to the network's."""
    spatial = {2: ("length",), 3: ("rows", "columns"), 4: ("depth", "rows", "columns")}
    added = 0
    for worked in lens.derive_all():
        layer = worked.layer
        lines = {line.what: line.value for line in all_lines(worked)}
        for axis, length in zip(spatial.get(len(layer.output_shape), ()), layer.output_shape[1:], strict=False):
            assert lines.get(axis, length) == length
            if isinstance(layer.operation, (Convolution, Resize)):
                assert axis in lines
        added += lines.get("parameters", 0)
        assert lines["bytes of the maps"] == geometry.map_bytes(layer)
        assert lines.get("MACs", 0) == layer.macs
        if isinstance(layer.operation, Convolution):
            assert lines["a dense layer instead"] > layer.macs / layer.output_shape[0]
    left = sum(lens.network[name].parameters for name in skipped or [])
    assert added + left == lens.network.parameters


def test_keras_counts_mean_and_variance_too() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential(
        [
            keras.Input((12, 14, 3)),
            keras.layers.SeparableConv2D(5, 3, strides=2, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.PReLU(shared_axes=[1, 2]),
            keras.layers.UpSampling2D(2),
            keras.layers.Cropping2D(((1, 2), (3, 0))),
            keras.layers.ZeroPadding2D(2),
            keras.layers.LayerNormalization(),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3),
        ]
    )
    lens = convlens.open(model)
    check_everything(lens)
    assert lens.network.parameters == model.count_params()
    norm = next(layer.name for layer in lens.network if layer.kind == Kind.NORMALISATION)
    assert sorted(lens.derive(norm)["parameters"].rule.split(" + ")) == ["mean", "scale", "shift", "variance"]


def test_the_tutorials_numbers() -> None:
    worked = convlens.sketch("conv 3 3x3", input_shape=(3, 1440, 1080)).derive("conv")
    assert str(worked["rows"]) == "rows: floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438"
    assert str(worked["parameters"]) == "parameters: 3*3*3*3 + 3 = 84"
    assert worked["rows"].latex == (
        r"\left\lfloor \frac{1{,}440 + 0 + 0 - 1 \cdot (3 - 1) - 1}{1} \right\rfloor + 1 = 1{,}438"
    )
    with pytest.raises(KeyError, match="'rows', 'columns', 'parameters'"):
        worked["row"]


def test_a_layer_with_a_typo() -> None:
    with pytest.raises(convlens.ConvlensError, match="Did you mean 'conv'"):
        convlens.sketch("conv 3 3x3", input_shape=(3, 9, 9)).derive("cnov")


def test_a_size_that_follows_another_rule_is_not_derived() -> None:
    pool = Pooling("max", (2,), (2,), (1,), ((0, 0),))
    layer = Layer("pool", "Pool", Kind.POOLING, ("x",), (1, 4), pool)
    assert "length" not in [line.what for line in derivation.derive(layer, [(1, 7)])]


def test_a_last_window_in_the_padding_alone_counts_where_the_framework_counts_it() -> None:
    """ONNX before opset 19: the rule of PyTorch takes such a window away again."""
    pool = Pooling("max", (2,), (3,), (1,), ((0, 2),), ceil_mode=True)
    for outputs in (2, 3):
        layer = Layer("pool", "Pool", Kind.POOLING, ("x",), (1, outputs), pool)
        (line,) = sizes.sizes(layer, [(1, 6)])
        assert calculated(line) == outputs


def test_a_sum_of_different_shapes_repeats_the_smaller_one() -> None:
    layer = Layer("add", "Add", Kind.ADD, ("a", "b"), (4, 5, 7), Merge("add"))
    lines = sizes.sizes(layer, [(4, 1, 7), (5, 1)])
    assert [(line.what, line.terms, calculated(line)) for line in lines] == [
        ("channels", "max(4, 1)", 4),
        ("rows", "max(1, 5)", 5),
        ("columns", "max(7, 1)", 7),
    ]


@pytest.mark.parametrize("reads", [(5,), (2, 7), (2, 7, 4), (1, 3, 4, 5)])
def test_padding_is_derived_axis_by_axis(reads: tuple[int, ...]) -> None:
    """Of a vector, of lines, of maps and of volumes: NumPy's own padding has these sizes."""
    around = [(1 + axis, 2 * axis) for axis in range(len(reads))]
    made = np.pad(np.zeros(reads), around).shape
    layer = Layer("pad", "Pad", Kind.PADDING, ("x",), made, Pad(tuple(around[1:]), channels=around[0]))
    assert [found.value for found in sizes.sizes(layer, [reads])] == [*made]


def test_sizes_that_the_network_leaves_open_are_taken_from_the_run() -> None:
    lens = convlens.sketch("tconv 3 3x3 | conv 3 3x3")
    assert lens.derive("tconv")["rows"].value == 226, "of 224, as the summary says"
    assert lens.derive("tconv")["MACs"].value == lens.network["tconv"].macs == 3 * 224 * 224 * 3 * 9
    maps = lens.feature_maps(torch.zeros(1, 3, 10, 20))
    assert [maps.derive("tconv")[axis].value for axis in ("rows", "columns")] == [12, 22]
    assert lens.derive("tconv")["rows"].value == 226, "what a run was fed with is that run's"


def test_sizes_that_nobody_knows_are_not_derived() -> None:
    conv = Convolution(3, 3, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (3, 8, 8), conv, 84)
    (worked,) = derivation.derive_all(Network("n", "onnx", (Input("x", (3, None, None)),), (layer,), ("conv",), 84))
    assert [line.what for line in worked.derivations] == ["parameters", "MACs", "bytes of the maps"]


names = st.text("abc_%&#${}\\^~ ä", min_size=1, max_size=12)


@settings(max_examples=50)
@given(names)
def test_any_name_can_be_typeset(name: str) -> None:
    assert balanced(typesetting.words(name))
    MathTextParser("path").parse(f"${typesetting.words(name)}$")


def formulas() -> st.SearchStrategy[str]:
    def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        sign = st.sampled_from([" + ", " - ", "*"])
        return (
            st.tuples(inner, sign, inner).map("".join)
            | inner.map("({})".format)
            | inner.map("floor(({}) / 7)".format)
            | inner.map("ceil(({}) / 3)".format)
        )

    return st.recursive(ints(0, 99999).map(str), larger, max_leaves=8)


@settings(max_examples=200)
@given(formulas())
def test_typeset_formulas_have_the_value_of_the_typed_ones(formula: str) -> None:
    typeset = typesetting.latex(formula)
    assert balanced(typeset)
    assert eval(from_latex(typeset), CALCULATOR) == eval(formula, CALCULATOR)


@pytest.mark.parametrize("formula", ["2**3", "f(2)", "a[0]", "'text'", "1 < 2", "floor(1, 2)"])
def test_only_formulas_are_typeset(formula: str) -> None:
    with pytest.raises(ValueError, match="not a formula"):
        typesetting.latex(formula)
