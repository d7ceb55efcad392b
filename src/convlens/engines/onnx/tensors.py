"""What the tensors of a file claim, held against what is really there, before anything of them is read.

A tensor may lie in another file. That file has to be a regular one inside the model's own folder, links followed, and
long enough; everything else is refused before it is opened, here and so for whoever reads the model after us.
Source: onnx.proto, and ONNX's description of external data.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import onnx
from onnx import TensorProto, helper

from convlens import memory
from convlens.errors import ModelError
from convlens.reading import regular

_BITS = {1: 32, 2: 8, 3: 8, 4: 16, 5: 16, 6: 32, 7: 64, 9: 8, 10: 16, 11: 64, 12: 32, 13: 64, 14: 64, 15: 128, 16: 16}
_BITS |= {17: 8, 18: 8, 19: 8, 20: 8, 21: 4, 22: 4, 23: 4, 24: 8, 25: 2, 26: 2}
"""Bits of an element by its type in onnx.proto; 8 is text, which has none."""
_TYPED = ("float_data", "int32_data", "int64_data", "double_data", "uint64_data")
_LARGEST = 2**62
_MOST_NODES = 2_000_000
"""Nodes that a graph may have once its functions are written out: a hundred times those of the largest known."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an external tensor lies: a regular file inside the model's folder."""

    file: Path
    offset: int
    length: int


def is_external(tensor: TensorProto) -> bool:
    """Whether the numbers lie in a file."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def size_of(tensor: TensorProto) -> int:
    """Bytes that the tensor's type and shape ask for.

    Raises:
        ModelError: a shape or a type that there isn't.
    """
    count = prod(tensor.dims)
    if any(n < 0 for n in tensor.dims) or count > _LARGEST:
        raise _damaged(tensor, "a shape of sizes from 0", f"({', '.join(map(str, tensor.dims))})")
    if tensor.data_type not in _BITS:
        raise _damaged(tensor, "a type of numbers that ONNX has", f"type {tensor.data_type}")
    bits: int = count * _BITS[tensor.data_type]
    return -(-bits // 8)


def place_of(tensor: TensorProto, folder: Path, also: Path | None = None) -> Place:
    """Where the numbers of an external tensor lie, inside ``folder``; looked for from ``also`` too, where a model's
    link stands.

    Raises:
        ModelError: outside the folder, missing, no regular file, too short, or told by what are no numbers.
    """
    facts = {e.key: e.value for e in tensor.external_data}
    location = facts.get("location", "")
    size = size_of(tensor)
    offset = _number(tensor, "offset", facts.get("offset") or "0")
    length = _number(tensor, "length", facts.get("length") or str(size))
    if length != size:
        raise _damaged(tensor, f"{size} bytes, as its shape says", f"a length of {length}")
    file = _inside(tensor, location, folder, also)
    there = file.stat().st_size
    if there < offset + length:
        raise ModelError(
            "A file with weights of this model is too short",
            expected=f"{offset + length} bytes in {_short(location)}, for the tensor {_short(tensor.name)!r}",
            received=f"{there} bytes",
            hint="Download or export it again.",
        )
    return Place(file, offset, length)


def _inside(tensor: TensorProto, location: str, folder: Path, also: Path | None) -> Path:
    if not location or "\0" in location or "\\" in location or Path(location).is_absolute():
        raise _outside(tensor, location, folder)
    try:
        candidates = [(base / location).resolve() for base in (also, folder) if base is not None]
        inside = [one for one in candidates if one.is_relative_to(folder)]
        if not inside:
            raise _outside(tensor, location, folder)
        file = next((one for one in inside if one.exists()), None)
        mode = None if file is None else file.stat().st_mode
    except (OSError, RuntimeError):  # a name that is too long, a loop of links, a folder that mustn't be read
        file = mode = None
    if file is None or mode is None:
        raise ModelError(
            "A file with weights of this model is missing",
            expected=f"{_short(location)} in {folder}, for the tensor {_short(tensor.name)!r}",
            received="no such file",
            hint="Keep the model and its data files in one folder.",
        )
    if not stat.S_ISREG(mode):
        raise _damaged(tensor, "a regular file of weights", f"{_short(location)}, which is none")
    return file


def check(
    proto: onnx.ModelProto, folder: Path, also: Path | None = None, lent: Mapping[str, TensorProto] | None = None
) -> None:
    """Hold every tensor of a model against what is there, and give those in files their real place.

    Initializers stay in their files; their ``location`` is from now on the path from ``folder``. What little else lies
    in files (constants of nodes, tensors of inner graphs) is taken into the model. ``lent`` are the true tensors of
    initializers that are but placeholders in ``proto``.

    Raises:
        ModelError: a tensor that claims what isn't there, or what isn't the model's.
        MemoryBudgetError: tensors that together need more memory than there is, though the files are small.
    """
    claimed = inside = 0
    files: dict[Path, int] = {}
    for one, stays in [*((t, True) for t in proto.graph.initializer), *((t, False) for t in _scattered(proto))]:
        tensor = (lent or {}).get(one.name, one) if stays else one
        size = 0 if tensor.data_type == TensorProto.STRING else size_of(tensor)
        claimed += size
        if not is_external(tensor):
            inside += _present(tensor, size)
            continue
        place = place_of(tensor, folder, also)
        files[place.file] = place.file.stat().st_size
        if stays:
            _set(tensor, place, folder)
        else:
            _take_in(tensor, place)
    if claimed > inside + sum(files.values()):  # the same bytes again and again
        memory.check(claimed, "The weights of this model")
    _check_functions(proto)


def _take_in(tensor: TensorProto, place: Place) -> None:
    memory.check(place.length, f"The tensor {_short(tensor.name)!r}")
    with regular(place.file, ModelError, "a file of weights") as file:
        file.seek(place.offset)
        tensor.raw_data = file.read(place.length)
    tensor.ClearField("external_data")
    tensor.ClearField("data_location")


def _scattered(proto: onnx.ModelProto) -> Iterator[TensorProto]:
    """Every tensor that is no initializer of the graph: of inner graphs, nodes and functions."""
    yield from _of_sparse(proto.graph.sparse_initializer)
    yield from _of_nodes(proto.graph.node)
    for function in proto.functions:
        yield from _of_nodes(function.node)
        yield from _of_attributes(function.attribute_proto)


def _of_graph(graph: onnx.GraphProto) -> Iterator[TensorProto]:
    yield from graph.initializer
    yield from _of_sparse(graph.sparse_initializer)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Iterable[onnx.NodeProto]) -> Iterator[TensorProto]:
    for node in nodes:
        yield from _of_attributes(node.attribute)


def _of_attributes(attributes: Iterable[onnx.AttributeProto]) -> Iterator[TensorProto]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        yield from _of_sparse(attribute.sparse_tensors)
        if attribute.HasField("sparse_tensor"):
            yield from _of_sparse([attribute.sparse_tensor])
        for graph in _graphs(attribute):
            yield from _of_graph(graph)


def _of_sparse(sparse_tensors: Iterable[onnx.SparseTensorProto]) -> Iterator[TensorProto]:
    for sparse in sparse_tensors:
        whole = TensorProto(name=sparse.values.name, data_type=sparse.values.data_type, dims=sparse.dims)
        memory.check(size_of(whole), f"The sparse tensor {_short(whole.name)!r}, written out,")
        yield sparse.values
        yield sparse.indices


def _graphs(attribute: onnx.AttributeProto) -> Iterator[onnx.GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _present(tensor: TensorProto, size: int) -> int:
    """Bytes of a tensor's numbers that lie in the model itself, as many as it claims."""
    if tensor.data_type == TensorProto.STRING:
        there, wanted = len(tensor.string_data), prod(tensor.dims)
        if there != wanted or any(n < 0 for n in tensor.dims):
            raise _damaged(tensor, f"{wanted} texts", f"{there}")
        return 0
    if tensor.HasField("raw_data"):
        if len(tensor.raw_data) != size:
            raise _damaged(tensor, f"{size} bytes, as its shape says", f"{len(tensor.raw_data)}")
        return size
    count = prod(tensor.dims)
    there = max(len(getattr(tensor, field)) for field in _TYPED)
    each = 2 if tensor.data_type in (TensorProto.COMPLEX64, TensorProto.COMPLEX128) else 1
    packed = _BITS[tensor.data_type] < 8
    if there != each * count and not (packed and 8 * there >= size * 8):
        raise _damaged(tensor, f"{each * count} numbers, as its shape says", f"{there}")
    return size


def _check_functions(proto: onnx.ModelProto) -> None:
    """Functions that call functions that call functions may stand for more nodes than any memory holds."""
    functions = {(f.domain, f.name): f for f in proto.functions}
    sizes: dict[tuple[str, str], int] = {}

    def written_out(nodes: Iterable[onnx.NodeProto], above: frozenset[tuple[str, str]]) -> int:
        total = 0
        for node in nodes:
            key = (node.domain, node.op_type)
            if key in above or len(above) > 200:
                raise ModelError(
                    "This model has functions without end",
                    expected="functions that don't call themselves",
                    received=f"{_short(node.op_type)} inside itself",
                )
            if key in functions and key not in sizes:
                sizes[key] = written_out(functions[key].node, above | {key})
            total += sizes.get(key, 1)
            total += sum(written_out(g.node, above) for attribute in node.attribute for g in _graphs(attribute))
        return total

    nodes = written_out(proto.graph.node, frozenset())
    if nodes > _MOST_NODES:
        raise ModelError(
            "This model is too large to be read", expected=f"at most {_MOST_NODES:,} nodes", received=f"{nodes:,}"
        )


def _set(tensor: TensorProto, place: Place, folder: Path) -> None:
    told = {"location": place.file.relative_to(folder).as_posix(), "offset": place.offset, "length": place.length}
    del tensor.external_data[:]
    for key, value in told.items():
        tensor.external_data.add(key=key, value=str(value))


def _number(tensor: TensorProto, what: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise _damaged(tensor, f"its {what} as a whole number from 0", repr(_short(text)))
    return int(text)


def _outside(tensor: TensorProto, location: str, folder: Path) -> ModelError:
    return ModelError(
        f"The weights of the tensor {_short(tensor.name)!r} lie outside the model's folder, where nothing is read",
        expected=f"a file inside {folder}",
        received=repr(_short(location)),
        hint="Keep the model and its data files in one folder, without links to other places.",
    )


def _damaged(tensor: TensorProto, expected: str, received: str) -> ModelError:
    return ModelError(
        f"The tensor {_short(tensor.name)!r} of this model is damaged",
        expected=expected,
        received=received,
        hint="Download or export it again.",
    )


def _short(text: str, most: int = 80) -> str:
    return text if len(text) <= most else f"{text[: most - 3]}..."


def kind_of(element: int) -> str:
    """What NumPy calls the kind of an ONNX type; empty where it has none."""
    try:
        return helper.tensor_dtype_to_np_dtype(element).kind
    except (KeyError, TypeError, ValueError):
        return ""
