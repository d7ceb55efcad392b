"""The kernels of one layer: the numbers that slide."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from convlens import draw
from convlens.draw import Mode, ScaleChoice
from convlens.draw.canvas import Canvas
from convlens.draw.kernels import draw_kernels, draw_kernels_pages
from convlens.draw.page import Words
from convlens.draw.saving import picture_bytes
from convlens.errors import ChannelError, ConvlensError, inert
from convlens.lens.arguments import checked_methods
from convlens.lens.feature_map import Statistics
from convlens.lens.showing import Shows
from convlens.network import Convolution, Layer, Network

if TYPE_CHECKING:
    from convlens.draw.figures import Axes, Figure
    from convlens.lens.opened import Lens
    from convlens.lens.traced import TracedNetwork


@checked_methods
class Kernels(Shows):
    """The kernels of one convolution.

    ``array`` is float32, (filters, channels per group, rows, columns); ``bias`` is (filters,) or ``None``.
    ``reads_colour`` tells whether the layer reads the picture's three colours, so that a filter can be drawn as one
    coloured tile.

    >>> import convlens
    >>> kernels = convlens.sketch("conv 4 3x3 | relu", input_shape=(3, 8, 8)).kernels("conv")
    >>> kernels
    Kernels('conv': 4 x 3 x 3 x 3, bias of 4)
    >>> kernels.array.dtype.name, kernels.array[0].shape, kernels.reads_colour
    ('float32', (3, 3, 3), True)
    """

    def __init__(
        self,
        layer: Layer,
        array: NDArray[Any],
        bias: NDArray[Any] | None,
        *,
        reads_colour: bool,
        lens: Lens | None = None,
    ) -> None:
        self.layer = layer
        self.array = array
        self.bias = bias
        self.reads_colour = reads_colour
        self.lens = lens

    @property
    def name(self) -> str:
        """The layer's name."""
        return self.layer.name

    @property
    def title(self) -> str:
        """One line: the layer, how many kernels, of what size."""
        filters, channels, *size = self.array.shape
        return f"{inert(self.name, 120)} · {filters} x {channels} kernels of {' x '.join(str(n) for n in size)}"

    def pages(
        self,
        *,
        scale: ScaleChoice = "layer",
        mode: Mode = "auto",
        colour: bool | None = None,
        format: str = "png",
    ) -> Iterator[bytes]:
        """All kernels as pictures, one page after the other: none is left out.

        ``format`` is ``"png"``, ``"webp"``, ``"svg"`` or ``"pdf"``.
        """
        words = Words(self.title)
        canvases: Iterable[Canvas] = draw_kernels_pages(self.array, words, scale=scale, mode=mode)
        if self.reads_colour if colour is None else colour:
            canvases = [draw_kernels(self.array, words, scale=scale, mode=mode, colour=True)]
        for canvas in canvases:
            yield picture_bytes(canvas, f"page.{format}")

    def png(
        self, *, scale: ScaleChoice = "layer", mode: Mode = "auto", colour: bool | None = None, page: int = 0
    ) -> bytes:
        """The kernels as one PNG: a row a filter, a column a channel.

        Args:
            scale: ``"layer"``: one colour scale for all kernels; ``"map"``: each filter its own.
            mode: ``"diverging"`` (zero-centred), ``"sequential"`` or ``"auto"``.
            colour: draw each filter of three channels as one coloured tile; by default where the layer reads RGB.
            page: which page, where there are more kernels than one picture holds.

        Raises:
            ChannelError: no such page.
        """
        for number, picture in enumerate(self.pages(scale=scale, mode=mode, colour=colour)):
            if number == page:
                return picture
        raise ChannelError(f"{self.name} has no page {page}", expected=f"pages 0 to {number}", received=str(page))

    def plot(
        self,
        filters: Sequence[int] | None = None,
        channels: Sequence[int] | None = None,
        *,
        ax: Axes | None = None,
        scale: ScaleChoice = "layer",
        mode: Mode = "auto",
    ) -> Figure:
        """A matplotlib Figure of the first kernels, or of those of ``filters`` and ``channels``, for papers; needs the
        extra ``plot``.

        Raises:
            MissingDependencyError
            DrawingError: no such filter or channel.
        """
        options: dict[str, Any] = {"ax": ax, "scale": scale, "mode": mode, "title": self.title}
        return draw.plot_kernels(self.array, filters=filters, channels=channels, **options)

    def to_dict(self) -> dict[str, Any]:
        """The kernels' facts and statistics as plain data."""
        facts = {"name": self.name, "op": self.layer.op, "shape": list(self.array.shape)}
        return {**facts, "bias": self.bias is not None, **asdict(Statistics.of(self.array))}

    def __repr__(self) -> str:
        bias = f", bias of {len(self.bias)}" if self.bias is not None else ", no bias"
        return f"Kernels({self.name!r}: {' x '.join(str(n) for n in self.array.shape)}{bias})"

    def _repr_png_(self) -> bytes:
        return self.png()


def kernels_of(traced: TracedNetwork, layer: str | None, lens: Lens) -> Kernels:
    """The kernels of a convolution of this network, the first one by default.

    Raises:
        LayerNotFoundError: no such layer; the closest names are given.
        ConvlensError: the layer has no kernels.
    """
    network = traced.network
    with_kernels = [one for one in network if one.has_kernels]
    if layer is None and not with_kernels:
        raise ConvlensError(
            "This network has no convolution, so there are no kernels to show",
            hint="Type convlens summary MODEL for its layers, or convlens maps MODEL PICTURE for its maps.",
        )
    chosen = with_kernels[0] if layer is None else network[layer]
    if not chosen.has_kernels:
        names = [other.name for other in with_kernels]
        raise ConvlensError(
            f"{chosen.name} has no kernels",
            expected="a convolution",
            received=f"the {chosen.kind} {chosen.op}",
            hint="Convolutions here: " + ", ".join(names[:5]) + (", ..." if len(names) > 5 else "") + "."
            if names
            else "This network has no convolution.",
        )
    weights = traced.weights(chosen.name)
    if "kernel" not in weights:
        raise ConvlensError(
            f"The kernels of {chosen.name} are computed by the network, for each picture anew",
            expected="a convolution whose kernels are in the model",
            received=f"one that reads them from {', '.join(chosen.inputs[1:]) or 'another layer'}",
            hint="Look at the maps of the layer that makes them: convlens maps MODEL PICTURE LAYER.",
        )
    colour = reads_colour(network, chosen)
    return Kernels(chosen, weights["kernel"], weights.get("bias"), reads_colour=colour, lens=lens)


def reads_colour(network: Network, layer: Layer) -> bool:
    """Whether a convolution reads the three colours of the picture, through nothing but padding and scaling."""
    operation = layer.operation
    if not isinstance(operation, Convolution) or operation.in_channels != 3 or operation.groups != 1:
        return False
    source = layer.inputs[0]
    while source in network and len(network[source].inputs) == 1 and not network[source].has_kernels:
        source = network[source].inputs[0]
    return source in {given.name for given in network.inputs}
