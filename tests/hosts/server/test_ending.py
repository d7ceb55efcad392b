"""``convlens view`` as a process of its own: a signal ends it, whatever goes on; nothing else does.

Neither a full pipe nor a lack of open files; and at the end no traceback is told, and nothing is left behind.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.hosts.server.asking import TOKEN, noise, png

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and limits of POSIX")
HEADERS = {"Authorization": f"Bearer {TOKEN}"}
HEAD = f"Host: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
WORDS = [sys.executable, "-m", "convlens", "view", "--no-browser", "--token", TOKEN, "--allow-upload-model"]
_HANGS = 60  # seconds after which a test is given up
_LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv.pop(1)), resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
from convlens.hosts.cli import main
sys.exit(main())
"""


@pytest.fixture(scope="module")
def slow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model whose run takes longer than any of these tests: 400 large convolutions."""
    import onnx

    from convlens import sketches

    path = tmp_path_factory.mktemp("slow") / "slow.onnx"
    line = " | ".join(["conv 8 9x9 pad 4"] * 400)
    onnx.save(sketches.build(line, input_shape=(3, 300, 300)), path)
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files would lie."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    return folder


def port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)/", process.stdout.readline())
    assert found
    return int(found[1])


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


def asked(port: int, method: str, path: str, **more: Any) -> httpx.Response:
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=HEADERS, timeout=_HANGS) as client:
        return client.request(method, path, **more)


def until_it_answers(port: int) -> httpx.Response:
    for _ in range(_HANGS * 10):
        try:
            return asked(port, "GET", "/api/session")
        except httpx.TransportError:
            time.sleep(0.1)
    raise AssertionError("the server never answered")


@pytest.fixture
def pipe() -> Iterator[int]:
    """The end of a pipe into which nothing fits any more, and that nobody reads."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, b"x" * 65536)
    os.set_blocking(writing, True)
    yield writing
    os.close(reading)
    os.close(writing)


def test_it_ends_while_much_goes_on(slow: Path, folder: Path) -> None:
    process = subprocess.Popen(
        [*WORDS, "--port", "0", str(slow)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        port = port_of(process)
        picture = asked(port, "POST", "/api/pictures", content=png(noise(300, 300))).json()["id"]
        assert asked(port, "POST", "/api/models?name=m.onnx", content=slow.read_bytes()).status_code == 201
        started = asked(port, "POST", "/api/runs", json={"model": "model", "picture": picture}).json()
        assert started["state"] == "running", json.dumps(started)
        run = started["id"]
        lines = []
        for path, body in [
            (f"GET /api/runs/{run}/events", ""), (f"GET /api/runs/{run}/field?layer=conv&index=0,1,1", ""),
            ("GET /api/models/model/kernels?layer=conv", ""), ("POST /api/pictures", "Content-Length: 1000\r\n"),
            ("POST /api/models?name=a.onnx", "Transfer-Encoding: chunked\r\n"),
            (f"GET /api/runs/{run}/picture.png", ""),
        ] * 5:  # fmt: skip
            line = socket.create_connection(("127.0.0.1", port))
            line.sendall(f"{path} HTTP/1.1\r\n{HEAD}{body}\r\n".encode())
            lines.append(line)
        lines += [socket.create_connection(("127.0.0.1", port)) for _ in range(10)]
        assert asked(port, "GET", f"/api/runs/{run}").json()["state"] == "running"
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=_HANGS)
        assert err == ""
        assert process.returncode == 0
        assert {one.name for one in folder.iterdir()} <= {".ses"}  # ONNX Runtime's own
        for line in lines:
            line.close()
    finally:
        process.kill()
        process.communicate()


def test_a_pipe_that_nobody_reads_holds_up_neither_serving_nor_the_end(pipe: int) -> None:
    port = free_port()
    process = subprocess.Popen([*WORDS, "--port", f"{port}", "--host", "127.0.0.1"], stdout=pipe, stderr=pipe)
    try:
        assert until_it_answers(port).status_code == 200
        for request in (b"\x00\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"POST / HTTP/9\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port)) as line:
                line.sendall(request)
        assert until_it_answers(port).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(_HANGS) == 0
    finally:
        process.kill()
        process.wait()


def test_it_goes_on_where_no_more_files_can_be_opened() -> None:
    words = [sys.executable, "-c", _LIMITED, "72", *WORDS[3:], "--port", "0"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        port = port_of(process)
        for round in range(2):
            lines = []
            for number in range(150):
                try:
                    lines.append(socket.create_connection(("127.0.0.1", port), timeout=1))
                    lines[-1].sendall(
                        [b"", b"GET / HT", f"GET /api/session HTTP/1.1\r\n{HEAD}\r\n".encode()][number % 3]
                    )
                except OSError:
                    break
            assert until_it_answers(port).status_code == 200, round
            for line in lines:
                line.close()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=_HANGS)
        assert "Traceback" not in err
        assert len(err.splitlines()) <= 2, err
        assert process.returncode == 0
    finally:
        process.kill()
        process.communicate()
