"""``convlens animate``: what is typed, what comes out, and what is refused before any work."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.hosts.command_line import Run

import convlens
from convlens.draw.animation import telling
from convlens.draw.animation.composing import compose
from convlens.draw.animation.looks import THEMES, Look
from convlens.draw.animation.staging import Label
from convlens.errors import InputError
from convlens.lens.animating import CELL, sliding
from convlens.sketches.kernels import named_kernel


def facts(run: Run, *words: object) -> dict[str, Any]:
    result = run("animate", *words, "--json")
    assert result.code == 0, result.err
    found: dict[str, Any] = json.loads(result.out)
    return found


def shown(path: Path, frame: int = 0) -> np.ndarray:
    with Image.open(path) as picture:
        picture.seek(frame)
        return np.asarray(picture.convert("RGB"))


def test_the_line_of_the_help_makes_the_picture_it_names(run: Run, tmp_path: Path) -> None:
    settings = ("--input", "5x5", "--kernel", "3x3", "--stride", 2, "--padding", 1)
    result = run("animate", "conv", *settings, "-o", "conv.gif")
    assert result.code == 0
    assert result.out.splitlines() == [
        "convolution: 5 × 5 → 3 × 3 (kernel 3 × 3, stride 2, padding 1)",
        "rows and columns: floor((5 + 1 + 1 - 1*(3-1) - 1) / 2) + 1 = 3",
        "9 frames -> conv.gif",
    ]
    with Image.open(tmp_path / "conv.gif") as picture:
        assert picture.n_frames == 9  # type: ignore[attr-defined]


def test_five_by_five_at_stride_two_gives_two_by_two(run: Run) -> None:
    found = facts(run, "conv", "--input", "5x5", "--kernel", "3x3", "--stride", 2, "-o", "conv.svg")
    assert (found["output"], found["frames"]) == ([1, 2, 2], 4)


@pytest.mark.parametrize(
    ("kind", "output"),
    [
        ("conv", [1, 3, 3]),  # 5 - 3 + 1
        ("dilated", [1, 3, 3]),  # 7 - 2 * (3 - 1)
        ("multichannel", [1, 3, 3]),
        ("tconv", [1, 5, 5]),  # 2 * (3 - 1) + 3 - 2 * 1
        ("pool", [1, 3, 3]),  # 6 / 2
    ],
)
def test_every_kind_is_there_with_settings_of_its_own(run: Run, kind: str, output: list[int]) -> None:
    found = facts(run, kind, "-o", f"{kind}.svg")
    assert found["output"] == output
    assert found["frames"] == len(found["values"]) == output[1] * output[2]
    assert found["files"] == [f"{kind}.svg"]


def test_settings_can_differ_by_axis(run: Run) -> None:
    words = ("--input", "6x7", "--kernel", "3x2", "--stride", "1x2", "--padding", "1x0", "--dilation", "2x1")
    found = facts(run, "conv", *words, "-o", "conv.svg")
    assert found["output"] == [1, 6 + 2 - 2 * 2 - 1 + 1, (7 - 2) // 2 + 1]


def test_numbers_of_ones_own_and_kernels_by_name(run: Run) -> None:
    grid = "1 2 3 4; 5 6 7 8; 9 10 11 12; 1 1 2 2"
    found = facts(run, "conv", "--input", grid, "--kernel", "sobel-x", "--bias", -1, "-o", "own.svg")
    values = np.array([[float(n) for n in row.split()] for row in grid.split(";")])
    expected = [
        float((values[r : r + 3, c : c + 3] * named_kernel("sobel-x")).sum()) - 1 for r in range(2) for c in range(2)
    ]
    assert found["values"] == expected
    pooled = facts(run, "pool", "--input", "1 -2; 3 4", "--mode", "average", "-o", "pool.svg")
    assert pooled["values"] == [1.5]


def test_a_seed_makes_other_numbers_and_the_same_ones_again(run: Run) -> None:
    values = [facts(run, "conv", "--seed", seed, "-o", "conv.svg")["values"] for seed in (1, 2, 1)]
    assert values[0] == values[2] != values[1]


def test_words_for_padding(run: Run) -> None:
    sizes = {
        word: facts(run, "conv", "--padding", word, "-o", "c.svg")["output"][1] for word in ("half", "full", "none")
    }
    assert sizes == {"half": 5, "full": 7, "none": 3}


def test_output_padding_adds_a_row_and_a_column(run: Run) -> None:
    assert facts(run, "tconv", "--output-padding", 1, "-o", "t.svg")["output"] == [1, 6, 6]


def test_frames_in_a_folder_and_under_numbered_names(run: Run, tmp_path: Path) -> None:
    found = facts(run, "conv", "--stride", 2, "-o", "frames/")
    assert found["files"] == [f"frames/frame-{n:03d}.png" for n in range(4)]
    found = facts(run, "conv", "--stride", 2, "-o", "step-%02d.png")
    assert found["files"] == [f"step-{n:02d}.png" for n in range(4)]
    assert (tmp_path / "step-03.png").read_bytes() == (tmp_path / "frames" / "frame-003.png").read_bytes()


def test_how_it_looks(run: Run, tmp_path: Path) -> None:
    def made(*words: object) -> np.ndarray:
        assert run("animate", "conv", "--stride", 2, *words, "-o", "look.gif").code == 0
        return shown(tmp_path / "look.gif", 3)

    plain, large = made(), made("--cell", 80)
    assert 1.8 < large.shape[1] / plain.shape[1] < 2.2
    assert tuple(made("--theme", "dark")[0, 0]) == THEMES["dark"].page
    assert tuple(made("--colours", "page=#fff8e7")[0, 0]) == (255, 248, 231)
    red = made("--colours", "window=#ff0000", "--no-numbers")
    assert (red == (255, 0, 0)).all(axis=-1).any()
    assert not (plain == (255, 0, 0)).all(axis=-1).any()
    assert len(np.unique(made("--shade").reshape(-1, 3), axis=0)) > len(np.unique(plain.reshape(-1, 3), axis=0))
    made("--fps", 4)
    with Image.open(tmp_path / "look.gif") as picture:
        assert picture.info["duration"] == 250


def test_a_real_layer_shows_the_frameworks_own_values(run: Run, shelf: Path) -> None:
    words = ("--model", shelf / "net.onnx", "--picture", shelf / "picture.png", "--layer", "conv", "--channel", 2)
    found = facts(run, *words, "--at", "10,20", "--outputs", "2x3", "-o", "conv.svg")
    maps = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png")
    assert found["values"] == [float(value) for value in maps["conv"].array[2, 10:12, 19:22].flat]
    assert found["frames"] == 6
    assert found["output"] == list(maps["conv"].shape)
    part = sliding(maps, "conv", 2, (10, 20), (2, 3))
    assert (part.source == maps.value("picture")).all()
    for (row, column), working, value in zip(part.places, part.workings, part.values, strict=True):
        explained = maps["conv"].explain(2, row, column)
        assert explained.agrees
        assert (working.total, value) == (explained.total, explained.framework_value)


def test_a_real_layer_by_default_is_the_first_one_around_its_strongest_value(run: Run, shelf: Path) -> None:
    found = facts(run, "--model", shelf / "net.onnx", "--picture", shelf / "picture.png", "-o", "layer.gif")
    assert found["title"].startswith("conv · convolution: 3 × 24 × 30")
    array = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png")["conv"].array[0]
    assert float(np.abs(array).max()) in np.abs(found["values"])
    assert found["frames"] == 9


def test_a_pooling_layer_shows_which_value_won(run: Run, shelf: Path) -> None:
    words = ("--model", shelf / "net.onnx", "--picture", shelf / "picture.png", "--layer", "maxpool")
    found = facts(run, *words, "--at", "0,0", "--outputs", "2x2", "-o", "pool.svg")
    maps = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png")
    assert found["values"] == [float(value) for value in maps["maxpool"].array[0, :2, :2].flat]
    part = sliding(maps, "maxpool", 0, (0, 0), (2, 2))
    for (row, column), working in zip(part.places, part.workings, strict=True):
        window = maps["relu"].array[0, row * 5 : row * 5 + 5, column * 5 : column * 5 + 5]
        assert working.winners is not None
        assert (working.winners == (window == window.max())).all()


def test_channels_that_have_no_room_are_added_up_in_one_number() -> None:
    lens = convlens.sketch("conv 2 3x3", input_shape=(7, 8, 8), seed=0)
    maps = lens.feature_maps(np.random.default_rng(0).normal(size=(1, 7, 8, 8)).astype(np.float32))
    part = sliding(maps, "conv", 1, (2, 2), (1, 1))
    assert part.planes == (0, 1)
    stage = compose(part, Look())
    texts = [shape.string for found in stage.parts for shape in found.shapes if isinstance(shape, Label)]
    assert "the other 5 channels" in texts
    sums = part.workings[0].channel_sums
    assert sums is not None
    first = next(number for number, text in enumerate(texts) if text.startswith("channel sums"))
    line = " ".join(texts[first:])
    printed = line.replace("−", "-").replace("(", "").replace(")", "").removeprefix("channel sums ")
    numbers = [float(number) for number in printed.partition(" + bias")[0].split(" + ")]
    assert numbers == pytest.approx(sums.tolist(), rel=0.006)
    assert "≈" in line


def test_a_grouped_layer_shows_the_channels_of_its_group() -> None:
    lens = convlens.sketch("dwconv 3x3", input_shape=(3, 8, 8), seed=0)
    maps = lens.feature_maps(np.full((8, 8, 3), 7, np.uint8))
    part = sliding(maps, lens.network[0].name, 2, (1, 1), (2, 2))
    assert part.planes == (2,)
    assert len(part) == 4
    assert telling.title(part) == f"{lens.network[0].name} · depthwise convolution: 3 × 8 × 8 → 3 × 6 × 6"
    assert telling.part(part) == "filter 2 of 3, reads input channel 2 of 3"


def test_a_place_and_a_size_are_whole_numbers() -> None:
    lens = convlens.sketch("conv 2 3x3", input_shape=(3, 8, 8), seed=0)
    maps = lens.feature_maps(np.full((8, 8, 3), 7, np.uint8))
    for place in ((1.5, 2), "ab", (1,), (9, 9)):
        with pytest.raises(InputError, match=r"No such place.*6 x 6.*Choose 3,3"):
            sliding(maps, "conv", 0, place)  # type: ignore[arg-type]  # wrong on purpose
    for size in ((1.5, 2), (0, 1), (4,)):
        with pytest.raises(InputError, match=r"No such part of the output.*4x4"):
            sliding(maps, "conv", 0, None, size)  # type: ignore[arg-type]  # wrong on purpose


def test_a_real_layers_numbers_can_be_read_on_a_slide() -> None:
    lens = convlens.sketch("conv 32 3x3 | conv 2 3x3", input_shape=(3, 24, 24), seed=0)
    maps = lens.feature_maps(np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8))
    for name in ("conv", "conv2"):
        stage = compose(sliding(maps, name), Look(cell=CELL, shade=True))
        assert stage.height < 1200
        labels = [shape for part in stage.parts for shape in part.shapes if isinstance(shape, Label)]
        assert min(label.size for label in labels if label.anchor == "middle") >= 12


def test_a_shorter_animation_takes_the_longer_ones_frames_away(run: Run, tmp_path: Path) -> None:
    small = ("--cell", 12, "--no-numbers")
    assert run("animate", "conv", "--padding", "full", *small, "-o", "f").code == 0
    (tmp_path / "f" / "frame-048.png").write_text("holiday")
    (tmp_path / "f" / "frame-0047.png").write_bytes((tmp_path / "f" / "frame-047.png").read_bytes())
    assert run("animate", "conv", *small, "-o", "f").code == 0
    kept = {*(f"frame-{n:03d}.png" for n in range(9)), "frame-048.png", "frame-0047.png"}
    assert {path.name for path in (tmp_path / "f").iterdir()} == kept


def test_cells_shrink_where_the_frames_would_be_too_large(run: Run) -> None:
    result = run("animate", "conv", "--input", "15x15", "-o", "large.gif")
    assert result.code == 0
    assert "cells of 28 px instead of 40" in result.out
    assert "cells of" not in run("animate", "conv", "-o", "small.gif").out


def test_many_channels_are_three_where_none_is_typed(run: Run) -> None:
    assert facts(run, "multichannel", "--input", "5x5", "-o", "m.svg")["input"] == [3, 5, 5]


def test_padding_can_differ_before_and_after(run: Run) -> None:
    found = facts(run, "conv", "--padding", "0+1x2", "-o", "c.svg")
    assert found["output"] == [1, 5 + 1 - 2, 5 + 4 - 2]
    assert "padding 0 + 1 × 2" in found["settings"]


@pytest.mark.parametrize("line", ["conv 1 3x3 stride 2 same", "tconv 1 3x3 stride 2", "avgpool 3x3 stride 2 same"])
def test_padding_and_strides_of_a_real_layer_are_laid_out_as_they_are(line: str) -> None:
    lens = convlens.sketch(line, input_shape=(1, 6, 6), seed=0)
    maps = lens.feature_maps(np.random.default_rng(1).normal(size=(1, 1, 6, 6)).astype(np.float32))
    name = lens.network[0].name
    rows, columns = maps[name].array.shape[1:]
    part = sliding(maps, name, 0, (0, 0), (rows, columns))
    assert len(part) == rows * columns
    for (row, column), working in zip(part.places, part.workings, strict=True):
        window = working.window[0] if working.window.ndim == 3 else working.window
        for (at, beside), value in np.ndenumerate(window):
            cell = part.cell(0, part.rows.windows[row][at], part.columns.windows[column][beside])
            assert cell == value or (cell is None and value == 0)


WRONG = [
    ("animate", "Nothing to animate", "conv -o conv.gif"),
    ("animate conv", "no path to write to", "-o conv.gif"),
    ("animate conv -o conv.avi", "kind of animation", "-o conv.gif"),
    ("animate conv -o nowhere/conv.gif", "No such folder", "mkdir -p nowhere"),
    ("animate conv --input 2x2 -o a.gif", "larger than the input", "padding of 1"),
    ("animate conv --input -5x5 -o a.gif", "No such input", "-5x5"),
    ("animate conv --input five -o a.gif", "not a grid for --input", "--input 5x5"),
    ("animate conv --kernel sobel -o a.gif", "not a grid for --kernel", "sobel-x"),
    ("animate conv --input 1,2;3 -o a.gif", "not a grid", "1 2 3; 4 5 6"),
    ("animate conv --stride two -o a.gif", "not a stride", "--stride 2"),
    ("animate conv --stride 0 -o a.gif", "received 0. ", "Choose 1 or 2"),
    ("animate conv --dilation 0 -o a.gif", "No such dilation", "Choose 1 or 2"),
    ("animate conv --padding=-1 -o a.gif", "No such padding", "Choose 0, 1, half or full"),
    ("animate conv --input 2000x2000 -o a.gif", "received 2000x2000", "--model and --picture"),
    ("animate conv --input 0x5 -o a.gif", "received 0x5", "Choose 5x5"),
    ("animate conv --input 5x5x5x5 -o a.gif", "received 5x5x5x5", "3x5x5"),
    ("animate multichannel --input 12x5x5 -o a.gif", "Too many channels", "--model"),
    ("animate multichannel --input 1,2 -o a.gif", "don't make many channels", "Type conv"),
    ("animate pool --kernel sobel-x -o a.gif", "--kernel sobel-x", "--kernel 2x2"),
    ("animate conv -o a/conv.bmp", "received a/conv.bmp", "-o a/conv.gif"),
    ("animate conv -o /dev/null", "A file is in the way", "-o frames/"),
    ("animate conv --fps 0 -o a.gif", "No such speed", "Choose 1.5"),
    ("animate conv --colours page=#000,ink=#111 -o a.gif", "can't be read", "Choose ink=#e8ebf1"),
    ("animate conv --padding much -o a.gif", "not a padding", "--padding 2"),
    ("animate pool --dilation 2 -o a.gif", "pool has no --dilation", "tconv"),
    ("animate conv --mode max -o a.gif", "conv has no --mode", "pool"),
    ("animate conv --input 60x60 -o a.gif", "Too many frames", "3,364"),
    ("animate conv --input 20x20 --cell 160 -o a.gif", "too large", "--cell 16"),
    ("animate conv --cell 3 -o a.gif", "12 to 160", "Choose 40"),
    ("animate conv --colours windo=#fff -o a.gif", "No such colour", "window=#fff"),
    ("animate conv --theme neon -o a.gif", "neon", "--help"),
    ("animate conv --picture cat.png -o a.gif", "belong to a model", "--model"),
    ("animate conv --model {shelf}/net.onnx -o a.gif", "Two things", "conv and --model"),
    ("animate --model {shelf}/net.onnx --stride 2 -o a.gif", "Two things", "--stride"),
    ("animate --model {shelf}/net.onnx -o a.gif", "needs a picture", "--picture"),
    ("animate --model {shelf}/net.onnx --picture {shelf}/picture.png --layer cov -o a.gif", "No layer", "conv"),
    ("animate --model {shelf}/net.onnx --picture {shelf}/picture.png --layer relu -o a.gif", "No window", "relu"),
    ("animate --model {shelf}/net.onnx --picture {shelf}/picture.png --at 99,1 -o a.gif", "22 x 28", "Choose 11,14"),
    ("animate --model {shelf}/net.onnx --picture {shelf}/picture.png -c 3 -o a.gif", "channel", "0 to 2"),
    ("animate --model {shelf}/net.onnx --picture {shelf}/picture.png --outputs 30x30 -o a.gif", "400", "--outputs 4x4"),
]


@pytest.mark.parametrize(("line", "problem", "remedy"), WRONG)
def test_wrong_input_gets_one_line_and_leaves_nothing(
    run: Run, shelf: Path, tmp_path: Path, line: str, problem: str, remedy: str
) -> None:
    result = run(*line.format(shelf=shelf).split())
    assert result.code == 2
    assert problem in result.error
    assert remedy in result.error
    assert not list(tmp_path.iterdir())


def test_nobodys_own_file_is_overwritten(run: Run, tmp_path: Path) -> None:
    (tmp_path / "conv.gif").write_text("holiday")
    (tmp_path / "frames").mkdir()
    (tmp_path / "frames" / "frame-002.png").write_text("holiday")
    for target in ("conv.gif", "frames"):
        assert "didn't write it" in run("animate", "conv", "-o", target).error
    assert (tmp_path / "conv.gif").read_text() == "holiday"
    assert [path.name for path in (tmp_path / "frames").iterdir()] == ["frame-002.png"]
    assert run("animate", "conv", "-o", "conv.gif", "--force").code == 0
    for ending in ("gif", "svg", "png", "webp"):  # its own it knows again
        assert run("animate", "conv", "-o", f"own.{ending}").code == 0
        assert run("animate", "conv", "-o", f"own.{ending}").code == 0
