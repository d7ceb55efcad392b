"""What looking inside costs: every feature map as NumPy, beside the plain forward pass at its fastest setting.

Type: python benchmarks/capture.py [--engines torch onnx keras] [--peers]

For each network, engine and batch size it runs the plain pass and the capture in turn, A B A B ..., and prints the
median of the ratios pair by pair. Peak memory is that of a process of its own, above the plain pass of another, as a
multiple of the bytes of the maps kept. Keras runs on the backend that KERAS_BACKEND names. Needs the extra ``bench``.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "engines"))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Run = Callable[[], object]
NETWORKS = ("resnet18", "vgg16")
GOALS = {"torch": 1.15, "onnx": 1.30, "keras": 1.25}


def timed(run: Run) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def fastest(*settings: Run) -> Run:
    """The quickest of several ways to do the same, after a warm-up each."""
    for run in settings:
        run()
        run()
    return min(settings, key=lambda run: statistics.median(timed(run) for _ in range(3)))


def in_torch(name: str, batch: int) -> tuple[Run, Run, tuple[Run, ...]]:
    """(plain pass, capture, peer) of a PyTorch network."""
    import torch
    import torch_models

    import convlens

    model = (torch_models.ResNet() if name == "resnet18" else torch_models.Vgg()).eval()
    x = torch.rand(batch, 3, 224, 224)
    last = x.to(memory_format=torch.channels_last)

    def plain() -> object:
        with torch.inference_mode():
            return model(x)

    def plain_last() -> object:
        with torch.inference_mode():
            return model(last)

    engine = convlens.open(model)._engine

    def capture() -> object:
        return captured(engine, {"x": x})

    def recording() -> object:
        import torchlens

        return torchlens.record(model, x, default_op=True)

    def trace() -> object:
        import torchlens

        return torchlens.trace(model, x)

    return fastest(plain, plain_last), capture, (recording, trace)


def captured(engine: Any, feed: dict[str, Any]) -> dict[str, np.ndarray]:
    maps: dict[str, np.ndarray] = {}
    engine.run(feed, None, lambda layer, array: maps.__setitem__(layer.name, array))
    return maps


def in_onnx(name: str, batch: int) -> tuple[Run, Run, tuple[Run, ...]]:
    """The same network, exported, in ONNX Runtime."""
    import onnxruntime
    import torch
    import torch_models

    import convlens

    model = (torch_models.ResNet() if name == "resnet18" else torch_models.Vgg()).eval()
    path = str(Path(tempfile.mkdtemp()) / f"{name}.onnx")
    example = torch.zeros(batch, 3, 224, 224)
    torch.onnx.export(model, (example,), path, input_names=["x"], dynamo=True, verbose=False)
    x = np.random.default_rng(0).random((batch, 3, 224, 224), np.float32)
    runs = []
    for level in ("ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL"):
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = getattr(onnxruntime.GraphOptimizationLevel, level)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        runs.append(lambda session=session: session.run(None, {"x": x}))
    engine = convlens.open(path)._engine
    return fastest(*runs), lambda: captured(engine, {"x": x}), ()


def in_keras(name: str, batch: int) -> tuple[Run, Run, tuple[Run, ...]]:
    """The same network in Keras, jitted."""
    import keras
    import keras_models

    import convlens

    model = keras_models.resnet18() if name == "resnet18" else keras_models.vgg16()
    x = np.random.default_rng(0).random((batch, 224, 224, 3), np.float32)
    engine = convlens.open(model)._engine
    feed = {engine.inputs[0].name: x}
    settings: list[Run] = [lambda: model.predict_on_batch(x)]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for jit in (False, True):
            compiled = tf.function(lambda value: model(value, training=False), jit_compile=jit)
            settings.append(lambda compiled=compiled: compiled(x).numpy())
    if keras.backend.backend() == "jax":
        import jax

        def stateless(trained: Any, fixed: Any, value: Any) -> Any:
            return model.stateless_call(trained, fixed, value, training=False)[0]

        jitted = jax.jit(stateless)

        def plain() -> object:
            trained = [v.value for v in model.trainable_variables]
            fixed = [v.value for v in model.non_trainable_variables]
            return np.asarray(jitted(trained, fixed, x))

        settings.append(plain)
    if keras.backend.backend() == "torch":
        import torch

        tensor = torch.from_numpy(x)

        def plain_torch() -> object:
            with torch.inference_mode():
                return model(tensor, training=False)

        settings.append(plain_torch)
    return fastest(*settings), lambda: captured(engine, feed), ()


MAKERS = {"torch": in_torch, "onnx": in_onnx, "keras": in_keras}


def compare(engine: str, name: str, batch: int, pairs: int, with_peers: bool) -> str:
    plain, capture, peers = MAKERS[engine](name, batch)
    capture()
    ratios, times = [], []
    for _ in range(pairs):
        first = timed(plain)
        ratios.append(timed(capture) / first)
        times.append(first)
    beside = []
    for peer in peers if with_peers else ():  # last: TorchLens leaves torch's functions wrapped
        peer()
        beside.append(f"{statistics.median(timed(peer) for _ in range(3)) / statistics.median(times):.2f}x")
    plain_ms = statistics.median(times) * 1e3
    ratio = statistics.median(ratios)
    cells = (name, engine, batch, f"{plain_ms:,.0f} ms", f"{ratio:.2f}x", f"{GOALS[engine]:.2f}x", " / ".join(beside))
    return "| " + " | ".join(str(cell) for cell in cells) + " |"


def compare_apart(engine: str, name: str, batch: int, pairs: int, with_peers: bool) -> str:
    """The comparison in a process of its own, so that no framework or peer slows another down."""
    command = [sys.executable, __file__, "--compare", engine, name, str(batch), str(pairs), str(with_peers)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.splitlines()[-1] if done.returncode == 0 else f"| {name} | {engine} | {batch} | failed |"


def peak_while(run: Run) -> tuple[int, object]:
    """Highest resident memory of this process while ``run`` runs, above what it was before, in bytes."""
    page = os.sysconf("SC_PAGE_SIZE")
    statm = Path("/proc/self/statm")

    def resident() -> int:
        return int(statm.read_text("ascii").split()[1]) * page

    before, highest, done = resident(), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.is_set():
            highest = max(highest, resident())
            time.sleep(0.0005)

    thread = threading.Thread(target=watch)
    thread.start()
    result = run()
    done.set()
    thread.join()
    return max(highest, resident()) - before, result


def memory(engine: str, name: str, batch: int, what: str) -> None:
    """In a process of its own: the peak of one plain pass or one capture, after a warm-up of the plain pass."""
    plain, capture, _ = MAKERS[engine](name, batch)
    if what == "plain":
        peak, _ = peak_while(plain)
        print(f"{peak} 0")
        return
    small = MAKERS[engine](name, 1)[1] if batch > 1 else capture
    small()
    peak, maps = peak_while(capture)
    assert isinstance(maps, dict)
    print(f"{peak} {sum(array.nbytes for array in maps.values())}")


def compare_memory(engine: str, name: str, batch: int) -> str:
    def measured(what: str) -> list[int]:
        command = [sys.executable, __file__, "--memory", engine, name, str(batch), what]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        return [int(n) for n in done.stdout.split()[-2:]]

    plain, _ = measured("plain")
    capture, kept = measured("capture")
    share = (capture - max(plain, 0)) / kept
    return f"| {name} | {engine} | {batch} | {kept / 1e6:,.0f} MB | {share:.2f}x | 1.30x |"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--engines", nargs="+", default=list(MAKERS), choices=list(MAKERS))
    parser.add_argument("--peers", action="store_true")
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--memory", nargs=4)
    parser.add_argument("--compare", nargs=5)
    options = parser.parse_args()
    if options.memory:
        engine, name, batch, what = options.memory
        memory(engine, name, int(batch), what)
        return
    if options.compare:
        engine, name, batch, pairs, with_peers = options.compare
        print(compare(engine, name, int(batch), int(pairs), with_peers == "True"))
        return
    versions = []
    for package in ("numpy", "torch", "onnxruntime", "keras", "tensorflow", "jax", "torchlens"):
        try:
            versions.append(f"{package} {__import__('importlib.metadata').metadata.version(package)}")
        except Exception:
            continue
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}")
    print(", ".join(versions) + f", Keras backend {os.environ.get('KERAS_BACKEND', 'tensorflow')}")
    print(
        "\n| network | engine | batch | plain | every map | to reach | TorchLens record / trace |\n" + "|---" * 7 + "|"
    )
    for engine in options.engines:
        for name in NETWORKS:
            for batch in (1, 16):
                pairs = options.pairs if batch == 1 else 3
                print(compare_apart(engine, name, batch, pairs, options.peers), flush=True)
    print("\n| network | engine | batch | maps | peak above plain / maps | to reach |\n|---|---|---|---|---|---|")
    for engine in options.engines:
        for name in NETWORKS:
            for batch in (1, 16):
                print(compare_memory(engine, name, batch), flush=True)


if __name__ == "__main__":
    main()
