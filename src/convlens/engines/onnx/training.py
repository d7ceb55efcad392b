"""Weights of an ONNX model, taken out and put into a copy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from convlens.engines.base import Array

if TYPE_CHECKING:
    import onnx


def weights_of(model: onnx.ModelProto) -> dict[str, Array]:
    """Every initializer by name, copied."""
    from onnx import numpy_helper

    return {tensor.name: np.array(numpy_helper.to_array(tensor)) for tensor in model.graph.initializer}


def with_weights(model: onnx.ModelProto, weights: Mapping[str, Array]) -> onnx.ModelProto:
    """A copy of the model that holds these weights; the model stays as it is."""
    from onnx import ModelProto, numpy_helper

    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        if tensor.name in weights:
            tensor.CopyFrom(numpy_helper.from_array(np.ascontiguousarray(weights[tensor.name]), tensor.name))
    return copy
