"""Which arithmetic a layer does: from its operation to the room that works it out, for one value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from convlens.arithmetic import (
    activating,
    matrices,
    merging,
    moving,
    normalising,
    products,
    quantised,
    reducing,
    resizing,
    responding,
    sharing,
)
from convlens.arithmetic.convolving import convolution
from convlens.arithmetic.operands import Operands
from convlens.arithmetic.pooling import MODES, pooling
from convlens.arithmetic.reading import as_merge, complete, read
from convlens.arithmetic.rounding import Floats, Truths
from convlens.arithmetic.working import Array, Integers, Working
from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Layer,
    Merge,
    Normalisation,
    Operation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Shape,
    Slice,
    Whole,
)


def explain(layer: Layer, index: Shape, sources: Sequence[Array], weights: Mapping[str, Array]) -> Working | None:
    """Take one value of a layer apart.

    Args:
        layer: the layer that made the value.
        index: where in the layer's output, batchless and channels first.
        sources: the layer's inputs, in the order of ``layer.inputs``; float32, as they crossed the engine border.
        weights: the layer's weights by role, as :meth:`convlens.engines.base.Engine.weights` gives them. Beside those:
            ``operand0``, ``operand1``, ..., the constants among its operands, by their places; ``origin``, for layers
            that copy values in an order of their own: for each output value the number of its input value, both counted
            channels first.

    Returns:
        The working, or ``None`` for a layer whose arithmetic isn't known, or of whose values the framework may make one
        thing or another: it is never guessed.
    """
    working = _worked(layer, index, sources, weights)
    if working is None or working.unsettled:
        return None
    return None if lost_at_the_border(layer, working.roundings, working.total, sources) else working


def lost_at_the_border(
    layer: Layer, roundings: Integers | int, total: Floats | float, sources: Sequence[Array]
) -> Truths:
    """Where nothing finite comes out, and the framework may have had a number: of float64, what is infinite or 0 in
    float32, as which values cross the engine border; of float16, what a framework that computes in float32 hands on
    before it is stored, where it may be a number that is infinite in float16. NaN is NaN in both."""
    odd = ~np.isfinite(total)
    unrounded = layer.dtype == "float16" and layer.sums_in is None
    if not (layer.dtype == "float64" or unrounded) or not odd.any():
        return np.zeros(np.shape(total), np.bool_)
    entered = any((np.isinf(source) | (np.isnan(source) & (not unrounded))).any() for source in sources)
    vanished = np.isinf(total) & (layer.dtype == "float64")
    return np.asarray((np.asarray(roundings) > 0) & odd & (entered | vanished))


def _worked(layer: Layer, index: Shape, sources: Sequence[Array], weights: Mapping[str, Array]) -> Working | None:
    operation = layer.operation
    if not complete(operation, weights):
        return None
    if isinstance(operation, (Convolution, Dense, Whole)) and quantised.applies(
        operation, layer.output_shape, sources, weights
    ):
        weights = quantised.with_zero_point(sources, weights)
        return quantised.explained(operation, index, layer, sources[0], weights)
    if isinstance(operation, Whole) and operation.function in matrices.FUNCTIONS:
        return matrices.product(operation.function, index, layer.output_shape, sources, weights)
    operands = read(operation, sources, weights)
    if operands is None:
        return None
    if len(operands) > 1 or isinstance(operation, Merge):
        return _of_several(operation, layer.output_shape, index, operands)
    sources = operands.values
    if len(sources) != 1 or operands.constants:
        return None
    source = sources[0]
    same_rank = len(index) == source.ndim
    match operation:
        case Convolution() if "kernel" in weights and source.ndim == len(index) == 1 + len(operation.kernel_size):
            return convolution(operation, index, source, weights)
        case Pooling() if operation.mode in MODES and source.ndim == 1 + len(operation.kernel_size):
            where = (*index, *(0,) * (source.ndim - len(index)))
            return pooling(operation, layer.output_shape[1:], where, source)
        case Dense() if "weight" in weights:
            return products.dense(operation, index, source, weights)
        case Normalisation(mode="local_response") if same_rank and operation.constants:
            return responding.local_response(operation, index, source)
        case Normalisation() if same_rank:
            return normalising.normalisation(operation, index, source, weights)
        case Activation(function="glu") if same_rank:
            return sharing.gated(operation, index, source)
        case Activation(function="hardmax") if same_rank:
            return sharing.hardmax(operation, index, source)
        case Activation() if operation.function in sharing.FUNCTIONS and same_rank:
            return sharing.softmax(operation, index, source)
        case Activation() if same_rank:
            return activating.activation(operation, index, source, weights, layer.dtype)
        case _ if "origin" in weights:
            return moving.taken(index, source, weights["origin"])
        case Pad() | Slice() | Reshape():
            return moving.moved(operation, index, layer.output_shape, source)
        case Resize() if same_rank:
            return resizing.resized(operation, index, layer.output_shape, source)
        case Pointwise() | Whole() if operation.axes:
            return reducing.reduction(operation, index, source)
        case Pointwise() if operation.function in quantised.FUNCTIONS and same_rank and "scale" in weights:
            return quantised.quantised(operation.function, index, layer.dtype, source, weights)
        case Pointwise() if same_rank:
            return activating.pointwise(operation, index, source, weights, layer.dtype)
        case _:
            return None


def _of_several(operation: Operation | None, shape: Shape, index: Shape, operands: Operands) -> Working | None:
    match as_merge(operation, operands):
        case Merge(function="concat" | "stack") as merge if moving.lines_up(merge, shape, operands):
            return moving.joined(merge, index, operands)
        case Merge() as merge if merging.known(merge, operands, shape):
            return merging.merge(merge, index, operands)
        case _:
            return None
