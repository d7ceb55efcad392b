"""The command that opens the page: ``view``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from convlens.errors import ConvlensError, InputError
from convlens.hosts.cli import options, terminal
from convlens.hosts.cli.command import ModelCommand
from convlens.hosts.cli.opening import open_lens
from convlens.hosts.cli.options import examples
from convlens.hosts.cli.recipes import NOTHING_ASKED, RecipeFlags, with_recipe

if TYPE_CHECKING:
    from convlens.lens import Lens

_SERVER = "The server"


def add_to(app: typer.Typer) -> None:
    """Add the commands of this module."""
    app.command(
        cls=ModelCommand,
        epilog=examples(
            ("the tutorial's models on the cat, and a digit network while it learns", "convlens view"),
            ("your own model and picture", "convlens view model.onnx cat.jpg"),
            (
                "on a machine without a screen; open the printed address elsewhere",
                "convlens view model.onnx --no-browser",
            ),
        ),
    )(with_recipe(view))


def view(
    model: Annotated[
        str | None,
        typer.Argument(metavar="[MODEL]", help="A model file; the tutorial's models without one.", show_default=False),
    ] = None,
    picture: Annotated[
        str | None, typer.Argument(
            metavar="[PICTURE]",
            help="A picture, or .npy or .npz with arrays; the cat without one.",
            show_default=False,
        )
    ] = None,
    host: Annotated[
        str, typer.Option("--host", metavar="ADDRESS", help="Where to listen.", rich_help_panel=_SERVER)
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            "--port", metavar="N", min=0, max=65535, help="0 for any free one.", show_default="8765 or the next free",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", metavar="TEXT", help="What opens the page: 16 letters or more.", show_default="random",
            rich_help_panel=_SERVER,
        ),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.", rich_help_panel=_SERVER)
    ] = True,
    allow_upload_model: Annotated[
        bool,
        typer.Option(
            "--allow-upload-model", help="Let the page open ONNX models from the person's disk.", show_default=False,
            rich_help_panel=_SERVER,
        ),
    ] = False,
    max_upload: Annotated[
        str,
        typer.Option(
            "--max-upload", metavar="SIZE", help="The largest file that may be sent.", rich_help_panel=_SERVER
        ),
    ] = "50MB",
    labels: options.Labels = None,
    recipe: RecipeFlags = NOTHING_ASKED,
    max_pixels: options.MaxPixels = None,
    memory: options.Memory = None,
    input_shape: options.InputShape = None,
    trust: options.Trust = False,
) -> None:  # fmt: skip
    """Open the page: network, kernels, feature maps, and why every value is what it is, in one linked view."""
    from convlens import pictures
    from convlens.hosts import training, viewing
    from convlens.hosts.desk import MAX_PIXELS, Desk
    from convlens.hosts.server import launching
    from convlens.lens import feeding

    if token is not None:
        launching.check_token(token)
    arrays = picture is not None and feeding.is_arrays(picture)
    given = None
    if picture is not None and not arrays:
        given = pictures.read(picture, max_pixels=max_pixels or pictures.MAX_PIXELS)
    lens = None
    if model is not None:
        lens = open_lens(model, input_shape=input_shape, trust=trust, labels=labels)
        if labels is not None:
            _check_labels(lens)
        asked = recipe.on(lens)
        if not arrays:
            _check_takes_pictures(lens, model)
    else:
        _refuse_without_model(labels=labels, **asdict(recipe), input_shape=input_shape)
        if arrays:
            raise ConvlensError(
                "An array is fed to a model",
                expected="a model file before it",
                received=f"{picture} alone",
                hint=f"Type convlens view model.onnx {picture}",
            )
        asked = None
    desk = Desk(
        budget=memory,
        upload_bytes=_upload_bytes(max_upload),
        upload_pixels=max_pixels or MAX_PIXELS,
        upload_model=allow_upload_model,
        recipe=asked,
    )
    if lens is None or model is None:
        viewing.add_tutorial(desk)
    else:
        viewing.add_model(desk, Path(model).name, lens)
        if arrays:
            viewing.add_maps(desk, lens.feature_maps(picture, memory=memory))
    if not arrays:
        viewing.add_pictures(desk, given, tutorial=lens is None)
    if lens is None:
        training.add_digits(desk)

    def told(url: str) -> None:
        terminal.say_past_buffer(f"convlens: {url}\nCtrl-C stops.")

    launching.serve(desk, host=host, port=port, token=token, open_browser=browser, told=told)


def _check_labels(lens: Lens) -> None:
    """Refuse labels that don't fit, before anything is served; where no size of the input is known, the run does."""
    from convlens.lens.prediction import check_labels

    try:
        network = lens.network
    except InputError:
        return
    if network.sized:
        check_labels(network, lens.labels)


def _check_takes_pictures(lens: Lens, model: str) -> None:
    """A model that reads vectors, sequences or several inputs is shown with arrays of a file."""
    inputs = lens.inputs
    if len(inputs) == 1 and (not inputs[0].rank_known or len(inputs[0].shape) == 3):
        return
    alone = len(inputs) == 1
    raise ConvlensError(
        "This model takes no picture",
        expected=f"an array for {inputs[0].name}"
        if alone
        else "an array for each of " + ", ".join(i.name for i in inputs),
        received="a picture",
        hint=f"Type convlens view {model} input.npy" if alone else f"Type convlens view {model} inputs.npz",
    )


def _refuse_without_model(**options: object) -> None:
    """The tutorial has classes, sizes and a recipe of its own: an option that it would pass over is refused."""
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise ConvlensError(
            "These options belong to a model",
            expected="a model file",
            received=f"{', '.join(given)} without one",
            hint="Type convlens view model.onnx before them.",
        )


def _upload_bytes(text: str) -> int:
    """The size that ``--max-upload`` states."""
    from convlens.lens.memory import parse

    try:
        size = parse(text)
    except ConvlensError:
        size = 0
    if size < 1:
        raise ConvlensError(
            "This is not a size of a file",
            expected="for example 50MB",
            received=repr(text),
            hint="Type --max-upload 50MB, for example.",
        )
    return size
