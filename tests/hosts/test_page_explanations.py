"""The page adds up as Python prints: explanations as they cross to the page, kept for the page's own tests.

``python tests/hosts/test_page_explanations.py`` writes them again.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import convlens
from convlens.hosts.wire.facts import explanation_fact
from convlens.lens import Explanation
from convlens.lens.maps import FeatureMaps
from convlens.lens.printed import decimals_for, ledger

KEPT = Path(__file__).parents[2] / "frontend" / "tests" / "explanations.json"
SKETCH = (
    "conv 4 3x3 same | relu | maxpool 2x2 | conv 2 3x3 | batchnorm | avgpool 2x2 | globalavgpool | dense 5 | softmax"
)
PLACES = {
    "conv": (0, 0, 0),
    "conv2": (1, 2, 3),
    "relu": (0, 4, 4),
    "maxpool": (1, 2, 3),
    "batchnorm": (1, 2, 3),
    "avgpool": (0, 1, 1),
    "dense": (3,),
    "softmax": (0,),
}


@cache
def _maps() -> FeatureMaps:
    picture = np.random.default_rng(0).integers(0, 255, (24, 24, 3), dtype=np.uint8)
    return convlens.sketch(SKETCH, input_shape=(3, 24, 24), seed=0).feature_maps(picture)


def _explained(layer: str) -> Explanation:
    found = _maps().explain(layer, PLACES[layer])
    assert isinstance(found, Explanation)
    return found


def _case(layer: str) -> dict[str, Any]:
    found = _explained(layer)
    assert found.working is not None
    decimals = decimals_for(found.working, found.framework_value)
    rows = [[row.kind, row.number] for row in ledger(found, found.working, decimals)]
    return {"fact": explanation_fact(found, 24), "decimals": decimals, "rows": rows}


@pytest.mark.parametrize("number", range(len(PLACES)))
def test_the_kept_explanations_are_those_of_today(number: int) -> None:
    kept, layer = json.loads(KEPT.read_text())[number], list(PLACES)[number]
    now = _case(layer)
    assert kept["fact"].keys() == now["fact"].keys()
    for name in ("layer", "index", "rule", "formula", "window_shape", "group_shape", "groups_total", "terms_total"):
        assert kept["fact"][name] == now["fact"][name], name
    assert kept["fact"]["total"] == pytest.approx(now["fact"]["total"], rel=1e-4)
    assert [kind for kind, _ in kept["rows"]] == [kind for kind, _ in now["rows"]]


def test_a_window_is_grouped_by_its_channels() -> None:
    """Neighbours in one channel are one group; features, and the one value of an activation, are none."""
    shapes = {layer: (_case(layer)["fact"]["groups_total"], _case(layer)["fact"]["group_shape"]) for layer in PLACES}
    assert shapes == {
        "conv": (3, [3, 3]),
        "conv2": (4, [3, 3]),
        "relu": (0, []),
        "maxpool": (1, [2, 2]),
        "batchnorm": (0, []),
        "avgpool": (1, [2, 2]),
        "dense": (0, []),
        "softmax": (0, []),
    }


def test_a_poolings_window_crosses_whole() -> None:
    fact, found = _case("maxpool")["fact"], _explained("maxpool")
    assert found.window is not None
    assert found.working is not None
    assert found.working.winners is not None
    (group,) = fact["groups"]
    assert group["window"] == found.window.ravel().tolist()
    assert group["winners"] == found.working.winners.ravel().tolist()
    assert group["origins"] == [[1, row, column] for row in (4, 5) for column in (6, 7)]


if __name__ == "__main__":
    KEPT.write_text(json.dumps([_case(layer) for layer in PLACES], indent=1) + "\n")
