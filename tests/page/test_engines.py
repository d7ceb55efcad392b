"""The page with real networks of every engine: ResNet-18 and EfficientNet-Lite0."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.engines import efficientnet, keras_models, torch_models
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Serving


def _torch_file(model: Any, path: Path) -> Path:
    import torch

    exported = torch.export.export(model.eval(), (torch.zeros(1, 3, 224, 224),))
    torch.export.save(exported, path)
    return path


def _keras_file(model: Any, path: Path) -> Path:
    model.save(path)
    return path


def _onnx_file(model: Any, path: Path) -> Path:
    import torch

    torch.onnx.export(model.eval(), (torch.zeros(1, 3, 224, 224),), str(path), dynamo=True)
    return path


MODELS: dict[str, Callable[[Path], Path]] = {
    "resnet18-onnx": lambda folder: _onnx_file(torch_models.ResNet(), folder / "resnet18.onnx"),
    "resnet18-torch": lambda folder: _torch_file(torch_models.ResNet(), folder / "resnet18.pt2"),
    "resnet18-keras": lambda folder: _keras_file(keras_models.resnet18(), folder / "resnet18.keras"),
    "efficientnet-onnx": lambda folder: efficientnet.in_onnx(folder / "efficientnet_lite0.onnx"),
    "efficientnet-torch": lambda folder: _torch_file(efficientnet.in_torch(), folder / "efficientnet_lite0.pt2"),
    "efficientnet-keras": lambda folder: _keras_file(efficientnet.in_keras(), folder / "efficientnet_lite0.keras"),
}


@pytest.fixture(params=MODELS)
def served(request: pytest.FixtureRequest, folder: Path) -> Iterator[Serving]:
    with Serving(str(MODELS[request.param](folder))) as serving:
        yield serving


@pytest.mark.skipif(os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow", reason="one backend is enough here")
def test_from_the_network_to_a_pixel_that_agrees(served: Serving, visit: Visit) -> None:
    """The server outlives the page (fixtures end in turn): a page that still reads is no error of the server."""
    page = visit(served)
    page.set_default_timeout(60_000)
    screen = Screen(page)
    first = page.locator("h1 .name").inner_text()
    screen.painted(first)
    screen.finished()
    expect(page.locator("section.picture")).to_contain_text("class")  # the prediction: both end in class scores
    layers = page.evaluate("fetch('api/models/model/network').then(answer => answer.json())")["layers"]
    convolutions = [layer for layer in layers if layer["has_kernels"]]
    assert len(convolutions) > 15
    chosen = convolutions[len(convolutions) // 2]["name"]
    screen.choose(chosen)
    screen.painted(chosen)
    screen.click_pixel()
    screen.explained()
    expect(screen.why).to_have_attribute("data-agrees", "true")
