"""Random PyTorch models: what is shown is what plain hooks see, what is explained agrees, the model stays as it was."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from tests.engines.random_torch import drawn
from torch import Tensor, nn

import convlens
from convlens.lens import FeatureMaps

MODELS = 40
"""Each run of the tests draws others; a failure prints its seed."""


def state(model: nn.Module) -> list[Any]:
    """All that looking at a model could disturb, as something that compares."""
    tensors = [(name, value.double().numpy().tobytes()) for name, value in model.state_dict().items()]
    modes = [(name, module.training, sorted(vars(module))) for name, module in model.named_modules()]
    hooks = [(len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()]
    numbers = [(parameter.requires_grad, parameter.grad) for parameter in model.parameters()]
    return [tensors, modes, hooks, numbers, torch.get_rng_state().tolist(), torch.is_grad_enabled()]


def seen_by_hooks(model: nn.Module, feed: dict[str, Tensor]) -> tuple[dict[str, list[Tensor]], list[Tensor]]:
    """What each module without others inside returns, call by call, and the results of the model, run by itself."""
    found: dict[str, list[Tensor]] = {}

    def hook(name: str) -> Callable[..., None]:
        return lambda module, given, result: found.setdefault(name, []).append(result.detach().clone())

    modes = [(module, module.training) for module in model.modules()]
    leaves = [(name, module) for name, module in model.named_modules() if name and not list(module.children())]
    handles = [module.register_forward_hook(hook(name)) for name, module in leaves]
    held = {name: value.clone() for name, value in model.state_dict().items()}
    random_state = torch.get_rng_state()
    try:
        with torch.inference_mode():
            result = model.eval()(**{name: value.clone() for name, value in feed.items()})
    finally:
        for handle in handles:
            handle.remove()
        for module, training in modes:
            module.training = training
        with torch.no_grad():
            for name, value in model.state_dict().items():
                value.copy_(held[name])
        torch.set_rng_state(random_state)
    parts = result.values() if isinstance(result, dict) else [result] if isinstance(result, Tensor) else result
    return found, [one for part in parts for one in (part if isinstance(part, list) else [part])]


def check(seed: int) -> FeatureMaps:
    """All that holds for a random model."""
    model, feed = drawn(seed)
    before = state(model)
    hooks, results = seen_by_hooks(model, feed)
    assert state(model) == before, "the test itself leaves the model as it was"
    lens = convlens.open(model)
    maps = lens.feature_maps(dict(feed) if len(feed) > 1 else feed["x"])
    again = lens.feature_maps(dict(feed) if len(feed) > 1 else feed["x"])
    assert state(model) == before
    for name, calls in hooks.items():
        for number, made in enumerate(calls, start=1):
            called = name if number == 1 else f"{name}:{number}"
            if called in maps and maps.network[called].op != "slice_scatter":
                np.testing.assert_array_equal(maps[called].array, made[0].float().numpy(), err_msg=called)
    shown = [maps[name].array for name in maps.network.outputs]
    for result in results:
        assert any(
            one.shape == result[0].shape and np.array_equal(one, result[0].float().numpy(), equal_nan=True)
            for one in shown
        ), "a result of the model isn't shown"
    assert list(again) == list(maps)
    differences = maps.verify()
    assert set(differences) == set(maps.network.outputs)
    assert max(differences.values()) == 0
    picked = np.random.default_rng(seed)
    for name, found in maps.items():
        np.testing.assert_array_equal(again[name].array, found.array)
        for _ in range(4 if found.array.size else 0):
            index = tuple(int(picked.integers(n)) for n in found.shape)
            for told in (maps.explain(name, index), again.explain(name, index)):
                assert told.agrees or not told.explained, f"{told!r}: {told.layer}"
                for term in told.inputs[:3]:
                    assert np.isclose(maps.value(term.layer)[term.index], term.value, equal_nan=True), f"{name}: {term}"
                str(told)
    return maps


def test_random_models() -> None:
    for seed in (random.SystemRandom().randrange(2**31) for _ in range(MODELS)):
        try:
            maps = check(seed)
        except Exception as problem:
            pytest.fail(f"check({seed}): {type(problem).__name__}: {problem}")
        assert maps
