"""What stays of a notebook: nbconvert's HTML, opened from a file with the network cut; what GitHub's view is given."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.notebook.jupyter import environment, notebook

SETUP = """import convlens
from convlens import pictures
lens = convlens.sketch("conv 4 3x3 pad 1 | relu | maxpool 2x2 stride 2 | conv 8 3x3", input_shape=(3, 48, 64), seed=1)
maps = lens.feature_maps(pictures.cat())"""


def executed(folder: Path, *cells: str) -> tuple[Path, list[list[dict[str, Any]]]]:
    """The notebook run and exported by nbconvert; its page, and each cell's outputs."""
    path = notebook(folder / "book.ipynb", *cells)
    home = folder / "home"
    home.mkdir(exist_ok=True)
    for kind in ("notebook", "html"):
        run = ["--execute", "--inplace"] if kind == "notebook" else []
        command = [sys.executable, "-m", "nbconvert", "--to", kind, *run, str(path)]
        done = subprocess.run(command, env=environment(home), capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
    outputs = [cell["outputs"] for cell in json.loads(path.read_text())["cells"]]
    for one in (one for cell in outputs for one in cell):
        one["data"] = {kind: "".join(text) if isinstance(text, list) else text for kind, text in one["data"].items()}
    return path.with_suffix(".html"), outputs


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[list[dict[str, Any]]]]:
    return executed(tmp_path_factory.mktemp("export"), SETUP, "maps", "maps['conv2']", "lens.kernels('conv2')", "lens")


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[[Path], Page]]:
    """Opens a file; every request to another place is cut, as it is without a network."""
    contexts, wrong = [], []

    def opened(path: Path) -> Page:
        context = browser.new_context(viewport={"width": 1200, "height": 900}, locale="en-GB", reduced_motion="reduce")
        contexts.append(context)
        context.route(re.compile("^https?:"), lambda route: route.abort())
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(path.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    ours = [
        line for line in wrong if not re.search("require|MathJax|mermaid", line)
    ]  # what nbconvert's own page misses
    assert not ours, ours


def test_the_exported_page_holds_working_viewers(
    exported: tuple[Path, list[list[dict[str, Any]]]], visit: Callable[[Path], Page]
) -> None:
    page = visit(exported[0])
    opens = [("conv", "Feature maps"), ("conv2", "Feature maps"), ("conv2", "Kernels"), ("conv", "Kernels")]
    for number, (layer, tab) in enumerate(opens):
        frame = page.locator("[data-convlens-kept] iframe").nth(number)
        frame.scroll_into_view_if_needed()
        viewer = frame.content_frame
        expect(viewer.locator("h1 .name")).to_have_text(layer, timeout=20_000)
        expect(viewer.get_by_role("tab", name=tab)).to_have_attribute("aria-selected", "true")
    viewer = page.locator("[data-convlens-kept] iframe").first.content_frame
    page.locator("[data-convlens-kept] iframe").first.scroll_into_view_if_needed()
    viewer.locator(".map [role=application]").click(position={"x": 90, "y": 60})
    expect(viewer.locator(".why")).to_contain_text("Agrees")


def test_every_cell_has_a_still_form(exported: tuple[Path, list[list[dict[str, Any]]]]) -> None:
    for live, kept in exported[1][1:]:
        data = live["data"]
        assert "application/vnd.jupyter.widget-view+json" in data
        assert data["text/plain"]
        assert "image/png" in data or "<table" in data["text/html"]
        assert 500_000 < len(kept["data"]["text/html"]) < 3_500_000


def test_a_viewer_that_is_too_large_leaves_a_picture_and_says_so(tmp_path: Path) -> None:
    keep = "from convlens.hosts.notebook import keep\nkeep('1KB')"
    _, outputs = executed(tmp_path, SETUP, keep, "maps")
    kept = outputs[2][1]["data"]["text/html"]
    assert "<iframe" not in kept
    assert "<img" in kept
    assert "keep(" in kept


def test_without_anywidget_a_picture_shows_and_what_to_install(tmp_path: Path) -> None:
    hide = "import importlib.util\nfound = importlib.util.find_spec\n"
    hide += "importlib.util.find_spec = lambda name, *rest: None if name == 'anywidget' else found(name, *rest)"
    _, outputs = executed(tmp_path, hide, SETUP, "maps")
    (only,) = outputs[2]
    assert "image/png" in only["data"]
    assert 'pip install "convlens[notebook]"' in only["data"]["text/html"].replace("&quot;", '"')
