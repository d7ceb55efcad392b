"""Where the page's tests meet it: ``convlens view`` in a process of its own, or a report's file."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from threading import Thread
from types import TracebackType
from typing import Self

import convlens
from convlens.hosts.demo import the_cat
from convlens.hosts.report import Exhibit, Report, gallery
from convlens.hosts.wire.facts import lesson_fact
from convlens.sketches import TUTORIAL
from convlens.sketches.tutorial import INPUT_SHAPE


class Serving:
    """A running ``convlens view``; ``url`` is the address that it printed, with its token.

    Used in ``with``, it is stopped at the end. ``stop`` and ``start`` play a server that is lost and comes back.
    """

    def __init__(self, *words: str, token: str = "of-the-tests-only") -> None:
        self._words = (*words, "--no-browser", "--token", token)
        self._port = "0"
        self._process: subprocess.Popen[str] | None = None
        self._told: list[str] = []
        self.url = ""

    def start(self) -> None:
        """Start, and wait until the address is printed."""
        command = [sys.executable, "-m", "convlens", "view", *self._words, "--port", self._port]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._told.append(line)
            found = re.search(r"http://[\d.]+:(\d+)/\S*", line)
            if found:
                self.url, self._port = found[0], found[1]
                Thread(target=self._listen, daemon=True).start()  # a full pipe would stop the server
                return
        raise AssertionError("convlens view printed no address:\n" + "".join(self._told))

    def _listen(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        self._told.extend(self._process.stdout)

    def stop(self) -> None:
        """Kill it, without a goodbye."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    @property
    def origin(self) -> str:
        """The address without path and token."""
        return self.url.split("/?")[0].rstrip("/")

    @property
    def told(self) -> str:
        """What it printed."""
        return "".join(self._told)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()


class Filed:
    """A report on the disk, opened as a person opens it: by its ``file://`` address, with the network cut."""

    origin = "file://"

    def __init__(self, path: Path) -> None:
        self.url = path.as_uri()


Shown = Serving | Filed
"""Where a viewer is met."""


def sketched(folder: Path, line: str, shape: str, name: str) -> Path:
    """A sketch, saved as a model file."""
    import onnx

    model = convlens.sketch(line, input_shape=[int(n) for n in shape.split("x")]).model
    assert isinstance(model, onnx.ModelProto)
    path = folder / f"{name}.onnx"
    onnx.save(model, path)
    return path


def tutorial_report() -> Report:
    """The eight models of the tutorial in one file."""
    cat = the_cat()
    return gallery(
        [
            Exhibit(
                convlens.sketch(lesson.sketch, input_shape=INPUT_SHAPE, seed=lesson.seed).feature_maps(cat),
                lesson_fact(lesson),
            )
            for lesson in TUTORIAL
        ]
    )
