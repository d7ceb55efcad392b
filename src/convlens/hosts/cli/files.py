"""Commands that write numbers: ``export``, ``sketch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.errors import OutputError
from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import Command, ModelCommand
from convlens.hosts.cli.opening import open_lens, picture_line, read_free_shape, read_picture
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.lens import FeatureMap


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("every feature map, for NumPy", "convlens export model.onnx cat.jpg -o maps.npz"),
            ("two layers only", "convlens export model.onnx cat.jpg conv1 relu1 -o maps.safetensors"),
            ("more than memory holds", "convlens export model.onnx large.jpg -o maps.zarr --memory 1GB"),
        ),
    )(with_recipe(export))
    app.command(
        cls=Command,
        epilog=examples(
            ("a model in one line", 'convlens sketch "conv 3 3x3 | relu | maxpool 5x5" -o small.onnx'),
            ("an edge detector", 'convlens sketch "conv sobel-x" -o edges.onnx && convlens maps edges.onnx cat.jpg'),
            (
                "for grey pictures of 28x28",
                'convlens sketch "conv 8 3 same | flatten | dense 10" --input-shape 1,28,28 -o d.onnx',
            ),
        ),
    )(sketch)


def export(
    model: options.Model,
    picture: options.Picture,
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="FILE", help="Ends in .npz, .safetensors or .zarr.", show_default=False),
    ],
    layer: options.Layers = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Write the feature maps as numbers, with the layers' names and shapes and the picture's recipe."""
    from convlens.lens import exporting

    exporting.check(output, force=force)
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    asked = recipe.on(lens)
    with terminal.working("Reading the picture ..."):
        walk = lens.walk(read_picture(picture, max_pixels), layers=layer, recipe=asked, memory=memory)
    shapes: dict[str, list[int]] = {}
    with walk, terminal.progress("Running and writing", len(walk.layers)) as done:

        def written(found: FeatureMap) -> None:
            shapes[found.name] = list(found.shape)
            done(found.name)

        walk.save(output, each=written, force=force)
    if as_json:
        layers = [{"name": name, "shape": shape} for name, shape in shapes.items()]
        terminal.say_json({**walk.to_dict(), "layers": layers, "file": str(output)})
        return
    terminal.say(f"{terminal.counted(len(shapes), 'layer')} of {walk.network.name} on {Path(picture).name} -> {output}")
    terminal.say(picture_line(walk))


def sketch(
    text: Annotated[
        str,
        typer.Argument(
            metavar="SKETCH", help="The model in one line: layers from left to right, bars between.", show_default=False
        ),
    ],
    output: options.Output,
    input_shape: Annotated[
        str,
        typer.Option("--input-shape", metavar="C,ROWS,COLS", help="Channels, rows and columns; ? leaves one open."),
    ] = "3,?,?",
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Where the random weights come from.")] = 0,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Write a small model from one line of text, as ONNX.

    Layers: conv FILTERS KERNEL (or a kernel's name: sobel-x, sobel-y, laplacian, gaussian, box, sharpen, emboss,
    identity), dwconv, tconv; relu, leakyrelu, sigmoid, tanh, silu, gelu, softmax; maxpool, avgpool, globalavgpool;
    batchnorm, flatten, dense N. After conv: stride N, dilation N, same, valid, pad N, groups N, nobias.
    """
    from convlens import lens, sketches, writing
    from convlens.lens import files

    if output.suffix.lower() != ".onnx":
        raise OutputError(
            "A sketch becomes an ONNX model",
            expected="a path ending in .onnx",
            received=str(output),
            hint=f"Type -o {output.with_suffix('.onnx')}" if output.name else "Type -o model.onnx",
        )
    files.check_place(output, force=force)
    built = sketches.build(text, input_shape=read_free_shape(input_shape), seed=seed)
    writing.write(output, built.SerializeToString(), force=force)
    summary = lens.open(built).summary()
    if as_json:
        terminal.say_json({**summary.to_dict(), "sketch": text, "seed": seed, "file": str(output)})
        return
    terminal.say(f"{summary.totals()} -> {output}")
