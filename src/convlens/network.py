"""The model as data: frozen facts about inputs, layers and the graph between them. No arrays, no framework.

Shapes never carry the batch axis and are channels first: ``(channels, rows, columns)``; ``(channels, length)`` in 1-D,
``(channels, depth, rows, columns)`` in 3-D, ``(features,)`` for a vector. Per-axis settings of an operation
(``kernel_size``, ``stride``, ...) have one entry a spatial axis.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fractions import Fraction

from convlens.errors import LayerNotFoundError

RANDOM = "random"
"""The function of an operation whose result is drawn: no arithmetic makes it."""

Shape = tuple[int, ...]
FreeShape = tuple[int | None, ...]
Pads = tuple[tuple[int, int], ...]
CONSTANT = -1
"""Stands for the number of an input where an operand is a constant."""


class Kind(StrEnum):
    """What a layer is to a reader, in words that hold for every framework."""

    CONVOLUTION = "convolution"
    DENSE = "dense"
    POOLING = "pooling"
    NORMALISATION = "normalisation"
    ACTIVATION = "activation"
    ADD = "add"
    MULTIPLY = "multiply"
    CONCAT = "concat"
    ARITHMETIC = "arithmetic"
    PADDING = "padding"
    RESIZE = "resize"
    RESHAPE = "reshape"
    DROPOUT = "dropout"
    ATTENTION = "attention"
    RECURRENT = "recurrent"
    QUANTISE = "quantise"
    PLUMBING = "plumbing"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Convolution:
    """A convolution; with ``transposed`` its gather form (which inputs does one output add up?).

    ``padding`` is explicit, (before, after) per axis, for the actual input size. A transposed convolution keeps the
    padding of the forward convolution that it undoes, as every framework does.
    """

    in_channels: int
    filters: int
    kernel_size: Shape
    stride: Shape
    dilation: Shape
    padding: Pads
    groups: int = 1
    bias: bool = True
    transposed: bool = False
    output_padding: Shape = ()
    padding_mode: str = "zeros"  # zeros | reflect | replicate | circular


@dataclass(frozen=True, slots=True)
class Pooling:
    """Pooling over windows. ``whole`` pools each map to one value; ``adaptive`` picks the windows from the sizes.

    ``least``: what a maximum begins with, and is where its window holds nothing larger: padding alone, say.
    ``ignores_nan``: whether a maximum passes over NaN, as TensorFlow's does; elsewhere NaN wins. ``settles_nan``:
    whether there is a rule for it at all; in ONNX Runtime's maximum the place in the window decides.
    """

    mode: str  # max | average | lp
    kernel_size: Shape
    stride: Shape
    dilation: Shape
    padding: Pads
    ceil_mode: bool = False
    count_include_pad: bool = False
    adaptive: bool = False
    whole: bool = False
    power: float = 2.0  # the p of Lp pooling
    divisor: int | None = None  # PyTorch's divisor_override
    padding_mode: str = "zeros"  # zeros, which an average leaves out | replicate, which it counts
    least: float = float("-inf")
    ignores_nan: bool = False
    settles_nan: bool = True


@dataclass(frozen=True, slots=True)
class Normalisation:
    """``axes`` are the batchless axes whose statistics are taken from the value itself: none for batch
    normalisation. ``constants``: the ``size``, ``alpha``, ``beta`` and ``bias`` of a local response."""

    mode: str  # batch | layer | group | instance | rms | unit | local_response
    epsilon: float = 0.0
    groups: int = 1
    axes: tuple[int, ...] = ()
    constants: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Activation:
    """An element-wise function; ``axis`` (batchless, channels first) for those along an axis, such as softmax."""

    function: str
    constants: tuple[tuple[str, float], ...] = ()
    axis: int | None = None


@dataclass(frozen=True, slots=True)
class Dense:
    """A product with a matrix over ``in_features`` values; ``per_position`` when each position has its own product.

    ``features_axis``: along which batchless axis of the input the features lie, where ``per_position``.
    """

    in_features: int
    out_features: int
    bias: bool = True
    per_position: bool = False
    features_axis: int | None = None


@dataclass(frozen=True, slots=True)
class Merge:
    """Several values made one: add, subtract, multiply, divide, maximum, minimum, mean, where, concat and stack (along
    ``axis``).

    ``factor``: what the second value is multiplied by before it is added or subtracted (PyTorch's ``alpha``).
    ``constants``: which of the operands no layer makes, as (place, shape), channels first and batchless; the layer's
    inputs stand in the other places, in order.
    """

    function: str
    axis: int | None = None
    factor: float = 1.0
    constants: tuple[tuple[int, Shape], ...] = ()

    def operands(self, reads: Sequence[FreeShape | None]) -> list[tuple[int, FreeShape | None]]:
        """Every operand in its place: which input it is, or ``CONSTANT``, and its shape; ``reads`` are the inputs'.

        >>> Merge("concat", 0, constants=((0, (1, 8)),)).operands([(16, 8)])
        [(-1, (1, 8)), (0, (16, 8))]
        """
        constants, inputs = dict(self.constants), iter(enumerate(reads))
        count = len(reads) + len(constants)
        return [(CONSTANT, constants[place]) if place in constants else next(inputs) for place in range(count)]


@dataclass(frozen=True, slots=True)
class Pad:
    """Values put around the spatial axes, and before and after the ``channels``; negative padding crops."""

    padding: Pads
    mode: str = "zeros"  # zeros | constant | reflect | replicate | circular
    value: float = 0.0
    channels: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Resize:
    """Enlarged or reduced spatial axes, for example upsampling in a U-Net.

    ``scale`` is output size / input size, or the factor that the coordinates are computed with where that is another.
    ``coordinate_arithmetic``: frameworks compute coordinates in float32, where a position at the border of two pixels
    can fall to either side. ``step`` multiplies by the rounded 1 / scale, ``scale`` divides by the rounded scale.
    ``exclude_outside``: what lies outside has no weight, and the others are raised to a sum of 1. ``cubic_steps``: the
    weights come from a table with so many steps between two pixels (TensorFlow), 0 without one. ``crop``: with the
    coordinates ``crop``, the part of each axis that is resized, 0 its first pixel and 1 its last; what lies outside the
    input is ``outside``. The modes with ``_antialias`` widen the window by as much as the size shrinks.
    """

    mode: str  # nearest | linear | cubic | linear_antialias | cubic_antialias
    scale: tuple[Fraction, ...]
    align_corners: bool = False
    coordinates: str = "half_pixel"
    rounding: str = "round_prefer_floor"  # of nearest: round_prefer_floor | round_prefer_ceil | floor | ceil
    cubic_coefficient: float = -0.75
    coordinate_arithmetic: str = "exact"  # exact | step | scale
    exclude_outside: bool = False
    cubic_steps: int = 0
    crop: tuple[tuple[float, float], ...] = ()
    outside: float = 0.0


@dataclass(frozen=True, slots=True)
class Slice:
    """A part of the value, one (start, step) a spatial axis; channels from ``first_channel`` on."""

    start: Shape
    step: Shape
    first_channel: int = 0
    channel_step: int = 1


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same numbers in another shape.

    ``aligned``: every spatial position keeps its place (squeeze, channel moves). ``axes``, for a transpose: which
    input axis each output axis is, batchless. ``channels_last``: the framework stores channels last, which is the
    order in which a flatten or reshape reads its numbers.
    """

    function: str
    aligned: bool = False
    axes: tuple[int, ...] = ()
    channels_last: bool = False


@dataclass(frozen=True, slots=True)
class Pointwise:
    """Anything else that works on each position alone: dropout, casts, arithmetic with constants.

    ``axes``, for a reduction (mean, sum, ... over the channels): the batchless input axes that it goes over;
    ``settles_nan``: as for a pooling.
    """

    function: str
    axes: tuple[int, ...] = ()
    settles_nan: bool = True


@dataclass(frozen=True, slots=True)
class Whole:
    """Anything else whose every output can read every position: attention, recurrence, reductions over the map.

    ``axes``, for a reduction: the batchless input axes that it goes over; ``settles_nan``: as for a pooling.
    """

    function: str
    axes: tuple[int, ...] = ()
    settles_nan: bool = True


Operation = (
    Convolution
    | Pooling
    | Normalisation
    | Activation
    | Dense
    | Merge
    | Pad
    | Resize
    | Slice
    | Reshape
    | Pointwise
    | Whole
)


@dataclass(frozen=True, slots=True)
class ReceptiveField:
    """The part of the picture that can reach one value, one entry a spatial axis of the picture.

    The unclipped box of the value at ``index`` goes from pixel ``start + index * stride`` to ``end + index * stride``,
    both inside it (fractions, behind transposed convolutions, are rounded inwards); ``size`` is its length, the largest
    where the values of a layer differ. ``whole``: every value sees the same box. ``exact`` is false where operations
    don't line up and the box is a bound.

    ``axes``: along which batchless axis of the layer ``index`` counts, for each axis of the picture; its spatial axes
    in order where it is empty.
    """

    size: Shape
    stride: tuple[Fraction, ...]
    start: tuple[Fraction, ...]
    end: tuple[Fraction, ...]
    whole: bool = False
    exact: bool = True
    axes: Shape = ()


@dataclass(frozen=True, slots=True)
class Input:
    """One input of the network. ``shape`` is channels first and batchless, ``None`` where the size is free.

    ``layout`` is how the framework wants it: ``channels_first`` or ``channels_last``. ``batch`` is the batch size that
    the model insists on, ``None`` where it is free. ``rank_known`` is false when the model doesn't say its input shape.
    """

    name: str
    shape: FreeShape
    dtype: str = "float32"
    layout: str = "channels_first"
    batch: int | None = None
    rank_known: bool = True


@dataclass(frozen=True, slots=True)
class Layer:
    """One node of the network that a reader would recognise; it makes one array.

    ``name`` is the framework's own path, made unique per call; ``op`` the framework's own word; ``kind`` ours.
    ``inputs`` names the layers and network inputs that it reads. ``parameters`` are counted where they are first used,
    so that the sum over all layers counts shared weights once; ``shares`` names that first layer. ``macs`` and
    ``receptive_field`` are filled by :func:`convlens.geometry.annotate`. ``sums_in`` is the type in which the framework
    adds up, where it is known to be another than ``dtype``. ``drawn``: the run drew these values at random, or numbers
    that they are made with; the next run draws others.
    """

    name: str
    op: str
    kind: Kind
    inputs: tuple[str, ...]
    output_shape: Shape
    operation: Operation | None = None
    parameters: int = 0
    dtype: str = "float32"
    scope: tuple[str, ...] = ()
    shares: str | None = None
    notes: tuple[str, ...] = ()
    macs: int = 0
    receptive_field: ReceptiveField | None = None
    sums_in: str | None = None
    drawn: bool = False

    @property
    def has_kernels(self) -> bool:
        """Whether the layer has kernels to look at: a convolution."""
        return isinstance(self.operation, Convolution)


@dataclass(frozen=True, slots=True)
class Network:
    """Inputs, layers in execution order, and which layers are the outputs.

    ``parameters`` is the framework's own total (Keras ``count_params``, PyTorch ``numel``); it can exceed the sum over
    the layers when the model has weights that this run didn't use. ``sized`` is false where no size of the input is
    known: shapes are empty then, and what follows from them is unknown.

    >>> conv = Layer("conv", "Conv", Kind.CONVOLUTION, ("image",), (3, 1438, 1078), parameters=84)
    >>> network = Network("tutorial", "onnx", (Input("image", (3, 1440, 1080)),), (conv,), ("conv",), 84)
    >>> network["conv"].parameters, len(network), [layer.name for layer in network]
    (84, 1, ['conv'])
    """

    name: str
    engine: str
    inputs: tuple[Input, ...]
    layers: tuple[Layer, ...]
    outputs: tuple[str, ...]
    parameters: int
    notes: tuple[str, ...] = ()
    sized: bool = True
    _by_name: dict[str, Layer] = field(init=False, repr=False, compare=False, hash=False)

    def __post_init__(self) -> None:
        by_name = {layer.name: layer for layer in self.layers}
        if len(by_name) != len(self.layers):
            raise ValueError("layer names must be unique")
        object.__setattr__(self, "_by_name", by_name)

    def __getitem__(self, key: str | int) -> Layer:
        if isinstance(key, int):
            return self.layers[key]
        if key not in self._by_name:
            raise LayerNotFoundError.among(key, self._by_name)
        return self._by_name[key]

    def get(self, name: str) -> Layer | None:
        """The layer of this name, or ``None``."""
        return self._by_name.get(name)

    def upstream(self, name: str) -> tuple[str, ...]:
        """The layers that the values of a layer come from, itself among them, in execution order."""
        wanted = {self[name].name}
        for layer in reversed(self.layers):
            if layer.name in wanted:
                wanted.update(layer.inputs)
        return tuple(layer.name for layer in self.layers if layer.name in wanted)

    @property
    def varying(self) -> frozenset[str]:
        """The layers whose values another run of the same input may make otherwise: those that are drawn at random, and
        all that come from them.

        >>> mask = Layer("mask", "Bernoulli", Kind.OTHER, ("x",), (3,), drawn=True)
        >>> after = Layer("after", "Relu", Kind.ACTIVATION, ("mask",), (3,))
        >>> beside = Layer("beside", "Relu", Kind.ACTIVATION, ("x",), (3,))
        >>> sorted(Network("n", "onnx", (Input("x", (3,)),), (mask, after, beside), ("after",), 0).varying)
        ['after', 'mask']
        """
        found: set[str] = set()
        for layer in self.layers:
            if layer.drawn or not found.isdisjoint(layer.inputs):
                found.add(layer.name)
        return frozenset(found)

    def __repr__(self) -> str:
        count = f"{len(self)} layer{'' if len(self) == 1 else 's'}"
        return f"Network({self.name!r}, {self.engine}: {count}, {self.parameters:,} parameters)"

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __iter__(self) -> Iterator[Layer]:
        return iter(self.layers)

    def __len__(self) -> int:
        return len(self.layers)
