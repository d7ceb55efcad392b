"""Weights of a Keras model, taken out while it trains and put into a copy of it."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ModelError


def callback() -> type:
    """The class that a callback has to be of."""
    import keras  # noqa: TID251

    found: type = keras.callbacks.Callback
    return found


def weights_of(model: Any) -> dict[str, Array]:
    """The variables that layers hold, numbered in their order, copied."""
    import keras  # noqa: TID251

    return {
        f"{place} {variable.path}": np.array(keras.ops.convert_to_numpy(variable))
        for place, variable in enumerate(model.weights)
    }


def with_weights(model: Any, weights: Mapping[str, Array]) -> Any:
    """A copy of the model that holds these weights; the model stays as it is, and so does the random state.

    Raises:
        ModelError: the model can't be copied, or the weights aren't its own.
    """
    import keras  # noqa: TID251

    state = random.getstate()  # a fresh layer draws the seed of its initial weights from it
    try:
        copied = keras.models.clone_model(model)
        if not copied.built:
            copied.build_from_config(model.get_build_config())
        copied.set_weights(list(weights.values()))
    except Exception as error:  # whatever a model of somebody's own raises
        raise ModelError(
            "This model can't be copied, so that its steps can't be opened",
            expected="a Sequential or functional model, or a class with get_config",
            received=f"{type(model).__name__}: {error}"[:300],
            hint="Give your class a get_config method, or build the network with keras.Model(inputs, outputs).",
        ) from error
    finally:
        random.setstate(state)
    return copied
