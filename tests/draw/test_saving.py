"""Files: the format by the name, true to the canvas, and never half of one."""

from __future__ import annotations

import base64
import io
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from convlens.draw.canvas import Canvas
from convlens.draw.kernels import draw_kernels
from convlens.draw.mosaic import draw_mosaic
from convlens.draw.page import Words
from convlens.draw.saving import FORMATS, save
from convlens.draw.vector import pdf, svg
from convlens.errors import OutputError

HOSTILE = "</text><script>alert(1)</script> & \"quoted\" 'name' 🙂 مرحبا (x\\y)"
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def canvas() -> Canvas:
    return draw_mosaic(np.random.default_rng(0).normal(size=(6, 5, 5)), Words(HOSTILE, "caption"))


def rgb(canvas: Canvas) -> np.ndarray:
    raster = canvas.raster()
    return canvas.palette[raster] if raster.ndim == 2 else raster


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
def test_raster_formats_have_the_very_pixels(canvas: Canvas, tmp_path: Path, suffix: str) -> None:
    save(canvas, tmp_path / f"maps{suffix}")
    assert (np.asarray(Image.open(tmp_path / f"maps{suffix}").convert("RGB")) == rgb(canvas)).all()


def test_true_colour_canvases_are_saved_too(tmp_path: Path) -> None:
    kernels = draw_kernels(np.random.default_rng(0).normal(size=(4, 3, 3, 3)), Words(), colour=True)
    for suffix in FORMATS:
        save(kernels, tmp_path / f"kernels{suffix}")
    assert (np.asarray(Image.open(tmp_path / "kernels.webp")) == rgb(kernels)).all()


def test_svg_holds_the_pixels_and_the_words_as_text(canvas: Canvas) -> None:
    root = ET.fromstring(svg(canvas))
    texts = ["".join(element.itertext()) for element in root.iter(f"{SVG}text")]
    assert texts == [text.string for text in canvas.texts if text.string]
    assert HOSTILE.split()[0] in " ".join(texts)
    assert not list(root.iter(f"{SVG}script"))
    image = next(root.iter(f"{SVG}image"))
    data = base64.b64decode(image.attrib["href"].split(",", 1)[1])
    assert (np.asarray(Image.open(io.BytesIO(data))) == canvas.raster(text=False)).all()
    assert "pixelated" in image.attrib["style"]


def test_pdf_holds_the_pixels_the_words_and_the_font(canvas: Canvas) -> None:
    data = pdf(canvas)
    offsets = [int(found) for found in re.findall(rb"(\d{10}) 00000 n", data)]
    assert [data[at:].split(b" ", 1)[0] for at in offsets] == [b"%d" % number for number in range(1, len(offsets) + 1)]
    start = int(data.rsplit(b"startxref\n", 1)[1].split()[0])
    assert data[start:].startswith(b"xref")
    streams = [
        zlib.decompress(data[match.end() : match.end() + int(match.group(1))])
        for match in re.finditer(rb"/Length (\d+) >>\nstream\n", data)
    ]
    content, image, font = streams
    assert np.frombuffer(image, np.uint8).tobytes() == canvas.raster(text=False).tobytes()
    assert b"(caption) Tj" in content
    assert rb"\(x\\y\)" in content
    assert font[:4] == b"\x00\x01\x00\x00"
    assert b"/FontFile2" in data


def test_an_unknown_format_is_refused_with_the_known_ones(canvas: Canvas, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"\.png, \.webp, \.svg, \.pdf"):
        save(canvas, tmp_path / "maps.jpeg2000")
    assert list(tmp_path.iterdir()) == []


def test_webp_refuses_what_it_cannot_hold(tmp_path: Path) -> None:
    wide = Canvas.blank(20_000, 1, np.zeros((256, 3), np.uint8))
    with pytest.raises(OutputError, match="16383"):
        save(wide, tmp_path / "wide.webp")
    assert list(tmp_path.iterdir()) == []
