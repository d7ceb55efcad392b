"""From maps to the host that shows them in the browser.

A host stands above the lens, which never imports one. This is the one place where the way leads upwards, because
``maps.serve()`` is what a person types; the host is named here and looked up when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from convlens.lens.maps import FeatureMaps

_HOST = "convlens.hosts.viewing"
_REPORT = "convlens.hosts.report"


def report(maps: FeatureMaps, path: Path, **options: Any) -> Path:
    """Have the report's host write one file of these maps."""
    import_module(_REPORT).save(maps, path, **options)
    return path


def serve(maps: FeatureMaps, **options: Any) -> None:
    """Have the server show these maps."""
    import_module(_HOST).serve(maps, **options)
