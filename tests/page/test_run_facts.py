"""Facts beside maps are those of the run that is shown: a network of free size has other sizes for each picture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from tests.page.conftest import WHERE, Visit
from tests.page.pages import Screen
from tests.page.serving import Filed, Serving, Shown

import convlens
from convlens.hosts.report import Exhibit, gallery
from convlens.lens import FeatureMaps
from convlens.pictures import Picture

LINE = "conv 4 3x3 stride 2 pad 1 | relu | maxpool 2x2 | conv 3 3x3 pad 1"
SIZES = {"small.png": (24, 40), "large.png": (66, 30)}
LAYERS = ("conv", "maxpool", "conv2")


@pytest.fixture(scope="module")
def pictures(folder: Path) -> dict[str, Path]:
    found = {}
    for name, (rows, columns) in SIZES.items():
        pixels = np.random.default_rng(rows).integers(0, 256, (rows, columns, 3), np.uint8)
        Image.fromarray(pixels).save(folder / name)
        found[name] = folder / name
    return found


@pytest.fixture(scope="module")
def runs(pictures: dict[str, Path]) -> dict[str, FeatureMaps]:
    """What Python says, each run by a lens of its own."""
    return {name: convlens.sketch(LINE).feature_maps(path) for name, path in pictures.items()}


@pytest.fixture(scope="module", params=WHERE)
def shown(request: pytest.FixtureRequest, folder: Path, pictures: dict[str, Path]) -> Iterator[Shown]:
    if request.param == "server":
        import onnx

        model = convlens.sketch(LINE).model
        assert isinstance(model, onnx.ModelProto)
        onnx.save(model, folder / "free.onnx")
        with Serving(str(folder / "free.onnx"), str(pictures["small.png"])) as serving:
            yield serving
        return
    lens = convlens.sketch(LINE)
    exhibits = [
        Exhibit(lens.feature_maps(Picture(np.asarray(Image.open(path)), name))) for name, path in pictures.items()
    ]
    path = folder / "sizes.html"
    path.write_text(gallery(exhibits).html, "utf-8")
    yield Filed(path)


def times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def told_rightly(screen: Screen, maps: FeatureMaps, layer: str) -> None:
    """Title, head, graph's list, facts and derivation say what Python says of this run."""
    page, network = screen.page, maps.network
    screen.choose(layer)
    screen.finished()
    shape = network[layer].output_shape
    assert shape == maps[layer].array.shape
    expect(page.locator("h1")).to_contain_text(times(shape))
    expect(page.locator(".totals")).to_contain_text(f"{sum(one.macs for one in network):,} MACs")
    page.locator("#tab-words").click()
    facts = page.locator("section[aria-labelledby=words-facts]")
    expect(facts).to_contain_text(times(shape))
    expect(page.locator("section[aria-labelledby=words-statistics] dd").first).to_be_visible()
    arithmetic = page.locator("section[aria-labelledby=words-arithmetic]")
    for line in maps.derive(layer).derivations:
        if line.what in ("rows", "columns"):
            what = page.locator(".what", has_text=re.compile(rf"^\s*{line.what}\s*$"))
            expect(arithmetic.locator("li").filter(has=what)).to_contain_text(f"= {line.value}")
    page.get_by_role("button", name="List").click()
    expect(page.get_by_role("treeitem", name=re.compile(rf"^{layer}\b")).first).to_contain_text(times(shape))
    page.locator("#tab-maps").click()
    screen.painted(layer)
    expect(screen.large).to_have_attribute("aria-label", re.compile(rf"\b{shape[1]}\b.*\b{shape[2]}\b"))


def go_to(screen: Screen, shown: Shown, name: str, pictures: dict[str, Path]) -> None:
    page = screen.page
    if isinstance(shown, Filed):
        page.locator("select.model").select_option(label=f"sketch · {name}")
    elif page.locator("section.picture details button", has_text=name).count() == 0:
        page.locator("#picture-file").set_input_files(pictures[name])
    else:
        page.get_by_text("Pictures", exact=True).click()
        page.locator("section.picture details button", has_text=name).click()
    rows, columns = SIZES[name]
    expect(page.locator("section.picture .size")).to_have_text(f"{rows} × {columns}")
    screen.finished()


def test_two_pictures_of_two_sizes_to_and_fro(
    visit: Visit, shown: Shown, pictures: dict[str, Path], runs: dict[str, FeatureMaps]
) -> None:
    screen = Screen(visit(shown))
    screen.painted("conv")
    for name in ("small.png", "large.png", "small.png", "large.png"):
        go_to(screen, shown, name, pictures)
        for layer in LAYERS:
            told_rightly(screen, runs[name], layer)


def test_a_value_of_a_link_is_explained_at_its_run_s_size(
    visit: Visit, shown: Shown, runs: dict[str, FeatureMaps]
) -> None:
    rows, columns = runs["small.png"]["conv"].array.shape[1:]
    screen = Screen(visit(shown, f"#/see?layer=conv&channel=1&at={rows - 1},{columns - 1}"))
    assert screen.explained() == f"conv:1,{rows - 1},{columns - 1}"
    expect(screen.why).to_have_attribute("data-agrees", "true")
    screen.page.evaluate(f"location.hash = '#/see?layer=conv&channel=9&at={rows},2'")
    assert screen.explained(f"conv:1,{rows - 1},{columns - 1}") == f"conv:3,{rows - 1},2"
    expect(screen.page.get_by_text("conv has no channel 9: channel 3 is shown.")).to_be_visible()
    expect(screen.why).to_have_attribute("data-agrees", "true")
