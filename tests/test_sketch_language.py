"""The language of sketches: what each line means, and where the caret stands when it means nothing."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from convlens.errors import InputError, SketchError
from convlens.sketches import parse
from convlens.sketches.blocks import Convolution, Dense, Depthwise, LeakyReLU, Pool, Transposed
from convlens.sketches.shapes import MOST_VALUES, MOST_WEIGHTS, Fit, fit

PICTURE = (3, 30, 31)


def test_a_convolution_with_every_option() -> None:
    (block,) = parse("conv 6 3x5 stride 2x1 dilation 1x2 pad 1x0 groups 3 nobias").blocks
    assert isinstance(block, Convolution)
    assert (block.filters, block.kernel, block.stride, block.dilation) == (6, (3, 5), (2, 1), (1, 2))
    assert (block.padding, block.groups, block.bias, block.named) == ((1, 0), 3, False, None)


def test_what_is_left_out_has_a_plain_meaning() -> None:
    conv, pool = parse("conv 8 3 | maxpool 2x3").blocks
    assert isinstance(conv, Convolution)
    assert (conv.kernel, conv.stride, conv.dilation, conv.padding) == ((3, 3), (1, 1), (1, 1), (0, 0))
    assert (conv.groups, conv.bias) == (1, True)
    assert isinstance(pool, Pool)
    assert (pool.kernel, pool.stride, pool.padding) == ((2, 3), (2, 3), (0, 0))


def test_options_come_in_any_order() -> None:
    (one,) = parse("conv 4 3 same groups 2 stride 2").blocks
    (other,) = parse("conv 4 3 stride 2 same groups 2").blocks
    assert isinstance(one, Convolution)
    assert isinstance(other, Convolution)
    assert one.padding is None
    assert (one.padding, one.groups, one.stride) == (other.padding, other.groups, other.stride)


def test_the_other_layers() -> None:
    depthwise, transposed, dense, leaky, default_leaky = parse(
        "dwconv 3 multiplier 2 | tconv 4 2 stride 3 output_padding 1x2 | dense 10 nobias | leakyrelu 0.1 | leakyrelu"
    ).blocks
    assert isinstance(depthwise, Depthwise)
    assert (depthwise.multiplier, depthwise.bias) == (2, True)
    assert isinstance(transposed, Transposed)
    assert (transposed.filters, transposed.stride, transposed.output_padding) == (4, (3, 3), (1, 2))
    assert isinstance(dense, Dense)
    assert (dense.units, dense.bias) == (10, False)
    assert isinstance(leaky, LeakyReLU)
    assert isinstance(default_leaky, LeakyReLU)
    assert (leaky.slope, default_leaky.slope) == (0.1, 0.3)


def test_named_kernels() -> None:
    sobel, gaussian, each = parse("conv sobel-x | conv gaussian 5x7 same | dwconv box 5").blocks
    assert isinstance(sobel, Convolution)
    assert (sobel.named, sobel.filters, sobel.kernel, sobel.bias) == ("sobel-x", 1, (3, 3), False)
    assert isinstance(gaussian, Convolution)
    assert (gaussian.named, gaussian.kernel, gaussian.padding) == ("gaussian", (5, 7), None)
    assert isinstance(each, Depthwise)
    assert (each.named, each.kernel, each.bias) == ("box", (5, 5), False)


def test_layers_are_named_by_their_word_and_numbered_from_the_second() -> None:
    names = [block.name for block in parse("conv 1 3|relu|conv 1 3|relu|conv 1 3|dwconv 3").blocks]
    assert names == ["conv", "relu", "conv2", "relu2", "conv3", "dwconv"]


@pytest.mark.parametrize(
    "written", ["CONV 3 3X3|ReLU", "  conv  3   3 x 3 | relu ", "conv 3 3×3\t|\n relu", "conv 003 3x03 | relu"]
)
def test_capitals_spaces_and_line_breaks_do_not_matter(written: str) -> None:
    conv, relu = parse(written).blocks
    assert isinstance(conv, Convolution)
    assert (conv.filters, conv.kernel, relu.kind) == (3, (3, 3), "relu")


MISTAKES = [
    # the line, the carets under it, the fact that the message must hold
    ("cnov 3 3x3", "^^^^", "Did you mean 'conv'?"),
    ("conv 3 3x3 | rleu | maxpool 2", "             ^^^^", "Did you mean 'relu'?"),
    ("conv2d 3 3x3", "^^^^^^", "Did you mean 'conv'?"),
    ("linear 10", "^^^^^^", "Did you mean 'dense'?"),
    ("quux", "^^^^", "expected one of conv, dwconv"),
    ("3 3x3", "^", "no such layer"),
    ("", "^", "empty"),
    ("   ", "^", "empty"),
    ("relu || relu", "      ^", "Leave out this bar"),
    ("| relu", "^", "Leave out this bar"),
    ("relu | ", "     ^", "Leave out this bar"),
    ("|", "^", "Leave out this bar"),
    ("conv", "    ^", "expected a number of filters"),
    ("conv 3 | relu", "      ^", "expected a kernel"),
    ("conv 3", "      ^", "expected a kernel"),
    ("conv 3x3", "     ^^^", "conv 8 3x3"),
    ("conv 3 x 3", "     ^^^^^", "conv 8 3x3"),
    ("conv 0 3x3", "     ^", "1 or more"),
    ("conv -1 3x3", "     ^^", "1 or more"),
    ("conv 2.5 3x3", "     ^^^", "whole number"),
    ("conv many 3x3", "     ^^^^", "expected a number of filters"),
    ("conv 70000 3x3", "     ^^^^^", "at most 65,536"),
    ("conv " + "9" * 5000 + " 3", "     " + "^" * 5000, "at most 65,536"),
    ("conv 3 0", "       ^", "1 or more"),
    ("conv 3 3x0", "       ^^^", "1 or more"),
    ("conv 3 3x3x3", "       ^^^^^", "rows x columns"),
    ("conv 3 x3", "     ^^^^", "conv 8 3x3"),
    ("conv 3 3y3", "       ^^^", "rows x columns"),
    ("conv 3 big", "       ^^^", "rows x columns"),
    ("conv 3 sobel-x", "       ^^^^^^^", "conv sobel-x"),
    ("conv sobl-x", "     ^^^^^^", "Did you mean 'sobel-x'?"),
    ("conv blur", "     ^^^^", "Did you mean 'gaussian'?"),
    ("conv sobel-x 5x5", "             ^^^", "3x3"),
    ("conv gaussian 4x4", "              ^^^", "odd"),
    ("conv identity 3x2", "              ^^^", "odd"),
    ("conv box 999", "         ^^^", "255x255"),
    ("conv sobel-x groups 3", "             ^^^^^^", "without bias"),
    ("conv sobel-x nobias", "             ^^^^^^", "without bias"),
    ("conv 3 3x3 stide 2", "           ^^^^^", "Did you mean 'stride'?"),
    ("conv 3 3x3 padding 1", "           ^^^^^^^", "Did you mean 'pad'?"),
    ("conv 3 3x3 multiplier 2", "           ^^^^^^^^^^", "expected stride"),
    ("conv 3 3x3 stride", "                 ^", "expected a stride"),
    ("conv 3 3x3 stride 0", "                  ^", "1 or more"),
    ("conv 3 3x3 stride same", "                  ^^^^", "not a stride"),
    ("conv 3 3x3 pad -1", "               ^^", "0 or more"),
    ("conv 3 3x3 same pad 1", "                ^^^", "twice"),
    ("conv 3 3x3 stride 2 stride 2", "                    ^^^^^^", "twice"),
    ("conv 3 3x3 dilation 2 stride 2 same", "                               ^^^^", "both a stride and a dilation"),
    ("conv 3 3x3 groups 2", "                  ^", "divisor of 3"),
    ("dwconv 8 3x3", "         ^^^", "dwconv 3x3"),
    ("dwconv 3 groups 3", "         ^^^^^^", "expected stride"),
    ("dwconv 3 multiplier 0", "                    ^", "1 or more"),
    ("tconv 3 3 output_padding 1", "                         ^", "less than"),
    ("tconv 3 3 same stride 2 output_padding 1", "                                       ^", "same"),
    ("maxpool", "       ^", "maxpool 2x2"),
    ("maxpool 2 pad 2", "              ^", "less than the window, 2x2"),
    ("avgpool 2x2 nobias", "            ^^^^^^", "expected stride"),
    ("relu 3", "     ^", "the end of the layer"),
    ("leakyrelu -1", "          ^^", "from 0 to 1"),
    ("leakyrelu 0.1 0.2", "              ^^^", "the end of the layer"),
    ("globalavgpool 2", "              ^", "the end of the layer"),
    ("flatten | dense", "               ^", "dense 10"),
    ("flatten | dense 10 bias", "                   ^^^^", "nobias"),
]


@pytest.mark.parametrize(("line", "carets", "fact"), MISTAKES, ids=[line[:40] for line, _, _ in MISTAKES])
def test_a_mistake_has_its_caret_exactly_under_the_wrong_word(line: str, carets: str, fact: str) -> None:
    with pytest.raises(SketchError) as caught:
        parse(line)
    message, shown, marked = str(caught.value).split("\n")
    assert shown == "  " + line
    assert marked == "  " + carets
    assert fact in message


MISFITS = [
    # the same for mistakes that only a picture's size brings to light: here 3 channels, 30 rows, 31 columns
    ("conv 3 31x3", "       ^^^^", ["31x3 kernel of conv", "3 maps of 30 x 31"]),
    ("conv 3 3x32", "       ^^^^", ["3x32 kernel of conv"]),
    ("conv 3 5 dilation 8", "       ^", ["33x33 at its dilation"]),
    ("relu | conv 1 3 | maxpool 5 | conv 4 7x7", "                                     ^^^", ["conv2", "5 x 5"]),
    ("conv gaussian 31", "              ^^", ["31x31 kernel of conv"]),
    ("maxpool 40", "        ^^", ["40x40 window of maxpool"]),
    ("globalavgpool | conv 1 3", "                       ^", ["3 maps of 1 x 1"]),
    ("conv 4 3 groups 2", "                ^", ["3 channels", "divisor of 3"]),
    ("tconv 1 3 pad 40", "              ^^", ["crops"]),
    ("dense 10", "^^^^^", ["flatten | dense 10"]),
    ("conv 3 3 | relu | dense 10", "                  ^^^^^", ["3 maps of 28 x 29", "flatten | dense 10"]),
    ("flatten | conv 3 3", "          ^^^^", ["reads maps", "a vector of 2790"]),
    ("flatten | maxpool 2", "          ^^^^^^^", ["reads maps"]),
    ("flatten | globalavgpool", "          ^^^^^^^^^^^^^", ["reads maps"]),
    ("conv 60000 30x30", "^^^^", [f"{MOST_WEIGHTS:,}", "162,000,000"]),
    ("flatten | dense 60000", "          ^^^^^", ["167,400,000"]),
    ("tconv 9000 9 stride 3000", "^^^^^", [f"{MOST_VALUES:,}"]),
    ("conv 1 3 pad 65536", "^^^^", [f"{MOST_VALUES:,}"]),
]


@pytest.mark.parametrize(("line", "carets", "facts"), MISFITS, ids=[line for line, _, _ in MISFITS])
def test_a_layer_that_does_not_fit_is_marked_and_told_with_its_sizes(line: str, carets: str, facts: list[str]) -> None:
    with pytest.raises(SketchError) as caught:
        fit(parse(line), PICTURE)
    message, _, marked = str(caught.value).split("\n")
    assert marked == "  " + carets
    for fact in facts:
        assert fact in message


def test_a_vector_whose_length_the_picture_decides_asks_for_the_picture_size() -> None:
    with pytest.raises(SketchError, match=r"input_shape=\(3, 224, 224\)"):
        fit(parse("conv 1 3 | flatten | dense 3"), (3, None, 31))


def test_free_sizes_stay_free_and_fixed_ones_are_checked() -> None:
    shapes = [each.output_shape for each in fit(parse("conv 4 3 | maxpool 2 | globalavgpool | dense 2"), (3, None, 31))]
    assert shapes == [(4, None, 29), (4, None, 14), (4, 1, 1), (2,)]
    with pytest.raises(SketchError, match="any x 31"):
        fit(parse("conv 4 3x32"), (3, None, 31))


@pytest.mark.parametrize(
    "shape", [(3,), (3, 4), (None, 4, 4), (0, 4, 4), (3, 0, 4), (3, -1, 4), (3, 4, 10**9), (3, 2.5, 4), "abc", None]
)
def test_a_shape_that_is_no_picture(shape: object) -> None:
    with pytest.raises(InputError, match=re.escape("(channels, rows, columns)")):
        fit(parse("relu"), shape)  # type: ignore[arg-type]


def test_what_is_not_text_is_refused() -> None:
    with pytest.raises(InputError, match="one line of text"):
        parse(["conv 3 3x3"])  # type: ignore[arg-type]


def test_a_line_without_end_is_refused_without_repeating_it() -> None:
    with pytest.raises(SketchError, match="10,000") as caught:
        parse("relu|" * 1_000_000)
    assert len(str(caught.value)) < 300


@given(st.integers(1, 40), st.integers(1, 12), st.integers(1, 4), st.integers(1, 4), st.integers(0, 4))
@settings(deadline=None, max_examples=200)
def test_a_kernel_fits_when_some_window_lies_inside_the_padded_map(
    size: int, kernel: int, stride: int, dilation: int, pad: int
) -> None:
    sketch = parse(f"conv 1 {kernel} stride {stride} dilation {dilation} pad {pad}")
    starts = range(0, size + 2 * pad, stride)
    count = sum(start + dilation * (kernel - 1) < size + 2 * pad for start in starts)
    if count:
        assert fit(sketch, (1, size, size))[0].output_shape == (1, count, count)
    else:
        with pytest.raises(SketchError, match="larger than its input"):
            fit(sketch, (1, size, size))


WORDS = (
    *("conv", "dwconv", "tconv", "maxpool", "avgpool", "globalavgpool", "relu", "leakyrelu", "silu", "softmax"),
    *("batchnorm", "flatten", "dense", "stride", "dilation", "same", "valid", "pad", "groups", "nobias", "multiplier"),
    *("output_padding", "sobel-x", "gaussian", "box", "1", "2", "3x3", "3x5", "0", "-1", "65536", "0.5", "|", "|", "x"),
)


def fits_or_mistake(text: str) -> tuple[Fit, ...] | SketchError:
    try:
        return fit(parse(text), (3, 9, 8))
    except SketchError as mistake:
        return mistake


@given(st.one_of(st.text(max_size=40), st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join)))
@settings(deadline=None, max_examples=500)
def test_any_line_is_understood_or_answered_with_a_caret_inside_it(text: str) -> None:
    answer = fits_or_mistake(text)
    if isinstance(answer, SketchError):
        assert len(answer.sketch) == len(text)
        assert 0 <= answer.column <= len(text)
        assert answer.column + answer.width <= len(text) + 1
        assert len(str(answer).splitlines()) == 3
    else:
        assert all(min(size or 0 for size in each.output_shape) >= 1 for each in answer)
        assert [each.block.kind for each in answer] == [part.split()[0].lower() for part in text.split("|")]
