"""The PyTorch engine against PyTorch itself: hooks for the maps, the plain model for the outputs, loops for the rest."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch_models import CASES, seeded

from convlens.engines.base import Array
from convlens.engines.torch import TorchEngine
from convlens.network import Layer, Network
from convlens.testing import EngineCase, EngineTests


def fingerprint(model: nn.Module) -> object:
    """All that an engine could disturb, as something that compares."""
    return (
        {name: (tensor.numpy(force=True).tobytes(), tensor.requires_grad) for name, tensor in model.named_parameters()},
        {name: buffer.numpy(force=True).tobytes() for name, buffer in model.named_buffers()},
        {name: id(tensor) for name, tensor in model.state_dict(keep_vars=True).items()},
        {name: None if p.grad is None else p.grad.numpy().tobytes() for name, p in model.named_parameters()},
        [(name, module.training) for name, module in model.named_modules()],
        [
            (
                name,
                sorted(vars(module)),
                *(list(hooks.values()) for key, hooks in vars(module).items() if "_hooks" in key),
            )
            for name, module in model.named_modules()
        ],
        [(name, sorted(vars(tensor))) for name, tensor in (*model.named_parameters(), *model.named_buffers())],
        [
            (name, key, value.is_inference())
            for name, module in model.named_modules()
            for key, value in vars(module).items()
            if isinstance(value, Tensor)
        ],
        torch.get_rng_state().numpy().tobytes(),
        random.getstate(),
        np.random.get_state()[1].tobytes(),  # type: ignore[union-attr,index]
        torch.backends.mha.get_fastpath_enabled(),
        torch.is_inference_mode_enabled(),
        torch.is_grad_enabled(),
    )


def example(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Array]:
    """The same random arrays each time; indices for the model that reads tokens."""
    generator = np.random.default_rng(1)
    return {
        name: generator.integers(0, 10, shape) if name == "tokens" else generator.normal(size=shape).astype(np.float32)
        for name, shape in shapes.items()
    }


@contextmanager
def attention_in_steps() -> Iterator[None]:
    """PyTorch's fused attention rounds differently (3e-8 here); its steps are what can be compared."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    yield
    torch.backends.mha.set_fastpath_enabled(before)


def captured(
    model: object, feed: Mapping[str, Any], keep: frozenset[str] | None = None
) -> tuple[Network, dict[str, Array]]:
    """One run; the arrays as they are after the run, so that anything written into them later would show."""
    maps: dict[str, Array] = {}
    network = TorchEngine.open(model).run(feed, keep, lambda layer, array: maps.update({layer.name: array}))
    return network, maps


class TestTorch(EngineTests):
    engine = TorchEngine

    @pytest.fixture(params=sorted(CASES))
    def case(self, request: pytest.FixtureRequest) -> EngineCase:
        build, shapes = CASES[request.param]
        model = seeded(build)
        model.train(request.param in ("residual", "normed"))
        return EngineCase(model=model, feed=example(shapes), fingerprint=lambda: fingerprint(model))


@pytest.mark.parametrize("name", sorted(CASES))
def test_maps_equal_what_plain_hooks_see(name: str) -> None:
    """Hooks on the modules, with a clone of each output, in the same memory layout; equal to the last bit."""
    build, shapes = CASES[name]
    model = seeded(build)
    feed = {key: torch.from_numpy(array) for key, array in example(shapes).items()}
    seen: dict[str, list[Tensor]] = {}

    def remember(path: str, output: object) -> None:
        if isinstance(output, Tensor):
            seen.setdefault(path, []).append(output.clone())

    handles = [
        module.register_forward_hook(lambda _, __, output, path=path: remember(path, output))
        for path, module in model.named_modules()
        if not list(module.children()) and "parametrizations" not in path
    ]
    with attention_in_steps(), torch.inference_mode():
        model(**feed) if len(feed) > 1 else model(*feed.values())
    for handle in handles:
        handle.remove()
    _, maps = captured(model, feed)
    compared = 0
    for path, outputs in seen.items():
        for count, output in enumerate(outputs, 1):
            call = path if count == 1 else f"{path}:{count}"
            if call in maps:
                array = maps[call]
                np.testing.assert_array_equal(
                    array, output[0].numpy() if output.shape[0] == 1 else output.numpy(), call
                )
                compared += 1
    assert compared or name in ("functional", "recurrent", "dense only"), "nothing was compared"


def layers_of(network: Network) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(layer.name, layer.op, layer.inputs) for layer in network.layers]


def one(network: Network, op: str) -> Layer:
    found = [layer for layer in network.layers if layer.op == op]
    assert len(found) == 1, f"{op}: {[layer.name for layer in found]}"
    return found[0]
