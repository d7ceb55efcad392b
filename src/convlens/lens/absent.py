"""A lens without its model: what stands beside maps that come from a file. It knows the network, and no weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Never, Self

from convlens.engines.base import Array, Feed, Sink
from convlens.errors import ModelError
from convlens.lens.intake import RecipeSource
from convlens.lens.opened import Lens
from convlens.network import Input, Kind, Network, Shape
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
        super().__init__(_NoEngine(network, path, origins or {}), str(path), recipe=recipe, labels=labels)
        self._network = network
        self._recipe_source = recipe_source

    @property
    def recipe_source(self) -> RecipeSource:
        """Who chose the recipe of the run that was saved."""
        return self._recipe_source or super().recipe_source

    def __repr__(self) -> str:
        return super().__repr__().replace("Lens(", "Absent(", 1)


class _NoEngine:
    """An engine that has the facts of one network, and refuses the rest."""

    def __init__(self, network: Network, path: Path, origins: Mapping[str, Array]) -> None:
        self.name = network.engine
        self._network = network
        self._path = path
        self._origins = origins

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        raise NotImplementedError("made from a file of maps, by Absent")

    @property
    def inputs(self) -> tuple[Input, ...]:
        return self._network.inputs or (UNKNOWN,)

    @property
    def metadata(self) -> Mapping[str, str]:
        return {}

    def trace(self, shapes: Mapping[str, Shape]) -> Network:  # noqa: ARG002
        self._refuse()

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> Network:  # noqa: ARG002
        self._refuse()

    def predict(self, feed: Feed) -> dict[str, Array]:  # noqa: ARG002
        self._refuse()

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:  # noqa: ARG002
        self._refuse()

    def weights(self, layer: str) -> Mapping[str, Array]:
        """Of what copies values the order, which was saved; receptive fields follow it."""
        found = self._network[layer]
        if found.kind is not Kind.RESHAPE:
            self._refuse()
        return {"origin": self._origins[layer]} if layer in self._origins else {}

    def _refuse(self) -> Never:
        place: Any = self._path.name
        raise ModelError(
            "This needs the model, and only its maps were opened",
            expected=f"the model {self._network.name!r} ({self.name})",
            received=f"{place} alone",
            hint=f"Type convlens.load({place!r}, model='MODEL'), or maps.with_model('MODEL').",
        )
