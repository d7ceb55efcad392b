"""One row an engine: what it opens, where it lives, what to install for it. Imports no framework."""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from shlex import quote
from typing import cast

from convlens.engines.base import Engine, Training
from convlens.errors import MissingDependencyError, ModelError, UntrustedModelError
from convlens.network import Shape
from convlens.reading import check_regular, regular


@dataclass(frozen=True, slots=True)
class Row:
    """``types`` are qualified class names: a live model is recognised by its class's ancestors, without an import."""

    name: str
    module: str
    engine: str
    package: str
    extra: str | None
    suffixes: tuple[str, ...]
    types: tuple[str, ...]


ROWS = (
    Row(
        "onnx",
        "convlens.engines.onnx",
        "OnnxEngine",
        "onnxruntime",
        None,
        (".onnx",),
        ("onnx.onnx_ml_pb2.ModelProto",),
    ),
    Row(
        "keras",
        "convlens.engines.keras",
        "KerasEngine",
        "keras",
        "keras",
        (".keras", ".h5", ".hdf5"),
        ("keras.src.models.model.Model",),
    ),
    Row(
        "torch",
        "convlens.engines.torch",
        "TorchEngine",
        "torch",
        "torch",
        (".pt2", ".pt", ".pth"),
        ("torch.nn.modules.module.Module", "torch.export.exported_program.ExportedProgram"),
    ),
)


def find(model: object) -> Row:
    """The row of the engine for ``model``: by suffix for a path, by class for a live model.

    Raises:
        ModelError: no engine opens it; a path that doesn't exist or is a folder.
    """
    if isinstance(model, (str, Path)):
        return _find_by_suffix(Path(model))
    ancestors = {f"{c.__module__}.{c.__qualname__}" for c in type(model).__mro__}
    for row in ROWS:
        if ancestors.intersection(row.types):
            return row
    raise ModelError(
        "This is not a model that can be opened",
        expected="a path, a keras.Model, a torch.nn.Module, a torch.export.ExportedProgram or an onnx.ModelProto",
        received=f"a {type(model).__module__}.{type(model).__qualname__}",
        hint="A path may end in " + _listed(s for row in ROWS for s in row.suffixes) + ".",
    )


def open_engine(model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Engine:
    """Import the engine that ``model`` needs, and open it.

    Raises:
        MissingDependencyError: the framework isn't installed; the message has the command that installs it.
    """
    row = find(model)
    if row.name == "onnx" and isinstance(model, (str, Path)):
        _refuse_pickle(Path(model))
    if find_spec(row.package) is None:
        raise MissingDependencyError(
            f"Opening this model needs {row.package}, which isn't installed",
            hint=f"Type: pip install 'convlens[{row.extra}]'" if row.extra else f"Type: pip install {row.package}",
        )
    engine = cast(type[Engine], getattr(importlib.import_module(row.module), row.engine))
    return engine.open(model, trust=trust, input_shape=input_shape)


def training_of(model: object) -> Training:
    """What takes the weights out of a live model and puts them into a copy.

    Raises:
        ModelError: no engine opens it.
    """
    return cast(Training, importlib.import_module(f"{find(model).module}.training"))


def _find_by_suffix(path: Path) -> Row:
    known = _listed(s for row in ROWS for s in row.suffixes)
    row = next((row for row in ROWS if path.suffix.lower() in row.suffixes), None)
    _check_path(path)
    if path.is_dir():
        raise ModelError(
            "A folder is not a model",
            expected=f"a file ending in {known}",
            received=f"the folder {path}",
            hint=_inside(path),
        )
    if not path.exists():
        expected = "a file that exists" if row is not None else f"a file ending in {known}"
        raise ModelError("No such model file", expected=expected, received=str(path), hint=_neighbour(path))
    check_regular(path, ModelError, f"a file ending in {known}")
    if row is None:
        _refuse_pickle(path)
        _refuse_foreign(path, known)
        raise ModelError(
            "What kind of model this is can't be told",
            expected=f"a file ending in {known}",
            received=str(path),
            hint="Rename the file if its ending is wrong, or open the model in Python and pass the live object.",
        )
    return row


def _check_path(path: Path) -> None:
    """Raise where the system can't even look: a name that is too long, a loop of links, a folder without permission."""
    try:
        path.is_dir()
        path.exists()
    except OSError as error:
        raise ModelError(
            "No such model file", expected="the path of a file", received=f"{str(path)[:200]}: {error.strerror}"
        ) from None


_WEIGHTS = "Load them into their model in Python, and pass the live model to convlens.open."
_FOREIGN = {
    ".tflite": (
        "a TensorFlow Lite model",
        "Convert it to ONNX: python -m tf2onnx.convert --tflite {path} --output {onnx}",
    ),
    ".pb": (
        "a TensorFlow graph",
        "Convert its saved model to ONNX: python -m tf2onnx.convert --saved-model FOLDER --output {onnx}",
    ),
    ".mlmodel": ("a Core ML model", "Export the model that it was made from to ONNX."),
    ".ort": ("an ONNX Runtime model of its reduced format", "Open the .onnx file that it was made from."),
    ".caffemodel": ("a Caffe model", "Convert it to ONNX."),
    ".safetensors": ("a file of weights without a network", _WEIGHTS),
    ".ckpt": ("a checkpoint: weights without a network", _WEIGHTS),
    ".gguf": ("a file of weights without a network", _WEIGHTS),
}
"""What other endings hold, and what leads further."""


def _refuse_foreign(path: Path, known: str) -> None:
    found = _FOREIGN.get(path.suffix.lower())
    if found is None:
        return
    kind, hint = found
    raise ModelError(
        f"This is {kind}, which can't be opened yet",
        expected=f"a file ending in {known}",
        received=str(path),
        hint=hint.format(path=quote(str(path)), onnx=quote(str(path.with_suffix(".onnx")))),
    )


_PICKLE = b"\x80"
"""The first byte of a pickle of protocol 2 and later (PEP 307); no ONNX file begins with it."""


def _refuse_pickle(path: Path) -> None:
    try:
        with regular(path, ModelError, "a model file") as file:
            is_pickle = file.read(1) == _PICKLE
    except OSError:
        return  # the engine says what is wrong with it
    if is_pickle:
        raise UntrustedModelError(
            "This file is a pickle, which can run any code when it is opened, and is refused",
            expected="a model file",
            received=str(path),
            hint="Export the model to ONNX or with torch.export, or open it yourself and pass the live model.",
        )


def _inside(folder: Path) -> str:
    endings = [suffix for row in ROWS for suffix in row.suffixes]
    try:
        models = sorted(str(place) for place in folder.iterdir() if place.suffix.lower() in endings)
    except OSError:
        models = []
    return f"Did you mean {models[0]}?" if models else "Type the path of a model file."


def _neighbour(path: Path) -> str:
    from convlens.errors import closest

    try:
        names = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    except OSError:
        names = []
    close = closest(path.name, names, n=1)
    if close:
        return f"Did you mean {path.parent / close[0]}?"
    return "Check the spelling and the folder."


def _listed(words: Iterable[str]) -> str:
    first = list(words)
    return ", ".join(first[:-1]) + " or " + first[-1]
