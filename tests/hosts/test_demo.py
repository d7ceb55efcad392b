"""The demo's folder: true numbers, files that are there, a page that stands on its own."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.hosts.command_line import Run

import convlens
from convlens import sketches
from convlens.errors import ConvlensError, OutputError
from convlens.hosts import demo
from convlens.hosts.cli import showing
from convlens.sketches import TUTORIAL

# What Keras 3.15 counts on TensorFlow, JAX and PyTorch, for a picture of 1440 rows x 1080 columns x 3 channels.
TRUE = (
    (84, (3, 1438, 1078)),
    (903, (3, 1431, 1071)),
    (28, (1, 1438, 1078)),
    (1201, (1, 1421, 1061)),
    (1201, (1, 1421, 1061)),
    (28, (1, 287, 215)),
    (28, (1, 287, 215)),
    (38, (1, 57, 42)),
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> demo.Demo:
    return demo.run(tmp_path_factory.mktemp("demo") / "out")


def test_the_numbers_are_true(made: demo.Demo) -> None:
    assert [(model["parameters"], tuple(model["output_shape"])) for model in made.models] == list(TRUE)


@pytest.mark.parametrize("number", range(8))
def test_every_model_leaves_summary_kernels_maps_and_arithmetic(made: demo.Demo, number: int) -> None:
    model = made.models[number]
    folder = made.folder / Path(model["files"]["model"]).parent
    parameters, shape = TRUE[number]
    summary = json.loads((folder / "summary.json").read_text("utf-8"))
    assert summary["parameters"] == parameters
    assert tuple(summary["layers"][-1]["output_shape"]) == shape
    text = (folder / "summary.txt").read_text("utf-8")
    assert f"{parameters:,} parameters" in text
    convolutions = [layer["name"] for layer in summary["layers"] if layer["kind"] == "convolution"]
    names = ["kernels.png"] if len(convolutions) == 1 else [f"kernels-{name}.png" for name in convolutions]
    names += [f"maps-{layer['name']}.png" for layer in summary["layers"]]
    names += [
        f"maps-{layer['name']}-channel-{c}.png" for layer in summary["layers"] for c in range(layer["output_shape"][0])
    ]
    for name in names:
        with Image.open(folder / name) as picture:
            picture.verify()
    arithmetic = (folder / "arithmetic.txt").read_text("utf-8")
    sums = [int(value) for value in re.findall(r"parameters: .* = (\d+)$", arithmetic, re.MULTILINE)]
    assert sum(sums) == parameters
    last_rows = re.findall(r"rows: .* = (\d+)$", arithmetic, re.MULTILINE)[-1]
    assert int(last_rows) == shape[1]


def test_the_arithmetic_is_in_words_with_the_numbers_put_in(made: demo.Demo) -> None:
    first = (made.folder / "1-three-filters-of-3x3" / "arithmetic.txt").read_text("utf-8")
    assert "3*3*3*3 + 3 = 84" in first
    assert "floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438" in first
    last = (made.folder / "8-the-same-three-steps-twice" / "arithmetic.txt").read_text("utf-8")
    assert "The last 3 rows and the last 3 columns fill no window and are left out." in last
    assert "One value sees 37 x 37 pixels of the picture; its neighbour begins 25 pixels further on." in last


def test_the_picture_in_the_folder_gives_the_maps_in_the_folder(made: demo.Demo) -> None:
    folder = made.folder / "3-one-filter-of-3x3"
    maps = convlens.open(folder / "model.onnx").feature_maps(made.folder / "cat.png")
    with Image.open(made.folder / "cat.png") as cat:
        assert (cat.height, cat.width) == (1440, 1080)
    ours, theirs = Image.open(folder / "maps-conv-channel-0.png"), Image.open(io.BytesIO(maps["conv"].png(0)))
    assert ours.size == theirs.size
    inside = (0, 0, ours.width, 1438)  # below stands the caption, which says how the cat was stretched
    assert ours.convert("RGB").crop(inside).tobytes() == theirs.convert("RGB").crop(inside).tobytes()


def contents_of(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="application/json" id="convlens-contents"[^>]*>(.*?)</script>', html)
    assert found
    contents: dict[str, Any] = json.loads(found[1])
    return contents


def test_the_page_is_the_report_of_all_eight_as_a_walk(made: demo.Demo) -> None:
    html = made.index.read_text("utf-8")
    assert len(html.encode()) <= 10_000_000
    contents = contents_of(html)
    models = contents["session"]["models"]
    assert [model["name"] for model in models] == [lesson.sketch for lesson in TUTORIAL]
    for model, lesson in zip(models, TUTORIAL, strict=True):
        assert model["title"] == {"en": lesson.title, "th": lesson.title_th}
        assert model["says"] == {"en": lesson.says, "th": lesson.says_th}
    assert [run["model"] for run in contents["runs"]] == [model["id"] for model in models]
    assert contents["reductions"] == []
    (picture,) = contents["session"]["pictures"]
    assert "Stéfan van der Walt" in picture["credit"]


def test_where_the_viewer_is_missing_nothing_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_PAGE", str(tmp_path))
    with pytest.raises(ConvlensError, match="viewer"):
        demo.run(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_text_beside_the_page_names_files_that_are_there(made: demo.Demo) -> None:
    text = (made.folder / "index.txt").read_text("utf-8")
    paths = re.findall(r"^ {3}(\d-\S+)$", text, re.MULTILINE)
    assert len(paths) > 8 * 5
    assert all((made.folder / path).is_file() for path in paths)
    assert "a digit network while it learns" in text


def test_the_command_says_where_to_look_and_can_run_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convlens.sketches.TUTORIAL", sketches.TUTORIAL[:1])
    monkeypatch.setattr("convlens.hosts.demo.TUTORIAL", sketches.TUTORIAL[:1])
    monkeypatch.setattr("convlens.hosts.demo.ROWS", 96)  # a small picture: what is asked is where things go
    monkeypatch.setattr("convlens.hosts.demo.COLUMNS", 72)
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for _ in range(2):
        result = run("demo", "-o", "here")
        assert result.code == 0
        assert Path("here/index.html").resolve().as_uri() in result.out
        assert "84 parameters" in result.out
        assert "a digit network while it learns" in result.out
    assert opened == []  # nobody is looking: stdout isn't a terminal
    monkeypatch.setattr(showing, "has_display", lambda: True)
    run("demo", "-o", "here", "--no-open")
    assert opened == []
    run("demo", "-o", "here")
    assert opened == [Path("here/index.html").resolve().as_uri()]
    facts = json.loads(run("demo", "-o", "here", "--json").out)
    assert facts["models"][0]["parameters"] == 84


def test_a_display_is_a_terminal_with_a_screen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convlens.hosts.cli.terminal.person_is_looking", lambda: True)
    monkeypatch.setattr("sys.platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "SSH_CONNECTION"):
        monkeypatch.delenv(name, raising=False)
    assert not showing.has_display()
    monkeypatch.setenv("DISPLAY", ":0")
    assert showing.has_display()
    monkeypatch.setenv("SSH_CONNECTION", "1 2 3 4")
    assert not showing.has_display()


def test_somebody_elses_page_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "index.html").write_text("<h1>my home page</h1>")
    with pytest.raises(OutputError, match="--force"):
        demo.run(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert (tmp_path / "index.html").read_text() == "<h1>my home page</h1>"


def test_an_error_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    def stop(_title: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        demo.run(tmp_path / "out", each=stop)
    assert list(tmp_path.iterdir()) == []
