"""A folder that is filled: many files that arrive together, and leave alone what else is there."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convlens.errors import OutputError
from convlens.writing import beside, check_free, refused, same_bytes, signature, to_disk, unfinished
from convlens.writing.signals import uninterrupted


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

    def __init__(self, target: Path, folder: Path) -> None:
        self.target = target
        self.files: list[Path] = []
        self.folder = folder / unfinished.NEW
        self.folder.mkdir()
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
        if folder:
            (self.folder / folder).mkdir(exist_ok=True)  # never its parents: they are gone where the run was stopped
        (self.folder / inside).write_bytes(signature.signed(data, ending))
        self.files.append(self.target / inside)
        return self.files[-1]


@contextmanager
def filling(target: Path, *, force: bool = False) -> Iterator[Filling]:
    """A folder to fill, made if need be; its files arrive together at the end, or not at all on any error.

    Other files in the folder are left alone. Where the process is killed while they arrive, each file is the old or the
    new one, whole.

    Raises:
        OutputError: a full disk, a folder that can't be written, somebody else's file in the way.
    """
    check_folder(target)
    with beside(target, target if target.is_dir() else _existing(target)) as folder:
        arriving = Filling(target, folder)
        yield arriving
        for path in arriving.files:
            _check_arrival(path, arriving, force=force)
        with uninterrupted():
            _arrive(arriving, folder)


def _check_arrival(path: Path, arriving: Filling, *, force: bool) -> None:
    new = arriving.folder / path.relative_to(arriving.target)
    if not os.path.lexists(path):
        return
    if path.is_symlink() and not force:
        raise OutputError(
            "A link is in the way", expected="a new path", received=str(path), hint="Type --force to replace the link."
        )
    if not same_bytes(path, new.read_bytes()):
        check_free(path, force=force)
    to_disk(new)


def _arrive(arriving: Filling, folder: Path) -> None:
    """Put every file in its place; on any error each that was there before is there again, and nothing else is."""
    before = folder / unfinished.BEFORE
    before.mkdir()
    made: list[Path] = []
    put: list[tuple[Path, Path | None]] = []
    try:
        if not os.path.lexists(arriving.target):
            made += _make_folders(arriving.target.parent)
            arriving.folder.rename(arriving.target)  # all of them in one step
            return
        for number, path in enumerate(arriving.files):
            made += _make_folders(path.parent)
            old = before / str(number) if os.path.lexists(path) else None
            if old is not None:
                _second_name(path, old)
            put.append((path, old))
            (arriving.folder / path.relative_to(arriving.target)).replace(path)
    except BaseException:
        for path, old in reversed(put):
            with suppress(OSError):
                path.unlink() if old is None else old.replace(path)
        for made_folder in reversed(made):
            with suppress(OSError):
                made_folder.rmdir()
        raise


def _make_folders(path: Path) -> list[Path]:
    """Make a folder and those around it; the ones that were made."""
    missing = [place for place in (path, *path.parents) if not place.is_dir()]
    for place in reversed(missing):
        place.mkdir()
    return missing[::-1]


def _second_name(path: Path, other: Path) -> None:
    """The same file under another name too, or a copy where there can be none: its own stays where it is."""
    try:
        other.hardlink_to(path)
    except (OSError, NotImplementedError):
        shutil.copy2(path, other)


def _existing(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.is_dir())
