"""Keras decides, on whichever backend ``KERAS_BACKEND`` names: every value of every layer is explained, and agrees."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.arithmetic.harness import check_every_value, examples
from tests.arithmetic.keras_layers import KINDS, Drawn, feed_of, model_of

TOGETHER = 20
"""Cases in one model: compiling costs more than computing, and costs it once a model."""


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_value_of_every_layer_is_explained(kind: str) -> None:
    @examples(100 // TOGETHER)
    @given(parts=st.lists(KINDS[kind], min_size=TOGETHER, max_size=TOGETHER), seed=st.integers(0, 2**31 - 1))
    def held(parts: list[Drawn], seed: int) -> None:
        keras.utils.clear_session(free_memory=False)
        engine = KerasEngine.open(model_of(parts, seed))
        check_every_value(engine, feed_of(parts, seed), np.random.default_rng(seed), places=2)

    held()
