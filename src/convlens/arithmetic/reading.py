"""What of a layer's inputs and weights its arithmetic reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlens.arithmetic import operands
from convlens.arithmetic.operands import Operands
from convlens.arithmetic.working import Array
from convlens.network import (
    CONSTANT,
    Convolution,
    Dense,
    Merge,
    Normalisation,
    Operation,
    Pad,
    Pointwise,
    Pooling,
    Reshape,
    Resize,
    Slice,
)

_OF_ONE = (Convolution, Dense, Normalisation, Pooling, Pad, Slice, Reshape, Resize)


def read(operation: Operation | None, sources: Sequence[Array], weights: Mapping[str, Array]) -> Operands | None:
    """The values that enter: a layer that reads one has sizes and weights as its others, and the engine gives those as
    settings of the operation and by role. ``None`` where not all are there."""
    if isinstance(operation, _OF_ONE) or "origin" in weights:
        return Operands.of(sources[:1], {})
    return Operands.of(sources, weights)


def as_merge(operation: Operation | None, several: Operands) -> Operation | None:
    """Arithmetic of one value with a constant is a merge of the two."""
    alone = several.constants and sum(number != CONSTANT for number in several.numbers) == 1
    if alone and isinstance(operation, Pointwise) and not operation.axes:
        return Merge(operation.function)
    return operation


def complete(operation: Operation | None, weights: Mapping[str, Array]) -> bool:
    """Whether the weights are all there that the arithmetic needs, and say all that the layer does.

    A bias that the network computes isn't a weight; ``fused`` says that a file has put another operator into this one.
    """
    biased = isinstance(operation, (Convolution, Dense)) and operation.bias
    whole = operands.complete(operation, weights.keys())
    return whole and "fused" not in weights and (not biased or "bias" in weights)
