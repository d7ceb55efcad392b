"""The command line, called the way a person calls it, and what came back."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "convlens")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str

    @property
    def error(self) -> str:
        """The one line on stderr; fails where there is more, or less."""
        lines = [line for line in self.err.splitlines() if line.strip()]
        assert len(lines) == 1, self.err
        assert lines[0].startswith("convlens: ")
        return lines[0]


Run = Callable[..., Result]


def spawn(words: Sequence[object], folder: Path, **settings: Any) -> Result:
    """The command line as a process of its own."""
    done = subprocess.run(
        [*COMMAND, *(str(word) for word in words)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": "utf-8"},
        **settings,
    )
    return Result(done.returncode, done.stdout, done.stderr)
