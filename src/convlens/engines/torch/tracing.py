"""Inputs for a trace: zeros, or tensors with a shape and no values."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from math import prod

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.feeding import laid_out
from convlens.network import Shape


def small(shapes: Mapping[str, Shape]) -> bool:
    """Whether a real run is quicker than a pretended one, whose machinery alone takes seconds to import.

    ResNet-18 at 224x224: 20 ms for real, 2.7 s for the first pretended run and 90 ms for the next.
    """
    return sum(prod(shape) for shape in shapes.values()) <= 512 * 512


def blank(shape: Shape, device: torch.device, dtype: torch.dtype) -> torch.Tensor:
    """Zeros in the layout that a picture of this shape would have."""
    tensor = torch.zeros(shape, device=device, dtype=dtype)
    return tensor.to(memory_format=laid_out(shape, device, dtype), copy=True)


class Fakes:
    """A pretence: inside :meth:`mode` new tensors have no values, and the model's own count as if they had none."""

    def __init__(self) -> None:
        from torch._subclasses.fake_tensor import FakeTensorMode  # noqa: TID251  # slow to import

        self._mode = FakeTensorMode(allow_non_fake_inputs=True)

    def mode(self) -> AbstractContextManager[object]:
        """Pretend inside."""
        mode: AbstractContextManager[object] = self._mode
        return mode

    def is_fake(self, tensor: torch.Tensor) -> bool:
        """Whether this tensor has no values."""
        from torch._subclasses.fake_tensor import FakeTensor  # noqa: TID251

        return isinstance(tensor, FakeTensor)

    def suspended(self) -> AbstractContextManager[object]:
        """Real computation inside."""
        from torch._subclasses.fake_tensor import unset_fake_temporarily  # noqa: TID251

        paused: AbstractContextManager[object] = unset_fake_temporarily()
        return paused
