"""A reader of reports in Python: what the page gets out of one, layer by layer, for tests to hold against the maps."""

from __future__ import annotations

import json
import re
import zlib
from base64 import b64decode
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from convlens.engines.base import Array
from convlens.hosts.report import forward, orders
from convlens.hosts.report.coding import Coded
from convlens.hosts.report.orders import Order
from convlens.network import Convolution, Layer, Network

_BLOB = re.compile(r'<script type="text/plain" id="convlens-blob-(\d+)">([^<]*)</script>')
_CONTENTS = re.compile(r'<script type="application/json" id="convlens-contents"[^>]*>([^<]*)</script>')


def decoded(coded: Coded) -> Array:
    """The numbers that were written as these bytes."""
    raw = np.frombuffer(zlib.decompress(coded.data), np.uint8)
    if coded.coding == "q8":
        count = coded.shape[0]
        scale = raw[: 4 * count].view("<f4").astype(np.float64)[:, None]
        whole = raw[4 * count :].view(np.int8).reshape(count, -1)
        return (scale * whole).astype(np.float32).reshape(coded.shape)
    dtype = np.dtype({"f32": "<f4", "f16": "<f2", "i32": "<i4"}[coded.coding])
    values = np.ascontiguousarray(raw.reshape(dtype.itemsize, -1).T).view(dtype).reshape(coded.shape)
    return values.astype(np.int32 if coded.coding == "i32" else np.float32)


class Opened:
    """A report's text, read."""

    def __init__(self, html: str) -> None:
        found = _CONTENTS.search(html)
        assert found is not None
        self.contents: dict[str, Any] = json.loads(found[1])
        self.blobs = {int(number): b64decode(text) for number, text in _BLOB.findall(html)}
        self.models = {
            id: json.loads(zlib.decompress(self.blobs[blob])) for id, blob in self.contents["models"].items()
        }
        self.runs = [json.loads(zlib.decompress(self.blobs[run["blob"]])) for run in self.contents["runs"]]

    def array(self, fact: dict[str, Any]) -> Array:
        """The numbers of an ArrayFact."""
        shape, data = fact["shape"], self.blobs[fact["blob"]]
        if fact["coding"] != "pixels":
            return decoded(Coded(fact["coding"], tuple(shape), data, fact["exact"]))
        picture = np.asarray(Image.open(BytesIO(self.blobs[fact["png"]])))
        picture = picture[..., None] if picture.ndim == 2 else picture
        table = np.frombuffer(zlib.decompress(data), "<f4").reshape(shape[0], 256)
        return np.stack([table[n][picture[..., source]] for n, source in enumerate(fact["from"])])

    def maps(self, number: int, network: Network) -> dict[str, tuple[dict[str, Any], Array]]:
        """Each layer's plan and the values that it gives, made of what the report holds and of nothing else."""
        run, model = self.runs[number], self.models[self.contents["runs"][number]["model"]]
        held = {name: self.array(fact) for name, fact in run["inputs"].items()}
        found = {}
        for name, plan in run["plans"].items():
            weights = {role: self.array(fact) for role, fact in model["weights"].get(name, {}).items()}
            held[name] = self._layer(network[name], plan, held, weights)
            found[name] = (plan, held[name])
        return found

    def _layer(self, layer: Layer, plan: dict[str, Any], held: dict[str, Array], weights: dict[str, Array]) -> Array:
        if plan["how"] == "values":
            return self.array(plan["array"])
        sources = [held[name] for name in layer.inputs]
        if plan["how"] == "formula":
            values = forward.by_formula(layer, sources, weights)
            assert values is not None
        else:
            assert isinstance(layer.operation, Convolution)
            order = Order(**plan["order"])
            values = orders.added_up(layer.operation, order, sources[0], weights, layer.output_shape[1:])
        if plan.get("off") is None:
            return values
        zigzag = self.array(plan["off"]).astype(np.int64)
        steps = np.where(zigzag % 2 == 0, zigzag // 2, -(zigzag + 1) // 2)
        bits = values.view(np.int32).astype(np.int64)
        numbers = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits) + steps
        back = np.where(numbers < 0, -numbers | 0x80000000, numbers)
        return back.astype(np.uint32).view(np.float32).reshape(values.shape)
