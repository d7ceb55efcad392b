"""The command line at work: what each command prints and writes."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import typer
from onnx import TensorProto, helper
from PIL import Image
from tests.hosts.command_line import COMMAND, Run, spawn

import convlens
from convlens.hosts.cli import main, terminal
from convlens.hosts.cli.app import app
from convlens.hosts.cli.destination import Destination
from convlens.writing import signature

COMMANDS = ("summary", "kernels", "maps", "explain", "derive", "export", "diagram", "sketch", "demo")


def strict_json(text: str) -> Any:
    """Parsed as the standard says: no NaN, no infinity."""
    return json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


class TestHelp:
    def test_no_command_shows_the_help(self, run: Run) -> None:
        result = run()
        assert result.code == 0
        assert all(command in result.out for command in COMMANDS)

    @pytest.mark.parametrize("command", COMMANDS)
    def test_every_command_teaches_by_example(self, run: Run, command: str) -> None:
        result = run(command, "--help")
        assert result.code == 0
        assert "Examples:" in result.out
        assert f"convlens {command}" in result.out

    def test_every_example_is_a_line_that_can_be_typed(self, run: Run) -> None:
        """Each `convlens ...` of every help is parsed by the command that it names, options and all."""
        group = typer.main.get_command(app)
        seen = set()
        for page in ("", *COMMANDS):
            text = run(*([page] if page else []), "--help").out
            for line in re.findall(r"^ +(convlens .*)$", text.split("Examples:")[1], re.MULTILINE):
                for part in re.split(r" && | \| (?=jq)", line):
                    words = shlex.split(part)
                    if words[0] != "convlens":
                        continue
                    command = group.commands[words[1]]  # type: ignore[attr-defined]
                    command.make_context(words[1], words[2:])
                    seen.add(words[1])
        assert seen == set(COMMANDS)

    def test_version(self, run: Run) -> None:
        assert run("--version").out == f"convlens {convlens.__version__}\n"

    def test_starting_imports_nothing_heavy(self) -> None:
        code = (
            "import sys; import convlens; from convlens.hosts.cli import main;"
            "main(['--help']); main(['maps', '--help']);"
            "print(sorted({'numpy', 'onnx', 'onnxruntime', 'matplotlib', 'PIL', 'torch', 'keras', 'tensorflow', 'jax',"
            " 'zarr', 'safetensors'} & set(sys.modules)))"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
        assert done.stdout.splitlines()[-1] == "[]"

    def test_completion_offers_layers_and_presets(self, shelf: Path, tmp_path: Path) -> None:
        def complete(line: str) -> list[str]:
            words = {"_CONVLENS_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
            done = subprocess.run(
                COMMAND, capture_output=True, text=True, timeout=60, env={**os.environ, **words}, cwd=tmp_path
            )
            return done.stdout.split()

        assert complete(f"convlens kernels {shelf / 'net.onnx'} m") == ["maxpool"]
        assert complete(f"convlens kernels {shelf / 'cut.onnx'} m") == []
        assert complete("convlens maps a b --preset im") == ["imagenet"]


class TestSummary:
    def test_piped_it_is_the_plain_table(self, run: Run, shelf: Path) -> None:
        result = run("summary", shelf / "fixed.onnx")
        assert result.code == 0
        assert result.err == ""
        assert result.out == f"{convlens.open(shelf / 'fixed.onnx').summary()}\n"
        assert "\x1b" not in result.out

    def test_json_has_the_same_facts(self, run: Run, shelf: Path) -> None:
        facts = strict_json(run("summary", shelf / "fixed.onnx", "--json").out)
        lens = convlens.open(shelf / "fixed.onnx")
        assert facts == json.loads(json.dumps(lens.summary().to_dict()))
        assert facts["parameters"] == 4 * 27 + 4 + 4 * 5 + 5

    def test_the_input_shape_decides_free_sizes(self, run: Run, shelf: Path) -> None:
        facts = strict_json(run("summary", shelf / "net.onnx", "--json", "--input-shape", "3,1440,1080").out)
        assert facts["layers"][0]["output_shape"] == [3, 1438, 1078]

    def test_plumbing_is_listed_when_asked_for(self, run: Run, tmp_path: Path) -> None:
        value = helper.make_tensor_value_info
        nodes = [
            helper.make_node("Shape", ["x"], ["size"], "size"),
            helper.make_node("Reshape", ["x", "size"], ["same"], "same"),
            helper.make_node("Relu", ["same"], ["y"], "relu"),
        ]
        inputs, outputs = [value("x", 1, [1, 3, 4, 4])], [value("y", 1, [1, 3, 4, 4])]
        model = helper.make_model(
            helper.make_graph(nodes, "g", inputs, outputs),
            opset_imports=[helper.make_opsetid("", 18)],
            ir_version=9,
        )
        (tmp_path / "plumbed.onnx").write_bytes(model.SerializeToString())
        plain = strict_json(run("summary", "plumbed.onnx", "--json").out)
        whole = strict_json(run("summary", "plumbed.onnx", "--json", "--plumbing").out)
        assert len(whole["layers"]) > len(plain["layers"])

    @pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
    def test_a_terminal_gets_a_table_in_which_every_layer_stands(self, shelf: Path) -> None:
        shown = in_a_terminal(["summary", str(shelf / "fixed.onnx")])
        assert "\x1b[1m" in shown
        for layer in convlens.open(shelf / "fixed.onnx").network:
            assert layer.name in shown
        assert "137 parameters" in shown
        assert "─" in shown

    @pytest.mark.skipif(os.name == "nt", reason="needs a pseudo-terminal")
    def test_no_color_is_respected(self, shelf: Path) -> None:
        coloured = re.compile(r"\x1b\[[0-9;]*3[0-7]m")
        assert coloured.search(in_a_terminal(["maps", "--help"]))
        assert not coloured.search(in_a_terminal(["maps", "--help"], NO_COLOR="1"))

    def test_a_closed_pipe_is_silent(self, shelf: Path) -> None:
        process = subprocess.Popen(
            [*COMMAND, "summary", str(shelf / "many.onnx"), "--json"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        assert process.stderr.read() == b""
        assert process.wait(timeout=60) == 141

    def test_what_a_framework_prints_stays_out_of_the_facts(
        self, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened = convlens.open(shelf / "net.onnx")

        def chatty(*_args: object, **_options: object) -> convlens.Lens:
            sys.stdout.write("Epoch 1/1 [=====]")
            return opened

        monkeypatch.setattr("convlens.lens.open", chatty)
        result = run("summary", "any.onnx", "--json")
        assert strict_json(result.out)["engine"] == "onnx"
        assert "Epoch" in result.err

    def test_a_bug_is_one_line_that_asks_for_a_report(
        self, run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(*_args: object, **_options: object) -> None:
            raise RuntimeError("two\nlines")

        monkeypatch.setattr("convlens.lens.open", broken)
        result = run("summary", "any.onnx")
        assert result.code == 1
        assert "RuntimeError: two lines" in result.error
        assert "bug in convlens" in result.error
        monkeypatch.setenv("CONVLENS_DEBUG", "1")
        with pytest.raises(RuntimeError):
            main(["summary", "any.onnx"])


def in_a_terminal(words: list[str], **variables: str) -> str:
    """What a terminal of 120 columns receives."""
    import pty

    parent, child = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "120", **variables}
    environment.pop("CI", None)
    process = subprocess.Popen([*COMMAND, *words], stdout=child, stderr=child, stdin=child, env=environment)
    os.close(child)
    received = b""
    while True:
        try:
            chunk = os.read(parent, 65536)
        except OSError:  # the other end is gone
            break
        if not chunk:
            break
        received += chunk
    os.close(parent)
    assert process.wait(timeout=60) == 0, received
    return received.decode()


class TestSketch:
    def test_it_writes_the_model_that_python_builds(self, run: Run) -> None:
        result = run("sketch", "conv 3 3x3 | relu", "-o", "m.onnx", "--seed", "7", "--input-shape", "3,64,48")
        assert result.code == 0
        assert "84 parameters" in result.out
        expected = convlens.sketch("conv 3 3x3 | relu", input_shape=(3, 64, 48), seed=7)
        written = convlens.open("m.onnx")
        np.testing.assert_array_equal(written.kernels().array, expected.kernels().array)
        assert written.network["conv"].output_shape == (3, 62, 46)

    def test_sizes_stay_open_unless_they_are_given(self, run: Run) -> None:
        run("sketch", "conv 3 3x3", "-o", "m.onnx")
        assert convlens.open("m.onnx").inputs[0].shape == (3, None, None)


class TestKernels:
    def test_every_convolution_in_a_folder_named_after_the_model(self, run: Run, shelf: Path) -> None:
        result = run("kernels", shelf / "net.onnx")
        assert result.code == 0
        expected = convlens.open(shelf / "net.onnx").kernels("conv").png()
        assert Path("net-kernels/conv.png").read_bytes() == signature.signed(expected, ".png")
        assert "net-kernels/conv.png" in result.out.replace("\\", "/")

    def test_scale_and_mode_change_the_picture(self, run: Run, shelf: Path) -> None:
        pictures = set()
        for number, words in enumerate([[], ["--scale", "map"], ["--mode", "sequential"]]):
            assert run("kernels", shelf / "fixed.onnx", "conv", "-o", f"{number}.png", *words).code == 0
            pictures.add(Path(f"{number}.png").read_bytes())
        assert len(pictures) >= 2

    def test_json(self, run: Run, shelf: Path) -> None:
        facts = strict_json(run("kernels", shelf / "net.onnx", "--json", "-o", "k").out)
        (layer,) = facts["layers"]
        array = convlens.open(shelf / "net.onnx").kernels().array
        assert layer["shape"] == [3, 3, 3, 3]
        assert layer["maximum"] == pytest.approx(float(array.max()))
        assert [Path(path).exists() for path in layer["files"]] == [True]


class TestMaps:
    def test_every_layer_in_a_folder_named_after_both(self, run: Run, shelf: Path) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png")
        assert result.code == 0
        maps = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png")
        for name, found in maps.items():
            assert Path(f"net-on-picture/{name}.png").read_bytes() == signature.signed(found.png(), ".png")
        assert f"Picture: {maps.recipe}" in result.out

    @pytest.mark.parametrize(
        ("format", "beginning"), [("png", b"\x89PNG"), ("webp", b"RIFF"), ("svg", b"<svg"), ("pdf", b"%PDF")]
    )
    def test_formats_by_option_and_by_ending(self, run: Run, shelf: Path, format: str, beginning: bytes) -> None:
        assert run("maps", shelf / "net.onnx", shelf / "picture.png", "-o", "out", "--format", format).code == 0
        assert sorted(path.name for path in Path("out").iterdir()) == sorted(
            f"{name}.{format}" for name in ("conv", "relu", "maxpool")
        )
        assert run("maps", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", f"one.{format}").code == 0
        assert Path(f"one.{format}").read_bytes().startswith(beginning)

    def test_one_channel_at_full_resolution(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        Image.new("RGB", (1900, 700), (9, 99, 200)).save(tmp_path / "wide.png")
        assert run("maps", shelf / "net.onnx", "wide.png", "conv", "--channel", "1", "-o", "c.png").code == 0
        with Image.open("c.png") as drawn:
            assert drawn.width >= 1898
        assert run("maps", shelf / "net.onnx", "wide.png", "-c", "1", "-o", "all").code == 0
        assert Path("all/conv-channel-1.png").read_bytes() == Path("c.png").read_bytes()

    def test_pages_are_numbered(self, run: Run, shelf: Path) -> None:
        result = run("maps", shelf / "many.onnx", shelf / "picture.png", "-o", "out")
        assert sorted(path.name for path in Path("out").iterdir()) == ["conv-1.png", "conv-2.png"]
        assert "conv-1.png to conv-2.png" in result.out
        run("maps", shelf / "many.onnx", shelf / "picture.png", "conv", "-o", "one.png")
        assert Path("one-1.png").exists()
        assert Path("one-2.png").exists()

    def test_scale_and_mode_change_the_picture(self, run: Run, shelf: Path) -> None:
        pictures = set()
        for number, words in enumerate([[], ["--scale", "map"], ["--mode", "sequential"]]):
            assert (
                run("maps", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", f"{number}.png", *words).code == 0
            )
            pictures.add(Path(f"{number}.png").read_bytes())
        assert len(pictures) == 3

    def test_the_prediction_with_labels(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        (tmp_path / "labels.txt").write_text("ant\nbee\ncat\ndog\neel\n", "utf-8")
        words = ["maps", shelf / "fixed.onnx", shelf / "picture.png", "conv", "-o", "out", "--labels", "labels.txt"]
        answer = (
            convlens.open(shelf / "fixed.onnx", labels=["ant", "bee", "cat", "dog", "eel"])
            .feature_maps(shelf / "picture.png")
            .prediction
        )
        assert f"Prediction: {answer}" in run(*words).out
        facts = strict_json(run(*words, "--json").out)
        assert answer is not None
        assert facts["prediction"]["top"][0]["label"] == answer.rows[0][2]
        assert [layer["name"] for layer in facts["layers"]] == ["conv"]

    @pytest.mark.parametrize("text", ["ant\nbee\n", None])
    def test_labels_that_do_not_fit(self, run: Run, shelf: Path, tmp_path: Path, text: str | None) -> None:
        if text is not None:
            (tmp_path / "labels.txt").write_text(text)
        result = run("maps", shelf / "fixed.onnx", shelf / "picture.png", "-o", "out", "--labels", "labels.txt")
        assert result.code == 2
        assert "labels" in result.error
        assert not Path("out").exists()

    @pytest.mark.parametrize(
        ("options", "recipe"),
        [
            (["--preset", "imagenet"], convlens.Recipe.preset("imagenet")),
            (["--resize", "stretch", "--size", "20x12"], convlens.Recipe(resize="stretch", size=(20, 12))),
            (["--mean", "127", "--std", "128"], convlens.Recipe(resize="none", mean=(127.0,), std=(128.0,))),
            (["--scale-pixels", "1/255"], convlens.Recipe(resize="none", scale=1 / 255)),
            (["--channels", "bgr"], convlens.Recipe(resize="none", channels="bgr")),
            (["--crop", "0.5", "--size", "8x8"], convlens.Recipe(resize="crop", size=(8, 8), crop=0.5)),
            (
                ["--size", "9x9", "--resize", "stretch", "--interpolation", "nearest"],
                convlens.Recipe(resize="stretch", size=(9, 9), interpolation="nearest"),
            ),
        ],
        ids=lambda value: value[0] if isinstance(value, list) else "",
    )
    def test_every_recipe_flag_does_what_the_recipe_does(
        self, run: Run, shelf: Path, options: list[str], recipe: convlens.Recipe
    ) -> None:
        assert run("export", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", "a.npz", *options).code == 0
        base = (
            recipe
            if options[0] != "--preset"
            else convlens.Recipe(resize="none", scale=recipe.scale, mean=recipe.mean, std=recipe.std)
        )
        expected = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png", recipe=base)["conv"].array
        with np.load("a.npz") as written:
            np.testing.assert_array_equal(written["conv"], expected)

    def test_no_name_of_a_layer_leaves_the_folder(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        names = [
            "../../escaped",
            "/etc/x",
            "a:b|c?*",
            "CON",
            "..",
            "Größe 層",
            "x" * 400,
            "red\x1b[31m",
            "same",
            "SAME",
        ]
        (tmp_path / "inside").mkdir()
        value = helper.make_tensor_value_info
        nodes = [helper.make_node("Relu", ["x"], [name], name) for name in names]
        outputs = [value(name, TensorProto.FLOAT, [1, 3, 4, 4]) for name in names]
        graph = helper.make_graph(nodes, "g", [value("x", TensorProto.FLOAT, [1, 3, 4, 4])], outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
        onnx.save(model, tmp_path / "inside" / "hostile.onnx")
        before = set(tmp_path.rglob("*"))
        result = run("maps", "inside/hostile.onnx", shelf / "picture.png", "-o", "inside/out")
        assert result.code == 0, result.err
        new = set(tmp_path.rglob("*")) - before
        files = [path for path in new if path.is_file()]
        assert all(path.parent == tmp_path / "inside" / "out" for path in files)
        assert len({path.name.casefold() for path in files}) == len(names)
        assert "\x1b" not in result.out
        assert "\x1b" not in run("summary", "inside/hostile.onnx").out


class TestExport:
    @pytest.mark.parametrize("output", ["a.npz", "a.safetensors", "a.zarr"])
    def test_the_numbers_are_those_of_python(self, run: Run, shelf: Path, output: str) -> None:
        result = run("export", shelf / "net.onnx", shelf / "picture.png", "-o", output)
        assert result.code == 0
        maps = convlens.open(shelf / "net.onnx").feature_maps(shelf / "picture.png")
        written: dict[str, Any] = {}
        if output.endswith(".npz"):
            with np.load(output) as archive:
                written = {name: archive[name] for name in maps}
        elif output.endswith(".safetensors"):
            from safetensors.numpy import load_file

            written = load_file(output)
        else:
            zarr = pytest.importorskip("zarr")
            written = {name: zarr.open_group(output, mode="r")[name][...] for name in maps}
        for name, found in maps.items():
            np.testing.assert_array_equal(written[name], found.array)

    def test_some_layers_and_json(self, run: Run, shelf: Path) -> None:
        facts = strict_json(
            run("export", shelf / "net.onnx", shelf / "picture.png", "relu", "-o", "a.npz", "--json").out
        )
        assert facts["layers"] == [{"name": "relu", "shape": [3, 22, 28]}]
        assert facts["file"] == "a.npz"
        with np.load("a.npz") as archive:
            assert {name for name in archive.files if not name.startswith("__convlens__")} == {"relu"}


class TestArrays:
    def test_two_inputs_come_from_one_npz(self, run: Run, shelf: Path) -> None:
        left, right = np.random.default_rng(1).normal(size=(2, 1, 3, 8, 8)).astype(np.float32)
        np.savez("both.npz", left=left, right=right)
        result = run("export", shelf / "two-inputs.onnx", "both.npz", "-o", "out.npz")
        assert result.code == 0, result.err
        assert "fed untouched" in result.out
        with np.load("out.npz") as archive:
            np.testing.assert_array_equal(archive["sum"], (left + right)[0])

    def test_one_input_comes_from_an_npy(self, run: Run, shelf: Path) -> None:
        values = np.random.default_rng(1).normal(size=(1, 3, 20, 24)).astype(np.float32)
        np.save("one.npy", values)
        assert run("export", shelf / "net.onnx", "one.npy", "conv", "-o", "out.npz").code == 0
        expected = convlens.open(shelf / "net.onnx").feature_maps(values)["conv"].array
        with np.load("out.npz") as archive:
            np.testing.assert_array_equal(archive["conv"], expected)

    def test_python_objects_are_refused_and_never_run(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        class Malicious:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(tmp_path / "trapped"),)

        np.save("bad.npy", np.array([Malicious()], dtype=object), allow_pickle=True)
        result = run("maps", shelf / "net.onnx", "bad.npy")
        assert result.code == 2
        assert "without Python objects" in result.error
        assert not (tmp_path / "trapped").exists()

    @pytest.mark.parametrize("name", ["missing.npz", "words.npz", "cut.npz"])
    def test_files_that_are_no_arrays(self, run: Run, shelf: Path, tmp_path: Path, name: str) -> None:
        (tmp_path / "words.npz").write_text("no arrays")
        np.savez("whole.npz", x=np.zeros(100))
        (tmp_path / "cut.npz").write_bytes((tmp_path / "whole.npz").read_bytes()[:300])
        result = run("maps", shelf / "net.onnx", name)
        assert result.code == 2
        assert name in result.error


class TestDiagram:
    def test_it_draws_every_layer(self, run: Run, shelf: Path) -> None:
        result = run("diagram", shelf / "fixed.onnx", "-o", "net.svg")
        assert result.code == 0
        drawn = Path("net.svg").read_text("utf-8")
        for layer in convlens.open(shelf / "fixed.onnx").network:
            assert layer.name in drawn


class TestDestination:
    @pytest.mark.parametrize(
        ("text", "is_file", "format"),
        [
            ("maps", False, "png"),
            ("maps.v2", False, "png"),
            ("maps/", False, "png"),
            ("a.PNG", True, "png"),
            ("a.webp", True, "webp"),
            ("there.svg", False, "png"),
        ],
    )
    def test_a_path_is_a_file_or_a_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, is_file: bool, format: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        Path("there.svg").mkdir()
        to = Destination.read(Path(text), None, force=False)
        assert (to.is_file, to.format) == (is_file, format)


def test_json_turns_what_is_not_a_number_into_null(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.say_json({"a": float("nan"), "b": [float("inf"), 1.5], "c": {"d": float("-inf")}})
    assert strict_json(capsys.readouterr().out) == {"a": None, "b": [None, 1.5], "c": {"d": None}}


def test_python_dash_m_is_the_same_command(tmp_path: Path) -> None:
    assert spawn(["--version"], tmp_path).out == f"convlens {convlens.__version__}\n"
