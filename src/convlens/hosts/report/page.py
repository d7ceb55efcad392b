"""The file itself: the viewer, the contents and the blobs as one page that loads nothing and runs nothing else.

Whatever a model or a picture is called stays data: names stand in JSON whose ``<`` are escaped, numbers in base64, and
the Content-Security-Policy lets no script run but the viewer, which it knows by its hash.
"""

from __future__ import annotations

import json
import os
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any
from zlib import crc32

from convlens import __version__
from convlens.errors import ConvlensError
from convlens.writing import signature

_POLICY = (
    "default-src 'none'; script-src 'sha256-{script}'; style-src 'unsafe-inline'; img-src data: blob:; "
    "worker-src blob:; base-uri 'none'; form-action 'none'"
)
_UNSTARTED = (
    "The viewer in this file hasn't started. Where this stays, the file is damaged: get it again, or write it anew "
    "with convlens report. · ตัวแสดงผลในไฟล์นี้ยังไม่เริ่มทำงาน หากข้อความนี้ไม่หายไป แสดงว่าไฟล์เสียหาย"
)
"""The page removes it when it starts; it shows after some seconds, so that nobody sees it but who needs it."""

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="convlens {version}">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<title>{title}</title>
<style>{style}
.unstarted {{ animation: unstarted 4s step-end; margin: 2rem; }}
@keyframes unstarted {{ from {{ visibility: hidden }} }}</style>
</head>
<body>
<div id="page"><p class="unstarted">{unstarted}</p></div>
<noscript>convlens shows this file with JavaScript, which is in it; it loads nothing else.</noscript>
{data}
<script>{script}</script>
</body>
</html>
"""


@dataclass(frozen=True, slots=True)
class Viewer:
    """The built viewer, ready to stand inside a page."""

    script: str
    style: str


def viewer() -> Viewer:
    """The viewer that this installation holds.

    Raises:
        ConvlensError: it isn't built.
    """
    return _viewer(os.environ.get("CONVLENS_PAGE"))  # for work on the page: a build that isn't installed


@cache
def _viewer(own: str | None) -> Viewer:
    folder = (Path(own) if own is not None else files("convlens.hosts") / "page") / "alone"
    script, style = folder / "viewer.js", folder / "viewer.css"
    if not (script.is_file() and style.is_file()):
        raise ConvlensError(
            "This installation of convlens doesn't hold the viewer",
            hint="Type pip install --force-reinstall . in its folder; or, where you work on the page itself, "
            "npm --prefix frontend run build.",
        )
    # Inside a page no text may look like the end of its element, or like a comment that hides it.
    js = script.read_text("utf-8").replace("</script", "<\\/script").replace("<!--", "<\\!--")
    return Viewer(js.strip(), style.read_text("utf-8").replace("</style", "<\\/style").strip())


def in_html(contents: Any) -> str:
    """Facts as JSON that can stand in a script element.

    >>> in_html({"name": "</script>"})
    '{"name":"\\\\u003c/script>"}'
    """
    text = json.dumps(contents, allow_nan=False, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def size_of(pieces: Sequence[bytes]) -> int:
    """How many characters these blobs take in the file.

    >>> size_of([b"abcd"]) == len(_blob(0, b"abcd")) + 1
    True
    """
    return sum(len(_blob(n, b"")) + 1 + -(-len(piece) // 3) * 4 for n, piece in enumerate(pieces))


def _blob(number: int, piece: bytes) -> str:
    return f'<script type="text/plain" id="convlens-blob-{number}">{b64encode(piece).decode()}</script>'


def _checked(text: str) -> str:
    """A checksum by which the page sees whether a text is still what was written."""
    return f'data-crc32="{crc32(text.encode()):08x}"'


def page(title: str, contents: Any, pieces: Sequence[bytes]) -> str:
    """The whole file, signed. ``contents`` is what ``frontend/src/source/embedded/contents.ts`` describes."""
    found = viewer()
    told = in_html({**contents, "checksums": [crc32(piece) for piece in pieces]})
    data = [f'<script type="application/json" id="convlens-contents" {_checked(told)}>{told}</script>']
    data += [_blob(number, piece) for number, piece in enumerate(pieces)]
    digest = b64encode(sha256(found.script.encode()).digest()).decode()
    text = _PAGE.format(
        version=__version__,
        policy=_POLICY.format(script=digest),
        title=escape(title),
        unstarted=_UNSTARTED,
        style=found.style,
        data="\n".join(data),
        script=found.script,
    )
    return signature.signed(text.encode(), ".html").decode()
