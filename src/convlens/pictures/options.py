"""The flags of a command line become a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from convlens.errors import PictureError
from convlens.pictures.recipe import Recipe


def recipe_from_options(
    preset: str | None = None,
    resize: str | None = None,
    size: str | Sequence[int] | None = None,
    mean: str | Sequence[float] | None = None,
    std: str | Sequence[float] | None = None,
    scale: str | float | None = None,
    channels: str | None = None,
    interpolation: str | None = None,
    crop: str | float | None = None,
    *,
    base: Recipe | None = None,
) -> Recipe:
    """The recipe that the flags of a command line ask for; what they leave open comes from ``base``, the model's own.

    ``size`` reads ``1440x1080`` (rows x columns) or ``1440,1080``; ``mean`` and ``std`` read ``0.5`` or
    ``0.1,0.2,0.3``; ``scale`` and ``crop`` read ``0.5`` and ``1/255``. A crop fraction alone means the resize ``crop``.

    Raises:
        PictureError: text that isn't such a number, or values that don't go together.

    >>> str(recipe_from_options(resize="stretch", size="1440x1080", scale="1/255"))
    'stretched to 1440 rows x 1080 columns (bicubic); rgb; 0..1: value = pixel / 255'
    """
    recipe = base or Recipe()
    if preset is not None:
        named = Recipe.preset(preset)
        recipe = replace(recipe, scale=named.scale, mean=named.mean, std=named.std, channels=named.channels)
    fraction = None if crop is None else _number("crop", crop)
    if fraction is not None and resize is None:
        resize = "crop"
    if size is not None and resize is None and recipe.resize == "none":
        resize = "crop"
    if resize is not None and resize != "crop" and fraction is None:
        fraction = 1.0  # the model's own crop belongs to the resize that the flag replaces
    asked = {
        "resize": resize,
        "size": None if size is None else tuple(_numbers("size", size, separators="xX×,")),
        "crop": fraction,
        "mean": None if mean is None else tuple(_numbers("mean", mean)),
        "std": None if std is None else tuple(_numbers("std", std)),
        "scale": None if scale is None else _number("scale", scale),
        "channels": channels,
        "interpolation": interpolation,
    }
    return replace(recipe, **{key: value for key, value in asked.items() if value is not None})  # type: ignore[arg-type]


def _number(what: str, text: str | float) -> float:
    try:
        over, _, under = str(text).partition("/")
        return float(over) / float(under or 1)
    except (ValueError, ZeroDivisionError, OverflowError, TypeError):
        raise PictureError(
            f"The {what} is not a number", expected="a number such as 0.5 or 1/255", received=repr(text)
        ) from None


def _numbers(what: str, text: str | Sequence[float], separators: str = ",") -> list[float]:
    if not isinstance(text, str):
        return [_number(what, value) for value in text]
    for separator in separators:
        text = text.replace(separator, " ")
    return [_number(what, word) for word in text.split()]
