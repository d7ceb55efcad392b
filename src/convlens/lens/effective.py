"""The effective receptive field: which pixels really move a value, and by how much, measured on this very picture.

Source: W. Luo, Y. Li, R. Urtasun, R. Zemel, "Understanding the Effective Receptive Field in Deep Convolutional Neural
Networks", NeurIPS 2016. The heat of a pixel is how fast it moves the value: the derivative's magnitude, added up over
the input's channels. Where the framework differentiates nothing, patches of the picture are covered with its mean, and
the heat of a patch's pixels is how far that moves the value, divided by the number of its pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice, product
from math import ceil, prod
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens.draw import heat as drawing
from convlens.draw.page import Words
from convlens.draw.saving import picture_bytes
from convlens.engines.base import Array
from convlens.errors import ConvlensError, InputError
from convlens.lens import again
from convlens.lens.explanation import place_in_words
from convlens.network import Input, Layer, Shape
from convlens.receptive import picture_of

if TYPE_CHECKING:
    from convlens.draw.figures import Figure
    from convlens.lens.feature_map import Box
    from convlens.lens.maps import FeatureMaps

METHODS = ("auto", "gradient", "occlusion")
RUNS = 256
"""Patches that occlusion covers at most, each of them one more run to the layer."""

_AT_ONCE = 16
_BATCH_BYTES = 64 * 1024 * 1024

Progress = Callable[[int, int], None]
"""Told how many of how many patches are done."""


@dataclass(frozen=True)
class EffectiveReceptiveField:
    """How much each pixel moves one value.

    ``heat`` has the spatial shape of the network's input, (rows, columns) for a picture; float32, never negative.
    ``method`` is ``"gradient"`` or ``"occlusion"``; ``patch`` the size of the patches of an occlusion, (1, 1) for a
    gradient. ``box`` is the theoretical field, ``value`` the value itself, ``runs`` how often the network was run.
    """

    layer: Layer
    index: Shape
    value: float
    heat: Array
    method: str
    patch: Shape
    runs: int
    box: Box
    picture: Array

    def area(self, share: float = 0.95) -> int:
        """The least number of pixels that together hold this share of the heat; 0 where there is none.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3", input_shape=(1, 9, 9), seed=0)
        >>> maps = lens.feature_maps(np.random.default_rng(0).random((1, 1, 9, 9), np.float32))
        >>> found = maps["conv"].effective_receptive_field(row=3, column=3)
        >>> found.area(0.5) < found.area(1.0) <= 9
        True
        """
        if not 0 < share <= 1:
            raise InputError("No such share of the heat", expected="above 0, up to 1", received=f"{share:g}")
        hottest = np.sort(self.heat.ravel().astype(np.float64))[::-1]
        total = hottest.sum()
        if total == 0:
            return 0
        return int(np.searchsorted(np.cumsum(hottest), share * total * (1 - 1e-12)) + 1)

    @property
    def centre(self) -> tuple[float, ...] | None:
        """The heat's centre of mass, in pixels; ``None`` where there is no heat."""
        moments = self._moments()
        return None if moments is None else tuple(mean for mean, _ in moments)

    @property
    def radius(self) -> float:
        """How far the heat lies from its centre: the root of its mean squared distance, in pixels."""
        moments = self._moments()
        return 0.0 if moments is None else float(np.sqrt(sum(variance for _, variance in moments)))

    def _moments(self) -> list[tuple[float, float]] | None:
        heat = self.heat.astype(np.float64)
        total = float(heat.sum())
        if total == 0:
            return None
        found = []
        for axis, size in enumerate(heat.shape):
            along = heat.sum(axis=tuple(other for other in range(heat.ndim) if other != axis)) / total
            mean = float((along * np.arange(size)).sum())
            found.append((mean, float((along * (np.arange(size) - mean) ** 2).sum())))
        return found

    @property
    def theoretical_area(self) -> int:
        """Pixels of the theoretical box, inside the picture."""
        return prod(last - first + 1 for first, last in self.box.clipped)

    @property
    def in_words(self) -> str:
        """One line: the areas beside the theoretical box, the radius, and how it was measured."""
        how = "by gradient" if self.method == "gradient" else f"by covering {_times(self.patch)} pixels at a time"
        if not self.heat.any():
            return f"No pixel moves this value, measured {how}."
        bound = "" if self.box.exact else "at most "
        return (
            f"{self.area(0.5):,} pixels hold half of the heat, {self.area(0.9):,} hold 90 %, {self.area(0.95):,} hold "
            f"95 %, of {bound}{self.theoretical_area:,} that can be seen; radius {self.radius:.3g} pixels; {how}."
        )

    def png(self) -> bytes:
        """The heat over the picture, and alone, each with the theoretical box (dashed: unclipped), as one PNG."""
        words = Words(self._title, self.in_words)
        picture, heat, clipped, unclipped = self._plane()
        canvas = drawing.draw_heat(picture, heat, words, clipped=clipped, unclipped=unclipped)
        return picture_bytes(canvas, "heat.png")

    def plot(self) -> Figure:
        """The same as a matplotlib Figure, for papers; needs the extra ``plot``.

        Raises:
            MissingDependencyError
        """
        picture, heat, clipped, unclipped = self._plane()
        return drawing.plot_heat(picture, heat, clipped=clipped, unclipped=unclipped, title=self._title)

    @property
    def _title(self) -> str:
        return f"{self.layer.name} at {place_in_words(self.index)}"

    def _plane(self) -> tuple[Array, Array, drawing.Extent, drawing.Extent]:
        """Picture, heat and boxes in two dimensions: a line as one row, of a volume the hottest slice."""
        picture, heat, clipped, unclipped = self.picture, self.heat, self.box.clipped, self.box.unclipped
        while heat.ndim > 2:
            depth = int(heat.sum(axis=tuple(range(1, heat.ndim))).argmax())
            picture, heat, clipped, unclipped = picture[:, depth], heat[depth], clipped[1:], unclipped[1:]
        if heat.ndim == 1:
            row = ((0, 0),)
            return picture[:, None], heat[None], (*row, clipped[0]), (*row, unclipped[0])
        return picture, heat, (clipped[0], clipped[1]), (unclipped[0], unclipped[1])

    def to_dict(self) -> dict[str, Any]:
        """The facts as plain data; the heat itself is an array."""
        return {
            "layer": self.layer.name,
            "index": list(self.index),
            "value": self.value,
            "method": self.method,
            "patch": list(self.patch),
            "runs": self.runs,
            "area": {"50": self.area(0.5), "90": self.area(0.9), "95": self.area(0.95)},
            "centre": None if self.centre is None else list(self.centre),
            "radius": self.radius,
            "theoretical": {
                "clipped": [list(side) for side in self.box.clipped],
                "unclipped": [list(side) for side in self.box.unclipped],
                "exact": self.box.exact,
                "area": self.theoretical_area,
            },
        }

    def __repr__(self) -> str:
        return f"EffectiveReceptiveField({self._title}: {self.in_words})"

    def _repr_png_(self) -> bytes:
        return self.png()


def measure(
    maps: FeatureMaps,
    layer: Layer,
    index: Shape,
    box: Box,
    *,
    method: str = "auto",
    runs: int = RUNS,
    progress: Progress | None = None,
) -> EffectiveReceptiveField:
    """Measure what moves the value at ``index`` of ``layer``.

    Raises:
        InputError: no such method, or no runs.
        ConvlensError: a gradient is asked for, and the framework has none; or the value comes from a random draw.
    """
    if method not in METHODS:
        received = repr(method)
        raise InputError("No such way to measure", expected=" or ".join(map(repr, METHODS)), received=received)
    if runs < 1:
        raise InputError("An occlusion needs runs", expected="at least 1", received=str(runs))
    given = picture_of(maps.network)
    if given is None:
        raise ConvlensError(f"{layer.name} doesn't read the picture, so it has no receptive field")
    again.check_repeatable(maps.network, [layer.name])
    picture, value = maps.value(given.name), float(maps.value(layer.name)[index])
    if method != "occlusion":
        found = maps.lens.gradient(maps.feed, layer.name, index)
        if found is not None and given.name in found:
            slopes = maps.lens.as_input(given.name, found[given.name])
            heat = np.abs(slopes).sum(axis=0, dtype=np.float64).astype(np.float32)
            return EffectiveReceptiveField(layer, index, value, heat, "gradient", (1,) * heat.ndim, 1, box, picture)
        if method == "gradient":
            raise ConvlensError(
                f"There is no gradient of this value of {layer.name}",
                expected="a framework that differentiates, and a value of real numbers",
                received=f"the engine {maps.network.engine}",
                hint="Type method='occlusion'.",
            )
    covered = _Covered(maps, given, layer, index, value)
    sizes = tuple(last - first + 1 for first, last in box.clipped)
    patch = _patch(sizes, runs)
    heat = np.zeros(picture.shape[1:], np.float32)
    patches = list(_patches(box.clipped, patch)) if 0 not in sizes else []
    for done, (where, moved) in enumerate(covered.moved_by(patches), start=1):
        heat[where] = abs(moved) / prod(side.stop - side.start for side in where)
        if progress is not None:
            progress(done, len(patches))
    return EffectiveReceptiveField(layer, index, value, heat, "occlusion", patch, covered.runs, box, picture)


Patch = tuple[slice, ...]


def _patch(sizes: Shape, runs: int) -> Shape:
    """The side of the smallest square patches of which ``runs`` cover the box."""
    side = 1
    while prod(ceil(size / side) for size in sizes) > runs:
        side += 1
    return tuple(max(min(side, size), 1) for size in sizes)


def _patches(box: tuple[tuple[int, int], ...], patch: Shape) -> Iterator[Patch]:
    starts = (range(first, last + 1, side) for (first, last), side in zip(box, patch, strict=True))
    for corner in product(*starts):
        yield tuple(
            slice(start, min(start + side, last + 1)) for start, side, (_, last) in zip(corner, patch, box, strict=True)
        )


class _Covered:
    """The network run on a picture of which parts are covered with its mean, several at once where the model can."""

    def __init__(self, maps: FeatureMaps, given: Input, layer: Layer, index: Shape, value: float) -> None:
        self.runs = 0
        self._maps, self._given, self._layer, self._index, self._value = maps, given, layer, index, value
        self._feed = {name: _plain(array)[:1] for name, array in maps.feed.items()}
        picture = self._feed[given.name]
        self._last = given.layout == "channels_last"
        spatial = tuple(range(1, picture.ndim - 1)) if self._last else tuple(range(2, picture.ndim))
        self._mean = picture[0].mean(axis=tuple(axis - 1 for axis in spatial), keepdims=True).astype(picture.dtype)
        self._at_once = max(1, min(_AT_ONCE, _BATCH_BYTES // max(picture.nbytes, 1))) if given.batch is None else 1

    def moved_by(self, patches: list[Patch]) -> Iterator[tuple[Patch, float]]:
        """Each patch with how far covering it moves the value."""
        remaining = iter(patches)
        if patches and self._at_once > 1 and not self._takes_batches():
            self._at_once = 1
        while chunk := list(islice(remaining, self._at_once)):
            for patch, value in zip(chunk, self._values(chunk), strict=False):
                yield patch, value - self._value

    def _takes_batches(self) -> bool:
        """Whether a batch of untouched pictures gives the value that one alone gives, for each of them."""
        try:
            values = self._values([() for _ in range(self._at_once)])
        except ConvlensError:
            return False
        return len(values) == self._at_once and np.allclose(values, self._value, rtol=1e-4, atol=1e-6)

    def _values(self, patches: list[Patch]) -> list[float]:
        feed = {name: np.repeat(array, self._at_once, axis=0) for name, array in self._feed.items()}
        pictures = feed[self._given.name]
        for number, patch in enumerate(patches):
            if patch:
                pictures[number][(*patch, slice(None)) if self._last else (slice(None), *patch)] = self._mean
        self.runs += 1
        array = self._maps.lens.capture(feed, [self._layer.name])[self._layer.name]
        if self._at_once == 1:
            return [float(array[self._index])]
        if array.shape != (self._at_once, *self._layer.output_shape):
            return []
        return [float(item[self._index]) for item in array]


def _plain(value: Any) -> Array:
    array: Array = np.asarray(value.detach().cpu() if hasattr(value, "detach") else value)
    return array


def _times(sizes: Shape) -> str:
    return " x ".join(str(size) for size in sizes)
