"""The documents tell the truth: every block of code runs as it stands, every printed block is what is printed.

Its numbers may differ as far as they do between processors; ``tests/printed.py`` says how far that is."""

from __future__ import annotations

import contextlib
import inspect
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
from tests.page.serving import Serving
from tests.printed import says_the_same

import convlens
from convlens.hosts.cli.app import app
from convlens.lens import Explanation

ROOT = Path(__file__).parent.parent
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
THAI = ROOT / "README.th.md"
"""What README.md says, in Thai: its blocks are the same ones, so that running them once is enough."""
BY_HAND = ("pip install", "script/demo", "script/test", "git clone")
"""Lines that install things or run everything: they are run by those who do so, not by a test of it."""


@dataclass(frozen=True)
class Block:
    language: str
    code: str
    line: int


def blocks(document: Path) -> Iterator[Block]:
    text = document.read_text("utf-8")
    for found in re.finditer(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield Block(found[1], found[2], text.count("\n", 0, found.start()) + 2)


def without_servers(code: str) -> tuple[str, list[str]]:
    """The lines that come to an end by themselves, and those that open the page and wait for Ctrl-C."""
    lines = code.splitlines()
    served = [line for line in lines if line.startswith("convlens view")]
    return "\n".join(line for line in lines if line not in served), served


@pytest.mark.skipif(os.name == "nt", reason="the documents speak to a POSIX shell")
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_runs_and_prints_what_it_says(
    document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, in an empty folder, as a reader would: a file has to be made before it is used."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("MPLBACKEND", "agg")
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(document):
        if block.language == "python":
            # blank lines before it, so that a traceback names the document's own line
            code = compile("\n" * (block.line - 1) + block.code, str(document), "exec")
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(code, names)
            printed = out.getvalue()
        elif block.language == "bash" and not any(words in block.code for words in BY_HAND):
            code_to_end, served = without_servers(block.code)
            done = subprocess.run(
                ["bash", "-euc", code_to_end], capture_output=True, text=True, timeout=300, check=False
            )
            assert done.returncode == 0, f"{document.name}:{block.line}\n{done.stderr}"
            printed = done.stdout
            for line in served:
                with Serving(*shlex.split(line, comments=True)[2:]) as serving:
                    assert serving.url, f"{document.name}:{block.line}"
        elif block.language == "":
            told = f"{document.name}:{block.line} shows another output than\n{printed}"
            assert says_the_same(block.code, printed), told


def test_the_pixel_in_the_heading_has_that_value() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    said = re.search(r"^## Why is this pixel (-?[\d.]+)\?", text, re.MULTILINE)
    printed = re.search(r"^the framework's own value +(-?[\d.]+)$", text, re.MULTILINE)
    assert said is not None
    assert printed is not None
    assert said[1] == printed[1]


def unfenced(document: Path) -> str:
    """Its text without the blocks, whose comments would look like headings."""
    return re.sub(r"^```.*?^```$", "", document.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)


def test_the_thai_readme_has_the_same_blocks() -> None:
    assert [(block.language, block.code) for block in blocks(THAI)] == [
        (block.language, block.code) for block in blocks(ROOT / "README.md")
    ], "copy each changed block of README.md to README.th.md"


@pytest.mark.parametrize(
    ("what", "pattern"),
    [
        ("headings", r"^(#+) "),
        ("numbers in headings", r"^#+ .*?([\d.]+)"),
        ("rows of tables", r"^\|(?: (`[^`]+`))?"),
        ("pictures", r"!\[[^\]]*\]\(([^)]+)\)|src=\"([^\"]+)\""),
    ],
)
def test_the_thai_readme_is_built_as_the_english_one(what: str, pattern: str) -> None:
    english, thai = (re.findall(pattern, unfenced(path), re.MULTILINE) for path in (ROOT / "README.md", THAI))
    assert english, f"README.md has no {what}"
    assert thai == english, f"README.th.md has other {what} than README.md"


def test_the_thai_readme_links_to_the_same_files() -> None:
    """In whatever order its sentences need; each of the two leads to the other."""
    english, thai = (
        set(re.findall(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)", unfenced(path))) for path in (ROOT / "README.md", THAI)
    )
    assert english - {"README.th.md"} == thai - {"README.md"}
    assert "README.th.md" in english
    assert "README.md" in thai


def test_the_thai_readme_describes_its_pictures_in_thai() -> None:
    described = re.findall(r'!\[([^\]]*)\]|alt="([^"]+)"', unfenced(THAI))
    assert described
    for markdown, html in described:
        assert re.search("[\u0e01-\u0e5b]", markdown or html), markdown or html


@pytest.mark.parametrize("document", [*DOCUMENTS, THAI], ids=lambda path: path.name)
def test_links_and_pictures_are_there(document: Path) -> None:
    text = document.read_text("utf-8")
    targets = [*re.findall(r"\]\(([^)\s]+)\)", text), *re.findall(r'src="([^"]+)"', text)]
    for target in targets:
        place, _, section = target.partition("#")
        if "://" in place:
            continue
        path = (document.parent / place).resolve() if place else document
        assert path.exists(), f"{document.name} points to {target}"
        if section:
            headings = re.findall(r"^#+ (.*)$", path.read_text("utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert section in anchors, f"{document.name} points to {target}"


def documented() -> str:
    return "\n".join(document.read_text("utf-8") for document in DOCUMENTS)


PUBLIC = (convlens.Lens, convlens.FeatureMaps, convlens.FeatureMap, convlens.Kernels, Explanation)


@pytest.mark.parametrize(
    "name",
    [
        *(f"convlens.{name}" for name in convlens.__all__ if name != "__version__"),
        *(
            f"{kind.__name__}.{name}"
            for kind in PUBLIC
            for name, member in vars(kind).items()
            if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
        ),
    ],
)
def test_every_public_name_is_documented(name: str) -> None:
    """As ``.name`` in some document: whoever finds it in an editor finds it explained."""
    last = name.rpartition(".")[2]
    assert re.search(rf"(\.{last}\b|`{last}`)", documented()), f"{name} is nowhere in README.md or docs/"


def commands() -> dict[str, Any]:
    group: Any = typer.main.get_command(app)
    return dict(group.commands)


@pytest.mark.parametrize("command", sorted(commands()))
def test_every_command_and_option_is_documented(command: str) -> None:
    text = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    assert re.search(rf"^convlens {command}\b", text, re.MULTILINE)
    assert f"convlens {command}" in (ROOT / "README.md").read_text("utf-8")
    for parameter in commands()[command].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", text), f"{command} {option}"


def test_no_option_is_documented_that_is_not_there() -> None:
    known = {
        option
        for command in commands().values()
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    } | {"--help", "--version", "--install-completion", "--show-completion", "--fast", "--to"}
    for option in re.findall(r"(?<![\w`-])--[a-z][a-z-]+", documented()):
        assert option in known, option
