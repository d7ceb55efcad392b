"""The report: the viewer, networks and their maps in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convlens.hosts.report.making import Exhibit, Report, make
from convlens.lens import Lens, files

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps

__all__ = ["Exhibit", "Report", "gallery", "report_html", "save"]


def report_html(shown: FeatureMaps | Lens, *, budget: str | int | None = None) -> str:
    """The page of one run, or of an opened model alone, as text."""
    return (make([], shown, budget=budget) if isinstance(shown, Lens) else make([Exhibit(shown)], budget=budget)).html


def gallery(exhibits: Sequence[Exhibit], *, budget: str | int | None = None, title: str | None = None) -> Report:
    """Several runs in one page: other pictures, other models."""
    return make(exhibits, budget=budget, title=title)


def save(
    shown: FeatureMaps | Sequence[FeatureMaps],
    path: str | Path,
    *,
    budget: str | int | None = None,
    force: bool = False,
) -> Report:
    """Write the page of one run, or of several.

    Raises:
        ConvlensError: the budget is too small, the path can't be written, or holds what convlens didn't write.
    """
    from convlens.lens import FeatureMaps
    from convlens.writing import write

    place = files.check_place(Path(path), force=force)
    runs = [shown] if isinstance(shown, FeatureMaps) else list(shown)
    made = make([Exhibit(maps) for maps in runs], budget=budget)
    write(place, made.html.encode())
    return made
