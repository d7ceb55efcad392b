"""Random graphs in which axes move: transposes before, behind and between operators that read channels first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import TensorProto, helper, numpy_helper
from tests.engines.onnx_models import Array

OPSET = 18
BATCH = "batch"


class UnfitError(Exception):
    """The operator doesn't go with the values that there are, so another is drawn."""


def session(model: onnx.ModelProto) -> ort.InferenceSession:
    """ONNX Runtime, with every node run as the file has it."""
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.intra_op_num_threads = 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class Growing:
    """A graph that grows node by node; ``values`` holds what ONNX Runtime makes of one item."""

    def __init__(self, seed: int, length: int) -> None:
        self.random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: dict[str, Array] = {}
        rank = int(self.random.choice([3, 4, 4, 4, 5]))
        self.given = (1, *(self.number(2, 5) for _ in range(rank - 1)))
        if self.chance(0.2):  # lengths that are alike hide axes that are mistaken for one another least
            self.given = (1, *[self.number(1, 4)] * (rank - 1))
        self.free = self.chance(0.4)
        self.values = {"image": self.numbers(*self.given)}
        tries = 0
        while len(self.nodes) < length and tries < 20 * length:
            tries += 1
            before = len(self.weights)
            try:
                STEPS[int(self.random.choice(len(STEPS), p=CHANCES))](self)
            except UnfitError:
                for name in [*self.weights][before:]:
                    del self.weights[name]

    def chance(self, of: float) -> bool:
        return bool(self.random.random() < of)

    def number(self, low: int, high: int) -> int:
        """A whole number, both ends included."""
        return int(self.random.integers(low, high + 1))

    def one_of(self, choices: Sequence[Any]) -> Any:
        if not choices:
            raise UnfitError
        return choices[int(self.random.integers(len(choices)))]

    def numbers(self, *shape: int) -> Array:
        drawn: Array = self.random.normal(0, 1, shape).astype(np.float32)
        return drawn

    def weight(self, array: Array) -> str:
        name = f"w{len(self.weights)}"
        self.weights[name] = array
        return name

    def whole(self, numbers: Sequence[int]) -> str:
        return self.weight(np.asarray(numbers, np.int64))

    def value(self, *ranks: int) -> str:
        """A value of one of these ranks, a late one rather than an early one."""
        fit = [n for n, array in self.values.items() if not ranks or array.ndim in ranks]
        if not fit:
            raise UnfitError
        return fit[max(0, len(fit) - 1 - int(self.random.exponential(1.0)))]

    def add(self, op: str, inputs: str, outputs: int = 1, **attributes: Any) -> str:
        """Add a node, if ONNX Runtime runs it; the name of its first output."""
        made = [f"{op.lower()}{len(self.nodes)}{'abc'[n] if n else ''}" for n in range(outputs)]
        node = helper.make_node(op, inputs.split(), made, name=made[0], **attributes)
        read = {n: self.values[n] for n in inputs.split() if n in self.values}
        try:
            arrays = session(self._model([node], read, made)).run(made, read)
        except Exception:
            raise UnfitError from None
        if any(array.size > 4000 or array.size == 0 for array in arrays):
            raise UnfitError
        self.nodes.append(node)
        self.values.update(zip(made, arrays, strict=True))
        return made[0]

    def _model(self, nodes: list[onnx.NodeProto], read: dict[str, Array], made: Sequence[str]) -> onnx.ModelProto:
        used = {name for node in nodes for name in node.input}
        graph = helper.make_graph(
            nodes,
            "drawn",
            [helper.make_tensor_value_info(n, TensorProto.FLOAT, self._declared(n, a)) for n, a in read.items()],
            [onnx.ValueInfoProto(name=name) for name in made],
            [numpy_helper.from_array(a, n) for n, a in self.weights.items() if n in used],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)

    def _declared(self, name: str, array: Array) -> list[int | str]:
        sizes: list[int | str] = list(array.shape)
        return [BATCH, *sizes[1:]] if name == "image" and self.free else sizes

    def model(self, *, all_outputs: bool = False) -> onnx.ModelProto:
        """The whole graph; its outputs are what nothing reads, or all values."""
        read = {name for node in self.nodes for name in node.input}
        made = [name for name in self.values if name != "image" and (all_outputs or name not in read)]
        return self._model(self.nodes, {"image": self.values["image"]}, made)


def turn(graph: Growing) -> None:
    name = graph.value(2, 3, 4, 5)
    order = list(range(graph.values[name].ndim))
    moved = order if graph.chance(0.15) else order[1:]
    graph.random.shuffle(moved)
    graph.add("Transpose", name, perm=moved if len(moved) == len(order) else [0, *moved])


def to_first(rank: int) -> list[int]:
    return [0, rank - 1, *range(1, rank - 1)]


def to_last(rank: int) -> list[int]:
    return [0, *range(2, rank), 1]


def sandwich(graph: Growing) -> None:
    """As files from TensorFlow: turned to channels first, an operator with a window, and back."""
    name = graph.value(3, 4, 5)
    rank = graph.values[name].ndim
    turned = graph.add("Transpose", name, perm=to_first(rank))
    graph.add("Transpose", window(graph, turned), perm=to_last(rank))


def window(graph: Growing, name: str | None = None) -> str:
    name = name or graph.value(3, 4, 5)
    shape = graph.values[name].shape
    channels, space = shape[1], shape[2:]
    kernel = [graph.number(1, min(2, n)) for n in space]
    steps: dict[str, Any] = {
        "strides": [graph.number(1, 2) for _ in space],
        "pads": [graph.number(0, k - 1) for k in kernel * 2],
    }
    match graph.number(0, 7):
        case 0 | 1 | 2:
            filters = graph.weight(graph.numbers(graph.number(1, 4), channels, *kernel))
            return graph.add("Conv", f"{name} {filters}", **steps)
        case 3:
            filters = graph.weight(graph.numbers(channels, graph.number(1, 3), *kernel))
            return graph.add("ConvTranspose", f"{name} {filters}", **steps)
        case 4:
            return graph.add("MaxPool", name, kernel_shape=kernel, **steps)
        case 5:
            return graph.add("AveragePool", name, kernel_shape=kernel, count_include_pad=graph.number(0, 1), **steps)
        case 6:
            return graph.add(graph.one_of(["GlobalAveragePool", "GlobalMaxPool"]), name)
        case _:
            return normalised(graph, name)


def normalised(graph: Growing, name: str) -> str:
    channels = graph.values[name].shape[1]
    roles = [graph.weight(graph.numbers(channels)) for _ in range(3)]
    roles.append(graph.weight(np.abs(graph.numbers(channels)) + np.float32(0.5)))
    match graph.number(0, 2):
        case 0:
            return graph.add("BatchNormalization", " ".join([name, *roles]))
        case 1:
            return graph.add("InstanceNormalization", " ".join([name, *roles[:2]]))
        case _:
            return graph.add("LRN", name, size=graph.one_of([1, 3]))


def blocks(graph: Growing) -> None:
    graph.add(graph.one_of(["DepthToSpace", "SpaceToDepth"]), graph.value(4), blocksize=2)


def each_value(graph: Growing) -> None:
    graph.add(graph.one_of(["Relu", "Sigmoid", "Tanh", "Neg", "Identity", "Elu", "Abs"]), graph.value())


def with_constant(graph: Growing) -> None:
    name = graph.value(2, 3, 4, 5)
    shape = graph.values[name].shape
    sizes = [n if graph.chance(0.6) and axis else 1 for axis, n in enumerate(shape)][graph.number(0, len(shape) - 1) :]
    operand = graph.weight(graph.numbers(*sizes))
    op = graph.one_of(["Add", "Mul", "Sub", "PRelu"])
    graph.add(op, f"{operand} {name}" if op != "PRelu" and graph.chance(0.3) else f"{name} {operand}")


def merged(graph: Growing) -> None:
    one = graph.value(2, 3, 4, 5)
    shape = graph.values[one].shape

    def fits(other: tuple[int, ...]) -> bool:
        return all(m in (n, 1) or n == 1 for n, m in zip(shape[::-1], other[::-1], strict=False))

    others = [name for name, array in graph.values.items() if fits(array.shape) and name != one]
    alike = [name for name in others if graph.values[name].ndim == len(shape)]
    graph.add(graph.one_of(["Add", "Mul", "Sub", "Max"]), f"{one} {graph.one_of(alike or others or [one])}")


def joined(graph: Growing) -> None:
    one = graph.value(2, 3, 4, 5)
    shape = graph.values[one].shape
    axis = graph.number(0 if graph.chance(0.1) else 1, len(shape) - 1)
    others = [
        name
        for name, array in graph.values.items()
        if array.ndim == len(shape) and np.delete(array.shape, axis).tolist() == np.delete(shape, axis).tolist()
    ]
    graph.add("Concat", f"{one} {graph.one_of(others)}", axis=axis if graph.chance(0.7) else axis - len(shape))


def reduced(graph: Growing) -> None:
    name = graph.value(2, 3, 4, 5)
    rank = graph.values[name].ndim
    axes = sorted({graph.number(0 if graph.chance(0.1) else 1, rank - 1) for _ in range(graph.number(1, 2))})
    op = graph.one_of(["ReduceMean", "ReduceMax", "ReduceSum", "ReduceMin"])
    settings = f"{graph.whole(axes)}" if op == "ReduceSum" or OPSET >= 18 else ""
    graph.add(op, f"{name} {settings}", keepdims=graph.number(0, 1))


def padded(graph: Growing) -> None:
    name = graph.value(2, 3, 4)
    rank = graph.values[name].ndim
    pads = [graph.number(0, 1) if axis or graph.chance(0.05) else 0 for axis in range(rank)] * 2
    graph.add("Pad", f"{name} {graph.whole(pads)}")


def part(graph: Growing) -> None:
    name = graph.value(2, 3, 4)
    shape = graph.values[name].shape
    axis = graph.number(0 if graph.chance(0.1) else 1, len(shape) - 1)
    size = shape[axis]
    if graph.chance(0.5) and size > 1:
        graph.add("Split", f"{name} {graph.whole([1, size - 1])}", 2, axis=axis)
        return
    first, step = graph.number(0, size - 1), graph.number(1, 2)
    settings = [graph.whole([number]) for number in (first, size, axis, step)]
    graph.add("Slice", " ".join([name, *settings]))


def sharing(graph: Growing) -> None:
    name = graph.value(2, 3, 4)
    rank = graph.values[name].ndim
    axis = graph.number(1, rank - 1)
    if graph.chance(0.6):
        graph.add("Softmax", name, axis=axis)
        return
    sizes = graph.values[name].shape[axis:]
    weights = f"{graph.weight(graph.numbers(*sizes))} {graph.weight(graph.numbers(*sizes))}"
    graph.add("LayerNormalization", f"{name} {weights}", axis=axis)


def folded(graph: Growing) -> None:
    """Axes that become one, or one that becomes two; the batch may be among them."""
    name = graph.value(2, 3, 4, 5)
    shape = list(graph.values[name].shape)
    axis = graph.number(0, len(shape) - 2)
    if graph.chance(0.5):
        target = [*shape[:axis], shape[axis] * shape[axis + 1], *shape[axis + 2 :]]
    else:
        parts = [n for n in range(1, shape[axis + 1] + 1) if shape[axis + 1] % n == 0]
        first = graph.one_of(parts)
        target = [*shape[: axis + 1], first, shape[axis + 1] // first, *shape[axis + 2 :]]
    if len(target) > 5:
        raise UnfitError
    if graph.free and shape[0] == 1:
        target[0] = -1 if graph.chance(0.7) else target[0]
    graph.add("Reshape", f"{name} {graph.whole(target)}")


def flattened(graph: Growing) -> None:
    graph.add("Flatten", graph.value(), axis=graph.one_of([0, 1, 1, 1]))


def of_length_one(graph: Growing) -> None:
    name = graph.value()
    shape = graph.values[name].shape
    if graph.chance(0.5):
        if 1 not in shape:
            raise UnfitError
        axis = graph.one_of([axis for axis, n in enumerate(shape) if n == 1])
        graph.add("Squeeze", f"{name} {graph.whole([axis])}")
    elif len(shape) < 5:
        graph.add("Unsqueeze", f"{name} {graph.whole([graph.number(0, len(shape))])}")


def product(graph: Growing) -> None:
    name = graph.value(2, 3, 4)
    shape = graph.values[name].shape
    match graph.number(0, 3):
        case 0 | 1:
            graph.add("MatMul", f"{name} {graph.weight(graph.numbers(shape[-1], graph.number(1, 4)))}")
        case 2:
            graph.add("MatMul", f"{graph.weight(graph.numbers(graph.number(1, 4), shape[-2]))} {name}")
        case _:
            others = [n for n, a in graph.values.items() if a.ndim == len(shape) and a.shape[-2] == shape[-1]]
            graph.add("MatMul", f"{name} {graph.one_of(others or [name])}")


def dense(graph: Growing) -> None:
    name = graph.value(2)
    across = graph.number(0, 1) if graph.chance(0.2) else 0
    inputs = graph.values[name].shape[1 - across]
    weights = f"{graph.weight(graph.numbers(3, inputs))} {graph.weight(graph.numbers(3))}"
    graph.add("Gemm", f"{name} {weights}", transA=across, transB=1)


def chosen(graph: Growing) -> None:
    name = graph.value(2, 3, 4)
    shape = graph.values[name].shape
    axis = graph.number(0 if graph.chance(0.1) else 1, len(shape) - 1)
    match graph.number(0, 2):
        case 0:
            places = [graph.number(0, shape[axis] - 1) for _ in range(graph.number(1, 3))]
            graph.add("Gather", f"{name} {graph.whole(places)}", axis=axis)
        case 1:
            graph.add("Tile", f"{name} {graph.whole([1 + (n == axis) for n in range(len(shape))])}")
        case _:
            grown = [graph.number(1, 3) if n == 1 and k else 1 for k, n in enumerate(shape)]
            graph.add("Expand", f"{name} {graph.whole(grown)}")


def resized(graph: Growing) -> None:
    name = graph.value(3, 4)
    rank = graph.values[name].ndim
    scales = np.ones(rank, np.float32)
    scales[graph.number(1, rank - 1)] = 2
    if graph.chance(0.5):
        scales[2:] = 2
    graph.weights[empty := f"w{len(graph.weights)}"] = np.zeros(0, np.float32)
    settings: dict[str, Any] = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    graph.add("Resize", f"{name} {empty} {graph.weight(scales)}", mode="nearest", **settings)


Step = Callable[[Growing], Any]
_LIKELY: dict[Step, float] = {
    turn: 5,
    sandwich: 2,
    window: 7,
    blocks: 0.7,
    each_value: 3,
    with_constant: 3,
    merged: 3,
    joined: 2,
    reduced: 2,
    padded: 1.5,
    part: 1.5,
    sharing: 1.5,
    folded: 1.5,
    flattened: 0.5,
    of_length_one: 1.5,
    product: 1.5,
    dense: 0.7,
    chosen: 1.5,
    resized: 1,
}
STEPS = [*_LIKELY]
CHANCES = np.array([*_LIKELY.values()]) / sum(_LIKELY.values())
