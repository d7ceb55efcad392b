"""Normalisations, as they run in inference: mean, variance, scale, shift."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from convlens.arithmetic.rounding import LARGEST, Floats, Truths, finite_sizes
from convlens.arithmetic.working import Array, Integers, Step, Swept, Working, single
from convlens.network import Normalisation, Shape

FROM_THE_VALUE = ("layer", "group", "instance", "rms", "unit", "batch")
UNCENTRED = ("rms", "unit")


@dataclass(frozen=True, slots=True)
class _Statistics:
    """Mean and variance of some values; ``size``: the mean magnitude of what they were taken from; ``squares``: what
    the squares of all of them together come to."""

    mean: Floats
    variance: Floats
    size: Floats
    roundings: int
    squares: Floats


def normalisation(
    operation: Normalisation, index: Shape, source: Array, weights: Mapping[str, Array]
) -> Working | None:
    """One value of a normalisation; ``None`` for a mode whose formula isn't known here.

    Batch normalisation reads stored statistics; the others take mean and variance from the value's own group.
    """
    value = source[index].astype(np.float64)
    parts = {role: _role_at(operation, weights, role, index, source.shape) for role in weights}
    scale, shift = parts.get("scale"), parts.get("shift")
    if operation.axes:
        if operation.mode not in FROM_THE_VALUE:
            return None
        mesh = np.ix_(*_group_of(operation, index, source.shape))
        group = source[mesh].astype(np.float64)
        measured = _measured(operation, group)
        parts_of_one = (measured.mean, measured.variance, measured.size)
        mean, variance, size = (part.reshape(()) for part in parts_of_one)
        found = _Statistics(mean, variance, size, measured.roundings, measured.squares.reshape(()))
    elif _stored(operation, weights):
        mean = np.asarray(parts["mean"])
        found = _Statistics(mean, np.asarray(parts["variance"]), np.abs(mean), 8, np.zeros(()))
    else:
        return None
    steps = _steps(value, found, operation, scale, shift)
    total = steps[-1].value
    magnitude = float(_magnitude(value, found, operation, scale, shift))
    formula = _formula(operation, scale, shift)
    if not operation.axes:
        return single(
            "normalisation",
            formula,
            float(value),
            total,
            index,
            steps=steps,
            bias=shift,
            roundings=found.roundings,
            magnitude=magnitude,
        )
    return Working(
        rule="normalisation",
        formula=f"{formula}, over {group.size:,} values",
        window=group,
        inputs=np.zeros((1,) * group.ndim, np.intp),
        places=tuple(mesh),
        focus=int(np.ravel_multi_index([n - axis.flat[0] for n, axis in zip(index, mesh, strict=True)], group.shape)),
        bias=shift,
        steps=steps,
        total=total,
        roundings=found.roundings,
        magnitude=magnitude,
        stored=magnitude,  # the statistics, which PyTorch's instance normalisation keeps in the layer's own type
        unsettled=bool(_too_large(found)),
    )


def normalised(operation: Normalisation, channel: int, source: Array, weights: Mapping[str, Array]) -> Swept | None:
    """Every value of one channel."""
    roles = {role: _spread(operation, weight, source.shape)[channel] for role, weight in weights.items()}
    scale, shift = roles.get("scale"), roles.get("shift")
    if not operation.axes:
        if not _stored(operation, weights):
            return None
        found = _Statistics(roles["mean"], roles["variance"], np.abs(roles["mean"]), 8, np.zeros(()))
    elif operation.mode not in FROM_THE_VALUE:
        return None
    else:
        found = _measured(operation, source[_channels_of(operation, channel, len(source))].astype(np.float64))
        mean, variance, size, squares = (part[0] for part in (found.mean, found.variance, found.size, found.squares))
        found = _Statistics(mean, variance, size, found.roundings, squares)
    values = source[channel].astype(np.float64)
    with np.errstate(all="ignore"):
        total = (values - found.mean) / np.sqrt(found.variance + _added(operation))
        total = total if scale is None else total * scale
        total = total if shift is None else total + shift
    magnitude = _magnitude(values, found, operation, scale, shift)
    unsettled = np.broadcast_to(_too_large(found), total.shape)
    return Swept(total, found.roundings, magnitude, magnitude if operation.axes else 0.0, unsettled=unsettled)


def _measured(operation: Normalisation, group: Floats) -> _Statistics:
    """The statistics of a group of values, over its normalised axes."""
    axes = tuple(range(group.ndim)) if operation.mode == "group" else operation.axes
    count = group.size // max(1, int(np.prod([n for axis, n in enumerate(group.shape) if axis not in axes])))
    with np.errstate(all="ignore"):
        size = np.abs(group).mean(axis=axes, keepdims=True)
        centred = operation.mode not in UNCENTRED
        mean = group.mean(axis=axes, keepdims=True) if centred else np.zeros(size.shape)
        variance = ((group - mean) ** 2).mean(axis=axes, keepdims=True)
        if operation.mode == "unit":
            variance = np.maximum(variance * count, operation.epsilon**2)
        squares = (finite_sizes(group) ** 2).sum(axis=axes, keepdims=True)
    return _Statistics(mean, variance, size, 2 * count + 8, squares)


def _too_large(found: _Statistics) -> Truths:
    """Whether the squares may pass float32's range: what is divided by them then becomes 0, or NaN."""
    return np.asarray(found.squares * 2 >= LARGEST)


def _added(operation: Normalisation) -> float:
    """What is added to the variance: a unit norm is held above epsilon instead."""
    return 0.0 if operation.mode == "unit" else operation.epsilon


def _stored(operation: Normalisation, weights: Mapping[str, Array]) -> bool:
    return operation.mode in ("batch", "instance") and "mean" in weights and "variance" in weights


def _group_of(operation: Normalisation, index: Shape, shape: Shape) -> list[Integers]:
    """The positions along each axis whose statistics the value at ``index`` is normalised with."""
    axes = []
    for axis, size in enumerate(shape):
        if axis == 0:
            axes.append(np.arange(size)[_channels_of(operation, index[0], size)])
        elif axis in operation.axes:
            axes.append(np.arange(size))
        else:
            axes.append(np.array([index[axis]]))
    return axes


def _channels_of(operation: Normalisation, channel: int, channels: int) -> slice:
    """The channels whose statistics a value of ``channel`` is normalised with."""
    if operation.mode == "group":
        per_group = channels // operation.groups
        first = channel // per_group * per_group
        return slice(first, first + per_group)
    return slice(None) if 0 in operation.axes else slice(channel, channel + 1)


def _role_at(
    operation: Normalisation, weights: Mapping[str, Array], role: str, index: Shape, shape: Shape
) -> float | None:
    return float(_spread(operation, weights[role], shape)[index]) if role in weights else None


def _spread(operation: Normalisation, weight: Array, shape: Shape) -> Floats:
    """A weight, stretched to the layer's ``shape``: one number, one a channel, or one a value of the normalised axes.

    Layer normalisation has a weight for every value of its axes, the others one a channel.
    """
    axes = tuple(sorted(operation.axes)) if operation.mode in ("layer", "rms") else ()
    if axes and weight.shape == tuple(shape[axis] for axis in axes):
        along = tuple(size if axis in axes else 1 for axis, size in enumerate(shape))
        return np.broadcast_to(weight.astype(np.float64).reshape(along), shape)
    return spread(weight, shape)


def spread(weight: Array, shape: Shape) -> Floats:
    """A weight, stretched to the layer's ``shape``: one number, or aligned with its first axes, or with its last.

    >>> spread(np.array([1.0, 2.0]), (2, 3))[:, 0].tolist(), spread(np.array([5.0]), (2, 3)).max()
    ([1.0, 2.0], np.float64(5.0))
    """
    values = weight.astype(np.float64)
    if values.size == 1:
        return np.broadcast_to(values.reshape(()), shape)
    if values.shape == shape[: values.ndim]:
        return np.broadcast_to(values.reshape(values.shape + (1,) * (len(shape) - values.ndim)), shape)
    return np.broadcast_to(values, shape)


def _steps(
    value: Floats, found: _Statistics, operation: Normalisation, scale: float | None, shift: float | None
) -> tuple[Step, ...]:
    with np.errstate(all="ignore"):
        mean, variance = float(found.mean.reshape(())), float(found.variance.reshape(()))
        total = np.float64(value) - mean
        steps = [] if operation.mode in UNCENTRED else [Step(f"x - mean ({mean:.9g})", float(total))]
        total /= np.sqrt(np.float64(variance + _added(operation)))
        what = {"rms": "mean of squares", "unit": "sum of squares"}.get(operation.mode, "variance")
        added = "" if operation.mode == "unit" else f" + {operation.epsilon:.9g}"
        steps.append(Step(f"/ sqrt({what} ({variance:.9g}){added})", float(total)))
        if scale is not None:
            total *= scale
            steps.append(Step(f"x scale ({scale:.9g})", float(total)))
        if shift is not None:
            total += shift
            steps.append(Step(f"+ shift ({shift:.9g})", float(total)))
    return tuple(steps)


def _magnitude(
    value: Floats,
    found: _Statistics,
    operation: Normalisation,
    scale: Floats | float | None,
    shift: Floats | float | None,
) -> Floats:
    """What the roundings are relative to.

    Frameworks fold scale and shift in different orders; each order adds numbers of this size. Some take the variance of
    a group as mean of squares - square of the mean: its error, relative to the variance, is multiplied by how much
    larger the mean of squares is, and half of it reaches the square root.
    """
    with np.errstate(all="ignore"):
        variance = found.variance + _added(operation)
        factor = np.abs(1.0 if scale is None else scale) / np.sqrt(variance)
        cancelled = (found.variance + found.mean**2) / variance if operation.axes else 1.0
        centred = np.abs(value - found.mean) * cancelled
        return np.asarray((np.abs(value) + found.size + centred) * factor + np.abs(0.0 if shift is None else shift))


def _formula(operation: Normalisation, scale: float | None, shift: float | None) -> str:
    text = {
        "rms": "x / sqrt(mean of squares + epsilon)",
        "unit": "x / sqrt(sum of squares)",
    }.get(operation.mode, "(x - mean) / sqrt(variance + epsilon)")
    if scale is not None:
        text += " * scale"
    return text + (" + shift" if shift is not None else "")
