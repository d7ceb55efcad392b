"""The network of one run with its geometry, the numbers behind its facts, and the weights of its layers.

Everything that is said of a run (shapes, multiply-accumulates, receptive fields, derivations, kernels) is asked here,
so that a later run of the same model changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from convlens import derivation, geometry
from convlens.derivation import Worked
from convlens.engines.base import Array, Engine, Trace, TracesWithoutSizes
from convlens.errors import InputError
from convlens.lens import fitting
from convlens.lens.summary import Summary
from convlens.network import Network, Shape


@dataclass(frozen=True)
class TracedNetwork:
    """One trace of an engine, with its geometry. ``input_shapes`` are channels first, without batch axis.

    ``network`` has ``macs`` and ``receptive_field`` filled in; ``trace.network`` hasn't.
    """

    trace: Trace
    network: Network
    input_shapes: Mapping[str, Shape]

    @classmethod
    def of(cls, trace: Trace, input_shapes: Mapping[str, Shape]) -> TracedNetwork:
        """The trace with its geometry worked out."""
        return cls(trace, geometry.annotate(trace.network, input_shapes), input_shapes)

    def noted(self, note: str) -> TracedNetwork:
        """The same with one note more."""
        return replace(self, network=replace(self.network, notes=(*self.network.notes, note)))

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The weights of a layer by role; see :meth:`convlens.engines.base.Trace.weights`."""
        return self.trace.weights(layer)

    def summary(self, *, plumbing: bool = False) -> Summary:
        """Layer, op, output shape, parameters, MACs, receptive field of every layer; prints as a table."""
        return Summary(self.network, plumbing=plumbing, derive=self.derive)

    def derive(self, layers: Iterable[str] | None = None) -> Iterator[Worked]:
        """How the numbers of these layers come about (all by default), in execution order.

        Raises:
            LayerNotFoundError: no such layer; the closest names are given.
            InputError: the network's sizes aren't known.
        """
        if not self.network.sized:
            raise InputError(
                "Sizes are derived from the size of the input, and that isn't known",
                expected="a model that says it, or input_shape=(channels, rows, columns)",
                received="a model that runs at none of the sizes that convlens tried",
                hint="Type --input-shape C,ROWS,COLUMNS, or --picture PICTURE; in Python maps.derive(layer).",
            )
        names = None if layers is None else {self.network[name].name for name in layers}

        def shapes(layer: str) -> dict[str, Shape]:
            return {role: tuple(array.shape) for role, array in self.weights(layer).items()}

        return derivation.derive_all(self.network, names, given=self.input_shapes, weights=shapes)


_KEPT = 8
"""Networks that are remembered, one for each set of input shapes."""


class Traces:
    """The networks of one opened model, by the shapes of its inputs: the last few are remembered.

    ``as_read`` gives the inputs' shapes as networks tell them: channels first, without batch axis. ``layer_names`` are
    those of every path that was seen.
    """

    def __init__(self, engine: Engine, as_read: Callable[[Mapping[str, Shape]], dict[str, Shape]]) -> None:
        self.layer_names: set[str] = set()
        self._engine = engine
        self._as_read = as_read
        self._known: dict[tuple[tuple[str, Shape], ...], TracedNetwork] = {}

    def __len__(self) -> int:
        return len(self._known)

    def at(self, shapes: Mapping[str, Shape]) -> TracedNetwork:
        """The network for inputs of these shapes: batch included, in the framework's own layout.

        Raises:
            InputError: the model can't take such shapes.
        """
        key = tuple(sorted(shapes.items()))
        traced = self._known.pop(key, None)
        if traced is None:
            trace = self._engine.trace(shapes)
            fitting.check(trace.network)
            traced = TracedNetwork.of(trace, self._as_read(shapes))
            self.layer_names.update(layer.name for layer in trace.network)
        self._known[key] = traced  # the last in the row
        if len(self._known) > _KEPT:
            del self._known[next(iter(self._known))]
        return traced

    @property
    def without_sizes(self) -> Callable[[], Trace] | None:
        """The network where no size is known, if the engine can tell it."""
        return self._engine.trace_without_sizes if isinstance(self._engine, TracesWithoutSizes) else None

    def of_run(self, trace: Trace, shapes: Mapping[str, Shape]) -> TracedNetwork:
        """What a run on inputs of these shapes left, with its geometry."""
        self.layer_names.update(layer.name for layer in trace.network)
        known = self._known.get(tuple(sorted(shapes.items())))
        if known is not None and known.trace.network == trace.network:  # the geometry is known
            return replace(known, trace=trace)
        return TracedNetwork.of(trace, self._as_read(shapes))
