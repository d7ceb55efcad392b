"""Tensors handed out as NumPy, without a copy wherever nothing writes into them later.

A kept tensor is a copy-on-write clone: it shares the memory, and the framework itself copies just before an in-place
operator writes into that memory, through whatever view (``chunk()[0].relu_()`` too). The clone keeps the old values.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array

# Private to PyTorch, present since 2.2; where they are missing a kept tensor is an ordinary copy.
_lazy_clone: Any = getattr(torch, "_lazy_clone", None)
_data_address: Any = getattr(torch._C, "_data_address", None)
_COPY_ON_WRITE = _lazy_clone is not None and _data_address is not None


class _Memory:
    """Lends a tensor's memory to NumPy, read-only; the array keeps the tensor alive."""

    __slots__ = ("__array_interface__", "tensor")

    def __init__(self, tensor: torch.Tensor) -> None:
        size = 4
        self.tensor = tensor
        # `Tensor.numpy` asks for writable memory and would force the copy; the address alone doesn't.
        address = _data_address(tensor) + size * tensor.storage_offset()
        self.__array_interface__ = {
            "version": 3,
            "typestr": "<f4" if np.little_endian else ">f4",
            "shape": tuple(tensor.shape),
            "strides": tuple(size * step for step in tensor.stride()),
            "data": (address, True),
        }


def kept(tensor: torch.Tensor) -> torch.Tensor:
    """The values of ``tensor`` as they are now, whatever is written into it later."""
    if tensor.dtype == torch.float32 and tensor.device.type == "cpu" and tensor.layout == torch.strided:
        if _COPY_ON_WRITE:
            try:
                clone: torch.Tensor = _lazy_clone(tensor)
                return clone
            except RuntimeError:  # memory that isn't PyTorch's own can't be shared like this
                pass
        return tensor.clone()
    return _dense(tensor)


def as_array(tensor: torch.Tensor) -> Array:
    """A tensor from :func:`kept` as float32 NumPy."""
    if _COPY_ON_WRITE and tensor.numel():
        return np.asarray(_Memory(tensor))
    return tensor.numpy()


def lent(tensor: torch.Tensor) -> Array:
    """The present values in float32, read-only: the model's own memory where that is float32 on the CPU."""
    plain = tensor.detach()
    if plain.dtype != torch.float32 or plain.device.type != "cpu" or plain.layout != torch.strided:
        plain = _dense(plain)
    array: Array = plain.numpy().view()
    array.flags.writeable = False
    return array


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.is_complex():
        tensor = tensor.abs()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    # On the device's side nothing stays behind: the copy is the CPU's, in float32.
    moved = tensor.to(device="cpu")
    return moved.to(torch.float32, copy=moved is tensor)
