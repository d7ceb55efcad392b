"""Picture files and arrays become the network's input; the recipe says how, and is recorded.

>>> from convlens.network import Input
>>> picture = cat()
>>> array, recipe = prepare(picture, Recipe(), Input("image", (3, 224, 224)))
>>> array.shape
(1, 3, 224, 224)
>>> print(recipe)
central crop to 224 rows x 224 columns (bicubic); rgb; value = pixel (0..255); from 300 rows x 451 columns
"""

from convlens.pictures.options import recipe_from_options
from convlens.pictures.preparing import as_shown, default_recipe, prepare, states_recipe
from convlens.pictures.reading import MAX_PIXELS, Picture, cat, cat_path, is_fed, read, read_bytes
from convlens.pictures.recipe import PRESETS, Recipe

__all__ = [
    "MAX_PIXELS",
    "PRESETS",
    "Picture",
    "Recipe",
    "as_shown",
    "cat",
    "cat_path",
    "default_recipe",
    "is_fed",
    "prepare",
    "read",
    "read_bytes",
    "recipe_from_options",
    "states_recipe",
]
