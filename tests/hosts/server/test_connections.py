"""Connections over real sockets: who asks nothing, asks slowly, or listens to nothing, holds up nobody and isn't kept.

The limits are made short here; nothing is measured but what happens.
"""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.hosts.server.asking import TOKEN, desk_with, noise, png

from convlens.hosts.desk import Desk
from convlens.hosts.server import connection, launching, receiving, scheduling
from convlens.hosts.server.complaints import Complaints
from convlens.lens import Lens

HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HEAD = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
_HANGS = 30  # seconds after which a test is given up


class Running:
    """A server in a thread of this process."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.listening = launching.bound("127.0.0.1", 0)
        self.port = self.listening.getsockname()[1]
        self.server = launching._server(desk, "127.0.0.1", self.port, TOKEN, Complaints())
        self.thread = threading.Thread(target=self.server.run, args=([self.listening],))
        self.thread.start()

    @property
    def connections(self) -> int:
        return len(self.server.server_state.connections)

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.port}", headers=HEADERS, timeout=_HANGS) as client:
            return client.request(method, path, **more)

    def run(self, pixels: Any) -> str:
        picture = self.ask("POST", "/api/pictures", content=png(pixels)).json()["id"]
        id: str = self.ask("POST", "/api/runs", json={"model": "0", "picture": picture}).json()["id"]
        return id

    def open(self, sent: bytes = b"") -> socket.socket:
        line = socket.create_connection(("127.0.0.1", self.port), timeout=_HANGS)
        line.sendall(sent)
        return line

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(_HANGS)
        assert not self.thread.is_alive()
        self.listening.close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HEAD", "STALLED", "LINGER"):
        monkeypatch.setattr(connection, name, 0.3)
    monkeypatch.setattr(receiving, "PAUSE", 0.3)
    monkeypatch.setattr(launching, "_LOOK", 1)


@pytest.fixture
def running(short: None) -> Iterator[Running]:
    found = Running(desk_with(upload_model=True))
    yield found
    found.stop()


def rest(line: socket.socket) -> bytes:
    """What still comes, until the server closes the connection."""
    try:
        return b"".join(iter(lambda: line.recv(65536), b""))
    except ConnectionError:
        return b""


def until(true: Callable[[], bool]) -> None:
    for _ in range(_HANGS * 20):
        if true():
            return
        threading.Event().wait(0.05)
    raise AssertionError("it never came about")


GET = f"GET /api/session HTTP/1.1\r\n{HEAD}".encode()
POST = f"POST /api/pictures HTTP/1.1\r\n{HEAD}".encode()


NEVER_ENDS = [
    (b"", b""),
    (b"\r\n", b"400"),
    (b"G", b"408"),
    (GET, b"408"),
    (GET + b"X: " + b"a" * 1000, b"408"),
    (GET + b"\r\n" + b"GET /api", b"200"),
    (GET + b"\r\n\r\n", b"200"),
    (GET + b"Content-Length: 1000\r\n\r\nx", b"200"),
    (POST + b"Content-Length: 1000\r\n\r\nx", b"408"),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nab", b"408"),
    (POST.replace(TOKEN.encode(), b"wrong") + b"Content-Length: 1000\r\n\r\nx", b"401"),
    (POST + b"Content-Length: 99999999999\r\n\r\nx", b"413"),
    (POST.replace(b"pictures", b"runs") + b"Content-Length: 99999999\r\n\r\nx", b"413"),
    (POST.replace(b"pictures", b"runs") + b"Content-Type: application/json\r\nContent-Length: 99\r\n\r\n{", b"408"),
]  # fmt: skip


def test_what_never_ends_is_not_waited_for(running: Running) -> None:
    lines = [(running.open(sent), sent, answered) for sent, answered in NEVER_ENDS * 3]
    for line, sent, answered in lines:
        found = rest(line)
        assert found[9:12] == answered, (sent, found)
        assert b"Traceback" not in found
    until(lambda: running.connections == 0)
    assert running.ask("GET", "/api/session").status_code == 200


def test_who_sends_too_much_can_read_that_it_is(running: Running) -> None:
    """The connection isn't cut while the rest is on its way: the system would take the answer back."""
    for more in ({}, {"Transfer-Encoding": "chunked"}):
        for path in ("runs", "pictures"):
            pieces = (bytes(100_000) for _ in range(600)) if more else bytes(60_000_000)
            answer = running.ask("POST", f"/api/{path}", content=pieces, headers={"Content-Type": "application/json"})
            assert answer.status_code == 413
            assert "too large" in answer.json()["problem"]


def test_a_body_that_trickles_is_not_read_to_its_end(running: Running) -> None:
    line = running.open(POST + b"Content-Length: 1000000\r\n\r\n")

    def is_cut() -> bool:
        try:
            line.sendall(b"x")
        except OSError:  # reset, or a broken pipe, by the system's choice
            return True
        return False

    until(is_cut)
    until(lambda: running.connections == 0)


def test_a_listener_who_takes_nothing_is_left(running: Running) -> None:
    run = running.run(noise(1500, 1500))
    assert b"end" in running.ask("GET", f"/api/runs/{run}/events").content
    lines = [
        running.open(f"GET /api/runs/{run}/values.npy?layer=conv HTTP/1.1\r\n{HEAD}\r\n".encode()) for _ in range(4)
    ]
    until(lambda: running.connections == 4)
    until(lambda: running.connections == 0)
    for line in lines:
        line.close()
    assert len(running.ask("GET", f"/api/runs/{run}/values.npy?layer=conv").content) > 1500 * 1500 * 16


def test_numbers_that_nobody_takes_are_bounded(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "STALLED", 1e9)
    run = running.run(noise(1500, 1500))
    assert b"end" in running.ask("GET", f"/api/runs/{run}/events").content
    asked = f"/api/runs/{run}/maps.npy?layer=conv&channels=0,1"
    size = len(running.ask("GET", asked).content)
    monkeypatch.setattr(scheduling, "HELD", 3 * size)
    lines = [running.open(f"GET {asked} HTTP/1.1\r\n{HEAD}\r\n".encode()) for _ in range(3)]
    for line in lines:
        assert line.recv(12) == b"HTTP/1.1 200"
    refused = running.ask("GET", asked)
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
    lines.pop().close()
    until(lambda: running.ask("GET", asked).status_code == 200)
    for line in lines:
        line.close()
    until(lambda: running.connections == 0)


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    gate = threading.Event()
    plain = Lens.feature_maps

    def held(self: Lens, picture: object, *, each: Callable[..., None], **options: Any) -> Any:
        def slowly(layer: Any, array: Any) -> None:
            assert gate.wait(_HANGS)
            each(layer, array)

        return plain(self, picture, each=slowly, **options)

    monkeypatch.setattr(Lens, "feature_maps", held)
    yield gate
    gate.set()


def test_connections_that_ask_nothing_make_room_and_those_that_wait_do_not(
    monkeypatch: pytest.MonkeyPatch, gate: threading.Event
) -> None:
    monkeypatch.setattr(connection, "most_connections", lambda: 8)
    monkeypatch.setattr(connection, "LINGER", 1.0)
    running = Running(desk_with())
    try:
        silent = [running.open(b"GET / HT") for _ in range(40)]
        until(lambda: running.connections <= 8)
        run = running.run(noise(20, 20))
        events = [running.open(f"GET /api/runs/{run}/events HTTP/1.1\r\n{HEAD}\r\n".encode()) for _ in range(8)]
        for line in events:
            assert line.recv(12) == b"HTTP/1.1 200"
        silent.extend(running.open(GET + b"\r\n") for _ in range(3 * connection.REFUSED))
        until(lambda: running.connections == 8)
        refused = rest(running.open(GET + b"\r\n"))
        assert refused.startswith(b"HTTP/1.1 503")
        body = refused.split(b"\r\n\r\n", 1)[1]
        assert f"Content-Length: {len(body)}".encode() in refused
        events.pop().close()
        until(lambda: running.connections < 8)
        assert running.ask("GET", "/api/session").status_code == 200
        gate.set()
        for line in events:
            found = b""
            while b"event: end" not in found:
                more = line.recv(65536)
                assert more
                found += more
        for line in silent:
            line.close()
    finally:
        gate.set()
        running.stop()


def test_what_nobody_listens_to_any_more_is_left(gate: threading.Event, running: Running) -> None:
    """A request that waits for a run ends with its connection: else those who have left would fill the room."""
    run = running.run(noise(20, 20))
    for _ in range(3):
        lines = [
            running.open(f"GET /api/runs/{run}/field?layer=conv&index=0,1,1 HTTP/1.1\r\n{HEAD}\r\n".encode())
            for _ in range(100)
        ]
        until(lambda: len(running.server.server_state.tasks) >= 100)
        for line in lines:
            line.close()
        until(lambda: not running.server.server_state.tasks)
    gate.set()
    answer = running.ask("GET", f"/api/runs/{run}/field?layer=conv&index=0,1,1")
    assert json.loads(answer.content)["clipped"]


def test_the_number_of_connections_stays_within_the_open_files() -> None:
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        for granted in (64, 256, 512, before[0]):
            resource.setrlimit(resource.RLIMIT_NOFILE, (granted, before[1]))
            most = connection.most_connections()
            assert 8 <= most <= connection.CONNECTIONS
            assert granted < 256 or most + connection.BACKLOG + connection.REFUSED < granted
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
