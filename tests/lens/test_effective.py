"""The effective receptive field against closed forms, naive sums, and one way of measuring against the other."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch import nn

import convlens
from convlens.errors import ConvlensError, InputError
from convlens.lens.effective import EffectiveReceptiveField, _patch, _patches

Array = npt.NDArray[Any]


def layers(*modules: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(*modules).eval()


def picture(*shape: int) -> Array:
    return np.random.default_rng(0).random((1, *shape), np.float32)


def correlated(first: Array, second: Array) -> Array:
    """The kernel of two convolutions without stride, one after the other: (rows, columns) each."""
    rows, columns = (a + b - 1 for a, b in zip(first.shape, second.shape, strict=True))
    found = np.zeros((rows, columns))
    for row, column in np.ndindex(*second.shape):
        found[row : row + first.shape[0], column : column + first.shape[1]] += second[row, column] * first
    return found


def test_the_heat_of_a_linear_network_is_its_kernels_convolved() -> None:
    model = layers(nn.Conv2d(3, 2, 3, padding=1), nn.Conv2d(2, 1, (3, 5), padding=(1, 2)))
    found = convlens.open(model).feature_maps(picture(3, 14, 16))["1"].effective_receptive_field(0, 6, 7)
    first, second = (
        kernel.detach().numpy().astype(np.float64) for name, kernel in model.named_parameters() if "w" in name
    )
    expected = sum(
        np.abs(sum(correlated(first[middle, colour], second[0, middle]) for middle in range(2))) for colour in range(3)
    )
    assert found.method == "gradient"
    assert found.heat.dtype == np.float32
    assert found.box.clipped == ((4, 8), (4, 10))
    np.testing.assert_allclose(found.heat[4:9, 4:11], expected, rtol=1e-5, atol=1e-7)
    outside = found.heat.copy()
    outside[4:9, 4:11] = 0
    assert not outside.any()


def test_covering_a_pixel_of_a_linear_network_moves_it_by_weight_times_distance_from_the_mean() -> None:
    model = layers(nn.Conv2d(2, 1, 5, stride=2, bias=False))
    given = picture(2, 11, 12)
    maps = convlens.open(model).feature_maps(given)
    found = maps["0"].effective_receptive_field(0, 1, 2, method="occlusion")
    distance = given[0] - given[0].mean(axis=(1, 2), keepdims=True)
    weight = next(model.parameters()).detach().numpy()[0]
    expected = np.abs((weight * distance[:, 2:7, 4:9]).sum(axis=0))
    assert (found.method, found.patch) == ("occlusion", (1, 1))
    np.testing.assert_allclose(found.heat[2:7, 4:9], expected, atol=2e-6)
    assert np.count_nonzero(found.heat) == 25


def test_the_radius_of_averages_over_averages_grows_with_the_root_of_their_number() -> None:
    """Each 3 x 3 average adds 2/3 to the heat's variance along each axis (Luo et al. 2016, section 2)."""
    for count in (1, 4, 9):
        model = layers(*(nn.AvgPool2d(3, 1, 1) for _ in range(count)))
        maps = convlens.open(model).feature_maps(picture(1, 41, 41))
        found = maps[str(count - 1)].effective_receptive_field(0, 20, 20)
        assert found.radius == pytest.approx(np.sqrt(2 * count * 2 / 3), rel=1e-4)
        assert found.centre == pytest.approx((20, 20), abs=1e-3)
        assert found.heat.sum() == pytest.approx(1, rel=1e-4)


def exported(model: nn.Module, shape: tuple[int, ...], path: Path, *, free: bool) -> Path:
    dynamic = {"x": {0: "batch"}} if free else None
    torch.onnx.export(
        model,
        (torch.zeros(1, *shape),),
        str(path),
        input_names=["x"],
        dynamic_axes=dynamic,
        dynamo=False,
        verbose=False,
    )
    return path


@pytest.mark.parametrize("free", [True, False], ids=["in batches", "one at a time"])
def test_gradient_and_occlusion_agree_on_what_is_seen(tmp_path: Path, free: bool) -> None:
    model = layers(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.Softplus(),
        nn.Conv2d(4, 4, 3, dilation=2, padding=2),
        nn.AvgPool2d(2),
    )
    given = picture(3, 24, 25)
    by_gradient = convlens.open(model).feature_maps(given)["3"].effective_receptive_field(2, 2, 0)
    maps = convlens.open(exported(model, (3, 24, 25), tmp_path / "model.onnx", free=free)).feature_maps(given)
    last = list(maps)[-1]
    told: list[tuple[int, int]] = []
    by_covering = maps[last].effective_receptive_field(
        2, 2, 0, runs=400, progress=lambda done, of: told.append((done, of))
    )
    assert (by_gradient.method, by_covering.method) == ("gradient", "occlusion")
    np.testing.assert_array_equal(by_covering.heat > 1e-7, by_gradient.heat > 1e-7)
    assert by_covering.box == by_gradient.box
    pixels = by_covering.theoretical_area
    assert told == [(number, pixels) for number in range(1, pixels + 1)]
    assert by_covering.runs == (-(-pixels // 16) + 1 if free else pixels)


def test_nothing_changes_where_everything_outside_the_box_is_covered(tmp_path: Path) -> None:
    model = layers(nn.Conv2d(3, 4, 5, stride=2, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2, 1), nn.Conv2d(4, 2, 3))
    given = picture(3, 33, 30)
    lens = convlens.open(exported(model, (3, 33, 30), tmp_path / "model.onnx", free=True))
    maps = lens.feature_maps(given)
    last = list(maps)[-1]
    (top, bottom), (left, right) = maps[last].receptive_field(2, 1).clipped
    covered = np.broadcast_to(given.mean(axis=(2, 3), keepdims=True), given.shape).copy()
    covered[:, :, top : bottom + 1, left : right + 1] = given[:, :, top : bottom + 1, left : right + 1]
    again = lens.feature_maps(covered)
    np.testing.assert_array_equal(again[last].array[:, 2, 1], maps[last].array[:, 2, 1])
    assert not np.array_equal(again[last].array, maps[last].array)


def test_keras_keeps_channels_last_and_the_heat_is_rows_by_columns() -> None:
    keras = pytest.importorskip("keras")
    model = keras.Sequential([keras.Input((9, 12, 2)), keras.layers.Conv2D(1, (3, 2), name="conv")])
    given = np.moveaxis(picture(2, 9, 12), 1, -1)
    found = convlens.open(model).feature_maps(given)["conv"].effective_receptive_field(0, 4, 7)
    kernel = np.abs(np.asarray(model.get_layer("conv").kernel))[..., 0].sum(axis=-1)
    assert found.heat.shape == (9, 12)
    np.testing.assert_allclose(found.heat[4:7, 7:9], kernel, rtol=1e-5)
    assert np.count_nonzero(found.heat) == 6


@given(st.lists(st.integers(1, 40), min_size=1, max_size=3), st.integers(1, 60))
@settings(deadline=None, max_examples=100)
def test_patches_cover_the_box_once_and_stay_within_the_runs(sizes: list[int], runs: int) -> None:
    box = tuple((3, 2 + size) for size in sizes)
    patches = list(_patches(box, _patch(tuple(sizes), runs)))
    covered = np.zeros([size + 5 for size in sizes], int)
    for patch in patches:
        covered[patch] += 1
    assert len(patches) <= runs
    inside = tuple(slice(3, 3 + size) for size in sizes)
    assert (covered[inside] == 1).all()
    assert covered.sum() == covered[inside].size


@pytest.fixture(scope="module")
def measured() -> EffectiveReceptiveField:
    maps = convlens.open(layers(nn.Conv2d(1, 1, 3))).feature_maps(picture(1, 6, 7))
    return maps["0"].effective_receptive_field(0, 1, 2)


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(0.0625, 8, width=32)), min_size=12, max_size=12),
    st.floats(0.01, 1.0),
)
@settings(deadline=None, max_examples=100)
def test_the_area_is_the_least_number_of_pixels(
    measured: EffectiveReceptiveField, values: list[float], share: float
) -> None:
    found = replace(measured, heat=np.array(values, np.float32).reshape(3, 4))
    total, held, count = sum(values), 0.0, 0
    for value in sorted(values, reverse=True):
        if total == 0 or held >= share * total * (1 - 1e-9):
            break
        held, count = held + value, count + 1
    assert abs(found.area(share) - count) <= (1 if abs(held - share * total) < 1e-6 * max(total, 1) else 0)


def test_a_value_that_nothing_moves_says_so() -> None:
    model = layers(nn.Conv2d(1, 1, 3), nn.ReLU())
    nn.init.constant_(model[0].bias, -100.0)  # type: ignore[arg-type]
    maps = convlens.open(model).feature_maps(picture(1, 8, 8))
    found = maps["1"].effective_receptive_field(0, 2, 2)
    assert (found.area(0.5), found.radius, found.centre) == (0, 0.0, None)
    assert "No pixel moves this value" in found.in_words
    assert len(found.png()) > 100


def test_a_dead_value_takes_no_run() -> None:
    maps = convlens.open(layers(nn.ConvTranspose2d(1, 1, 1, stride=3))).feature_maps(picture(1, 5, 5))
    found = maps["0"].effective_receptive_field(0, 1, 0, method="occlusion")
    assert (found.runs, found.theoretical_area, float(found.heat.max())) == (0, 0, 0.0)
    assert maps["0"].effective_receptive_field(0, 1, 0).area() == 0
    assert len(found.png()) > 100


@pytest.mark.parametrize(
    ("model", "shape", "place", "heat"),
    [
        (layers(nn.Conv1d(2, 1, 3)), (2, 12), {"column": 4}, (12,)),
        (layers(nn.Conv3d(1, 1, 2)), (1, 5, 6, 7), {"depth": 1, "row": 2, "column": 3}, (5, 6, 7)),
        (layers(nn.Flatten(), nn.Linear(30, 4)), (1, 5, 6), {}, (5, 6)),
    ],
    ids=["1-D", "3-D", "vector"],
)
@pytest.mark.parametrize("method", ["gradient", "occlusion"])
def test_row_32_every_number_of_dimensions(
    model: nn.Module, shape: tuple[int, ...], place: dict[str, Any], heat: tuple[int, ...], method: str
) -> None:
    maps = convlens.open(model).feature_maps(picture(*shape))
    found = maps[list(maps)[-1]].effective_receptive_field(0, **place, method=method)
    assert found.heat.shape == heat
    assert (found.heat > 0).any()
    with Image.open(io.BytesIO(found.png())) as drawn:
        assert drawn.width > 300


def test_the_picture_has_both_boxes_and_the_figure_too() -> None:
    model = layers(nn.Conv2d(3, 1, 7, padding=3), nn.Conv2d(1, 1, 7, padding=3))
    found = convlens.open(model).feature_maps(picture(3, 20, 30))["1"].effective_receptive_field(0, 0, 0)
    assert found.box.unclipped == ((-6, 6), (-6, 6))
    with Image.open(io.BytesIO(found.png())) as drawn:
        colours = {colour for _, colour in drawn.convert("RGB").getcolors(1 << 20) or []}
    from convlens.draw import heat

    assert {heat.INSIDE, heat.OUTSIDE} <= colours
    figure = found.plot()
    corners = [(line.get_xdata().min(), line.get_xdata().max()) for line in figure.axes[0].get_lines()]  # type: ignore[union-attr]
    assert corners == [(-6.5, 6.5), (-0.5, 6.5)]


def test_large_pictures_keep_their_hottest_pixels() -> None:
    from convlens.draw.heat import draw_heat
    from convlens.draw.page import Words

    heat = np.zeros((1300, 900), np.float32)
    heat[701, 333] = 1
    whole = ((0, 1299), (0, 899))
    canvas = draw_heat(np.zeros((1, 1300, 900)), heat, Words("large"), clipped=whole, unclipped=whole)
    alone = canvas.patches[1].pixels
    assert (alone == np.array([[canvas.palette[238]]])).all(axis=2).sum() == 1


def refused(call: Callable[[], object], kind: type[ConvlensError], *words: str) -> None:
    with pytest.raises(kind) as caught:
        call()
    line = str(caught.value)
    assert "\n" not in line
    assert all(word in line for word in words), line


def test_wrong_requests_are_refused_in_a_line(measured: EffectiveReceptiveField) -> None:
    maps = convlens.sketch("conv 2 3x3", input_shape=(1, 8, 8), seed=0).feature_maps(picture(1, 8, 8))
    conv = maps["conv"]
    refused(lambda: conv.effective_receptive_field(0, 1, 1, method="guess"), InputError, "'occlusion'", "'guess'")
    refused(lambda: conv.effective_receptive_field(0, 1, 1, method="gradient"), ConvlensError, "method='occlusion'")
    refused(lambda: conv.effective_receptive_field(0, 1, 1, runs=0), InputError, "at least 1")
    refused(lambda: conv.effective_receptive_field(0, 1, 99), InputError, "column 99")
    refused(lambda: conv.effective_receptive_field(7, 1, 1), ConvlensError, "channel 7")
    refused(lambda: measured.area(1.5), InputError, "1.5")


def test_facts_as_plain_data(measured: EffectiveReceptiveField) -> None:
    facts = measured.to_dict()
    assert facts["area"]["50"] <= facts["area"]["90"] <= facts["area"]["95"] <= facts["theoretical"]["area"] == 9
    assert facts["theoretical"]["clipped"] == [[1, 3], [2, 4]]
    assert repr(measured).startswith("EffectiveReceptiveField(0 at channel 0, row 1, column 2: ")
