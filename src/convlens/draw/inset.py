"""Tiles of a grid inside axes that somebody else has made: each with its number, and room for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from convlens.draw import theme

if TYPE_CHECKING:
    from convlens.draw.figures import Axes, Figure

LABEL_POINTS = 7
LETTER_WIDTH = 0.55
"""Of a letter's height, on average."""


def inside(ax: Axes, across: int, down: int, labels: list[str]) -> list[Axes]:
    """Numbered axes in a grid inside ``ax``; each has room for its number, however large ``ax`` is in the end."""
    ax.set_axis_off()
    axes = []
    for position, label in enumerate(labels):
        one = ax.inset_axes((0, 0, 1, 1))
        number = one.set_title(label, fontsize=LABEL_POINTS, color=theme.hexadecimal(theme.INK), loc="left", pad=2)
        one.set_axes_locator(_Cell(ax, number, (position // across, position % across), (down, across)))
        one.set_anchor("NW")
        axes.append(one)
    return axes


class _Cell:
    """Where a tile of a grid stands, found out when it is drawn: only then is it known how large the whole is."""

    def __init__(self, whole: Axes, number: Any, place: tuple[int, int], count: tuple[int, int]) -> None:
        self._whole, self._number, self._place, self._count = whole, number, place, count

    def __call__(self, ax: Any, renderer: Any) -> Any:  # noqa: ARG002
        """The tile's box in figure coordinates; the number grows smaller where the tile is too small for it."""
        figure = whole_figure(self._whole)
        box = self._whole.get_position()
        width, height = box.width / self._count[1], box.height / self._count[0]
        points_wide, points_high = width * figure.get_figwidth() * 72, height * figure.get_figheight() * 72
        letters = max(1, len(self._number.get_text()))
        size = min(LABEL_POINTS, 0.2 * points_high, 0.9 * points_wide / (LETTER_WIDTH * letters))
        self._number.set_fontsize(size)
        label = (1.3 * size + 2) / points_high * height
        left, top = box.x0 + self._place[1] * width, box.y1 - self._place[0] * height
        return box.from_extents(left, top - 0.96 * height, left + 0.92 * width, top - label)


def whole_figure(ax: Axes) -> Figure:
    """The figure that the axes are part of, through all sub-figures."""
    figure: Any = ax.figure
    while figure is not figure.figure:
        figure = figure.figure  # a sub-figure knows the figure that it is part of
    whole: Figure = figure
    return whole
