"""The cases that the lessons are held to are what Python says today.

``frontend/tests/lessons.test.ts`` holds the page to them.
"""

from __future__ import annotations

import json

import numpy as np
from tests.learn.cases import KEPT, cases, made, written


def test_the_kept_cases_are_todays() -> None:
    """After a change: ``.venv/bin/python -m tests.learn.cases``."""
    assert json.loads(KEPT.read_text("utf-8")) == json.loads(written())


def test_the_tutorials_numbers_are_among_them() -> None:
    found = cases()
    assert [5, 3, 2, 1, 0, 2, 0] in found["sizes"]
    assert [1440, 3, 1, 1, 0, 1438, 0] in found["sizes"]
    assert [3, 3, 3, 84] in found["convolutions"]
    assert [*found["fields"][found["fields"].index([3, 1, 1, 2, 5])][:2], 2, 5] == [3, 1, 2, 5]


def test_the_loops_convolve() -> None:
    """One window, by hand: 1*1 + 2*0 + 3*0 + 4*-1, and the bias 2."""
    source, kernel = np.array([[[1.0, 2.0], [3.0, 4.0]]]), np.array([[[[1.0, 0.0], [0.0, -1.0]]]])
    sizes = {"kernel": 2, "stride": 1, "dilation": 1, "padding": 0}
    assert made(source, kernel, sizes, "", [2]) == [[-1.0]]
    assert made(source, None, sizes, "max", []) == [[4.0]]
    assert made(source, None, sizes, "average", []) == [[2.5]]
