"""Seeing every call: Keras's own entry points are replaced while a model runs, with effect for the watching thread."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras  # noqa: TID251
from keras.src.backend.common import global_state  # noqa: TID251
from keras.src.layers.preprocessing.data_layer import DataLayer  # noqa: TID251

from convlens.engines.keras.watched import any_watched
from convlens.engines.keras.watching import Watch, layer_call, operation_call

_ENTRIES = (
    (keras.layers.Layer, "__call__"),
    (DataLayer, "__call__"),  # preprocessing, which takes any TensorFlow graph for a pipeline of pictures
    (keras.Operation, "__call__"),
    (keras.Operation, "symbolic_call"),
    (keras.random.SeedGenerator, "next"),
)
_symbolic_call, _data_layer_call = keras.Operation.symbolic_call, DataLayer.__call__
_next_seed = keras.random.SeedGenerator.next
_active = threading.local()
_lock = threading.Lock()
_watchers = 0
_found: list[Any] = []  # the entry points as the first watcher found them: another tool may have put its own there


@contextmanager
def watching(watch: Watch) -> Iterator[None]:
    """Show every call that this thread makes to ``watch``; afterwards Keras's entry points are its own again."""
    _install()
    _active.watch = watch
    try:
        yield
    finally:
        _active.watch = None
        _uninstall()


@contextmanager
def uncounted() -> Iterator[None]:
    """Give the counters back from which Keras names new layers: a run makes operations that nobody will see again."""
    names = dict(global_state.get_global_attribute("object_name_uids") or {})
    try:
        yield
    finally:
        counters = global_state.get_global_attribute("object_name_uids")
        if counters is not None:
            counters.clear()
            counters.update(names)


def _install() -> None:
    global _watchers
    with _lock:
        _watchers += 1
        if _watchers == 1:
            _found[:] = [getattr(owner, name) for owner, name in _ENTRIES]
            keras.layers.Layer.__call__, DataLayer.__call__ = _on_layer, _on_data_layer
            keras.Operation.__call__ = _on_operation
            keras.Operation.symbolic_call = _on_symbolic
            keras.random.SeedGenerator.next = _on_seed


def _uninstall() -> None:
    global _watchers
    with _lock:
        _watchers -= 1
        if _watchers == 0:
            for (owner, name), entry in zip(_ENTRIES, _found, strict=True):
                setattr(owner, name, entry)


def _watch() -> Watch | None:
    watch: Watch | None = getattr(_active, "watch", None)
    return None if watch is None or watch.quiet else watch


def _on_layer(layer: Any, *args: Any, **kwargs: Any) -> Any:
    watch = _watch()
    return layer_call(layer, *args, **kwargs) if watch is None else watch.layer(layer, args, kwargs)


def _on_data_layer(layer: Any, *args: Any, **kwargs: Any) -> Any:
    watch = _watch()
    return _data_layer_call(layer, *args, **kwargs) if watch is None else watch.layer(layer, args, kwargs)


def _on_operation(op: Any, *args: Any, **kwargs: Any) -> Any:
    watch = _watch()
    if watch is None:
        return operation_call(op, *args, **kwargs)
    if isinstance(op, keras.layers.Layer):
        return watch.enter(op, args, kwargs)
    return watch.operation(op, args, kwargs, named=not any_watched((args, kwargs)))


def _on_symbolic(op: Any, *args: Any, **kwargs: Any) -> Any:
    watch = _watch()
    if watch is None or not any_watched((args, kwargs)):
        return _symbolic_call(op, *args, **kwargs)
    return watch.operation(op, args, kwargs, named=False)


def _on_seed(generator: Any, *args: Any, **kwargs: Any) -> Any:
    watch: Watch | None = getattr(_active, "watch", None)
    if watch is not None:
        watch.drawn()
    return _next_seed(generator, *args, **kwargs)
