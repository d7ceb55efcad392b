"""A pretrained network on a picture, in three engines: values drawn at random are explained, agree, and are traced back
to the picture's own pixels."""

from __future__ import annotations

import logging
import secrets

import numpy as np
import pytest

import convlens
from convlens.arithmetic import explain
from convlens.lens.explanation import Explanation, PictureValue

ENGINES = ("torch", "onnx", "keras")
VALUES = 20
"""Explained of every layer."""
TRACES = 40
"""Followed back to the picture, from layers all over the network."""


@pytest.fixture
def random() -> np.random.Generator:
    """Other values every time; a failing test shows the seed."""
    seed = secrets.randbits(32)
    logging.getLogger(__name__).warning("seed %d", seed)
    return np.random.default_rng(seed)


def drawn(shape: tuple[int, ...], random: np.random.Generator) -> tuple[int, ...]:
    return tuple(int(random.integers(size)) for size in shape)


@pytest.mark.parametrize("engine", ENGINES)
def test_values_of_every_layer_agree(
    engine: str, efficientnets: dict[str, convlens.FeatureMaps], random: np.random.Generator
) -> None:
    maps = efficientnets[engine]
    assert len(maps) > 90
    for name, found in maps.items():
        for _ in range(VALUES):
            explanation = maps.explain(name, drawn(found.layer.output_shape, random))
            assert isinstance(explanation, Explanation)
            assert explanation.explained, f"{name}: {found.layer.operation}"
            assert explanation.agrees, f"{explanation!r}, tolerance {explanation.tolerance}"
            assert explanation.framework_value == found.array[explanation.index]


@pytest.mark.parametrize("engine", ENGINES)
def test_values_lead_back_to_the_pixels_of_the_picture(
    engine: str, efficientnets: dict[str, convlens.FeatureMaps], random: np.random.Generator
) -> None:
    """Each step goes to one of the largest terms, and finds there the very value that the last one read."""
    maps = efficientnets[engine]
    picture = maps.feed[maps.network.inputs[0].name]
    pixels = np.asarray(picture)[0]
    pixels = np.moveaxis(pixels, -1, 0) if maps.network.inputs[0].layout == "channels_last" else pixels
    names = [*maps, *maps.network.outputs * 5]
    lengths: list[int] = []
    while len(lengths) < TRACES:
        name = names[int(random.integers(len(names)))]
        at: Explanation | PictureValue = maps.explain(name, drawn(maps[name].layer.output_shape, random))
        steps = 0
        while (
            isinstance(at, Explanation) and at.working is not None and at.working.rule != "constant"
        ):  # the value of some padding comes from nowhere
            assert at.agrees, repr(at)
            term = at.inputs[int(random.integers(min(5, len(at.inputs))))]
            at = term.explain()
            value = at.framework_value if isinstance(at, Explanation) else at.value
            assert value == np.float32(term.value), f"{term} isn't {at!r}"
            steps += 1
        if isinstance(at, PictureValue):
            assert at.value == pixels[at.index]
            lengths.append(steps)
    assert max(lengths) > 40


@pytest.mark.parametrize("engine", ENGINES)
def test_a_planted_error_is_caught(
    engine: str, efficientnets: dict[str, convlens.FeatureMaps], random: np.random.Generator
) -> None:
    """A weight that has changed between the run and the explanation: the verdict says so."""
    maps = efficientnets[engine]
    convolutions = [layer for layer in maps.network if layer.has_kernels]
    window = np.zeros(1)
    while np.abs(window).max() < 0.1:  # a weight on a window of zeros changes nothing
        layer = convolutions[int(random.integers(len(convolutions)))]
        explanation = maps.explain(layer.name, drawn(layer.output_shape, random))
        assert isinstance(explanation, Explanation)
        assert explanation.window is not None
        window = explanation.window
    weights = maps.lens.weights(layer.name)
    largest = np.unravel_index(np.abs(window).argmax(), window.shape)
    kernel = np.array(weights["kernel"])
    kernel[explanation.index[0]][largest] += 0.01 * np.abs(kernel).max()
    sources = [maps.value(name) for name in layer.inputs]
    changed = Explanation(
        maps,
        layer,
        explanation.index,
        explanation.framework_value,
        explain(layer, explanation.index, sources, {**weights, "kernel": kernel}),
    )
    assert explanation.agrees
    assert not changed.agrees
    assert "DISAGREES" in changed.verdict
