"""The cases that the page's arithmetic is held to say what Python's says, and leave no kind of arithmetic out.

To write them anew: ``.venv/bin/python -m tests.arithmetic.cases``. ``frontend/tests/arithmetic.test.ts`` holds the page
to them.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.arithmetic.cases import HAND, NUMBERS, kept, layer_of, tensor_of, value_of
from tests.arithmetic.cases_by_hand import single_numbers

import convlens.arithmetic
from convlens.arithmetic import (
    agreement,
    explain,
    functions,
    matrices,
    merging,
    normalising,
    pooling,
    quantised,
    reducing,
    resizing,
    sharing,
)
from convlens.lens import Explanation

CLOSE = 1e-12
KINDS = sorted({case["from"] for case in kept()})
PLACE: Any = None  # the maps that a term would be walked back through


def explained(case: Mapping[str, Any], value: Mapping[str, Any]) -> Explanation:
    layer, index = layer_of(case["layer"]), tuple(value["fact"]["index"])
    sources = [tensor_of(one) for one in case["sources"]]
    weights = {role: tensor_of(one) for role, one in case["weights"].items()}
    working = explain(layer, index, sources, weights)
    return Explanation(PLACE, layer, index, float(value["fact"]["framework_value"]), working)


def same(ours: Any, theirs: Any, size: float) -> bool:
    """Whether two facts are the same; numbers may differ by a rounding, as functions do from processor to processor."""
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name], size) for name in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(same(a, b, size) for a, b in zip(ours, theirs, strict=True))
    if isinstance(theirs, float) and isinstance(ours, float):
        return ours == theirs or abs(ours - theirs) <= CLOSE * (abs(theirs) + size)
    return bool(ours == theirs)


def test_the_single_numbers_are_kept() -> None:
    assert same(single_numbers(), json.loads(NUMBERS.read_text()), 0)


@pytest.mark.parametrize("kind", KINDS)
def test_python_says_what_is_kept(kind: str) -> None:
    for case in kept():
        if case["from"] != kind:
            continue
        for number, value in enumerate(case["values"]):
            found = value_of(explained(case, value), whole=number == 0)
            steps = [float(step["value"]) for step in value["fact"].get("steps", ())]
            size = max((abs(one) for one in [float(value.get("magnitude", 0)), *steps] if np.isfinite(one)), default=0)
            assert same(found, value, size), f"{case['layer']} at {value['fact']['index']}: {found} and {value}"


def test_what_a_framework_computed_agrees() -> None:
    values = 0
    for case in kept():
        for value in case["values"] if case["from"] != HAND else ():
            fact = value["fact"]
            theirs, total = float(fact["framework_value"]), float(fact["total"])
            overflows = explained(case, value).overflows
            assert agreement(theirs, total, float(fact["tolerance"]), overflows), (case["layer"], fact)
            values += 1
    assert values >= 1200


def test_the_cases_tell_of_all_verdicts() -> None:
    verdicts = {value["fact"]["verdict"].split(":")[0] for case in kept() for value in case["values"][:1]}
    whole = {value["fact"]["verdict"] for case in kept() for value in case["values"][:1]}
    assert {"agrees", "DISAGREES"} <= verdicts
    assert any("explains nothing" in words for words in whole)
    assert any("too large for float16" in words for words in whole)
    assert "agrees: both are the same, and no finite number" in whole


def operations(kind: str) -> list[Mapping[str, Any]]:
    found = (case["layer"]["operation"] for case in kept())
    return [one for one in found if one is not None and one["type"] == kind]


def named(kind: str, name: str) -> set[Any]:
    return {one[name] for one in operations(kind)}


def test_every_kind_of_arithmetic_occurs() -> None:
    alone = named("Activation", "function") | named("Pointwise", "function")
    assert alone >= {*functions.FUNCTIONS, *sharing.FUNCTIONS, "glu", "hardmax", "affine", "cast", "dropout"}
    assert alone >= {*quantised.FUNCTIONS}
    assert named("Pooling", "mode") == {*pooling.MODES}
    assert named("Normalisation", "mode") >= {*normalising.FROM_THE_VALUE, "local_response"}
    assert named("Merge", "function") >= {*merging.KNOWN, "concat", "stack"}
    assert named("Pointwise", "function") | named("Whole", "function") >= {*reducing.FUNCTIONS, *matrices.FUNCTIONS}
    assert named("Resize", "mode") == {*resizing.MODES}
    assert named("Resize", "rounding") == {"floor", "ceil", "round_prefer_floor", "round_prefer_ceil"}
    assert named("Resize", "coordinate_arithmetic") == {"exact", "step", "scale"}
    coordinates = {"half_pixel", "pytorch_half_pixel", "half_pixel_symmetric", "align_corners", "asymmetric", "crop"}
    assert named("Resize", "coordinates") == coordinates
    assert named("Convolution", "padding_mode") == {"zeros", "reflect", "replicate", "circular"}
    assert named("Pad", "mode") == {"zeros", "constant", "reflect", "replicate", "circular"}
    for kind, flag in (("Convolution", "transposed"), ("Pooling", "adaptive"), ("Pooling", "whole")):
        assert named(kind, flag) == {True, False}
    roles = {role for case in kept() for role in case["weights"]}
    assert roles >= {
        "origin",
        "operand0",
        "operand1",
        "operand2",
        "added",
        "slope",
        "kernel_integers",
        "weight_integers",
        "right_integers",
    }


def test_every_rule_occurs() -> None:
    """Whatever rule a room can name is in a case."""
    rules: set[str] = set()
    for path in Path(convlens.arithmetic.__file__).parent.glob("*.py"):
        for call in ast.walk(ast.parse(path.read_text())):
            if isinstance(call, ast.keyword) and call.arg == "rule":
                rules |= {str(one.value) for one in ast.walk(call.value) if isinstance(one, ast.Constant)}
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "single":
                rules |= {str(one.value) for one in call.args[:1] if isinstance(one, ast.Constant)}
    rules -= {"quantised "}
    assert len(rules) >= 15
    seen = {value["fact"]["rule"] for case in kept() for value in case["values"]}
    assert rules <= seen
    assert {"quantised convolution", "quantised dense", "quantised matrix product"} <= seen
