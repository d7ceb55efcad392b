"""From a file or a live ModelProto to the graph's description, with the weights left where they are."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path

import onnx
import onnx.inliner
from onnx import TensorProto, numpy_helper

from convlens.engines.base import Array
from convlens.engines.onnx import tensors
from convlens.engines.onnx.tensors import is_external, place_of
from convlens.engines.onnx.wire import DecodeError, skeleton
from convlens.errors import ModelError
from convlens.reading import regular

_LARGE = 1024
"""Elements from which on a live model's initializer is lent to the runtime, not copied into a description."""


class Source:
    """An opened model: ``proto`` describes it without its large weights, which stay in their files or in ``live``."""

    def __init__(
        self,
        proto: onnx.ModelProto,
        name: str,
        path: Path | None,
        live: onnx.ModelProto | None,
        folder: Path,
        lent: Mapping[str, TensorProto],
    ) -> None:
        self.proto = onnx.inliner.inline_local_functions(proto) if proto.functions else proto
        self.name = name
        self.path = path
        self.live = live
        self.folder = folder
        self._lendable = lent

    def lent(self, name: str) -> Array | None:
        """The initializer's own numbers when ``proto`` only has a placeholder for a live model's tensor."""
        tensor = self._lendable.get(name)
        return None if tensor is None else numpy_helper.to_array(tensor)

    def array(self, tensor: TensorProto) -> Array:
        """The numbers of an initializer; those that lie in a file are read from there."""
        lent = self.lent(tensor.name)
        if lent is not None:
            return lent
        if not is_external(tensor):
            return numpy_helper.to_array(tensor)
        place = place_of(tensor, self.folder)  # again: another file may stand there by now
        with regular(place.file, ModelError, "a file of weights") as file:
            file.seek(place.offset)
            raw = file.read(place.length)
        whole = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, raw_data=raw)
        return numpy_helper.to_array(whole)


def read(model: object) -> Source:
    """Open a path or a live ``onnx.ModelProto``, which stays untouched.

    Raises:
        ModelError: not a file, not an ONNX model, an empty graph, or missing external data.
    """
    if isinstance(model, onnx.ModelProto):
        source = _opened(_description(model), model.graph.name or "model", None, model)
    else:
        path = Path(str(model))
        source = _opened(_from_file(path), path.stem, path, None)
    if not source.proto.graph.node:
        raise ModelError(
            "This ONNX model has no nodes", expected="a graph with at least one node", received=source.name
        )
    made: set[str] = set()
    for output in (o for node in source.proto.graph.node for o in node.output if o):
        if output in made:
            raise ModelError(
                "This ONNX model makes a value twice",
                expected="one node for each value",
                received=f"two that make {output!r}",
                hint="Download or export it again.",
            )
        made.add(output)
    return source


def _opened(proto: onnx.ModelProto, name: str, path: Path | None, live: onnx.ModelProto | None) -> Source:
    """The model with its tensors checked. Its folder, beside which nothing is read, is that of the file itself where
    ``path`` is a link (as in download caches)."""
    _check_texts(proto, name)
    folder = path.resolve().parent if path else Path.cwd().resolve()
    lent = {} if live is None else {t.name: t for t in live.graph.initializer if _is_lent(t)}
    tensors.check(proto, folder, path.parent.resolve() if path else None, lent)
    return Source(proto, name, path, live, folder, lent)


def _check_texts(proto: onnx.ModelProto, name: str) -> None:
    """Names are texts in UTF-8; protobuf looks only when it is asked for one, and may then give its bytes."""
    graph = proto.graph
    try:
        texts = [graph.name, *(f.name for f in proto.functions), *(o.domain for o in proto.opset_import)]
        texts += [t.name for t in (*graph.initializer, *graph.input, *graph.output, *graph.value_info)]
        for node in (*graph.node, *(n for f in proto.functions for n in f.node)):
            texts += [node.name, node.op_type, node.domain, *node.input, *node.output]
            texts += [attribute.name for attribute in node.attribute]
        whole = all(isinstance(text, str) for text in texts)
    except UnicodeDecodeError:
        whole = False
    if not whole:
        raise ModelError(
            "This file is not an ONNX model, or only a part of one",
            expected="names in UTF-8",
            received=f"{name} with others",
            hint="Download or export it again.",
        )


def _from_file(path: Path) -> onnx.ModelProto:
    if path.is_dir():
        raise ModelError("A folder is not a model file", expected="an .onnx file", received=f"the folder {path}")
    try:
        with regular(path, ModelError, "an .onnx file") as file:
            if not path.stat().st_size:
                raise ModelError("This file is empty", expected="an ONNX model", received=str(path))
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as data:
                return _guarded(lambda: skeleton(data, path.resolve().name), path)
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
        if not _is_lent(tensor):
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


def _is_lent(tensor: TensorProto) -> bool:
    """Whether a live model's tensor is worth lending; types that NumPy doesn't have stay where they are."""
    return not is_external(tensor) and prod(tensor.dims) >= _LARGE and tensors.kind_of(tensor.data_type) in set("fiub")
