"""Every kind of Keras layer, drawn by hypothesis as the expression that a person would write. All are small."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import strategies as st
from keras import layers, ops

BACKEND = keras.backend.backend()
Draw = Any  # hypothesis' draw function
Shape = tuple[int, ...]
LAST, FIRST = "channels_last", "channels_first"


@dataclass(frozen=True)
class Drawn:
    """An expression in ``x`` (and ``y``), with the shapes of these, in Keras's own layout and without batch."""

    words: str
    shapes: tuple[Shape, ...]
    layout: str = LAST
    positive: bool = False

    def __repr__(self) -> str:
        return f"{self.words}  # {', '.join(map(str, self.shapes))} {self.layout if self.layout == FIRST else ''}"


def model_of(parts: list[Drawn], seed: int) -> Any:
    """One model that computes every expression from inputs of its own, with random weights: compiled once, it is as
    many cases."""
    random = np.random.default_rng(seed)
    own_weights = keras.layers.Layer.add_weight

    def drawn(layer: Any, *args: Any, name: str = "", **options: Any) -> Any:
        """A weight with random values from the start: Keras's initialisers would be compiled for every shape."""
        low, high = (0.1, 3.0) if "variance" in name else (-1.5, 1.5)
        options["initializer"] = lambda shape, dtype: np.asarray(random.uniform(low, high, shape), np.float32)
        return own_weights(layer, *args, name=name, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.layers.Layer, "add_weight", drawn)
        inputs, outputs = _connected(parts)
    return keras.Model(inputs, outputs)


def _connected(parts: list[Drawn]) -> tuple[list[Any], list[Any]]:
    inputs, outputs = [], []
    for number, part in enumerate(parts):
        own = [keras.Input(shape, name=f"{n}{number}") for n, shape in zip("xy", part.shapes, strict=False)]
        names = dict(zip("xy", own, strict=False))
        outputs.append(eval(part.words, {"layers": layers, "ops": ops, "np": np, **names}))
        inputs += own
    return inputs, outputs


def feed_of(parts: list[Drawn], seed: int) -> dict[str, Any]:
    """Values around 0 of many sizes; some are exactly 0, some are equal."""
    feed: dict[str, Any] = {}
    for number, part in enumerate(parts):
        random = np.random.default_rng([seed, number])
        for name, shape in zip("xy", part.shapes, strict=False):
            values = random.normal(size=(1, *shape)) * random.choice([1, 4, 7])
            if random.integers(4) == 0:
                values = values.round()
            if random.integers(5) == 0:
                values = values + 20
            feed[f"{name}{number}"] = (np.abs(values) + 0.5 if part.positive else values).astype("float32")
    return feed


small = st.integers(1, 3)
flags = st.booleans()
amounts = st.sampled_from([0.01, 0.1, 0.25, 0.5, 1.0, 1.5, 2.0])
policies = st.sampled_from(["float32"] * 7 + ["mixed_float16", "mixed_bfloat16", "float64", "float16"])

single = st.just("float32")


def per_axis(draw: Draw, rank: int, low: int, high: int) -> Shape:
    return tuple(draw(st.integers(low, high)) for _ in range(rank))


def written(name: str, *args: Any, reads: str = "x", **options: Any) -> str:
    """A layer, as source."""
    given = [repr(arg) for arg in args] + [f"{key}={value!r}" for key, value in options.items()]
    return f"layers.{name}({', '.join(given)})({reads})"


def laid_out(draw: Draw, channels: int, sizes: Shape) -> tuple[Shape, str]:
    """The shape of an input and its layout; TensorFlow has no channels-first windows on a CPU."""
    layout = LAST if BACKEND == "tensorflow" else draw(st.sampled_from([LAST, LAST, FIRST]))
    return ((channels, *sizes) if layout == FIRST else (*sizes, channels)), layout


def windows(draw: Draw, rank: int, *, dilated: bool = True) -> tuple[Shape, Any, Any, str, Shape]:
    """Kernel, stride, dilation, padding, and sizes that they fit."""
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride: Any = per_axis(draw, rank, 1, 3)
    dilation: Any = (1,) * rank
    if dilated and draw(flags):
        stride, dilation = (1,) * rank, per_axis(draw, rank, 1, 2)
    padding = draw(st.sampled_from(["valid", "same", "same"]))
    least = [d * (k - 1) + 1 if padding == "valid" else 1 for k, d in zip(kernel, dilation, strict=True)]
    sizes = tuple(n + draw(st.integers(0, 4 if rank < 3 else 2)) for n in least)
    return kernel, stride, dilation, padding, sizes


@st.composite
def convolutions(draw: Draw) -> Drawn:
    rank, groups = draw(st.integers(1, 3)), draw(st.sampled_from([1, 1, 2, 3]))
    kernel, stride, dilation, padding, sizes = windows(draw, rank)
    if rank == 1 and draw(st.integers(0, 3)) == 0:
        padding = "causal"
    channels = groups * draw(small)
    shape, layout = ((*sizes, channels), LAST) if padding == "causal" else laid_out(draw, channels, sizes)
    words = written(
        f"Conv{rank}D",
        groups * draw(small),
        kernel,
        strides=stride,
        padding=padding,
        data_format=layout,
        dilation_rate=dilation,
        groups=groups,
        use_bias=draw(flags),
        activation=draw(st.sampled_from([None, None, "relu", "gelu"])),
        dtype=draw(policies),
    )
    return Drawn(words, (shape,), layout)


@st.composite
def depthwise_convolutions(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 2))
    kernel, stride, dilation, padding, sizes = windows(draw, rank)
    shape, layout = laid_out(draw, draw(small), sizes)
    separable = draw(flags)
    options: dict[str, Any] = {
        "strides": stride[0],  # TensorFlow has no others
        "padding": padding,
        "depth_multiplier": draw(small),
        "data_format": layout,
        "dilation_rate": dilation[0],
        "use_bias": draw(flags),
        "dtype": draw(policies),
    }
    name, filters = ("SeparableConv", (draw(small),)) if separable else ("DepthwiseConv", ())
    return Drawn(written(f"{name}{rank}D", *filters, kernel, **options), (_grown(shape, layout, dilation),), layout)


def _grown(shape: Shape, layout: str, dilation: Shape) -> Shape:
    """Where the first axis's dilation is used for all axes, the others may need more room."""
    most = 4 * (max(dilation) - 1)
    axes = range(1, len(shape)) if layout == FIRST else range(len(shape) - 1)
    return tuple(n + most if axis in axes else n for axis, n in enumerate(shape))


@st.composite
def transposed_convolutions(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    kernel = per_axis(draw, rank, 1, 4 if rank < 3 else 2)
    stride = per_axis(draw, rank, 1, 3 if rank < 3 else 2)
    shape, layout = laid_out(draw, draw(small), per_axis(draw, rank, 1, 4 if rank < 3 else 2))
    words = written(
        f"Conv{rank}DTranspose",
        draw(small),
        kernel,
        strides=stride,
        padding=draw(st.sampled_from(["valid", "same"])),
        data_format=layout,
        use_bias=draw(flags),
        dtype=draw(policies),
    )
    return Drawn(words, (shape,), layout)


@st.composite
def dense_layers(draw: Draw) -> Drawn:
    shape = (*per_axis(draw, draw(st.integers(0, 3)), 1, 4), draw(st.integers(1, 40)))
    units, bias = draw(st.integers(1, 8)), draw(flags)
    options: dict[str, Any] = {"activation": draw(st.sampled_from([None, "tanh", "softmax"])), "dtype": draw(policies)}
    if draw(st.integers(0, 3)):
        return Drawn(written("Dense", units, use_bias=bias, **options), (shape,))
    letters = "bcd"[: len(shape) - 1]
    made = (None,) * (len(shape) - 1) + (units,)
    equation = f"a{letters}x,xy->a{letters}y"
    return Drawn(written("EinsumDense", equation, made, bias_axes="y" if bias else None, **options), (shape,))


@st.composite
def pools(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    kernel, stride, _, padding, sizes = windows(draw, rank, dilated=False)
    shape, layout = laid_out(draw, draw(small), sizes)
    name = draw(st.sampled_from(["MaxPooling", "AveragePooling"]))
    strides = draw(st.sampled_from([None, stride]))
    words = written(
        f"{name}{rank}D",
        kernel,
        strides,
        padding=padding,
        data_format=layout,
        dtype=draw(policies if rank < 3 or BACKEND == "jax" else single),  # the others have no other in 3-D
    )
    return Drawn(words, (shape,), layout)


@st.composite
def whole_pools(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    shape, layout = laid_out(draw, draw(small), per_axis(draw, rank, 1, 6 if rank < 3 else 3))
    mode = draw(st.sampled_from(["Max", "Average"]))
    if draw(st.integers(0, 3)) == 0:
        sizes = shape[1:] if layout == FIRST else shape[:-1]
        least = 1
        if BACKEND == "tensorflow":  # whose kernels divide by zero, and end the process, for a single window
            sizes, least = tuple(n + 1 for n in sizes), 2
            shape = (*sizes, shape[-1])
        outputs = tuple(draw(st.integers(least, n)) for n in sizes)
        words = written(f"Adaptive{mode}Pooling{rank}D", outputs, data_format=layout)
        return Drawn(words, (shape,), layout)
    words = written(f"Global{mode}Pooling{rank}D", data_format=layout, keepdims=draw(flags), dtype=draw(policies))
    return Drawn(words, (shape,), layout)


@st.composite
def normalisations(draw: Draw) -> Drawn:
    rank = draw(st.integers(0, 3))
    shape = (*per_axis(draw, rank, 1, 4 if rank < 3 else 3), draw(st.integers(2, 6)))
    kind = draw(st.sampled_from(["Batch", "Batch", "Layer", "Group", "RMS", "Unit"]))
    axis: Any = draw(st.integers(1, len(shape))) if draw(flags) else -1
    options: dict[str, Any] = {"dtype": draw(policies if kind != "Unit" else single)}
    if kind in ("Layer", "Unit") and draw(flags):
        axis = sorted(draw(st.sets(st.integers(1, len(shape)), min_size=1)))
    if kind == "RMS" or (kind == "Layer" and BACKEND == "torch"):  # others fail in Keras, unless they are as long
        axis = [*range(draw(st.integers(1, len(shape))), len(shape) + 1)]
    if kind == "Group":
        options["groups"] = draw(st.sampled_from([n for n in (1, 2, 3, -1) if shape[-1] % n == 0]))
        axis = -1
    if kind in ("Batch", "Layer", "Group"):
        options |= {"scale": draw(flags), "center": draw(flags)}
    if kind != "Unit":
        options["epsilon"] = draw(st.sampled_from([1e-5, 1e-3, 0.1]))
    return Drawn(written(f"{kind}Normalization", axis=axis, **options), (shape,))


@st.composite
def standardisations(draw: Draw) -> Drawn:
    channels = draw(small)
    shape = (*per_axis(draw, draw(st.integers(1, 2)), 1, 4), channels)
    dtype = draw(policies)
    numbers = st.sampled_from([0.0, 0.5, -1.0, 2.0, 0.1307, 127.5])
    if draw(flags):
        scale: Any = [draw(amounts) for _ in range(channels)] if draw(flags) else 1 / 127.5
        return Drawn(written("Rescaling", scale, draw(numbers), dtype=dtype), (shape,))
    options: dict[str, Any] = {"axis": None, "mean": draw(numbers), "variance": draw(st.sampled_from([0.0, 0.3, 4.0]))}
    if draw(flags):
        options = {"axis": -1, "mean": [draw(numbers) for _ in range(channels)]}
        options["variance"] = [draw(amounts) for _ in range(channels)]
    options["invert"] = draw(flags)
    return Drawn(written("Normalization", **options, dtype=dtype), (shape,))


FUNCTIONS = (
    *("relu", "relu6", "sigmoid", "tanh", "tanh_shrink", "softplus", "softsign", "sparse_plus", "sparse_sigmoid"),
    *("silu", "squareplus", "selu", "elu", "celu", "exponential", "leaky_relu", "hard_sigmoid", "hard_silu"),
    *("hard_tanh", "hard_shrink", "soft_shrink", "log_sigmoid", "linear", "mish", "gelu"),
)

SIMPLE = ("abs", "negative", "exp", "square", "sign", "floor", "ceil", "expm1")

ACTIVATIONS: tuple[Callable[[Draw], str], ...] = (
    lambda draw: written("ReLU", dtype=draw(policies)),
    lambda draw: written("ReLU", draw(amounts), 0.0, 0.0),
    lambda draw: written("ReLU", draw(amounts), draw(amounts), 0.0, dtype=draw(policies)),
    lambda draw: written("ReLU", None, draw(amounts), draw(amounts)),
    lambda draw: written("ReLU", draw(amounts), 0.0, draw(amounts)),
    lambda draw: written("LeakyReLU", draw(amounts), dtype=draw(policies)),
    lambda draw: written("ELU", draw(amounts), dtype=draw(policies)),
    lambda _: "ops.gelu(x, approximate=True)",
    lambda draw: f"ops.celu(x, {draw(amounts)})",
    lambda draw: f"ops.soft_shrink(x, {draw(amounts)})",
    lambda draw: f"ops.hard_shrink(x, {draw(amounts)})",
    lambda draw: f"ops.threshold(x, {draw(amounts)}, {draw(amounts)})",
    lambda draw: f"ops.clip(x, -{draw(amounts)}, {draw(amounts)})",
    lambda _: "ops.relu6(x)",
    lambda draw: f"ops.{draw(st.sampled_from(SIMPLE))}(x)",
)


@st.composite
def activations(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 4)), 1, 4)
    if draw(flags):
        return Drawn(written("Activation", draw(st.sampled_from(FUNCTIONS)), dtype=draw(policies)), (shape,))
    return Drawn(draw(st.sampled_from(ACTIVATIONS))(draw), (shape,))


@st.composite
def slopes(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 4)), 1, 4)
    shared = sorted(draw(st.sets(st.integers(1, len(shape))))) or None
    return Drawn(written("PReLU", shared_axes=shared, dtype=draw(policies)), (shape,))


@st.composite
def softmaxes(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 4)), 1, 5)
    axis = draw(st.integers(1, len(shape)))
    how = draw(st.integers(0, 3))
    if how == 0:
        words = written("Activation", draw(st.sampled_from(["softmax", "log_softmax"])), dtype=draw(policies))
        return Drawn(words, (shape,))
    if how == 1:
        even = tuple(2 * n if number == axis else n for number, n in enumerate(shape, 1))
        return Drawn(f"ops.glu(x, axis={axis})", (even,))
    return Drawn(written("Softmax", axis=axis, dtype=draw(policies)), (shape,))


def added(shape: Shape, other: Shape) -> tuple[Shape, Shape]:
    """Keras on TensorFlow takes a value with one long axis for a bias, and may add it along another axis."""
    if BACKEND == "tensorflow" and any(sum(size > 1 for size in each) == 1 for each in (shape, other)):
        return shape, shape
    return shape, other


@st.composite
def merges(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 5)
    other = tuple(size if draw(st.integers(0, 2)) else 1 for size in shape)
    if draw(flags):
        shape, other = other, shape
    if draw(flags):
        sign = draw(st.sampled_from(["x + y", "x - y", "x * y", "x / y", "ops.maximum(x, y)", "ops.minimum(x, y)"]))
        return Drawn(sign, added(shape, other) if sign == "x + y" else (shape, other), positive=sign == "x / y")
    name = draw(st.sampled_from(["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]))
    if draw(flags):
        other = other[draw(st.integers(0, len(other) - 1)) :]  # of lower rank: Keras gives it new axes
    reads = "[x, y]" if name == "Subtract" else draw(st.sampled_from(["[x, y]", "[x, x]", "[x, y, x]"]))
    both = added(shape, other) if name in ("Add", "Average") else (shape, other)
    return Drawn(written(name, reads=reads, dtype=draw(policies)), both if "y" in reads else both[:1])


@st.composite
def constants(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 5)
    if draw(flags):
        sizes = [size if draw(flags) else 1 for size in shape][draw(st.integers(0, len(shape) - 1)) :]
        sizes = [1, *sizes] if draw(flags) and len(sizes) == len(shape) else sizes
        sizes = [*added(shape, tuple(sizes))[1]]
        constant = f"np.linspace(0.5, 2.5, {int(np.prod(sizes))}, dtype='float32').reshape({sizes})"
        # NumPy's own operators would take the expression apart where the array stands first
        sum_of_both = "x + {c}" if BACKEND == "tensorflow" else "ops.add({c}, x)"  # there it may lose an axis
        kinds = [sum_of_both, "ops.subtract({c}, x)", "x * {c}", "x - {c}", "x / {c}", "ops.maximum(x, {c})"]
        return Drawn(draw(st.sampled_from(kinds)).format(c=constant), (shape,))
    number = draw(st.sampled_from([0.1, 0.5, 1, 2, 3, 2.5, 0.1307]))
    of_positive = ("{c} / x", "x ** {c}", "{c} ** x")
    kind = draw(st.sampled_from(["x + {c}", "{c} - x", "x - {c}", "x * {c}", "x / {c}", *of_positive]))
    positive = kind in of_positive
    return Drawn(kind.format(c=number), (shape,), positive=positive)


@st.composite
def joins(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 4)
    axis = draw(st.integers(1, len(shape)))
    other = tuple(draw(small) if n == axis else size for n, size in enumerate(shape, 1))
    axis = draw(st.sampled_from([axis, axis - len(shape) - 1]))
    if draw(flags):
        return Drawn(f"ops.concatenate([x, y, x], axis={axis})", (shape, other))
    reads = draw(st.sampled_from(["[x, y]", "[x, x]"]))
    words = written("Concatenate", axis=axis, reads=reads, dtype=draw(policies))
    return Drawn(words, (shape, other) if "y" in reads else (shape,))


@st.composite
def pads(draw: Draw) -> Drawn:
    rank = draw(st.integers(1, 3))
    shape, layout = laid_out(draw, draw(small), per_axis(draw, rank, 3, 5 if rank < 3 else 3))
    pairs: Any = tuple((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in range(rank))
    if draw(st.integers(0, 2)) == 0:
        around = ((0, 0), *((draw(st.integers(0, 2)), draw(st.integers(0, 2))) for _ in shape))
        mode = draw(st.sampled_from(["constant", "reflect"] if BACKEND != "torch" or rank == 1 else ["constant"]))
        if mode == "reflect":
            both = zip(around, (1, *shape), strict=True)
            around = tuple((min(a, size - 1), min(b, size - 1)) for (a, b), size in both)
        value = f", constant_values={draw(st.sampled_from([0, 1.5, -2.0]))}" if mode == "constant" else ""
        return Drawn(f"ops.pad(x, {around}, {mode!r}{value})", (shape,))
    pairs = pairs[0] if rank == 1 else pairs
    if draw(flags):
        return Drawn(written(f"ZeroPadding{rank}D", pairs, data_format=layout, dtype=draw(policies)), (shape,), layout)
    crops: Any = tuple((draw(st.integers(0, 1)), draw(st.integers(0, 1))) for _ in range(rank))
    options = {} if rank == 1 else {"data_format": layout}
    words = written(f"Cropping{rank}D", crops[0] if rank == 1 else crops, **options)
    return Drawn(words, (shape if rank > 1 or layout == LAST else (shape[1], shape[0]),))


@st.composite
def resizes(draw: Draw) -> Drawn:
    how = draw(st.integers(0, 2))
    if how == 0:
        rank = draw(st.integers(1, 3))
        shape = (*per_axis(draw, rank, 1, 4 if rank < 3 else 2), draw(small))
        size: Any = draw(small) if rank == 1 else per_axis(draw, rank, 1, 3)
        return Drawn(written(f"UpSampling{rank}D", size, dtype=draw(policies)), (shape,))
    shape, layout = laid_out(draw, draw(small), per_axis(draw, 2, 1, 7))
    mode = draw(st.sampled_from(["nearest", "bilinear", "bicubic"]))
    if how == 1:
        options = {"interpolation": mode, "data_format": layout, "dtype": draw(policies)}
        return Drawn(written("UpSampling2D", per_axis(draw, 2, 1, 4), **options), (shape,), layout)
    options = {"interpolation": mode, "data_format": layout}
    return Drawn(written("Resizing", *per_axis(draw, 2, 1, 12), **options), (shape,), layout)


@st.composite
def moves(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 4)), 1, 4)
    how = draw(st.integers(0, 7))
    if how == 0:
        return Drawn(written("Flatten", dtype=draw(policies)), (shape,))
    if how == 1:
        target = draw(st.permutations([*shape, 1]))
        return Drawn(written("Reshape", tuple(target)), (shape,))
    if how == 2:
        return Drawn(written("Permute", tuple(draw(st.permutations(range(1, len(shape) + 1))))), (shape,))
    if how == 3:
        return Drawn(f"ops.transpose(x, {(0, *draw(st.permutations(range(1, len(shape) + 1))))})", (shape,))
    if how == 4:
        parts = [f"{draw(st.integers(0, n - 1))}::{draw(small)}" for n in shape]
        return Drawn(f"x[:, {', '.join(parts)}]", (shape,))
    if how == 5:
        turned = ":" if BACKEND == "torch" else "::-1"  # which PyTorch doesn't have
        parts = [str(draw(st.integers(0, n - 1))) if draw(flags) else turned for n in shape]
        return Drawn(f"x[:, {', '.join(parts)}, None]", (shape,))
    if how == 6:
        axis = draw(st.integers(1, len(shape)))
        kinds = ["ops.flip(x, {a})", "ops.roll(x, 1, {a})", "ops.repeat(x, 2, {a})", "ops.expand_dims(x, {a})"]
        kinds += ["ops.take(x, [0, 0], axis={a})", "ops.squeeze(ops.expand_dims(x, {a}), {a})"]
        return Drawn(draw(st.sampled_from(kinds)).format(a=axis), (shape,))
    return Drawn(written("RepeatVector", draw(small)), ((draw(st.integers(1, 5)),),))


@st.composite
def idle(draw: Draw) -> Drawn:
    shape = (*per_axis(draw, 3, 1, 4),)
    noisy = ("Dropout", "SpatialDropout2D", "GaussianNoise", "GaussianDropout", "AlphaDropout")
    name = draw(st.sampled_from([*noisy, "Identity", "ActivityRegularization"]))
    return Drawn(written(name, *((0.3,) if name in noisy else ()), dtype=draw(policies)), (shape,))


@st.composite
def reductions(draw: Draw) -> Drawn:
    shape = per_axis(draw, draw(st.integers(1, 3)), 1, 4)
    name = draw(st.sampled_from(["mean", "sum", "max", "min", "prod"]))
    axes = sorted(draw(st.sets(st.integers(1, len(shape)), min_size=1)))
    return Drawn(f"ops.{name}(x, axis={tuple(axes)}, keepdims=True)", (shape,))


KINDS: dict[str, st.SearchStrategy[Drawn]] = {
    "convolution": convolutions(),
    "depthwise and separable convolution": depthwise_convolutions(),
    "transposed convolution": transposed_convolutions(),
    "dense": dense_layers(),
    "pooling": pools(),
    "global and adaptive pooling": whole_pools(),
    "normalisation": normalisations(),
    "standardisation": standardisations(),
    "activation": activations(),
    "prelu": slopes(),
    "softmax": softmaxes(),
    "merge": merges(),
    "constant": constants(),
    "join": joins(),
    "pad": pads(),
    "resize": resizes(),
    "move": moves(),
    "idle": idle(),
    "reduction": reductions(),
}
