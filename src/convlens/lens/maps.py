"""What one forward pass left: every layer's feature maps, as a mapping from layer name to FeatureMap."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens import draw
from convlens.draw import Mode, ScaleChoice
from convlens.draw.canvas import Canvas
from convlens.draw.layers import draw_layer_pages
from convlens.draw.mosaic import draw_map
from convlens.draw.page import Words
from convlens.draw.saving import picture_bytes
from convlens.engines.base import Array, Feed
from convlens.errors import ChannelError, LayerNotFoundError
from convlens.lens import exporting
from convlens.lens.prediction import Prediction
from convlens.network import Layer, Network
from convlens.pictures import Picture, Recipe

if TYPE_CHECKING:
    from convlens.draw.figures import Axes, Figure
    from convlens.lens.opened import Lens


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


class FeatureMap:
    """The maps of one layer.

    ``layer`` holds its facts. ``array`` is float32, channels first, without batch axis: (channels, rows, columns);
    (channels, length) and (channels, depth, rows, columns) in 1-D and 3-D; (features,) for a vector.
    """

    def __init__(self, layer: Layer, array: Array, *, caption: str = "") -> None:
        self.layer = layer
        self.caption = caption
        self._array = array

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

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
        return f"{self.name}  {self.layer.op}  {' x '.join(str(n) for n in self.shape)}"

    def channel(self, number: int) -> Array:
        """One channel's values.

        Raises:
            ChannelError: the layer doesn't have it.
        """
        check_channel(self.name, self.shape, number)
        return self.array[number]

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
            scale: ``"layer"``: one colour scale for all channels; ``"map"``: each channel its own.
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
            return draw_layer_pages(self.array, Words(self.title, self.caption), scale=scale, mode=mode)
        words = Words(f"{self.title}  channel {channel}", self.caption, numbers=False)
        alone = self.channel(channel)
        if alone.ndim == 2:
            return iter([draw_map(alone, words, mode=mode, enlarge="auto")])
        return draw_layer_pages(alone[None], words, mode=mode)

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
        for number in channels or ():
            self.channel(number)
        return draw.plot_maps(self.array, channels=channels, ax=ax, scale=scale, mode=mode, title=self.title)

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


class FeatureMaps(Mapping[str, FeatureMap]):
    """Every kept layer of one run, in execution order: a mapping from layer name to :class:`FeatureMap`.

    ``network`` is the path that this picture took; ``picture`` and ``recipe`` tell what it was fed with (``None`` where
    the input was fed untouched); ``prediction`` is the network's own answer where it ends in class scores.
    """

    def __init__(
        self,
        lens: Lens,
        network: Network,
        arrays: dict[str, Array],
        *,
        picture: Picture | None,
        recipe: Recipe | None,
        feed: Feed,
        prediction: Prediction | None,
    ) -> None:
        self.lens = lens
        self.network = network
        self.picture = picture
        self.recipe = recipe
        self.prediction = prediction
        self._feed = feed
        caption = str(recipe) if recipe is not None else "fed untouched"
        self._maps = {name: FeatureMap(network[name], array, caption=caption) for name, array in arrays.items()}

    def __getitem__(self, name: str) -> FeatureMap:
        try:
            return self._maps[name]
        except KeyError:
            if name in self.network:
                raise LayerNotFoundError(
                    f"The maps of {name!r} were not kept",
                    expected="one of " + ", ".join(list(self._maps)[:5]),
                    received=repr(name),
                    hint="Run feature_maps again with this layer in layers=[...].",
                ) from None
            raise LayerNotFoundError.among(name, self._maps) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._maps)

    def __len__(self) -> int:
        return len(self._maps)

    def verify(self) -> dict[str, float]:
        """Run the untouched model once more, without looking inside; output name -> largest difference to what is
        shown.

        Outputs that were not kept are left out. NaN in the same places count as equal.
        """
        plain = self.lens.predict(self._feed)
        differences = {}
        for name in (name for name in plain if name in self._maps):
            ours, theirs = self._maps[name].array, plain[name]
            same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
            differences[name] = float(np.abs(np.where(same, 0, ours - theirs)).max(initial=0))
        return differences

    def to_dict(self) -> dict[str, Any]:
        """What was run and what came out, as plain data, for ``--json``; the arrays themselves are for :meth:`save`."""
        facts = run_facts(self.network, self.picture, self.recipe, self.prediction)
        return {**facts, "layers": [found.to_dict() for found in self.values()]}

    def save(self, path: str | Path) -> Path:
        """Write the numbers, with names, shapes and the recipe, as ``.npz``, ``.safetensors`` or ``.zarr``.

        Raises:
            OutputError: the ending is unknown, or the path can't be written; nothing half-written remains.
        """
        return exporting.save(self.values(), path, exporting.facts(self.network, self.picture, self.recipe))

    def __repr__(self) -> str:
        what = self.picture.name if self.picture is not None else "an array"
        line = f"FeatureMaps of {self.network.name!r} on {what}: {len(self)} of {len(self.network)} layers"
        return f"{line}; prediction: {self.prediction}" if self.prediction is not None else line

    def _repr_html_(self) -> str:
        rows = "".join(_html_row(found) for found in self.values())
        head = "<tr><th>layer</th><th>op</th><th>shape</th><th>strongest map</th></tr>"
        return f"<p>{escape(repr(self))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def check_channel(layer: str, shape: tuple[int, ...], number: int) -> None:
    """Raise :class:`ChannelError` where a layer of this shape has no such channel."""
    count = shape[0] if shape else 0
    if not 0 <= number < count:
        raise ChannelError(
            f"{layer} has no channel {number}", expected=f"a channel from 0 to {count - 1}", received=str(number)
        )


def run_facts(
    network: Network, picture: Picture | None, recipe: Recipe | None, answer: Prediction | None
) -> dict[str, Any]:
    """What was run on what, and the network's answer, as plain data."""
    return {
        "model": network.name,
        "engine": network.engine,
        "picture": picture.name if picture is not None else None,
        "recipe": recipe.to_dict() if recipe is not None else None,
        "prediction": answer.to_dict() if answer is not None else None,
    }


def _html_row(found: FeatureMap) -> str:
    shape = " x ".join(str(n) for n in found.shape)
    cells = (escape(found.name), escape(found.layer.op), shape, _thumbnail(found))
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


def _thumbnail(found: FeatureMap, largest: int = 96) -> str:
    """The channel of the largest mean magnitude, every n-th value, as an inline picture."""
    if len(found.shape) != 3 or 0 in found.shape:
        return ""
    strength = np.nan_to_num(np.abs(found.array)).mean(axis=(1, 2))
    strongest = int(strength.argmax())
    step = -(-max(found.shape[1:]) // largest)
    picture = draw.map_png(found.array[strongest][::step, ::step], legend=False)
    return (
        f"<img alt='channel {strongest} of {escape(found.name)}' style='height:{largest}px;image-rendering:pixelated' "
        f"src='data:image/png;base64,{b64encode(picture).decode()}'>"
    )
