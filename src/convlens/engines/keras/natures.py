"""What sort of layer a layer is, and what it owns."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras  # noqa: TID251

from convlens.engines.keras.fused import activated


def is_keras_own(layer: Any) -> bool:
    """Whether the layer's ``call`` and convolution are Keras's own."""
    methods = (getattr(type(layer), name, None) for name in ("call", "convolution_op"))
    return all(str(getattr(m, "__module__", "keras.")).startswith("keras.") for m in methods if m is not None)


def is_composite(layer: Any) -> bool:
    """Whether the calls inside the layer are shown, not the layer itself."""
    return isinstance(layer, keras.Model) or not is_keras_own(layer)


def constants_of(layer: Any) -> set[int]:
    """The tensors that the operations of a functional model were given beside its values."""
    graph = getattr(layer, "_functional", None) or layer
    arguments = (node.arguments for made in getattr(graph, "operations", ()) for node in made._inbound_nodes)
    return {id(value) for given in arguments for value in keras.tree.flatten((given.args, given.kwargs))}


def weights_of(layer: Any) -> tuple[Any, ...]:
    """The weights of a layer, but those of an activation that is a layer itself."""
    activation = getattr(activated(layer), "activation", None)
    of_activation = {id(w) for w in activation.weights} if isinstance(activation, keras.layers.Layer) else set()
    return tuple(w for w in layer.weights if id(w) not in of_activation)


@contextmanager
def autocast(layer: Any) -> Iterator[None]:
    """A context in which variables come in the type that the layer computes in."""
    from keras.src.backend import AutocastScope  # noqa: TID251

    with AutocastScope(layer.compute_dtype if layer.autocast else None):
        yield
