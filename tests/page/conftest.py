"""A real Chromium for the page's tests, and the models that they open."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright
from tests.page.serving import Filed, Serving, Shown, sketched, tutorial_report

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium() -> str | None:
    """The path of a Chromium; ``None`` for the one that Playwright itself has installed."""
    known = (os.environ.get("CHROMIUM"), "chromium", "chromium-browser", "google-chrome")
    return next((found for name in known if name and (found := shutil.which(name))), None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One for each file: while it is open, its event loop lets no other test of the process run one."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield found
        found.close()


Visit = Callable[..., Page]


def is_wrong(line: ConsoleMessage) -> bool:
    """Errors, and what Svelte warns of: the page reads what no longer follows."""
    return line.type == "error" or "svelte.dev/e/" in line.text


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens an address in a browser of its own; at the end no page may have had an error or asked another host."""
    contexts, wrong = [], []

    def asked(request: Request, origin: str) -> None:
        if not request.url.startswith((origin, "data:", "blob:")):
            wrong.append(f"a request to {request.url}")

    def opened(shown: Shown, hash: str = "", *, may_fail: bool = False, **options: Any) -> Page:
        settings: dict[str, Any] = {
            "viewport": {"width": 1400, "height": 900},
            "locale": "en-GB",
            "reduced_motion": "reduce",
            "offline": isinstance(shown, Filed),
        } | options
        context = browser.new_context(**settings)
        contexts.append(context)
        context.on("request", lambda request: asked(request, shown.origin))
        page = context.new_page()
        page.set_default_timeout(20_000)
        if not may_fail:
            page.on("pageerror", lambda error: wrong.append(f"an error in the page: {error}"))
            page.on("console", lambda line: wrong.append(f"{line.type}: {line.text}") if is_wrong(line) else None)
        page.goto(shown.url + hash)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong, "\n".join(wrong)


WHERE = ("server", "file")
"""Where the viewer is met: the same journeys lead through both."""


@pytest.fixture(scope="session", params=WHERE)
def first_start(request: pytest.FixtureRequest, folder: Path) -> Iterator[Shown]:
    """The eight models of the tutorial on the cat."""
    if request.param == "server":
        with Serving() as serving:
            yield serving
        return
    path = folder / "tutorial.html"
    path.write_text(tutorial_report().html, "utf-8")
    yield Filed(path)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def wide(folder: Path) -> Iterator[Serving]:
    """A layer of 2,048 channels."""
    line = "conv 32 3x3 stride 2 pad 1 | relu | conv 2048 1x1 | relu | globalavgpool | dense 10"
    with Serving(str(sketched(folder, line, "3x64x64", "wide"))) as serving:
        yield serving
