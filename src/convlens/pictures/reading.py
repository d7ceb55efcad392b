"""Picture files, PIL images and uint8 arrays, read into one form: rows x columns x channels."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convlens.errors import PictureError, closest
from convlens.pictures.decoding import KNOWN, Pixels, decode, pillow, without_alpha
from convlens.reading import regular

if TYPE_CHECKING:
    from PIL import Image

MAX_PIXELS = 200_000_000
"""The largest picture that is decoded by default: what the largest cameras make, 600 MB as RGB."""

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
"""What Pillow may try; its other decoders (PostScript, ...) never see a file of unknown origin. JPEG includes MPO."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture as it is looked at: upright, opaque, RGB or grey.

    ``pixels`` is (rows, columns, channels) with 1 or 3 channels; uint8 (0..255), or uint16 (0..65535) where the
    source has 16 bits. ``notes`` tell what reading did to it.

    >>> picture = Picture(np.zeros((300, 451, 3), np.uint8), "cat.png")
    >>> picture, picture.columns
    (Picture('cat.png', 300 rows x 451 columns x 3 channels), 451)
    """

    pixels: Pixels
    name: str
    notes: tuple[str, ...] = ()

    @property
    def rows(self) -> int:
        """Height in pixels."""
        return int(self.pixels.shape[0])

    @property
    def columns(self) -> int:
        """Width in pixels."""
        return int(self.pixels.shape[1])

    @property
    def channels(self) -> int:
        """1 for grey, 3 for RGB."""
        return int(self.pixels.shape[2])

    def __repr__(self) -> str:
        return f"Picture({self.name!r}, {self.rows} rows x {self.columns} columns x {self.channels} channels)"


def is_fed(value: object) -> bool:
    """Whether ``value`` is what a person would hand to the framework itself, and so passes by without a recipe.

    That is a float array, a tensor of any framework, or a dict by input name. A uint8 NumPy array is a picture.

    >>> is_fed(np.zeros((1, 3, 8, 8), "float32")), is_fed(np.zeros((8, 8, 3), "uint8")), is_fed("cat.jpg")
    (True, False, False)
    """
    if isinstance(value, Mapping):
        return True
    if isinstance(value, np.ndarray):
        return value.dtype.kind == "f" or str(value.dtype).startswith(("bfloat", "float"))
    if isinstance(value, (np.generic, Picture)) or _is_pil(value):
        return False
    return hasattr(value, "__array__") and hasattr(value, "dtype") and hasattr(value, "shape")


def read(source: object, *, order: str = "rgb", max_pixels: int = MAX_PIXELS, budget: int | None = None) -> Picture:
    """Read a picture from a path, a PIL image, or a uint8 array of rows x columns [x channels].

    ``order="bgr"`` says that an array's channels lie as OpenCV gives them. EXIF rotation is applied, transparency is
    laid on white, and each such step is noted. A batch of one picture is opened. Channels first is recognised where
    nothing else is possible: 1 or 3 in front, and a last axis that can't be channels.

    A file's size in pixels is held against ``max_pixels`` and ``budget`` (bytes of memory; what is free by default)
    before anything is decoded.

    Raises:
        PictureError: missing, empty, broken, not a picture, more than ``max_pixels`` pixels, or an array that could be
            read in more than one way.
        MemoryBudgetError: decoding it would take more than the budget.

    >>> read(np.full((1, 2, 3, 3), 7, "uint8"))
    Picture('array', 2 rows x 3 columns x 3 channels)
    """
    if order not in ("rgb", "bgr"):
        raise PictureError("There is no such channel order", expected="'rgb' or 'bgr'", received=repr(order))
    if isinstance(source, np.ndarray):
        return _read_array(source, order)
    if order == "bgr":
        raise PictureError(
            "Only an array needs a channel order",
            expected="an array with order='bgr'",
            received=_what(source),
            hint="For a network that wants BGR, say channels='bgr' in the recipe.",
        )
    if isinstance(source, Picture):
        return source
    if isinstance(source, (str, os.PathLike)):
        return _read_file(Path(os.fsdecode(source)), max_pixels, budget)
    if _is_pil(source):
        return _read_image(source, max_pixels)  # type: ignore[arg-type]  # recognised by name, to leave Pillow unloaded
    raise PictureError(
        "This is not a picture",
        expected="a path, a PIL image or a uint8 array of rows x columns x channels",
        received=_what(source),
        hint="A float array or a tensor is fed to the network as it is.",
    )


def read_bytes(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS) -> Picture:
    """A picture file that lies in memory, as it comes from a browser; ``name`` is only said.

    Raises:
        PictureError: it is no picture, is broken, or has more than ``max_pixels``.

    >>> read_bytes(cat_path().read_bytes(), "cat.png")
    Picture('cat.png', 300 rows x 451 columns x 3 channels)
    """
    from io import BytesIO

    from PIL import Image

    notes: list[str] = []
    with pillow(name, max_pixels, notes), Image.open(BytesIO(data), formats=FORMATS) as image:
        pixels = decode(image, name, max_pixels, notes, None)
    return Picture(pixels, name, tuple(dict.fromkeys(notes)))


def cat_path() -> Path:
    """Where the example picture lies: the cat Chelsea, by Stéfan van der Walt, CC0, from scikit-image."""
    return Path(__file__).parents[1] / "data" / "chelsea.png"


def cat() -> Picture:
    """The example picture, 300 rows x 451 columns.

    >>> cat()
    Picture('chelsea.png', 300 rows x 451 columns x 3 channels)
    """
    return read(cat_path())


def _what(value: object) -> str:
    if isinstance(value, np.ndarray):
        return f"a {value.dtype} array of shape {value.shape}"
    if isinstance(value, (str, os.PathLike)):
        return os.fsdecode(value)
    return f"a {type(value).__module__}.{type(value).__qualname__}"


def _is_pil(value: object) -> bool:
    module = sys.modules.get("PIL.Image")
    return module is not None and isinstance(value, module.Image)


# --- arrays


def _read_array(array: Pixels, order: str) -> Picture:
    if array.dtype not in (np.uint8, np.uint16):
        raise PictureError(
            "This array is not a picture",
            expected="uint8 (0..255) or uint16 (0..65535)",
            received=_what(array),
            hint="Pass array.astype('uint8') if its values are 0..255, or a float array to feed the network as it is.",
        )
    if array.dtype == np.uint16 and array.size and 0 < int(array.max()) < 256:
        raise PictureError(
            "This uint16 array could be 8-bit values or a very dark 16-bit picture",
            expected="uint8, or uint16 with values up to 65535",
            received=f"{_what(array)} with values up to {int(array.max())}",
            hint="Pass array.astype('uint8') if its values are 0..255.",
        )
    pixels, notes = _rows_columns_channels(array)
    channels = pixels.shape[2]
    if order == "bgr" and channels >= 3:
        pixels = pixels[..., [2, 1, 0, *range(3, channels)]]
        notes.append("BGR array turned to RGB")
    if array.dtype == np.uint16:
        notes.append("16-bit")
    if channels == 4:
        pixels = without_alpha(pixels, notes)
    return Picture(np.array(pixels, order="C", copy=True), "array", tuple(notes))


def _rows_columns_channels(array: Pixels) -> tuple[Pixels, list[str]]:
    notes = []
    pixels = array
    if pixels.ndim == 4 and len(pixels) == 1:
        pixels = pixels[0]
        notes.append("the only picture of a batch")
    elif pixels.ndim == 4:
        hint = "Pass one of them: pictures[0]." if len(pixels) else ""
        raise PictureError(
            "This array is a batch of pictures", expected="one picture", received=_what(array), hint=hint
        )
    if pixels.ndim == 2:
        pixels = pixels[..., None]
    if pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4) and pixels.shape[0] in (1, 3):
        pixels = pixels.transpose(1, 2, 0)
        notes.append("channels-first array turned to rows x columns x channels")
    elif pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise PictureError(
            "It isn't clear which axis of this array holds the channels",
            expected="rows x columns, or rows x columns x channels with 1, 3 or 4 (RGBA) channels",
            received=_what(array),
            hint="For channels first, pass array.transpose(1, 2, 0).",
        )
    if not pixels.size:
        raise PictureError("This array has no pixels", expected="at least 1 row and 1 column", received=_what(array))
    return pixels, notes


# --- files and PIL images


def _read_file(path: Path, max_pixels: int, budget: int | None) -> Picture:
    _check_is_file(path)
    from PIL import Image

    notes: list[str] = []
    with (
        pillow(str(path), max_pixels, notes),
        regular(path, PictureError, KNOWN) as file,
        Image.open(file, formats=FORMATS) as image,
    ):
        pixels = decode(image, str(path), max_pixels, notes, path, budget)
    return Picture(pixels, path.name, tuple(dict.fromkeys(notes)))


def _read_image(image: Image.Image, max_pixels: int) -> Picture:
    filename = getattr(image, "filename", "")
    name = Path(os.fsdecode(filename)).name if filename else "PIL image"
    notes: list[str] = []
    with pillow(name, max_pixels, notes):
        pixels = decode(image, name, max_pixels, notes, None)
    return Picture(pixels, name, tuple(dict.fromkeys(notes)))


def _check_is_file(path: Path) -> None:
    try:
        kind = "file" if path.is_file() else "folder" if path.is_dir() else "other" if path.exists() else "missing"
        empty = kind == "file" and path.stat().st_size == 0
        neighbours = [p.name for p in path.parent.iterdir()] if kind == "missing" and path.parent.is_dir() else []
    except OSError as error:
        raise PictureError("The picture can't be read", received=str(path), hint=f"{error.strerror}.") from None
    if kind == "folder":
        raise PictureError("A folder is not a picture", expected=KNOWN, received=f"the folder {path}")
    if kind == "missing":
        if "://" in str(path) or ":/" in str(path)[1:]:
            hint = "Download it first, and type the path of the file."
        else:
            close = closest(path.name, neighbours, n=1)
            hint = f"Did you mean {path.parent / close[0]}?" if close else "Check the spelling and the folder."
        raise PictureError("No such picture", expected="an existing file", received=str(path), hint=hint)
    if kind == "other":
        raise PictureError("This is not a regular file", expected=KNOWN, received=str(path))
    if empty:
        raise PictureError("The picture file is empty", expected=KNOWN, received=f"{path} with 0 bytes")
