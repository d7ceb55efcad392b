"""A report's file works its layers out beside the page, so that the page never waits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.page.conftest import Visit
from tests.page.pages import Screen
from tests.page.serving import Filed

import convlens
from convlens.hosts.report import Exhibit, gallery

# A worker that can't be started is no error: the page then answers itself. That must not pass unseen.


def test_its_workers_start_from_the_disk(visit: Visit, tmp_path: Path) -> None:
    lens = convlens.sketch("conv 4 3x3 | relu", input_shape=(3, 120, 160), seed=0)
    picture = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    path = tmp_path / "report.html"
    path.write_text(gallery([Exhibit(lens.feature_maps(picture))]).html, "utf-8")
    screen = Screen(visit(Filed(path)))
    screen.painted("conv")
    assert len(screen.page.workers) == 2  # the desk, and the layout of the network
