"""Lens: an opened model. Everything that a host offers goes through here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import PurePath
from typing import Any

from convlens import draw
from convlens.derivation import Worked
from convlens.engines.base import Array, Engine, Feed, Sink, Trace
from convlens.errors import InputError
from convlens.lens import addressing, guessing, many, prediction, stream
from convlens.lens import memory as memory_budget
from convlens.lens.arguments import checked_methods
from convlens.lens.explanation import Explanation
from convlens.lens.intake import Intake, Prepared, RecipeSource
from convlens.lens.kernels import Kernels, kernels_of
from convlens.lens.maps import FeatureMaps
from convlens.lens.showing import Shows
from convlens.lens.summary import Summary
from convlens.lens.traced import TracedNetwork, Traces
from convlens.lens.walking import AT_ONCE, Walk
from convlens.network import FreeShape, Input, Layer, Network, Shape
from convlens.pictures import Recipe


@checked_methods
class Lens(Shows):
    """An opened model.

    ``model`` is what was opened. ``network`` is the model as data, for the sizes that it states. What a run made stays
    with that run: see :class:`FeatureMaps`.
    """

    def __init__(
        self,
        engine: Engine,
        model: object,
        *,
        input_shape: FreeShape | None = None,
        recipe: Recipe | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.model = model
        self.labels = labels
        self._engine = engine
        self._intake = Intake(engine, input_shape, recipe)
        self._stated: TracedNetwork | None = None  # at the sizes that the model states; decided once, never changed
        self._traces = Traces(engine, self._intake.as_read)

    @property
    def engine(self) -> str:
        """The engine's name: onnx, keras or torch."""
        return self._engine.name

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads, as far as the model says it."""
        return self._engine.inputs

    @property
    def recipe(self) -> Recipe:
        """How a picture becomes the input when a run names no recipe of its own."""
        return self._intake.recipe

    @property
    def recipe_source(self) -> RecipeSource:
        """Where ``recipe`` comes from: ``"given"``, ``"stated by the model"``, or ``"default"``, which is a guess."""
        return self._intake.recipe_source

    @property
    def network(self) -> Network:
        """The model as data, at the sizes that it states; the network of a run is that of its ``FeatureMaps``.

        Sizes that the model leaves free are guessed, and the network's notes say so. Where it says nothing of its
        input, they are those of the first picture.

        Raises:
            InputError: the model doesn't say its input shape, and no picture has told it yet.
        """
        return self.stated.network

    @property
    def stated(self) -> TracedNetwork:
        """:attr:`network` with what its derivations, weights and kernels are worked out from."""
        if self._stated is None:
            self._stated = guessing.described(self._intake, self._traces.at, self._traces.without_sizes)
        return self._stated

    def summary(self, *, plumbing: bool = False) -> Summary:
        """Layer, op, output shape, parameters, MACs, receptive field of every layer; prints as a table."""
        return self.stated.summary(plumbing=plumbing)

    def derive(self, layer: str) -> Worked:
        """How the numbers of a layer come about, formula by formula: sizes, parameters, MACs, memory.

        Prints as text, shows itself as formulas in a notebook; ``.latex`` is for a paper.

        Raises:
            LayerNotFoundError: no such layer; the closest names are given.

        >>> import convlens
        >>> worked = convlens.sketch("conv 3 3x3", input_shape=(3, 1440, 1080)).derive("conv")
        >>> print(worked["rows"]), print(worked["parameters"])
        rows: floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438
        parameters: 3*3*3*3 + 3 = 84
        (None, None)
        """
        return self.derive_all([layer])[0]

    def derive_all(self, layers: Iterable[str] | None = None) -> tuple[Worked, ...]:
        """:meth:`derive` for several layers, in execution order; all by default."""
        return tuple(self.stated.derive(layers))

    def kernels(self, layer: str | None = None) -> Kernels:
        """The kernels of a convolution, the first one by default.

        Raises:
            LayerNotFoundError: no such layer; the closest names are given.
            ConvlensError: the layer has no kernels.
        """
        return kernels_of(self.stated, layer, self)

    def feature_maps(
        self,
        picture: object,
        *,
        layers: Iterable[str] | None = None,
        recipe: Recipe | str | None = None,
        memory: str | int | None = None,
        each: Sink | None = None,
    ) -> FeatureMaps:
        """One forward pass: every layer's maps, or those of ``layers``, by layer name.

        Args:
            picture: a path, a PIL image or a uint8 array (rows, columns, channels), prepared by the recipe; or, fed
                untouched, a float array or tensor in the framework's own layout (batch axis optional), a dict by
                input name, or the path of an .npy or .npz file with such arrays.
            layers: names of the layers to keep; all by default.
            recipe: how the picture becomes the input, for this run.
            memory: the most that the maps may take, such as ``"4GB"``; half of the free memory by default.
            each: told of every layer and its array as soon as they are known; it may raise to stop the run.

        Raises:
            PictureError, InputError, LayerNotFoundError, MemoryBudgetError
        """
        budget = memory_budget.parse(memory)
        prepared = self._intake.prepared(picture, recipe, _asked(memory))
        many.check_single(prepared[2])
        chosen = None if layers is None else _listed(layers)
        ran, arrays = self._captured(prepared[2], chosen, budget, each=each)
        return self._told(ran, arrays, chosen, prepared, self._source(recipe), _asked(memory))

    def feature_maps_of(
        self,
        pictures: Iterable[object],
        *,
        batch: int = 16,
        layers: Iterable[str] | None = None,
        recipe: Recipe | str | None = None,
        memory: str | int | None = None,
    ) -> Iterator[FeatureMaps]:
        """The maps of many pictures, one :class:`FeatureMaps` each, as they come; for folders of any length.

        Args:
            pictures: paths, images or arrays, or one array whose first axis is the batch.
            batch: how many the network sees at a time, where it takes several of one size.
            layers, recipe, memory: as for :meth:`feature_maps`; ``memory`` is for a whole batch.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 8, 8))
        >>> pictures = [np.full((8, 8, 3), grey, np.uint8) for grey in (0, 100, 200)]
        >>> [maps["relu"].shape for maps in lens.feature_maps_of(pictures, layers=["relu"])]
        [(2, 6, 6), (2, 6, 6), (2, 6, 6)]
        """
        many.check_batch(batch)
        fixed = any(given.batch is not None for given in self.inputs)
        chosen = None if layers is None else _listed(layers)
        budget = memory_budget.parse(memory)
        prepared = (self._intake.prepared(one, recipe, _asked(memory)) for one in many.items(pictures))
        for together in many.in_batches(prepared, 1 if fixed else batch):
            ran, arrays = self._captured(many.joined(together), chosen, budget)
            for number, one in enumerate(together):
                own = {
                    name: many.item(ran.network[name], array, number, len(together)) for name, array in arrays.items()
                }
                yield self._told(ran, own, chosen, one, self._source(recipe), _asked(memory))

    def explain(
        self,
        picture: object,
        layer: str,
        channel: int = 0,
        place: Sequence[int] = (),
        *,
        trace: bool = False,
        recipe: Recipe | str | None = None,
        memory: str | int | None = None,
    ) -> Explanation:
        """How one value came about, without keeping all maps: a run that keeps the layers that this takes alone.

        Args:
            picture: as for :meth:`feature_maps`.
            layer, channel: where the value stands.
            place: (row, column); (depth, row, column) in 3-D, (column,) in 1-D, nothing for a vector.
            trace: keep all that is needed to follow the value back to the picture.
            recipe, memory: as for :meth:`feature_maps`.

        Raises:
            LayerNotFoundError, ChannelError, InputError: before the run.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3 | relu", input_shape=(3, 8, 8), seed=0)
        >>> lens.explain(np.full((8, 8, 3), 100, np.uint8), "conv", 0, (2, 3)).agrees
        True
        """
        budget = memory_budget.parse(memory)
        prepared = self._intake.prepared(picture, recipe, _asked(memory))
        many.check_single(prepared[2])
        network = self._traces.at(_shapes(prepared[2])).network
        found = network[layer]
        named = addressing.in_order(layer, found.output_shape, place)
        index = addressing.address(layer, found.output_shape, channel, named)
        keep = list(network.upstream(layer)) if trace else [layer, *(name for name in found.inputs if name in network)]
        ran, arrays = self._captured(prepared[2], keep, budget, with_scores=False)
        return self._told(ran, arrays, keep, prepared, self._source(recipe), _asked(memory)).explain(layer, index)

    def walk(
        self,
        picture: object,
        *,
        layers: Iterable[str] | None = None,
        recipe: Recipe | str | None = None,
        memory: str | int | None = None,
    ) -> Walk:
        """The maps one layer after the other, so that a network whose maps exceed memory can still be walked.

        At most three layers' maps exist at a time: one in your hands, one waiting, one being made. ``memory`` is the
        most that they may take together.

        Raises:
            PictureError, InputError, LayerNotFoundError, MemoryBudgetError: before the run.
        """
        budget = memory_budget.parse(memory)
        shown, used, feed = self._intake.prepared(picture, recipe, _asked(memory))
        network = self._traces.at(_shapes(feed)).network
        prediction.check_labels(network, self.labels)
        wanted = None if layers is None else self._chosen(network, list(layers), with_scores=False)
        keep = self._chosen(network, wanted)
        estimate = memory_budget.Estimate.walking(_kept(network, keep), AT_ONCE, self._items(feed))
        estimate.check(budget, "Choose layers, or take a smaller picture")
        ran: list[TracedNetwork] = []
        made = stream.one_by_one(lambda sink: ran.append(self._run(feed, keep, sink, budget - estimate.total)))
        told: dict[str, Any] = {"picture": shown, "recipe": used, "recipe_source": self._source(recipe)}
        return Walk(network, wanted, made, ran=ran, feed=feed, labels=self.labels, budget=budget, **told)

    def traced(self, picture: object, *, recipe: Recipe | str | None = None) -> TracedNetwork:
        """The network for this picture before it runs: a model with control flow may take another path than a blank
        picture of the same size, so that the run's own network has the last word."""
        _, _, feed = self._intake.prepared(picture, recipe)
        return self._traces.at(_shapes(feed))

    def estimate(
        self, picture: object, *, layers: Iterable[str] | None = None, recipe: Recipe | str | None = None
    ) -> memory_budget.Estimate:
        """How much memory the maps will take, before any of them is made."""
        _, _, feed = self._intake.prepared(picture, recipe)
        network = self._traces.at(_shapes(feed)).network
        kept = _kept(network, self._chosen(network, layers, with_scores=False))
        return memory_budget.Estimate.of(kept, self._items(feed))

    def __repr__(self) -> str:
        if self._stated is None and not self._intake.sizes_are_free and self._traces:
            return self._summary_line(self.stated)  # known already, from a run at these sizes
        if self._stated is None:
            inputs = ", ".join(_in_words(given) for given in self._intake.inputs)
            return f"Lens({_name(self.model)!r}, {self.engine}, reads {inputs})"
        return self._summary_line(self._stated)

    def _summary_line(self, traced: TracedNetwork) -> str:
        return f"Lens({traced.network.name!r}, {self.engine}: {traced.summary().totals()})"

    def _repr_html_(self) -> str:
        try:
            return self.summary()._repr_html_()
        except InputError as unknown:  # a notebook that only shows the lens isn't asking for anything that could fail
            return f"<p>{escape(repr(self))}</p><p>{escape(unknown.problem)}. {escape(unknown.hint)}</p>"

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass of the untouched model: output layer name -> array, channels first, without batch
        axis."""
        return self._engine.predict(feed)

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The effective weights of a layer of :attr:`network` as they are now, float32, by role; see
        ``engines.base.Trace.weights``. Those of a run's network are ``maps.weights(layer)``."""
        return self.stated.weights(layer)

    def capture(self, feed: Feed, layers: Iterable[str]) -> dict[str, Array]:
        """Run once more and keep the arrays of these layers."""
        return self._rerun(feed, layers)[1]

    def _rerun(self, feed: Feed, layers: Iterable[str], budget: int | None = None) -> tuple[Trace, dict[str, Array]]:
        """:meth:`capture` with the trace of that run. ``budget``: bytes that the run may make at a time."""
        arrays: dict[str, Array] = {}
        with memory_budget.within(budget):
            trace = self._engine.run(feed, frozenset(layers), lambda layer, array: arrays.update({layer.name: array}))
        return trace, arrays

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:
        """By how much each input value moves one value of a layer; ``None`` where the framework can't tell.

        See ``engines.base.Engine.gradient``; an engine that doesn't know the method can't tell either.
        """
        differentiate = getattr(self._engine, "gradient", None)
        found: dict[str, Array] | None = None if differentiate is None else differentiate(feed, layer, index)
        return found

    def as_input(self, name: str, value: Any) -> Array:
        """What an input was fed with, as everything else is shown: float32, channels first, without batch axis."""
        return self._intake.as_input(name, value)

    def diagram(self) -> str:
        """The network drawn as an SVG: layers as nodes, branches and residuals as edges with their shapes."""
        return draw.diagram_svg(self.network)

    def _captured(
        self,
        feed: Feed,
        layers: list[str] | None,
        budget: int,
        *,
        with_scores: bool = True,
        each: Sink | None = None,
    ) -> tuple[TracedNetwork, dict[str, Array]]:
        """One run within the memory budget: its network, and the arrays of these layers and of the class scores."""
        network = self._traces.at(_shapes(feed)).network
        prediction.check_labels(network, self.labels)
        keep = self._chosen(network, layers, with_scores=with_scores)
        items = self._items(feed)
        memory_budget.Estimate.of(_kept(network, keep), items).check(budget)
        arrays: dict[str, Array] = {}
        kept: list[Layer] = []

        def sink(layer: Layer, array: Array) -> None:
            kept.append(layer)
            if layer.name not in network:  # control flow took another path than the blank picture's: count as it goes
                memory_budget.Estimate.of(kept, items).check(budget)
            arrays[layer.name] = array
            if each is not None:
                each(layer, array)

        return self._run(feed, keep, sink, budget), arrays

    def _items(self, feed: Feed) -> int:
        """Of how many pictures the model makes maps at a time: of those that are fed, or as many as it insists on."""
        fed = max((shape[0] for shape in _shapes(feed).values() if shape), default=1)
        return max(1, fed, *(given.batch or 1 for given in self._engine.inputs))

    def _told(
        self,
        ran: TracedNetwork,
        arrays: dict[str, Array],
        layers: list[str] | None,
        prepared: Prepared,
        source: RecipeSource,
        budget: int | None = None,
    ) -> FeatureMaps:
        """What a run made of one picture, with the network's answer; scores that weren't asked for are let go."""
        scores = prediction.class_scores(ran.network)
        answer = None
        if scores is not None and scores.name in arrays:
            answer = prediction.predict(scores, arrays[scores.name], self.labels)
            if layers is not None and scores.name not in layers:
                del arrays[scores.name]
        picture, recipe, feed = prepared
        return FeatureMaps(
            self,
            ran,
            arrays,
            picture=picture,
            recipe=recipe,
            feed=feed,
            prediction=answer,
            recipe_source=source,
            budget=budget,
        )

    def _source(self, recipe: Recipe | str | None) -> RecipeSource:
        return "given" if recipe is not None else self.recipe_source

    def _run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink, budget: int) -> TracedNetwork:
        with memory_budget.within(budget):
            trace = self._engine.run(feed, keep, sink)
        ran = self._traces.of_run(trace, _shapes(feed))
        if self._stated is None and not self._intake.shape_is_stated:
            self._stated = ran.noted("the model states no input shape; these are the sizes of its first picture")
        return ran

    def _chosen(
        self, network: Network, layers: Iterable[str] | None, *, with_scores: bool = True
    ) -> frozenset[str] | None:
        if layers is None:
            return None
        if isinstance(layers, str):
            layers = [layers]
        # A model with control flow takes paths of other names than a blank picture's.
        names = [name if name in self._traces.layer_names else network[name].name for name in layers]
        scores = prediction.class_scores(network) if with_scores else None
        return frozenset([*names, scores.name] if scores is not None else names)


def _name(model: object) -> str:
    """What a person calls the model: its file's name, the name that it has itself, or that of its class."""
    if isinstance(model, (str, PurePath)):
        return PurePath(model).name
    own = getattr(getattr(model, "graph", model), "name", None)
    return own if isinstance(own, str) and own else type(model).__name__


def _in_words(given: Input) -> str:
    if not given.rank_known:
        return f"{given.name} of unknown shape"
    return f"{given.name} {' x '.join('?' if n is None else str(n) for n in given.shape)}"


def _asked(memory: str | int | None) -> int | None:
    """The budget that the user set; ``None`` where it is ours to choose."""
    return None if memory is None else memory_budget.parse(memory)


def _shapes(feed: Feed) -> dict[str, Shape]:
    return {name: tuple(int(n) for n in value.shape) for name, value in feed.items()}


def _listed(layers: Iterable[str]) -> list[str]:
    return [layers] if isinstance(layers, str) else list(layers)


def _kept(network: Network, keep: frozenset[str] | None) -> Iterator[Layer]:
    return (layer for layer in network if keep is None or layer.name in keep)
