"""What a picture says: whose scale its colours have, whose name a bar carries, where the recipe comes from."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from tests.hosts.command_line import Run

import convlens
from convlens import sketches
from convlens.errors import InputError
from convlens.lens import FeatureMap
from convlens.network import Kind, Layer

NAMES = ("ash", "birch", "cedar", "elm", "fir")


def texts(svg: str) -> list[str]:
    return re.findall(r"<text[^>]*>([^<]*)</text>", svg)


class TestOneChannel:
    """A layer with values from -8 to 8, whose channel 1 goes from -1 to 1 alone."""

    def maps(self) -> FeatureMap:
        loud = np.linspace(-8, 8, 36, dtype=np.float32).reshape(6, 6)
        return FeatureMap(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (2, 6, 6)), np.stack([loud, loud / 8]))

    def said(self, scale: str) -> list[str]:
        return texts(next(self.maps().pages(1, scale=scale, format="svg")).decode())  # type: ignore[arg-type]

    def test_layer_is_the_scale_of_the_whole_layer(self) -> None:
        assert {"-8", "8"} <= {text.replace("−", "-") for text in self.said("layer")}
        assert {"-1", "1"} <= {text.replace("−", "-") for text in self.said("map")}

    def test_the_colours_differ_too(self) -> None:
        assert self.maps().png(1, scale="layer") != self.maps().png(1, scale="map")

    def test_on_the_command_line(self, run: Run, shelf: Path) -> None:
        for scale in ("layer", "map"):
            line = ["conv", "--channel", 1, "--scale", scale, "-o", f"{scale}.svg"]
            assert run("maps", shelf / "net.onnx", shelf / "picture.png", *line).code == 0
        said = [texts(Path(f"{scale}.svg").read_text()) for scale in ("layer", "map")]
        assert said[0] != said[1]

    def test_an_unknown_scale(self) -> None:
        with pytest.raises(convlens.ConvlensError, match="No such scale"):
            self.maps().png(1, scale="huge")  # type: ignore[arg-type]


class TestVectors:
    def vector(self) -> FeatureMap:
        values = np.array([0.5, 1, 2, 3, 8], np.float32)
        return FeatureMap(Layer("fc", "Gemm", Kind.DENSE, ("x",), (5,)), values, labels=NAMES)

    def test_a_feature_alone_keeps_its_number_its_name_and_the_scale(self) -> None:
        said = texts(next(self.vector().pages(3, format="svg")).decode())
        assert "3 · elm" in said
        assert not any("ash" in text for text in said)
        assert "8" in said  # the end of the layer's scale

    def test_labels_stand_beside_the_bars(self) -> None:
        said = texts(next(self.vector().pages(format="svg")).decode())
        assert [text for text in said if "·" in text][-5:] == [
            "4 · fir",
            "3 · elm",
            "2 · cedar",
            "1 · birch",
            "0 · ash",
        ]

    def test_labels_on_the_command_line(self, run: Run, shelf: Path) -> None:
        Path("names.txt").write_text("\n".join(NAMES))
        line = ["maps", shelf / "fixed.onnx", shelf / "picture.png", "--labels", "names.txt", "--format", "svg"]
        assert run(*line, "-o", "out").code == 0
        assert all(name in Path("out/softmax.svg").read_text() for name in NAMES)

    def test_labels_where_there_are_no_scores(self, run: Run, shelf: Path) -> None:
        Path("names.txt").write_text("\n".join(NAMES))
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", "--labels", "names.txt", "-o", "out")
        assert result.code == 2
        assert "Leave out --labels" in result.error
        lens = convlens.open(shelf / "net.onnx", labels=NAMES)
        with pytest.raises(InputError, match="labels"):
            lens.feature_maps(np.zeros((24, 30, 3), np.uint8))


@pytest.fixture
def silent(tmp_path: Path) -> Path:
    """A model file that says nothing of pictures; those of sketches do."""
    model = sketches.build("conv 1 3")
    del model.metadata_props[:]
    path = tmp_path / "silent.onnx"
    path.write_bytes(model.SerializeToString())
    return path


class TestRecipeSource:
    def test_a_guess_is_called_a_guess(self, run: Run, shelf: Path, silent: Path) -> None:
        line = ["maps", silent, shelf / "picture.png", "-o", "out"]
        assert "(default: the model states none; --preset" in run(*line).out
        assert json.loads(run(*line, "--json").out)["recipe_source"] == "default"
        chosen = run(*line, "--preset", "imagenet")
        assert "default" not in chosen.out
        assert json.loads(run(*line, "--preset", "imagenet", "--json").out)["recipe_source"] == "given"

    def test_what_the_model_states(self, run: Run, shelf: Path) -> None:
        model = sketches.build("conv 1 3")
        onnx.helper.set_model_props(model, {"Image.NominalPixelRange": "Normalized_0_1"})
        Path("model.onnx").write_bytes(model.SerializeToString())
        found = json.loads(run("export", "model.onnx", shelf / "picture.png", "-o", "out.npz", "--json").out)
        assert found["recipe_source"] == "stated by the model"

    def test_in_python(self, silent: Path) -> None:
        picture = np.zeros((24, 30, 3), np.uint8)
        assert convlens.open(silent).feature_maps(picture).recipe_source == "default"
        assert convlens.open(silent, recipe="imagenet").feature_maps(picture).recipe_source == "given"
