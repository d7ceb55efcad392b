"""The playground's cases are what Python says today; ``frontend/tests/play.test.ts`` holds the page to them."""

from __future__ import annotations

import json

from tests.play.cases import KEPT, cases


def test_the_kept_cases_are_what_python_says() -> None:
    assert json.loads(KEPT.read_text("utf-8")) == json.loads(json.dumps(cases()))
