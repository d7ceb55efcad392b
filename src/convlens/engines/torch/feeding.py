"""What a model wants to be called with, and what it is called with: names, device, floating type, memory layout."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Feed
from convlens.errors import InputError
from convlens.network import Shape


@dataclass(frozen=True, slots=True)
class Signature:
    """The inputs by name: those that ``forward`` must have, those that it can have, those it takes by keyword only."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    by_keyword: frozenset[str] = frozenset()
    takes_any: bool = False

    @classmethod
    def of(cls, module: torch.nn.Module) -> Signature:
        """Read ``forward``'s signature. One without parameters of its own (``*inputs``) has the input ``input``."""
        if isinstance(module, torch.jit.ScriptModule):
            forward: Any = module.forward
            arguments = forward.schema.arguments[1:]
            return cls(
                tuple(a.name for a in arguments if not a.has_default_value()),
                tuple(a.name for a in arguments if a.has_default_value()),
            )
        parameters = list(inspect.signature(module.forward).parameters.values())
        named = [p for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)]
        required = tuple(p.name for p in named if p.default is p.empty)
        optional = tuple(p.name for p in named if p.default is not p.empty)
        keyword = frozenset(p.name for p in named if p.kind == p.KEYWORD_ONLY)
        takes_any = any(p.kind == p.VAR_POSITIONAL for p in parameters)
        if not required:  # forward(x=None) must still be shown something
            required, optional = optional[:1] or ("input",), optional[1:]
        return cls(required, optional, keyword, takes_any)

    def arrange(self, tensors: Mapping[str, torch.Tensor]) -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        """Positional and keyword arguments for ``forward``."""
        positional = [tensors[name] for name in self.required if name not in self.by_keyword]
        known = {*self.required, *self.optional}
        positional += [tensor for name, tensor in tensors.items() if name not in known]
        rest = {n: t for n, t in tensors.items() if n in known and (n in self.optional or n in self.by_keyword)}
        return positional, rest

    def check(self, feed: Mapping[str, object]) -> None:
        """Refuse a feed that lacks an input, or has one that the model doesn't know.

        Raises:
            InputError: names the missing or unknown input.
        """
        missing = [name for name in self.required if name not in feed]
        wanted = " and ".join(repr(name) for name in self.required)
        if missing:
            raise InputError(
                f"The model's input {missing[0]!r} is missing",
                expected=wanted,
                received=" and ".join(repr(name) for name in feed) or "nothing",
                hint="Give a dict with one array or tensor an input: {"
                + ", ".join(f"{name!r}: ..." for name in self.required)
                + "}.",
            )
        unknown = [name for name in feed if name not in self.required and name not in self.optional]
        if unknown and not self.takes_any:
            raise InputError(
                f"The model has no input {unknown[0]!r}",
                expected=" and ".join(repr(name) for name in (*self.required, *self.optional)),
                received=repr(unknown[0]),
                hint="Inputs are named after the parameters of the model's forward.",
            )


def prepared(feed: Feed, device: torch.device, dtype: torch.dtype | None) -> dict[str, torch.Tensor]:
    """The feed on the model's device and in its floating type, as tensors of our own that the model may write into.

    A model without a type of its own (``None``) computes in that of a tensor; numbers of arrays become float32.

    A tensor keeps the memory layout it was given. An array has none of torch's, so it gets the faster one.
    """
    return {name: _tensor(name, value, device, dtype) for name, value in feed.items()}


def _tensor(name: str, value: Any, device: torch.device, dtype: torch.dtype | None) -> torch.Tensor:
    given = isinstance(value, torch.Tensor)
    tensor = value.detach() if given else _from_numpy(name, value)
    if tensor.ndim == 0:
        raise InputError(
            f"The input {name!r} has no batch axis",
            expected="an array with the batch as its first axis",
            received="a single number",
            hint="Give an array such as (1, channels, rows, columns).",
        )
    target = tensor.dtype
    if tensor.is_floating_point() and not (given and dtype is None):
        target = dtype or torch.float32
    layout = torch.preserve_format if given else laid_out(tuple(tensor.shape), device, target)
    return tensor.to(device=device, dtype=target, memory_format=layout, copy=True)


def laid_out(shape: Shape, device: torch.device, dtype: torch.dtype) -> torch.memory_format:
    """The memory layout in which pictures of this shape are fastest.

    Channels last saves the CPU's convolutions the reordering of their inputs and costs them one of their weights: on
    ResNet-18 it takes 7 to 10 ms more for small pictures, as much at 224x224, a fifth less for 16 of these.
    """
    if device.type != "cpu" or len(shape) != 4 or dtype not in (torch.float32, torch.bfloat16, torch.float16):
        return torch.contiguous_format
    pixels = shape[0] * shape[2] * shape[3]
    return torch.channels_last if pixels >= 2 * 224 * 224 else torch.contiguous_format


def _from_numpy(name: str, value: object) -> torch.Tensor:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise InputError(
            f"The input {name!r} isn't made of numbers",
            expected="an array of floats, integers or booleans",
            received=f"an array of {array.dtype}",
            hint="Convert it with array.astype('float32').",
        )
    if any(step < 0 for step in array.strides) or not array.dtype.isnative or not array.flags.writeable:
        array = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
    return torch.from_numpy(array)
