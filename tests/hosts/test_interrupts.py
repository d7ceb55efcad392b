"""Ctrl-C at several moments: one line, exit code 2, nothing half-written."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.hosts.command_line import COMMAND, Run

from convlens.lens import files

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals as POSIX has them")

LINE = "convlens: Interrupted. Nothing half-written remains.\n"

WHILE_IMPORTING = """
import os, signal, sys
module, *words = sys.argv[1:]
{made_of_it}
class Trap:
    def find_spec(self, name, path=None, target=None):
        if name == module:
            sys.meta_path.remove(self)
            try:
                os.kill(os.getpid(), signal.SIGINT)
                for _ in range(1000): pass
            except KeyboardInterrupt:
                become()
sys.meta_path.insert(0, Trap())
from convlens.hosts.cli import main
sys.argv = ["convlens", *words]
sys.exit(main())
"""
RAISED = "def become(): raise"
AN_ERROR = "def become(): raise ImportError('initialization failed')"
DROPPED = """
class Doomed:
    def __del__(self): raise KeyboardInterrupt
def become():
    Doomed()
    import time
    time.sleep(60)
"""


@pytest.mark.parametrize(
    ("module", "made_of_it"),
    [
        ("typer", RAISED),
        ("typer", AN_ERROR),
        ("numpy", RAISED),
        ("numpy", AN_ERROR),
        ("onnxruntime", AN_ERROR),
        ("onnxruntime", DROPPED),
    ],
)
def test_while_something_is_imported(shelf: Path, tmp_path: Path, module: str, made_of_it: str) -> None:
    """Native modules make an ImportError of the interrupt, or drop it in a destructor."""
    program = WHILE_IMPORTING.format(made_of_it=made_of_it)
    words = ["maps", str(shelf / "net.onnx"), str(shelf / "picture.png")]
    done = subprocess.run(
        [sys.executable, "-c", program, module, *words], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (2, "", LINE)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("after", [0.0, 0.4])
def test_while_the_demo_runs(tmp_path: Path, after: float) -> None:
    """Models run in native threads, which are still alive when the process ends."""
    process = subprocess.Popen(
        [*COMMAND, "demo", "--no-open", "-o", "out"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until = time.monotonic() + 60
    while not list(tmp_path.iterdir()) and time.monotonic() < until and process.poll() is None:
        time.sleep(0.01)
    time.sleep(after)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (2, "", LINE)
    assert list(tmp_path.iterdir()) == []


def test_before_a_command_begins(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer keeps silent there, and says 130."""

    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("convlens.hosts.cli.terminal.say", interrupt)
    result = run("--version")
    assert (result.code, result.out, result.err.lstrip()) == (2, "", LINE)


def test_in_somebody_elses_process(run: Run, shelf: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The process goes on."""

    def interrupt(*_words: object, **_options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("convlens.lens.open", interrupt)
    result = run("summary", shelf / "net.onnx")
    assert (result.code, result.out, result.err) == (2, "", LINE)


def test_ignored_where_the_shell_asks_for_it(shelf: Path, tmp_path: Path) -> None:
    """As for a command in the background."""
    words = [
        "-c",
        "import os,signal,sys;signal.signal(signal.SIGINT, signal.SIG_IGN);os.execv(sys.argv[1],sys.argv[1:])",
    ]
    command = [sys.executable, *words, *COMMAND, "summary", str(shelf / "net.onnx")]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "conv" in out


@pytest.mark.parametrize(
    ("number", "code", "line"),
    [
        (signal.SIGINT, 2, LINE),
        (signal.SIGTERM, 143, "convlens: Ended by SIGTERM. Nothing half-written remains.\n"),
        (signal.SIGHUP, 129, "convlens: Ended by SIGHUP. Nothing half-written remains.\n"),
    ],
)
def test_while_native_code_keeps_python_waiting(tmp_path: Path, number: int, code: int, line: str) -> None:
    """Python hears of a signal only when native code returns: here never."""
    program = f"""
import os, signal, sys, threading
from pathlib import Path
from convlens.hosts.cli import app, interrupts, main
from convlens import writing
interrupts._PATIENCE = 0.1
def wait(_arguments):
    with writing.replacing("out.svg") as new:
        new.write_text("half")
        threading.Timer(0.2, os.kill, (os.getpid(), {int(number)})).start()
        while True:
            try: signal.sigtimedwait([signal.SIGUSR1], 60)  # as a loop in native code that hears of no interrupt
            except KeyboardInterrupt: pass
app.run = wait
sys.exit(main())
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (code, "", line)
    assert list(tmp_path.iterdir()) == []


WRITE = {
    "maps": "maps net.onnx picture.png -o out",
    "out.npz": "export net.onnx picture.png -o out.npz",
    "out.zarr": "export net.onnx picture.png -o out.zarr",
    "out.html": "report net.onnx picture.png -o out.html",
    "frames": "animate conv -o frames/",
}
SIGNALLED = 15


def test_at_random_moments(shelf: Path, tmp_path: Path) -> None:
    """Every file is the old one or the new one, whole; nothing else remains; and what is said of that is true."""
    seed = random.randrange(2**32)
    print(f"seed {seed}")  # noqa: T201  # repeats the draw
    drawn = random.Random(seed)
    for name in ("net.onnx", "picture.png"):
        (tmp_path / name).write_bytes((shelf / name).read_bytes())
    (tmp_path / "mine.txt").write_text("mine")
    took = 1.0
    for number in range(SIGNALLED):
        words = [*WRITE.values()][number % len(WRITE)].split()
        before = names(tmp_path)
        begun = time.monotonic()
        process = subprocess.Popen(
            [*COMMAND, *words], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        time.sleep(drawn.uniform(0.3, 1.0) * took)
        for _ in range(drawn.choice([1, 1, 2])):
            process.send_signal(drawn.choice([signal.SIGINT, signal.SIGTERM, signal.SIGHUP]))
        _, err = process.communicate(timeout=60)
        if process.returncode == 0:
            took = min(took, time.monotonic() - begun)
        left = [path for path in tmp_path.iterdir() if path.name.startswith(".convlens")]
        told = (seed, number, words[0], process.returncode, err)
        assert not left, told
        if re.search(r"/convlens/(?!__init__|__main__)", err):  # else Python itself starts: nobody can answer for that
            assert "Traceback" not in err, told
        now = names(tmp_path)
        assert now >= before, told
        assert now == before or len([name for name in now - before if "/" not in name]) == 1, told
        assert all(files.is_ours(path) for path in ours(tmp_path)), told
    assert (tmp_path / "mine.txt").read_text() == "mine"


def names(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def ours(folder: Path) -> list[Path]:
    """What convlens wrote, a .zarr as one."""
    taken = ("net.onnx", "picture.png", "mine.txt")
    single = [
        path for path in folder.iterdir() if path.name not in taken and (path.is_file() or path.suffix == ".zarr")
    ]
    return [*single, *(path for sub in ("out", "frames") for path in (folder / sub).glob("*"))]
