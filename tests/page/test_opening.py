"""What a person opens from the page: models where they are taken, words where they aren't; what head and links say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Serving, sketched

from convlens.hosts.server.models import UPLOADABLE

LINE = "conv 8 3x3 | relu | maxpool 2x2 | conv 16 3x3 | relu | globalavgpool | dense 10 | softmax"
DROP = """([name, bytes]) => {
  const given = new DataTransfer();
  given.items.add(new File([new Uint8Array(bytes)], name));
  for (const kind of ["dragenter", "dragover", "drop"])
    document.body.dispatchEvent(new DragEvent(kind, { dataTransfer: given, bubbles: true, cancelable: true }));
}"""


def drop(page: Page, name: str, data: bytes) -> None:
    """Let a file fall onto the page."""
    page.evaluate(DROP, [name, list(data)])


@pytest.fixture(scope="module")
def model(folder: Path) -> Path:
    return sketched(folder, LINE, "3x64x64", "a-rather-long-name-of-a-model-second-version-final")


@pytest.fixture(scope="module")
def taking(model: Path) -> Iterator[Serving]:
    with Serving(str(model), "--allow-upload-model") as serving:
        yield serving


@pytest.fixture(scope="module")
def closed(model: Path) -> Iterator[Serving]:
    with Serving(str(model)) as serving:
        yield serving


def test_a_model_is_opened_on_the_first_page_that_is_seen(visit: Visit, taking: Serving, folder: Path) -> None:
    screen = Screen(visit(taking))
    screen.painted("conv")
    expect(screen.page.locator("header.head button", has_text="Open a model")).to_be_visible()
    field = screen.page.locator("#model-file")
    assert field.get_attribute("accept") == ",".join(UPLOADABLE)
    field.set_input_files(sketched(folder, "conv 2 3x3 | relu", "3x20x20", "picked"))
    expect(screen.page.locator("h1")).to_contain_text("2 × 18 × 18")
    dropped = sketched(folder, "conv 5 3x3", "3x16x16", "dropped")
    drop(screen.page, dropped.name, dropped.read_bytes())
    expect(screen.page.locator("h1")).to_contain_text("5 × 14 × 14")
    expect(screen.page.get_by_role("alert").first).to_have_text("")


def test_a_model_where_none_is_taken_is_told_what_to_type(visit: Visit, closed: Serving) -> None:
    screen = Screen(visit(closed))
    screen.painted("conv")
    expect(screen.page.get_by_text("Open a model")).to_have_count(0)
    for name, told in {
        "mine.onnx": "convlens view mine.onnx",
        "my net.pt": "convlens view 'my net.pt'",
        "small.tflite": "Convert it to ONNX",
    }.items():
        drop(screen.page, name, b"anything")
        alert = screen.page.get_by_role("alert").first
        expect(alert).to_contain_text(name)
        expect(alert).to_contain_text(told)
        expect(alert).not_to_contain_text("PNG")
    screen.painted("conv")  # what is shown stays


def test_a_link_to_what_is_not_there_says_what_is_shown(visit: Visit, closed: Serving) -> None:
    screen = Screen(visit(closed, "#/see?layer=nothing&channel=3&at=1,1"))
    screen.painted("conv")
    told = screen.page.get_by_text("There is no layer “nothing” in this network: conv is shown.")
    expect(told).to_be_visible()
    expect(screen.page.locator("section.why")).not_to_be_attached()
    screen.choose("relu")
    expect(told).to_be_hidden()


@pytest.mark.parametrize("locale", ["en-GB", "th-TH"])
@pytest.mark.parametrize("width", [1024, 1280, 1440])
def test_the_head_is_one_line(visit: Visit, taking: Serving, locale: str, width: int) -> None:
    page = visit(taking, viewport={"width": width, "height": 800}, locale=locale)
    Screen(page).painted("conv")
    tops = page.evaluate(
        "() => [...document.querySelectorAll('header.head > :not(input, .progress)')]"
        ".map(one => one.getBoundingClientRect()).filter(box => box.height > 0)"
        ".map(box => [box.top + box.height / 2, box.right])"
    )
    middles = [middle for middle, _ in tops]
    assert max(middles) - min(middles) < 12
    assert max(right for _, right in tops) <= width
    cut = page.evaluate(
        "() => { const box = document.querySelector('.totals'); return [...box.children].filter(one =>"
        " one.offsetTop < box.offsetTop + box.clientHeight && one.scrollWidth > box.clientWidth).length; }"
    )
    assert cut == 0  # a total is there whole, or not at all


def test_a_picture_that_is_being_read_has_no_size_yet(visit: Visit, closed: Serving) -> None:
    page = visit(closed)
    page.add_init_script(
        "new MutationObserver(() => { const told = document.querySelector('section.picture .size')?.textContent;"
        " if (told) (window.sizes ??= new Set()).add(told); }).observe(document, {subtree: true, childList: true,"
        " characterData: true})"
    )
    page.reload()
    screen = Screen(page)
    screen.painted("conv")
    screen.finished()
    assert page.evaluate("[...window.sizes]") == ["64 × 64"]
