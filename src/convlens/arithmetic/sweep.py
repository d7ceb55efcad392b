"""Every value of one channel at once: the same arithmetic as :func:`convlens.arithmetic.explain`, over whole arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
from convlens.arithmetic.convolving import convolved
from convlens.arithmetic.explaining import explain, lost_at_the_border
from convlens.arithmetic.operands import Operands
from convlens.arithmetic.pooling import MODES, pooled
from convlens.arithmetic.reading import as_merge, complete, read
from convlens.arithmetic.rounding import Floats, Truths, agreement, bound, can_overflow
from convlens.arithmetic.working import Array, Swept, Working
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


@dataclass(frozen=True, slots=True)
class Sweep:
    """What the terms of each value of a channel add up to, what rounding can do to it, whether its type may be too
    small for it, and whether it is explained. All four have the shape of one channel."""

    total: Floats
    tolerance: Floats
    overflows: Truths
    explained: Truths

    def agrees(self, theirs: Array) -> Truths:
        """Where the framework's values are these, but for rounding; nothing agrees that isn't explained."""
        return agreement(theirs, self.total, self.tolerance, self.overflows) & self.explained


def explain_all(layer: Layer, channel: int, sources: Sequence[Array], weights: Mapping[str, Array]) -> Sweep | None:
    """Work out every value of one output channel; arguments and ``None`` as for :func:`convlens.arithmetic.explain`.

    The values that it leaves out are those that :attr:`Sweep.explained` says no to.
    """
    if not layer.output_shape:
        return _of_one(explain(layer, (), sources, weights), layer)
    swept = _swept(layer, channel, sources, weights)
    if swept is None:
        return None
    rounding = bound(
        swept.roundings, swept.magnitude, swept.total, layer.dtype, sums_in=layer.sums_in, stored=swept.stored
    )
    largest = np.fmax(swept.magnitude, swept.peak)
    unsettled = lost_at_the_border(layer, swept.roundings, swept.total, sources) | swept.unsettled
    return Sweep(
        swept.total,
        rounding + swept.astray,
        can_overflow(largest, swept.total, layer.dtype, sums_in=layer.sums_in),
        np.broadcast_to(~unsettled, swept.total.shape),
    )


def _of_one(working: Working | None, layer: Layer) -> Sweep | None:
    """A layer that makes a single number."""
    if working is None:
        return None
    tolerance, overflows = (part(layer.dtype, layer.sums_in) for part in (working.tolerance, working.overflows))
    return Sweep(np.asarray(working.total), np.asarray(tolerance), np.asarray(overflows), np.asarray(True))


def _swept(layer: Layer, channel: int, sources: Sequence[Array], weights: Mapping[str, Array]) -> Swept | None:
    operation, outputs = layer.operation, layer.output_shape
    if not complete(operation, weights):
        return None
    if isinstance(operation, (Convolution, Dense, Whole)) and quantised.applies(operation, outputs, sources, weights):
        weights = quantised.with_zero_point(sources, weights)
        return quantised.swept(operation, channel, outputs, layer.dtype, sources[0], weights)
    if isinstance(operation, Whole) and operation.function in matrices.FUNCTIONS:
        return matrices.all_products(operation.function, channel, outputs, sources, weights)
    operands = read(operation, sources, weights)
    if operands is None:
        return None
    if len(operands) > 1 or isinstance(operation, Merge):
        return _of_several(operation, channel, outputs, operands)
    sources = operands.values
    if len(sources) != 1 or operands.constants:
        return None
    source = sources[0]
    same_rank = len(outputs) == source.ndim
    match operation:
        case Convolution() if "kernel" in weights and source.ndim == len(outputs) == 1 + len(operation.kernel_size):
            return convolved(operation, channel, outputs[1:], source, weights)
        case Pooling() if operation.mode in MODES and source.ndim == 1 + len(operation.kernel_size):
            return pooled(operation, channel, outputs[1:], source)
        case Dense() if "weight" in weights:
            return products.all_dense(operation, channel, outputs, source, weights)
        case Normalisation(mode="local_response") if same_rank and operation.constants:
            return responding.all_local_responses(operation, channel, source)
        case Normalisation() if same_rank:
            return normalising.normalised(operation, channel, source, weights)
        case Activation(function="glu") if same_rank:
            return sharing.all_gated(operation, channel, source)
        case Activation(function="hardmax") if same_rank:
            return sharing.all_hardmax(operation, channel, source)
        case Activation() if operation.function in sharing.FUNCTIONS and same_rank:
            return sharing.swept_softmax(operation, channel, source)
        case Activation() if same_rank:
            return activating.activated(operation, channel, source, weights, layer.dtype)
        case _ if "origin" in weights:
            return moving.all_taken(channel, outputs, source, weights["origin"])
        case Pad() | Slice() | Reshape():
            return moving.all_moved(operation, channel, outputs, source)
        case Resize() if same_rank:
            return resizing.all_resized(operation, channel, outputs, source)
        case Pointwise() | Whole() if operation.axes:
            return reducing.all_reduced(operation, channel, outputs, source)
        case Pointwise() if operation.function in quantised.FUNCTIONS and same_rank and "scale" in weights:
            return quantised.all_quantised(operation.function, channel, layer.dtype, source, weights)
        case Pointwise() if same_rank:
            return activating.all_pointwise(operation, channel, source, weights, layer.dtype)
        case _:
            return None


def _of_several(operation: Operation | None, channel: int, shape: Shape, operands: Operands) -> Swept | None:
    match as_merge(operation, operands):
        case Merge(function="concat" | "stack") as merge if moving.lines_up(merge, shape, operands):
            return moving.all_joined(merge, channel, operands)
        case Merge() as merge if merging.known(merge, operands, shape):
            return merging.all_merged(merge, channel, shape, operands)
        case _:
            return None
