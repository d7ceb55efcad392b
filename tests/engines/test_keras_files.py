"""Keras model files: real ones, broken ones, and ones that would run code."""

from __future__ import annotations

import json
import zipfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly

import h5py
import keras
import numpy as np
import pytest
from keras import layers
from tests.engines import keras_models as zoo

from convlens.errors import ModelError, UntrustedModelError
from convlens.network import Convolution, Kind

FEED = {"picture": zoo.picture(zoo.ROWS, zoo.COLUMNS, 3)}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A model file as Keras writes it."""
    path = tmp_path / "model.keras"
    zoo.plain().save(path)
    return path


def rewritten(path: Path, change: Any) -> Path:
    """The same archive with another configuration."""
    other = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(other, "w") as copy:
        for name in archive.namelist():
            data = archive.read(name)
            copy.writestr(name, json.dumps(change(json.loads(data))) if name == "config.json" else data)
    return other


def test_a_file_gives_what_the_live_model_gives(saved: Path) -> None:
    engine, live = KerasEngine.open(saved), KerasEngine.open(str(saved))
    expected = zoo.plain().predict(FEED["picture"], verbose=0)
    np.testing.assert_allclose(engine.predict(FEED)["classes/softmax"], expected[0], atol=1e-6)
    shapes = {"picture": FEED["picture"].shape}
    assert engine.trace(shapes).network == live.trace(shapes).network
    assert engine.metadata["producer"] == f"Keras {keras.__version__}"


def test_a_pretrained_model_from_a_package_reads_its_own_digits() -> None:
    """digitsclassifier 2.1.0 ships a native file: 28 x 28, white on black, 0..1."""
    spec = find_spec("digitsclassifier")
    assert spec is not None
    assert spec.submodule_search_locations is not None
    path = next(Path(spec.submodule_search_locations[0]).rglob("*.keras"))
    engine = KerasEngine.open(path)
    model = keras.saving.load_model(path, compile=False)
    name = engine.inputs[0].name
    assert engine.inputs[0].shape == (1, 28, 28)
    one = np.zeros((1, 28, 28, 1), "float32")
    one[0, 4:24, 13:15] = 1.0
    maps: dict[str, Any] = {}
    trace = engine.run({name: one}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert int(maps[network.outputs[0]].argmax()) == 1
    np.testing.assert_allclose(maps[network.outputs[0]], model.predict(one, verbose=0)[0], atol=1e-5)
    assert sum(isinstance(layer.operation, Convolution) for layer in network) == 2
    assert sum(layer.parameters for layer in network) == network.parameters == model.count_params()


@pytest.mark.parametrize("size", [0, 3, 100, -40])
def test_a_truncated_file_is_named_as_one(saved: Path, size: int) -> None:
    broken = saved.with_name("broken.keras")
    broken.write_bytes(saved.read_bytes()[:size])
    with pytest.raises(ModelError, match=r"broken\.keras is not a readable Keras model"):
        KerasEngine.open(broken)


def test_text_and_foreign_archives_are_not_models(tmp_path: Path) -> None:
    text, archive = tmp_path / "text.keras", tmp_path / "archive.keras"
    text.write_text("I am a model, honestly.")
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("readme.txt", "hello")
    for path in (text, archive):
        with pytest.raises(ModelError, match="save"):
            KerasEngine.open(path)


def test_damaged_weights_are_an_error_of_the_file(saved: Path) -> None:
    broken = saved.with_name("broken.keras")
    with zipfile.ZipFile(saved) as archive, zipfile.ZipFile(broken, "w") as copy:
        for name in archive.namelist():
            copy.writestr(name, archive.read(name)[:200] if name.endswith(".h5") else archive.read(name))
    with pytest.raises(ModelError, match=r"broken\.keras"):
        KerasEngine.open(broken)


def test_an_unknown_class_says_to_open_the_live_model(saved: Path) -> None:
    def change(config: Any) -> Any:
        layer = config["config"]["layers"][1]
        layer.update(module="elsewhere.layers", class_name="Special", registered_name="Elsewhere>Special")
        return config

    with pytest.raises(ModelError, match="live model"):
        KerasEngine.open(rewritten(saved, change))


def lambda_file(folder: Path, victim: Path) -> Path:
    """A model file whose Lambda layer writes the file ``victim`` when it runs."""
    written = str(victim)
    path = folder / "lambda.keras"
    image = keras.Input((4, 4, 1), name="picture")
    layer = layers.Lambda(lambda x: (Path(written).write_text("ran"), x)[1], output_shape=(4, 4, 1), name="lambda")
    keras.Model(image, layer(image)).save(path)
    victim.unlink(missing_ok=True)
    return path


def test_row_23_a_lambda_layer_is_refused_and_its_code_never_runs(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    path = lambda_file(tmp_path, victim)
    with pytest.raises(UntrustedModelError, match="trust=True"):
        KerasEngine.open(path)
    assert not victim.exists()
    code = json.loads(zipfile.ZipFile(path).read("config.json"))
    assert "__lambda__" in json.dumps(code), "the file does carry code"


def test_row_23_a_trusted_lambda_layer_is_opened_and_shown(tmp_path: Path) -> None:
    path = tmp_path / "lambda.keras"
    keras.Sequential(
        [
            keras.Input((4, 4, 1), name="picture"),
            layers.Lambda(lambda x: x * 3.0, output_shape=(4, 4, 1), name="lambda"),
        ]
    ).save(path)
    engine = KerasEngine.open(path, trust=True)
    maps: dict[str, Any] = {}
    image = zoo.picture(4, 4, 1)
    trace = engine.run({"picture": image}, None, lambda layer, array: maps.update({layer.name: array}))
    network = trace.network
    assert network["lambda"].kind is Kind.OTHER
    np.testing.assert_allclose(maps["lambda"][0], image[0, ..., 0] * 3)


@pytest.mark.parametrize(
    ("module", "name"),
    [("keras.config", "enable_unsafe_deserialization"), ("keras.utils", "get_file"), ("keras.layers", "TFSMLayer")],
)
def test_row_23_a_configuration_that_calls_more_than_layers_is_refused(saved: Path, module: str, name: str) -> None:
    def change(config: Any) -> Any:
        called: dict[str, Any] = {"module": module, "class_name": name, "config": {}, "registered_name": None}
        config["config"]["layers"].insert(1, called)
        return config

    with pytest.raises(UntrustedModelError, match=name):
        KerasEngine.open(rewritten(saved, change))


@pytest.mark.parametrize("suffix", [".h5", ".hdf5"])
def test_row_23_legacy_files_are_refused_until_trusted(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"model{suffix}"
    zoo.plain().save(path)
    with pytest.raises(UntrustedModelError, match="trust=True"):
        KerasEngine.open(path)
    engine = KerasEngine.open(path, trust=True)
    name = engine.inputs[0].name
    expected = KerasEngine.open(zoo.plain()).predict(FEED)["classes/softmax"]
    np.testing.assert_allclose(engine.predict({name: FEED["picture"]})["classes/softmax"], expected, atol=1e-6)


def test_weights_without_a_model_and_other_data_are_named(tmp_path: Path) -> None:
    weights, other, text = tmp_path / "only.weights.h5", tmp_path / "other.h5", tmp_path / "text.h5"
    zoo.plain().save_weights(weights)
    with h5py.File(other, "w") as file:
        file["numbers"] = [1, 2, 3]
    text.write_text("not HDF5")
    with pytest.raises(ModelError, match="save_weights"):
        KerasEngine.open(weights, trust=True)
    with pytest.raises(ModelError, match="holds weights without a model"):
        KerasEngine.open(other, trust=True)
    with pytest.raises(ModelError, match="not a readable HDF5 file"):
        KerasEngine.open(text, trust=True)
