"""The examples run as they are, without a network, and each of their numbers is asserted where it is said."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from tests.notebook.jupyter import environment

FOLDER = Path(__file__).parents[2] / "examples"
NAMES = ("tutorial", "pretrained", "sketch")


def test_these_are_all_of_them() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_an_example_is_small_and_holds_no_output(name: str) -> None:
    path = FOLDER / f"{name}.ipynb"
    assert path.stat().st_size < 20_000
    for cell in json.loads(path.read_text())["cells"]:
        assert not cell.get("outputs")


@pytest.mark.parametrize("name", NAMES)
def test_an_example_runs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in environment(tmp_path).items():
        monkeypatch.setenv(key, value)
    for key in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):  # nothing answers there: no network
        monkeypatch.setenv(key, "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_BACKEND", os.environ.get("KERAS_BACKEND", "tensorflow"))
    book = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)  # type: ignore[no-untyped-call]
    before = _seconds()
    NotebookClient(book, timeout=240, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert _seconds() - before < 60
    shown = [one for cell in book.cells if cell.cell_type == "code" for one in cell.outputs]
    kept = [one for one in shown if "data-convlens-kept" in one.get("data", {}).get("text/html", "")]
    assert kept
    assert all("<iframe" in one["data"]["text/html"] for one in kept)


def _seconds() -> float:
    """Processor time of the kernels that have ended: a busy machine doesn't count."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
