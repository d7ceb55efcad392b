"""A training as hosts show it: each of its steps is a model, and all of them are one timeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from convlens.errors import InputError
from convlens.hosts.wire.facts import num
from convlens.hosts.wire.schema import ModelFact, StepOfTraining
from convlens.lens import digits, feeding, memory

if TYPE_CHECKING:
    from convlens.hosts.desk import Desk
    from convlens.lens import Lens
    from convlens.lens.timeline import Timeline


def step_fact(timeline: Timeline, place: int, pictures: Sequence[str] = ()) -> ModelFact:
    """One step as a model of its own; ``pictures`` are the ids of those that belong to the training.

    >>> step_fact(digits.timeline(), 0)["step"]["number"]
    0
    """
    step = timeline.steps[place]
    return ModelFact(
        id=f"{timeline.name}-{step.number}",
        name=timeline.name,
        engine="",
        title=None,
        says=None,
        step=StepOfTraining(
            timeline=timeline.name,
            number=step.number,
            label=step.label,
            loss=None if step.loss is None else num(step.loss),
            accuracy=None if step.accuracy is None else num(step.accuracy),
            pictures=list(pictures),
        ),
    )


def add_to(desk: Desk, timeline: Timeline, pictures: Sequence[str] = ()) -> None:
    """Put every step on the desk; a step is opened when it is first asked for."""
    for place in range(len(timeline)):

        def opened(place: int = place) -> Lens:
            return timeline[place]

        desk.add_fact(step_fact(timeline, place, pictures), opened)


def add_digits(desk: Desk) -> None:
    """The digit network that comes with convlens, and the digits that it is tried on."""
    shown = [desk.add_picture(picture, sample=True, credit=digits.CREDIT)["id"] for picture in digits.pictures()]
    add_to(desk, digits.timeline(), shown)


def save(
    timeline: Timeline, path: Path, picture: object, *, budget: str | int | None = None, force: bool = False
) -> None:
    """Write every step's run on one picture as one HTML file."""
    from convlens import writing
    from convlens.hosts.report import Exhibit, gallery

    most = None if budget is None else memory.parse(budget, option="budget")
    runs = timeline.feature_maps(picture)
    exhibits = [Exhibit(maps, step_fact(timeline, place)) for place, maps in enumerate(runs)]
    writing.write(path, gallery(exhibits, budget=most, title=timeline.name).html.encode(), force=force)


def serve(timeline: Timeline, picture: object, **options: Any) -> None:
    """Show a training in the browser."""
    from convlens import pictures
    from convlens.hosts.desk import Desk
    from convlens.hosts.server import launching

    desk = Desk()
    add_to(desk, timeline)
    if pictures.is_fed(picture) or feeding.is_arrays(picture):
        raise InputError(
            "The page shows a training on a picture",
            expected="a path of a picture, an image or a uint8 array",
            received=f"{type(picture).__name__} that is fed untouched",
            hint='Type timeline.report("training.html", array): a file shows it on an array.',
        )
    desk.add_picture(pictures.read(picture), sample=True)
    launching.serve(desk, **options)
