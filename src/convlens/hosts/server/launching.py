"""Starts the server on a free port, and opens the page."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from secrets import token_urlsafe
from threading import Thread
from time import monotonic
from types import FrameType
from typing import TYPE_CHECKING

from convlens.errors import ConvlensError
from convlens.hosts import answering
from convlens.hosts.server.complaints import Complaints

if TYPE_CHECKING:
    import uvicorn

    from convlens.hosts.desk import Desk

PORT = 8765
TOKEN_LETTERS, TOKEN_DIFFERENT = 16, 8
"""The least of a token that a person chooses: 16 random hexadecimal digits are 64 bits."""
_TRIES = 50
_LOOK = 10  # tenths of a second between two looks at the connections
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
    """Serve what lies on the desk until Ctrl-C. ``told`` gets the address to open, in a thread: it may wait for ever.

    ``port``: ``None`` for 8765 or the next free one, 0 for any free one.

    Raises:
        ConvlensError: the address can't be bound to; a token that is easily guessed.
    """
    if token is not None:
        check_token(token)
    with bound(host, port) as listening:
        number = listening.getsockname()[1]
        token = token or token_urlsafe(24)
        name = "127.0.0.1" if host in _EVERYWHERE else host
        name = f"[{name}]" if ":" in name else name
        url = f"http://{name}:{number}/?token={token}"
        complaints = Complaints()
        warm(desk)
        with suppress(KeyboardInterrupt), _logged(complaints):  # the person's way to end it, at any moment from here on

            def ready() -> None:
                Thread(target=told, args=(url,), name="convlens-address", daemon=True).start()
                if (warning := warning_of(listening)) is not None:
                    complaints.say(warning)
                if open_browser:
                    Thread(target=webbrowser.open, args=(url,), daemon=True).start()

            _server(desk, host, number, token, complaints, ready).run([listening])


def check_token(token: str) -> None:
    """Refuse a token that can be guessed: whoever has it sees all, and may ask as often as he likes.

    Raises:
        ConvlensError: it is shorter than 16 letters, has fewer than 8 different ones, or other signs.
    """
    allowed = token.isascii() and token.replace("-", "").replace("_", "").isalnum()
    if allowed and len(token) >= TOKEN_LETTERS and len(set(token)) >= TOKEN_DIFFERENT:
        return
    raise ConvlensError(
        "This token is no key: whoever guesses it sees everything" if allowed else "This is no token",
        expected=f"at least {TOKEN_LETTERS} letters, digits, - and _, {TOKEN_DIFFERENT} of them different",
        received=f"{len(token)} signs, {len(set(token))} of them different" if allowed else repr(token)[:80],
        hint=f"Leave out --token for a random one, or type --token {token_urlsafe(24).lstrip('-')}",
    )


def warning_of(listening: socket.socket) -> str | None:
    """What it means that others can reach the server; ``None`` on this machine's own address."""
    address, port = listening.getsockname()[:2]
    reached = ip_address(address.partition("%")[0])
    if reached.is_loopback:
        return None
    where = "every address of this machine" if reached.is_unspecified else address
    return (
        f"convlens: WARNING: the server listens at {where}, port {port}, where other machines reach it. Whoever has "
        "the token sees your models and pictures and runs them here, and the connection is not encrypted: the token, "
        "too, can be read on its way. Leave out --host for this machine alone; from elsewhere, type there: "
        f"ssh -L {port}:127.0.0.1:{port} THIS_MACHINE"
    )


def warm(desk: Desk) -> None:
    """Open the first model while the browser still starts; what goes wrong is said when the page asks."""
    first = desk.session()["model"]
    desk.model(first).queue.submit(answering.network, desk, first)


@contextmanager
def _logged(complaints: Complaints) -> Iterator[None]:
    """Have the logs of uvicorn and asyncio go to the complaints alone; else they wait for stderr, and serving waits."""
    logs = [logging.getLogger(name) for name in ("uvicorn.error", "asyncio")]
    before = [(log, log.propagate, log.handlers[:]) for log in logs]
    for log in logs:
        log.propagate, log.handlers[:] = False, [complaints]
    try:
        yield
    finally:
        for log, propagate, handlers in before:
            log.propagate, log.handlers[:] = propagate, handlers


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


def _server(
    desk: Desk, host: str, port: int, token: str, complaints: Complaints, ready: Callable[[], None] = lambda: None
) -> uvicorn.Server:
    import uvicorn

    from convlens.hosts.server.app import create
    from convlens.hosts.server.connection import BACKLOG, Connection, most_connections

    class Bounded(Connection):
        most = most_connections()

    config = uvicorn.Config(
        create(desk, token=token, hosts=hosts_of(host), port=port),
        http=Bounded,
        ws="none",
        backlog=BACKLOG,
        proxy_headers=False,
        server_header=False,
        log_config=None,
        log_level="error",
        access_log=False,
        timeout_graceful_shutdown=1,
        h11_max_incomplete_event_size=64 * 1024,
    )

    class Server(uvicorn.Server):
        """Looks after its connections, and ends soon: at one signal with what is nearly done, at two at once."""

        def handle_exit(self, _signal: int, _frame: FrameType | None) -> None:
            self.force_exit = self.should_exit  # without raising it again afterwards, as uvicorn's own does
            self.should_exit = True

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            asyncio.get_running_loop().set_exception_handler(complaints.of_loop)
            await super().startup(sockets)
            ready()

        async def on_tick(self, counter: int) -> bool:
            if counter % _LOOK == 0:
                for connection in list(self.server_state.connections):
                    if isinstance(connection, Connection):
                        connection.look(monotonic())
            return await super().on_tick(counter)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            complaints.ending = True  # what is cut off now is no fault
            desk.close()
            await super().shutdown(sockets)
            for connection in list(self.server_state.connections):
                connection.transport.abort()

    return Server(config)
