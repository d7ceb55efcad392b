"""Arrays in NumPy's own files, ``.npy`` and ``.npz``: the header first, then the budget, then the memory.

Nothing is unpickled. A header is believed only as far as the file itself, or its member of the zip, is long enough for
it, so that a few bytes can't ask for gigabytes. Source: NumPy enhancement proposal 1, the format's description.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from convlens import memory
from convlens.engines.base import Array
from convlens.errors import ConvlensError
from convlens.network import Shape
from convlens.reading import regular

_LONGEST = 10_000
"""Bytes of a header; NumPy itself reads no longer one."""
_PLAIN = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""What NumPy writes; other ways to compress ask for memory of their own before anything is known."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a ``.npy`` says it holds; ``length`` are the bytes of the header itself."""

    shape: Shape
    dtype: np.dtype[Any]
    fortran: bool
    length: int

    @property
    def nbytes(self) -> int:
        """Bytes of the values."""
        return prod(self.shape) * self.dtype.itemsize


class Archive:
    """An ``.npz``: a zip of ``.npy``. Its headers are read when they are asked for, its arrays one by one.

    ``names`` are those of its arrays, without the ending.
    """

    def __init__(self, archive: zipfile.ZipFile) -> None:
        self._archive = archive
        self._members = {info.filename.removesuffix(".npy"): info for info in archive.infolist()}
        self.names = list(self._members)

    def header(self, name: str) -> Header:
        """The header of one array.

        Raises:
            KeyError, ValueError: there is no such array, or it is none.
        """
        with self._open(name) as member:
            return self._claimed(name, read_header(member))

    def read(self, name: str, budget: int | None) -> Array:
        """One array.

        Raises:
            MemoryBudgetError: it takes more than ``budget`` bytes; half of the free memory where that is ``None``.
            ValueError: it is damaged.
        """
        with self._open(name) as member:
            found = self._claimed(name, read_header(member))
            memory.check(found.nbytes, f"The array {name!r}", budget)
            return filled(member, found)

    def _open(self, name: str) -> Any:
        info = self._members[name]
        if info.compress_type not in _PLAIN:
            raise ValueError(f"{name} is compressed in a way that NumPy doesn't write")
        return self._archive.open(info)

    def _claimed(self, name: str, found: Header) -> Header:
        there = self._members[name].file_size
        if there != found.length + found.nbytes:
            raise ValueError(f"{name} is said to be {found.nbytes} bytes long, and {there - found.length} are there")
        return found


@contextmanager
def archive_in(path: Path, error: type[ConvlensError], expected: str) -> Iterator[Archive]:
    """The ``.npz`` at ``path``.

    Raises:
        ConvlensError: ``error``, where it is no regular file.
        OSError, BadZipFile, ValueError: it isn't there, or is no such file.
    """
    with regular(path, error, expected) as file, zipfile.ZipFile(file) as archive:
        yield Archive(archive)


def read_array(path: Path, budget: int | None, error: type[ConvlensError], expected: str) -> Array:
    """The array of the ``.npy`` at ``path``.

    Raises:
        ConvlensError: ``error``, where it is no regular file.
        MemoryBudgetError: it takes more than ``budget`` bytes; half of the free memory where that is ``None``.
        OSError, ValueError: it isn't there, or is damaged.
    """
    with regular(path, error, expected) as file:
        found = read_header(file)
        there = path.stat().st_size - found.length
        if there != found.nbytes:
            raise ValueError(f"it is said to hold {found.nbytes} bytes of values, and holds {there}")
        memory.check(found.nbytes, f"The array in {path.name}", budget)
        return filled(file, found)


def read_header(file: Any) -> Header:
    """The header at the beginning of an open ``.npy``.

    Raises:
        ValueError: it is none, or one of Python objects.
    """
    magic = file.read(8)
    sizes = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
    if len(magic) < 8 or magic[:6] != b"\x93NUMPY" or magic[6:] not in sizes:
        raise ValueError("it doesn't begin as an array of NumPy's")
    size = file.read(sizes[magic[6:]])
    length = int.from_bytes(size, "little")
    if len(size) < sizes[magic[6:]] or length > _LONGEST:
        raise ValueError(f"its header is {length} bytes long")
    text = file.read(length)
    read = np.lib.format.read_array_header_1_0 if len(size) == 2 else np.lib.format.read_array_header_2_0
    try:
        shape, fortran, dtype = read(io.BytesIO(size + text))
    except ConvlensError:
        raise
    except Exception as error:  # whatever Python's parser and NumPy's types raise over bytes that are no header
        raise ValueError(f"its header can't be read: {error}") from error
    if dtype.hasobject:
        raise ValueError("it holds Python objects, which are never unpickled")
    if any(n < 0 for n in shape) or prod(shape) * max(dtype.itemsize, 1) >= 2**62:
        raise ValueError(f"no array has the shape {str(shape)[:80]}")
    return Header(shape, dtype, fortran, len(magic) + len(size) + length)


def filled(file: Any, header: Header) -> Array:
    """Exactly the values that the header tells, and the end, where a zip compares its checksum.

    Raises:
        ValueError: there are other than as many.
    """
    array = np.empty(header.shape[::-1] if header.fortran else header.shape, header.dtype)
    into = array.reshape(-1).view(np.uint8).data if array.nbytes else memoryview(b"")
    done = 0
    while done < len(into) and (got := file.readinto(into[done : done + 2**24])):
        done += got
    if done < len(into) or file.read(1):
        raise ValueError("it has other than as many values as it says")
    return array.T if header.fortran else array
