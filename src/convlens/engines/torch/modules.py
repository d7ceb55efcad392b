"""The model's own structure: where each module, parameter and buffer lives; and the model left as it was found."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine


@dataclass(frozen=True, slots=True, eq=False)
class Owner:
    """A parameter: its full name, and the module that holds it (for a parametrised one, the module it belongs to)."""

    name: str
    module: str
    numel: int


@dataclass(slots=True)
class Structure:
    """The modules of a model by path, and its parameters and buffers by identity. A shared one has its first path."""

    paths: dict[str, torch.nn.Module] = field(default_factory=dict)
    parameters: dict[int, Owner] = field(default_factory=dict)
    tensors: list[torch.Tensor] = field(default_factory=list)
    buffers: list[torch.Tensor] = field(default_factory=list)
    _seen: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, model: torch.nn.Module) -> Structure:
        """Walk the model once."""
        structure = cls()
        structure._walk("", model)
        return structure

    def _walk(self, path: str, module: torch.nn.Module) -> None:
        if id(module) in self._seen:
            return
        self._seen.add(id(module))
        self.paths[path] = module
        for name, parameter in module._parameters.items():
            if parameter is not None:
                full = f"{path}.{name}" if path else name
                owner = path.split(".parametrizations.")[0] if "parametrizations." in path else path
                owner = "" if owner.startswith("parametrizations.") else owner
                if id(parameter) not in self.parameters:
                    self.parameters[id(parameter)] = Owner(full, owner, parameter.numel())
                    self.tensors.append(parameter)
        for buffer in module._buffers.values():
            if buffer is not None:
                self.buffers.append(buffer)
        for name, child in module._modules.items():
            if child is not None:
                self._walk(f"{path}.{name}" if path else name, child)

    @property
    def total(self) -> int:
        """How many numbers the parameters hold, shared ones once."""
        return sum(owner.numel for owner in self.parameters.values())

    @property
    def device(self) -> torch.device:
        """Where the model lives: where its first parameter or buffer is."""
        return next((tensor.device for tensor in (*self.tensors, *self.buffers)), torch.device("cpu"))

    @property
    def dtype(self) -> torch.dtype:
        """The floating type that the model computes in, float32 where it leaves that to its input."""
        return self.own_dtype or torch.float32

    @property
    def own_dtype(self) -> torch.dtype | None:
        """The type of its first floating parameter or buffer; ``None`` for a model that has none."""
        found = (tensor.dtype for tensor in (*self.tensors, *self.buffers) if tensor.is_floating_point())
        return next(found, None)


@contextmanager
def untouched(structure: Structure) -> Iterator[Callable[[], frozenset[str]]]:
    """Evaluation mode inside; afterwards flags, buffers, computed weights and random state are what they were.

    It gives a function that says whose random numbers have been drawn since: those of torch, of NumPy, of Python.
    """
    modules = list(structure.paths.values())
    flags = [module.training for module in modules]
    attributes = [_tensor_attributes(module) for module in modules]
    buffers = [(buffer, buffer.clone()) for buffer in structure.buffers]
    with _random_state(structure.device) as drawn, _uncompiled(modules):
        try:
            for module, training in zip(modules, flags, strict=True):
                if training:
                    module.training = False
            yield drawn
        finally:
            for module, training, (own, held) in zip(modules, flags, attributes, strict=True):
                if module.training != training:
                    module.training = training
                vars(module).update(own)
                if held:
                    module._buffers.update(held)
            for buffer, before in buffers:
                if not torch.equal(buffer, before):  # version counters stand still in inference mode
                    with torch.inference_mode(buffer.is_inference()), torch.no_grad():
                        buffer.copy_(before)


def _tensor_attributes(module: torch.nn.Module) -> tuple[dict[str, Any], dict[str, Any]]:
    """Plain attributes that are tensors (what the hook of ``torch.nn.utils.weight_norm`` computes), and buffers."""
    if isinstance(module, torch.jit.ScriptModule):
        return {}, {}
    attributes = vars(module)
    if torch.Tensor not in set(map(type, attributes.values())):
        return {}, dict(module._buffers)
    own = {name: value for name, value in attributes.items() if isinstance(value, torch.Tensor)}
    return own, dict(module._buffers)


@contextmanager
def _random_state(device: torch.device) -> Iterator[Callable[[], frozenset[str]]]:
    python, numpy, ours = random.getstate(), np.random.get_state(), torch.get_rng_state()
    devices = [device.index or 0] if device.type == "cuda" else []

    def drawn() -> frozenset[str]:
        states: dict[str, bool] = {
            "torch": torch.equal(ours, torch.get_rng_state()),
            "NumPy": all(map(np.array_equal, numpy, np.random.get_state())),
            "Python": python == random.getstate(),
        }
        return frozenset(name for name, same in states.items() if not same)

    try:
        with torch.random.fork_rng(devices=devices):
            yield drawn
    finally:
        random.setstate(python)
        np.random.set_state(numpy)


@contextmanager
def _uncompiled(modules: list[torch.nn.Module]) -> Iterator[None]:
    """Inner ``torch.compile``d modules run eagerly: a compiled one would hide its operators."""
    if any(hasattr(m, "_orig_mod") or getattr(m, "_compiled_call_impl", None) is not None for m in modules):
        stance: Any = torch.compiler.set_stance("force_eager")
        with stance:
            yield
    else:
        yield


@contextmanager
def attention_in_steps() -> Iterator[None]:
    """The fast path of ``nn.MultiheadAttention`` and ``nn.TransformerEncoder``, one opaque operator, isn't taken."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)
