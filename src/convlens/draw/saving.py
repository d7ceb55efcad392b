"""Pictures to files: the format by the name, and never half a file."""

from __future__ import annotations

import io
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from convlens.draw.canvas import Canvas
from convlens.draw.vector import pdf, svg
from convlens.errors import OutputError

FORMATS = (".png", ".webp", ".svg", ".pdf")

_LONGEST_WEBP_SIDE = 16383
_EXIF_SOFTWARE = 0x0131


@contextmanager
def writing_atomically(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a new path beside ``path`` to write to; it takes the place of ``path`` when all went well, else it vanishes.

    Raises ``OutputError`` where the file can't be written: no such folder, no permission, a full disk. What stood at
    ``path`` before is then untouched, also after Ctrl-C.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, writing_atomically(f"{folder}/a.txt") as part:
    ...     _ = part.write_text("whole")
    """
    target = Path(path)
    try:
        target = target.resolve()
        if target.is_dir():
            raise OutputError("Can't write a file here", expected="a file name", received=f"the folder {path}")
        if not target.parent.is_dir():
            raise OutputError(
                "Can't write here", expected="an existing folder", received=str(target.parent), hint="Create it first."
            )
    except (OSError, ValueError) as error:
        raise error if isinstance(error, OutputError) else _refused(path, error) from error
    part = target.with_name(f".{target.name[:80]}.{secrets.token_hex(6)}.part")
    try:
        yield part
        part.replace(target)
    except OSError as error:
        raise _refused(path, error) from error
    finally:
        with suppress(OSError):
            part.unlink()


def write_atomically(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` as the file ``path``, all of it or nothing; see :func:`writing_atomically`."""
    with writing_atomically(path) as part:
        part.write_bytes(data)


def save(canvas: Canvas, path: str | os.PathLike[str]) -> None:
    """Write a picture as PNG, WebP (lossless), SVG or PDF, by the suffix of ``path``.

    Raises ``OutputError`` for another suffix, or when the file can't be written.
    """
    write_atomically(path, picture_bytes(canvas, path))


def picture_bytes(canvas: Canvas, path: str | os.PathLike[str]) -> bytes:
    """Return the picture in the format that the suffix of ``path`` names."""
    suffix = Path(path).suffix.lower()
    if suffix == ".png":
        return canvas.png()
    if suffix == ".svg":
        return svg(canvas).encode()
    if suffix == ".pdf":
        return pdf(canvas)
    if suffix == ".webp":
        return _webp(canvas)
    raise OutputError(
        "Can't tell the picture's format",
        expected=f"a name ending in {', '.join(FORMATS)}",
        received=repr(os.fspath(path)),
        hint=f"Type {os.fspath(Path(path).with_suffix('.png'))!r}, for example." if Path(path).name else "",
    )


def _webp(canvas: Canvas) -> bytes:
    from PIL import Image

    if max(canvas.width, canvas.height) > _LONGEST_WEBP_SIDE:
        raise OutputError(
            "Too large for WebP",
            expected=f"at most {_LONGEST_WEBP_SIDE} pixels a side",
            received=f"{canvas.width} x {canvas.height}",
            hint="Save it as .png.",
        )
    raster = canvas.raster()
    pixels = canvas.palette[raster] if raster.ndim == 2 else raster
    buffer = io.BytesIO()
    facts = Image.Exif()
    facts[_EXIF_SOFTWARE] = "convlens"
    Image.fromarray(pixels).save(buffer, "WEBP", lossless=True, quality=40, method=2, exif=facts)
    return buffer.getvalue()


def _refused(path: str | os.PathLike[str], error: Exception) -> OutputError:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return OutputError(
        f"Can't write {os.fspath(path)}",
        expected="a place that can be written",
        received=reason.lower(),
        hint="Nothing half-written was left.",
    )
