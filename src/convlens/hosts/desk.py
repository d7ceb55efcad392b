"""What the server has open: models, pictures, runs. Memory stays bounded, however many pictures come."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from json import dumps
from threading import RLock
from time import sleep
from typing import TYPE_CHECKING

from convlens import __version__, pictures
from convlens.errors import ConvlensError, InputError
from convlens.hosts.executor import Executor
from convlens.hosts.running import Run
from convlens.hosts.wire import facts
from convlens.hosts.wire.identity import content_id
from convlens.hosts.wire.pictures import picture_fact
from convlens.hosts.wire.schema import LimitsFact, ModelFact, PictureFact, SessionFact
from convlens.lens import memory
from convlens.pictures import Picture, Recipe
from convlens.pictures.recipe import PRESETS

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps, Lens

MAX_UPLOAD = 50_000_000
MAX_PIXELS = 50_000_000
_MODELS, _PICTURES, _RUNS = 16, 24, 128
_UNFINISHED = 16
"""Runs that go on or wait for their turn at the same time; a page has one."""
_PICTURE_BYTES = _MODEL_BYTES = 512 * 2**20
_GONE = 4096
_LOOK = 0.05  # seconds between two looks whether another run has made room


class NotFoundError(ConvlensError):
    """There is nothing of this name."""


class GoneError(ConvlensError):
    """It was there, and was let go to keep memory bounded."""


class FullError(ConvlensError):
    """There is no room for another one, until the server is started again."""


class BusyError(ConvlensError):
    """Too much goes on at this moment; later there may be room."""


@dataclass
class Model:
    """A model, opened when it is first asked for. ``lock`` is held by whatever touches the framework.

    ``queue`` does one thing after the other, runs above all: what waits for its turn there holds no thread.
    ``bytes`` is what it takes in memory where it was sent.
    """

    fact: ModelFact
    opener: Callable[[], Lens]
    bytes: int = 0
    lock: RLock = field(default_factory=RLock)
    queue: Executor = field(default_factory=lambda: Executor(1, "model"))
    _lens: Lens | None = None

    @property
    def lens(self) -> Lens:
        """The opened model."""
        with self.lock:
            if self._lens is None:
                self._lens = self.opener()
            return self._lens

    def told(self, engine: str) -> ModelFact:
        """Its facts, once the engine that opened it is known."""
        return ModelFact(**{**self.fact, "engine": engine})


@dataclass
class Shelved:
    """A picture, and whether it is one of ours, which stay."""

    fact: PictureFact
    picture: Picture | None


class Desk:
    """Everything that the routes ask for; safe to use from many threads.

    ``budget`` is the most bytes that the maps of all runs may take together, a quarter of the free memory by default.
    """

    def __init__(
        self,
        *,
        budget: str | int | None = None,
        upload_bytes: int = MAX_UPLOAD,
        upload_pixels: int = MAX_PIXELS,
        upload_model: bool = False,
        recipe: Recipe | None = None,
    ) -> None:
        self.budget = memory.available() // 4 if budget is None else memory.parse(budget)
        self.limits = LimitsFact(upload_bytes=upload_bytes, upload_pixels=upload_pixels, upload_model=upload_model)
        self._recipe = recipe
        self._lock = RLock()
        self._models: OrderedDict[str, Model] = OrderedDict()
        self._pictures: OrderedDict[str, Shelved] = OrderedDict()
        self._runs: OrderedDict[str, Run] = OrderedDict()
        self._gone: OrderedDict[str, None] = OrderedDict()

    # --- models

    def add_model(self, name: str, opener: Callable[[], Lens], *, id: str, engine: str = "") -> Model:
        """Put a model on the desk; it is opened when it is first asked for."""
        return self.add_fact(_model_fact(id, name, engine), opener)

    def add_fact(self, fact: ModelFact, opener: Callable[[], Lens]) -> Model:
        """Put a model on the desk of which the facts are known already."""
        with self._lock:
            model = self._models[fact["id"]] = Model(fact, opener)
            return model

    def add_sent(self, name: str, data: bytes, opener: Callable[[], Lens]) -> ModelFact:
        """Put a model on the desk that was sent, under a name that is made of its content; the same one is there once,
        under the name that it was last sent with. ``opener`` is called here, and what it raises leaves nothing behind.

        Raises:
            FullError: there is no room for it.
        """
        id = content_id("model", data)
        if id not in self._models:
            self._check_room(len(data))
            opened = opener()
            model = Model(_model_fact(id, name, opened.engine), lambda: opened, len(data))
            with self._lock:
                if id not in self._models:  # else it was sent twice at the same time
                    self._check_room(len(data))
                    self._models[id] = model
        with self._lock:
            model = self._models[id]
            model.fact["name"] = name
            return model.fact

    def _check_room(self, more: int) -> None:
        with self._lock:
            models = list(self._models.values())
        # all steps of a training count as one
        names = {one.fact["id"] if one.fact["step"] is None else one.fact["step"]["timeline"] for one in models}
        most = max(_MODEL_BYTES, self.limits["upload_bytes"])
        if len(names) >= _MODELS or sum(one.bytes for one in models) + more > most:
            raise FullError(
                "There is no room for another model",
                expected=f"up to {_MODELS} models, of {memory.in_words(most)} together where they are sent",
                received=f"{len(names)} and one more",
                hint="Start the server again.",
            )

    def model(self, id: str) -> Model:
        """The model of this id."""
        with self._lock:
            if id not in self._models:
                known = ", ".join(list(self._models)[:8])
                raise NotFoundError("There is no such model", expected=f"one of {known}", received=id[:80])
            return self._models[id]

    # --- pictures

    def add_picture(self, picture: Picture, *, sample: bool = False, credit: str | None = None) -> PictureFact:
        """Put a picture on the desk; the oldest that was sent goes where there are too many."""
        fact = picture_fact(picture, sample=sample, credit=credit)
        digest = fact["id"]
        with self._lock:
            if digest in self._pictures and self._pictures[digest].fact["sample"]:
                return self._pictures[digest].fact
            self._pictures[digest] = Shelved(fact, picture)
            self._pictures.move_to_end(digest)
            sent = [id for id, one in self._pictures.items() if not one.fact["sample"] and one.picture is not None]
            while len(sent) > 1 and (len(sent) > _PICTURES or self._picture_bytes() > _PICTURE_BYTES):
                del self._pictures[sent.pop(0)]
        return fact

    def _picture_bytes(self) -> int:
        return sum(one.picture.pixels.nbytes for one in self._pictures.values() if one.picture is not None)

    def picture(self, id: str) -> Shelved:
        """The picture of this id."""
        with self._lock:
            if id not in self._pictures:
                raise NotFoundError(
                    "There is no such picture",
                    expected="a picture of this session",
                    received=id[:80],
                    hint="Open the picture again.",
                )
            return self._pictures[id]

    # --- runs

    def start(self, model_id: str, picture_id: str, recipe: Recipe | None, page: str) -> Run:
        """Begin a run, or join the one that does the same; the page's own earlier run is left, and ends if nobody
        else waits for it."""
        model, shelved = self.model(model_id), self.picture(picture_id)
        recipe = recipe or self._recipe
        id = _run_id(model_id, picture_id, recipe)
        with self._lock:
            for other in self._runs.values():
                if other.id != id:
                    other.leave(page)
            found = self._runs.get(id)
            if found is not None and found.usable:
                found.join(page)
                self._runs.move_to_end(id)
                return found
            if shelved.picture is None:
                raise InputError(
                    "This input was fed as an array, to one model alone",
                    expected=f"the model that it was fed to, or a picture for {model_id}",
                    received=shelved.fact["name"],
                )
            unfinished = sum(not one.ended.is_set() for one in self._runs.values())
            if unfinished >= _UNFINISHED:
                raise BusyError(
                    "Too many runs go on at the same time",
                    expected=f"up to {_UNFINISHED}",
                    received=f"{unfinished} and one more",
                    hint="Ask again when one of them has ended.",
                )
            self._forget(len(self._runs) - _RUNS + 1)
            run = Run(id, model_id, picture_id, page)
            self._runs[id] = run
            self._gone.pop(id, None)
        model.queue.submit(self._run, run, model, shelved.picture, recipe)
        return run

    def _run(self, run: Run, model: Model, picture: Picture, recipe: Recipe | None) -> None:
        try:
            with model.lock:
                lens = model.lens
                estimate = lens.estimate(picture, recipe=recipe)
                estimate.check(self.budget, "Take a smaller picture or size")
                self._make_room(estimate.total, run)
                run.work(lens, picture, recipe, self.budget)
        except ConvlensError as error:
            run.fail(error)
        except Exception as error:  # a framework's own error: the person gets its words, never a traceback
            run.fail(ConvlensError("The network could not be run on this picture", received=f"{error}"[:500]))

    def _make_room(self, needed: int, run: Run) -> None:
        """Let old runs go until what is needed fits beside those that still go on; else wait until one of them ends."""
        while True:
            with self._lock:
                held = {id: one.bytes for id, one in self._runs.items() if one is not run}
                for id in list(held):
                    if sum(held.values()) + needed <= self.budget:
                        break
                    if self._runs[id].ended.is_set():
                        self._let_go(id)
                        del held[id]
                if sum(held.values()) + needed <= self.budget or not run.wanted:
                    run.reserve(needed)
                    return
            sleep(_LOOK)  # those that go on have their room already, so that none of them waits for this one

    def _forget(self, count: int) -> None:
        """Let the oldest go that have ended."""
        for id in [id for id, one in self._runs.items() if one.ended.is_set()][: max(count, 0)]:
            self._let_go(id)

    def _let_go(self, id: str) -> None:
        del self._runs[id]
        self._gone[id] = None
        while len(self._gone) > _GONE:
            self._gone.popitem(last=False)

    def keep(self, maps: FeatureMaps, model: str, picture: PictureFact) -> Run:
        """Put a run on the desk that has been made elsewhere."""
        run = Run.made(_run_id(model, picture["id"], self._recipe), model, picture["id"], maps)
        with self._lock:
            self._pictures[picture["id"]] = Shelved(picture, maps.picture)
            self._runs[run.id] = run
        return run

    def run(self, id: str) -> Run:
        """The run of this id."""
        with self._lock:
            found = self._runs.get(id)
            if found is not None:
                self._runs.move_to_end(id)
                return found
            if id in self._gone:
                raise GoneError(
                    "The maps of this run were let go, to keep memory bounded",
                    received=id,
                    hint="Ask for the same run again.",
                )
        raise NotFoundError("There is no such run", expected="the id of a run", received=id[:80])

    # --- all

    def session(self) -> SessionFact:
        """What there is, and what to open first."""
        with self._lock:
            models = [model.fact for model in self._models.values()]
            shelf = [one.fact for one in self._pictures.values()]
            return SessionFact(
                version=__version__,
                models=models,
                pictures=shelf,
                presets={name: facts.recipe_fact(recipe) for name, recipe in PRESETS.items()},
                limits=self.limits,
                model=models[0]["id"],
                picture=shelf[0]["id"] if shelf else None,
                reductions=None,
            )

    def close(self) -> None:
        """Stop what runs."""
        with self._lock:
            for run in self._runs.values():
                run.cancel()

    def read_picture(self, data: bytes, name: str) -> PictureFact:
        """A picture that was sent, within the limits."""
        picture = pictures.read_bytes(data, name, max_pixels=self.limits["upload_pixels"])
        return self.add_picture(picture)


def _run_id(model: str, picture: str, recipe: Recipe | None) -> str:
    """A run's name, the same for everyone who asks for the same."""
    return content_id("run", model, picture, dumps(recipe.to_dict() if recipe is not None else None, sort_keys=True))


def _model_fact(id: str, name: str, engine: str) -> ModelFact:
    return ModelFact(id=id, name=name, engine=engine, title=None, says=None, step=None)
