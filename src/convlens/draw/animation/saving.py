"""Animations to files: GIF, animated PNG and WebP, SVG, a folder of PNG frames, and films where ffmpeg is there."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convlens.draw.animation.composing import compose
from convlens.draw.animation.looks import SMALLEST_CELL, Look
from convlens.draw.animation.raster import frames
from convlens.draw.animation.sliding import MOST_FRAMES, Slide
from convlens.draw.animation.staging import Stage
from convlens.draw.animation.vector import REST, svg
from convlens.draw.colours import Bytes
from convlens.draw.png import encode_rgb
from convlens.errors import MissingDependencyError, OutputError
from convlens.writing import replacing, signature, write
from convlens.writing.filling import filling

if TYPE_CHECKING:
    from PIL.Image import Image

PICTURES = (".gif", ".svg", ".png", ".apng", ".webp")
FILMS = (".mp4", ".webm")

MOST_PIXELS = 100_000_000
"""Of all frames together: what Pillow holds of an animation while it writes one."""

_MOST_COLOURS = 255  # one of a GIF's 256 is left for what doesn't change from a frame to the next

_EXIF_SOFTWARE = 0x0131

Codes = npt.NDArray[np.uint32]

_FRAME = re.compile(r"%0?(\d*)d")
_FILM_OPTIONS = {
    ".mp4": ["-c:v", "libx264", "-preset", "medium", "-crf", "16"],
    ".webm": ["-c:v", "libvpx-vp9", "-crf", "24", "-b:v", "0"],
}


def save(slide: Slide, path: str | os.PathLike[str], look: Look | None = None, *, force: bool = False) -> list[Path]:
    """Write an animation; its format follows from the path. Returns the files written.

    What convlens wrote there is replaced; with ``force`` every other file, too.

    ``.gif``, ``.svg`` (moves by itself, without a script), ``.png`` and ``.apng`` (animated PNG), ``.webp`` (lossless),
    ``.mp4`` and ``.webm`` (where ``ffmpeg`` is on the PATH), a name such as ``frame-%03d.png`` or a folder: PNG frames.

    Raises:
        OutputError: another ending, too many pixels, somebody else's file, or a path that can't be written.
        MissingDependencyError: a film without ffmpeg.

    >>> from convlens.draw.animation.examples import convolution
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     [path.name for path in save(convolution(stride=2), Path(folder) / "frame-%02d.png")]
    ['frame-00.png', 'frame-01.png', 'frame-02.png', 'frame-03.png']
    """
    target, look = Path(path), look or Look()
    kind = check(target)
    stage = compose(slide, look)
    if kind != ".svg":
        _check_size(stage, look)
    if kind == "frames":
        return _frames(stage, target, force=force)
    if kind in FILMS:
        return [_film(stage, look, target, force=force)]
    return [write(target, animated(stage, look, kind), force=force)]


def animated(stage: Stage, look: Look, kind: str) -> bytes:
    """The bytes of an animation in one file, by its ending."""
    if kind == ".svg":
        return svg(stage, look).encode()
    return _of_pillow(stage, look, kind)


def check(path: Path) -> str:
    """What will be written: an ending, or ``frames`` for a folder or a numbered name.

    Raises:
        OutputError: another ending, or one for PNG frames in a place that isn't one.
        MissingDependencyError: a film without ffmpeg.

    >>> check(Path("conv.gif")), check(Path("frames")), check(Path("frame-%03d.png"))
    ('.gif', 'frames', 'frames')
    """
    ending = path.suffix.lower()
    if _FRAME.search(path.name):
        if ending != ".png":
            raise _unknown(path)
        return "frames"
    if path.is_dir():
        return "frames"
    if not ending and os.path.lexists(path):
        raise OutputError(
            "A file is in the way", expected="a folder for the frames", received=str(path), hint="Type -o frames/"
        )
    if not ending:
        return "frames"
    if ending in FILMS:
        _ffmpeg(path)
        return ending
    if ending not in PICTURES:
        raise _unknown(path)
    return ending


def _unknown(path: Path) -> OutputError:
    return OutputError(
        "This kind of animation can't be written",
        expected=f"a path ending in {', '.join(PICTURES + FILMS)}, a name such as frame-%03d.png, or a folder",
        received=str(path),
        hint=f"Type -o {path.with_suffix('.gif')}",
    )


def _ffmpeg(path: Path) -> str:
    found = shutil.which("ffmpeg")
    if found is None:
        raise MissingDependencyError(
            f"A film ({path.suffix}) needs ffmpeg",
            expected="ffmpeg on the PATH",
            received="none",
            hint=f"Install it, or type -o {path.with_suffix('.gif')}: .gif, .svg, .png and .webp need no ffmpeg.",
        )
    return found


def fitted(slide: Slide, look: Look, kind: str) -> Look:
    """The look, with cells small enough for all frames together where they would be too large.

    >>> from convlens.draw.animation.examples import convolution
    >>> fitted(convolution((15, 15)), Look(), ".gif").cell, fitted(convolution((15, 15)), Look(), ".svg").cell
    (28, 40)
    """
    while kind != ".svg" and look.cell > SMALLEST_CELL:
        stage = compose(slide, look)
        pixels = stage.width * stage.height * stage.frames
        if pixels <= MOST_PIXELS:
            break
        smaller = min(look.cell - 1, _smaller(look, pixels))
        look = replace(look, cell=max(smaller, SMALLEST_CELL))
    return look


def _smaller(look: Look, pixels: int) -> int:
    return int(look.cell * (MOST_PIXELS / pixels) ** 0.5)


def _check_size(stage: Stage, look: Look) -> None:
    pixels = stage.width * stage.height * stage.frames
    if pixels > MOST_PIXELS:
        smaller = _smaller(look, pixels)
        raise OutputError(
            "The animation is too large",
            expected=f"at most {MOST_PIXELS // 1_000_000} million pixels in all frames together",
            received=f"{stage.frames} frames of {stage.width} x {stage.height}: {pixels / 1e6:,.0f} million",
            hint=f"Type --cell {smaller}, or write an .svg."
            if smaller >= SMALLEST_CELL
            else "Show a part of the output.",
        )


def durations(stage: Stage, look: Look) -> list[int]:
    """How long each frame is seen, in milliseconds, in whole hundredths of a second: GIF knows no finer ones."""
    one = max(2, round(100 / look.fps)) * 10
    return [one] * (stage.frames - 1) + [one * (1 + REST)]


def frame_paths(target: Path, count: int) -> list[Path]:
    """Where the PNG frames go: into a folder, or under a numbered name.

    >>> [path.name for path in frame_paths(Path("frames"), 2)]
    ['frame-000.png', 'frame-001.png']
    """
    found = _FRAME.search(target.name)
    if found is None:
        return [target / f"frame-{number:03d}.png" for number in range(count)]
    width = int(found.group(1) or 1)
    return [target.with_name(_FRAME.sub(str(number).zfill(width), target.name)) for number in range(count)]


def _frames(stage: Stage, target: Path, *, force: bool) -> list[Path]:
    paths = frame_paths(target, stage.frames)
    folder = paths[0].parent
    if not folder.parent.is_dir():
        raise OutputError(
            "The folder can't be made",
            expected="an existing folder around it",
            received=str(folder),
            hint=f"Type: mkdir -p {folder.parent}",
        )
    with filling(folder, force=force) as arriving:
        for path, made in zip(paths, frames(stage), strict=True):
            arriving.add(path.stem, path.suffix, encode_rgb(made))
    for path in frame_paths(target, MOST_FRAMES)[stage.frames :]:
        _remove_earlier(path)
    return arriving.files


def _remove_earlier(path: Path) -> None:
    """A frame that a longer animation of ours has left behind; nobody else's picture."""
    with suppress(OSError):
        if not path.is_symlink() and signature.is_ours(path):
            path.unlink()


def _of_pillow(stage: Stage, look: Look, kind: str) -> bytes:
    buffer = io.BytesIO()
    options: dict[str, Any] = {"save_all": True, "duration": durations(stage, look), "loop": 0}
    if kind == ".gif":
        first, *others = _indexed(stage, colours_of(stage))
        first.save(buffer, "GIF", append_images=others, disposal=1, optimize=True, comment=b"convlens", **options)
        return buffer.getvalue()
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    if kind == ".webp":
        first, *others = [Image.fromarray(made) for made in frames(stage)]
        about = Image.Exif()
        about[_EXIF_SOFTWARE] = "convlens"
        first.save(buffer, "WEBP", append_images=others, exif=about, lossless=True, quality=60, method=3, **options)
        return buffer.getvalue()
    found = colours_of(stage)
    few = len(found) <= _MOST_COLOURS
    first, *others = _indexed(stage, found) if few else [Image.fromarray(made) for made in frames(stage)]
    words = PngInfo()
    words.add_text("Software", "convlens")
    first.save(buffer, "PNG", append_images=others, pnginfo=words, **options)
    return buffer.getvalue()


def colours_of(stage: Stage) -> Codes:
    """Every colour of every frame, as red, green and blue in one number, the most frequent first."""
    found: Counter[int] = Counter()
    for made in frames(stage):
        colours, counts = np.unique(_codes(made), return_counts=True)
        found.update(dict(zip(colours.tolist(), counts.tolist(), strict=True)))
    return np.array([colour for colour, _ in sorted(found.items(), key=lambda one: (-one[1], one[0]))], np.uint32)


def _indexed(stage: Stage, colours: Codes) -> list[Image]:
    """Every frame with one palette for all.

    Exact where there are no more than 255 colours. Else the rare ones, at the rims of letters, take the nearest of the
    255 most frequent: what is flat stays as it is.
    """
    from PIL import Image

    table = np.stack([colours >> 16, colours >> 8 & 255, colours & 255], axis=-1).astype(np.int64)
    palette = table[:_MOST_COLOURS]
    nearest = ((table[:, None] - palette[None]) ** 2).sum(axis=-1).argmin(axis=1).astype(np.uint8)
    order = np.argsort(colours)
    pictures = []
    for made in frames(stage):
        places = order[np.searchsorted(colours[order], _codes(made))]
        picture = Image.fromarray(nearest[places])
        picture.putpalette(palette.astype(np.uint8).tobytes())
        pictures.append(picture)
    return pictures


def _codes(pixels: Bytes) -> Codes:
    red, green, blue = (pixels[:, :, n].astype(np.uint32) for n in range(3))
    return red << np.uint32(16) | green << np.uint32(8) | blue


def _film(stage: Stage, look: Look, target: Path, *, force: bool) -> Path:
    """Frames into ffmpeg's standard input, never a shell; the film takes its place when it is whole."""
    command = [
        *[_ffmpeg(target), "-hide_banner", "-loglevel", "error", "-y"],
        *["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{stage.width}x{stage.height}", "-r", f"{look.fps:g}"],
        *["-i", "-", "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,fps=25", "-pix_fmt", "yuv420p"],
        *[*_FILM_OPTIONS[target.suffix.lower()], "-metadata", "comment=convlens"],
    ]
    with (
        replacing(target, force=force) as new,
        tempfile.TemporaryFile() as complaints,
    ):
        made = new.with_suffix(f".film{target.suffix.lower()}")
        with subprocess.Popen(
            [*command, os.fspath(made)], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=complaints
        ) as running:
            with suppress(BrokenPipeError):  # it says itself why it left
                assert running.stdin is not None
                for picture in _played(stage):
                    running.stdin.write(picture)
                running.stdin.close()
            code = running.wait()
        if code or not made.is_file():
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace").strip().splitlines()
            raise OutputError(
                "ffmpeg made no film of it",
                received=said[-1][:200] if said else f"exit code {code}",
                hint=f"Type -o {target.with_suffix('.gif')}",
            )
        data = signature.signed(made.read_bytes(), target.suffix)
        made.unlink()
        new.write_bytes(data)
    return target


def _played(stage: Stage) -> Iterator[bytes]:
    """The frames of a film; the last one stays."""
    last = b""
    for made in frames(stage):
        last = made.tobytes()
        yield last
    for _ in range(REST):
        yield last
