"""In which type PyTorch adds up, where that is another than the layer's own."""

from __future__ import annotations

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.network import Convolution, Dense, Operation, Whole

_HALF = (torch.float16, torch.bfloat16)


def sums_in(tensor: torch.Tensor, operation: Operation | None) -> str | None:
    """On the CPU 16-bit types are computed in float32 and stored in 16 bits ("opmath" in PyTorch's source); but a
    transposed convolution without a kernel of oneDNN's for them adds up in 16 bits, tap by tap.

    On CUDA a float32 convolution or matrix product rounds its inputs to TF32 where PyTorch is set to, as it is for
    convolutions out of the box.
    """
    if tensor.device.type == "cpu":
        transposed = isinstance(operation, Convolution) and operation.transposed
        return "float32" if tensor.dtype in _HALF and not transposed else None
    if tensor.device.type != "cuda" or tensor.dtype != torch.float32:
        return None
    if isinstance(operation, Convolution):
        return "tf32" if torch.backends.cudnn.allow_tf32 else None
    product = isinstance(operation, (Dense, Whole))
    return "tf32" if product and torch.backends.cuda.matmul.allow_tf32 else None
