"""Quantised layers: whole numbers that stand for real ones, real = scale * (integer - zero point).

Products are added up in whole numbers, exactly; their sum is scaled, rounded to the nearest whole number (halves to the
even one), moved by the output's zero point, and held within what the type can say. Source: the QLinearConv,
QLinearMatMul, ConvInteger, QuantizeLinear and DequantizeLinear operators of the ONNX specification.

Roles of the weights: ``kernel_integers``, ``weight_integers`` or, of a product of matrices, ``right_integers`` (zero
point taken off already), ``bias_integers``, ``input_zero_point``, ``kernel_scale`` (one a filter, or one in all),
``input_scale``, ``output_scale`` and ``output_zero_point``; of quantising itself ``scale`` and ``zero_point``, spread
over the map.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from convlens.arithmetic import matrices, products
from convlens.arithmetic.convolving import convolution, convolved
from convlens.arithmetic.rounding import Floats
from convlens.arithmetic.working import Array, Step, Swept, Working, single
from convlens.network import Convolution, Dense, Layer, Shape, Whole

Product = Convolution | Dense | Whole

FUNCTIONS = ("quantise", "dequantise")
_SCALING = 6
"""Roundings of a sum's way to the output's unit: three of the factor, one of the sum as a real number, two products."""


@dataclass(frozen=True, slots=True)
class _Target:
    """What a sum becomes: the factor to the output's unit, its zero point, the least and the largest integer."""

    factor: Floats | float
    zero_point: float
    limits: tuple[float, float]
    words: str


def applies(operation: Product, outputs: Shape, sources: Sequence[Array], weights: Mapping[str, Array]) -> bool:
    """Whether these are the weights of a quantised layer, whose input has the axes that it needs."""
    if not sources:
        return False
    if isinstance(operation, Convolution):
        return "kernel_integers" in weights and sources[0].ndim == len(outputs) == 1 + len(operation.kernel_size)
    if isinstance(operation, Whole):
        return "right_integers" in weights and operation.function == "matrix_product"
    return "weight_integers" in weights


def with_zero_point(sources: Sequence[Array], weights: Mapping[str, Array]) -> Mapping[str, Array]:
    """The weights, and the zero point that the network itself computed: the second input of a dynamic layer."""
    known = "input_zero_point" in weights or len(sources) < 2
    return weights if known else {**weights, "input_zero_point": sources[1]}


def explained(
    operation: Product, index: Shape, layer: Layer, source: Array, weights: Mapping[str, Array]
) -> Working | None:
    """One value of a quantised convolution or dense layer; ``None`` where its zero points aren't known."""
    zero = _number(weights, "input_zero_point", 0.0)
    if zero is None:
        return None
    if isinstance(operation, Convolution):
        plain = convolution(operation, index, source, {"kernel": weights["kernel_integers"]})
    elif isinstance(operation, Dense):
        plain = products.dense(operation, index, source, {"weight": weights["weight_integers"]})
    else:
        matrix = {"operand1": weights["right_integers"]}
        found = matrices.product(operation.function, index, layer.output_shape, [source], matrix)
        if found is None:
            return None
        plain = found
    assert plain.kernel is not None
    window = np.where(plain.inside, plain.window, zero)
    terms = window * plain.kernel
    unit = _unit(operation, index, source.shape)
    summed, correction, bias = float(terms.sum()), zero * float(plain.kernel.sum()), _bias(weights, unit)
    steps = [Step("sum of window x kernel, in whole numbers", summed)]
    if zero:
        steps.append(Step(f"- zero point of the input ({zero:g}) x sum of kernel", summed - correction))
    if bias is not None:
        steps.append(Step(f"+ bias ({bias:.0f})", summed - correction + bias))
    added = (bias or 0.0) - correction
    made = replace(
        plain,
        rule=f"quantised {plain.rule}",
        formula="sum of (window - zero point) x kernel" + (" + bias" if bias is not None else ""),
        window=window,
        products=terms,
        bias=added if zero or bias is not None else None,
        total=summed + added,
        roundings=1,
        magnitude=0.0,
        stored=0.0,
        steps=tuple(steps),
    )
    return made if "output_scale" not in weights else _in_units(made, _target(weights, unit, layer.dtype))


def swept(
    operation: Product,
    channel: int,
    outputs: Shape,
    dtype: str,
    source: Array,
    weights: Mapping[str, Array],
) -> Swept | None:
    """Every value of one channel."""
    zero = _number(weights, "input_zero_point", 0.0)
    if zero is None:
        return None
    shifted = source.astype(np.float64) - zero
    if isinstance(operation, Convolution):
        kernel = {"kernel": weights["kernel_integers"]}
        total = convolved(operation, channel, outputs[1:], shifted, kernel).total
        units = np.asarray(channel)
    elif isinstance(operation, Whole):
        right = {"operand1": weights["right_integers"]}
        found = matrices.all_products(operation.function, channel, outputs, [shifted], right)
        if found is None:
            return None
        total, units = found.total, np.arange(outputs[-1])
    else:
        matrix = {"weight": weights["weight_integers"]}
        total = products.all_dense(operation, channel, outputs, shifted, matrix).total
        axis = products.feature_axis(operation, source.shape)
        along = [1] * total.ndim
        if axis:
            along[axis - 1] = -1
        units = np.asarray(channel) if axis == 0 else np.arange(operation.out_features).reshape(along)
    if "bias_integers" in weights:
        total = total + weights["bias_integers"].astype(np.float64).reshape(-1)[units]
    if "output_scale" not in weights:
        return Swept(total)
    return _rounded(total, _target(weights, units, dtype))


def quantised(function: str, index: Shape, dtype: str, source: Array, weights: Mapping[str, Array]) -> Working | None:
    """One value that is made a whole number, or one that is made real again."""
    if limits(dtype) is None and function == "quantise":
        return None
    scale, zero = (float(part[index]) for part in _spread(weights, source.shape))
    value = float(source[index])
    with np.errstate(all="ignore"):
        if function == "dequantise":
            total = (value - zero) * scale
            steps = (Step(f"integer - zero point ({zero:g})", value - zero), Step(f"x scale ({scale:.9g})", total))
            size = abs(total)
            return single(
                "dequantise",
                "(integer - zero point) x scale",
                value,
                total,
                index,
                steps=steps,
                roundings=3,
                magnitude=size,
            )
        target = _quantising(scale, zero, dtype)
        plain = single("quantise", "x / scale", value, value, index)
        return replace(_in_units(plain, target), accumulated=None)


def all_quantised(function: str, channel: int, dtype: str, source: Array, weights: Mapping[str, Array]) -> Swept | None:
    """Every value of one channel."""
    if limits(dtype) is None and function == "quantise":
        return None
    scale, zero = (part[channel] if source.ndim else part for part in _spread(weights, source.shape))
    values = (source[channel] if source.ndim else source).astype(np.float64)
    with np.errstate(all="ignore"):
        if function == "dequantise":
            total = (values - zero) * scale
            return Swept(total, 3, np.abs(total))
        least, most = limits(dtype) or (0.0, 0.0)
        return _rounding(values / scale, zero, (least, most))


def limits(dtype: str) -> tuple[float, float] | None:
    """The least and the largest number of a type of whole numbers; ``None`` for other types.

    >>> limits("int8"), limits("uint4"), limits("float32")
    ((-128.0, 127.0), (0.0, 15.0), None)
    """
    for name, signed in (("uint", False), ("int", True)):
        if dtype.startswith(name) and dtype[len(name) :].isdecimal():
            bits = int(dtype[len(name) :])
            return (-(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1) if signed else (0.0, 2.0**bits - 1)
    return None


def _in_units(plain: Working, target: _Target) -> Working:
    """The sum brought to the output's unit, rounded and held within its type."""
    with np.errstate(all="ignore"):
        real = np.float64(plain.total) * target.factor
        found = _rounded(np.asarray(plain.total), target)
    total, nearest = float(found.total), float(np.rint(real))
    steps = [
        *plain.steps,
        Step(target.words, float(real)),
        Step("rounded to the nearest whole number, halves to the even one", nearest),
    ]
    if target.zero_point:
        steps.append(Step(f"+ zero point of the output ({target.zero_point:g})", nearest + target.zero_point))
    if total != nearest + target.zero_point:
        steps.append(Step(f"held within {target.limits[0]:.0f} to {target.limits[1]:.0f}", total))
    return replace(
        plain,
        formula=f"{plain.formula}, scaled, rounded",
        steps=tuple(steps),
        accumulated=plain.total,
        total=total,
        astray=float(np.asarray(found.astray)),
        unsettled=bool(found.unsettled),
    )


def _rounded(sums: Floats, target: _Target) -> Swept:
    with np.errstate(all="ignore"):
        return _rounding(sums * target.factor, target.zero_point, target.limits)


def _rounding(real: Floats, zero_point: Floats | float, held: tuple[float, float]) -> Swept:
    """Real numbers as whole ones.

    A number so near to a half that the framework's roundings may take it across can become the one or the other.
    """
    reach = np.abs(real) * _SCALING * 2.0**-24

    def whole(numbers: Floats) -> Floats:
        found: Floats = np.clip(np.rint(numbers) + zero_point, *held)
        return found

    # as a whole number NaN is whatever the processor makes of it
    return Swept(whole(real), astray=whole(real + reach) - whole(real - reach), unsettled=np.isnan(real))


def _target(weights: Mapping[str, Array], unit: Array | int, dtype: str) -> _Target:
    held = limits(dtype)
    assert held is not None
    into, of_output = (_number(weights, role, 1.0) or 1.0 for role in ("input_scale", "output_scale"))
    scales = weights["kernel_scale"].astype(np.float64).reshape(-1)
    kernel = scales[0] if scales.size == 1 else scales[unit]
    factor = into * kernel / of_output
    words = ""
    if np.ndim(factor) == 0:
        words = (
            f"x scale ({float(factor):.9g} = input {into:.9g} x kernel {float(kernel):.9g} / output {of_output:.9g})"
        )
    return _Target(factor, _number(weights, "output_zero_point", 0.0) or 0.0, held, words)


def _quantising(scale: float, zero: float, dtype: str) -> _Target:
    held = limits(dtype)
    assert held is not None
    return _Target(float(np.float64(1) / scale), zero, held, f"x / scale ({scale:.9g})")


def _number(weights: Mapping[str, Array], role: str, default: float) -> float | None:
    """A weight that is one number; ``None`` where it is several."""
    found = weights.get(role)
    if found is None:
        return default
    return float(found.reshape(-1)[0]) if found.size == 1 else None


def _bias(weights: Mapping[str, Array], unit: int) -> float | None:
    return float(weights["bias_integers"].reshape(-1)[unit]) if "bias_integers" in weights else None


def _unit(operation: Product, index: Shape, shape: Shape) -> int:
    """Which filter or unit makes the value at ``index``."""
    if isinstance(operation, Whole):
        return index[-1]
    if isinstance(operation, Convolution) or len(index) != len(shape):
        return index[0]
    return index[products.feature_axis(operation, shape)]


def _spread(weights: Mapping[str, Array], shape: Shape) -> tuple[Floats, Floats]:
    zero = weights.get("zero_point", np.zeros(1))
    scale, zero = weights["scale"].astype(np.float64), zero.astype(np.float64)
    if not shape:
        return scale.reshape(()), zero.reshape(())
    return np.broadcast_to(scale, shape), np.broadcast_to(zero, shape)
