"""What a model reads, as far as its first convolution says it: how many channels, along how many axes."""

from __future__ import annotations

import re
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID251

from convlens.engines.torch.feeding import Signature
from convlens.engines.torch.modules import Structure, untouched
from convlens.engines.torch.operators import described, operator
from convlens.engines.torch.replay import tensors_of
from convlens.engines.torch.tracing import blank
from convlens.network import Convolution, FreeShape

_SIZES = (41, 43, 47)
"""Rows, columns and depth of what is fed: large enough for any padding, and no two axes alike."""
# Operators, beside those that work value by value, that leave axes and channels what they are: families, and words.
_KEEPING = re.compile(r".*(batch_norm|instance_norm|pad|pool|upsample).*|to|_to_copy|clone|contiguous|detach|alias")


def shape_read(model: torch.nn.Module, signature: Signature, structure: Structure) -> FreeShape | None:
    """Channels and free sizes of the only input; ``None`` where the model leaves any doubt.

    The model is run on zeros up to its first convolution. What that reads must be the input itself, or the input after
    operators that change neither its axes nor its channels.
    """
    kernel = next((tensor for tensor in structure.tensors if 3 <= tensor.ndim <= 5), None)
    if kernel is None or len(signature.required) != 1:
        return None
    channels = int(kernel.shape[1])
    for _ in range(2):  # the kernel of a grouped convolution doesn't say how many channels there are
        found = _first_convolution(model, signature, structure, (1, channels, *_SIZES[: kernel.ndim - 2]))
        if found is None or len(found.kernel_size) != kernel.ndim - 2:
            return None
        if found.in_channels == channels:
            return (channels, *(None for _ in found.kernel_size))
        channels = found.in_channels
    return None


def _first_convolution(
    model: torch.nn.Module, signature: Signature, structure: Structure, shape: tuple[int, ...]
) -> Convolution | None:
    watch = _Watch()
    try:
        with untouched(structure), torch.inference_mode():
            given = blank(shape, structure.device, structure.dtype)
            positional, named = signature.arrange({signature.required[0]: given})
            watch.follow(given)
            with watch:
                model(*positional, **named)
    except Exception:  # of whatever kind: a model that can't take this says nothing
        return watch.found
    return watch.found


class _ReachedError(Exception):
    """Raised in place of the first convolution."""


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Follows the input to the first convolution, and stops there."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.found: Convolution | None = None
        self._reached = False
        self._followed: dict[int, torch.Tensor] = {}

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False

    def follow(self, tensor: torch.Tensor) -> None:
        """Take this tensor for the input."""
        self._followed[id(tensor)] = tensor

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if self._reached:  # the model has an `except` of its own
            raise _ReachedError
        made_by = operator(func)
        read = [tensor for tensor in tensors_of([*args, *kwargs.values()]) if id(tensor) in self._followed]
        if any(role == "kernel" for _, _, role in made_by.roles):
            self._reached = True
            if read and read[0] is args[0]:
                _, (operation,) = described(made_by, args, kwargs, self._followed, (tuple(read[0].shape),), 1)
                if isinstance(operation, Convolution) and read[0].ndim == 2 + len(operation.kernel_size):
                    self.found = operation
            raise _ReachedError
        result = func(*args, **kwargs)
        made = tensors_of(result)
        keeps = made_by.pointwise or _KEEPING.fullmatch(made_by.word)
        if read and made and keeps and made[0].ndim == read[0].ndim and made[0].shape[:2] == read[0].shape[:2]:
            self.follow(made[0])
        return result
