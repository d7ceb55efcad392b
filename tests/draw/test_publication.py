"""Figures for print: exact sizes, every value in its raster, words that stay words and inside, honest captions."""

from __future__ import annotations

import base64
import io
import json
import re
import xml.etree.ElementTree as ET
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

import convlens
from convlens.draw import Scale, scale_for
from convlens.draw.colours import index, palette
from convlens.draw.plate_formats import Figure
from convlens.draw.plates import Words, broken, width_of
from convlens.draw.publication import Panel, letter, publication, width_in
from convlens.errors import ChannelError, DrawingError, LayerNotFoundError, OutputError
from convlens.hosts.cli.app import run

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert(1)</script> & \"quoted\" 'name' 🙂 مرحبا (x\\y)"
RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def maps() -> convlens.FeatureMaps:
    lens = convlens.sketch("conv 9 3x3 | relu | maxpool 5x5 | flatten | dense 7", input_shape=(3, 32, 48), seed=1)
    return lens.feature_maps(RNG.integers(0, 256, (32, 48, 3), np.uint8), recipe="imagenet")


def panel(array: Any, name: str = "conv1", **change: Any) -> Panel:
    values = np.asarray(array, np.float32)
    told: dict[str, Any] = {"labels": [str(n) for n in range(len(values))] if len(values) > 1 else []}
    return Panel(name, name, values, scale_of=values, **(told | change))


def images(figure: Figure) -> list[np.ndarray[Any, Any]]:
    """The rasters of the SVG, in colours."""
    found = []
    for element in ET.fromstring(figure.svg()).iter(f"{SVG}image"):
        data = base64.b64decode(element.attrib["href"].split(",", 1)[1])
        found.append(np.asarray(Image.open(io.BytesIO(data)).convert("RGB")))
    return found


@pytest.mark.parametrize(
    ("width", "millimetres"), [("single", 85), ("double", 175), ("120mm", 120), (99, 99), ("4in", 101.6), ("9 cm", 90)]
)
def test_widths_are_exact_in_every_format(maps: convlens.FeatureMaps, width: str | float, millimetres: float) -> None:
    figure = maps.figure("conv", width=width)
    assert figure.width == pytest.approx(millimetres)
    root = ET.fromstring(figure.svg())
    assert float(root.attrib["width"].removesuffix("mm")) == pytest.approx(millimetres)
    assert root.attrib["viewBox"].split()[2:] == [root.attrib[side].removesuffix("mm") for side in ("width", "height")]
    box = re.search(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", figure.pdf())
    assert box is not None
    assert float(box[1]) == pytest.approx(millimetres / 25.4 * 72, abs=1e-3)
    picture = Image.open(io.BytesIO(figure.png(dpi=200)))
    assert picture.width == round(millimetres / 25.4 * 200)
    assert picture.info["dpi"] == pytest.approx((200, 200), abs=0.1)


@pytest.mark.parametrize("width", ["20mm", "wide", "", "-85", "85pt", "2000", "nan"])
def test_widths_that_cannot_be(width: str) -> None:
    with pytest.raises(DrawingError, match="not a figure's width"):
        width_in(width)


def test_each_map_is_one_raster_of_its_own_values(maps: convlens.FeatureMaps) -> None:
    figure = maps.figure(["conv", "relu"], [0, 8])
    rasters = images(figure)
    expected = []
    for name in ("conv", "relu"):
        array = maps[name].array
        scale = scale_for(array)  # of the whole layer, the channels that aren't shown among them
        expected += [palette(scale.diverging)[index(array[channel], scale)] for channel in (0, 8)]
    shown = [raster for raster in rasters if raster.shape[:2] == (30, 46)]
    assert len(shown) == len(expected)
    assert all((ours == theirs).all() for ours, theirs in zip(shown, expected, strict=True))


def test_the_pdf_has_the_same_rasters_and_words(maps: convlens.FeatureMaps) -> None:
    figure = maps.figure("conv", [2], scale=Scale(-9.0, 9.0, diverging=True))
    data = figure.pdf()
    assert data.startswith(b"%PDF-1.7")
    assert b"/FontFile2" in data
    stream = re.search(rb"/Width 46 /Height 30 .*?/Interpolate false.*?/Length (\d+) >>\nstream\n", data, re.DOTALL)
    assert stream is not None
    raw = zlib.decompress(data[stream.end() : stream.end() + int(stream[1])])
    expected = index(maps["conv"].array[2], Scale(-9.0, 9.0, diverging=True))
    assert raw == expected.tobytes()
    content = next(
        text
        for found in re.finditer(rb"/Length (\d+) >>\nstream\n", data)
        if b"BT" in (text := zlib.decompress(data[found.end() : found.end() + int(found[1])]))
    )
    written = [text.string for text in figure.plate.words]
    assert [part.decode("cp1252") for part in re.findall(rb"\((.*?)\) Tj", content)] == [
        text.replace("(", r"\(").replace(")", r"\)") for text in written
    ] or content.count(b" Tj") == len(written)
    for offset in re.findall(rb"^(\d{10}) 00000 n", data, re.MULTILINE):
        assert re.match(rb"\d+ 0 obj", data[int(offset) :])


def test_the_png_shows_every_value_true_where_there_is_room() -> None:
    values = RNG.normal(size=(1, 6, 9)).astype(np.float32)
    figure = publication([panel(values)], width=85)
    page = np.asarray(Image.open(io.BytesIO(figure.png(dpi=600))).convert("RGB"))
    raster = figure.plate.rasters[0]
    scale = scale_for(values)
    dots = 600 / 25.4
    for row in range(6):
        for column in range(9):
            y = round((raster.y + raster.height * (row + 0.5) / 6) * dots)
            x = round((raster.x + raster.width * (column + 0.5) / 9) * dots)
            assert tuple(page[y, x]) == tuple(palette(True)[index(values[0, row, column], scale)])


def test_more_values_than_dots_become_means_and_are_said() -> None:
    values = np.zeros((1, 1000, 1000), np.float32)
    values[0, ::2] = 1.0  # lines finer than the print
    figure = publication([panel(values)], width=40, mode="sequential")
    assert (
        "Panel a has more values than a print of 300 dots an inch; the SVG and PDF hold all of them." in figure.caption
    )
    raster = figure.plate.rasters[0]
    assert raster.pixels.shape == (1000, 1000)
    page = np.asarray(Image.open(io.BytesIO(figure.png(dpi=100))).convert("RGB")).astype(int)
    middle = page[round((raster.y + raster.height / 2) * 100 / 25.4), round((raster.x + raster.width / 2) * 100 / 25.4)]
    ends = palette(False)[[0, 238]].astype(int)
    assert (abs(middle - ends.mean(axis=0)) < 60).all()


def inside(figure: Figure, text: Words) -> bool:
    width = {"start": (0.0, 1.0), "middle": (0.5, 0.5), "end": (1.0, 0.0)}[text.anchor]
    height = text.points * 25.4 / 72
    left, right = text.x - width[0] * text.width, text.x + width[1] * text.width
    return left >= -1e-6 and right <= figure.width + 1e-6 and text.y >= 0.7 * height and text.y <= figure.height


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.text(max_size=60)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(["single", "double", 40, 300]),
    st.sampled_from(["layer", "map"]),
)
def test_nothing_is_cut_off_and_no_map_lies_on_another(
    sizes: list[tuple[int, int, int, str]], width: Any, scale: Any
) -> None:
    panels = [panel(np.full((n, rows, columns), 7e-12, np.float32), name) for n, rows, columns, name in sizes]
    figure = publication(panels, width=width, scale=scale, closing="It closes. " * 9)
    assert all(inside(figure, text) for text in figure.plate.words), [
        text for text in figure.plate.words if not inside(figure, text)
    ]
    boxes = [(one.x, one.y, one.x + one.width, one.y + one.height) for one in figure.plate.rasters]
    for number, (x, y, right, bottom) in enumerate(boxes):
        assert x >= 0
        assert right <= figure.width
        assert bottom <= figure.height
        for x2, y2, right2, bottom2 in boxes[:number]:
            assert right <= x2 + 1e-9 or right2 <= x + 1e-9 or bottom <= y2 + 1e-9 or bottom2 <= y + 1e-9
    ET.fromstring(figure.svg())


def test_the_png_cuts_no_letter_at_any_resolution(maps: convlens.FeatureMaps) -> None:
    figure = maps.figure(["conv", "dense"], width="double")
    for dpi in (50, 72, 150, 300):
        page = np.asarray(Image.open(io.BytesIO(figure.png(dpi))).convert("L"))
        assert (page[:, -1] == 255).all()
        assert (page[-1] == 255).all()
        assert (page[0] == 255).all()


def test_captions_say_what_is_shown(maps: convlens.FeatureMaps) -> None:
    figure = maps.figure(["conv", "dense"], {"conv": [0, 3, 5]})
    bound = max(abs(float(maps["conv"].array.min())), float(maps["conv"].array.max()))
    assert figure.caption.startswith(
        "a, conv (Conv), channels 0, 3 and 5 of 9, 30 x 46 values each; "
        f"colours from -{bound:.3g} to {bound:.3g} with zero in the middle, one scale for all channels of the layer."
    )
    assert "b, dense (Gemm), all 7 features, from left to right" in figure.caption
    assert figure.caption.endswith(f"Model: sketch (onnx). Picture: array. Input: {maps.recipe}.")
    drawn = " ".join(text.string for text in figure.plate.words)
    for word in ("imagenet:", "channels 0, 3 and 5 of 9", "Model: sketch (onnx)"):
        assert word in drawn
    bare = maps.figure(["conv", "dense"], {"conv": [0, 3, 5]}, captions=False)
    assert bare.caption == figure.caption
    assert "imagenet" not in bare.svg()
    assert bare.height < figure.height


def test_what_is_left_out_is_said(maps: convlens.FeatureMaps) -> None:
    assert "the first 8 of 9 channels" in maps.figure("conv").caption
    many = convlens.sketch(" | ".join(["relu"] * 8), input_shape=(3, 8, 8))
    assert "The first 6 of 8 layers." in many.feature_maps(np.ones((8, 8, 3), np.uint8)).figure().caption


def test_own_scales_are_written_above_each_map(maps: convlens.FeatureMaps) -> None:
    figure = maps.figure("conv", [0, 4], scale="map")
    strings = [text.string for text in figure.plate.words]
    for channel in (0, 4):
        bound = float(np.abs(maps["conv"].array[channel]).max())
        assert f"{channel}: ±{bound:.3g}" in strings
    assert "each map on its own colour scale, zero in the middle, its range written above it" in figure.caption
    assert {"low", "0", "high"} <= set(strings)


def test_strange_values_are_marked_and_said() -> None:
    values = RNG.normal(size=(4, 5, 5)).astype(np.float32)
    values[0, 1, 1], values[1, 2, 2], values[2] = np.nan, -np.inf, 0
    figure = publication([panel(values)])
    for words in (
        "1 map has NaN (1 value).",
        "NaN is pink.",
        "-inf is black.",
        "A diagonal line marks a constant map.",
    ):
        assert words in figure.caption
    assert any(line.x != line.to_x and line.y != line.to_y for line in figure.plate.strokes)


@pytest.mark.parametrize("shape", [(5,), (1,), (6, 50), (3, 4, 8, 9), (3, 0, 8, 9), (2, 0, 4), (0, 4, 4), (300, 2, 2)])
def test_arrays_of_every_shape(maps: convlens.FeatureMaps, shape: tuple[int, ...]) -> None:
    from dataclasses import replace

    array = RNG.normal(size=shape).astype(np.float32)
    layer = replace(maps.network["conv"], name="x", output_shape=shape)
    network = replace(maps.network, layers=(layer,), outputs=("x",))
    traced = replace(maps.traced, network=network)
    one = convlens.FeatureMaps(maps.lens, traced, {"x": array}, picture=None, recipe=None, feed={}, prediction=None)
    figure = one.figure()
    assert all(inside(figure, text) for text in figure.plate.words)
    assert len(figure.png(100)) > 100
    assert figure.pdf().endswith(b"%%EOF\n")


def test_hostile_names_stay_words(maps: convlens.FeatureMaps) -> None:
    figure = publication([panel(RNG.normal(size=(2, 4, 4)), HOSTILE)], title=HOSTILE)
    root = ET.fromstring(figure.svg())
    assert not list(root.iter(f"{SVG}script"))
    assert "alert(1)" in " ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text"))
    assert b"\\(x\\\\y\\)" in figure.pdf()  # in the title


def test_svg_text_can_be_edited(maps: convlens.FeatureMaps) -> None:
    root = ET.fromstring(maps.figure("conv").svg())
    texts = ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]
    assert "conv · Conv · 9 x 30 x 46" in texts
    assert "a" in texts
    assert "@font-face" in "".join(style.text or "" for style in root.iter(f"{SVG}style"))


def test_columns_and_layers_choose_the_layout(maps: convlens.FeatureMaps) -> None:
    def columns_of(figure: Figure) -> int:
        return len({round(one.x, 3) for one in figure.plate.rasters if one.pixels.shape == (30, 46)})

    assert columns_of(maps.figure("conv")) == 4
    assert columns_of(maps.figure("conv", width="double")) == 8
    assert columns_of(maps.figure("conv", columns=3)) == 3
    assert columns_of(maps.figure(["conv", "relu"], 1)) == 2  # single maps stand side by side
    assert columns_of(maps.figure(["conv", "relu"], 1, columns=1)) == 1
    assert [letter(number) for number in (0, 1, 25, 26, 27, 701, 702)] == ["a", "b", "z", "aa", "ab", "zz", "aaa"]


def test_what_there_is_not_is_said(maps: convlens.FeatureMaps, tmp_path: Path) -> None:
    figure = maps.figure("conv")
    for problem, ask in (
        (LayerNotFoundError, lambda: maps.figure("cnv")),
        (ChannelError, lambda: maps.figure("conv", [9])),
        (ChannelError, lambda: maps.figure("conv", [])),
        (ChannelError, lambda: maps.figure("conv", "a")),  # type: ignore[arg-type]  # wrong on purpose
        (ChannelError, lambda: maps.figure("conv", [1.5])),  # type: ignore[list-item]  # wrong on purpose
        (LayerNotFoundError, lambda: maps.figure("conv", {"relu": [1]})),
        (LayerNotFoundError, lambda: maps.figure([])),
        (DrawingError, lambda: maps.figure("conv", columns=0)),
        (DrawingError, lambda: maps.figure("conv", columns=90)),
        (DrawingError, lambda: maps.figure("conv", scale="picture")),  # type: ignore[arg-type]
        (DrawingError, lambda: figure.png(0)),
        (DrawingError, lambda: figure.png(10**6)),
        (OutputError, lambda: figure.save(tmp_path / "figure.jpg")),
        (OutputError, lambda: figure.save(tmp_path / "no" / "figure.svg")),
    ):
        with pytest.raises(problem):
            ask()
    assert list(tmp_path.iterdir()) == []


@given(st.text(max_size=200), st.floats(8, 100))
def test_broken_lines_lose_nothing(text: str, width: float) -> None:
    lines = broken(text, 7, width)
    assert "".join(lines).replace(" ", "") == "".join("".join(c if c.isprintable() else " " for c in text).split())
    assert all(width_of(line, 7) <= width or len(line) == 1 for line in lines)


def test_the_command_makes_figures_of_models_and_of_saved_maps(
    maps: convlens.FeatureMaps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.onnx").write_bytes(maps.lens.model.SerializeToString())  # type: ignore[attr-defined]
    Image.fromarray(RNG.integers(0, 256, (32, 48, 3), np.uint8)).save("p.png")
    shared = ["--layers", "conv", "relu", "--channels", "0,3", "--width", "85mm"]
    assert run(["figure", "m.onnx", "p.png", "-o", "a.svg", *shared]) == 0
    assert "channels 0 and 3 of 9" in capsys.readouterr().out
    assert run(["export", "m.onnx", "p.png", "-o", "m.npz"]) == 0
    assert run(["figure", "m.npz", "-o", "b.svg", *shared]) == 0
    ours, theirs = Path("a.svg").read_text(), Path("b.svg").read_text()
    assert ours == theirs
    capsys.readouterr()
    assert run(["figure", "m.npz", "-o", "c.png", "-l", "conv,dense", "-c", "1", "--dpi", "100", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["width_mm"], told["picture"]) == ("c.png", 85.0, "p.png")
    assert run(["figure", "m.onnx", "p.png", "-o", "d.png", "--channels", "bgr", "-c", "0", "--no-caption"]) == 0
    for wrong in (
        ["m.onnx", "-o", "x.svg"],
        ["m.npz", "-o", "x.jpg"],
        ["m.npz", "-o", "x.svg", "--channels", "one"],
        ["m.npz", "-o", "x.svg", "--channels", "99"],
        ["m.npz", "-o", "x.svg", "-l", "cnv"],
    ):
        assert run(["figure", *wrong]) == 2
    assert not Path("x.svg").exists()
