"""Files that people keep: safe names, all or nothing, and nobody's own file overwritten by accident."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convlens.errors import OutputError
from convlens.writing import beside, refused

MARK = b"convlens"
"""Every file that convlens writes names its maker somewhere near its beginning or its end."""

_LONGEST = 120  # bytes of a stem: file systems allow 255, and suffixes, page numbers and temporary names need room
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows, with any ending
_WINDOW = 2**16


def stem(name: str) -> str:
    """A layer's name as a file name without its ending, good on every file system.

    Letters and digits of any script stay, and ``.``, ``_`` and ``-`` inside; all else becomes ``-``.

    >>> stem("/features/conv:2"), stem("../../x"), stem("NUL"), stem("")
    ('features-conv-2', 'x', '_NUL', 'layer')
    """
    composed = unicodedata.normalize("NFKC", name)
    kept = "".join(c if c.isalnum() or c in "._-" else "-" for c in composed)
    kept = re.sub(r"-{2,}", "-", re.sub(r"\.{2,}", ".", kept)).strip(".-")
    kept = kept.encode()[:_LONGEST].decode(errors="ignore").rstrip(".-")
    if _RESERVED.fullmatch(kept):
        kept = f"_{kept}"
    return kept or "layer"


def is_ours(path: Path) -> bool:
    """Whether convlens wrote this file (or this .zarr folder), so that writing it anew loses nobody's work."""
    try:
        if path.is_dir():
            return is_ours(path / "zarr.json")
        with path.open("rb") as file:
            head = file.read(_WINDOW)
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _WINDOW))
            return MARK in head or MARK in file.read()
    except OSError:
        return False


def check_free(path: Path, *, force: bool = False) -> None:
    """Refuse to overwrite what convlens didn't write, unless ``force`` says so.

    Raises:
        OutputError: somebody else's file is there.
    """
    if not force and os.path.lexists(path) and not is_ours(path):
        raise OutputError(
            "This file is there already, and convlens didn't write it",
            expected="a new path",
            received=str(path),
            hint="Choose another path, or type --force (force=True) to overwrite it.",
        )


def check_place(path: Path, *, force: bool = False) -> Path:
    """The path, if a file can be written there; called before a run, so that no work is lost.

    Raises:
        OutputError: the folder doesn't exist or can't be written, or something is in the way.
    """
    try:
        there = path.parent.is_dir()
        in_the_way = path.is_dir()
    except OSError as error:  # a name that is too long, or a loop of links
        raise refused(path, error) from error
    if not there:
        raise OutputError(
            "No such folder",
            expected="an existing folder",
            received=str(path.parent),
            hint=f"Type: mkdir -p {path.parent}",
        )
    if in_the_way and path.suffix != ".zarr":
        raise OutputError("A folder is in the way", expected="a file", received=f"the folder {path}")
    if not os.access(path.parent, os.W_OK):
        raise OutputError("This folder can't be written", expected="a folder that is yours", received=str(path.parent))
    check_free(path, force=force)
    return path


def check_folder(path: Path) -> Path:
    """The path, if it is a folder that can be written or one that can be made; nothing is made yet.

    Raises:
        OutputError: a file is in the way, or the folder can't be made or written.
    """
    try:
        existing = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
        is_folder = existing.is_dir()
    except OSError as error:
        raise refused(path, error) from error
    if not is_folder:
        raise OutputError("A file is in the way", expected="a folder", received=f"{path}, where {existing} is a file")
    if not os.access(existing, os.W_OK):
        raise OutputError("This folder can't be written", expected="a folder that is yours", received=str(existing))
    return path


class Filling:
    """Files on their way into a folder: each gets a name of its own, and all arrive together."""

    def __init__(self, target: Path, unfinished: Path) -> None:
        self.target = target
        self.files: list[Path] = []
        self._unfinished = unfinished
        self._taken: set[str] = set()

    def add(self, name: str, ending: str, data: bytes, *, folder: str = "") -> Path:
        """Take a file; where it will lie. ``name`` is a stem already, made unique here, small and capital letters
        being the same; ``folder`` is one inside the target."""
        unique, number = name, 1
        while f"{folder}/{unique}{ending}".casefold() in self._taken:
            number += 1
            unique = f"{name}~{number}"
        self._taken.add(f"{folder}/{unique}{ending}".casefold())
        inside = Path(folder) / f"{unique}{ending}"
        (self._unfinished / folder).mkdir(parents=True, exist_ok=True)
        (self._unfinished / inside).write_bytes(data)
        self.files.append(self.target / inside)
        return self.files[-1]


@contextmanager
def filling(target: Path, *, force: bool = False) -> Iterator[Filling]:
    """A folder to fill, made if need be; its files arrive together at the end, or not at all on any error.

    Other files in the folder are left alone.

    Raises:
        OutputError: a full disk, a folder that can't be written, somebody else's file in the way.
    """
    check_folder(target)
    with beside(target, target if target.is_dir() else _existing(target)) as folder:
        arriving = Filling(target, folder)
        yield arriving
        for path in arriving.files:
            check_free(path, force=force)
        for path in arriving.files:
            path.parent.mkdir(parents=True, exist_ok=True)
            (folder / path.relative_to(target)).replace(path)


def _existing(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.is_dir())
