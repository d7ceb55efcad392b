"""How long `import convlens` and `convlens --help` take beyond the interpreter's start; what a base install weighs.

Type: python benchmarks/startup.py [--install]    ``--install`` makes a fresh environment with `pip install .`
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent


def seconds(command: list[str]) -> float:
    def once() -> float:
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start

    once()
    return statistics.median(once() for _ in range(9))


def size(folder: Path) -> float:
    """Megabytes (10^6 bytes) of all files."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    python = sys.executable
    start = seconds([python, "-c", "pass"])
    print("| what | beyond the interpreter's start | to reach |\n|---|---|---|")
    print(f"| import convlens | {seconds([python, '-c', 'import convlens']) - start:.3f} s | 0.2 s |")
    print(f"| convlens --help | {seconds([python, '-m', 'convlens', '--help']) - start:.3f} s | 0.4 s |")
    if "--install" in sys.argv:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([python, "-m", "venv", folder], check=True)
            empty = size(Path(folder))
            pip = [f"{folder}/bin/pip", "install", "--quiet", str(ROOT)]
            subprocess.run(pip, check=True, capture_output=True)
            whole = size(Path(folder))
            print(
                f"\nBase install: {whole - empty:.0f} MB, {whole:.0f} MB with pip and setuptools; to stay under 250 MB"
            )


if __name__ == "__main__":
    main()
