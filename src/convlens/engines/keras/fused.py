"""Layers with a built-in activation: the value before it is seen while the layer runs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras  # noqa: TID251

_FUSED = (
    *(keras.layers.Conv1D, keras.layers.Conv2D, keras.layers.Conv3D),
    *(keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D),
    *(keras.layers.SeparableConv1D, keras.layers.SeparableConv2D),
    *(keras.layers.Conv1DTranspose, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose),
    *(keras.layers.Dense, keras.layers.EinsumDense),
)


@contextmanager
def observed_activation(layer: Any) -> Iterator[list[Any] | None]:
    """While the layer runs, note what its built-in activation reads: [value before it, name of the function]."""
    function = getattr(layer, "activation", None)
    if not isinstance(layer, _FUSED) or function is None or function is keras.activations.linear:
        yield None
        return
    seen: list[Any] = []

    def observed(value: Any, *args: Any, **kwargs: Any) -> Any:
        name = getattr(function, "__name__", "") or getattr(function, "name", "activation")
        seen[:] = [value, name if name.isidentifier() else "activation"]
        return function(value, *args, **kwargs)

    attributes = vars(layer)
    had = "activation" in attributes
    attributes["activation"] = observed
    try:
        yield seen
    finally:
        if had:
            attributes["activation"] = function
        else:
            del attributes["activation"]
