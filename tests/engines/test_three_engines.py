"""One pretrained network in three frameworks, on the cat: the same maps, layer by layer."""

from __future__ import annotations

import numpy as np
import pytest
from tests.engines import efficientnet

import convlens
from convlens.network import Kind

COMPARED = (Kind.NORMALISATION, Kind.ACTIVATION, Kind.ADD, Kind.POOLING, Kind.DENSE)
"""The exporter folds batch normalisation into the convolution before it, so that ONNX's convolutions are the others'
normalisations; the convolutions themselves have no counterpart."""

LIMIT = 5e-5
"""Of a map's largest value. The frameworks add up in different orders, which also depend on the processor and on how
many threads are free, and 49 layers in a row carry the differences on: 2.1e-5 has been seen (docs/engines.md)."""


def stages(maps: convlens.FeatureMaps) -> list[tuple[str, str, np.ndarray]]:
    """(what, name, values) of each layer that all three have, in execution order."""
    found = []
    for name, one in maps.items():
        kind = one.layer.kind
        if maps.network.engine == "onnx" and kind == Kind.CONVOLUTION:
            kind = Kind.NORMALISATION
        elif kind not in COMPARED:
            continue
        found.append((str(kind), name, one.array.reshape(one.shape[0], -1)))
    return found


@pytest.fixture
def runs(efficientnets: dict[str, convlens.FeatureMaps]) -> dict[str, convlens.FeatureMaps]:
    return efficientnets


def test_matching_layers_have_the_same_maps(runs: dict[str, convlens.FeatureMaps]) -> None:
    ours = {engine: stages(maps) for engine, maps in runs.items()}
    kinds = [[kind for kind, _, _ in found] for found in ours.values()]
    assert kinds[0] == kinds[1] == kinds[2]
    assert kinds[0].count("normalisation") == 49
    assert kinds[0].count("activation") == 33
    assert kinds[0].count("add") == 9
    worst = 0.0
    for (_, name, theirs), (_, _, exported), (_, _, rebuilt) in zip(*ours.values(), strict=True):
        scale = float(np.abs(theirs).max())
        for other in (exported, rebuilt):
            difference = float(np.abs(other - theirs).max()) / scale
            assert difference < LIMIT, name
            worst = max(worst, difference)
    assert worst > 0, "three frameworks that never differ in a bit are one framework"


def test_all_three_see_a_tiger_cat(runs: dict[str, convlens.FeatureMaps]) -> None:
    for engine, maps in runs.items():
        assert maps.prediction is not None, engine
        top = [index for index, _, _ in maps.prediction.rows[:3]]
        assert top == [282, 285, 281], engine  # ImageNet: tiger cat, Egyptian cat, tabby
        assert maps.prediction.rows[0][1] == pytest.approx(0.408, abs=2e-3), engine


def test_what_is_shown_is_what_the_untouched_model_says(runs: dict[str, convlens.FeatureMaps]) -> None:
    for engine, maps in runs.items():
        assert max(maps.verify().values()) < 1e-4, engine


def test_parameters_of_all_three(runs: dict[str, convlens.FeatureMaps]) -> None:
    """PyTorch counts what is learned; Keras the running statistics too; the export has folded them into biases."""
    learned = sum(p.numel() for p in efficientnet.in_torch().parameters())
    counts = {engine: maps.network.parameters for engine, maps in runs.items()}
    statistics = sum(layer.output_shape[0] * 2 for layer in runs["torch"].network if layer.kind == Kind.NORMALISATION)
    assert counts["torch"] == learned
    assert counts["keras"] == learned + statistics
    assert counts["onnx"] == learned - statistics // 2
    macs = {engine: sum(layer.macs for layer in maps.network) for engine, maps in runs.items()}
    assert len(set(macs.values())) == 1
