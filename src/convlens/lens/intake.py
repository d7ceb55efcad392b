"""What a network is fed: a picture through its recipe, arrays and tensors untouched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from operator import index
from typing import Any, Literal, SupportsIndex

import numpy as np

from convlens import pictures
from convlens.arithmetic.rounding import rounded
from convlens.engines.base import Array, Engine, Feed
from convlens.errors import InputError, LayerNotFoundError
from convlens.lens import feeding
from convlens.network import FreeShape, Input, Shape
from convlens.pictures import Picture, Recipe

RecipeSource = Literal["given", "stated by the model", "default"]
"""Who chose the recipe: the user, the model file, or nobody, so that it is a guess."""

_PICTURE = 2**26
"""Bytes that reading one picture may take under any budget: that of a run is meant for its maps."""

Prepared = tuple[Picture | None, Recipe | None, Feed]
"""The picture as read and the recipe, both only for a picture; and what the engine is fed."""


class Intake:
    """The way in, for one opened model. ``input_shape`` and ``recipe`` are what the user said when opening it."""

    def __init__(self, engine: Engine, input_shape: FreeShape | None, recipe: Recipe | None) -> None:
        self._engine = engine
        self._input_shape = input_shape
        self._recipe = recipe

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads, with the shape that the user gave for it."""
        if not self._engine.inputs:
            raise InputError("This model reads nothing", expected="a model with an input", received="one without any")
        first, *others = self._engine.inputs
        if self._input_shape is not None:
            first = replace(first, shape=_narrowed(first, self._input_shape), rank_known=True)
        return (first, *others)

    @property
    def recipe(self) -> Recipe:
        """How a picture becomes the input when a run names no recipe of its own."""
        return self._recipe or pictures.default_recipe(self.inputs[0], self._engine.metadata)

    @property
    def recipe_source(self) -> RecipeSource:
        """Where :attr:`recipe` comes from."""
        if self._recipe is not None:
            return "given"
        return "stated by the model" if pictures.states_recipe(self._engine.metadata) else "default"

    @property
    def sizes_are_free(self) -> bool:
        """Whether nobody has said how large the input is."""
        return any(None in given.shape[1:] for given in self.inputs)

    @property
    def shape_is_stated(self) -> bool:
        """Whether the model or the user says how many axes and channels each input has."""
        return all(given.rank_known and given.shape and given.shape[0] is not None for given in self.inputs)

    def prepared(self, picture: object, recipe: Recipe | str | None, budget: int | None = None) -> Prepared:
        """What the engine is fed for ``picture``, and how it came about.

        ``budget``: bytes of memory that reading it may take; what is free by default.

        Raises:
            PictureError, InputError
            MemoryBudgetError: before anything of a file is read but how large it is.
        """
        if feeding.is_arrays(picture):
            picture = feeding.read(str(picture), budget)
        if pictures.is_fed(picture):
            return None, None, self._fed(picture)
        if len(self.inputs) != 1:
            names = [given.name for given in self.inputs]
            raise InputError(
                f"This network has {len(names)} inputs",
                expected="a value for each of " + ", ".join(names),
                received="one picture",
                hint="Pass a dict: {" + ", ".join(f"{name!r}: array" for name in names) + "}, "
                "or an .npz file with arrays of these names.",
            )
        budget = None if budget is None else max(budget, _PICTURE)
        read = picture if isinstance(picture, Picture) else pictures.read(picture, budget=budget)
        chosen = Recipe.preset(recipe) if isinstance(recipe, str) else recipe
        array, used = pictures.prepare(read, chosen or self.recipe, self.inputs[0], budget)
        return read, used, {self.inputs[0].name: array}

    def blank_shapes(self, free_size: int) -> dict[str, Shape]:
        """Shapes to describe the network with before there is a picture, batch included, in the framework's layout.

        Spatial axes that are free get ``free_size`` pixels.

        Raises:
            InputError: the model doesn't say its input shape, and neither did the user.
        """
        return {given.name: _blank_shape(given, free_size) for given in self.inputs}

    def as_read(self, shapes: Mapping[str, Shape]) -> dict[str, Shape]:
        """The shapes of the inputs as the network tells shapes: channels first, without batch axis."""
        layouts = {given.name: given.layout for given in self.inputs}
        return {
            name: (shape[-1], *shape[1:-1]) if layouts.get(name) == "channels_last" and len(shape) > 2 else shape[1:]
            for name, shape in shapes.items()
        }

    def as_input(self, name: str, value: Any) -> Array:
        """What an input was fed with, as everything else is shown: float32, channels first, without batch axis.

        A network in 16 bits reads it rounded to those.
        """
        given = next((found for found in self.inputs if found.name == name), None)
        if given is None:
            raise LayerNotFoundError.among(name, [found.name for found in self.inputs], "input")
        fed = feeding.to_numpy(value)
        array = rounded((fed[0] if fed.ndim else fed).astype(np.float32), given.dtype)
        return np.moveaxis(array, -1, 0) if given.layout == "channels_last" and array.ndim > 1 else array

    def _fed(self, value: Any) -> Feed:
        if isinstance(value, Mapping):
            return {name: self._batched(name, _as_numbers(name, array)) for name, array in value.items()}
        first = self.inputs[0].name  # the engine names the inputs that are missing
        return {first: self._batched(first, value)}

    def _batched(self, name: str, value: Any) -> Any:
        given = next((found for found in self.inputs if found.name == name), None)
        alone = given is not None and given.rank_known and value.ndim == len(given.shape)
        return value[None] if alone and value.ndim else value


def _as_numbers(name: object, value: Any) -> Any:
    """An array or a tensor as it is; a number, or lists of numbers, as an array."""
    if isinstance(name, str) and hasattr(value, "ndim") and hasattr(value, "shape") and hasattr(value, "dtype"):
        return value
    try:
        array = np.asarray(value)
    except Exception:  # whatever an object of anybody's raises that is no array
        array = np.empty(0, object)
    if not isinstance(name, str) or array.dtype.kind not in "fiub":
        raise InputError(
            f"The input {str(name)[:80]!r} isn't made of numbers",
            expected="an array or a tensor, under the name of an input",
            received=f"a {type(value).__name__}",
        )
    return array


def checked_shape(given: Sequence[SupportsIndex | None]) -> FreeShape:
    """What the user says the input's shape is, channels first, without batch; ``None`` leaves a size free.

    Raises:
        InputError: it is no such shape.

    >>> checked_shape([3, None, None])
    (3, None, None)
    """
    try:
        shape = None if isinstance(given, str) else tuple(None if n is None else index(n) for n in given)
    except TypeError:  # no sequence, or something in it that is no whole number
        shape = None
    if not shape or shape[0] is None or any(n is not None and n < 1 for n in shape):
        raise InputError(
            "This is not an input shape",
            expected="(channels, rows, columns) as positive whole numbers, with None where rows or columns are free",
            received=repr(given),
            hint="Type for example input_shape=(3, 224, 224).",
        )
    return shape


def _narrowed(stated: Input, given: FreeShape) -> FreeShape:
    """The user's shape; where it leaves a size free that the model states, the model's size."""
    if not stated.rank_known or len(stated.shape) != len(given):
        return given
    return tuple(own if said is None else said for own, said in zip(stated.shape, given, strict=True))


def _blank_shape(given: Input, free_size: int) -> Shape:
    if not given.rank_known or not given.shape or given.shape[0] is None:
        raise InputError(
            "This model doesn't say the shape of its input",
            expected="(channels, rows, columns)",
            received="a model without an input shape",
            hint="Type convlens.open(model, input_shape=(3, 224, 224)), or --input-shape 3,224,224.",
        )
    channels, *sizes = (free_size if n is None else n for n in given.shape)
    shape = (channels, *sizes) if given.layout == "channels_first" else (*sizes, channels)
    return (given.batch or 1, *shape)
