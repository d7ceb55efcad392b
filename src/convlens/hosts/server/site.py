"""The page's own files, and the documentation of the interface. Both come from lists made at the start: no path from a
request reaches the file system."""

from __future__ import annotations

import os
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from fastapi import APIRouter, FastAPI
from starlette.responses import HTMLResponse, Response

from convlens.hosts.desk import NotFoundError

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
}
_MISSING = """<!doctype html><meta charset="utf-8"><title>convlens</title>
<h1>The page isn't built</h1>
<p>This installation of convlens doesn't hold the page. Type <code>pip install --force-reinstall .</code> in its
folder; or, where you work on the page itself, <code>npm --prefix frontend run build</code>.</p>
<p>What the page would show is at <a href="/docs">/docs</a>, for curl and numpy.load.</p>"""


def routes() -> APIRouter:
    """The page at ``/``, its files beside it."""
    router = APIRouter(include_in_schema=False)
    folder = os.environ.get("CONVLENS_PAGE")  # for work on the page: a build that isn't installed
    found = dict(_files(_folder(folder)))

    @router.get("/")
    async def page() -> Response:
        if "index.html" not in found:
            return HTMLResponse(_MISSING, 503)
        return _answer("index.html", found["index.html"])

    @router.get("/{name:path}")
    async def file(name: str) -> Response:
        if name not in found:
            raise NotFoundError("There is nothing at this address", received="/" + name[:200], hint="See / and /docs.")
        return _answer(name, found[name])

    return router


def _folder(own: str | None) -> Traversable:
    if own is not None:
        from pathlib import Path

        return Path(own)
    return files("convlens.hosts") / "page"


def _files(folder: Traversable, before: str = "") -> Any:
    if not folder.is_dir():
        return
    for one in folder.iterdir():
        if one.is_dir():
            yield from _files(one, f"{before}{one.name}/")
        elif one.name.endswith(tuple(TYPES)):
            yield f"{before}{one.name}", one.read_bytes()


def _answer(name: str, data: bytes) -> Response:
    ending = name[name.rfind(".") :]
    lasting = "private, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
    return Response(data, headers={"Cache-Control": lasting}, media_type=TYPES[ending])


def add_documentation(app: FastAPI, address: str) -> None:
    """``/docs``: every address with its parameters, readable offline, with examples for curl and NumPy."""

    @app.get("/docs", include_in_schema=False)
    async def docs() -> Response:
        return HTMLResponse(_documentation(app.openapi(), address))


def _documentation(schema: dict[str, Any], address: str) -> str:
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><title>convlens: the interface</title>",
        "<h1>The interface of convlens</h1>",
        "<p>All that the page shows, for curl and NumPy. Facts come as JSON, numbers as <code>.npy</code>. Each "
        "address needs the token of this server: <code>?token=TOKEN</code>, or the header "
        "<code>Authorization: Bearer TOKEN</code>. The schema: <a href='/openapi.json'>/openapi.json</a>.</p>",
        f"<pre>T=...   # the token, from the address that convlens view printed\n"
        f'curl -s -H "Authorization: Bearer $T" {address}/api/session\n'
        f'curl -s -H "Authorization: Bearer $T" {address}/api/runs -H "Content-Type: application/json" \\\n'
        f'     -d \'{{"model": "MODEL", "picture": "PICTURE"}}\'        # answers with the run\'s id\n'
        f'curl -s -H "Authorization: Bearer $T" "{address}/api/runs/RUN/values.npy?layer=conv" -o conv.npy\n'
        f"python -c \"import numpy; print(numpy.load('conv.npy').shape)\"</pre>",
    ]
    for path, methods in schema["paths"].items():
        for method, told in methods.items():
            parts.append(f"<h2><code>{method.upper()} {escape(path)}</code></h2>")
            parts.append(f"<p>{escape(told.get('description', ''))}</p>")
            rows = [
                f"<li><code>{escape(one['name'])}</code> ({one['in']}{', required' if one.get('required') else ''}) "
                f"{escape(one.get('description', ''))}</li>"
                for one in told.get("parameters", [])
            ]
            parts.append(f"<ul>{''.join(rows)}</ul>" if rows else "")
    return "\n".join(parts)
