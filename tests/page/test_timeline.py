"""A training in the page: the slider, what stays while it moves, its colours; from the server and in a file."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect
from tests.page.conftest import WHERE, Visit
from tests.page.pages import Screen
from tests.page.serving import Filed, Serving, Shown

from convlens.lens import digits

NUMBERS = [step.number for step in digits.timeline().steps]
LAST = f"digits-{NUMBERS[-1]}"


@pytest.fixture(scope="session", params=WHERE)
def training(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shown]:
    """The digit network that comes with convlens: after the tutorial's models, or alone in a report."""
    if request.param == "server":
        with Serving() as serving:
            yield serving
        return
    path = digits.timeline().report(folder / "digits.html", digits.pictures()[7])
    yield Filed(path)


def strip_of(page: Page) -> Screen:
    expect(page.get_by_role("slider", name="Step of the training")).to_be_visible()
    return Screen(page)


def shown(page: Page, number: int) -> None:
    """Wait until this step is the one that is shown."""
    page.wait_for_function("id => new RegExp(`model=${id}(&|$)`).test(location.hash)", arg=f"digits-{number}")


def explained_value(screen: Screen, before: str = "") -> str:
    screen.page.wait_for_function(
        "before => { const now = document.querySelector('[data-explained]'); return now && now.dataset.explained"
        " && now.innerText !== before; }",
        arg=before,
    )
    return screen.why.inner_text()


def test_the_slider_changes_the_step_and_nothing_else(visit: Visit, training: Shown) -> None:
    screen = strip_of(visit(training, f"#/see?model={LAST}&layer=conv2&channel=3&at=2,4&show=kernels&scale=network"))
    page, slider = screen.page, screen.page.get_by_role("slider", name="Step of the training")
    assert screen.explained() == "conv2:3,2,4"
    before = explained_value(screen)
    screen.finished()
    expect(slider).to_have_attribute(
        "aria-valuetext", re.compile(r"after step 1,500, loss 0\.147\d*, accuracy 96\.5 %")
    )
    slider.press("Home")
    shown(page, 0)
    expect(slider).to_have_attribute("aria-valuetext", re.compile(r"before training, loss 2\.3\d+, accuracy 7\.6 %"))
    after = explained_value(screen, before)
    assert after != before
    assert screen.why.get_attribute("data-explained") == "conv2:3,2,4"
    for kept in ("layer=conv2", "channel=3", "at=2,4", "show=kernels", "scale=network"):
        assert kept in page.url
    slider.press("ArrowRight")
    shown(page, 1)
    for number in NUMBERS[2:5]:
        slider.press("ArrowRight")
        shown(page, number)
    expect(page.get_by_role("region", name="The training, step by step")).to_contain_text("after step 8")


def test_the_kernels_and_maps_are_those_of_the_step(visit: Visit, training: Shown) -> None:
    """What is read in the page is what NumPy finds in the shipped weights, at two steps."""
    timeline = digits.timeline()
    screen = strip_of(visit(training, "#/see?model=digits-0&layer=conv&show=kernels"))
    for place in (0, 9):
        screen.page.locator("#step-of-training").fill(str(place))
        shown(screen.page, NUMBERS[place])
        value = timeline.steps[place].weights["conv.weight"][0, 0, 0, 0]
        cell = screen.page.locator("section.layer section").get_by_text(f"{value:.3f}".replace("-", "−"), exact=True)
        expect(cell.first).to_be_visible()


def test_one_scale_for_all_steps_or_one_each(visit: Visit, training: Shown) -> None:
    """The first step's largest value has the last colour only where each step has colours of its own."""
    maps = digits.timeline().feature_maps(digits.pictures()[0 if isinstance(training, Serving) else 7])
    most = max(float(np.abs(one["conv"].array).max()) for one in maps)
    assert most > 2 * float(np.abs(maps[0]["conv"].array).max())
    screen = strip_of(visit(training, "#/see?model=digits-0&layer=conv"))
    strongest = """() => { const c = document.querySelector('[role=listbox][data-painted] canvas');
        const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; let least = 765;
        for (let n = 0; n < p.length; n += 4) if (p[n + 3]) least = Math.min(least, p[n] + p[n + 1] + p[n + 2]);
        return least; }"""
    screen.painted("conv")
    screen.page.wait_for_function(f"() => ({strongest})() > 300")  # pale: every step's range is known
    box = screen.page.get_by_role("checkbox", name="Same colours at every step")
    box.uncheck()
    screen.page.wait_for_function(f"() => ({strongest})() < 200")
    assert "steps=apart" in screen.page.url
    box.check()
    screen.page.wait_for_function(f"() => ({strongest})() > 300")


def test_it_plays_to_its_end(visit: Visit, training: Shown) -> None:
    screen = strip_of(visit(training, "#/see?model=digits-500"))
    screen.finished()
    screen.page.get_by_role("button", name="Play the training").click()
    for number in NUMBERS[-3:]:
        shown(screen.page, number)
    expect(screen.page.get_by_role("button", name="Play the training")).to_be_visible(timeout=5000)


def test_keys_lead_from_step_to_step(visit: Visit, training: Shown) -> None:
    screen = strip_of(visit(training, "#/see?model=digits-64"))
    screen.finished()
    screen.page.keyboard.press("n")
    shown(screen.page, 125)
    screen.page.keyboard.press("p")
    shown(screen.page, 64)


def test_the_answer_becomes_right(visit: Visit, training: Shown) -> None:
    screen = strip_of(visit(training, f"#/see?model={LAST}"))
    digit = "0" if isinstance(training, Serving) else "7"
    answer = screen.page.locator(".answer li").first
    expect(answer).to_contain_text(re.compile(rf"^{digit}\D"))
    screen.page.locator("#step-of-training").press("Home")
    shown(screen.page, 0)
    expect(answer).to_contain_text(re.compile(r"1\d\.\d %"))  # it has no idea: little more than a tenth


def test_a_training_is_one_model_and_has_its_own_pictures(visit: Visit, training: Shown) -> None:
    if not isinstance(training, Serving):
        pytest.skip("a report of a training holds nothing else")
    screen = Screen(visit(training))
    menu = screen.page.get_by_role("combobox", name="Model")
    expect(menu.locator("option")).to_have_count(9)
    expect(screen.page.get_by_role("slider", name="Step of the training")).to_have_count(0)
    pictures = screen.page.locator("details", has=screen.page.locator("summary", has_text="Pictures"))
    pictures.locator("summary").click()
    expect(pictures.get_by_role("listitem")).to_have_count(1)
    menu.select_option(label="digits: a training, 14 steps")
    strip_of(screen.page)
    expect(pictures.get_by_role("listitem")).to_have_count(10)  # the menu is still open
    pictures.get_by_role("listitem").nth(7).click()
    expect(screen.page.locator(".answer li").first).to_contain_text("7")
    menu.select_option(index=0)
    expect(screen.page.locator("header.head")).to_contain_text("cat.png")


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1000, "light"), (1400, "dark"), (2200, "light")])
def test_axe_finds_nothing(visit: Visit, training: Shown, width: int, scheme: str) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    screen = strip_of(visit(training, "#/see?model=digits-125&layer=conv", **options))
    screen.painted("conv")
    assert screen.violations() == []
    assert screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_thai(visit: Visit, training: Shown) -> None:
    page = visit(training, "#/see?model=digits-125", locale="th-TH")
    strip = page.get_by_role("region", name="การฝึก ทีละขั้น")
    expect(strip).to_contain_text("หลังขั้นที่ 125")
    expect(strip).to_contain_text("ความแม่นยำ")
