"""Maps from a file, as they were saved: without the model, or joined with it again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError, MemoryBudgetError, ModelError
from convlens.lens import exporting, opening, recording, shelves
from convlens.lens.absent import UNKNOWN, Absent
from convlens.lens.arguments import checked
from convlens.lens.exporting import Entry, Record
from convlens.lens.intake import RecipeSource
from convlens.lens.maps import FeatureMaps
from convlens.lens.opened import Lens
from convlens.lens.shelves import Shelf
from convlens.network import Kind, Layer, Network
from convlens.pictures import Picture, Recipe

_AFRESH = 8
"""So many layers are run again when a model is joined with saved maps."""

_FAR = {"float16": 3e-2, "bfloat16": 1e-1}
_NEAR = 1e-3
"""Of the largest value of a layer: as far may the same model be from itself on another machine."""


@checked
def load(path: str | Path, *, model: object = None, trust: bool = False) -> FeatureMaps:
    """The maps that ``maps.save`` or ``convlens export`` wrote, as they were, without the model or with it.

    An array is read when it is asked for; what was read stays in memory as far as there is room. Without the model,
    what needs weights (explanations, kernels) raises an error that says how to give it.

    Args:
        path: ``.npz``, ``.safetensors`` or ``.zarr``.
        model: the model that made them: its path, a live model, or an opened lens. It is checked against the file.
        trust: allow a model file that runs its own code when opened.

    Raises:
        InputError: no such file, or not one that convlens wrote; broken or cut off, perhaps when an array is read.
        ModelError: the model isn't the one that made these maps.

    >>> import convlens, numpy as np, tempfile
    >>> lens = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 8, 8))
    >>> maps = lens.feature_maps(np.full((8, 8, 3), 100, np.uint8))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     saved = maps.save(f"{folder}/maps.npz")
    ...     again = convlens.load(saved)
    ...     same = np.array_equal(again["conv"].array, maps["conv"].array)
    ...     explained = convlens.load(saved, model=lens)["conv"].explain(1, 2, 3).agrees
    >>> same, again.network == maps.network, again.recipe == maps.recipe, explained
    (True, True, True, True)
    """
    place = Path(path)
    shelves.refuse_timeline(place)
    file = _opened(place)
    with shelves.reading(place):
        loaded = _loaded(file)
    return loaded if model is None else joined(loaded, model, trust=trust)


def joined(maps: FeatureMaps, model: object, *, trust: bool = False) -> FeatureMaps:
    """Saved maps with the model that made them; see :meth:`FeatureMaps.with_model`."""
    lens = model if isinstance(model, Lens) else opening.open(model, labels=maps.lens.labels, trust=trust)
    if not maps.feed:
        raise InputError(
            "This file doesn't hold what the network was fed with, so the model can't be held against it",
            expected="maps that this version of convlens saved",
            received=f"{maps!r}",
            hint="Run lens.feature_maps(picture) again, and save its maps.",
        )
    names = _telling(maps)
    try:
        afresh = lens.feature_maps(dict(maps.feed), layers=names)
    except MemoryBudgetError:
        raise
    except ConvlensError as error:
        raise _another(maps, str(error)) from error
    _check_same(maps.network, afresh.network, maps)
    for name in names:
        _check_near(maps, name, maps[name].array, afresh[name].array)
    return maps._beside(lens, afresh.traced)


def _opened(place: Path) -> shelves.Stored:
    kind = shelves.KINDS.get(place.suffix.lower())
    if kind is None:
        raise InputError(
            "What this file is can't be told",
            expected="a path ending in " + ", ".join(shelves.KINDS),
            received=str(place),
            hint="To open a model, type convlens.open(path).",
        )
    if not (place.is_dir() if kind is shelves.Zarr else place.is_file()):
        raise InputError("No such file of maps", expected=f"an existing {place.suffix} file", received=str(place))
    with shelves.reading(place):
        return kind(place)


def _loaded(file: shelves.Stored) -> FeatureMaps:
    about = file.about()
    if not isinstance(about, dict) or "convlens" not in about:
        raise ValueError("it holds no facts of convlens")
    version = about.get("format", 1)
    if version == 1:
        return _of_old(file, about)
    if version != exporting.FORMAT:
        raise InputError(
            "This file was written by another version of convlens",
            expected=f"format {exporting.FORMAT}, or an older one",
            received=f"format {version} of convlens {about['convlens']}",
            hint="Type: pip install -U convlens",
        )
    record = recording.read(Record, about.get("record"), "record")
    _check(record)
    feed = Shelf(file, _by_name(record.inputs))
    picture = None
    if record.picture is not None and record.pixels:
        pixels = Shelf(file, {"pixels": record.pixels[0]})["pixels"]
        picture = Picture(pixels, record.picture, record.picture_notes)
    source = _source(record.recipe_source)
    lens = Absent(
        record.network,
        file.path,
        recipe=record.recipe,
        recipe_source=source,
        labels=record.labels,
        origins=Shelf(file, _by_name(record.origins)),
    )
    return FeatureMaps(
        lens,
        lens.stated,
        Shelf(file, _by_name(record.maps)),
        picture=picture,
        recipe=record.recipe,
        feed={name: feed[name] for name in feed},
        prediction=record.prediction,
        recipe_source=source,
    )


def _of_old(file: shelves.Stored, about: Mapping[str, Any]) -> FeatureMaps:
    """The maps of a file without a record: layers with op and shape, and nothing of how they hang together."""
    layers = [
        Layer(str(name), str(told["op"]), Kind.OTHER, (), tuple(int(n) for n in told["shape"]))
        for name, told in about["layers"].items()
    ]
    notes = ("saved by an older version: operations, inputs and the picture are not in the file",)
    network = Network(str(about["model"]), str(about["engine"]), (UNKNOWN,), tuple(layers), (), 0, notes)
    keys = file.keys()
    shapes = {layer.name: layer.output_shape for layer in layers}
    entries = {
        name: Entry(name, keys[name], shape or (1,), np.dtype(np.float32).str, -1)
        for name, shape in shapes.items()
        if name in keys
    }
    recipe = None if about["recipe"] is None else Recipe.from_dict(about["recipe"])
    absent = Absent(network, file.path, recipe=recipe)
    told: dict[str, Any] = {"picture": None, "recipe": recipe, "feed": {}, "prediction": None}
    return FeatureMaps(absent, absent.stated, Shelf(file, entries), **told)


def _check(record: Record) -> None:
    """What type hints can't say of a record that a file claims."""
    for entry in (*record.maps, *record.inputs, *record.origins, *record.pixels):
        if np.dtype(entry.dtype).kind not in "fiub" or any(n < 0 for n in entry.shape):
            raise ValueError(f"{entry.name} is no array of numbers")
    for entry in record.maps:
        shape = record.network[entry.name].output_shape
        if entry.shape != shape and (shape, entry.shape) != ((), (1,)):
            raise ValueError(f"{entry.name} is {entry.shape} in one place and {shape} in another")
    for entry in record.pixels:
        if len(entry.shape) != 3 or entry.shape[2] not in (1, 3) or entry.dtype not in ("|u1", "<u2"):
            raise ValueError("its picture has no pixels")


def _by_name(entries: Iterable[Entry]) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries}


def _source(told: str | None) -> RecipeSource | None:
    return next((one for one in get_args(RecipeSource) if one == told), None)


def _telling(maps: FeatureMaps) -> list[str]:
    """The kept layers to run again: the first, those that no other kept layer comes from, and some between."""
    names = list(maps)
    upstream: set[str] = set()
    ends = []
    for name in reversed(names):
        if name not in upstream:
            ends.append(name)
            upstream.update(maps.network.upstream(name))
    between = names[:: max(1, len(names) // (_AFRESH // 2))]
    chosen = list(dict.fromkeys([*names[:1], *ends[: _AFRESH // 2], *between]))[:_AFRESH]
    return [name for name in names if name in chosen]


@dataclass(frozen=True, slots=True)
class _Told:
    """What makes a layer the same as another."""

    op: str
    shape: tuple[int, ...]
    parameters: int


def _check_same(saved: Network, found: Network, maps: FeatureMaps) -> None:
    ours = {layer.name: _Told(layer.op, layer.output_shape, layer.parameters) for layer in saved}
    theirs = {layer.name: _Told(layer.op, layer.output_shape, layer.parameters) for layer in found}
    for name, layer in ours.items():
        other = theirs.get(name)
        if other is None:
            raise _another(maps, f"a model without the layer {name}")
        if other != layer:
            raise _another(maps, f"a model whose {name} is {_said(other)}, not {_said(layer)}")
    strange = next((name for name in theirs if name not in ours), None)
    if strange is not None:
        raise _another(maps, f"a model with a layer {strange}")


def _said(told: _Told) -> str:
    return f"{told.op}, {' x '.join(map(str, told.shape))}, {told.parameters:,} parameters"


def _check_near(maps: FeatureMaps, name: str, saved: Array, afresh: Array) -> None:
    """The values that the model makes now are those that were saved, up to what another machine may round."""
    if saved.shape == afresh.shape and np.array_equal(saved, afresh, equal_nan=True):
        return
    near = False
    finite = np.isfinite(saved)
    if saved.shape == afresh.shape and np.array_equal(finite, np.isfinite(afresh)):
        ours, theirs = saved[finite].astype(np.float64), afresh[finite].astype(np.float64)
        far = float(np.abs(ours - theirs).max(initial=0))
        near = far <= _FAR.get(maps.network[name].dtype, _NEAR) * max(float(np.abs(ours).max(initial=0)), 1e-30)
    if not near:
        raise _another(maps, f"a model that makes other values of {name}")


def _another(maps: FeatureMaps, received: str) -> ModelError:
    return ModelError(
        "This isn't the model that made the saved maps",
        expected=f"{maps.network.name!r} ({maps.network.engine}) with the same layers and weights",
        received=received,
        hint="Give the model that the maps were saved with.",
    )
