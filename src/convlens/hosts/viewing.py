"""What ``convlens view`` and ``maps.serve()`` put on the server's desk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convlens import lens, pictures
from convlens.hosts.demo import CREDIT, the_cat
from convlens.hosts.desk import Desk
from convlens.hosts.wire import facts
from convlens.hosts.wire.pictures import fed_fact
from convlens.sketches import TUTORIAL
from convlens.sketches.tutorial import INPUT_SHAPE

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps, Lens
    from convlens.pictures import Picture


def add_tutorial(desk: Desk) -> None:
    """The eight small models of the tutorial, opened when they are asked for."""
    for lesson in TUTORIAL:

        def opened(text: str = lesson.sketch, seed: int = lesson.seed) -> Lens:
            return lens.sketch(text, input_shape=INPUT_SHAPE, seed=seed)

        desk.add_fact(facts.lesson_fact(lesson), opened)


def add_model(desk: Desk, name: str, opened: Lens) -> None:
    """One model, opened already."""
    desk.add_model(name, lambda: opened, engine=opened.engine, id="model")


def add_pictures(desk: Desk, given: Picture | None, *, tutorial: bool) -> None:
    """The person's own picture first, and the cat: in a tutorial at the size that it is drawn for."""
    if given is not None:
        desk.add_picture(given, sample=True)
    desk.add_picture(the_cat() if tutorial else pictures.cat(), sample=True, credit=CREDIT)


def add_maps(desk: Desk, maps: FeatureMaps) -> None:
    """A run that has been made already, of the model ``"model"``: of a picture, or of arrays fed untouched."""
    picture = maps.picture
    shown = fed_fact(maps, "input") if picture is None else desk.add_picture(picture, sample=True)
    desk.keep(maps, "model", shown)


def serve(maps: FeatureMaps, **options: Any) -> None:
    """Show these maps in the browser; see :meth:`convlens.FeatureMaps.serve`."""
    from convlens.hosts.server import launching

    desk = Desk()
    add_model(desk, maps.network.name, maps.lens)
    add_maps(desk, maps)
    launching.serve(desk, **options)
