"""A sketch -> an ONNX model with weights as Keras initialises them."""

from __future__ import annotations

import json
from importlib.metadata import version
from math import prod, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from convlens.errors import InputError
from convlens.network import FreeShape, Shape
from convlens.sketches.blocks import Convolution, Dense, Depthwise, LeakyReLU, Sketch, Sliding, Transposed
from convlens.sketches.kernels import named_kernel
from convlens.sketches.language import parse
from convlens.sketches.shapes import WITH_WEIGHTS, Fit, fit, same_pads, weight_shape

if TYPE_CHECKING:
    import onnx

INPUT = "picture"
OPSET = 20  # the first with Gelu
IR_VERSION = 9  # what opset 20 was released with; every ONNX Runtime that knows the opset reads it
BATCHNORM_EPSILON = 1e-3  # the default of keras.layers.BatchNormalization

_ONE_NODE: dict[str, tuple[str, dict[str, Any]]] = {
    "relu": ("Relu", {}),
    "sigmoid": ("Sigmoid", {}),
    "tanh": ("Tanh", {}),
    "gelu": ("Gelu", {}),
    "softmax": ("Softmax", {"axis": 1}),
    "flatten": ("Flatten", {}),
    "globalavgpool": ("GlobalAveragePool", {}),
}

Array = NDArray[np.float32]


def build(text: str, *, input_shape: FreeShape = (3, None, None), seed: int = 0) -> onnx.ModelProto:
    """The model that the sketch ``text`` describes, for pictures of ``input_shape`` (channels, rows, columns).

    Every layer is a node of the same name as the block, ``conv``, ``relu``, ``conv2``; two blocks need a second node,
    ``silu`` (``silu_sigmoid``) and ``dense`` on maps of one value each (``dense_flatten``). Rows and columns that are
    ``None`` stay free, as does the batch. The input ``picture`` takes values from 0 to 255; the model
    says so under ``convlens.recipe``, and its own line and seed under ``convlens.sketch``.

    Weights are Glorot uniform, biases zero (X. Glorot and Y. Bengio, "Understanding the difficulty of training deep
    feedforward neural networks", AISTATS 2010, equation 16), with the fans that Keras counts. The n-th block with
    weights draws from a stream of its own, so that blocks added behind it, and blocks without weights anywhere, leave
    its weights as they are. ``batchnorm`` has the statistics of an untrained layer: mean 0, variance 1, scale 1,
    shift 0.

    Raises:
        SketchError: a mistake in the line, a layer that doesn't fit what it reads, or a model that is absurdly large.
        InputError: ``input_shape`` isn't the shape of a picture, or ``seed`` isn't a whole number of 0 or more.

    >>> model = build("conv 3 3x3 | relu | maxpool 5x5", input_shape=(3, 1440, 1080))
    >>> [node.name for node in model.graph.node]
    ['conv', 'relu', 'maxpool']
    """
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise InputError("This is not a seed", expected="a whole number, 0 or more", received=repr(seed)[:60])
    sketch = parse(text)
    fits = fit(sketch, input_shape)
    graph = _Graph()
    drawn = 0
    for each in fits:
        _add(graph, each, np.random.default_rng([int(seed), drawn]))
        drawn += isinstance(each.block, WITH_WEIGHTS)
    return graph.model(sketch, fits, int(seed))


class _Graph:
    """The nodes and weights so far; ``value`` is the name of what the last node gave."""

    def __init__(self) -> None:
        self.value = INPUT
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, op: str, name: str, *inputs: str, **attributes: Any) -> None:
        """Add the node ``name``, which reads the last value, then ``inputs``."""
        from onnx import helper

        self.nodes.append(helper.make_node(op, [self.value, *inputs], [name], name=name, **attributes))
        self.value = name

    def weight(self, name: str, array: Array) -> str:
        from onnx import numpy_helper

        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    def model(self, sketch: Sketch, fits: tuple[Fit, ...], seed: int) -> onnx.ModelProto:
        from onnx import TensorProto, helper

        picture = fits[0].input_shape
        free = ("channels", "rows", "columns")
        sizes = [size or word for size, word in zip(picture, free, strict=True)]
        entry = helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["batch", *sizes])
        values = [
            helper.make_tensor_value_info(each.block.name, TensorProto.FLOAT, ["batch", *each.output_shape])
            for each in fits
        ]
        graph = helper.make_graph(self.nodes, "sketch", [entry], values[-1:], self.weights, value_info=values[:-1])
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="convlens",
            producer_version=version("convlens"),
            doc_string=f"The sketch: {sketch.text}",
        )
        raw_values = {"channels": "rgb", "scale": 1.0, "mean": [0.0], "std": [1.0]}
        recipe = {"resize": "crop" if any(picture[1:]) else "none", **raw_values}
        facts = {"convlens.sketch": {"sketch": sketch.text, "seed": seed}, "convlens.recipe": recipe}
        helper.set_model_props(model, {key: json.dumps(fact) for key, fact in facts.items()})
        return model


def _add(graph: _Graph, each: Fit, stream: np.random.Generator) -> None:
    block, name = each.block, each.block.name
    if isinstance(block, (Convolution, Depthwise, Transposed)):
        _add_convolution(graph, block, each.input_shape, stream)
    elif isinstance(block, Dense):
        _add_dense(graph, block, each, stream)
    elif isinstance(block, Sliding):
        op = "MaxPool" if block.kind == "maxpool" else "AveragePool"
        graph.node(op, name, kernel_shape=block.kernel, strides=block.stride, **_padding(block, each.input_shape))
    elif isinstance(block, LeakyReLU):
        graph.node("LeakyRelu", name, alpha=block.slope)
    elif block.kind == "batchnorm":
        ones = np.ones(each.input_shape[0] or 0, np.float32)
        roles = {"scale": ones, "shift": 0 * ones, "mean": 0 * ones, "variance": ones}
        inputs = [graph.weight(f"{name}.{role}", array) for role, array in roles.items()]
        graph.node("BatchNormalization", name, *inputs, epsilon=BATCHNORM_EPSILON)
    elif block.kind == "silu":
        source = graph.value
        graph.node("Sigmoid", f"{name}_sigmoid")
        graph.node("Mul", name, source)
    else:
        op, attributes = _ONE_NODE[block.kind]
        graph.node(op, name, **attributes)


def _add_convolution(
    graph: _Graph, block: Convolution | Depthwise | Transposed, shape: FreeShape, stream: np.random.Generator
) -> None:
    weights = _weights(block, shape, stream)
    attributes = {"kernel_shape": block.kernel, "strides": block.stride, "dilations": block.dilation}
    match block:
        case Transposed():
            op, attributes = "ConvTranspose", attributes | _transposed_padding(block)
        case Depthwise():
            op, attributes = "Conv", attributes | _padding(block, shape) | {"group": shape[0]}
        case Convolution():
            op, attributes = "Conv", attributes | _padding(block, shape) | {"group": block.groups}
    inputs = [graph.weight(f"{block.name}.weight", weights)]
    if block.bias:
        filters = block.filters if isinstance(block, Transposed) else len(weights)
        inputs.append(graph.weight(f"{block.name}.bias", np.zeros(filters, np.float32)))
    graph.node(op, block.name, *inputs, **attributes)


def _add_dense(graph: _Graph, block: Dense, each: Fit, stream: np.random.Generator) -> None:
    if each.flattens:
        graph.node("Flatten", f"{block.name}_flatten")
    inputs = [graph.weight(f"{block.name}.weight", _weights(block, each.input_shape, stream))]
    if block.bias:
        inputs.append(graph.weight(f"{block.name}.bias", np.zeros(block.units, np.float32)))
    graph.node("Gemm", block.name, *inputs, transB=1)


def _weights(
    block: Convolution | Depthwise | Transposed | Dense, shape: FreeShape, stream: np.random.Generator
) -> Array:
    size = weight_shape(block, shape)
    if isinstance(block, (Convolution, Depthwise)) and block.named:
        kernel = named_kernel(block.named, block.kernel)
        shared = size[1]  # a convolution adds its channels up; the kernel reads their mean
        return np.broadcast_to(kernel / np.float32(shared), size)
    limit = np.float32(sqrt(6 / sum(_fans(block, size))))
    return limit * (2 * stream.random(size, dtype=np.float32) - 1)


def _fans(block: Convolution | Depthwise | Transposed | Dense, size: Shape) -> tuple[int, int]:
    """How many inputs and outputs a weight has beside it, counted as Keras does from its own weight layout."""
    taps = prod(size[2:])
    if isinstance(block, Depthwise):
        return taps * size[0] // block.multiplier, taps * block.multiplier
    return taps * size[1], taps * size[0]


def _padding(block: Sliding, shape: FreeShape) -> dict[str, Any]:
    """The padding attributes of a block that reads ``shape``: written out wherever its size is known."""
    if block.padding is not None:
        return {"pads": (*block.padding, *block.padding)}
    same = same_pads(block, shape)
    if same is None:
        return {"auto_pad": "SAME_UPPER"}
    (top, bottom), (left, right) = same
    return {"pads": (top, left, bottom, right)}


def _transposed_padding(block: Transposed) -> dict[str, Any]:
    """Padding attributes of a transposed convolution; "same" makes its output size input size x stride.

    It crops what is more than that, the odd pixel at the end, as the gradient of a "same" convolution does, and adds
    what is missing where the stride is larger than the kernel.
    """
    if block.padding is not None:
        return {"pads": (*block.padding, *block.padding), "output_padding": block.output_padding}
    excess = [d * (k - 1) + 1 - s for k, s, d in zip(block.kernel, block.stride, block.dilation, strict=True)]
    before = [max(e, 0) // 2 for e in excess]
    after = [max(e, 0) - b for e, b in zip(excess, before, strict=True)]
    return {"pads": (*before, *after), "output_padding": [max(-e, 0) for e in excess]}
