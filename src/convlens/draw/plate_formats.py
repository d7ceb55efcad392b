"""A printed figure in its formats: SVG and PDF with text as text and rasters as they are, PNG at any resolution."""

from __future__ import annotations

import base64
import os
import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from pathlib import Path

import numpy as np

from convlens.draw import theme, vector
from convlens.draw.colours import Bytes
from convlens.draw.lettering import drawable, font_file, known, one_line, text_coverage
from convlens.draw.plates import POINT, Plate, Raster, Stroke, Words, drawn_width
from convlens.draw.png import encode_indexed, encode_rgb
from convlens.errors import DrawingError, OutputError
from convlens.writing import write

DPI = 300
FORMATS = (".svg", ".pdf", ".png")

_MOST_DOTS = 200_000_000
_SCREEN = 144
_FONT = "Aileron"
_LONG = 12  # letters from which on a line keeps its width, whatever the viewer's font is
_FINER = 4  # so many times finer than dots is the grid on which the letters of a PNG are drawn
_AFTER_HEADER = 33  # bytes of a PNG's signature and header


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure for print: of exact size, its maps one raster each at their own resolution, its text editable.

    ``caption`` is its text, also where it isn't drawn. It shows itself in a notebook.
    """

    plate: Plate
    caption: str = ""

    @property
    def width(self) -> float:
        """In millimetres."""
        return self.plate.width

    @property
    def height(self) -> float:
        """In millimetres."""
        return self.plate.height

    def svg(self) -> str:
        """As SVG: text stays text, in a font that it carries."""
        return _svg(self.plate)

    def pdf(self) -> bytes:
        """As PDF of one page, its font embedded. Letters that the font lacks become question marks."""
        return _pdf(self.plate)

    def png(self, dpi: float = DPI) -> bytes:
        """As PNG. Where a map has more values than there are dots, a dot is the mean colour of its values.

        Raises:
            DrawingError: so many dots that no picture can have them, or none.
        """
        return _png(self.plate, dpi)

    def save(self, path: str | os.PathLike[str], *, dpi: float = DPI, force: bool = False) -> Path:
        """Write it as ``.svg``, ``.pdf`` or ``.png`` at ``dpi`` dots an inch; ``force`` overwrites any file.

        Raises:
            OutputError: another ending, somebody else's file is there, or the file can't be written.
        """
        suffix = Path(path).suffix.lower()
        if suffix not in FORMATS:
            raise OutputError(
                "The figure's format can't be told",
                expected="a path ending in " + ", ".join(FORMATS),
                received=repr(os.fspath(path)),
                hint=f"Type {os.fspath(Path(path).with_suffix('.pdf'))!r}, for example." if Path(path).name else "",
            )
        data = self.png(dpi) if suffix == ".png" else self.pdf() if suffix == ".pdf" else self.svg().encode()
        return write(path, data, force=force)

    def _repr_svg_(self) -> str:
        return self.svg()

    def _repr_png_(self) -> bytes:
        return self.png(_SCREEN)


def _svg(plate: Plate) -> str:
    size = f'width="{plate.width:g}mm" height="{plate.height:g}mm" viewBox="0 0 {plate.width:g} {plate.height:g}"'
    font = base64.b64encode(font_file()).decode("ascii")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="{_FONT}, Helvetica, Arial, sans-serif">',
        f"<title>{escape(one_line(plate.title))}</title>",
        "<metadata>convlens</metadata>",
        f"<style>@font-face{{font-family:{_FONT};src:url(data:font/ttf;base64,{font})}}</style>",
        f'<rect width="{plate.width:g}" height="{plate.height:g}" fill="{theme.hexadecimal(theme.PAGE)}"/>',
    ]
    for one in plate.rasters:
        data = base64.b64encode(encode_indexed(one.pixels, one.palette)).decode("ascii")
        lines.append(
            f'<image x="{one.x:.4g}" y="{one.y:.5g}" width="{one.width:.5g}" height="{one.height:.5g}" '
            f'preserveAspectRatio="none" style="image-rendering:pixelated" href="data:image/png;base64,{data}"/>'
        )
    lines += [_svg_line(line) for line in plate.strokes]
    lines += [_svg_words(text) for text in plate.words if text.string]
    return "\n".join([*lines, "</svg>", ""])


def _svg_line(line: Stroke) -> str:
    return (
        f'<path d="M{line.x:.5g} {line.y:.5g}L{line.to_x:.5g} {line.to_y:.5g}" stroke-linecap="square" '
        f'stroke="{theme.hexadecimal(line.colour)}" stroke-width="{line.points * POINT:.4g}"/>'
    )


def _svg_words(text: Words) -> str:
    fitted = len(text.string) >= _LONG and not text.bold and known(text.string)
    length = f' textLength="{text.width:.5g}" lengthAdjust="spacingAndGlyphs"' if fitted else ""
    bold = ' font-weight="bold"' if text.bold else ""
    anchor = "" if text.anchor == "start" else f' text-anchor="{text.anchor}"'
    return (
        f'<text x="{text.x:.5g}" y="{text.y:.5g}" font-size="{text.points * POINT:.4g}"{bold}{anchor} '
        f'fill="{theme.hexadecimal(text.colour)}"{length}>{escape(one_line(text.string))}</text>'
    )


def _pdf(plate: Plate) -> bytes:
    names = " ".join(f"/I{n} {8 + n} 0 R" for n in range(len(plate.rasters))).encode()
    width, height = plate.width / POINT, plate.height / POINT
    title = drawable(plate.title).encode("cp1252", "replace")
    info = b"<< /Producer (convlens) /Title (%s) >>" % _escaped(title)
    return vector.document(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.4f %.4f] /Contents 4 0 R "
            b"/Resources << /XObject << %s >> /Font << /F 5 0 R >> >> >>" % (width, height, names),
            vector.stream(b"", zlib.compress(_pdf_content(plate))),
            *vector.font_objects(6),
            *(_pdf_image(one) for one in plate.rasters),
            info,
        ]
    )


def _pdf_image(one: Raster) -> bytes:
    rows, columns = one.pixels.shape
    return vector.stream(
        b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /Interpolate false "
        b"/ColorSpace [/Indexed /DeviceRGB %d <%s>]"
        % (columns, rows, len(one.palette) - 1, one.palette.tobytes().hex().encode()),
        zlib.compress(np.ascontiguousarray(one.pixels).tobytes(), 6),
    )


def _pdf_content(plate: Plate) -> bytes:
    def down(y: float) -> float:
        return (plate.height - y) / POINT

    parts = []
    for number, one in enumerate(plate.rasters):
        place = (one.width / POINT, one.height / POINT, one.x / POINT, down(one.y + one.height))
        parts.append(b"q %.4f 0 0 %.4f %.4f %.4f cm /I%d Do Q" % (*place, number))
    for line in plate.strokes:
        ends = (line.x / POINT, down(line.y), line.to_x / POINT, down(line.to_y))
        parts.append(
            b"%.3f %.3f %.3f RG 2 J %.3f w %.4f %.4f m %.4f %.4f l S" % (*_shares(line.colour), line.points, *ends)
        )
    parts.append(b"BT")
    for text in plate.words:
        string = drawable(text.string).encode("cp1252", "replace")
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
        x = text.x / POINT - shift * vector.string_width(string, text.points)
        colour = _shares(text.colour)
        weight = b"%.3f %.3f %.3f RG %.3f w 2 Tr" % (*colour, text.points * 0.035) if text.bold else b"0 Tr"
        parts.append(
            b"%.3f %.3f %.3f rg %s /F %.2f Tf 1 0 0 1 %.3f %.3f Tm (%s) Tj"
            % (*colour, weight, text.points, x, down(text.y), _escaped(string))
        )
    return b"\n".join([*parts, b"ET"])


def _shares(colour: theme.Rgb) -> tuple[float, float, float]:
    red, green, blue = colour
    return red / 255, green / 255, blue / 255


def _escaped(string: bytes) -> bytes:
    return string.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")


def _png(plate: Plate, dpi: float) -> bytes:
    dots = dpi / 25.4  # a millimetre
    columns, rows = round(plate.width * dots), round(plate.height * dots)
    if not dpi > 0 or not rows * columns or rows * columns > _MOST_DOTS:
        raise DrawingError(
            "The figure can't have so many dots",
            expected=f"from 1 to {_MOST_DOTS:,} dots in all",
            received=f"{dpi:g} dots an inch on {plate.width:g} x {plate.height:.0f} mm",
            hint="Type dpi=300 (--dpi 300), for example.",
        )
    page = np.full((rows, columns, 3), theme.PAGE, np.uint8)
    for one in plate.rasters:
        x, y = round(one.x * dots), round(one.y * dots)
        right, bottom = round((one.x + one.width) * dots), round((one.y + one.height) * dots)
        into = page[y:bottom, x:right]
        into[:] = _fitted(one, into.shape[0], into.shape[1])
    for line in plate.strokes:
        _draw_line(page, line, dots)
    for text in plate.words:
        _draw_words(page, text, dots)
    made = encode_rgb(page)
    metre = round(dpi / 0.0254)
    chunk = b"pHYs" + struct.pack(">IIB", metre, metre, 1)
    physical = struct.pack(">I", 9) + chunk + struct.pack(">I", zlib.crc32(chunk))
    return made[:_AFTER_HEADER] + physical + made[_AFTER_HEADER:]


def _fitted(one: Raster, rows: int, columns: int) -> Bytes:
    """The raster in so many dots: each value some dots, or each dot the mean of some values."""
    from PIL import Image

    height, width = one.pixels.shape
    down = np.minimum((np.arange(rows) + 0.5) * height // max(rows, 1), height - 1).astype(np.intp)
    across = np.minimum((np.arange(columns) + 0.5) * width // max(columns, 1), width - 1).astype(np.intp)
    if rows >= height and columns >= width:
        near: Bytes = one.palette[one.pixels[down[:, None], across]]
        return near
    coloured = one.palette[one.pixels]
    if rows >= height:
        coloured = coloured[down]
    if columns >= width:
        coloured = coloured[:, across]
    return np.asarray(Image.fromarray(coloured).resize((columns, rows), Image.Resampling.BOX))


def _draw_line(page: Bytes, line: Stroke, dots: float) -> None:
    thick = max(1, round(line.points * POINT * dots))
    steps = 1 if line.x == line.to_x or line.y == line.to_y else round(abs(line.to_x - line.x) * dots) + 1
    before = thick // 2
    if steps == 1:  # along an edge: one rectangle
        x, to_x = sorted((round(line.x * dots), round(line.to_x * dots)))
        y, to_y = sorted((round(line.y * dots), round(line.to_y * dots)))
        page[max(y - before, 0) : to_y - before + thick, max(x - before, 0) : to_x - before + thick] = line.colour
        return
    xs = np.rint(np.linspace(line.x * dots, line.to_x * dots, steps)).astype(np.intp)
    ys = np.rint(np.linspace(line.y * dots, line.to_y * dots, steps)).astype(np.intp)
    for x, y in zip(xs, ys, strict=True):
        page[max(y - before, 0) : y - before + thick, max(x - before, 0) : x - before + thick] = line.colour


def _draw_words(page: Bytes, text: Words, dots: float) -> None:
    """Write a line word by word, each where it stands in the other formats too, to a fraction of a dot."""
    size = max(1, round(text.points * POINT * dots * _FINER))
    space = drawn_width("i i", text.points) - drawn_width("ii", text.points)
    shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
    start = text.x - shift * drawn_width(text.string, text.points)
    before = ""
    for word in one_line(text.string).split(" "):
        x = start + drawn_width(before, text.points) + (space if before else 0.0)
        letters, left, top = _letters(word, size, text.bold)
        _stamp(page, letters, round(x * dots * _FINER) + left, round(text.y * dots) * _FINER + top, text.colour)
        before = f"{before} {word}" if before else word


def _stamp(page: Bytes, letters: Bytes, x: int, y: int, colour: theme.Rgb) -> None:
    """Put letters of a finer grid, their corner there at ``x``, ``y``, on the page: each dot is covered in part."""
    height, width = letters.shape
    before = (y % _FINER, x % _FINER)
    padding = tuple((gap, -(gap + length) % _FINER) for gap, length in zip(before, (height, width), strict=True))
    fine = np.pad(letters, padding).astype(np.float32)
    rows, columns = fine.shape[0] // _FINER, fine.shape[1] // _FINER
    share = fine.reshape(rows, _FINER, columns, _FINER).mean(axis=(1, 3)) / 255
    left, top = x // _FINER, y // _FINER
    x0, y0 = max(left, 0), max(top, 0)
    under = page[y0 : max(top + rows, 0), x0 : max(left + columns, 0)]
    if under.size:
        part = share[y0 - top : y0 - top + under.shape[0], x0 - left : x0 - left + under.shape[1], None]
        under[:] = np.rint(under + (np.array(colour, np.float32) - under) * part).astype(np.uint8)


@lru_cache(maxsize=4096)
def _letters(string: str, size: int, bold: bool) -> tuple[Bytes, int, int]:
    coverage, left, top = text_coverage(string, size)
    extra = max(1, round(size * 0.04)) if bold and coverage.size else 0
    if extra:  # the font has one weight: a letter beside itself is a bold one
        width = coverage.shape[1]
        wide = np.zeros((coverage.shape[0], width + extra), np.uint8)
        for shift in range(extra + 1):
            np.maximum(wide[:, shift : shift + width], coverage, out=wide[:, shift : shift + width])
        coverage = wide
    return coverage, left, top
