"""Maps from files: a round trip changes nothing, with the model and without; what is broken or does harm is said."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given, settings
from hypothesis import strategies as st

import convlens
from convlens import network as words
from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError, LayerNotFoundError, ModelError
from convlens.lens import exporting, recording, shelves
from convlens.lens.absent import Absent
from convlens.lens.prediction import Prediction
from convlens.network import Input, Kind, Layer, Network

SUFFIXES = (".npz", ".safetensors", ".zarr")
SKETCH = "conv 3 3x3 | relu | maxpool 5x5 | flatten | dense 4 | softmax"


@pytest.fixture(scope="module")
def lens() -> convlens.Lens:
    return convlens.open(convlens.sketch(SKETCH, input_shape=(3, 40, 30), seed=1).model, labels=["a", "b", "c", "ไก่"])


@pytest.fixture(scope="module")
def maps(lens: convlens.Lens) -> convlens.FeatureMaps:
    pixels = np.random.default_rng(0).integers(0, 256, (48, 41, 3), np.uint8)
    return lens.feature_maps(pixels, recipe="imagenet")


def assert_same(loaded: convlens.FeatureMaps, maps: convlens.FeatureMaps) -> None:
    """Everything but the model: arrays bit for bit, the network, the recipe, the answer, the input, the picture."""
    assert list(loaded) == list(maps)
    for name, found in maps.items():
        assert loaded[name].array.dtype == found.array.dtype
        assert loaded[name].array.tobytes() == found.array.tobytes()
        assert loaded[name].shape == found.shape
        assert loaded[name].labels == found.labels or list(loaded[name].labels or ()) == list(found.labels or ())
    assert loaded.network == maps.network
    assert (loaded.recipe, loaded.recipe_source) == (maps.recipe, maps.recipe_source)
    assert loaded.prediction == maps.prediction
    assert loaded.feed.keys() == maps.feed.keys()
    for name, value in maps.feed.items():
        np.testing.assert_array_equal(loaded.feed[name], np.asarray(value))
    assert loaded.to_dict() == maps.to_dict()
    if maps.picture is not None:
        assert loaded.picture is not None
        assert (loaded.picture.name, loaded.picture.notes) == (maps.picture.name, maps.picture.notes)
        np.testing.assert_array_equal(loaded.picture.pixels, maps.picture.pixels)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_round_trip_changes_nothing(maps: convlens.FeatureMaps, tmp_path: Path, suffix: str) -> None:
    loaded = convlens.load(maps.save(tmp_path / f"maps{suffix}"))
    assert_same(loaded, maps)
    again = convlens.load(loaded.save(tmp_path / f"again{suffix}"))
    assert_same(again, maps)


def test_a_walk_writes_the_same_as_a_run(lens: convlens.Lens, maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    assert maps.picture is not None
    walked = lens.walk(maps.picture, recipe="imagenet")
    assert_same(convlens.load(walked.save(tmp_path / "walked.zarr")), maps)


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_without_the_model_everything_but_weights_is_there(
    maps: convlens.FeatureMaps, tmp_path: Path, suffix: str
) -> None:
    loaded = convlens.load(maps.save(tmp_path / f"maps{suffix}"))
    conv, original = loaded["conv"], maps["conv"]
    assert conv.statistics == original.statistics
    assert conv.png() == original.png()
    assert conv.receptive_field(3, 4) == original.receptive_field(3, 4)
    assert loaded["softmax"].receptive_field(channel=1) == maps["softmax"].receptive_field(channel=1)
    assert str(loaded.lens.summary()) == str(maps.lens.summary())
    assert loaded.lens.diagram() == maps.lens.diagram()
    assert loaded.explain("picture", (0, 1, 2), anywhere=True) == maps.explain("picture", (0, 1, 2), anywhere=True)
    assert repr(loaded) == repr(maps)
    for ask in (
        lambda: conv.explain(0, 1, 2),
        lambda: loaded["relu"].explain(0, 1, 2),
        lambda: conv.explain_all(0),
        lambda: conv.effective_receptive_field(0, 1, 2),
        lambda: loaded.verify(),
        lambda: loaded.lens.kernels("conv"),
        lambda: loaded.lens.feature_maps(np.zeros((48, 41, 3), np.uint8)),
    ):
        with pytest.raises(ModelError, match=r"needs the model.*convlens\.load\('maps.*model="):
            ask()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_with_the_model_it_explains(
    lens: convlens.Lens, maps: convlens.FeatureMaps, tmp_path: Path, suffix: str
) -> None:
    path = maps.save(tmp_path / f"maps{suffix}")
    for joined in (convlens.load(path, model=lens), convlens.load(path).with_model(lens.model)):
        assert_same(joined, maps)
        for layer, index in (("conv", (1, 2, 3)), ("maxpool", (0, 1, 1)), ("dense", (2,)), ("softmax", (3,))):
            ours, theirs = joined.explain(layer, index), maps.explain(layer, index)
            assert ours.agrees
            assert (ours.total, ours.framework_value) == (theirs.total, theirs.framework_value)
        assert joined.verify() == maps.verify()


def test_some_layers_with_the_model_explain_too(lens: convlens.Lens, tmp_path: Path) -> None:
    kept = lens.feature_maps(np.full((40, 30, 3), 90, np.uint8), layers=["relu"])
    joined = convlens.load(kept.save(tmp_path / "relu.npz"), model=lens)
    assert list(joined) == ["relu"]
    assert joined["relu"].explain(0, 1, 2).agrees  # its input is run again


@pytest.mark.parametrize("engine", ["onnx", "keras", "torch"])
def test_a_real_network_of_each_engine(
    efficientnets: dict[str, convlens.FeatureMaps], tmp_path: Path, engine: str
) -> None:
    maps = efficientnets[engine]
    joined = convlens.load(maps.save(tmp_path / "maps.npz"), model=maps.lens)
    assert_same(joined, maps)
    first = next(layer for layer in maps.network if layer.has_kernels)
    assert joined[first.name].explain(0, 1, 2).agrees


@pytest.mark.parametrize("kind", ["float32", "float16", "bfloat16"])
def test_a_live_network_that_copies_values_in_orders_of_its_own(tmp_path: Path, kind: str) -> None:
    """Receptive fields follow the order, which comes from the weights: it is in the file."""
    import torch

    class Shuffling(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
            self.up = torch.nn.ConvTranspose2d(8, 4, 2, stride=2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.nn.functional.interpolate(self.up(torch.relu(self.conv(x))), scale_factor=1.5, mode="bilinear")
            return torch.nn.functional.pixel_shuffle(y, 2).permute(0, 2, 3, 1).unfold(1, 2, 2).flip(1)

    dtype = getattr(torch, kind)
    model = Shuffling().eval().to(dtype)
    given_to_it = torch.rand((1, 3, 8, 12), generator=torch.Generator().manual_seed(0)).to(dtype)
    maps = convlens.open(model, input_shape=(3, 8, 12)).feature_maps(given_to_it)
    loaded = convlens.load(maps.save(tmp_path / "maps.safetensors"))
    assert loaded.network == maps.network
    for name, found in maps.items():
        assert loaded[name].array.tobytes() == found.array.tobytes()
        ours, theirs = loaded.reach.seen(name), maps.reach.seen(name)
        assert ours is not None
        assert theirs is not None
        assert ours.exact == theirs.exact
        assert all((a == b).all() for a, b in zip(ours.tables, theirs.tables, strict=True))
    assert loaded.with_model(model)["conv"].explain(0, 1, 2).agrees


@pytest.mark.parametrize(
    ("other", "word"),
    [
        ("conv 3 3x3 | relu | maxpool 5x5 | flatten | dense 5 | softmax", "dense"),
        ("conv 3 3x3 | tanh | maxpool 5x5 | flatten | dense 4 | softmax", "relu|layers"),
        ("conv 3 3x3", "relu"),
        ("conv 3 3x3 | relu | maxpool 5x5 | flatten | dense 4 | softmax | relu", "relu2|layer"),
        (SKETCH, "other values of conv"),  # the same network from another seed
    ],
)
def test_another_model_is_refused(maps: convlens.FeatureMaps, tmp_path: Path, other: str, word: str) -> None:
    path = maps.save(tmp_path / "maps.npz")
    with pytest.raises(ModelError, match=f"isn't the model that made.*({word})"):
        convlens.load(path, model=convlens.sketch(other, input_shape=(3, 40, 30), seed=2))


def with_arrays(arrays: dict[str, Array], **change: Any) -> convlens.FeatureMaps:
    """Maps made by hand, whose lens knows no model."""
    layers = tuple(
        Layer(name, "Op", Kind.OTHER, ("x",), array.shape, dtype="float16") for name, array in arrays.items()
    )
    network = Network("by hand", "onnx", (Input("x", (None, 3)),), layers, tuple(arrays), 0)
    told: dict[str, Any] = {"picture": None, "recipe": None, "feed": {"x": np.ones((1, 2, 3))}, "prediction": None}
    lens = Absent(network, Path("x.npz"))
    return convlens.FeatureMaps(lens, lens.stated, arrays, **(told | change))


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_array_comes_back_bit_for_bit(tmp_path: Path, suffix: str) -> None:
    odd = np.array([[np.nan, -np.nan, np.inf, -np.inf, -0.0, 1e-45]], np.float32)
    odd.view(np.uint32)[0, 0] = 0x7FC12345  # a NaN with a payload
    arrays = {
        "odd": odd,
        "empty": np.empty((3, 0, 4), np.float32),
        "one": np.array([7.5], np.float32),
        "volume": np.random.default_rng(1).normal(size=(2, 3, 4, 5)).astype(np.float32),
        "half": np.random.default_rng(2).normal(size=(2, 70)).astype(np.float16).astype(np.float32),
        "dead": np.zeros((4, 200, 200), np.float32),  # chunks that zarr would leave out
        "large/channels": np.random.default_rng(3).normal(size=(3, 150, 160)).astype(np.float32),
    }
    loaded = convlens.load(with_arrays(dict(arrays)).save(tmp_path / f"maps{suffix}"))
    for name, array in arrays.items():
        assert loaded[name].array.tobytes() == array.tobytes(), name
        assert loaded[name].shape == array.shape, name


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_scalar_and_names_of_every_kind(tmp_path: Path, suffix: str) -> None:
    names = ["a", "A", "a/b", "a.npy", "../../up", "/root", "__convlens__", "__convlens__/inputs-0", "__metadata__"]
    names += ["zarr.json", "x/zarr.json", "", " ", "ไทย", "a\0b", "a\nb", "\ud800", "c/0/0", "con", "a\\b", "x" * 300]
    arrays: dict[str, Array] = {name: np.full((2,), number, np.float32) for number, name in enumerate(names)}
    arrays["scalar"] = np.array(3.5, np.float32)
    loaded = convlens.load(with_arrays(dict(arrays)).save(tmp_path / f"maps{suffix}"))
    assert list(loaded) == list(arrays)
    for number, name in enumerate(names):
        assert loaded[name].array.tolist() == [number, number], repr(name)
    assert loaded["scalar"].array.reshape(-1).tolist() == [3.5]
    assert [place.name for place in tmp_path.iterdir()] == [f"maps{suffix}"]


def numbers() -> st.SearchStrategy[float]:
    return st.floats(allow_nan=False)


FRACTIONS = st.tuples(st.fractions()) | st.tuples(st.fractions(), st.fractions())
st.register_type_strategy(Fraction, st.fractions())
st.register_type_strategy(float, numbers())
OPERATIONS = st.one_of([st.from_type(kind) for kind in words.Operation.__args__])
FIELDS = st.none() | st.from_type(words.ReceptiveField)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    names = draw(st.lists(st.text(max_size=8), unique=True, max_size=5))
    layers = tuple(
        draw(
            st.builds(Layer, st.just(name), operation=st.none() | OPERATIONS, receptive_field=FIELDS, sums_in=st.none())
        )
        for name in names
    )
    return draw(st.builds(Network, layers=st.just(layers)))


@settings(max_examples=150, deadline=None)
@given(networks())
def test_any_network_comes_back_equal(network: Network) -> None:
    back = recording.read(Network, json.loads(json.dumps(recording.plain(network))))
    assert back == network
    assert repr(back.layers) == repr(network.layers)  # 2 stays 2, and 2.0 stays 2.0


@settings(max_examples=60, deadline=None)
@given(st.from_type(Prediction))
def test_any_prediction_comes_back_equal(answer: Prediction) -> None:
    assert recording.read(Prediction, json.loads(json.dumps(recording.plain(answer)))) == answer


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "sorcery"},
        {"output_shape": ["3"]},
        {"output_shape": None},
        {"parameters": 1.5},
        {"surprise": 1},
        {"operation": {"is": "Path", "args": []}},
        {"operation": {"is": "Layer"}},
        {"receptive_field": {"is": "ReceptiveField", "size": [1]}},
    ],
)
def test_facts_that_no_network_has_are_refused(change: dict[str, Any]) -> None:
    layer = recording.plain(Layer("a", "Op", Kind.OTHER, (), (1,)))
    with pytest.raises(recording.NotAsWrittenError):
        recording.read(Layer, {**layer, **change})


def test_arrays_are_read_when_asked_for_and_memory_stays_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arrays = {f"layer{number}": np.full((1000,), number, np.float32) for number in range(9)}
    path = with_arrays(dict(arrays)).save(tmp_path / "maps.npz")
    asked: list[str] = []
    read = shelves.Npz.read

    def counted(self: shelves.Npz, key: str, *rest: Any) -> Array:
        asked.append(key)
        return read(self, key, *rest)

    monkeypatch.setattr(shelves.Npz, "read", counted)
    monkeypatch.setattr(shelves, "_KEPT", 10_000)
    loaded = convlens.load(path)
    assert [key for key in asked if key in arrays] == []
    shelf = loaded._arrays
    assert isinstance(shelf, shelves.Shelf)
    for name in [*arrays, "layer8", "layer8"]:
        assert loaded[name].array[0] == arrays[name][0]
        assert sum(array.nbytes for array in shelf._kept.values()) <= 10_000
    assert [key for key in asked if key in arrays] == list(arrays)


def old(path: Path) -> Path:
    """A file as convlens 0.1.0 first wrote them: the maps under their names, few facts."""
    facts: dict[str, Any] = {
        "convlens": "0.1.0",
        "model": "m",
        "engine": "onnx",
        "picture": "cat.png",
        "picture_notes": [],
        "recipe": convlens.Recipe.preset("imagenet").to_dict(),
        "layers": {"a/b": {"op": "Conv", "shape": [2, 3, 4]}, "c": {"op": "Relu", "shape": [5]}},
    }
    array = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    if path.suffix == ".npz":
        np.savez(path, allow_pickle=False, **{"a/b": array, "__convlens__": np.array(json.dumps(facts))})
    elif path.suffix == ".safetensors":
        safetensors.numpy.save_file({"a/b": array}, path, metadata={"convlens": json.dumps(facts)})
    else:
        import zarr

        group = zarr.open_group(str(path), mode="w")
        group.create_array("a/b", data=array, chunks=(1, 3, 4)).attrs["layer"] = "a/b"
        group.attrs["convlens"] = facts
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_old_files_open_with_less(tmp_path: Path, suffix: str) -> None:
    loaded = convlens.load(old(tmp_path / f"maps{suffix}"))
    assert list(loaded) == ["a/b"]
    assert loaded["a/b"].array.ravel().tolist() == list(range(24))
    assert loaded["a/b"].layer.op == "Conv"
    assert loaded.recipe == convlens.Recipe.preset("imagenet")
    assert loaded["a/b"].png() == loaded["a/b"].png()
    assert "older version" in loaded.network.notes[0]
    assert "a/b" in str(loaded.lens.summary())
    for ask in (lambda: loaded["a/b"].explain(0, 1, 1), lambda: loaded.lens.weights("a/b")):
        with pytest.raises(ConvlensError):
            ask()
    with pytest.raises(LayerNotFoundError, match="were not kept"):
        loaded["c"]
    with pytest.raises(InputError, match="doesn't hold what the network was fed with"):
        loaded.with_model(convlens.sketch("conv 2 3x3"))


def read_all(path: Path) -> None:
    """Open a file and read each of its maps."""
    for found in convlens.load(path).values():
        assert found.array is not None


def damaged_zarr(path: Path, change: Callable[[dict[str, Any]], object], key: str = "conv") -> Path:
    place = path / key / "zarr.json"
    told = json.loads(place.read_text())
    change(told)
    place.write_text(json.dumps(told))
    return path


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_cut_off_or_changed_files_are_said(maps: convlens.FeatureMaps, tmp_path: Path, suffix: str) -> None:
    path = maps.save(tmp_path / f"maps{suffix}")
    parts = [path] if path.is_file() else sorted(part for part in path.rglob("*") if part.is_file())
    conv = [part for part in parts if part == path or "conv/c" in part.as_posix()]
    for part in conv:
        whole = part.read_bytes()
        for damage in (
            whole[: len(whole) // 2],
            b"",
            whole[: len(whole) // 3] + b"\xff" * 9 + whole[len(whole) // 3 + 9 :],
        ):
            part.write_bytes(damage)
            with pytest.raises(ConvlensError, match="can't be opened as saved maps"):
                read_all(path)
        part.write_bytes(whole)
    if path.is_dir():
        conv[0].unlink()  # a chunk that is missing is zeros to zarr
        with pytest.raises(InputError, match="aren't those that were written"):
            assert convlens.load(path)["conv"].array is not None


class Bomb:
    """What runs code where it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch exploded",)


@pytest.mark.parametrize("place", ["conv.npy", "__convlens__.npy"])
def test_nothing_is_ever_unpickled(
    maps: convlens.FeatureMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = maps.save(tmp_path / "maps.npz")
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    np.save(tmp_path / "bomb.npy", np.array([Bomb()], object), allow_pickle=True)
    members[place] = (tmp_path / "bomb.npy").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    with pytest.raises(InputError, match=r"Python objects|no text"):
        assert convlens.load(path)["conv"].array is not None
    (tmp_path / "pickled.npz").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(InputError, match="can't be opened"):
        convlens.load(tmp_path / "pickled.npz")
    assert not (tmp_path / "exploded").exists()


def change_record(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with np.load(path) as arrays:
        facts = json.loads(str(arrays[exporting.FACTS]))
    change(facts)
    np.save(path.with_suffix(".npy"), np.array(json.dumps(facts)))
    members[f"{exporting.FACTS}.npy"] = path.with_suffix(".npy").read_bytes()
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def huge(facts: dict[str, Any]) -> None:
    for layer in facts["record"]["network"]["layers"]:
        layer["output_shape"] = [10**6, 10**6, 10**3]
    for entry in facts["record"]["maps"]:
        entry["shape"] = [10**6, 10**6, 10**3]


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (huge, "memory"),
        (lambda facts: facts["record"]["maps"][0].update(shape=[-1, 3]), "can't be opened"),
        (lambda facts: facts["record"]["maps"][0].update(dtype="O"), "no array of numbers"),
        (lambda facts: facts["record"]["maps"][0].update(dtype="nonsense"), "can't be opened"),
        (lambda facts: facts["record"]["maps"][0].update(name="stranger"), "stranger"),
        (lambda facts: facts["record"]["maps"][0].update(key="../../etc/passwd"), "can't be opened"),
        (lambda facts: facts.update(record=None), "can't be opened"),
        (lambda facts: facts.update(record=[[[]]]), "can't be opened"),
        (lambda facts: facts["record"].update(pixels=facts["record"]["maps"][:1]), "pixels"),
        (lambda facts: facts["record"]["recipe"].update(crop=7.0), "crop"),
        (lambda facts: facts.update(format=99), "another version"),
        (lambda facts: facts.clear(), "no facts"),
    ],
)
def test_what_a_file_claims_is_not_believed(
    maps: convlens.FeatureMaps, tmp_path: Path, change: Callable[[dict[str, Any]], object], word: str
) -> None:
    path = change_record(maps.save(tmp_path / "maps.npz"), change)
    with pytest.raises(ConvlensError, match=word):
        read_all(path)


def test_zarr_stays_inside_and_plain(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    def fresh() -> Path:
        shutil.rmtree(tmp_path / "maps.zarr", ignore_errors=True)  # the last one was changed: it isn't replaced
        return maps.save(tmp_path / "maps.zarr")

    changes: list[Callable[[dict[str, Any]], object]] = [
        lambda told: told.update(shape=[3, 10**9, 10**9]),
        lambda told: told.update(data_type="int8"),
        lambda told: told.update(codecs=[*told["codecs"], {"name": "numcodecs.pickle", "configuration": {}}]),
        lambda told: told.update(zarr_format=2),
        lambda told: told.update(storage_transformers=[{"name": "x"}]),
    ]
    for change in changes:
        with pytest.raises(InputError, match="can't be opened"):
            assert convlens.load(damaged_zarr(fresh(), change))["conv"].array is not None

    def elsewhere(told: dict[str, Any]) -> None:
        told["attributes"]["convlens"]["record"]["maps"][0]["key"] = "../other.zarr/conv"

    maps.save(tmp_path / "other.zarr")
    path = damaged_zarr(fresh(), elsewhere, key="")
    with pytest.raises(InputError, match="no place inside"):
        assert convlens.load(path)["conv"].array is not None
    chunk = next(part for part in (fresh() / "conv" / "c").rglob("*") if part.is_file())
    chunk.unlink()
    chunk.symlink_to("/etc/hostname")
    with pytest.raises(InputError, match="links"):
        convlens.load(tmp_path / "maps.zarr")


def test_paths_that_are_no_maps(tmp_path: Path) -> None:
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "text.safetensors").write_text("hello")
    (tmp_path / "empty.zarr").mkdir()
    (tmp_path / "folder.npz").mkdir()
    np.savez(tmp_path / "foreign.npz", a=np.ones(3))
    safetensors.numpy.save_file({"a": np.ones(3, np.float32)}, tmp_path / "foreign.safetensors")
    for name, word in (
        ("text.npz", "can't be opened"),
        ("text.safetensors", "can't be opened"),
        ("empty.zarr", "can't be opened"),
        ("folder.npz", "No such file"),
        ("missing.zarr", "No such file"),
        ("model.onnx", r"convlens\.open"),
        ("foreign.npz", "no facts of convlens"),
        ("foreign.safetensors", "no facts of convlens"),
    ):
        with pytest.raises(InputError, match=word):
            convlens.load(tmp_path / name)
