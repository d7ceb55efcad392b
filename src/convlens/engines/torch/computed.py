"""Operators that compute: dense, normalisation, activation, arithmetic, reductions."""

from __future__ import annotations

from convlens.engines.torch.calls import Call, Described, Reader
from convlens.engines.torch.windowed import over_the_map
from convlens.network import Activation, Dense, Kind, Merge, Normalisation, Pointwise, Whole


def linear(call: Call) -> Described:
    """``x @ weight.T + bias``."""
    if "weight" not in call.shapes or len(call.moving) > 1:
        return Kind.ARITHMETIC, Whole(call.op)
    outputs, inputs = call.shapes["weight"]
    return Kind.DENSE, _dense(call, inputs, outputs, call.arguments.get("bias") is not None)


def matrix_product(call: Call) -> Described:
    """``x @ w`` with constant ``w`` is dense; a product of two values is arithmetic."""
    weight = call.shapes.get("mat2") or call.shapes.get("other")
    if len(call.moving) > 1:
        return Kind.ARITHMETIC, Whole("matrix_product")
    if weight is None:
        return Kind.ARITHMETIC, Whole(call.op)
    if call.constants[0][0] == 0 or len(weight) != 2:
        return Kind.ARITHMETIC, Whole("matrix_product")
    return Kind.DENSE, _dense(call, weight[0], weight[1], bias=False)


def addmm(call: Call) -> Described:
    """``bias + x @ w``, which ``linear`` becomes in exported graphs."""
    weight = call.shapes["mat2"]
    whole = call.arguments.get("alpha") == call.arguments.get("beta") == 1
    if len(call.moving) > 1 or call.before != call.shapes["mat1"] or len(call.shapes["self"]) != 1 or not whole:
        return Kind.ARITHMETIC, Whole(call.op)
    return Kind.DENSE, _dense(call, weight[0], weight[1], bias=True)


def _dense(call: Call, inputs: int, outputs: int, bias: bool) -> Dense:
    axes = len(call.before) - call.lead(call.before)
    if axes > 1:
        return Dense(inputs, outputs, bias, per_position=True, features_axis=axes - 1)
    return Dense(inputs, outputs, bias)


def reduction(function: str) -> Reader:
    """A sum, mean, ... over axes; a mean or maximum over exactly the spatial axes is a pooling of the whole map."""

    def read(call: Call) -> Described:
        shape, stated = call.before, call.arguments.get("dim")
        axes = range(len(shape)) if stated is None or stated == () else (stated,) if isinstance(stated, int) else stated
        over = tuple(sorted(call.batchless(int(axis), shape) for axis in axes))
        rank = len(shape) - call.lead(shape)
        if -1 in over and call.batch > 1:
            return Kind.ARITHMETIC, Whole(function)
        over = tuple(axis for axis in over if axis >= 0)
        if rank > 1 and over == tuple(range(1, rank)) and function in ("mean", "max") and call.lead(shape):
            return Kind.POOLING, over_the_map("average" if function == "mean" else "max", shape[2:])
        return Kind.ARITHMETIC, Pointwise(function, over) if over == (0,) and rank > 1 else Whole(function, over)

    return read


def batch_norm(call: Call) -> Described:
    """Statistics that were learnt, or without them (``track_running_stats=False``) those of this very batch."""
    own = bool(call.arguments.get("training")) or call.arguments.get("running_mean") is None
    if own and call.batch > 1:
        return Kind.NORMALISATION, Whole("batch_norm")
    axes = tuple(range(1, 1 + call.spatial_rank)) if own else ()
    return Kind.NORMALISATION, Normalisation("batch", float(call.arguments.get("eps", 1e-5)), axes=axes)


def instance_norm(call: Call) -> Described:
    """Each map with its own statistics, or with learnt ones."""
    axes = tuple(range(1, 1 + call.spatial_rank)) if call.arguments.get("use_input_stats") else ()
    return Kind.NORMALISATION, Normalisation("instance", float(call.arguments.get("eps", 1e-5)), axes=axes)


def group_norm(call: Call) -> Described:
    """Groups of channels with their own statistics."""
    groups = int(call.arguments.get("num_groups") or call.arguments.get("group", 1))
    axes = tuple(range(len(call.output) - call.lead(call.output)))
    return Kind.NORMALISATION, Normalisation("group", float(call.arguments.get("eps", 1e-5)), groups, axes)


def layer_norm(mode: str) -> Reader:
    """Statistics over the last axes. Without a stated epsilon RMS takes that of the float type."""

    def read(call: Call) -> Described:
        rank = len(call.output)
        first = rank - len(call.arguments["normalized_shape"])
        axes = tuple(call.batchless(axis, call.output) for axis in range(first, rank))
        epsilon = call.arguments.get("eps")
        epsilon = _EPSILON.get(call.dtype, 2.0**-23) if epsilon is None else float(epsilon)
        return Kind.NORMALISATION, Normalisation(mode, epsilon, axes=axes)

    return read


_EPSILON = {"float64": 2.0**-52}
"""That of 16-bit types is float32's, which they are computed in."""


def activation(function: str, **constants: str | float) -> Reader:
    """``constants``: our name to torch's argument, or to the number itself where torch has none."""

    def read(call: Call) -> Described:
        values = tuple(
            (name, float(call.arguments[where]) if isinstance(where, str) else where)
            for name, where in constants.items()
        )
        return Kind.ACTIVATION, Activation(function, values)

    return read


def gelu(call: Call) -> Described:
    """Exact, or by a hyperbolic tangent."""
    return Kind.ACTIVATION, Activation("gelu_tanh" if call.arguments.get("approximate") == "tanh" else "gelu")


def elu(call: Call) -> Described:
    """``elu``, also as the ``selu`` that some versions make of it."""
    alpha, scale, inside = (float(call.arguments.get(name, 1.0)) for name in ("alpha", "scale", "input_scale"))
    if inside != 1.0:
        return Kind.ACTIVATION, Pointwise("elu")
    if scale != 1.0:
        return Kind.ACTIVATION, Activation("selu", (("alpha", alpha), ("gamma", scale)))
    return Kind.ACTIVATION, Activation("elu", (("alpha", alpha),))


def clip(call: Call) -> Described:
    """Values held between bounds."""
    low, high = call.arguments.get("min"), call.arguments.get("max")
    if not all(bound is None or isinstance(bound, (int, float)) for bound in (low, high)):
        return Kind.ARITHMETIC, Pointwise("clip_to_computed")
    low = float("-inf") if low is None else float(low)
    high = float("inf") if high is None else float(high)
    return Kind.ACTIVATION, Activation("clip", (("min", low), ("max", high)))


def along_an_axis(function: str) -> Reader:
    """A function of all values along an axis."""

    def read(call: Call) -> Described:
        axis = call.batchless(int(call.arguments["dim"]), call.output)
        return Kind.ACTIVATION, Activation(function, axis=axis) if axis >= 0 else Whole(function)

    return read


def merge(function: str, kind: Kind) -> Reader:
    """Arithmetic of two values, or of one with a constant."""

    def read(call: Call) -> Described:
        if call.arguments.get("rounding_mode"):
            return pointwise(call)
        alpha = call.arguments.get("alpha")
        factor = 1.0 if alpha is None else float(alpha)
        if len(call.moving) < 2 and factor == 1.0:
            return Kind.ARITHMETIC, Pointwise(function)
        merged = Merge(function, factor=factor, constants=call.operand_constants())
        return (kind if len(call.moving) > 1 else Kind.ARITHMETIC), merged

    return read


def where(call: Call) -> Described:
    """One of two values, as a condition says."""
    if "self" not in call.arguments:  # the places where it is true
        return Kind.OTHER, Whole(call.op)
    return Kind.ARITHMETIC, Merge("where", constants=call.operand_constants())


def extreme(function: str, of_two: str) -> Reader:
    """The largest or smallest along axes, or of two values."""
    along, both = reduction(function), merge(of_two, Kind.ARITHMETIC)
    return lambda call: both(call) if "other" in call.arguments else along(call)


def pointwise(call: Call) -> Described:
    """Any other operator that works on each value alone."""
    if len(call.moving) > 1:
        return Kind.ARITHMETIC, Merge(call.op)
    return Kind.ARITHMETIC, Pointwise(call.op)
