"""The demo: eight small models look at a cat, and everything they do lies in one folder, with a page to read it on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from convlens import derivation, draw, lens, pictures, sketches
from convlens.draw.mosaic import shrink
from convlens.draw.png import encode_rgb
from convlens.hosts import demo_page
from convlens.hosts.demo_page import Map, Section, Stage
from convlens.lens import FeatureMap, Lens, files
from convlens.lens.files import Filling
from convlens.pictures import Picture, Recipe
from convlens.sketches import TUTORIAL, Lesson

ROWS, COLUMNS = 1440, 1080
PICTURE = "cat.png"
_ON_THE_PAGE = 480  # pixels of a map's longest side


@dataclass(frozen=True, slots=True)
class Demo:
    """What the demo left: ``index`` is the page to open, ``models`` the facts of each model."""

    folder: Path
    index: Path
    models: tuple[dict[str, Any], ...]

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data."""
        return {"folder": str(self.folder), "index": str(self.index), "models": list(self.models)}


def run(folder: Path, *, force: bool = False, each: Callable[[str], None] = lambda _title: None) -> Demo:
    """Run the eight models and fill ``folder``; ``each`` is told when one is done.

    Raises:
        OutputError: the folder can't be written, or a file in it isn't ours; nothing half-written remains.
    """
    again = files.is_ours(folder / "index.html")  # then the texts beside it are ours too
    with files.filling(folder, force=force or again) as arriving:
        cat = the_cat()
        arriving.add("cat", ".png", encode_rgb(cat.pixels))
        sections = []
        for lesson in TUTORIAL:
            sections.append(_run_lesson(lesson, cat, arriving))
            each(lesson.title)
        models = tuple(_facts(section) for section in sections)
        thumbnail = arriving.add("cat-small", ".png", encode_rgb(np.ascontiguousarray(cat.pixels[::3, ::3])))
        page = demo_page.page(sections, picture=PICTURE, thumbnail=thumbnail.name, credit=_credit(cat))
        arriving.add("index", ".html", page.encode())
        arriving.add("index", ".txt", _index_text(sections).encode())
    return Demo(folder, folder / "index.html", models)


def the_cat() -> Picture:
    """The example picture, stretched to the size that the lessons are drawn for.

    >>> the_cat()
    Picture('cat.png', 1440 rows x 1080 columns x 3 channels)
    """
    original = pictures.cat()
    pixels = pictures.as_shown(original, Recipe(resize="stretch"), ROWS, COLUMNS)
    note = f"{original.name} stretched from {original.rows} rows x {original.columns} columns"
    return Picture(pixels, PICTURE, (note,))


def _run_lesson(lesson: Lesson, cat: Picture, arriving: Filling) -> Section:
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
    stages = tuple(_stage(found, opened, add) for found in maps.values())
    return Section(lesson, maps.network, stages, tuple(derivation.derive_all(maps.network)), links)


Add = Callable[[str, str, bytes], str]


def _add_kernels(opened: Lens, add: Add) -> dict[str, str]:
    names = [layer.name for layer in opened.network if layer.has_kernels]
    links = {}
    for name in names:
        stem = "kernels" if len(names) == 1 else f"kernels-{name}"
        links[stem.replace("-", " of ")] = add(stem, ".png", opened.kernels(name).png())
    return links


def _stage(found: FeatureMap, opened: Lens, add: Add) -> Stage:
    whole = add(f"maps-{files.stem(found.name)}", ".png", found.png())
    scale = draw.scale_for(found.array)
    shown = tuple(_map(found, channel, scale, add) for channel in range(found.shape[0]))
    kernels = opened.kernels(found.name) if found.layer.has_kernels else None
    return Stage(found.layer, whole, shown, scale, found.statistics, kernels)


def _map(found: FeatureMap, channel: int, scale: draw.Scale, add: Add) -> Map:
    """One channel twice: every value a pixel, and small enough for the page."""
    name = f"maps-{files.stem(found.name)}-channel-{channel}"
    whole = add(name, ".png", found.png(channel))
    array = found.array[channel]
    step = -(-max(array.shape) // _ON_THE_PAGE)
    factor = max(1, _ON_THE_PAGE // max(array.shape))
    small = draw.map_png(shrink(array[None], step)[0], scale=scale, enlarge=factor, legend=False)
    return Map(channel, whole, add(f"{name}-small", ".png", small), step, factor)


def _facts(section: Section) -> dict[str, Any]:
    return {
        "number": section.lesson.number,
        "title": section.lesson.title,
        "sketch": section.lesson.sketch,
        "seed": section.lesson.seed,
        "parameters": section.network.parameters,
        "output_shape": list(section.network.layers[-1].output_shape),
        "files": dict(section.links),
    }


def _credit(cat: Picture) -> str:
    return f"Chelsea the cat, by Stéfan van der Walt (CC0); {cat.notes[0]}."


def _index_text(sections: list[Section]) -> str:
    lines = [
        "convlens demo: eight small networks look at a cat",
        "",
        "index.html shows all of this on one page. Open it in a browser.",
        f"{PICTURE} is the picture, {ROWS} rows x {COLUMNS} columns.",
        "",
        f"{'':3}{'sketch':<72}{'parameters':>10}  output (channels x rows x columns)",
    ]
    for section in sections:
        shape = " x ".join(str(n) for n in section.network.layers[-1].output_shape)
        lines.append(f"{section.lesson.number:<3}{section.lesson.sketch:<72}{section.network.parameters:>10}  {shape}")
    for section in sections:
        lines += ["", f"{section.lesson.number}. {section.lesson.title}"]
        lines += [f"   {path}" for path in (*section.links.values(), *(stage.picture for stage in section.stages))]
    first = sections[0].links["model"]
    lines += [
        "",
        "Go on by yourself, in this folder:",
        f"  convlens summary {first}",
        f"  convlens maps {first} {PICTURE}",
        '  convlens sketch "conv sobel-x" -o edges.onnx && convlens maps edges.onnx cat.png',
        "",
    ]
    return "\n".join(lines)
