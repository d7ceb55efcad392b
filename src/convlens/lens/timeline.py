"""A network while it learns: its weights before training, after some steps, and after the last one."""

from __future__ import annotations

import inspect
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import index
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens import memory
from convlens.engines import registry
from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError, ModelError, StepNotFoundError, closest
from convlens.lens import files, intake, opening, showing
from convlens.lens.numpy_files import archive_in
from convlens.lens.shelves import TIMELINE as _FACTS
from convlens.pictures import Recipe
from convlens.writing import write

if TYPE_CHECKING:
    from convlens.lens.maps import FeatureMaps
    from convlens.lens.opened import Lens

Weights = Mapping[str, Array]
ENDING = ".npz"


@dataclass(frozen=True, slots=True)
class Step:
    """The weights after ``number`` steps of training; ``loss`` and ``accuracy`` as they were known then.

    ``label`` is what a person calls this moment, such as ``"epoch 1"``; empty where it has no name.
    """

    number: int
    loss: float | None
    accuracy: float | None
    weights: Weights
    label: str = ""


class Timeline:
    """The steps of one training, in their order; each can be opened like any other model.

    ``model`` is the live network that was trained; it is left as it is: every step is a copy of it that holds the
    step's weights. ``options`` are those of :func:`convlens.open`: ``recipe``, ``input_shape``, ``labels``.

    Raises:
        ConvlensError: an option that there isn't, a shape that is none, a preset that isn't known.

    >>> from convlens.lens import digits
    >>> training = digits.timeline()
    >>> [step.number for step in training.steps][:4], len(training)
    ([0, 1, 2, 4], 14)
    >>> training[-1].feature_maps(digits.pictures()[7]).prediction.rows[0][2]
    '7'
    """

    def __init__(
        self, model: object, steps: Sequence[Step], *, name: str = "training", picture: object = None, **options: Any
    ) -> None:
        self.trained = model
        self.name = name
        self.picture = picture
        self.steps = tuple(steps)
        _check_options(options)
        self._options = options
        self._opened: dict[int, Lens] = {}

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, at: int) -> Lens:
        """The network as it was at a step, by its place in ``steps``, opened when it is first asked for.

        Raises:
            StepNotFoundError: there is no such place.
            ModelError: the model can't be copied.
        """
        place = self._place(at)
        if place not in self._opened:
            training = registry.training_of(self.trained)
            model = training.with_weights(self.trained, self.steps[place].weights)
            self._opened[place] = opening.open(model, **self._options)
        return self._opened[place]

    def __iter__(self) -> Iterator[Lens]:
        return (self[place] for place in range(len(self)))

    def __repr__(self) -> str:
        if not self.steps:
            return f"Timeline({self.name!r}, no steps yet)"
        return f"Timeline({self.name!r}, {len(self)} steps, {self.steps[0].number} to {self.steps[-1].number})"

    def feature_maps(self, picture: object = None, **options: Any) -> list[FeatureMaps]:
        """The maps of every step on one picture: that of the timeline where none is given."""
        shown = self.chosen(picture)
        self._complete()
        return [lens.feature_maps(shown, **options) for lens in self]

    def report(
        self, path: str | Path, picture: object = None, *, budget: str | int | None = None, force: bool = False
    ) -> Path:
        """Write one HTML file with a slider: kernels and maps before, during and after training.

        Args:
            path: ends in .html.
            picture: what every step is shown; the timeline's own where none is given.
            budget: the most that the file may take, 12 MB by default.
            force: overwrite a file that convlens didn't write.

        Raises:
            ConvlensError: there is no picture, no step, or no room; the path is no page's.
        """
        place = showing.report_place(Path(path), force=force)
        shown = self.chosen(picture)
        self._complete()
        return showing.training_report(self, place, shown, budget=budget, force=force)

    def serve(self, picture: object = None, **options: Any) -> None:
        """Show the training in the browser; ``options`` are those of :meth:`convlens.FeatureMaps.serve`."""
        shown = self.chosen(picture)
        self._complete()
        showing.training_serve(self, shown, **options)

    def chosen(self, picture: object = None) -> object:
        """The picture that is meant.

        Raises:
            InputError: no picture was given, here or before; or there is no step yet.
        """
        self._check_recorded()
        if picture is None and self.picture is None:
            raise InputError(
                "A training is shown on a picture",
                expected="a path, an image or an array",
                received="none",
                hint='Type timeline.report("training.html", picture), for example.',
            )
        return self.picture if picture is None else picture

    def save(self, path: str | Path, *, force: bool = False) -> Path:
        """Write the weights of every step as one .npz file, which :meth:`load` reads and so does NumPy.

        Raises:
            InputError: there is no step yet, or the path ends in something else.
            OutputError: it can't be written there.
        """
        place = files.check_place(_as_npz(Path(path)), force=force)
        self._check_recorded()
        self._complete()
        return write(place, written(self.steps), force=force, owned=files.is_ours)

    @classmethod
    def load(cls, path: str | Path, model: object, **options: Any) -> Timeline:
        """The timeline that :meth:`save` wrote, for the model that was trained.

        Raises:
            InputError: the file isn't one.
            ModelError: it is another model's.
        """
        steps = read(Path(path))[0]
        wanted = registry.training_of(model).weights_of(model)
        for step in steps:
            check_fits(wanted, step.weights)
        return cls(model, steps, **options)

    def _complete(self) -> None:
        """Called before the timeline is shown or saved: one that still grows ends with the weights of now."""

    def _check_recorded(self) -> None:
        if not self.steps:
            raise InputError("Nothing was recorded yet", expected="a step of training", received="none")

    def _place(self, at: int) -> int:
        """A place counted from the beginning; a negative one is counted from the end."""
        try:
            return range(len(self.steps))[index(at)]
        except (IndexError, TypeError) as error:
            last = len(self.steps) - 1
            raise StepNotFoundError(
                "There is no such step",
                expected=f"a place from 0 to {last}" if self.steps else "a place among recorded steps",
                received=repr(at),
                hint="timeline.steps tells the number of each step." if self.steps else "Nothing was recorded yet.",
            ) from error


def written(steps: Sequence[Step], beside: Mapping[str, Array] | None = None) -> bytes:
    """Steps as the bytes of an .npz file, the same for the same steps; ``beside`` are arrays to keep with them."""
    facts = [{"number": s.number, "loss": s.loss, "accuracy": s.accuracy, "label": s.label} for s in steps]
    arrays = {_FACTS: np.array(json.dumps(facts)), **(beside or {})}
    for place, step in enumerate(steps):
        arrays |= {f"{place}/{name}": array for name, array in step.weights.items()}
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # it takes no other keyword for one
    return file.getvalue()


def read(path: Path) -> tuple[list[Step], dict[str, Array]]:
    """The steps of a file, and what was kept beside them.

    Raises:
        InputError: it isn't such a file.
    """
    try:
        with archive_in(path, InputError, "a file that timeline.save wrote") as archive:
            size = sum(archive.header(name).nbytes for name in archive.names)
            memory.check(size, f"What {path.name} holds")
            arrays = {name: archive.read(name, size) for name in archive.names}
        steps = [_step(fact) for fact in json.loads(str(arrays.pop(_FACTS)))]
        if not steps:
            raise ValueError("it holds no step")
        weights: list[dict[str, Array]] = [{} for _ in steps]
        for name in list(arrays):
            place, _, weight = name.partition("/")
            if weight:
                weights[range(len(steps)).index(int(place))][weight] = arrays.pop(name)
    except ConvlensError:
        raise
    except Exception as error:  # whatever zip, zlib, JSON and NumPy raise where a file isn't whole
        what = " ".join(str(error).split())[:200] or type(error).__name__
        raise InputError(
            "This holds no timeline",
            expected="a file that timeline.save wrote, whole and unchanged",
            received=f"{path}: {what}",
        ) from error
    return [replace(step, weights=held) for step, held in zip(steps, weights, strict=True)], arrays


def _step(told: Mapping[str, Any]) -> Step:
    """A step's facts; its weights stand elsewhere in the file.

    Raises:
        TypeError, ValueError: they aren't what :func:`written` writes.
    """
    step = Step(**told, weights={})
    if type(step.number) is not int or not isinstance(step.label, str):
        raise ValueError(f"a step is {told}")
    loss, accuracy = (None if value is None else float(value) for value in (step.loss, step.accuracy))
    return replace(step, loss=loss, accuracy=accuracy)


def _check_options(options: Mapping[str, Any]) -> None:
    """Refuse at once what would otherwise fail after the training, when its steps are opened."""
    known = [name for name in inspect.signature(opening.open).parameters if name not in ("model", "trust")]
    strange = [name for name in options if name not in known]
    if strange:
        close = closest(strange[0], known, n=1)
        raise InputError(
            "There is no such option",
            expected=" or ".join(known),
            received=strange[0],
            hint=f"Did you mean {close[0]}?" if close else "",
        )
    if options.get("input_shape") is not None:
        intake.checked_shape(options["input_shape"])
    if isinstance(options.get("recipe"), str):
        Recipe.preset(options["recipe"])


def check_fits(wanted: Weights, given: Weights) -> None:
    """Refuse weights of another model, by name and shape.

    Raises:
        ModelError: they aren't this model's.
    """
    shapes = [{name: tuple(np.shape(array)) for name, array in one.items()} for one in (wanted, given)]
    if shapes[0] == shapes[1]:
        return
    name = next(n for n in (*shapes[0], *shapes[1]) if shapes[0].get(n) != shapes[1].get(n))
    raise ModelError(
        "These weights are another model's",
        expected=f"{name} of the shape {shapes[0].get(name, 'none')}",
        received=f"{shapes[1].get(name, 'none')}",
        hint="Give the model that was trained.",
    )


def _as_npz(path: Path) -> Path:
    if path.suffix.lower() == ENDING:
        return path
    raise InputError(
        "A timeline is kept as .npz",
        expected="a path ending in .npz",
        received=str(path),
        hint=f"Type timeline.save({str(path.with_suffix(ENDING))!r}).",
    )
