"""``convlens explain`` and ``convlens derive``: the same facts as in Python, laid out for whoever reads them."""

from __future__ import annotations

import io
import json
import os
import re
from math import ceil, floor
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from rich.color import Color
from rich.console import Console
from tests.hosts.command_line import Run, spawn
from tests.hosts.test_cli import in_a_terminal, strict_json

import convlens
from convlens import sketches
from convlens.hosts.cli import pages
from convlens.lens import Explanation, PictureValue
from convlens.lens.printed import decimals_for, ledger


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models of every number of axes, and arrays to feed them."""
    folder = tmp_path_factory.mktemp("bench")
    (folder / "deep.onnx").write_bytes(
        sketches.build(
            "conv 8 3 pad 1 | batchnorm | relu | maxpool 3x3 | conv 64 3 | dwconv 3 | avgpool 2 | flatten | dense 5 | "
            "softmax",
            input_shape=(3, 24, 30),
            seed=3,
        ).SerializeToString()
    )
    _save(folder / "line.onnx", [1, 2, 9], _convolution([3, 2, 3]))
    _save(folder / "volume.onnx", [1, 1, 5, 6, 7], _convolution([2, 1, 2, 2, 2]))
    _save(folder / "broken.onnx", [1, 1, 4, 4], [helper.make_node("Log", ["x"], ["y"], "log")])
    _save(folder / "unknown.onnx", [1, 1, 4, 4], [helper.make_node("Det", ["x"], ["y"], "det")], [1, 1])
    random = np.random.default_rng(0)
    np.save(folder / "line.npy", random.standard_normal((2, 9)).astype(np.float32))
    np.save(folder / "volume.npy", random.standard_normal((1, 5, 6, 7)).astype(np.float32))
    np.save(folder / "negative.npy", -np.ones((1, 4, 4), np.float32))
    return folder


def _convolution(shape: list[int]) -> list[onnx.NodeProto]:
    values = np.random.default_rng(1).standard_normal(shape).astype(np.float32)
    kernel = helper.make_tensor("kernel", TensorProto.FLOAT, shape, values.ravel())
    return [
        helper.make_node("Constant", [], ["kernel"], "kernel", value=kernel),
        helper.make_node("Conv", ["x", "kernel"], ["y"], "conv"),
    ]


def _save(path: Path, shape: list[int], nodes: list[onnx.NodeProto], made: list[int] | None = None) -> None:
    given = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    asked = [helper.make_tensor_value_info("y", TensorProto.FLOAT, made)]
    model = helper.make_model(
        helper.make_graph(nodes, "g", given, asked), opset_imports=[helper.make_opsetid("", 18)], ir_version=9
    )
    path.write_bytes(model.SerializeToString())


def explained(model: Path, picture: Path, layer: str, *index: int, **options: Any) -> Explanation:
    return convlens.open(model).explain(picture, layer, index[0], index[1:], **options)


class TestExplain:
    @pytest.mark.parametrize(
        ("layer", "index"),
        [
            ("conv", (2, 0, 29)),
            ("batchnorm", (7, 3, 3)),
            ("relu", (0, 23, 0)),
            ("maxpool", (1, 4, 5)),
            ("conv2", (63, 1, 2)),
            ("dwconv", (11, 0, 0)),
            ("avgpool", (5, 0, 1)),
            ("flatten", (17,)),
            ("dense", (4,)),
            ("softmax", (0,)),
        ],
    )
    def test_piped_it_is_what_python_prints(
        self, run: Run, bench: Path, shelf: Path, layer: str, index: tuple[int, ...]
    ) -> None:
        place = ["--at", ",".join(map(str, index[1:]))] if index[1:] else []
        words = ["explain", bench / "deep.onnx", shelf / "picture.png", layer, "--channel", index[0], *place]
        result = run(*words)
        expected = explained(bench / "deep.onnx", shelf / "picture.png", layer, *index)
        assert expected.agrees
        assert (result.code, result.err) == (0, "")
        assert result.out == f"{expected}\n"
        facts = strict_json(run(*words, "--json").out)
        assert facts == json.loads(json.dumps(expected.to_dict()))

    @pytest.mark.parametrize(("name", "index"), [("line", (2, 4)), ("volume", (1, 3, 0, 5))])
    def test_maps_of_one_and_three_axes(self, run: Run, bench: Path, name: str, index: tuple[int, ...]) -> None:
        model, data = bench / f"{name}.onnx", bench / f"{name}.npy"
        result = run("explain", model, data, "conv", "-c", index[0], "--at", ",".join(map(str, index[1:])))
        assert result.code == 0, result.err
        assert result.out == f"{explained(model, data, 'conv', *index)}\n"

    def test_the_recipe_changes_what_is_explained(self, run: Run, shelf: Path) -> None:
        words = ["explain", shelf / "net.onnx", shelf / "picture.png", "conv", "--at", "3,4", "--json"]
        recipes: list[list[object]] = [
            [],
            ["--preset", "0..1"],
            ["--size", "20x20"],
            ["--mean", "100"],
            ["--std", "2"],
            ["--scale-pixels", "1/3"],
            ["--channels", "bgr"],
            ["--size", "20x20", "--resize", "crop", "--crop", "0.5"],
            ["--size", "20x20", "--resize", "pad"],
            ["--size", "20x20", "--interpolation", "nearest"],
        ]
        values = [strict_json(run(*words, *recipe).out)["framework_value"] for recipe in recipes]
        assert len(set(values)) == len(recipes), values

    @pytest.mark.parametrize("trace", [False, True])
    def test_only_the_layers_that_it_takes_are_kept(
        self, run: Run, bench: Path, shelf: Path, monkeypatch: pytest.MonkeyPatch, trace: bool
    ) -> None:
        kept: list[object] = []
        lens = convlens.open(bench / "deep.onnx")
        engine = lens._engine
        usual = engine.run

        def told(feed: Any, keep: Any, sink: Any) -> Any:
            kept.append(keep)
            return usual(feed, keep, sink)

        monkeypatch.setattr(engine, "run", told)
        monkeypatch.setattr("convlens.lens.open", lambda *_args, **_options: lens)
        words = ["explain", "any.onnx", shelf / "picture.png", "maxpool", "--at", "2,2"]
        assert run(*words, *(["--trace"] if trace else [])).code == 0
        assert kept == [{"conv", "batchnorm", "relu", "maxpool"} if trace else {"relu", "maxpool"}]

    def test_the_trace_ends_at_a_pixel(self, run: Run, bench: Path, shelf: Path) -> None:
        words = ["explain", bench / "deep.onnx", shelf / "picture.png", "softmax", "-c", "3", "--trace"]
        facts = strict_json(run(*words, "--json").out)
        steps = list(explained(bench / "deep.onnx", shelf / "picture.png", "softmax", 3, trace=True).trace())
        names = [layer.name for layer in convlens.open(bench / "deep.onnx").network]
        assert [step["layer"] for step in facts["trace"][:-1]] == names[::-1]
        end = steps[-1]
        assert isinstance(end, PictureValue)
        assert facts["trace"][-1] == {"input": end.input, "index": list(end.index), "value": end.value}
        pixels = convlens.open(bench / "deep.onnx").feature_maps(shelf / "picture.png").picture
        assert pixels is not None
        channel, row, column = end.index
        assert pixels.pixels[row, column, channel] == end.value, "the picture has the network's own size"
        table = run(*words).out.partition("the way back to the picture")[2].strip().splitlines()[1:]
        assert [line.split()[0] for line in table] == [*names[::-1], end.input]
        assert all(f"{step['value']:.6g}" in line for step, line in zip(facts["trace"], table, strict=True))

    def test_what_is_no_number_is_null_in_json(self, run: Run, bench: Path) -> None:
        words = ["explain", bench / "broken.onnx", bench / "negative.npy", "log", "--at", "0,0"]
        facts = strict_json(run(*words, "--json").out)
        assert facts["framework_value"] is None
        assert facts["window"] == [-1.0]
        assert "nan" in run(*words).out.lower()

    def test_a_layer_that_is_not_explained_is_no_mistake(self, run: Run, bench: Path) -> None:
        words = ["explain", bench / "unknown.onnx", bench / "negative.npy", "det"]
        result = run(*words)
        assert result.code == 0
        assert "doesn't know the arithmetic of Det" in result.out
        assert strict_json(run(*words, "--json").out)["explained"] is False


class TestWrongInput:
    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["conv", "-c", "8", "--at", "0,0"], "expected a channel from 0 to 7, received 8"),
            (["conv", "-c", "-1", "--at", "0,0"], "expected a channel from 0 to 7, received -1"),
            (["conv", "--at", "24,0"], "expected a row from 0 to 23, received 24"),
            (["conv", "--at", "0,30"], "expected a column from 0 to 29, received 30"),
            (["conv", "--at", "-1,0"], "expected a row from 0 to 23, received -1"),
            (["conv"], "Type --channel 0 --at 12,15"),
            (["conv", "--at", "5"], "Type --channel 0 --at 12,15"),
            (["conv", "--at", "1,2,3"], "expected channel, row, column, received channel, 1, 2, 3"),
            (["conv", "--at", "top"], "Type --at 10,20"),
            (["conv", "--at", ""], "Type --at 10,20"),
            (["dense", "--at", "1,2"], "Type --channel 0, or explain(channel=0)"),
            (["dense", "-c", "5"], "expected a channel from 0 to 4, received 5"),
            (["cnov", "--at", "0,0"], "Did you mean 'conv'"),
            ([], "Missing argument 'LAYER'"),
            (["conv", "relu", "--at", "0,0"], "convlens explain --help"),
            (["conv", "--at", "0,0", "--preset", "imagnet"], "imagenet"),
            (["conv2", "--at", "0,0", "--memory", "1kB"], "--memory"),
        ],
    )
    def test_explain(self, run: Run, bench: Path, shelf: Path, words: list[str], expected: str) -> None:
        result = run("explain", bench / "deep.onnx", shelf / "picture.png", *words)
        assert result.code == 2
        assert expected in result.error

    @pytest.mark.parametrize("name", ["missing.onnx", "words.onnx", "cut.onnx", "folder.onnx"])
    @pytest.mark.parametrize("command", ["explain", "derive"])
    def test_models(self, run: Run, shelf: Path, command: str, name: str) -> None:
        rest = [shelf / "picture.png", "conv"] if command == "explain" else []
        result = run(command, shelf / name, *rest)
        assert result.code == 2
        assert name.removesuffix(".onnx") in result.error

    @pytest.mark.parametrize("name", ["missing.png", "words.png", "cut.png", "folder.onnx"])
    def test_pictures(self, run: Run, shelf: Path, name: str) -> None:
        result = run("explain", shelf / "net.onnx", shelf / name, "conv", "--at", "0,0")
        assert result.code == 2
        assert "picture" in result.error.lower()

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["conv", "cnov"], "Did you mean 'conv'"),
            (["--latex", "--json"], "one of --latex and --json"),
            (["--input-shape", "3,big"], "3,224,224"),
        ],
    )
    def test_derive(self, run: Run, shelf: Path, words: list[str], expected: str) -> None:
        result = run("derive", shelf / "net.onnx", *words)
        assert result.code == 2
        assert expected in result.error


class TestTheTerminal:
    """The page that a person sees, drawn at several widths without a terminal."""

    LAYERS = ("conv", "batchnorm", "relu", "maxpool", "conv2", "dwconv", "avgpool", "flatten", "dense", "softmax")

    @staticmethod
    def drawn(parts: Any, width: int, encoding: str = "utf-8") -> str:
        page = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        console = Console(file=page, width=width, force_terminal=True, color_system="truecolor", highlight=False)
        for part in parts:
            console.print(part)
        page.seek(0)
        return page.read()

    @pytest.mark.parametrize("width", [80, 100, 140])
    def test_it_fits_and_says_what_the_text_says(self, bench: Path, shelf: Path, width: int) -> None:
        maps = convlens.open(bench / "deep.onnx").feature_maps(shelf / "picture.png")
        for name in self.LAYERS:
            found = maps.explain(name, tuple(0 for _ in maps[name].shape))
            page = plain(self.drawn(pages.explanation_page(found, width), width))
            assert all(len(line) <= width for line in page.splitlines()), name
            assert found.verdict in " ".join(page.split())
            assert found.working is not None
            for row in ledger(found, found.working, decimals_for(found.working, found.framework_value)):
                assert re.search(rf"{re.escape(row.name)} +{re.escape(row.number)}\b", page), (name, row)

    @pytest.mark.parametrize("width", [40, 80])
    def test_narrow_terminals_lose_no_number_of_a_small_window(self, bench: Path, shelf: Path, width: int) -> None:
        found = explained(bench / "deep.onnx", shelf / "picture.png", "conv", 0, 5, 5)
        page = plain(self.drawn(pages.explanation_page(found, width), width))
        assert found.products is not None
        for product in found.products.ravel():
            assert f"{product:.3f}" in page or f"{product:.2f}" in page

    def test_colour_is_the_sign_and_weight_the_magnitude(self, bench: Path, shelf: Path) -> None:
        found = explained(bench / "deep.onnx", shelf / "picture.png", "conv", 0, 5, 5)
        page = self.drawn(pages.explanation_page(found, 140), 140)
        orange, blue = (Color.parse(colour).triplet for colour in (pages.POSITIVE, pages.NEGATIVE))
        kernel = found.kernel
        assert kernel is not None
        strong = np.abs(kernel) >= 0.15 * np.abs(kernel).max()
        for value in kernel[strong]:
            code = ";".join(str(part) for part in (orange if value > 0 else blue) or ())
            assert re.search(rf"\x1b\[[\d;]*38;2;{code}m *{value:.6f}", page), value

    def test_the_winner_of_a_maximum_stands_out(self, bench: Path, shelf: Path) -> None:
        found = explained(bench / "deep.onnx", shelf / "picture.png", "maxpool", 1, 4, 5)
        page = self.drawn(pages.explanation_page(found, 80), 80)
        assert re.search(r"\x1b\[1;7m *[\d.]+\*", page)

    def test_an_old_encoding_gets_plain_signs(self, bench: Path, shelf: Path) -> None:
        shown = in_a_terminal(
            ["explain", str(bench / "deep.onnx"), str(shelf / "picture.png"), "conv", "--at", "5,5", "--trace"],
            PYTHONIOENCODING="ascii",
        )
        assert shown.isascii()
        assert "\\u" not in shown
        assert "ok: agrees" in plain(shown)

    def test_a_layer_that_is_not_explained(self, bench: Path) -> None:
        found = convlens.open(bench / "unknown.onnx").feature_maps(bench / "negative.npy").explain("det", (0,))
        assert "doesn't know the arithmetic of Det" in " ".join(
            plain(self.drawn(pages.explanation_page(found, 80), 80)).split()
        )

    @pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
    def test_in_a_real_one(self, bench: Path, shelf: Path) -> None:
        words = ["explain", str(bench / "deep.onnx"), str(shelf / "picture.png"), "conv2", "--at", "0,0", "--trace"]
        shown = plain(in_a_terminal(words))
        assert "█" in shown
        assert "the way back to the picture" in shown
        assert "rows" in plain(in_a_terminal(["derive", str(bench / "deep.onnx"), "conv"]))


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[\d;?]*[a-zA-Z]", "", text).replace("\r\n", "\n")


class TestDerive:
    def test_piped_it_is_what_python_prints(self, run: Run, bench: Path) -> None:
        lens = convlens.open(bench / "deep.onnx")
        assert run("derive", bench / "deep.onnx", "conv2").out == f"{lens.derive('conv2')}\n"
        everything = run("derive", bench / "deep.onnx").out
        assert everything == "\n\n".join(str(lens.derive(layer.name)) for layer in lens.network) + "\n"
        for line in everything.splitlines():
            if " = " in line:
                terms, _, value = line.partition(": ")[2].rpartition(" = ")
                assert eval(terms, {"__builtins__": {}, "floor": floor, "ceil": ceil}) == int(value)

    def test_json_here_and_in_the_summary(self, run: Run, bench: Path) -> None:
        facts = strict_json(run("derive", bench / "deep.onnx", "--json").out)
        summary = strict_json(run("summary", bench / "deep.onnx", "--json").out)
        for ours, theirs in zip(facts["layers"], summary["layers"], strict=True):
            assert ours["name"] == theirs["name"]
            assert ours["derivations"] == theirs["derivations"]
            by_name = {line["what"]: line for line in ours["derivations"]}
            if theirs["parameters"]:
                assert by_name["parameters"]["value"] == theirs["parameters"]
            assert by_name.get("MACs", {"value": 0})["value"] == theirs["macs"]
            assert by_name["bytes of the maps"]["text"].endswith(f" = {4 * np.prod(theirs['output_shape'])}")

    def test_latex(self, run: Run, bench: Path) -> None:
        text = run("derive", bench / "deep.onnx", "conv", "relu", "--latex").out
        assert text.count(r"\begin{align*}") == text.count(r"\end{align*}") == 2
        assert text.startswith("% conv (Conv): 8 x 24 x 30\n")
        assert r"\text{parameters} &= 3 \cdot 3 \cdot 3 \cdot 8 + 8 = 224 \\" in text

    def test_the_input_shape_decides_free_sizes(self, run: Run, shelf: Path) -> None:
        text = run("derive", shelf / "net.onnx", "conv", "--input-shape", "3,1440,1080").out
        assert "rows: floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438" in text
        assert "parameters: 3*3*3*3 + 3 = 84" in text
        assert "Note" not in text
        chosen = run("derive", shelf / "net.onnx", "conv").out
        assert "rows: floor((224 + " in chosen
        assert "Note: free sizes are taken as 224" in chosen
        assert "% free sizes are taken as 224" in run("derive", shelf / "net.onnx", "conv", "--latex").out
        assert "224" in strict_json(run("derive", shelf / "net.onnx", "--json").out)["notes"][0]

    @pytest.mark.parametrize("width", [80, 140])
    def test_the_page_fits_and_holds_every_line(self, bench: Path, width: int) -> None:
        for worked in convlens.open(bench / "deep.onnx").derive_all():
            page = plain(TestTheTerminal.drawn(pages.derivation_page(worked, width), width))
            assert all(len(line) <= width for line in page.splitlines())
            joined = re.sub(r"\s+", "", page)
            for line in worked.derivations:
                assert re.sub(r"\s+", "", f"{line.terms} = {line.value:,}") in joined
                assert re.sub(r"\s+", "", line.rule) in joined


def test_python_dash_m_explains_too(bench: Path, shelf: Path, tmp_path: Path) -> None:
    words = ["explain", bench / "deep.onnx", shelf / "picture.png", "dense", "--channel", "4"]
    result = spawn(words, tmp_path)
    assert result.code == 0
    assert result.err == ""
    expected = explained(bench / "deep.onnx", shelf / "picture.png", "dense", 4)
    assert result.out.splitlines()[0] == str(expected).splitlines()[0]
    assert result.out.splitlines()[-1] == expected.verdict  # the last digits can differ from process to process
