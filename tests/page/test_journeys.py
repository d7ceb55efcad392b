"""The journeys of a person through the page, in a real Chromium: on a real server, and in a report's file."""

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
from tests.page.serving import Filed, Serving, Shown, sketched

import convlens
from convlens.pictures import cat
from convlens.sketches import TUTORIAL
from convlens.sketches.tutorial import INPUT_SHAPE


def test_first_start_shows_the_cat_and_the_first_tutorial_model(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start))
    screen.painted("conv")
    expect(screen.page.locator("h1")).to_contain_text("3 × 1438 × 1078")
    expect(screen.page).to_have_title(re.compile("conv"))
    assert "token" not in screen.page.url  # else a shared screen would share the key
    screen.click_pixel()
    screen.explained()
    expect(screen.why).to_have_attribute("data-agrees", "true")


def test_the_explanation_says_what_python_says(visit: Visit, first_start: Shown) -> None:
    from convlens.hosts.demo import the_cat

    screen = Screen(visit(first_start, "#/see?layer=conv&channel=1&at=640,420"))
    assert screen.explained() == "conv:1,640,420"
    lens = convlens.sketch("conv 3 3x3", input_shape=(3, 1440, 1080))
    found = lens.feature_maps(the_cat())["conv"].explain(channel=1, row=640, column=420)
    told = screen.why.inner_text().replace("\u2212", "-")
    assert f"{found.framework_value:.3f}" in told
    assert found.channel_sums is not None
    for total in found.channel_sums:
        assert f"{total:.3f}" in told


@pytest.mark.parametrize("number", range(1, 9))
def test_every_tutorial_model_opens_and_agrees(visit: Visit, first_start: Shown, number: int) -> None:
    lesson = TUTORIAL[number - 1]
    last = convlens.sketch(lesson.sketch, input_shape=INPUT_SHAPE, seed=lesson.seed).network.layers[-1].name
    screen = Screen(visit(first_start, f"#/see?model=tutorial-{number}&layer={last}&channel=0&at=11,12"))
    assert screen.explained() == f"{last}:0,11,12"
    expect(screen.why).to_have_attribute("data-agrees", "true")


def test_a_walk_back_to_the_picture_and_forth_again(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start, "#/see?model=tutorial-7&layer=maxpool&channel=0&at=100,100"))
    place = screen.explained()
    seen = [place]
    while not place.startswith("picture:"):
        screen.why.locator("table button").first.click()
        place = screen.explained(place)
        seen.append(place)
    layers = [one.split(":")[0] for one in seen]
    assert layers[0] == "maxpool"
    assert layers[-2:] == ["conv", "picture"]
    trail = screen.why.get_by_role("navigation").locator("ol button")
    assert trail.count() == len(seen)
    trail.first.click()
    assert screen.explained(place) == seen[0]
    assert trail.count() == len(seen)  # the later steps stay, to be walked forth


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    line = "conv 8 3x3 | relu | maxpool 2x2 | conv 16 3x3 | relu | globalavgpool | dense 10 | softmax"
    return sketched(folder, line, "3x64x64", "small")


@pytest.fixture(scope="module")
def served(model: Path) -> Iterator[Serving]:
    with Serving(str(model)) as serving:
        yield serving


@pytest.fixture(scope="module", params=WHERE)
def small(request: pytest.FixtureRequest, model: Path) -> Shown:
    if request.param == "server":
        found: Serving = request.getfixturevalue("served")
        return found
    return Filed(convlens.open(model).feature_maps(cat()).report(model.with_suffix(".html"), force=True))


def test_choose_a_layer_a_map_a_pixel(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small))
    screen.painted("conv")
    screen.choose("conv2")
    screen.painted("conv2")
    screen.maps.focus()
    screen.maps.press("Home")
    screen.maps.press("ArrowRight")
    expect(screen.large).to_have_attribute("data-channel", "1")
    screen.click_pixel()
    assert screen.explained().startswith("conv2:1,")
    expect(screen.why).to_have_attribute("data-agrees", "true")
    assert re.search(r"layer=conv2.*channel=1.*at=\d+,\d+", screen.page.url)


def test_back_and_forward_follow_the_view(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small))
    screen.painted("conv")
    screen.choose("maxpool")
    screen.painted("maxpool")
    screen.page.go_back()
    screen.painted("conv")
    screen.page.go_forward()
    screen.painted("maxpool")


def test_a_shared_link_and_a_reload_show_the_same(visit: Visit, small: Shown) -> None:
    hash = "#/see?layer=conv2&channel=3&at=7,9&colours=sequential&scale=map&sort=mean"
    screen = Screen(visit(small, hash))
    assert screen.explained() == "conv2:3,7,9"
    before = screen.why.inner_text()
    screen.page.reload()
    assert screen.explained() == "conv2:3,7,9"
    assert screen.why.inner_text() == before
    for part in hash.partition("?")[2].split("&"):
        assert part in screen.page.url


def test_hover_says_the_framework_s_float32(visit: Visit, small: Shown, folder: Path) -> None:
    screen = Screen(visit(small, "#/see?layer=conv&channel=2"))
    screen.painted("conv")
    screen.large.hover(position={"x": 60, "y": 60})
    readout = screen.page.locator("#readout")
    expect(readout.locator("b")).to_have_text(re.compile(r"\d"))
    row, column = re.findall(r"\d+", readout.locator(".place").inner_text())[-2:]
    maps = convlens.open(folder / "small.onnx").feature_maps(cat())
    shown = readout.locator("b").inner_text().replace("\u2212", "-")
    assert np.float32(float(shown)) == maps["conv"].array[2, int(row), int(column)]


def test_colours_change_the_pixels_and_the_address(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small))
    screen.painted("conv")
    before = screen.maps.screenshot()
    screen.page.get_by_label("Colours").select_option("sequential")
    expect(screen.page).to_have_url(re.compile("colours=sequential"))
    screen.painted("conv")
    screen.page.wait_for_timeout(100)
    assert screen.maps.screenshot() != before


def test_another_picture_and_a_broken_one(visit: Visit, served: Serving, tmp_path: Path) -> None:
    screen = Screen(visit(served, may_fail=True))
    screen.painted("conv")
    before = screen.page.url
    field = screen.page.locator("input[type=file]").first
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (80, 90, 3), np.uint8)).save(tmp_path / "noise.png")
    field.set_input_files(tmp_path / "noise.png")
    screen.page.wait_for_function("before => location.href !== before", arg=before)
    screen.painted("conv")
    expect(screen.page.locator("section.picture")).to_contain_text("noise.png")
    shown = screen.page.url
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    field.set_input_files(tmp_path / "broken.png")
    expect(screen.page.get_by_role("alert")).to_contain_text("broken.png")
    assert screen.page.url == shown  # nothing is lost
    screen.painted("conv")


def test_deep_zoom_prints_the_numbers(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start, "#/see?layer=conv&channel=0"))
    screen.painted("conv")
    box = screen.large.bounding_box()
    assert box is not None
    screen.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    before = screen.large.screenshot()
    for _ in range(30):
        screen.page.mouse.wheel(0, -240)
    screen.page.wait_for_timeout(300)
    after = screen.large.screenshot()
    assert after != before
    screen.page.mouse.move(box["x"] + box["width"] / 2 + 5, box["y"] + box["height"] / 2 + 5)
    expect(screen.page.locator("#readout b")).to_have_text(re.compile(r"\d"))


def test_two_thousand_channels(visit: Visit, wide: Serving) -> None:
    screen = Screen(visit(wide, "#/see?layer=conv2&channel=0"))
    screen.painted("conv2")
    assert screen.page.locator("[role=option]").count() < 700  # only what is in sight, and a little more
    screen.maps.focus()
    screen.maps.press("End")
    expect(screen.large).to_have_attribute("data-channel", "2047")
    screen.painted("conv2")
    screen.click_pixel()
    assert screen.explained().startswith("conv2:2047,")
    expect(screen.why).to_have_attribute("data-agrees", "true")


def test_keyboard_only(visit: Visit, small: Shown) -> None:
    page = visit(small)
    screen = Screen(page)
    screen.painted("conv")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.type("conv2")
    page.keyboard.press("Enter")
    screen.painted("conv2")
    page.keyboard.press("Escape")
    for _ in range(60):  # Tab reaches the maps
        if page.evaluate("document.activeElement.getAttribute('role')") == "listbox":
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    place = screen.explained()
    expect(screen.why).to_have_attribute("data-agrees", "true")
    for _ in range(60):  # and the first cell of the window, which leads back
        if page.evaluate("document.activeElement.closest('table') !== null"):
            break
        page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert screen.explained(place).split(":")[0] != "conv2"


def test_the_list_of_keys(visit: Visit, small: Shown) -> None:
    page = visit(small)
    Screen(page).painted("conv")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_dark_and_light(visit: Visit, small: Shown) -> None:
    page = visit(small, color_scheme="dark")
    Screen(page).painted("conv")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(20, 23, 27)"


def test_thai(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small, "#/see?layer=conv&channel=0&at=3,4", locale="th-TH"))
    screen.explained()
    assert screen.page.locator("html").get_attribute("lang") == "th"
    expect(screen.page.get_by_role("tab").first).to_have_text("ฟีเจอร์แมป")
    assert "{" not in screen.page.locator("body").inner_text()


@pytest.mark.parametrize("width", [390, 820, 1400, 2200])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit: Visit, small: Shown, width: int, scheme: str) -> None:
    screen = Screen(
        visit(
            small, "#/see?layer=conv2&channel=1&at=7,9", viewport={"width": width, "height": 900}, color_scheme=scheme
        )
    )
    screen.explained()
    screen.finished()
    assert screen.violations() == []
    for tab in ("kernels", "words"):
        screen.page.locator(f"#tab-{tab}").click()
        screen.page.wait_for_timeout(300)
        assert screen.violations() == []
    wider = screen.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wider <= 0


def test_the_picture_stays_while_recipe_and_answer_scroll(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small, "#/see?layer=conv2&channel=1&at=7,9", viewport={"width": 1400, "height": 700}))
    screen.explained()
    panel, picture = screen.page.locator("section.picture"), screen.page.locator("section.picture .seen")
    assert panel.evaluate("panel => { panel.scrollTop = 9999; return panel.scrollTop; }") > 0
    expect(picture).to_be_in_viewport(ratio=1)


def test_a_narrow_window_brings_the_explanation_up(visit: Visit, small: Shown) -> None:
    screen = Screen(visit(small, viewport={"width": 390, "height": 844}))
    screen.painted("conv")
    expect(screen.page.locator("section.why")).not_to_be_attached()
    screen.click_pixel()
    screen.explained()
    expect(screen.page.locator("section.why h2, section.why [data-explained]").first).to_be_in_viewport()
    expect(screen.large).to_be_in_viewport(ratio=0.4)  # the value that was touched is still there


def test_the_server_gone_and_back(visit: Visit, folder: Path) -> None:
    with Serving(str(sketched(folder, "conv 4 3x3 | relu", "3x32x32", "lost"))) as serving:
        screen = Screen(visit(serving, may_fail=True))
        screen.painted("conv")
        serving.stop()
        screen.click_pixel()
        lost = screen.page.locator("[role=status]").filter(has_text="server")
        expect(lost).to_be_visible()
        expect(screen.maps).to_be_visible()  # what is shown stays
        serving.start()
        expect(lost).to_be_hidden()
        expect(screen.maps).to_be_visible()
        screen.finished()
        screen.click_pixel(0.45, 0.45)
        screen.explained()
        expect(screen.why).to_have_attribute("data-agrees", "true")
