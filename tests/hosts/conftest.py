"""Small models and pictures on disk, and the command line inside this process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image
from tests.hosts.command_line import Result, Run

from convlens import sketches
from convlens.hosts.cli import main


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command line inside this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def call(*words: object) -> Result:
        capsys.readouterr()
        code = main([str(word) for word in words])
        captured = capsys.readouterr()
        return Result(code, captured.out, captured.err)

    return call


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with models and pictures that no test writes to."""
    folder = tmp_path_factory.mktemp("shelf")
    lines = {
        "net": ("conv 3 3x3 | relu | maxpool 5x5", (3, None, None)),
        "fixed": ("conv 4 3x3 stride 2 | relu | globalavgpool | flatten | dense 5 | softmax", (3, 32, 32)),
        "large-kernel": ("conv 1 20x20", (3, None, None)),
        "five-channels": ("conv 2 3x3", (5, 16, 16)),
        "no-conv": ("avgpool 2x2 | flatten | dense 4", (3, 8, 8)),
        "many": ("conv 300 3x3 same", (3, 8, 8)),
    }
    for name, (line, shape) in lines.items():
        (folder / f"{name}.onnx").write_bytes(sketches.build(line, input_shape=shape).SerializeToString())
    (folder / "two-inputs.onnx").write_bytes(_two_inputs().SerializeToString())
    values = np.random.default_rng(0).integers(0, 256, (24, 30, 3), dtype=np.uint8)
    Image.fromarray(values).save(folder / "picture.png")
    Image.fromarray(values[:8, :8]).save(folder / "tiny.png")
    (folder / "words.onnx").write_text("this is not a model\n")
    (folder / "words.png").write_text("this is not a picture\n")
    (folder / "cut.onnx").write_bytes((folder / "fixed.onnx").read_bytes()[:200])
    (folder / "cut.png").write_bytes((folder / "picture.png").read_bytes()[:700])
    (folder / "folder.onnx").mkdir()
    return folder


def _two_inputs() -> onnx.ModelProto:
    shape = [1, 3, 8, 8]
    inputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("left", "right")]
    output = helper.make_tensor_value_info("sum", TensorProto.FLOAT, shape)
    graph = helper.make_graph([helper.make_node("Add", ["left", "right"], ["sum"], "sum")], "two", inputs, [output])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
