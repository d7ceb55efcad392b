"""Wrong input at the command line: one clear line, exit code 2, nothing lost, nothing half-written."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from tests.hosts.command_line import COMMAND, Run, spawn

from convlens import pictures

OUTPUT = {"kernels": "out", "export": "out.npz", "maps": "out", "diagram": "out.svg"}


def call(command: str, model: object, picture: object) -> list[object]:
    """A whole line for a command."""
    output = ["-o", OUTPUT[command]] if command in OUTPUT else []
    return [command, model, *([picture] if command in ("maps", "export") else []), *output]


COMMANDS = ("summary", "kernels", "maps", "export", "diagram")


class TestModels:
    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_missing_file(self, run: Run, shelf: Path, tmp_path: Path, command: str) -> None:
        result = run(*call(command, shelf / "ned.onnx", shelf / "picture.png"))
        assert result.code == 2
        assert "No such model file" in result.error
        assert "net.onnx" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("command", COMMANDS)
    def test_a_directory(self, run: Run, shelf: Path, tmp_path: Path, command: str) -> None:
        result = run(*call(command, shelf / "folder.onnx", shelf / "picture.png"))
        assert result.code == 2
        assert "folder is not a model" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("name", ["words", "cut"])
    @pytest.mark.parametrize("command", COMMANDS)
    def test_not_a_model_or_half_of_one(self, run: Run, shelf: Path, tmp_path: Path, command: str, name: str) -> None:
        result = run(*call(command, shelf / f"{name}.onnx", shelf / "picture.png"))
        assert result.code == 2
        assert "ONNX model" in result.error
        assert name in result.error
        assert list(tmp_path.iterdir()) == []

    def test_an_unknown_ending(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "model.xyz").write_text("")
        result = run("summary", "model.xyz")
        assert result.code == 2
        assert ".onnx" in result.error

    def test_half_a_keras_file(self, run: Run, tmp_path: Path) -> None:
        pytest.importorskip("keras")
        (tmp_path / "model.keras").write_bytes(b"PK\x03\x04" + bytes(60))
        result = run("summary", "model.keras")
        assert result.code == 2
        assert "model.keras" in result.error

    def test_a_pickle_is_refused_and_never_run(self, run: Run, tmp_path: Path) -> None:
        pytest.importorskip("torch")
        trap = tmp_path / "trapped"

        class Malicious:
            def __reduce__(self) -> tuple[Any, ...]:
                return os.mkdir, (str(trap),)

        (tmp_path / "model.pt").write_bytes(pickle.dumps(Malicious()))
        result = run("summary", "model.pt")
        assert result.code == 2
        assert "model.pt" in result.error
        assert not trap.exists()

    def test_no_convolution_has_no_kernels_to_draw(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("kernels", shelf / "no-conv.onnx", "-o", "out")
        assert result.code == 2
        assert "no convolution" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_no_convolution_is_fine_for_everything_else(self, run: Run, shelf: Path) -> None:
        assert "this network has no convolution" in run("summary", shelf / "no-conv.onnx").out
        result = run("maps", shelf / "no-conv.onnx", shelf / "picture.png", "-o", "out")
        assert result.code == 0
        assert Path("out/avgpool.png").exists()

    def test_two_inputs_and_one_picture(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("maps", shelf / "two-inputs.onnx", shelf / "picture.png")
        assert result.code == 2
        assert "left" in result.error
        assert "right" in result.error
        assert list(tmp_path.iterdir()) == []


class TestPictures:
    @pytest.mark.parametrize("command", ["maps", "export"])
    @pytest.mark.parametrize(
        ("picture", "words"),
        [
            ("pictur.png", "picture.png"),
            ("folder.onnx", "folder is not a picture"),
            ("words.png", "words.png"),
            ("cut.png", "cut.png"),
        ],
    )
    def test_not_a_picture(self, run: Run, shelf: Path, tmp_path: Path, command: str, picture: str, words: str) -> None:
        result = run(*call(command, shelf / "net.onnx", shelf / picture))
        assert result.code == 2
        assert words in result.error
        assert list(tmp_path.iterdir()) == []

    def test_smaller_than_the_kernel(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("maps", shelf / "large-kernel.onnx", shelf / "tiny.png")
        assert result.code == 2
        assert "the kernel of conv" in result.error
        assert "expected at least 20 x 20 there, received 8 x 8" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_wrong_number_of_channels(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("maps", shelf / "five-channels.onnx", shelf / "picture.png")
        assert result.code == 2
        assert "expected 5 channels" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("--preset", "imagnet"),
            ("--size", "0x5"),
            ("--mean", "a,b,c"),
            ("--std", "0"),
            ("--crop", "2"),
            ("--scale-pixels", "1/0"),
            ("--memory", "much"),
            ("--input-shape", "3,big,224"),
        ],
    )
    def test_options_that_cannot_be(self, run: Run, shelf: Path, tmp_path: Path, option: str, value: str) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", option, value)
        assert result.code == 2
        assert "expected" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_more_maps_than_the_budget(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        for words in (["maps", "-o", "out"], ["export", "-o", "out.npz"], ["export", "-o", "out.safetensors"]):
            command, *output = words
            result = run(command, shelf / "net.onnx", shelf / "picture.png", *output, "--memory", "5kB")
            assert result.code == 2
            assert "--memory" in result.error
            assert "conv" in result.error
        assert list(tmp_path.iterdir()) == []


class TestNames:
    @pytest.mark.parametrize("command", ["kernels", "maps", "export"])
    def test_a_layer_with_a_typo(self, run: Run, shelf: Path, tmp_path: Path, command: str) -> None:
        line = call(command, shelf / "net.onnx", shelf / "picture.png")
        result = run(*line, "cnov")
        assert result.code == 2
        assert "Did you mean 'conv'?" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("channel", ["3", "-1"])
    def test_a_channel_that_does_not_exist(self, run: Run, shelf: Path, tmp_path: Path, channel: str) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", "conv", "--channel", channel)
        assert result.code == 2
        assert "expected a channel from 0 to 2" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_kernels_of_a_layer_without_any(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("kernels", shelf / "net.onnx", "relu")
        assert result.code == 2
        assert "Convolutions here: conv" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize(
        ("words", "expected"),
        [
            (["summary"], "Missing argument 'MODEL'. Type: convlens summary --help"),
            (["sumary"], "Did you mean 'summary'? Type: convlens --help"),
            (["summary", "--jsno", "m.onnx"], "--json"),
            (["maps", "m.onnx", "p.png", "--channel", "two"], "--channel"),
            (["maps", "m.onnx", "p.png", "--scale", "huge"], "layer"),
        ],
    )
    def test_a_line_that_cannot_be_read(self, run: Run, words: list[str], expected: str) -> None:
        result = run(*words)
        assert result.code == 2
        assert expected in result.error

    def test_a_sketch_gets_its_caret(self, run: Run, tmp_path: Path) -> None:
        result = run("sketch", "conv 3 3x3 | rleu", "-o", "model.onnx")
        assert result.code == 2
        message, line, caret = result.err.splitlines()
        assert message.startswith("convlens: ")
        assert "Did you mean 'relu'?" in message
        assert line[caret.index("^") : caret.rindex("^") + 1] == "rleu"
        assert list(tmp_path.iterdir()) == []


class TestOutputs:
    @pytest.mark.parametrize("command", ["kernels", "maps"])
    def test_a_folder_under_a_file(self, run: Run, shelf: Path, tmp_path: Path, command: str) -> None:
        (tmp_path / "file").write_text("mine")
        line = call(command, shelf / "net.onnx", shelf / "picture.png")
        result = run(*line[:-1], "file/out")
        assert result.code == 2
        assert "file" in result.error
        assert (tmp_path / "file").read_text() == "mine"

    @pytest.mark.parametrize(
        ("command", "output"),
        [
            ("export", "missing/out.npz"),
            ("diagram", "missing/out.svg"),
            ("maps", "missing/out.png"),
            ("sketch", "missing/out.onnx"),
        ],
    )
    def test_a_file_in_a_folder_that_is_missing(
        self, run: Run, shelf: Path, tmp_path: Path, command: str, output: str
    ) -> None:
        line: list[object] = (
            ["sketch", "conv 1 3"]
            if command == "sketch"
            else call(command, shelf / "net.onnx", shelf / "picture.png")[:-2]
        )
        result = run(*line, "-o", output)
        assert result.code == 2
        assert "mkdir -p missing" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="needs a folder that nobody can write to")
    @pytest.mark.parametrize("output", ["/proc/out", "/proc/out.png"])
    def test_a_place_that_nobody_can_write_to(self, run: Run, shelf: Path, output: str) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", output)
        assert result.code == 2
        assert "written" in result.error

    @pytest.mark.parametrize(
        ("command", "output"),
        [("export", "out.txt"), ("maps", "out.jpg"), ("diagram", "out.png"), ("kernels", "out.gif")],
    )
    def test_an_ending_that_cannot_be_written(
        self, run: Run, shelf: Path, tmp_path: Path, command: str, output: str
    ) -> None:
        line = call(command, shelf / "net.onnx", shelf / "picture.png")[:-2]
        result = run(*line, "-o", output)
        assert result.code == 2
        assert "expected a path ending in" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_two_formats(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", "conv", "-o", "a.png", "--format", "svg")
        assert result.code == 2
        assert "a.svg" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_a_file_for_several_layers(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        result = run("maps", shelf / "net.onnx", shelf / "picture.png", "-o", "all.png")
        assert result.code == 2
        assert "received 3 layers" in result.error
        assert list(tmp_path.iterdir()) == []

    def test_somebody_elses_file_is_never_overwritten(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        (tmp_path / "out").mkdir()
        mine: dict[str, list[object]] = {
            "out.onnx": ["sketch", "conv 1 3"],
            "out.npz": ["export", shelf / "net.onnx", shelf / "picture.png"],
            "out.png": ["maps", shelf / "net.onnx", shelf / "picture.png", "conv"],
        }
        for name, line in mine.items():
            (tmp_path / name).write_bytes(b"mine")
            result = run(*line, "-o", name)
            assert result.code == 2
            assert "--force" in result.error
            assert (tmp_path / name).read_bytes() == b"mine"
            assert run(*line, "-o", name, "--force").code == 0
            assert run(*line, "-o", name).code == 0, "its own file"
        (tmp_path / "out" / "relu.png").write_bytes(b"mine")
        assert run("maps", shelf / "net.onnx", shelf / "picture.png", "-o", "out").code == 2
        assert [path.name for path in (tmp_path / "out").iterdir()] == ["relu.png"]


@pytest.mark.skipif(os.name == "nt", reason="limits and signals as POSIX has them")
class TestNothingHalfWritten:
    @pytest.mark.parametrize(
        "line",
        [
            ["maps", "net.onnx", "picture.png", "-o", "out"],
            ["maps", "net.onnx", "picture.png", "conv", "-o", "out.png"],
            ["export", "net.onnx", "picture.png", "-o", "out.npz"],
            ["export", "net.onnx", "picture.png", "-o", "out.safetensors"],
            ["export", "net.onnx", "picture.png", "-o", "out.zarr"],
            ["sketch", "conv 32 9x9", "-o", "out.onnx"],
            ["demo", "-o", "out"],
        ],
        ids=lambda line: " ".join(line[:1] + line[-1:]),
    )
    def test_a_full_disk(self, shelf: Path, tmp_path: Path, line: list[str]) -> None:
        """A limit on file sizes stands for a disk that is full: the write fails half-way."""
        if line[-1].endswith(".zarr"):
            pytest.importorskip("zarr")
        words = [shelf / word if (shelf / word).is_file() else word for word in line]

        def limit() -> None:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))

        result = spawn(words, tmp_path, preexec_fn=limit)
        assert result.code == 2
        assert "Nothing half-written" in result.error
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
    def test_facts_on_a_full_disk(self, shelf: Path, tmp_path: Path) -> None:
        with Path("/dev/full").open("w") as full:
            done = subprocess.run(
                [*COMMAND, "summary", str(shelf / "net.onnx")],
                cwd=tmp_path,
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                timeout=120,
            )
        assert done.returncode == 2
        assert done.stderr.startswith("convlens: ")
        assert len(done.stderr.splitlines()) == 1

    @pytest.mark.parametrize("output", ["out.npz", "out.zarr"])
    def test_control_c_in_the_middle(self, tmp_path: Path, output: str) -> None:
        """A run of hundreds of layers, interrupted once its unfinished file is there; what was there before stays."""
        if output.endswith(".zarr"):
            pytest.importorskip("zarr")
        spawn(["sketch", " | ".join(["conv 8 3 same", "relu"] * 150), "-o", "deep.onnx"], tmp_path)
        Image.fromarray(pictures.cat().pixels).resize((600, 600)).save(tmp_path / "cat.png")
        before = sorted(path.name for path in tmp_path.iterdir())
        process = subprocess.Popen(
            [*COMMAND, "export", "deep.onnx", "cat.png", "-o", output, "--memory", "20GB"],
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        until = time.monotonic() + 60
        while len(list(tmp_path.iterdir())) == len(before) and time.monotonic() < until and process.poll() is None:
            time.sleep(0.01)
        assert process.poll() is None, "it was over before it could be interrupted"
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 2
        assert out == ""
        assert err == "convlens: Interrupted. Nothing half-written remains.\n"
        assert sorted(path.name for path in tmp_path.iterdir()) == before


class TestTheServer:
    @pytest.mark.parametrize("size", ["0", "-5MB", "huge"])
    def test_an_upload_of_no_size(self, run: Run, size: str) -> None:
        result = run("view", "--no-browser", f"--max-upload={size}")
        assert result.code == 2
        assert "--max-upload 50MB" in result.error
        assert "memory" not in result.error

    def test_an_address_of_another_machine(self, run: Run) -> None:
        result = run(
            "view", "--no-browser", "--host", "203.0.113.9"
        )  # RFC 5737: an address for documents, nobody's own
        assert result.code == 2
        assert "--host 127.0.0.1" in result.error

    def test_options_of_a_model_without_one(self, run: Run) -> None:
        result = run("view", "--no-browser", "--preset", "imagenet", "--scale-pixels", "2")
        assert result.code == 2
        assert "--preset, --scale-pixels without one" in result.error

    def test_labels_that_do_not_fit(self, run: Run, shelf: Path, tmp_path: Path) -> None:
        names = tmp_path / "names.txt"
        names.write_text("cat\n")
        result = run("view", shelf / "net.onnx", "--no-browser", "--labels", names)
        assert result.code == 2
        assert "labels" in result.error
