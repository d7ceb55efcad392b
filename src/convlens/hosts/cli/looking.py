"""Commands that draw: ``kernels``, ``maps``, ``diagram``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from convlens.errors import OutputError
from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import network_for, open_lens, picture_line, read_picture
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.hosts.cli.destination import Destination
    from convlens.network import Layer


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            (
                "the kernels of every convolution, a picture each, in the folder model-kernels",
                "convlens kernels model.onnx",
            ),
            ("those of one layer, in one file", "convlens kernels model.onnx conv1 -o conv1.png"),
            (
                "every filter on its own colour scale, for a paper",
                "convlens kernels model.onnx conv1 --scale map -o conv1.pdf",
            ),
        ),
    )(kernels)
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("every layer, a picture each, in the folder model-on-cat", "convlens maps model.onnx cat.jpg"),
            ("two layers, into a folder of your choice", "convlens maps model.onnx cat.jpg conv1 relu1 -o maps/"),
            ("one channel at full resolution", "convlens maps model.onnx cat.jpg conv1 --channel 7 -o conv1-7.png"),
            (
                "the picture as ImageNet models want it",
                "convlens maps model.onnx cat.jpg --preset imagenet --crop 0.875",
            ),
            (
                "what the network sees in it",
                "convlens maps model.onnx cat.jpg --labels imagenet.txt --json | jq .prediction",
            ),
        ),
    )(with_recipe(maps))
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("the network as a picture: layers, branches, shapes", "convlens diagram model.onnx -o model.svg"),
        ),
    )(diagram)


def kernels(
    model: options.Model,
    layer: options.Layers = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|FILE",
            help="A folder, or a file for one layer.",
            show_default="MODEL-kernels",
        ),
    ] = None,
    format: options.PictureFormat = None,
    scale: options.ColourScale = "layer",
    mode: options.ColourMode = "auto",
    colour: Annotated[
        bool | None,
        typer.Option(
            "--colour/--no-colour",
            help="Draw each filter of three channels as one coloured tile, or as three.",
            show_default="coloured where the layer reads RGB",
        ),
    ] = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Draw the kernels: the numbers that slide. Every convolution's, or those of the layers that you name."""
    from convlens.hosts.cli.destination import Destination, write_pages

    to = Destination.read(output or Path(f"{Path(model).stem}-kernels"), format, force=force)
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    with terminal.working("Reading the network ..."):
        names = layer or [found.name for found in lens.network if found.has_kernels]
    if not names:
        lens.kernels()  # says that there are none
    _check_one(to, [lens.network[name] for name in names])
    drawn = []
    with to.open(names, force=force) as place, terminal.progress("Drawing kernels", len(names)) as done:
        for name in dict.fromkeys(names):
            found = lens.kernels(name)
            pages = found.pages(scale=scale, mode=mode, colour=colour, format=to.format)
            drawn.append((found, write_pages(place, name, pages)))
            done(name)
    if as_json:
        layers = [{**found.to_dict(), "files": [str(path) for path in paths]} for found, paths in drawn]
        terminal.say_json({"model": lens.network.name, "engine": lens.engine, "layers": layers})
        return
    terminal.say_files((found.name, " x ".join(map(str, found.array.shape)), paths) for found, paths in drawn)
    where = to.said([path for _, paths in drawn for path in paths])
    terminal.say(f"{terminal.counted(len(drawn), 'convolution')} of {lens.network.name} -> {where}")


def maps(
    model: options.Model,
    picture: options.Picture,
    layer: options.Layers = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR|FILE",
            help="A folder, or a file for one layer.",
            show_default="MODEL-on-PICTURE",
        ),
    ] = None,
    channel: Annotated[
        int | None, typer.Option("--channel", "-c", metavar="N", help="Draw this channel alone, at full resolution.")
    ] = None,
    format: options.PictureFormat = None,
    scale: options.ColourScale = "layer",
    mode: options.ColourMode = "auto",
    labels: options.Labels = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Draw the feature maps: what every layer makes of the picture. All layers, or those that you name."""
    from convlens.hosts.cli.destination import Destination, write_pages

    to = Destination.read(output or Path(f"{Path(model).stem}-on-{Path(picture).stem}"), format, force=force)
    lens = open_lens(model, input_shape=input_shape, trust=trust, labels=labels)
    asked = recipe.on(lens)
    with terminal.working("Reading the picture ..."):
        walk = lens.walk(read_picture(picture, max_pixels), layers=layer, recipe=asked, memory=memory)
    _check_one(to, walk.layers)
    if channel is not None:
        walk.check_channel(channel)
    names = [_file_name(found.name, channel) for found in walk.layers]
    drawn: list[tuple[dict[str, Any], list[Path]]] = []
    with walk, to.open(names, force=force) as place, terminal.progress("Running and drawing", len(walk.layers)) as done:
        for found in walk:
            paths = write_pages(
                place, _file_name(found.name, channel), found.pages(channel, scale=scale, mode=mode, format=to.format)
            )
            drawn.append((found.to_dict() if as_json else {"name": found.name, "shape": found.shape}, paths))
            done(found.name)
    if as_json:
        layers = [{**facts, "files": [str(path) for path in paths]} for facts, paths in drawn]
        terminal.say_json({**walk.to_dict(), "layers": layers})
        return
    terminal.say_files((facts["name"], " x ".join(map(str, facts["shape"])), paths) for facts, paths in drawn)
    where = to.said([path for _, paths in drawn for path in paths])
    terminal.say(f"{terminal.counted(len(drawn), 'layer')} of {walk.network.name} on {Path(picture).name} -> {where}")
    terminal.say(picture_line(walk))
    if walk.prediction is not None:
        terminal.say(f"Prediction: {walk.prediction}")


def diagram(
    model: options.Model,
    output: options.Output,
    input_shape: options.InputShape = None,
    picture: options.ForPicture = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Draw the network: layers as boxes, branches and residuals as lines, with the shapes that flow along them."""
    from convlens import draw, writing
    from convlens.lens import files

    if output.suffix.lower() != ".svg":
        raise OutputError(
            "A diagram is an SVG", expected="a path ending in .svg", received=str(output), hint=_svg_hint(model, output)
        )
    files.check_place(output, force=force)
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    with terminal.working("Drawing the network ..."):
        network = network_for(lens, picture).network
        writing.write(output, draw.diagram_svg(network).encode(), force=force)
    if as_json:
        layers = [layer.name for layer in network]
        terminal.say_json({"model": network.name, "engine": lens.engine, "layers": layers, "file": str(output)})
        return
    terminal.say(f"{terminal.counted(len(network), 'layer')} of {network.name} -> {output}")


def _svg_hint(model: str, output: Path) -> str:
    return f"Type: convlens diagram {model} -o {output.with_suffix('.svg')}" if output.name else ""


def _file_name(layer: str, channel: int | None) -> str:
    return layer if channel is None else f"{layer}-channel-{channel}"


def _check_one(to: Destination, chosen: Sequence[Layer]) -> None:
    if to.is_file and len(chosen) != 1:
        raise OutputError(
            "A file holds one layer",
            expected=f"one LAYER for {to.path}, or a folder",
            received=terminal.counted(len(chosen), "layer"),
            hint=f"Name a layer, such as {chosen[0].name}, or type -o {to.path.with_suffix('')}{'/'} for all.",
        )
