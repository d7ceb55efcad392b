"""``convlens view`` as a person starts it: a process of its own, a real socket, and Ctrl-C."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from tests.hosts.server.asking import TOKEN
from tests.page.serving import Serving

from convlens.hosts.cli.app import run


@pytest.fixture
def started() -> Iterator[tuple[subprocess.Popen[str], str]]:
    words = [sys.executable, "-m", "convlens", "view", "--no-browser", "--port", "0", "--token", TOKEN]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(rf"http://127\.0\.0\.1:\d+/\?token={TOKEN}", line)
        assert found, line
        assert "Ctrl-C stops" in process.stdout.readline()
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def test_it_prints_the_address_answers_there_and_stops_at_ctrl_c(started: tuple[subprocess.Popen[str], str]) -> None:
    process, address = started
    with httpx.Client(base_url=address.split("?")[0], follow_redirects=True) as page:
        assert page.get(address).status_code in (200, 503)  # 503 says how to build the page
        session = page.get("/api/session").json()
        alone = [model for model in session["models"] if model["step"] is None]
        steps = [model["step"] for model in session["models"] if model["step"] is not None]
        assert len(alone) == 8
        assert [step["number"] for step in steps][:4] == [0, 1, 2, 4]
        digits = [picture for picture in session["pictures"] if picture["id"] in steps[0]["pictures"]]
        assert [picture["name"] for picture in digits] == [f"digit {n}" for n in range(10)]
        assert session["pictures"][0]["rows"] == 1440
        network = page.get(f"/api/models/{session['model']}/network").json()
        assert network["parameters"] == 84
        body = {"model": session["model"], "picture": session["picture"], "page": "a"}
        run = page.post("/api/runs", json=body).json()
        told = page.get(f"/api/runs/{run['id']}/events").text
        assert told.count("event: map") == len(network["layers"])
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)
    assert process.returncode == 0
    assert err == ""


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /api/session HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        b"GET /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        b"GET /api/session HTTP/1.1\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        b"GET http://evil.example/api/session HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer TOKEN\r\n\r\n",
        b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\n"
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n",
        b"POST /api/pictures HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer TOKEN\r\nContent-Length: -1\r\n\r\n",
        b"GET /api/session HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
    ],
    ids=["host", "two hosts", "no host", "absolute", "two lengths", "negative", "nul", "long", "tls"],
)
def test_smuggled_headers_open_nothing(started: tuple[subprocess.Popen[str], str], request_: bytes) -> None:
    process, address = started
    port = int(address.split(":")[2].split("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as line:
        try:
            line.sendall(request_.replace(b"TOKEN", TOKEN.encode()))
            line.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: line.recv(65536), b""))
        except ConnectionError:
            answer = b""
    assert not answer.startswith(b"HTTP/1.1 2")
    assert b'"models"' not in answer
    assert process.poll() is None
    assert httpx.get(f"http://127.0.0.1:{port}/api/session", params={"token": TOKEN}).status_code == 200


def test_a_model_that_reads_no_picture_is_shown_with_an_array(tmp_path: Path) -> None:
    model = helper.make_model(
        helper.make_graph(
            [helper.make_node("Gemm", ["x", "w"], ["y"], name="dense")],
            "vector",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
            [numpy_helper.from_array(np.ones((4, 3), np.float32), "w")],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    onnx.save(model, tmp_path / "dense.onnx")
    np.save(tmp_path / "input.npy", np.arange(4, dtype=np.float32)[None])
    alone = run(["view", str(tmp_path / "dense.onnx"), "--no-browser"])
    assert alone == 2
    headers = {"Authorization": f"Bearer {TOKEN}"}
    words = [str(tmp_path / name) for name in ("dense.onnx", "input.npy")]
    with Serving(*words, token=TOKEN) as serving, httpx.Client(base_url=serving.origin, headers=headers) as page:
        session = page.get("/api/session").json()
        started = page.post("/api/runs", json={"model": session["model"], "picture": session["picture"]}).json()
        assert started["state"] == "done"
        told = page.get(f"/api/runs/{started['id']}/explanation", params={"layer": "dense", "index": "1"}).json()
    assert told["framework_value"] == 6.0
    assert told["agrees"]
