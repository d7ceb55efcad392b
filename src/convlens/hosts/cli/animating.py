"""The command that makes a window slide: ``animate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from convlens.errors import InputError
from convlens.hosts.cli import completion, options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.explaining import read_place
from convlens.hosts.cli.opening import open_lens, read_picture
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.draw.animation import Slide

Kind = Literal["conv", "pool", "tconv", "dilated", "multichannel"]

_LAYER = "A real layer instead"
_LOOK = "How it looks"

_USUAL: dict[Kind, dict[str, Any]] = {
    "conv": {"input": "5x5", "kernel": "3x3"},
    "dilated": {"input": "7x7", "kernel": "3x3", "dilation": "2"},
    "multichannel": {"input": "3x5x5", "kernel": "3x3"},
    "tconv": {"input": "3x3", "kernel": "3x3", "stride": "2", "padding": "1"},
    "pool": {"input": "6x6", "kernel": "2x2"},
}
_NOT_OF: dict[str, tuple[Kind, ...]] = {  # options, and the kinds that know them
    "dilation": ("conv", "dilated", "multichannel", "tconv"),
    "output_padding": ("tconv",),
    "mode": ("pool",),
    "bias": ("conv", "dilated", "multichannel", "tconv"),
}


def add_to(app: typer.Typer) -> None:
    """Add the command of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("for a slide", "convlens animate conv --input 5x5 --kernel 3x3 --stride 2 --padding 1 -o conv.gif"),
            ("for a page; it moves without a script", "convlens animate tconv --theme dark -o tconv.svg"),
            ("your own numbers", 'convlens animate conv --input "1 2 3; 4 5 6; 7 8 9" --kernel "0 1; 1 0" -o own.gif'),
            (
                "a layer of your own network",
                "convlens animate --model model.onnx --picture cat.jpg --layer conv1 -o conv1.gif",
            ),
            ("for a paper: a picture a step", "convlens animate pool --theme paper -o frames/"),
        ),
    )(with_recipe(animate))


def animate(
    kind: Annotated[
        Kind | None,
        typer.Argument(metavar="KIND", help="conv, pool, tconv, dilated or multichannel.", show_default=False),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="PATH",
            help="Ends in .gif, .svg, .png, .apng, .webp, .mp4 or .webm (ffmpeg); a folder, or frame-%03d.png.",
            show_default=False,
        ),
    ] = None,
    input: Annotated[
        str | None,
        typer.Option("--input", metavar="SIZE", help="5x5, 3x5x5, or numbers: '1 2; 3 4'.", show_default=False),
    ] = None,
    kernel: Annotated[
        str | None,
        typer.Option("--kernel", metavar="SIZE", help="3x3, numbers, or a name: sobel-x.", show_default=False),
    ] = None,
    stride: Annotated[
        str | None, typer.Option("--stride", metavar="N", help="N, or ROWSxCOLUMNS.", show_default=False)
    ] = None,
    padding: Annotated[
        str | None,
        typer.Option("--padding", metavar="N", help="N, ROWSxCOLUMNS, BEFORE+AFTER, half or full.", show_default=False),
    ] = None,
    dilation: Annotated[
        str | None, typer.Option("--dilation", metavar="N", help="How far taps lie apart.", show_default=False)
    ] = None,
    output_padding: Annotated[
        int | None, typer.Option("--output-padding", metavar="N", help="Of tconv.", show_default=False)
    ] = None,
    mode: Annotated[
        Literal["max", "average"] | None, typer.Option("--mode", help="Of pool.", show_default="max")
    ] = None,
    bias: Annotated[
        float | None, typer.Option("--bias", metavar="B", help="Added to every sum.", show_default=False)
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option("--seed", metavar="N", min=0, max=2**31, help="Other numbers in the cells.", show_default=False),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="MODEL", help="A model file.", show_default=False, rich_help_panel=_LAYER),
    ] = None,
    picture: Annotated[
        str | None,
        typer.Option("--picture", metavar="PICTURE", help="Its picture.", show_default=False, rich_help_panel=_LAYER),
    ] = None,
    layer: Annotated[
        str | None,
        typer.Option(
            "--layer",
            metavar="LAYER",
            help="A convolution or a pooling.",
            show_default="the first one",
            autocompletion=completion.layers,
            rich_help_panel=_LAYER,
        ),
    ] = None,
    channel: Annotated[
        int, typer.Option("--channel", "-c", metavar="N", help="Which of its maps.", rich_help_panel=_LAYER)
    ] = 0,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="ROW,COLUMN",
            help="The middle of the part that is shown.",
            show_default="the strongest value",
            rich_help_panel=_LAYER,
        ),
    ] = None,
    outputs: Annotated[
        str | None,
        typer.Option(
            "--outputs",
            metavar="SIZE",
            help="How much of the output.",
            show_default="up to 4x4",
            rich_help_panel=_LAYER,
        ),
    ] = None,
    cell: Annotated[
        int | None,
        typer.Option(
            "--cell",
            metavar="PIXELS",
            help="The side of a cell.",
            show_default="40, 48 of a real layer, less where there are many",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    theme: Annotated[
        Literal["light", "dark", "paper"], typer.Option("--theme", help="Its colours.", rich_help_panel=_LOOK)
    ] = "light",
    colours: Annotated[
        str,
        typer.Option(
            "--colours",
            metavar="NAME=#RRGGBB[,...]",
            help="Of page, ink, input, window or output.",
            show_default=False,
            rich_help_panel=_LOOK,
        ),
    ] = "",
    fps: Annotated[float, typer.Option("--fps", metavar="N", help="Windows a second.", rich_help_panel=_LOOK)] = 1.5,
    numbers: Annotated[
        bool, typer.Option("--numbers/--no-numbers", help="Numbers in the cells.", rich_help_panel=_LOOK)
    ] = True,
    shade: Annotated[
        bool | None,
        typer.Option(
            "--shade/--no-shade",
            help="Cells coloured by value.",
            show_default="of a real layer",
            rich_help_panel=_LOOK,
        ),
    ] = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    force: options.Force = False,
    as_json: options.Json = False,
) -> None:
    """Animate a convolution or a pooling: the window slides, the output fills up, the arithmetic stands below."""
    from convlens.draw import animation
    from convlens.draw.animation import saving
    from convlens.lens import animating, files

    if kind is None and model is None:
        raise InputError(
            "Nothing to animate",
            expected="conv, pool, tconv, dilated or multichannel, or --model",
            received="--picture or --layer without --model" if picture or layer else "none",
            hint="Type: convlens animate conv -o conv.gif",
        )
    target = _target(output, kind)
    ending = saving.check(target)
    look = animation.Look.of(
        theme,
        colours,
        cell=(40 if model is None else animating.CELL) if cell is None else cell,
        fps=fps,
        numbers=numbers,
        shade=model is not None if shade is None else shade,
    )
    typed = {
        "input": input,
        "kernel": kernel,
        "stride": stride,
        "padding": padding,
        "dilation": dilation,
        "output_padding": output_padding,
        "mode": mode,
        "bias": bias,
        "seed": seed,
    }
    given = {name: value for name, value in typed.items() if value is not None}
    if model is None:
        assert kind is not None
        _check_kind(kind, given, picture=picture, layer=layer)
        found = _example(kind, given)
    else:
        if kind is not None or given:
            other = kind or f"--{next(iter(given)).replace('_', '-')}"
            raise InputError(
                "Two things to animate are asked for",
                expected="a KIND with its settings, or --model with --layer",
                received=f"{other} and --model",
            )
        place, part = read_place(at) or None, _pair("--outputs", outputs) if outputs else None
        lens = open_lens(model, input_shape=input_shape, trust=trust)
        asked = recipe.on(lens)
        with terminal.working("Running ..."):
            shown = read_picture(_needed(picture), max_pixels)
            network = lens.traced(shown, recipe=asked).network
            name = layer or animating.first_layer(network)
            maps = lens.feature_maps(shown, layers=[network[name].name], recipe=asked, memory=memory)
            found = animating.sliding(maps, name, channel, place, part)
    usual = look.cell
    look = saving.fitted(found, look, ending) if cell is None else look
    for path in saving.frame_paths(target, len(found)) if ending == "frames" else [target]:
        if ending != "frames" or path.parent.is_dir():
            files.check_place(path, force=force)
    with terminal.working("Drawing ..."):
        written = saving.save(found, target, look, force=force)
    _answer(found, target, written, as_json=as_json)
    if look.cell < usual and not as_json:
        terminal.say(f"cells of {look.cell} px instead of {usual}, so that all frames fit; an .svg knows no such limit")


def _target(output: Path | None, kind: str | None) -> Path:
    if output is None:
        name = f"{kind or 'layer'}.gif"
        problem = "There is no path to write to"
        raise InputError(problem, expected="a file or a folder", received="none", hint=f"Type -o {name}")
    return output


def _needed(picture: str | None) -> str:
    if picture is None:
        raise InputError(
            "The model needs a picture", expected="--picture PICTURE", received="none", hint="Type --picture cat.jpg"
        )
    return picture


def _check_kind(kind: Kind, given: dict[str, Any], *, picture: str | None, layer: str | None) -> None:
    """Refuse what doesn't belong together, before any work."""
    for name, kinds in _NOT_OF.items():
        if name in given and kind not in kinds:
            raise InputError(
                f"{kind} has no --{name.replace('_', '-')}",
                expected=f"it with {' or '.join(kinds)} alone",
                received=f"{kind} --{name.replace('_', '-')} {given[name]}",
            )
    if picture or layer:
        raise InputError(
            "A picture and a layer belong to a model",
            expected="--model MODEL",
            received="none",
            hint="Type --model model.onnx too.",
        )


def _example(kind: Kind, given: dict[str, Any]) -> Slide:
    from convlens.draw import animation

    words = {**_USUAL[kind], **given}
    settings: dict[str, Any] = {
        name: words[name] for name in ("mode", "bias", "seed", "output_padding") if name in words
    }
    settings["input"], settings["kernel"] = _grid("--input", words["input"]), _grid("--kernel", words["kernel"])
    if kind == "multichannel":
        settings["input"] = _many(settings["input"], words["input"])
    if kind == "pool" and not isinstance(settings["kernel"], tuple):
        raise InputError(
            "A pooling has a window without numbers",
            expected="its size",
            received=f"--kernel {words['kernel']}",
            hint="Type --kernel 2x2, or conv instead of pool.",
        )
    for name in ("stride", "dilation"):
        if name in words:
            settings[name] = _pair(f"--{name}", words[name])
    if "padding" in words:
        word = words["padding"].strip().lower()
        settings["padding"] = word if word in ("none", "half", "full") else _padding(word)
    if kind == "pool":
        return animation.pooling(**settings)
    return animation.transposed(**settings) if kind == "tconv" else animation.convolution(**settings)


def _many(given: Any, text: str) -> Any:
    """Channels, rows and columns: three channels where only rows and columns are typed."""
    if isinstance(given, tuple):
        return (3, *given) if len(given) == 2 else given
    raise InputError(
        "Numbers of one channel don't make many channels",
        expected="a size such as 3x5x5",
        received=repr(text),
        hint="Type conv instead of multichannel, or --input 3x5x5.",
    )


def _padding(text: str) -> Any:
    """A padding for both axes or one for each, each of which is the same on both sides or BEFORE+AFTER.

    >>> _padding("1"), _padding("0+1x2")
    ((1, 1), ((0, 1), (2, 2)))
    """
    if "+" not in text:
        return _pair("--padding", text)
    pairs = [_pair("--padding", side.replace("+", "x")) for side in text.split("x")]
    return (pairs[0], pairs[-1]) if len(pairs) < 3 else _pair("--padding", text)


def _grid(option: str, text: str) -> Any:
    """A size, ``5x5`` or ``5``; numbers, ``1 2; 3 4``; or the name of a kernel.

    >>> _grid("--input", "3x5x5"), _grid("--kernel", "1 2; 3 -4")
    ((3, 5, 5), [[1.0, 2.0], [3.0, -4.0]])
    """
    from convlens.sketches.kernels import NAMES, named_kernel

    word = text.strip().lower()
    if option == "--kernel" and word in NAMES:
        return named_kernel(word)
    sides = word.split("x")
    if word.isdecimal():
        return int(word), int(word)
    if len(sides) > 1 and all(side.strip().removeprefix("-").isdecimal() for side in sides):
        return tuple(int(side) for side in sides)
    try:
        rows = [[float(number) for number in row.replace(",", " ").split()] for row in word.split(";")]
    except ValueError:
        rows = []
    if not rows or not rows[0] or len({len(row) for row in rows}) > 1:
        raise InputError(
            f"This is not a grid for {option}",
            expected="a size such as 5x5, or rows of numbers such as '1 2 3; 4 5 6'"
            + (f", or one of {', '.join(NAMES)}" if option == "--kernel" else ""),
            received=repr(text),
            hint=f"Type {option} {'5x5' if option == '--input' else '3x3'}, for example.",
        )
    return rows


def _pair(option: str, text: str) -> tuple[int, int]:
    """One number for both axes, or ROWSxCOLUMNS.

    >>> _pair("--stride", "2"), _pair("--stride", "2x1")
    ((2, 2), (2, 1))
    """
    sides = text.lower().replace(",", "x").split("x")
    if not 1 <= len(sides) <= 2 or not all(side.strip().removeprefix("-").isdecimal() for side in sides):
        raise InputError(
            f"This is not a {option.removeprefix('--')}",
            expected="a number, or two such as 2x1",
            received=repr(text),
            hint=f"Type {option} 2, for example.",
        )
    return int(sides[0]), int(sides[-1])


def _answer(found: Slide, target: Path, written: list[Path], *, as_json: bool) -> None:
    from convlens.draw.animation import telling

    if as_json:
        facts = {
            "title": telling.title(found),
            "settings": telling.settings(found),
            "sizes": telling.formulas(found),
            "frames": len(found),
            "input": list(found.source.shape),
            "output": list(found.layer.output_shape),
            "values": [float(value) for value in found.values],
            "files": [str(path) for path in written],
        }
        terminal.say_json(facts)
        return
    terminal.say(f"{telling.title(found)} ({telling.settings(found)})")
    for line in telling.formulas(found):
        terminal.say(line)
    terminal.say(f"{terminal.counted(len(found), 'frame')} -> {target}")
