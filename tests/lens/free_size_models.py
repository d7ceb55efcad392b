"""Small models whose input has no fixed size, one an engine: what their layers copy, count and read follows from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

RNG = np.random.default_rng(5)
KERNEL = RNG.normal(size=(4, 3, 3, 3)).astype(np.float32)
KERNEL_2 = RNG.normal(size=(2, 4, 1, 1)).astype(np.float32)


def onnx_model() -> onnx.ModelProto:
    """Convolution, a reshape by a computed size, copies whose order follows from the size, a size that follows from
    the values (NonZero), and class scores."""
    node = helper.make_node
    nodes = [
        node("Conv", ["picture", "kernel"], ["conv"], pads=[1, 1, 1, 1]),
        node("Shape", ["conv"], ["sizes"]),
        node("Flatten", ["conv"], ["flat"]),
        node("Reshape", ["flat", "sizes"], ["again"]),
        node("Tile", ["again", "times"], ["tiled"]),
        node("Transpose", ["tiled"], ["turned"], perm=[0, 1, 3, 2]),
        node("Conv", ["turned", "kernel_2"], ["conv_2"], strides=[2, 2]),
        node("Relu", ["conv_2"], ["relu"]),
        node("NonZero", ["relu"], ["places"]),
        node("GlobalAveragePool", ["relu"], ["mean"]),
    ]
    constants = [
        numpy_helper.from_array(KERNEL, "kernel"),
        numpy_helper.from_array(KERNEL_2, "kernel_2"),
        numpy_helper.from_array(np.array([1, 1, 2, 1]), "times"),
    ]
    given = helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    outputs = [onnx.ValueInfoProto(name="mean"), onnx.ValueInfoProto(name="places")]
    graph = helper.make_graph(nodes, "free size", [given], outputs, constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def torch_model() -> Any:
    """Two paths that the values choose, and copies whose order follows from the size."""
    import torch  # a test of the PyTorch engine
    from torch import nn

    class Free(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 3, padding=1)
            self.bright = nn.Conv2d(4, 2, 3, stride=2)
            self.dark = nn.Conv2d(4, 2, 1)

        def forward(self, picture: torch.Tensor) -> torch.Tensor:
            maps = torch.relu(self.conv(picture)).roll(1, 3).repeat(1, 1, 2, 1)
            chosen = self.bright(maps) if picture.mean() > 0.4 else self.dark(maps)
            result: torch.Tensor = chosen.transpose(2, 3).flatten(2).mean(2)
            return result

    torch.manual_seed(0)
    return Free()


def keras_model() -> Any:
    """Convolutions, padding and copies whose order follows from the size."""
    import keras

    keras.utils.set_random_seed(0)
    picture = keras.Input((None, None, 3), name="picture")
    maps = keras.layers.Conv2D(4, 3, padding="same", activation="relu", strides=2, name="conv")(picture)
    maps = keras.ops.flip(keras.ops.roll(maps, 1, axis=2), axis=1)
    maps = keras.layers.ZeroPadding2D(1, name="pad")(maps)
    return keras.Model(picture, keras.layers.GlobalAveragePooling2D(name="mean")(maps))


MODELS: dict[str, Callable[[], Any]] = {"onnx": onnx_model, "torch": torch_model, "keras": keras_model}
