"""What an error says to type, typed: it leads further, and never to the same error again."""

from __future__ import annotations

import ast
import re
import shlex
from difflib import get_close_matches
from pathlib import Path

import pytest
from tests.hosts.command_line import Run

import convlens

SOURCES = sorted(Path(convlens.__file__).parent.rglob("*.py"))
MAPS = ["maps", "fixed.onnx", "picture.png", "-o", "out"]

LINES: list[list[str]] = [
    ["summary", "fixd.onnx"],
    ["summary", "."],
    ["summary", "fixed.onnx", "--input-shape", "3,x"],
    ["kernels", "no-conv.onnx"],
    ["kernels", "fixed.onnx", "cnv"],
    [*MAPS, "cnv"],
    ["maps", "fixed.onnx", "pictur.png", "-o", "out"],
    [*MAPS, "conv", "--channel", "99"],
    [*MAPS, "--crop", "3/2"],
    [*MAPS, "--size", "3"],
    [*MAPS, "--memory", "4XB"],
    [*MAPS, "--memory", "-5"],
    [*MAPS, "--max-pixels", "100"],
    ["export", "fixed.onnx", "picture.png", "-o", "x.txt"],
    ["sketch", "conv 1 3", "-o", "x.txt"],
    ["diagram", "fixed.onnx", "-o", "x.txt"],
    ["animate"],
    ["animate", "conv", "-o", "x.txt"],
    ["sumary", "fixed.onnx"],
    ["summary", "fixed.onnx", "--plumbin"],
    ["summary"],
]


def followed(line: list[str], told: str) -> list[str] | None:
    """The line as the error says to type it; ``None`` where it names nothing that could be typed."""
    if command := re.search(r"Type:? convlens (.*?)(?: for its .*|\.)?$", told):
        return [line[1] if word == "MODEL" else word for word in shlex.split(command[1])]
    if meant := re.search(r"Did you mean '?(.+?)'?(?: or .*)?\?", told):
        close = get_close_matches(meant[1], line, n=1, cutoff=0) if meant[1] not in line else []
        return [meant[1] if word in close[:1] else word for word in line] if close else None
    if option := re.search(r"[Tt]ype (-\S+) (\S+?)(?:[,.]? |[,.]?$)", told):
        name, value = option.groups()
        return [*without(line, name), name, value]
    if option := re.search(r"leave out (--[\w-]+)", told):
        return without(line, option[1])
    return None


def without(line: list[str], option: str) -> list[str]:
    """The line without an option and its value."""
    return [word for n, word in enumerate(line) if option not in (word, line[n - 1] if n else "")]


@pytest.mark.parametrize("line", LINES, ids=" ".join)
def test_what_is_said_leads_further(run: Run, shelf: Path, line: list[str]) -> None:
    for path in shelf.iterdir():
        if path.is_file() and path.name != "cut.onnx":
            Path(path.name).write_bytes(path.read_bytes())
    told: list[str] = []
    for _ in range(4):
        result = run(*line)
        if result.code == 0:
            break
        assert result.code == 2
        assert result.error not in told
        told.append(result.error)
        after = followed(line, result.error)
        assert after is not None, result.error
        line = after
    else:
        raise AssertionError("\n".join(told))
    assert told


@pytest.mark.parametrize(
    ("name", "told", "never"),
    [
        ("small.tflite", "--tflite small.tflite --output small.onnx", "Rename"),
        ("graph.pb", "Convert its saved model to ONNX", "Rename"),
        ("my weights.safetensors", "pass the live model to convlens.open", "Rename"),
        ("apple.mlmodel", "to ONNX", "Rename"),
    ],
)
def test_a_model_of_another_kind_is_told_what_it_is(run: Run, name: str, told: str, never: str) -> None:
    Path(name).write_bytes(b"some bytes")
    error = run("summary", name).error
    assert told in error
    assert "can't be opened yet" in error
    assert never not in error


@pytest.mark.parametrize("name", ["gone.onnx", "gone.keras", "gone.pt"])
def test_a_missing_file_is_not_told_how_to_end(run: Run, name: str) -> None:
    error = run("summary", name).error
    assert "No such model file" in error
    assert "ending in" not in error


def problems() -> list[tuple[str, str]]:
    """Every problem that is stated in the sources, and where."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name.endswith("Error"):
                parts = [part for part in ast.walk(node.args[0]) if isinstance(part, ast.Constant)]
                text = "".join(str(part.value) for part in parts if isinstance(part.value, str))
                found.append((f"{path.name}:{node.lineno}", text))
    return found


def test_no_error_begins_with_the_name_that_stands_before_it_already() -> None:
    stated = problems()
    assert len(stated) > 200
    assert [one for one in stated if re.match(r"convlens\b(?!\.)", one[1], re.IGNORECASE)] == []
