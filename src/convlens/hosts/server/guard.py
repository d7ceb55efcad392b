"""Who may ask: nobody from another site, another host's name, or without the token.

- The Host must be an address that the server was bound to. Else a page of another site, whose name is made to point to
  this machine (DNS rebinding), could read along.
- A request that says its Origin must come from the page itself.
- Everything needs the token: once in the opened address, then as a cookie; or, for curl, as ``Authorization: Bearer
  TOKEN`` or ``?token=TOKEN``. The cookie is Lax, not Strict, so that a link in a mail still opens the page.
"""

from __future__ import annotations

import asyncio
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlencode, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convlens.hosts.server.refusals import refused

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
    "connect-src 'self'; worker-src 'self' blob:; font-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}


class Guard:
    """The first to see a request; what it refuses reaches no route.

    ``hosts`` are the names that the server goes by; empty where it was bound to every address of the machine, whose
    names nobody knows: the token alone guards it then.
    """

    def __init__(self, app: ASGIApp, *, token: str, hosts: frozenset[str], port: int) -> None:
        self._app = app
        self._token = token
        self._hosts = hosts
        self.cookie = f"convlens-{port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse, or pass on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        started = False

        async def sealed(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        headers = Headers(scope=scope)
        refusal = self._refusal(scope, headers)
        scope["convlens.task"] = asyncio.current_task()  # a connection that is lost ends what is done for it
        try:
            await (refusal or self._app)(scope, receive, sealed)
        except asyncio.CancelledError:
            if not started:  # nobody is left who listens; or the server ends, and says so
                await refused(headers, 503, "The server is ending")(scope, receive, sealed)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        host = headers.get("host", "")
        if self._hosts and _name(host) not in self._hosts:
            return refused(headers, 421, "This server doesn't go by that name", " or ".join(sorted(self._hosts)), host)
        origin = headers.get("origin")
        if origin is not None and _place(origin) != host:
            return refused(headers, 403, "Another site may not ask this server", f"http://{host}", origin)
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = query.get("token", [""])[0]
        if scope["path"] == "/" and self._is_token(given):
            rest = [(name, value) for name, values in query.items() if name != "token" for value in values]
            answer = RedirectResponse("/?" + urlencode(rest) if rest else "/", 303)
            answer.set_cookie(self.cookie, self._token, httponly=True, samesite="lax", path="/")
            return answer
        if not (self._is_token(given) or self._is_token(_bearer(headers)) or self._is_token(self._cookie(headers))):
            return refused(
                headers,
                401,
                "This server opens with the address that it printed",
                "its token",
                "another token" if given or headers.get("authorization") else "none",
                "Open the whole address that convlens view printed, with ?token=... at its end.",
            )
        return None

    def _is_token(self, given: str) -> bool:
        return compare_digest(given.encode(), self._token.encode())

    def _cookie(self, headers: Headers) -> str:
        try:
            found = SimpleCookie(headers.get("cookie", "")).get(self.cookie)
        except CookieError:
            return ""
        return found.value if found is not None else ""


def _name(host: str) -> str:
    """The Host without its port.

    >>> _name("127.0.0.1:8765"), _name("[::1]:8765"), _name("evil.example")
    ('127.0.0.1', '[::1]', 'evil.example')
    """
    return host if host.endswith("]") else host.rpartition(":")[0] or host


def _place(origin: str) -> str | None:
    """Host and port of an Origin; ``None`` where it is none.

    >>> _place("http://127.0.0.1:8765"), _place("http://[::1")
    ('127.0.0.1:8765', None)
    """
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


def _bearer(headers: Headers) -> str:
    scheme, _, value = headers.get("authorization", "").partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""
