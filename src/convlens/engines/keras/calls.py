"""One call of a layer or operation, as the readers see it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

import keras  # noqa: TID251
import numpy as np

from convlens.arithmetic.operands import role
from convlens.engines.keras.layout import channels, our_axis, spatial
from convlens.network import Kind, Operation, Shape

_KERNEL_FUNCTIONS = {"Conv": "kernel", "DepthwiseConv": "kernel", "ConvTranspose": "kernel"}
OPERANDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("Add", "Subtract", "Multiply", "Divide", "TrueDivide", "Maximum", "Minimum"), ("x1", "x2")),
    **dict.fromkeys(("Power", "Matmul", "Dot"), ("x1", "x2")),
    "Where": ("condition", "x1", "x2"),
    "Concatenate": ("xs",),
    "Stack": ("x",),
}
"""What a function of ``keras.ops`` puts together, in the order of its operands (a list has several); each may be a
constant."""
_MERGING = ("Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum", "Concatenate")
"""Layers that put a list of values together."""


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

    Shapes are the framework's own, with batch axis. ``constants``: the operands that no step made, by their places;
    the inputs stand in the others. ``index`` of ``count`` tells several outputs apart. ``random``: ``drawn`` where the
    call drew at random, ``behind`` where the code around it had.
    """

    op: Any
    inputs: tuple[Any, ...]
    args: tuple[Any, ...]
    kwargs: Mapping[str, Any]
    weights: tuple[Any, ...] = ()
    part: str = ""
    constants: Mapping[int, Any] = field(default_factory=dict)
    index: int = 0
    count: int = 1
    output: Shape = ()
    output_layout: str = ""
    batch: int | None = None
    random: str = ""

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
        if self.word in _KERNEL_FUNCTIONS and not isinstance(self.op, keras.layers.Layer):
            kernel = self.argument(1, _KERNEL_FUNCTIONS[self.word])
            if isinstance(kernel, keras.Variable) and self.inputs:
                return {"kernel": kernel}
        return {role(place): value for place, value in self.constants.items()}

    @property
    def merges(self) -> bool:
        """Whether several values of the network meet here."""
        return len(self.inputs) > 1

    @property
    def operands(self) -> list[tuple[Shape, bool]]:
        """The shape of every operand in its place, and whether it is a constant."""
        inputs = iter(self.inputs)
        count = len(self.inputs) + len(self.constants)
        return [
            (_shape(self.constants[place]), True) if place in self.constants else (tuple(next(inputs).shape), False)
            for place in range(count)
        ]


Reader = Callable[[Call], Reading]


def operands_of(op: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """What a call puts together, in order; empty for one that doesn't."""
    words = [one.__name__ for one in type(op).__mro__ if one.__module__.startswith("keras.")]
    if isinstance(op, keras.layers.Layer):
        listed = args[0] if args and set(_MERGING) & set(words) else ()
        return list(listed) if isinstance(listed, (list, tuple)) else []
    names = next((OPERANDS[word] for word in words if word in OPERANDS), ())
    found: list[Any] = []
    for place, name in enumerate(names):
        value = args[place] if place < len(args) else kwargs.get(name)
        found.extend(value if isinstance(value, (list, tuple)) and len(names) == 1 else [value])
    return [] if any(value is None for value in found) else found


def _shape(value: Any) -> Shape:
    shape = getattr(value, "shape", None)
    return tuple(int(n) for n in (np.shape(value) if shape is None else shape))


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
