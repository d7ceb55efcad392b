"""Input that is fed untouched, from a file of NumPy's: ``.npy`` for the only input, ``.npz`` for several by name."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from convlens import memory
from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError
from convlens.lens import numpy_files
from convlens.reading import check_regular

SUFFIXES = (".npy", ".npz")
_WANTED = "an existing .npy or .npz file"


def is_arrays(value: object) -> bool:
    """Whether ``value`` is a path of arrays, not of a picture.

    >>> is_arrays("input.npz"), is_arrays("cat.png")
    (True, False)
    """
    return isinstance(value, (str, Path)) and Path(value).suffix.lower() in SUFFIXES


def read(path: str | Path, budget: int | None = None) -> Any:
    """The array of an ``.npy``, or the arrays of an ``.npz`` by name. Pickled objects are refused, never run.

    ``budget``: bytes that all of them together may take; half of the free memory by default.

    Raises:
        InputError: missing, broken, or not plain arrays.
        MemoryBudgetError: before any of them is read.
    """
    place = Path(path)
    check_regular(place, InputError, _WANTED)
    if not place.is_file():
        raise InputError("No such input", expected=_WANTED, received=str(path))
    try:
        if place.suffix.lower() == ".npy" and not zipfile.is_zipfile(place):
            return numpy_files.read_array(place, budget, InputError, _WANTED)
        with numpy_files.archive_in(place, InputError, _WANTED) as archive:
            size = sum(archive.header(name).nbytes for name in archive.names)
            memory.check(size, f"What {place.name} holds", budget)
            return {name: archive.read(name, size) for name in archive.names}
    except ConvlensError:
        raise
    except Exception as error:  # zip, zlib, NumPy and Python's parser raise nearly anything over a broken file
        raise InputError(
            "This file can't be read as arrays",
            expected="what numpy.save or numpy.savez wrote, without Python objects",
            received=f"{path}: {' '.join(str(error).split())[:200] or type(error).__name__}",
        ) from error


def to_numpy(value: Any) -> Array:
    """An array or a tensor of any framework, on whatever device, as NumPy.

    >>> to_numpy([1, 2]).tolist()
    [1, 2]
    """
    if hasattr(value, "detach"):  # a PyTorch tensor: it may want gradients, live on a device, or be bfloat16
        value = value.detach().cpu()
        value = value.float() if "bfloat16" in str(value.dtype) else value
    return np.asarray(value)
