"""Whether a picture is large enough for a network, known before anything runs."""

from __future__ import annotations

from convlens.errors import InputError
from convlens.network import Convolution, Network, Pooling


def check(network: Network) -> None:
    """Refuse a network whose sizes leave no place for a kernel.

    Raises:
        InputError: a layer's kernel is larger than what it reads, padding included.
    """
    for layer in network:
        operation = layer.operation
        if not isinstance(operation, (Convolution, Pooling)) or min(layer.output_shape[1:], default=1) > 0:
            continue
        if 0 in layer.output_shape[1:] and any(0 in _sizes(network, name) for name in layer.inputs):
            continue  # what it reads is empty already, as the network is meant to be
        spans = [d * (k - 1) + 1 for k, d in zip(operation.kernel_size, operation.dilation, strict=True)]
        pads = [before + after for before, after in operation.padding]
        least = " x ".join(str(max(span - pad, 1)) for span, pad in zip(spans, pads, strict=True))
        read = " x ".join(str(n) for n in _sizes(network, layer.inputs[0])) or "less"
        raise InputError(
            f"The picture is too small: the kernel of {layer.name} doesn't fit into what it reads",
            expected=f"at least {least} there",
            received=read,
            hint="Take a larger picture, or enlarge it: Recipe(resize='stretch', size=(rows, columns)), "
            "--resize stretch --size ROWSxCOLUMNS.",
        )


def _sizes(network: Network, name: str) -> tuple[int, ...]:
    layer = network.get(name)
    if layer is not None:
        return layer.output_shape[1:]
    given = next((i.shape[1:] for i in network.inputs if i.name == name), ())
    return tuple(n for n in given if n is not None)
