"""Model files: opened without running code that they carry, unless the user trusts them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras  # noqa: TID251

from convlens import memory
from convlens.engines.keras.reasons import reason
from convlens.errors import ConvlensError, MissingDependencyError, ModelError, UntrustedModelError

_RUNS_CODE = frozenset({"Lambda", "__lambda__", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_SAFE_MODULES = frozenset(
    (
        *("activations", "applications", "constraints", "dtype_policies", "initializers", "layers", "losses"),
        *("metrics", "models", "ops", "optimizers", "quantizers", "random", "regularizers"),
    )
)
_GROUPS = 100_000
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
            size = sum(info.file_size for info in archive.infolist())
            memory.check(size, f"What {path.name} holds", memory.available())
            config = json.loads(archive.read("config.json"))
            for name in archive.namelist():
                if name.endswith(".h5"):
                    with archive.open(name) as member:
                        _check_datasets(path, member)
            broken = "" if any(n.startswith("model.weights") for n in archive.namelist()) else "it holds no weights"
    except zipfile.BadZipFile:
        broken = "not a zip archive, or a truncated one"
    except KeyError:
        broken = "a zip archive without config.json"
    except ConvlensError:
        raise
    except Exception as error:  # zip, zlib, JSON and HDF5 raise nearly anything over a damaged file
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


def _check_datasets(path: Path, file: Any) -> None:
    """Refuse weights that lie in other files, and those that claim more than there is memory for.

    Raises:
        ModelError, MemoryBudgetError
    """
    try:
        import h5py
    except ImportError:
        return  # Keras itself says what it needs
    claimed = 0
    with h5py.File(file, "r") as held:
        groups = [held]
        while groups:
            group = groups.pop()
            for name in group:
                link = group.get(name, getlink=True)
                one = group[name] if isinstance(link, h5py.HardLink) else None
                if one is None or (isinstance(one, h5py.Dataset) and (one.external or one.is_virtual)):
                    raise ModelError(
                        f"{path.name} has weights in another file, where nothing is read",
                        expected="weights inside the file itself",
                        received=f"a link from {name!r}",
                        hint="Save it again with model.save().",
                    )
                if isinstance(one, h5py.Dataset):
                    claimed += one.nbytes
                elif len(groups) < _GROUPS:
                    groups.append(one)
    memory.check(claimed, f"What {path.name} holds", memory.available())


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
        _check_datasets(path, path)
        with h5py.File(path, "r") as file:
            whole, known = "model_config" in file.attrs, list(file.attrs) + list(file.keys())
    except ConvlensError:
        raise
    except Exception as error:  # HDF5 raises nearly anything over a damaged file
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
