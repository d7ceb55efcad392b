"""What one forward pass left: every layer's feature maps, as a mapping from layer name to FeatureMap."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np

from convlens import draw, memory
from convlens.arithmetic import explain, explain_all
from convlens.arithmetic.reach import Reach
from convlens.derivation import Worked
from convlens.draw import Mode, ScaleChoice
from convlens.draw.plate_formats import Figure
from convlens.engines.base import Array, Feed
from convlens.errors import ConvlensError, LayerNotFoundError, ModelError
from convlens.lens import addressing, again, exporting, figuring, maps_table, prediction, showing
from convlens.lens.arguments import checked_methods
from convlens.lens.explanation import Explanation, PictureValue
from convlens.lens.feature_map import FeatureMap, SweptMap
from convlens.lens.intake import RecipeSource
from convlens.lens.kernels import Kernels, kernels_of
from convlens.lens.memory import Estimate
from convlens.lens.prediction import Prediction
from convlens.lens.summary import Summary
from convlens.lens.traced import TracedNetwork
from convlens.network import Network, Shape
from convlens.pictures import Picture, Recipe

if TYPE_CHECKING:
    from convlens.lens.opened import Lens


@checked_methods
class FeatureMaps(showing.Shows, Mapping[str, FeatureMap]):
    """Every kept layer of one run, in execution order: a mapping from layer name to :class:`FeatureMap`.

    ``network`` is the path that this picture took; ``picture`` and ``recipe`` tell what it was fed with (``None`` where
    the input was fed untouched), ``recipe_source`` who chose the recipe; ``prediction`` is the network's own answer, if
    it ends in class scores.

    >>> import convlens, numpy as np
    >>> lens = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 8, 8), seed=0)
    >>> maps = lens.feature_maps(np.full((8, 8, 3), 100, np.uint8))
    >>> [(name, found.shape) for name, found in maps.items()]
    [('conv', (2, 6, 6)), ('relu', (2, 6, 6))]
    >>> list(maps.verify())  # the outputs that were held against the untouched model's
    ['relu']
    """

    def __init__(
        self,
        lens: Lens,
        traced: TracedNetwork,
        arrays: Mapping[str, Array],
        *,
        picture: Picture | None,
        recipe: Recipe | None,
        feed: Feed,
        prediction: Prediction | None,
        recipe_source: RecipeSource | None = None,
        budget: int | None = None,
    ) -> None:
        self.lens = lens
        self.traced = traced
        self.network = traced.network
        self.picture = picture
        self.recipe = recipe
        self.recipe_source = recipe_source
        self.prediction = prediction
        self._feed = feed
        self._arrays = arrays
        self._sources: dict[str, Array] = {}  # what explanations needed and nobody kept, the oldest first
        self._budget = budget
        self._reach: Reach | None = None

    def __getitem__(self, name: str) -> FeatureMap:
        # A FeatureMap holds on to its maps; it is made when asked for, so that nothing holds itself alive in a circle.
        if not isinstance(name, str):
            raise LayerNotFoundError.among(name, self._arrays)
        if name in self._arrays:
            array = np.asarray(self._arrays[name], order="C")  # a number that stands alone keeps its no axes
            if isinstance(self._arrays, dict):  # else it is read from a file when it is asked for
                self._arrays[name] = array
            caption = str(self.recipe) if self.recipe is not None else "fed untouched"
            labels = prediction.labels_of(self.network, name, self.lens.labels)
            return FeatureMap(self.network[name], array, caption=caption, maps=self, labels=labels)
        if name in self.network:
            raise LayerNotFoundError(
                f"The maps of {name!r} were not kept",
                expected="one of " + ", ".join(list(self._arrays)[:5]),
                received=repr(name),
                hint="Run feature_maps again with this layer in layers=[...].",
            )
        raise LayerNotFoundError.among(name, self._arrays)

    def __iter__(self) -> Iterator[str]:
        return iter(self._arrays)

    def __len__(self) -> int:
        return len(self._arrays)

    @overload
    def explain(self, layer: str, index: Shape) -> Explanation:
        """How the value at ``index`` of a layer came about."""

    @overload
    def explain(self, layer: str, index: Shape, *, anywhere: Literal[True]) -> Explanation | PictureValue:
        """The same, or the value of a network input where ``layer`` names one."""

    def explain(self, layer: str, index: Shape, *, anywhere: bool = False) -> Explanation | PictureValue:
        """How the value at ``index`` (channels first, batchless) of a layer came about.

        With ``anywhere`` the name may be that of a network input, where every trace ends.

        Raises:
            LayerNotFoundError: no such layer.

        >>> import convlens, numpy as np
        >>> maps = convlens.sketch("conv 1 3x3", input_shape=(3, 8, 8)).feature_maps(np.full((8, 8, 3), 9, np.uint8))
        >>> maps.explain("conv", (0, 2, 3)).agrees
        True
        >>> maps.explain("picture", (0, 2, 3), anywhere=True).value
        9.0
        """
        if layer in self.network:
            found = self.network[layer]
            index = addressing.check_index(layer, found.output_shape, index) if found.output_shape else ()
            reads, weights, made = self._reads(layer)
            return Explanation(self, found, index, float(made[index]), explain(found, index, reads, weights))
        if anywhere and any(given.name == layer for given in self.network.inputs):
            value = self.value(layer)
            index = addressing.check_index(layer, value.shape, index)
            return PictureValue(layer, index, float(value[index]))
        raise LayerNotFoundError.among(layer, [found.name for found in self.network])

    def explain_all(self, layer: str, channel: int) -> SweptMap:
        """Every value of one channel, worked out again and compared with the framework's.

        Raises:
            ConvlensError: the layer's arithmetic isn't known.
        """
        found = self.network[layer]
        if found.output_shape:
            addressing.check_channel(layer, found.output_shape, channel)
        reads, weights, made = self._reads(layer)
        swept = explain_all(found, channel, reads, weights)
        if swept is None:
            raise ConvlensError(f"The arithmetic of {found.op} isn't known, so {layer} can't be worked out")
        theirs = np.asarray(made[channel] if found.output_shape else made, np.float64)
        same = (theirs == swept.total) | (np.isnan(theirs) & np.isnan(swept.total))
        with np.errstate(invalid="ignore"):
            residual = np.where(same, 0.0, theirs - swept.total)
        return SweptMap(swept.total, residual, swept.tolerance, swept.agrees(theirs), swept.explained)

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The weights that a layer of this run computes with, float32, by role; see ``engines.base.Trace.weights``.

        Raises:
            LayerNotFoundError: this run made no such layer.
        """
        return self.traced.weights(layer)

    def summary(self, *, plumbing: bool = False) -> Summary:
        """Layer, op, output shape, parameters, MACs, receptive field of every layer of this run; prints as a table."""
        return self.traced.summary(plumbing=plumbing)

    def derive(self, layer: str) -> Worked:
        """How the numbers of a layer of this run come about: sizes, parameters, MACs, memory; see
        :meth:`Lens.derive`.

        Raises:
            LayerNotFoundError: no such layer; the closest names are given.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3")
        >>> small, large = (lens.feature_maps(np.zeros((size, size, 3), np.uint8)) for size in (8, 20))
        >>> print(small.derive("conv")["rows"])
        rows: floor((8 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 6
        """
        return self.derive_all([layer])[0]

    def derive_all(self, layers: Iterable[str] | None = None) -> tuple[Worked, ...]:
        """:meth:`derive` for several layers, in execution order; all by default."""
        return tuple(self.traced.derive(layers))

    def kernels(self, layer: str | None = None) -> Kernels:
        """The kernels that a convolution of this run slides, the first one by default; see :meth:`Lens.kernels`."""
        return kernels_of(self.traced, layer, self.lens)

    def diagram(self) -> str:
        """The network of this run drawn as an SVG; see :meth:`Lens.diagram`."""
        return draw.diagram_svg(self.network)

    @property
    def feed(self) -> Feed:
        """What the network was fed with, by input name, as the framework takes it."""
        return self._feed

    @property
    def reach(self) -> Reach:
        """Which pixels reach which value, for every layer of this run; worked out when it is first asked for."""
        if self._reach is None:
            self._reach = Reach(self.network, self.weights)
        return self._reach

    def _reads(self, layer: str) -> tuple[list[Array], Mapping[str, Array], Array]:
        """What a layer read, its weights, and what it made."""
        found = self.network[layer]
        values = self._values([*found.inputs, layer], layer)
        return [values[name] for name in found.inputs], self.weights(layer), values[layer]

    def value(self, name: str) -> Array:
        """A layer's array, or a network input's, channels first and batchless."""
        return self._values([name])[name]

    def _values(self, names: Sequence[str], explained: str | None = None) -> dict[str, Array]:
        """Arrays of layers and inputs; layers that weren't kept are made by one more run."""
        found = {name: self._arrays[name] for name in names if name in self._arrays}
        found |= {name: self._sources[name] for name in names if name in self._sources}
        fed = [name for name in names if name not in found and name not in self.network]
        for name in fed:
            if name not in self._feed:
                raise LayerNotFoundError.among(name, [*self._arrays, *self._feed], "layer or input")
            found[name] = self._sources[name] = self.lens.as_input(name, self._feed[name])
        missing = list(dict.fromkeys(name for name in names if name not in found))
        return found | self._fetch(missing, found, explained) if missing else found

    def _fetch(self, names: Sequence[str], beside: Collection[str], explained: str | None) -> dict[str, Array]:
        """Run once more for layers that weren't kept; ``explained``, if it was kept, is held against that run. What was
        fetched earlier is let go as far as the budget asks for it, but for what stands in ``beside``."""
        again.check_repeatable(self.network, names)
        held = explained if explained is not None and explained in self._arrays else None
        room = self._make_room(names, beside)
        trace, found = self.lens._rerun(self._feed, names if held is None else [*names, held], room)
        for name in names:
            if name not in found or trace.network.get(name) != self.traced.trace.network.get(name):
                raise _changed(name)
        if held is not None:
            if held not in found:
                raise _changed(held)
            again.check_same(held, self._arrays[held], found.pop(held))
        self._sources |= found
        return found

    def _make_room(self, names: Sequence[str], beside: Collection[str]) -> int:
        kept = sum(array.nbytes for array in self._arrays.values()) if isinstance(self._arrays, dict) else 0
        room = (memory.parse(None) if self._budget is None else self._budget) - kept
        layers = [self.network[name] for name in (*names, *beside) if name in self.network and name not in self._arrays]
        needed = Estimate.of(layers)
        needed.check(room, "Keep fewer layers, or all that the explanation takes")
        others = [name for name in self._sources if name not in beside]
        taken = needed.total + Estimate.walking(self.network, 2).total  # the run has what it reads and makes itself
        while others and taken + sum(self._sources[name].nbytes for name in others) > room:
            self._sources.pop(others.pop(0), None)
        memory.release()
        return room

    def verify(self) -> dict[str, float]:
        """Run the untouched model once more, without looking inside; output name -> largest difference to what is
        shown.

        Outputs that were not kept are left out; where none was, the model is looked into once more for all of them. NaN
        in the same places count as equal.

        Raises:
            ConvlensError: no layer is an output, so that there is nothing to compare; or the model draws at random, so
                that two runs differ.
        """
        arrays = self._arrays
        if not any(name in arrays for name in self.network.outputs):
            arrays = self.lens.capture(self._feed, [name for name in self.network.outputs if name in self.network])
        return again.compared(self.network, arrays, lambda: self.lens.predict(self._feed))

    def to_dict(self) -> dict[str, Any]:
        """What was run and what came out, as plain data, for ``--json``; the arrays themselves are for :meth:`save`."""
        facts = run_facts(self.network, self.picture, self.recipe, self.prediction, self.recipe_source)
        return {**facts, "layers": [found.to_dict() for found in self.values()]}

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the numbers, with names, shapes and the recipe, as ``.npz``, ``.safetensors`` or ``.zarr``.

        :func:`convlens.load` opens them again, without the model. Its weights are not in the file.

        Args:
            path: where to write; what convlens itself wrote there, unchanged since, is replaced.
            force: overwrite any other file too, and a .zarr whose values were changed; never a folder that holds
                something which convlens didn't write.

        Raises:
            OutputError: the ending is unknown, something else is there, or the path can't be written; nothing
                half-written remains.
        """
        return exporting.save(self.values(), path, self._saved, force=force)

    def with_model(self, model: object, *, trust: bool = False) -> FeatureMaps:
        """The same maps with the model that made them, so that they explain themselves; for maps of a file.

        Args:
            model: a path, a live model, or an opened lens.
            trust: allow a model file that runs its own code when opened.

        Raises:
            ModelError: it isn't the model that made these maps: other layers, other shapes, other values.
            InputError: the file is of an older version, and doesn't hold what the network was fed with.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3 | relu", input_shape=(3, 8, 8))
        >>> maps = lens.feature_maps(np.full((8, 8, 3), 9, np.uint8))
        >>> maps.with_model(lens.model)["relu"].explain(0, 2, 3).agrees
        True
        """
        from convlens.lens import loading

        return loading.joined(self, model, trust=trust)

    def _beside(self, lens: Lens, traced: TracedNetwork) -> FeatureMaps:
        """These maps beside another lens of the same model, whose network of the same input is given."""
        told: dict[str, Any] = {"picture": self.picture, "recipe": self.recipe, "recipe_source": self.recipe_source}
        told |= {"feed": self._feed, "prediction": self.prediction, "budget": self._budget}
        return FeatureMaps(lens, traced, self._arrays, **told)

    def _saved(self) -> exporting.Run:
        told: dict[str, Any] = {"picture": self.picture, "recipe": self.recipe, "recipe_source": self.recipe_source}
        told |= {"labels": self.lens.labels, "weights": self.weights}
        return exporting.Run(self.network, feed=self._feed, prediction=self.prediction, **told)

    def figure(
        self,
        layers: str | Iterable[str] | None = None,
        channels: figuring.Channels = None,
        *,
        width: float | str = "single",
        columns: int | None = None,
        scale: ScaleChoice = "layer",
        mode: Mode = "auto",
        captions: bool = True,
    ) -> Figure:
        """A figure for print: these layers and channels as lettered panels, with colour bars and a caption.

        Args:
            layers: names, in the order of the panels; the first six by default.
            channels: numbers, for every layer or by layer's name; the first eight by default.
            width: ``"single"`` (85 mm), ``"double"`` (175 mm), millimetres, or a text such as ``"3.5in"``.
            columns: how many maps stand side by side.
            scale: ``"layer"``: one colour scale for all channels of a layer; ``"map"``: each its own; or a ``Scale``.
            mode: ``"diverging"`` (zero-centred), ``"sequential"``, or ``"auto"``: by the sign of the values.
            captions: write the caption below; it is the figure's ``caption`` in any case.

        Raises:
            LayerNotFoundError, ChannelError: no such layer or channel.
            DrawingError: a width or a number of columns that can't be.

        >>> import convlens, numpy as np
        >>> maps = convlens.sketch("conv 4 3x3 | relu").feature_maps(np.full((32, 32, 3), 100, np.uint8))
        >>> figure = maps.figure(["conv", "relu"], [0, 2], width="85mm")
        >>> figure.width, figure.svg()[:4], figure.pdf()[:5]
        (85.0, '<svg', b'%PDF-')
        """
        told: dict[str, Any] = {"width": width, "columns": columns, "scale": scale, "mode": mode}
        return figuring.figure(self, layers, channels, captions=captions, **told)

    def report(self, path: str | Path, *, budget: str | int = "12MB", force: bool = False) -> Path:
        """Write one HTML file with the viewer, the network, the kernels, these maps and the picture.

        It needs no network and nothing beside it. Its values are the framework's own, bit for bit, and every pixel
        explains itself in the page, as long as the budget allows; what had to be reduced is said in the file.

        Args:
            path: ends in ``.html``.
            budget: the most that the file may take, such as ``"5MB"``.
            force: overwrite a file that convlens didn't write.

        Raises:
            ConvlensError: the budget is too small, or the path can't be written.

        >>> import convlens, numpy as np, tempfile
        >>> maps = convlens.sketch("conv 2 3x3 | relu", input_shape=(3, 8, 8)).feature_maps(np.ones((8, 8, 3), "uint8"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     maps.report(f"{folder}/maps.html").stat().st_size < 1_000_000
        True
        """
        return showing.report(self, Path(path), budget=budget, force=force)

    def serve(
        self,
        *,
        host: str = "127.0.0.1",
        port: int | None = None,
        token: str | None = None,
        open_browser: bool = True,
    ) -> None:
        """Open these maps in the browser: network, kernels, maps, and why each value is what it is. Until Ctrl-C.

        Args:
            host: where to listen; other machines can reach it only where this says so.
            port: 8765 or the next free one by default; 0 for any free one.
            token: what opens the page; random by default. The printed address holds it.
            open_browser: open the address at once.

        Raises:
            ConvlensError: the address can't be listened at.
        """
        showing.serve(self, host=host, port=port, token=token, open_browser=open_browser)

    def __repr__(self) -> str:
        what = self.picture.name if self.picture is not None else "an array"
        line = f"FeatureMaps of {self.network.name!r} on {what}: {len(self)} of {len(self.network)} layers"
        return f"{line}; prediction: {self.prediction}" if self.prediction is not None else line

    def _repr_html_(self) -> str:
        return maps_table.html(self)


def run_facts(
    network: Network,
    picture: Picture | None,
    recipe: Recipe | None,
    answer: Prediction | None,
    recipe_source: RecipeSource | None = None,
) -> dict[str, Any]:
    """What was run on what, and the network's answer, as plain data."""
    return {
        "model": network.name,
        "engine": network.engine,
        "picture": picture.name if picture is not None else None,
        "recipe": recipe.to_dict() if recipe is not None else None,
        "recipe_source": recipe_source if recipe is not None else None,
        "prediction": answer.to_dict() if answer is not None else None,
    }


def _changed(layer: str) -> ModelError:
    return ModelError(
        f"{layer} can't be worked out any more: the model does something else now than in this run",
        expected="the model as it was when these maps were made",
        received="a run on the same input that makes other values",
        hint="Run feature_maps(picture) again. A model that draws random numbers keeps its maps with layers=None.",
    )
