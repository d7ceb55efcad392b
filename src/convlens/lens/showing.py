"""From the lens to the hosts that show it: in the browser, in a notebook's cell.

A host stands above the lens, which never imports one. This is the one place where the way leads upwards, because
``maps.serve()``, or ``maps`` alone in a notebook, is what a person types; the hosts are named here and looked up when
they are asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlens.lens.maps import FeatureMaps
    from convlens.lens.timeline import Timeline

_HOST = "convlens.hosts.viewing"
_NOTEBOOK = "convlens.hosts.notebook.showing"
_REPORT = "convlens.hosts.report"
_TRAINING = "convlens.hosts.training"


def report(maps: FeatureMaps, path: Path, **options: Any) -> Path:
    """Have the report's host write one file of these maps."""
    import_module(_REPORT).save(maps, path, **options)
    return path


def serve(maps: FeatureMaps, **options: Any) -> None:
    """Have the server show these maps."""
    import_module(_HOST).serve(maps, **options)


def report_place(path: Path, *, force: bool = False) -> Path:
    """The path, if the report's host can write there."""
    place: Path = import_module(_REPORT).check_path(path, force=force)
    return place


def training_report(timeline: Timeline, path: Path, picture: object, **options: Any) -> Path:
    """Have the report's host write one file of a training."""
    import_module(_TRAINING).save(timeline, path, picture, **options)
    return path


def training_serve(timeline: Timeline, picture: object, **options: Any) -> None:
    """Have the server show a training."""
    import_module(_TRAINING).serve(timeline, picture, **options)


class Shows:
    """What shows itself as the live viewer in a notebook: a lens, its maps, one layer's, its kernels."""

    def view(self, *, height: int = 620) -> Any:
        """The live viewer as a widget, for a notebook: ``view.layer``, ``view.channel`` and ``view.pixel`` can be read,
        watched with ``view.observe`` and set.

        ``height`` is the cell's, in pixels. Alone in a cell this object shows itself in the same way.

        Raises:
            MissingDependencyError: the extra ``notebook`` isn't installed.
        """
        return import_module(_NOTEBOOK).live(self, height=height)

    def _ipython_display_(self) -> None:
        import_module(_NOTEBOOK).display(self)

    def _display_(self) -> object:
        """The same for marimo."""
        return import_module(_NOTEBOOK).for_marimo(self)
