"""What all tests share: how many cases are drawn, and how a drawn failure is told."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    import convlens


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--thorough", action="store_true", help="draw ten times as many cases for every arithmetic")


def pytest_configure(config: pytest.Config) -> None:
    """Every run draws other cases, and a failing one prints the line that repeats it.

    Under CI the draw is the same as long as a test is the same: a change is judged by what it changes.
    """
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    same = bool(os.environ.get("CI"))
    shared = settings(deadline=None, print_blob=True, suppress_health_check=slow, derandomize=same, database=None)
    settings.register_profile("usual", shared, max_examples=100)
    settings.register_profile("thorough", shared, max_examples=1000)
    settings.load_profile("thorough" if config.getoption("--thorough", default=False) else "usual")


@pytest.fixture(scope="session")
def efficientnets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, convlens.FeatureMaps]:
    """EfficientNet-Lite0 run on the cat in each engine; exporting and opening it takes seconds, so all share it."""
    from tests.engines import efficientnet

    import convlens
    from convlens import pictures

    path = efficientnet.in_onnx(tmp_path_factory.mktemp("onnx") / "efficientnet_lite0.onnx")
    models = {"torch": efficientnet.in_torch(), "onnx": path, "keras": efficientnet.in_keras()}
    return {
        engine: convlens.open(model, input_shape=(3, 224, 224), recipe=efficientnet.RECIPE).feature_maps(pictures.cat())
        for engine, model in models.items()
    }
