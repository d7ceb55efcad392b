"""Input that is fed untouched, from a file of NumPy's: ``.npy`` for the only input, ``.npz`` for several by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np

from convlens.engines.base import Array
from convlens.errors import InputError

SUFFIXES = (".npy", ".npz")


def is_arrays(value: object) -> bool:
    """Whether ``value`` is a path of arrays, not of a picture.

    >>> is_arrays("input.npz"), is_arrays("cat.png")
    (True, False)
    """
    return isinstance(value, (str, Path)) and Path(value).suffix.lower() in SUFFIXES


def read(path: str | Path) -> Any:
    """The array of an ``.npy``, or the arrays of an ``.npz`` by name. Pickled objects are refused, never run.

    Raises:
        InputError: missing, broken, or not plain arrays.
    """
    place = Path(path)
    if not place.is_file():
        raise InputError("No such input", expected="an existing .npy or .npz file", received=str(path))
    try:
        found = np.load(place, allow_pickle=False)
        if isinstance(found, np.ndarray):
            return found
        with found as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, EOFError, BadZipFile, ValueError, KeyError) as error:
        raise InputError(
            "This file can't be read as arrays",
            expected="what numpy.save or numpy.savez wrote, without Python objects",
            received=f"{path}: {error}",
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
