"""The page colours numbers as the drawings do: what Python says is kept for the page's own tests.

``python tests/hosts/test_page_colours.py`` writes it again.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any, get_args

import numpy as np

from convlens.draw.colours import Mode, index, palette, scale_for

KEPT = Path(__file__).parents[2] / "frontend" / "tests" / "colours.json"

# Extremes that values have in networks, and those at which the arithmetic changes its precision.
EXTREMES = [(-1.0, 4.0), (1.0, 4.0), (-3.0, -1.0), (0.0, 0.0), (-2e-31, 5e-31), (-3e38, 3e38), (0.1, 0.1), (-0.7, 0.3)]


def _name(value: float) -> float | str:
    if math.isnan(value):
        return "NaN"
    return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")


def _case(lowest: float, highest: float, mode: Mode) -> dict[str, Any]:
    extremes = np.array([lowest, highest], np.float32)
    scale = scale_for(extremes, mode=mode)
    inside = np.linspace(lowest, highest, 61, dtype=np.float64)
    steps = np.linspace(scale.minimum, scale.maximum, 4 * 238 + 1, dtype=np.float64)[::13]  # halves between colours
    beyond = [2 * lowest - 1, 2 * highest + 1, 0.0, -0.0, np.nan, np.inf, -np.inf]
    with np.errstate(over="ignore"):
        values = np.concatenate([inside, steps, beyond]).astype(np.float32)
    return {
        "minimum": float(extremes[0]),
        "maximum": float(extremes[1]),
        "mode": mode,
        "scale": {"minimum": scale.minimum, "maximum": scale.maximum, "diverging": scale.diverging},
        "values": [_name(float(value)) for value in values],
        "indices": index(values, scale).tolist(),
    }


def said() -> dict[str, Any]:
    """Return both palettes, flat, and scales with the indices that values take on them."""
    return {
        "diverging": palette(True).ravel().tolist(),
        "sequential": palette(False).ravel().tolist(),
        "cases": [_case(lowest, highest, mode) for lowest, highest in EXTREMES for mode in get_args(Mode)],
    }


def test_the_page_is_tested_against_what_python_says_now() -> None:
    assert json.loads(KEPT.read_text()) == said()


if __name__ == "__main__":
    KEPT.write_text(json.dumps(said()) + "\n")
