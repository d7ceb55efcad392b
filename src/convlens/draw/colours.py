"""Numbers to colours: scales that keep zero in the middle, and colour maps with even steps for the eye.

A picture has at most 256 colours: indices 0 to 238 are the colour map (239 colours, so that zero has an index of its
own in the middle), the last sixteen are reserved for what isn't a number on the scale: page, text, NaN, infinities.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from convlens.draw import theme
from convlens.errors import DrawingError

Mode = Literal["auto", "diverging", "sequential"]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

COLOURS = 239
MIDDLE = COLOURS // 2
PAGE = 240  # the first of the text greys
INK = 247  # the last of the text greys
TEXT_LEVELS = INK - PAGE
NOT_A_NUMBER = 248
PLUS_INFINITY = 249
MINUS_INFINITY = 250
EMPTY = 251
FRAME = 252
STRIKE = 253

POSITIVE_BAR, NEGATIVE_BAR = 172, 48  # of the colour map, strong enough to stand on the page in either

_CHUNK = 1 << 15  # values; small enough that every pass after the first runs from the cache

# Lightness, chroma, hue in degrees, of our own choosing: blue and orange stay apart in every common form of colour
# blindness, and lightness alone tells the magnitude.
_NEGATIVE = ((0.33, 0.105, 268.0), (0.55, 0.150, 256.0), (0.78, 0.095, 242.0))
_POSITIVE = ((0.78, 0.120, 62.0), (0.58, 0.165, 41.0), (0.36, 0.110, 28.0))
_SEQUENTIAL = (
    (0.21, 0.055, 282.0),
    (0.40, 0.105, 264.0),
    (0.58, 0.105, 220.0),
    (0.77, 0.105, 172.0),
    (0.965, 0.075, 106.0),
)


@dataclass(frozen=True, slots=True)
class Scale:
    """What the first and the last colour stand for; ``diverging`` has zero, white, exactly in the middle.

    >>> Scale(-2.0, 2.0, diverging=True).limit
    2.0
    """

    minimum: float
    maximum: float
    diverging: bool

    def __post_init__(self) -> None:
        if not (math.isfinite(self.minimum) and math.isfinite(self.maximum) and self.minimum <= self.maximum):
            received = f"{self.minimum} to {self.maximum}"
            raise DrawingError("No such scale", expected="a finite minimum <= maximum", received=received)
        if self.diverging and self.minimum != -self.maximum:
            received = f"{self.minimum} to {self.maximum}"
            raise DrawingError("No such diverging scale", expected="one symmetric about 0", received=received)

    @property
    def limit(self) -> float:
        """The largest magnitude on the scale."""
        return max(abs(self.minimum), abs(self.maximum))


def finite_range(array: npt.NDArray[Any]) -> tuple[float, float] | None:
    """Return the least and the greatest finite value, or ``None`` when there is none.

    >>> finite_range(np.array([np.nan, 2.0, -np.inf, 1.0]))
    (1.0, 2.0)
    """
    if array.size == 0:
        return None
    lowest, highest = float(array.min()), float(array.max())
    if math.isfinite(lowest) and math.isfinite(highest):
        return lowest, highest
    finite = array[np.isfinite(array)]
    return (float(finite.min()), float(finite.max())) if finite.size else None


def scale_for(array: npt.ArrayLike, *, mode: Mode = "auto", clip: float | None = None) -> Scale:
    """Return the scale that shows ``array`` (any shape) without hiding its sign; NaN and infinities are ignored.

    ``auto``: from ``-m`` to ``m`` with ``m`` the largest magnitude when any value is negative, else from 0 to the
    largest value, since zero means "nothing here" and has to look the same in every map. ``diverging`` and
    ``sequential`` insist; ``sequential`` then runs from the least to the greatest value. ``clip`` leaves that share of
    the values (0.01: the hundredth with the largest magnitude) beyond the ends of the scale.

    >>> scale_for([-1.0, 4.0])
    Scale(minimum=-4.0, maximum=4.0, diverging=True)
    >>> scale_for([1.0, 4.0])
    Scale(minimum=0.0, maximum=4.0, diverging=False)
    >>> scale_for([1.0, 4.0], mode="sequential")
    Scale(minimum=1.0, maximum=4.0, diverging=False)
    """
    if mode not in ("auto", "diverging", "sequential"):
        raise DrawingError("No such mode", expected="'auto', 'diverging' or 'sequential'", received=repr(mode))
    values = np.asarray(array)
    found = finite_range(values)
    if found is None:
        return Scale(0.0, 0.0, diverging=mode == "diverging")
    lowest, highest = found
    if clip is not None:
        if not 0 <= clip < 1:
            raise DrawingError("No such clip", expected="a share of the values, from 0 to below 1", received=str(clip))
        magnitudes = np.abs(values[np.isfinite(values)])
        bound = float(np.quantile(magnitudes, 1 - clip))
        lowest, highest = max(lowest, -bound), min(highest, bound)
    if mode == "diverging" or (mode == "auto" and lowest < 0):
        limit = max(abs(lowest), abs(highest))
        return Scale(-limit, limit, diverging=True)
    if mode == "auto":
        lowest = 0.0
    return Scale(min(lowest, highest), highest, diverging=False)


def index(array: npt.ArrayLike, scale: Scale) -> Bytes:
    """Return the palette index of every value of ``array``, in the same shape.

    Values beyond the scale take its end colours; NaN and infinities take their reserved indices.

    >>> index([-1.0, 0.0, 1.0, np.nan], Scale(-1.0, 1.0, diverging=True)).tolist()
    [0, 119, 238, 248]
    """
    values = np.asarray(array)
    if values.dtype != np.float32:
        values = values.astype(np.float32)
    indices = np.empty(values.shape, np.uint8)
    source, target = np.ascontiguousarray(values).reshape(-1), indices.reshape(-1)
    origin = 0.0 if scale.diverging else scale.minimum
    offset = MIDDLE if scale.diverging else 0
    span = scale.limit if scale.diverging else scale.maximum - scale.minimum
    steps = MIDDLE if scale.diverging else COLOURS - 1
    # Outside this range the factor or the difference would leave float32: there the arithmetic is done in float64.
    exact = np.float32 if 1e-30 < span < 1e38 else np.float64
    factor = steps / span if span > 0 else 0.0
    work = np.empty(min(_CHUNK, source.size), exact)
    for start in range(0, source.size, _CHUNK):
        chunk = source[start : start + _CHUNK]
        part = work[: chunk.size]
        finite = math.isfinite(chunk.min()) and math.isfinite(chunk.max())
        if finite:
            np.subtract(chunk, origin, out=part, dtype=exact) if origin else np.copyto(part, chunk)
        else:
            np.subtract(np.where(np.isfinite(chunk), chunk, origin), origin, out=part, dtype=exact)
        np.multiply(part, factor, out=part)
        np.rint(part, out=part)
        if offset:
            np.add(part, offset, out=part)
        np.clip(part, 0, COLOURS - 1, out=part)
        into = target[start : start + _CHUNK]
        np.copyto(into, part, casting="unsafe")
        if not finite:
            into[np.isnan(chunk)] = NOT_A_NUMBER
            into[chunk == np.inf] = PLUS_INFINITY
            into[chunk == -np.inf] = MINUS_INFINITY
    return indices


def index_each(maps: Floats, scales: list[Scale]) -> Bytes:
    """Return the palette indices of ``maps`` (channels, ...): each on its own scale, or all on the only one."""
    if len(scales) == 1:
        return index(maps, scales[0])
    indices = np.empty(maps.shape, np.uint8)
    for channel, (one, own) in enumerate(zip(maps, scales, strict=True)):
        indices[channel] = index(one, own)
    return indices


def from_oklab(lab: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the sRGB colours, 0 to 1, of OKLab colours (..., 3). Björn Ottosson, "A perceptual color space", 2020."""
    lightness, a, b = np.moveaxis(lab, -1, 0)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = np.stack(
        [
            +4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
            -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
            -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
        ],
        axis=-1,
    ).clip(0, 1)
    srgb: npt.NDArray[np.float64] = np.where(
        linear <= 0.0031308, 12.92 * linear, 1.055 * np.power(linear, 1 / 2.4) - 0.055
    )
    return srgb


def to_oklab(srgb: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the OKLab colours of sRGB colours (..., 3) from 0 to 1; the inverse of :func:`from_oklab`."""
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    red, green, blue = np.moveaxis(linear, -1, 0)
    long = np.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = np.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = np.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return np.stack(
        [
            0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
            1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
            0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
        ],
        axis=-1,
    )


def _oklab(anchors: tuple[tuple[float, float, float], ...]) -> npt.NDArray[np.float64]:
    lightness, chroma, hue = np.array(anchors).T
    radians = np.radians(hue)
    return np.stack([lightness, chroma * np.cos(radians), chroma * np.sin(radians)], axis=-1)


def _even_steps(anchors: npt.NDArray[np.float64], count: int) -> npt.NDArray[np.float64]:
    """Return ``count`` OKLab colours along the line through ``anchors``, at equal distances from one another."""
    lengths = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(anchors, axis=0), axis=1))])
    places = np.linspace(0, lengths[-1], count)
    return np.stack([np.interp(places, lengths, anchors[:, axis]) for axis in range(3)], axis=-1)


@lru_cache(maxsize=4)
def colour_map(diverging: bool) -> Bytes:
    """Return the 239 colours of a colour map, (239, 3) sRGB bytes; not to be written to.

    Blue, white, orange when ``diverging``; else from ink to sand.

    >>> colour_map(True)[MIDDLE].tolist() == list(theme.NEUTRAL)
    True
    """
    if diverging:
        neutral = to_oklab(np.array([theme.NEUTRAL]) / 255)
        negative = _even_steps(np.concatenate([_oklab(_NEGATIVE), neutral]), MIDDLE + 1)
        positive = _even_steps(np.concatenate([neutral, _oklab(_POSITIVE)]), MIDDLE + 1)
        lab = np.concatenate([negative[:-1], positive])
    else:
        lab = _even_steps(_oklab(_SEQUENTIAL), COLOURS)
    colours: Bytes = np.rint(from_oklab(lab) * 255).astype(np.uint8)
    colours.setflags(write=False)
    return colours


@lru_cache(maxsize=4)
def palette(diverging: bool) -> Bytes:
    """Return all 256 colours of a picture, (256, 3) sRGB bytes: a colour map and the reserved colours."""
    colours = np.empty((256, 3), np.uint8)
    colours[:] = theme.PAGE
    colours[:COLOURS] = colour_map(diverging)
    ramp = np.linspace(0, 1, TEXT_LEVELS + 1)[:, None]
    colours[PAGE : INK + 1] = np.rint((1 - ramp) * np.array(theme.PAGE) + ramp * np.array(theme.INK))
    colours[NOT_A_NUMBER] = theme.NOT_A_NUMBER
    colours[PLUS_INFINITY] = theme.PLUS_INFINITY
    colours[MINUS_INFINITY] = theme.MINUS_INFINITY
    colours[EMPTY] = theme.EMPTY
    colours[FRAME] = theme.FRAME
    colours[STRIKE] = theme.STRIKE
    colours.setflags(write=False)
    return colours
