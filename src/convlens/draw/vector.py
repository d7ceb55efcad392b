"""A canvas as SVG or PDF: its pixels as one crisp image, its words as text that can be searched and copied."""

from __future__ import annotations

import base64
import zlib
from html import escape

import numpy as np

from convlens.draw import theme
from convlens.draw.canvas import Canvas, Text, encode
from convlens.draw.lettering import drawable, font_file, known, text_width

_FIRST, _LAST = 32, 255
_FONT_UNITS = 1000
_POINTS_PER_PIXEL = 0.75  # 96 pixels and 72 points an inch


def text_colour(text: Text) -> theme.Rgb:
    """Return the colour of a text: its own, or its tone between page and ink."""
    if text.colour is not None:
        return text.colour
    red, green, blue = (round(page + (ink - page) * text.tone) for page, ink in zip(theme.PAGE, theme.INK, strict=True))
    return red, green, blue


def svg(canvas: Canvas) -> str:
    """Return the canvas as an SVG document.

    >>> from convlens.draw.colours import palette
    >>> svg(Canvas.blank(8, 8, palette(True))).startswith("<svg")
    True
    """
    width, height = canvas.width, canvas.height
    image = base64.b64encode(encode(canvas.raster(text=False), canvas.palette)).decode("ascii")
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'font-family="{theme.SANS_SERIF}">',
        "<metadata>convlens</metadata>",
        f'<image width="{width}" height="{height}" style="image-rendering:pixelated" '
        f'href="data:image/png;base64,{image}"/>',
    ]
    for text in canvas.texts:
        if text.string:
            colour = theme.hexadecimal(text_colour(text))
            fitted = f' textLength="{text_width(text.string, text.size)}" lengthAdjust="spacingAndGlyphs"'
            lines.append(
                f'<text x="{text.x}" y="{text.y}" font-size="{text.size}" fill="{colour}" '
                f'text-anchor="{text.anchor}"{fitted if known(text.string) else ""}>{escape(text.string)}</text>'
            )
    return "\n".join([*lines, "</svg>", ""])


def pdf(canvas: Canvas) -> bytes:
    """Return the canvas as a PDF of one page, its font embedded (PDF 1.7, ISO 32000-1)."""
    raster = canvas.raster(text=False)
    if raster.ndim == 2:
        space = b"[/Indexed /DeviceRGB 255 <" + canvas.palette.tobytes().hex().encode() + b">]"
    else:
        space = b"/DeviceRGB"
    image = zlib.compress(np.ascontiguousarray(raster).tobytes(), 6)
    width, height = canvas.width * _POINTS_PER_PIXEL, canvas.height * _POINTS_PER_PIXEL
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 %.2f %.2f] /Contents 4 0 R "
        b"/Resources << /XObject << /I 5 0 R >> /Font << /F 6 0 R >> >> >>" % (width, height),
        stream(b"", zlib.compress(_page_content(canvas))),
        stream(
            b"/Type /XObject /Subtype /Image /Width %d /Height %d /BitsPerComponent 8 /Interpolate false "
            b"/ColorSpace %s" % (canvas.width, canvas.height, space),
            image,
        ),
        *font_objects(7),
        b"<< /Producer (convlens) >>",
    ]
    return document(objects)


def font_objects(second: int) -> list[bytes]:
    """Return the three objects of the picture font; ``second`` is the number that the second of them gets."""
    font = font_file()
    widths = " ".join(str(_character_width(code)) for code in range(_FIRST, _LAST + 1))
    return [
        b"<< /Type /Font /Subtype /TrueType /BaseFont /Aileron-Regular /Encoding /WinAnsiEncoding "
        b"/FirstChar %d /LastChar %d /Widths [%s] /FontDescriptor %d 0 R >>" % (_FIRST, _LAST, widths.encode(), second),
        b"<< /Type /FontDescriptor /FontName /Aileron-Regular /Flags 32 /FontBBox [-200 -250 1200 950] "
        b"/ItalicAngle 0 /Ascent 950 /Descent -250 /CapHeight 710 /StemV 80 /FontFile2 %d 0 R >>" % (second + 1),
        stream(b"/Length1 %d" % len(font), zlib.compress(font)),
    ]


def string_width(string: bytes, size: float) -> float:
    """Return how wide a string of the font's encoding is, in the unit of ``size``."""
    return sum(_character_width(code) for code in string) * size / _FONT_UNITS


def _character_width(code: int) -> int:
    try:
        return text_width(bytes([code]).decode("cp1252"), _FONT_UNITS) if code != 32 else 320
    except UnicodeDecodeError:
        return 0


def _page_content(canvas: Canvas) -> bytes:
    height = canvas.height
    parts = [
        b"%.4f 0 0 %.4f 0 0 cm" % (_POINTS_PER_PIXEL, _POINTS_PER_PIXEL),
        b"q %d 0 0 %d 0 0 cm /I Do Q" % (canvas.width, height),
        b"BT",
    ]
    for text in canvas.texts:
        string = drawable(text.string).encode("cp1252", "replace")
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.anchor]
        x = text.x - shift * string_width(string, text.size)
        escaped = string.replace(b"\\", rb"\\").replace(b"(", rb"\(").replace(b")", rb"\)")
        red, green, blue = (part / 255 for part in text_colour(text))
        parts.append(
            b"%.3f %.3f %.3f rg /F %d Tf 1 0 0 1 %.2f %d Tm (%s) Tj"
            % (red, green, blue, text.size, x, height - text.y, escaped)
        )
    parts.append(b"ET")
    return b"\n".join(parts)


def stream(entries: bytes, body: bytes) -> bytes:
    """Return a stream object of a body that is deflated already."""
    return b"<< %s /Filter /FlateDecode /Length %d >>\nstream\n%s\nendstream" % (entries, len(body), body)


def document(objects: list[bytes]) -> bytes:
    """Return a PDF of these objects, numbered from 1; the first is the catalogue, the last the facts."""
    out = bytearray(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
    offsets = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    out += b"trailer << /Size %d /Root 1 0 R /Info %d 0 R >>\n" % (len(objects) + 1, len(objects))
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)
