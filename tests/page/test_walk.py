"""The walk through the tutorial: model after model, with what changes from one to the next."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from tests.hosts.test_demo import TRUE
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Serving, Shown

from convlens.sketches import TUTORIAL


def test_a_walk_shows_each_model_with_its_words_and_its_true_numbers(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start))
    strip = screen.page.get_by_role("region", name="A walk from model to model")
    for lesson, (parameters, shape) in zip(TUTORIAL, TRUE, strict=True):
        expect(strip).to_contain_text(f"{lesson.number} of 8")
        expect(strip.get_by_role("heading")).to_have_text(lesson.title)
        expect(strip).to_contain_text(lesson.says)
        expect(strip.locator("dd").nth(0)).to_contain_text(re.compile(rf"\b{parameters:,} why\?$"))
        expect(strip.locator("dd").nth(1)).to_contain_text(re.compile(rf"{' × '.join(map(str, shape))} why\?$"))
        words = re.split(r"\s*\|\s*", strip.locator(".sketch").inner_text())
        assert [" ".join(part.split()) for part in words] == lesson.sketch.split(" | ")
        last = lesson.sketch.count("|")
        expect(strip.locator(".part").nth(last)).to_have_attribute("aria-current", "true")  # the end stays the end
        screen.finished()
        screen.page.keyboard.press("n")
    expect(strip).to_contain_text("8 of 8")
    expect(strip.get_by_role("button", name="This is the last model")).to_be_disabled()
    screen.page.go_back()
    expect(strip).to_contain_text("7 of 8")


@pytest.mark.parametrize("locale", ["en-GB", "th-TH"])
def test_the_first_screen_leads_to_why_its_numbers_are_so(visit: Visit, first_start: Shown, locale: str) -> None:
    english = locale == "en-GB"
    page = visit(first_start, locale=locale)
    why = "why?" if english else "ทำไม?"
    size = page.get_by_role("link", name=f"3 × 1438 × 1078 {why}")
    expect(size).to_have_attribute("title", re.compile("1438 × 1078"))
    size.click()
    assert page.url.endswith("#/learn/convolution")
    expect(page.get_by_role("heading", level=1)).to_have_text("Convolution" if english else "คอนโวลูชัน")
    page.go_back()
    expect(size).to_be_visible()
    page.get_by_role("link", name=f"84 {why}").click()
    assert page.url.endswith("#/learn/channels")
    page.go_back()
    expect(size).to_be_visible()


def test_what_has_changed_stands_beside_what_was(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start, "#/see?model=tutorial-2"))
    strip = screen.page.get_by_role("region", name="A walk from model to model")
    expect(strip.locator("dd").nth(0)).to_have_text(re.compile(r"84→903 why\?$"))
    expect(strip.locator("mark")).to_have_text(["10x10"])
    screen.finished()
    strip.get_by_role("button", name="On to One filter of 3x3").click()
    expect(strip.locator("dd").nth(0)).to_have_text(re.compile(r"903→28 why\?$"))
    screen.finished()
    strip.get_by_role("button", name="Back to Larger kernels: 10x10").click()
    expect(strip).to_contain_text("2 of 8")


def test_the_place_of_the_picture_and_the_colours_stay(visit: Visit, first_start: Shown) -> None:
    """Row 700 of 3x3 kernels begins at pixel 700 and has 701 for its middle; of 20x20 that is row 691.5 or so."""
    screen = Screen(visit(first_start, "#/see?model=tutorial-3&at=700,500&colours=sequential"))
    assert screen.explained() == "conv:0,700,500"
    screen.page.keyboard.press("n")
    row, column = (int(n) for n in screen.explained("conv:0,700,500").split(",")[1:])
    assert row + 9.5 == pytest.approx(701, abs=0.5)
    assert column + 9.5 == pytest.approx(501, abs=0.5)
    assert "colours=sequential" in screen.page.url


def test_the_words_can_be_folded_away_and_stay_so(visit: Visit, first_start: Shown) -> None:
    screen = Screen(visit(first_start, "#/see?model=tutorial-5"))
    says = screen.page.get_by_text(TUTORIAL[4].says)
    expect(says).to_be_visible()
    screen.page.get_by_role("button", name="Fold the words away").click()
    expect(says).not_to_be_visible()
    screen.page.reload()
    expect(screen.page.get_by_role("button", name="Show the words")).to_be_visible()
    expect(says).not_to_be_visible()


@pytest.mark.parametrize(("width", "scheme"), [(390, "dark"), (1000, "light"), (1400, "dark")])
def test_axe_finds_nothing(visit: Visit, first_start: Shown, width: int, scheme: str) -> None:
    options = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    screen = Screen(visit(first_start, "#/see?model=tutorial-8&layer=relu&at=50,60", **options))
    screen.explained()
    assert screen.violations() == []
    assert screen.page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_a_model_alone_has_no_walk(visit: Visit, wide: Serving) -> None:
    screen = Screen(visit(wide))
    expect(screen.page.locator("h1")).to_contain_text("conv")
    expect(screen.page.get_by_role("region", name="A walk from model to model")).to_have_count(0)
