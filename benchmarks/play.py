"""How fast the playground is, in a real Chromium: python benchmarks/play.py

Needs the extra ``test``. From the change of a slider or of a kernel's number to the first maps painted after it, and to
the maps of the whole picture, on the cat of 1440 x 1080; the median and the worst of several changes. How much the
picture was reduced for the first of them is said as well.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

CHANGES = """async ([name, values]) => {
  const found = [];
  const frame = () => new Promise(requestAnimationFrame);
  const shown = () => document.querySelector('.result [data-level]');
  for (const value of values) {
    while (!shown() || shown().dataset.level !== '0') await frame();
    await new Promise((resume) => setTimeout(resume, 200));
    const before = Number(document.querySelector('.result canvas').dataset.drawn);
    const slider = document.querySelector(`input[name="${name}"]`);
    const type = slider.type === 'range' ? 'input' : 'change';
    const start = performance.now();
    slider.value = value;
    slider.dispatchEvent(new Event(type, { bubbles: true }));
    const painted = () => Number(document.querySelector('.result canvas')?.dataset.drawn ?? before) !== before;
    while (!painted()) await frame();
    const first = performance.now() - start;
    const level = Number(shown().dataset.level);
    while (shown().dataset.level !== '0') await frame();
    found.push([first, performance.now() - start, level]);
  }
  return found;
}"""

CASES = (
    ("conv 3 3x3", "kernel", [5, 3, 7, 4, 6, 3, 7, 5]),
    ("conv 1 3x3", "kernel", [5, 3, 7, 4, 6, 3, 7, 5]),
    ("conv 3 7x7", "weight", ["0.1", "0.2", "0.3", "0.4", "0.5", "0.6"]),
    ("conv 3 3x3", "stride", [2, 1, 3, 1, 2, 1]),
    ("conv 1 3x3 | relu | maxpool 5x5", "kernel", [5, 3, 7, 4, 6, 3]),
)


def main() -> None:
    from tests.page.conftest import ARGUMENTS, chromium
    from tests.page.serving import Serving

    with Serving() as serving, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        for line, name, values in CASES:
            page = browser.new_page(viewport={"width": 1400, "height": 900})
            page.goto(f"{serving.url}#/play?sketch={line}")
            page.wait_for_selector('.result [data-level="0"] canvas[data-drawn]')
            found = page.evaluate(CHANGES, [name, values])
            first, whole, levels = zip(*found[1:], strict=True)
            print(
                f"{line:34} {name:8} first maps {statistics.median(first):5.0f} ms (worst {max(first):.0f}), "
                f"at 1/{2 ** round(statistics.median(levels))} of the sides; whole {statistics.median(whole):.0f} ms"
            )
            page.close()
        browser.close()


if __name__ == "__main__":
    main()
