"""Values that look symbolic and are real: Keras's operators make operations of them, which can be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras  # noqa: TID251

from convlens.engines.keras import backend
from convlens.engines.keras.recording import Step

if TYPE_CHECKING:
    from convlens.engines.keras.watching import Watch


class Watched(keras.KerasTensor):  # type: ignore[misc]  # Keras has no types
    """A value that looks symbolic and is real; ``source`` is the step that made it."""

    def __init__(self, value: Any, source: Step, watch: Watch) -> None:
        super().__init__(tuple(value.shape), keras.backend.standardize_dtype(value.dtype), name="watched")
        self.value, self.source, self._watch = value, source, watch

    @property
    def _keras_mask(self) -> Any:
        return getattr(self.value, "_keras_mask", None)

    @_keras_mask.setter
    def _keras_mask(self, mask: Any) -> None:
        self.value._keras_mask = mask

    def _native(self) -> Any:
        """The plain value, for code that knows nothing of Keras; remembered, so that the graph stays connected."""
        self._watch.frames[-1].converted.append(self.source)
        return self.value

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        return float(self.value)

    def __index__(self) -> int:
        return int(self.value)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return backend.to_numpy(self._native())

    def __jax_array__(self) -> Any:
        return self._native()

    def __tf_tensor__(self, dtype: Any = None, name: Any = None) -> Any:
        return self._native()


def any_watched(structure: Any) -> bool:
    """Whether a watched value is among the arguments."""
    return any(isinstance(value, Watched) for value in keras.tree.flatten(structure))


def unwatched(structure: Any, plain: Any) -> Any:
    """The structure with ``plain(value)`` for every watched value."""
    return mapped(structure, lambda value: plain(value) if isinstance(value, Watched) else value)


def mapped(structure: Any, function: Any) -> Any:
    """The structure with ``function(value)`` for every value."""
    return keras.tree.map_structure(function, structure, none_is_leaf=True)
