"""The page inside a cell's frame: the viewer alone, which asks the kernel for everything it shows."""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from html import escape

from convlens.hosts.report import page as report

_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; img-src data: blob:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)


def page(*, dark: bool | None = None) -> str:
    """The page; ``dark`` is the notebook's own theme, where it is known.

    Raises:
        ConvlensError: this installation doesn't hold the viewer.
    """
    found = report.viewer()
    digest = b64encode(sha256(found.script.encode()).digest()).decode()
    theme = "" if dark is None else f' data-host-theme="{"dark" if dark else "light"}"'
    return (
        f'<!doctype html><html lang="en"{theme}><head><meta charset="utf-8"><meta name="color-scheme" '
        f'content="light dark"><meta http-equiv="Content-Security-Policy" content="{_POLICY.format(script=digest)}">'
        f"<title>convlens</title><style>{found.style}</style></head>"
        f'<body><div id="page"></div><script>{found.script}</script></body></html>'
    )


def notice(words: str) -> str:
    """A page that says why there is no viewer.

    >>> "<p>a &lt; b</p>" in notice("a < b")
    True
    """
    return f'<!doctype html><meta charset="utf-8"><title>convlens</title><p>{escape(words)}</p>'
