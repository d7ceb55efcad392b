"""Native code's greetings are left out of stderr; everything else comes through, in order and at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, sys
from convlens.hosts.cli.noise import without_greetings
with without_greetings():
    os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\\n")
    os.write(2, b"I0000 00:00:1795505140.141987   28441 port.cc:153] oneDNN custom operations are on.\\n")
    os.write(2, b"2024-01-01 10:00:00.123456: I tensorflow/core/util/port.cc:153] oneDNN\\n")
    os.write(2, b"E0000 00:00:1795505140.141987   28441 cuda.cc:1] a real error\\n")
    os.write(2, b"a native library complains\\n")
    sys.stderr.write("python complains\\n")
os.write(2, b"I0000 00:00:00 afterwards all is as before\\n")
sys.stderr.write("the end\\n")
"""


def stderr_of() -> list[str]:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60, check=True)
    return done.stderr.splitlines()


def test_greetings_are_left_out_and_nothing_else() -> None:
    lines = stderr_of()
    assert sorted(lines[:3]) == [
        "E0000 00:00:1795505140.141987   28441 cuda.cc:1] a real error",
        "a native library complains",
        "python complains",
    ]
    assert lines[3:] == ["I0000 00:00:00 afterwards all is as before", "the end"]


def test_debugging_lets_everything_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONVLENS_DEBUG", "1")
    assert len(stderr_of()) == 8
