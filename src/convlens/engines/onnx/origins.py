"""Where the values of layers that only move values come from, found by moving the values' own numbers."""

from __future__ import annotations

from math import prod

import numpy as np
import onnx
from onnx import helper
from onnx.reference import ReferenceEvaluator

from convlens.engines.base import Array
from convlens.engines.onnx.call import Call
from convlens.engines.onnx.operations import describe
from convlens.network import Reshape, Whole

_MOVING = frozenset(
    (
        *("DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Gather", "GatherElements", "GatherND", "Slice", "Split"),
        *("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Transpose"),
    )
)
_SELF_SAID = ("depth_to_space", "space_to_depth")
"""Reshapes that their operation alone doesn't say all of."""


def origin(node: onnx.NodeProto, call: Call) -> Array | None:
    """For each value of the output as it is shown, the number of its input value, counted channels first.

    ``None`` for operators that compute, for those whose operation says it all, and where items of a batch are mixed.
    """
    operation = describe(call)[1]
    vague = isinstance(operation, Whole) or (isinstance(operation, Reshape) and operation.function in _SELF_SAID)
    shape = call.inputs[0] if call.inputs else None
    if node.op_type not in _MOVING or not vague or shape is None or not call.moving[0]:
        return None
    settings = {name: call.constant(place) for place, name in enumerate(node.input) if place and name}
    known = {name: value for name, value in settings.items() if value is not None}
    if len(known) < len(settings):
        return None
    read = call.shown(0)
    items = shape[read.batch] if read.batch is not None else 1
    count = prod(read.shape(shape))
    numbers = read.as_stored(np.arange(items * count).reshape([shape[axis] for axis in read.order]))
    found = _moved(node, call, numbers, known)
    if found is None:
        return None
    found = call.made.with_batch(found)
    if not call.batched:
        return None if items > 1 and count else found
    offsets = np.arange(len(found)).reshape(-1, *(1,) * (found.ndim - 1)) * (count if items > 1 else 0)
    return found[0] if np.array_equal(found - offsets, np.broadcast_to(found[:1], found.shape)) else None


def _moved(node: onnx.NodeProto, call: Call, numbers: Array, known: dict[str, Array]) -> Array | None:
    """What the operator makes of the numbers; ``None`` where nothing here can say it."""
    if node.op_type == "GatherElements":  # the evaluator's way takes no more than 64 indices along an axis
        indices = known[node.input[1]]
        places: list[Array] = [*np.ogrid[tuple(slice(size) for size in indices.shape)]]
        places[int(call.attributes.get("axis", 0))] = indices
        picked: Array = numbers[tuple(places)]
        return picked
    feed = {node.input[0]: numbers, **known}
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in feed.items()
    ]
    made = onnx.ValueInfoProto(name=node.output[call.output_index])
    graph = helper.make_graph([node], "moving", given, [made])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", call.opset)])
    try:
        return np.asarray(next(iter(ReferenceEvaluator(model).run(None, feed))))
    except Exception:  # operators of the evaluator raise whatever NumPy does; without an origin nothing is explained
        return None
