"""The demo: eight small models look at a cat; all that they do lies in one folder, with a page to walk through it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from convlens import derivation, lens, pictures, sketches
from convlens.draw.png import encode_rgb
from convlens.hosts import report
from convlens.hosts.report import page
from convlens.hosts.wire.facts import lesson_fact
from convlens.lens import FeatureMap, FeatureMaps, Lens, files
from convlens.lens.files import Filling
from convlens.pictures import Picture, Recipe
from convlens.sketches import TUTORIAL, Lesson

ROWS, COLUMNS = 1440, 1080
PICTURE = "cat.png"
CREDIT = "Chelsea the cat, by Stéfan van der Walt, CC0"
BUDGET = "10MB"
"""The most that the page may take."""


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo left: ``index`` is the page to open, ``models`` the facts of each model."""

    folder: Path
    index: Path
    models: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {"folder": str(self.folder), "index": str(self.index), "models": list(self.models)}


@dataclass(frozen=True, slots=True)
class _Made:
    """One lesson: its maps, and the files that lie beside the page."""

    lesson: Lesson
    maps: FeatureMaps
    links: dict[str, str]
    pictures: tuple[str, ...]


def run(folder: Path, *, force: bool = False, each: Callable[[str], None] = lambda _title: None) -> Demo:
    """Run the eight models and fill ``folder``; ``each`` is told when one is done.

    ``index.html`` is the report of all of them: a walk from model to model.

    Raises:
        ConvlensError: the viewer isn't built; the folder can't be written, or a file in it isn't ours; nothing
            half-written remains.
    """
    # what would end in an error says so before anything is run
    page.viewer()
    files.check_free(folder / "index.html", force=force)
    with files.filling(folder, force=force) as arriving:
        cat = the_cat()
        arriving.add("cat", ".png", encode_rgb(cat.pixels))
        made = []
        for lesson in TUTORIAL:
            made.append(_run_lesson(lesson, cat, arriving))
            each(lesson.title)
        exhibits = [report.Exhibit(one.maps, lesson_fact(one.lesson), CREDIT) for one in made]
        walk = report.gallery(exhibits, budget=BUDGET, title="Eight small networks look at a cat")
        arriving.add("index", ".html", walk.html.encode())
        arriving.add("index", ".txt", _index_text(made).encode())
    return Demo(folder, folder / "index.html", tuple(_facts(one) for one in made))


def the_cat() -> Picture:
    """The example picture, stretched to the size that the lessons are drawn for.

    >>> the_cat()
    Picture('cat.png', 1440 rows x 1080 columns x 3 channels)
    """
    original = pictures.cat()
    pixels = pictures.as_shown(original, Recipe(resize="stretch"), ROWS, COLUMNS)
    note = f"{original.name} stretched from {original.rows} rows x {original.columns} columns"
    return Picture(pixels, PICTURE, (note,))


def _run_lesson(lesson: Lesson, cat: Picture, arriving: Filling) -> _Made:
    model = sketches.build(lesson.sketch, input_shape=(cat.channels, cat.rows, cat.columns), seed=lesson.seed)
    opened = lens.open(model)
    maps = opened.feature_maps(cat)
    place = f"{lesson.number}-{files.stem(lesson.title.lower())}"
    summary = opened.summary()

    def add(name: str, ending: str, data: bytes) -> str:
        path = arriving.add(name, ending, data, folder=place)
        return path.relative_to(arriving.target).as_posix()

    links = {
        "model": add("model", ".onnx", model.SerializeToString()),
        "summary": add("summary", ".txt", f"{summary}\n".encode()),
        "summary as JSON": add("summary", ".json", json.dumps(summary.to_dict(), indent=2).encode()),
        "diagram": add("diagram", ".svg", opened.diagram().encode()),
        "arithmetic": add("arithmetic", ".txt", derivation.in_words(maps.network).encode()),
    }
    links |= _add_kernels(opened, add)
    return _Made(lesson, maps, links, tuple(_add_maps(found, add) for found in maps.values()))


Add = Callable[[str, str, bytes], str]


def _add_kernels(opened: Lens, add: Add) -> dict[str, str]:
    names = [layer.name for layer in opened.network if layer.has_kernels]
    links = {}
    for name in names:
        stem = "kernels" if len(names) == 1 else f"kernels-{name}"
        links[stem.replace("-", " of ")] = add(stem, ".png", opened.kernels(name).png())
    return links


def _add_maps(found: FeatureMap, add: Add) -> str:
    """All channels as one picture, whose path this is, and each as one of its own, every value a pixel."""
    for channel in range(found.shape[0]):
        add(f"maps-{files.stem(found.name)}-channel-{channel}", ".png", found.png(channel))
    return add(f"maps-{files.stem(found.name)}", ".png", found.png())


def _facts(made: _Made) -> dict[str, Any]:
    return {
        "number": made.lesson.number,
        "title": made.lesson.title,
        "sketch": made.lesson.sketch,
        "seed": made.lesson.seed,
        "parameters": made.maps.network.parameters,
        "output_shape": list(made.maps.network.layers[-1].output_shape),
        "files": dict(made.links),
    }


def _index_text(made: list[_Made]) -> str:
    lines = [
        "convlens demo: eight small networks look at a cat",
        "",
        "index.html walks through all of them. Open it in a browser: it is one file and needs nothing else.",
        f"{PICTURE} is the picture, {ROWS} rows x {COLUMNS} columns.",
        "",
        f"{'':3}{'sketch':<72}{'parameters':>10}  output (channels x rows x columns)",
    ]
    for one in made:
        shape = " x ".join(str(n) for n in one.maps.network.layers[-1].output_shape)
        lines.append(f"{one.lesson.number:<3}{one.lesson.sketch:<72}{one.maps.network.parameters:>10}  {shape}")
    for one in made:
        lines += ["", f"{one.lesson.number}. {one.lesson.title}"]
        lines += [f"   {path}" for path in (*one.links.values(), *one.pictures)]
    first = made[0].links["model"]
    lines += [
        "",
        "Go on by yourself, in this folder:",
        f"  convlens summary {first}",
        f"  convlens maps {first} {PICTURE}",
        '  convlens sketch "conv sobel-x" -o edges.onnx && convlens maps edges.onnx cat.png',
        "",
        "convlens view opens the same in the browser, for pictures of your own, and a digit network while it learns.",
        "",
    ]
    return "\n".join(lines)
