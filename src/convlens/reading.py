"""Files from disk: what is opened at all. Only regular files are; a pipe or a device could keep its reader for ever."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from convlens.errors import ConvlensError

_KINDS = (
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISDIR, "a folder"),
)


@contextmanager
def regular(path: str | os.PathLike[str], error: type[ConvlensError], expected: str) -> Iterator[BinaryIO]:
    """The file, opened to be read; what isn't a regular file is refused and never waited for.

    Raises:
        ConvlensError: ``error``, where it is a pipe, a device, a socket or a folder.
        OSError: it isn't there, or can't be opened.

    >>> with regular(__file__, ConvlensError, "a text") as file:
    ...     file.readline()[:3]
    b'\"\"\"'
    """
    check_regular(path, error, expected)  # opening a socket or a device may already do something
    with open(path, "rb", opener=_without_waiting) as file:  # a Path's own takes no opener
        _check(os.fstat(file.fileno()).st_mode, path, error, expected)  # another may stand there by now
        yield file


def check_regular(path: str | os.PathLike[str], error: type[ConvlensError], expected: str) -> None:
    """The same check for what is opened by others; a path that isn't there is left to whoever opens it."""
    try:
        mode = Path(path).stat().st_mode
    except (OSError, ValueError):
        return
    _check(mode, path, error, expected)


def read_text(path: str | os.PathLike[str], error: type[ConvlensError], expected: str, most: int = 2**24) -> str:
    """A text in UTF-8 of at most ``most`` bytes.

    Raises:
        ConvlensError: ``error``, where it isn't a regular file or is longer.
        OSError, UnicodeDecodeError
    """
    with regular(path, error, expected) as file:
        data = file.read(most + 1)
    if len(data) > most:
        raise error(
            "This file is too long", expected=f"{expected}, of at most {most:,} bytes", received=os.fsdecode(path)
        )
    return data.decode("utf-8-sig")


def _without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _check(mode: int, path: str | os.PathLike[str], error: type[ConvlensError], expected: str) -> None:
    if not stat.S_ISREG(mode):
        kind = next((name for test, name in _KINDS if test(mode)), "something else")
        raise error("This is not a regular file", expected=expected, received=f"{Path(path)}, which is {kind}")
