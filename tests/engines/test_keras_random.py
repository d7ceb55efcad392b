"""Random Keras models: what is shown is what their own layers give, what is explained agrees, the model stays."""

from __future__ import annotations

import random
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from tests.engines.random_keras import drawn

import convlens
from convlens.lens import FeatureMaps

MODELS = 8
"""Each run of the tests draws others; a failure prints its seed."""


def state(model: Any) -> list[Any]:
    values = [np.array(ops.convert_to_numpy(ops.cast(one, "float32"))).tobytes() for one in model.variables]
    return [values, [one.trainable for one in model.variables], [layer.trainable for layer in model.layers]]


def first_axis(array: Any) -> Any:
    """A value as it is shown: channels first, without the batch axis."""
    return np.moveaxis(np.asarray(ops.convert_to_numpy(ops.cast(array, "float32")))[0], -1, 0)


def check(seed: int) -> FeatureMaps:
    """All that holds for a random model."""
    model, given = drawn(seed)
    before = state(model)
    lens = convlens.open(model)
    feed: Any = given[0] if len(given) == 1 else dict(zip((one.name for one in model.inputs), given, strict=True))
    maps = lens.feature_maps(feed)
    assert state(model) == before
    plain = model(given[0] if len(given) == 1 else given, training=False)
    results = plain if isinstance(plain, list) else [plain]
    coarse = any("16" in layer.dtype for layer in maps.network)
    bound = 3e-2 if coarse else 1e-4
    for result in results:
        want = first_axis(result)
        scale = bound * (1 + float(np.abs(want[np.isfinite(want)]).max(initial=0)))
        shown = [maps[name].array for name in maps.network.outputs]
        alike = (one for one in shown if one.shape == want.shape or sorted(one.shape) == sorted(want.shape))
        assert any(
            np.allclose(np.sort(one, axis=None), np.sort(want, axis=None), rtol=0, atol=scale, equal_nan=True)
            for one in alike
        ), "a result of the model isn't shown"
    if not coarse:
        inner = {layer.name: layer for layer in model.layers if not isinstance(layer, keras.layers.InputLayer)}
        watched = [name for name, layer in inner.items() if name in maps and len(layer._inbound_nodes) == 1]
        between = keras.Model(model.inputs, [inner[name].output for name in watched]) if watched else None
        made = between(given[0] if len(given) == 1 else given, training=False) if between is not None else []
        for name, value in zip(watched, made if isinstance(made, (list, tuple)) else [made], strict=True):
            own = np.sort(first_axis(value), axis=None)
            if getattr(inner[name], "activation", None) in (None, keras.activations.linear):
                np.testing.assert_allclose(np.sort(maps[name].array, axis=None), own, rtol=2e-3, atol=2e-4)
    differences = maps.verify()
    assert set(differences) == set(maps.network.outputs)
    for name, apart in differences.items():
        finite = maps[name].array[np.isfinite(maps[name].array)]
        assert apart <= bound * (1 + float(np.abs(finite).max(initial=0))), f"{name}: {apart}"
    picked = np.random.default_rng(seed)
    for name, found in maps.items():
        for _ in range(4 if found.array.size else 0):
            told = maps.explain(name, tuple(int(picked.integers(n)) for n in found.shape))
            assert told.agrees or not told.explained, f"{told!r}: {told.layer}"
            for term in told.inputs[:3]:
                assert np.isclose(maps.value(term.layer)[term.index], term.value, equal_nan=True), f"{name}: {term}"
            str(told)
    assert state(model) == before
    return maps


def test_random_models() -> None:
    for seed in (random.SystemRandom().randrange(2**31) for _ in range(MODELS)):
        try:
            maps = check(seed)
        except Exception as problem:
            pytest.fail(f"check({seed}): {type(problem).__name__}: {problem}")
        assert maps
