"""The command that makes a figure for print: ``figure``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from convlens.errors import InputError, OutputError
from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import open_lens, read_picture, split_layers
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

_ORDERS: tuple[Literal["rgb", "bgr", "grey"], ...] = ("rgb", "bgr", "grey")

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            (
                "three channels of two layers, one column of a journal wide",
                "convlens figure model.onnx cat.jpg -o fig.pdf --layers conv1,relu1 --channels 0,3,5",
            ),
            (
                "two columns wide, every map on its own scale",
                "convlens figure model.onnx cat.jpg -o fig.svg -l conv1 --width double --scale map",
            ),
            ("of saved maps, without the model", "convlens figure maps.zarr -o fig.png --dpi 600"),
        ),
    )(with_recipe(figure))


def figure(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A model file, or saved maps: .npz, .safetensors, .zarr.", show_default=False
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Ends in .svg, .pdf or .png.", show_default=False)
    ],
    picture: Annotated[
        str | None,
        typer.Argument(
            metavar="[PICTURE]", help="A picture, or .npy or .npz with arrays; none for saved maps.", show_default=False
        ),
    ] = None,
    layer: options.Layers = None,
    layers: Annotated[
        list[str] | None,
        typer.Option("--layers", "-l", metavar="NAME", help="Layers, with commas between, or one an option.",
                     show_default="the first six"),
    ] = None,
    channel: Annotated[
        str | None,
        typer.Option("--channel", "-c", metavar="N[,N]", help="Which channels of each layer, such as 0,3,5.",
                     show_default="the first eight"),
    ] = None,
    width: Annotated[
        str, typer.Option("--width", metavar="WIDTH", help="single (85 mm), double (175 mm), 120mm, 3.5in.")
    ] = "single",
    columns: Annotated[
        int | None, typer.Option("--columns", metavar="N", min=1, help="Maps side by side.", show_default=False)
    ] = None,
    dpi: Annotated[float, typer.Option("--dpi", metavar="N", help="Dots an inch of a PNG.")] = 300,
    captions: Annotated[bool, typer.Option("--caption/--no-caption", help="Write the caption below.")] = True,
    scale: options.ColourScale = "layer",
    mode: options.ColourMode = "auto",
    channels: Annotated[
        str | None,
        typer.Option("--channels", metavar="N,N|rgb|bgr|grey", show_default=False,
                     help="The same as --channel; or the network's channel order, as for every other command."),
    ] = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:  # fmt: skip
    """Make a figure for print: chosen layers and channels as lettered panels, with colour bars and a caption."""
    from convlens.draw.plate_formats import FORMATS
    from convlens.lens import exporting, files

    if output.suffix.lower() not in FORMATS:
        raise OutputError(
            "The figure's format can't be told",
            expected="a path ending in " + ", ".join(FORMATS),
            received=str(output),
            hint=f"Type -o {output.with_suffix('.pdf')}" if output.name else "Type -o figure.pdf",
        )
    files.check_place(output, force=force)
    order = next((order for order in _ORDERS if order == channels), None)
    numbers = _numbers(channel if order or channel is not None else channels)
    named = [*(layers or ()), *(layer or ())]
    if Path(model).suffix in exporting.SUFFIXES:
        from convlens.lens import load

        maps = load(model)
        named += [] if picture is None else [_layer_of(maps, model, picture)]
        chosen = split_layers(named, maps)
    elif picture is None:
        raise InputError(
            "A figure needs a picture to run the model on",
            expected="MODEL and PICTURE, or a file of saved maps",
            received=f"{model} alone",
            hint=f"Type: convlens figure {model} PICTURE -o {output}",
        )
    else:
        lens = open_lens(model, input_shape=input_shape, trust=trust)
        asked = replace(recipe, channels=order).on(lens)
        with terminal.working("Running the network ..."):
            given = read_picture(picture, max_pixels)
            chosen = split_layers(named, lens.traced(given, recipe=asked).network)
            maps = lens.feature_maps(given, layers=chosen or None, recipe=asked, memory=memory)
    with terminal.working("Drawing ..."):
        made = maps.figure(chosen or None, numbers, width=width, columns=columns, scale=scale, mode=mode,
                           captions=captions)  # fmt: skip
        made.save(output, dpi=dpi, force=force)
    if as_json:
        facts = {"file": str(output), "width_mm": made.width, "height_mm": made.height, "caption": made.caption}
        terminal.say_json({**facts, **_run(maps)})
        return
    terminal.say(f"{output}: {made.width:g} x {made.height:.4g} mm")
    terminal.say(made.caption)


def _layer_of(maps: FeatureMaps, saved: str, word: str) -> str:
    """What stands where a picture would: a layer, of saved maps."""
    named = split_layers([word], maps)
    if not named or any(name not in maps for name in named):
        raise InputError(
            "Saved maps take no picture: they were made of one",
            expected="layers: " + ", ".join(list(maps)[:5]),
            received=word,
            hint=f"Type: convlens figure {saved} {next(iter(maps))} -o figure.pdf",
        )
    return word


def _run(maps: FeatureMaps) -> dict[str, object]:
    return {key: value for key, value in maps.to_dict().items() if key != "layers"}


def _numbers(text: str | None) -> list[int] | None:
    """Channels from ``0,3,5``."""
    if text is None:
        return None
    words = [word.strip() for word in text.split(",") if word.strip()]
    if not words or not all(word.isdecimal() and len(word) < 9 for word in words):
        raise InputError(
            "These are no channels",
            expected="whole numbers with commas between, such as 0,3,5; or a channel order: rgb, bgr or grey",
            received=repr(text),
            hint="Type --channels 0,3,5, for example.",
        )
    return [int(word) for word in words]
