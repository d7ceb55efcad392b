"""Activations: layers, functions, and those built into another layer."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf
from typing import Any

from convlens.engines.keras.calls import Call, Reader, Reading, always
from convlens.network import Activation, Kind, Operation, Pointwise, Whole

UNKNOWN = "unknown function"

_OURS: Mapping[str, Activation] = {
    **{name: Activation(name) for name in ("relu", "sigmoid", "tanh", "softplus", "softsign", "log_sigmoid", "mish")},
    **{name: Activation(name) for name in ("tanh_shrink", "sparse_plus", "sparse_sigmoid", "exp")},
    **dict.fromkeys(("silu", "swish"), Activation("swish")),
    **dict.fromkeys(("hard_silu", "hard_swish"), Activation("hard_swish")),
    "exponential": Activation("exp"),
    "relu6": Activation("clip", (("min", 0.0), ("max", 6.0))),
    "hard_tanh": Activation("clip", (("min", -1.0), ("max", 1.0))),
    "hard_sigmoid": Activation("hard_sigmoid", (("alpha", 1 / 6), ("beta", 0.5))),
    "leaky_relu": Activation("leaky_relu", (("alpha", 0.2),)),
    "elu": Activation("elu", (("alpha", 1.0),)),
    "celu": Activation("celu", (("alpha", 1.0),)),
    "selu": Activation("selu", (("alpha", 1.6732632423543772), ("gamma", 1.0507009873554805))),
    "gelu": Activation("gelu"),
    "squareplus": Activation("squareplus", (("b", 4.0),)),
    "soft_shrink": Activation("soft_shrink", (("lambd", 0.5),)),
    "hard_shrink": Activation("hard_shrink", (("lambd", 0.5),)),
}
"""What ``keras.activations`` compute where nothing is said about their constants."""

_ALONG = ("softmax", "log_softmax", "sparsemax")
_ALIKE_EVERYWHERE = ("relu", "relu6", "sigmoid", "tanh", "softplus", "softsign", "silu", "swish", "selu", "log_sigmoid")
"""Functions that TensorFlow, JAX and PyTorch have under the same name; others have other constants there."""


def function_name(function: Any) -> str:
    """Keras's name of an activation function; of others their own name, marked as unknown.

    >>> import keras
    >>> function_name(keras.activations.relu), function_name(lambda x: x)
    ('relu', 'unknown function')
    """
    name, module = str(getattr(function, "__name__", "")), str(getattr(function, "__module__", ""))
    framework = module.partition(".")[0]
    known = framework == "keras" or (framework in ("tensorflow", "jax", "torch") and name in _ALIKE_EVERYWHERE)
    if known and (name in _OURS or name in (*_ALONG, "linear")):
        return name
    return f"{UNKNOWN} {name}" if name.isidentifier() else UNKNOWN


def fused(call: Call) -> Reading:
    """The activation function inside a layer."""
    return Reading(Kind.ACTIVATION, _function(call, function_name(call.op)), "Activation")


def _function(call: Call, name: str) -> Operation:
    if name in _ALONG:
        return Activation(name, axis=call.axis(-1))
    if name == "linear":
        return Pointwise("identity")
    return _OURS.get(name) or Whole(name)


def _activation_layer(call: Call) -> Reading:
    return Reading(Kind.ACTIVATION, _function(call, function_name(call.op.activation)))


def _relu(call: Call) -> Reading:
    op = call.op
    slope, top = float(getattr(op, "negative_slope", 0.0) or 0.0), getattr(op, "max_value", None)
    threshold = float(getattr(op, "threshold", 0.0) or 0.0)
    if threshold or (slope and top is not None):
        found = {"slope": slope, "threshold": threshold, "max": inf if top is None else float(top)}
        return Reading(Kind.ACTIVATION, Activation("bounded_relu", tuple(found.items())))
    if slope:
        return Reading(Kind.ACTIVATION, Activation("leaky_relu", (("alpha", slope),)))
    if top is not None:
        return Reading(Kind.ACTIVATION, Activation("clip", (("min", 0.0), ("max", float(top)))))
    return Reading(Kind.ACTIVATION, Activation("relu"))


def _activation(function: str, **attributes: str) -> Reader:
    def reading(call: Call) -> Reading:
        found = ((ours, getattr(call.op, theirs, None)) for ours, theirs in attributes.items())
        constants = tuple((name, float(value)) for name, value in found if value is not None)
        return Reading(Kind.ACTIVATION, Activation(function, constants))

    return reading


def _softmax(function: str) -> Reader:
    def reading(call: Call) -> Reading:
        axis = getattr(call.op, "axis", -1)
        axes = [axis] if isinstance(axis, int) else list(axis if axis is not None else ())
        if len(axes) != 1:
            return Reading(Kind.ACTIVATION, Whole(function))
        return Reading(Kind.ACTIVATION, Activation(function, axis=call.axis(axes[0])))

    return reading


def _gelu(call: Call) -> Reading:
    return Reading(Kind.ACTIVATION, Activation("gelu_tanh" if getattr(call.op, "approximate", False) else "gelu"))


def _glu(call: Call) -> Reading:
    return Reading(Kind.ACTIVATION, Activation("glu", axis=call.axis(int(getattr(call.op, "axis", -1)))))


def _clip(call: Call) -> Reading:
    low, high = call.argument(1, "x_min"), call.argument(2, "x_max")
    if not all(isinstance(bound, (int, float)) for bound in (low, high)):
        return Reading(Kind.ACTIVATION, Pointwise("clip"))
    return Reading(Kind.ACTIVATION, Activation("clip", (("min", float(low)), ("max", float(high)))))


def _always(name: str) -> Reader:
    return always(Kind.ACTIVATION, _OURS[name])


READERS: dict[str, Reader] = {
    "Activation": _activation_layer,
    "ReLU": _relu,
    "Relu": _always("relu"),
    "Relu6": _always("relu6"),
    "LeakyReLU": _activation("leaky_relu", alpha="negative_slope"),
    "LeakyRelu": _activation("leaky_relu", alpha="negative_slope"),
    "PReLU": _activation("prelu"),
    "ELU": _activation("elu", alpha="alpha"),
    "Elu": _activation("elu", alpha="alpha"),
    "Celu": _activation("celu", alpha="alpha"),
    "Selu": _always("selu"),
    "Gelu": _gelu,
    "Glu": _glu,
    "Silu": _always("silu"),
    "HardSilu": _always("hard_silu"),
    "Sigmoid": _always("sigmoid"),
    "SparseSigmoid": _always("sparse_sigmoid"),
    "HardSigmoid": _always("hard_sigmoid"),
    "LogSigmoid": _always("log_sigmoid"),
    "Tanh": _always("tanh"),
    "HardTanh": _always("hard_tanh"),
    "TanhShrink": _always("tanh_shrink"),
    "Softplus": _always("softplus"),
    "SparsePlus": _always("sparse_plus"),
    "Softsign": _always("softsign"),
    "SoftShrink": _activation("soft_shrink", lambd="threshold"),
    "HardShrink": _activation("hard_shrink", lambd="threshold"),
    "Threshold": _activation("threshold", threshold="threshold", value="default_value"),
    "Squareplus": _activation("squareplus", b="b"),
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "Clip": _clip,
}
