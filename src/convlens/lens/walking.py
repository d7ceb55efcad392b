"""One run whose layers come one after the other, for a network whose maps exceed memory."""

from __future__ import annotations

from collections.abc import Callable, Collection, Generator, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from convlens.engines.base import Array, Feed
from convlens.lens import exporting, prediction
from convlens.lens.addressing import check_channel
from convlens.lens.feature_map import FeatureMap
from convlens.lens.intake import RecipeSource
from convlens.lens.maps import run_facts
from convlens.lens.memory import Estimate
from convlens.lens.prediction import Prediction
from convlens.lens.traced import TracedNetwork
from convlens.network import Layer, Network
from convlens.pictures import Picture, Recipe

AT_ONCE = 3
"""Layers whose maps exist at a time: one in the reader's hands, one waiting, one being made."""


class Walk(Iterator[FeatureMap]):
    """An iterator of feature maps. What will come is known before the first: ``layers``, ``picture``, ``recipe`` and
    who chose it (``recipe_source``).

    ``caption`` says in a line how the picture became the input. ``layers`` are those that a blank picture's run makes;
    a model with control flow may take another path. ``prediction`` is there once the class scores have come by. Leave
    early with :meth:`close`, or use it in ``with``.
    """

    def __init__(
        self,
        network: Network,
        wanted: Collection[str] | None,
        made: Generator[tuple[Layer, Array]],
        *,
        picture: Picture | None,
        recipe: Recipe | None,
        labels: Sequence[str] | None,
        budget: int,
        ran: Sequence[TracedNetwork] = (),
        feed: Feed | None = None,
        recipe_source: RecipeSource | None = None,
    ) -> None:
        self.network = network
        self.layers = tuple(layer for layer in network if wanted is None or layer.name in wanted)
        self.picture = picture
        self.recipe = recipe
        self.recipe_source = recipe_source
        self.prediction: Prediction | None = None
        self._wanted = wanted
        self._made = made
        self._labels = labels
        self._budget = budget
        self._ran = ran  # has the network of this run, once that has ended
        self._feed = feed
        self._scores = prediction.class_scores(network)
        self.caption = str(recipe) if recipe is not None else "fed untouched"

    def __next__(self) -> FeatureMap:
        for layer, array in self._made:
            if self._scores is not None and layer.name == self._scores.name:
                self.prediction = prediction.predict(layer, array, self._labels)
            if self._wanted is None or layer.name in self._wanted:
                labels = self._labels if self._scores is not None and layer.name == self._scores.name else None
                return FeatureMap(self.network.get(layer.name) or layer, array, caption=self.caption, labels=labels)
        raise StopIteration

    def save(self, path: str | Path, *, each: Callable[[FeatureMap], None] | None = None, force: bool = False) -> Path:
        """Write the numbers as they come, as ``.npz``, ``.safetensors`` or ``.zarr``; ``each`` is told of every layer.

        ``force`` overwrites a file that convlens didn't write, as for :meth:`FeatureMaps.save`.

        A ``.safetensors`` file begins with all shapes, so that its maps have to fit the memory budget together.

        Raises:
            OutputError: the ending is unknown, something else is there, or the path can't be written; nothing
                half-written remains.
            MemoryBudgetError: ``.safetensors``, and the maps don't fit.
        """
        target = exporting.check(path, force=force)
        if target.suffix == ".safetensors":
            Estimate.of(self.layers).check(self._budget, "Choose layers, or write .npz or .zarr, which can be streamed")
        return exporting.save(_told(self, each), target, self._saved, force=force)

    def _saved(self) -> exporting.Run:
        told: dict[str, Any] = {"picture": self.picture, "recipe": self.recipe, "recipe_source": self.recipe_source}
        told |= {"prediction": self.prediction, "labels": self._labels, "feed": self._feed}
        if not self._ran:
            return exporting.Run(self.network, **told)
        return exporting.Run(self._ran[0].network, weights=self._ran[0].weights, **told)

    def check_channel(self, number: int) -> None:
        """Raise :class:`~convlens.errors.ChannelError` where one of the layers to come doesn't have this channel."""
        for layer in self.layers:
            check_channel(layer.name, layer.output_shape, number)

    def to_dict(self) -> dict[str, Any]:
        """What is run on what, and the prediction once it is there, as plain data."""
        return run_facts(self.network, self.picture, self.recipe, self.prediction, self.recipe_source)

    def close(self) -> None:
        """Stop the run; the model is left as it was found."""
        self._made.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, KeyboardInterrupt):
            with suppress(KeyboardInterrupt):
                self._made.throw(error)
        self.close()

    def __repr__(self) -> str:
        return f"Walk through {self.network.name!r}: {len(self.layers)} of {len(self.network)} layers"


def _told(walk: Walk, each: Callable[[FeatureMap], None] | None) -> Iterator[FeatureMap]:
    for found in walk:
        yield found
        if each is not None:
            each(found)
