"""Cases of settings that the strategies draw seldom: every function of a value alone, odd windows, coarse types.

No framework decides here: the value that is held against the explanation is Python's own, rounded to float32.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from fractions import Fraction
from math import erf
from typing import Any

import numpy as np

from convlens.arithmetic import explain
from convlens.arithmetic.functions import FUNCTIONS
from convlens.arithmetic.rounding import rounded
from convlens.engines.base import Array
from convlens.hosts.wire.facts import num
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
    Resize,
    Shape,
    Whole,
)

CONSTANTS: Mapping[str, Mapping[str, float]] = {
    "clip": {"min": -1.5, "max": 6.0},
    "leaky_relu": {"alpha": 0.01},
    "rrelu": {"lower": 0.125, "upper": 1 / 3},
    "thresholded_relu": {"alpha": 0.5},
    "threshold": {"threshold": 0.1, "value": 20.0},
    "bounded_relu": {"slope": 0.1, "threshold": 0.25, "max": 2.0},
    "hard_sigmoid": {"alpha": 0.2, "beta": 0.5},
    "swish": {"alpha": 1.702},
    "elu": {"alpha": 1.3},
    "celu": {"alpha": 0.7},
    "selu": {"alpha": 1.6732632423543772, "gamma": 1.0507009873554805},
    "softplus": {"beta": 2.0, "threshold": 20.0},
    "squareplus": {"b": 4.0},
    "hard_shrink": {"lambd": 0.5},
    "shrink": {"lambd": 0.5, "bias": 0.25},
    "soft_shrink": {"lambd": 0.5},
}
VALUES = np.array(
    [
        *(np.nan, np.inf, -np.inf, 0.0, -0.0, 1e-9, 0.1, -0.1, 0.5, -0.5, 0.9, -1.0, 1.1, -1.3, 1.5, 2.5, -2.5, 5.9),
        *(-7.25, 30.0, -103.0, 3e38),
    ],
    np.float32,
)


def of_functions() -> Iterator[tuple[Layer, list[Array], Mapping[str, Array]]]:
    """Every function, of values of all sizes and of those that are no numbers."""
    for name in FUNCTIONS:
        operation = Activation(name, tuple(CONSTANTS.get(name, {}).items()))
        weights = {"slope": np.array([0.3], np.float32)} if name == "prelu" else {}
        yield _layer(name, operation, VALUES.shape), [VALUES], weights


def of_settings() -> Iterator[tuple[Layer, list[Array], Mapping[str, Array]]]:
    """Operations with settings that are seldom drawn."""
    two = ((1, 1), (1, 1))
    image, small = numbers(1, 2, 6, 5), numbers(2, 2, 4, 4)
    kernel = {"kernel": numbers(3, 2, 2, 3, 3), "bias": numbers(4, 2)}
    for mode in ("zeros", "reflect", "replicate", "circular"):
        conv = Convolution(2, 2, (3, 3), (2, 1), (1, 1), two, padding_mode=mode)
        yield _layer(f"{mode} around", conv, (2, 3, 5)), [image], kernel
    for dtype, sums_in in (("float16", None), ("float16", "float32"), ("bfloat16", "float32"), ("float32", "tf32")):
        conv = Convolution(2, 2, (3, 3), (2, 1), (1, 1), two)
        yield _layer(f"in {dtype}", conv, (2, 3, 5), dtype, sums_in=sums_in), [image * 60], kernel
    over = _layer("over", Convolution(2, 2, (3, 3), (2, 1), (1, 1), two), (2, 3, 5), "float16")
    yield over, [image * 6e6], kernel
    grouped = Convolution(4, 4, (2,), (1,), (1,), ((0, 0),), groups=2, bias=False)
    yield _layer("groups", grouped, (4, 4)), [numbers(9, 4, 5)], {"kernel": numbers(10, 4, 2, 2)}
    wrong = _layer("disagrees", Convolution(2, 2, (3, 3), (2, 1), (1, 1), two), (2, 3, 5))
    yield wrong, [image], kernel
    for more in ({"divisor": 7}, {"count_include_pad": True}, {"padding_mode": "replicate"}, {"ceil_mode": True}):
        pool = Pooling("average", (3, 3), (2, 2), (1, 1), two, **more)
        yield _layer(f"pool {next(iter(more))}", pool, (2, 3, 3)), [image], {}
    least = Pooling("max", (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0)), least=0.0)
    yield _layer("least", least, (2, 2, 2)), [-np.abs(small)], {}
    for name in ("nearest", "linear", "cubic", "linear_antialias", "cubic_antialias"):
        for coordinates in ("half_pixel", "align_corners", "half_pixel_symmetric", "asymmetric", "pytorch_half_pixel"):
            scale = (Fraction(7, 6), Fraction(0.55))
            outside = {"exclude_outside": coordinates == "half_pixel", "rounding": "ceil"}
            resize = Resize(name, scale, coordinates=coordinates, **outside)  # type: ignore[arg-type]
            yield _layer(f"{name} {coordinates}", resize, (2, 7, 3)), [image], {}
    for coordinates in ("half_pixel", "half_pixel_symmetric", "asymmetric"):
        scale = (Fraction(7, 6), Fraction(0.55))
        coarse = Resize("linear", scale, coordinates=coordinates, coordinate_arithmetic="scale")
        yield _layer(f"coarse {coordinates}", coarse, (2, 7, 3)), [image], {}
    cropped = Resize("linear", (), coordinates="crop", crop=((0.1, 0.9), (-0.2, 1.3)), outside=2.5)
    yield _layer("crop", cropped, (2, 4, 8)), [image], {}
    within = Resize("linear", (), coordinates="crop", crop=((0.1, 0.9), (0.3, 0.8)))
    yield _layer("crop within", within, (2, 4, 8)), [image], {}
    for mode in ("layer", "group", "instance", "rms", "unit", "batch"):
        axes = (0, 1, 2) if mode in ("layer", "rms", "group") else (1, 2)
        norm = Normalisation(mode, 1e-5, groups=2 if mode == "group" else 1, axes=axes)
        weights = {"scale": numbers(5, 2), "shift": numbers(6, 2)}
        yield _layer(mode, norm, small.shape), [small], weights
    weights = {"scale": numbers(5, 4), "shift": numbers(6, 4)}
    square = _layer("weights along the last axis", Normalisation("layer", 1e-3, axes=(2,)), (4, 3, 4))
    yield square, [numbers(11, 4, 3, 4)], weights
    quantised = {
        "weight_integers": np.round(numbers(12, 3, 2) * 50),
        "kernel_scale": np.array([0.01, 0.02, 0.05], np.float32),
        "output_scale": np.array([0.5], np.float32),
        "input_zero_point": np.array([3], np.float32),
    }
    dense = Dense(2, 3, bias=False, per_position=True, features_axis=1)
    yield _layer("quantised rows", dense, (4, 3), "int8"), [np.round(numbers(13, 4, 2) * 40)], quantised
    for name in ("add", "subtract", "mean", "maximum", "power", "divide_whole", "multiply", "divide", "minimum"):
        merge = Merge(name, factor=0.1 if name in ("add", "subtract") else 1.0)
        yield _layer(name, merge, small.shape, inputs=2), [small, numbers(7, 4)], {}
    yield from _of_constants()
    for mode in ("constant", "reflect", "replicate", "circular"):
        pad = Pad(((2, 1), (1, 2)), mode, 0.1 if mode == "constant" else 0.0, (1, 1) if mode != "constant" else (0, 2))
        yield _layer(f"pad {mode}", pad, (4, 7, 7)), [small], {}
    for mode in ("zeros", "reflect", "replicate", "circular"):
        pad = Pad(((-1, 2), (2, -1)), mode)
        yield _layer(f"pad and crop {mode}", pad, (2, 5, 5)), [small], {}
    tie = Resize("nearest", (Fraction(float(np.float32(1.3))),), coordinate_arithmetic="scale")
    yield _layer("near a tie", tie, (2, 26)), [numbers(14, 2, 20)], {}
    yield _layer("long sum", Whole("sum", (1, 2)), (2,)), [numbers(8, 2, 10, 13)], {}
    integers = {"right_integers": np.round(numbers(20, 3, 2) * 30), "input_zero_point": np.array([3], np.float32)}
    quantised_product = _layer("whole numbers", Whole("matrix_product"), (4, 2), "int32")
    yield quantised_product, [np.round(numbers(21, 4, 3) * 40)], integers
    yield _layer("unknown", Whole("attention"), (2, 4, 4)), [small], {}


def of_odd_numbers() -> Iterator[tuple[Layer, list[Array], Mapping[str, Array]]]:
    """What a framework may make one thing or another of, beside what it may not: NaN, infinities, huge and tiny."""
    odd = numbers(15, 3, 4, 4)
    odd[0, 1, 2], odd[1, 0, 0], odd[1, 2, 3], odd[2, 3, 3] = np.nan, np.inf, 2e38, 1e-40
    whole = Pooling("max", (4, 4), (1, 1), (1, 1), ((0, 0), (0, 0)), whole=True, settles_nan=False)
    yield _layer("maximum of all", whole, (3, 1, 1)), [odd], {}
    for mode in ("max", "average", "lp"):
        pool = Pooling(mode, (2, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), settles_nan=False)
        yield _layer(f"{mode} of odd", pool, (3, 3, 3)), [odd], {}
    for name in ("max", "min", "mean", "sum", "product"):
        yield _layer(f"{name} of odd", Whole(name, (1, 2), settles_nan=False), (3,)), [odd], {}
    scaled = np.concatenate([odd.ravel(), np.full(4, 1e-25, np.float32), np.full(4, 1e25, np.float32)])
    yield _layer("product below and above", Whole("product", (0,)), ()), [scaled[-8:]], {}
    yield _layer("product below", Whole("product", (0,)), ()), [scaled[-8:-4]], {}
    yield _layer("hardmax", Activation("hardmax", axis=2), odd.shape), [odd], {}
    yield _layer("signum", Pointwise("signum"), odd.shape), [odd], {}
    for dtype in ("uint8", "int32", "bool", "float16"):
        yield _layer(f"cast to {dtype}", Pointwise("cast"), odd.shape, dtype), [odd], {}
    scale = {"scale": np.array([0.1], np.float32), "zero_point": np.array([3], np.float32)}
    yield _layer("quantised odd", Pointwise("quantise"), odd.shape, "int8"), [odd], scale
    resize = Resize("linear", (Fraction(2), Fraction(3, 2)), coordinate_arithmetic="scale")
    yield _layer("resized odd", resize, (3, 8, 6)), [odd], {}
    response = Normalisation("local_response", constants=(("alpha", 0.1), ("beta", 0.5), ("bias", 1.0), ("size", 2.0)))
    yield _layer("response", response, odd.shape), [odd], {}
    yield _layer("norm of odd", Normalisation("layer", 1e-5, axes=(2,)), odd.shape), [odd], {}
    conv = Convolution(3, 2, (2, 2), (1, 1), (1, 1), ((0, 0), (0, 0)), bias=False)
    yield _layer("conv of odd", conv, (2, 3, 3)), [odd], {"kernel": numbers(16, 2, 3, 2, 2)}
    for name in ("log", "floor", "sigmoid", "tan"):
        yield _layer(f"{name} in float64", Activation(name), VALUES.shape, "float64"), [VALUES], {}
    for name in ("log", "sigmoid"):
        yield _layer(f"{name} of what is finite", Activation(name), (6,), "float64"), [VALUES[3:9]], {}


def _of_constants() -> Iterator[tuple[Layer, list[Array], Mapping[str, Array]]]:
    """Constants among the operands, in every place."""
    image, token = numbers(20, 2, 3), numbers(21, 1, 3)
    token[0, 1] = np.nan
    for place in range(3):
        merge = Merge("concat", 0, constants=((place, token.shape),))
        yield _layer(f"token at {place}", merge, (5, 3), inputs=2), [image, image], {f"operand{place}": token}
    two = {"operand0": token, "operand2": numbers(22, 2, 3)}
    merge = Merge("concat", 0, constants=((0, (1, 3)), (2, (2, 3))))
    yield _layer("two tokens", merge, (5, 3)), [image], two
    yield _layer("a token is missing", merge, (5, 3)), [image], {"operand0": token}
    yield _layer("a place stays empty", merge, (5, 3)), [image], {"operand0": token, "operand9": token}
    for axis, shape in ((0, (2, 2, 3)), (1, (2, 2, 3)), (2, (2, 3, 2))):
        stack = Merge("stack", axis, constants=((1, (2, 3)),))
        yield _layer(f"stack along {axis}", stack, shape), [image], {"operand1": numbers(23, 2, 3)}
    condition = (numbers(24, 2, 3) > 0).astype(np.float32)
    where = Merge("where", constants=((2, ()),))
    yield _layer("where", where, (2, 3), inputs=2), [condition, image], {"operand2": np.array(0.1)}
    where = Merge("where", constants=((0, (2, 3)), (1, (3,))))
    yield _layer("where it is fixed", where, (2, 3)), [image], {"operand0": condition, "operand1": numbers(25, 3)}
    yield _layer("where all is computed", Merge("where"), (2, 3), inputs=3), [condition, image, 2 * image], {}
    for name in ("add", "mean", "maximum", "multiply"):
        merge = Merge(name, constants=((1, (3,)), (3, ())))
        fixed = {"operand1": numbers(26, 3), "operand3": np.array(0.1)}
        yield _layer(f"{name} of four", merge, (2, 3), "float16", inputs=2), [image, 2 * image], fixed
    scaled = Merge("subtract", factor=0.3, constants=((0, (3,)),))
    yield _layer("alpha times the input", scaled, (2, 3)), [image], {"operand0": numbers(27, 3)}
    for place in range(2):
        fixed = {f"operand{place}": numbers(28, 3, 3)}
        product = Whole("matrix_product")
        yield _layer(f"matrix at {place}", product, (3, 3)), [numbers(29, 3, 3)], fixed
    across = {"operand1": numbers(30, 3, 4), "added": numbers(31, 4)}
    yield _layer("turned over", Whole("matrix_product_across"), (2, 4)), [numbers(32, 3, 2)], across


def single_numbers() -> dict[str, list[list[Any]]]:
    """What lies below the arithmetic: functions, printed numbers, sums, nearest fractions, each with its result."""
    random = np.random.default_rng(0)
    sizes = [*np.linspace(-6.5, 6.5, 131).tolist(), 1e-300, 2e-9, 0.84374, 0.84376, 1.2499, 1.2501, 2.857, 2.858, 28.0]
    odd = (1.0, -1.0, 0.0, 2.0, -2.0, np.nan, np.inf, -np.inf)
    with np.errstate(all="ignore"):
        powers = [[num(a), num(b), num(float(np.power(a, b)))] for a in odd for b in (*odd, 0.5, 3.0, -3.0)]
    printed = [0.0, -0.0, 0.5, 1.5, 2.5, 1e-5, 1.25e-4, 123456.5, 1234565.0, 1234575.0, 999999.5, 12345678.25, 1e15]
    printed += [*(random.normal(size=40) * 10.0 ** random.integers(-12, 18, 40)).tolist(), np.nan, np.inf, -np.inf]
    printed += [0.1 + 0.2, 2.0**-30, 1.0000000005, 123456789.5, 123456788.5, -2.5e-7, 5e-324, 1.7976931348623157e308]
    counts = (0, 1, 7, 8, 9, 127, 128, 129, 136, 255, 256, 257, 300, 1000)
    terms = np.array([(n * n % 1009 - 500) / 7 for n in range(max(counts))])
    parts = [(1, 3), (-7, 11), (2**60 + 1, 3**30), (10**40 + 1, 10**39), (1, 10**30), (2**53 + 1, 2**52), (-(3**50), 7)]
    parts += [(2**54 + 1, 1), (2**54 + 3, 1), (2**64 + 2**11, 2), (2**64 + 2**11 + 1, 2)]
    return {
        "erf": [[x, erf(x)] for x in sizes],
        "power": powers,
        "printed": [[num(x), digits, f"{x:.{digits}g}"] for x in printed for digits in (6, 9)],
        "summed": [[n, float(terms[:n].sum())] for n in counts],
        "fractions": [[str(a), str(b), float(Fraction(a, b))] for a, b in parts],
    }


def _layer(
    name: str,
    operation: Operation,
    shape: Shape,
    dtype: str = "float32",
    *,
    inputs: int = 1,
    sums_in: str | None = None,
) -> Layer:
    names = tuple(f"x{n}" for n in range(inputs))
    kind = Kind.POOLING if isinstance(operation, Pooling) else Kind.OTHER
    op = type(operation).__name__
    return Layer(name, op, kind, names, shape, operation, dtype=dtype, sums_in=sums_in)


def numbers(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def made_of(layer: Layer, sources: list[Array], weights: Mapping[str, Array]) -> Array:
    """What the explanation gives, rounded; 0 where there is none, and something else where they are to disagree."""
    made = np.zeros(layer.output_shape, np.float32)
    with np.errstate(all="ignore"):
        for index in np.ndindex(*layer.output_shape):
            working = explain(layer, index, sources, weights)
            made[index] = 0.0 if working is None else working.total
    return made + np.float32(1) if layer.name == "disagrees" else rounded(made, layer.dtype)
