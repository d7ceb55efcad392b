"""The viewer in marimo, which runs its notebooks as an application."""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, expect
from tests.notebook.jupyter import Process, free_port

APP = """import marimo

app = marimo.App(width="medium")


@app.cell
def _():
    import convlens
    from convlens import pictures
    lens = convlens.sketch("conv 4 3x3 pad 1 | relu | conv 8 3x3", input_shape=(3, 48, 64), seed=1)
    maps = lens.feature_maps(pictures.cat())
    maps["conv2"]
    return


if __name__ == "__main__":
    app.run()
"""


def test_the_viewer_shows_maps_and_explains_them(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(APP)
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "marimo", "run", "--headless", "--no-token", "--port", str(port), "app.py"]
    with Process(command, tmp_path, f"{origin}/health"):
        context = browser.new_context(viewport={"width": 1200, "height": 900}, locale="en-GB", reduced_motion="reduce")
        page = context.new_page()
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(origin)
        viewer = page.frame_locator("iframe[title^='convlens']")
        expect(viewer.locator("h1 .name")).to_have_text("conv2", timeout=60_000)
        expect(viewer.locator(".map")).to_contain_text("of 8")
        viewer.locator(".map [role=application]").click(position={"x": 90, "y": 60})
        expect(viewer.locator(".why")).to_contain_text("Agrees")
        context.close()
        assert not wrong
