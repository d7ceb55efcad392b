"""The playground, in a real Chromium: what it shows, and what is taken along, is what Python and the frameworks say."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect
from tests.page.conftest import ARGUMENTS, Visit, chromium
from tests.page.pages import Screen
from tests.page.serving import Shown
from tests.play.cases import LINES, SMALL

import convlens
from convlens.hosts.demo import the_cat
from convlens.lens import digits
from convlens.sketches import TUTORIAL, build
from convlens.sketches.tutorial import INPUT_SHAPE

MINUS = "\u2212"
ROUNDING = 2e-6
"""How far apart float32 sums may be that are taken in another order, as a share of the layer's largest value."""

TAKEN = (
    *LINES[8:],
    "conv 3 3x3 stride 2 same",
    "maxpool 3x3 stride 2 pad 1",
    "tconv 2 3x3 stride 2 pad 1 output_padding 1",
)


class Playground:
    """The page's playground, as a person reads and works it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.line = page.locator("#play-sketch")

    def fact(self, name: str, result: int = 0) -> str:
        return self.page.locator(f'[data-fact="{name}"]').nth(result).inner_text().strip()

    def whole(self, results: int = 1) -> None:
        """Wait until the maps of the whole picture are there."""
        drawn = self.page.locator('.result [data-level="0"] canvas[data-drawn], .result ol')
        expect(drawn.nth(results - 1)).to_be_visible(timeout=20_000)
        expect(self.page.locator('.result [data-level]:not([data-level="0"])')).to_have_count(0, timeout=20_000)

    def value_at(self, channel: int, row_share: float, column_share: float) -> tuple[tuple[int, int, int], float]:
        """Point at a map: the place and the value that the page then tells."""
        canvas = self.page.locator(".result canvas").nth(channel)
        canvas.scroll_into_view_if_needed()
        box = canvas.bounding_box()
        assert box is not None
        self.page.mouse.move(1, 1)
        self.page.mouse.move(box["x"] + box["width"] * column_share, box["y"] + box["height"] * row_share)
        readout = self.page.locator('[data-fact="readout"]').first
        expect(readout).to_contain_text(f"map {channel}, row")
        told = re.search(r"map (\d+), row (\d+), column (\d+): (\S+)", readout.inner_text())
        assert told is not None
        return (int(told[1]), int(told[2]), int(told[3])), float(told[4].replace(MINUS, "-"))

    def slide(self, name: str, value: int) -> None:
        self.page.locator(f'input[type=range][name="{name}"]').fill(str(value))

    def open_small(self, folder: Path) -> np.ndarray[Any, Any]:
        """Open a small picture of one's own; its pixels, channels first."""
        pixels = np.random.default_rng(3).integers(0, 256, (SMALL[1], SMALL[2], 3), dtype=np.uint8)
        path = folder / "small.png"
        Image.fromarray(pixels).save(path)
        self.page.locator("#play-picture").set_input_files(path)
        expect(self.page.locator(".picture .shape")).to_have_text(" × ".join(map(str, SMALL)))
        return np.moveaxis(pixels, 2, 0).astype(np.float32)


@pytest.fixture
def playground(visit: Visit, first_start: Shown) -> Playground:
    found = Playground(visit(first_start, "#/play", permissions=["clipboard-read", "clipboard-write"]))
    found.whole()
    return found


def agree(told: float, exact: float, largest: float) -> bool:
    """Six digits are printed."""
    return abs(told - exact) <= 6e-6 * abs(exact) + ROUNDING * largest


@pytest.mark.parametrize("number", [1, 5, 8])
def test_a_preset_is_the_tutorials_own_model(playground: Playground, number: int) -> None:
    lesson = TUTORIAL[number - 1]
    playground.page.get_by_label("Start with").select_option(str(number - 1))
    expect(playground.line).to_have_value(lesson.sketch)
    playground.page.locator(".choose").last.click()
    lens = convlens.sketch(lesson.sketch, input_shape=INPUT_SHAPE, seed=lesson.seed)
    last = lens.network.layers[-1]
    expect(playground.page.locator('[data-fact="shape"]')).to_have_text(" × ".join(map(str, last.output_shape)))
    assert last.receptive_field is not None
    assert playground.fact("field") == " × ".join(map(str, last.receptive_field.size))
    assert f"{lens.network.parameters:,}" in playground.fact("parameters")
    playground.whole()
    place, told = playground.value_at(0, 0.41, 0.63)
    maps = lens.feature_maps(the_cat())[last.name].array
    assert agree(told, float(maps[place]), float(np.abs(maps).max())), (place, told, maps[place])


def test_the_digit_network_before_and_after_its_training(playground: Playground, folder: Path) -> None:
    page = playground.page
    page.get_by_label("Start with").select_option(label="Digits: untrained / trained")
    expect(page).to_have_url(re.compile("weights=digits-0.*weights2=digits-1500"))
    page.reload()
    playground.whole(2)
    expect(page.locator(".picture .shape")).to_have_text("1 × 28 × 28")
    expect(page.locator('[data-fact="training"]').nth(1)).to_contain_text("96.5 % of 1,000")
    steps = digits.timeline().steps
    picture = np.moveaxis(digits.pictures()[3].pixels, 2, 0)[None].astype(np.float32) / 255
    for letter, step in (("A", steps[0]), ("B", steps[-1])):
        page.get_by_role("button", name=letter, exact=True).click()
        page.get_by_text("Take it along").click()
        with page.expect_download() as saved:
            page.get_by_role("button", name="Save as .onnx").click()
        page.keyboard.press("Escape")
        file = folder / f"digits-{letter}.onnx"
        saved.value.save_as(file)
        taken = {one.name: onnx.numpy_helper.to_array(one) for one in onnx.load(file).graph.initializer}
        assert set(taken) == set(step.weights)
        for name, weights in step.weights.items():
            np.testing.assert_array_equal(taken[name], weights)
        assert convlens.open(file).recipe == digits.RECIPE
        answer = onnxruntime.InferenceSession(file).run(None, {"picture": picture})[0]
        page.locator(".choose").last.click()
        told = page.locator(".result").nth(0 if letter == "A" else 1).locator(".value").all_inner_texts()
        np.testing.assert_allclose([float(one.replace(MINUS, "-")) for one in told], answer[0], rtol=1e-4, atol=1e-5)
    assert answer[0].argmax() == 3
    page.get_by_label("Start with").select_option("0")
    expect(page.locator(".picture .shape")).to_have_text("3 × 1440 × 1080")


def test_line_blocks_and_sliders_follow_one_another(playground: Playground) -> None:
    page = playground.page
    playground.slide("kernel", 7)
    expect(playground.line).to_have_value("conv 3 7x7")
    assert playground.fact("shape") == "3 × 1434 × 1074"
    assert playground.fact("parameters") == "444"
    assert playground.fact("field") == "7 × 7"
    playground.slide("stride", 3)
    playground.slide("filters", 6)
    expect(playground.line).to_have_value("conv 6 7x7 stride 3")
    playground.line.fill("conv 2 3x5 dilation 2 same | relu")
    expect(page.locator("code")).to_have_text(["conv 2 3x5 dilation 2 same", "relu"])
    expect(page.locator('input[type=range][name="columns"]')).to_have_value("5")
    expect(page).to_have_url(re.compile(re.escape("sketch=conv+2+3x5+dilation+2+same+|+relu")))
    page.reload()
    expect(playground.line).to_have_value("conv 2 3x5 dilation 2 same | relu")


def test_a_mistake_is_shown_in_place_and_the_last_good_network_stays(playground: Playground) -> None:
    playground.line.fill("conv 3 3x3 | rleu")
    wrong = playground.page.locator("#play-mistake")
    expect(wrong).to_contain_text("There is no such layer")
    expect(wrong).to_contain_text("Did you mean 'relu'?")
    expect(playground.line).to_have_attribute("aria-invalid", "true")
    assert playground.fact("shape") == "3 × 1438 × 1078"
    playground.line.fill("conv 3 3x3 | relu")
    expect(wrong).to_have_count(0)


def test_a_kernel_typed_by_hand_is_followed_by_its_map(playground: Playground) -> None:
    page = playground.page
    playground.line.fill("conv 1 3x3 nobias")
    numbers = np.zeros((1, 3, 3, 3), np.float32)
    for channel in range(3):
        page.get_by_label("Channel").select_option(str(channel))
        for row in range(3):
            for column in range(3):
                numbers[0, channel, row, column] = (channel + 1) * 0.25 if (row, column) == (1, 1) else -0.125 * row
                cell = page.locator(f'[data-cell="{row}.{column}"]')
                cell.fill(str(numbers[0, channel, row, column]))
                cell.press("Enter")
    playground.whole()
    page.wait_for_timeout(800)
    place, told = playground.value_at(0, 0.3, 0.55)
    pixels = np.moveaxis(the_cat().pixels, 2, 0).astype(np.float64)
    _, row, column = place
    exact = float((pixels[:, row : row + 3, column : column + 3] * numbers[0]).sum())
    assert agree(told, exact, 500), (place, told, exact)
    page.get_by_role("button", name="Back to the drawn numbers").click()
    expect(page).not_to_have_url(re.compile("typed"))


def test_blocks_are_moved_added_and_removed_by_keyboard(playground: Playground) -> None:
    page = playground.page
    playground.line.fill("conv 3 3x3 | relu | maxpool 5x5")
    page.locator(".choose").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Alt+ArrowRight")
    expect(playground.line).to_have_value("conv 3 3x3 | maxpool 5x5 | relu")
    expect(page.locator('.choose[aria-pressed="true"]')).to_be_focused()
    page.keyboard.press("Delete")
    expect(playground.line).to_have_value("conv 3 3x3 | maxpool 5x5")
    page.get_by_label("Add a block").select_option("sigmoid")
    expect(playground.line).to_have_value("conv 3 3x3 | maxpool 5x5 | sigmoid")


def test_a_block_is_dragged_to_another_place(playground: Playground) -> None:
    playground.line.fill("conv 3 3x3 | relu | maxpool 5x5")
    blocks = playground.page.locator("li.block")
    blocks.nth(3).drag_to(blocks.nth(1))
    expect(playground.line).to_have_value("maxpool 5x5 | conv 3 3x3 | relu")


def test_two_networks_stand_beside_one_another(playground: Playground) -> None:
    page = playground.page
    page.get_by_role("button", name="Compare two").click()
    playground.slide("stride", 2)
    playground.whole(2)
    assert [playground.fact("shape", n) for n in (0, 1)] == ["3 × 1438 × 1078", "3 × 719 × 539"]
    page.get_by_role("button", name="A", exact=True).click()
    expect(playground.line).to_have_value("conv 3 3x3")


def test_a_value_is_taken_apart(playground: Playground) -> None:
    page = playground.page
    place, told = playground.value_at(1, 0.5, 0.5)
    page.mouse.down()
    page.mouse.up()
    why = page.get_by_role("region", name="Why is this value what it is?")
    expect(why).to_have_attribute("data-agrees", "true")
    expect(why).to_contain_text(f"channel 1, row {place[1]}, column {place[2]}")
    maps = convlens.sketch("conv 3 3x3", input_shape=INPUT_SHAPE).feature_maps(the_cat())
    found = maps["conv"].explain(channel=1, row=place[1], column=place[2])
    assert found.channel_sums is not None
    text = why.inner_text().replace(MINUS, "-")
    for total in found.channel_sums:
        assert f"{total:.3f}" in text
    assert agree(told, found.framework_value, 500)
    page.get_by_role("button", name="Close the explanation").click()
    expect(why).to_have_count(0)


def test_the_camera_is_read_and_let_go(browser: Browser, first_start: Shown) -> None:
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    other = browser.browser_type.launch(executable_path=chromium(), args=[*ARGUMENTS, *fake])
    try:
        page = other.new_page()
        page.goto(first_start.url + "#/play")
        Playground(page).whole()
        page.get_by_role("button", name="Camera").click()
        expect(page.locator(".picture .shape")).to_have_text(re.compile(r"3 × 360 × 480|3 × 270 × 480"))
        page.get_by_role("button", name="Stop the camera").click()
        expect(page.get_by_role("button", name="Camera", exact=True)).to_have_attribute("aria-pressed", "false")
        Playground(page).whole()
    finally:
        other.close()


def run_onnx(model: bytes, picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    found: np.ndarray[Any, Any] = session.run(None, {"picture": picture[None]})[0]
    first: np.ndarray[Any, Any] = found[0]
    return first


def run_code(code: str, framework: str, picture: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Run the code that was copied, as a person would, and feed it the picture."""
    names: dict[str, Any] = {}
    exec(compile(code, framework, "exec"), names)
    if framework == "torch":
        import torch

        with torch.no_grad():
            found: np.ndarray[Any, Any] = names["model"](torch.from_numpy(picture[None])).numpy()[0]
            return found
    found = np.asarray(names["model"](np.moveaxis(picture, 0, 2)[None]))[0]
    return np.moveaxis(found, -1, 0) if found.ndim == 3 else found


def test_what_is_taken_along_is_the_same_network(playground: Playground, tmp_path: Path) -> None:
    page = playground.page
    picture = playground.open_small(tmp_path)
    page.get_by_label("Seed", exact=True).fill("5")
    wrong: list[tuple[str, str, object]] = []
    for line in TAKEN:
        playground.line.fill(line)
        expect(page.locator("#play-mistake")).to_have_count(0)
        page.locator("summary").click()
        taken: dict[str, Any] = {}
        for framework, name in (("keras", "Copy as Keras code"), ("torch", "Copy as PyTorch code")):
            page.get_by_role("button", name=name).click()
            expect(page.get_by_text("Copied", exact=True)).to_be_visible()
            taken[framework] = page.evaluate("() => navigator.clipboard.readText()")
        with page.expect_download() as download:
            page.get_by_role("button", name="Save as .onnx").click()
        saved = Path(download.value.path()).read_bytes()
        page.locator("summary").click()

        model = onnx.load_from_string(saved)
        onnx.checker.check_model(model, full_check=True)
        ours = build(" ".join(line.split()), input_shape=SMALL, seed=5)
        assert model.graph == ours.graph, line
        said = {one.key: json.loads(one.value) for one in model.metadata_props}
        assert said["convlens.sketch"]["seed"] == 5
        assert (
            said["convlens.recipe"]
            == {one.key: json.loads(one.value) for one in ours.metadata_props}["convlens.recipe"]
        )
        exact = run_onnx(saved, picture)
        for framework in ("keras", "torch"):
            try:
                found = run_code(taken[framework], framework, picture)
                far = float(np.abs(found - exact).max()) if found.shape == exact.shape else np.inf
            except Exception as error:
                wrong.append((framework, line, repr(error)[:300]))
                continue
            if not far <= 2e-5 * max(1.0, float(np.abs(exact).max())):
                wrong.append((framework, line, far))
    assert not wrong, wrong


def test_the_pages_own_maps_are_those_of_the_saved_model(playground: Playground, tmp_path: Path) -> None:
    page = playground.page
    picture = playground.open_small(tmp_path)
    for line in LINES[8:]:
        playground.line.fill(line)
        page.locator(".choose").last.click()
        playground.whole()
        page.wait_for_timeout(150)
        model = build(" ".join(line.split()), input_shape=SMALL, seed=0)
        exact = run_onnx(model.SerializeToString(), picture)
        if exact.ndim == 1 or exact.shape[1:] == (1, 1):
            told = [
                float(text.replace(MINUS, "-").replace("e" + MINUS, "e-"))
                for text in page.locator(".result ol .value").all_inner_texts()
            ]
            pairs = list(zip(told, exact.ravel()[:64].tolist(), strict=True))
        else:
            place, value = playground.value_at(0, 0.52, 0.47)
            pairs = [(value, float(exact[place]))]
        for value, truth in pairs:
            assert abs(value - truth) <= 1e-5 * float(np.abs(exact).max()) + 6e-6 * abs(truth), (line, value, truth)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing(visit: Visit, first_start: Shown, width: int, scheme: str) -> None:
    page = visit(
        first_start,
        "#/play?sketch=conv+3+3x3+|+relu&sketch2=conv+3+3x3+stride+2",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        locale="th-TH" if scheme == "dark" else "en-GB",
    )
    playground = Playground(page)
    playground.whole(2)
    assert Screen(page).violations() == []
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.locator(".result canvas").first.click()
    expect(page.locator("[data-agrees]")).to_be_visible()
    assert Screen(page).violations() == []
    playground.line.fill("conv 3 3x3 | rleu")
    expect(page.locator("#play-mistake")).to_be_visible()
    assert Screen(page).violations() == []
