"""Figures for papers, through matplotlib: vector output, fonts embedded, the same colours as every other picture."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from convlens.draw import colours, theme
from convlens.draw.colours import Floats, Mode, Scale, scale_for
from convlens.draw.grid import grid_columns
from convlens.draw.inset import LABEL_POINTS, LETTER_WIDTH, inside, whole_figure
from convlens.draw.kernels import two_dimensional
from convlens.draw.page import swatches
from convlens.draw.scaling import ScaleChoice, check_scale, own_scales, range_texts
from convlens.draw.survey import Survey, as_float32, survey
from convlens.errors import DrawingError, MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes as Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Colormap, Normalize
    from matplotlib.figure import Figure as Figure

MOST_MAPS = 64

_WIDTH, _HEIGHT = 7.0, 8.5  # inches: a page's text area
_LARGEST_CELL, _LABEL_INCHES = 2.6, 0.2
_TITLE_POINTS, _TEXT_POINTS = 11, 8
_DIAGONAL = ([0, 1], [0, 1])  # through a constant map, as in every other picture
_INK, _FRAME = theme.hexadecimal(theme.INK), theme.hexadecimal(theme.FRAME)


def plot_map(
    array: npt.ArrayLike,
    *,
    ax: Axes | None = None,
    scale: Scale | None = None,
    mode: Mode = "auto",
    title: str | None = None,
    caption: str = "",
    colour_bar: bool = True,
) -> Figure:
    """Return a figure of one map (rows, columns) with its rows, columns and a colour bar with values.

    ``caption`` is a small line below, such as how the picture became the input. ``ax`` draws into axes of your own and
    returns their figure. Raises ``MissingDependencyError`` without matplotlib.

    >>> plot_map(np.eye(3)).axes[0].get_images()[0].get_interpolation()
    'nearest'
    """
    values = as_float32(array, 2, "rows, columns")
    rows, columns = values.shape
    found = survey(values[None])
    shown = scale or scale_for(values, mode=mode)
    if ax is None:
        height = min(7.5, max(1.5, 5.0 * rows / max(columns, 1)))
        figure = paper_figure(5.0 * height / max(height, 5.0 * rows / max(columns, 1)) + 1.4, height + 0.7)
        ax = figure.add_subplot()
    image = _show(ax, values, shown)
    ax.tick_params(labelsize=LABEL_POINTS, colors=_INK, length=2)
    ax.set_xlabel("column", fontsize=_TEXT_POINTS, color=_INK)
    ax.set_ylabel("row", fontsize=_TEXT_POINTS, color=_INK)
    if colour_bar and image is not None:
        _colour_bar(ax.figure, image, [ax], shown, found)
    _title(ax, title)
    _remark(ax, _sentence(found, "map"), caption)
    return whole_figure(ax)


def plot_maps(
    maps: npt.ArrayLike,
    *,
    channels: Sequence[int] | None = None,
    ax: Axes | None = None,
    scale: ScaleChoice = "layer",
    mode: Mode = "auto",
    title: str | None = None,
    caption: str = "",
    columns: int | None = None,
) -> Figure:
    """Return a figure of maps (channels, rows, columns), each numbered, with a colour bar.

    1-D maps (channels, length) are rows of one picture, a vector (features,) is bars, and of (channels, depth, rows,
    columns) the middle slice is shown, in words. Of more than 64 maps the first 64 are shown, and the figure says so;
    ``channels`` chooses. ``ax`` draws inside axes of your own. The scale is that of all maps, shown or not. ``caption``
    is a small line below, such as how the picture became the input.

    >>> len(plot_maps(np.ones((3, 4, 4))).axes)
    4
    """
    check_scale(scale)
    array = np.asarray(maps)
    if array.ndim < 3:
        return _plot_flat(array, channels, ax, scale, mode, title, caption)
    slices = []
    while array.ndim > 3 and array.shape[1]:
        slices.append(f"Slice {array.shape[1] // 2} of depth 0 to {array.shape[1] - 1} is shown.")
        array = array[:, array.shape[1] // 2]
    values = as_float32(array, 3, "channels, rows, columns")
    chosen = _chosen(len(values), channels)
    found = survey(values[chosen])
    labels = [str(channel) for channel in chosen]
    scales = _scales(values, found, scale, mode)
    if scale == "map":
        labels = [f"{label}: {text}" for label, text in zip(labels, range_texts(scales, found), strict=True)]
    note = " ".join([*slices, _shown_note(len(chosen), len(values), "map", channels is not None)]).strip()
    size = (values.shape[1], values.shape[2])
    return _grid(values[chosen], scales, labels, found, size, ax, title, (note, caption), columns, "map")


def plot_kernels(
    kernels: npt.ArrayLike,
    *,
    filters: Sequence[int] | None = None,
    channels: Sequence[int] | None = None,
    ax: Axes | None = None,
    scale: ScaleChoice = "layer",
    mode: Mode = "diverging",
    title: str | None = None,
    caption: str = "",
) -> Figure:
    """Return a figure of kernels (filters, channels, rows, columns), a row a filter, labelled filter, channel.

    The first 8 filters x 8 channels are shown (64 filters of one channel), and the figure says so; ``filters`` and
    ``channels`` choose others. The scale is that of all kernels, shown or not.

    Raises:
        DrawingError: no such filter or channel.

    >>> plot_kernels(np.ones((2, 3, 3, 3))).axes[0].get_title(loc="left")
    '0, 0'
    >>> len(plot_kernels(np.ones((20, 3, 3, 3)), filters=[9, 19], channels=[2], mode="auto").axes)
    3
    """
    check_scale(scale)
    values, slice_note = two_dimensional(kernels)
    all_filters, all_channels, rows, columns = values.shape
    across = _chosen(all_channels, channels, "channel", most=8)
    down = _chosen(all_filters, filters, "filter", most=8 if len(across) > 1 else MOST_MAPS)
    shown = values[np.ix_(down, across)]
    flat = shown.reshape(len(down) * len(across), rows, columns)
    found = survey(flat)
    if scale == "map":
        own = [scale_for(one, mode="diverging") for one in shown]
        scales = [one for one in own for _ in across]
    else:
        scales = [scale if isinstance(scale, Scale) else scale_for(values, mode=mode)]
    labels = [f"{one}, {channel}" if all_channels > 1 else str(one) for one in down for channel in across]
    notes = [f"Shown: {slice_note}."] if slice_note else []
    first = [
        (f"{len(shown_ones)} of {count:,} {noun}", len(shown_ones) < count)
        for asked, shown_ones, count, noun in (
            (filters, down, all_filters, "filters"),
            (channels, across, all_channels, "channels"),
        )
        if asked is None
    ]
    if any(cut for _, cut in first):
        notes.append(f"The first {' and '.join(part for part, _ in first)} are shown.")
    grid = len(across) if len(across) > 1 else None
    note = " ".join(notes)
    return _grid(flat, scales, labels, found, (rows, columns), ax, title, (note, caption), grid, "kernel")


def _plot_flat(
    array: npt.NDArray[Any],
    channels: Sequence[int] | None,
    ax: Axes | None,
    scale: ScaleChoice,
    mode: Mode,
    title: str | None,
    caption: str,
) -> Figure:
    """Plot 1-D maps (channels, length) as the rows of one picture, a vector (features,) as bars."""
    if array.ndim == 2:
        values = as_float32(array, 2, "channels, length")
        chosen = list(range(len(values))) if channels is None else _chosen(len(values), channels)
        shared = scale if isinstance(scale, Scale) else scale_for(values, mode=mode)
        if ax is None:
            ax = paper_figure(_WIDTH, min(_HEIGHT, 1.4 + 0.16 * len(chosen))).add_subplot()
        figure = plot_map(values[chosen], ax=ax, scale=shared, title=title, caption=caption)
        ax.set_aspect("auto")
        ax.set_xlabel("position", fontsize=_TEXT_POINTS, color=_INK)
        ax.set_ylabel("channel", fontsize=_TEXT_POINTS, color=_INK)
        if channels is not None:
            ax.set_yticks(range(len(chosen)), [str(channel) for channel in chosen])
        return figure
    values = as_float32(array.reshape(-1), 1, "features")
    if ax is None:
        ax = paper_figure(_WIDTH, 2.4).add_subplot()
    positions = np.arange(len(values)) if channels is None else np.array(_chosen(len(values), channels))
    ax.bar(positions, values[positions], width=1.0, color=theme.hexadecimal(theme.MARK))
    ax.axhline(0, color=_FRAME, linewidth=0.5)
    ax.tick_params(labelsize=LABEL_POINTS, colors=_INK, length=2)
    ax.set_xlabel("feature", fontsize=_TEXT_POINTS, color=_INK)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color(_FRAME)
    _title(ax, title)
    _remark(ax, _sentence(survey(values[None]), "vector"), caption)
    return whole_figure(ax)


def _title(ax: Axes, title: str | None) -> None:
    if title:
        words = _wrapped(title, _inches(ax), _TITLE_POINTS)
        ax.set_title(_plain(words), fontsize=_TITLE_POINTS, color=_INK, loc="left")


def _remark(ax: Axes, words: str, caption: str, below: int = 34) -> None:
    """Write ``words`` and the caption so many points below axes, under their ticks and label."""
    text = _lines(words, caption, _inches(ax))
    if text:
        at: Any = {"xycoords": "axes fraction", "textcoords": "offset points"}
        ax.annotate(text, (0, 0), (0, -below), fontsize=LABEL_POINTS, color=_INK, va="top", **at)


def _inches(ax: Axes, *, upwards: bool = False) -> float:
    """How wide the axes are, or how high."""
    box, (width, height) = ax.get_position(), whole_figure(ax).get_size_inches()
    return float(box.height * height if upwards else box.width * width)


def _lines(words: str, caption: str, inches: float) -> str:
    return _plain("\n".join(_wrapped(text, inches, LABEL_POINTS) for text in (words, caption) if text))


def _wrapped(text: str, inches: float, points: float) -> str:
    """Break the text where it would grow wider than what it belongs to, and into the neighbour."""
    return textwrap.fill(text, max(12, int(inches * 72 / (LETTER_WIDTH * points))))


def _matplotlib() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise MissingDependencyError(
            "Figures need matplotlib",
            expected="the extra 'plot'",
            received="no matplotlib",
            hint="Type: pip install 'convlens[plot]'",
        ) from None
    return matplotlib


def paper_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches. Raises ``MissingDependencyError`` without matplotlib."""
    matplotlib = _matplotlib()
    from matplotlib.figure import Figure

    class PaperFigure(Figure):
        """A figure that embeds TrueType fonts when saved, whatever the user's settings: journals refuse Type 3."""

        def savefig(self, *arguments: Any, **options: Any) -> None:
            with matplotlib.rc_context({"pdf.fonttype": 42, "ps.fonttype": 42, "svg.fonttype": "path"}):
                super().savefig(*arguments, **options)

    return PaperFigure(figsize=(width, height), layout="constrained", dpi=150)


def _colour_map(diverging: bool) -> Colormap:
    from matplotlib.colors import ListedColormap

    bad = theme.hexadecimal(theme.NOT_A_NUMBER)
    name = "convlens diverging" if diverging else "convlens sequential"
    return ListedColormap(colours.colour_map(diverging) / 255, name).with_extremes(bad=bad)


def _normalise(scale: Scale) -> Normalize:
    from matplotlib.colors import Normalize

    if scale.minimum < scale.maximum:
        return Normalize(scale.minimum, scale.maximum)
    half = abs(scale.maximum) or 1.0  # a constant map: any range that has its value where the scale has it
    return Normalize(-half, half) if scale.diverging else Normalize(scale.maximum, scale.maximum + half)


def _show(ax: Axes, values: Floats, scale: Scale) -> ScalarMappable | None:
    for spine in ax.spines.values():
        spine.set_color(_FRAME)
        spine.set_linewidth(0.5)
    if values.size == 0:
        ax.set_facecolor(theme.hexadecimal(theme.EMPTY))
        ax.text(0.5, 0.5, "empty", transform=ax.transAxes, ha="center", va="center", fontsize=_TEXT_POINTS, color=_INK)
        return None
    # Infinities are painted over: to matplotlib they would be the ends of the scale.
    image = ax.imshow(
        np.ma.masked_invalid(values), cmap=_colour_map(scale.diverging), norm=_normalise(scale), interpolation="nearest"
    )
    if values.size > 1 and values.min() == values.max():
        ax.plot(*_DIAGONAL, transform=ax.transAxes, color=theme.hexadecimal(theme.STRIKE), linewidth=0.5)
    if not np.isfinite(values).all():
        overlay = np.zeros((*values.shape, 4), np.uint8)
        for where, colour in (
            (values == np.inf, theme.PLUS_INFINITY),
            (values == -np.inf, theme.MINUS_INFINITY),
        ):
            overlay[where] = (*colour, 255)
        ax.imshow(overlay, interpolation="nearest")
    return image


def _colour_bar(figure: Any, image: ScalarMappable, axes: list[Axes], scale: Scale, found: Survey) -> None:
    below, above = (found.minimum < scale.minimum).any(), (found.maximum > scale.maximum).any()
    extend = "both" if below and above else "min" if below else "max" if above else "neither"
    bar = figure.colorbar(image, ax=axes, fraction=0.04, pad=0.02, aspect=28, extend=extend)
    bar.outline.set_edgecolor(_FRAME)
    bar.outline.set_linewidth(0.5)
    bar.ax.tick_params(labelsize=LABEL_POINTS, colors=_INK, length=2)
    if scale.minimum < scale.maximum:
        ticks = np.linspace(scale.minimum, scale.maximum, 5)
        bar.set_ticks(ticks, labels=[f"{tick:.3g}" for tick in ticks])
    else:
        bar.set_ticks([scale.maximum], labels=[f"{scale.maximum:.3g}"])


def _chosen(count: int, asked: Sequence[int] | None, noun: str = "channel", *, most: int = MOST_MAPS) -> list[int]:
    if asked is None:
        return list(range(min(count, most)))
    chosen = [int(number) for number in asked]
    wrong = [number for number in chosen if not 0 <= number < count]
    if wrong or not chosen:
        raise DrawingError(f"No such {noun}", expected=f"{noun}s 0 to {count - 1}", received=str(wrong or "none"))
    return chosen


def _shown_note(shown: int, count: int, noun: str, asked: bool) -> str:
    if shown == count or asked:
        return ""
    return f"The first {shown} of {count:,} {noun}s are shown."


def _sentence(found: Survey, noun: str) -> str:
    meaning = {
        colours.NOT_A_NUMBER: "NaN is pink.",
        colours.PLUS_INFINITY: "+inf is green.",
        colours.MINUS_INFINITY: "-inf is black.",
    }
    return " ".join([found.sentence(noun), *(meaning[colour] for colour, _ in swatches(found))]).strip()


def _scales(values: Floats, found: Survey, scale: ScaleChoice, mode: Mode) -> list[Scale]:
    if scale == "map":
        return own_scales(found, mode)
    return [scale if isinstance(scale, Scale) else scale_for(values, mode=mode)]


def _grid(
    maps: Floats,
    scales: list[Scale],
    labels: list[str],
    found: Survey,
    size: tuple[int, int],
    ax: Axes | None,
    title: str | None,
    below: tuple[str, str],
    columns: int | None,
    noun: str,
) -> Figure:
    """Draw numbered maps in a grid, in a figure of their own or inside ``ax``, whose frame gives way to them.

    ``below`` are a note on what is shown, and the caption.
    """
    rows, map_columns = size
    count = len(maps)
    wide, high = map_columns or 1, rows or 1
    if ax is not None:  # as if the axes were square and the maps pressed with them
        wide, high = (max(1, round(100 * size)) for size in (wide / _inches(ax), high / _inches(ax, upwards=True)))
    across = max(1, min(columns or grid_columns(count, wide, high), max(count, 1)))
    down = max(1, math.ceil(count / across))
    if ax is None:
        tall = (rows or 1) / (map_columns or 1)
        cell = min(_WIDTH / across, _LARGEST_CELL, (_HEIGHT / down - _LABEL_INCHES) / tall)
        figure = paper_figure(max(3.4, across * cell + 0.7), down * (cell * tall + _LABEL_INCHES) + 0.7)
        axes = [figure.add_subplot(down, across, position + 1) for position in range(count)]
        around: Any = figure
        if title:
            figure.suptitle(_plain(title), fontsize=_TITLE_POINTS, color=_INK, x=0.01, ha="left")
    else:
        axes = inside(ax, across, down, labels)
        around = ax.figure
    image = None
    for position, (one, own) in enumerate(zip(axes, maps, strict=True)):
        image = _show(one, own, scales[position % len(scales)]) or image
        one.set_xticks([])
        one.set_yticks([])
        if ax is None:
            one.set_title(labels[position], fontsize=LABEL_POINTS, color=_INK, loc="left", pad=2)
        if found.strange[position]:
            for spine in one.spines.values():
                spine.set_color(theme.hexadecimal(theme.NOT_A_NUMBER))
                spine.set_linewidth(1.2)
    note, caption = below
    remarks = [note, _sentence(found, noun)]
    if len(scales) > 1:
        remarks.insert(1, f"Each {noun} on its own scale.")
    elif image is not None:
        _colour_bar(around, image, axes if ax is None else [ax], scales[0], found)
    words = " ".join(filter(None, remarks))
    if ax is not None:
        _title(ax, title)
        _remark(ax, words, caption, below=6)
        return whole_figure(ax)
    if words or caption:
        text = _lines(words, caption, around.get_figwidth() - 0.2)
        around.supxlabel(text, fontsize=LABEL_POINTS, color=_INK, x=0.01, ha="left", multialignment="left")
    return figure


def _plain(text: str) -> str:
    """Keep matplotlib from reading a layer's name as mathematics."""
    return text.replace("$", r"\$")
