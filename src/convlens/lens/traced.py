"""The network of one run with its geometry, the numbers behind its facts, and the weights of its layers.

Everything that is said of a run (shapes, multiply-accumulates, receptive fields, derivations, kernels) is asked here,
so that a later run of the same model changes nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from convlens import derivation, geometry
from convlens.derivation import Worked
from convlens.engines.base import Array, Trace
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
        """
        names = None if layers is None else {self.network[name].name for name in layers}

        def shapes(layer: str) -> dict[str, Shape]:
            return {role: tuple(array.shape) for role, array in self.weights(layer).items()}

        return derivation.derive_all(self.network, names, given=self.input_shapes, weights=shapes)
