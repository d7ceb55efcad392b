"""Maps of a file in the server and in a report, without their model: what needs no weights works, the rest says why."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.hosts.command_line import Run
from tests.hosts.report.reading import Opened
from tests.hosts.server.asking import Client

import convlens
from convlens.hosts import viewing
from convlens.hosts.desk import Desk

SKETCH = "conv 3 3x3 | relu | maxpool 5x5 | flatten | dense 4 | softmax"


@pytest.fixture(scope="module")
def maps() -> convlens.FeatureMaps:
    lens = convlens.sketch(SKETCH, input_shape=(3, 40, 30), seed=1)
    return lens.feature_maps(np.random.default_rng(0).integers(0, 256, (48, 41, 3), np.uint8))


@pytest.fixture(scope="module")
def loaded(maps: convlens.FeatureMaps, tmp_path_factory: pytest.TempPathFactory) -> convlens.FeatureMaps:
    return convlens.load(maps.save(tmp_path_factory.mktemp("saved") / "maps.zarr"))


def client(maps: convlens.FeatureMaps) -> tuple[Client, str]:
    desk = Desk()
    viewing.add_model(desk, maps.network.name, maps.lens)
    viewing.add_maps(desk, maps)
    asked = Client(desk)
    session = asked.fact("/api/session")
    run = asked.start(session["picture"], model=session["model"])
    return asked, run["id"]


@pytest.mark.parametrize(
    "path",
    [
        "/api/runs/{run}",
        "/api/runs/{run}/channels?layer=conv",
        "/api/runs/{run}/values.npy?layer=conv",
        "/api/runs/{run}/tile.npy?layer=relu&level=1&channel=1&row=0&column=0",
        "/api/runs/{run}/field?layer=maxpool&index=0,1,2",
        "/api/runs/{run}/explanation?layer=picture&index=0,1,2",
        "/api/runs/{run}/picture.png",
        "/api/runs/{run}/drawing.png?layer=conv",
    ],
)
def test_the_server_answers_the_same(maps: convlens.FeatureMaps, loaded: convlens.FeatureMaps, path: str) -> None:
    answers = []
    for shown in (maps, loaded):
        asked, run = client(shown)
        answers.append(asked.ask("GET", path.format(run=run)))
    assert [answer.status_code for answer in answers] == [200, 200], answers[1].text
    assert answers[0].content == answers[1].content


def test_the_network_is_the_same(maps: convlens.FeatureMaps, loaded: convlens.FeatureMaps) -> None:
    theirs, ours = (client(shown)[0].fact("/api/models/model/network") for shown in (maps, loaded))
    assert ours.pop("recipe")["size"] == [40, 30]  # that of the run that was saved
    assert theirs.pop("recipe")["size"] is None
    assert ours == theirs


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/model/kernels?layer=conv",
        "/api/models/model/kernels.npy?layer=conv",
        "/api/runs/{run}/explanation?layer=conv&index=0,1,2",
        "/api/runs/{run}/effective?layer=conv&index=0,1,2",
    ],
)
def test_the_server_says_what_needs_the_model(loaded: convlens.FeatureMaps, path: str) -> None:
    asked, run = client(loaded)
    answer = asked.ask("GET", path.format(run=run))
    assert 400 <= answer.status_code < 500
    assert "needs the model" in answer.text


def test_a_report_holds_the_values(loaded: convlens.FeatureMaps, tmp_path: Path) -> None:
    page = loaded.report(tmp_path / "loaded.html").read_text("utf-8")
    assert "convlens-contents" in page


def test_the_command_makes_one_of_a_file(run: Run, maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    maps.save(tmp_path / "maps.npz")
    done = run("report", "maps.npz", "--json")
    assert done.code == 0
    assert json.loads(done.out)["file"] == "maps.html"
    (held,) = Opened((tmp_path / "maps.html").read_text("utf-8")).runs
    assert list(held["plans"]) == list(maps)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report", "maps.npz", "cat.png"], "Saved maps take no picture"),
        (["report", "maps.npz", "--layers", "conv"], "Saved maps are taken whole"),
        (["report", "model.onnx"], "A report needs a picture"),
        (["figure", "maps.npz", "cat.png", "-o", "figure.pdf"], "Saved maps take no picture"),
    ],
)
def test_what_they_dont_go_with(
    run: Run, maps: convlens.FeatureMaps, tmp_path: Path, words: list[str], told: str
) -> None:
    maps.save(tmp_path / "maps.npz")
    done = run(*words)
    assert done.code == 2
    assert told in done.error
    assert "Type: convlens" in done.error or "Leave --layers away" in done.error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.npz"]
