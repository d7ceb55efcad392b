"""Starts the server on a free port, and opens the page."""

from __future__ import annotations

import errno
import socket
import webbrowser
from collections.abc import Callable
from contextlib import suppress
from secrets import token_urlsafe
from threading import Thread
from types import FrameType
from typing import TYPE_CHECKING

from convlens.errors import ConvlensError

if TYPE_CHECKING:
    import uvicorn

    from convlens.hosts import answering
from convlens.hosts.desk import Desk

PORT = 8765
_TRIES = 50
_EVERYWHERE = ("0.0.0.0", "::", "")


def serve(
    desk: Desk,
    *,
    host: str = "127.0.0.1",
    port: int | None = None,
    token: str | None = None,
    open_browser: bool = True,
    told: Callable[[str], None] = print,
) -> None:
    """Serve what lies on the desk until Ctrl-C. ``told`` gets the address to open.

    ``port``: ``None`` for 8765 or the next free one, 0 for any free one.

    Raises:
        ConvlensError: the address can't be bound to.
    """
    with bound(host, port) as listening:
        number = listening.getsockname()[1]
        token = token or token_urlsafe(24)
        name = "127.0.0.1" if host in _EVERYWHERE else host
        name = f"[{name}]" if ":" in name else name
        url = f"http://{name}:{number}/?token={token}"
        Thread(target=_warm, args=(desk,), daemon=True).start()
        with suppress(KeyboardInterrupt):  # the person's way to end it, at any moment from here on
            server = _server(desk, host, number, token)
            told(url)
            if open_browser:
                Thread(target=webbrowser.open, args=(url,), daemon=True).start()
            server.run([listening])


def bound(host: str, port: int | None) -> socket.socket:
    """A listening socket."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    wanted = [port] if port is not None else range(PORT, PORT + _TRIES)
    for number in wanted:
        # With its protocol named, asyncio sends each answer at once; else it waits 40 ms for the last to be confirmed.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listening.bind((host, number))
            listening.listen(128)
        except (OSError, OverflowError) as error:
            listening.close()
            reason = getattr(error, "strerror", None) or str(error)
            elsewhere = isinstance(error, socket.gaierror) or (
                isinstance(error, OSError) and error.errno == errno.EADDRNOTAVAIL
            )
            continue
        return listening
    raise ConvlensError(
        "The server can't listen there",
        expected="a free port of this machine",
        received=f"{host} port {port if port is not None else f'{PORT} to {PORT + _TRIES - 1}'}: {reason}",
        hint="Type --host 127.0.0.1 for this machine." if elsewhere else "Type --port 0 for any free port.",
    )


def hosts_of(host: str) -> frozenset[str]:
    """The names that a server bound to ``host`` goes by; none where it listens everywhere.

    >>> sorted(hosts_of("127.0.0.1")), hosts_of("0.0.0.0")
    (['127.0.0.1', '[::1]', 'localhost'], frozenset())
    """
    if host in _EVERYWHERE:
        return frozenset()
    if host in ("127.0.0.1", "localhost", "::1"):
        return frozenset({"127.0.0.1", "localhost", "[::1]"})
    return frozenset({f"[{host}]" if ":" in host else host})


def _server(desk: Desk, host: str, port: int, token: str) -> uvicorn.Server:
    import uvicorn

    from convlens.hosts.server.app import create

    app = create(desk, token=token, hosts=hosts_of(host), port=port)
    config = uvicorn.Config(
        app, log_level="error", access_log=False, timeout_graceful_shutdown=1, h11_max_incomplete_event_size=64 * 1024
    )

    class Quiet(uvicorn.Server):
        """Ends at Ctrl-C without raising it again afterwards, as uvicorn's own does."""

        def handle_exit(self, _signal: int, _frame: FrameType | None) -> None:
            self.force_exit = self.should_exit  # the second time at once
            self.should_exit = True

    return Quiet(config)


def _warm(desk: Desk) -> None:
    """Open the first model while the browser still starts; what goes wrong is said when the page asks."""
    try:
        answering.network(desk, desk.session()["model"])
    except Exception:
        return
