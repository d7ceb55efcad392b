"""Random ONNX graphs: whatever operators, settings, types and numbers come together, as far as ONNX Runtime takes them.

A graph grows node by node. A node is kept where the runtime computes it, so that what is wrong later is never the
graph's fault. The same seed gives the same graph; to examine single ones::

    python -m tests.engines.random_graphs SEED [SEED ...]
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

Array = NDArray[Any]
ort.set_default_logger_severity(4)

LARGEST = 20_000
"""So many numbers a value may have."""
ODD = (np.nan, np.inf, -np.inf, 0.0, -0.0, 1e38, -3e38, 1e-40, -1e-38, 1e19, -1e-20, 0.5, 1.5, -2.5)
"""NaN, infinities, the largest, the smallest, and what lies half between two whole numbers."""


class UnfitError(Exception):
    """This operator has no place here."""


@dataclass(frozen=True)
class Drawn:
    """A graph, what it is fed with, and whether NaN, infinities and other odd numbers are strewn in."""

    seed: int
    model: onnx.ModelProto
    picture: Array
    odd: bool


class Growing:
    """A graph with all of its values so far."""

    def __init__(self, random: np.random.Generator) -> None:
        self.random = random
        self.opset = int(random.integers(7, 23))
        self.dtype = np.dtype(random.choice(["float32"] * 8 + ["float16", "float64"]))
        self.odd = bool(random.random() < 0.15)
        self.free = bool(random.random() < 0.3)
        rank = int(random.choice([3, 4, 4, 4, 4, 5]))
        batch = 2 if random.random() < 0.08 else 1
        sizes = [int(n) for n in random.integers(3, 6 if rank == 5 else 10, rank - 2)]
        self.picture = self.numbers(batch, int(random.integers(1, 5)), *sizes)
        self.values: dict[str, Array] = {"picture": self.picture}
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.waiting: tuple[list[onnx.NodeProto], list[onnx.TensorProto]] = ([], [])
        self.made = 0

    def numbers(self, *shape: int, odd: float = 0.06) -> Array:
        """Numbers of a usual size, among which odd ones may be."""
        found = self.random.normal(0, float(self.random.choice([0.3, 1.0, 4.0])), shape)
        if self.odd:
            found = np.where(self.random.random(shape) < odd, self.random.choice(ODD, shape), found)
        with np.errstate(all="ignore"):
            return np.asarray(np.asarray(found, np.float32), self.dtype)

    def whole(self, least: int, most: int) -> int:
        if least > most:  # an axis without length
            raise UnfitError
        return int(self.random.integers(least, most + 1))

    def flip(self, share: float = 0.5) -> bool:
        return bool(self.random.random() < share)

    def one(self, *of: Any) -> Any:
        return of[self.whole(0, len(of) - 1)]

    def named(self, word: str) -> str:
        self.made += 1
        return f"{word.lower()}_{self.made}"

    def weight(self, array: Any, dtype: Any = None) -> str:
        """A constant: mostly an initializer, now and then a node."""
        name, array = self.named("weight"), np.asarray(array, dtype)
        tensor = numpy_helper.from_array(array, name)
        if self.flip(0.15):
            self.waiting[0].append(helper.make_node("Constant", [], [name], value=tensor))
        else:
            self.waiting[1].append(tensor)
        return name

    def integers(self, *numbers: int) -> str:
        return self.weight(np.array(numbers, np.int64))

    def value(self, *ranks: int) -> tuple[str, Array]:
        """One of the last values that has one of these ranks, floating."""
        fitting = [n for n, a in self.values.items() if a.dtype.kind == "f" and (not ranks or a.ndim in ranks)]
        if not fitting:
            raise UnfitError
        name = fitting[max(0, len(fitting) - 1 - int(self.random.exponential(1.5)))]
        return name, self.values[name]

    def beside(self, array: Array, fits: Callable[[Array], bool]) -> str | None:
        """Another value of the same type, of a shape that fits."""
        found = [n for n, a in self.values.items() if a.dtype == array.dtype and fits(a)]
        return str(self.random.choice(found)) if found else None

    def add(self, op: str, reads: list[str], made: int = 1, **settings: Any) -> str:
        """The node, if the runtime computes it, and the name of its first value."""
        name = self.named(op)
        outputs = [name] if made == 1 else [f"{name}_{n}" for n in range(made)]
        node = helper.make_node(op, reads, outputs, name=name, **settings)
        given = {n: self.values[n] for n in self.values if n in reads or _reads_within(node, n)}
        nodes, weights = self.waiting
        model = self.model([*nodes, node], weights, given, outputs)
        try:
            session = ort.InferenceSession(model.SerializeToString(), _plain(), providers=["CPUExecutionProvider"])
            fed = {i.name for i in session.get_inputs()}
            found = session.run(outputs, {n: a for n, a in given.items() if n in fed})
        except Exception as error:
            raise UnfitError(str(error)) from None
        if not all(isinstance(a, np.ndarray) and a.size <= LARGEST for a in found):
            raise UnfitError("too large")
        if not all(a.size for a in found) and self.flip(0.8):
            raise UnfitError("empty")
        self.nodes += [*nodes, node]
        self.weights += weights
        self.waiting = ([], [])
        self.values |= dict(zip(outputs, found, strict=True))
        return outputs[0]

    def model(
        self, nodes: list[onnx.NodeProto], weights: list[onnx.TensorProto], given: dict[str, Array], outputs: list[str]
    ) -> onnx.ModelProto:
        inputs = []
        for name, array in given.items():
            sizes: list[int | str] = [*array.shape]
            if self.free and name == "picture":
                sizes[2:] = [f"size{n}" for n in range(2, array.ndim)]
            inputs.append(helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), sizes))
        graph = helper.make_graph(nodes, "random", inputs, [onnx.ValueInfoProto(name=o) for o in outputs], weights)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)


def _plain() -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    return options


def _reads_within(node: onnx.NodeProto, name: str) -> bool:
    return any(name in inner.input for attribute in node.attribute for inner in attribute.g.node)


Maker = Callable[[Growing], object]
MAKERS: list[tuple[Maker, float]] = []


def often(share: float) -> Callable[[Maker], Maker]:
    """How often an operator is tried, against the others."""

    def register(maker: Maker) -> Maker:
        MAKERS.append((maker, share))
        return maker

    return register


def window(grow: Growing, sizes: tuple[int, ...], *, dilated: bool = True) -> dict[str, Any]:
    """The settings of a window over these sizes: strides past it, dilation, padding on one side, automatic padding."""
    kernel = [grow.whole(1, min(4, n)) for n in sizes]
    settings: dict[str, Any] = {"kernel_shape": kernel, "strides": [grow.whole(1, 4) for _ in sizes]}
    if grow.flip(0.3):
        settings["auto_pad"] = grow.one("SAME_UPPER", "SAME_LOWER", "VALID")
    elif grow.flip(0.7):
        settings["pads"] = [grow.whole(0, kernel[n % len(kernel)] - 1) for n in range(2 * len(kernel))]
    if dilated and grow.flip(0.3) and not settings.get("auto_pad", "").startswith("SAME"):
        settings["dilations"] = [grow.whole(1, 2) for _ in sizes]
    return settings


@often(5)
def convolution(grow: Growing) -> None:
    name, array = grow.value(3, 4, 5)
    channels, settings = array.shape[1], window(grow, array.shape[2:])
    groups = grow.one(*(n for n in range(1, channels + 1) if channels % n == 0)) if grow.flip(0.4) else 1
    filters = groups * grow.whole(1, 3)
    reads = [name, grow.weight(grow.numbers(filters, channels // groups, *settings["kernel_shape"], odd=0.02))]
    grow.add("Conv", [*reads, *_maybe(grow, filters)], group=groups, **settings)


@often(3)
def transposed(grow: Growing) -> None:
    name, array = grow.value(3, 4, 5)
    channels, settings = array.shape[1], window(grow, array.shape[2:])
    groups = grow.one(*(n for n in range(1, channels + 1) if channels % n == 0)) if grow.flip(0.4) else 1
    each = grow.whole(1, 2)
    if grow.flip(0.3) and "auto_pad" not in settings:
        settings["output_padding"] = [grow.whole(0, stride - 1) for stride in settings["strides"]]
    elif grow.flip(0.15):
        settings.pop("pads", None)
        settings["output_shape"] = [n * s for n, s in zip(array.shape[2:], settings["strides"], strict=True)]
    reads = [name, grow.weight(grow.numbers(channels, each, *settings["kernel_shape"], odd=0.02))]
    grow.add("ConvTranspose", [*reads, *_maybe(grow, groups * each)], group=groups, **settings)


def _maybe(grow: Growing, *shape: int) -> list[str]:
    return [grow.weight(grow.numbers(*shape, odd=0.0))] if grow.flip(0.6) else []


@often(6)
def pooling(grow: Growing) -> None:
    op = grow.one("MaxPool", "AveragePool", "LpPool", "MaxPool")
    name, array = grow.value(3, 4, 5)
    since = {"MaxPool": 10, "AveragePool": 19, "LpPool": 18}[op]
    settings = window(grow, array.shape[2:], dilated=grow.opset >= since)
    if grow.opset >= {"MaxPool": 10, "AveragePool": 10, "LpPool": 18}[op]:
        settings["ceil_mode"] = grow.whole(0, 1)
    if op == "AveragePool":
        settings["count_include_pad"] = grow.whole(0, 1)
    if op == "LpPool":
        settings["p"] = grow.whole(1, 3)
    grow.add(op, [name], made=2 if op == "MaxPool" and grow.flip(0.1) else 1, **settings)


@often(1)
def whole_pooling(grow: Growing) -> None:
    grow.add(grow.one("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"), [grow.value(3, 4, 5)[0]])


@often(4)
def normalisation(grow: Growing) -> None:
    op = grow.one("Batch", "Instance", "Layer", "Group", "LRN", "Lp", "MeanVariance")
    name, array = grow.value(3, 4, 5) if op != "LRN" else grow.value(4)
    channels = array.shape[1]
    per_channel = [grow.weight(grow.numbers(channels, odd=0.0), array.dtype) for _ in range(3)]
    if op == "Batch":
        spread = grow.weight(np.abs(grow.numbers(channels, odd=0.0)) + 0.1, array.dtype)
        grow.add("BatchNormalization", [name, *per_channel, spread], epsilon=grow.one(1e-5, 1e-3))
    elif op == "Instance":
        grow.add("InstanceNormalization", [name, *per_channel[:2]])
    elif op == "Layer":
        axis = grow.whole(1, array.ndim - 1)
        weights = [
            grow.weight(grow.numbers(*array.shape[axis:], odd=0.0), array.dtype) for _ in range(grow.whole(1, 2))
        ]
        grow.add("LayerNormalization", [name, *weights], axis=axis - grow.one(0, array.ndim))
    elif op == "Group":
        groups = grow.one(*(n for n in range(1, channels + 1) if channels % n == 0))
        count = channels if grow.opset >= 21 else groups
        weights = [grow.weight(grow.numbers(count, odd=0.0), array.dtype) for _ in range(2)]
        grow.add("GroupNormalization", [name, *weights], num_groups=groups)
    elif op == "LRN":
        grow.add("LRN", [name], size=grow.whole(1, 5), alpha=0.1, beta=grow.one(0.5, 0.75), bias=1.0)
    elif op == "Lp":
        grow.add("LpNormalization", [name], axis=grow.whole(1, array.ndim - 1), p=grow.whole(1, 2))
    else:
        grow.add("MeanVarianceNormalization", [name], axes=list(range(grow.whole(1, 2), array.ndim)))


PLAIN = (
    *("Relu", "Sigmoid", "Tanh", "Softplus", "Softsign", "HardSwish", "Mish", "Gelu", "Selu", "Abs", "Neg", "Exp"),
    *("Log", "Sqrt", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Erf", "Sin", "Cos", "Atan", "Sinh", "Cosh"),
    *("Asinh", "Identity", "Dropout", "IsNaN"),
)
FUNCTIONS: dict[str, dict[str, Any]] = {
    **{op: {} for op in PLAIN},
    "LeakyRelu": {"alpha": 0.2},
    "Elu": {"alpha": 0.7},
    "Celu": {"alpha": 0.8},
    "ThresholdedRelu": {"alpha": 0.3},
    "HardSigmoid": {"alpha": 0.3, "beta": 0.4},
    "Shrink": {"lambd": 0.4, "bias": 0.1},
}


@often(5)
def function(grow: Growing) -> None:
    op = grow.one(*FUNCTIONS)
    grow.add(op, [grow.value()[0]], **FUNCTIONS[op])


@often(2)
def function_with_weights(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4)
    if grow.flip():
        shape = grow.one((array.shape[1], *(1,) * (array.ndim - 2)), array.shape[1:], (1,) * (array.ndim - 1))
        grow.add("PRelu", [name, grow.weight(grow.numbers(*shape, odd=0.0), array.dtype)])
    elif grow.opset < 11:
        grow.add("Clip", [name], min=-0.5, max=grow.one(0.8, 3.0))
    else:
        grow.add("Clip", [name, grow.weight(-0.5, array.dtype), *([grow.weight(0.8, array.dtype)] * grow.whole(0, 1))])


@often(6)
def arithmetic(grow: Growing) -> None:
    op = grow.one("Add", "Sub", "Mul", "Div", "Pow", "Max", "Min", "Sum", "Mean")
    name, array = grow.value()

    def fits(other: Array) -> bool:
        try:
            return np.broadcast_shapes(array.shape, other.shape) is not None
        except ValueError:
            return False

    other = grow.beside(array, fits) if grow.flip(0.6) else None
    if other is None:
        shape = tuple(n if grow.flip(0.6) else 1 for n in array.shape)[
            grow.whole(0, array.ndim) if grow.flip(0.4) else 0 :
        ]
        constant = grow.numbers(*shape, odd=0.03)
        other = grow.weight(np.abs(constant) + 0.5 if op in ("Div", "Pow") else constant, array.dtype)
    reads = [name, other] if grow.flip() else [other, name]
    if op in ("Max", "Min", "Sum", "Mean") and grow.flip(0.3):
        reads.append(name)
    grow.add(op, reads)


@often(4)
def resize(grow: Growing) -> None:
    name, array = grow.value(3, 4)
    spatial = array.shape[2:]
    factors = [float(grow.one(0.4, 0.5, 0.75, 1, 1.3, 1.7, 2, 3, 0.3, 1.1)) for _ in spatial]
    scales = grow.weight(np.array([1, 1, *factors], np.float32))
    if grow.opset < 11:
        op = "Upsample" if grow.opset < 10 else "Resize"
        if grow.opset < 9:
            grow.add(op, [name], mode=grow.one("nearest", "linear"), scales=[1.0, 1.0, *factors])
        else:
            grow.add(op, [name, scales], mode=grow.one("nearest", "linear"))
        return
    settings: dict[str, Any] = {"mode": grow.one("nearest", "linear", "cubic", "nearest")}
    known = ["half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize"]
    how = grow.one(*known, *(["half_pixel_symmetric"] if grow.opset >= 19 else []))
    settings["coordinate_transformation_mode"] = how
    if settings["mode"] == "nearest":
        settings["nearest_mode"] = grow.one("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    elif settings["mode"] == "cubic":
        settings |= {"cubic_coeff_a": grow.one(-0.75, -0.5), "exclude_outside": grow.whole(0, 1)}
    if grow.opset >= 18 and grow.flip(0.2) and settings["mode"] != "nearest":
        settings["antialias"] = 1
    none = grow.weight(np.zeros(0, np.float32)) if grow.opset < 13 else ""
    part = none
    if how == "tf_crop_and_resize":
        settings["extrapolation_value"] = grow.one(0.0, 2.5)
        part = grow.weight(
            np.array([0, 0, *[0.1] * len(spatial), 1, 1, *[grow.one(0.8, 1.3)] * len(spatial)], np.float32)
        )
    if grow.flip(0.6):
        grow.add("Resize", [name, part, scales], **settings)
    else:
        sizes = [max(1, int(n * f)) for n, f in zip(spatial, factors, strict=True)]
        grow.add("Resize", [name, part, none, grow.integers(*array.shape[:2], *sizes)], **settings)


@often(4)
def padding(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4, 5)
    mode = grow.one("constant", "reflect", "edge", *(["wrap"] * 2 if grow.opset >= 19 else []))
    least = -1 if grow.flip(0.4) else 0

    def side() -> list[int]:
        inner = [grow.whole(least, min(3, n - 1)) for n in array.shape[2:]]
        return [0, grow.whole(0, 1) if grow.flip(0.2) else 0, *inner]

    pads = [*side(), *side()]
    if grow.opset < 11:
        grow.add("Pad", [name], mode=mode, pads=pads, value=grow.one(0.0, 0.7))
        return
    value = [grow.weight(0.7, array.dtype)] if mode == "constant" and grow.flip() else []
    grow.add("Pad", [name, grow.integers(*pads), *value], mode=mode)


@often(3)
def part(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4)
    axis = grow.whole(1, array.ndim - 1)
    size = array.shape[axis]
    if grow.flip():
        if size < 2:
            raise UnfitError
        first = grow.whole(1, size - 1)
        if grow.opset < 13:
            grow.add("Split", [name], made=2, axis=axis, split=[first, size - first])
        else:
            grow.add("Split", [name, grow.integers(first, size - first)], made=2, axis=axis)
        return
    backwards = grow.flip(0.3) and grow.opset >= 10
    start, end = (size + 2, -size - 4) if backwards else (grow.whole(0, size // 2), grow.whole(size // 2 + 1, size + 3))
    if grow.opset < 10:
        grow.add("Slice", [name], starts=[start], ends=[end], axes=[axis])
    else:
        step = grow.whole(1, 2) * (-1 if backwards else 1)
        ends = [grow.integers(n) for n in (start, end, axis - grow.one(0, array.ndim), step)]
        grow.add("Slice", [name, *ends])


@often(3)
def joined(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4)
    axis = grow.whole(1, array.ndim - 1)

    def fits(other: Array) -> bool:
        return (
            other.ndim == array.ndim and np.delete(other.shape, axis).tolist() == np.delete(array.shape, axis).tolist()
        )

    reads = [name, *(grow.beside(array, fits) or name for _ in range(grow.whole(1, 2)))]
    if grow.flip(0.3):
        shape = [*array.shape]
        shape[axis] = 1
        reads.insert(grow.whole(0, len(reads)), grow.weight(grow.numbers(*shape), array.dtype))
    grow.add("Concat", reads, axis=axis - grow.one(0, array.ndim))


@often(4)
def shape(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4, 5)
    what = grow.one(
        "Transpose", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Expand", "Tile", "DepthToSpace", "SpaceToDepth"
    )
    if what == "Transpose":
        order = [0, *(int(n) for n in 1 + grow.random.permutation(array.ndim - 1))]
        grow.add(what, [name], perm=[int(n) for n in grow.random.permutation(order)] if grow.flip(0.1) else order)
    elif what == "Reshape":
        inner = prod(array.shape[1:])
        first = grow.one(*(n for n in range(1, min(inner, 40) + 1) if inner % n == 0))
        grow.add(what, [name, grow.integers(*grow.one((0, first, -1), (array.shape[0], first, -1), (-1, first)))])
    elif what == "Flatten":
        grow.add(what, [name], axis=1)
    elif what in ("Squeeze", "Unsqueeze"):
        ones = (
            [n for n in range(1, array.ndim) if array.shape[n] == 1]
            if what == "Squeeze"
            else [grow.whole(1, array.ndim)]
        )
        if not ones:
            raise UnfitError
        if grow.opset < 13:
            grow.add(what, [name], axes=ones[:1])
        else:
            grow.add(what, [name, grow.integers(*ones[:1])])
    elif what == "Expand":
        grow.add(
            what,
            [name, grow.integers(*(n if n > 1 or i == 0 else grow.whole(1, 3) for i, n in enumerate(array.shape)))],
        )
    elif what == "Tile":
        grow.add(what, [name, grow.integers(1, *(grow.whole(1, 2) for _ in array.shape[1:]))])
    else:
        grow.add(what, [name], blocksize=2)


@often(3)
def gather(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4)
    axis = grow.whole(1, array.ndim - 1)
    size = array.shape[axis]
    if size == 0:
        raise UnfitError
    if grow.flip(0.6):
        picked = grow.random.integers(-size, size, grow.one((), (1,), (3,), (2, 2)))
        grow.add("Gather", [name, grow.weight(picked, np.int64)], axis=axis)
    elif grow.flip():
        many = [*array.shape]
        many[axis] = grow.one(1, 3, 70)
        grow.add("GatherElements", [name, grow.weight(grow.random.integers(-size, size, many))], axis=axis)
    else:
        picked = grow.random.integers(0, array.shape[1], (array.shape[0], grow.whole(1, 3), 1))
        grow.add("GatherND", [name, grow.weight(picked)], batch_dims=1)


@often(3)
def products(grow: Growing) -> None:
    name, array = grow.value(2, 3, 4)
    if array.ndim == 2 and grow.flip():
        units, turned = grow.whole(1, 5), grow.whole(0, 1)
        matrix = grow.numbers(*((units, array.shape[1]) if turned else (array.shape[1], units)), odd=0.02)
        bias = [grow.weight(grow.numbers(*grow.one((units,), (1,), (1, units)), odd=0.0), array.dtype)]
        grow.add("Gemm", [name, grow.weight(matrix, array.dtype), *bias], transB=turned, alpha=grow.one(1.0, 0.5))
        return
    if array.ndim == 4 and grow.opset >= 12 and grow.flip(0.3):
        turning = grow.weight(grow.numbers(2, array.shape[1]), array.dtype)
        grow.add("Einsum", [name, turning], equation="nchw,oc->nohw")
        return
    other = grow.beside(array, lambda a: a.ndim == array.ndim > 2 and a.shape[-2] == array.shape[-1])
    if other is not None and grow.flip(0.4):
        grow.add("MatMul", [name, other])
    elif grow.flip(0.7):
        grow.add("MatMul", [name, grow.weight(grow.numbers(array.shape[-1], grow.whole(1, 4), odd=0.02), array.dtype)])
    else:
        grow.add("MatMul", [grow.weight(grow.numbers(grow.whole(1, 4), array.shape[-2], odd=0.02), array.dtype), name])


@often(3)
def reduction(grow: Growing) -> None:
    op = grow.one("Mean", "Sum", "Max", "Min", "Prod", "L1", "L2", "LogSumExp", "SumSquare")
    name, array = grow.value(2, 3, 4)
    axes = sorted({grow.whole(1, array.ndim - 1) for _ in range(2)})
    if grow.flip(0.2) and grow.opset >= 11:
        axes = [axis - array.ndim for axis in axes]
    keep = grow.whole(0, 1)
    if grow.opset >= 18 or (op == "Sum" and grow.opset >= 13):
        grow.add(f"Reduce{op}", [name, grow.integers(*axes)], keepdims=keep)
    else:
        grow.add(f"Reduce{op}", [name], axes=axes, keepdims=keep)


@often(2)
def along_an_axis(grow: Growing) -> None:
    op = grow.one("Softmax", "LogSoftmax", "Hardmax", "ArgMax", "CumSum", "TopK")
    name, array = grow.value(2, 3, 4)
    axis = grow.whole(1, array.ndim - 1)
    if op == "CumSum":
        grow.add(op, [name, grow.weight(axis, np.int64)], reverse=grow.whole(0, 1))
    elif op == "TopK":
        grow.add(op, [name, grow.integers(1)], made=2, axis=axis)
    else:
        grow.add(op, [name], axis=axis)


@often(2)
def quantised(grow: Growing) -> None:
    name, array = grow.value(2, 4)
    if array.dtype != np.float32 or not array.size or grow.opset < 10:
        raise UnfitError
    kind = np.dtype(grow.one("uint8", "int8"))
    finite = np.abs(array[np.isfinite(array) & (np.abs(array) < 1e6)])
    unit, zero = np.float32(max(float(finite.max(initial=0)) / 100, 1e-3)), kind.type(grow.whole(0, 20))
    made = grow.add("QuantizeLinear", [name, grow.weight(unit), grow.weight(zero)])
    if array.ndim == 4 and grow.flip():
        filters, settings = grow.whole(1, 3), window(grow, array.shape[2:])
        integers = grow.random.integers(-60, 60, (filters, array.shape[1], *settings["kernel_shape"]))
        scales = grow.random.uniform(0.005, 0.02, filters if grow.flip() else ())
        reads = [made, grow.weight(unit), grow.weight(zero), grow.weight(integers, np.int8)]
        reads += [
            grow.weight(scales, np.float32),
            grow.weight(np.zeros(scales.shape, np.int8) if np.ndim(scales) else np.int8(0)),
        ]
        made = grow.add("QLinearConv", [*reads, grow.weight(np.float32(0.05)), grow.weight(zero)], **settings)
        unit = np.float32(0.05)
    grow.add("DequantizeLinear", [made, grow.weight(unit), grow.weight(zero)])


@often(1)
def type_(grow: Growing) -> None:
    to = grow.one(
        TensorProto.FLOAT,
        TensorProto.FLOAT,
        TensorProto.FLOAT16,
        TensorProto.DOUBLE,
        TensorProto.INT32,
        TensorProto.UINT8,
    )
    grow.add("Cast", [grow.value()[0]], to=to)


@often(1)
def chosen(grow: Growing) -> None:
    """Where by a comparison; a branch; a loop."""
    name, array = grow.value()
    element = helper.np_dtype_to_tensor_dtype(array.dtype)

    def info(what: str, kind: int = element, sizes: list[int] | None = None) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(what, kind, sizes)

    how = grow.one("where", "branch", "loop")
    if how == "where":
        larger = grow.add("Greater", [name, grow.weight(0.1, array.dtype)])
        grow.add("Where", [larger, name, grow.weight(grow.numbers(*(1,) * array.ndim), array.dtype)])
    elif how == "branch":
        one, other = grow.named("one"), grow.named("other")
        first = helper.make_graph([helper.make_node("Relu", [name], [one])], "first", [], [info(one)])
        second = helper.make_graph([helper.make_node("Neg", [name], [other])], "second", [], [info(other)])
        grow.add("If", [grow.weight(grow.flip(), np.bool_)], then_branch=first, else_branch=second)
    else:
        turn, going, state, still, after = (grow.named(n) for n in ("turn", "going", "state", "still", "after"))
        nodes = [helper.make_node("Identity", [going], [still]), helper.make_node("Sigmoid", [state], [after])]
        begins = [info(turn, TensorProto.INT64, []), info(going, TensorProto.BOOL, []), info(state)]
        body = helper.make_graph(nodes, "body", begins, [info(still, TensorProto.BOOL, []), info(after)])
        grow.add("Loop", [grow.weight(grow.whole(0, 3), np.int64), grow.weight(True, np.bool_), name], body=body)


def draw(seed: int) -> Drawn:
    """The graph of a seed. Values that nothing reads are outputs, but now and then a dead end."""
    random = np.random.default_rng(seed)
    grow = Growing(random)
    shares = np.array([share for _, share in MAKERS])
    wanted = grow.whole(2, 11)
    for _ in range(80):
        if sum(node.op_type != "Constant" for node in grow.nodes) >= wanted:
            break
        grow.waiting = ([], [])
        maker = MAKERS[int(random.choice(len(MAKERS), p=shares / shares.sum()))][0]
        try:
            maker(grow)
        except UnfitError:
            continue
    read = {name for node in grow.nodes for name in node.input}
    made = [name for node in grow.nodes if node.op_type != "Constant" for name in node.output]
    ends = [name for name in made if name not in read]
    outputs = [name for name in ends[:-1] if not grow.flip(0.1)] + ends[-1:]
    if not grow.nodes:
        grow.waiting = ([], [])
        outputs = [grow.add("Relu", ["picture"])]
    for free in (False, grow.free):
        grow.free = free
        model = grow.model(grow.nodes, grow.weights, {"picture": grow.picture}, outputs)
        try:
            ort.InferenceSession(model.SerializeToString(), _plain(), providers=["CPUExecutionProvider"])
            whole = grow.model(grow.nodes, grow.weights, {"picture": grow.picture}, made)
            session = ort.InferenceSession(whole.SerializeToString(), _plain(), providers=["CPUExecutionProvider"])
            session.run(made, {"picture": grow.picture})
        except Exception:  # what inference says of a size, with ceil_mode, isn't always what the runtime makes
            return draw(seed + 1_000_000_007)
    return Drawn(seed, model, grow.picture, grow.odd)


if __name__ == "__main__":
    from tests.engines.test_random_graphs import examine

    for number in map(int, sys.argv[1:]):
        drawn = draw(number)
        sys.stdout.write(f"{number}: {[node.op_type for node in drawn.model.graph.node]}\n")
        sys.stdout.writelines(f"  {line}\n" for line in examine(drawn))
