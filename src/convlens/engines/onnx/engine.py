"""The engine itself: what :class:`convlens.engines.base.Engine` asks for, from the parts of this package."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import prod
from typing import Any, Self, TypeVar
from zlib import crc32

import numpy as np
import onnx
from onnx import helper

from convlens import memory
from convlens.engines.base import Array, Feed, Sink
from convlens.engines.onnx import feeding
from convlens.engines.onnx.constants import Constants
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.layers import LayerBuilder
from convlens.engines.onnx.layouts import channels_last_inputs
from convlens.engines.onnx.reading import Source, read
from convlens.engines.onnx.running import RefusedError, Runner, reason, to_array
from convlens.engines.onnx.shapes import Value, infer
from convlens.engines.onnx.trace import OnnxTrace
from convlens.engines.onnx.walking import PIECE, Walker
from convlens.errors import ConvlensError, InputError, ModelError
from convlens.network import Convolution, Input, Shape

Shapes = Mapping[str, Shape]
Item = TypeVar("Item")


class OnnxEngine:
    """One opened ONNX model. The file, or the live ``ModelProto``, is never changed."""

    name = "onnx"

    def __init__(self, source: Source) -> None:
        self._source = source
        self._graph = Graph(source.proto)
        self._constants = Constants(source, self._graph)
        self._slots = feeding.slots(self._graph, channels_last_inputs(self._graph, self._constants))
        self._traced: tuple[object, OnnxTrace] | None = None  # the last one, under what it depends on
        self._sizes_follow_values = False
        self._walker: tuple[object, Walker] | None = None
        self._plain: Runner | None = None
        small = any(slot.smaller_than_a_byte for slot in self._slots)
        self._refusal = "inputs whose numbers share a byte" if small else ""
        self.piece_bytes = PIECE

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:  # noqa: ARG003
        """Open a path ending in .onnx or a live ``onnx.ModelProto``.

        ``trust`` changes nothing: an ONNX file holds no code. ``input_shape`` (channels first, no batch) is taken for a
        first input whose file doesn't state its shape.

        Raises:
            ModelError: the file is missing, broken or not ONNX; weights are missing; the graph is not one to run.
        """
        engine = cls(read(model))
        if input_shape is not None:
            engine._assume(input_shape)
        return engine

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads, as far as the file says it."""
        return tuple(slot.as_input() for slot in self._slots)

    @property
    def metadata(self) -> Mapping[str, str]:
        """Facts that the file states about itself: producer, opset, and its metadata properties under their names."""
        return self._graph.metadata()

    def trace(self, shapes: Shapes) -> OnnxTrace:
        """The network for inputs of these shapes (batch included, the file's own layout).

        Sizes come from ONNX's shape inference; where that can't tell, from a run on zeros.

        Raises:
            InputError: shapes that the network can't take.
            ModelError: a model that neither ONNX Runtime nor the reference evaluator can run.
        """
        return self._trace(feeding.bind(self._slots, shapes), None)

    def trace_without_sizes(self) -> OnnxTrace:
        """The network where no size of the input is known: names, operators, parameters, edges and the kernels of
        convolutions; no shapes. See :class:`convlens.engines.base.TracesWithoutSizes`."""
        names = [*(slot.name for slot in self._slots), *self._graph.layers]
        stand_in = Value(onnx.TensorProto.FLOAT, (1, 1, 1, 1))  # what follows from it is taken out again below
        shapes = {slot.name: (1, *(size or 1 for size in (slot.sizes or ())[1:])) for slot in self._slots}
        trace = self._described(shapes, dict.fromkeys(names, stand_in), {})
        layers = tuple(
            replace(one, output_shape=(), notes=(), operation=one.operation if one.has_kernels else None)
            for one in trace.network
        )
        network = replace(trace.network, layers=layers, inputs=self.inputs, sized=False)
        return replace(trace, network=network)

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> OnnxTrace:
        """One forward pass; every layer in ``keep`` (``None``: all) goes to ``sink``, in the order of the file.

        Only what the kept layers need is computed, in pieces: a sink that drops its arrays bounds the memory.
        """
        batch = _batch_of(feed)
        arrays = feeding.arrays(self._slots, feed)
        traced, walker = self._ready(arrays, keep)
        filled = _batch_of(arrays) != batch
        for value, array in _told(walker.walk(arrays), arrays):
            if array.shape != traced.values[value].shape:
                traced = self._with_size(traced, value, array.shape)
            layer = traced.network[self._graph.layers[value]]
            sink(layer, traced.presentations[value].array(array, own=filled))
            del array
        return replace(traced, fed={n: a for n, a in arrays.items() if n in self._weight_inputs()})

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass of the untouched model, at the runtime's fastest setting."""
        batch = _batch_of(feed)
        arrays = feeding.arrays(self._slots, feed)
        filled = _batch_of(arrays) != batch
        runner = self._plain_runner()
        traced = self._trace({n: a.shape for n, a in arrays.items()}, arrays)
        outputs = [o for o in self._graph.outputs if o in traced.presentations]
        found = _told(runner.run_plain(arrays, outputs), arrays)
        return {self._graph.layers[o]: traced.presentations[o].array(np.asarray(a), own=filled) for o, a in found}

    def gradient(self, feed: Feed, layer: str, index: Shape) -> None:
        """Nothing: ONNX Runtime's inference doesn't differentiate."""

    def _weight_inputs(self) -> frozenset[str]:
        """Inputs that stand where an operator has its weights: not the picture."""
        return frozenset(name for node in self._graph.nodes for name in node.input[1:])

    def _assume(self, input_shape: Shape) -> None:
        first, *rest = self._slots
        if first.sizes is None:
            order = (*input_shape[1:], input_shape[0]) if first.channels_last else input_shape
            self._slots = (feeding.Slot(first.name, first.element, (None, *order), first.channels_last), *rest)

    def _trace(self, shapes: dict[str, Shape], feed: dict[str, Array] | None) -> OnnxTrace:
        if self._traced is not None and self._traced[0] == (shapes, self._values_that_matter(feed)):
            return self._traced[1]
        bound = {slot.name: Value(slot.element, shapes[slot.name]) for slot in self._slots}
        try:
            values = infer(self._graph, bound)
        except UnicodeDecodeError as error:  # protobuf decodes a text when it is asked for
            raise ModelError(
                "This file is not an ONNX model, or only a part of one",
                expected="names in UTF-8",
                received=reason(error),
                hint="Download or export it again.",
            ) from error
        unknown = [v for v in self._graph.layers if v not in values]
        sizes: dict[str, Array] = {}
        if unknown:
            self._sizes_follow_values = True
            values |= self._measured(bound, feed, unknown, sizes)
        sizes |= self._constants.sizes(values)
        trace = self._described(shapes, values, sizes)
        self._traced = (shapes, self._values_that_matter(feed)), trace
        return trace

    def _values_that_matter(self, feed: dict[str, Array] | None) -> object:
        """What sizes depend on beside the inputs' shapes: nothing, or, where inference can't tell, the very values."""
        if not self._sizes_follow_values or feed is None:
            return None
        return [(name, crc32(np.ascontiguousarray(a).reshape(-1).view(np.uint8).data)) for name, a in feed.items()]

    def _described(self, shapes: dict[str, Shape], values: dict[str, Value], sizes: dict[str, Array]) -> OnnxTrace:
        first = next(iter(shapes.values()), ())
        last = frozenset(slot.name for slot in self._slots if slot.channels_last)
        builder = LayerBuilder(self._graph, self._constants, values, sizes, last, first[0] if first else 1)
        inputs = tuple(slot.as_input(shapes[slot.name]) for slot in self._slots)
        try:
            network = builder.network(self._source.name, inputs, self._notes())
        except (TypeError, ValueError, LookupError, AttributeError, ArithmeticError) as error:
            # attributes of another type than their operator has: no such file was ever run
            raise ModelError(
                "This ONNX model has an operator whose settings can't be read",
                expected="attributes as the ONNX operator specification has them",
                received=reason(error),
                hint="Download or export it again.",
            ) from error
        for layer in network:
            made = layer.operation
            if isinstance(made, Convolution) and min(made.groups, *made.stride, *made.dilation, *made.kernel_size) < 1:
                raise ModelError(
                    f"The convolution {layer.name} of this model is damaged",
                    expected="groups, strides, dilations and a kernel from 1",
                    received=f"groups {made.groups}, strides {made.stride}, dilations {made.dilation}, "
                    f"kernel {made.kernel_size}",
                )
        return OnnxTrace(network, shapes, values, builder.presentations, builder.calls, self._graph, self._constants)

    def _with_size(self, trace: OnnxTrace, value: str, shape: Shape) -> OnnxTrace:
        """The same with a size that only the real run could tell."""
        values = trace.values | {value: Value(trace.values[value].element, shape)}
        return self._described(trace.shapes, values, self._constants.sizes(values))

    def _notes(self) -> tuple[str, ...]:
        if not self._refusal:
            return ()
        return (f"Run by ONNX's reference evaluator, slowly, since ONNX Runtime refuses: {self._refusal}",)

    def _measured(
        self, bound: dict[str, Value], feed: dict[str, Array] | None, unknown: list[str], sizes: dict[str, Array]
    ) -> dict[str, Value]:
        """Types and sizes that inference couldn't tell, from a run on the feed, or on zeros.

        What is no tensor stays absent. ``sizes`` receives what the plumbing gave.
        """
        if feed is None:
            memory.check(4 * sum(prod(v.shape) for v in bound.values()), "The network's input")
            feed = {n: np.zeros(v.shape, helper.tensor_dtype_to_np_dtype(v.element)) for n, v in bound.items()}
        walker = self._loaded(unknown, bound, self.piece_bytes)
        found = {}
        for value, made in _told(walker.raw(feed), feed):
            seen = _value_of(made)
            if seen is None:
                continue
            found[value] = seen
            if self._graph.maker[value] in self._graph.plumbing:
                sizes[value] = to_array(made)
        return found

    def _ready(self, arrays: dict[str, Array], keep: frozenset[str] | None) -> tuple[OnnxTrace, Walker]:
        """What is known for these inputs, and the pieces that make what is kept; the last ones are used again."""
        shapes = {n: a.shape for n, a in arrays.items()}
        while True:
            refusal = self._refusal
            traced = self._trace(shapes, arrays)
            layers = self._graph.layers
            wanted = [v for v in traced.presentations if keep is None or layers[v] in keep]
            budget = memory.present()
            limit = self.piece_bytes if budget is None else min(self.piece_bytes, max(budget, 1))
            key = (wanted, shapes, limit)
            if self._walker is None or self._walker[0] != key:
                self._walker = None  # the old pieces' memory goes before the new ones' comes
                walker = self._loaded(wanted, traced.values, limit)
                if self._refusal != refusal:
                    continue  # the network's notes say from now on who runs it
                self._walker = (key, walker)
            return traced, self._walker[1]

    def _loaded(self, wanted: list[str], values: dict[str, Value], limit: int) -> Walker:
        def load() -> Walker:
            reference = bool(self._refusal)
            return Walker(self._source, self._graph, wanted, values, reference=reference, limit=limit)

        try:
            return load()
        except RefusedError as refused:
            self._refuse(str(refused))
            return self._loaded(wanted, values, limit)  # a second refusal is the last word: see _refuse

    def _plain_runner(self) -> Runner:
        if self._plain is None:
            live, path = self._source.live, self._source.path
            model = str(path) if path else live
            assert model is not None
            try:
                self._plain = Runner(model, self._source, reference=bool(self._refusal), plain=True)
            except RefusedError as refused:
                self._refuse(str(refused))
                return self._plain_runner()
        return self._plain

    def _refuse(self, text: str) -> None:
        """Go on with the reference evaluator, or say why nothing can run this model."""
        if self._refusal:
            versions = ", ".join(f"{domain} {version}" for domain, version in self._graph.opsets.items())
            raise ModelError(
                "Neither ONNX Runtime nor ONNX's reference evaluator can run this model",
                expected="operators and versions that the installed packages know",
                received=f"opset {versions}, IR version {self._graph.proto.ir_version} ({text})",
                hint="Type: pip install -U onnxruntime onnx",
            ) from None
        self._refusal, self._traced, self._walker, self._plain = text, None, None, None


def _told(items: Iterator[Item], arrays: Mapping[str, Array]) -> Iterator[Item]:
    """The items; what the runtime raises becomes one line that names what was fed."""
    while True:
        try:
            item = next(items)
        except StopIteration:
            return
        except (ConvlensError, RefusedError):
            raise
        except Exception as error:
            fed = ", ".join(f"{n!r} {a.shape} {a.dtype}" for n, a in arrays.items())
            raise InputError(
                "The network can't be run on this input",
                expected="shapes that fit through every layer",
                received=f"{fed} ({reason(error)})",
            ) from None
        yield item
        del item


def _batch_of(feed: Mapping[str, Any]) -> int:
    first = next(iter(feed.values()), None)
    shape = getattr(first, "shape", None)
    return int(shape[0]) if shape else 1


def _value_of(made: Any) -> Value | None:
    """Type and size of what a run gave; ``None`` for sequences, maps and text."""
    if hasattr(made, "is_tensor"):
        known = made.is_tensor() and made.element_type() != onnx.TensorProto.STRING
        return Value(made.element_type(), tuple(made.shape())) if known else None
    if isinstance(made, np.ndarray) and made.dtype.kind in "fiubV":
        return Value(helper.np_dtype_to_tensor_dtype(made.dtype), made.shape)
    return None
