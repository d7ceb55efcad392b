"""The viewer that stays in a notebook's file, and in what nbconvert makes of it: a report's page in a frame."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from convlens.errors import ConvlensError
from convlens.hosts.notebook.shown import as_html
from convlens.hosts.report import report_html
from convlens.lens import Lens, memory

if TYPE_CHECKING:
    from convlens.hosts.notebook.shown import Shown
    from convlens.lens import FeatureMaps

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


def keepsake(shown: Shown, name: str) -> str:
    """The viewer that needs no kernel, or what of it fits; the live one finds it by ``name``.

    Where the maps would take too much, a picture of them stands above a viewer of the network and its kernels.
    """
    said = ""
    subjects: list[FeatureMaps | Lens] = [] if shown.maps is None else [shown.maps]
    if isinstance(shown.lens, Lens):  # maps that were loaded from a file may stand without their model
        subjects.append(shown.lens)
    for subject in [] if _budget is None else subjects:
        try:
            found = _frame(shown, report_html(subject, budget=_budget))
        except ConvlensError as error:
            size = f" They would take {error.expected}." if error.expected else ""
            said = f"Not all maps are kept in this file.{size} convlens.hosts.notebook.keep('10MB') keeps more."
            continue
        return _named(name, found if not said else f"{_still(shown, said)}{found}")
    return _named(name, _still(shown, said))


def placeholder(shown: Shown, name: str) -> str:
    """What stands there until the keepsake is made."""
    return _named(name, _still(shown))


def _named(name: str, inner: str) -> str:
    return f'<div data-convlens-kept="{name}">{inner}</div>'


def _still(shown: Shown, said: str = "") -> str:
    return as_html(shown.still()) + (f"<p>{escape(said)}</p>" if said else "")


def _frame(shown: Shown, page: str) -> str:
    opening = urlencode({key: one for key, one in (("layer", shown.layer), ("show", shown.tab)) if one})
    page = page.replace("<html ", f'<html data-opening="#/see?{escape(opening)}" ', 1)
    style = "display:block;width:100%;height:620px;border:0"
    title = escape(f"convlens: {shown.lens.network.name}")
    return f'<iframe loading="lazy" title="{title}" style="{style}" srcdoc="{escape(page)}"></iframe>'
