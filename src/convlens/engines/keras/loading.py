"""Before Keras is imported: which backend it starts on, and that TensorFlow starts quietly."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from convlens.errors import MissingDependencyError, closest


def choose_backend() -> None:
    """Let Keras start on a backend that is installed, quietly; a choice of the user's own is left alone."""
    if "keras" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    chosen = os.environ.get("KERAS_BACKEND")
    installed = [name for name in ("tensorflow", "jax", "torch") if find_spec(name)]
    if chosen is None and not (home / "keras.json").exists() and installed and "tensorflow" not in installed:
        os.environ["KERAS_BACKEND"] = installed[0]
    if not installed or (chosen is not None and find_spec(chosen) is None):
        raise MissingDependencyError(
            "Keras needs a backend that isn't installed",
            expected="tensorflow, jax or torch",
            received=f"KERAS_BACKEND={chosen}" if chosen is not None else "none of them",
            hint=_remedy(chosen),
        )


def _remedy(chosen: str | None) -> str:
    packages = {"tensorflow": "tensorflow-cpu", "jax": "jax", "torch": "torch"}
    if chosen is None or chosen in packages:
        return f"Type: pip install {packages[chosen or 'tensorflow']}"
    close = closest(chosen, packages, n=1)
    return f"Did you mean KERAS_BACKEND={close[0]}?" if close else "Type KERAS_BACKEND=tensorflow, jax or torch."


@contextmanager
def without_log_lines() -> Iterator[None]:
    """Hold back the lines that TensorFlow logs while it is loaded; what else is written to stderr comes afterwards."""
    if "tensorflow" in sys.modules or os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "2":
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        stderr = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            held.seek(0)
            for line in held.read().decode(errors="replace").splitlines():
                if not _LOG_LINE.match(line):
                    sys.stderr.write(line + "\n")


_LOG_LINE = re.compile(r"[IW]\d{4} |WARNING: All log messages before absl::InitializeLog|\d{4}-\d\d-\d\d .*: [IW] ")
