"""The numbers in files that other tools read: .npz, .safetensors, .zarr. Layers are written as they come.

Every file carries, beside the arrays under their layers' names, the facts of the run as JSON: model, engine, shapes,
the picture's recipe. In ``.npz`` it is the member ``__convlens__``, in ``.safetensors`` the metadata key
``convlens``, in ``.zarr`` the group's attribute ``convlens``. For :func:`convlens.load` it holds a :class:`Record` of
the whole network and of every array, and what the network was fed with as arrays whose names begin with
``__convlens__/``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from zlib import crc32

import numpy as np

from convlens import __version__, writing
from convlens.engines.base import Array, Feed
from convlens.errors import ConvlensError, MissingDependencyError, OutputError
from convlens.lens import feeding, files, recording
from convlens.lens.prediction import Prediction
from convlens.network import Kind, Network, Shape
from convlens.pictures import Picture, Recipe

if TYPE_CHECKING:
    from convlens.lens.feature_map import FeatureMap

SUFFIXES = (".npz", ".safetensors", ".zarr")
FACTS = "__convlens__"
FORMAT = 2
"""Of the record: 1 had none, and no array but the maps."""

_NUMBERS = "fiub"
_RESERVED = ("__metadata__", "zarr.json")  # of the formats themselves


@dataclass(frozen=True, slots=True)
class Entry:
    """One array of a file: a layer's or an input's ``name``, and the ``key`` under which the file has it."""

    name: str
    key: str
    shape: Shape
    dtype: str
    crc32: int


@dataclass(frozen=True, slots=True)
class Record:
    """All that a file has to say for its maps to be opened again, arrays by their entries.

    ``inputs`` are what the network was fed with; ``origins`` say of layers that copy values where each comes from;
    ``pixels`` are the picture's, none or one.
    """

    network: Network
    recipe: Recipe | None
    recipe_source: str | None
    prediction: Prediction | None
    labels: tuple[str, ...] | None
    picture: str | None
    picture_notes: tuple[str, ...]
    maps: tuple[Entry, ...]
    inputs: tuple[Entry, ...]
    origins: tuple[Entry, ...]
    pixels: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class Run:
    """What is written beside the maps. ``weights`` gives a layer's weights by role; of those only the order is kept in
    which a layer copies values."""

    network: Network
    picture: Picture | None = None
    recipe: Recipe | None = None
    recipe_source: str | None = None
    prediction: Prediction | None = None
    labels: Iterable[str] | None = None
    feed: Feed | None = None
    weights: Callable[[str], Mapping[str, Array]] | None = None

    def arrays(self) -> Iterator[tuple[str, str, Array]]:
        """What is kept beside the maps: (part of the record, name, array)."""
        for name, value in (self.feed or {}).items():
            array = feeding.to_numpy(value)
            if array.dtype.kind == "V":  # a bfloat16 of NumPy's own extension
                array = array.astype(np.float32)
            if array.dtype.kind in _NUMBERS:
                yield "inputs", name, array
        for layer in self.network:
            origin = self._origin(layer.name) if layer.kind is Kind.RESHAPE else None
            if origin is not None:
                yield "origins", layer.name, origin
        if self.picture is not None:
            yield "pixels", self.picture.name, self.picture.pixels

    def _origin(self, layer: str) -> Array | None:
        try:
            return None if self.weights is None else self.weights(layer).get("origin")
        except ConvlensError:  # a layer of another path than the model's last one
            return None

    def facts(self, entries: Mapping[str, list[Entry]]) -> dict[str, Any]:
        """What every export states about itself, for people and for :func:`convlens.load`."""
        picture = self.picture
        record = Record(
            self.network,
            self.recipe,
            self.recipe_source if self.recipe is not None else None,
            self.prediction,
            None if self.labels is None else tuple(self.labels),
            None if picture is None else picture.name,
            () if picture is None else picture.notes,
            *(tuple(entries.get(part, ())) for part in ("maps", "inputs", "origins", "pixels")),
        )
        return {
            "convlens": __version__,
            "model": self.network.name,
            "engine": self.network.engine,
            "picture": record.picture,
            "picture_notes": list(record.picture_notes),
            "recipe": self.recipe.to_dict() if self.recipe is not None else None,
            "layers": {layer.name: {"op": layer.op, "shape": list(layer.output_shape)} for layer in self.network},
            "format": FORMAT,
            "record": recording.plain(record),
        }


def check(path: str | Path, *, force: bool = False) -> Path:
    """The path, if something can be exported to it; called before the run, so that no work is lost.

    Raises:
        OutputError: the ending is unknown, the folder doesn't exist or can't be written, or holds something of somebody
            else's at this path.
        MissingDependencyError: ``.zarr`` without zarr.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        named = target.with_suffix(".npz") if target.name else Path("maps.npz")
        raise OutputError(
            "The format can't be told",
            expected="a path ending in " + ", ".join(SUFFIXES),
            received=str(target),
            hint=f"Type -o {named} on the command line, maps.save({str(named)!r}) in Python.",
        )
    if target.suffix == ".zarr" and find_spec("zarr") is None:
        raise MissingDependencyError(
            "Writing .zarr needs zarr, which isn't installed", hint="Type: pip install 'convlens[zarr]'"
        )
    return files.check_place(target, force=force)


def save(maps: Iterable[FeatureMap], path: str | Path, run: Callable[[], Run], *, force: bool = False) -> Path:
    """Write the maps as they come, then what ``run`` tells once all are known; the path appears when all is in it.

    Raises:
        OutputError: somebody else's file or folder is there, and ``force`` doesn't say to overwrite it.
    """
    from convlens.lens import ownership  # which reads what this writes

    target = check(path, force=True)
    only_ours = ownership.holds_only_ours if target.suffix == ".zarr" else None
    owns: dict[str, Any] = {"owned": ownership.is_ours, "only_ours": only_ours}
    with writing.replacing(target, force=force, **owns) as unfinished, ExitStack() as stack:
        file = _FILES[target.suffix](unfinished, stack)
        entries: dict[str, list[Entry]] = {"maps": []}
        for found in maps:
            entries["maps"].append(_put(file, found.name, file.key(found.name), found.array))
        told = run()
        for number, (part, name, array) in enumerate(told.arrays()):
            entries.setdefault(part, []).append(_put(file, name, f"{FACTS}/{part}-{number}", array))
        facts = told.facts(entries)
        file.finish(json.dumps({**facts, "signature": ownership.fingerprint(facts)}))
    return target


def checksum(array: Array) -> int:
    """The CRC-32 of an array's bytes, in C order."""
    return crc32(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _put(file: _File, name: str, key: str, array: Array) -> Entry:
    array = array if array.flags.c_contiguous else np.ascontiguousarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    file.put(key, array, name)
    return Entry(name, key, tuple(map(int, array.shape)), array.dtype.str, checksum(array))


class _File(Protocol):
    """A file on its way: arrays are put in, then the facts."""

    def key(self, name: str) -> str:
        """Under which key a layer's maps go in: its name, where that can be one."""

    def put(self, key: str, array: Array, name: str) -> None:
        """Put an array in."""

    def finish(self, about: str) -> None:
        """Put the facts in, and close."""


class _Named:
    """Keys that are the layers' names, but for names that the format can't have or that convlens keeps for itself."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def key(self, name: str) -> str:
        plain = name and name.isprintable() and not name.startswith(FACTS) and name not in _RESERVED
        others = (f"{files.stem(name)}~{number}" for number in count(2))
        key = next(one for one in chain([name] if plain else [], others) if one not in self._taken)
        self._taken.add(key)
        return key


class _Npz(_Named):
    def __init__(self, path: Path, stack: ExitStack) -> None:
        super().__init__()
        self._archive = stack.enter_context(zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True))

    def put(self, key: str, array: Array, name: str) -> None:  # noqa: ARG002
        with self._archive.open(f"{key}.npy", "w", force_zip64=True) as member:
            np.lib.format.write_array(member, array, allow_pickle=False)

    def finish(self, about: str) -> None:
        self.put(FACTS, np.array(about), FACTS)


class _Safetensors(_Named):
    def __init__(self, path: Path, stack: ExitStack) -> None:  # noqa: ARG002
        super().__init__()
        self._path = path
        self._arrays: dict[str, Array] = {}

    def put(self, key: str, array: Array, name: str) -> None:  # noqa: ARG002
        self._arrays[key] = array

    def finish(self, about: str) -> None:
        from safetensors import SafetensorError
        from safetensors.numpy import save_file

        try:
            save_file(self._arrays, self._path, metadata={"convlens": about})
        except SafetensorError as error:  # its own class for a full disk, too
            raise OSError(str(error)) from error


class _Zarr:
    def __init__(self, path: Path, stack: ExitStack) -> None:
        import zarr

        from convlens.lens.zarr_store import StoppableStore

        store = StoppableStore.at(path)
        stack.callback(store.stop)
        self._group = zarr.open_group(store, mode="w", zarr_format=3)
        self._taken = [FACTS]

    def key(self, name: str) -> str:
        """A path in the group: the layer's name, slashes and all, or a safe one where that can't be a path."""
        parts = name.split("/")
        plain = all(part and files.stem(part) == part and part not in _RESERVED for part in parts)
        stem = files.stem(name)
        others = chain([name] if plain else [], [stem], (f"{stem}~{number}" for number in count(2)))
        key = next(
            one for one in others if not _clashes(one.casefold(), self._taken) and one.casefold() not in _RESERVED
        )
        self._taken.append(key.casefold())
        return key

    def put(self, key: str, array: Array, name: str) -> None:
        chunks = (1, *array.shape[1:]) if array.ndim > 1 and array.nbytes > 2**16 * array.shape[0] else array.shape
        stored = self._group.create_array(
            key, shape=array.shape, dtype=array.dtype, chunks=tuple(max(n, 1) for n in chunks)
        )
        stored[...] = array
        stored.attrs["input" if key.startswith(f"{FACTS}/") else "layer"] = name

    def finish(self, about: str) -> None:
        self._group.attrs["convlens"] = json.loads(about)


_FILES: dict[str, Callable[[Path, ExitStack], _File]] = {".npz": _Npz, ".safetensors": _Safetensors, ".zarr": _Zarr}


def _clashes(path: str, taken: list[str]) -> bool:
    return any(t == path or t.startswith(f"{path}/") or path.startswith(f"{t}/") for t in taken)
