"""A picture and a recipe become the network's input, and the recipe that says what was done."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from convlens import memory
from convlens.errors import PictureError
from convlens.network import Input
from convlens.pictures.decoding import Pixels
from convlens.pictures.reading import Picture
from convlens.pictures.recipe import PRESETS, Recipe

_BESIDE = 8
"""Bytes a value that making the input takes beside it: the pixels, and Pillow's picture of them."""
RECIPE_KEY = "convlens.recipe"
"""The metadata key under which a model file may carry its recipe, as JSON."""

_FORMATS = {"gray8": "grey", "rgb8": "rgb", "bgr8": "bgr", "rgba8": "rgb", "bgra8": "bgr"}
_RANGES = {
    "nominalrange_0_255": PRESETS["0..255"],
    "normalized_0_1": PRESETS["0..1"],
    "normalized_1_1": PRESETS["-1..1"],
    "nominalrange_16_235": Recipe(scale=219 / 255, mean=(-16.0,)),
}


def default_recipe(input: Input, metadata: Mapping[str, str]) -> Recipe:
    """The recipe for a network when the person names none: what the model file states, else raw pixel values.

    A file states it under ``convlens.recipe``, or with ONNX's image metadata (``Image.BitmapPixelFormat``,
    ``Image.NominalPixelRange``; https://onnx.ai/onnx/repo-docs/MetadataProps.html). The geometry is a central
    crop to the model's own size, and none where the model leaves its size free.

    Raises:
        PictureError: the file's own statement can't be understood.

    >>> str(default_recipe(Input("image", (3, None, None)), {}))
    'not resized; rgb; value = pixel (0..255)'
    """
    stated = {key.lower(): value for key, value in metadata.items()}
    if RECIPE_KEY in stated:
        try:
            return Recipe.from_dict(json.loads(stated[RECIPE_KEY]))
        except json.JSONDecodeError as error:
            raise PictureError(
                "The recipe in the model file is broken",
                expected=f"JSON under the key {RECIPE_KEY}",
                received=str(error),
                hint="Give a recipe yourself.",
            ) from None
    pixel_range = _RANGES.get(stated.get("image.nominalpixelrange", "").lower(), Recipe())
    channels = _FORMATS.get(stated.get("image.bitmappixelformat", "").lower(), "rgb")
    notes: tuple[str, ...] = ()
    if stated.get("image.colorspacegamma", "").lower() == "linear":
        notes = ("the model file asks for linear light, which is not applied",)
    size = input.shape[-2:] if len(input.shape) == 3 else ()
    resize = "crop" if any(size) else "none"
    return replace(pixel_range, resize=resize, channels=channels, notes=notes)


def states_recipe(metadata: Mapping[str, str]) -> bool:
    """Whether the model file says how a picture becomes its input.

    >>> states_recipe({}), states_recipe({"Image.NominalPixelRange": "Normalized_0_1"})
    (False, True)
    """
    stated = {key.lower(): value.lower() for key, value in metadata.items()}
    return (
        RECIPE_KEY in stated
        or stated.get("image.nominalpixelrange") in _RANGES
        or stated.get("image.bitmappixelformat") in _FORMATS
    )


def prepare(picture: Picture, recipe: Recipe, input: Input, budget: int | None = None) -> tuple[NDArray[Any], Recipe]:
    """The network's input, and the recipe with everything filled in that was decided on the way.

    The array has a batch axis of 1, the framework's own layout, (1, channels, rows, columns) or (1, rows, columns,
    channels), and the input's own type: float32 for most. Preparing the same picture with the returned recipe gives the
    same array.

    Raises:
        PictureError: the network takes no picture, or not one of this size, these channels or these values.

    >>> picture = Picture(np.array([[[255, 127, 0]]], "uint8"), "pixel")
    >>> array, recipe = prepare(picture, Recipe(mean=(127.0,), std=(127.0,)), Input("x", (3, 1, 1)))
    >>> array.ravel()[1:].tolist(), recipe.size
    ([0.0, -1.0], (1, 1))
    """
    channels, *model_size = _picture_shape(input)
    count = channels or (1 if recipe.channels == "grey" else 3)
    if count not in (1, 3):
        raise PictureError(
            f"The network's input {input.name!r} is neither grey nor RGB",
            expected=f"{count} channels",
            received=f"a picture with {picture.channels}",
            hint="Feed a float array in the network's own layout.",
        )
    for what, numbers in (("mean", recipe.mean), ("std", recipe.std)):
        if len(numbers) not in (1, count):
            raise PictureError(
                f"The recipe's {what} doesn't fit the network",
                expected=f"1 number for {count} channel",
                received=f"{len(numbers)} numbers",
            )
    dtype = _value_type(recipe, input)
    grey = count == 1 or recipe.channels == "grey"
    resolved = replace(
        recipe, size=_size(picture, recipe, tuple(model_size), input), channels="grey" if grey else recipe.channels
    )
    assert resolved.size is not None
    rows, columns = resolved.size
    memory.check(
        rows * columns * count * (dtype.itemsize + _BESIDE),
        f"The network's input of {rows} rows x {columns} columns",
        memory.available() if budget is None else budget,
        hint="Take a smaller picture or size, or raise the budget.",
    )
    untouched = resolved.size == (picture.rows, picture.columns) and recipe.crop == 1
    resolved = replace(
        resolved,
        resize="none" if untouched else recipe.resize,
        notes=tuple(dict.fromkeys([*picture.notes, *recipe.notes, *_conversions(picture, grey, count, untouched)])),
    )
    pixels = _placed(picture, resolved)
    if count == 3 and pixels.shape[2] == 1:
        pixels = np.repeat(pixels, 3, axis=2)
    if resolved.channels == "bgr":
        pixels = pixels[..., ::-1]
    return _values(pixels, resolved, dtype, input.layout), resolved


def as_shown(picture: Picture, recipe: Recipe, rows: int, columns: int) -> NDArray[np.uint8]:
    """The picture as the network sees it before its values are scaled: (rows, columns, 3) uint8, RGB.

    Raises:
        PictureError: the recipe doesn't resize, and the picture has another size.

    >>> as_shown(Picture(np.zeros((4, 6, 1), "uint8"), "black"), Recipe(resize="stretch"), 2, 2).shape
    (2, 2, 3)
    """
    sized = replace(recipe, size=(rows, columns))
    _check_unresized(picture, sized.resize, (rows, columns))
    pixels = _placed(picture, sized)
    if pixels.dtype != np.uint8:
        pixels = np.rint(pixels).astype(np.uint8)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else np.ascontiguousarray(pixels)


# --- what the network wants


def _picture_shape(input: Input) -> tuple[int | None, int | None, int | None]:
    """Channels, rows and columns of an input that takes a picture."""
    if not input.rank_known:
        return None, None, None
    if len(input.shape) != 3:
        what = {1: "a vector", 2: "a sequence", 4: "a volume"}.get(len(input.shape), "no picture")
        shape = "(" + ", ".join("free" if n is None else str(n) for n in input.shape) + ")"
        raise PictureError(
            f"The network's input {input.name!r} takes {what}",
            expected=f"an array of shape {shape}",
            received="a picture",
            hint="Feed a float array in the network's own layout.",
        )
    channels, rows, columns = input.shape
    return channels, rows, columns


def _value_type(recipe: Recipe, input: Input) -> np.dtype[Any]:
    if input.dtype.startswith(("bfloat", "float8", "float4")):
        return np.dtype(np.float32)  # types that NumPy itself doesn't have: their engine casts
    try:
        dtype = np.dtype(input.dtype)
    except TypeError:
        dtype = np.dtype(object)
    if dtype.kind == "f":
        return dtype
    if dtype.kind not in "iu" or np.iinfo(dtype).max < 255:
        raise PictureError(
            f"The network's input {input.name!r} doesn't hold pixel values",
            expected=f"values of type {input.dtype}",
            received="a picture with values 0..255",
            hint="Feed an array of that type, as {input name: array}.",
        )
    if not recipe.leaves_values:
        raise PictureError(
            f"The network's input {input.name!r} takes integers",
            expected="the preset 0..255",
            received=recipe.describe(),
        )
    return dtype


def _size(picture: Picture, recipe: Recipe, model: tuple[int | None, ...], input: Input) -> tuple[int, int]:
    """Rows and columns of the network's input."""
    own = (picture.rows, picture.columns)
    rows, columns = recipe.size or model
    for wanted, fixed in zip((rows, columns), model, strict=True):
        if fixed is not None and wanted != fixed:
            raise PictureError(
                f"The recipe's size is not the size of the network's input {input.name!r}",
                expected=_shown(model),
                received=_shown((rows, columns)),
                hint="Leave --size out: the picture is brought to the model's own size."
                if None in model
                else f"Type --size {model[0]}x{model[1]}, or leave it out.",
            )
    if rows is None and columns is None and recipe.crop != 1:
        raise PictureError(
            "A crop fraction needs a size to bring the crop to",
            expected="a size, since the network leaves it free",
            received=recipe.describe(),
            hint="For example size 224x224.",
        )
    if recipe.resize == "none" or (rows is None and columns is None):
        size = (rows or own[0], columns or own[1])
    else:
        # one side is free: it follows the picture's proportions
        size = (
            rows or max(1, round((columns or 1) * own[0] / own[1])),
            columns or max(1, round((rows or 1) * own[1] / own[0])),
        )
    _check_unresized(picture, recipe.resize, size)
    return size


def _check_unresized(picture: Picture, resize: str, size: tuple[int, int]) -> None:
    if resize == "none" and size != (picture.rows, picture.columns):
        raise PictureError(
            "The picture has another size than the network's input, and the recipe doesn't resize",
            expected=_shown(size),
            received=f"{picture.name} with {_shown((picture.rows, picture.columns))}",
            hint="Type --resize crop, --resize pad or --resize stretch.",
        )


def _shown(size: tuple[int | None, ...]) -> str:
    rows, columns = ("free" if n is None else str(n) for n in size)
    return f"{rows} rows x {columns} columns"


def _conversions(picture: Picture, grey: bool, count: int, untouched: bool) -> list[str]:
    notes = []
    if not untouched:
        notes.append(f"from {_shown((picture.rows, picture.columns))}")
    if grey and picture.channels == 3:
        notes.append("colour turned to grey (ITU-R 601 luma)")
    if count == 3 and (grey or picture.channels == 1):
        notes.append("grey repeated in 3 channels")
    return notes


# --- pixels


def _placed(picture: Picture, recipe: Recipe) -> Pixels:
    """The pixels at the recipe's size, 0..255: uint8, or float32 where the picture has 16 bits; 1 or 3 channels."""
    assert recipe.size is not None
    rows, columns = recipe.size
    pixels = picture.pixels
    if recipe.resize == "crop":
        part = min(picture.rows / rows, picture.columns / columns) * recipe.crop
        pixels = _central(pixels, min(picture.rows, round(rows * part)), min(picture.columns, round(columns * part)))
    if pixels.dtype == np.uint16:
        pixels = pixels / np.float32(257)  # 65535 / 257 = 255
    if recipe.channels == "grey" and pixels.shape[2] == 3:
        pixels = _grey(pixels)
    if recipe.resize == "pad":
        part = min(rows / picture.rows, columns / picture.columns)
        inner = (max(1, round(picture.rows * part)), max(1, round(picture.columns * part)))
        pixels = _resized(pixels, inner, recipe.interpolation)
        padded = np.zeros((rows, columns, pixels.shape[2]), pixels.dtype)
        top, left = (rows - inner[0]) // 2, (columns - inner[1]) // 2
        padded[top : top + inner[0], left : left + inner[1]] = pixels
        return padded
    return _resized(pixels, recipe.size, recipe.interpolation)


def _central(pixels: Pixels, rows: int, columns: int) -> Pixels:
    rows, columns = max(1, rows), max(1, columns)
    top, left = (pixels.shape[0] - rows + 1) // 2, (pixels.shape[1] - columns + 1) // 2
    return pixels[top : top + rows, left : left + columns]


def _grey(pixels: Pixels) -> Pixels:
    """ITU-R 601 luma; in whole numbers with Pillow's own rounding for uint8."""
    if pixels.dtype != np.uint8:
        luma: Pixels = pixels @ np.array([0.299, 0.587, 0.114], pixels.dtype)
        return luma[..., None]
    return np.asarray(_image(pixels).convert("L"))[..., None]


def _resized(pixels: Pixels, size: tuple[int, int], interpolation: str) -> Pixels:
    if pixels.shape[:2] == size:
        return pixels
    from PIL import Image

    rows, columns = size
    method = Image.Resampling[interpolation.upper()]
    if pixels.dtype == np.uint8:
        resized = np.asarray(_image(pixels).resize((columns, rows), method))
        return resized if resized.ndim == 3 else resized[..., None]
    planes = [
        Image.fromarray(np.ascontiguousarray(plane)).resize((columns, rows), method)
        for plane in np.moveaxis(pixels, 2, 0)
    ]
    stacked: Pixels = np.stack([np.asarray(plane) for plane in planes], axis=2)
    return stacked.clip(0, 255)  # bicubic and lanczos overshoot at edges; for uint8, Pillow clips too


def _image(pixels: Pixels) -> Any:
    from PIL import Image

    return Image.fromarray(np.ascontiguousarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels))


def _values(pixels: Pixels, recipe: Recipe, dtype: np.dtype[Any], layout: str) -> NDArray[Any]:
    """``(pixel * scale - mean) / std``, computed in float64 and rounded once."""
    rows, columns, count = pixels.shape
    first = layout == "channels_first"
    values = np.empty((1, count, rows, columns) if first else (1, rows, columns, count), dtype)
    for channel in range(count):
        mean, std = recipe.mean[channel % len(recipe.mean)], recipe.std[channel % len(recipe.std)]
        plane = pixels[..., channel]
        target = values[0, channel] if first else values[0, ..., channel]
        if pixels.dtype == np.uint8:
            table = (np.arange(256) * recipe.scale - mean) / std
            np.take(table.astype(dtype), plane, out=target, mode="clip")  # "clip" writes without a detour
        else:
            exact = (plane.astype(np.float64) * recipe.scale - mean) / std
            target[...] = exact if dtype.kind == "f" else np.rint(exact)
    return values
