"""Files on disk, all or nothing: what is written takes its place when it is whole, or nothing of it remains.

What takes the place of something is on the disk before that goes (``fsync``, as SQLite does): else a power cut may
leave a name whose contents were never written, and the old ones are lost with it. A file of its own costs one such
wait, of milliseconds. The many files of a folder, or of a .zarr, are waited for only where they replace something (zarr
and safetensors never wait): what a power cut takes there can be made again, and is told by its checksums.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convlens.errors import OutputError
from convlens.writing import signature, unfinished
from convlens.writing.signals import uninterrupted

__all__ = [
    "Owned",
    "beside",
    "check_free",
    "replacing",
    "same_bytes",
    "signature",
    "swap",
    "to_disk",
    "uninterrupted",
    "write",
]

Owned = Callable[[Path], bool]
"""Says of a path whether convlens wrote what is there, and nobody has changed it since."""


@contextmanager
def replacing(
    target: str | os.PathLike[str],
    *,
    force: bool = False,
    owned: Owned = signature.is_ours,
    only_ours: Owned | None = None,
) -> Iterator[Path]:
    """A path with the ending of ``target`` to write to, a file or a folder; it takes the target's place at the end.

    On any error, Ctrl-C too, it vanishes, and what stood at ``target`` before is untouched. A link stays a link.

    Args:
        target: where it will be.
        force: replace a file that isn't ours, too.
        owned: whether what is there is ours; asked before and, where it has changed meanwhile, after.
        only_ours: whether a folder holds nothing but what we write; without it no folder is ever replaced, and with
            ``force`` it is all that is asked for.

    Raises:
        OutputError: somebody else's file or folder is there; no such folder, no permission, a full disk.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, replacing(f"{folder}/a.txt") as new:
    ...     _ = new.write_text("whole")
    """
    place = _place(target)
    check_free(place, force=force, owned=owned, only_ours=only_ours)
    before = _identity(place)
    with beside(target, place.parent) as folder:
        new = folder / f"{unfinished.NEW}{place.suffix}"
        yield new
        if new.is_file():
            to_disk(new)
            if before is not None:
                with suppress(OSError):
                    new.chmod(stat.S_IMODE(place.stat().st_mode))
        with uninterrupted():
            if place.is_dir() or _identity(place) != before:  # what a folder holds may change without a sign
                again = only_ours if only_ours is not None and place.is_dir() else owned
                check_free(place, force=force, owned=again, only_ours=only_ours)
            swap(new, place, folder)


def write(
    target: str | os.PathLike[str], data: bytes, *, force: bool = False, owned: Owned = signature.is_ours
) -> Path:
    """Write a file with our signature, all of it or nothing; ``force`` replaces what isn't ours, too.

    Raises:
        OutputError: it can't be written, or somebody else's file is there.
    """
    data = signature.signed(data, Path(target).suffix)
    with replacing(target, force=force, owned=lambda path: owned(path) or same_bytes(path, data)) as new:
        new.write_bytes(data)
    return Path(target)


def check_free(
    path: Path, *, force: bool = False, owned: Owned = signature.is_ours, only_ours: Owned | None = None
) -> None:
    """Refuse to overwrite what isn't ours, unless ``force`` says so; and never what is no file.

    Raises:
        OutputError: somebody else's file is there, a folder with something in it that we didn't write, or a device.
    """
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    except (OSError, ValueError) as error:
        raise refused(path, error) from error
    if stat.S_ISDIR(mode):
        _check_folder(path, force=force, owned=owned, only_ours=only_ours)
    elif not stat.S_ISREG(mode):
        raise OutputError("Only a file can be overwritten", expected="a new path", received=f"{path}, a device or pipe")
    elif not force and not owned(path):
        raise OutputError(
            "This file is there already, and convlens didn't write it as it is now",
            expected="a new path",
            received=str(path),
            hint="Choose another path, or type --force (force=True) to overwrite it.",
        )


def _check_folder(path: Path, *, force: bool, owned: Owned, only_ours: Owned | None) -> None:
    if only_ours is None:
        raise OutputError("A folder is in the way", expected="a file name", received=f"the folder {path}")
    try:
        empty = not any(path.iterdir())
    except OSError as error:
        raise refused(path, error) from error
    if empty or (not force and owned(path)):
        return
    if not only_ours(path):
        raise OutputError(
            "This folder holds what convlens didn't write, and is never replaced",
            expected="a new path",
            received=str(path),
            hint="Choose another path, or remove the folder yourself.",
        )
    if not force:
        raise OutputError(
            "This folder is there already, and not as convlens wrote it",
            expected="a new path",
            received=str(path),
            hint="Choose another path, or type --force (force=True) to overwrite it.",
        )


def same_bytes(path: Path, data: bytes) -> bool:
    """Whether a file holds exactly this, so that writing it again changes nothing."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def to_disk(path: Path) -> None:
    """Wait until a file, or all that a folder holds, lies on the disk.

    Raises:
        OSError: the disk is full, or broken.
    """
    if path.is_dir():
        for found in path.iterdir():
            to_disk(found)
        with suppress(OSError):  # a system that can't open folders
            _synchronise(path, os.O_RDONLY)
    else:
        _synchronise(path, os.O_RDWR)


def _synchronise(path: Path, flags: int) -> None:
    opened = os.open(path, flags)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)


def swap(new: Path, place: Path, folder: Path) -> None:
    """Put ``new`` in its place. A folder that is there goes into ``folder`` first, and comes back on any error; a run
    that ends between the two leaves it to the next one (:func:`unfinished.sweep`)."""
    if not place.is_dir():
        new.replace(place)
        return
    if new.is_file():
        raise OutputError("Can't write a file here", expected="a file name", received=f"the folder {place}")
    if any(place.iterdir()):
        to_disk(new)
    kept = folder / unfinished.REPLACED / place.name
    kept.parent.mkdir()
    place.rename(kept)
    try:
        new.rename(place)
        with suppress(OSError):
            _synchronise(place.parent, os.O_RDONLY)
    except BaseException:
        if not os.path.lexists(place):
            kept.rename(place)
        raise


def _place(target: str | os.PathLike[str]) -> Path:
    try:
        place = Path(target).resolve()
        if not place.parent.is_dir():
            raise OutputError(
                "Can't write here", expected="an existing folder", received=str(place.parent), hint="Create it first."
            )
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: a loop of links
        raise error if isinstance(error, OutputError) else refused(target, error) from error
    return place


def _identity(path: Path) -> tuple[int, ...] | None:
    """Another one after every change of a file."""
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None
    return facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns


@contextmanager
def beside(target: str | os.PathLike[str], place: Path) -> Iterator[Path]:
    """A temporary folder in the folder ``place``, on the target's file system, gone at the end.

    Raises:
        OutputError: in the place of every error of writing, in one clear line.
    """
    folder = None
    try:
        with uninterrupted():
            folder = unfinished.make(place)
            unfinished.own(folder)
        yield folder
    except OutputError:
        raise
    except OSError as error:
        remains = folder if folder is not None and not unfinished.remove(folder) else None
        raise refused(target, error, remains) from error
    finally:
        if folder is not None:
            unfinished.remove(folder)


def refused(target: str | os.PathLike[str], error: Exception, remains: Path | None = None) -> OutputError:
    """The one line for a path that can't be written; ``remains`` is what couldn't be removed either."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(
        "The output can't be written",
        expected="a path with room for it",
        received=f"{os.fspath(target)}: {reason}",
        hint="Nothing half-written remains." if remains is None else f"Remove {remains}, which is half-written.",
    )
