"""The formulas of the activations, in float64."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import erf, sqrt
from typing import Any

import numpy as np

from convlens.arithmetic.rounding import Floats
from convlens.network import Activation

_erf = np.vectorize(erf, otypes=[np.float64])


@dataclass(frozen=True, slots=True)
class Function:
    """A formula to read, with the constants' names in braces, and to compute."""

    formula: str
    compute: Callable[..., Any]


def sigmoid(x: Floats) -> Floats:
    """``1 / (1 + exp(-x))``, without overflow on either side."""
    small = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + small), small / (1 + small))


def _softplus(x: Floats, beta: float = 1.0, threshold: float = np.inf) -> Floats:
    scaled = x * beta
    return np.where(scaled > threshold, x, np.logaddexp(0, scaled) / beta)


def _normal_share(x: Floats) -> Floats:
    share: Floats = 0.5 * (1 + _erf(x / sqrt(2)))
    return share


def _elu(x: Floats, alpha: float) -> Floats:
    below: Floats = alpha * np.expm1(np.minimum(x, 0))
    return np.where(x > 0, x, below)


def _clip(x: Floats, min: float, max: float) -> Floats:  # the constants' names
    return np.minimum(np.maximum(x, min), max)


FUNCTIONS: Mapping[str, Function] = {
    "relu": Function("max(0, x)", lambda x: np.maximum(x, 0)),
    "clip": Function("min(max(x, {min}), {max})", _clip),
    "leaky_relu": Function("x if x > 0 else {alpha} * x", lambda x, alpha: np.where(x > 0, x, alpha * x)),
    "prelu": Function("x if x > 0 else {slope} * x", lambda x, slope: np.where(x > 0, x, slope * x)),
    "rrelu": Function(
        "x if x > 0 else ({lower} + {upper}) / 2 * x",
        lambda x, lower, upper: np.where(x > 0, x, (lower + upper) / 2 * x),
    ),
    "thresholded_relu": Function("x if x > {alpha} else 0", lambda x, alpha: np.where(x > alpha, x, 0)),
    "threshold": Function(
        "x if x > {threshold} else {value}", lambda x, threshold, value: np.where(x <= threshold, value, x)
    ),
    "bounded_relu": Function(
        "min(x, {max}) if x > {threshold} else {slope} * (x - {threshold})",
        lambda x, slope, threshold, max: np.where(x > threshold, np.minimum(x, max), slope * (x - threshold)),
    ),
    "sigmoid": Function("1 / (1 + exp(-x))", sigmoid),
    "log_sigmoid": Function("-log(1 + exp(-x))", lambda x: -np.logaddexp(0, -x)),
    "hard_sigmoid": Function(
        "min(max({alpha} * x + {beta}, 0), 1)", lambda x, alpha, beta: np.clip(alpha * x + beta, 0, 1)
    ),
    "sparse_sigmoid": Function("min(max((x + 1) / 2, 0), 1)", lambda x: np.clip((x + 1) / 2, 0, 1)),
    "tanh": Function("tanh(x)", np.tanh),
    "tanh_shrink": Function("x - tanh(x)", lambda x: x - np.tanh(x)),
    "swish": Function("x / (1 + exp(-{alpha} * x))", lambda x, alpha=1.0: x * sigmoid(alpha * x)),
    "hard_swish": Function("x * min(max(x / 6 + 0.5, 0), 1)", lambda x: x * np.clip(x / 6 + 0.5, 0, 1)),
    "gelu": Function("x * (1 + erf(x / sqrt(2))) / 2", lambda x: x * _normal_share(x)),
    "gelu_tanh": Function(
        "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3))) / 2",
        lambda x: 0.5 * x * (1 + np.tanh(sqrt(2 / np.pi) * (x + 0.044715 * x**3))),
    ),
    "mish": Function("x * tanh(log(1 + exp(x)))", lambda x: x * np.tanh(np.logaddexp(0, x))),
    "elu": Function("x if x > 0 else {alpha} * (exp(x) - 1)", _elu),
    "celu": Function(
        "x if x > 0 else {alpha} * (exp(x / {alpha}) - 1)",
        lambda x, alpha: np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0) / alpha)),
    ),
    "selu": Function(
        "{gamma} * (x if x > 0 else {alpha} * (exp(x) - 1))", lambda x, alpha, gamma: gamma * _elu(x, alpha)
    ),
    "softplus": Function("log(1 + exp({beta} * x)) / {beta}", _softplus),
    "sparse_plus": Function(
        "0 if x <= -1, x if x >= 1, else (x + 1)^2 / 4",
        lambda x: np.where(x <= -1, 0, np.where(x >= 1, x, (x + 1) ** 2 / 4)),
    ),
    "squareplus": Function("(x + sqrt(x^2 + {b})) / 2", lambda x, b: (x + np.sqrt(x**2 + b)) / 2),
    "softsign": Function("x / (1 + |x|)", lambda x: x / (1 + np.abs(x))),
    "hard_shrink": Function("x if |x| > {lambd} else 0", lambda x, lambd: np.where(np.abs(x) <= lambd, 0, x)),
    "shrink": Function(
        "x + {bias} if x < -{lambd}, x - {bias} if x > {lambd}, else 0",
        lambda x, lambd, bias: np.where(x < -lambd, x + bias, np.where(x > lambd, x - bias, 0)),
    ),
    "soft_shrink": Function(
        "sign(x) * max(|x| - {lambd}, 0)", lambda x, lambd: np.sign(x) * np.maximum(np.abs(x) - lambd, 0)
    ),
    "erf": Function("erf(x)", _erf),
    "abs": Function("|x|", np.abs),
    "neg": Function("-x", np.negative),
    "sign": Function("1 if x > 0, -1 if x < 0, else 0", lambda x: (x > 0) * 1.0 - (x < 0)),
    "signum": Function("1 if x > 0, -1 if x < 0, else 0", lambda x: (x > 0) * 1.0 - (x < 0)),
    "floor": Function("the largest whole number <= x", np.floor),
    "ceil": Function("the smallest whole number >= x", np.ceil),
    "trunc": Function("x without its fraction", np.trunc),
    "round": Function("the nearest whole number, halves to the even one", np.rint),
    "exp": Function("exp(x)", np.exp),
    "exp2": Function("2^x", np.exp2),
    "expm1": Function("exp(x) - 1", np.expm1),
    "log": Function("log(x)", np.log),
    "log2": Function("log2(x)", np.log2),
    "log10": Function("log10(x)", np.log10),
    "log1p": Function("log(1 + x)", np.log1p),
    "square": Function("x^2", np.square),
    "sqrt": Function("sqrt(x)", np.sqrt),
    "rsqrt": Function("1 / sqrt(x)", lambda x: 1 / np.sqrt(x)),
    "reciprocal": Function("1 / x", np.reciprocal),
    "sin": Function("sin(x)", np.sin),
    "cos": Function("cos(x)", np.cos),
    "tan": Function("tan(x)", np.tan),
    "asin": Function("asin(x)", np.arcsin),
    "acos": Function("acos(x)", np.arccos),
    "atan": Function("atan(x)", np.arctan),
    "sinh": Function("sinh(x)", np.sinh),
    "cosh": Function("cosh(x)", np.cosh),
    "asinh": Function("asinh(x)", np.arcsinh),
    "acosh": Function("acosh(x)", np.arccosh),
    "atanh": Function("atanh(x)", np.arctanh),
}
"""Name (as in ``Activation.function`` or ``Pointwise.function``) to formula. Sources: the operators' own definitions in
the ONNX operator specification and PyTorch's ``torch.nn.functional``; where the two have one name for two things, the
engines use two names here. ``signum`` is ``sign`` where NaN has no rule."""

DEFAULTS: Mapping[str, Mapping[str, float]] = {"swish": {"alpha": 1.0}, "softplus": {"beta": 1.0}}


def computed(operation: Activation, x: Floats, slope: Floats | float | None = None) -> Floats | None:
    """The activation of ``x`` in float64, or ``None`` for a function that isn't in the table."""
    function = FUNCTIONS.get(operation.function)
    if function is None or (operation.function == "prelu" and slope is None):
        return None
    constants: dict[str, object] = dict(operation.constants)
    if operation.function == "prelu":
        constants["slope"] = slope
    with np.errstate(all="ignore"):
        return np.asarray(function.compute(x, **constants), np.float64)


def in_words(operation: Activation, slope: float | None = None) -> str:
    """The formula with the layer's own constants put in.

    >>> in_words(Activation("leaky_relu", (("alpha", 0.01),)))
    'x if x > 0 else 0.01 * x'
    """
    constants = dict(DEFAULTS.get(operation.function, {})) | dict(operation.constants)
    if slope is not None:
        constants["slope"] = slope
    numbers = {name: f"{value:.9g}" for name, value in constants.items()}
    return FUNCTIONS[operation.function].formula.format(**numbers)


_OF_ONE = ("sigmoid", "tanh", "erf", "hard_sigmoid", "softsign", "log", "log2", "log10", "log1p", "cos")
EXACT = ("relu", "thresholded_relu", "hard_shrink", "abs", "neg", "sign", "signum", "floor", "ceil", "trunc", "round")
"""Nothing is rounded in these."""
_OF_CONSTANTS = ("clip", "threshold")  # nothing but their constants, to the layer's own type
_EXPONENTIAL = ("exp", "exp2", "expm1")


def magnitudes(operation: Activation, x: Floats, total: Floats) -> Floats:
    """What the roundings of a function are relative to: the largest number that its evaluation handles.

    Frameworks approximate sigmoid, tanh and erf with an absolute error of a few roundings of 1, and multiply by ``x``
    in the functions built on them.
    """
    if operation.function in EXACT or operation.function in _OF_CONSTANTS:
        return np.zeros(np.shape(x))
    least = 1.0 if operation.function in _OF_ONE else 0.0
    largest = max([least, *(abs(value) for _, value in operation.constants if np.isfinite(value))])
    with np.errstate(all="ignore"):
        # how much a rounding of the input weighs, x * f'(x)
        weight = np.abs(x * (1 + np.abs(total)) if operation.function in _EXPONENTIAL else x)
        return np.maximum(np.maximum(np.abs(total), np.where(np.isfinite(weight), weight, 0.0)), largest)
