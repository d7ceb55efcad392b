"""What isn't finished yet lies in a folder of its own beside its place, and is gone when the process is.

The folder is called ``.convlens-…`` and holds the file ``owner``, which its process keeps locked as long as it lives:
the system gives a lock back however a process ends. So a later run knows for certain which folders nobody needs any
more, and removes them. Inside, ``new`` is what is being written; ``before`` are second names of files that are being
replaced; ``replaced`` holds a folder that makes way for a new one, under its own name.
"""

from __future__ import annotations

import atexit
import errno
import os
import shutil
import stat
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

from convlens.writing.signals import uninterrupted

if sys.platform != "win32":
    import fcntl

PREFIX = ".convlens-"
OWNER = "owner"
REPLACED = "replaced"
BEFORE = "before"
NEW = "new"

_FIRST_LINE = b"Unfinished output of convlens. Its next run in this folder removes it.\n"
_TRIES = 50
_PAUSE = 0.02  # seconds
_MADE_WITHIN = 3600.0  # seconds after which a folder without an owner isn't one that is just being made
_UNNAMED = "owner.new"

_open: dict[Path, tuple[int, int | None]] = {}
"""The folders of this process: the process that made each, since a forked one inherits this, and its lock."""
_swept: set[Path] = set()
_ended: list[int] = []


def make(place: Path) -> Path:
    """A folder in ``place``, to be :func:`own`-ed; what others have left behind there goes first, once a process.

    Raises:
        OSError: the folder can't be made.
    """
    with uninterrupted():
        if os.getpid() in _ended:
            raise InterruptedError("the process ends")
        if place not in _swept:
            _swept.add(place)
            sweep(place)
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
        _open[folder] = (os.getpid(), None)
        return folder


def own(folder: Path) -> None:
    """Lock a file of the folder; it gets its name when it is locked, so that nobody can lock it first.

    Raises:
        OSError: it can't be written.
    """
    unnamed = folder / _UNNAMED
    unnamed.write_bytes(_FIRST_LINE)
    _open[folder] = (os.getpid(), _lock(unnamed))
    unnamed.rename(folder / OWNER)


def remove(folder: Path) -> bool:
    """Remove one of this process's folders; whether it is gone."""
    with uninterrupted():
        for attempt in range(_TRIES):
            _put_back(folder)
            try:
                _clear(folder)
            except FileNotFoundError:
                pass  # something of it was gone already, perhaps all
            except OSError as error:
                if error.errno == errno.ENOTEMPTY:  # a thread of a library writes there still
                    time.sleep(_PAUSE)
                elif attempt:
                    return False
            if not os.path.lexists(folder):
                break
        else:
            return False
        lock = _open.pop(folder, (0, None))[1]
        if lock is not None:
            os.close(lock)
        return True


def remove_all() -> list[Path]:
    """Remove every folder of this process, which ends and makes no more; those that can't be removed."""
    _ended.append(os.getpid())
    return [folder for folder, (process, _) in list(_open.items()) if process == os.getpid() and not remove(folder)]


atexit.register(remove_all)


def sweep(place: Path) -> None:
    """Remove what processes that are dead have left behind in ``place``, and put back a folder that made way in vain.

    Nothing is touched that isn't certainly ours: a folder with a name of ours, of the same user, that holds what we put
    in and nothing else, and whose owner's lock nobody holds.
    """
    with suppress(OSError):
        for found in sorted(place.glob(f"{PREFIX}*")):
            with suppress(OSError):
                _sweep_one(found)


def _sweep_one(folder: Path) -> None:
    facts = folder.lstat()
    if not stat.S_ISDIR(facts.st_mode) or (hasattr(os, "getuid") and facts.st_uid != os.getuid()):
        return
    names = [found.name for found in folder.iterdir()]
    if OWNER not in names:
        if set(names) <= {_UNNAMED} and time.time() - facts.st_mtime > _MADE_WITHIN:
            _clear(folder)
        return
    if not all(name in (OWNER, _UNNAMED, REPLACED, BEFORE) or _is_new(name) for name in names):
        return
    lock = _lock(folder / OWNER)
    if lock is None:
        return
    try:
        if os.read(lock, len(_FIRST_LINE) + 1) == _FIRST_LINE:
            _put_back(folder)
            _clear(folder)
    finally:
        os.close(lock)


def _clear(folder: Path) -> None:
    """Remove it all, the owner's file last: without it nobody would know whose the rest is.

    Raises:
        OSError: something can't be removed.
    """
    for found in sorted(folder.iterdir(), key=lambda path: path.name == OWNER):
        if found.is_dir() and not found.is_symlink():
            shutil.rmtree(found)
        else:
            found.unlink()
    folder.rmdir()


def _is_new(name: str) -> bool:
    return name == NEW or name.startswith(f"{NEW}.")


def _put_back(folder: Path) -> None:
    """Put back what made way for something that never came."""
    with suppress(OSError):
        for kept in (folder / REPLACED).iterdir():
            if not os.path.lexists(folder.parent / kept.name):
                kept.rename(folder.parent / kept.name)


def _lock(path: Path) -> int | None:
    """An open file that is locked until it is closed; ``None`` where somebody holds it, or nothing can be locked."""
    if sys.platform == "win32":  # an open file couldn't be removed there: nothing is locked, and nothing is swept
        return None
    opened = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held, or a file system that knows no locks
        os.close(opened)
        return None
    return opened
