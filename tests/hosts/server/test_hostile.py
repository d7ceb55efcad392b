"""Requests that nobody means well with: each gets a plain refusal, and what was refused reached nothing."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from tests.hosts.server.asking import ADDRESS, PORT, TOKEN, Client, desk_with, noise, png

from convlens import sketches
from convlens.hosts.server.guard import POLICY


@pytest.fixture(scope="module")
def client() -> Client:
    return Client(desk_with(upload_bytes=200_000, upload_pixels=100_000))


@pytest.fixture(scope="module")
def run(client: Client) -> str:
    id: str = client.run(client.add_picture(noise(20, 20))["id"])["id"]
    return id


def refused(answer: httpx.Response, status: int) -> dict[str, str]:
    """A refusal in the form that all have: no traceback, nothing but words."""
    assert answer.status_code == status, answer.text
    fact: dict[str, str] = answer.json()
    assert set(fact) == {"problem", "expected", "received", "hint"}
    assert fact["problem"]
    assert "Traceback" not in answer.text
    assert "line " not in answer.text
    return fact


# --- who asks


@pytest.mark.parametrize("path", ["/", "/api/session", "/docs", "/openapi.json", "/assets/x.js", "/nothing"])
@pytest.mark.parametrize("token", [None, "wrong", "", TOKEN + "x", TOKEN[:-1], "s\u00e9cret"])
def test_nothing_is_told_without_the_token(path: str, token: str | None) -> None:
    client = Client(desk_with(), token=None)
    query = {} if token is None else {"token": token}
    refused(client.ask("GET", path, params=query), 401)
    if token is not None and token.isascii():
        refused(client.ask("GET", path, headers={"Authorization": f"Bearer {token}"}), 401)
        refused(client.ask("GET", path, headers={"Cookie": f"convlens-{PORT}={token}"}), 401)


def test_the_opened_address_leaves_a_cookie_and_no_token_behind() -> None:
    client = Client(desk_with(), token=None)
    answer = client.ask("GET", "/", params={"token": TOKEN})
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"convlens-{PORT}={TOKEN};")
    assert "httponly" in cookie.lower()
    assert "samesite=" in cookie.lower()
    assert "samesite=none" not in cookie.lower()
    assert client.ask("GET", "/api/session", headers={"Cookie": cookie.split(";")[0]}).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8765", "127.0.0.1.evil.example", "127.0.0.1@evil.example", "", "[::1", "127.0.0.2"],
)
def test_another_host_s_name_is_refused(client: Client, host: str) -> None:
    """DNS rebinding: a page of another site whose name has been made to point here."""
    refused(client.ask("GET", "/api/session", headers={"Host": host}), 421)


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999", "http://localhost", "file://", "x" * 5000]
)
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/api/session"), ("POST", "/api/pictures"), ("DELETE", "/api/runs/x")]
)
def test_another_site_is_refused(client: Client, origin: str, method: str, path: str) -> None:
    refused(client.ask(method, path, headers={"Origin": origin}), 403)


def test_the_page_itself_may_ask(client: Client) -> None:
    assert client.ask("GET", "/api/session", headers={"Origin": ADDRESS}).status_code == 200


@pytest.mark.parametrize("path", ["/api/session", "/docs", "/nothing", "/api/runs/x"])
def test_every_answer_is_sealed(client: Client, path: str) -> None:
    headers = client.get(path).headers
    assert headers["content-security-policy"] == POLICY
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers


def test_the_documentation_needs_nothing_from_elsewhere(client: Client) -> None:
    text = client.get("/docs").text
    assert "<script" not in text
    assert {part.split("/")[0] for part in text.split("http://")[1:]} == {f"127.0.0.1:{PORT}"}
    assert "https://" not in text
    for path in client.app.openapi()["paths"]:
        assert path in text


# --- paths


PATHS = [
    "/../pyproject.toml",
    "/..%2f..%2f..%2fetc%2fpasswd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/assets/..%5c..%5cdesk.py",
    "//etc/passwd",
    "/assets//etc/passwd",
    "/index.html%00.js",
    "/\u0e41\u0e21\u0e27",
    "/" + "a" * 8000,
    "/api/pictures/..%2f..%2fetc%2fpasswd.webp",
    "/api/runs/..%2fx/values.npy?layer=conv",
    "/api/models/..%2f..%2fmodel/network",
]


@pytest.mark.parametrize("path", PATHS)
def test_no_path_leads_out(client: Client, path: str) -> None:
    refused(client.ask("GET", path), 404)


def test_only_what_was_built_is_served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "page/assets").mkdir(parents=True)
    (tmp_path / "page/index.html").write_text("the page")
    (tmp_path / "page/assets/main.js").write_text("1")
    (tmp_path / "page/secret.txt").write_text("no page file")
    (tmp_path / "outside.js").write_text("outside")
    monkeypatch.setenv("CONVLENS_PAGE", str(tmp_path / "page"))
    client = Client(desk_with())
    assert client.get("/").text == "the page"
    assert client.get("/assets/main.js").headers["content-type"].startswith("text/javascript")
    (tmp_path / "page/assets/late.js").write_text("written after the start")
    for path in ["/secret.txt", "/../outside.js", "/%2e%2e/outside.js", "/assets/late.js", "/assets", "/assets/"]:
        refused(client.get(path), 404)


@pytest.mark.parametrize(
    "name", ["../../evil", "a\r\nSet-Cookie: x=y", "\u0e41\u0e21\u0e27.png", "x" * 300, '"; x="', ""]
)
def test_names_are_shown_and_never_used(client: Client, name: str, tmp_path: Path) -> None:
    answer = client.ask("POST", "/api/pictures", params={"name": name}, content=png(noise(9, 9)))
    assert answer.status_code == 201
    assert "set-cookie" not in answer.headers
    assert list(tmp_path.iterdir()) == []


# --- numbers


@pytest.mark.parametrize(
    ("route", "query"),
    [
        ("explanation", {"index": "1e9,0,0"}),
        ("explanation", {"index": "999999999,0,0"}),
        ("explanation", {"index": "-1,0,0"}),
        ("explanation", {"index": "0,0"}),
        ("explanation", {"index": "0,0,0,0"}),
        ("explanation", {"index": "NaN,0,0"}),
        ("explanation", {"index": ",".join("0" * 9000)}),
        ("explanation", {"index": "\u0660,0,0"}),
        ("explanation", {"index": "0,0,0", "groups": "-1"}),
        ("explanation", {"index": "0,0,0", "groups": "1" * 400}),
        ("field", {"index": "0,99999,0"}),
        ("effective", {"index": "0,-5,0"}),
        ("effective.npy", {"index": ""}),
        ("values.npy", {"channel": "-1"}),
        ("values.npy", {"channel": "4"}),
        ("values.npy", {"channel": "1" * 5000}),
        ("maps.npy", {"channels": "0,,1"}),
        ("maps.npy", {"channels": "all"}),
        ("maps.npy", {"channels": "0" * 19_000}),
        ("maps.npy", {"channels": "999999999"}),
        ("maps.npy", {"channels": "0", "level": "64"}),
        ("maps.npy", {"channels": "0", "level": "1000000000"}),
        ("maps.npy", {"channels": "0", "level": "inf"}),
        ("maps.npy", {"channels": "0", "slice": "1"}),
        ("tile.npy", {"row": "1000000000"}),
        ("tile.npy", {"row": "-1"}),
        ("tile.npy", {"level": "1000000000", "row": "1000000000"}),
        ("drawing.png", {"channel": "77"}),
        ("drawing.png", {"scale": "none"}),
        ("drawing.exe", {}),
    ],
)
def test_places_that_there_are_not(client: Client, run: str, route: str, query: dict[str, str]) -> None:
    refused(client.get(f"/api/runs/{run}/{route}", layer="conv", **query), 422)


@pytest.mark.parametrize("layer", ["", "nothing", "../conv", "conv\x00", "\u0e41\u0e21\u0e27", "x" * 1000, "[conv]"])
@pytest.mark.parametrize("route", ["channels", "values.npy", "explanation", "field", "effective", "drawing.png"])
def test_layers_that_there_are_not(client: Client, run: str, route: str, layer: str) -> None:
    refused(client.get(f"/api/runs/{run}/{route}", layer=layer), 404)


@pytest.mark.parametrize("route", ["network", "derivation?layer=a", "kernels?layer=a", "kernels.npy?layer=a"])
def test_models_that_there_are_not(client: Client, route: str) -> None:
    refused(client.ask("GET", f"/api/models/none/{route}"), 404)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"null", b"{", b'{"model": 1}', b"\xff\xfe", b'{"model": "0"}', b'{"model": "0", "picture": {}}'],
)
def test_runs_that_cannot_be_read(client: Client, body: bytes) -> None:
    refused(client.ask("POST", "/api/runs", content=body, headers={"Content-Type": "application/json"}), 422)


def test_a_body_that_is_nested_without_end_is_refused(client: Client) -> None:
    body = b"[" * 100_000
    refused(client.ask("POST", "/api/runs", content=body, headers={"Content-Type": "application/json"}), 400)


@pytest.mark.parametrize(
    "recipe",
    [{"size": [10**9, 10**9]}, {"size": [-1, 5]}, {"scale": "x"}, {"std": [0, 0, 0]}, {"mean": [1] * 9}, {"crop": -1},
     {"__class__": "x"}, {"size": [1e308, 2]}, {"resize": None}, {"notes": 5}],
)  # fmt: skip
def test_recipes_that_nothing_can_be_made_with(client: Client, recipe: dict[str, Any]) -> None:
    picture = client.add_picture(noise(20, 20))["id"]
    refused(client.ask("POST", "/api/runs", json={"model": "0", "picture": picture, "recipe": recipe}), 422)


# --- what is sent


def test_a_long_upload_is_refused_before_it_is_read(client: Client) -> None:
    read = []

    def pieces() -> Iterator[bytes]:
        for number in range(1000):
            read.append(number)
            yield bytes(100_000)

    async def body() -> Any:
        for piece in pieces():
            yield piece

    answer = client.ask("POST", "/api/pictures", params={"name": "x"}, content=body())
    refused(answer, 413)
    told = client.ask("POST", "/api/pictures", content=b"x", headers={"Content-Length": str(10**12)})
    refused(told, 413)


def _bomb(rows: int, columns: int) -> bytes:
    """A PNG of a few bytes that states to hold rows x columns pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", columns, rows, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(min(rows * (columns * 3 + 1), 10_000_000)), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize(("rows", "columns"), [(1000, 1000), (60_000, 60_000), (2**31 - 1, 2**31 - 1)])
def test_a_picture_of_too_many_pixels_is_never_unpacked(client: Client, rows: int, columns: int) -> None:
    answer = client.ask("POST", "/api/pictures", content=_bomb(rows, columns))
    assert "too large" in refused(answer, 422)["problem"]


@pytest.mark.parametrize(
    "data",
    [b"", b"GIF89a", png(noise(30, 30))[:200], b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<svg xmlns='http://www.w3.org/2000/svg'/>",
     b"\x80\x04\x95", bytes(1000), b"\x93NUMPY\x01\x00"],
)  # fmt: skip
def test_what_is_no_picture_is_refused(client: Client, data: bytes) -> None:
    before = len(client.fact("/api/session")["pictures"])
    refused(client.ask("POST", "/api/pictures", params={"name": "cat.png"}, content=data), 422)
    assert len(client.fact("/api/session")["pictures"]) == before


def _model() -> bytes:
    return bytes(sketches.build("conv 1 3x3", input_shape=(3, 8, 8)).SerializeToString())


def test_models_are_not_taken_unless_the_server_was_told_to(client: Client) -> None:
    refused(client.ask("POST", "/api/models", params={"name": "m.onnx"}, content=_model()), 403)


@pytest.mark.parametrize("name", ["m.pt", "m.pkl", "m.pth", "m.h5", "m.keras", "m", "m.onnx.pt", "../m.pt", "m.ONNX/x"])
def test_nothing_that_can_hold_a_pickle_is_taken(name: str) -> None:
    client = Client(desk_with(upload_model=True))
    refused(client.ask("POST", "/api/models", params={"name": name}, content=b"\x80\x04."), 422)
    assert len(client.fact("/api/session")["models"]) == 1


@pytest.mark.parametrize("data", [b"", b"\x80\x04\x95.", b"PK\x03\x04", bytes(100), b"\x08\x07" * 50])
def test_nor_anything_else_under_the_name_of_a_model(data: bytes) -> None:
    client = Client(desk_with(upload_model=True))
    refused(client.ask("POST", "/api/models", params={"name": "m.onnx"}, content=data), 422)
    assert len(client.fact("/api/session")["models"]) == 1


def test_a_model_that_is_taken_is_opened_under_a_name_of_our_own() -> None:
    client = Client(desk_with(upload_model=True))
    answer = client.ask("POST", "/api/models", params={"name": "../../small.onnx"}, content=_model())
    assert answer.status_code == 201
    model = answer.json()
    assert model["name"] == "small.onnx"
    layers = client.fact(f"/api/models/{model['id']}/network")["layers"]
    assert [layer["name"] for layer in layers] == ["conv"]


def test_a_model_may_not_read_files_beside_it() -> None:
    """ONNX can keep its weights in another file, whose path the model states."""
    import onnx

    model = onnx.load_from_string(_model())
    weight = model.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.ClearField("float_data")
    weight.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "../../../../../../etc/passwd"), ("offset", "0"), ("length", "108")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    client = Client(desk_with(upload_model=True))
    answer = client.ask("POST", "/api/models", params={"name": "m.onnx"}, content=model.SerializeToString())
    assert "another file" in refused(answer, 422)["problem"]


def test_numbers_that_are_none_travel_by_name() -> None:
    client = Client(desk_with("conv 1 1x1 | relu"))
    picture = client.add_picture(np.zeros((4, 4, 3), np.uint8))["id"]
    run = client.run(picture, recipe={"scale": 1e38, "mean": [-1e38], "std": [1e-38], "resize": "none"})
    assert run["state"] == "done"
    fact = client.fact(f"/api/runs/{run['id']}/explanation", layer="conv", index="0,1,1")
    assert fact["framework_value"] in ("Infinity", "-Infinity", "NaN")
    assert fact["groups"][0]["window"] == ["Infinity"]
