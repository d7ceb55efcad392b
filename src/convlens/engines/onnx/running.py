"""Pieces of the graph as ONNX Runtime sessions."""

from __future__ import annotations

import onnx
import onnxruntime as ort  # noqa: TID251  # this package is the ONNX engine

from convlens.engines.base import Array
from convlens.engines.onnx.graph import Graph

ort.set_default_logger_severity(4)  # what goes wrong is said once, by our own error


def session(model: bytes | str, level: int = 99) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.graph_optimization_level = ort.GraphOptimizationLevel(level)
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run_all(graph: Graph, values: list[str], feed: dict[str, Array]) -> dict[str, Array]:
    model = onnx.ModelProto()
    model.CopyFrom(graph.proto)
    del model.graph.output[:]
    model.graph.output.extend(onnx.ValueInfoProto(name=v) for v in values)
    made = session(model.SerializeToString(), 1).run(values, feed)
    return dict(zip(values, made, strict=True))
