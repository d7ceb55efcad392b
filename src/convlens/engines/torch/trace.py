"""What one pass through a PyTorch model left: its network, and what its layers computed with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from convlens.engines.base import Array
from convlens.engines.torch.graph import Weight
from convlens.engines.torch.weights import by_role
from convlens.network import Network


@dataclass(frozen=True, slots=True)
class TorchTrace:
    """See :class:`convlens.engines.base.Trace`. ``outputs``: for each tensor of the model's result the layer or input
    that made it, ``None`` where nothing of the network did."""

    network: Network
    outputs: tuple[str | None, ...]
    tensors: Mapping[str, Mapping[str, Weight]]

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The effective weights of a layer, by role: float32, read-only, as they are now.

        Where the model itself keeps float32 on the CPU they are its own memory, which training writes to.
        A constant operand that the run computed, or has written into since, is as it was when it was read. ``origin``,
        of operators that copy values in an order of their own, has for each output value the number of its input value.

        A transposed convolution's ``kernel`` is (filters, channels per group, *kernel_size) in gather form, taps not
        flipped: output ``o`` adds up ``input[i] * kernel[..., k]`` for every tap ``k`` where
        ``i = (o + padding - dilation * k) / stride`` is a whole number inside the input.

        Raises:
            LayerNotFoundError: this network has no such layer.
        """
        return by_role(self.network[layer], self.tensors.get(layer, {}))
