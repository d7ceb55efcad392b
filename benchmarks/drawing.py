"""How long pictures of feature maps take, beside matplotlib's subplots and imshow, in one run.

Type: python benchmarks/drawing.py
"""

from __future__ import annotations

import io
import os
import platform
import time
from collections.abc import Callable
from typing import NamedTuple

import matplotlib
import numpy as np
import numpy.typing as npt

from convlens.draw.mosaic import map_png, mosaic_png

matplotlib.use("Agg")

import matplotlib.pyplot as plt


class Case(NamedTuple):
    name: str
    maps: npt.NDArray[np.float32]
    goal: int  # times faster
    repeats: int


def with_matplotlib(maps: npt.NDArray[np.float32]) -> bytes:
    """What people write: a subplot a map, one colour map, the axes off, saved as PNG."""
    columns = int(np.ceil(np.sqrt(len(maps))))
    rows = -(-len(maps) // columns)
    height, width = maps.shape[1:]
    size = (6.4, 6.4 * height / width) if len(maps) == 1 else (columns, rows)
    figure, axes = plt.subplots(rows, columns, figsize=size, squeeze=False)
    limit = float(np.abs(maps).max())
    for ax in axes.flat:
        ax.axis("off")
    for channel, (ax, one) in enumerate(zip(axes.flat, maps, strict=False)):
        ax.imshow(one, cmap="RdBu", vmin=-limit, vmax=limit, interpolation="nearest")
        ax.set_title(str(channel), fontsize=6)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100 if len(maps) > 1 else width / 6.4)
    plt.close(figure)
    return buffer.getvalue()


def with_convlens(maps: npt.NDArray[np.float32]) -> bytes:
    """Numbers, legend, title and all: what the tool itself writes."""
    if len(maps) == 1:
        return map_png(maps[0], title="layer")
    return mosaic_png(maps, title="layer")


def seconds(draw: Callable[[], bytes], repeats: int) -> tuple[float, int]:
    """Return the best time of ``repeats`` runs, and the size of the picture in bytes."""
    best, size = float("inf"), 0
    for _ in range(repeats):
        start = time.perf_counter()
        size = len(draw())
        best = min(best, time.perf_counter() - start)
    return best, size


def smooth(channels: int, rows: int, columns: int) -> npt.NDArray[np.float32]:
    """Return maps as compressible as a network's own: noise with neighbours averaged, twice."""
    noise = np.random.default_rng(0).normal(size=(channels, rows + 4, columns + 4))
    for _ in range(2):
        noise = noise[:, :-2, 1:-1] + noise[:, 2:, 1:-1] + noise[:, 1:-1, :-2] + noise[:, 1:-1, 2:]
    return np.ascontiguousarray(noise / 16, np.float32)


def main() -> None:
    cases = [
        Case("64 maps of 112x112", smooth(64, 112, 112), 30, 1),
        Case("512 maps of 14x14", smooth(512, 14, 14), 500, 1),
        Case("1 map of 1438x1078", smooth(1, 1438, 1078), 15, 3),
    ]
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, matplotlib {matplotlib.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}"
    )
    print()
    print("| picture | matplotlib | convlens | first call | faster | goal | bytes, matplotlib | bytes, convlens |")
    print("|---|---|---|---|---|---|---|---|")
    for case in cases:
        first, _ = seconds(lambda case=case: with_convlens(case.maps), 1)  # type: ignore[misc]
        ours, our_size = seconds(lambda case=case: with_convlens(case.maps), 20)  # type: ignore[misc]
        theirs, their_size = seconds(lambda case=case: with_matplotlib(case.maps), case.repeats)  # type: ignore[misc]
        print(
            f"| {case.name} | {theirs * 1e3:,.0f} ms | {ours * 1e3:.1f} ms | {first * 1e3:.1f} ms | "
            f"{theirs / ours:,.0f}x | >= {case.goal}x | {their_size:,} | {our_size:,} |"
        )


if __name__ == "__main__":
    main()
