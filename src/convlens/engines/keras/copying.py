"""Operations that copy numbers in an order of their own: asked where each number comes from, by copying the numbers of
the places."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Any

import keras  # noqa: TID251
import numpy as np

from convlens.engines.base import Array
from convlens.engines.keras import backend
from convlens.engines.keras.calls import Call
from convlens.engines.keras.layout import LAST, has_batch, to_channels_first
from convlens.network import Shape

_COPIED = object()
"""Stands in the arguments for the value that is copied."""


@dataclass(frozen=True)
class Copying:
    """One call of such an operation. ``shape`` is the framework's own, of the value that is copied."""

    op: Any
    arguments: tuple[tuple[Any, ...], dict[str, Any]]
    shape: Shape
    layout: str
    output_layout: str
    index: int

    @classmethod
    def of(cls, call: Call) -> Copying | None:
        """The call, unless it reads more than one value or mixes the items of a batch."""
        layer = isinstance(call.op, keras.layers.Layer)  # whose other arguments say in which mode it runs
        arguments = (call.args, {} if layer else dict(call.kwargs))
        values = [value for value in keras.tree.flatten(arguments) if backend.is_tensor(value)]
        if len(values) != 1 or len(call.inputs) != 1 or not has_batch(call.output, call.batch):
            return None
        emptied = _replaced(arguments, values[0], _COPIED)
        return cls(call.op, emptied, call.input, call.inputs[0].layout, call.output_layout, call.index)

    def origin(self) -> Array:
        """For each number of the first item of the output the number of the input that it is, both counted channels
        first."""
        batch, *rest = self.shape
        last = self.layout == LAST and len(rest) > 1
        places = np.arange(prod(rest), dtype="int32").reshape([rest[-1], *rest[:-1]] if last else rest)
        own = np.moveaxis(places, 0, -1) if last else places
        tensor = keras.ops.convert_to_tensor(np.ascontiguousarray(np.broadcast_to(own, (batch, *rest))))
        args, kwargs = _replaced(self.arguments, _COPIED, tensor)
        with backend.stateless(), backend.without_gradients():
            made = [value for value in keras.tree.flatten(self.op.call(*args, **kwargs)) if backend.is_tensor(value)]
        found = to_channels_first(backend.to_numpy(made[self.index]), batch, self.output_layout)
        return found[0] if batch > 1 else found


def _replaced(arguments: Any, old: Any, new: Any) -> Any:
    return keras.tree.map_structure(lambda value: new if value is old else value, arguments, none_is_leaf=True)
