"""Requests and models that mean harm, against a server with a socket: no error of its own, no hang, and it lives on.

``HOSTILE=20000 pytest tests/hosts/server/test_attack.py`` draws so many requests; the suite draws some hundreds.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from tests.hosts.server.asking import TOKEN, Client, desk_with, noise, png
from tests.hosts.server.test_connections import Running

PICTURE = b"PICTURE".ljust(32, b".")  # as long as what takes its place
COUNT = int(os.environ.get("HOSTILE", "300"))
_HANGS = 30

# --- requests


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    found = Running(desk_with(upload_model=True, upload_bytes=200_000, upload_pixels=100_000, budget=50_000_000))
    run = found.run(noise(20, 20))
    found.ask("GET", f"/api/runs/{run}/events")
    yield found
    found.stop()


def the_run(running: Running) -> str:
    return next(iter(running.desk._runs))


PIECES = st.sampled_from(
    ["..", "%2e%2e", "%2f", "%00", "\\", "//", ".", "etc/passwd", "%", "%ff", "%zz", "\u0e41".encode().hex(),
     "a" * 3000, "api", "runs", "RUN", "models", "0", "pictures", "session", "network", "events", "values.npy",
     "maps.npy", "tile.npy", "kernels", "kernels.npy", "derivation", "explanation", "field", "effective",
     "effective.npy", "picture.png", "drawing.svg", "channels", "docs", "openapi.json", "assets", "index.html",
     "x.webp", "?", "#", "@", ":", "*", "http:"]
)  # fmt: skip
KNOWN = st.sampled_from(
    ["/", "/api/session", "/docs", "/openapi.json", "/api/runs", "/api/pictures", "/api/models", "/api/runs/RUN",
     "/api/runs/RUN/network", "/api/runs/RUN/events", "/api/runs/RUN/values.npy", "/api/runs/RUN/maps.npy",
     "/api/runs/RUN/tile.npy", "/api/runs/RUN/explanation", "/api/runs/RUN/field", "/api/runs/RUN/effective",
     "/api/runs/RUN/channels", "/api/runs/RUN/drawing.png", "/api/runs/RUN/kernels", "/api/models/0/network",
     "/api/models/0/kernels.npy", "/api/models/0/derivation"]
)  # fmt: skip
PATHS = KNOWN | st.lists(PIECES, min_size=1, max_size=6).map(lambda parts: "/" + "/".join(parts))
NUMBERS = st.sampled_from(
    ["0", "-1", "1e9", "999999999", "9" * 400, "NaN", "", "0,0,0", "0,1,1", ",", "0x1", "%00", "\u0660"]
)
QUERIES = st.dictionaries(
    st.sampled_from(["layer", "index", "channels", "channel", "level", "slice", "row", "column", "groups", "name",
                     "page", "first", "count", "width", "mode", "scale", "x"]),
    NUMBERS | st.sampled_from(["conv", "relu", "conv%00", "x" * 1100, "%F0%9F%90%88", "../x", "auto", "map",
    "m.onnx", "x.pt"]), max_size=4,
)  # fmt: skip
HEADERS = st.lists(
    st.sampled_from(
        ["Range: bytes=0-", "Range: bytes=-9999999999999999999", "Upgrade: websocket", "Upgrade: h2c",
         "Content-Type: application/json", "Content-Type: application/json", "Content-Type: application/json",
         "Content-Type: multipart/form-data; boundary=", "Content-Type: \xff", "Accept: text/html",
         "If-None-Match: *", 'If-None-Match: "', "Cookie: " + "c=d;" * 500, "Accept-Language: th", "TE: trailers",
         "Trailer: Host", "Content-Encoding: gzip", "X-Forwarded-Host: evil.example", "Expect: 100-continue",
         "Transfer-Encoding: chunked", "Content-Length: 4"]
    ),
    max_size=3,
)  # fmt: skip
MALFORMED = st.sampled_from(
    ["Origin: http://[::1", "Origin: null", "Host: evil.example", "Host: 127.0.0.1", "Transfer-Encoding: gzip",
     "Content-Length: -1", "Content-Length: 0", "Content-Length: 99999999999999999999", "Content-Length: 1000000",
     "Cookie: a=b; ;;=;\x01", "X: " + "y" * 70_000, ": nameless", "no colon", " folded", "X\u00a0Y: z",
     "Referer: \xff\xfe"]
)  # fmt: skip
ASKED = st.sampled_from(
    [b'{"model":"0","picture":"%b"%b}' % (PICTURE, more) for more in (
        b"", b',"page":"x"', b',"recipe":null', b',"recipe":{}', b',"recipe":{"size":[9,9]}', b',"recipe":{"std":[0]}',
        b',"recipe":{"scale":1e400}', b',"recipe":{"mean":[NaN],"size":[1e999,1]}', b',"recipe":{"size":[1e30,-1]}',
        b',"recipe":{"resize":"stretch","size":[99999,99999]}', b',"recipe":{"crop":0.0001}', b',"recipe":[]',
        b',"recipe":{"mean":[1,2,3,4],"std":"x"}', b',"recipe":{"scale":"\\ud800"}', b',"page":"\\u0000"')]
    + [b'{"model":"\\ud800","picture":"\\udfff"}', b'{"model":"0","picture":"x"}', b"null", b"[]", b"{", b"[" * 50_000]
)  # fmt: skip
BODIES = st.sampled_from(
    [b"", b"null", b"[]", b"{", b'{"model":"0","picture":"x"}', b"[" * 50_000, b'{"model":"' + b"a" * 20_000 + b'"}',
     b'{"model":"\\ud800","picture":"\\udfff","page":"\\u0000"}', b"\x89PNG\r\n\x1a\n", b"GIF89a\xff\xff\xff\xff",
     b"II*\x00\xff\xff\xff\xff", b"BM" + b"\xff" * 60, b"\x80\x04\x95.", b"PK\x03\x04", b"\x93NUMPY\x01\x00",
     b"\x08\x08\x3a\xff\xff\xff\xff\x0f", png(noise(3, 3)), png(noise(30, 30))[:300], b"5\r\nhello\r\n0\r\n\r\n",
     b"ffffffffffffffff\r\nx", b"GET / HTTP/1.1\r\n\r\n"]
) | st.binary(max_size=200)  # fmt: skip
METHODS = st.sampled_from(["GET"] * 12 + ["POST"] * 12 + ["PUT", "DELETE", "OPTIONS", "PATCH", "HEAD", "TRACE", "get"])
VERSIONS = st.sampled_from(["HTTP/1.1"] * 20 + ["HTTP/1.0", "HTTP/2.0", "HTTP/9", "", "HTTP/1.1 x"])


def seldom(draw: st.DrawFn, times: int) -> bool:
    return draw(st.integers(1, times)) == times


@st.composite
def requests(draw: st.DrawFn) -> tuple[str, list[str], bytes]:
    """A request line, headers, and a body; most of it is what a client could send, so that it reaches its route."""
    method, path, body = draw(METHODS), draw(PATHS), draw(BODIES)
    if method == "POST" and not seldom(draw, 4):
        path = draw(st.sampled_from(["/api/runs", "/api/pictures", "/api/models"]))
    query = "&".join(f"{name}={value}" for name, value in draw(QUERIES).items())
    headers = draw(HEADERS)
    if path == "/api/runs" and not seldom(draw, 3):
        headers.append("Content-Type: application/json")
        body = draw(ASKED)
    if not seldom(draw, 8):
        headers = ["Host: 127.0.0.1", *headers]
    if not any(header.startswith(("Content-Length", "Transfer")) for header in headers):
        headers.append(f"Content-Length: {len(body)}")
    if seldom(draw, 6):
        headers.insert(draw(st.integers(0, len(headers))), draw(MALFORMED))
    if not seldom(draw, 8):
        headers.append(f"Authorization: Bearer {TOKEN}")
    return f"{method} {path}{'?' + query if query else ''} {draw(VERSIONS)}", headers, body


def status_of(running: Running, line: str, headers: list[str], body: bytes) -> tuple[int, bytes]:
    """The status of the answer, 0 where the connection was closed without one, and what was answered."""
    run, picture = the_run(running), next(iter(running.desk._pictures))
    head = "\r\n".join([line.replace("RUN", run), *headers, "Connection: close", "", ""])
    with socket.create_connection(("127.0.0.1", running.port), timeout=_HANGS) as connection:
        try:
            connection.sendall(head.encode("utf-8", "replace") + body.replace(PICTURE, picture.encode()))
            found = b""
            while b"\r\n" not in found or b"\r\n\r\n" not in found:
                more = connection.recv(65536)
                if not more:
                    break
                found += more
        except ConnectionError:
            return 0, b""
    return int(found[9:12]) if found.startswith(b"HTTP/1.1 ") else 0, found


@settings(max_examples=COUNT, deadline=None, suppress_health_check=list(HealthCheck))
@given(request=requests())
def test_no_request_is_an_error_of_the_server(running: Running, request: tuple[str, list[str], bytes]) -> None:
    line, headers, body = request
    if "Transfer-Encoding: chunked" in headers:  # else the server rightly waits for more, and this test with it
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    elif "Content-Length: 4" in headers:
        body = (body + b"    ")[:4]
    status, found = status_of(running, line, headers, body)
    assert status < 500 or status == 503, (line, headers, body, found)
    assert status != 503 or b"isn't built" in found or b"etry-" in found, found
    assert b"Traceback" not in found
    if not any(TOKEN in header for header in headers):
        assert status == 0 or status >= 400, (line, found)


def test_it_lives_on(running: Running) -> None:
    """After all that: its first run answers as it did, and so does a new one."""
    run = running.run(noise(21, 20))
    assert b'"state":"done"' in running.ask("GET", f"/api/runs/{run}/events").content
    assert running.ask("GET", f"/api/runs/{run}/explanation?layer=conv&index=0,1,1").json()["agrees"] is True
    assert running.thread.is_alive()


# --- models


def _graph(nodes: list[Any], weights: list[Any], shape: Any = (1, 3, 8, 8)) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "hostile",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [onnx.ValueInfoProto(name=nodes[-1].output[0])],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def _conv(shape: Any = (1, 3, 8, 8), weight: Any = None, name: str = "c", **attributes: Any) -> onnx.ModelProto:
    weight = numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w") if weight is None else weight
    return _graph([helper.make_node("Conv", ["x", "w"], [name], name=name, **attributes)], [weight], shape)


def _with(operator: str, numbers: list[int], **attributes: Any) -> onnx.ModelProto:
    """An operator that reads sizes from the model."""
    return _graph(
        [helper.make_node(operator, ["x", "n"], ["y"], **attributes)],
        [numpy_helper.from_array(np.array(numbers, np.int64), "n")],
    )


def _claims(*dims: int, raw: bytes = b"") -> onnx.ModelProto:
    return _conv(weight=TensorProto(name="w", data_type=TensorProto.FLOAT, dims=dims, raw_data=raw))


def _elsewhere(location: str, **facts: str) -> onnx.ModelProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=(2, 3, 3, 3), data_location=TensorProto.EXTERNAL)
    for key, value in {"location": location, **facts}.items():
        tensor.external_data.add(key=key, value=value)
    return _conv(weight=tensor)


def _elsewhere_in_a_branch() -> onnx.ModelProto:
    """The same within the graph of an attribute, where a look at the graph's own weights doesn't reach."""
    tensor = _elsewhere("/etc/passwd").graph.initializer[0]
    inner = helper.make_graph(
        [helper.make_node("Identity", ["w"], ["z"])], "inner", [], [onnx.ValueInfoProto(name="z")], [tensor]
    )
    node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
    return _graph([node], [numpy_helper.from_array(np.array(True), "c")])


def _nested(depth: int) -> onnx.ModelProto:
    inner = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])], "inner", [], [onnx.ValueInfoProto(name="y")]
    )
    for _ in range(depth):
        node = helper.make_node("If", ["c"], ["y"], then_branch=inner, else_branch=inner)
        inner = helper.make_graph([node], "inner", [], [onnx.ValueInfoProto(name="y")])
    return _graph(list(inner.node), [numpy_helper.from_array(np.array(True), "c")])


REFUSED = {
    "claims 12 GB": _claims(1000, 3, 1000, 1000),
    "claims 2^62 values": _claims(2**31, 2**31, 1, 1),
    "a negative size": _claims(-2, 3, 3, 3, raw=bytes(216)),
    "a file elsewhere": _elsewhere("/etc/passwd"),
    "a file above": _elsewhere("../../../../etc/passwd", offset="0", length="216"),
    "a file in a branch": _elsewhere_in_a_branch(),
}
TAKEN = {
    "nothing in its weights": _claims(0, 3, 3, 3),
    "a picture of 2^62 pixels": _conv((1, 3, 2**31 - 1, 2**31 - 1)),
    "a picture of 10^10 pixels": _conv((1, 3, 100_000, 100_000)),
    "a batch of 300,000": _conv((300_000, 3, 64, 64)),
    "padding to 120 GB": _with("Pad", [0, 0, 0, 0, 0, 0, 100_000, 100_000]),
    "tiles of 7 TB": _with("Tile", [1, 1, 100_000, 100_000]),
    "a size of -5": _with("Reshape", [-5, 7]),
    "pads of a million": _conv(pads=[10**6] * 4),
    "pads of -100": _conv(pads=[-100] * 4),
    "no group": _conv(group=0),
    "7 groups": _conv(group=7),
    "no stride": _conv(strides=[0, 0]),
    "a stride backwards": _conv(strides=[-1, -1]),
    "a dilation of 2^40": _conv(dilations=[2**40, 2**40]),
    "a kernel of nothing": _graph([helper.make_node("MaxPool", ["x"], ["y"], kernel_shape=[0, 0])], []),
    "a circle": _graph([helper.make_node("Relu", ["b"], ["a"]), helper.make_node("Relu", ["a"], ["b"])], []),
    "an operator of nobody's": _graph([helper.make_node("Evil", ["x"], ["y"], domain="evil")], []),
    "branches in branches": _nested(5),
    "a name of a megabyte": _conv(name="n" * 100_000),
    "a name that moves the cursor": _conv(name="a\x1b[2J\r\n<script>alert(1)</script>\u202e"),
}


@pytest.fixture(scope="module")
def taking() -> Client:
    return Client(desk_with(upload_model=True, budget=50_000_000))


@pytest.mark.parametrize("what", [*REFUSED, *TAKEN])
def test_a_hostile_model_is_refused_in_one_line(taking: Client, what: str) -> None:
    """When it is sent, when it is shown, or when it is run; before any memory that it claims is taken."""
    model = REFUSED.get(what) or TAKEN[what]
    sent = taking.ask("POST", "/api/models", params={"name": "m.onnx"}, content=model.SerializeToString())
    told = [sent.json()]
    if what in REFUSED:
        assert sent.status_code == 422
    else:
        assert sent.status_code == 201, sent.text
        id = sent.json()["id"]
        picture = taking.add_picture(noise(8, 8))["id"]
        for path in ("network", "kernels?layer=c", "kernels.npy?layer=c", "derivation?layer=c"):
            answer = taking.ask("GET", f"/api/models/{id}/{path}")
            assert answer.status_code in (200, 404, 422), (path, answer.text)
            told += [answer.json()] if answer.status_code != 200 else []
        run = taking.run(picture, model=id)
        assert run["state"] in ("done", "failed")
        told += [run["problem"]] if run["problem"] else []
        assert run["state"] == "failed" or ("GB" not in what and "batch" not in what)
        del taking.desk._models[id]
    for problem in told:
        line = " ".join(str(problem.get(part, "")) for part in ("problem", "expected", "received", "hint"))
        assert "Traceback" not in line
        assert "root:" not in line
        assert "\n" not in line
        assert len(line) < 2000


def test_a_model_that_is_nested_without_end_is_refused(taking: Client) -> None:
    """Bytes that no library would write: a graph in an attribute of a node of a graph, and so on."""

    def field(number: int, data: bytes) -> bytes:
        size, length = len(data), b""
        while size > 127:
            length += bytes([size & 127 | 128])
            size >>= 7
        return bytes([number << 3 | 2]) + length + bytes([size]) + data

    graph = b""
    for _ in range(3000):
        graph = field(1, field(5, field(6, graph)))
    answer = taking.ask("POST", "/api/models", params={"name": "m.onnx"}, content=b"\x08\x08" + field(7, graph))
    assert answer.status_code == 422
    assert "no ONNX model" in answer.json()["problem"]


def test_a_model_that_runs_at_one_size_alone_is_taken_and_shown(taking: Client) -> None:
    """No size is guessed for it when it is sent; what needs none is there, and a picture of that size runs."""
    model = _graph(
        [helper.make_node("Conv", ["x", "w"], ["c"], name="c"), helper.make_node("Add", ["c", "b"], ["y"], name="y")],
        [
            numpy_helper.from_array(np.ones((2, 3, 3, 3), np.float32), "w"),
            numpy_helper.from_array(np.ones((1, 2, 27, 41), np.float32), "b"),
        ],
        (1, 3, "h", "w"),
    )
    sent = taking.ask("POST", "/api/models", params={"name": "m.onnx"}, content=model.SerializeToString())
    assert sent.status_code == 201
    id = sent.json()["id"]
    assert set(taking.numbers(f"/api/models/{id}/kernels.npy", layer="c").ravel()) == {1.0}
    network = taking.fact(f"/api/models/{id}/network")
    assert [layer["name"] for layer in network["layers"]] == ["c", "y"]
    run = taking.run(taking.add_picture(noise(29, 43))["id"], model=id)
    assert (run["state"], [fact["shape"] for fact in run["maps"]]) == ("done", [[2, 27, 41]] * 2)
    other = taking.run(taking.add_picture(noise(30, 43))["id"], model=id)
    assert other["state"] == "failed"
    assert other["problem"]["problem"]
