"""How a lens, its maps and its kernels show themselves in a notebook; see :mod:`convlens.hosts.notebook.viewer`.

IPython and marimo ask for it by methods that the lens has; the lens finds this module by its name.
"""

from __future__ import annotations

from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from convlens.errors import InputError, MissingDependencyError
from convlens.hosts.notebook.shown import Shown, as_html

if TYPE_CHECKING:
    from convlens.hosts.notebook.viewer import Viewer

_INSTALL = 'pip install "convlens[notebook]"'


class Still:
    """The still form, where widgets aren't installed, for a front end that asks for HTML."""

    def __init__(self, html: str) -> None:
        self._html = html

    def _repr_html_(self) -> str:
        return self._html


def display(what: object) -> None:
    """Show it in the cell that runs.

    Raises:
        NotImplementedError: this is no notebook, or ``what`` has no viewer; IPython then takes its other forms.
    """
    shown = Shown.of(what)
    if not in_notebook():
        raise NotImplementedError
    if not _has_widgets():
        publish({**shown.still(), "text/html": _without_widgets(shown)})
        return
    try:
        view = live(what)
    except InputError:  # the model doesn't say what it reads: there is no network to show before the first picture
        publish(shown.still())
    else:
        view.show()


def for_marimo(what: object) -> object:
    """What marimo shows: the widget, or the still form."""
    return live(what) if _has_widgets() else Still(_without_widgets(Shown.of(what)))


def live(what: object, *, height: int = 620) -> Viewer:
    """The live viewer, as a widget.

    Raises:
        MissingDependencyError: anywidget isn't installed.
        NotImplementedError: ``what`` has no viewer.
    """
    if not _has_widgets():
        raise MissingDependencyError("The live viewer needs anywidget", hint=f"Type: {_INSTALL}")
    from convlens.hosts.notebook.viewer import Viewer

    return Viewer(what, height=height)


def publish(
    data: dict[str, Any], about: dict[str, Any] | None = None, *, name: str | None = None, again: bool = False
) -> None:
    """One output of the cell that runs; ``again`` puts something else in the place of the one of this name."""
    from IPython.core.display_functions import publish_display_data

    transient = {} if name is None else {"display_id": name}
    publish_display_data(data, metadata=about, transient=transient, update=again)  # type: ignore[no-untyped-call]  # IPython


def is_watched() -> bool:
    """Whether a person looks on: what runs notebooks by itself allows no input."""
    from IPython.core.getipython import get_ipython

    return bool(getattr(getattr(get_ipython(), "kernel", None), "_allow_stdin", True))


def in_notebook() -> bool:
    """Whether this runs in a kernel that a notebook talks to, not in a terminal."""
    from IPython.core.getipython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def _has_widgets() -> bool:
    return find_spec("anywidget") is not None


def _without_widgets(shown: Shown) -> str:
    return f"{as_html(shown.still())}<p>For the live viewer: <code>{escape(_INSTALL)}</code></p>"
