"""The cases that the playground is held to: sketches, their mistakes, shapes and weights, as Python has them.

To write them anew: ``.venv/bin/python -m tests.play.cases``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from convlens import lens
from convlens.errors import SketchError
from convlens.sketches import TUTORIAL, build, parse
from convlens.sketches.blocks import Block, Sketch
from convlens.sketches.shapes import fit

KEPT = Path(__file__).parents[2] / "frontend" / "tests" / "cases" / "play.json"
SMALL = (3, 40, 30)

LINES = (
    *(lesson.sketch for lesson in TUTORIAL),
    "conv 4 3x5 stride 2x1 pad 1x2",
    "conv 6 3 dilation 2 groups 3 nobias | relu",
    "conv 3 3x3 stride 2 same | conv 2 5x5 same",
    "CONV 2 3 × 3 |\tReLU|maxpool 2x2 stride 1 pad 1",
    "dwconv 3x3 multiplier 2 | gelu | conv 1 1x1",
    "dwconv sobel-x | tanh",
    "conv gaussian 5x5 | sigmoid",
    "conv box 20x3 pad 2 | silu",
    "conv laplacian dilation 3",
    "conv 2 3x3 stride 3 | tconv 3 3x3 stride 2 output_padding 1 | tconv 2 2x2 stride 2",
    "tconv 3 2x5 stride 3x2 same nobias",
    "tconv 2 3x3 dilation 2 pad 1 | avgpool 3x3 stride 2 same",
    "avgpool 3x2 pad 1 | leakyrelu 0.1 | batchnorm",
    "maxpool 7x7 stride 3 same | leakyrelu",
    "conv 4 3x3 | globalavgpool | dense 10 nobias | softmax",
    "conv 4 3x3 stride 4 | flatten | dense 7 | relu | dense 3",
    "conv 2 3x3 | softmax",
    "globalavgpool | flatten | dense 2",
)
"""Lines that say something."""

WRONG = (
    "",
    "   ",
    "|conv 3 3x3",
    "conv 3 3x3 |",
    "conv 3 3x3 || relu",
    "cnov 3 3x3",
    "linear 10",
    "conv",
    "conv 3",
    "conv 3x3",
    "conv 3 3x3x3",
    "conv 0 3x3",
    "conv 3 3x0",
    "conv -1 3x3",
    "conv 99999 3x3",
    "conv 2.5 3x3",
    "conv soble-x",
    "conv blur",
    "conv sobel-x 5x5",
    "conv gaussian 4x4",
    "conv box 300x3",
    "conv sobel-x nobias",
    "conv 3 3x3 stride",
    "conv 3 3x3 stride 2 stride 3",
    "conv 3 3x3 same pad 1",
    "conv 3 3x3 same same",
    "conv 3 3x3 padding 1",
    "conv 3 3x3 strides 2",
    "conv 3 3x3 same stride 2 dilation 2",
    "conv 4 3x3 groups 3",
    "conv 3 sobel-x",
    "conv 3 5x5 sobel-x",
    "dwconv 3x3 gaussian",
    "relu sobel-y",
    "maxpool 2x2x2",
    "maxpool 50x50",
    "conv 3 3x3 | avgpool 50x50",
    "tconv 3 3x3 stride 2 output_padding 2",
    "tconv 3 3x3 same output_padding 1",
    "maxpool",
    "maxpool 2x2 pad 2",
    "maxpool 2x2 dilation 2",
    "relu 3",
    "leakyrelu 2",
    "leakyrelu x",
    "dense",
    "dense 3 bias",
    "dwconv 3 3x3",
    "conv 4 3x3 groups 4",
    "conv 3 3x3 groups 3 | conv 2 50x50",
    "conv 3 50x3",
    "conv 3 9x9 dilation 6",
    "tconv 1 1x1 pad 30",
    "dense 10",
    "flatten | conv 3 3x3",
    "flatten | globalavgpool",
    "flatten | dense 60000",
    "conv 3 3x3 stride 2x2x2",
    "gap",
    "conv 3 3x3 | rleu | maxpool 2",
)
"""Lines with a mistake."""

WEIGHTS = (
    ("conv 3 3x3", 0),
    ("conv 1 20x20 | relu", 8),
    ("conv 2 3x3 | relu | conv 3 5x1 groups 1 | dwconv 3x3 multiplier 2", 7),
    ("tconv 3 2x3 | globalavgpool | dense 4", 12345),
    ("dwconv 3x3 | conv gaussian 3x5 | conv 2 2x2", 4294967295),
)
"""Sketches with their seeds."""


def plain(block: Block) -> dict[str, Any]:
    """A block's settings, as the page has them."""
    names = ("kernel", "stride", "dilation", "padding", "output_padding", "filters", "groups", "multiplier", "bias")
    more = ("named", "units", "slope")
    found = {name: getattr(block, name) for name in (*names, *more) if hasattr(block, name)}
    if block.kind in ("maxpool", "avgpool"):
        del found["dilation"]
    pairs = {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}
    return {"kind": block.kind, "name": block.name, **pairs}


def line_case(line: str) -> dict[str, Any]:
    """What a line says, and what it makes of a small picture."""
    shape = (3, 1440, 1080) if any(line == lesson.sketch for lesson in TUTORIAL) else SMALL
    sketch = parse(line)
    fits = fit(sketch, shape)
    network = lens.open(build(line, input_shape=shape)).network
    layers = []
    for each in fits:
        layer = network[each.block.name]
        field = layer.receptive_field
        assert field is not None
        layers.append(
            {
                "output": list(each.output_shape),
                "parameters": layer.parameters,
                "macs": layer.macs,
                "field": {
                    "size": list(field.size),
                    "stride": [float(n) for n in field.stride],
                    "start": [float(n) for n in field.start],
                    "whole": field.whole,
                    "exact": field.exact,
                },
            }
        )
    return {"line": line, "shape": list(shape), "blocks": [plain(block) for block in sketch.blocks], "layers": layers}


def wrong_case(line: str) -> dict[str, Any]:
    """What is said of a line with a mistake."""
    try:
        sketch: Sketch = parse(line)
        fit(sketch, SMALL)
    except SketchError as error:
        told = {name: getattr(error, name) for name in ("problem", "expected", "received", "hint", "column", "width")}
        return {"line": line, **told}
    raise AssertionError(f"no mistake: {line}")


def weight_case(line: str, seed: int) -> dict[str, Any]:
    """The weights that a sketch and a seed make."""
    from onnx import numpy_helper

    model = build(line, input_shape=SMALL, seed=seed)
    arrays = {one.name: numpy_helper.to_array(one) for one in model.graph.initializer}
    found = {
        name: {"shape": list(array.shape), "data": [float(n) for n in array.astype(np.float32).ravel()[:64]]}
        for name, array in arrays.items()
    }
    return {"line": line, "seed": seed, "weights": found}


def cases() -> dict[str, Any]:
    """All cases."""
    return {
        "small": list(SMALL),
        "lines": [line_case(line) for line in LINES],
        "wrong": [wrong_case(line) for line in WRONG],
        "weights": [weight_case(*one) for one in WEIGHTS],
        "tutorial": [
            {"number": one.number, "sketch": one.sketch, "seed": one.seed, "en": one.title, "th": one.title_th}
            for one in TUTORIAL
        ],
    }


if __name__ == "__main__":
    KEPT.write_text(json.dumps(cases(), ensure_ascii=False, indent=1) + "\n", "utf-8")
