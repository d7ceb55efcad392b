"""How fast the page is, in a real Chromium: python benchmarks/page.py

Needs the extra ``test``. Everything is measured as a person meets it: from the click to what is painted.

- first page: from starting ``convlens view`` with EfficientNet-Lite0 (ONNX) to a page whose first layer's maps are
  painted, less the time that importing the engine takes alone;
- choosing a layer: from the click to all visible maps painted, the median and the worst of ten layers;
- hover: from the pointer's move to the value in words, for a value that is loaded and for one that isn't;
- explanation: from the click on a pixel to the arithmetic on the screen;
- frames: the time between two frames while a large map is zoomed and moved for 5 seconds;
- memory: what the browser's processes hold together, less what they hold for an empty page;
- bundle: the page's files, compressed.
"""

from __future__ import annotations

import gzip
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

CLOCK = """async ([act, done, argument]) => {
  const start = performance.now();
  await new Function("argument", act)(argument);
  const finished = new Function("argument", "return " + done);
  while (!finished(argument)) {
    if (performance.now() - start > 20000) throw new Error("never: " + done);
    await new Promise(requestAnimationFrame);
  }
  return performance.now() - start;
}"""

# From a person's event to the change that answers it, measured in the page itself: the driver's way doesn't count.
STOPWATCH = """([event, place, attribute, pattern]) => {
  let began = 0;
  window.times = [];
  addEventListener(event, () => { began = performance.now(); }, true);
  const answers = new RegExp(pattern);
  new MutationObserver(() => {
    const answer = document.querySelector(place);
    if (!began || !answers.test((attribute ? answer?.getAttribute(attribute) : answer?.innerText) ?? "")) return;
    window.times.push(performance.now() - began);
    began = 0;
  }).observe(document.querySelector(place), attribute
    ? {attributeFilter: [attribute]}
    : {subtree: true, childList: true, characterData: true});
}"""


def row(what: str, found: str, goal: str) -> None:
    print(f"| {what} | {found} | {goal} |", flush=True)


def engine_import() -> float:
    """Seconds to import ONNX Runtime in a process of its own."""

    def once(words: str) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, "-c", words], check=True)
        return time.perf_counter() - start

    return statistics.median(once("import onnxruntime, onnx") for _ in range(5)) - statistics.median(
        once("pass") for _ in range(5)
    )


def resident(browser: Any) -> float:
    """Megabytes that all processes of this browser hold, shared pages counted by their share."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    total = 0.0
    for process in processes:
        for line in Path(f"/proc/{process['id']}/smaps_rollup").read_text("ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) / 1000
    session.detach()
    return total


def first_page(browser: Any, model: Path) -> list[float]:
    from tests.page.serving import Serving

    times = []
    for _ in range(5):
        context = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True)
        page = context.new_page()
        start = time.perf_counter()
        with Serving(str(model)) as serving:
            page.goto(serving.url)
            page.wait_for_selector("[role='gridcell'], [data-painted]", timeout=60_000)
            page.wait_for_function("() => document.querySelector('[data-painted]') !== null", timeout=60_000)
            times.append(time.perf_counter() - start)
        context.close()
    return times


def main() -> None:
    from playwright.sync_api import sync_playwright
    from tests.engines import efficientnet
    from tests.page.conftest import ARGUMENTS, chromium
    from tests.page.serving import Serving, sketched

    with tempfile.TemporaryDirectory() as place, sync_playwright() as playwright:
        folder = Path(place)
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        model = efficientnet.in_onnx(folder / "efficientnet_lite0.onnx")
        print("\n| what | found | goal |\n|---|---|---|")

        beyond = engine_import()
        times = first_page(browser, model)
        row(
            "from `view` to painted maps, EfficientNet-Lite0",
            f"{statistics.median(times) - beyond:.2f} s beyond importing the engine ({beyond:.2f} s)",
            "2.5 s",
        )

        with Serving(str(model)) as serving:
            page = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True).new_page()
            page.goto(serving.url)
            page.wait_for_function("() => document.querySelector('[data-painted]') !== null", timeout=60_000)
            page.wait_for_function("() => document.querySelector('[role=progressbar]') === null", timeout=60_000)
            layers(page)
            explanations(page)
        big = sketched(folder, "conv 64 3x3 | relu", "3x1440x1080", "big")
        empty = resident(browser)
        with Serving(str(big)) as serving:
            page = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True).new_page()
            page.goto(serving.url)
            page.wait_for_function("() => document.querySelector('[data-painted]') !== null", timeout=60_000)
            hovers(page)
            frames(page, "section.map .large", "pan and zoom for 5 s, a map of 1438 x 1078")
            row(
                "browser memory, 64 x 1438 x 1078", f"{resident(browser) - empty:.0f} MB beyond an empty page", "400 MB"
            )
        deep = sketched(folder, " | ".join(["conv 2 1x1", "relu"] * 500), "3x16x16", "deep")
        with Serving(str(deep)) as serving:
            page = browser.new_context(viewport={"width": 1400, "height": 900}, bypass_csp=True).new_page()
            page.goto(serving.url)
            page.wait_for_function("() => document.querySelector('[data-painted]') !== null", timeout=60_000)
            page.wait_for_timeout(5000)  # the layout comes from a worker
            frames(page, "section.network canvas", "the same in a graph of 1,000 layers")
        built = ROOT / "src/convlens/hosts/page"
        size = sum(
            len(gzip.compress(path.read_bytes()))
            for path in built.rglob("*")
            if path.suffix in (".js", ".css", ".html")
        )
        row("bundle, gzip", f"{size / 1000:.0f} kB", "350 kB")
        browser.close()


def layers(page: Any) -> None:
    names = page.evaluate("[...document.querySelectorAll('[data-layer]')].map(node => node.dataset.layer)")
    chosen = names[:: max(1, len(names) // 10)][:10]
    times = []
    for name in chosen:
        done = "document.querySelector('[data-painted=\"' + CSS.escape(argument) + '\"]') !== null"
        act = "document.querySelector('[data-layer=\"' + CSS.escape(argument) + '\"]').click()"
        times.append(page.evaluate(CLOCK, [act, done, name]))
    row("choosing a layer", f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms", "150 ms")


def explanations(page: Any) -> None:
    """Of a convolution over many channels: the last with kernels of more than one pixel."""
    network = page.evaluate("fetch('api/models/model/network').then(answer => answer.json())")
    wide = [one for one in network["layers"] if one["kind"] == "convolution" and one["output_shape"][-1] > 6]
    times = []
    for layer in (wide[0], wide[len(wide) // 2], wide[-1]):
        page.evaluate("layer => { location.hash = `#/see?layer=${layer}&at=0,0`; }", layer["name"])
        page.wait_for_function(
            "layer => document.querySelector('[data-explained]')?.dataset.explained?.startsWith(layer + ':')",
            arg=layer["name"],
        )
        page.wait_for_timeout(500)
        page.evaluate(STOPWATCH, ["pointerup", "[data-explained]", "data-explained", "."])
        for step in range(1, 7):
            box = page.locator("section.map .large").bounding_box()
            page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * (0.1 + 0.12 * step))
            page.wait_for_timeout(400)
        times += page.evaluate("window.times")
    row("click to explanation", f"median {statistics.median(times):.0f} ms, worst {max(times):.0f} ms", "100 ms")


def hovers(page: Any) -> None:
    box = page.locator("section.map .large").bounding_box()
    page.evaluate(STOPWATCH, ["pointermove", "#readout", "", r"[0-9][.][0-9]"])

    def move(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.wait_for_timeout(200)

    for n in range(8):
        move(box["width"] * (0.36 + 0.04 * n), box["height"] * (0.1 + 0.1 * n))
    far = page.evaluate("window.times.splice(0)")
    for n in range(12):
        move(box["width"] * 0.5 + 2 * (n % 3), box["height"] * 0.5 + n)
    near = page.evaluate("window.times.splice(0)")[1:]
    row("hover to value, loaded", f"median {statistics.median(near):.1f} ms, worst {max(near):.1f} ms", "16 ms")
    row("hover to value, otherwise", f"median {statistics.median(far):.0f} ms, worst {max(far):.0f} ms", "50 ms")


def frames(page: Any, place: str, what: str) -> None:
    page.evaluate(
        """() => { window.frames_ = []; let last = performance.now();
        const tick = now => { window.frames_.push(now - last); last = now; requestAnimationFrame(tick); };
        requestAnimationFrame(tick); }"""
    )
    box = page.locator(place).bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    end = time.monotonic() + 5
    step = 0
    while time.monotonic() < end:
        page.mouse.wheel(0, -120 if step % 40 < 20 else 120)
        if step % 10 == 5:
            page.mouse.down()
            page.mouse.move(x + 40 * (step % 3 - 1), y + 25, steps=4)
            page.mouse.up()
            page.mouse.move(x, y)
        step += 1
    times = page.evaluate("window.frames_.slice(2)")
    late = sum(one > 50 for one in times)
    row(
        what,
        f"{1000 / statistics.mean(times):.0f} frames a second, the longest {max(times):.0f} ms, {late} over 50 ms",
        "60, none over 50 ms",
    )


if __name__ == "__main__":
    main()
