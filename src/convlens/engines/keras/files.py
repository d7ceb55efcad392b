"""Model files: opened without running code that they carry, unless the user trusts them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras  # noqa: TID251

from convlens.engines.keras.reasons import reason
from convlens.errors import MissingDependencyError, ModelError, UntrustedModelError

_RUNS_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_SAFE_MODULES = frozenset(
    (
        *("activations", "applications", "constraints", "dtype_policies", "initializers", "layers", "losses"),
        *("metrics", "models", "ops", "optimizers", "quantizers", "random", "regularizers"),
    )
)
_TRUST = "If you trust where it comes from, say trust=True (--trust on the command line)."


def load(path: Path, trust: bool) -> Any:
    """The model in ``path``.

    Raises:
        UntrustedModelError: the file can run code and ``trust`` is false.
        ModelError: it isn't a Keras model file, is broken, or needs classes that aren't known.
    """
    if path.suffix.lower() == ".keras":
        _check_archive(path, trust)
    else:
        _check_hdf5(path, trust)
    try:
        return keras.saving.load_model(path, compile=False, safe_mode=not trust)
    except (MemoryError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _explained(path, error) from error


def _check_archive(path: Path, trust: bool) -> None:
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
            broken = "" if any(n.startswith("model.weights") for n in archive.namelist()) else "it holds no weights"
    except zipfile.BadZipFile:
        broken = "not a zip archive, or a truncated one"
    except KeyError:
        broken = "a zip archive without config.json"
    except (ValueError, OSError, EOFError) as error:
        broken = reason(error)
    if broken:
        raise ModelError(
            f"{path.name} is not a readable Keras model",
            expected="a .keras file, as model.save() writes it",
            received=broken,
            hint="Save or download it again.",
        )
    danger = next(_dangers(config), None)
    if danger and not trust:
        raise UntrustedModelError(f"{path.name} could run code when it is opened: it holds {danger}", hint=_TRUST)


def _dangers(config: Any) -> Iterator[str]:
    """What in a model's configuration could run code: stored bytecode, foreign files, functions beyond the layers."""
    if isinstance(config, list):
        for item in config:
            yield from _dangers(item)
    elif isinstance(config, dict):
        name, module = config.get("class_name"), config.get("module")
        if name in _RUNS_CODE:
            yield f"a {name}".replace("__lambda__", "lambda function")
        elif isinstance(module, str) and module.split(".")[0] == "keras" and not _is_safe(module):
            yield f"a reference to {module}.{name}"
        for item in config.values():
            yield from _dangers(item)


def _is_safe(module: str) -> bool:
    parts = [part for part in module.split(".")[1:] if part != "src"]
    return not parts or parts[0] in _SAFE_MODULES


def _check_hdf5(path: Path, trust: bool) -> None:
    if not trust:
        raise UntrustedModelError(
            f"{path.name} is a legacy Keras file, which can run code when it is opened", hint=_TRUST
        )
    try:
        import h5py
    except ImportError:
        raise MissingDependencyError(
            "Opening a legacy Keras file needs h5py, which isn't installed", hint="Type: pip install h5py"
        ) from None
    try:
        with h5py.File(path, "r") as file:
            whole, known = "model_config" in file.attrs, list(file.attrs) + list(file.keys())
    except OSError as error:
        raise ModelError(
            f"{path.name} is not a readable HDF5 file",
            expected="a model saved by model.save()",
            received=reason(error),
            hint="Save or download it again.",
        ) from error
    if not whole:
        raise ModelError(
            f"{path.name} holds weights without a model",
            expected="a file written by model.save()",
            received="one written by save_weights()" if "layer_names" in known or "layers" in known else "other data",
            hint="Build the model in Python, call load_weights() on it, and open the live model.",
        )


def _explained(path: Path, error: Exception) -> ModelError:
    text = str(error)
    if "safe_mode" in text or "unsafe" in text.lower():
        return UntrustedModelError(f"{path.name} could run code when it is opened", received=reason(error), hint=_TRUST)
    if "Could not locate" in text or "Unknown layer" in text or "register_keras_serializable" in text:
        return ModelError(
            f"{path.name} uses a class that Keras doesn't know",
            received=reason(error),
            hint="Load it in Python with custom_objects, and open the live model: convlens.open(model).",
        )
    return ModelError(f"Keras can't open {path.name}", received=reason(error), hint="Save or download it again.")
