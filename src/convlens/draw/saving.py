"""Pictures to files: the format by the name, and never half a file."""

from __future__ import annotations

import io
import os
from pathlib import Path

from convlens.draw.canvas import Canvas
from convlens.draw.vector import pdf, svg
from convlens.errors import OutputError
from convlens.writing import write

FORMATS = (".png", ".webp", ".svg", ".pdf")

_LONGEST_WEBP_SIDE = 16383
_EXIF_SOFTWARE = 0x0131


def save(canvas: Canvas, path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Write a picture as PNG, WebP (lossless), SVG or PDF, by the suffix of ``path``.

    Raises ``OutputError`` for another suffix, when the file can't be written, or when somebody else's is there and
    ``force`` doesn't say to overwrite it.
    """
    write(path, picture_bytes(canvas, path), force=force)


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
