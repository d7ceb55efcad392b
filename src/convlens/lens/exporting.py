"""The numbers in files that other tools read: .npz, .safetensors, .zarr. Layers are written as they come.

Every file carries, beside the arrays under their layers' names, the facts of the run as JSON: model, engine, shapes,
the picture's recipe. In ``.npz`` it is the member ``__convlens__``, in ``.safetensors`` the metadata key
``convlens``, in ``.zarr`` the group's attribute ``convlens``.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterable, Iterator
from importlib.util import find_spec
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens import __version__, writing
from convlens.errors import MissingDependencyError, OutputError
from convlens.lens import files
from convlens.network import Network
from convlens.pictures import Picture, Recipe

if TYPE_CHECKING:
    from convlens.lens.feature_map import FeatureMap

SUFFIXES = (".npz", ".safetensors", ".zarr")
FACTS = "__convlens__"


def facts(network: Network, picture: Picture | None, recipe: Recipe | None) -> dict[str, Any]:
    """What every export states about itself."""
    return {
        "convlens": __version__,
        "model": network.name,
        "engine": network.engine,
        "picture": picture.name if picture is not None else None,
        "picture_notes": list(picture.notes) if picture is not None else [],
        "recipe": recipe.to_dict() if recipe is not None else None,
        "layers": {layer.name: {"op": layer.op, "shape": list(layer.output_shape)} for layer in network},
    }


def check(path: str | Path) -> Path:
    """The path, if something can be exported to it; called before the run, so that no work is lost.

    Raises:
        OutputError: the ending is unknown, the folder doesn't exist or can't be written.
        MissingDependencyError: ``.zarr`` without zarr.
    """
    target = Path(path)
    if target.suffix not in SUFFIXES:
        raise OutputError(
            "convlens can't tell the format",
            expected="a path ending in " + ", ".join(SUFFIXES),
            received=str(target),
            hint=f"Type -o {target.with_suffix('.npz')}" if target.name else "Type -o maps.npz",
        )
    if target.suffix == ".zarr" and find_spec("zarr") is None:
        raise MissingDependencyError(
            "Writing .zarr needs zarr, which isn't installed", hint="Type: pip install 'convlens[zarr]'"
        )
    return files.check_place(target, force=True)


def save(maps: Iterable[FeatureMap], path: str | Path, about: dict[str, Any]) -> Path:
    """Write the maps as they come; the path appears only when everything is in it."""
    target = check(path)
    write = {".npz": _npz, ".safetensors": _safetensors, ".zarr": _zarr}[target.suffix]
    with writing.replacing(target) as unfinished:
        write(maps, unfinished, json.dumps(about))
    return target


def _npz(maps: Iterable[FeatureMap], path: Path, about: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        for name, array in _named(maps):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)
        with archive.open(f"{FACTS}.npy", "w") as member:
            np.lib.format.write_array(member, np.array(about), allow_pickle=False)


def _safetensors(maps: Iterable[FeatureMap], path: Path, about: str) -> None:
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    try:
        save_file(dict(_named(maps)), path, metadata={"convlens": about})
    except SafetensorError as error:  # its own class for a full disk, too
        raise OSError(str(error)) from error


def _zarr(maps: Iterable[FeatureMap], path: Path, about: str) -> None:
    import zarr

    group = zarr.open_group(str(path), mode="w")
    taken: list[str] = []
    for name, array in _named(maps):
        place = _zarr_path(name, taken)
        taken.append(place.casefold())
        chunks = (1, *array.shape[1:]) if array.ndim > 1 and array[0].nbytes > 2**16 else array.shape
        stored = group.create_array(
            place, shape=array.shape, dtype=array.dtype, chunks=tuple(max(n, 1) for n in chunks)
        )
        stored[...] = array
        stored.attrs["layer"] = name
    group.attrs["convlens"] = json.loads(about)


def _zarr_path(name: str, taken: list[str]) -> str:
    """A path in the group: the layer's name, slashes and all, or a safe one where that can't be a path of its own."""
    parts = name.split("/")
    if not _clashes(name.casefold(), taken) and all(part and files.stem(part) == part for part in parts):
        return name
    stem = files.stem(name)
    others = chain([stem], (f"{stem}~{number}" for number in count(2)))
    return next(other for other in others if not _clashes(other.casefold(), taken))


def _clashes(path: str, taken: list[str]) -> bool:
    return any(t == path or t.startswith(f"{path}/") or path.startswith(f"{t}/") for t in taken)


def _named(maps: Iterable[FeatureMap]) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    for found in maps:
        yield found.name, found.array
