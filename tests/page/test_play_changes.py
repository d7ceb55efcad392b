"""What a person changes in the playground: where it goes, what is refused, and the way back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import expect
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Shown
from tests.page.test_play import Playground


@pytest.fixture
def playground(visit: Visit, first_start: Shown) -> Playground:
    found = Playground(visit(first_start, "#/play"))
    found.whole()
    return found


def test_a_typed_number_goes_with_its_block_and_back_undoes(playground: Playground) -> None:
    page = playground.page
    centre = page.locator('[data-cell="1.1"]')
    drawn = centre.input_value()
    centre.fill("3")
    centre.press("Enter")
    playground.line.fill("relu | conv 3 3x3")
    playground.line.blur()
    page.locator(".choose").last.click()
    expect(centre).to_have_value(re.compile(r"^3(\.0+)?$"))
    expect(page).to_have_url(re.compile("typed=k1,0,0,1,1,3"))
    page.get_by_label("Start with").select_option("1")
    expect(playground.line).to_have_value("conv 3 10x10")
    page.locator(".choose").first.focus()
    page.keyboard.press("Control+z")
    expect(playground.line).to_have_value("relu | conv 3 3x3")
    expect(page).to_have_url(re.compile("typed=k1,0,0,1,1,3"))
    page.go_back()
    expect(playground.line).to_have_value("conv 3 3x3")
    expect(centre).to_have_value(re.compile(r"^3(\.0+)?$"))
    page.go_back()
    expect(centre).to_have_value(drawn)
    page.go_forward()
    expect(centre).to_have_value(re.compile(r"^3(\.0+)?$"))


def test_a_move_that_can_not_be_changes_nothing_and_is_told(playground: Playground) -> None:
    page = playground.page
    line = "conv 3 3x3 stride 8 | flatten | dense 4"
    playground.line.fill(line)
    page.locator(".choose").first.focus()
    page.keyboard.press("Alt+ArrowRight")
    told = page.locator(".refused")
    expect(told).to_contain_text("'conv' reads maps")
    expect(playground.line).to_have_value(line)
    expect(page.locator('.choose[aria-pressed="true"] code')).to_have_text("conv 3 3x3 stride 8")
    assert Screen(page).violations() == []
    assert page.locator('p[aria-live="polite"]').first.inner_text() == ""
    page.locator(".choose").last.click()
    page.get_by_label("Add a block").select_option("relu")
    expect(told).to_have_count(0)
    expect(playground.line).to_have_value(f"{line} | relu")


def test_a_wrong_number_is_told_and_the_real_one_comes_back(playground: Playground) -> None:
    page = playground.page
    bias = page.locator('input[name="bias"]')
    cell = page.locator('[data-cell="0.0"]')
    drawn = cell.input_value()
    told = page.get_by_text("Expected: a number such as 2")
    for field, kept in ((cell, drawn), (bias, "0")):
        for text in ("abc", "1/3", "1 000", "1e39", "0x10", ""):
            field.fill(text)
            if text:
                expect(field).to_have_attribute("aria-invalid", "true")
                expect(told).to_contain_text(text)
            field.press("Enter")
            expect(field).to_have_value(kept)
            expect(told).to_be_visible()
        field.fill(kept)
        expect(told).to_have_count(0)
    seed = page.get_by_label("Seed", exact=True)
    for text in ("-1", "1.5", "99999999999"):
        seed.fill(text)
        expect(page.get_by_text("Expected: a whole number from 0 to 4,294,967,295")).to_contain_text(text)
        seed.blur()
        expect(seed).to_have_value("0")
    expect(page).not_to_have_url(re.compile("typed|seed"))


def test_a_picture_that_is_too_small_is_told_beside_it(playground: Playground, tmp_path: Path) -> None:
    page = playground.page
    playground.line.fill("conv 3 10x10")
    Image.new("RGB", (2, 2)).save(tmp_path / "tiny.png")
    page.locator("#play-picture").set_input_files(tmp_path / "tiny.png")
    expect(page.locator("li.picture")).to_contain_text("too small for this network")
    expect(page.locator(".side.stale")).to_have_count(1)
    assert Screen(page).violations() == []
    playground.line.fill("conv 3 2x2")
    expect(page.locator("li.picture")).not_to_contain_text("too small")
    expect(page.locator(".side.stale")).to_have_count(0)


def test_each_of_two_networks_keeps_what_it_shows(playground: Playground) -> None:
    page = playground.page
    playground.line.fill("conv 3 3x3 | relu")
    page.locator(".choose").last.click()
    page.get_by_role("button", name="Compare two").click()
    page.get_by_role("button", name="Remove this block").click()
    names = page.locator(".result h2")
    expect(names).to_have_text(["Arelu", "Bconv"])
    page.get_by_role("button", name="A", exact=True).click()
    page.get_by_role("button", name="B", exact=True).click()
    expect(names).to_have_text(["Arelu", "Bconv"])


def test_a_long_line_shows_its_chosen_block_and_how_to_add_another(playground: Playground) -> None:
    page = playground.page
    add = page.get_by_label("Add a block")
    for kind in ("relu", "conv", "sigmoid", "conv", "relu", "maxpool", "conv", "relu", "conv"):
        add.select_option(kind)
        expect(page.locator('.choose[aria-pressed="true"]')).to_be_in_viewport(ratio=1)
        expect(add).to_be_in_viewport(ratio=1)
