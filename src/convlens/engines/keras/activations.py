"""Activations: layers, functions, and those built into another layer."""

from __future__ import annotations

from math import prod

from convlens.engines.keras.calls import Call, Reader, Reading, always
from convlens.network import Activation, Kind, Pointwise, Whole

_FUNCTIONS = {"swish": "silu", "linear": "identity", "exponential": "exp", "hard_swish": "hard_silu"}


def fused(call: Call) -> Reading:
    """The activation function inside a layer."""
    return Reading(Kind.ACTIVATION, _function(call, call.function), "Activation")


def _function(call: Call, name: str) -> Activation:
    name = _FUNCTIONS.get(name, name)
    constants: tuple[tuple[str, float], ...] = ()
    if name == "leaky_relu":
        constants = (("alpha", 0.2),)
    if name in ("elu", "celu"):
        constants = (("alpha", 1.0),)
    along = name in ("softmax", "log_softmax", "sparsemax")
    return Activation(name, constants, call.axis(-1) if along else None)


def _activation_layer(call: Call) -> Reading:
    return Reading(Kind.ACTIVATION, _function(call, getattr(call.op.activation, "__name__", "activation")))


def _relu(call: Call) -> Reading:
    op = call.op
    slope, top = float(getattr(op, "negative_slope", 0.0) or 0.0), getattr(op, "max_value", None)
    threshold = float(getattr(op, "threshold", 0.0) or 0.0)
    if threshold:
        found = {"alpha": slope, "threshold": threshold} | ({} if top is None else {"max": float(top)})
        return Reading(Kind.ACTIVATION, Activation("thresholded_relu", tuple(found.items())))
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
    return Reading(Kind.ACTIVATION, Pointwise("glu") if prod(call.before) == prod(call.after) else Whole("glu"))


def _clip(call: Call) -> Reading:
    low, high = call.argument(1, "x_min"), call.argument(2, "x_max")
    return Reading(Kind.ACTIVATION, Activation("clip", (("min", float(low)), ("max", float(high)))))


READERS: dict[str, Reader] = {
    "Activation": _activation_layer,
    "ReLU": _relu,
    "Relu": _activation("relu"),
    "Relu6": always(Kind.ACTIVATION, Activation("clip", (("min", 0.0), ("max", 6.0)))),
    "LeakyReLU": _activation("leaky_relu", alpha="negative_slope"),
    "LeakyRelu": _activation("leaky_relu", alpha="negative_slope"),
    "PReLU": _activation("prelu"),
    "ELU": _activation("elu", alpha="alpha"),
    "Elu": _activation("elu", alpha="alpha"),
    "Celu": _activation("celu", alpha="alpha"),
    "Selu": _activation("selu"),
    "Gelu": _gelu,
    "Glu": _glu,
    "Silu": _activation("silu"),
    "HardSilu": _activation("hard_silu"),
    "Sigmoid": _activation("sigmoid"),
    "HardSigmoid": _activation("hard_sigmoid"),
    "LogSigmoid": _activation("log_sigmoid"),
    "Tanh": _activation("tanh"),
    "HardTanh": _activation("hard_tanh"),
    "TanhShrink": _activation("tanh_shrink"),
    "Softplus": _activation("softplus"),
    "Softsign": _activation("softsign"),
    "SoftShrink": _activation("soft_shrink", lambd="threshold"),
    "HardShrink": _activation("hard_shrink", lambd="threshold"),
    "Squareplus": _activation("squareplus"),
    "Softmax": _softmax("softmax"),
    "LogSoftmax": _softmax("log_softmax"),
    "Clip": _clip,
}
