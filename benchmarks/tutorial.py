"""The eight tutorial models on 1440 x 1080: every feature map, beside the fastest plain pass that any engine manages.

Type: python benchmarks/tutorial.py    Needs the extra ``bench``; Keras runs on the backend that KERAS_BACKEND names.

The plain passes are ONNX Runtime at each optimisation level, PyTorch in both memory formats, and Keras jitted; the
fastest of them is what the capture is measured against, pair by pair.
"""

from __future__ import annotations

import os
import statistics
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from capture import captured, timed

import convlens
from convlens import pictures
from convlens.sketches import TUTORIAL

Run = Callable[[], object]
SHAPE = (3, 1440, 1080)


def onnx_passes(model: Any, x: np.ndarray) -> dict[str, Run]:
    import onnxruntime

    runs: dict[str, Run] = {}
    for level in ("BASIC", "ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, f"ORT_ENABLE_{level}")
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        runs[f"onnx {level.lower()}"] = lambda session=session: session.run(None, {"picture": x})
    return runs


def torch_passes(lens: convlens.Lens, x: np.ndarray) -> dict[str, Run]:
    import torch
    from torch import nn

    parts: list[nn.Module] = []
    for layer in lens.network:
        if layer.has_kernels:
            weights = lens.weights(layer.name)
            filters, channels, *size = weights["kernel"].shape
            conv = nn.Conv2d(channels, filters, tuple(size))
            conv.load_state_dict(
                {"weight": torch.from_numpy(weights["kernel"]), "bias": torch.from_numpy(weights["bias"])}
            )
            parts.append(conv)
        else:
            parts.append(nn.ReLU() if layer.op == "Relu" else nn.MaxPool2d(5))
    model = nn.Sequential(*parts).eval()
    tensor = torch.from_numpy(x)
    last = tensor.to(memory_format=torch.channels_last)

    def run(value: Any) -> Run:
        def forward() -> object:
            with torch.inference_mode():
                return model(value)

        return forward

    return {"torch": run(tensor), "torch channels_last": run(last)}


def main() -> None:
    picture = pictures.cat()
    recipe = convlens.Recipe(resize="stretch")
    print("| model | fastest plain pass | plain | every map | to reach |\n|---|---|---|---|---|")
    for lesson in TUTORIAL:
        lens = convlens.sketch(lesson.sketch, input_shape=SHAPE, seed=lesson.seed)
        given = lens.inputs[0]
        x, _ = pictures.prepare(picture, recipe, given)
        runs = onnx_passes(lens.model, x) | torch_passes(lens, x)
        for run in runs.values():
            run()
        times = {name: statistics.median(timed(run) for _ in range(5)) for name, run in runs.items()}
        best = min(times, key=lambda name: times[name])
        capture = partial(captured, lens._engine, {"picture": x})
        capture()
        ratio = statistics.median(1 / (timed(runs[best]) / timed(capture)) for _ in range(9))
        print(
            f"| {lesson.sketch.replace('|', '&#124;')} | {best} | {times[best] * 1e3:.1f} ms | {ratio:.2f}x | 1.15x |"
        )


if __name__ == "__main__":
    main()
