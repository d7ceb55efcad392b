"""The Keras 3 engine, on the TensorFlow, JAX and PyTorch backends.

A convolution or dense layer with a built-in activation shows as two layers: ``conv`` is the value before the activation
(what the kernels add up to), ``conv/relu`` the value after it, which is the layer's output in Keras. A separable
convolution shows as ``separable/depthwise`` and ``separable``.

A model that was never built (a ``Sequential`` without input shape, a subclassed model that was never called) is built
by the first picture, exactly as calling it would; everything else about the model stays as it was.
"""

from __future__ import annotations

from convlens.engines.keras.loading import choose_backend, without_log_lines

choose_backend()

with without_log_lines():
    from convlens.engines.keras.engine import KerasEngine

__all__ = ["KerasEngine"]
