"""The lessons: answered by keyboard alone, in English and in Thai, dragged, typed into, reached from a real layer."""

from __future__ import annotations

import io
import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Shown

WORDS = Path(__file__).parents[2] / "frontend" / "src" / "words"
EN, TH = (json.loads((WORDS / f"{one}.json").read_text("utf-8"))["learn"] for one in ("en", "th"))
LESSONS = ("convolution", "padding", "stride", "dilation", "pooling", "channels", "activation", "field", "dense")


def numbers(page: Page, title: str) -> list[str]:
    """What stands in the cells of a grid."""
    grid = page.locator("figure").filter(has=page.locator("figcaption", has_text=re.compile(f"^{re.escape(title)}$")))
    return grid.first.locator("svg text:not(.weight)").all_text_contents()


def made(page: Page, title: str = "Output") -> list[str]:
    return [text for text in numbers(page, title) if text]


def by_tab(page: Page, target: Locator) -> None:
    """Move the focus to ``target`` as a person without a mouse does."""
    for _ in range(80):
        if target.evaluate("element => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError("the keyboard doesn't lead there")


def test_a_lesson_to_its_end_by_keyboard_alone(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/stride")
    expect(page.get_by_role("heading", level=1)).to_have_text("Stride")
    assert made(page) == ["0"]
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Window 2", exact=True)).to_be_visible()
    page.keyboard.press("ArrowDown")  # a row down: the last of four
    assert len(made(page)) == 4
    page.keyboard.press("Home")
    assert len(made(page)) == 1
    page.keyboard.press("Space")
    expect(page.get_by_text("Window 4 of 4")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()  # it stops at the end by itself

    by_tab(page, page.get_by_role("textbox", name="Your answer"))
    page.keyboard.type("3")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Not 3. Count the places along one side")
    page.keyboard.press("Backspace")
    page.keyboard.type("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Yes, 2.")
    expect(page.locator(".because")).to_contain_text("(5 − 3) / 2 + 1 = 2")

    by_tab(page, page.get_by_role("textbox", name="Kernel, row 1, column 1"))
    page.keyboard.type("5")
    page.keyboard.press("ArrowRight")  # to the cell beside it
    page.keyboard.type("-1")
    assert numbers(page, "Kernel")[:3] == ["5", "−1", "−1"]
    by_tab(page, page.get_by_role("link", name="Next: Dilation"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.url.endswith("#/learn/dilation")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", level=1)).to_have_text("Stride")
    page.reload()
    expect(page.get_by_role("link", name=re.compile("Stride ?, finished"))).to_be_visible()


def test_typed_numbers_are_what_is_added_up(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/convolution")
    before = made(page)
    cell = page.get_by_role("textbox", name="Input, row 1, column 1")
    cell.fill("9")
    assert made(page) != before
    window = [float(n.replace("−", "-")) for n in numbers(page, "Input")]
    kernel = [float(n.replace("−", "-")) for n in numbers(page, "Kernel")]
    under = [window[row * 5 + column] for row in range(3) for column in range(3)]
    total = sum(a * b for a, b in zip(under, kernel, strict=True))
    assert made(page) == [f"{total:g}".replace("-", "−")]
    line = page.locator("section:has(#learn-sum) .line")
    expect(line).to_contain_text("9×1")
    expect(line.locator("strong")).to_have_text(f"= {total:g}".replace("-", "−"))
    said = page.locator("#learn-mistyped")
    height = page.locator(".board").evaluate("board => board.offsetHeight")
    for wrong in ("nine", "123456789", "1e-9"):
        cell.fill(wrong)
        expect(cell).to_have_attribute("aria-invalid", "true")
        expect(said).to_have_text(f"Expected: −1000000 to 1000000, in digits such as −0.5. Received: {wrong}.")
        assert page.locator(".board").evaluate("board => board.offsetHeight") == height
    cell.press("Tab")
    expect(cell).to_have_value("9")
    expect(said).to_be_empty()


def test_a_link_keeps_a_persons_own_numbers(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/stride")
    steps = page.evaluate("history.length")
    page.get_by_role("textbox", name="Input, row 1, column 2").fill("8")
    page.get_by_role("textbox", name="Kernel, row 1, column 1").fill("-0.5")
    page.get_by_role("button", name="Padding: one more").click()
    page.get_by_role("slider", name="Window").press("End")
    expect(page).to_have_url(re.compile(r"#/learn/stride\?padding=1&at=9&numbers=x0,0,1,8_w0,0,0,0,-0\.5$"))
    assert page.evaluate("history.length") == steps
    output = made(page)
    assert len(output) == 9
    page.reload()
    expect(page.get_by_text("Window 9 of 9")).to_be_visible()
    assert (made(page), numbers(page, "Kernel")[0]) == (output, "−0.5")
    page.evaluate("location.hash = '#/learn/stride?input=5x7&stride=99&padding=two&at=-1&numbers=x0,0,99,1'")
    expect(page).to_have_url(re.compile("#/learn/stride$"))
    assert made(page) == ["0"]


def test_a_lesson_is_one_screen(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/convolution")
    queries = [
        *LESSONS,
        "channels?input=6x6&filters=4",
        "field?input=10x10&layers=4",
        "padding?input=10x10&kernel=5x5&padding=3",
    ]
    for query in queries:
        page.evaluate(f"location.hash = '#/learn/{query}'")
        expect(page.get_by_role("heading", level=1)).to_have_text(EN[query.split("?")[0]]["title"])
        if (show := page.get_by_role("button", name="Show me")).count():
            show.click()
        assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0, query


def test_the_board_is_still_while_it_plays(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/padding")
    heights = set()
    for _ in range(25):
        heights.add(page.locator(".board").evaluate("board => board.offsetHeight"))
        page.keyboard.press("ArrowRight")
    assert len(heights) == 1


def test_the_last_lesson_leads_to_a_network_of_ones_own(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/dense")
    page.get_by_role("link", name="Now build a network of your own").click()
    expect(page).to_have_url(re.compile("#/play"))


def test_the_window_is_dragged(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/convolution")
    frame = page.locator(".frame.draggable").first
    box = frame.bounding_box()
    assert box is not None
    cell = box["width"] / 5
    page.mouse.move(box["x"] + 1.5 * cell, box["y"] + 1.5 * cell)
    page.mouse.down()
    page.mouse.move(box["x"] + 3.5 * cell, box["y"] + 2.5 * cell, steps=6)
    page.mouse.up()
    expect(page.get_by_text("Window 6", exact=True)).to_be_visible()
    page.get_by_role("button", name=re.compile("^Output, row 1, column 2")).click()
    expect(page.get_by_text("Window 2", exact=True)).to_be_visible()


def test_it_is_turned_back(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/stride")
    page.keyboard.press("End")
    page.get_by_role("button", name="Play backwards").click()
    expect(page.get_by_text("Window 1", exact=True)).to_be_visible()
    assert len(made(page)) == 1


def saved(page: Page, words: dict[str, Any] = EN) -> tuple[str, list[Image.Image], Image.Image]:
    """The name of the GIF that the page gives away, its frames, and the file as it is."""
    with page.expect_download() as coming:
        page.get_by_role("button", name=words["saveGif"]).click()
    file = Image.open(io.BytesIO(Path(coming.value.path()).read_bytes()))
    frames = []
    for number in range(getattr(file, "n_frames", 1)):
        file.seek(number)
        assert file.info["duration"] == 700
        frames.append(file.convert("RGB"))
    return coming.value.suggested_filename, frames, file


def grounds(page: Page, title: str) -> list[tuple[int, ...]]:
    """The colours of a grid's cells, as the page says them."""
    grid = page.locator("figure").filter(has=page.locator("figcaption", has_text=re.compile(f"^{re.escape(title)}$")))
    fills = grid.first.locator("rect.cell").evaluate_all("cells => cells.map(cell => getComputedStyle(cell).fill)")
    return [tuple(int(n) for n in re.findall(r"\d+", fill)) for fill in fills]


def colours(picture: Image.Image) -> set[Any]:
    found = picture.getcolors(picture.width * picture.height)
    assert found is not None
    return {colour for _, colour in found}


@pytest.mark.parametrize(("name", "windows"), [("convolution", 9), ("stride", 4)])
def test_a_gif_with_a_frame_for_each_window(visit: Visit, first_start: Shown, name: str, windows: int) -> None:
    page = visit(first_start, f"#/learn/{name}")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_text("Window 2", exact=True)).to_be_visible()
    called, frames, file = saved(page)
    assert called == f"{name}.gif"
    assert len(frames) == windows
    assert file.info["loop"] == 0
    expect(page.get_by_text("Window 2", exact=True)).to_be_visible()  # the lesson stays where it was
    assert len(made(page)) == 2

    bounds = page.locator(".stage figure").evaluate_all(
        "all => { const boxes = all.map(one => one.getBoundingClientRect());"
        " const of = (side, most) => Math[most](...boxes.map(one => one[side]));"
        " return [of('right', 'max') - of('left', 'min'), of('bottom', 'max') - of('top', 'min')] }"
    )
    for side, bound in zip(file.size, bounds, strict=True):
        assert abs(side - 2 * (bound + 32)) <= 2
    assert all(one.tobytes() != other.tobytes() for one, other in pairwise(frames))

    page.keyboard.press("End")
    expect(page.get_by_text(f"Window {windows} of {windows}")).to_be_visible()
    output = grounds(page, "Output")
    assert len(output) == windows
    for number, frame in enumerate(frames):  # each frame has the cells that are made by then
        right = frame.crop((int(frame.width * (0.72 if name == "convolution" else 0.78)), 0, *frame.size))
        assert set(output[: number + 1]) <= colours(right)
    assert not set(output) <= colours(frames[0].crop((int(frames[0].width * 0.78), 0, *frames[0].size)))


def test_a_gif_is_as_the_page_looks(visit: Visit, first_start: Shown) -> None:
    """In the dark, in Thai, with a person's own number."""
    page = visit(first_start, "#/learn/convolution", locale="th-TH", color_scheme="dark")
    _, before, _ = saved(page, TH)
    assert before[0].getpixel((2, 2)) == (28, 32, 38)  # the dark panel
    page.locator("input[data-cell='24']").first.fill("9")
    _, after, _ = saved(page, TH)
    assert len(after) == len(before) == 9
    assert after[8].tobytes() != before[8].tobytes()


def test_in_thai(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/channels", locale="th-TH")
    expect(page.get_by_role("heading", level=1)).to_have_text(TH["channels"]["title"])
    page.get_by_role("textbox", name=TH["answer"]).fill("28")
    page.get_by_role("button", name=TH["check"]).click()
    expect(page.get_by_role("status")).to_contain_text("28")
    page.get_by_role("textbox", name=TH["answer"]).fill("84")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(TH["right"].replace("{answer}", "84"))
    expect(page.locator(".because")).to_contain_text("3 ฟิลเตอร์ × (3 แชนเนล × 3 แถว × 3 คอลัมน์) + 3 ไบแอส = 84")
    page.keyboard.press("Tab")
    words = page.locator("main").inner_text()
    assert not re.findall(r"\blearn\.\w+|\{\w+\}", words)
    latin = set(re.findall(r"[A-Za-z]{3,}", words)) - {
        "conv",
        "rows",
        "columns",
        "weights",
        "bias",
        "parameters",
        "GIF",
    }
    assert not latin


def test_from_a_real_layer_to_why(visit: Visit, first_start: Shown) -> None:
    """From the demo's first model to "why 1438 x 1078, and why 84", without leaving the page."""
    page = visit(first_start, "#/see?model=tutorial-1&layer=conv&show=words")
    Screen(page).finished()
    page.get_by_role("link", name="Learn: why is the output 1438 × 1078?").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Convolution")
    page.get_by_role("button", name="Show me").click()
    seen = page.locator(".seen")
    expect(seen).to_contain_text(re.compile(r"1440.*= 1,?438"))
    expect(seen).to_contain_text(re.compile(r"1080.*= 1,?078"))
    page.go_back()
    page.get_by_role("link", name="Learn: why 84 parameters?").click()
    page.get_by_role("textbox", name="Your answer").fill("84")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text("Yes, 84.")
    expect(page.locator(".seen")).to_contain_text(re.compile(r"= 84"))


def test_the_same_sketch_in_the_playground(visit: Visit, first_start: Shown) -> None:
    page = visit(first_start, "#/learn/stride")
    page.get_by_role("link", name="Open this in the playground").click()
    assert "#/play?" in page.url
    assert "conv 1 3x3 stride 2" in re.sub(r"\+|%20", " ", page.url)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1400])
def test_axe_finds_nothing(visit: Visit, first_start: Shown, width: int, scheme: str) -> None:
    options: dict[str, Any] = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme}
    page = visit(first_start, "#/learn/convolution", **options)
    screen = Screen(page)
    for name in LESSONS:
        expect(page.get_by_role("heading", level=1)).to_have_text(EN[name]["title"])
        if name in ("convolution", "activation"):  # before the answer
            assert screen.violations() == [], name
        page.get_by_role("button", name="Show me").click()
        expect(page.locator(".because")).to_be_visible()
        assert screen.violations() == [], f"{name}, shown"
        across = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert across <= 0, name
        page.locator("h1").focus()
        page.keyboard.press("n")
