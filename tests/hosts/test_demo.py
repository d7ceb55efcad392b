"""The demo's folder: true numbers, files that are there, a page that stands on its own."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
from PIL import Image
from tests.hosts.command_line import Run

import convlens
from convlens import draw, sketches
from convlens.derivation import derive_all
from convlens.draw import Scale
from convlens.errors import OutputError
from convlens.hosts import demo, demo_page
from convlens.hosts.cli import showing
from convlens.hosts.demo_page import Map, Section, Stage
from convlens.sketches import Lesson

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
    with Image.open(folder / "maps-conv-channel-0-small.png") as shown, Image.open(made.folder / "cat.png") as cat:
        assert (cat.height, cat.width) == (1440, 1080)
        assert (shown.height, shown.width) == (480, 360)
    array = maps["conv"].array[0]
    blocks = np.add.reduceat(np.add.reduceat(array, range(0, 1438, 3), axis=0), range(0, 1078, 3), axis=1)
    sizes = np.outer([3] * 479 + [1], [3] * 359 + [1])
    scale = draw.scale_for(array)
    expected = draw.map_png((blocks / sizes).astype(np.float32), scale=scale, legend=False)
    ours = np.asarray(Image.open(folder / "maps-conv-channel-0-small.png").convert("RGB")).astype(int)
    theirs = np.asarray(Image.open(io.BytesIO(expected)).convert("RGB")).astype(int)
    assert np.abs(ours - theirs).max() <= 12  # a step of the colour map, where the float32 sums round differently


class Page(HTMLParser):
    """What the page refers to, and whether its tags close."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.references: list[str] = []
        self.ids: list[str] = []
        self.tags: list[str] = []
        self.images_without_words = 0
        self.open: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append(tag)
        self.references += [found[key] or "" for key in ("href", "src") if key in found]
        self.ids += [found["id"] or ""] if "id" in found else []
        self.images_without_words += tag == "img" and not found.get("alt")
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_on_its_own(made: demo.Demo) -> None:
    text = made.index.read_text("utf-8")
    page = Page(text)
    assert page.open == []
    assert page.images_without_words == 0
    assert "script" not in page.tags
    assert "link" not in page.tags
    assert "url(" not in text
    assert "prefers-color-scheme:dark" in text
    for reference in page.references:
        if reference.startswith("#"):
            assert reference[1:] in page.ids
        elif not reference.startswith("data:image/png;base64,"):
            assert (made.folder / unquote(reference)).is_file(), reference


def test_the_page_shows_every_number(made: demo.Demo) -> None:
    text = made.index.read_text("utf-8")
    for parameters, shape in TRUE:
        assert f'<td class="n">{parameters:,}</td><td class="n">{" × ".join(map(str, shape))}</td>' in text


def test_what_a_model_calls_itself_cannot_write_html(made: demo.Demo) -> None:
    lens = convlens.sketch("conv 1 3x3", input_shape=(3, 8, 8))
    network = lens.network
    bad = "<script>alert(1)</script>\"'&"
    layer = replace(network.layers[0], name=bad)
    inputs = (replace(network.inputs[0], name=bad),)
    network = replace(network, layers=(replace(layer, inputs=(bad,)),), inputs=inputs, outputs=(bad,))
    found = lens.feature_maps(np.zeros((8, 8, 3), np.uint8))["conv"]
    stage = Stage(layer, f"a/{bad}.png", (Map(0, bad, bad, 2, 1),), Scale(-1, 1, True), found.statistics, None)
    lesson = Lesson(1, bad, bad, bad, bad, bad)
    section = Section(lesson, network, (stage,), tuple(derive_all(network)), {bad: bad})
    text = demo_page.page([section], picture=bad, thumbnail=bad, credit=bad)
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags


def test_the_text_beside_the_page_names_files_that_are_there(made: demo.Demo) -> None:
    text = (made.folder / "index.txt").read_text("utf-8")
    paths = re.findall(r"^ {3}(\d-\S+)$", text, re.MULTILINE)
    assert len(paths) > 8 * 5
    assert all((made.folder / path).is_file() for path in paths)


def test_the_command_says_where_to_look_and_can_run_again(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("convlens.sketches.TUTORIAL", sketches.TUTORIAL[:1])
    monkeypatch.setattr("convlens.hosts.demo.TUTORIAL", sketches.TUTORIAL[:1])
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", opened.append)
    for _ in range(2):
        result = run("demo", "-o", "here")
        assert result.code == 0
        assert Path("here/index.html").resolve().as_uri() in result.out
        assert "84 parameters" in result.out
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
