"""Whether a network ends in class scores, and the ranking of its classes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import convlens
from convlens.lens.prediction import class_scores, predict
from convlens.network import Kind, Layer


@pytest.mark.parametrize(
    ("line", "scores"),
    [
        ("flatten | dense 10", "dense"),
        ("flatten | dense 10 | softmax", "softmax"),
        ("flatten | dense 10 | sigmoid", "sigmoid"),
        ("flatten | dense 10 | relu", None),
        ("conv 10 8x9", "conv"),
        ("conv 10 8x9 | flatten", "flatten"),
        ("conv 10 8x9 | softmax", "softmax"),
        ("conv 10 3x3 | globalavgpool", "globalavgpool"),
        ("conv 10 3x3 | globalavgpool | flatten", "flatten"),
        ("conv 10 3x3 | avgpool 6x7", "avgpool"),
        ("conv 10 3x3 | maxpool 5x5", None),
        ("conv 10 3x3", None),
        ("conv 1 8x3", None),
        ("conv 1 8x3 | flatten", None),
        ("conv 1 8x9", None),
        ("flatten | dense 1", None),
    ],
)
def test_what_counts_as_class_scores(line: str, scores: str | None) -> None:
    """A map that happens to be one pixel high, ``conv 1 8x3``, is a map."""
    lens = convlens.sketch(line, input_shape=(3, 8, 9))
    found = class_scores(lens.network)
    assert (found.name if found else None) == scores
    maps = lens.feature_maps(np.zeros((8, 9, 3), np.uint8))
    assert (maps.prediction.layer if maps.prediction else None) == scores


@given(st.lists(st.floats(-50, 50), min_size=2, max_size=12))
def test_probabilities_are_a_ranking_of_the_softmax(values: list[float]) -> None:
    layer = Layer("fc", "Gemm", Kind.DENSE, ("x",), (len(values),))
    found = predict(layer, np.array(values, np.float32), [f"class of {number}" for number in range(len(values))])
    probabilities = [p for _, p, _ in found.rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=1e-3)
    assert sorted(index for index, _, _ in found.rows) == list(range(len(values)))
    assert all(label == f"class of {index}" for index, _, label in found.rows)
    if found.softmax:
        powers = np.exp(np.array(values, np.float32).astype(float) - max(values))
        expected = powers / powers.sum()
        np.testing.assert_allclose([p for _, p, _ in found.rows], sorted(expected, reverse=True), atol=1e-6)
