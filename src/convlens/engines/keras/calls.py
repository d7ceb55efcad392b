"""One call of a layer or operation, as the readers see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import keras  # noqa: TID251

from convlens.engines.keras.layout import channels, our_axis, spatial
from convlens.network import Kind, Operation, Shape

_KERNEL_FUNCTIONS = {"Conv": "kernel", "DepthwiseConv": "kernel", "ConvTranspose": "kernel", "Matmul": "x2"}
_OF_TWO = ("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum", "Power")


class Source(Protocol):
    """What a call reads: an earlier step or a network input."""

    name: str
    shape: Shape
    layout: str


@dataclass(frozen=True)
class Reading:
    """What a call is: kind, typed operation, Keras's own word, remarks."""

    kind: Kind
    operation: Operation | None
    op: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Call:
    """``op`` is the layer or operation; ``part`` names a step inside it (activation, depthwise, pointwise).

    Shapes are the framework's own, with batch axis. ``constant``: the other operand of arithmetic with one, by the side
    it stands on. ``index`` of ``count`` tells several outputs apart.
    """

    op: Any
    inputs: tuple[Any, ...]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    weights: tuple[Any, ...] = ()
    part: str = ""
    constant: Mapping[str, Any] = field(default_factory=dict)
    index: int = 0
    count: int = 1
    output: Shape = ()
    output_layout: str = ""
    batch: int | None = None

    def with_output(self, shape: Shape, layout: str, batch: int | None) -> Call:
        """The call together with what it made."""
        return replace(self, output=shape, output_layout=layout, batch=batch)

    def number(self, index: int, count: int) -> Call:
        """The call seen as the maker of output ``index`` of ``count``; its weights count at the first."""
        return replace(self, index=index, count=count, weights=self.weights if index == 0 else ())

    @property
    def word(self) -> str:
        """The name of the class."""
        return type(self.op).__name__

    @property
    def layout(self) -> str:
        """The layout of the first input, unless the layer states its own."""
        stated = getattr(self.op, "data_format", None)
        if stated in ("channels_last", "channels_first"):
            return str(stated)
        return str(self.inputs[0].layout) if self.inputs else str(keras.config.image_data_format())

    @property
    def input(self) -> Shape:
        """The shape of the first input."""
        return tuple(self.inputs[0].shape) if self.inputs else ()

    @property
    def rank(self) -> int:
        """Axes of the output, batch included."""
        return len(self.output)

    @property
    def before(self) -> Shape:
        """Spatial sizes of the first input."""
        return spatial(self.input, self.layout)

    @property
    def after(self) -> Shape:
        """Spatial sizes of the output."""
        return spatial(self.output, self.layout)

    @property
    def in_channels(self) -> int:
        """Channels of the first input."""
        return channels(self.input, self.layout)

    def axis(self, axis: int) -> int:
        """An axis of the output as a batchless, channels-first one."""
        return our_axis(axis, self.rank, self.layout)

    def argument(self, position: int, name: str, default: Any = None) -> Any:
        """What the call was given at this place or under this name."""
        if len(self.args) > position:
            return self.args[position]
        return self.kwargs.get(name, getattr(self.op, name, default))

    def per_axis(self, value: Any, rank: int, default: int = 1) -> Shape:
        """A setting with one entry a spatial axis."""
        if value is None:
            return (default,) * rank
        if isinstance(value, int):
            return (value,) * rank
        return tuple(int(n) for n in value)

    @property
    def roles(self) -> dict[str, Any]:
        """What a function of ``keras.ops`` was given beside the values of the network, by role."""
        if isinstance(self.op, keras.layers.Layer):
            return {}
        if self.word in _OF_TWO:
            return {**self.constant}
        if self.word not in _KERNEL_FUNCTIONS:
            return {}
        kernel = self.argument(1, _KERNEL_FUNCTIONS[self.word])
        return {"kernel": kernel} if isinstance(kernel, keras.Variable) else {}

    @property
    def merges(self) -> bool:
        """Whether several values of the network meet here."""
        return len(self.inputs) > 1


Reader = Callable[[Call], Reading]


def always(kind: Kind, operation: Operation) -> Reader:
    """A reader for calls that are all alike."""
    return lambda _: Reading(kind, operation)


def snake_case(name: str) -> str:
    """A class name as Keras writes the names of layers.

    >>> snake_case("MaxPooling2D"), snake_case("LeakyReLU")
    ('max_pooling2d', 'leaky_re_lu')
    """
    name = re.sub("(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub("([a-z])([A-Z])", r"\1_\2", name).lower()
