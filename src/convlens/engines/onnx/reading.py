"""From a file or a live ModelProto to the graph's description, with the weights left where they are."""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from math import prod
from pathlib import Path

import onnx
import onnx.inliner
from onnx import TensorProto, helper, numpy_helper

from convlens.engines.base import Array
from convlens.engines.onnx.wire import DecodeError, skeleton
from convlens.errors import ModelError

_LARGE = 1024
"""Elements from which on a live model's initializer is lent to the runtime, not copied into a description."""


class Source:
    """An opened model: ``proto`` describes it without its large weights, which stay in their files or in ``live``."""

    def __init__(self, proto: onnx.ModelProto, name: str, path: Path | None, live: onnx.ModelProto | None) -> None:
        self.proto = onnx.inliner.inline_local_functions(proto) if proto.functions else proto
        self.name = name
        self.path = path
        self.live = live
        self.folder = path.parent.resolve() if path else Path.cwd()

    @cached_property
    def _lendable(self) -> dict[str, TensorProto]:
        if self.live is None:
            return {}
        return {t.name: t for t in self.live.graph.initializer if _is_large(t) and not _is_external(t)}

    def lent(self, name: str) -> Array | None:
        """The initializer's own numbers when ``proto`` only has a placeholder for a live model's tensor."""
        tensor = self._lendable.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def array(self, tensor: TensorProto) -> Array:
        """The numbers of an initializer; those that lie in a file are read from there."""
        lent = self.lent(tensor.name)
        if lent is not None:
            return lent
        if not _is_external(tensor):
            return numpy_helper.to_array(tensor)
        place = Place.of(tensor)
        with (self.folder / place.location).open("rb") as file:
            file.seek(place.offset)
            raw = file.read(-1 if place.length is None else place.length)
        whole = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=raw)
        return numpy_helper.to_array(whole)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an external tensor lies."""

    location: str
    offset: int
    length: int | None

    @classmethod
    def of(cls, tensor: TensorProto) -> Place:
        """What the tensor says about it."""
        facts = {e.key: e.value for e in tensor.external_data}
        length = facts.get("length")
        return cls(facts.get("location", ""), int(facts.get("offset") or 0), int(length) if length else None)


def read(model: object) -> Source:
    """Open a path or a live ``onnx.ModelProto``, which stays untouched.

    Raises:
        ModelError: not a file, not an ONNX model, an empty graph, or missing external data.
    """
    if isinstance(model, onnx.ModelProto):
        source = Source(_description(model), model.graph.name or "model", None, model)
    else:
        path = Path(str(model))
        source = Source(_from_file(path), path.stem, path, None)
    if not source.proto.graph.node:
        raise ModelError(
            "This ONNX model has no nodes", expected="a graph with at least one node", received=source.name
        )
    _check_external_data(source)
    return source


def _from_file(path: Path) -> onnx.ModelProto:
    if path.is_dir():
        raise ModelError("A folder is not a model file", expected="an .onnx file", received=f"the folder {path}")
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise ModelError("This file is empty", expected="an ONNX model", received=str(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                return _guarded(lambda: skeleton(data, path.name), path)
    except OSError as error:
        told = f"{path} ({error.strerror or error})"
        raise ModelError("This file can't be read", expected="an ONNX model", received=told) from None


def _guarded(parse: Callable[[], onnx.ModelProto], path: Path) -> onnx.ModelProto:
    try:
        return parse()
    except (DecodeError, UnicodeDecodeError, ValueError):
        raise ModelError(
            "This file is not an ONNX model, or only a part of one",
            expected="a complete ONNX model",
            received=str(path),
            hint="Download or export it again.",
        ) from None


def _description(live: onnx.ModelProto) -> onnx.ModelProto:
    """A copy of everything but the large weights."""
    proto = onnx.ModelProto()
    for field, value in live.ListFields():
        if field.name != "graph":
            _assign(proto, field.name, value)
    for field, value in live.graph.ListFields():
        if field.name != "initializer":
            _assign(proto.graph, field.name, value)
    for tensor in live.graph.initializer:
        if not _is_large(tensor) or _is_external(tensor):
            proto.graph.initializer.append(tensor)
            continue
        light = proto.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
        light.data_location = TensorProto.EXTERNAL
        light.external_data.add(key="location", value="lent")
    return proto


def _assign(message: onnx.ModelProto | onnx.GraphProto, name: str, value: object) -> None:
    if isinstance(value, (str, int)):
        setattr(message, name, value)
    else:
        getattr(message, name).MergeFrom(value)


def _is_large(tensor: TensorProto) -> bool:
    """Whether a tensor is worth lending; types that NumPy doesn't have stay where they are."""
    if tensor.data_type in (TensorProto.STRING, TensorProto.UNDEFINED):
        return False
    return prod(tensor.dims) >= _LARGE and helper.tensor_dtype_to_np_dtype(tensor.data_type).kind in "fiub"


def _is_external(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _check_external_data(source: Source) -> None:
    for tensor in source.proto.graph.initializer:
        if not _is_external(tensor) or source.lent(tensor.name) is not None:
            continue
        place = Place.of(tensor)
        file = source.folder / place.location
        if not file.is_file():
            raise ModelError(
                "A file with weights of this model is missing",
                expected=f"{place.location} in {source.folder}, for the tensor {tensor.name!r}",
                received="no such file",
                hint="Keep the model and its data files in one folder.",
            )
        if file.stat().st_size < place.offset + (place.length or 0):
            raise ModelError(
                "A file with weights of this model is too short",
                expected=f"{place.offset + (place.length or 0)} bytes in {place.location}",
                received=f"{file.stat().st_size} bytes",
                hint="Download or export it again.",
            )
