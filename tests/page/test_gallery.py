"""Several pictures and models in one file: what it holds can be chosen, what it can't do isn't offered."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Filed, Serving

import convlens
from convlens.hosts.report import Exhibit, gallery
from convlens.pictures import cat

HOSTILE = "<b>'\"é مرحبا.png"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Filed:
    """Two models on three pictures; the second model knows nothing of the cat."""
    folder = tmp_path_factory.mktemp("gallery")
    rows, columns = np.mgrid[0:80, 0:60]
    waves = np.stack([np.sin(rows / 9), np.cos(columns / 7), np.sin(rows * columns / 99)], -1) * 120 + 128
    for name, pixels in (("waves.png", waves), (HOSTILE, waves[::-1])):
        Image.fromarray(pixels.astype(np.uint8)).save(folder / name)
    recipe = convlens.Recipe(resize="stretch")
    first, second = (
        convlens.sketch(line, input_shape=(3, 80, 60)) for line in ("conv 8 3x3 | relu | maxpool 2x2", "conv 5 7x7")
    )
    shown = [(first, cat()), (first, folder / "waves.png"), (first, folder / HOSTILE)]
    shown += [(second, folder / "waves.png"), (second, folder / HOSTILE)]
    path = folder / "gallery.html"
    path.write_text(gallery([Exhibit(lens.feature_maps(one, recipe=recipe)) for lens, one in shown]).html, "utf-8")
    return Filed(path)


def test_a_picture_of_the_file_is_chosen_by_a_press(visit: Visit, file: Filed) -> None:
    screen = Screen(visit(file, "#/see?layer=conv&channel=0&at=30,20"))
    cats = screen.explained()
    before = screen.why.inner_text()
    row = screen.page.get_by_role("group", name="Pictures in this file")
    expect(row.get_by_role("button")).to_have_count(3)
    row.get_by_role("button", name="waves.png").click()
    expect(row.get_by_role("button", name="waves.png")).to_have_attribute("aria-current", "true")
    expect(screen.why).not_to_have_text(before)
    assert screen.explained() == cats  # the same value of the same layer, of another picture
    expect(screen.why).to_have_attribute("data-agrees", "true")
    row.get_by_role("button", name=HOSTILE).click()
    expect(screen.page.get_by_role("banner").get_by_title(HOSTILE)).to_be_visible()


def test_another_model_is_shown_on_a_picture_that_the_file_holds_of_it(visit: Visit, file: Filed) -> None:
    screen = Screen(visit(file))
    screen.painted("conv")
    screen.page.get_by_label("Model", exact=True).select_option("model-2")
    expect(screen.page.locator("h1")).to_contain_text("5 × 74 × 54")
    row = screen.page.get_by_role("group", name="Pictures in this file")
    expect(row.get_by_role("button")).to_have_count(2)
    expect(row.get_by_role("button", name="waves.png")).to_have_attribute("aria-current", "true")
    screen.painted("conv")
    assert screen.violations() == []


def test_what_a_file_cannot_do_is_not_offered(visit: Visit, file: Filed) -> None:
    screen = Screen(visit(file, "#/see?layer=conv&at=30,20"))
    screen.explained()
    for name in (r"^Open …", "^Pictures ▾", "Open a model", "Effective field"):
        expect(screen.page.get_by_role("button", name=re.compile(name))).to_have_count(0)
    expect(screen.page.locator("input[type=file]")).to_have_count(0)
    expect(screen.page.get_by_text("Save", exact=True)).to_have_count(0)
    expect(screen.page.locator("section.picture form")).to_have_count(0)
    expect(screen.page.get_by_text(re.compile(r"Made by convlens \S+: 2 models · nothing reduced"))).to_be_visible()
    screen.page.keyboard.press("?")
    expect(screen.page.get_by_role("dialog").get_by_text("Next channel")).to_be_visible()
    expect(screen.page.get_by_role("dialog").get_by_text("Next model")).to_have_count(0)  # there is no walk


def test_the_server_offers_all_of_it(visit: Visit, wide: Serving) -> None:
    screen = Screen(visit(wide))
    expect(screen.page.get_by_role("button", name="Effective field")).to_have_count(1)
    expect(screen.page.get_by_text("Save", exact=True)).to_be_visible()
    expect(screen.page.locator("#picture-file")).to_have_count(1)
    expect(screen.page.get_by_text(re.compile("Made by convlens"))).to_have_count(0)


def test_what_was_reduced_is_listed(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch(
        "conv 64 3x3 pad 1 | tanh | conv 64 3x3 pad 1 | sigmoid | conv 64 3x3", input_shape=(3, 300, 200)
    )
    made = gallery([Exhibit(lens.feature_maps(cat(), recipe=convlens.Recipe(resize="stretch")))], budget="2MB")
    assert made.reductions
    path = tmp_path / "small.html"
    path.write_text(made.html, "utf-8")
    screen = Screen(visit(Filed(path)))
    said = screen.page.get_by_text("some reduced, to keep the file small")
    said.click()
    listed = screen.page.locator("section.picture details li")
    expect(listed).to_have_count(len(made.reductions))
    assert listed.all_inner_texts() == list(made.reductions)
