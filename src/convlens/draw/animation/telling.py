"""The words of an animation: its title, the formula of its size, the arithmetic of the current window, its numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from math import floor, isfinite, log10

import numpy as np

from convlens.arithmetic import Working
from convlens.derivation import derive
from convlens.draw.animation.signs import text_width
from convlens.draw.animation.sliding import Axis, Slide
from convlens.draw.lettering import format_value, one_line
from convlens.network import Convolution

MOST_LINES = 4
_SUMS_A_LINE = 4


def number(value: float) -> str:
    """A number as it stands in a cell.

    >>> number(3.0), number(-0.15348), number(float("-inf"))
    ('3', '−0.153', '−inf')
    """
    text = f"{value:.0f}" if isfinite(value) and value == int(value) and abs(value) < 1e6 else format_value(value)
    return _signs(text)


def _signs(text: str) -> str:
    return (
        "0" if text == "-0" else re.sub(r"e([+-])0*", lambda found: "e" + found[1].strip("+"), text).replace("-", "−")
    )


def shorter(value: float) -> list[str]:
    """A number with fewer and fewer digits.

    >>> shorter(-2.51e9), shorter(100.123)
    (['−2.5e9', '−3e9'], ['100'])
    """
    if not isfinite(value):
        return [number(value)]
    found = [f"{value:.0f}"] if 1 <= abs(value) < 1e4 else [f"{value:.2g}", f"{value:.0e}"]
    return [_signs(text) for text in found]


def stands(text: str, value: float) -> bool:
    """Whether a text says a number in full.

    >>> stands("−7.50", -7.5), stands("1.67", 5 / 3)
    (True, False)
    """
    try:
        return Decimal(text.replace("−", "-")) == Decimal(repr(float(value)))
    except InvalidOperation:  # "…"
        return False


def numbers(values: Iterable[float], digits: int = 3) -> list[str]:
    """The numbers of one grid, all with as many decimals as give its largest one that many digits; whole ones in full.

    >>> numbers([0.32154, -0.00742, 0.0]), numbers([1.0, 12.0]), numbers([5 / 3, 1.0])
    (['0.322', '−0.007', '0'], ['1', '12'], ['1.67', '1.00'])
    """
    found = list(values)
    largest = max((abs(value) for value in found if isfinite(value)), default=0.0)
    if largest >= 1e6 or largest < 1e-3 or all(value == int(value) for value in found if isfinite(value)):
        return [number(value) for value in found]
    decimals = max(0, digits - 1 - floor(log10(largest)))
    return [number(value) if not isfinite(value) or value == 0 else _signed(value, decimals) for value in found]


def _signed(value: float, decimals: int) -> str:
    text = f"{value:.{decimals}f}"
    return (text if float(text) else text.removeprefix("-")).replace("-", "−")


def title(slide: Slide) -> str:
    """What is done, in one line."""
    operation, layer = slide.operation, slide.layer
    if isinstance(operation, Convolution):
        kind = "transposed convolution" if operation.transposed else "convolution"
        if operation.groups == operation.in_channels > 1:
            kind = f"depthwise {kind}"
    else:
        kind = {"max": "max pooling", "average": "average pooling", "lp": "Lp pooling"}[operation.mode]
    name = one_line(layer.name)
    if name not in ("convolution", "pooling"):
        kind = f"{name} · {kind}"
    return f"{kind}: {_shape(slide.source.shape)} → {_shape(layer.output_shape)}"


def _shape(shape: tuple[int, ...]) -> str:
    """Channels, rows and columns; a single channel isn't mentioned."""
    return " × ".join(map(str, shape[1:] if shape[0] == 1 else shape)) or "1"


def part(slide: Slide) -> str:
    """Which of a layer's channels is shown, and what it reads, where it is one of several.

    >>> from convlens.draw.animation.examples import pooling
    >>> part(pooling((3, 6, 6))), part(pooling())
    ('channel 0 of 3', '')
    """
    operation, channels = slide.operation, slide.layer.output_shape[0]
    told = [f"channel {slide.channel} of {channels}"] if channels > 1 else []
    if isinstance(operation, Convolution):
        told = [word.replace("channel", "filter") for word in told]
        if operation.groups > 1:
            inside = operation.in_channels // operation.groups
            first = slide.planes[0]
            told.append(f"reads input {span('channel', first, first + inside - 1)} of {operation.in_channels}")
    return ", ".join(told)


def settings(slide: Slide) -> str:
    """Kernel, stride, padding, dilation: those that aren't the usual."""
    operation = slide.operation
    said = ["kernel " + " × ".join(map(str, operation.kernel_size))]
    if getattr(operation, "whole", False) or getattr(operation, "adaptive", False):
        return "the window follows from the sizes"
    said.append(f"stride {_same(operation.stride)}")
    pads = [str(a) if a == b else f"{a} + {b}" for a, b in operation.padding]
    said.append(f"padding {_same(tuple(pads))}")
    if set(operation.dilation) != {1}:
        said.append(f"dilation {_same(operation.dilation)}")
    if isinstance(operation, Convolution) and any(operation.output_padding):
        said.append(f"output padding {_same(operation.output_padding)}")
    return ", ".join(said)


def formulas(slide: Slide) -> list[str]:
    """How the output's size comes about; one line where rows and columns are alike."""
    lines = [line for line in derive(slide.layer, [slide.source.shape]) if line.what in ("rows", "columns")]
    if len(lines) == 2 and lines[0].worked == lines[1].worked:
        return [f"rows and columns: {lines[0].worked}"]
    return [str(line) for line in lines]


def grid(name: str, axes: tuple[Axis, Axis]) -> str:
    """What stands over the input: its size, or which part of it is shown."""
    if all(axis.whole for axis in axes):
        return f"{name}{':' if ',' in name else ''} {axes[0].size} × {axes[1].size}"
    spans = [[cell for cell in axis.cells if cell >= 0] for axis in axes]
    if not all(spans):
        return name
    return f"{name}, {span('row', min(spans[0]), max(spans[0]))}, {span('column', min(spans[1]), max(spans[1]))}"


def span(word: str, first: int, last: int) -> str:
    """A row or rows, from the first to the last.

    >>> span("row", 2, 5), span("row", 2, 2)
    ('rows 2–5', 'row 2')
    """
    return f"{word} {first}" if first == last else f"{word}s {first}–{last}"


def arithmetic(slide: Slide, frame: int, width: int, size: int) -> list[str]:
    """The sum, or the comparison, of one frame in at most four lines; the longest form that fits."""
    working, value = slide.workings[frame], slide.values[frame]
    for lines in (_terms(slide, working, value), _sums(working, value), _counted(working, value)):
        for arranged in ([" ".join(lines)], lines):
            if lines and len(arranged) <= MOST_LINES and all(text_width(line, size) <= width for line in arranged):
                return arranged
    return [f"= {number(value)}"]


def _terms(slide: Slide, working: Working, value: float) -> list[str]:
    """Every term, a line for each row of the window."""
    if working.window.size > 81:
        return []
    inside, window, kernel = working.inside, working.window, working.kernel
    if slide.transposed and kernel is not None:  # in the order in which they lie under the turned kernel
        inside, window, kernel = inside[:, ::-1, ::-1], window[:, ::-1, ::-1], kernel[:, ::-1, ::-1]
    left_out = working.rule in ("maximum", "mean") or slide.transposed
    rows: list[list[str]] = []
    for place in np.ndindex(*window.shape[:-1]):
        row = []
        for entry in ((*place, column) for column in range(window.shape[-1])):
            if left_out and not inside[entry]:
                continue
            text = number(float(window[entry]))
            if working.rule not in ("maximum", "mean") and kernel is not None:
                text = f"{_factor(text)}·{_factor(number(float(kernel[entry])))}"
            row.append(text)
        if row:
            rows.append(row)
    if working.rule == "maximum":
        joined = [", ".join(row) for row in rows]
        return _ended("largest of ", [f"{line}," for line in joined[:-1]] + joined[-1:], f"= {number(value)}")
    if not rows:
        return [_equals([], working.bias, value, "nothing but zeros")]
    terms = [" + ".join(_bracketed(row)) for row in rows]
    lines = [*terms[:1], *(f"+ {line}" for line in terms[1:])]
    if working.rule == "mean":
        divisor = round(1 / float(working.kernel.ravel()[0])) if working.kernel is not None else 1
        exact = _exact([float(v) for v in window[inside]], value * divisor)
        return _ended("(", lines, f") / {divisor} {'=' if exact and _short(value) else '≈'} {number(value)}")
    if working.rule not in ("convolution", "transposed convolution"):
        return []
    products = [float(p) for p in working.products.flat] if working.products is not None else []
    shown = [float(v) for v in (*window[inside], *(kernel[inside] if kernel is not None else ()))]
    sign = "=" if all(_short(v) for v in shown) and _exact([*products, working.bias or 0.0], value) else "≈"
    bias = "" if working.bias is None else f" + bias {_factor(number(working.bias))}"
    return _ended("", lines, f"{bias} {sign} {number(value)}".strip())


def _sums(working: Working, value: float) -> list[str]:
    """One sum a channel, as many as there are."""
    sums = working.channel_sums
    if sums is None or not 1 < len(sums) <= 12 or working.rule not in ("convolution", "transposed convolution"):
        return []
    parts = [_factor(number(float(one))) for one in sums]
    lines = [" + ".join(parts[first : first + _SUMS_A_LINE]) for first in range(0, len(parts), _SUMS_A_LINE)]
    lines = [f"channel sums {lines[0]}", *(f"+ {line}" for line in lines[1:])]
    return [*lines[:-1], _equals([*map(float, sums)], working.bias, value, lines[-1])]


def _counted(working: Working, value: float) -> list[str]:
    if working.rule == "maximum":
        return [f"largest of {working.inside.sum():,} values = {number(value)}"]
    if working.rule == "mean":
        return [f"mean of {working.inside.sum():,} values ≈ {number(value)}"]
    if working.products is None:
        return [f"{working.formula} ≈ {number(value)}"]
    total, counted = float(working.products.sum()), f"sum of {working.window.size:,} products"
    if working.bias is None:
        return [f"{counted} {'=' if _exact([total], value) else '≈'} {number(value)}"]
    return [_equals([total], working.bias, value, f"{counted} {number(total)}")]


def _equals(parts: list[float], bias: float | None, value: float, text: str) -> str:
    """The end of a line: "=" only where the numbers as they are printed add up to it."""
    exact = all(_short(part) for part in (*parts, bias or 0.0)) and _exact([*parts, bias or 0.0], value)
    said = "" if bias is None else f" + bias {_factor(number(bias))}"
    return f"{text}{said} {'=' if exact else '≈'} {number(value)}"


def _short(value: float) -> bool:
    """Whether the number stands in full where it is printed."""
    return isfinite(value) and stands(number(value), value)


def _exact(parts: list[float], value: float) -> bool:
    if not all(isfinite(part) for part in (*parts, value)):
        return False
    return _short(value) and sum((Decimal(repr(part)) for part in parts), Decimal(0)) == Decimal(repr(value))


def _ended(start: str, lines: list[str], end: str) -> list[str]:
    close = end if end.startswith(")") else f" {end}"
    told = [f"{start}{lines[0]}", *lines[1:]]
    return [*told[:-1], told[-1] + close]


def _bracketed(row: list[str]) -> list[str]:
    """A negative number behind a plus stands in brackets."""
    first, *rest = row
    return [first, *map(_factor, rest)]


def _factor(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _same(values: tuple[object, ...]) -> str:
    alike = all(one == other for one, other in pairwise(values))
    return str(values[0]) if alike else " × ".join(map(str, values))
