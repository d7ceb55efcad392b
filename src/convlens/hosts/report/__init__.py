"""The report: the viewer, networks and their maps in one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from convlens.errors import OutputError
from convlens.hosts.report.making import Exhibit, Report, make
from convlens.lens import Lens, files

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps

__all__ = ["Exhibit", "Report", "check_path", "gallery", "report_html", "save"]


def report_html(shown: FeatureMaps | Lens, *, budget: str | int | None = None) -> str:
    """The page of one run, or of an opened model alone, as text."""
    return (make([], shown, budget=budget) if isinstance(shown, Lens) else make([Exhibit(shown)], budget=budget)).html


def gallery(exhibits: Sequence[Exhibit], *, budget: str | int | None = None, title: str | None = None) -> Report:
    """Several runs in one page: other pictures, other models."""
    return make(exhibits, budget=budget, title=title)


def check_path(path: Path, *, force: bool = False) -> Path:
    """The path, if a report can be written there; called before the work.

    Raises:
        OutputError: another ending than ``.html``, no such folder, or somebody else's file.
    """
    if path.suffix.lower() not in (".html", ".htm"):
        raise OutputError(
            "A report is a page",
            expected="a path ending in .html",
            received=str(path),
            hint=f"Write {path.with_suffix('.html')}" if path.name else "Write report.html",
        )
    return files.check_place(path, force=force)


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

    place = check_path(Path(path), force=force)
    runs = [shown] if isinstance(shown, FeatureMaps) else list(shown)
    made = make([Exhibit(maps) for maps in runs], budget=budget)
    write(place, made.html.encode(), force=force)
    return made
