"""The viewer that stays in a notebook's file, and in what nbconvert makes of it: a report's page in a frame."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from convlens.errors import ConvlensError
from convlens.hosts.notebook.shown import as_html
from convlens.lens import memory

if TYPE_CHECKING:
    from convlens.hosts.notebook.shown import Shown

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
    """The viewer that needs no kernel; a still picture where it would be too large.

    The live one finds it by ``name``.
    """
    inner = ""
    if _budget is not None:
        from convlens.hosts.report import report_html

        try:
            inner = _frame(shown, report_html(shown.lens if shown.maps is None else shown.maps, budget=_budget))
        except ConvlensError as error:
            said = f"{error.problem}; expected {error.expected}. " if error.expected else f"{error.problem}. "
            said += "convlens.hosts.notebook.keep('10MB') keeps larger ones."
            inner = f"{as_html(shown.still())}<p>No viewer is kept in this file. {escape(said)}</p>"
    return f'<div data-convlens-kept="{name}">{inner or as_html(shown.still())}</div>'


def _frame(shown: Shown, page: str) -> str:
    opening = urlencode({key: one for key, one in (("layer", shown.layer), ("show", shown.tab)) if one})
    page = page.replace("<html ", f'<html data-opening="#/see?{escape(opening)}" ', 1)
    style = "display:block;width:100%;height:620px;border:0"
    title = escape(f"convlens: {shown.lens.network.name}")
    return f'<iframe loading="lazy" title="{title}" style="{style}" srcdoc="{escape(page)}"></iframe>'
