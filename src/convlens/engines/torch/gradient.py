"""How much each value of the input moves one value of a layer, by PyTorch's own autograd.

The watched pass runs without autograd, so every operator runs a second time, on twins: tensors with the same values
that autograd follows. The layers keep their names in this way, and an operator that writes into its input does so in
the twin's memory too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array
from convlens.engines.torch.capture import Capture, tensors_in
from convlens.engines.torch.graph import Node
from convlens.engines.torch.modules import Structure
from convlens.network import Shape

_TWIN = "_convlens_twin"


class _FoundError(Exception):
    """Raised to end the run once the layer has been made."""


class Followed(Capture):  # type: ignore[no-untyped-call]
    """A capture of one layer, with a twin for every tensor that comes from an input."""

    def __init__(self, structure: Structure, batch: int, layer: str) -> None:
        super().__init__(structure, batch, frozenset({layer}), self._stop)
        self.leaves: dict[str, torch.Tensor] = {}
        self.value: torch.Tensor | None = None
        self.problem: Exception | None = None
        self._twins: dict[int, torch.Tensor] = {}
        self._made: list[torch.Tensor] = []
        self._batched = True

    def give(self, name: str, tensor: torch.Tensor) -> None:
        """Declare a network input, and begin following it."""
        super().give(name, tensor)
        with _autograd():
            leaf = tensor.clone(memory_format=torch.contiguous_format)
            if leaf.is_floating_point():
                self.leaves[name] = leaf.requires_grad_()
            setattr(tensor, _TWIN, leaf.clone())  # a leaf itself must not be written into

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator on the twins, then as it was called."""
        given = list(tensors_in([*args, *(kwargs or {}).values()]))
        self._made = self._on_twins(func, args, kwargs or {}) if any(hasattr(t, _TWIN) for t in given) else []
        made, result = self._made, super().__torch_dispatch__(func, types, args, kwargs)
        results = list(tensors_in(result))
        if not given and self.problem is None:  # memory that the model made, and may write into later
            with _autograd():
                made = [tensor.clone() for tensor in results]
        for tensor, twin in zip(results, made, strict=False):
            setattr(tensor, _TWIN, twin)
        return result

    def _on_twins(self, func: Any, args: Any, kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
        if self.problem is not None:
            return []
        try:
            with _autograd():
                return list(tensors_in(func(*_twins(list(args)), **_twins(dict(kwargs)))))
        except Exception as error:  # an operator that autograd can't follow; the run itself goes on
            self.problem = error
            return []

    def _take_in(self, nodes: list[Node], tensors: list[torch.Tensor], *others: Any, **named: Any) -> None:
        super()._take_in(nodes, tensors, *others, **named)
        written = named.get("behind") is not None
        twins = [getattr(tensor, _TWIN, None) for tensor in tensors] if written else self._made
        for node, twin in zip(nodes, twins, strict=False):
            if node.tensor is not None and twin is not None:
                with _autograd():
                    self._twins[id(node)] = twin.clone()  # later operators may write into it

    def _tell(self, node: Node) -> None:
        self.value, self._batched = self._twins.pop(id(node), None), node.batched
        super()._tell(node)

    def _stop(self, *_: object) -> None:
        raise _FoundError

    @property
    def found(self) -> bool:
        """Whether the run ended at the layer."""
        return isinstance(self.stopped, _FoundError)

    def gradient(self, index: Shape) -> dict[str, Array] | None:
        """The derivative of the layer's value at ``index`` by every floating input; ``None`` where there is none."""
        if self.value is None or self.problem is not None:
            return None
        value = self.value[(0, *index) if self._batched else index]
        value = value.abs() if value.is_complex() else value
        if not value.requires_grad:
            return None
        with _autograd():
            found = torch.autograd.grad(value, list(self.leaves.values()), allow_unused=True)
        return {
            name: np.zeros(tuple(leaf.shape), np.float32) if part is None else part.cpu().to(torch.float32).numpy()
            for (name, leaf), part in zip(self.leaves.items(), found, strict=True)
        }


@contextmanager
def _autograd() -> Iterator[None]:
    """Autograd follows what is computed inside, wherever that is: inside an operator's dispatch too, where it is off
    and views aren't tracked."""
    views = torch._C.DispatchKeySet(torch._C.DispatchKey.ADInplaceOrView)
    with torch.inference_mode(False), torch.enable_grad():
        include = torch._C._dispatch_tls_local_include_set() | views
        exclude = torch._C._dispatch_tls_local_exclude_set() - views
        with torch._C._ForceDispatchKeyGuard(include, exclude):
            yield


def _twins(value: Any) -> Any:
    """The arguments with twins in the place of tensors; constants as autograd can take them."""
    if isinstance(value, torch.Tensor):
        twin = getattr(value, _TWIN, None)
        if twin is not None:
            return twin
        return value.clone() if value.is_inference() else value.detach()
    if isinstance(value, (list, tuple)):
        return type(value)(_twins(item) for item in value)
    if isinstance(value, dict):
        return {name: _twins(item) for name, item in value.items()}
    return value
