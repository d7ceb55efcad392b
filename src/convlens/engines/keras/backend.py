"""What differs between Keras's three backends: handles on tensors, NumPy views, compiled functions."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from functools import lru_cache
from math import inf
from typing import Any

import keras  # noqa: TID251
import numpy as np

from convlens.engines.base import Array, as_float32

NAME: str = keras.backend.backend()
TITLE = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}.get(NAME, NAME)
COMPILES = NAME in ("tensorflow", "jax")

Function = Callable[..., Any]


def is_tensor(value: object) -> bool:
    """Whether ``value`` is a tensor of this backend (or, while tracing, stands for one)."""
    return bool(keras.ops.is_tensor(value)) and not isinstance(value, keras.KerasTensor)


def weakly(value: Any, hold: bool) -> Callable[[], Any]:
    """A function that returns ``value``, without keeping it alive where it may go."""
    if not hold:
        try:
            return weakref.ref(value)
        except TypeError:
            pass
    return lambda: value


def fresh(value: Any) -> Any:
    """Another handle on the same numbers, with the same mask."""
    if NAME == "tensorflow":
        import tensorflow as tf

        other = tf.identity(value)
    elif NAME == "jax":
        import jax

        other = jax.numpy.copy(value)
    else:
        other = value.view_as(value)
    mask = getattr(value, "_keras_mask", None)
    if mask is not None:
        other._keras_mask = mask
    return other


def to_numpy(value: Any) -> Array:
    """The tensor as NumPy: a view of the framework's memory where it lies on the CPU."""
    if NAME == "torch":
        import torch  # noqa: TID251

        value = value.detach().cpu()
        return np.asarray(value.float().numpy() if value.dtype == torch.bfloat16 else value.numpy())
    return np.asarray(value)


def constant(value: Any) -> Array | None:
    """A number, array, variable or tensor as float32; ``None`` where it stands for values that come later."""
    value = value.value if isinstance(value, keras.Variable) else value
    if NAME == "tensorflow" and is_tensor(value) and not hasattr(value, "numpy"):
        import tensorflow as tf

        value = tf.get_static_value(value)
        return None if value is None else as_float32(np.asarray(value))
    if NAME == "jax":
        import jax

        if isinstance(value, jax.core.Tracer):
            return None
    return as_float32(to_numpy(value) if is_tensor(value) else np.asarray(value))


def guarded(value: Any) -> Any:
    """A copy for code that might write into it, as PyTorch code can; elsewhere the value itself."""
    return value.clone() if NAME == "torch" else value


def settled(array: Array) -> Array:
    """The numbers as they are now: on PyTorch a view of memory that a later layer may write into is copied."""
    return np.array(array) if NAME == "torch" else array


def random_state() -> Any:
    """Where the framework's own random numbers stand, to compare; Keras's seeds are told by its generators."""
    if NAME != "torch":
        return None
    import torch  # noqa: TID251

    return torch.get_rng_state().numpy().tobytes()


def random_state_kept() -> Any:
    """A context after which the framework's own random numbers are where they were."""
    from contextlib import nullcontext

    if NAME != "torch":
        return nullcontext()
    import torch  # noqa: TID251

    return torch.random.fork_rng()


def version(value: Any) -> int:
    """How often the tensor was written to."""
    return int(value._version) if NAME == "torch" and not value.is_inference() else 0


def stateless(model: Any = None, values: Sequence[Any] = ()) -> Any:
    """A scope in which no variable changes; with ``values`` for the variables of ``model``."""
    mapping = list(zip(model.variables, values, strict=True)) if values else None
    return keras.StatelessScope(state_mapping=mapping)


def compiled(function: Function, model: Any, specs: Sequence[tuple[tuple[int, ...], str]]) -> Function:
    """``function(*tensors)`` traced now, for inputs of these (shape, dtype), to be called again and again.

    The model's variables are read anew at each call, and none of them changes.
    """
    if NAME == "tensorflow":
        import tensorflow as tf

        signature = [tf.TensorSpec(shape, dtype) for shape, dtype in specs]
        traced = tf.function(lambda *tensors: _scoped(function, tensors), autograph=False).get_concrete_function(
            *signature
        )
        return lambda *tensors: traced(*tensors)
    if NAME == "jax":
        import jax

        def with_variables(values: Sequence[Any], tensors: Sequence[Any]) -> Any:
            with stateless(model, values):
                return function(*tensors)

        executable = jax.jit(with_variables).lower(_values(model), _shaped(specs)).compile()
        return lambda *tensors: executable(_values(model), list(tensors))

    return lambda *tensors: _scoped(function, tensors)


def _values(model: Any) -> list[Any]:
    return [variable.value for variable in model.variables]


def rehearse(function: Function, model: Any, specs: Sequence[tuple[tuple[int, ...], str]]) -> None:
    """Trace ``function`` once for inputs of these (shape, dtype), computing nothing."""
    if NAME == "tensorflow":
        compiled(function, model, specs)
    elif NAME == "jax":
        import jax

        jax.eval_shape(lambda *tensors: _scoped(function, tensors), *_shaped(specs))
    else:
        with keras.device("meta"):
            _scoped(function, [keras.ops.zeros(shape, dtype=dtype) for shape, dtype in specs])


def _scoped(function: Function, tensors: Sequence[Any]) -> Any:
    with stateless(), without_gradients():
        return function(*tensors)


def _shaped(specs: Sequence[tuple[tuple[int, ...], str]]) -> list[Any]:
    import jax

    struct: Any = jax.ShapeDtypeStruct
    return [struct(shape, dtype) for shape, dtype in specs]


def without_gradients() -> Any:
    """A context in which no gradient is prepared."""
    if NAME == "torch":
        import torch  # noqa: TID251

        return torch.no_grad()
    from contextlib import nullcontext

    return nullcontext()


def gradients(function: Function, given: Sequence[Any], places: Sequence[int]) -> list[Any] | None:
    """The derivative of the number that ``function(*given)`` computes by the inputs at ``places``; ``None`` where that
    number has none (an integer, a position)."""
    if not places:
        return None
    if NAME == "tensorflow":
        import tensorflow as tf

        with tf.GradientTape() as tape:
            tape.watch([given[place] for place in places])
            value = function(*given)
        if not value.dtype.is_floating:
            return None
        found = tape.gradient(value, [given[place] for place in places], unconnected_gradients="zero")
        return list(found)
    if NAME == "jax":
        import jax

        kind = jax.eval_shape(function, *given).dtype
        if not jax.numpy.issubdtype(kind, jax.numpy.floating):
            return None
        return list(jax.grad(function, argnums=tuple(places))(*given))
    import torch  # noqa: TID251

    leaves = list(given)
    with torch.enable_grad():
        for place in places:
            leaves[place] = given[place].detach().clone().requires_grad_()
        value = function(*leaves)
        if not value.requires_grad:
            return None
        wanted = [leaves[place] for place in places]
        found = torch.autograd.grad(value, wanted, allow_unused=True)
    return [torch.zeros_like(leaf) if part is None else part for leaf, part in zip(wanted, found, strict=True)]


@lru_cache(maxsize=8)
def least_of_maximum(dtype: str) -> float:
    """What TensorFlow's max pooling gives where there is nothing but NaN: its kernels differ, by type and processor."""
    import tensorflow as tf

    if not tf.as_dtype(dtype).is_floating:
        return -inf
    with tf.init_scope():
        nothing = tf.cast(tf.fill((1, 2, 2, 1), float("nan")), dtype)
        return float(tf.cast(tf.nn.max_pool2d(nothing, 2, 2, "VALID"), tf.float32).numpy().item())


@lru_cache(maxsize=8)
def volumes_from_the_middle(dtype: str) -> bool:
    """Whether TensorFlow's convolution over volumes leaves out the first values where "same" has some to spare.

    With a stride larger than the kernel there can be values that no window needs. One of TensorFlow's two kernels for
    volumes begins at the first value, as in one and two dimensions, and the other in their middle; which of them runs
    depends on the type and on the processor.
    """
    if NAME != "tensorflow":
        return False
    import tensorflow as tf

    with tf.init_scope():
        line = tf.cast(tf.reshape(tf.constant([1.0, 2.0, 3.0]), (1, 1, 1, 3, 1)), dtype)
        one = tf.ones((1, 1, 1, 1, 1), line.dtype)
        return bool(tf.cast(tf.nn.conv3d(line, one, (1, 1, 1, 3, 1), "SAME"), tf.float32).numpy().item() != 1.0)


@lru_cache(maxsize=8)
def one_column_goes_wrong(dtype: str) -> bool:
    """Whether TensorFlow's convolution over volumes adds up wrong numbers where its result is one column wide.

    oneDNN's does, for one channel, in float32: it reads what doesn't belong to the input, and gives other numbers each
    time. NumPy, XLA and TensorFlow's own kernel (``TF_ENABLE_ONEDNN_OPTS=0``) agree with each other.
    """
    if NAME != "tensorflow":
        return False
    import tensorflow as tf

    with tf.init_scope():
        volume = np.random.default_rng(0).normal(size=(1, 4, 6, 3, 1))
        kernel = np.random.default_rng(1).normal(size=(1, 2, 2, 1, 2))
        given = tf.cast(volume, dtype), tf.cast(kernel, dtype)
        made = tf.cast(tf.nn.conv3d(*given, (1, 1, 1, 2, 1), "VALID"), tf.float64).numpy()[0, :, :, 0]
    terms = [volume[0, :, row : row + 5, column] * kernel[0, row, column, 0] for row in (0, 1) for column in (0, 1)]
    return not np.allclose(made, sum(terms), rtol=0, atol=0.1)
