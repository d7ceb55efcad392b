"""A vision transformer: a class token beside the patches, positions added, attention. Nothing may be told wrongly."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import convlens
from convlens.errors import ConvlensError
from convlens.lens.feature_map import FeatureMap


class Transformer(nn.Module):
    """Patches by a convolution, a class token, position embeddings, one block of attention."""

    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 8, 4, 4)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.positions = nn.Parameter(0.1 * torch.randn(1, 17, 8))
        self.before, self.behind = nn.LayerNorm(8), nn.LayerNorm(8)
        self.qkv, self.projection = nn.Linear(8, 24), nn.Linear(8, 8)
        self.dense = nn.Sequential(nn.Linear(8, 16), nn.GELU(), nn.Linear(16, 8))
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        patches = self.patch(image).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(len(patches), -1, -1), patches], 1) + self.positions
        items, count, width = x.shape
        parts = self.qkv(self.before(x)).reshape(items, count, 3, 2, width // 2)
        query, key, value = parts.permute(2, 0, 3, 1, 4)
        attention = (query * 0.5 @ key.transpose(-2, -1)).softmax(-1)
        x = x + self.projection((attention @ value).transpose(1, 2).reshape(items, count, width))
        x = x + self.dense(self.behind(x))
        return self.head(x[:, 0])  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def maps(tmp_path_factory: pytest.TempPathFactory) -> dict[str, convlens.FeatureMaps]:
    """The same network in PyTorch, and as the file of its exporter, which leaves the batch open."""
    torch.manual_seed(0)
    model = Transformer().eval()
    path = tmp_path_factory.mktemp("token") / "transformer.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        free = {"image": {0: "batch"}}
        torch.onnx.export(
            model, (torch.zeros(1, 3, 16, 16),), str(path), dynamo=False, input_names=["image"], dynamic_axes=free
        )
    picture = np.random.default_rng(0).integers(0, 255, (16, 16, 3)).astype(np.uint8)
    sources: dict[str, Any] = {"torch": model, "onnx": path}
    return {name: convlens.open(one, input_shape=(3, 16, 16)).feature_maps(picture) for name, one in sources.items()}


def joined(maps: convlens.FeatureMaps) -> FeatureMap:
    """The layer that puts the token before the patches."""
    return next(found for found in maps.values() if found.layer.kind == "concat")


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_every_value_of_a_transformer_agrees(engine: str, maps: dict[str, convlens.FeatureMaps]) -> None:
    values = 0
    for name, found in maps[engine].items():
        if found.layer.kind == "plumbing":
            continue
        for channel in range(found.shape[0]):
            swept = maps[engine].explain_all(name, channel)
            assert np.all(swept.agrees), (name, channel)
            values += np.size(swept.agrees)
    assert values > 300 * (engine == "torch")


@pytest.mark.parametrize("engine", ["torch", "onnx"])
def test_a_class_token_is_a_constant_that_sees_nothing(engine: str, maps: dict[str, convlens.FeatureMaps]) -> None:
    found = joined(maps[engine])
    token = found.explain(0, 3)
    assert token.working is not None
    assert (token.working.rule, token.agrees, len(token.inputs), len([*token.trace()])) == ("constant", True, 0, 1)
    assert token.working.constant.all()
    assert "constant, operand 0 at channel 0" in str(token)
    patch = found.explain(5, 3)
    assert [(term.layer, term.index) for term in patch.inputs] == [(found.layer.inputs[0], (4, 3))]
    assert found.receptive_field(3, channel=0).sees_nothing
    assert found.receptive_field(3, channel=5).clipped == ((4, 7), (0, 3))
    assert found.layer.parameters == 8
    assert "channels: 1 + 16 = 17" in str(maps[engine].lens.derive(found.name))


def test_maps_of_a_file_know_what_a_class_token_sees(maps: dict[str, convlens.FeatureMaps], tmp_path: Path) -> None:
    maps["torch"].save(tmp_path / "maps.npz")
    loaded = convlens.load(tmp_path / "maps.npz")
    assert isinstance(loaded, convlens.FeatureMaps)
    assert joined(loaded).receptive_field(3, channel=0).sees_nothing
    assert joined(loaded).receptive_field(3, channel=5).clipped == ((4, 7), (0, 3))
    with pytest.raises(ConvlensError):
        joined(loaded).explain(0, 3)
