"""Memory that several tensors see: who wrote into it, and what a tensor therefore holds now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine
from torch.multiprocessing.reductions import StorageWeakRef  # noqa: TID251

from convlens.engines.base import Array
from convlens.engines.torch.graph import Node

# Private to PyTorch; without them in-place operators simply run in place.
_use_count: Any = getattr(torch._C, "_storage_Use_Count", None)
_is_shared_until_written: Any = getattr(torch._C, "_is_cow_tensor", None)


@dataclass(frozen=True, slots=True)
class Write:
    """One in-place operator: its layer, and the elements of the memory that it wrote."""

    node: Node
    elements: Array


class Writes:
    """The in-place operators of a run, by the memory that they wrote into."""

    def __init__(self) -> None:
        self._by_memory: dict[StorageWeakRef, list[Write]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_memory)

    def add(self, tensor: torch.Tensor, node: Node) -> None:
        """Remember that ``node`` wrote the elements of ``tensor``."""
        self._by_memory.setdefault(memory_of(tensor), []).append(Write(node, _elements(tensor)))

    def since(self, tensor: torch.Tensor, order: int) -> tuple[list[Node], bool]:
        """Layers that wrote into the tensor after operator ``order``; whether the first listed wrote all of it."""
        writes = self._by_memory.get(memory_of(tensor), ())
        later = [write for write in writes if write.node.order > order]
        if not later:
            return [], False
        here = _elements(tensor)
        found = [write for write in later if _overlap(write.elements, here)]
        whole = [place for place, write in enumerate(found) if _same(write.elements, here)]
        if whole:
            found = found[whole[-1] :]
        return [write.node for write in found], bool(whole)


def memory_of(tensor: torch.Tensor) -> StorageWeakRef:
    """Which memory a tensor sees, to compare."""
    reference: StorageWeakRef = StorageWeakRef(tensor.untyped_storage())  # type: ignore[no-untyped-call]
    return reference


def _elements(tensor: torch.Tensor) -> Array:
    """An array over the same elements, at made-up addresses: never read, only compared."""
    return np.asarray(_Elements(tensor))


class _Elements:
    __slots__ = ("__array_interface__",)

    def __init__(self, tensor: torch.Tensor) -> None:
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3,
            "typestr": f"|V{size}",
            "shape": tuple(tensor.shape),
            "strides": tuple(size * step for step in tensor.stride()),
            "data": ((1 << 20) + size * tensor.storage_offset(), True),
        }


def _overlap(first: Array, second: Array) -> bool:
    if not first.size or not second.size:
        return False
    try:
        return np.shares_memory(first, second, max_work=cast(Any, 100_000))
    except (np.exceptions.TooHardError, OverflowError):
        return True


def _same(first: Array, second: Array) -> bool:
    def facts(array: Array) -> object:
        moving = [(n, s) for n, s in zip(array.shape, array.strides, strict=True) if n > 1]
        return array.__array_interface__["data"][0], array.shape, moving

    return facts(first) == facts(second)


def sole_owner(tensor: torch.Tensor) -> bool:
    """Whether no other tensor sees this one's memory."""
    if _use_count is None:
        return False
    return bool(_use_count(tensor.untyped_storage()._cdata) == 2)  # the tensor's own, and that of this very question


def kept_elsewhere(tensor: torch.Tensor) -> bool:
    """Whether a kept map shares this memory, so that writing into it would copy it first."""
    return _is_shared_until_written is not None and bool(_is_shared_until_written(tensor))
