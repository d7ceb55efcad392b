"""From a file or a live ModelProto to the graph's description, with the weights beside it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError

from convlens.errors import ModelError


@dataclass(frozen=True, slots=True)
class Source:
    """An opened model: its description, and the file that it came from, if any."""

    proto: onnx.ModelProto
    path: Path | None
    name: str


def read(model: object) -> Source:
    """Open a path or a live ``onnx.ModelProto``, which stays untouched.

    Raises:
        ModelError: not a file, not an ONNX model, or an empty graph.
    """
    if isinstance(model, onnx.ModelProto):
        return Source(model, None, model.graph.name or "model")
    path = Path(str(model))
    try:
        proto = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError) as error:
        raise ModelError(
            "This file is not a complete ONNX model", expected="an ONNX model", received=str(path)
        ) from error
    except OSError as error:
        raise ModelError("This file can't be read", received=f"{path} ({error.strerror})") from error
    if not proto.graph.node:
        raise ModelError("This ONNX model has no nodes", received=str(path))
    return Source(proto, path, path.stem)
