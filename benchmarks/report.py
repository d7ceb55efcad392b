"""How large a report is, how long it takes to make, and how soon it can be used: python benchmarks/report.py

Needs the extra ``test``. For each model: the file's size at the default budget; how many values of maps it holds, and
what these take as float32; the time to make it, beside the time of the run itself; and in a real Chromium, from opening
the file (``file://``, the network cut) to the first layer's maps painted, the median of five. Then from choosing the
layer that takes the page most work to its maps painted, and from the click on one of its pixels to the arithmetic.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

PAINTED = "layer => document.querySelector('[role=listbox][data-painted]')?.dataset.painted === layer"


def exhibits() -> dict[str, Any]:
    from tests.engines import efficientnet, torch_models

    import convlens
    from convlens import pictures
    from convlens.hosts import demo
    from convlens.hosts.report import Exhibit
    from convlens.sketches import TUTORIAL

    cat = demo.the_cat()
    found: dict[str, Any] = {}
    for number in (1, 2, 4, 8):
        lesson = TUTORIAL[number - 1]
        lens = convlens.sketch(lesson.sketch, input_shape=(3, cat.rows, cat.columns), seed=lesson.seed)
        found[f"tutorial {number}: {lesson.sketch}"] = (lambda lens=lens: Exhibit(lens.feature_maps(cat)), "conv")
    folder = Path(tempfile.mkdtemp())
    lite = convlens.open(efficientnet.in_onnx(folder / "lite0.onnx"), recipe=efficientnet.RECIPE)
    found["EfficientNet-Lite0 (ONNX)"] = (lambda: Exhibit(lite.feature_maps(pictures.cat())), None)
    resnet = convlens.open(
        torch_models.seeded(torch_models.ResNet).eval(), input_shape=(3, 224, 224), recipe="imagenet"
    )
    found["ResNet-18 (PyTorch)"] = (lambda: Exhibit(resnet.feature_maps(pictures.cat())), None)
    return found


def main() -> None:
    from playwright.sync_api import sync_playwright
    from tests.page.conftest import ARGUMENTS, chromium

    from convlens.hosts.report import gallery

    print("| report | size | values of maps | as float32 | run | making | opened | heaviest layer | a pixel of it |")
    print("|---|---|---|---|---|---|---|---|---|")
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for name, (run, heavy) in exhibits().items():
            start = time.perf_counter()
            exhibit = run()
            ran = time.perf_counter() - start
            start = time.perf_counter()
            made = gallery([exhibit])
            making = time.perf_counter() - start
            path = Path(folder, "report.html")
            path.write_text(made.html, "utf-8")
            values = sum(found.array.size for found in exhibit.maps.values())
            opened, layer, pixel = measured(browser, path, exhibit.maps, heavy)
            print(
                f"| {name} | {made.size / 1e6:.2f} MB | {values / 1e6:.2f} M | {4 * values / 1e6:.1f} MB | {ran:.2f} s "
                f"| {making:.1f} s | {opened:.2f} s | {layer * 1e3:.0f} ms | {pixel * 1e3:.0f} ms |",
                flush=True,
            )
        browser.close()


def measured(browser: Any, path: Path, maps: Any, heavy: str | None) -> tuple[float, float, float]:
    first = next(layer.name for layer in maps.network if layer.has_kernels)
    last = heavy or [layer.name for layer in maps.network if layer.has_kernels][-1]
    opened, chosen, explained = [], [], []
    for _ in range(5):
        context = browser.new_context(offline=True, viewport={"width": 1400, "height": 900})
        page = context.new_page()
        start = time.perf_counter()
        page.goto(path.as_uri())
        page.wait_for_function(PAINTED, arg=first)
        opened.append(time.perf_counter() - start)
        if last != first:
            page.locator("#search").fill(last)
            start = time.perf_counter()
            page.locator("#search").press("Enter")
            page.wait_for_function(PAINTED, arg=last)
            chosen.append(time.perf_counter() - start)
        start = time.perf_counter()
        page.locator("section.map .large").click()
        page.wait_for_selector("[data-explained]:not([data-explained=''])")
        explained.append(time.perf_counter() - start)
        context.close()
    return statistics.median(opened), statistics.median(chosen or [0]), statistics.median(explained)


if __name__ == "__main__":
    main()
