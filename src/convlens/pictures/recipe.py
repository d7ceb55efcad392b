"""How a picture becomes the network's input, as data that can be written into every output and read back."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from types import MappingProxyType
from typing import Any

from convlens.errors import PictureError, closest

RESIZES = ("none", "stretch", "crop", "pad")
INTERPOLATIONS = ("bicubic", "bilinear", "nearest", "lanczos")
CHANNELS = ("rgb", "bgr", "grey")
LARGEST_SIZE = 200_000_000
"""Rows x columns that a recipe may ask for; above it, the size is a slip of the finger."""


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if isinstance(value, str) and value in choices:
        return
    close = closest(str(value), choices, n=1)
    raise PictureError(
        f"There is no {what} {value!r}",
        expected=" or ".join(repr(c) for c in choices),
        received=repr(value),
        hint=f"Did you mean {close[0]!r}?" if close else "",
    )


def _checked_number(what: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise PictureError(f"The {what} is not a number", expected="a finite number", received=repr(value))
    return float(value)


def _checked_per_channel(what: str, values: object) -> tuple[float, ...]:
    if isinstance(values, (int, float)):
        return (_checked_number(what, values),)
    if isinstance(values, str) or not isinstance(values, Iterable):
        raise PictureError(f"The {what} is not a list of numbers", expected="1 or 3 numbers", received=repr(values))
    numbers = tuple(_checked_number(what, value) for value in values)
    if len(numbers) not in (1, 3):
        raise PictureError(
            f"The {what} has {len(numbers)} numbers",
            expected="1 number, or 3 (one a channel)",
            received=_listed(numbers) if numbers else "none",
            hint=f"Type --{what} 0.5 or --{what} 0.5,0.5,0.5, for example.",
        )
    return numbers


def _checked_size(size: object) -> tuple[int, int]:
    rows: float
    columns: float
    try:
        rows, columns = size  # type: ignore[misc]  # anything else is answered below
        if rows != int(rows) or columns != int(columns) or rows < 1 or columns < 1:
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise PictureError(
            "The size is not a picture's size",
            expected="rows x columns, such as 1440x1080",
            received=_listed(size),
            hint="Type --size 224x224, for example.",
        ) from None
    if rows * columns > LARGEST_SIZE:
        raise PictureError(
            "The size is too large",
            expected=f"up to {LARGEST_SIZE:,} pixels",
            received=f"{rows:g} x {columns:g} = {int(rows) * int(columns):,} pixels",
        )
    return int(rows), int(columns)


def _listed(values: object) -> str:
    if not isinstance(values, (tuple, list)):
        return repr(values)
    numbers = [f"{value:g}" if isinstance(value, (int, float)) else repr(value) for value in values]
    return numbers[0] if len(numbers) == 1 else "[" + ", ".join(numbers) + "]"


@dataclass(frozen=True)
class Recipe:
    """How the picture became the input: geometry, channel order, and ``value = (pixel * scale - mean) / std``.

    ``pixel`` runs from 0 to 255, also for 16-bit pictures (divided by 257). ``mean`` and ``std`` have one number, or
    one a channel in the network's own channel order: blue first for ``channels="bgr"``. A number alone will do.

    ``resize`` brings the picture to ``size`` (rows, columns): ``stretch`` changes its proportions; ``crop`` takes the
    central part of the right proportions, ``crop`` of its largest possible side; ``pad`` keeps all of the picture and
    fills up with black. ``none`` leaves the picture as it is. ``size`` ``None`` is the model's own size, and the
    picture's own where the model leaves it free. ``notes`` tell what else happened on the way.

    Raises:
        PictureError: a value that no picture can be made with.

    >>> from dataclasses import replace
    >>> print(replace(Recipe.preset("caffe-bgr"), resize="none"))
    not resized; bgr; caffe-bgr: value = pixel - [103.939, 116.779, 123.68]
    >>> Recipe.from_dict(Recipe(resize="stretch", size=(1440, 1080)).to_dict()).size
    (1440, 1080)
    """

    resize: str = "crop"
    size: tuple[int, int] | None = None
    crop: float = 1.0
    interpolation: str = "bicubic"
    channels: str = "rgb"
    scale: float = 1.0
    mean: tuple[float, ...] = (0.0,)
    std: tuple[float, ...] = (1.0,)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_choice("resize", self.resize, RESIZES)
        _check_choice("interpolation", self.interpolation, INTERPOLATIONS)
        _check_choice("channels", self.channels, CHANNELS)
        if self.size is not None:
            object.__setattr__(self, "size", _checked_size(self.size))
        object.__setattr__(self, "crop", _checked_number("crop", self.crop))
        if not 0 < self.crop <= 1:
            raise PictureError(
                "The crop is not a part of the picture",
                expected="above 0, up to 1",
                received=f"{self.crop:g}",
                hint="Type --crop 0.875, for example.",
            )
        if self.crop != 1 and self.resize != "crop":
            raise PictureError(
                "A crop fraction goes with the resize 'crop'",
                expected="resize 'crop'",
                received=f"resize {self.resize!r} with crop {self.crop:g}",
            )
        object.__setattr__(self, "scale", _checked_number("scale", self.scale))
        if self.scale == 0:
            raise PictureError("A scale of 0 leaves nothing of the picture", expected="another number", received="0")
        object.__setattr__(self, "mean", _checked_per_channel("mean", self.mean))
        object.__setattr__(self, "std", _checked_per_channel("std", self.std))
        if 0 in self.std:
            raise PictureError(
                "A std of 0 can't be divided by", expected="numbers other than 0", received=_listed(self.std)
            )
        if isinstance(self.notes, str) or not isinstance(self.notes, Iterable):
            raise PictureError("The notes are no list", expected="lines of text", received=repr(self.notes))
        object.__setattr__(self, "notes", tuple(str(note) for note in self.notes))

    @classmethod
    def preset(cls, name: str) -> Recipe:
        """The preset of this name; it fixes values and channel order and leaves the geometry at its default.

        Raises:
            PictureError: there is no such preset; the message names all of them.
        """
        _check_choice("preset", name, tuple(PRESETS))
        return PRESETS[name]

    @property
    def leaves_values(self) -> bool:
        """Whether the network gets the pixel values 0..255 themselves."""
        return self.scale == 1 and not any(self.mean) and all(s == 1 for s in self.std)

    def to_dict(self) -> dict[str, Any]:
        """The recipe as plain data for JSON."""
        return {key: list(value) if isinstance(value, tuple) else value for key, value in asdict(self).items()}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Recipe:
        """The recipe that :meth:`to_dict` wrote; what is missing keeps its default.

        Raises:
            PictureError: a key that no recipe has, or a value that no picture can be made with.
        """
        if not isinstance(data, Mapping):
            raise PictureError("This is not a recipe", expected="a JSON object", received=type(data).__name__)
        for key in data:
            _check_choice("recipe key", key, tuple(f.name for f in fields(cls)))
        values = dict(data)
        for key in ("size", "mean", "std", "notes"):
            if isinstance(values.get(key), list):
                values[key] = tuple(values[key])
        return cls(**values)

    def describe(self) -> str:
        """One line for a person: geometry; channel order; values; notes."""
        return "; ".join([self._geometry(), self.channels, self._values(), *self.notes])

    __str__ = describe

    def _geometry(self) -> str:
        size = f"{self.size[0]} rows x {self.size[1]} columns" if self.size else "the model's size"
        if self.resize == "none":
            return f"{size}, not resized" if self.size else "not resized"
        part = "" if self.crop == 1 else f"{self.crop:g} "
        action = {"stretch": "stretched", "crop": f"{part}central crop", "pad": "padded with black"}[self.resize]
        return f"{action} to {size} ({self.interpolation})"

    def _values(self) -> str:
        if self.leaves_values:
            return "value = pixel (0..255)"
        name = next((name + ": " for name, preset in PRESETS.items() if self._same_values(preset)), "")
        divisor = round(1 / self.scale, 6)
        term = "pixel" if self.scale == 1 else f"pixel * {self.scale:g}"
        if abs(divisor) > 1 and math.isclose(1 / divisor, self.scale):
            term = f"pixel / {divisor:g}"
        if len(self.mean) == 1 and self.mean[0] < 0:
            term = f"{term} + {-self.mean[0]:g}"
        elif any(self.mean):
            term = f"{term} - {_listed(self.mean)}"
        if any(s != 1 for s in self.std):
            term = f"({term}) / {_listed(self.std)}"
        return f"{name}value = {term}"

    def _same_values(self, other: Recipe) -> bool:
        return (self.scale, self.mean, self.std, self.channels) == (other.scale, other.mean, other.std, other.channels)


PRESETS: Mapping[str, Recipe] = MappingProxyType(
    {
        # torchvision's and timm's constants: mean and deviation of the ImageNet training pictures in 0..1
        "imagenet": Recipe(scale=1 / 255, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)),
        "0..1": Recipe(scale=1 / 255),
        "-1..1": Recipe(scale=1 / 127.5, mean=(1.0,)),
        "0..255": Recipe(),
        # Caffe's ImageNet means, blue first (keras.applications' preprocess_input in mode "caffe")
        "caffe-bgr": Recipe(mean=(103.939, 116.779, 123.68), channels="bgr"),
    }
)
