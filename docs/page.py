"""Photograph the page's main states, light and dark, for the README: python docs/page.py

Needs the extra ``test`` (EfficientNet-Lite0 comes from PyPI; Playwright drives Chromium).
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parent.parent
IMAGES = ROOT / "docs" / "images"
sys.path.insert(0, str(ROOT))

EXPLAINED = "() => document.querySelector('[data-explained]') !== null"
PAINTED = "() => document.querySelector('[data-painted]') !== null"
PLAYED = "() => document.querySelector('.result [data-level=\"0\"] canvas[data-drawn]') !== null"
FINISHED = "() => document.querySelector('[role=progressbar]') === null"

STATES = {
    # name: model, what stands behind the #, width, height, dark, language
    "page-first": ("", "", 1440, 900, False, "en"),
    "page-why": ("", "#/see?layer=conv&channel=1&at=640,420", 1440, 1000, False, "en"),
    "page-efficientnet": ("efficientnet", "#/see?layer=_blocks.3._depthwise_conv&channel=7", 1440, 900, False, "en"),
    "page-dark": ("efficientnet", "#/see?layer=_blocks.8._project_conv&channel=3&at=6,7", 1440, 1000, True, "en"),
    "page-thai": ("", "#/see?layer=conv&channel=0&at=640,420", 1440, 1000, False, "th"),
    "page-training": ("", "#/see?model=digits-250&layer=conv&channel=4&at=10,12", 1440, 1000, False, "en"),
    "page-play": ("", "#/play?sketch=conv 3 5x5 | relu | maxpool 5x5", 1440, 900, False, "en"),
    "page-learn": ("", "#/learn/stride", 1440, 680, False, "en"),
    "page-narrow": ("", "#/see?layer=conv&channel=0", 390, 844, False, "en"),
}


TRAINED = ("--mean", "127", "--std", "128", "--crop", "0.875")
"""How EfficientNet-Lite0's pictures were prepared when it was trained."""


def photograph(
    browser: Browser, url: str, name: str, hash: str, size: tuple[int, int], dark: bool, language: str
) -> None:
    """One state of the page, as docs/images/NAME.png."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        device_scale_factor=2,
        color_scheme="dark" if dark else "light",
        locale="th-TH" if language == "th" else "en-GB",
        reduced_motion="reduce",
    )
    page = context.new_page()
    page.goto(url + hash)
    if hash.startswith("#/play"):
        page.wait_for_function(PLAYED, timeout=60_000)
        page.wait_for_timeout(800)
    elif hash.startswith("#/learn"):
        for _ in range(2):  # the third window, so that some of the output is there
            page.get_by_role("button", name="One window on").click()
        page.mouse.move(1, 1)
    else:
        settle(page, explained="at=" in hash)
    page.screenshot(path=IMAGES / f"{name}.png")
    context.close()
    path = IMAGES / f"{name}.png"
    Image.open(path).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)


def settle(page: Page, *, explained: bool) -> None:
    """Wait until all that the state shows is there."""
    page.wait_for_function(PAINTED, timeout=60_000)
    page.wait_for_function(FINISHED, timeout=60_000)
    if explained:
        page.wait_for_function(EXPLAINED, timeout=60_000)
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(800)  # thumbnails come one after the other


def main() -> None:
    """Make all pictures, or those that are named."""
    from tests.engines import efficientnet
    from tests.page.conftest import ARGUMENTS, chromium
    from tests.page.serving import Serving

    wanted = sys.argv[1:] or list(STATES)
    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for model in ("", "efficientnet"):
            chosen = {name: state for name, state in STATES.items() if state[0] == model and name in wanted}
            if not chosen:
                continue
            words = [str(efficientnet.in_onnx(Path(place) / "efficientnet_lite0.onnx")), *TRAINED] if model else []
            with Serving(*words) as serving:
                for name, (_, hash, width, height, dark, language) in chosen.items():
                    photograph(browser, serving.url, name, hash, (width, height), dark, language)
                    print(IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    main()
