"""What of a layer's inputs and weights its arithmetic reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from convlens.arithmetic.working import Array
from convlens.network import Convolution, Dense, Normalisation, Operation, Pad, Pooling, Reshape, Resize, Slice

_OF_ONE = (Convolution, Dense, Normalisation, Pooling, Pad, Slice, Reshape, Resize)


def read(operation: Operation | None, sources: Sequence[Array], weights: Mapping[str, Array]) -> Sequence[Array]:
    """The values that enter: a layer that reads one has sizes and weights as its others, and the engine gives those as
    settings of the operation and by role."""
    return sources[:1] if isinstance(operation, _OF_ONE) or "origin" in weights else sources


def complete(operation: Operation | None, weights: Mapping[str, Array]) -> bool:
    """Whether the weights are all there that the arithmetic needs, and say all that the layer does.

    A bias that the network computes isn't a weight; ``fused`` says that a file has put another operator into this one.
    """
    biased = isinstance(operation, (Convolution, Dense)) and operation.bias
    return "fused" not in weights and (not biased or "bias" in weights)
