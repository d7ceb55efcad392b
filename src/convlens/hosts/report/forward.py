"""Which layers a page works out by itself, bit for bit, and the same work done here, to be held against the framework.

The page does these in float64, in the order in which they are written in ``convlens.arithmetic``, and rounds once to
float32: additions, multiplications, divisions, square roots and comparisons give the same bits in NumPy and in every
browser. Functions that are approximated (``exp``, ``tanh``) and sums of many numbers don't, and are left out; the sums
of convolutions have :mod:`convlens.hosts.report.orders`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from convlens.arithmetic import explain_all
from convlens.arithmetic.operands import Operands
from convlens.engines.base import Array
from convlens.network import Activation, Layer, Merge, Normalisation, Pad, Pointwise, Pooling, Reshape, Slice

FUNCTIONS = ("relu", "clip", "leaky_relu", "prelu", "thresholded_relu", "threshold", "abs", "neg", "hard_swish")
"""Activations made of comparisons, sums and products."""

MERGES = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
"""Merges of two operands, the smaller one broadcast; each may be a constant."""

UNCHANGED = ("dropout", "identity")


def has_formula(layer: Layer, sources: Sequence[Array], weights: Mapping[str, Array]) -> bool:
    """Whether the page works this layer out by its formula."""
    if not layer.output_shape or not sources:
        return False
    operation, operands = layer.operation, Operands.of(sources, weights)
    if operands is None:
        return False
    if isinstance(operation, Merge):
        if operation.function == "concat":
            return operation.axis is not None and len({value.ndim for value in operands.values}) == 1
        return operation.function in MERGES and len(operands) == 2
    if "origin" in weights:
        return len(sources) == 1
    match operation:
        case Activation():
            return len(sources) == 1 and operation.axis is None and operation.function in FUNCTIONS
        case Pooling():
            return operation.mode == "max"
        case Normalisation():
            return operation.mode == "batch" and not operation.axes
        case Pad() | Slice() | Reshape():
            return True
        case Pointwise() if not operation.axes and len(sources) == 1:
            if operands.constants:
                return operation.function in MERGES and len(operands) == 2
            return operation.function in UNCHANGED or operation.function in FUNCTIONS or operation.function == "affine"
        case _:
            return False


def by_formula(layer: Layer, sources: Sequence[Array], weights: Mapping[str, Array]) -> Array | None:
    """Every value of a layer by its formula, float32; ``None`` where it has none here.

    >>> from convlens.network import Kind
    >>> relu = Layer("relu", "Relu", Kind.ACTIVATION, ("x",), (1, 3), Activation("relu"))
    >>> by_formula(relu, [np.array([[-1.5, 0, 2]], np.float32)], {})
    array([[0., 0., 2.]], dtype=float32)
    """
    if not has_formula(layer, sources, weights):
        return None
    found = np.empty(layer.output_shape, np.float32)
    for channel in range(layer.output_shape[0]):
        swept = explain_all(layer, channel, sources, weights)
        if swept is None or swept.total.shape != layer.output_shape[1:]:
            return None
        with np.errstate(all="ignore"):
            found[channel] = swept.total
    return found
