"""Files: the format by the name, true to the canvas, and never half of one."""

from __future__ import annotations

import base64
import io
import os
import re
import stat
import sys
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
from convlens.draw.saving import FORMATS, save, write_atomically, writing_atomically
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


@pytest.mark.parametrize("failure", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError("bug")])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path, failure: BaseException) -> None:
    target = tmp_path / "maps.png"
    target.write_bytes(b"old")
    expected = OutputError if isinstance(failure, OSError) else type(failure)
    with pytest.raises(expected):
        _fail_halfway(target, failure)
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def _fail_halfway(target: Path, failure: BaseException) -> None:
    with writing_atomically(target) as part:
        part.write_bytes(b"half")
        raise failure


def test_a_full_disk_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: Path, data: bytes) -> int:
        with self.open("wb") as file:
            file.write(data[: len(data) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OutputError, match="no space left on device") as caught:
        write_atomically(tmp_path / "maps.png", b"whole picture")
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_write_replaces_the_whole_file(tmp_path: Path) -> None:
    target = tmp_path / "maps.bin"
    target.write_bytes(b"a much longer old file")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and links")
def test_the_file_has_usual_permissions_and_a_link_stays_a_link(tmp_path: Path) -> None:
    umask = os.umask(0o022)
    try:
        (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
        write_atomically(tmp_path / "link.png", b"x")
    finally:
        os.umask(umask)
    assert (tmp_path / "link.png").is_symlink()
    assert stat.S_IMODE((tmp_path / "real.png").stat().st_mode) == 0o644


@pytest.mark.parametrize("place", ["", "missing/maps.png", "file.txt/maps.png", "a\0b.png", "x" * 5000 + ".png"])
def test_places_that_cannot_be_written_are_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file.txt").write_text("a file, not a folder")
    with pytest.raises(OutputError) as caught:
        write_atomically(f"{tmp_path}/{place}", b"x")
    assert "\n" not in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]
