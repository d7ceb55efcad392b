"""The numbers in files: every value, name, shape and the recipe, read back with each format's own library."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import zarr

import convlens
from convlens.errors import OutputError
from convlens.lens import exporting

Arrays = dict[str, np.ndarray[Any, Any]]


def is_map(name: str) -> bool:
    """Whether an array is a layer's, not one of those that convlens keeps beside the maps."""
    return not name.startswith(exporting.FACTS)


def read_npz(path: Path) -> tuple[Arrays, dict[str, Any]]:
    with np.load(path) as archive:
        arrays = {name: archive[name] for name in archive.files if is_map(name)}
        return arrays, json.loads(str(archive[exporting.FACTS]))


def read_safetensors(path: Path) -> tuple[Arrays, dict[str, Any]]:
    with safetensors.safe_open(str(path), "np") as file:
        arrays = {name: array for name, array in safetensors.numpy.load_file(path).items() if is_map(name)}
        return arrays, json.loads(file.metadata()["convlens"])


def read_zarr(path: Path) -> tuple[Arrays, dict[str, Any]]:
    group = zarr.open_group(str(path), mode="r")
    members = [(name, array) for name, array in group.members(max_depth=None) if isinstance(array, zarr.Array)]
    arrays = {name: np.asarray(array) for name, array in members if is_map(name)}
    facts: Any = group.attrs["convlens"]
    return arrays, facts


READERS: dict[str, Callable[[Path], tuple[Arrays, dict[str, Any]]]] = {
    ".npz": read_npz,
    ".safetensors": read_safetensors,
    ".zarr": read_zarr,
}


@pytest.fixture(scope="module")
def maps() -> convlens.FeatureMaps:
    lens = convlens.sketch("conv 3 3x3 | relu | maxpool 5x5", input_shape=(3, 40, 30))
    return lens.feature_maps(np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8))


@pytest.mark.parametrize("suffix", READERS)
def test_a_round_trip_changes_nothing(maps: convlens.FeatureMaps, tmp_path: Path, suffix: str) -> None:
    path = maps.save(tmp_path / f"maps{suffix}")
    arrays, facts = READERS[suffix](path)
    assert set(arrays) == set(maps)
    for name, array in arrays.items():
        np.testing.assert_array_equal(array, maps[name].array)
    assert maps.recipe is not None
    assert convlens.Recipe.from_dict(facts["recipe"]) == maps.recipe
    assert facts["layers"]["conv"] == {"op": "Conv", "shape": [3, 38, 28]}
    assert facts["engine"] == "onnx"


@pytest.mark.parametrize("suffix", READERS)
def test_an_old_file_is_replaced_and_nothing_else_is_left(
    maps: convlens.FeatureMaps, tmp_path: Path, suffix: str
) -> None:
    for _ in range(2):
        maps.save(tmp_path / f"maps{suffix}")
    assert [path.name for path in tmp_path.iterdir()] == [f"maps{suffix}"]


@pytest.mark.parametrize("suffix", READERS)
def test_what_breaks_halfway_leaves_the_old_file(maps: convlens.FeatureMaps, tmp_path: Path, suffix: str) -> None:
    path = maps.save(tmp_path / f"maps{suffix}")
    before = READERS[suffix](path)[0]

    def interrupted() -> Iterator[convlens.FeatureMap]:
        yield maps["conv"]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        exporting.save(interrupted(), path, lambda: exporting.Run(maps.network))
    after = READERS[suffix](path)[0]
    assert before.keys() == after.keys()
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


def test_a_full_disk_is_said_and_leaves_nothing(
    maps: convlens.FeatureMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object, **kwargs: object) -> None:
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(np.lib.format, "write_array", full)
    with pytest.raises(OutputError, match="No space left"):
        maps.save(tmp_path / "maps.npz")
    assert list(tmp_path.iterdir()) == []


def test_paths_that_cannot_be_written(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.npz").mkdir()
    for path, word in (
        (tmp_path / "maps.mat", r"\.npz"),
        (tmp_path / "missing" / "maps.npz", "mkdir"),
        (tmp_path / "file" / "maps.npz", "existing folder"),
        (tmp_path / "folder.npz", "in the way"),
    ):
        with pytest.raises(OutputError, match=word):
            maps.save(path)
