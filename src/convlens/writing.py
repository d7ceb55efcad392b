"""Files on disk, all or nothing: what is written takes its place when it is whole, or nothing of it remains."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from convlens.errors import OutputError


@contextmanager
def replacing(target: str | os.PathLike[str]) -> Iterator[Path]:
    """A path with the ending of ``target`` to write to, a file or a folder; it takes the target's place at the end.

    On any error, Ctrl-C too, it vanishes, and what stood at ``target`` before is untouched. A link stays a link.

    Raises:
        OutputError: no such folder, no permission, a full disk.

    >>> with tempfile.TemporaryDirectory() as folder, replacing(f"{folder}/a.txt") as unfinished:
    ...     _ = unfinished.write_text("whole")
    """
    try:
        place = Path(target).resolve()
        if not place.parent.is_dir():
            raise OutputError(
                "Can't write here", expected="an existing folder", received=str(place.parent), hint="Create it first."
            )
    except (OSError, ValueError) as error:
        raise error if isinstance(error, OutputError) else refused(target, error) from error
    with beside(target, place.parent) as folder:
        unfinished = folder / f"new{place.suffix}"
        yield unfinished
        if place.is_dir():
            if unfinished.is_file():
                raise OutputError("Can't write a file here", expected="a file name", received=f"the folder {target}")
            place.rename(folder / "old")
        unfinished.replace(place)


def write(target: str | os.PathLike[str], data: bytes) -> Path:
    """Write a file, all of it or nothing.

    Raises:
        OutputError: it can't be written.
    """
    with replacing(target) as unfinished:
        unfinished.write_bytes(data)
    return Path(target)


@contextmanager
def beside(target: str | os.PathLike[str], place: Path) -> Iterator[Path]:
    """A temporary folder in the folder ``place``, on the target's file system, gone at the end.

    Raises:
        OutputError: in the place of every error of writing, in one clear line.
    """
    folder = None
    try:
        folder = Path(tempfile.mkdtemp(prefix=".convlens-", dir=place))
        yield folder
    except OutputError:
        raise
    except OSError as error:
        raise refused(target, error) from error
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def refused(target: str | os.PathLike[str], error: Exception) -> OutputError:
    """The one line for a path that can't be written."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(
        "The output can't be written",
        expected="a path with room for it",
        received=f"{os.fspath(target)}: {reason}",
        hint="Nothing half-written remains.",
    )
