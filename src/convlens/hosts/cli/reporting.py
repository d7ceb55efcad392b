"""The command that makes one HTML file of a run: ``report``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.errors import InputError, LayerNotFoundError
from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import open_lens, read_picture, split_layers
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.network import Network


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            (
                "network, kernels, maps and the arithmetic of every pixel, in one file",
                "convlens report model.onnx cat.jpg",
            ),
            ("small enough for a mail", "convlens report model.onnx cat.jpg -o cat.html --budget 5MB"),
            (
                "a gallery: several pictures, two models",
                "convlens report a.onnx cat.jpg dog.jpg --also b.onnx -o both.html",
            ),
            ("of saved maps, without the model", "convlens report maps.zarr -o cat.html"),
        ),
    )(with_recipe(report))


def report(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model file, or saved maps: .npz, .safetensors, .zarr.", show_default=False
        ),
    ],
    picture: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PICTURE...]",
            help="Pictures, or .npy or .npz with arrays; none for saved maps.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Ends in .html.",
                     show_default="MODEL-on-PICTURE.html, MAPS.html"),
    ] = None,
    layers: Annotated[
        list[str] | None,
        typer.Option("--layers", "-l", metavar="NAME", help="Keep these layers alone: --layers conv1 --layers relu1.",
                     show_default="all"),
    ] = None,
    budget: Annotated[
        str, typer.Option("--budget", metavar="SIZE", help="The most that the file may take.")
    ] = "12MB",
    also: Annotated[
        list[str] | None,
        typer.Option("--also", metavar="MODEL", help="Another model, on the same pictures; or other saved maps.",
                     show_default=False),
    ] = None,
    labels: options.Labels = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Make one HTML file that shows all of it: offline, by mail, on any web host. Its arithmetic works in it."""
    from convlens import writing
    from convlens.hosts.report import Exhibit, check_path, gallery
    from convlens.lens import exporting, load
    from convlens.lens import memory as sizes

    paths = list(dict.fromkeys((model, *(also or ()))))
    saved = [path for path in paths if Path(path).suffix in exporting.SUFFIXES]
    _check(paths, saved, picture or [], layers)
    target = output or Path(f"{Path(model).stem}{f'-on-{Path(picture[0]).stem}' if picture else ''}.html")
    check_path(target, force=force)
    most = sizes.parse(budget, option="budget")
    exhibits = []
    for path in paths:
        if path in saved:
            exhibits.append(Exhibit(load(path)))
            continue
        lens = open_lens(path, input_shape=input_shape, trust=trust, labels=labels)
        asked = recipe.on(lens)
        for shown in dict.fromkeys(picture or ()):
            with terminal.working(f"Running {Path(path).name} on {Path(shown).name} ..."):
                given = read_picture(shown, max_pixels)
                chosen = None if layers is None else _chosen(lens.traced(given, recipe=asked).network, layers)
                maps = lens.feature_maps(given, layers=chosen, recipe=asked, memory=memory)
                exhibits.append(Exhibit(maps))
    with terminal.working("Writing the report ..."):
        made = gallery(exhibits, budget=most)
        writing.write(target, made.html.encode(), force=force)
    if as_json:
        facts = {"file": str(target), "bytes": made.size, "reductions": list(made.reductions)}
        terminal.say_json({**facts, "runs": [exhibit.maps.to_dict() for exhibit in exhibits]})
        return
    kept = sum(len(exhibit.maps) for exhibit in exhibits)
    terminal.say(f"{terminal.counted(kept, 'layer')} -> {target}, {sizes.in_words(made.size)}")
    if made.reductions:
        terminal.say(f"To keep to {sizes.in_words(most)}:")
        for line in made.reductions:
            terminal.say(f"  {line}")
    else:
        terminal.say("Every value in it is the framework's own, bit for bit.")


def _check(paths: list[str], saved: list[str], pictures: list[str], layers: list[str] | None) -> None:
    """Models need pictures; saved maps have theirs, and are taken whole."""
    if len(saved) < len(paths) and not pictures:
        model = next(path for path in paths if path not in saved)
        raise InputError(
            "A report needs a picture to run the model on",
            expected="MODEL and PICTURE, or a file of saved maps",
            received=f"{model} alone",
            hint=f"Type: convlens report {model} PICTURE",
        )
    if len(saved) == len(paths) and pictures:
        raise InputError(
            "Saved maps take no picture: they were made of one",
            expected="a model file and a picture, or saved maps alone",
            received=f"{saved[0]} and {pictures[0]}",
            hint=f"Type: convlens report {saved[0]}",
        )
    if saved and layers is not None:
        raise InputError(
            "Saved maps are taken whole",
            expected="--layers with models alone",
            received=f"--layers and {saved[0]}",
            hint="Leave --layers away, or name layers where the maps are saved: convlens export --layers.",
        )


def _chosen(network: Network, names: list[str]) -> list[str]:
    """The layers that were named; an error where that is none."""
    found = split_layers(names, network)
    if not found:
        raise LayerNotFoundError(
            "This names no layer",
            expected="one of " + ", ".join(layer.name for layer in network.layers[:5]),
            received=repr(names[0]) if names else "nothing",
        )
    return [network[name].name for name in found]
