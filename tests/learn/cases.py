"""The cases that the lessons are held to: sizes, parameters, receptive fields, and what a layer makes of numbers.

Sizes come from ``convlens.geometry``, fields from ``convlens.receptive``, the values from loops without any of it.

To write them anew: ``.venv/bin/python -m tests.learn.cases``.
"""

from __future__ import annotations

import json
from itertools import product
from math import exp, tanh
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens import geometry
from convlens.network import Convolution, Dense, Input, Kind, Layer, Network

KEPT = Path(__file__).parents[2] / "frontend" / "tests" / "cases" / "lessons.json"
Numbers = NDArray[np.float64]

SIZES = [*product((2, 5, 7, 10), (1, 2, 3, 5), (1, 2, 3), (1, 2, 3), (0, 1, 2))]
"""Size, kernel, stride, dilation, padding."""
REAL = [(1440, 3, 1, 1, 0), (1080, 3, 1, 1, 0), (1440, 10, 1, 1, 0), (1080, 20, 1, 1, 0), (1438, 5, 5, 1, 0)]
STACKS = [*product((1, 2, 3), (1, 2), (1, 2), (1, 2, 3, 4))]
"""Kernel, stride, dilation, layers."""

FUNCTIONS = {
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.3 * x,
    "sigmoid": lambda x: 1 / (1 + exp(-x)),
    "tanh": tanh,
}


def size_case(case: tuple[int, ...]) -> list[int]:
    """The five numbers, then how many outputs there are, and how many inputs no window reaches."""
    size, kernel, stride, dilation, pad = case
    found = geometry.output_size(size, kernel, stride, dilation, (pad, pad))
    return [*case, found, geometry.dropped(size, kernel, stride, dilation, (pad, pad))]


def field_case(kernel: int, stride: int, dilation: int, layers: int) -> list[int]:
    """The four numbers, then how many rows of a large picture a value behind all layers sees."""
    size, reads, found = 400, "picture", []
    operation = Convolution(1, 1, (kernel,) * 2, (stride,) * 2, (dilation,) * 2, ((0, 0), (0, 0)))
    for number in range(layers):
        size = geometry.output_size(size, kernel, stride, dilation)
        found.append(Layer(f"conv{number}", "Conv", Kind.CONVOLUTION, (reads,), (1, size, size), operation))
        reads = found[-1].name
    network = geometry.annotate(Network("n", "onnx", (Input("picture", (1, 400, 400)),), tuple(found), (reads,), 0))
    field = network[reads].receptive_field
    assert field is not None
    return [kernel, stride, dilation, layers, field.size[0]]


def parameter_cases() -> dict[str, list[list[int]]]:
    """Channels, filters, kernel, and the parameters; inputs, outputs, and the parameters."""
    convolutions = [
        [c, f, k, geometry.parameters(Convolution(c, f, (k, k), (1, 1), (1, 1), ((0, 0), (0, 0))))]
        for c, f, k in [*product((1, 3), (1, 3, 4), (1, 3, 5)), (3, 3, 10), (3, 1, 20)]
    ]
    first = (1440 * 1080 * 3, 1438 * 1078 * 3)
    dense = [[i, o, geometry.parameters(Dense(i, o))] for i, o in [(16, 4), (25, 9), (100, 1), first]]
    return {"convolutions": convolutions, "dense": dense}


def made(source: Numbers, kernel: Numbers | None, sizes: dict[str, Any], pool: str, biases: list[int]) -> list[Any]:
    """What each filter makes, by loops over rows and columns; without a kernel it is pooled."""
    side = kernel.shape[-1] if kernel is not None else sizes["kernel"]
    stride, dilation, pad = sizes["stride"], sizes["dilation"], sizes["padding"]
    size = source.shape[1]
    count = len(range(0, size + 2 * pad - dilation * (side - 1), stride))
    filters = []
    for number in range(1 if kernel is None else len(kernel)):
        rows = []
        for row, column in product(range(count), repeat=2):
            values = []
            total = 0.0 if kernel is None else float(biases[number])
            for channel, y, x in product(range(len(source)), range(side), range(side)):
                at, beside = row * stride - pad + y * dilation, column * stride - pad + x * dilation
                if 0 <= at < size and 0 <= beside < size:
                    values.append(source[channel, at, beside])
                    total += 0.0 if kernel is None else values[-1] * kernel[number, channel, y, x]
            rows.append(total if kernel is not None else max(values) if pool == "max" else sum(values) / len(values))
        filters.append([float(n) for n in rows])
    return filters


def value_case(name: str, seed: int, **sizes: Any) -> dict[str, Any]:
    """A lesson's layer on drawn numbers."""
    settings: dict[str, Any] = {
        "size": 5,
        "kernel": 3,
        "stride": 1,
        "dilation": 1,
        "padding": 0,
        "channels": 1,
        "filters": 1,
    }
    settings |= {"shown": 0, "layers": 1, "pool": "max", "activation": "none", "dense": False} | sizes
    random = np.random.default_rng(seed)
    channels, filters, kernel = settings["channels"], settings["filters"], settings["kernel"]
    source = random.integers(-4, 9, (channels, settings["size"], settings["size"])).astype(float) / 2
    weights = random.integers(-3, 4, (filters, channels, kernel, kernel)).astype(float)
    spoken = name in ("channels", "activation")
    biases = [int(n) for n in random.integers(-3, 4, filters)] if spoken else [0] * filters
    found = made(source, None if name == "pooling" else weights, settings, str(settings["pool"]), biases)
    if name == "field":
        for _ in range(1, settings["layers"]):
            last = np.array(found[-1]).reshape(1, *[round(len(found[-1]) ** 0.5)] * 2)
            found += made(last, weights, settings, "", biases)
    function = FUNCTIONS.get(str(settings["activation"]))
    after = [[function(n) for n in one] for one in found] if function else None
    return {
        "name": name,
        "settings": settings,
        "inputs": source.tolist(),
        "kernels": weights.tolist(),
        "biases": biases,
        "made": found,
        "after": after,
    }


def cases() -> dict[str, Any]:
    """All cases."""
    return {
        "sizes": [size_case(one) for one in [*SIZES, *REAL]],
        "fields": [field_case(*one) for one in STACKS],
        **parameter_cases(),
        "values": [
            value_case("convolution", 1),
            value_case("convolution", 2, size=10, kernel=5),
            value_case("padding", 3, padding=2),
            value_case("stride", 4, stride=2),
            value_case("stride", 5, size=8, stride=3, padding=1),
            value_case("dilation", 6, size=9, dilation=3),
            value_case("pooling", 7, size=6, kernel=2, stride=2),
            value_case("pooling", 8, size=7, kernel=3, stride=2, pool="average"),
            value_case("channels", 9, size=4, channels=3, filters=3),
            *[value_case("activation", 10 + n, activation=one) for n, one in enumerate(FUNCTIONS)],
            value_case("field", 20, size=9, layers=3),
            value_case("field", 21, size=10, kernel=2, layers=2, stride=2),
            value_case("dense", 22, size=4),
        ],
    }


def written() -> str:
    """The file's text: a case a line."""
    lines = [
        f" {json.dumps(name)}: [\n  " + ",\n  ".join(json.dumps(one) for one in rows) + "\n ]"
        for name, rows in cases().items()
    ]
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    KEPT.write_text(written(), "utf-8")
