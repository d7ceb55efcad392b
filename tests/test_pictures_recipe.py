"""The recipe as data: what it accepts, how it reads, its way to JSON and back, and from a command line's flags."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from convlens.errors import PictureError
from convlens.pictures import PRESETS, Recipe, recipe_from_options

NUMBER = st.floats(-1e6, 1e6).filter(lambda x: abs(x) > 1e-6)
NUMBERS = st.one_of(st.tuples(NUMBER), st.tuples(NUMBER, NUMBER, NUMBER))


@given(
    st.builds(
        Recipe,
        resize=st.sampled_from(["none", "stretch", "crop", "pad"]),
        size=st.one_of(st.none(), st.tuples(st.integers(1, 5000), st.integers(1, 5000))),
        interpolation=st.sampled_from(["bicubic", "bilinear", "nearest", "lanczos"]),
        channels=st.sampled_from(["rgb", "bgr", "grey"]),
        scale=NUMBER,
        mean=NUMBERS,
        std=NUMBERS,
        notes=st.lists(st.text(max_size=5), max_size=2).map(tuple),
    )
)
def test_a_recipe_survives_json(recipe: Recipe) -> None:
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    assert recipe.describe() == str(recipe)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"resize": "croop"}, "Did you mean 'crop'?"),
        ({"interpolation": "cubic"}, "Did you mean 'bicubic'?"),
        ({"channels": "gbr"}, "expected 'rgb' or 'bgr' or 'grey'"),
        ({"size": (0, 5)}, "rows x columns"),
        ({"size": (5,)}, "rows x columns"),
        ({"size": 5}, "rows x columns"),
        ({"size": (1.5, 5)}, "rows x columns"),
        ({"size": (100_000, 100_000)}, "10,000,000,000 pixels"),
        ({"size": (float("inf"), 1)}, "rows x columns"),
        ({"crop": 0}, "above 0, up to 1"),
        ({"crop": 1.1}, "above 0, up to 1"),
        ({"crop": 0.5, "resize": "pad"}, "goes with the resize 'crop'"),
        ({"scale": 0}, "scale of 0"),
        ({"scale": "1"}, "finite number"),
        ({"scale": True}, "finite number"),
        ({"mean": (1, 2)}, "mean has 2 numbers"),
        ({"mean": ()}, "mean has 0 numbers"),
        ({"mean": None}, "1 or 3 numbers"),
        ({"mean": "123"}, "1 or 3 numbers"),
        ({"std": (1, 0, 1)}, "std of 0"),
        ({"std": (float("nan"),)}, "finite number"),
        ({"colour": 1}, "There is no recipe key 'colour'"),
    ],
)
def test_values_that_no_picture_can_be_made_with(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(PictureError) as caught:
        Recipe.from_dict(wrong)
    assert told in str(caught.value)


def test_presets_by_name() -> None:
    assert list(PRESETS) == ["imagenet", "0..1", "-1..1", "0..255", "caffe-bgr"]
    assert Recipe.preset("imagenet").mean == (0.485, 0.456, 0.406)
    with pytest.raises(PictureError, match="Did you mean 'imagenet'"):
        Recipe.preset("imagnet")


@pytest.mark.parametrize(
    ("recipe", "line"),
    [
        (Recipe(), "central crop to the model's size (bicubic); rgb; value = pixel (0..255)"),
        (Recipe(resize="none"), "not resized; rgb; value = pixel (0..255)"),
        (Recipe("none", (3, 4)), "3 rows x 4 columns, not resized; rgb; value = pixel (0..255)"),
        (
            Recipe("crop", (2, 2), 0.875, mean=(127,), std=(128,), notes=("16-bit",)),
            "0.875 central crop to 2 rows x 2 columns (bicubic); rgb; value = (pixel - 127) / 128; 16-bit",
        ),
        (replace(PRESETS["-1..1"], resize="none"), "not resized; rgb; -1..1: value = pixel / 127.5 - 1"),
        (Recipe("none", scale=2, mean=(-1,)), "not resized; rgb; value = pixel * 2 + 1"),
        (
            replace(PRESETS["imagenet"], resize="none"),
            "not resized; rgb; imagenet: value = (pixel / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]",
        ),
    ],
)
def test_a_recipe_reads_as_one_line(recipe: Recipe, line: str) -> None:
    assert str(recipe) == line


def test_flags_say_what_they_say() -> None:
    recipe = recipe_from_options(
        preset="caffe-bgr",
        resize="stretch",
        size="1440x1080",
        mean="1,2,3",
        std="2",
        scale="1/255",
        interpolation="nearest",
    )
    assert recipe == Recipe("stretch", (1440, 1080), 1, "nearest", "bgr", 1 / 255, (1, 2, 3), (2,))
    assert recipe_from_options(size="1440,1080").size == recipe_from_options(size=(1440, 1080)).size == (1440, 1080)
    assert recipe_from_options(crop="224/256") == Recipe("crop", crop=0.875)
    assert recipe_from_options(channels="grey", mean=[0.5]).mean == (0.5,)


def test_flags_refine_what_the_model_says() -> None:
    base = replace(PRESETS["imagenet"], crop=0.875)
    assert recipe_from_options(base=base) == base
    assert recipe_from_options(resize="stretch", base=base) == replace(PRESETS["imagenet"], resize="stretch")
    assert recipe_from_options(preset="0..1", base=base) == replace(PRESETS["0..1"], crop=0.875)
    assert recipe_from_options(size="8x8", base=Recipe(resize="none")) == Recipe("crop", (8, 8))
    assert recipe_from_options(crop=0.5, base=Recipe(resize="none")) == Recipe("crop", crop=0.5)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        ({"mean": "1,2"}, "The mean has 2 numbers: expected 1 number, or 3 (one a channel), received [1, 2]"),
        ({"mean": "a,b,c"}, "The mean is not a number: expected a number such as 0.5 or 1/255, received 'a'"),
        ({"mean": ""}, "mean has 0 numbers"),
        ({"scale": "1/0"}, "The scale is not a number"),
        ({"scale": "1e999999999"}, "expected a finite number"),
        ({"crop": "half"}, "The crop is not a number"),
        ({"crop": "0.5", "resize": "stretch"}, "goes with the resize 'crop'"),
        ({"size": "big"}, "The size is not a number"),
        ({"size": "224"}, "rows x columns, such as 1440x1080"),
        ({"preset": "pytorch"}, "There is no preset 'pytorch'"),
        ({"resize": "fit"}, "There is no resize 'fit'"),
    ],
)
def test_flags_that_make_no_recipe(flags: dict[str, Any], told: str) -> None:
    with pytest.raises(PictureError) as caught:
        recipe_from_options(**flags)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
