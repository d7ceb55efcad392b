"""How long receptive fields take in a network of 1,000 layers: the formula, the tables, and then every single value.

Type: python benchmarks/receptive.py
"""

from __future__ import annotations

import os
import platform
import random
import time

from convlens.arithmetic.reach import Reach
from convlens.geometry import output_size
from convlens.network import Activation, Convolution, Input, Kind, Layer, Merge, Network, Operation, Shape
from convlens.receptive import box, receptive_fields

LAYERS, SIZE, LOOKS = 1000, 512, 2000
GOAL = 1e-3  # seconds a value


class Builder:
    """Residual blocks of two convolutions, a stride of 2 now and then, until there are enough layers."""

    def __init__(self) -> None:
        self.layers: list[Layer] = []
        self.sizes: dict[str, int] = {"picture": SIZE}

    def add(self, kind: Kind, operation: Operation, reads: Shape | tuple[str, ...], size: int) -> str:
        name = f"layer{len(self.layers)}"
        self.layers.append(Layer(name, "op", kind, tuple(str(one) for one in reads), (64, size, size), operation))
        self.sizes[name] = size
        return name

    def convolve(self, source: str, kernel: int, stride: int = 1) -> str:
        pad = (kernel - 1) // 2
        operation = Convolution(64, 64, (kernel,) * 2, (stride,) * 2, (1, 1), ((pad, pad),) * 2)
        size = output_size(self.sizes[source], kernel, stride, padding=(pad, pad))
        return self.add(Kind.CONVOLUTION, operation, (source,), size)

    def block(self, source: str, stride: int) -> str:
        first = self.convolve(source, 3, stride)
        relu = self.add(Kind.ACTIVATION, Activation("relu"), (first,), self.sizes[first])
        second = self.convolve(relu, 3)
        shortcut = self.convolve(source, 1, stride) if stride > 1 else source
        return self.add(Kind.ADD, Merge("add"), (second, shortcut), self.sizes[second])

    def network(self) -> Network:
        last = self.convolve("picture", 7, 2)
        while len(self.layers) < LAYERS:
            last = self.block(last, 2 if len(self.layers) in (201, 402, 603) else 1)
        return Network("deep", "onnx", (Input("picture", (3, SIZE, SIZE)),), tuple(self.layers), (last,), 0)


def main() -> None:
    network = Builder().network()
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; {len(network)} layers")
    begin = time.perf_counter()
    fields = receptive_fields(network)
    print(f"the formula, all layers, once       {(time.perf_counter() - begin) * 1e3:8.1f} ms")
    reach = Reach(network)
    begin = time.perf_counter()
    reach.box(network.layers[-1].name, (0, 0, 0))
    print(f"the tables, all layers, once        {(time.perf_counter() - begin) * 1e3:8.1f} ms")
    chosen = random.Random(0)
    places = []
    for _ in range(LOOKS):
        layer = network[chosen.randrange(len(network))]
        places.append((layer.name, (0, *(chosen.randrange(size) for size in layer.output_shape[1:]))))
    took = []
    for name, index in places:
        begin = time.perf_counter()
        field = fields[name]
        assert field is not None
        box(field, index[1:])
        reach.box(name, index)
        took.append(time.perf_counter() - begin)
    took.sort()
    middle, slowest = took[len(took) // 2], took[int(len(took) * 0.999)]
    print(f"one value, both boxes, the middle   {middle * 1e3:8.4f} ms of {len(took):,}")
    print(f"one value, both boxes, 999 of 1,000 {slowest * 1e3:8.4f} ms; the goal is {GOAL * 1e3:g} ms")
    if middle > GOAL:
        raise SystemExit("too slow")


if __name__ == "__main__":
    main()
