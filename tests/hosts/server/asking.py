"""Asks a server in this process, without a socket: a desk with small models, and a client that knows the token."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from io import BytesIO
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI
from numpy.typing import NDArray
from PIL import Image

from convlens import lens
from convlens.hosts.desk import Desk
from convlens.hosts.server.app import create

TOKEN, PORT = "of-the-tests-only", 8765
ADDRESS = f"http://127.0.0.1:{PORT}"
SKETCH = "conv 4 3x3 pad 1 | relu | maxpool 2x2 | conv 6 3x3 | relu"


def desk_with(*sketches: str, **options: Any) -> Desk:
    """A desk with these models, by their place in the list."""
    desk = Desk(**options)
    for number, text in enumerate(sketches or (SKETCH,)):
        desk.add_model(text, partial(lens.sketch, text, seed=3), id=f"{number}")
    return desk


def app_of(desk: Desk) -> FastAPI:
    return create(desk, token=TOKEN, hosts=frozenset({"127.0.0.1", "localhost"}), port=PORT)


class Client:
    """Asks an application; each question runs in an event loop of its own."""

    def __init__(self, desk: Desk, *, token: str | None = TOKEN) -> None:
        self.desk = desk
        self.app = app_of(desk)
        self.headers = {"Authorization": f"Bearer {token}"} if token else {}

    def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> httpx.Response:
        async def asking() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=ADDRESS) as client:
                return await client.request(method, path, headers={**self.headers, **(headers or {})}, **more)

        return asyncio.run(asking())

    def get(self, path: str, **query: Any) -> httpx.Response:
        return self.ask("GET", path, params=query)

    def fact(self, path: str, **query: Any) -> Any:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def numbers(self, path: str, **query: Any) -> NDArray[Any]:
        answer = self.get(path, **query)
        assert answer.status_code == 200, answer.text
        found: NDArray[Any] = np.load(BytesIO(answer.content), allow_pickle=False)
        return found

    def add_picture(self, pixels: NDArray[Any], name: str = "noise.png") -> dict[str, Any]:
        answer = self.ask("POST", "/api/pictures", params={"name": name}, content=png(pixels))
        assert answer.status_code == 201, answer.text
        fact: dict[str, Any] = answer.json()
        return fact

    def start(self, picture: str, *, model: str = "0", page: str = "page", **more: Any) -> dict[str, Any]:
        asked = {"model": model, "picture": picture, "page": page, **more}
        answer = self.ask("POST", "/api/runs", json=asked)
        assert answer.status_code == 202, answer.text
        fact: dict[str, Any] = answer.json()
        return fact

    def run(self, picture: str, **more: Any) -> dict[str, Any]:
        """A run that has ended."""
        return self.events(self.start(picture, **more)["id"])[-1][1]

    def events(self, run: str) -> list[tuple[str, dict[str, Any]]]:
        told = self.get(f"/api/runs/{run}/events").text
        blocks = [block.split("\n", 1) for block in told.split("\n\n") if block]
        return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def png(pixels: NDArray[Any]) -> bytes:
    file = BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def noise(rows: int, columns: int, seed: int = 0) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (rows, columns, 3), np.uint8)
