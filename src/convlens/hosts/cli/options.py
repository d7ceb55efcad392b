"""The arguments and options that commands share, each described once; and examples for their help."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from convlens.hosts.cli import completion, terminal

_RECIPE = "How the picture becomes the input"

Format = Literal["png", "webp", "svg", "pdf"]

Model = Annotated[
    str, typer.Argument(metavar="MODEL", help="A model file: .onnx, .keras, .h5, .pt2 or .pt.", show_default=False)
]
Picture = Annotated[
    str,
    typer.Argument(
        metavar="PICTURE",
        help="A picture: JPEG, PNG, WebP, TIFF, BMP or GIF. Or .npy or .npz: arrays, fed untouched.",
        show_default=False,
    ),
]
Layers = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[LAYER]...",
        help="Names of layers, as the summary lists them.",
        show_default=False,
        autocompletion=completion.layers,
    ),
]
InputShape = Annotated[
    str | None,
    typer.Option(
        "--input-shape",
        metavar="C,ROWS,COLS",
        help="Channels, rows and columns, where the model leaves them open.",
        show_default=False,
    ),
]
ForPicture = Annotated[
    str | None,
    typer.Option(
        "--picture",
        metavar="PICTURE",
        help="Take the sizes of this picture, as the network reads it.",
        show_default=False,
    ),
]
Trust = Annotated[
    bool, typer.Option("--trust", help="Open a file even if that runs code which the file carries.", show_default=False)
]
Json = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.", show_default=False)]
Force = Annotated[
    bool,
    typer.Option("--force", "-f", help="Overwrite files that convlens didn't write.", show_default=False),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="The most that feature maps may take at a time, such as 4GB.",
        show_default="half of the free memory",
    ),
]
MaxPixels = Annotated[
    int | None,
    typer.Option(
        "--max-pixels",
        metavar="N",
        min=1,
        help="The largest picture to read, rows x columns.",
        show_default="200000000",
        rich_help_panel=_RECIPE,
    ),
]
Output = Annotated[Path, typer.Option("--output", "-o", metavar="PATH", help="The file to write.", show_default=False)]
PictureFormat = Annotated[
    Format | None,
    typer.Option("--format", help="The format of the pictures.", show_default="the ending of -o, or png"),
]
ColourScale = Annotated[
    Literal["layer", "map"],
    typer.Option("--scale", help="One colour scale for the whole layer, or one for each map."),
]
ColourMode = Annotated[
    Literal["auto", "diverging", "sequential"],
    typer.Option("--mode", help="Zero-centred colours, or from low to high; auto goes by the sign of the values."),
]
Labels = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Class names, one a line, in the order of the scores."),
]

Preset = Annotated[
    str | None,
    typer.Option(
        "--preset",
        metavar="NAME",
        help="imagenet, 0..1, -1..1, 0..255 or caffe-bgr.",
        show_default="what the model file states, else 0..255",
        rich_help_panel=_RECIPE,
        autocompletion=completion.presets,
    ),
]
Resize = Annotated[
    Literal["none", "stretch", "crop", "pad"] | None,
    typer.Option("--resize", help="How the picture gets to its size.", rich_help_panel=_RECIPE, show_default=False),
]
Size = Annotated[
    str | None,
    typer.Option(
        "--size",
        metavar="ROWSxCOLS",
        help="The size to bring the picture to, such as 224x224.",
        show_default="the model's own",
        rich_help_panel=_RECIPE,
    ),
]
Crop = Annotated[
    str | None,
    typer.Option(
        "--crop",
        metavar="PART",
        help="The central part to keep, such as 0.875 or 224/256.",
        show_default=False,
        rich_help_panel=_RECIPE,
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        "--mean",
        metavar="M[,M,M]",
        help="Taken from every scaled pixel.",
        show_default=False,
        rich_help_panel=_RECIPE,
    ),
]
Std = Annotated[
    str | None,
    typer.Option(
        "--std",
        metavar="S[,S,S]",
        help="What the result is divided by.",
        show_default=False,
        rich_help_panel=_RECIPE,
    ),
]
ScalePixels = Annotated[
    str | None,
    typer.Option(
        "--scale-pixels",
        metavar="FACTOR",
        help="What every pixel is multiplied by first, such as 1/255.",
        show_default=False,
        rich_help_panel=_RECIPE,
    ),
]
Channels = Annotated[
    Literal["rgb", "bgr", "grey"] | None,
    typer.Option("--channels", help="The network's channel order.", show_default=False, rich_help_panel=_RECIPE),
]
Interpolation = Annotated[
    Literal["bicubic", "bilinear", "nearest", "lanczos"] | None,
    typer.Option("--interpolation", help="How pixels are resized.", show_default=False, rich_help_panel=_RECIPE),
]


def examples(*pairs: tuple[str, str]) -> str:
    """The end of a command's help: (what it does, what to type)."""
    if terminal.RICH_HELP:
        shown = [f"[dim]{_escaped(what)}[/dim]\n  [bold]{_escaped(line)}[/bold]" for what, line in pairs]
        return "\n".join(["[bold]Examples[/bold]", *shown])
    return "\b\n" + "\n".join(["Examples:", *(f"  # {what}\n  {line}" for what, line in pairs)])


def _escaped(text: str) -> str:
    return text.replace("[", "\\[")
