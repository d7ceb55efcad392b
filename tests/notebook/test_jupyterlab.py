"""The viewer in a real JupyterLab: it shows, it explains, and Python and the page keep in step."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from time import monotonic

from playwright.sync_api import expect
from tests.notebook.conftest import Open
from tests.notebook.jupyter import Lab

SETUP = """import convlens, json
from convlens import pictures
line = "conv 4 3x3 pad 1 | relu | maxpool 2x2 stride 2 | conv 8 3x3 | relu | globalavgpool | dense 10"
lens = convlens.sketch(line, input_shape=(3, 96, 128), seed=1)
maps = lens.feature_maps(pictures.cat())"""
TOLD = "print(json.dumps([view.layer, view.channel, view.pixel]))"
OpenNotebook = Callable[..., Open]


def test_maps_show_themselves_and_keep_in_step_with_python(open_notebook: OpenNotebook) -> None:
    opened = open_notebook(
        SETUP,
        "view = maps.view()\nview",
        TOLD,
        "view.layer = 'conv2'\nview.channel = 5\nview.pixel = 3, 4\n" + TOLD,
        "found = maps['conv2'].explain(5, 3, 4)\nprint(found.framework_value, found.agrees)",
        "try:\n    view.pixel = 3, 400\nexcept convlens.ConvlensError as error:\n    print(error)\n" + TOLD,
        "try:\n    view.layer = 'conv3'\nexcept convlens.ConvlensError as error:\n    print(error)\n" + TOLD,
    )
    opened.run(0)
    opened.run(1)
    viewer = opened.viewer
    expect(viewer.locator("h1 .name")).to_have_text("conv")
    expect(viewer.get_by_role("tab", name="Feature maps")).to_have_attribute("aria-selected", "true")
    strongest = json.loads(opened.run(2))
    assert strongest[0] == "conv"
    assert strongest[2] is None
    expect(viewer.locator(".map")).to_contain_text(f"Channel {strongest[1]} of 4")

    # from the page to Python
    viewer.locator(".map [role=application]").click(position={"x": 90, "y": 80})
    expect(viewer.locator(".why")).to_be_visible()
    layer, channel, pixel = json.loads(opened.run(2))
    assert (layer, channel) == ("conv", strongest[1])
    assert len(pixel) == 2
    expect(viewer.locator(".why")).to_contain_text(re.compile(rf"{pixel[0]}\D+{pixel[1]}"))

    # keys that follow fast lose no step
    viewer.locator(".map [role=application]").focus()
    for _ in range(12):
        opened.page.keyboard.press("ArrowRight", delay=0)
    expect(viewer.locator(".why")).to_contain_text(f"column {pixel[1] + 12}")
    opened.page.wait_for_timeout(500)
    assert json.loads(opened.run(2)) == [layer, channel, [pixel[0], pixel[1] + 12]]

    # from Python to the page, and the explanation is Python's own
    assert json.loads(opened.run(3)) == ["conv2", 5, [3, 4]]
    expect(viewer.locator("h1 .name")).to_have_text("conv2")
    expect(viewer.locator(".map")).to_contain_text("Channel 5 of 8")
    value, agrees = opened.run(4).split()
    assert agrees == "True"
    expect(viewer.locator(".why")).to_contain_text(f"{float(value):.6g}".replace("-", "−"))

    # what isn't there is refused, and nothing changes
    said = opened.run(5).splitlines()
    assert "columns 0 to 61" in said[0]
    assert json.loads(said[-1]) == ["conv2", 5, [3, 4]]
    said = opened.run(6).splitlines()
    assert "conv2" in said[0]
    assert json.loads(said[-1]) == ["conv2", 5, [3, 4]]
    expect(viewer.locator("h1 .name")).to_have_text("conv2")


def test_each_thing_opens_where_it_belongs(open_notebook: OpenNotebook) -> None:
    opened = open_notebook(SETUP, "maps['relu']", "lens.kernels('conv2')", "lens")
    opened.run(0)
    opened.run(1)
    expect(opened.viewer.locator("h1 .name")).to_have_text("relu")
    opened.page.locator(".jp-Notebook .jp-CodeCell").nth(1).locator(".jp-OutputCollapser").first.click()
    opened.run(2)
    kernels = opened.page.locator(".jp-Notebook .jp-CodeCell").nth(2).frame_locator("iframe >> visible=true")
    expect(kernels.locator("h1 .name")).to_have_text("conv2")
    expect(kernels.get_by_role("tab", name="Kernels")).to_have_attribute("aria-selected", "true")
    opened.run(3)
    lens = opened.page.locator(".jp-Notebook .jp-CodeCell").nth(3).frame_locator("iframe >> visible=true")
    expect(lens.locator("h1 .name")).to_have_text("conv")
    expect(lens.get_by_role("tab", name="Kernels")).to_have_attribute("aria-selected", "true")
    # a picture that is opened in the page is run by the kernel
    lens.locator("input[type=file]").first.set_input_files(
        {"name": "grey.png", "mimeType": "image/png", "buffer": _grey_png()}
    )
    expect(lens.get_by_role("region", name="Picture")).to_contain_text("96 × 128")
    expect(lens.locator(".map")).to_contain_text("of 4")


def _grey_png() -> bytes:
    from io import BytesIO

    from PIL import Image

    file = BytesIO()
    Image.new("L", (160, 120), 90).save(file, "PNG")
    return file.getvalue()


def test_a_saved_notebook_keeps_its_viewer_though_the_live_one_came_first(
    open_notebook: OpenNotebook, lab: Lab
) -> None:
    opened = open_notebook(SETUP, "maps['relu']")
    opened.run(0)
    opened.run(1)
    expect(opened.viewer.locator("h1 .name")).to_have_text("relu")
    kept = opened.page.locator("[data-convlens-kept]")
    expect(kept.locator("iframe")).to_have_count(1, timeout=90_000)  # made when the page asks no more
    expect(kept).to_be_hidden()
    expect(opened.page.locator("iframe >> visible=true")).to_have_count(1)
    opened.page.keyboard.press("Control+s")
    path = max(lab.folder.glob("*.ipynb"), key=lambda found: found.stat().st_mtime)
    expect(opened.page.locator(".jp-Notebook")).to_be_visible()
    until = monotonic() + 20
    while "srcdoc" not in path.read_text() and monotonic() < until:
        opened.page.wait_for_timeout(200)
    live, stays = json.loads(path.read_text())["cells"][1]["outputs"]
    assert "image/png" in live["data"]
    assert "srcdoc" in "".join(stays["data"]["text/html"])


def test_a_viewer_takes_on_the_theme_of_its_notebook(open_notebook: OpenNotebook) -> None:
    opened = open_notebook(SETUP, "maps")
    for cell in range(2):
        opened.run(cell)
    page = opened.page.locator("iframe >> visible=true").content_frame.locator("html")
    expect(page).to_have_attribute("data-theme", "light")
    opened.page.evaluate("document.body.dataset.jpThemeLight = 'false'")  # what JupyterLab's own theme menu does
    expect(page).to_have_attribute("data-theme", "dark")


def test_two_views_keep_in_step_and_answer_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    opened = open_notebook(SETUP, "view = maps.view(height=520)\nview", "view", "import time\ntime.sleep(25)")
    for cell in range(3):
        opened.run(cell)
    cells = opened.page.locator(".jp-Notebook .jp-CodeCell")
    one, other = (cells.nth(n).locator("iframe >> visible=true").content_frame for n in (1, 2))
    expect(one.locator("h1 .name")).to_have_text("conv")
    expect(other.locator("h1 .name")).to_have_text("conv")
    one.locator(".map [role=application]").click()
    expect(one.locator(".why")).to_contain_text("Agrees")
    expect(other.locator(".why")).to_contain_text("Agrees")
    heading = one.locator(".why h2").first.inner_text()
    expect(other.locator(".why h2").first).to_have_text(heading)
    # a cell that takes long leaves the viewer awake
    cells.nth(3).locator(".jp-InputArea-editor .cm-content").click()
    opened.page.keyboard.press("Control+Enter")
    prompt = cells.nth(3).locator(".jp-InputPrompt")
    expect(prompt).to_have_text("[*]:")
    other.locator(".map [role=application]").press("ArrowRight")
    expect(other.locator(".why h2").first).not_to_have_text(heading)
    expect(one.locator(".why h2").first).not_to_have_text(heading)
    expect(other.locator(".why")).to_contain_text("Agrees")
    expect(prompt).to_have_text("[*]:")
