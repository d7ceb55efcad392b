"""The arrays of a saved file, read when they are asked for: .npz, .safetensors, .zarr. Nothing in it is ever run.

A file may be broken, cut off or made to do harm: sizes are held against what was written before any memory is taken,
every array against its checksum, and a path inside a .zarr never leaves it.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from math import prod
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np

from convlens import memory
from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError, MissingDependencyError
from convlens.lens.exporting import FACTS, Entry, checksum
from convlens.lens.numpy_files import Archive, archive_in
from convlens.network import Shape
from convlens.reading import read_text, regular

_MOST_FACTS = 2**25
"""Letters of the facts: a network of ten thousand layers has half as many."""
_KEPT = 2**28
"""Bytes of arrays that stay in memory after they were read; the one in use always does."""

TIMELINE = "convlens.timeline"
"""The array of an ``.npz`` that makes it the steps of a training, not maps."""

_CODECS = {"bytes", "zstd", "crc32c"}
"""What Zarr writes where nobody asks for another: its chunks say beforehand how long they become."""


class Shelf(Mapping[str, Array]):
    """The arrays of some entries by name, read from the file when they are asked for.

    ``crc32`` -1 is that of a file of an older version, which has none.
    """

    def __init__(self, file: Stored, entries: Mapping[str, Entry]) -> None:
        self._file = file
        self._entries = entries
        self._kept: OrderedDict[str, Array] = OrderedDict()
        self._lock = RLock()  # a server asks from several threads

    def __getitem__(self, name: str) -> Array:
        with self._lock:
            if name not in self._kept:
                self._kept[name] = self._read(self._entries[name])
            self._kept.move_to_end(name)
            while len(self._kept) > 1 and sum(one.nbytes for one in self._kept.values()) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[name]

    def __contains__(self, name: object) -> bool:
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)

    def _read(self, entry: Entry) -> Array:
        dtype = np.dtype(entry.dtype)
        memory.check(prod(entry.shape) * dtype.itemsize, entry.name)
        with reading(self._file.path):
            array = self._file.read(entry.key, entry.shape, dtype)
            if entry.crc32 >= 0 and checksum(array) != entry.crc32:
                raise ValueError(f"the values of {entry.name} aren't those that were written")
        return array


class reading:  # noqa: N801  # reads as a word: with reading(path)
    """Whatever goes wrong inside is said in one line, as what is wrong with the file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception) and not isinstance(error, ConvlensError):
            what = " ".join(str(error).split())[:200] or type(error).__name__
            raise InputError(
                "This file can't be opened as saved maps",
                expected="what maps.save or convlens export wrote, whole and unchanged",
                received=f"{self._path}: {what}",
                hint="Save the maps again.",
            ) from error


def refuse_timeline(path: Path) -> None:
    """Say how a training is loaded, where somebody takes the file of one for a model or for maps.

    Raises:
        InputError: it is such a file.
    """
    try:
        if path.suffix.lower() != ".npz" or not path.is_file():
            return
        with archive_in(path, InputError, "a model, or saved maps") as archive:
            names = archive.names
    except Exception:
        return  # whoever reads it says what is wrong with it
    if TIMELINE in names:
        raise InputError(
            "This file holds the weights of a training, which need their model",
            expected="a model, or saved maps",
            received=str(path),
            hint=f"Type convlens.callbacks.Timeline.load({str(path)!r}, model) in Python.",
        )


class Stored(Protocol):
    """One file: its facts, its keys, its arrays."""

    path: Path

    def about(self) -> Any:
        """The facts, as JSON holds them; ``None`` where convlens wrote none."""

    def keys(self) -> Mapping[str, str]:
        """The layers of a file without a record: name -> key."""

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """An array, if it has this shape and type; raises whatever the format's reader does."""


class Npz:
    """``.npz``: a zip of ``.npy``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as archive:
            self._names = archive.names

    def about(self) -> Any:
        """The member ``__convlens__``: one text."""
        if FACTS not in self._names:
            return None
        with self._open() as archive:
            told = archive.header(FACTS)
            if told.shape != () or told.dtype.kind != "U":
                raise ValueError("its facts are no text")
            return _facts(str(archive.read(FACTS, 4 * _MOST_FACTS)[()]))

    def keys(self) -> Mapping[str, str]:
        """Every member but the facts."""
        return {name: name for name in self._names if name != FACTS and not name.startswith(f"{FACTS}/")}

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """One member, its header held against what it should say before anything is read."""
        with self._open() as archive:
            told = archive.header(key)
            if (told.shape, told.dtype) != (shape, dtype):
                raise ValueError(f"{key} is {told.dtype} {told.shape}, not {dtype} {shape}")
            if told.fortran and len(shape) > 1:
                raise ValueError("its values stand in another order")
            return archive.read(key, None)

    def _open(self) -> AbstractContextManager[Archive]:
        return archive_in(self.path, InputError, "what maps.save wrote")


class Safetensors:
    """``.safetensors``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            self._keys = list(file.keys())
            self._about = (file.metadata() or {}).get("convlens")

    def about(self) -> Any:
        """The metadata ``convlens``."""
        return None if self._about is None else _facts(self._about)

    def keys(self) -> Mapping[str, str]:
        """Every array."""
        return {key: key for key in self._keys}

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """One array; its shape first, and the format's own reader holds its size against the file's."""
        with self._open() as file:
            told = tuple(file.get_slice(key).get_shape())
            if told != shape:
                raise ValueError(f"{key} has the shape {told}, not {shape}")
            return _as_claimed(key, file.get_tensor(key), shape, dtype)

    def _open(self) -> Any:
        from safetensors import safe_open

        return safe_open(str(self.path), "np")


class Zarr:
    """``.zarr``: a folder, in format 3, with plain numbers and the usual codecs only."""

    def __init__(self, path: Path) -> None:
        try:
            import zarr  # noqa: F401
        except ImportError:
            raise MissingDependencyError(
                "Opening .zarr needs zarr, which isn't installed", hint="Type: pip install 'convlens[zarr]'"
            ) from None
        self.path = path
        for place in path.rglob("*"):
            if place.is_symlink() or not (place.is_dir() or place.is_file()):
                raise ValueError("it has links to other places, or what is no file")
        self._told = self._metadata("")
        if self._told.get("node_type") != "group":
            raise ValueError("it is no group of arrays")

    def about(self) -> Any:
        """The group's attribute ``convlens``."""
        return self._told.get("attributes", {}).get("convlens")

    def keys(self) -> Mapping[str, str]:
        """Every array that names its layer."""
        found = {}
        for place in sorted(self.path.rglob("zarr.json")):
            key = place.parent.relative_to(self.path).as_posix()
            told = self._metadata("" if key == "." else key)
            layer = told.get("attributes", {}).get("layer")
            if told.get("node_type") == "array" and isinstance(layer, str):
                found[layer] = key
        return found

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """One array, whose own metadata is read first."""
        import zarr

        told = self._metadata(key)
        if tuple(told["shape"]) != shape or np.dtype(str(told["data_type"])) != dtype.newbyteorder("="):
            raise ValueError(f"{key} is {told['data_type']} {told['shape']}, not {dtype} {shape}")
        codecs = [codec["name"] for codec in told["codecs"]]
        grid = told["chunk_grid"]
        if told.get("storage_transformers") or not _CODECS.issuperset(codecs) or grid["name"] != "regular":
            raise ValueError(f"{key} is coded in a way that convlens doesn't write")
        chunk = tuple(grid["configuration"]["chunk_shape"])
        if len(chunk) != len(shape) or any(not 0 < n <= max(size, 1) for n, size in zip(chunk, shape, strict=True)):
            raise ValueError(f"{key} comes in chunks of {chunk}")
        self._check_chunks(key, prod(chunk) * dtype.itemsize, zstd="zstd" in codecs)
        array = zarr.open_array(str(self.path), path=key, mode="r", zarr_format=3)
        return _as_claimed(key, np.asarray(array[...]), shape, dtype)

    def _check_chunks(self, key: str, size: int, *, zstd: bool) -> None:
        """No chunk is longer than what it becomes, nor becomes longer than a chunk is."""
        for place in self.path.joinpath(*key.split("/")).rglob("*"):
            if not place.is_file() or place.name == "zarr.json":
                continue
            if place.stat().st_size > size + size // 64 + 1024:
                raise ValueError(f"a chunk of {key} is too long")
            if zstd:
                with regular(place, InputError, "a chunk") as file:
                    becomes = _zstd_length(file.read(18))
                if becomes != size:
                    raise ValueError(f"a chunk of {key} becomes {becomes} bytes, not {size}")

    def _metadata(self, key: str) -> dict[str, Any]:
        parts = key.split("/") if key else []
        if any(not part or part in (".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ValueError(f"{key!r} is no place inside it")
        place = self.path.joinpath(*parts, "zarr.json")
        told = _facts(read_text(place, InputError, "a part of saved maps", _MOST_FACTS))
        if not isinstance(told, dict) or told.get("zarr_format") != 3:
            raise ValueError("it isn't in Zarr's format 3")
        return told


KINDS: dict[str, type[Npz] | type[Safetensors] | type[Zarr]] = {
    ".npz": Npz,
    ".safetensors": Safetensors,
    ".zarr": Zarr,
}


def _zstd_length(head: bytes) -> int | None:
    """The length that a Zstandard frame says it becomes; ``None`` where it says none.

    Source: RFC 8878, 3.1.1.
    """
    if head[:4] != b"\x28\xb5\x2f\xfd" or len(head) < 6:
        return None
    descriptor = head[4]
    single = descriptor >> 5 & 1
    size = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    begin = 5 + (not single) + (0, 1, 2, 4)[descriptor & 3]
    if not size or len(head) < begin + size:
        return None
    return int.from_bytes(head[begin : begin + size], "little") + (256 if size == 2 else 0)


def _facts(text: str) -> Any:
    """The facts, if there is room for what they become: some twenty times their length."""
    if len(text) > _MOST_FACTS:
        raise ValueError("its facts are too long")
    memory.check(20 * len(text), "What the file says of itself")
    return json.loads(text)


def _as_claimed(key: str, array: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    if tuple(array.shape) != shape or array.dtype != dtype:
        raise ValueError(f"{key} is {array.dtype} {tuple(array.shape)}, not {dtype} {shape}")
    return array
