"""A real JupyterLab for the tests, in a folder of its own, without the person's settings."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Any, Self

TOKEN = "convlens-test"


def free_port() -> int:
    """A port that nobody listens at."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def environment(home: Path) -> dict[str, str]:
    """The process's own, but for everything that it would keep in a person's home."""
    own = {name: str(home / name.lower()) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    return {**os.environ, **own, "HOME": str(home), "IPYTHONDIR": str(home / "ipython"), "PYTHONDONTWRITEBYTECODE": "1"}


def await_answer(address: str, process: subprocess.Popen[bytes], seconds: float = 90) -> None:
    """Wait until there is an answer at this address."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, "the server has ended"
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"nothing answers at {address}")


class Process:
    """A server that a test starts and ends."""

    def __init__(self, command: list[str], folder: Path, address: str) -> None:
        self.folder = folder
        self._log = (folder / "log.txt").open("wb")
        home = folder / "home"
        home.mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            command, cwd=folder, env=environment(home), stdout=self._log, stderr=subprocess.STDOUT
        )
        await_answer(address, self.process)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
        self._log.close()


class Lab(Process):
    """JupyterLab on a free port; notebooks lie in ``folder``."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.origin = f"http://127.0.0.1:{port}"
        command = [
            sys.executable, "-m", "jupyterlab", "--no-browser", f"--ServerApp.port={port}",
            "--ServerApp.port_retries=0",
            f"--IdentityProvider.token={TOKEN}", "--ServerApp.allow_root=True", f"--ServerApp.root_dir={folder}",
            "--LabApp.news_url=None", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
            "--LabApp.extension_manager=readonly",
        ]  # fmt: skip
        super().__init__(command, folder, f"{self.origin}/api/status?token={TOKEN}")

    def address(self, notebook: str) -> str:
        """Where this notebook opens, without the folder's list beside it."""
        return f"{self.origin}/doc/tree/{notebook}?token={TOKEN}&reset"


def notebook(path: Path, *cells: str) -> Path:
    """A notebook of these code cells, without outputs."""
    made: dict[str, Any] = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{n}",
                "metadata": {},
                "outputs": [],
                "execution_count": None,
                "source": one,
            }
            for n, one in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(made))
    return path
