"""One forward pass, as it goes on: what has arrived, who waits for it, how it ends."""

from __future__ import annotations

from collections.abc import Callable
from secrets import token_hex
from threading import Event, RLock
from typing import TYPE_CHECKING, Any, Literal

from convlens.errors import ConvlensError, LayerNotFoundError
from convlens.hosts.wire import facts
from convlens.hosts.wire.schema import ChannelsFact, MapFact, ProblemFact, RunFact
from convlens.lens import channels, tiles

if TYPE_CHECKING:
    from convlens.engines.base import Array
    from convlens.lens import FeatureMaps, Lens
    from convlens.lens.channels import Channels
    from convlens.lens.traced import TracedNetwork
    from convlens.network import Layer, Shape
    from convlens.pictures import Picture, Recipe

State = Literal["running", "done", "failed", "cancelled"]


class _Cancelled(BaseException):  # no framework may swallow it
    """Raised inside the run when nobody waits for it any more."""


class Run:
    """A run of one model on one picture. Threads ask it while it goes on; what has arrived stays."""

    def __init__(self, id: str, model: str, picture: str, page: str) -> None:
        self.id = id
        self.model = model
        self.picture = picture
        self.state: State = "running"
        self.maps: FeatureMaps | None = None
        self.facts: list[MapFact] = []
        self.ended = Event()
        self.described: tuple[Lens, TracedNetwork] | None = None
        """The network of this run, once it is known: before its end the path of a blank picture of this size."""
        self._pages = {page}
        self._lock = RLock()
        self._arrays: dict[str, Array] = {}
        self._surveys: dict[str, Channels] = {}
        self._histograms: dict[str, ChannelsFact] = {}
        self._total = 0
        self._size: tuple[int, ...] = (0, 0)
        self._problem: ProblemFact | None = None
        self._measuring = RLock()
        self._last: tuple[tuple[str, Shape], Any] | None = None
        self._reserved = 0
        self._watchers: list[Callable[[], None]] = []
        self.tag = token_hex(8)
        """Tells its numbers from those of another run of the same name: a network may draw lots."""

    @classmethod
    def made(cls, id: str, model: str, picture: str, maps: FeatureMaps) -> Run:
        """A run that has ended before the server knew of it."""
        run = cls(id, model, picture, "")
        run._total = len(maps)
        for name, found in maps.items():
            run._add(name, found.array)
        run._finish(maps)
        return run

    # --- who waits

    @property
    def usable(self) -> bool:
        """Whether joining it is as good as running again."""
        return self.state == "done" or (self.state == "running" and self.wanted)

    @property
    def wanted(self) -> bool:
        """Whether a page still waits for it."""
        return bool(self._pages)

    def join(self, page: str) -> None:
        """One more page waits for this run."""
        with self._lock:
            self._pages.add(page)

    def leave(self, page: str) -> None:
        """A page waits no more; a run that nobody waits for stops at its next layer."""
        with self._lock:
            self._pages.discard(page)

    def cancel(self) -> None:
        """Stop at the next layer, whoever waits."""
        with self._lock:
            self._pages.clear()

    def watch(self, changed: Callable[[], None]) -> Callable[[], None]:
        """Have ``changed`` called, in the run's thread, at each new map and at the end; the answer ends that."""
        with self._lock:
            self._watchers.append(changed)

        def leave() -> None:
            with self._lock:
                self._watchers.remove(changed)

        return leave

    def _tell(self) -> None:
        with self._lock:
            watchers = tuple(self._watchers)
        for changed in watchers:
            changed()

    # --- the run itself, in its own thread

    def reserve(self, needed: int) -> None:
        """Count with so many bytes until it has ended."""
        self._reserved = needed

    def work(self, lens: Lens, picture: Picture, recipe: Recipe | None, budget: int) -> None:
        """Run; every layer is there for the pages as soon as it is known."""
        self._describe(lens, lens.traced(picture, recipe=recipe))

        def each(layer: Layer, array: Array) -> None:
            if not self._pages:
                raise _Cancelled
            self._add(layer.name, array)

        try:
            if not self._pages:
                raise _Cancelled
            maps = lens.feature_maps(picture, recipe=recipe, memory=budget, each=each)
        except _Cancelled:
            self._end("cancelled")
            return
        self._finish(maps)

    def _describe(self, lens: Lens, traced: TracedNetwork) -> None:
        with self._lock:
            self.described = (lens, traced)
            self._total = max(self._total, len(traced.network))
        self._tell()

    def fail(self, error: ConvlensError) -> None:
        """The run has ended with an error."""
        self._problem = facts.problem_fact(error)
        self._end("failed")

    def _add(self, name: str, array: Array) -> None:
        found = channels.survey(array)
        with self._lock:
            self._arrays[name] = array
            self._surveys[name] = found
            self.facts.append(facts.map_fact(name, array, found))
            self._total = max(self._total, len(self.facts))
        self._tell()

    def _finish(self, maps: FeatureMaps) -> None:
        self._describe(maps.lens, maps.traced)
        with self._lock:
            self.maps = maps
            self._arrays = {name: maps[name].array for name in maps}
            self._total = len(self.facts)
            self._size = tiles.as_planes(maps.value(maps.network.inputs[0].name)).shape[2:]
        self._end("done")

    def _end(self, state: State) -> None:
        with self._lock:
            self.state = state
            if state != "done":
                self._arrays.clear()
                self._surveys.clear()
            self.ended.set()
        self._tell()

    # --- what it tells

    @property
    def bytes(self) -> int:
        """What it keeps in memory: its maps, what was measured of them, its picture and input."""
        with self._lock:
            held = sum(array.nbytes for array in self._arrays.values())
            held += sum(survey.bytes for survey in self._surveys.values())
            if self.maps is not None:
                held += self.maps.picture.pixels.nbytes if self.maps.picture is not None else 0
                held += sum(int(value.nbytes) for value in self.maps.feed.values())
            return held if self.ended.is_set() else max(held, self._reserved)

    def fact(self) -> RunFact:
        """All that is known of it now."""
        with self._lock:
            maps = self.maps
            recipe = maps.recipe if maps is not None else None
            return RunFact(
                id=self.id,
                model=self.model,
                picture=self.picture,
                recipe=None if recipe is None else facts.recipe_fact(recipe),
                recipe_source=maps.recipe_source if maps is not None and recipe is not None else None,
                caption="" if maps is None else ("fed untouched" if recipe is None else str(recipe)),
                rows=self._size[0],
                columns=self._size[1],
                state=self.state,
                done=len(self.facts),
                total=self._total,
                maps=list(self.facts),
                prediction=facts.prediction_fact(maps.prediction) if maps is not None else None,
                problem=self._problem,
            )

    def array(self, layer: str) -> Array:
        """A layer's values."""
        with self._lock:
            if layer not in self._arrays:
                raise LayerNotFoundError.among(layer[:200], list(self._arrays))
            return self._arrays[layer]

    def planes(self, layer: str) -> Array:
        """The same as (channels, slices, rows, columns)."""
        return tiles.as_planes(self.array(layer))

    def channels(self, layer: str) -> ChannelsFact:
        """Every channel's facts and the layer's histogram; made when first asked for."""
        array = self.array(layer)
        found = self._histograms.get(layer)
        if found is None:
            survey = self._surveys[layer]
            found = facts.channels_fact(layer, survey, *channels.histogram(array, survey))
            self._histograms[layer] = found
        return found

    @property
    def total(self) -> int:
        """How many layers the run will have."""
        return self._total

    def remembered(self, what: tuple[str, Shape], measure: Callable[[], Any]) -> Any:
        """What was measured last, or is measured now: its facts and its numbers are asked for one after the other."""
        with self._measuring:
            if self._last is None or self._last[0] != what:
                self._last = (what, measure())
            return self._last[1]

    def network(self) -> tuple[Lens, TracedNetwork]:
        """The opened model, and the network of this run.

        Raises:
            ConvlensError: it isn't known yet, or the run ended before it was.
        """
        if self.described is None:
            raise self._without_maps()
        return self.described

    def finished(self) -> FeatureMaps:
        """The maps, once the run has ended; waits for that.

        Raises:
            ConvlensError: it didn't end well.
        """
        self.ended.wait(timeout=600)
        if self.maps is None:
            raise self._without_maps()
        return self.maps

    def _without_maps(self) -> ConvlensError:
        problem = self._problem
        return ConvlensError(
            "This run gave no maps",
            received=problem["problem"] if problem else self.state,
            hint="Ask for the run again.",
        )
