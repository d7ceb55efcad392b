"""The digit network that the page holds is the one that convlens ships."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import numpy as np

from convlens.lens import digits

HELD = Path(__file__).parent.parent / "frontend" / "src" / "play" / "digits.json"


def test_the_page_holds_the_last_step_of_the_shipped_training() -> None:
    held = json.loads(HELD.read_text())
    last = digits.timeline().steps[-1]
    assert (held["sketch"], held["seed"], held["step"]) == (digits.SKETCH, digits.SEED, last.number)
    assert held["accuracy"] == round(float(last.accuracy or 0), 3)
    assert held["shapes"] == [list(array.shape) for array in last.weights.values()]
    weights = np.frombuffer(base64.b64decode(held["weights"]), "<f4")
    np.testing.assert_array_equal(weights, np.concatenate([array.ravel() for array in last.weights.values()]))
    pixels = np.frombuffer(base64.b64decode(held["pixels"]), np.uint8)
    np.testing.assert_array_equal(pixels, digits.pictures()[held["digit"]].pixels.ravel())
