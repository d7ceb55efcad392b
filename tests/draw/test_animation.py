"""Animations: every size by the paper's own relations, every number by a naive loop, every frame by its pixels."""

from __future__ import annotations

import importlib.util
import re
import stat
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from convlens.draw import animation, lettering
from convlens.draw.animation import Look, Slide, convolution, pooling, signs, transposed
from convlens.draw.animation.composing import compose
from convlens.draw.animation.looks import THEMES, contrast
from convlens.draw.animation.raster import frames
from convlens.draw.animation.saving import colours_of, durations
from convlens.draw.animation.sliding import MOST_FRAMES, slide
from convlens.draw.animation.staging import Box, Label, Stage
from convlens.draw.animation.vector import REST, svg
from convlens.errors import ConvlensError, DrawingError, MissingDependencyError, OutputError
from convlens.network import Convolution, Kind, Layer, Pooling


def the_script(path: Path) -> Any:
    """A script that is no part of the package, as a module."""
    spec = importlib.util.spec_from_file_location("animations_of_the_documentation", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where a dataclass looks for its module
    spec.loader.exec_module(module)
    return module


SVG = "{http://www.w3.org/2000/svg}"
DOCS = Path(__file__).parents[2] / "docs"
documentation = the_script(DOCS / "animations.py")

# Input size, output size, padding, kernel, stride of github.com/vdumoulin/conv_arithmetic, bin/generate_makefile. A
# transposed row there is the same convolution read backwards: its input is the output size. "dilation" is its gif.
PUBLISHED = {
    "no_padding_no_strides": (4, 2, 0, 3, 1),
    "arbitrary_padding_no_strides": (5, 6, 2, 4, 1),
    "same_padding_no_strides": (5, 5, 1, 3, 1),
    "full_padding_no_strides": (5, 7, 2, 3, 1),
    "no_padding_strides": (5, 2, 0, 3, 2),
    "padding_strides": (5, 3, 1, 3, 2),
    "padding_strides_odd": (6, 3, 1, 3, 2),
}
ROWS: dict[str, Callable[[], Slide]] = {row.name: row.make for row in documentation.ROWS}


def sides(found: Slide) -> tuple[int, int]:
    """The input's side and the output's; both are squares."""
    rows, columns = found.layer.output_shape[-2:]
    assert rows == columns
    assert found.source.shape[-1] == found.source.shape[-2]
    return found.source.shape[-1], rows


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_convolution_of_the_collection_has_its_size_by_the_relation_of_the_paper(name: str) -> None:
    i, o, p, k, s = PUBLISHED[name]
    found = ROWS[name]()
    assert found.operation.kernel_size == (k, k)
    assert found.operation.stride == (s, s)
    assert found.operation.padding == ((p, p), (p, p))
    assert sides(found) == (i, o)
    assert o == (i + 2 * p - k) // s + 1  # relationship 6, of which 1 to 5 are special cases
    assert len(found) == o * o


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_transposed_convolution_of_the_collection_goes_the_way_back(name: str) -> None:
    o, i, p, k, s = PUBLISHED[name]
    found = ROWS[f"{name}_transposed"]()
    a = (o + 2 * p - k) % s
    assert isinstance(found.operation, Convolution)
    assert found.operation.transposed
    assert found.operation.output_padding == (a, a)
    assert found.operation.kernel_size == (k, k)
    assert sides(found) == (i, o)
    assert o == s * (i - 1) + a + k - 2 * p  # relationship 14, of which 8 to 13 are special cases
    assert len(found) == o * o


def test_the_dilated_convolution_of_the_collection() -> None:
    found = ROWS["dilation"]()
    i, k, p, s, d = 7, 3, 0, 1, 2
    assert found.operation.dilation == (d, d)
    assert sides(found) == (i, (i + 2 * p - k - (k - 1) * (d - 1)) // s + 1) == (7, 3)  # relationship 15
    assert found.rows.windows == ((0, 2, 4), (1, 3, 5), (2, 4, 6))


def test_every_row_of_the_collection_is_there() -> None:
    assert {*PUBLISHED, *(f"{name}_transposed" for name in PUBLISHED), "dilation"} <= set(ROWS)


def test_the_paper_prints_these_numbers() -> None:
    assert convolution().values == (12, 12, 17, 10, 17, 19, 9, 6, 14)  # figure 1.1
    assert convolution(stride=2, padding=1).values == (6, 17, 3, 8, 17, 13, 6, 4, 4)  # figure 1.2
    averages = [f"{value:.1f}" for value in pooling(mode="average", stride=1).values]
    assert averages == ["1.7", "1.7", "1.7", "1.0", "1.2", "1.8", "1.1", "0.8", "1.3"]  # figure 1.5
    assert pooling(stride=1).values == (3, 3, 3, 3, 3, 3, 3, 2, 3)  # figure 1.6


def naive_convolution(found: Slide) -> list[float]:
    operation, kernel = found.operation, found.workings[0].kernel
    assert kernel is not None
    (top, bottom), (left, right) = operation.padding
    padded = np.pad(found.source, ((0, 0), (top, bottom), (left, right)))
    made = []
    for row in range(found.layer.output_shape[1]):
        for column in range(found.layer.output_shape[2]):
            total = found.workings[0].bias or 0.0
            for channel, at, beside in np.ndindex(*kernel.shape):
                y = row * operation.stride[0] + at * operation.dilation[0]
                x = column * operation.stride[1] + beside * operation.dilation[1]
                total += padded[channel, y, x] * kernel[channel, at, beside]
            made.append(total)
    return made


def naive_scattering(found: Slide) -> list[float]:
    """Each input value puts the whole kernel, times itself, onto the output: what the gather form has to equal."""
    operation, kernel = found.operation, found.workings[0].kernel
    assert kernel is not None
    rows, columns = found.layer.output_shape[1:]
    made = np.zeros((rows, columns))
    for channel, at, beside in np.ndindex(*found.source.shape):
        for tap, other in np.ndindex(*kernel.shape[1:]):
            y = at * operation.stride[0] + tap * operation.dilation[0] - operation.padding[0][0]
            x = beside * operation.stride[1] + other * operation.dilation[1] - operation.padding[1][0]
            if 0 <= y < rows and 0 <= x < columns:
                made[y, x] += found.source[channel, at, beside] * kernel[channel, tap, other]
    return [float(value) for value in made.flat]


CONVOLUTIONS: list[Callable[[], Slide]] = [
    lambda: convolution((6, 4), (2, 3), stride=(2, 1), padding=(1, 0), seed=3),
    lambda: convolution((3, 5, 6), (3, 2), dilation=(1, 2), bias=-2.5, seed=4),
    lambda: convolution((5, 5), (3, 3), padding="full", seed=1),
    lambda: convolution([[1.5, -2], [0.25, 4]], [[1, -1]]),
]
TRANSPOSED: list[Callable[[], Slide]] = [
    lambda: transposed((3, 4), (3, 2), stride=(2, 3), padding=(1, 0), seed=2),
    lambda: transposed((2, 3, 3), (4, 4), stride=2, padding=1, output_padding=1, seed=5),
    lambda: transposed((4, 4), (2, 2), dilation=2, seed=6),
    lambda: transposed((3, 3), (3, 3), padding="full", seed=7),
]


@pytest.mark.parametrize("make", CONVOLUTIONS)
def test_a_convolutions_values_are_those_of_a_naive_loop(make: Callable[[], Slide]) -> None:
    found = make()
    assert found.values == pytest.approx(naive_convolution(found), abs=1e-12)


@pytest.mark.parametrize("make", TRANSPOSED)
def test_a_transposed_convolutions_values_are_those_of_scattering(make: Callable[[], Slide]) -> None:
    found = make()
    assert found.values == pytest.approx(naive_scattering(found), abs=1e-12)


@pytest.mark.parametrize("mode", ["max", "average"])
def test_a_poolings_values_are_those_of_a_naive_loop(mode: str) -> None:
    found = pooling((6, 7), (3, 2), mode=mode, stride=(2, 1), padding=(1, 0), seed=8)  # type: ignore[arg-type]
    made = []
    for row in range(found.layer.output_shape[1]):
        for column in range(found.layer.output_shape[2]):
            rows = [at for at in range(row * 2 - 1, row * 2 + 2) if 0 <= at < 6]
            window = found.source[0][np.ix_(rows, range(column, column + 2))]
            made.append(window.max() if mode == "max" else window.mean())
    assert found.values == pytest.approx(made, abs=1e-12)


@pytest.mark.parametrize("make", [*CONVOLUTIONS, *TRANSPOSED, lambda: pooling((6, 6), (2, 2), seed=1)])
def test_what_lies_under_the_window_is_what_the_arithmetic_reads(make: Callable[[], Slide]) -> None:
    found = make()
    for (row, column), working in zip(found.places, found.workings, strict=True):
        rows, columns = found.rows.windows[row], found.columns.windows[column]
        for number, plane in enumerate(found.planes):
            window = working.window[number] if working.window.ndim == 3 else working.window
            shown = [[found.cell(plane, at, beside) for beside in columns] for at in rows]
            assert shown == window.tolist()


def test_the_window_and_the_mark_move_as_the_stride_says() -> None:
    look = Look(cell=30)
    stage = compose(convolution((5, 5), stride=2, padding=1), look)
    window, mark = sorted((part for part in stage.parts if part.moves), key=lambda part: -max(part.moves)[0])
    assert window.moves == tuple((60 * column, 60 * row) for row in range(3) for column in range(3))
    assert mark.moves == tuple((30 * column, 30 * row) for row in range(3) for column in range(3))
    frame = next(shape for shape in window.shapes if isinstance(shape, Box))
    assert 90 <= frame.width <= 96


def told(stage: Stage, frame: int) -> list[str]:
    """Every line that is seen in a frame."""
    parts = [part for part in stage.parts if part.first <= frame <= part.last]
    return [shape.string for part in parts for shape in part.shapes if isinstance(shape, Label)]


def test_the_arithmetic_of_each_window_stands_below_it_and_is_true() -> None:
    found = convolution((5, 5), stride=2)
    stage = compose(found, Look())
    for frame, value in enumerate(found.values):
        line = next(text for text in told(stage, frame) if " = " in text and "·" in text)
        terms, _, total = line.partition(" = ")
        assert eval(terms.replace("·", "*").replace("−", "-")) == float(total.replace("−", "-")) == value
    assert "rows and columns: floor((5 + 0 + 0 - 1*(3-1) - 1) / 2) + 1 = 2" in told(stage, 0)


def test_what_is_rounded_is_not_called_equal() -> None:
    lines = [text for text in told(compose(pooling(mode="average", stride=1), Look()), 0) if text.startswith("(")]
    assert lines == ["(3 + 3 + 2 + 0 + 0 + 1 + 3 + 1 + 2) / 9 ≈ 1.67"]
    exact = compose(pooling([[1, 2], [3, 4]], (2, 2), mode="average"), Look())
    assert "(1 + 2 + 3 + 4) / 4 = 2.5" in told(exact, 0)


def test_a_number_that_stands_in_full_is_called_equal() -> None:
    exact = convolution(padding=(1, 0), dilation=(2, 1), bias=-2.5)
    assert not [text for frame in range(9) for text in told(compose(exact, Look()), frame) if "≈" in text]
    assert "≈" in told(compose(convolution([[0.12345, 1.0], [1.0, 1.0]], [[1]]), Look()), 0)


def test_a_bias_keeps_its_own_digits() -> None:
    texts = told(compose(convolution([[100.5, 200.0], [300.0, 400.0]], [[1, 1]], bias=-0.00163), Look()), 0)
    assert "−0.00163" in texts


def test_a_long_number_is_shortened_and_the_others_stay() -> None:
    found = convolution([[100.123456, -2.6e9, 3.0], [4.0, 5.0, 6.0], [7.0, 1e-7, 9.0]], (2, 2))
    texts = told(compose(found, Look()), 0)
    assert {"100", "−3e9", "3", "1e−7"} <= set(texts)
    assert any("(−2.6e9)·" in text for text in texts)


def test_many_products_are_counted_and_their_sum_is_said_once() -> None:
    texts = told(compose(convolution((7, 7), (7, 7)), Look()), 0)
    (line,) = [text for text in texts if text.startswith("sum of")]
    assert re.fullmatch(r"sum of 49 products = −?\d+", line)


def test_a_pooling_keeps_the_channels_and_says_which_is_shown() -> None:
    stage = compose(pooling((3, 6, 6), (2, 2)), Look())
    assert stage.title == "max pooling: 3 × 6 × 6 → 3 × 3 × 3"
    assert "channel 0 of 3" in told(stage, 0)


def test_an_inputs_numbers_stand_in_the_middle_of_their_cells() -> None:
    look = Look()
    stage = compose(convolution(), look)
    fill = look.colours.tinted(look.colours.input)
    shapes = [shape for part in stage.parts for shape in part.shapes]
    cells = [shape for shape in shapes if isinstance(shape, Box) and shape.fill == fill]
    numbers = {(shape.x, shape.y) for shape in shapes if isinstance(shape, Label) and shape.size == 16}
    assert len(cells) == 25
    assert {(box.x + box.width // 2, box.y + box.height // 2 + 6) for box in cells} <= numbers


@pytest.mark.parametrize(("sign", "spelt"), [("≈", "~"), ("→", "->"), ("×", "x"), ("·", "*"), ("−", "-")])
def test_pixels_have_the_signs_of_the_svg(sign: str, spelt: str) -> None:
    coverage, _, top = signs.text_coverage(sign, 40)
    other = lettering.text_coverage(spelt, 40)[0]
    assert coverage.max() == 255
    assert coverage.shape != other.shape or (coverage != other).any()
    rows = np.flatnonzero(coverage.max(axis=1)) + top
    assert -16 <= (rows[0] + rows[-1]) / 2 <= -11  # on the line of a plus sign's bar
    assert signs.text_width(f"2{sign}3", 40) == sum(signs.text_width(one, 40) for one in ("2", sign, "3"))


def test_ink_follows_a_page_that_it_could_not_be_read_on() -> None:
    for name in THEMES:
        for page in ("#000000", "#ffffff", "#777777", "#fff8e7"):
            colours = Look.of(name, f"page={page}").colours
            assert contrast(colours.ink, colours.page) >= 4.5


def test_a_transposed_sum_leaves_the_zeros_out() -> None:
    stage = compose(transposed([[1, 2], [3, 4]], [[1, 2], [3, 4]], stride=2), Look())
    assert [next(text for text in told(stage, frame) if "·" in text) for frame in (0, 1, 5, 15)] == [
        "1·1 = 1",
        "1·2 = 2",
        "1·4 = 4",
        "4·4 = 16",
    ]


def test_many_channels_are_added_up_channel_by_channel() -> None:
    found = convolution((3, 5, 5), bias=1)
    stage = compose(found, Look())
    sums = found.workings[0].channel_sums
    assert sums is not None
    shown = "channel sums " + " + ".join(f"({int(n)})" if n < 0 else f"{int(n)}" for n in sums)
    line = next(text for text in told(stage, 0) if text.startswith("channel sums"))
    assert line.replace("−", "-") == f"{shown} + bias 1 = {int(sums.sum()) + 1}"


def test_a_bias_has_a_place_of_its_own_beside_the_sum() -> None:
    stage = compose(convolution([[1, 2], [3, 4]], [[1, 0], [0, 1]], bias=-2), Look())
    texts = told(stage, 0)
    assert "1·1 + 2·0 + 3·0 + 4·1 + bias (−2) = 3" in texts
    assert {"bias", "−2", "5", "3"} <= set(texts)
    assert "bias" not in told(compose(convolution(), Look()), 0)


@pytest.mark.parametrize("ending", [".gif", ".png", ".webp"])
def test_a_single_window_is_a_single_frame(tmp_path: Path, ending: str) -> None:
    found = convolution((3, 3))
    animation.save(found, tmp_path / f"one{ending}")
    with Image.open(tmp_path / f"one{ending}") as picture:
        assert getattr(picture, "n_frames", 1) == 1
        assert (np.asarray(picture.convert("RGB")) == next(frames(compose(found, Look())))).all()


def test_without_numbers_no_cell_holds_one() -> None:
    texts = told(compose(convolution(), Look(numbers=False)), 4)
    assert not [text for text in texts if re.fullmatch(r"−?[\d.]+", text)]
    assert [text for text in told(compose(convolution(), Look()), 4) if re.fullmatch(r"−?[\d.]+", text)]


@pytest.mark.parametrize("ending", [".gif", ".png", ".apng", ".webp"])
def test_a_file_holds_every_frame_to_the_pixel_and_the_last_one_longest(tmp_path: Path, ending: str) -> None:
    found, look = convolution((5, 5), stride=2, padding=1), Look(cell=24, fps=2)
    assert animation.save(found, tmp_path / f"conv{ending}", look) == [tmp_path / f"conv{ending}"]
    stage = compose(found, look)
    assert len(colours_of(stage)) <= 255
    with Image.open(tmp_path / f"conv{ending}") as picture:
        assert picture.n_frames == 9 == stage.frames  # type: ignore[attr-defined]
        assert picture.info["loop"] == 0
        lengths = []
        for number, expected in enumerate(frames(stage)):
            picture.seek(number)
            assert (np.asarray(picture.convert("RGB")) == expected).all()
            lengths.append(round(picture.info["duration"]))
    assert lengths == durations(stage, look) == [500] * 8 + [500 * (1 + REST)]


def test_the_flat_colours_of_a_gif_are_exact_even_where_there_are_more_than_it_can_hold(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(12, 12))
    found, look = convolution(values, (3, 3), stride=3), Look(shade=True)
    stage = compose(found, look)
    assert len(colours_of(stage)) > 255
    animation.save(found, tmp_path / "shaded.gif", look)
    with Image.open(tmp_path / "shaded.gif") as picture:
        for number, expected in enumerate(frames(stage)):
            picture.seek(number)
            shown = np.asarray(picture.convert("RGB")).astype(int)
            assert (shown == expected).all(axis=-1).mean() > 0.98
            assert np.abs(shown - expected).max() <= 48
            assert (shown[:10, :10] == THEMES["light"].page).all()


def test_frames_go_into_a_folder_or_under_a_numbered_name(tmp_path: Path) -> None:
    found, look = convolution(stride=2), Look(cell=20)
    inside = animation.save(found, tmp_path / "frames", look)
    assert [path.name for path in inside] == [f"frame-{n:03d}.png" for n in range(4)]
    named = animation.save(found, tmp_path / "step%d.png", look)
    assert [path.name for path in named] == [f"step{n}.png" for n in range(4)]
    for one, other, expected in zip(inside, named, frames(compose(found, look)), strict=True):
        assert one.read_bytes() == other.read_bytes()
        assert (np.asarray(Image.open(one)) == expected).all()


def test_an_svg_moves_without_a_script_and_rests_where_motion_is_not_wanted() -> None:
    found, look = convolution((5, 5), stride=2, padding=1), Look(fps=2)
    stage = compose(found, look)
    text = svg(stage, look)
    root = ET.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert "prefers-reduced-motion:reduce" in text
    assert f"{(9 + REST) / 2:.4g}s" in text
    titles = [element.text for element in root.iter(f"{SVG}title")]
    assert titles == ["convolution: 5 × 5 → 3 × 3"]
    glides = re.findall(r"@keyframes \w+\{((?:[^{}]*\{transform:[^{}]*\})+)\}", text)
    assert [glide.count("translate(") for glide in glides] == [9, 9]  # the mark and the window, one place a frame
    shown = {element.text for element in root.iter(f"{SVG}text")}
    assert {label for frame in range(9) for label in told(stage, frame)} == shown


def test_a_viewer_that_knows_no_animation_shows_the_last_frame() -> None:
    stage = compose(convolution(stride=2), Look())
    root = ET.fromstring(svg(stage, Look()))
    seen: list[str] = []

    def look_at(element: ET.Element) -> None:
        if element.get("visibility") == "hidden":
            return
        if element.tag == f"{SVG}text":
            seen.append(element.text or "")
        for child in element:
            look_at(child)

    look_at(root)
    assert sorted(seen) == sorted(told(stage, 3))


def test_two_svgs_in_one_page_keep_their_styles_apart() -> None:
    texts = [svg(compose(convolution(stride=n), Look()), Look()) for n in (1, 2)]
    names = [set(re.findall(r"\.(c[0-9a-f]{4}\w*)\{", text)) for text in texts]
    assert all(names)
    assert not names[0] & names[1]
    for text in texts:
        style = text[text.index("<style>") + 7 : text.index("</style>")]
        assert not re.findall(r"(?:^|\})\s*[a-z*]+\s*\{", re.sub(r"@[^{]*\{(?:[^{}]*\{[^{}]*\})*\}", "", style))


def shape(text: str) -> list[tuple[str, str, int]]:
    """What an SVG holds, but for the widths that letters have in this Pillow."""
    root = ET.fromstring(text)
    return [
        (element.tag, (element.text or "").strip(), len(element))
        for element in root.iter()
        if "style" not in element.tag
    ]


@pytest.mark.parametrize("row", documentation.ROWS, ids=lambda row: row.name)
def test_the_documentations_pictures_are_the_tools_own(row: Any, tmp_path: Path) -> None:
    kept = documentation.FOLDER / f"{row.name}.svg"
    assert kept.stat().st_size < 60_000
    animation.save(row.make(), tmp_path / "made.svg", Look())
    assert shape((tmp_path / "made.svg").read_text("utf-8")) == shape(kept.read_text("utf-8"))
    assert f"animations/{row.name}.svg" in (DOCS / "animations.md").read_text("utf-8")


def test_the_documentation_shows_no_other_picture() -> None:
    assert {path.name for path in documentation.FOLDER.iterdir()} == {f"{row.name}.svg" for row in documentation.ROWS}


@pytest.mark.parametrize("name", THEMES)
def test_every_text_can_be_read(name: str) -> None:
    """Each label against every flat ground that it can stand on: WCAG AA."""
    noise = np.random.default_rng(0).normal(size=(8, 8))
    plain = (convolution((2, 5, 5), padding=1, bias=1), pooling((6, 6), (2, 2)), transposed(stride=2))
    coloured = (convolution(noise, padding=1), convolution(np.abs(noise), stride=2), pooling(noise, (2, 2)))
    for found, shade in (*((found, False) for found in plain), *((found, True) for found in coloured)):
        look = Look.of(name, shade=shade)
        stage = compose(found, look)
        for frame, pixels in enumerate(frames(stage)):
            for part in (part for part in stage.parts if part.first <= frame <= part.last):
                right, down = part.moves[frame] if part.moves else (0, 0)
                for label in (shape for shape in part.shapes if isinstance(shape, Label)):
                    x, y = label.x + right, label.y + down + 2
                    x += {"start": 2, "middle": 0, "end": -2}[label.anchor]
                    red, green, blue = (int(n) for n in pixels[min(y, stage.height - 1), min(x, stage.width - 1)])
                    assert contrast(label.colour, (red, green, blue)) >= 4.5, (label, (red, green, blue))
            if frame == 1:
                break


WRONG: list[tuple[Callable[[], object], str, str]] = [
    (lambda: convolution((2, 2), (3, 3)), "larger than the input", "padding of 1"),
    (lambda: convolution((5, 5), (3, 3), dilation=3), "larger than the input", "7 x 7"),
    (lambda: convolution((0, 5)), "No such input", "0x5"),
    (lambda: convolution((5, 5), (-3, 3)), "No such kernel", "-3x3"),
    (lambda: convolution((5, 5), stride=0), "No such stride", "0"),
    (lambda: convolution((5, 5), padding=-1), "No such padding", "-1"),
    (lambda: convolution((5, 5), dilation=0), "No such dilation", "0"),
    (lambda: convolution((9, 5, 5)), "Too many channels", "9"),
    (lambda: convolution((64, 64)), "Too many frames", str(MOST_FRAMES)),
    (lambda: convolution(np.full((3, 3), np.nan)), "No such input", "finite"),
    (lambda: convolution((3, 5, 5), np.ones((2, 3, 3))), "other channels", "3"),
    (lambda: transposed((2, 2), (1, 1), padding=1), "takes away", "0 x 0"),
    (lambda: transposed((3, 3), stride=2, output_padding=2), "No such output padding", "0 to 1"),
    (lambda: convolution(bias=float("nan")), "No such bias", "nan"),
    (lambda: pooling((4, 4), (2, 2), padding=2), "padding alone", "2 x 2"),
    (lambda: pooling((4, 4), (5, 5)), "larger than the input", "4 x 4"),
    (lambda: Look(cell=4), "No such cell", "12"),
    (lambda: Look(fps=0), "No such speed", "0.1"),
    (lambda: Look.of("neon"), "No such theme", "paper"),
    (lambda: Look.of("light", "windw=#c2185b"), "No such colour", "window=#c2185b"),
    (lambda: Look.of("light", "page=white"), "No such colour", "#rrggbb"),
]


@pytest.mark.parametrize(("call", "problem", "says"), WRONG)
def test_what_cannot_be_shown_is_said_in_one_line(call: Callable[[], object], problem: str, says: str) -> None:
    with pytest.raises(DrawingError) as caught:
        call()
    assert problem in caught.value.problem
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_too_many_pixels_are_refused_before_any_is_painted(tmp_path: Path) -> None:
    found = convolution((20, 20))
    with pytest.raises(OutputError, match=r"100 million.*--cell 16") as caught:
        animation.save(found, tmp_path / "large.gif", Look(cell=160))
    assert "svg" in caught.value.hint
    assert not list(tmp_path.iterdir())
    animation.save(found, tmp_path / "large.svg", Look(cell=160))
    animation.save(found, tmp_path / "large.gif", Look(cell=16, numbers=False))


@pytest.mark.parametrize("name", ["conv.avi", "conv.jpg", "frame-%03d.gif"])
def test_an_unknown_ending_is_refused_with_the_known_ones(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"\.gif, \.svg, \.png"):
        animation.save(convolution(), tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_film_needs_ffmpeg_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependencyError, match=r"ffmpeg on the PATH.*conv\.gif"):
        animation.save(convolution(), tmp_path / "conv.mp4")


FFMPEG = """#!/usr/bin/env python3
import sys
frames = sys.stdin.buffer.read()
open(sys.argv[-1], "w").write(f"{len(frames)} {' '.join(sys.argv[1:-1])}")
"""


@pytest.mark.parametrize(("ending", "codec"), [(".mp4", "libx264"), (".webm", "libvpx-vp9")])
def test_ffmpeg_is_fed_with_every_frame(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str, codec: str
) -> None:
    """With a stand-in for ffmpeg that writes down what it got."""
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text(FFMPEG)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    found, look = convolution(stride=2), Look(cell=20, fps=2)
    animation.save(found, tmp_path / f"conv{ending}", look)
    size, *words = (tmp_path / f"conv{ending}").read_text().split()
    stage = compose(found, look)
    assert int(size) == (4 + REST) * stage.width * stage.height * 3
    assert f"{stage.width}x{stage.height}" in words
    assert codec in words
    assert words[words.index("-r") + 1] == "2"


def test_ffmpegs_own_complaint_is_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "bin" / "ffmpeg"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\necho 'Unknown encoder libx264' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    with pytest.raises(OutputError, match="Unknown encoder libx264"):
        animation.save(convolution(), tmp_path / "conv.mp4", Look(cell=20))
    assert not (tmp_path / "conv.mp4").exists()


def test_a_layer_without_a_window_is_refused() -> None:
    with pytest.raises(ConvlensError, match="No window slides"):
        slide(Layer("relu", "Relu", Kind.ACTIVATION, ("x",), (1, 4, 4)), np.zeros((1, 4, 4)), {})


def test_a_one_dimensional_layer_slides_along_one_row() -> None:
    operation = Convolution(2, 1, (3,), (2,), (1,), ((1, 1),), bias=False)
    source, kernel = np.arange(14.0).reshape(2, 7), np.array([[[1.0, 2, 3], [-1, 0, 1]]])
    found = slide(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (1, 4), operation), source, {"kernel": kernel})
    padded = np.pad(source, ((0, 0), (1, 1)))
    expected = [float((padded[:, n : n + 3] * kernel[0]).sum()) for n in range(0, 8, 2)]
    assert list(found.values) == expected
    assert len(list(frames(compose(found, Look(cell=24))))) == 4


def test_adaptive_windows_change_their_size() -> None:
    operation = Pooling("average", (1, 1), (1, 1), (1, 1), ((0, 0), (0, 0)), adaptive=True)
    source = np.arange(25.0).reshape(1, 5, 5)
    found = slide(Layer("pool", "AdaptiveAvgPool2d", Kind.POOLING, ("x",), (1, 3, 3), operation), source, {})
    assert found.rows.windows == ((0, 1), (1, 2, 3), (3, 4))
    assert found.values[4] == source[0, 1:4, 1:4].mean()
    compose(found, Look())
