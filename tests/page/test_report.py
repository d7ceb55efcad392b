"""What is a report's own: it opens at once from the disk, old ones too, whatever things in it are called."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from tests.hosts.report.test_making import HOSTILE
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Filed

import convlens
from convlens import sketches
from convlens.hosts.report import Exhibit, gallery
from convlens.hosts.report.page import page
from convlens.lens import FeatureMaps
from convlens.pictures import Picture

KEPT = sorted((Path(__file__).parent / "kept").glob("report-*.json"))
PICTURE = np.random.default_rng(0).integers(0, 256, (24, 24, 3), np.uint8)


def written(path: Path, html: str) -> Filed:
    path.write_text(html, "utf-8")
    return Filed(path)


@pytest.mark.parametrize("kept", KEPT, ids=lambda kept: kept.stem)
def test_old_reports_open(visit: Visit, tmp_path: Path, kept: Path) -> None:
    """The contents of a report of each version of the format, as it was written then, in the viewer of today."""
    told = json.loads(kept.read_text("utf-8"))
    html = page("kept", told["contents"], [b64decode(blob) for blob in told["blobs"]])
    screen = Screen(visit(written(tmp_path / "kept.html", html), "#/see?layer=conv&channel=3&at=4,5"))
    screen.painted("conv")
    assert screen.explained() == "conv:3,4,5"
    expect(screen.why).to_have_attribute("data-agrees", "true")
    screen.choose("maxpool")
    screen.painted("maxpool")


def test_every_version_has_its_kept_report() -> None:
    from convlens.hosts.report.making import VERSION

    assert [kept.stem for kept in KEPT] == [f"report-{number}" for number in range(1, VERSION + 1)]


def test_a_report_of_a_newer_format_says_so(visit: Visit, tmp_path: Path) -> None:
    told = json.loads(KEPT[-1].read_text("utf-8"))
    told["contents"]["version"] = 1000
    html = page("newer", told["contents"], [b64decode(blob) for blob in told["blobs"]])
    opened = visit(written(tmp_path / "newer.html", html), may_fail=True)
    expect(opened.get_by_role("alert")).to_contain_text("newer than the viewer")


def hostile(name: str) -> FeatureMaps:
    model = sketches.build("conv 2 3x3 | relu", input_shape=(3, 24, 24))
    model.graph.name = name
    for node in model.graph.node:
        node.name = name + node.name
    return convlens.open(model).feature_maps(Picture(PICTURE, name, (name,)))


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_are_inert(visit: Visit, tmp_path: Path, name: str) -> None:
    maps = hostile(name)
    screen = Screen(visit(written(tmp_path / "hostile.html", gallery([Exhibit(maps, credit=name)]).html)))
    layer = list(maps)[-1]
    screen.page.wait_for_selector("[role=listbox][data-painted]")
    screen.page.locator("#search").fill(layer[-8:])
    screen.page.locator("#search").press("Enter")
    screen.painted(layer)
    screen.click_pixel()
    screen.explained()
    assert screen.page.title() != "owned"
    assert screen.page.locator("img[src=x], main script, main b:has-text('bold') > i").count() == 0
    assert screen.page.evaluate("() => document.querySelectorAll('script:not([id])').length") == 1
    assert name.split()[0][:6] in screen.page.locator("body").inner_text()


def test_several_pictures_are_a_gallery(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 24, 24))
    shown = [Picture(np.roll(PICTURE, turn, axis=0), f"picture {turn}") for turn in (0, 5, 9)]
    html = gallery([Exhibit(lens.feature_maps(one)) for one in shown]).html
    screen = Screen(visit(written(tmp_path / "gallery.html", html)))
    screen.painted("conv")
    first = screen.page.url
    screen.page.get_by_role("button", name="picture 9").or_(screen.page.get_by_role("radio", name="picture 9")).click()
    screen.page.wait_for_function("before => location.href !== before", arg=first)
    screen.painted("conv")
    screen.large.hover(position={"x": 60, "y": 60})
    readout = screen.page.locator("#readout b")
    expect(readout).not_to_be_empty()


def test_what_was_reduced_is_called_approximate(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 32 3x3 | relu | conv 256 3x3 | relu", input_shape=(3, 16, 16))
    maps = lens.feature_maps(PICTURE[:16, :16])
    made = gallery([Exhibit(maps)], budget=gallery([Exhibit(maps)]).size - 60_000)
    assert made.reductions
    shown = written(tmp_path / "small.html", made.html)
    exact = Screen(visit(shown, "#/see?layer=conv&channel=1&at=3,3"))
    exact.explained()
    expect(exact.why).to_have_attribute("data-agrees", "true")
    near = Screen(visit(shown, "#/see?layer=conv2&channel=1&at=3,3"))
    near.explained()
    expect(near.why).to_contain_text("Approximate")
    expect(near.why).to_contain_text("This file carries the maps in float16")
    expect(near.why.locator("h2")).to_contain_text("≈")
    expect(near.why).not_to_contain_text("framework says")
    expect(exact.why).to_contain_text("the framework says")
    assert near.why.get_attribute("data-agrees") != "true"
    expect(near.maps.get_by_role("option").first).to_have_accessible_name(re.compile("mean ≈ .*maximum ≈"))
    expect(near.page.locator("figure .near")).to_have_attribute("title", re.compile("less precision"))
    expect(exact.maps.get_by_role("option").first).not_to_have_accessible_name(re.compile("≈"))
    expect(exact.page.locator("figure .near")).to_have_count(0)


def test_what_was_left_out_is_looked_at_and_not_explained(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 32 3x3 | relu | conv 256 3x3 | relu", input_shape=(3, 16, 16))
    maps = lens.feature_maps(PICTURE[:16, :16])
    made = gallery([Exhibit(maps)], budget=gallery([Exhibit(maps)]).size - 250_000)
    assert "left out" in " ".join(made.reductions)
    screen = Screen(
        visit(written(tmp_path / "least.html", made.html), "#/see?layer=conv2&channel=1&at=3,3", may_fail=True)
    )
    screen.painted("conv2")
    screen.explained()
    expect(screen.why).to_contain_text("doesn't carry the weights of conv2")


def test_a_file_of_some_layers_opens_on_one_of_them(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 2 3x3 | relu | conv 3 3x3", input_shape=(3, 16, 16))
    maps = lens.feature_maps(PICTURE[:16, :16], layers=["conv2"])
    shown = written(tmp_path / "some.html", gallery([Exhibit(maps)]).html)
    Screen(visit(shown)).painted("conv2")
    for address in ("#/see?layer=conv", "#/see?layer=conv&at=2,2"):
        lacking = Screen(visit(shown, address)).page
        expect(lacking.get_by_text("This file doesn't hold the maps of this layer")).to_have_count(2)
        expect(lacking.get_by_text("maps of 1 of 3 layers")).to_be_visible()
        expect(lacking.get_by_text("Working it out")).to_have_count(0)


def test_a_model_that_a_file_lacks_is_said(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 2 3x3", input_shape=(3, 16, 16))
    html = gallery([Exhibit(lens.feature_maps(PICTURE[:16, :16]))]).html
    screen = Screen(visit(written(tmp_path / "one.html", html), "#/see?model=unknown", may_fail=True))
    expect(screen.page.get_by_role("alert").first).to_contain_text("Choose a model from the list")
    expect(screen.page.locator("h1")).to_have_text("No network is open")
    screen.page.locator("select.model").select_option(index=0)
    screen.painted("conv")
