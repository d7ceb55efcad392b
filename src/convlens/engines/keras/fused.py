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


def activated(layer: Any) -> Any | None:
    """The layer, or the one that it wraps, whose built-in activation does something; ``None`` without one."""
    inner = layer.layer if isinstance(layer, _WRAPPERS) else layer
    function = getattr(inner, "activation", None)
    plain = function is None or function is keras.activations.linear
    return None if plain or not isinstance(inner, _FUSED) else inner


_WRAPPERS = (keras.layers.SpectralNormalization, keras.layers.TimeDistributed)


@contextmanager
def observed_activation(layer: Any) -> Iterator[list[Any] | None]:
    """While the layer runs, note what its built-in activation reads; ``None`` for ``None``, a layer without one."""
    if layer is None:
        yield None
        return
    function = layer.activation
    seen: list[Any] = []

    def observed(value: Any, *args: Any, **kwargs: Any) -> Any:
        seen[:] = [value]
        return function(value, *args, **kwargs)

    with _replaced(layer, observed):
        yield seen


def without_activation(layer: Any) -> Any:
    """A context in which the layer stops before its activation."""
    return _replaced(layer, keras.activations.linear)


def name_of(function: Any) -> str:
    """What an activation is called in the name of its step."""
    name = getattr(function, "__name__", "") or getattr(function, "name", "activation")
    return str(name) if name.isidentifier() else "activation"


@contextmanager
def _replaced(layer: Any, by: Any) -> Iterator[None]:
    attributes = vars(layer)
    had, function = "activation" in attributes, layer.activation
    attributes["activation"] = by
    try:
        yield
    finally:
        if had:
            attributes["activation"] = function
        else:
            del attributes["activation"]
