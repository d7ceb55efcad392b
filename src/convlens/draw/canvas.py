"""A picture in the making: palette indices for pixels, and text kept as text until the format is known."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from convlens.draw import colours, theme
from convlens.draw.colours import Bytes
from convlens.draw.lettering import one_line, text_coverage
from convlens.draw.png import encode_indexed, encode_rgb

Anchor = Literal["start", "middle", "end"]


@dataclass(frozen=True, slots=True)
class Text:
    """One line of text; ``x``, ``y`` is where its baseline starts, has its middle, or ends.

    ``tone`` runs from 0, the page, to 1, the ink; ``colour`` replaces it for text that stands on coloured cells.
    """

    x: int
    y: int
    string: str
    size: int = theme.TEXT_SIZE
    tone: float = theme.INK_TONE
    anchor: Anchor = "start"
    colour: theme.Rgb | None = None


@dataclass(frozen=True, slots=True)
class Patch:
    """True-colour pixels (rows, columns, 3) with their upper left corner at ``x``, ``y``."""

    x: int
    y: int
    pixels: Bytes


@dataclass
class Canvas:
    """A page of ``pixels`` (rows, columns) of palette indices, under its ``texts`` and true-colour ``patches``."""

    pixels: Bytes
    palette: Bytes
    texts: list[Text] = field(default_factory=list)
    patches: list[Patch] = field(default_factory=list)

    @classmethod
    def blank(cls, width: int, height: int, palette: Bytes) -> Canvas:
        """Return an empty page of ``width`` x ``height`` pixels."""
        return cls(np.full((height, width), colours.PAGE, np.uint8), palette)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return int(self.pixels.shape[0])

    def fill(self, x: int, y: int, width: int, height: int, colour: int) -> None:
        """Fill a rectangle with one palette index."""
        self.pixels[y : y + height, x : x + width] = colour

    def outline(self, x: int, y: int, width: int, height: int, colour: int, thickness: int = 1) -> None:
        """Draw a frame around a rectangle, on its outside."""
        left, top, right, bottom = x - thickness, y - thickness, x + width + thickness, y + height + thickness
        self.pixels[top:y, left:right] = colour
        self.pixels[y + height : bottom, left:right] = colour
        self.pixels[top:bottom, left:x] = colour
        self.pixels[top:bottom, x + width : right] = colour

    def paste(self, x: int, y: int, indices: Bytes) -> None:
        """Put palette indices (rows, columns) with their upper left corner at ``x``, ``y``."""
        self.pixels[y : y + indices.shape[0], x : x + indices.shape[1]] = indices

    def write(
        self,
        x: int,
        y: int,
        string: str,
        *,
        size: int = theme.TEXT_SIZE,
        tone: float = theme.INK_TONE,
        anchor: Anchor = "start",
        colour: theme.Rgb | None = None,
    ) -> None:
        """Write one line of text; see :class:`Text`."""
        self.texts.append(Text(x, y, one_line(string), size, tone, anchor, colour))

    @property
    def indexed(self) -> bool:
        """Whether the palette holds every colour of the picture."""
        return not self.patches and all(text.colour is None for text in self.texts)

    def raster(self, zoom: int = 1, *, text: bool = True) -> Bytes:
        """Return palette indices (rows, columns), or true colours (rows, columns, 3) where the palette can't do.

        ``zoom`` repeats every pixel so many times; text is drawn at its full sharpness.
        """
        pixels = enlarge(self.pixels, zoom) if zoom > 1 else self.pixels.copy()
        if not self.indexed:
            pixels = self.palette[pixels]
            for patch in self.patches:
                top, left = patch.y * zoom, patch.x * zoom
                block = enlarge(patch.pixels, zoom)
                pixels[top : top + block.shape[0], left : left + block.shape[1]] = block
        if text:
            for written in self.texts:
                _stamp(pixels, written, zoom)
        return pixels

    def png(self, zoom: int = 1) -> bytes:
        """Return the picture as PNG."""
        raster = self.raster(zoom)
        return encode(raster, self.palette)


def encode(raster: Bytes, palette: Bytes) -> bytes:
    """Return palette indices (rows, columns) or true colours (rows, columns, 3) as PNG."""
    return encode_indexed(raster, palette) if raster.ndim == 2 else encode_rgb(raster)


def enlarge(pixels: Bytes, factor: int) -> Bytes:
    """Return ``pixels`` (rows, columns, ...) with each pixel as ``factor`` x ``factor`` pixels: nothing is blurred.

    >>> enlarge(np.array([[1, 2]], np.uint8), 2).tolist()
    [[1, 1, 2, 2], [1, 1, 2, 2]]
    """
    return pixels if factor == 1 else pixels.repeat(factor, axis=1).repeat(factor, axis=0)


@lru_cache(maxsize=8192)
def _greys(string: str, size: int, tone: float) -> tuple[Bytes, int, int]:
    coverage, left, top = text_coverage(string, size)
    greys = np.rint(coverage * (tone * colours.TEXT_LEVELS / 255)).astype(np.uint8) + np.uint8(colours.PAGE)
    return greys, left, top


def _stamp(pixels: Bytes, text: Text, zoom: int) -> None:
    if not text.string:
        return
    size = text.size * zoom
    if pixels.ndim == 2:
        bitmap, left, top = _greys(text.string, size, text.tone)
    else:
        bitmap, left, top = text_coverage(text.string, size)
    height, width = bitmap.shape
    shift = {"start": 0, "middle": (width + 1) // 2, "end": width}[text.anchor]
    x, y = text.x * zoom + left - shift, text.y * zoom + top
    x0, y0 = max(x, 0), max(y, 0)
    x1, y1 = min(x + width, pixels.shape[1]), min(y + height, pixels.shape[0])
    if x1 <= x0 or y1 <= y0:
        return
    bitmap = bitmap[y0 - y : y1 - y, x0 - x : x1 - x]
    under = pixels[y0:y1, x0:x1]
    if pixels.ndim == 2:
        np.maximum(under, bitmap, out=under)
        return
    ink = np.array(text.colour or theme.INK, np.float32)
    share = bitmap[:, :, None] * np.float32((1 if text.colour else text.tone) / 255)
    under[:] = np.rint(under + (ink - under) * share).astype(np.uint8)
