"""Operators that only copy values, in an order of their own: which input value each output value is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array
from convlens.network import Shape

REORDERING = frozenset(
    "expand expand_as repeat tile repeat_interleave select index_select unbind roll flip fliplr flipud rot90 movedim"  # noqa: SIM905
    " moveaxis pixel_shuffle pixel_unshuffle channel_shuffle diagonal permute transpose swapaxes t numpy_T mT view"
    " reshape flatten unflatten ravel _unsafe_view _reshape_alias view_as reshape_as squeeze unsqueeze slice narrow"
    " chunk split split_with_sizes unsafe_chunk unsafe_split tensor_split".split()
)


@dataclass(frozen=True, slots=True)
class Reordering:
    """One call of such an operator, with its input's shape in the place of the input. ``place``: which result."""

    function: Callable[..., Any]
    arguments: Sequence[Any]
    named: Mapping[str, Any]
    shape: Shape
    place: int

    @classmethod
    def of(
        cls, function: Callable[..., Any], args: Sequence[Any], kwargs: Mapping[str, Any], place: int
    ) -> Reordering | None:
        """``None`` for a call that has its input elsewhere than in front."""
        if not args or not isinstance(args[0], torch.Tensor) or any(a is args[0] for a in args[1:]):
            return None
        return cls(function, tuple(args[1:]), kwargs, tuple(args[0].shape), place)

    def origin(self) -> Array:
        """For each output value the number of its input value, in the shape of the output: the operator itself, applied
        to the numbers."""
        with torch.inference_mode():
            numbers = torch.arange(prod(self.shape), dtype=torch.float64).reshape(self.shape)
            result = self.function(numbers, *(_on_cpu(a) for a in self.arguments), **self.named)
        whole = result[self.place] if isinstance(result, (list, tuple)) else result
        found: Array = whole.to(torch.int64).numpy()
        return found


def _on_cpu(argument: Any) -> Any:
    return argument.cpu() if isinstance(argument, torch.Tensor) else argument
