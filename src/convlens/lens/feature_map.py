"""The maps of one layer: the numbers, their pictures, and why each of them is what it is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens import draw, receptive
from convlens.draw import Mode, Scale, ScaleChoice, animation, scale_for
from convlens.draw.canvas import Canvas
from convlens.draw.layers import draw_layer_pages
from convlens.draw.mosaic import draw_map
from convlens.draw.page import Words
from convlens.draw.saving import picture_bytes
from convlens.draw.scaling import check_scale
from convlens.draw.strips import draw_vector
from convlens.engines.base import Array
from convlens.errors import ChannelError, ConvlensError, inert
from convlens.lens import addressing, animating, effective
from convlens.lens.arguments import checked_methods
from convlens.lens.showing import Shows
from convlens.network import Layer, Shape

if TYPE_CHECKING:
    from convlens.draw.figures import Axes, Figure
    from convlens.lens.effective import EffectiveReceptiveField
    from convlens.lens.explanation import Explanation
    from convlens.lens.maps import FeatureMaps


@dataclass(frozen=True, slots=True)
class Statistics:
    """Facts about the finite values of an array; NaN and infinities are counted apart. ``None`` where none is finite.

    ``zeros`` is the share of values that are exactly zero, 0..1.
    """

    minimum: float | None
    maximum: float | None
    mean: float | None
    deviation: float | None
    zeros: float
    nan: int
    infinite: int
    constant: bool

    @classmethod
    def of(cls, array: Array) -> Statistics:
        """Measure an array of any shape, summing in float64.

        >>> Statistics.of(np.array([0.0, 2.0, np.nan], np.float32)).mean
        1.0
        """
        finite = np.isfinite(array)
        values = array[finite] if not finite.all() else array
        nan = int(np.isnan(array).sum()) if values.size != array.size else 0
        infinite = array.size - values.size - nan
        if values.size == 0:
            return cls(None, None, None, None, 0.0, nan, infinite, False)
        low, high = float(values.min()), float(values.max())
        mean, deviation = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
        zeros = 1.0 - np.count_nonzero(values) / values.size
        return cls(low, high, mean, deviation, zeros, nan, infinite, low == high and values.size == array.size)


@dataclass(frozen=True, slots=True)
class Box:
    """A receptive field's box in the picture: (first, last) pixel an axis, both inside.

    ``unclipped`` is what the layers' sizes and strides say, as if the picture went on for ever: it may reach outside,
    into the padding. ``clipped`` is the smallest box of pixels that holds all that really reach the value where
    ``exact``, and may be a larger one where not. It is smaller than ``unclipped`` cut off at the picture's edge where
    a window lies in the padding of an inner layer, or a crop has cut off what it would have read.
    """

    unclipped: tuple[tuple[int, int], ...]
    clipped: tuple[tuple[int, int], ...]
    exact: bool

    @property
    def sees_nothing(self) -> bool:
        """Whether no pixel reaches the value, as in the gaps of a transposed convolution, or a constant that is joined
        with maps: ``clipped`` is then empty, (0, -1) along every axis."""
        return any(last < first for first, last in self.clipped)


@dataclass(frozen=True, slots=True)
class SweptMap:
    """Every value of one channel, worked out in float64 and compared with the framework's.

    ``total``, ``residual`` (framework - total), ``tolerance``, ``agreeing`` (does the value differ by no more than
    rounding can explain?) and ``explained`` have the map's shape; ``agrees`` says whether all do. A value isn't
    explained, and doesn't agree, where the framework may make one thing or another of what it reads, such as of NaN in
    a maximum.
    """

    total: Array
    residual: Array
    tolerance: Array
    agreeing: Array
    explained: Array

    @property
    def agrees(self) -> bool:
        """Whether every value differs by no more than rounding can explain."""
        return bool(self.agreeing.all())


@checked_methods
class FeatureMap(Shows):
    """The maps of one layer.

    ``layer`` holds its facts. ``array`` is float32, channels first, without batch axis: (channels, rows, columns);
    (channels, length) and (channels, depth, rows, columns) in 1-D and 3-D; (features,) for a vector. ``labels`` name
    the values of class scores.
    """

    def __init__(
        self,
        layer: Layer,
        array: Array,
        *,
        caption: str = "",
        maps: FeatureMaps | None = None,
        labels: Sequence[str] | None = None,
    ) -> None:
        self.layer = layer
        self.caption = caption
        self.labels = labels
        self._array = array
        self._maps = maps

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def maps(self) -> FeatureMaps | None:
        """The maps of the whole run, where this layer stands among them."""
        return self._maps

    @property
    def array(self) -> Array:
        """The values; one map is one contiguous picture."""
        if not self._array.flags.c_contiguous:
            self._array = np.ascontiguousarray(self._array)
        return self._array

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of ``array``."""
        return tuple(self._array.shape)

    @property
    def statistics(self) -> Statistics:
        """Minimum, maximum, mean, deviation, share of zeros, NaN and infinite values over all channels."""
        return Statistics.of(self._array)

    @property
    def title(self) -> str:
        """One line: the layer, its op, its shape."""
        return f"{inert(self.name, 120)} · {self.layer.op} · {' x '.join(str(n) for n in self.shape)}"

    def channel(self, number: int) -> Array:
        """One channel's values.

        Raises:
            ChannelError: the layer doesn't have it.
        """
        addressing.check_channel(self.name, self.shape, number)
        chosen: Array = self.array[number]
        return chosen

    def pages(
        self, channel: int | None = None, *, scale: ScaleChoice = "layer", mode: Mode = "auto", format: str = "png"
    ) -> Iterator[bytes]:
        """All channels as pictures, one page after the other, none left out; or one channel, one value a pixel.

        ``format`` is ``"png"``, ``"webp"``, ``"svg"`` or ``"pdf"``.

        Raises:
            ChannelError: no such channel.
        """
        for canvas in self._canvases(channel, scale, mode):
            yield picture_bytes(canvas, f"page.{format}")

    def png(
        self,
        channel: int | None = None,
        *,
        scale: ScaleChoice = "layer",
        mode: Mode = "auto",
        page: int = 0,
    ) -> bytes:
        """The maps as one PNG: a mosaic of the channels, or one channel at full resolution.

        Args:
            channel: draw this channel alone, one value a pixel.
            scale: ``"layer"``: one colour scale for all channels, also for one drawn alone; ``"map"``: each its own.
            mode: ``"diverging"`` (zero-centred), ``"sequential"``, or ``"auto"``: by the sign of the values.
            page: which page, where the layer has more channels than one picture holds; see :meth:`pages`.

        Raises:
            ChannelError: no such channel or page.
        """
        for number, picture in enumerate(self.pages(channel, scale=scale, mode=mode)):
            if number == page:
                return picture
        raise ChannelError(f"{self.name} has no page {page}", expected=f"pages 0 to {number}", received=str(page))

    def _canvases(self, channel: int | None, scale: ScaleChoice, mode: Mode) -> Iterator[Canvas]:
        if channel is None:
            words = Words(self.title, self.caption)
            return draw_layer_pages(self.array, words, scale=scale, mode=mode, labels=self.labels)
        words = Words(f"{self.title} · channel {channel}", self.caption, numbers=False)
        alone = self.channel(channel)
        check_scale(scale)
        shown = scale if isinstance(scale, Scale) else scale_for(self.array if scale == "layer" else alone, mode=mode)
        if alone.ndim == 0:
            labels = self.labels[channel : channel + 1] if self.labels is not None else None
            return iter([draw_vector(alone[None], words, scale=shown, labels=labels, first=channel)])
        if alone.ndim == 2:
            return iter([draw_map(alone, words, scale=shown, enlarge="auto")])
        return draw_layer_pages(alone[None], words, scale=shown)

    def plot(
        self,
        channels: Sequence[int] | None = None,
        *,
        ax: Axes | None = None,
        scale: ScaleChoice = "layer",
        mode: Mode = "auto",
    ) -> Figure:
        """A matplotlib Figure of all channels, or of ``channels``, for papers; needs the extra ``plot``.

        Raises:
            ChannelError, MissingDependencyError
        """
        for number in channels if channels is not None else ():
            self.channel(number)
        options: dict[str, Any] = {"ax": ax, "scale": scale, "mode": mode, "title": self.title}
        return draw.plot_maps(self.array, channels=channels, caption=self.caption, **options)

    def explain(
        self,
        channel: int = 0,
        row: int | None = None,
        column: int | None = None,
        *,
        depth: int | None = None,
    ) -> Explanation:
        """Why is this value what it is: the terms that make it, their sum, the framework's own value, the difference.

        A vector needs only ``channel``; a 1-D map ``channel`` and ``column``, a 3-D one ``depth`` too.

        Raises:
            ChannelError, InputError: no such channel or place.
            ConvlensError: the map came from a walk, which keeps no other layer to explain it with.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 3 3x3 | relu", input_shape=(3, 8, 8), seed=0)
        >>> maps = lens.feature_maps(np.full((8, 8, 3), 100, np.uint8))
        >>> found = maps["conv"].explain(channel=0, row=2, column=3)
        >>> found.agrees, found.window.shape, float(found.channel_sums.sum() + found.bias) == found.total
        (True, (3, 3, 3), True)
        """
        return self._kept().explain(self.name, self._index(channel, depth, row, column))

    def animate(
        self,
        path: str | os.PathLike[str],
        channel: int = 0,
        *,
        at: tuple[int, ...] | None = None,
        size: tuple[int, int] | None = None,
        look: animation.Look | None = None,
        force: bool = False,
    ) -> list[Path]:
        """Write an animation of the layer's window on its way over a part of its input; of convolutions and poolings.

        Args:
            path: its ending says the format: .gif, .svg, .png, .webp, .mp4, .webm; a folder takes a PNG a step.
            channel: which of the layer's channels.
            at: (row, column) in the middle of the part, the value of the largest magnitude by default.
            size: how many rows and columns of the map are made, up to 4 x 4 by default.
            look: colours, the size of a cell, the speed; :class:`convlens.draw.animation.Look`.
            force: overwrite files that convlens didn't write.

        Raises:
            ChannelError, InputError, DrawingError, OutputError, MissingDependencyError

        >>> import tempfile, convlens, numpy as np
        >>> maps = convlens.sketch("conv 1 3x3", input_shape=(3, 8, 8)).feature_maps(np.full((8, 8, 3), 9, np.uint8))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     [path.name for path in maps["conv"].animate(f"{folder}/conv.svg", size=(2, 2))]
        ['conv.svg']
        """
        found = animating.sliding(self._kept(), self.name, channel, at, size)
        return animation.save(found, path, look or animation.Look(cell=animating.CELL, shade=True), force=force)

    def explain_all(self, channel: int) -> SweptMap:
        """Every value of one channel, worked out again and compared.

        Raises:
            ChannelError: no such channel.
            ConvlensError: the layer's arithmetic isn't known.
        """
        self.channel(channel)
        return self._kept().explain_all(self.name, channel)

    def receptive_field(
        self,
        row: int | None = None,
        column: int | None = None,
        *,
        depth: int | None = None,
        channel: int | None = None,
    ) -> Box:
        """The box of the picture that can reach the value at this place: unclipped, and what is left at the borders.

        ``channel`` asks for one channel, where channels differ (behind a concatenation of branches, say); without it
        the box holds what all channels see together. A vector needs no place: ``channel`` is the feature.

        Raises:
            ChannelError, InputError: no such channel or place.
            ConvlensError: the layer doesn't read the picture.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 2 3x3 pad 1 | maxpool 2x2", input_shape=(3, 8, 8), seed=0)
        >>> box = lens.feature_maps(np.full((8, 8, 3), 100, np.uint8))["maxpool"].receptive_field(0, 3)
        >>> box.unclipped, box.clipped, box.exact
        (((-1, 2), (5, 8)), ((0, 2), (5, 7)), True)
        """
        maps, field = self._kept(), self.layer.receptive_field
        index = self._index(channel or 0, depth, row, column)
        found = maps.reach.box(self.name, (channel, *index[1:]) if index else ())
        if field is None or found is None:
            raise ConvlensError(f"{self.name} doesn't read the picture, so it has no receptive field")
        ends = (channel, channel) if channel is not None else (0, max(self.shape[0] - 1, 0) if self.shape else 0)
        first, last = (receptive.box(field, index[1:], channel=end) for end in ends)
        unclipped = tuple((min(a[0], b[0]), max(a[1], b[1])) for a, b in zip(first, last, strict=True))
        return Box(unclipped, *found)

    def effective_receptive_field(
        self,
        channel: int = 0,
        row: int | None = None,
        column: int | None = None,
        *,
        depth: int | None = None,
        method: str = "auto",
        runs: int = 256,
        progress: Callable[[int, int], None] | None = None,
    ) -> EffectiveReceptiveField:
        """Which pixels really move this value, and by how much, measured on this picture.

        Args:
            channel, row, column, depth: the value, as for :meth:`explain`.
            method: ``"gradient"``, where the framework differentiates; ``"occlusion"``: patches of the theoretical box
                are covered with the picture's mean, one run each; ``"auto"``: the gradient where there is one.
            runs: at most so many patches.
            progress: told how many of how many patches are done.

        Raises:
            ChannelError, InputError: no such channel, place or method.
            ConvlensError: the layer doesn't read the picture; a gradient is asked for, and there is none.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3 | conv 1 3x3", input_shape=(1, 9, 9), seed=0)
        >>> maps = lens.feature_maps(np.random.default_rng(0).random((1, 1, 9, 9), np.float32))
        >>> found = maps["conv2"].effective_receptive_field(0, row=2, column=2)
        >>> found.method, found.heat.shape, float(found.heat[:2].max()), found.theoretical_area
        ('occlusion', (9, 9), 0.0, 25)
        """
        index = self._index(channel, depth, row, column)
        box = self.receptive_field(row, column, depth=depth, channel=channel if index else None)
        return effective.measure(self._kept(), self.layer, index, box, method=method, runs=runs, progress=progress)

    def _kept(self) -> FeatureMaps:
        if self._maps is None:
            raise ConvlensError(
                f"This map of {self.name} came alone",
                expected="maps that stand together, from lens.feature_maps(picture)",
                received="one map of a walk",
                hint=f"Type lens.feature_maps(picture)[{self.name!r}].",
            )
        return self._maps

    def _index(self, channel: int, depth: int | None, row: int | None, column: int | None) -> Shape:
        """The place as an index into the array; what the layer has no axis for must not be given."""
        given = {"depth": depth, "row": row, "column": column}
        if len(self.shape) == 2 and column is None:
            given |= {"column": row, "row": None}
        said = {name: value for name, value in given.items() if value is not None}
        return addressing.address(self.name, self.shape, channel, said)

    def to_dict(self) -> dict[str, Any]:
        """The layer's facts and statistics as plain data."""
        return {"name": self.name, "op": self.layer.op, "shape": list(self.shape), **asdict(self.statistics)}

    def __repr__(self) -> str:
        found = self.statistics
        span = "no finite value" if found.minimum is None else f"{found.minimum:.4g} to {found.maximum:.4g}"
        odd = "".join(f", {n} {word}" for n, word in ((found.nan, "NaN"), (found.infinite, "infinite")) if n)
        return f"FeatureMap({self.name!r}, {self.layer.op}: {' x '.join(str(n) for n in self.shape)}, {span}{odd})"

    def _repr_png_(self) -> bytes:
        return self.png()
