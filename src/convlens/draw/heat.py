"""Heat over a picture: what moves a value, laid over what it looks at, with the boxes that it can see at most."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.canvas import Canvas, Patch
from convlens.draw.canvas import enlarge as enlarge_pixels
from convlens.draw.colours import Bytes, Floats, Scale, colour_map, index, scale_for
from convlens.draw.page import Legend, Words, compose
from convlens.draw.survey import as_float32, survey

if TYPE_CHECKING:
    from convlens.draw.figures import Axes, Figure

Extent = tuple[tuple[int, int], tuple[int, int]]
"""(first, last) row and (first, last) column, both inside; none at all where last < first."""

INSIDE: theme.Rgb = (72, 160, 255)
OUTSIDE: theme.Rgb = (150, 150, 158)

_HOT: theme.Rgb = (255, 176, 0)
_LONGEST = 480  # pixels that one panel should fit into
_LARGEST_PIXEL = 16
_DASH = 6


def as_grey(picture: npt.ArrayLike) -> Floats:
    """A picture (channels, rows, columns) of any range as (rows, columns) from 0 to 1: the mean of its channels.

    >>> as_grey([[[0.0, 2.0]], [[2.0, 4.0]]]).tolist()
    [[0.0, 1.0]]
    """
    values = as_float32(picture, 3, "channels, rows, columns").mean(axis=0)
    values = np.where(np.isfinite(values), values, 0).astype(np.float32)
    lowest, highest = float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))
    if highest <= lowest:
        return np.full_like(values, 0.5)
    return (values - np.float32(lowest)) / np.float32(highest - lowest)


def laid_over(grey: Floats, heat: Floats, scale: Scale) -> Bytes:
    """The heat in one warm colour over a subdued picture, (rows, columns, 3) bytes: as opaque as it is hot."""
    share = np.clip(heat / scale.maximum, 0, 1)[:, :, None] if scale.maximum > 0 else np.zeros((*heat.shape, 1))
    under = 24 + 168 * grey[:, :, None]
    return np.rint(under + (np.array(_HOT) - under) * np.sqrt(share) * 0.9).astype(np.uint8)


def draw_heat(
    picture: npt.ArrayLike, heat: npt.ArrayLike, words: Words, *, clipped: Extent, unclipped: Extent
) -> Canvas:
    """Return two panels: the heat (rows, columns) over its picture (channels, rows, columns), and the heat alone in
    the colours of the legend, each with the box of the pixels that can reach the value and, dashed, the unclipped box.

    >>> clipped, unclipped = ((0, 3), (0, 3)), ((-1, 3), (0, 4))
    >>> page = draw_heat(np.ones((1, 4, 4)), np.eye(4), Words("a"), clipped=clipped, unclipped=unclipped)
    >>> len(page.patches), page.patches[0].pixels.shape
    (2, (80, 80, 3))
    """
    values = as_float32(heat, 2, "rows, columns")
    grey, found, scale = as_grey(picture), survey(values[None]), scale_for(values)
    (top, bottom), (left, right) = _world(values.shape, unclipped)
    factor = max(1, min(_LARGEST_PIXEL, _LONGEST // max(bottom - top, right - left)))
    step = ceil(max(bottom - top, right - left) / _LONGEST)
    shown = _largest(values, step), grey[::step, ::step]
    panels = [laid_over(shown[1], shown[0], scale), colour_map(False)[index(shown[0], scale)]]
    width, height = -(-(right - left) // step) * factor, -(-(bottom - top) // step) * factor
    size = f"enlarged {factor}×" if factor > 1 else f"shown at 1/{step}" if step > 1 else ""
    canvas, x, y = compose(
        (2 * width + 2 * theme.GAP, height),
        words,
        diverging=False,
        notes=[f"{values.shape[0]} × {values.shape[1]}", size],
        legend=Legend.of_scale(scale, found, "the heat alone, on the right"),
        remarks=found.sentence(),
    )
    for number, panel in enumerate(panels):
        corner = x + number * (width + 2 * theme.GAP)
        whole = np.full((height, width, 3), theme.EMPTY, np.uint8)
        pixels = enlarge_pixels(panel, factor)
        row, column = -top // step * factor, -left // step * factor
        whole[row : row + pixels.shape[0], column : column + pixels.shape[1]] = pixels[: height - row, : width - column]
        for box, colour, dashed in ((unclipped, OUTSIDE, True), (clipped, INSIDE, False)):
            _frame(whole, _placed(box, (top, left), factor / step), colour, dashed)
        canvas.patches.append(Patch(corner, y, whole))
        canvas.outline(corner, y, width, height, colours.FRAME)
    return canvas


def plot_heat(
    picture: npt.ArrayLike, heat: npt.ArrayLike, *, clipped: Extent, unclipped: Extent, title: str = ""
) -> Figure:
    """Return the same two panels as a figure for papers; needs matplotlib.

    Raises:
        MissingDependencyError: there is no matplotlib.

    >>> box = ((0, 2), (0, 2))
    >>> len(plot_heat(np.ones((1, 4, 4)), np.eye(4), clipped=box, unclipped=box).axes)
    3
    """
    from convlens.draw import figures

    values = as_float32(heat, 2, "rows, columns")
    (top, bottom), (left, right) = _world(values.shape, unclipped)
    tall = min(6.0, max(1.5, 3.2 * (bottom - top) / max(right - left, 1)))
    figure = figures.paper_figure(7.4, tall + 0.7)
    first, second = figure.add_subplot(1, 2, 1), figure.add_subplot(1, 2, 2)
    first.imshow(laid_over(as_grey(picture), values, scale_for(values)), interpolation="nearest")
    first.tick_params(labelsize=7, length=2)
    first.set_title(title, fontsize=9, loc="left")
    figures.plot_map(values, ax=second)
    for ax in (first, second):
        _outline(ax, unclipped, OUTSIDE, "--")
        _outline(ax, clipped, INSIDE, "-")
        ax.set_xlim(left - 0.5, right - 0.5)
        ax.set_ylim(bottom - 0.5, top - 0.5)
    return figure


def _outline(ax: Axes, box: Extent, colour: theme.Rgb, style: str) -> None:
    (top, bottom), (left, right) = box
    if bottom < top or right < left:
        return
    x = [left - 0.5, right + 0.5, right + 0.5, left - 0.5, left - 0.5]
    y = [top - 0.5, top - 0.5, bottom + 0.5, bottom + 0.5, top - 0.5]
    ax.plot(x, y, style, color=theme.hexadecimal(colour), linewidth=1.2)


def _world(picture: tuple[int, ...], box: Extent) -> Extent:
    """The part of the plane that is shown, (from, to) rows and columns: the picture, and of the box around it as much
    as the picture is large."""
    (top, bottom), (left, right) = box
    rows, columns = picture
    return (
        (max(min(0, top), -rows), min(max(rows, bottom + 1), 2 * rows)),
        (max(min(0, left), -columns), min(max(columns, right + 1), 2 * columns)),
    )


def _largest(heat: Floats, step: int) -> Floats:
    """Every block of ``step`` x ``step`` by its hottest pixel, so that no spot is lost."""
    if step == 1:
        return heat
    rows, columns = (-(-size // step) * step for size in heat.shape)
    padded = np.zeros((rows, columns), np.float32)
    padded[: heat.shape[0], : heat.shape[1]] = heat
    blocks: Floats = padded.reshape(rows // step, step, columns // step, step).max(axis=(1, 3))
    return blocks


def _placed(box: Extent, origin: tuple[int, int], zoom: float) -> Extent:
    """A box of pixels in the pixels of a panel that begins at ``origin``."""
    (top, bottom), (left, right) = box
    rows = round((top - origin[0]) * zoom), round((bottom + 1 - origin[0]) * zoom) - 1
    return rows, (round((left - origin[1]) * zoom), round((right + 1 - origin[1]) * zoom) - 1)


def _frame(pixels: Bytes, box: Extent, colour: theme.Rgb, dashed: bool) -> None:
    """Draw the box's edge, two pixels wide, as far as it lies inside."""
    for rows, columns in _edges(box, *pixels.shape[:2]):
        part = pixels[rows, columns]
        along = np.arange(part.shape[0])[:, None] + np.arange(part.shape[1])[None, :]
        drawn = along // _DASH % 2 == 0 if dashed else np.ones(along.shape, np.bool_)
        part[drawn] = colour


def _edges(box: Extent, height: int, width: int) -> Iterator[tuple[slice, slice]]:
    (top, bottom), (left, right) = box
    if bottom < top or right < left:
        return
    rows, columns = slice(max(top, 0), max(bottom + 1, 0)), slice(max(left, 0), max(right + 1, 0))
    for edge in (top, bottom - 1):
        if -1 <= edge < height:
            yield slice(max(edge, 0), edge + 2), columns
    for edge in (left, right - 1):
        if -1 <= edge < width:
            yield rows, slice(max(edge, 0), edge + 2)
