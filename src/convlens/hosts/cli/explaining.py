"""Commands that explain: ``explain`` one value, ``derive`` the numbers of a layer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from convlens.errors import InputError
from convlens.hosts.cli import completion, options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import network_for, open_lens, read_picture
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.derivation import Worked
    from convlens.lens import Explanation, PictureValue


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("one value of a convolution", "convlens explain model.onnx cat.jpg conv1 --channel 5 --at 10,20"),
            ("a score, and the way from it to a pixel", "convlens explain model.onnx cat.jpg fc -c 3 --trace"),
            (
                "the products, for another program",
                "convlens explain model.onnx cat.jpg conv1 --at 10,20 --json | jq .products",
            ),
        ),
    )(with_recipe(explain))
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("how the numbers of a layer come about", "convlens derive model.onnx conv1"),
            ("every layer, for pictures of another size", "convlens derive model.onnx --input-shape 3,512,512"),
            ("for a paper", "convlens derive model.onnx conv1 --latex > conv1.tex"),
        ),
    )(derive)


def explain(
    model: options.Model,
    picture: options.Picture,
    layer: Annotated[
        str,
        typer.Argument(
            metavar="LAYER",
            help="The layer, as the summary names it.",
            show_default=False,
            autocompletion=completion.layers,
        ),
    ],
    channel: Annotated[
        int, typer.Option("--channel", "-c", metavar="N", help="The channel; of a vector, the feature.")
    ] = 0,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="ROW,COLUMN",
            help="The place in the map: ROW,COLUMN; N in 1-D; DEPTH,ROW,COLUMN in 3-D; nothing for a vector.",
            show_default=False,
        ),
    ] = None,
    trace: Annotated[
        bool,
        typer.Option("--trace", help="Follow the largest term back, layer by layer, to a pixel.", show_default=False),
    ] = False,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
    as_json: options.Json = False,
) -> None:
    """Explain one value: the window, the kernel, their products, the sum, and what the framework itself computed."""
    place = read_place(at)
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    asked = recipe.on(lens)
    with terminal.working("Running ..."):
        read = read_picture(picture, max_pixels)
        found = lens.explain(read, layer, channel, place, trace=trace, recipe=asked, memory=memory)
        steps = list(found.trace()) if trace else []
    if as_json:
        terminal.say_json({**found.to_dict(), **({"trace": [_step(step) for step in steps]} if trace else {})})
    elif terminal.person_is_looking():
        _show(found, steps)
    else:
        _say(found, steps)


def derive(
    model: options.Model,
    layer: options.Layers = None,
    latex: Annotated[
        bool, typer.Option("--latex", help="Print LaTeX for a paper; needs amsmath.", show_default=False)
    ] = False,
    input_shape: options.InputShape = None,
    picture: options.ForPicture = None,
    trust: options.Trust = False,
    as_json: options.Json = False,
) -> None:
    """Derive the numbers of a layer: sizes, parameters, MACs, memory, each formula with its own numbers put in."""
    if latex and as_json:
        raise InputError(
            "Two formats are asked for",
            expected="one of --latex and --json",
            received="both",
            hint="The JSON holds the LaTeX of every line too: type --json alone.",
        )
    lens = open_lens(model, input_shape=input_shape, trust=trust)
    with terminal.working("Reading the network ..."):
        traced = network_for(lens, picture)
        worked = tuple(traced.derive(layer or [shown.name for shown in traced.summary().layers]))
    if as_json:
        facts = [{"name": one.layer.name, "op": one.layer.op, **one.to_dict()} for one in worked]
        notes = list(traced.network.notes)
        terminal.say_json({"model": traced.network.name, "engine": lens.engine, "layers": facts, "notes": notes})
        return
    if latex:
        terminal.say("\n\n".join(one.latex for one in worked))
    elif terminal.person_is_looking():
        _show_derivations(worked)
    else:
        terminal.say("\n\n".join(str(one) for one in worked))
    for note in traced.network.notes:  # free sizes that had to be chosen, above all
        terminal.say(f"% {note}." if latex else f"\nNote: {note}.")


def read_place(text: str | None) -> tuple[int, ...]:
    """The numbers of ``--at``; how many there must be depends on the layer.

    >>> read_place("10,20"), read_place(None)
    ((10, 20), ())
    """
    if text is None:
        return ()
    words = text.replace(",", " ").split()
    if not words or not all(word.removeprefix("-").isdecimal() for word in words):
        raise InputError(
            "This is not a place in a map",
            expected="ROW,COLUMN, such as 10,20",
            received=repr(text),
            hint="Type --at 10,20, for example.",
        )
    return tuple(int(word) for word in words)


def _step(step: Explanation | PictureValue) -> dict[str, object]:
    """One step of a trace as plain data."""
    from convlens.lens import PictureValue

    if isinstance(step, PictureValue):
        return {"input": step.input, "index": list(step.index), "value": step.value}
    return {
        "layer": step.layer.name,
        "index": list(step.index),
        "value": step.framework_value,
        "total": step.total,
        "agrees": step.agrees,
    }


def _say(found: Explanation, steps: list[Explanation | PictureValue]) -> None:
    from convlens.lens.telling import trace_text

    terminal.say(str(found))
    if steps:
        terminal.say(f"\nthe way back to the picture, by the largest term\n{trace_text(steps)}")


def _show(found: Explanation, steps: list[Explanation | PictureValue]) -> None:
    from convlens.hosts.cli.pages import explanation_page, trace_page

    for part in explanation_page(found, terminal.width()):
        terminal.show(part)
    if steps:
        for part in trace_page(steps):
            terminal.show(part)


def _show_derivations(worked: tuple[Worked, ...]) -> None:
    from convlens.hosts.cli.pages import derivation_page

    for one in worked:
        for part in derivation_page(one, terminal.width()):
            terminal.show(part)
