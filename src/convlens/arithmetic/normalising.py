"""Normalisations, as they run in inference: mean, variance, scale, shift."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import numpy as np

from convlens.arithmetic.working import Array, Floats, Integers, Step, Working, single
from convlens.network import Normalisation, Shape


def normalisation(
    operation: Normalisation, index: Shape, source: Array, weights: Mapping[str, Array]
) -> Working | None:
    """One value of a normalisation; ``None`` for a mode whose formula isn't known here.

    Batch normalisation reads stored statistics; the others take mean and variance from the value's own group.
    """
    value = float(source[index])
    scale, shift = role_at(weights, "scale", index, source.shape), role_at(weights, "shift", index, source.shape)
    if not operation.axes:
        if operation.mode not in ("batch", "instance") or "mean" not in weights or "variance" not in weights:
            return None
        mean = role_at(weights, "mean", index, source.shape) or 0.0
        variance = role_at(weights, "variance", index, source.shape) or 0.0
        steps, total = _steps(value, mean, variance, operation.epsilon, scale, shift)
        return single(
            "normalisation",
            _formula(scale, shift),
            value,
            total,
            index,
            steps=steps,
            bias=shift,
            roundings=8,
            magnitude=_magnitude(value, mean, variance, operation.epsilon, scale, shift),
        )
    if operation.mode not in ("layer", "group", "instance", "rms", "batch"):
        return None
    axes = group_of(operation, index, source.shape)
    mesh = np.ix_(*axes)
    group = source[mesh].astype(np.float64)
    mean = 0.0 if operation.mode == "rms" else float(group.mean())
    variance = float(((group - mean) ** 2).mean())
    steps, total = _steps(value, mean, variance, operation.epsilon, scale, shift)
    return Working(
        rule="normalisation",
        formula=_formula(scale, shift, over=group.size, centred=operation.mode != "rms"),
        window=group,
        inputs=np.zeros((1,) * group.ndim, np.intp),
        places=tuple(mesh),
        bias=shift,
        steps=steps,
        total=total,
        roundings=2 * group.size + 8,
        magnitude=_magnitude(value, float(np.abs(group).mean()), variance, operation.epsilon, scale, shift),
    )


def statistics(
    operation: Normalisation, source: Array, weights: Mapping[str, Array]
) -> tuple[Floats, Floats, int, Floats] | None:
    """Mean and variance for every value, how many roundings they cost, and the magnitude around which values lie.

    All broadcast to the source's shape; ``None`` for a mode whose formula isn't known.
    """
    if not operation.axes:
        if operation.mode not in ("batch", "instance") or "mean" not in weights or "variance" not in weights:
            return None
        mean, variance = spread(weights["mean"], source.shape), spread(weights["variance"], source.shape)
        return mean, variance, 8, np.abs(mean)
    if operation.mode not in ("layer", "group", "instance", "rms", "batch"):
        return None
    values = source.astype(np.float64)
    axes = operation.axes
    if operation.mode == "group":
        values = values.reshape(operation.groups, -1, *source.shape[1:])
        axes = tuple(range(1, values.ndim))
    mean = values.mean(axis=axes, keepdims=True) * (operation.mode != "rms")
    variance = ((values - mean) ** 2).mean(axis=axes, keepdims=True)
    size = np.abs(values).mean(axis=axes, keepdims=True)
    count = values.size // mean.size
    shaped = [np.broadcast_to(part, values.shape).reshape(source.shape) for part in (mean, variance, size)]
    return shaped[0], shaped[1], 2 * count + 8, shaped[2]


def group_of(operation: Normalisation, index: Shape, shape: Shape) -> list[Integers]:
    """The positions along each axis whose statistics the value at ``index`` is normalised with."""
    axes = []
    for axis, size in enumerate(shape):
        if axis == 0 and operation.mode == "group":
            per_group = size // operation.groups
            first = index[0] // per_group * per_group
            axes.append(np.arange(first, first + per_group))
        elif axis in operation.axes:
            axes.append(np.arange(size))
        else:
            axes.append(np.array([index[axis]]))
    return axes


def role_at(weights: Mapping[str, Array], role: str, index: Shape, shape: Shape) -> float | None:
    """A weight that holds for the value at ``index``: one a channel, or one a value of the normalised axes."""
    if role not in weights:
        return None
    return float(spread(weights[role], shape)[index])


def spread(weight: Array, shape: Shape) -> Floats:
    """A weight, stretched to the layer's ``shape``: scalar, one a channel, or aligned with the first or last axes."""
    values = weight.astype(np.float64)
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    if values.shape == shape[: values.ndim]:
        return np.broadcast_to(values.reshape(values.shape + (1,) * (len(shape) - values.ndim)), shape)
    return np.broadcast_to(values, shape)


def _steps(
    value: float, mean: float, variance: float, epsilon: float, scale: float | None, shift: float | None
) -> tuple[tuple[Step, ...], float]:
    total = value - mean
    steps = [Step(f"x - mean ({mean:.9g})", total)]
    total /= sqrt(variance + epsilon)
    steps.append(Step(f"/ sqrt(variance ({variance:.9g}) + {epsilon:.9g})", total))
    if scale is not None:
        total *= scale
        steps.append(Step(f"x scale ({scale:.9g})", total))
    if shift is not None:
        total += shift
        steps.append(Step(f"+ shift ({shift:.9g})", total))
    return tuple(steps), total


def _magnitude(
    value: float, mean: float, variance: float, epsilon: float, scale: float | None, shift: float | None
) -> float:
    """Frameworks fold scale and shift in different orders; each order adds numbers of this size."""
    factor = abs(1.0 if scale is None else scale) / sqrt(variance + epsilon)
    return (abs(value) + abs(mean)) * factor + abs(shift or 0.0)


def _formula(scale: float | None, shift: float | None, *, over: int = 0, centred: bool = True) -> str:
    top = "(x - mean)" if centred else "x"
    text = f"{top} / sqrt({'variance' if centred else 'mean of squares'} + epsilon)"
    if scale is not None:
        text += " * scale"
    if shift is not None:
        text += " + shift"
    return text + (f", over {over} values" if over else "")
