"""A Chromium for the notebook's tests, and a JupyterLab for all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, FrameLocator, Page, expect
from tests.notebook.jupyter import Lab, notebook
from tests.page.conftest import browser

__all__ = ["browser"]

FRAME = "iframe[title^='convlens']"
RUN = ".jp-Notebook-ExecutionIndicator[data-status=idle]"


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with Lab(tmp_path_factory.mktemp("lab")) as found:
        yield found


class Open:
    """An open notebook, whose cells can be run one after the other."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def viewer(self) -> FrameLocator:
        """The page in the first frame that is seen."""
        return self.page.frame_locator(f"{FRAME} >> visible=true").first

    def run_all(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def run(self, cell: int) -> str:
        """Run one cell once more; what it printed."""
        found = self.page.locator(".jp-Notebook .jp-CodeCell").nth(cell)
        prompt = found.locator(".jp-InputPrompt")
        expect(prompt).to_have_text(re.compile(r"\["))
        before = prompt.text_content() or ""
        taken = re.compile(rf"^(?!{re.escape(before.strip())})")
        for last in (False, False, True):  # a kernel that has only just started takes no keys yet
            found.locator(".jp-InputArea-editor .cm-content").click()
            self.page.keyboard.press("Control+Enter")
            try:
                expect(prompt).to_have_text(taken, timeout=30_000 if last else 4_000)
                break
            except AssertionError:
                if last:
                    raise
        expect(prompt).to_have_text(re.compile(r"\[\d+\]"), timeout=60_000)
        self.page.wait_for_timeout(150)  # what it printed comes just before its number, or just after
        return "\n".join(found.locator(".jp-OutputArea-output").all_inner_texts()).strip()


@pytest.fixture
def open_notebook(browser: Browser, lab: Lab) -> Iterator[Callable[..., Open]]:
    """Opens a notebook of these cells, with its kernel; no page may have had an error."""
    contexts, wrong = [], []
    names = iter(range(100))

    def opened(*cells: str, width: int = 1300) -> Open:
        path = notebook(lab.folder / f"test-{len(list(lab.folder.glob('*.ipynb')))}-{next(names)}.ipynb", *cells)
        context = browser.new_context(
            viewport={"width": width, "height": 1000}, locale="en-GB", reduced_motion="reduce"
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.on("pageerror", lambda error: wrong.append(f"{error}"))
        select = page.locator(".jp-Dialog button.jp-mod-accept")  # which kernel, it may ask, sooner or later
        page.add_locator_handler(select, lambda button: button.click())
        page.goto(lab.address(path.name))
        page.wait_for_selector(".jp-Notebook .jp-CodeCell")
        page.locator(RUN).wait_for(state="attached")
        return Open(page)

    yield opened
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)
