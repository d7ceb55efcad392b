"""A lens without its model: what stands beside maps that come from a file. It knows the network, and no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Never, Self

from convlens.engines.base import Array, Feed, Sink, Trace
from convlens.errors import ModelError
from convlens.lens.intake import RecipeSource
from convlens.lens.opened import Lens
from convlens.lens.traced import TracedNetwork
from convlens.network import FreeShape, Input, Kind, Network, Shape
from convlens.pictures import Recipe

UNKNOWN = Input("input", (), rank_known=False)
"""The input of a network in a file that doesn't tell what it read."""


class Absent(Lens):
    """The lens of maps that were opened without their model: network, summary, diagram, labels and recipe are there;
    whatever needs weights or a run raises one error that says how to give the model.

    >>> from convlens.network import Layer
    >>> relu = Layer("relu", "Relu", Kind.ACTIVATION, ("x",), (3, 8, 8))
    >>> lens = Absent(Network("small", "onnx", (Input("x", (3, 8, 8)),), (relu,), ("relu",), 0), Path("maps.npz"))
    >>> lens.network["relu"].output_shape
    (3, 8, 8)
    >>> try:
    ...     lens.weights("relu")
    ... except ModelError as error:
    ...     print(error.hint)
    Type convlens.load('maps.npz', model='MODEL'), or maps.with_model('MODEL').
    """

    def __init__(
        self,
        network: Network,
        path: Path,
        *,
        recipe: Recipe | None = None,
        recipe_source: RecipeSource | None = None,
        labels: Sequence[str] | None = None,
        origins: Mapping[str, Array] | None = None,
    ) -> None:
        saved = SavedTrace(network, path, origins or {})
        super().__init__(_NoEngine(saved), str(path), recipe=recipe, labels=labels)
        self._stated = TracedNetwork(saved, network, {i.name: _known(i.shape) for i in network.inputs})
        self._recipe_source = recipe_source

    @property
    def recipe_source(self) -> RecipeSource:
        """Who chose the recipe of the run that was saved."""
        return self._recipe_source or super().recipe_source

    def __repr__(self) -> str:
        return super().__repr__().replace("Lens(", "Absent(", 1)


@dataclass(frozen=True)
class SavedTrace:
    """The trace of a run that was saved: its network, with its geometry, and of the weights the orders in which layers
    copy values. See :class:`convlens.engines.base.Trace`."""

    network: Network
    path: Path
    origins: Mapping[str, Array]

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Of what copies values the order, which was saved; receptive fields follow it.

        Raises:
            LayerNotFoundError: no such layer.
            ModelError: the layer's weights were not saved.
        """
        if self.network[layer].kind is not Kind.RESHAPE:
            self.refuse()
        return {"origin": self.origins[layer]} if layer in self.origins else {}

    def refuse(self) -> Never:
        """Say that this needs the model."""
        place: Any = self.path.name
        raise ModelError(
            "This needs the model, and only its maps were opened",
            expected=f"the model {self.network.name!r} ({self.network.engine})",
            received=f"{place} alone",
            hint=f"Type convlens.load({place!r}, model='MODEL'), or maps.with_model('MODEL').",
        )


class _NoEngine:
    """An engine that has the facts of one network, and refuses the rest."""

    def __init__(self, saved: SavedTrace) -> None:
        self.name = saved.network.engine
        self._saved = saved

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        raise NotImplementedError("made from a file of maps, by Absent")

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self._saved.network.inputs or (UNKNOWN,)

    @property
    def metadata(self) -> Mapping[str, str]:
        return {}

    def trace(self, shapes: Mapping[str, Shape]) -> Trace:  # noqa: ARG002
        self._saved.refuse()

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> Trace:  # noqa: ARG002
        self._saved.refuse()

    def predict(self, feed: Feed) -> dict[str, Array]:  # noqa: ARG002
        self._saved.refuse()

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:  # noqa: ARG002
        self._saved.refuse()


def _known(shape: FreeShape) -> Shape:
    return tuple(0 if size is None else size for size in shape)
