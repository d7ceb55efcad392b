"""Every error says what to type next; and what the last lines print is what was written."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
from pathlib import Path

import pytest
from tests.hosts.command_line import COMMAND, Run

import convlens
from convlens import pictures, sketches
from convlens.lens import memory
from convlens.pictures import Recipe

MAPS = ["maps", "fixed.onnx", "picture.png"]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ([*MAPS, "conv", "--channel", "99"], "Type --channel 3"),
        ([*MAPS, "conv", "-o", "x.txt"], "-o x.png for one layer"),
        ([*MAPS, "-o", "maps.zip"], f"Type -o maps{os.sep} for a folder"),
        (["export", "fixed.onnx", "picture.png", "-o", "x.txt"], "Type -o x.npz"),
        (["sketch", "conv 1 3", "-o", "x.txt"], "Type -o x.onnx"),
        ([*MAPS, "--crop", "3/2"], "Type --crop 0.875"),
        ([*MAPS, "--size", "3"], "Type --size 224x224"),
        ([*MAPS, "--size", "100x100"], "Type --size 32x32"),
        ([*MAPS, "--memory", "4XB"], "Type --memory 4GB"),
        ([*MAPS, "--memory", "-5"], "Type --memory 4GB"),
        ([*MAPS, "--mean", "1,2"], "Type --mean 0.5"),
        ([*MAPS, "--labels", "nope.txt"], "Type --labels FILE"),
        ([*MAPS, "--input-shape", "3,100,100"], "leave out --input-shape"),
        ([*MAPS, "--resize", "none"], "Type --resize crop"),
        ([*MAPS, "--max-pixels", "100"], "type --max-pixels 720 (in Python, convlens.pictures.read"),
        (["maps", "fixed.onnx", "words.png"], "Choose another file"),
        (["maps", "fixed.onnx", "cut.png"], "save the file again"),
        (["kernels", "no-conv.onnx"], "Type convlens summary MODEL"),
        (["summary", "folder.onnx"], "Type the path of a model file"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_to_type_next(run: Run, shelf: Path, tmp_path: Path, line: list[str], remedy: str) -> None:
    result = run(*(shelf / word if (shelf / word).exists() and word != "." else word for word in line))
    assert result.code == 2
    assert remedy in result.error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["model.onnx", "model.pkl"])
def test_a_pickle_under_any_name_is_called_one(run: Run, name: str) -> None:
    Path(name).write_bytes(pickle.dumps([1, 2]))
    assert "is a pickle" in run("summary", name).error


@pytest.mark.parametrize(
    ("backend", "remedy"), [("nonsense", "tensorflow, jax or torch"), ("trch", "KERAS_BACKEND=torch")]
)
def test_an_unknown_keras_backend(tmp_path: Path, backend: str, remedy: str) -> None:
    pytest.importorskip("keras")
    (tmp_path / "model.keras").write_bytes(b"")
    done = subprocess.run(
        [*COMMAND, "summary", "model.keras"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "KERAS_BACKEND": backend},
    )
    assert done.returncode == 2
    assert remedy in done.stderr
    assert "pip install" not in done.stderr


def test_a_picture_above_the_limit_can_be_read_all_the_same(run: Run, shelf: Path) -> None:
    line = ["maps", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", "out"]
    assert run(*line, "--max-pixels", "719").code == 2
    assert run(*line, "--max-pixels", "720").code == 0
    assert pictures.read(shelf / "picture.png", max_pixels=720).rows == 24


def test_the_pages_that_were_written_are_the_ones_that_are_named(run: Run, shelf: Path) -> None:
    result = run("maps", shelf / "many.onnx", shelf / "picture.png", "conv", "-o", "ch.png", "--resize", "crop")
    assert result.out.splitlines()[1].endswith("-> ch-1.png to ch-2.png")
    assert sorted(path.name for path in Path().iterdir()) == ["ch-1.png", "ch-2.png"]


def test_coloured_kernels_or_not(run: Run, shelf: Path) -> None:
    for option in ("--colour", "--no-colour"):
        assert run("kernels", shelf / "net.onnx", "conv", option, "-o", f"{option}.svg").code == 0
    assert Path("--colour.svg").read_bytes() != Path("--no-colour.svg").read_bytes()


def test_json_of_what_is_written(run: Run, shelf: Path) -> None:
    sketched = json.loads(run("sketch", "conv 1 3", "-o", "a.onnx", "--json").out)
    assert (sketched["file"], [layer["name"] for layer in sketched["layers"]]) == ("a.onnx", ["conv"])
    drawn = json.loads(run("diagram", shelf / "net.onnx", "-o", "a.svg", "--json").out)
    assert (drawn["file"], drawn["layers"]) == ("a.svg", ["conv", "relu", "maxpool"])


def test_numbers_alone_for_mean_and_std() -> None:
    assert Recipe(mean=127, std=128) == Recipe(mean=(127.0,), std=(128.0,))  # type: ignore[arg-type]


def test_small_words() -> None:
    assert convlens.sketch("conv 2 3x3").kernels().title.startswith("conv · 2 x 3 kernels")
    with pytest.raises(convlens.ConvlensError, match="expected 'stride' once"):
        sketches.build("conv 1 3 stride 2 stride 3")
    with pytest.raises(convlens.ConvlensError, match="amount of memory"):
        memory.parse(-5)
