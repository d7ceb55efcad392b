"""From a path or a live object to a module that can be run; nothing in a file is executed unless it is trusted."""

from __future__ import annotations

import re
import tarfile
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.archives import check_script, check_sizes, load_without_running
from convlens.engines.torch.exported import Program, program_of
from convlens.errors import ConvlensError, ModelError, UntrustedModelError

# How the safe unpickler says that there is more than tensors in numbers, lists and dicts.
_NEEDS_TRUST = re.compile("GLOBAL|global:|unrecognized function|Can only (build|create)|Trying to instantiate")
_WANTED = "a model or weights, as torch.save writes them"
_BUILD_IT = "Build the model's class in Python, call load_state_dict, and pass the live model: convlens.open(model)."
_EXPORT_IT = "Or save it with torch.export.save(torch.export.export(model, (example,)), 'model.pt2')."


def opened(model: object, *, trust: bool) -> Program:
    """The program behind a path, a module or an exported program; wrappers (``torch.compile``, DataParallel) come off.

    Raises:
        ModelError: not a model, or a broken file.
        UntrustedModelError: a file that would run its own code, and ``trust`` is false.
    """
    name = None
    if isinstance(model, (str, Path)):
        path = Path(model)
        name = path.name
        try:
            model = _from_exported_file(path, trust) if path.suffix.lower() == ".pt2" else _from_file(path, trust)
        except ConvlensError:
            raise
        except OSError as error:
            raise ModelError(f"The file {path.name} can't be read", received=error.strerror or str(error)) from error
        except Exception as error:  # zip, zlib, JSON and PyTorch raise nearly anything over a damaged file
            raise _broken(path, _WANTED, f"a damaged file ({_first_line(error)})") from error
    if isinstance(model, torch.export.ExportedProgram):
        return program_of(model, name)
    if not isinstance(model, torch.nn.Module):
        raise ModelError(
            "This is not a PyTorch model",
            expected="a torch.nn.Module, a torch.export.ExportedProgram, or a .pt2, .pt or .pth file",
            received=f"a {type(model).__module__}.{type(model).__qualname__}",
        )
    return Program(_unwrapped(model), name=name, metadata={"framework": f"PyTorch {torch.__version__}"})


def _unwrapped(module: torch.nn.Module) -> torch.nn.Module:
    """The original inside ``torch.compile`` and the data-parallel wrappers."""
    while True:
        inner = getattr(module, "_orig_mod", None)
        if inner is None and isinstance(module, (torch.nn.DataParallel, torch.nn.parallel.DistributedDataParallel)):
            inner = module.module
        if not isinstance(inner, torch.nn.Module):
            return module
        module = inner


def _from_exported_file(path: Path, trust: bool) -> object:
    if not zipfile.is_zipfile(path):
        raise _broken(path, "an exported program, as torch.export.save writes it", "a file that isn't an archive")
    check_sizes(path)
    if not trust:
        return load_without_running(path)
    try:
        return torch.export.load(path)
    except Exception as error:
        raise _broken(path, "an exported program, as torch.export.save writes it", _first_line(error)) from error


def _from_file(path: Path, trust: bool) -> object:
    members = _members(path)
    if members:
        check_sizes(path)
    if any(member.endswith("/constants.pkl") for member in members):
        return _from_torchscript(path, trust)
    if any("archive_format" in member for member in members):
        return _from_exported_file(path, trust)
    if not _could_be_pickled(path):
        raise _broken(path, _WANTED, _what_it_is(path))
    try:
        # on the meta device shapes are read and no numbers: whatever the file claims takes no memory
        content: object = torch.load(path, map_location="meta" if members else "cpu", weights_only=True)
        if members and _holds_module(content):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        if not _NEEDS_TRUST.search(str(error)):
            raise _broken(path, _WANTED, _what_it_is(path)) from error
        if not trust:
            raise UntrustedModelError(
                f"Opening {path.name} would run code that it carries, since it is a pickled Python object",
                expected="a .pt2 (torch.export), TorchScript, or a live model",
                received="a pickle of more than weights",
                hint=f"Say trust=True (on the command line --trust) if you know where it comes from. {_EXPORT_IT}",
            ) from None
        content = _unpickled(path)
    if isinstance(content, torch.nn.Module):
        return content
    modules = (
        [value for value in content.values() if isinstance(value, torch.nn.Module)]
        if isinstance(content, Mapping)
        else []
    )
    if len(modules) == 1:  # a checkpoint that holds the model beside an epoch and an optimiser
        return modules[0]
    raise ModelError(
        f"{path.name} holds weights only, not the model that they belong to",
        expected="a whole model",
        received=_described(content),
        hint=f"{_BUILD_IT} {_EXPORT_IT}",
    )


def _holds_module(content: object) -> bool:
    inside = content.values() if isinstance(content, Mapping) else [content]
    return any(isinstance(value, torch.nn.Module) for value in inside)


def _from_torchscript(path: Path, trust: bool) -> torch.nn.Module:
    if not trust:
        check_script(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the user's file is what it is
            module: torch.nn.Module = torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]
    except Exception as error:
        raise _broken(path, "a TorchScript archive", _first_line(error)) from error
    return module


def _unpickled(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=False)
    except Exception as error:
        raise ModelError(
            f"{path.name} can't be unpickled",
            expected="a model whose classes can be imported here",
            received=_first_line(error),
            hint="Import or install what defines the model's class first, then pass the live model.",
        ) from error


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except Exception:  # a damaged directory of members: names that are no text, sizes beyond the file, ...
        return []


def _could_be_pickled(path: Path) -> bool:
    """Whether the file begins as all that ``torch.save`` wrote at any time: an archive, a tar file, a pickle."""
    with path.open("rb") as file:
        start = file.read(2)
    return start == b"PK" or start[:1] == b"\x80" or _is_tar(path)


def _is_tar(path: Path) -> bool:
    try:
        return tarfile.is_tarfile(path)
    except Exception:  # a damaged header
        return False


def _what_it_is(path: Path) -> str:
    size = path.stat().st_size
    if size == 0:
        return "an empty file"
    if zipfile.is_zipfile(path):
        return "an archive without a model that can be read"
    with path.open("rb") as file:
        if file.read(2) == b"PK":
            return f"an archive that is cut off after {size} bytes"
    return f"{size} bytes that are neither an archive nor a pickle of weights"


def _described(content: object) -> str:
    if not isinstance(content, Mapping):
        return f"a {type(content).__name__}"
    tensors = sum(isinstance(value, torch.Tensor) for value in content.values())
    first = next(iter(content), "nothing")
    return f"a dict of {len(content)} entries, {tensors} of them tensors, the first one {str(first)[:80]!r}"


def _broken(path: Path, expected: str, received: str) -> ModelError:
    return ModelError(
        f"{path.name} can't be opened",
        expected=expected,
        received=received,
        hint="Check that the file is complete and of the kind that its ending says.",
    )


def _first_line(error: BaseException) -> str:
    return next((line.strip()[:200] for line in str(error).splitlines() if line.strip()), type(error).__name__)
