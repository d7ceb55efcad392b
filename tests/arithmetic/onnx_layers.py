"""Every kind of ONNX layer, drawn by hypothesis: its operator, attributes, sizes, numbers. All are small."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import onnx
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import helper, numpy_helper

Array = NDArray[Any]
Draw = Any  # hypothesis' draw function
Shape = tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """One node: ``reads`` names its inputs in order; x, y, ... are fed, with a batch of one, the others constants."""

    op: str
    reads: str
    shapes: tuple[Shape, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    constants: Mapping[str, Array] = field(default_factory=dict)
    seed: int = 0
    opset: int = 21
    dtype: str = "float32"
    integers: str = ""
    positive: bool = False
    results: int = 1

    def model(self) -> onnx.ModelProto:
        """The node as a model."""
        element = helper.np_dtype_to_tensor_dtype(np.dtype(self.integers or self.dtype))
        results = [f"out{n}" for n in range(self.results)]
        reads = ["" if name == "-" else name for name in self.reads.split()]
        domain = "com.microsoft" if self.op in ("QuickGelu", "FastGelu") else ""
        node = helper.make_node(self.op, reads, results, name="layer", domain=domain, **self.attributes)
        graph = helper.make_graph(
            [node],
            "drawn",
            [helper.make_tensor_value_info(n, element, (1, *s)) for n, s in zip("xyz", self.shapes, strict=False)],
            [onnx.ValueInfoProto(name=name) for name in results],
            [numpy_helper.from_array(np.asarray(array), name) for name, array in self.constants.items()],
        )
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.microsoft", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=10)

    def feed(self) -> dict[str, Array]:
        """Values around 0 of many sizes; some are exactly 0, some are equal."""
        random = np.random.default_rng(self.seed)
        feed = {}
        for name, shape in zip("xyz", self.shapes, strict=False):
            if self.integers:
                known = np.iinfo(self.integers)
                feed[name] = random.integers(known.min, known.max + 1, (1, *shape)).astype(self.integers)
                continue
            values = random.normal(size=(1, *shape)) * (1 + 3 * (self.seed % 3))
            if self.seed % 4 == 0:
                values = values.round()
            if self.seed % 5 == 0:
                values = values + 20
            feed[name] = (np.abs(values) + 0.5 if self.positive else values).astype(self.dtype)
        return feed

    def __repr__(self) -> str:
        constants = {
            name: array.tolist() if array.size < 9 else f"{array.dtype} {array.shape}"
            for name, array in self.constants.items()
        }
        kind = self.integers or self.dtype
        words = f"{self.op}({self.reads}) {self.attributes} {self.shapes} {kind} {constants}"
        return f"{words} opset {self.opset} seed {self.seed}"


seeds = st.integers(0, 2**31 - 1)
dtypes = st.sampled_from(["float32"] * 8 + ["float16", "float64"])
small = st.integers(1, 3)
flags = st.booleans()
automatic = st.sampled_from([None, None, None, "SAME_UPPER", "SAME_LOWER", "VALID"])


def per_axis(draw: Draw, rank: int, low: int, high: int) -> Shape:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def numbers(seed: int, shape: Shape, dtype: str = "float32", *, low: float | None = None) -> Array:
    """Drawn numbers of usual size, or from ``low`` up."""
    random = np.random.default_rng([seed, *shape])
    values = random.normal(size=shape) if low is None else random.uniform(low, 3.0, shape)
    return values.astype(dtype)


def windows(draw: Draw, rank: int, *, most: int = 4, dilated: bool = True) -> tuple[Shape, Shape, Shape]:
    kernel = per_axis(draw, rank, 1, most if rank < 3 else 2)
    return kernel, per_axis(draw, rank, 1, 3), per_axis(draw, rank, 1, 2) if dilated else (1,) * rank


def reaching(kernel: Shape, dilation: Shape) -> Shape:
    return tuple(d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True))


def fitting(draw: Draw, reach: Shape, pads: Shape) -> Shape:
    """Sizes that a window of this reach fits into, with this padding."""
    rank = len(reach)
    most = 4 if rank < 3 else 2
    return tuple(max(1, r - pads[n] - pads[n + rank]) + draw(st.integers(0, most)) for n, r in enumerate(reach))


@st.composite
def convolutions(draw: Draw) -> Drawn:
    rank, groups, seed, dtype = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3])), draw(seeds), draw(dtypes)
    per_group, filters = draw(st.sampled_from([1, 1, 2])), groups * draw(small)
    kernel, stride, dilation = windows(draw, rank)
    pads, auto = per_axis(draw, 2 * rank, 0, 2), draw(automatic)
    if auto in ("SAME_UPPER", "SAME_LOWER"):
        dilation = (1,) * rank  # ONNX Runtime refuses others
    pads = (0,) * (2 * rank) if auto else pads
    sizes = fitting(draw, reaching(kernel, dilation), pads)
    attributes: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": groups}
    attributes |= {"auto_pad": auto} if auto else {"pads": pads}
    constants = {"w": numbers(seed, (filters, per_group, *kernel), dtype)}
    if draw(flags):
        constants["b"] = numbers(seed + 1, (filters,), dtype)
    return Drawn(
        "Conv",
        " ".join(["x", "w", "b"][: 1 + len(constants)]),
        ((groups * per_group, *sizes),),
        attributes,
        constants,
        seed,
        dtype=dtype,
    )


@st.composite
def transposed_convolutions(draw: Draw) -> Drawn:
    rank, groups, seed = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2])), draw(seeds)
    channels, per_group = groups * draw(small), draw(st.integers(1, 2))
    kernel, stride, dilation = windows(draw, rank)
    sizes = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    reach = reaching(kernel, dilation)
    extra = tuple(draw(st.integers(0, max(0, s - 1))) for s in stride)
    full = tuple((n - 1) * s + r + e for n, s, r, e in zip(sizes, stride, reach, extra, strict=True))
    attributes: dict[str, Any] = {"strides": stride, "dilations": dilation, "group": groups, "output_padding": extra}
    how = draw(st.sampled_from(["pads", "pads", "auto", "shape"]))
    if how == "pads":
        first = tuple(draw(st.integers(0, min(2, n - 1))) for n in full)
        last = tuple(draw(st.integers(0, min(2, n - 1 - p))) for n, p in zip(full, first, strict=True))
        attributes["pads"] = (*first, *last)
    elif how == "auto":
        attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"]))
    else:
        attributes["output_shape"] = tuple(draw(st.integers(max(1, n - 3), n)) for n in full)
        if draw(flags):
            attributes["auto_pad"] = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
    constants = {"w": numbers(seed, (channels, per_group, *kernel))}
    if draw(flags):
        constants["b"] = numbers(seed + 1, (groups * per_group,))
    return Drawn(
        "ConvTranspose",
        " ".join(["x", "w", "b"][: 1 + len(constants)]),
        ((channels, *sizes),),
        attributes,
        constants,
        seed,
    )


def pools(op: str) -> st.SearchStrategy[Drawn]:
    @st.composite
    def drawn(draw: Draw) -> Drawn:
        rank, seed = draw(st.integers(1, 3)), draw(seeds)
        kernel, stride, dilation = windows(draw, rank)
        auto = draw(automatic)
        if auto in ("SAME_UPPER", "SAME_LOWER"):
            dilation = (1,) * rank
            if op == "MaxPool":  # ONNX Runtime refuses padding below 0
                stride = tuple(min(s, k) for s, k in zip(stride, kernel, strict=True))
        pads = (0,) * 2 * rank if auto else tuple(draw(st.integers(0, min(2, k - 1))) for k in kernel * 2)
        attributes: dict[str, Any] = {"kernel_shape": kernel, "strides": stride, "dilations": dilation}
        attributes |= {"auto_pad": auto} if auto else {"pads": pads}
        attributes["ceil_mode"] = draw(st.integers(0, 1))
        if op == "AveragePool":
            attributes["count_include_pad"] = draw(st.integers(0, 1))
        if op == "LpPool":
            attributes["p"] = draw(st.integers(1, 3))
        sizes = fitting(draw, reaching(kernel, dilation), pads)
        dtype = draw(dtypes) if op == "MaxPool" else "float32"
        results = draw(st.integers(1, 2)) if op == "MaxPool" else 1
        return Drawn(op, "x", ((draw(small), *sizes),), attributes, {}, seed, 22, dtype, results=results)

    return drawn()


@st.composite
def global_pools(draw: Draw) -> Drawn:
    op = draw(st.sampled_from(["GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool"]))
    attributes = {"p": draw(st.integers(1, 3))} if op == "GlobalLpPool" else {}
    rank = draw(st.integers(1, 3))
    return Drawn(op, "x", ((draw(small), *per_axis(draw, rank, 1, 5)),), attributes, {}, draw(seeds))


epsilons = st.sampled_from([1e-5, 1e-3, 0.1])


@st.composite
def batch_normalisations(draw: Draw) -> Drawn:
    rank, channels, seed, dtype = draw(st.integers(0, 3)), draw(st.integers(1, 5)), draw(seeds), draw(dtypes)
    constants = {n: numbers(seed + k, (channels,), dtype) for k, n in enumerate(("scale", "shift", "mean"))}
    constants["variance"] = numbers(seed, (channels,), dtype, low=0.1)
    attributes = {"epsilon": draw(epsilons)}
    shape = (channels, *per_axis(draw, rank, 1, 5 if rank < 3 else 3))
    return Drawn("BatchNormalization", "x scale shift mean variance", (shape,), attributes, constants, seed, 15, dtype)


@st.composite
def instance_and_group_normalisations(draw: Draw) -> Drawn:
    rank, channels, seed = draw(st.integers(1, 3)), draw(st.integers(1, 6)), draw(seeds)
    shape = (channels, *per_axis(draw, rank, 2, 4 if rank < 3 else 3))
    attributes: dict[str, Any] = {"epsilon": draw(epsilons)}
    opset, size, op = 21, channels, "InstanceNormalization"
    if draw(flags):
        op, opset = "GroupNormalization", draw(st.sampled_from([18, 21]))
        attributes["num_groups"] = draw(st.sampled_from([n for n in (1, 2, 3, channels) if channels % n == 0]))
        size = attributes["num_groups"] if opset == 18 else channels
    constants = {n: numbers(seed + k, (size,)) for k, n in enumerate(("scale", "shift"))}
    return Drawn(op, "x scale shift", (shape,), attributes, constants, seed, opset)


@st.composite
def layer_normalisations(draw: Draw) -> Drawn:
    rank, seed = draw(st.integers(1, 4)), draw(seeds)
    shape = per_axis(draw, rank, 1, 5 if rank < 3 else 3)
    op = draw(st.sampled_from(["LayerNormalization", "LayerNormalization", "RMSNormalization"]))
    axis = draw(st.integers(1, rank))
    over = shape[axis - 1 :]
    constants = {"scale": numbers(seed, over)}
    if op == "LayerNormalization" and draw(flags):
        constants["shift"] = numbers(seed + 1, over)
    attributes = {"epsilon": draw(epsilons), "axis": axis if draw(flags) else axis - rank - 1}
    reads = " ".join(["x", *constants])
    return Drawn(op, reads, (shape,), attributes, constants, seed, 17 if op[0] == "L" else 23)


@st.composite
def local_responses(draw: Draw) -> Drawn:
    shape = (draw(st.integers(1, 9)), *per_axis(draw, draw(st.integers(1, 2)), 1, 4))
    attributes = {"size": draw(st.sampled_from([1, 3, 5, 7])), "alpha": draw(st.sampled_from([1e-4, 0.01, 1.0]))}
    attributes |= {"beta": draw(st.sampled_from([0.5, 0.75, 2.0])), "bias": draw(st.sampled_from([0.5, 1.0, 2.0]))}
    # ONNX Runtime knows it for pictures alone
    shape = shape if len(shape) == 3 else (*shape, 1)
    return Drawn("LRN", "x", (shape,), attributes, {}, draw(seeds))


amounts = st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0])
PLAIN = (
    *("Relu", "Sigmoid", "HardSwish", "Tanh", "Softplus", "Softsign", "Mish", "Erf", "Abs", "Neg", "Exp", "Reciprocal"),
    *("Floor", "Ceil", "Round", "Sign", "Sin", "Cos", "Tan", "Atan", "Sinh", "Cosh", "Asinh", "FastGelu"),
)
OF_ALPHA = ("LeakyRelu", "Elu", "Celu", "ThresholdedRelu", "QuickGelu", "Swish")
OF_POSITIVE = ("Log", "Sqrt")
OF_PAIRS: Mapping[str, tuple[str, str]] = {
    "HardSigmoid": ("alpha", "beta"),
    "Selu": ("alpha", "gamma"),
    "Shrink": ("lambd", "bias"),
}
NEWEST: Mapping[str, int] = {"Swish": 24}


@st.composite
def activations(draw: Draw) -> Drawn:
    op, seed = draw(st.sampled_from([*PLAIN, *OF_ALPHA, *OF_POSITIVE, *OF_PAIRS, "Gelu", "Clip", "PRelu"])), draw(seeds)
    shape = (draw(small), *per_axis(draw, draw(st.integers(0, 2)), 1, 5))
    attributes: dict[str, Any] = {}
    constants: dict[str, Array] = {}
    reads = "x"
    if op in OF_ALPHA:
        attributes = {"alpha": draw(amounts)}
    elif op in OF_PAIRS:
        attributes = {name: draw(amounts) for name in OF_PAIRS[op]}
    elif op == "Gelu":
        attributes = {"approximate": draw(st.sampled_from(["none", "tanh"]))}
    elif op == "Clip":
        reads = draw(st.sampled_from(["x", "x low", "x - high", "x low high"]))
        limits = {"low": np.float32(-draw(amounts)), "high": np.float32(draw(amounts))}
        constants = {name: np.asarray(value) for name, value in limits.items() if name in reads}
    elif op == "PRelu":
        reads = "x slope"
        size = draw(st.sampled_from([(1,), (shape[0], *(1,) * (len(shape) - 1)), shape, shape[-1:]]))
        constants = {"slope": numbers(seed, size)}
    positive = op in OF_POSITIVE
    return Drawn(op, reads, (shape,), attributes, constants, seed, NEWEST.get(op, 21), positive=positive)


@st.composite
def softmaxes(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 4))
    op, opset = draw(st.sampled_from(["Softmax", "LogSoftmax", "Hardmax"])), draw(st.sampled_from([13, 21]))
    axis = draw(st.integers(1, rank))
    attributes = {"axis": axis if draw(flags) else axis - rank - 1}
    return Drawn(op, "x", (per_axis(draw, rank, 1, 4),), attributes, {}, draw(seeds), opset)


@st.composite
def dense_layers(draw: Draw) -> Drawn:
    features, units, seed, dtype = draw(st.integers(1, 40)), draw(st.integers(1, 8)), draw(seeds), draw(dtypes)
    if draw(flags):
        across, bias = draw(flags), draw(st.sampled_from([None, (units,), (1, units), (1,), (1, 1), ()]))
        attributes = {"transB": int(across)}
        if draw(flags):
            attributes |= {"alpha": draw(amounts), "beta": draw(st.sampled_from([0.0, 0.5, 1.0, 2.0]))}
        constants = {"w": numbers(seed, (units, features) if across else (features, units), dtype)}
        if bias is not None:
            constants["b"] = numbers(seed + 1, bias, dtype)
        return Drawn("Gemm", " ".join(["x", *constants]), ((features,),), attributes, constants, seed, dtype=dtype)
    before = per_axis(draw, draw(st.integers(0, 3)), 1, 4)
    constants = {"w": numbers(seed, (features, units), dtype)}
    return Drawn("MatMul", "x w", ((*before, features),), {}, constants, seed, dtype=dtype)


@st.composite
def matrix_products(draw: Draw) -> Drawn:
    heads, rows, inner, columns = per_axis(draw, 4, 1, 5)
    seed, how = draw(seeds), draw(st.sampled_from(["both", "left", "right"]))
    left, right = (heads, rows, inner), (draw(st.sampled_from([1, heads])), inner, columns)
    if how == "both":
        return Drawn("MatMul", "x y", (left, right), {}, {}, seed)
    if how == "left":
        own = draw(st.sampled_from([left[1:], (1, *left[1:]), left, left[2:]]))
        return Drawn("MatMul", "w x", ((heads, inner, columns),), {}, {"w": numbers(seed, own)}, seed)
    own = draw(st.sampled_from([right[1:2], right]))
    return Drawn("MatMul", "x w", (left,), {}, {"w": numbers(seed, own)}, seed)


def broadcast(draw: Draw, shape: Shape) -> Shape:
    """A shape that NumPy would stretch to ``shape``."""
    kept = shape[draw(st.integers(0, len(shape))) :] if draw(flags) else shape
    return tuple(n if draw(flags) else 1 for n in kept)


@st.composite
def merges(draw: Draw) -> Drawn:
    op = draw(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum"]))
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 4)
    several = op in ("Max", "Min", "Mean", "Sum") and draw(flags)
    shapes = [shape, *(tuple(n if draw(flags) else 1 for n in shape) for _ in range(1 + several))]
    order = draw(st.permutations(range(len(shapes))))
    names = " ".join("xyz"[: len(shapes)])
    dtype = draw(dtypes) if op in ("Add", "Sub", "Mul", "Div") else "float32"
    return Drawn(op, names, tuple(shapes[n] for n in order), {}, {}, draw(seeds), dtype=dtype)


@st.composite
def arithmetic_with_constants(draw: Draw) -> Drawn:
    op = draw(st.sampled_from(["Add", "Sub", "Mul", "Div", "Max", "Min", "Mean", "Sum", "Pow"]))
    shape, seed = per_axis(draw, draw(st.integers(1, 3)), 1, 4), draw(seeds)
    first = draw(flags)
    constant = broadcast(draw, draw(st.sampled_from([shape, (1, *shape)])))
    constant = (1, *constant[1:]) if len(constant) > len(shape) else constant
    values = numbers(seed, constant, low=0.5 if op == "Pow" else None)
    fed = tuple(n if draw(flags) else 1 for n in shape) if draw(flags) else shape
    return Drawn(op, "c x" if first else "x c", (fed,), {}, {"c": values}, seed, positive=op == "Pow")


@st.composite
def concatenations(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    axis, count = draw(st.integers(1, rank)), draw(st.integers(2, 3))
    shape = per_axis(draw, rank, 1, 4)
    shapes = tuple((*shape[: axis - 1], draw(st.integers(1, 4)), *shape[axis:]) for _ in range(count))
    attributes = {"axis": axis if draw(flags) else axis - rank - 1}
    return Drawn("Concat", " ".join("xyz"[:count]), shapes, attributes, {}, draw(seeds))


@st.composite
def paddings(draw: Draw) -> Drawn:
    rank, mode = draw(st.integers(1, 4)), draw(st.sampled_from(["constant", "constant", "reflect", "edge", "wrap"]))
    shape = per_axis(draw, rank, 1, 5)
    least = -1 if mode == "constant" else 0
    beyond = {"constant": 3, "edge": 3, "reflect": -1, "wrap": 0}[mode]  # of wrapping modes: than the size
    most = [beyond if beyond > 0 else n + beyond for n in shape]
    pads = [
        tuple(draw(st.integers(max(least, 1 - n), min(3, top))) for n, top in zip(shape, most, strict=True))
        for _ in range(2)
    ]
    if mode == "constant":
        pads[1] = tuple(max(after, 1 - n - before) for n, before, after in zip(shape, *pads, strict=True))
    constants = {"pads": np.array([0, *pads[0], 0, *pads[1]], np.int64)}
    reads = "x pads"
    if mode == "constant" and draw(flags):
        constants["value"] = np.asarray(np.float32(draw(amounts)))
        reads += " value"
    if draw(flags):
        axes = draw(st.permutations(range(1, rank + 1)))
        constants["pads"] = np.array([part[a - 1] for part in pads for a in axes], np.int64)
        constants["axes"] = np.array(axes, np.int64)
        reads += " axes" if "value" in reads else " - axes"
    return Drawn("Pad", reads, (shape,), {"mode": mode}, constants, draw(seeds))


COORDINATES = ("half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric")


@st.composite
def resizings(draw: Draw) -> Drawn:
    mode, rank = draw(st.sampled_from(["nearest", "nearest", "linear", "cubic"])), draw(st.integers(1, 3))
    rank = {"cubic": 2, "linear": min(rank, 2)}.get(mode, rank)
    sizes = per_axis(draw, rank, 1, 6)
    attributes: dict[str, Any] = {"mode": mode, "coordinate_transformation_mode": draw(st.sampled_from(COORDINATES))}
    if mode == "nearest":
        attributes["nearest_mode"] = draw(st.sampled_from(["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"]))
    if mode == "cubic":
        attributes["cubic_coeff_a"] = draw(st.sampled_from([-0.75, -0.5]))
        attributes["exclude_outside"] = draw(st.integers(0, 1))
    if mode != "nearest" and rank == 2 and draw(st.integers(0, 3)) == 0:
        attributes["antialias"] = 1
    shape = (draw(st.integers(1, 2)), *sizes)
    if draw(st.integers(0, 5)) == 0 and "antialias" not in attributes:
        attributes |= {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": draw(amounts)}
        corners = np.random.default_rng(sum(sizes)).uniform(-0.2, 1.2, (2, rank))
        roi = np.concatenate([np.zeros(2), corners[0], np.ones(2), corners[1]]).astype(np.float32)
        constants: dict[str, np.ndarray] = {
            "roi": roi,
            "sizes": np.array([1, *shape[:1], *per_axis(draw, rank, 1, 6)], np.int64),
        }
        return Drawn("Resize", "x roi - sizes", (shape,), attributes, constants, draw(seeds), 19)
    if draw(flags):
        outputs = per_axis(draw, rank, 1, 9)
        constants = {"sizes": np.array([1, *shape[:1], *outputs], np.int64)}
        return Drawn("Resize", "x - - sizes", (shape,), attributes, constants, draw(seeds), 19)
    scales = [draw(st.sampled_from([0.5, 0.6, 0.7, 1.0, 1.3, 1.5, 2.0, 2.5, 3.0])) for _ in sizes]
    scales = [max(scale, 1 / size) for scale, size in zip(scales, sizes, strict=True)]
    constants = {"scales": np.array([1, 1, *scales], np.float32)}
    return Drawn("Resize", "x - scales", (shape,), attributes, constants, draw(seeds), 19)


@st.composite
def slicings(draw: Draw) -> Drawn:
    rank, seed = draw(st.integers(1, 4)), draw(seeds)
    shape = per_axis(draw, rank, 1, 6)
    axis = draw(st.integers(1, rank))
    if draw(flags):
        count = draw(st.integers(1, shape[axis - 1]))
        cuts = sorted(draw(st.permutations(range(1, shape[axis - 1])))[: count - 1])
        edges = [0, *cuts, shape[axis - 1]]
        sizes = np.diff(edges)
        results = len(sizes)
        if draw(flags):
            return Drawn(
                "Split", "x sizes", (shape,), {"axis": axis}, {"sizes": sizes.astype(np.int64)}, seed, results=results
            )
        equal = -(-shape[axis - 1] // results)
        count = -(-shape[axis - 1] // equal)
        return Drawn("Split", "x", (shape,), {"axis": axis, "num_outputs": count}, {}, seed, 18, results=count)
    axes = draw(st.permutations(range(1, rank + 1)))[: draw(st.integers(1, rank))]
    starts, ends, steps = [], [], []
    for one in axes:
        size, step = shape[one - 1], draw(st.sampled_from([1, 1, 2, 3, -1, -2]))
        first = draw(st.integers(0, size - 1))
        last = draw(st.integers(first + 1, size + 2)) if step > 0 else draw(st.integers(0, first)) - 1
        starts.append(first - size if draw(flags) else first)
        ends.append(last if last >= 0 else -size - 1)
        steps.append(step)
    parts = {"starts": starts, "ends": ends, "axes": list(axes), "steps": steps}
    constants = {name: np.array(part, np.int64) for name, part in parts.items()}
    return Drawn("Slice", "x starts ends axes steps", (shape,), {}, constants, seed)


@st.composite
def reshapings(draw: Draw) -> Drawn:
    rank, seed = draw(st.integers(1, 4)), draw(seeds)
    shape = per_axis(draw, rank, 1, 4)
    op = draw(
        st.sampled_from(
            [
                "Flatten",
                "Reshape",
                "Transpose",
                "Squeeze",
                "Unsqueeze",
                "DepthToSpace",
                "SpaceToDepth",
                "Expand",
                "Tile",
            ]
        )
    )
    if op == "Flatten":
        return Drawn(op, "x", (shape,), {"axis": draw(st.integers(0, rank + 1))}, {}, seed)
    if op == "Reshape":
        order = draw(st.permutations(shape))
        wanted = draw(st.sampled_from([[1, *order], [1, -1], [*order], [0, -1], [1, 1, *order], [prod(shape), 1]]))
        return Drawn(op, "x shape", (shape,), {}, {"shape": np.array(wanted, np.int64)}, seed)
    if op == "Transpose":
        order = list(draw(st.permutations(range(1, rank + 1))))
        order.insert(draw(st.sampled_from([0, 0, 0, rank])), 0)
        return Drawn(op, "x", (shape,), {"perm": order}, {}, seed)
    if op == "Squeeze":
        axes = [n for n in range(1, rank + 1) if draw(flags)]
        shape = tuple(1 if n + 1 in axes else size for n, size in enumerate(shape))
        return Drawn(op, "x axes", (shape,), {}, {"axes": np.array(axes, np.int64)}, seed)
    if op == "Unsqueeze":
        axes = draw(st.permutations(range(rank + 2)))[: draw(st.integers(1, 2))]
        return Drawn(op, "x axes", (shape,), {}, {"axes": np.array(sorted(axes), np.int64)}, seed)
    if op in ("DepthToSpace", "SpaceToDepth"):
        block, channels, rows, columns = draw(small), *per_axis(draw, 3, 1, 3)
        if op == "SpaceToDepth":
            return Drawn(op, "x", ((channels, rows * block, columns * block),), {"blocksize": block}, {}, seed)
        attributes = {"blocksize": block, "mode": draw(st.sampled_from(["DCR", "CRD"]))}
        return Drawn(op, "x", ((channels * block**2, rows, columns),), attributes, {}, seed)
    if op == "Tile":
        repeats = np.array([1, *per_axis(draw, rank, 1, 3)], np.int64)
        return Drawn(op, "x repeats", (shape,), {}, {"repeats": repeats}, seed)
    fed = tuple(n if draw(flags) else 1 for n in shape)
    return Drawn(op, "x shape", (fed,), {}, {"shape": np.array([1, *shape], np.int64)}, seed)


@st.composite
def unchanged(draw: Draw) -> Drawn:
    op, shape, seed = (
        draw(st.sampled_from(["Dropout", "Identity", "Cast"])),
        per_axis(draw, draw(st.integers(1, 3)), 1, 4),
        draw(seeds),
    )
    if op == "Dropout":
        given = draw(flags)
        constants = {"ratio": np.asarray(np.float32(0.5))} if given else {}
        return Drawn(op, "x ratio" if given else "x", (shape,), {}, constants, seed, results=draw(st.integers(1, 2)))
    if op == "Identity":
        return Drawn(op, "x", (shape,), {}, {}, seed, dtype=draw(dtypes))
    to = draw(st.sampled_from(["float16", "float64", "int32", "int64", "bool", "float32"]))
    element = helper.np_dtype_to_tensor_dtype(np.dtype(to))
    return Drawn(op, "x", (shape,), {"to": element}, {}, seed, dtype=draw(dtypes))


@st.composite
def reductions(draw: Draw) -> Drawn:
    op = draw(st.sampled_from(["ReduceMean", "ReduceMax", "ReduceMin", "ReduceSum", "ReduceProd"]))
    rank = draw(st.integers(1, 4))
    axes = sorted(draw(st.permutations(range(rank + 1)))[: draw(st.integers(1, rank + 1))])
    keep = {"keepdims": draw(st.integers(0, 1))}
    shape = per_axis(draw, rank, 1, 4 if rank < 4 else 3)
    if draw(st.integers(0, 4)) == 0:
        return Drawn(op, "x", (shape,), keep, {}, draw(seeds))
    return Drawn(op, "x axes", (shape,), keep, {"axes": np.array(axes, np.int64)}, draw(seeds))


scales = st.sampled_from([0.003, 0.02, 0.1, 0.25, 1.0])


def integers(seed: int, shape: Shape, dtype: str, most: int = 127) -> Array:
    least = 0 if dtype == "uint8" else -most
    return np.random.default_rng([seed, *shape]).integers(least, most + 1, shape).astype(dtype)


@st.composite
def quantised_convolutions(draw: Draw) -> Drawn:
    rank, groups, seed = 2, draw(st.sampled_from([1, 1, 2])), draw(seeds)
    per_group, filters = draw(st.integers(1, 2)), groups * draw(small)
    kernel, stride, dilation = windows(draw, rank, most=3)
    pads = per_axis(draw, 2 * rank, 0, 2)
    attributes = {"strides": stride, "dilations": dilation, "group": groups, "pads": pads}
    shape = (groups * per_group, *fitting(draw, reaching(kernel, dilation), pads))
    of_input, of_weight = "uint8", draw(st.sampled_from(["uint8", "int8"]))
    weight = integers(seed, (filters, per_group, *kernel), of_weight)
    zero = {
        "x_zero": np.asarray(np.uint8(draw(st.integers(0, 255)))),
        "w_zero": np.asarray(draw(st.integers(0, 100))).astype(of_weight),
    }
    if draw(flags):
        constants = {"w": weight, **zero}
        reads = draw(st.sampled_from(["x w x_zero w_zero", "x w x_zero", "x w"]))
        constants = {name: array for name, array in constants.items() if name in reads.split()}
        return Drawn("ConvInteger", reads, (shape,), attributes, constants, seed, integers=of_input)
    each = of_weight == "int8" and draw(flags)
    of_each = np.random.default_rng(seed).uniform(0.01, 0.3, filters) if each else np.asarray(draw(scales))
    constants = {
        "x_scale": np.asarray(np.float32(draw(scales))),
        "w_scale": of_each.astype(np.float32),
        "y_scale": np.asarray(np.float32(draw(scales) * 20)),
        "y_zero": np.asarray(np.uint8(draw(st.integers(0, 255)))),
        "w": weight,
        **zero,
    }
    if each:
        constants["w_zero"] = np.zeros(filters, of_weight)
    reads = "x x_scale x_zero w w_scale w_zero y_scale y_zero"
    if draw(flags):
        constants["b"] = np.random.default_rng(seed).integers(-2000, 2000, filters).astype(np.int32)
        reads += " b"
    return Drawn("QLinearConv", reads, (shape,), attributes, constants, seed, integers=of_input)


@st.composite
def quantised_dense_layers(draw: Draw) -> Drawn:
    features, units, seed = draw(st.integers(1, 20)), draw(st.integers(1, 5)), draw(seeds)
    before = per_axis(draw, draw(st.integers(0, 2)), 1, 3)
    zero = {
        "x_zero": np.asarray(np.uint8(draw(st.integers(0, 255)))),
        "w_zero": np.asarray(np.uint8(draw(st.integers(0, 100)))),
    }
    constants = {"w": integers(seed, (features, units), "uint8"), **zero}
    shape = (*before, features)
    if draw(flags):
        return Drawn("MatMulInteger", "x w x_zero w_zero", (shape,), {}, constants, seed, integers="uint8")
    constants |= {
        "x_scale": np.asarray(np.float32(draw(scales))),
        "w_scale": np.asarray(np.float32(draw(scales))),
        "y_scale": np.asarray(np.float32(draw(scales) * 20)),
        "y_zero": np.asarray(np.uint8(draw(st.integers(0, 255)))),
    }
    reads = "x x_scale x_zero w w_scale w_zero y_scale y_zero"
    return Drawn("QLinearMatMul", reads, (shape,), {}, constants, seed, integers="uint8")


@st.composite
def quantisings(draw: Draw) -> Drawn:
    shape, seed = per_axis(draw, draw(st.integers(1, 3)), 1, 4), draw(seeds)
    dtype = draw(st.sampled_from(["uint8", "int8", "uint16", "int16"]))
    axis = draw(st.integers(1, len(shape)))
    size: Shape = (shape[axis - 1],) if draw(flags) else ()
    random = np.random.default_rng(seed)
    known = np.iinfo(dtype)
    constants = {
        "scale": random.uniform(0.001, 0.3, size).astype(np.float32),
        "zero": np.asarray(random.integers(known.min, known.max + 1, size)).astype(dtype),
    }
    attributes = {"axis": axis if draw(flags) else axis - len(shape) - 1}
    if draw(flags):
        return Drawn("QuantizeLinear", "x scale zero", (shape,), attributes, constants, seed)
    return Drawn("DequantizeLinear", "x scale zero", (shape,), attributes, constants, seed, integers=dtype)


KINDS: Mapping[str, st.SearchStrategy[Drawn]] = {
    "convolution": convolutions(),
    "transposed convolution": transposed_convolutions(),
    "max pooling": pools("MaxPool"),
    "average pooling": pools("AveragePool"),
    "Lp pooling": pools("LpPool"),
    "global pooling": global_pools(),
    "batch normalisation": batch_normalisations(),
    "instance and group normalisation": instance_and_group_normalisations(),
    "layer normalisation": layer_normalisations(),
    "local response": local_responses(),
    "activation": activations(),
    "softmax": softmaxes(),
    "dense": dense_layers(),
    "matrix product": matrix_products(),
    "merge": merges(),
    "arithmetic with a constant": arithmetic_with_constants(),
    "concat": concatenations(),
    "pad": paddings(),
    "resize": resizings(),
    "slice and split": slicings(),
    "reshape": reshapings(),
    "dropout and cast": unchanged(),
    "reduction": reductions(),
    "quantised convolution": quantised_convolutions(),
    "quantised dense": quantised_dense_layers(),
    "quantise": quantisings(),
}
