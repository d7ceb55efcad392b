"""The constants that a run's layers compute with: as they were when they were read."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.arithmetic.operands import role
from convlens.engines.torch.graph import Weight


class Constants:
    """Parameters, buffers, literals and what is computed from them, held as they are; copied where the run itself
    writes into their memory, before or after a layer reads them."""

    def __init__(self) -> None:
        self._held: dict[int, list[tuple[dict[str, Weight], str]]] = {}
        self._written: set[int] = set()

    def hold(self, weights: dict[str, Weight]) -> dict[str, Weight]:
        """The same weights, whose values stay."""
        for name, value in weights.items():
            if isinstance(value, torch.Tensor):
                memory = _memory(value)
                if memory in self._written:
                    weights[name] = value.clone()
                else:
                    self._held.setdefault(memory, []).append((weights, name))
        return weights

    def overwritten(self, tensor: torch.Tensor) -> None:
        """An operator is about to write into this tensor."""
        memory = _memory(tensor)
        self._written.add(memory)
        for weights, name in self._held.pop(memory, ()):
            held = weights[name]
            if isinstance(held, torch.Tensor):
                weights[name] = held.clone()


def constant_operands(operands: Sequence[Any], read: Container[int]) -> dict[str, Weight]:
    """The constants among an operator's operands, by role; ``read``: ids of the tensors that the network's inputs can
    change."""
    found: dict[str, Weight] = {}
    for place, value in enumerate(operands):
        if isinstance(value, torch.Tensor):
            if id(value) not in read:
                found[role(place)] = value
        elif isinstance(value, (int, float)):
            found[role(place)] = float(value)
    return found


def _memory(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)
