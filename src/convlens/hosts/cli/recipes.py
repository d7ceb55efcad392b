"""How a picture becomes the input: the options that say it, once, for every command that reads pictures."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from convlens.hosts.cli import options

if TYPE_CHECKING:
    from convlens.lens import Lens
    from convlens.pictures import Recipe


@dataclass(frozen=True, slots=True)
class RecipeFlags:
    """What a person typed of a recipe; nothing by default."""

    preset: options.Preset = None
    resize: options.Resize = None
    size: options.Size = None
    crop: options.Crop = None
    mean: options.Mean = None
    std: options.Std = None
    scale_pixels: options.ScalePixels = None
    channels: options.Channels = None
    interpolation: options.Interpolation = None

    def on(self, lens: Lens) -> Recipe | None:
        """The recipe that they ask for, on top of the model's own; ``None`` where they ask for nothing."""
        if self == NOTHING_ASKED:
            return None
        from convlens.pictures import recipe_from_options

        return recipe_from_options(
            preset=self.preset,
            resize=self.resize,
            size=self.size,
            mean=self.mean,
            std=self.std,
            scale=self.scale_pixels,
            channels=self.channels,
            interpolation=self.interpolation,
            crop=self.crop,
            base=lens.recipe,
        )


NOTHING_ASKED = RecipeFlags()


def with_recipe(command: Callable[..., None]) -> Callable[..., None]:
    """The command with the options of :class:`RecipeFlags` in the place of its parameter ``recipe``.

    Typer reads the options of a command in its signature; this is that signature. An option that the command declares
    itself, under the same name, stays its own.
    """
    hints = get_type_hints(command, include_extras=True)
    own = inspect.signature(command).parameters
    known = get_type_hints(RecipeFlags, include_extras=True)
    flags = [field for field in fields(RecipeFlags) if field.name not in own]
    shown: list[inspect.Parameter] = []
    for name, parameter in own.items():
        if name == "recipe":
            kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
            shown += [
                inspect.Parameter(flag.name, kind, default=flag.default, annotation=known[flag.name]) for flag in flags
            ]
        else:
            shown.append(parameter.replace(annotation=hints[name]))

    @wraps(command)
    def called(**given: Any) -> None:
        typed = {flag.name: given.pop(flag.name) for flag in flags}
        command(**given, recipe=RecipeFlags(**typed))

    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # functions have one, says PEP 362
    called.__annotations__ = {one.name: one.annotation for one in shown}
    return called
