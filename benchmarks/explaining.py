"""How long explanations take, beside the framework computing the same layer, in one run.

Type: python benchmarks/explaining.py
"""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import nn

import convlens

CHANNELS, SIZE = 512, 14


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The best time of ``repeats`` runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def sketched() -> tuple[convlens.FeatureMaps, str]:
    """The layer in ONNX Runtime."""
    lens = convlens.sketch(f"conv {CHANNELS} 3x3 pad 1", input_shape=(CHANNELS, SIZE, SIZE), seed=0)
    return lens.feature_maps(picture()), "conv"


def modelled() -> tuple[convlens.FeatureMaps, str]:
    """The layer in PyTorch."""
    model = nn.Sequential(nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)).eval()
    lens = convlens.open(model, input_shape=(CHANNELS, SIZE, SIZE))
    return lens.feature_maps(picture()), "0"


def picture() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(1, CHANNELS, SIZE, SIZE)).astype(np.float32)


def main() -> None:
    print(
        f"Python {platform.python_version()}, NumPy {np.__version__}, PyTorch {torch.__version__}, "
        f"{os.cpu_count()} cores, {platform.machine()}"
    )
    print(f"\nA convolution, {CHANNELS} channels to {CHANNELS}, 3x3, on {SIZE}x{SIZE}: 4,608 terms a value\n")
    print("| engine | the layer itself | one value explained | goal | one whole map | times the layer | goal |")
    print("|---|---|---|---|---|---|---|")
    for engine, build in (("ONNX Runtime", sketched), ("PyTorch", modelled)):
        maps, name = build()
        feed = {maps.network.inputs[0].name: picture()}
        layer = seconds(lambda maps=maps, feed=feed: maps.lens.predict(feed), 20)  # type: ignore[misc]
        maps[name].explain(0, 0, 0)
        one = seconds(lambda maps=maps, name=name: maps[name].explain(7, 5, 5), 50)  # type: ignore[misc]
        whole = seconds(lambda maps=maps, name=name: maps[name].explain_all(7), 20)  # type: ignore[misc]
        print(
            f"| {engine} | {layer * 1e3:.2f} ms | {one * 1e3:.2f} ms | < 2 ms | {whole * 1e3:.2f} ms | "
            f"{whole / layer:.1f} | < 20 |"
        )


if __name__ == "__main__":
    main()
