"""Pillow's image becomes upright, opaque RGB or grey pixels, with both bytes of 16-bit samples."""

from __future__ import annotations

import re
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convlens import memory
from convlens.errors import ConvlensError, PictureError

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[Any]

KNOWN = "a JPEG, PNG, WebP, TIFF, BMP or GIF file"
_ORIENTATION = 0x0112  # EXIF 2.32, table 4: the tag that says which side of the stored picture is up
_BLOCK = 64  # rows
_TAKES = {"1": 4, "L": 4, "I;16": 6, "I;16B": 8, "LA": 8, "P": 12, "PA": 14, "RGB": 10, "RGBA": 12}
"""Bytes a pixel that decoding takes at its peak, by Pillow's mode; 14 for every other one."""
_PILLOW = threading.RLock()  # Pillow's pixel limit and Python's warning filters are global


@contextmanager
def pillow(name: str, max_pixels: int, notes: list[str]) -> Iterator[None]:
    """Pillow under our pixel limit; its warnings become notes, whatever its decoders raise becomes a PictureError."""
    from PIL import Image, UnidentifiedImageError

    with _PILLOW, warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, max_pixels
        try:
            yield
        except ConvlensError:
            raise
        except UnidentifiedImageError:
            raise PictureError(
                "This file is not a picture that convlens can read",
                expected=KNOWN,
                received=name,
                hint="Choose another file, or save this one as PNG.",
            ) from None
        except Image.DecompressionBombError as error:
            stated = re.search(r"\((\d+) pixels\)", str(error))
            pixels = int(stated[1]) if stated else 4 * max_pixels
            size = f"{pixels:,} pixels" if stated else f"more than {2 * max_pixels:,} pixels"
            raise _too_large(name, max_pixels, size, pixels) from None
        except MemoryError:
            raise PictureError(
                "The picture doesn't fit into memory", received=name, hint="Scale it down first."
            ) from None
        except Exception as error:  # over a broken file, decoders raise nearly anything: SyntaxError, struct.error, ...
            raise PictureError(
                "The picture is broken or incomplete",
                received=name,
                hint=f"Copy or save the file again. Pillow says: {str(error) or type(error).__name__}.",
            ) from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
        told = (w for w in warned if not issubclass(w.category, (ResourceWarning, DeprecationWarning)))
        notes.extend(f"Pillow warns: {' '.join(str(w.message).split())}" for w in told)


def _too_large(name: str, max_pixels: int, received: str, pixels: int) -> PictureError:
    return PictureError(
        "The picture is too large",
        expected=f"up to {max_pixels:,} pixels",
        received=f"{name} with {received}",
        hint=f"Scale it down; or, if you trust the file, type --max-pixels {pixels} "
        f"(in Python, convlens.pictures.read(path, max_pixels={pixels})).",
    )


def decode(
    image: Image.Image, name: str, max_pixels: int, notes: list[str], path: Path | None, budget: int | None = None
) -> Pixels:
    """The image's pixels (rows, columns, 1 or 3), uint8 or uint16; what was done to them is added to ``notes``.

    ``path`` is the file that the image comes from, for the second byte of 16-bit colour. ``budget``: bytes of memory
    that decoding may take; what is free by default.

    Raises:
        PictureError: too many pixels, or values of an unknown range.
        MemoryBudgetError: before anything is decoded.
    """
    columns, rows = image.size
    if rows * columns > max_pixels:
        raise _too_large(name, max_pixels, f"{rows} x {columns} = {rows * columns:,} pixels", rows * columns)
    if rows * columns == 0:
        raise PictureError(
            "The picture has no pixels", expected="at least 1 row and 1 column", received=f"{rows} x {columns}"
        )
    _check_memory(image, name, path, budget)
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        frame = image.tell()
        notes.append(f"first frame of {frames}" if frame == 0 else f"frame {frame + 1} of {frames}")
    # before anything decodes the image, as reading a PNG's EXIF does: a decoded image has no tiles
    both_bytes = _sixteen_bit_colour(image, path) if path else None
    stored = _orientation(image)
    image.load()
    pixels = both_bytes if both_bytes is not None else _pixels(image, name, notes)
    if pixels.dtype == np.uint16:
        notes.append("16-bit")
        pixels = _with_transparent_colour(pixels, image.info.get("transparency"))
    if pixels.shape[2] in (2, 4):
        pixels = without_alpha(pixels, notes)
    if stored != 1:
        notes.append("EXIF rotation applied")
    # Pillow itself turns TIFF files while it loads them, and takes the tag away
    return np.ascontiguousarray(_upright(pixels, _orientation(image)))


def _check_memory(image: Image.Image, name: str, path: Path | None, budget: int | None) -> None:
    """Refuse what would not fit while it is decoded. Measured for each mode and format, bytes a pixel: Pillow's own
    picture, its bytes, NumPy's copy; WebP's decoder has two canvases besides."""
    if image.format is None and path is None:
        return  # made in memory: its pixels are there already
    columns, rows = image.size
    each = _TAKES.get(image.mode, 14) + (10 if image.format == "WEBP" else 0)
    if any(sample.startswith("16") for _, sample in _raw_modes(image)):
        each += 16  # decoded once for each byte
    size = rows * columns * each
    memory.check(
        size,
        f"The picture {name}, {rows} x {columns},",
        memory.available() if budget is None else budget,
        hint=f"Scale it down, or raise the budget: memory={memory.in_words(size, round_up=True)!r} "
        f"(--memory {memory.in_words(size, round_up=True)}).",
    )


def _orientation(image: Image.Image) -> int:
    value = image.getexif().get(_ORIENTATION, 1)
    return value if value in range(1, 9) else 1


def _upright(pixels: Pixels, orientation: int) -> Pixels:
    """The stored pixels as they are meant to be seen (EXIF 2.32: where the stored row 0 and column 0 belong)."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    flip_rows = orientation in (3, 4, 7, 8)
    flip_columns = orientation in (2, 3, 6, 7)
    return pixels[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1]


def _pixels(image: Image.Image, name: str, notes: list[str]) -> Pixels:
    mode = image.mode
    if mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)[..., None]
    if mode in ("I", "F"):
        raise PictureError(
            "The range of this picture's values isn't known",
            expected="8 or 16 bits a channel",
            received=f"{name} with 32-bit {'integers' if mode == 'I' else 'floating point'}",
            hint="Turn it into a float array in the network's own range and pass that.",
        )
    if mode not in ("L", "RGB", "LA", "RGBA"):
        wanted = {"1": "L", "La": "LA", "RGBa": "RGBA", "PA": "RGBA"}.get(mode, "RGB")
        if mode in ("CMYK", "YCbCr", "LAB", "HSV"):
            notes.append(f"{mode} turned to RGB" + (" without its colour profile" if mode == "CMYK" else ""))
        if "transparency" in image.info:
            wanted = "RGBA"
        image = image.convert(wanted)
    elif "transparency" in image.info:
        image = image.convert({"L": "LA", "RGB": "RGBA"}.get(mode, mode))
    pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def _sixteen_bit_colour(image: Image.Image, path: Path) -> Pixels | None:
    """Both bytes of 16-bit colour, of which Pillow decodes only the upper; ``None`` for everything else.

    Pillow names the layout of the stored samples (the raw mode) beside each tile. The big-endian reader takes the first
    byte of each sample and the little-endian reader the second, so that decoding once with each gives both bytes.
    """
    if image.format not in ("PNG", "TIFF"):
        return None
    names = _raw_modes(image)
    if len(names) != 1:
        return None
    mode, sample = names.pop()
    if (mode, sample) == ("LA", "16B"):
        # grey, alpha: 4 bytes a pixel, as 8-bit RGBA has
        four = _decoded_as(path, "RGBA").astype(np.uint16)
        return four[..., 0::2] << 8 | four[..., 1::2]
    if mode not in ("RGB", "RGBA", "RGBX") or sample not in ("16B", "16L", "16N"):
        return None
    first, second = _decoded_as(path, f"{mode};16B"), _decoded_as(path, f"{mode};16L")
    native_little = sample == "16N" and sys.byteorder == "little"
    upper, lower = (second, first) if sample == "16L" or native_little else (first, second)
    return upper.astype(np.uint16) << 8 | lower


def _raw_modes(image: Image.Image) -> set[tuple[str, str]]:
    """How the samples are stored, (mode, kind of sample), for every tile."""
    tiles = getattr(image, "tile", [])
    names = {args if isinstance(args, str) else args[0] for _, _, _, args in tiles if args}
    return {(mode, sample) for mode, _, sample in (str(name).partition(";") for name in names)}


def _decoded_as(path: Path, raw_mode: str) -> Pixels:
    from PIL import Image

    with Image.open(path, formats=("PNG", "TIFF")) as again:
        again.tile = [
            tile._replace(args=(raw_mode, *tile.args[1:]) if isinstance(tile.args, tuple) else raw_mode)
            for tile in again.tile
        ]
        again.load()
        return np.asarray(again)


def _with_transparent_colour(pixels: Pixels, colour: object) -> Pixels:
    """With alpha 0 where a 16-bit PNG names one colour as transparent."""
    if not isinstance(colour, (int, tuple)) or pixels.shape[2] not in (1, 3):
        return pixels
    opaque = (pixels != np.asarray(colour, np.uint16)).any(axis=2, keepdims=True)
    return np.concatenate([pixels, opaque * np.uint16(65535)], axis=2)


def without_alpha(pixels: Pixels, notes: list[str]) -> Pixels:
    """Laid on white: colour * alpha + white * (1 - alpha), rounded to the nearest integer."""
    alpha = pixels[..., -1]
    colour = pixels[..., :-1]
    white = int(np.iinfo(pixels.dtype).max)
    if (alpha == white).all():
        notes.append("opaque alpha dropped")
        return colour
    notes.append("alpha composited on white")
    wide: Any = np.uint16 if pixels.dtype == np.uint8 else np.uint32  # holds white * white + white // 2
    opaque = colour.copy()
    for start in range(0, len(opaque), _BLOCK):  # the wide numbers of a whole large picture would fill the memory
        rows = slice(start, start + _BLOCK)
        a = alpha[rows, :, None].astype(wide)
        opaque[rows] = (colour[rows] * a + wide(white) * (wide(white) - a) + wide(white // 2)) // wide(white)
    return opaque
