"""ONNX Runtime decides: every value of every layer that it computes is explained, and agrees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from tests.arithmetic.harness import check_every_value, examples
from tests.arithmetic.onnx_layers import KINDS, Drawn

from convlens.engines.onnx import OnnxEngine

BESIDE = ("layer:2",)
"""The second output of a pooling or a dropout: indices, or a mask."""


def check(drawn: Drawn) -> None:
    engine = OnnxEngine.open(drawn.model())
    unexplained = BESIDE if drawn.op in ("MaxPool", "Dropout") else ()
    check_every_value(engine, drawn.feed(), np.random.default_rng(drawn.seed), unexplained=unexplained, places=1)


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_value_of_every_layer_is_explained(kind: str) -> None:
    @examples(1000)
    @given(drawn=KINDS[kind])
    def held(drawn: Drawn) -> None:
        check(drawn)

    held()
