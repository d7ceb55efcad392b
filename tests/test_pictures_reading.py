"""Reading picture files and PIL images. Oracle: Pillow itself, and the written pixels."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageOps

from convlens.errors import PictureError
from convlens.pictures import MAX_PIXELS, Picture, cat, cat_path, read

Array = NDArray[Any]
RANDOM = np.random.default_rng(7)
COLOUR = RANDOM.integers(0, 256, (5, 7, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (5, 7, 4), dtype=np.uint16)


def png(samples: Array, colour_type: int, chunks: bytes = b"", filtered: bool = False) -> bytes:
    """A PNG file with these big-endian samples, which Pillow can't write: 16-bit colour."""
    depth = samples.dtype.itemsize * 8
    rows, columns, channels = samples.shape
    lines = samples.astype(samples.dtype.newbyteorder(">")).view(np.uint8).reshape(rows, -1)
    kind = 0
    if filtered:  # filter 1: each byte less the byte one pixel to the left
        pixel = channels * samples.dtype.itemsize
        lines = lines - np.pad(lines, ((0, 0), (pixel, 0)))[:, :-pixel]
        kind = 1
    data = zlib.compress(b"".join(bytes([kind]) + line.tobytes() for line in lines))
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour_type, 0, 0, 0)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", header) + chunks + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(samples: Array, order: str, deflate: bool = False) -> bytes:
    """A TIFF file with one strip of 16-bit colour, little-endian (``<``) or big-endian (``>``)."""
    rows, columns, channels = samples.shape
    data = samples.astype(samples.dtype.newbyteorder(order)).tobytes()  # type: ignore[arg-type]
    data = zlib.compress(data) if deflate else data
    bits_at, data_at = 8, 8 + 2 * channels
    entries = [
        (256, 4, 1, columns),
        (257, 4, 1, rows),
        (258, 3, channels, bits_at),
        (259, 3, 1, 8 if deflate else 1),
        (262, 3, 1, 2),
        (273, 4, 1, data_at),
        (277, 3, 1, channels),
        (278, 4, 1, rows),
        (279, 4, 1, len(data)),
    ]
    bits = struct.pack(f"{order}{channels}H", *[16] * channels)
    directory = struct.pack(f"{order}H", len(entries))
    for tag, kind, count, value in entries:
        short = kind == 3 and count == 1
        directory += struct.pack(f"{order}HHI", tag, kind, count)
        directory += struct.pack(f"{order}HH", value, 0) if short else struct.pack(f"{order}I", value)
    start = data_at + len(data)
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, start)
    return head + bits + data + directory + bytes(4)


def saved(tmp_path: Path, name: str, image: Image.Image, **options: Any) -> Path:
    path = tmp_path / name
    image.save(path, **options)
    return path


def written(tmp_path: Path, name: str, content: bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content)
    return path


def test_the_cat_is_in_the_package() -> None:
    picture = cat()
    assert picture.pixels.shape == (300, 451, 3)
    assert np.array_equal(picture.pixels, np.asarray(Image.open(cat_path())))
    assert (cat_path().parent / "README.md").read_text().count("CC0") == 1


@pytest.mark.parametrize("name", ["a.png", "a.webp", "a.tif", "a.bmp", "A.PNG"])
def test_row_34_lossless_formats_give_the_very_pixels(tmp_path: Path, name: str) -> None:
    options = {"lossless": True} if name.endswith("webp") else {}
    picture = read(saved(tmp_path, name, Image.fromarray(COLOUR), **options))
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.pixels.dtype == np.uint8
    assert (picture.name, picture.notes) == (name, ())


def test_row_34_jpeg_is_what_pillow_decodes(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", Image.fromarray(COLOUR), quality=90)
    assert np.array_equal(read(str(path)).pixels, np.asarray(Image.open(path)))


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_row_34_grey_and_palette(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(COLOUR).convert(mode)
    picture = read(saved(tmp_path, "a.png", image))
    expected = np.asarray(image.convert("RGB" if mode == "P" else "L"))
    assert picture.channels == (3 if mode == "P" else 1)
    assert np.array_equal(picture.pixels.squeeze(), expected)


def test_row_34_cmyk_is_turned_to_rgb_and_said(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.jpg", Image.fromarray(COLOUR).convert("CMYK"), quality=95)
    picture = read(path)
    assert np.array_equal(picture.pixels, np.asarray(Image.open(path).convert("RGB")))
    assert picture.notes == ("CMYK turned to RGB without its colour profile",)


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.png", "a.tif"])
def test_row_34_the_first_of_several_frames_and_said(tmp_path: Path, name: str) -> None:
    frames = [Image.new("RGB", (4, 3), (value, 0, 0)) for value in (255, 0, 128)]
    options = {"lossless": True} if name.endswith("webp") else {}
    path = saved(tmp_path, name, frames[0], save_all=True, append_images=frames[1:], **options)
    picture = read(path)
    assert np.array_equal(picture.pixels, np.asarray(frames[0]))
    assert "first frame of 3" in picture.notes


def test_row_34_a_later_frame_that_the_caller_chose(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (4, 3), (value, 0, 0)) for value in (255, 0, 128)]
    with Image.open(saved(tmp_path, "a.gif", frames[0], save_all=True, append_images=frames[1:])) as image:
        image.seek(2)
        picture = read(image)
    assert "frame 3 of 3" in picture.notes
    assert picture.pixels[0, 0].tolist() == [128, 0, 0]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.tif", "a.webp"])
def test_row_34_exif_rotation_is_applied_and_noted(tmp_path: Path, name: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = saved(tmp_path, name, Image.fromarray(COLOUR), exif=exif)
    with Image.open(path) as image:
        expected = np.asarray(ImageOps.exif_transpose(image).convert("RGB"))
    picture = read(path)
    assert np.array_equal(picture.pixels, expected)
    assert ("EXIF rotation applied" in picture.notes) == (orientation != 1)
    with Image.open(path) as image:
        assert np.array_equal(read(image).pixels, expected)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_row_34_an_exif_rotation_that_does_not_exist(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read(saved(tmp_path, "a.png", Image.fromarray(COLOUR), exif=exif))
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.notes == ()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_row_34_alpha_is_composited_on_white(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(RANDOM.integers(0, 256, (16, 16, 4), dtype=np.uint8)).convert(mode)
    picture = read(saved(tmp_path, "a.png", image))
    samples = np.asarray(image).astype(float)
    share = samples[..., -1:] / 255
    assert np.array_equal(picture.pixels, np.floor(samples[..., :-1] * share + 255 * (1 - share) + 0.5))
    assert picture.notes == ("alpha composited on white",)
    white = Image.new("RGBA", image.size, "white")
    pillow = np.asarray(Image.alpha_composite(white, image.convert("RGBA")).convert("RGB")).astype(int)
    assert np.abs(pillow - picture.pixels).max() <= 1


def test_row_34_opaque_alpha_changes_nothing(tmp_path: Path) -> None:
    picture = read(saved(tmp_path, "a.png", Image.fromarray(COLOUR).convert("RGBA")))
    assert np.array_equal(picture.pixels, COLOUR)
    assert picture.notes == ("opaque alpha dropped",)


@pytest.mark.parametrize("mode", ["L", "RGB", "P"])
def test_row_34_a_colour_named_transparent_becomes_white(tmp_path: Path, mode: str) -> None:
    image = Image.new(mode, (3, 2), 5 if mode != "RGB" else (5, 5, 5))
    image.putpixel((1, 1), 9 if mode != "RGB" else (9, 9, 9))
    if mode == "P":
        image.putpalette([value for value in range(256) for _ in range(3)])
    picture = read(saved(tmp_path, "a.png", image, transparency=9 if mode != "RGB" else (9, 9, 9)))
    assert np.unique(picture.pixels[1, 1]).tolist() == [255]
    assert np.unique(picture.pixels[0]).tolist() == [5]
    assert "alpha composited on white" in picture.notes


@pytest.mark.parametrize("filtered", [False, True])
@pytest.mark.parametrize(("colour_type", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)])
def test_row_34_16_bit_png_keeps_both_bytes(tmp_path: Path, colour_type: int, channels: int, filtered: bool) -> None:
    samples = DEEP[..., :channels].copy()
    if channels in (2, 4):
        samples[..., -1] = 65535
    picture = read(written(tmp_path, "a.png", png(samples, colour_type, filtered=filtered)))
    assert picture.pixels.dtype == np.uint16
    assert np.array_equal(picture.pixels, samples if channels in (1, 3) else samples[..., :-1])
    assert "16-bit" in picture.notes


def test_row_34_16_bit_alpha_is_composited_on_white(tmp_path: Path) -> None:
    picture = read(written(tmp_path, "a.png", png(DEEP, 6)))
    share = DEEP[..., 3:] / 65535
    assert np.abs(picture.pixels - (DEEP[..., :3] * share + 65535 * (1 - share))).max() <= 0.5 + 1e-9
    assert picture.notes == ("16-bit", "alpha composited on white")


def test_row_34_16_bit_colour_named_transparent_becomes_white(tmp_path: Path) -> None:
    named = chunk(b"tRNS", DEEP[2, 3, :3].astype(">u2").tobytes())
    picture = read(written(tmp_path, "a.png", png(DEEP[..., :3], 2, named)))
    expected = DEEP[..., :3].copy()
    expected[2, 3] = 65535
    assert np.array_equal(picture.pixels, expected)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("deflate", [False, True])
def test_row_34_16_bit_tiff_keeps_both_bytes(tmp_path: Path, order: str, deflate: bool) -> None:
    picture = read(written(tmp_path, "a.tif", tiff(DEEP[..., :3], order, deflate)))
    assert np.array_equal(picture.pixels, DEEP[..., :3])


def test_row_34_16_bit_grey_tiff(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.tif", Image.fromarray(DEEP[..., 0]))
    assert np.array_equal(read(path).pixels[..., 0], DEEP[..., 0])


@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_row_34_a_range_that_is_not_known_is_refused(tmp_path: Path, kind: type) -> None:
    path = saved(tmp_path, "a.tif", Image.fromarray(np.ones((2, 2), kind)))
    with pytest.raises(PictureError, match="range of this picture's values isn't known"):
        read(path)


def test_row_34_one_pixel(tmp_path: Path) -> None:
    assert read(saved(tmp_path, "a.png", Image.new("RGB", (1, 1), (1, 2, 3)))).pixels.tolist() == [[[1, 2, 3]]]


def test_row_34_100_megapixels_are_read_without_a_warning(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", Image.new("1", (10_000, 10_000), 1))
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        picture = read(path)
    assert picture.pixels.shape == (10_000, 10_000, 1)
    assert picture.pixels[::999, ::999].min() == 255
    assert limit == Image.MAX_IMAGE_PIXELS
    assert picture.notes == ()


@pytest.mark.parametrize("side", [15_000, 65_000])
def test_row_34_a_decompression_bomb_is_refused_from_its_header(tmp_path: Path, side: int) -> None:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    bomb = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")
    path = written(tmp_path, "bomb.png", bomb)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureError, match="too large") as caught:
            read(path)
    assert f"{MAX_PIXELS:,}" in str(caught.value)
    assert "max_pixels" in caught.value.hint


def test_row_34_the_pixel_limit_is_the_callers(tmp_path: Path) -> None:
    path = saved(tmp_path, "a.png", Image.fromarray(COLOUR))
    assert read(path, max_pixels=35).pixels.shape == (5, 7, 3)
    with pytest.raises(PictureError, match="5 x 7 = 35 pixels"):
        read(path, max_pixels=34)
    with Image.open(path) as image, pytest.raises(PictureError, match="too large"):
        read(image, max_pixels=3)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.tif", "a.bmp", "a.gif"])
@pytest.mark.parametrize("kept", [0.5, 0.9])
def test_row_34_truncated_is_said_in_one_line(tmp_path: Path, name: str, kept: float) -> None:
    noise = Image.fromarray(RANDOM.integers(0, 256, (64, 64, 3), dtype=np.uint8))
    content = saved(tmp_path, name, noise).read_bytes()
    path = written(tmp_path, name, content[: int(len(content) * kept)])
    with pytest.raises(PictureError) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]), st.data())
def test_row_34_any_damage_gives_a_picture_or_a_picture_error(
    tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject
) -> None:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, kind)
    content = bytearray(buffer.getvalue())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path = written(tmp_path_factory.getbasetemp(), "damaged", bytes(content))
    with suppress(PictureError):
        picture = read(path, max_pixels=10_000)
        assert picture.pixels.ndim == 3
        assert picture.channels in (1, 3)


def test_a_missing_picture_names_the_closest_file(tmp_path: Path) -> None:
    written(tmp_path, "cat.jpg", b"x")
    with pytest.raises(PictureError, match=r"Did you mean .*cat\.jpg\?"):
        read(tmp_path / "cat.jgp")
    with pytest.raises(PictureError, match="Check the spelling"):
        read(tmp_path / "nowhere" / "cat.jpg")
    with pytest.raises(PictureError, match="Download it first"):
        read("https://example.org/cat.jpg")


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "empty"), (b"just text", "not a picture"), (b"%!PS-Adobe-3.0 EPSF-3.0\n", "not a picture")],
)
def test_row_34_what_is_not_a_picture_is_said(tmp_path: Path, content: bytes, problem: str) -> None:
    with pytest.raises(PictureError, match=problem):
        read(written(tmp_path, "a.png", content))


def test_a_folder_and_a_pipe_are_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="A folder is not a picture"):
        read(tmp_path)
    with pytest.raises(PictureError):
        read("")
    with pytest.raises(PictureError):
        read("x" * 5000)
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.png")
        with pytest.raises(PictureError, match="not a regular file"):
            read(tmp_path / "pipe.png")


def test_a_pil_image_is_read_and_left_as_it_was() -> None:
    image = Image.fromarray(COLOUR).convert("RGBA")
    image.putalpha(100)
    before = image.tobytes()
    picture = read(image)
    assert picture.name == "PIL image"
    assert picture.notes == ("alpha composited on white",)
    assert (image.tobytes(), image.mode) == (before, "RGBA")
    assert read(picture) is picture


def test_a_broken_pil_image_is_said(tmp_path: Path) -> None:
    content = saved(tmp_path, "a.png", Image.fromarray(COLOUR)).read_bytes()
    image = Image.open(io.BytesIO(content[:-40]))
    with pytest.raises(PictureError, match="broken or incomplete"):
        read(image)


def test_what_is_not_a_picture_at_all() -> None:
    for thing in (3, None, [[1, 2], [3, 4]], b"bytes", np.float32(1)):
        with pytest.raises(PictureError, match="This is not a picture"):
            read(thing)
    assert isinstance(read(cat_path()), Picture)
