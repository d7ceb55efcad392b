"""What an engine must offer: the border between a framework and the rest of convlens.

What crosses it: :class:`~convlens.network.Network` as data, feature maps as float32 NumPy arrays (channels first,
without the batch axis), kernels as (filters, channels per group, rows, columns).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from convlens.network import Input, Layer, Network, Shape

Array = NDArray[Any]
Feed = Mapping[str, Any]
"""Input name -> array or tensor with batch axis, in the framework's own layout and type."""
Sink = Callable[[Layer, Array], None]
"""Receives each kept layer with its array, in execution order. It may raise to stop the run; the model is restored."""


class Trace(Protocol):
    """What one pass through the model left: its network, and the weights of that network's layers.

    It belongs to that pass alone: a later one, at other sizes, on another path, on other values, changes nothing of it.
    """

    @property
    def network(self) -> Network:
        """The layers of this pass. ``macs`` and ``receptive_field`` are left empty; the geometry fills them."""

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The effective weights of a layer of this network, float32, by role.

        ``kernel`` (filters, channels per group, *kernel_size), ``bias`` (filters,); ``weight`` (out, in) for dense;
        ``mean``, ``variance``, ``scale``, ``shift`` for normalisations; ``slope`` for PReLU; ``origin`` for operators
        that copy values in an order of their own: for each output value the number of its input value, both counted
        channels first. Missing roles are absent.

        ``operand0``, ``operand1``, ...: the constants among what an operation puts together (arithmetic,
        concatenations, products of matrices, ...), each by its place among all operands, channels first and without
        batch axis, as it is joined or broadcast with the others. ``Layer.inputs`` name what is computed, in order; they
        fill the other places. A constant that can't be told (another for each item of a batch, say) is absent, and the
        layer isn't explained then.

        What the pass itself computed (an order, a constant of these sizes) is this pass's; the numbers of the model's
        own parameters are those that it has now.

        Raises:
            LayerNotFoundError: this network has no such layer.
        """


class Engine(Protocol):
    """One opened model of one framework. It leaves the model as it found it, and remembers no pass but in what the
    pass returned: a :class:`Trace`."""

    name: str

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        """Open ``model``: a path with one of the registry row's suffixes, or a live model of the framework.

        ``input_shape`` (channels first, no batch) answers for a model that doesn't state its own.

        Raises:
            ModelError: the file isn't what its suffix says, is broken, or needs something that isn't there.
            UntrustedModelError: opening would run code from the file and ``trust`` is false.
        """

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads, as far as the model says it."""

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts that the file states about itself, as text: producer, preprocessing."""

    def trace(self, shapes: Mapping[str, Shape]) -> Trace:
        """The network for inputs of these shapes (batch included, framework's own layout). Keeps no maps."""

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> Trace:
        """One forward pass; every layer named in ``keep`` (``None``: all) goes to ``sink`` as soon as it is known.

        Arrays are channels first, in float32 (integers and booleans too), and own their memory or are views of memory
        that nobody writes to later; they may be non-contiguous. For a batch of one they have no batch axis; a batch
        of several keeps it in front. A batch that the model insists on is filled up with copies, and still counts as
        the one picture that was fed. Returns the trace of this very run: with dynamic control flow, of the path taken.
        """

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass of the untouched model at its fastest setting: output name -> array."""

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:
        """By how much each value of the inputs moves one value of a layer: the derivative at this feed.

        ``index`` is channels first, without batch axis; of a batch the first item's value is meant. Returns an array
        like the input, in the framework's own layout with batch axis, float32, for each input of real numbers; ``None``
        where the framework differentiates nothing, or not this value.
        """


@runtime_checkable
class TracesWithoutSizes(Protocol):
    """What an engine may offer besides: the network of a model that runs at no size that could be guessed."""

    def trace_without_sizes(self) -> Trace:
        """Layers with their names, operators, parameters and edges, and the kernels of convolutions. Its network says
        ``sized=False``; its shapes are empty."""


class Training(Protocol):
    """What an engine's module ``training`` offers: the weights of a live model, and the model with others."""

    def weights_of(self, model: Any) -> dict[str, Array]:
        """Every weight by name, copied; the model may be in the middle of its training."""

    def with_weights(self, model: Any, weights: Mapping[str, Array]) -> Any:
        """A copy of the model that holds ``weights``, which :meth:`weights_of` gave; the model stays as it is.

        Raises:
            ModelError: the model can't be copied, or these are another model's weights.
        """


def as_float32(array: Array) -> Array:
    """The array in float32, without a copy where it already is."""
    return array if array.dtype == np.float32 else array.astype(np.float32)
