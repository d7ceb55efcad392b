"""Nobody's work is lost: ours is what convlens wrote, to the last byte, and nothing else is overwritten unasked."""

from __future__ import annotations

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
import zarr
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import convlens
from convlens import sketches
from convlens.callbacks import Timeline
from convlens.draw import animation
from convlens.draw.animation.examples import convolution
from convlens.errors import OutputError
from convlens.hosts.cli import main
from convlens.lens import files, ownership
from convlens.lens.timeline import Step, written
from convlens.writing import signature

SKETCH = "conv 2 3x3 | relu"


@pytest.fixture(scope="module")
def maps() -> convlens.FeatureMaps:
    lens = convlens.sketch(SKETCH, input_shape=(3, 12, 9))
    return lens.feature_maps(np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8))


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shelf")
    (folder / "m.onnx").write_bytes(sketches.build(SKETCH, input_shape=(3, 12, 9)).SerializeToString())
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (12, 9, 3), np.uint8)).save(folder / "p.png")
    return folder


def timeline() -> Timeline:
    model = onnx.load_from_string(sketches.build(SKETCH, input_shape=(3, 12, 9)).SerializeToString())
    return Timeline(model, [Step(0, None, None, {"w": np.zeros(3, np.float32)})])


IN_PYTHON: dict[str, Callable[[convlens.FeatureMaps, Path, bool], object]] = {
    "maps.npz": lambda maps, path, force: maps.save(path, force=force),
    "maps.safetensors": lambda maps, path, force: maps.save(path, force=force),
    "maps.html": lambda maps, path, force: maps.report(path, force=force),
    "figure.svg": lambda maps, path, force: maps.figure().save(path, force=force),
    "figure.pdf": lambda maps, path, force: maps.figure().save(path, force=force),
    "figure.png": lambda maps, path, force: maps.figure().save(path, dpi=50, force=force),
    "slide.gif": lambda maps, path, force: animation.save(convolution(stride=2), path, force=force),
    "slide.webp": lambda maps, path, force: animation.save(convolution(stride=2), path, force=force),
    "slide.apng": lambda maps, path, force: animation.save(convolution(stride=2), path, force=force),
    "slide.svg": lambda maps, path, force: maps["conv"].animate(path, size=(1, 2), force=force),
    "weights.npz": lambda maps, path, force: timeline().save(path, force=force),
}
COMMANDS: dict[str, str] = {
    "maps.npz": "export m.onnx p.png -o {}",
    "maps.safetensors": "export m.onnx p.png -o {}",
    "maps.html": "report m.onnx p.png -o {}",
    "figure.pdf": "figure m.onnx p.png -o {}",
    "diagram.svg": "diagram m.onnx -o {}",
    "conv.png": "kernels m.onnx conv -o {}",
    "relu.webp": "maps m.onnx p.png relu -o {}",
    "conv.svg": "maps m.onnx p.png conv --channel 0 -o {}",
    "slide.gif": "animate conv -o {}",
    "sketch.onnx": "sketch relu -o {}",
}


def of_a_person(path: Path) -> bytes:
    """A file that names convlens wherever its format lets a person do so, and isn't ours."""
    file = io.BytesIO()
    picture = Image.new("RGB", (3, 2), "red")
    match path.suffix:
        case ".png" | ".apng":
            words = PngInfo()
            words.add_text("Software", "convlens")
            words.add_text("convlens", "0" * 64)
            picture.save(file, "PNG", pnginfo=words)
        case ".gif":
            picture.save(file, "GIF", comment=b"convlens " + b"0" * 64)
        case ".webp":
            about = Image.Exif()
            about[0x0131] = "convlens"
            picture.save(file, "WEBP", exif=about)
        case ".svg":
            file.write(b"<svg xmlns='http://www.w3.org/2000/svg'><metadata>convlens</metadata><!-- convlens --></svg>")
        case ".html":
            file.write(b'<!doctype html><html lang="en"><head><meta charset="utf-8">\n')
            file.write(
                b'<meta name="generator" content="convlens 0.1.0"></head><body>my notes on convlens</body></html>'
            )
            file.write(b"<!-- convlens " + b"0" * 64 + b" -->\n")
        case ".pdf":
            file.write(b"%PDF-1.7\n<< /Producer (convlens) >>\n%convlens\nstartxref\n9\n%%EOF\n")
        case ".npz":
            np.savez(file, convlens=np.arange(3), __convlens__=np.array(json.dumps({"convlens": "0.1.0", "format": 2})))
        case ".safetensors":
            arrays = {"a": np.arange(3)}
            file.write(safetensors.numpy.save(arrays, metadata={"convlens": json.dumps({"convlens": "0.1.0"})}))
        case ".onnx":
            model = sketches.build("relu", input_shape=(3, 8, 8))
            model.doc_string = "made with convlens"
            file.write(model.SerializeToString())
    return file.getvalue()


def changed(path: Path) -> bytes:
    """One of ours in which somebody has put something, as an editor of its format does."""
    data = path.read_bytes()
    match path.suffix:
        case ".npz":
            with zipfile.ZipFile(path, "a") as archive:
                archive.writestr("notes.txt", "mine")
        case ".safetensors":
            with safetensors.safe_open(str(path), "np") as file:
                about = file.metadata()
            arrays = {**safetensors.numpy.load_file(path), "mine": np.arange(3)}
            safetensors.numpy.save_file(arrays, path, metadata=about)
        case ".onnx":
            model = onnx.load(path)
            model.doc_string = "mine"
            onnx.save(model, path)
        case ".html" | ".svg":
            path.write_bytes(data.replace(b"<title>", b"<title>mine ", 1).replace(b"<metadata>", b"<metadata>mine ", 1))
        case ".pdf":
            path.write_bytes(data + b"9 0 obj\n(mine)\nendobj\n")
        case ending:
            kinds = {".png": "PNG", ".apng": "PNG", ".gif": "GIF", ".webp": "WEBP"}
            file = io.BytesIO()
            with Image.open(path) as picture:
                picture.save(file, kinds[ending], save_all=True)
            path.write_bytes(file.getvalue())
    assert path.read_bytes() != data
    return path.read_bytes()


@pytest.mark.parametrize("name", IN_PYTHON)
def test_in_python(maps: convlens.FeatureMaps, tmp_path: Path, name: str) -> None:
    hold(tmp_path / name, lambda path, force: IN_PYTHON[name](maps, path, force))


@pytest.mark.parametrize("name", COMMANDS)
def test_on_the_command_line(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for found in shelf.iterdir():
        shutil.copy(found, tmp_path)
    monkeypatch.chdir(tmp_path)

    def write(path: Path, force: bool) -> None:
        words = COMMANDS[name].format(path.name).split()
        if main([*words, *(["--force"] if force else [])]) != 0:
            raise OutputError("refused")

    hold(tmp_path / name, write)


def hold(path: Path, write: Callable[[Path, bool], object]) -> None:
    """Ours is written anew; a person's, or what a person made of ours, only with force, and then that file alone."""
    write(path, False)
    assert files.is_ours(path)
    ours = path.read_bytes()
    write(path, False)
    assert files.is_ours(path)
    beside = {found: found.read_bytes() for found in path.parent.iterdir() if found != path}
    shutil.copy(path, path.with_name(f"copy{path.suffix}"))
    assert files.is_ours(path.with_name(f"copy{path.suffix}"))  # wherever it lies
    path.with_name(f"copy{path.suffix}").unlink()
    theirs = [of_a_person(path), b"", b"convlens", ours[: len(ours) // 2], ours + b"\n"]
    if path.suffix != ".onnx":
        theirs.append(of_a_person(path) + ours[-200:])  # our signature under something else
    theirs.append(changed(path))
    for data in theirs:
        path.write_bytes(data)
        assert not files.is_ours(path)
        with pytest.raises(OutputError):
            write(path, False)
        assert path.read_bytes() == data
    write(path, True)
    assert files.is_ours(path)
    assert {found: found.read_bytes() for found in path.parent.iterdir() if found != path} == beside


def signed_files() -> Iterator[tuple[str, bytes]]:
    slide = convolution(stride=2)
    lens = convlens.sketch(SKETCH, input_shape=(3, 6, 5))
    figure = lens.feature_maps(np.zeros((6, 5, 3), np.uint8)).figure()
    from convlens.draw.animation.composing import compose
    from convlens.draw.animation.looks import Look
    from convlens.draw.animation.saving import animated

    for ending in (".gif", ".webp", ".apng", ".svg"):
        yield ending, animated(compose(slide, Look()), Look(), ending)
    yield ".png", lens.kernels("conv").png()
    yield ".pdf", figure.pdf()
    yield ".json", json.dumps({"a": 1}, indent=2).encode()
    yield ".txt", "ตัวอย่าง\n".encode()
    yield ".html", b"<!doctype html>\n<title>x</title>\n"
    yield ".onnx", sketches.build(SKETCH, input_shape=(3, 6, 5)).SerializeToString()
    yield ".npz", written([Step(0, None, None, {"w": np.zeros(3, np.float32)})])
    yield ".mp4", b"\0\0\0\x10ftypisom\0\0\0\0" + b"\0\0\0\x08mdat"
    yield ".webm", b"\x1a\x45\xdf\xa3\x80\x18\x53\x80\x67\x80"


SIGNED = dict(signed_files())


@pytest.mark.parametrize("ending", SIGNED)
@given(at=st.integers(0, 10**9), bit=st.integers(0, 7))
def test_a_signature_covers_every_byte(ending: str, at: int, bit: int) -> None:
    ours = signature.signed(SIGNED[ending], ending)
    assert signature.is_signed(ours, ending)
    assert not signature.is_signed(SIGNED[ending], ending)
    assert signature.signed(ours, ending) == ours
    for place in (at % len(ours), len(ours) - 1 - at % min(200, len(ours))):  # anywhere, and in the signature itself
        damaged = bytearray(ours)
        damaged[place] ^= 1 << bit
        assert not signature.is_signed(bytes(damaged), ending)
    cut = at % len(ours)
    assert not signature.is_signed(ours[:cut], ending)
    assert not signature.is_signed(ours[:cut] + b"." + ours[cut:], ending)


def test_signed_files_are_read_as_before() -> None:
    read: dict[str, Callable[[bytes], Any]] = {
        ".json": json.loads,
        ".onnx": lambda data: onnx.checker.check_model(onnx.load_from_string(data)),
        ".npz": lambda data: [np.load(io.BytesIO(data))[name] for name in np.load(io.BytesIO(data)).files],
    }
    for ending in (".png", ".gif", ".webp", ".apng"):
        before, after = (
            Image.open(io.BytesIO(one)) for one in (SIGNED[ending], signature.signed(SIGNED[ending], ending))
        )
        frames = getattr(before, "n_frames", 1)
        assert getattr(after, "n_frames", 1) == frames
        for number in range(frames):
            before.seek(number)
            after.seek(number)
            assert before.convert("RGB").tobytes() == after.convert("RGB").tobytes()
    for ending, reader in read.items():
        reader(signature.signed(SIGNED[ending], ending))


class TestStores:
    """A .zarr is a folder: it is replaced whole, or not at all."""

    @pytest.mark.parametrize(
        "place", ["notes.txt", "conv/notes.txt", "conv/c/0/0/0/x", "mine/zarr.json", ".hidden", "c/0"]
    )
    def test_what_somebody_put_in_is_never_lost(self, maps: convlens.FeatureMaps, tmp_path: Path, place: str) -> None:
        store = maps.save(tmp_path / "maps.zarr")
        mine = store / place
        if mine.parent.is_file():
            mine = mine.parent.with_name("x")
        mine.parent.mkdir(parents=True, exist_ok=True)
        mine.write_text("mine")
        for force in (False, True):
            with pytest.raises(OutputError, match="never replaced"):
                maps.save(store, force=force)
        assert mine.read_text() == "mine"

    def test_ours_is_replaced_and_a_changed_one_on_request(self, maps: convlens.FeatureMaps, tmp_path: Path) -> None:
        store = maps.save(tmp_path / "maps.zarr")
        assert ownership.is_ours(store)
        maps.save(store)
        changes: list[Callable[[Any], object]] = [
            lambda group: group["conv"].__setitem__((0, 0, 0), 7.0),
            lambda group: group.attrs.update(notes="mine"),
            lambda group: group["relu"].attrs.update(notes="mine"),
        ]
        for change in changes:
            change(zarr.open_group(str(store), mode="r+"))
            assert not ownership.is_ours(store)
            with pytest.raises(OutputError, match="--force"):
                maps.save(store)
            maps.save(store, force=True)
            assert ownership.is_ours(store)

    def test_a_store_of_somebody_elses_and_any_other_folder(self, maps: convlens.FeatureMaps, tmp_path: Path) -> None:
        theirs = tmp_path / "theirs.zarr"
        group = zarr.open_group(str(theirs), mode="w")
        group.attrs["convlens"] = {"convlens": "0.1.0", "format": 2}
        group.create_array("mine", shape=(3,), dtype="f4")[...] = 1
        folder = tmp_path / "folder.zarr"
        folder.mkdir()
        (folder / "thesis.tex").write_text("convlens")
        for path in (theirs, folder):
            for force in (False, True):
                with pytest.raises(OutputError, match="never replaced"):
                    maps.save(path, force=force)
        assert (folder / "thesis.tex").read_text() == "convlens"
        assert float(np.asarray(zarr.open_array(str(theirs), path="mine", mode="r"))[0]) == 1

    def test_an_empty_folder_and_a_file(self, maps: convlens.FeatureMaps, tmp_path: Path) -> None:
        (tmp_path / "maps.zarr").mkdir()
        assert ownership.is_ours(maps.save(tmp_path / "maps.zarr"))
        (tmp_path / "file.zarr").write_text("mine")
        with pytest.raises(OutputError):
            maps.save(tmp_path / "file.zarr")
        assert (tmp_path / "file.zarr").read_text() == "mine"


def test_a_link_to_a_persons_file_a_device_and_a_pipe(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    (tmp_path / "mine.svg").write_text("<svg>convlens</svg>")
    (tmp_path / "link.svg").symlink_to(tmp_path / "mine.svg")
    with pytest.raises(OutputError, match="--force"):
        maps.figure().save(tmp_path / "link.svg")

    def fill(force: bool) -> None:
        with files.filling(tmp_path, force=force) as arriving:
            arriving.add("link", ".svg", b"<svg/>")

    with pytest.raises(OutputError):
        fill(False)
    fill(True)  # the link is what was named
    assert (tmp_path / "mine.svg").read_text() == "<svg>convlens</svg>"
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.svg")
        for force in (False, True):
            with pytest.raises(OutputError, match="device or pipe"):
                maps.figure().save(tmp_path / "pipe.svg", force=force)


def test_what_appears_during_a_long_run(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    """The path was free when the work began."""

    def slow() -> Iterator[convlens.FeatureMap]:
        yield maps["conv"]
        (tmp_path / "maps.npz").write_text("mine")

    from convlens.lens import exporting

    with pytest.raises(OutputError):
        exporting.save(slow(), tmp_path / "maps.npz", lambda: exporting.Run(maps.network))
    assert (tmp_path / "maps.npz").read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["maps.npz"]


def test_frames_of_an_earlier_animation_and_a_persons_own(tmp_path: Path) -> None:
    animation.save(convolution(), tmp_path)
    (tmp_path / "frame-007.png").write_bytes(of_a_person(tmp_path / "frame-007.png"))
    animation.save(convolution(stride=2), tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        *(f"frame-00{n}.png" for n in range(4)),
        "frame-007.png",
    ]
