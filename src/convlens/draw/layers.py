"""One entry for whatever a layer makes: maps, 1-D maps, vectors, volumes, each in the form that shows it best."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from convlens.draw.canvas import Canvas
from convlens.draw.colours import Mode, Scale
from convlens.draw.mosaic import PER_PAGE, draw_mosaic_pages
from convlens.draw.page import Words
from convlens.draw.scaling import ScaleChoice
from convlens.draw.strips import draw_strip_pages, draw_vector


def layer_png(
    array: npt.ArrayLike,
    *,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    labels: Sequence[str] | None = None,
) -> bytes:
    """Return all that a layer made in one PNG.

    (channels, rows, columns): a mosaic. (channels, length): strips. (features,): bars and cells, ``labels`` name them.
    (channels, depth, rows, columns): the middle slice, which the picture says.

    >>> layer_png(np.eye(3), title="attention")[1:4]
    b'PNG'
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    return draw_layer(array, words, scale=scale, mode=mode, labels=labels).png()


def layer_pages(
    array: npt.ArrayLike,
    *,
    per_page: int = PER_PAGE,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    numbers: bool = True,
    legend: bool = True,
    title: str | None = None,
    caption: str | None = None,
    labels: Sequence[str] | None = None,
) -> Iterator[bytes]:
    """Yield all that a layer made as PNG pages of at most ``per_page`` channels, each on exactly one page.

    >>> len(list(layer_pages(np.zeros((5, 2, 4, 4)), per_page=3)))
    2
    """
    words = Words(title, caption, numbers=numbers, legend=legend)
    for canvas in draw_layer_pages(array, words, per_page=per_page, scale=scale, mode=mode, labels=labels):
        yield canvas.png()


def draw_layer(
    array: npt.ArrayLike,
    words: Words,
    *,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    labels: Sequence[str] | None = None,
) -> Canvas:
    """Return all that a layer made as one canvas; see :func:`layer_png`."""
    values = np.asarray(array)
    everything = max(1, values.shape[0] if values.ndim else 1)
    return next(draw_layer_pages(values, words, per_page=everything, scale=scale, mode=mode, labels=labels))


def draw_layer_pages(
    array: npt.ArrayLike,
    words: Words,
    *,
    per_page: int = PER_PAGE,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    labels: Sequence[str] | None = None,
) -> Iterator[Canvas]:
    """Yield the canvases of :func:`layer_pages`; a vector is one page."""
    values = np.asarray(array)
    if values.ndim <= 1:
        own = scale if isinstance(scale, Scale) else None
        yield draw_vector(values.reshape(-1), words, scale=own, mode=mode, labels=labels)
        return
    if values.ndim == 2:
        yield from draw_strip_pages(values, words, per_page=per_page, scale=scale, mode=mode)
        return
    while values.ndim > 3 and values.shape[1]:
        depth = values.shape[1]
        words = words.at(f"slice {depth // 2} of depth 0 to {depth - 1}")
        values = values[:, depth // 2]
    if values.ndim > 3:
        values = values.reshape(values.shape[0], 0, 0)
    yield from draw_mosaic_pages(values, words, per_page=per_page, scale=scale, mode=mode)
