"""Files that were damaged or made to do harm: each is refused in one line or opens; none hangs or takes the memory."""

from __future__ import annotations

import io
import os
import random
import socket
import struct
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import convlens
from convlens.errors import ConvlensError
from convlens.lens.timeline import Timeline

DRAWN = int(os.environ.get("CONVLENS_DAMAGED", "24"))
"""Damaged files a format and run; a campaign sets more."""
SKETCH = "conv 2 3x3 | relu"
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 10, 3), np.uint8)
PICTURES = {".png": "PNG", ".jpg": "JPEG", ".webp": "WEBP", ".gif": "GIF", ".tif": "TIFF", ".bmp": "BMP"}


def lens() -> convlens.Lens:
    return convlens.sketch(SKETCH, input_shape=(3, 12, 10), seed=0)


def written(folder: Path, suffix: str) -> Path:
    """A whole file of this kind."""
    path = folder / f"whole{suffix}"
    if suffix in PICTURES:
        Image.fromarray(PIXELS).save(path, PICTURES[suffix])
    elif suffix == ".onnx":
        path.write_bytes(lens().model.SerializeToString())  # type: ignore[attr-defined]
    elif suffix == ".npy":
        np.save(path, np.zeros((1, 3, 12, 10), np.float32))
    elif suffix == ".fed.npz":
        np.savez_compressed(path, picture=np.zeros((1, 3, 12, 10), np.float32))
    elif suffix in (".npz", ".safetensors", ".zarr"):
        lens().feature_maps(PIXELS).save(path)
    elif suffix == ".keras":
        keras = pytest.importorskip("keras")
        keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3)]).save(path)
    elif suffix in (".pt", ".pt2", ".script.pt"):
        _written_by_torch(path, suffix)
    return path


def _written_by_torch(path: Path, suffix: str) -> None:
    torch = pytest.importorskip("torch")
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 2, 3), torch.nn.ReLU()).eval()
    if suffix == ".pt":
        torch.save(model.state_dict(), path)
    elif suffix == ".pt2":
        torch.export.save(torch.export.export(model, (torch.zeros(1, 3, 8, 8),)), path)
    else:
        torch.jit.script(model).save(str(path))


def opened(path: Path) -> None:
    """Read everything that a person could look at."""
    if path.suffix in PICTURES or path.suffix == ".npy" or path.name.endswith(".fed.npz"):
        lens().feature_maps(path)
    elif path.suffix in (".npz", ".safetensors", ".zarr"):
        maps = convlens.load(path)
        for name in maps:
            _ = maps[name].array
    else:
        _ = convlens.open(path).network


KINDS = [
    *PICTURES,
    *(".onnx", ".npy", ".fed.npz", ".npz", ".safetensors", ".zarr", ".keras", ".pt", ".pt2", ".script.pt"),
]


def damaged(data: bytes, draw: random.Random) -> bytes:
    """Cut off, with flipped bits, with bytes put in, doubled or taken out, or with a number made huge."""
    place = draw.randrange(max(len(data), 1))
    match draw.randrange(6):
        case 0:
            return data[:place]
        case 1:
            changed = bytearray(data)
            for _ in range(draw.randint(1, 8)):
                changed[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            return bytes(changed)
        case 2:
            return data[:place] + draw.randbytes(draw.randint(1, 9)) + data[place:]
        case 3:
            return data[:place] + data[place + draw.randint(1, 99) :]
        case 4:
            return data[:place] + b"\xff\xff\xff\x7f" + data[place + 4 :]
        case _:
            return data[place:] + data


@pytest.mark.parametrize("suffix", KINDS)
def test_a_damaged_file_is_refused_in_one_line_or_opens(tmp_path: Path, suffix: str) -> None:
    whole = written(tmp_path, suffix)
    opened(whole) if suffix != ".pt" else None
    seed = random.SystemRandom().randrange(2**32) if "CI" not in os.environ else 0
    print(f"seed {seed}")  # noqa: T201  # a failure is repeated with it
    draw = random.Random(seed)
    inside = sorted(place for place in whole.rglob("*") if place.is_file()) if whole.is_dir() else [whole]
    for _ in range(DRAWN):
        place = draw.choice(inside)
        good = place.read_bytes()
        if not good:
            continue
        place.write_bytes(damaged(good, draw))
        try:
            opened(whole)
        except ConvlensError as error:
            told = str(error)
            assert "\n" not in told  # an opened file is as good as a refused one
        finally:
            place.write_bytes(good)


@pytest.mark.parametrize("suffix", [".onnx", ".keras", ".h5", ".pt", ".pt2", ".npz", ".safetensors", ".png", ".npy"])
@pytest.mark.parametrize("kind", ["pipe", "socket", "device", "folder"])
def test_what_is_no_regular_file_is_refused_and_never_waited_for(tmp_path: Path, suffix: str, kind: str) -> None:
    path = tmp_path / f"odd{suffix}"
    held = socket.socket(socket.AF_UNIX)
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path.symlink_to("/dev/zero")
    elif kind == "folder":
        path.mkdir()
    else:
        held.bind(str(path))
    try:
        asked: list[Callable[[], object]] = [
            lambda: convlens.open(path),
            lambda: convlens.load(path),
            lambda: lens().feature_maps(path),
            lambda: Timeline.load(path, None),
        ]
        for ask in asked:
            with pytest.raises(ConvlensError):
                ask()
    finally:
        held.close()


def claiming(shape: tuple[int, ...]) -> bytes:
    """The beginning of an ``.npy`` that claims this shape."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": shape})
    return file.getvalue()


def _of_a_hole(path: Path) -> None:
    path.write_bytes(claiming((10**9,)))
    os.truncate(path, 4 * 10**9 + 128)


def _npz(path: Path, header: bytes, zeros: int, name: str = "picture") -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open(f"{name}.npy", "w") as member:
        member.write(header)
        for _ in range(zeros // 2**20):
            member.write(bytes(2**20))


def _png(path: Path, columns: int, rows: int) -> None:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    pixels = b"".join(packer.compress(bytes(1 + 3 * columns)) for _ in range(rows)) + packer.flush()
    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b""))


def _large(path: Path, kind: str) -> None:
    Image.new("RGB", (5000, 5000)).save(path, kind)


BOMBS: dict[str, tuple[str, Callable[[Path], object]]] = {
    "an .npy that claims terabytes": ("x.npy", lambda p: p.write_bytes(claiming((10**6, 10**6)))),
    "an .npy of a hole": ("x.npy", _of_a_hole),
    "an .npz that becomes 400 MB": ("x.npz", lambda p: _npz(p, claiming((100 * 2**20,)), 400 * 2**20)),
    "an .npz that claims gigabytes": ("x.npz", lambda p: _npz(p, claiming((10**9,)), 2**20)),
    "a .png": ("x.png", lambda p: _png(p, 6000, 6000)),
    "a .jpg": ("x.jpg", lambda p: _large(p, "JPEG")),
    "a .webp": ("x.webp", lambda p: _large(p, "WEBP")),
    "a .gif": ("x.gif", lambda p: _large(p, "GIF")),
    "a .tif": ("x.tif", lambda p: Image.new("RGB", (6000, 6000)).save(p, "TIFF", compression="tiff_deflate")),
}
LIMITED = """
import re, sys
import numpy as np
import convlens
from convlens import pictures
def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1]) // 1024
lens = convlens.sketch("conv 2 3x3 | relu")
lens.feature_maps(pictures.cat_path())
before = peak()
for path in sys.argv[1:]:
    try:
        lens.feature_maps(path, memory="80MB")
        print("opened")
    except convlens.ConvlensError as error:
        print(type(error).__name__)
    print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_a_file_that_claims_or_becomes_more_than_the_budget_is_refused_before_memory_is_taken(tmp_path: Path) -> None:
    paths = []
    for number, (name, write) in enumerate(BOMBS.values()):
        paths.append(tmp_path / f"{number}{name}")
        write(paths[-1])
    ran = subprocess.run([sys.executable, "-c", LIMITED, *paths], capture_output=True, text=True, check=True)
    told = ran.stdout.split()
    for what, outcome, peak in zip(BOMBS, told[::2], told[1::2], strict=True):
        assert outcome in ("MemoryBudgetError", "InputError"), what
        assert int(peak) < 60, f"{what} took {peak} MB"


def test_a_batch_that_a_model_insists_on_is_counted_before_it_is_filled_up() -> None:
    import onnx
    from onnx import helper

    given = helper.make_tensor_value_info("x", 1, [300_000, 3, 16, 16])
    kernel = onnx.numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w")
    node = helper.make_node("Conv", ["x", "w"], ["c"])
    graph = helper.make_graph([node], "g", [given], [onnx.ValueInfoProto(name="c")], [kernel])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    opened = convlens.open(model)
    picture = np.zeros((1, 3, 16, 16), np.float32)
    assert opened.estimate(picture).total == 300_000 * 2 * 14 * 14 * 4
    asked: list[Callable[[], Any]] = [
        lambda: opened.feature_maps(picture, memory="200MB"),
        lambda: opened.walk(picture, memory="200MB"),
        lambda: next(opened.feature_maps_of([picture], memory="200MB")),
        lambda: opened.explain(picture, opened.network.layers[0].name, 0, (0, 0), memory="200MB"),
    ]
    for ask in asked:
        with pytest.raises(MemoryError):
            ask()
