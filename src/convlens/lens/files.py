"""Files that people keep: safe names, all or nothing, and nobody's own file overwritten by accident."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from convlens import writing
from convlens.errors import OutputError
from convlens.writing import refused
from convlens.writing.filling import Filling, check_folder, filling

__all__ = ["Filling", "check_folder", "check_free", "check_place", "filling", "is_ours", "stem"]

_LONGEST = 120  # bytes of a stem: file systems allow 255, and suffixes, page numbers and temporary names need room
_RESERVED = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # devices on Windows, with any ending


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
    """Whether convlens wrote this file (or this .zarr folder), whole and unchanged: see :mod:`ownership`."""
    from convlens.lens import ownership  # which reads saved maps, and so stands above this

    return ownership.is_ours(path)


def check_free(path: Path, *, force: bool = False) -> None:
    """Refuse to overwrite what convlens didn't write, unless ``force`` says so.

    Raises:
        OutputError: somebody else's file is there, or a folder that holds something of somebody else's.
    """
    from convlens.lens import ownership

    only_ours = ownership.holds_only_ours if path.suffix.lower() == ".zarr" else None
    writing.check_free(path, force=force, owned=is_ours, only_ours=only_ours)


def check_place(path: Path, *, force: bool = False) -> Path:
    """The path, if a file can be written there; called before a run, so that no work is lost.

    Raises:
        OutputError: the folder doesn't exist or can't be written, or something is in the way.
    """
    try:
        there = path.parent.is_dir()
    except OSError as error:  # a name that is too long, or a loop of links
        raise refused(path, error) from error
    if not there:
        raise OutputError(
            "No such folder",
            expected="an existing folder",
            received=str(path.parent),
            hint=f"Type: mkdir -p {path.parent}",
        )
    if not os.access(path.parent, os.W_OK):
        raise OutputError("This folder can't be written", expected="a folder that is yours", received=str(path.parent))
    check_free(path, force=force)
    return path
