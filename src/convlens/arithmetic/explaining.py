"""Which arithmetic a layer does: from its operation to the room that works it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from convlens.arithmetic import functions, merging, moving, normalising, products, windows
from convlens.arithmetic.working import Array, Floats, Step, Working, single
from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Layer,
    Merge,
    Normalisation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
)

UNCHANGED = ("dropout", "identity", "cast")


def explain(layer: Layer, index: Shape, sources: Sequence[Array], weights: Mapping[str, Array]) -> Working | None:
    """Take one value of a layer apart.

    Args:
        layer: the layer that made the value.
        index: where in the layer's output, batchless and channels first.
        sources: the layer's inputs, in the order of ``layer.inputs``; float32, as they crossed the engine border.
        weights: the layer's weights by role, as :meth:`convlens.engines.base.Engine.weights` gives them.

    Returns:
        The working, or ``None`` for a layer whose arithmetic isn't known: it is never guessed.
    """
    operation = layer.operation
    if isinstance(operation, Merge) and len(sources) > 1:
        if operation.function == "concat":
            return merging.concatenation(operation.axis or 0, index, sources)
        return merging.merge(operation, index, sources)
    if len(sources) != 1:
        return None
    source = sources[0]
    match operation:
        case Convolution() if "kernel" in weights and source.ndim == 1 + len(operation.kernel_size):
            return windows.convolution(operation, index, source, weights)
        case Pooling() if source.ndim == 1 + len(operation.kernel_size):
            where = index if len(index) == source.ndim else (*index, *(0,) * (source.ndim - len(index)))
            return windows.pooling(operation, layer.output_shape[1:], where, source)
        case Dense() if "weight" in weights:
            return products.dense(operation, index, source, weights)
        case Normalisation():
            return normalising.normalisation(operation, index, source, weights)
        case Activation():
            return activation(operation, index, source, weights)
        case Pad():
            return moving.pad(operation, index, source)
        case Slice() if len(operation.start) == source.ndim - 1 == len(index) - 1:
            return moving.sliced(operation, index, source)
        case Reshape():
            return moving.reshaped(operation, index, layer.output_shape, source)
        case Resize() if source.ndim == len(index):
            return moving.resized(operation, index, layer.output_shape, source)
        case Pointwise():
            return pointwise(operation, index, source, weights)
        case _:
            return None


def activation(operation: Activation, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working | None:
    """One value of an activation."""
    if operation.function in ("softmax", "log_softmax"):
        return products.softmax(operation, index, source)
    every = slopes(weights, source.shape)
    slope = None if every is None else float(every[index])
    value = float(source[index])
    found = functions.computed(operation, np.array(value), slope)
    if found is None:
        return None
    total = float(found)
    formula = functions.in_words(operation, slope)
    return single(
        "activation",
        formula,
        value,
        total,
        index,
        steps=(Step(formula, total),),
        activation=operation.function,
        roundings=16,
        magnitude=float(functions.magnitudes(operation, np.array(value), np.array(total))),
    )


def slopes(weights: Mapping[str, Array], shape: Shape) -> Floats | None:
    """PReLU's slope for every value of a layer of this shape."""
    return normalising.spread(weights["slope"], shape) if "slope" in weights else None


def pointwise(operation: Pointwise, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working | None:
    """One value of an operation on each position alone: nothing happens, a function, or arithmetic with a constant."""
    value = float(source[index]) if len(index) == source.ndim else None
    if value is None:
        return None
    if operation.function in UNCHANGED:
        return moving.copied(index, source, "unchanged")
    if "left" in weights or "right" in weights:
        constant = weights["left" if "left" in weights else "right"]
        both = [constant, source] if "left" in weights else [source, constant]
        worked = merging.merge(Merge(operation.function), index, both)
        return None if worked is None else merging.with_constant(worked, left="left" in weights)
    if operation.function in functions.FUNCTIONS:
        return activation(Activation(operation.function), index, source, {})
    return None
