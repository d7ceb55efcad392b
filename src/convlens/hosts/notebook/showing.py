"""How a lens, its maps and its kernels show themselves in a notebook: as the live viewer, and as what stays of it.

A cell gets two outputs. The first is the live viewer with a static picture beside it, which is what a front end
without widgets shows (GitHub's view, for one). The second is a viewer that needs no kernel, the one of a report's file:
an export by nbconvert shows it; where the live one runs, that one hides it.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlencode
from uuid import uuid4

from convlens.errors import ConvlensError, MissingDependencyError
from convlens.lens import FeatureMap, FeatureMaps, Kernels, Lens, memory

if TYPE_CHECKING:
    from convlens.hosts.notebook.viewer import Viewer

_PLAIN = "text/plain"
_INSTALL = 'pip install "convlens[notebook]"'
_budget: str | int | None = "3MB"


def keep(budget: str | int | None) -> None:
    """The most that each viewer which stays in the notebook's file may take; ``None``: only a still picture stays.

    >>> keep("500KB")
    >>> keep(None)
    >>> keep("3MB")  # as it is at first
    """
    global _budget
    if budget is not None:
        memory.parse(budget)
    _budget = budget


@dataclass(frozen=True, slots=True)
class Shown:
    """What a cell shows: a lens, with maps or without, and where it opens; ``what`` is the object that was named."""

    what: object
    lens: Lens
    maps: FeatureMaps | None
    layer: str | None = None
    tab: Literal["maps", "kernels"] = "maps"

    @classmethod
    def of(cls, what: object) -> Shown:
        """What to show for an object of the lens.

        Raises:
            NotImplementedError: it stands alone, without the lens that it came from.
        """
        match what:
            case Lens():
                return cls(what, what, None)
            case FeatureMaps():
                return cls(what, what.lens, what)
            case FeatureMap() if what.maps is not None:
                return cls(what, what.maps.lens, what.maps, what.name)
            case Kernels() if what.lens is not None:
                return cls(what, what.lens, None, what.name, "kernels")
        raise NotImplementedError

    def still(self) -> dict[str, Any]:
        """What shows where nothing runs: a picture, or the network's table."""
        plain = {_PLAIN: repr(self.what)}
        try:
            if isinstance(self.what, Lens):
                return {**plain, "text/html": self.what._repr_html_()}
            drawn = self.what if self.maps is None or self.layer is not None else self._first()
            return {**plain, "image/png": drawn.png()} if isinstance(drawn, FeatureMap | Kernels) else plain
        except ConvlensError:  # an empty array has no picture
            return plain

    def _first(self) -> FeatureMap | None:
        """The first layer with kernels, or with maps at all."""
        assert self.maps is not None
        planes = [found for found in self.maps.values() if len(found.shape) == 3]
        return next((found for found in planes if found.layer.has_kernels), planes[0] if planes else None)


def display(what: object) -> None:
    """Show it in the cell that runs.

    Raises:
        NotImplementedError: this is no notebook, or ``what`` has no viewer; IPython then takes its other forms.
    """
    shown = Shown.of(what)
    if not _in_notebook():
        raise NotImplementedError
    still = shown.still()
    if find_spec("anywidget") is None:
        said = f"<p>For the live viewer: <code>{escape(_INSTALL)}</code></p>"
        _publish({**_encoded(still), "text/html": _picture(still) + said})
        return
    kept = uuid4().hex
    view = live(what, kept=kept)
    data, about = view._repr_mimebundle_() or ({}, {})
    _publish({**data, **_encoded(still)}, about)
    _publish({"text/html": keepsake(shown, kept, still), _PLAIN: f"The viewer of {what!r}, kept in this file"})


def live(what: object, *, kept: str = "") -> Viewer:
    """The live viewer, as a widget.

    Raises:
        MissingDependencyError: anywidget isn't installed.
        NotImplementedError: ``what`` has no viewer.
    """
    shown = Shown.of(what)
    if find_spec("anywidget") is None:
        raise MissingDependencyError("The live viewer needs anywidget", hint=f"Type: {_INSTALL}")
    from convlens.hosts.notebook.viewer import Viewer

    return Viewer(shown.lens, shown.maps, layer=shown.layer, tab=shown.tab, kept=kept)


def keepsake(shown: Shown, kept: str, still: dict[str, Any]) -> str:
    """The viewer that needs no kernel, in a frame of its own; a still picture where it would be too large."""
    from convlens.hosts.report import report_html

    said = ""
    if _budget is not None:
        try:
            page = report_html(shown.lens if shown.maps is None else shown.maps, budget=_budget)
            return f'<div data-convlens-kept="{kept}">{_frame(shown, page)}</div>'
        except ConvlensError as error:
            said = f"<p>The viewer isn't kept in this file: {escape(str(error))}</p>"
    return f'<div data-convlens-kept="{kept}">{_picture(still)}{said}</div>'


def _frame(shown: Shown, page: str) -> str:
    opening = urlencode({key: one for key, one in (("layer", shown.layer), ("show", shown.tab)) if one})
    page = page.replace("<html ", f'<html data-opening="#/see?{escape(opening)}" ', 1)
    style = "display:block;width:100%;height:620px;border:0"
    title = escape(f"convlens: {shown.lens.network.name}")
    return f'<iframe loading="lazy" title="{title}" style="{style}" srcdoc="{escape(page)}"></iframe>'


def _picture(still: dict[str, Any]) -> str:
    if "text/html" in still:
        return str(still["text/html"])
    if "image/png" not in still:
        return f"<pre>{escape(still[_PLAIN])}</pre>"
    data = b64encode(still["image/png"]).decode()
    return f'<img alt="{escape(still[_PLAIN])}" src="data:image/png;base64,{data}">'


def _encoded(still: dict[str, Any]) -> dict[str, Any]:
    return {kind: b64encode(one).decode() if isinstance(one, bytes) else one for kind, one in still.items()}


def _publish(data: dict[str, Any], about: dict[str, Any] | None = None) -> None:
    from IPython.core.display_functions import publish_display_data

    publish_display_data(data, metadata=about)  # type: ignore[no-untyped-call]


def _in_notebook() -> bool:
    """Whether this runs in a kernel that a notebook talks to, not in a terminal."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None
