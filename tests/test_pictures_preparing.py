"""A picture becomes the network's input. Oracles: Pillow for geometry and grey, naive loops for values."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from convlens.errors import PictureError
from convlens.network import Input
from convlens.pictures import PRESETS, Picture, Recipe, as_shown, cat, default_recipe, prepare

RANDOM = np.random.default_rng(5)
COLOUR = RANDOM.integers(0, 256, (12, 17, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (12, 17, 3), dtype=np.uint16)
PICTURE = Picture(COLOUR, "colour")
GREY = Picture(COLOUR[..., :1], "grey")
FREE = Input("image", (3, None, None))


def resized(pixels: np.ndarray, rows: int, columns: int, method: Image.Resampling) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((columns, rows), method))


def test_raw_values_are_exactly_the_pixels() -> None:
    array, recipe = prepare(PICTURE, PRESETS["0..255"], FREE)
    assert array.dtype == np.float32
    assert array.flags["C_CONTIGUOUS"]
    assert np.array_equal(array[0], COLOUR.transpose(2, 0, 1))
    assert (recipe.resize, recipe.size, recipe.channels, recipe.notes) == ("none", (12, 17), "rgb", ())
    last, _ = prepare(PICTURE, PRESETS["0..255"], replace(FREE, layout="channels_last"))
    assert np.array_equal(last[0], COLOUR)


@pytest.mark.parametrize("name", list(PRESETS))
def test_presets_are_what_a_naive_loop_gives(name: str) -> None:
    preset = Recipe.preset(name)
    array, _ = prepare(PICTURE, preset, FREE)
    formulas: dict[str, Callable[[list[float], int], float]] = {
        "imagenet": lambda p, c: (p[c] / 255 - (0.485, 0.456, 0.406)[c]) / (0.229, 0.224, 0.225)[c],
        "0..1": lambda p, c: p[c] / 255,
        "-1..1": lambda p, c: p[c] / 127.5 - 1,
        "0..255": lambda p, c: p[c],
        "caffe-bgr": lambda p, c: p[2 - c] - (103.939, 116.779, 123.68)[c],
    }
    expected = formulas[name]
    for row in range(12):
        for column in range(17):
            pixel = [float(v) for v in COLOUR[row, column]]
            for channel in range(3):
                assert array[0, channel, row, column] == pytest.approx(expected(pixel, channel), rel=1e-6, abs=1e-6)


def test_bgr_networks_get_blue_first() -> None:
    array, recipe = prepare(PICTURE, Recipe(channels="bgr"), FREE)
    assert np.array_equal(array[0], COLOUR[..., ::-1].transpose(2, 0, 1))
    assert recipe.channels == "bgr"
    assert np.array_equal(as_shown(PICTURE, recipe, 12, 17), COLOUR)


def test_a_grey_network_gets_pillows_luma_and_says_so() -> None:
    array, recipe = prepare(PICTURE, Recipe(), Input("image", (1, 12, 17)))
    luma = np.asarray(Image.fromarray(COLOUR).convert("L"))
    assert np.array_equal(array[0, 0], luma)
    assert recipe.channels == "grey"
    assert recipe.notes == ("colour turned to grey (ITU-R 601 luma)",)
    assert np.array_equal(as_shown(PICTURE, recipe, 12, 17), np.repeat(luma[..., None], 3, axis=2))


def test_a_grey_picture_is_repeated_for_a_colour_network_and_says_so() -> None:
    array, recipe = prepare(GREY, Recipe(), FREE)
    assert all(np.array_equal(array[0, channel], COLOUR[..., 0]) for channel in range(3))
    assert recipe.notes == ("grey repeated in 3 channels",)


def test_grey_asked_for_in_colour_and_where_channels_are_free() -> None:
    three, recipe = prepare(PICTURE, Recipe(channels="grey"), FREE)
    assert np.array_equal(three[0, 0], three[0, 2])
    assert len(recipe.notes) == 2
    free = Input("image", (None, None, None))
    assert prepare(PICTURE, Recipe(channels="grey"), free)[0].shape == (1, 1, 12, 17)
    assert prepare(GREY, Recipe(), free)[0].shape == (1, 3, 12, 17)
    assert prepare(PICTURE, Recipe(), Input("image", (), rank_known=False))[0].shape == (1, 3, 12, 17)


@pytest.mark.parametrize("channels", [2, 4, 12])
def test_other_channel_counts_are_refused(channels: int) -> None:
    with pytest.raises(PictureError, match=f"expected {channels} channels, received a picture with 3"):
        prepare(PICTURE, Recipe(), Input("image", (channels, 12, 17)))


def test_row_34_16_bit_pictures_reach_255_and_keep_their_precision() -> None:
    array, _ = prepare(Picture(DEEP, "deep"), Recipe(), FREE)
    assert np.allclose(array[0], DEEP.transpose(2, 0, 1) / 257, rtol=1e-7, atol=0)
    ends = Picture(np.array([[[0], [257], [65535]]], np.uint16), "ends")
    assert prepare(ends, Recipe(), Input("image", (1, None, None)))[0].ravel().tolist() == [0, 1, 255]
    luma, _ = prepare(Picture(DEEP, "deep"), Recipe(), Input("image", (1, None, None)))
    assert np.allclose(luma[0, 0], DEEP @ [0.299, 0.587, 0.114] / 257, rtol=1e-6)


def test_row_34_16_bit_pictures_are_resized_without_losing_bits() -> None:
    array, _ = prepare(Picture(DEEP, "deep"), Recipe(resize="stretch", interpolation="lanczos"), Input("x", (3, 6, 40)))
    for channel in range(3):
        plane = (DEEP[..., channel] / 257).astype(np.float32)
        expected = resized(plane, 6, 40, Image.Resampling.LANCZOS).clip(0, 255)
        assert np.allclose(array[0, channel], expected, atol=1e-4)
    assert 0 <= array.min() <= array.max() <= 255


@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear", "nearest", "lanczos"])
def test_stretch_is_pillows_resize(interpolation: str) -> None:
    array, recipe = prepare(PICTURE, Recipe(resize="stretch", interpolation=interpolation), Input("image", (3, 24, 9)))
    expected = resized(COLOUR, 24, 9, Image.Resampling[interpolation.upper()])
    assert np.array_equal(array[0], expected.transpose(2, 0, 1))
    assert (recipe.resize, recipe.size, recipe.notes) == ("stretch", (24, 9), ("from 12 rows x 17 columns",))
    assert np.array_equal(as_shown(PICTURE, recipe, 24, 9), expected)


def test_the_tutorials_picture_size() -> None:
    array, recipe = prepare(cat(), Recipe(resize="stretch", size=(1440, 1080)), FREE)
    assert array.shape == (1, 3, 1440, 1080)
    assert "stretched to 1440 rows x 1080 columns" in str(recipe)


def test_a_central_crop_is_efficientnets() -> None:
    """Crop as in EfficientNet's preprocessing: offset (side - crop + 1) // 2, crop int(224 / 256 * short side)."""
    picture = cat()
    crop = int(224 / 256 * 300)
    top, left = (300 - crop + 1) // 2, (451 - crop + 1) // 2
    square = picture.pixels[top : top + crop, left : left + crop]
    expected = resized(square, 224, 224, Image.Resampling.BICUBIC)
    recipe = Recipe(crop=224 / 256, mean=(127,), std=(128,))
    array, _ = prepare(picture, recipe, Input("image", (3, 224, 224)))
    assert np.array_equal(array[0], ((expected - 127.0) / 128).astype(np.float32).transpose(2, 0, 1))


@pytest.mark.parametrize(("rows", "columns"), [(6, 6), (24, 6), (3, 30), (1, 1)])
def test_crop_keeps_the_largest_part_of_the_right_proportions(rows: int, columns: int) -> None:
    steps = np.arange(120, dtype=np.uint8)
    ramp = Picture(np.stack(np.broadcast_arrays(steps[:60, None], steps[None, :], 0), axis=2).astype(np.uint8), "ramp")
    recipe = Recipe(resize="crop", interpolation="bilinear")
    shown = as_shown(ramp, recipe, rows, columns).astype(float)
    part = min(60 / rows, 120 / columns)
    assert shown[..., 0].mean() == pytest.approx(29.5, abs=1)  # central
    assert shown[..., 1].mean() == pytest.approx(59.5, abs=1)
    if rows > 1:  # a step in the output is a step of the same length in both directions
        assert shown[1, 0, 0] - shown[0, 0, 0] == pytest.approx(part, abs=part / 4 + 1)
        assert shown[0, 1, 1] - shown[0, 0, 1] == pytest.approx(part, abs=part / 4 + 1)


def test_pad_keeps_the_whole_picture_on_black() -> None:
    white = Picture(np.full((10, 20, 3), 255, np.uint8), "white")
    array, recipe = prepare(white, Recipe(resize="pad"), Input("image", (3, 40, 40)))
    inside = array[0, 0] == 255
    assert inside[10:30].all()
    assert not array[0, :, :10].any()
    assert not array[0, :, 30:].any()
    assert "padded with black to 40 rows x 40 columns" in str(recipe)


def test_a_picture_of_the_networks_size_is_not_touched() -> None:
    for resize in ("none", "stretch", "crop", "pad"):
        array, recipe = prepare(PICTURE, Recipe(resize=resize), Input("image", (3, 12, 17)))
        assert np.array_equal(array[0], COLOUR.transpose(2, 0, 1))
        assert recipe.resize == "none"


def test_a_partly_free_size_follows_the_pictures_proportions() -> None:
    assert prepare(cat(), Recipe(), Input("image", (3, None, 224)))[0].shape == (1, 3, 149, 224)  # 224 * 300 / 451
    assert prepare(cat(), Recipe(), Input("image", (3, 100, None)))[0].shape == (1, 3, 100, 150)  # 100 * 451 / 300
    array, _ = prepare(PICTURE, Recipe(resize="none"), Input("image", (3, None, 17)))
    assert array.shape == (1, 3, 12, 17)


def test_sizes_that_contradict_are_refused() -> None:
    with pytest.raises(PictureError, match="expected 24 rows x 24 columns, received colour with 12 rows x 17 columns"):
        prepare(PICTURE, Recipe(resize="none"), Input("image", (3, 24, 24)))
    with pytest.raises(PictureError, match="expected 24 rows x free columns, received 12 rows x 12 columns"):
        prepare(PICTURE, Recipe(size=(12, 12)), Input("image", (3, 24, None)))
    with pytest.raises(PictureError, match="doesn't resize"):
        as_shown(PICTURE, Recipe(resize="none"), 4, 4)
    with pytest.raises(PictureError, match="crop fraction needs a size"):
        prepare(PICTURE, Recipe(crop=0.5), FREE)
    line = Picture(np.zeros((1, 60_000, 1), np.uint8), "line")
    with pytest.raises(PictureError, match="The size is too large"):
        prepare(line, Recipe(), Input("image", (1, 224, None)))


@pytest.mark.parametrize(
    ("shape", "what"), [((784,), "a vector"), ((3, 100), "a sequence"), ((1, 8, 8, 8), "a volume")]
)
def test_inputs_that_take_no_picture_say_so(shape: tuple[int, ...], what: str) -> None:
    with pytest.raises(PictureError, match=f"'x' takes {what}.*Feed a float array"):
        prepare(PICTURE, Recipe(), Input("x", shape))


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "uint16"])
def test_integer_inputs_get_the_pixel_values_as_integers(dtype: str) -> None:
    array, _ = prepare(PICTURE, Recipe(), replace(FREE, dtype=dtype))
    assert array.dtype == dtype
    assert np.array_equal(array[0], COLOUR.transpose(2, 0, 1))
    deep, _ = prepare(Picture(DEEP, "deep"), Recipe(), replace(FREE, dtype=dtype))
    assert np.array_equal(deep[0], np.rint(DEEP / 257).transpose(2, 0, 1))
    with pytest.raises(PictureError, match=r"takes integers: expected the preset 0\.\.255"):
        prepare(PICTURE, PRESETS["0..1"], replace(FREE, dtype=dtype))


@pytest.mark.parametrize("dtype", ["int8", "bool", "str", "complex64", "a type of its own"])
def test_inputs_that_hold_no_pixel_values_say_so(dtype: str) -> None:
    with pytest.raises(PictureError, match="doesn't hold pixel values"):
        prepare(PICTURE, Recipe(), replace(FREE, dtype=dtype))


@pytest.mark.parametrize(("dtype", "given"), [("float16", "float16"), ("float64", "float64"), ("bfloat16", "float32")])
def test_other_float_inputs(dtype: str, given: str) -> None:
    array, _ = prepare(PICTURE, Recipe(), replace(FREE, dtype=dtype))
    assert array.dtype == given
    assert np.array_equal(array[0], COLOUR.transpose(2, 0, 1))


def test_a_mean_for_colour_does_not_fit_a_grey_network() -> None:
    with pytest.raises(PictureError, match="mean doesn't fit the network: expected 1 number for 1 channel, received 3"):
        prepare(PICTURE, PRESETS["imagenet"], Input("image", (1, 12, 17)))


def test_notes_of_the_picture_are_recorded() -> None:
    noted = Picture(COLOUR, "colour", ("EXIF rotation applied",))
    _, recipe = prepare(noted, Recipe(), Input("image", (1, 24, 24)))
    assert recipe.notes[0] == "EXIF rotation applied"
    assert str(recipe).endswith("from 12 rows x 17 columns; colour turned to grey (ITU-R 601 luma)")


@settings(deadline=None, max_examples=120)
@given(
    rows=st.integers(1, 30),
    columns=st.integers(1, 30),
    channels=st.sampled_from([1, 3]),
    deep=st.booleans(),
    shape=st.tuples(st.sampled_from([1, 3, None]), *[st.one_of(st.none(), st.integers(1, 30))] * 2),
    recipe=st.builds(
        Recipe,
        resize=st.sampled_from(["stretch", "crop", "pad"]),
        interpolation=st.sampled_from(["bicubic", "bilinear", "nearest", "lanczos"]),
        channels=st.sampled_from(["rgb", "bgr", "grey"]),
        scale=st.sampled_from([1.0, 1 / 255]),
        mean=st.sampled_from([(0.0,), (0.5,)]),
    ),
    layout=st.sampled_from(["channels_first", "channels_last"]),
)
def test_the_returned_recipe_gives_the_same_array_again(
    rows: int,
    columns: int,
    channels: int,
    deep: bool,
    shape: tuple[int | None, ...],
    recipe: Recipe,
    layout: str,
) -> None:
    pixels = RANDOM.integers(0, 256, (rows, columns, channels))
    picture = Picture(pixels.astype(np.uint16) * 257 if deep else pixels.astype(np.uint8), "random")
    wanted = Input("image", shape, layout=layout)
    array, resolved = prepare(picture, recipe, wanted)
    again, same = prepare(picture, Recipe.from_dict(json.loads(json.dumps(resolved.to_dict()))), wanted)
    assert np.array_equal(array, again)
    assert same == resolved
    first = array if layout == "channels_first" else array.transpose(0, 3, 1, 2)
    assert resolved.size == first.shape[2:]
    assert all(n is None or n == m for n, m in zip(shape, first.shape[1:], strict=True))
    shown = as_shown(picture, resolved, *first.shape[2:])
    mean = recipe.mean[0]
    expected = (shown[..., ::-1] if resolved.channels == "bgr" else shown)[..., : first.shape[1]]
    tolerance = 0.51 if deep else 1e-4  # a 16-bit picture is rounded to be shown
    assert np.abs((first[0] + mean) / recipe.scale - expected.transpose(2, 0, 1)).max() <= tolerance


def test_the_default_is_raw_values_at_the_networks_size() -> None:
    assert default_recipe(FREE, {}) == Recipe(resize="none")
    assert default_recipe(Input("image", (3, 224, 224)), {"producer": "x"}) == Recipe(resize="crop")
    assert default_recipe(Input("image", (3, None, 224)), {}).resize == "crop"
    assert default_recipe(Input("image", (), rank_known=False), {}).resize == "none"


def test_a_model_file_may_carry_its_recipe() -> None:
    recipe = replace(PRESETS["imagenet"], crop=0.875, interpolation="bilinear")
    metadata = {"convlens.recipe": json.dumps(recipe.to_dict()), "Image.BitmapPixelFormat": "Bgr8"}
    assert default_recipe(Input("image", (3, 224, 224)), metadata) == recipe
    for broken in ("{", "[1]", '{"scal": 1}', '{"scale": "big"}', '{"size": [0, 3]}'):
        with pytest.raises(PictureError):
            default_recipe(FREE, {"convlens.recipe": broken})


@pytest.mark.parametrize(
    ("stated", "low", "high"),
    [
        ("NominalRange_0_255", 0, 255),
        ("Normalized_0_1", 0, 1),
        ("normalized_1_1", -1, 1),
        ("NominalRange_16_235", 16, 235),
    ],
)
def test_onnx_image_metadata_is_followed(stated: str, low: float, high: float) -> None:
    """The ranges of https://onnx.ai/onnx/repo-docs/MetadataProps.html; keys and values are case-insensitive."""
    metadata = {"image.nominalpixelrange": stated, "Image.BitmapPixelFormat": "Bgr8"}
    recipe = default_recipe(FREE, metadata)
    ends = Picture(np.array([[[0, 0, 0], [255, 255, 255]]], np.uint8), "ends")
    array, _ = prepare(ends, recipe, FREE)
    assert array[0, 0, 0].tolist() == pytest.approx([low, high])
    assert recipe.channels == "bgr"


def test_onnx_image_metadata_that_is_not_followed_is_noted() -> None:
    recipe = default_recipe(FREE, {"Image.ColorSpaceGamma": "Linear", "Image.BitmapPixelFormat": "Gray8"})
    assert recipe.channels == "grey"
    assert "linear light" in recipe.notes[0]
    assert default_recipe(FREE, {"Image.ColorSpaceGamma": "SRGB"}).notes == ()
