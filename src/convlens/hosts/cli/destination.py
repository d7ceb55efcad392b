"""Where pictures go: one file or a folder, and in which format, from ``-o`` and ``--format``."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from convlens.errors import OutputError
from convlens.hosts.cli.options import Format
from convlens.lens import files

FORMATS: dict[str, Format] = {".png": "png", ".webp": "webp", ".svg": "svg", ".pdf": "pdf"}
_OTHER_PICTURES = {".jpg", ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".eps", ".ps", ".avif", ".html"}
_NO_PICTURES = {
    ".zip",
    ".tar",
    ".gz",
    ".npz",
    ".npy",
    ".safetensors",
    ".onnx",
    ".keras",
    ".json",
    ".txt",
    ".csv",
    ".pptx",
    ".docx",
}
"""Endings that nobody gives to a folder: whoever types one expects a file."""

Place = Callable[[str, bytes, int | None], Path]
"""Takes a name, a picture, and its page number where there are several; gives the path at which it will lie."""


@dataclass(frozen=True, slots=True)
class Destination:
    """``path`` is a file that takes one layer, or a folder that takes any number."""

    path: Path
    is_file: bool
    format: Format

    @classmethod
    def read(cls, output: Path, format: Format | None, *, force: bool) -> Destination:
        """What ``-o`` and ``--format`` ask for; a path with a picture's ending is a file, any other one a folder.

        Raises:
            OutputError: the two contradict each other, the ending is of another kind of picture, or the path can't be
                written.
        """
        ending = output.suffix.lower()
        if output.is_dir() or os.fspath(output).endswith(("/", os.sep)):
            ending = ""
        if ending in _OTHER_PICTURES | _NO_PICTURES:
            raise OutputError(
                "This format can't be written",
                expected="a path ending in " + ", ".join(FORMATS) + ", or a folder",
                received=str(output),
                hint=f"Type -o {output.with_suffix('')}{os.sep} for a folder, or "
                f"-o {output.with_suffix('.png')} for one layer."
                if ending in _NO_PICTURES
                else f"Type -o {output.with_suffix('.png')}",
            )
        if ending not in FORMATS:
            return cls(files.check_folder(output), False, format or "png")
        if format is not None and format != FORMATS[ending]:
            raise OutputError(
                "Two formats are asked for",
                expected="one format",
                received=f"--format {format} and -o {output}",
                hint=f"Type -o {output.with_suffix('.' + format)}",
            )
        return cls(files.check_place(output, force=force), True, FORMATS[ending])

    @contextmanager
    def open(self, names: Iterable[str], *, force: bool) -> Iterator[Place]:
        """Take pictures of layers of these names; all of them arrive together at the end, or none on any error.

        Raises:
            OutputError: at once, where somebody else's file is in the way; a full disk.
        """
        for stem in [] if self.is_file else map(files.stem, names):
            files.check_free(self.path / f"{stem}.{self.format}", force=force)
        folder = self.path.parent if self.is_file else self.path
        with files.filling(folder, force=force) as arriving:

            def place(name: str, picture: bytes, page: int | None) -> Path:
                stem = self.path.stem if self.is_file else files.stem(name)
                numbered = stem if page is None else f"{stem}-{page}"
                return arriving.add(numbered, f".{self.format}", picture)

            yield place

    def said(self, written: Sequence[Path]) -> str:
        """What was written, in words: the file, the files from the first to the last page, or the folder."""
        if not self.is_file or len(written) == 1:
            return str(self)
        return f"{written[0]} to {written[-1].name}"

    def __str__(self) -> str:
        return str(self.path) if self.is_file else f"{self.path}{os.sep}"


def write_pages(place: Place, name: str, pages: Iterator[bytes]) -> list[Path]:
    """Write the pages of one layer: ``layer.png``, or ``layer-1.png``, ``layer-2.png`` where there are several."""
    first = next(pages)
    second = next(pages, None)
    if second is None:
        return [place(name, first, None)]
    paths = [place(name, first, 1), place(name, second, 2)]
    paths += [place(name, picture, number) for number, picture in enumerate(pages, start=3)]
    return paths
