"""The arrays of a saved file, read when they are asked for: .npz, .safetensors, .zarr. Nothing in it is ever run.

A file may be broken, cut off or made to do harm: sizes are held against what was written before any memory is taken,
every array against its checksum, and a path inside a .zarr never leaves it.
"""

from __future__ import annotations

import json
import zipfile
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError, MemoryBudgetError, MissingDependencyError
from convlens.lens import memory
from convlens.lens.exporting import FACTS, Entry, checksum
from convlens.network import Shape

_MOST_FACTS = 2**28
_KEPT = 2**28
"""Bytes of arrays that stay in memory after they were read; the one in use always does."""

TIMELINE = "convlens.timeline"
"""The array of an ``.npz`` that makes it the steps of a training, not maps."""

_CODECS = {"bytes", "zstd", "blosc", "gzip", "crc32c", "transpose", "sharding_indexed"}


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
        size = dtype.itemsize
        for length in entry.shape:
            size *= length
        if size > max(memory.parse(None), 2**20):
            raise MemoryBudgetError(
                f"{entry.name} doesn't fit into memory",
                expected=f"at most {memory.in_words(memory.parse(None))}",
                received=memory.in_words(size),
            )
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
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return  # whoever reads it says what is wrong with it
    if f"{TIMELINE}.npy" in names:
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
        with zipfile.ZipFile(path) as archive:
            self._members = {info.filename: info for info in archive.infolist()}

    def about(self) -> Any:
        """The member ``__convlens__``: one text."""
        if f"{FACTS}.npy" not in self._members:
            return None
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{FACTS}.npy") as member:
            shape, dtype = _header(member)
            if shape != () or dtype.kind != "U" or dtype.itemsize > _MOST_FACTS:
                raise ValueError("its facts are no text")
            return json.loads(str(_filled(member, (dtype.itemsize,), np.dtype("u1")).view(dtype)[0]))

    def keys(self) -> Mapping[str, str]:
        """Every member but the facts."""
        names = [name.removesuffix(".npy") for name in self._members]
        return {name: name for name in names if name != FACTS and not name.startswith(f"{FACTS}/")}

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """One member, its header held against what it should say before anything is read."""
        with zipfile.ZipFile(self.path) as archive, archive.open(f"{key}.npy") as member:
            found = _header(member)
            if found != (shape, dtype):
                raise ValueError(f"{key} is {found[1]} {found[0]}, not {dtype} {shape}")
            return _filled(member, shape, dtype)


class Safetensors:
    """``.safetensors``."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._open() as file:
            self._keys = list(file.keys())
            self._about = (file.metadata() or {}).get("convlens")

    def about(self) -> Any:
        """The metadata ``convlens``."""
        return None if self._about is None else json.loads(self._about)

    def keys(self) -> Mapping[str, str]:
        """Every array."""
        return {key: key for key in self._keys}

    def read(self, key: str, shape: Shape, dtype: np.dtype[Any]) -> Array:
        """One array; the format's own reader holds its size against the file's."""
        with self._open() as file:
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
        if any(place.is_symlink() for place in path.rglob("*")):
            raise ValueError("it has links to other places")
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
        if told.get("storage_transformers") or not _names(told["codecs"]) <= _CODECS:
            raise ValueError(f"{key} is coded in a way that convlens doesn't write")
        array = zarr.open_array(str(self.path), path=key, mode="r", zarr_format=3)
        return _as_claimed(key, np.asarray(array[...]), shape, dtype)

    def _metadata(self, key: str) -> dict[str, Any]:
        parts = key.split("/") if key else []
        if any(not part or part in (".", "..") or "\\" in part or "\0" in part for part in parts):
            raise ValueError(f"{key!r} is no place inside it")
        place = self.path.joinpath(*parts, "zarr.json")
        if place.stat().st_size > _MOST_FACTS:
            raise ValueError("its facts are too long")
        told = json.loads(place.read_text("utf-8"))
        if not isinstance(told, dict) or told.get("zarr_format") != 3:
            raise ValueError("it isn't in Zarr's format 3")
        return told


KINDS: dict[str, type[Npz] | type[Safetensors] | type[Zarr]] = {
    ".npz": Npz,
    ".safetensors": Safetensors,
    ".zarr": Zarr,
}


def _names(codecs: Any) -> set[str]:
    """The names of all codecs, those inside a shard among them."""
    found = set()
    for codec in codecs:
        found.add(codec["name"])
        inside = codec.get("configuration", {})
        found |= _names([*inside.get("codecs", []), *inside.get("index_codecs", [])])
    return found


def _header(member: Any) -> tuple[Shape, np.dtype[Any]]:
    version = np.lib.format.read_magic(member)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(member)
    if dtype.hasobject or (fortran and len(shape) > 1):
        raise ValueError("it holds Python objects" if dtype.hasobject else "its values stand in another order")
    return shape, dtype


def _filled(member: Any, shape: Shape, dtype: np.dtype[Any]) -> Array:
    """Read exactly so many values, and the end, where a zip compares its checksum."""
    array = np.empty(shape, dtype)
    into = array.reshape(-1).view(np.uint8).data
    filled = 0
    while filled < len(into) and (got := member.readinto(into[filled : filled + 2**24])):
        filled += got
    if filled < len(into) or member.read(1):
        raise ValueError("it has other than as many values as it says")
    return array


def _as_claimed(key: str, array: Array, shape: Shape, dtype: np.dtype[Any]) -> Array:
    if tuple(array.shape) != shape or array.dtype != dtype:
        raise ValueError(f"{key} is {array.dtype} {tuple(array.shape)}, not {dtype} {shape}")
    return array
