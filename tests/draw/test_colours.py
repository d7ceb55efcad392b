"""Colour honesty: zero in the middle, equal magnitudes equally strong, and no NaN passed off as a value."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from convlens.draw import colours, theme
from convlens.draw.colours import COLOURS, MIDDLE, Scale, colour_map, index, palette, scale_for
from convlens.errors import DrawingError

finite = st.floats(-(2.0**100), 2.0**100, width=32)
arrays = hnp.arrays(np.float32, st.integers(1, 60), elements=finite)


@given(arrays)
@settings(deadline=None, max_examples=80)
def test_index_never_falls_as_values_rise(values: np.ndarray) -> None:
    ordered = np.sort(values)
    for mode in ("auto", "diverging", "sequential"):
        assert (np.diff(index(ordered, scale_for(values, mode=mode)).astype(int)) >= 0).all()


@given(arrays)
@settings(deadline=None, max_examples=80)
def test_a_diverging_index_is_symmetric_about_zero(values: np.ndarray) -> None:
    scale = scale_for(values, mode="diverging")
    assert (index(values, scale).astype(int) + index(-values, scale) == COLOURS - 1).all()
    assert index([0.0], scale)[0] == MIDDLE


@given(arrays)
@settings(deadline=None, max_examples=80)
def test_index_is_the_rounded_place_on_the_scale(values: np.ndarray) -> None:
    """A plain float64 formula is the oracle; a place within 1e-4 of half a step may round either way."""
    scale = scale_for(values, mode="sequential")
    if scale.maximum - scale.minimum < 1e-20:
        return
    place = (values.astype(np.float64) - scale.minimum) / (scale.maximum - scale.minimum) * (COLOURS - 1)
    assert (np.abs(index(values, scale) - place) <= 0.5 + 1e-3).all()


@given(arrays, st.sets(st.integers(0, 59)), st.sampled_from([np.nan, np.inf, -np.inf]))
@settings(deadline=None, max_examples=60)
def test_row_19_scales_ignore_and_indices_mark_what_is_no_number(
    values: np.ndarray, places: set[int], odd: float
) -> None:
    chosen = [place for place in places if place < values.size]
    spoilt = values.copy()
    spoilt[chosen] = odd
    rest = np.delete(values, chosen)
    scale = scale_for(spoilt)
    assert scale == scale_for(rest)
    reserved = {
        "nan": colours.NOT_A_NUMBER,
        "inf": colours.PLUS_INFINITY,
        "-inf": colours.MINUS_INFINITY,
    }[str(odd)]
    indices = index(spoilt, scale)
    assert (indices[chosen] == reserved).all()
    assert (np.delete(indices, chosen) == index(rest, scale)).all()
    assert (np.delete(indices, chosen) < COLOURS).all()


def test_marks_are_found_in_every_chunk() -> None:
    values = np.zeros(200_001, np.float32)
    values[[0, 70_000, 200_000]] = np.nan, np.inf, -np.inf
    found = index(values, Scale(0.0, 1.0, diverging=False))
    assert found[[0, 70_000, 200_000]].tolist() == [
        colours.NOT_A_NUMBER,
        colours.PLUS_INFINITY,
        colours.MINUS_INFINITY,
    ]
    assert np.count_nonzero(found) == 3


@pytest.mark.parametrize("size", [1e-44, 1e-38, 1e-30, 1.0, 1e30, 3.4e38])
def test_index_holds_at_the_ends_of_float32(size: float) -> None:
    values = np.array([-size, 0.0, size], np.float32)
    assert index(values, scale_for(values)).tolist() == [0, MIDDLE, COLOURS - 1]


def test_index_keeps_shape_and_accepts_any_layout() -> None:
    values = np.arange(24, dtype=np.float64).reshape(2, 3, 4).transpose(2, 0, 1)
    scale = scale_for(values)
    assert (index(values, scale) == index(np.ascontiguousarray(values), scale)).all()


def test_auto_is_diverging_when_signed_and_from_zero_when_not() -> None:
    assert scale_for([-1.0, 4.0]) == Scale(-4.0, 4.0, diverging=True)
    assert scale_for([2.0, 4.0]) == Scale(0.0, 4.0, diverging=False)
    assert scale_for([2.0, 4.0], mode="sequential") == Scale(2.0, 4.0, diverging=False)
    assert scale_for([-3.0, -1.0], mode="sequential") == Scale(-3.0, -1.0, diverging=False)
    assert scale_for([2.0, 4.0], mode="diverging") == Scale(-4.0, 4.0, diverging=True)


@pytest.mark.parametrize("values", [[], [math.nan], [math.inf, -math.inf]])
def test_row_19_without_a_number_the_scale_is_zero(values: list[float]) -> None:
    assert scale_for(values) == Scale(0.0, 0.0, diverging=False)


def test_clip_leaves_a_share_beyond_the_ends() -> None:
    values = np.concatenate([np.linspace(-1, 1, 990), np.full(10, 100.0)])
    clipped = scale_for(values, clip=0.02)
    assert clipped.limit < 1.1
    assert index([100.0], clipped)[0] == COLOURS - 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: scale_for([1.0], mode="rainbow"),  # type: ignore[arg-type]
        lambda: scale_for([1.0], clip=1.0),
        lambda: Scale(1.0, 0.0, diverging=False),
        lambda: Scale(math.nan, 0.0, diverging=False),
        lambda: Scale(-1.0, 2.0, diverging=True),
    ],
)
def test_a_wrong_scale_is_refused_in_one_line(wrong: object) -> None:
    with pytest.raises(DrawingError) as caught:
        wrong()  # type: ignore[operator]
    assert "expected" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_oklab_agrees_with_the_published_table() -> None:
    """White, red, green and blue of sRGB, as CSS Color Module Level 4 and its reference code give them."""
    lab = colours.to_oklab(np.array([[1.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    expected = [
        [1.0, 0.0, 0.0],
        [0.62796, 0.22486, 0.12585],
        [0.86644, -0.23389, 0.17950],
        [0.45201, -0.03246, -0.31153],
    ]
    assert np.allclose(lab, expected, atol=2e-4)


@given(hnp.arrays(np.float64, (5, 3), elements=st.floats(0, 1)))
@settings(deadline=None, max_examples=50)
def test_oklab_round_trip(srgb: np.ndarray) -> None:
    assert np.allclose(colours.from_oklab(colours.to_oklab(srgb)), srgb, atol=2e-4)


@pytest.mark.parametrize("diverging", [True, False])
def test_colour_maps_have_even_steps(diverging: bool) -> None:
    lab = colours.to_oklab(colour_map(diverging) / 255)
    arms = [lab[: MIDDLE + 1], lab[MIDDLE:]] if diverging else [lab]
    for arm in arms:
        steps = np.linalg.norm(np.diff(arm[::8], axis=0), axis=1)[:-1]
        assert steps.max() < 1.35 * steps.min()


def test_lightness_tells_the_magnitude() -> None:
    """So that the picture still reads in grey and for every kind of colour blindness."""
    sequential = colours.to_oklab(colour_map(False) / 255)[::4, 0]
    assert (np.diff(sequential) > 0).all()
    diverging = colours.to_oklab(colour_map(True) / 255)[:, 0]
    assert (np.diff(diverging[: MIDDLE + 1 : 4]) > 0).all()
    assert (np.diff(diverging[MIDDLE::4]) < 0).all()
    assert colour_map(True)[MIDDLE].tolist() == list(theme.NEUTRAL)


# Linear RGB matrices for full dichromacy: Viénot, Brettel and Mollon, "Digital video colourmaps", 1999.
_DICHROMACY = {
    "protanopia": [[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]],
    "deuteranopia": [[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]],
}


@pytest.mark.parametrize("kind", _DICHROMACY)
def test_the_two_signs_stay_apart_for_the_colour_blind(kind: str) -> None:
    srgb = colour_map(True) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    seen = (linear @ np.array(_DICHROMACY[kind]).T).clip(0, 1)
    lab = colours.to_oklab(np.where(seen <= 0.0031308, 12.92 * seen, 1.055 * seen ** (1 / 2.4) - 0.055))
    strong = np.arange(20, 100)  # a sixth of the limit and up
    apart = np.linalg.norm(lab[strong] - lab[COLOURS - 1 - strong], axis=1)
    assert apart.min() > 0.08


@pytest.mark.parametrize("diverging", [True, False])
def test_reserved_colours_look_like_no_value(diverging: bool) -> None:
    lab = colours.to_oklab(palette(diverging) / 255)
    for reserved in (colours.NOT_A_NUMBER, colours.PLUS_INFINITY, colours.MINUS_INFINITY):
        assert np.linalg.norm(lab[:COLOURS] - lab[reserved], axis=1).min() > 0.1
