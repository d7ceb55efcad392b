"""Runs: made once for all that ask, left when nobody waits, let go when memory is full, and made again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from tests.hosts.server.asking import SKETCH, Client, desk_with, noise

from convlens import lens
from convlens.hosts.desk import Desk
from convlens.lens import Lens


class Gate:
    """Holds runs at their first layer until it is opened."""

    def __init__(self) -> None:
        self.reached = threading.Event()
        self.open = threading.Event()
        self.layers: list[str] = []


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    gate = Gate()
    plain = Lens.feature_maps

    def held(self: Lens, picture: object, *, each: Callable[..., None], **options: Any) -> Any:
        def slowly(layer: Any, array: Any) -> None:
            gate.reached.set()
            assert gate.open.wait(10)
            each(layer, array)
            gate.layers.append(layer.name)

        return plain(self, picture, each=slowly, **options)

    monkeypatch.setattr(Lens, "feature_maps", held)
    yield gate
    gate.open.set()


def test_layers_are_told_one_by_one_then_the_end() -> None:
    client = Client(desk_with())
    events = client.events(client.start(client.add_picture(noise(20, 20))["id"])["id"])
    names = [layer.name for layer in lens.sketch(SKETCH, input_shape=(3, 20, 20)).network]
    assert [name for name, _ in events] == ["map"] * len(names) + ["end"]
    assert [fact["map"]["layer"] for _, fact in events[:-1]] == names
    assert [fact["done"] for _, fact in events[:-1]] == list(range(1, len(names) + 1))
    assert {fact["total"] for _, fact in events[:-1]} == {len(names)}


def test_the_same_run_is_made_once_whoever_asks(gate: Gate) -> None:
    client = Client(desk_with())
    picture = client.add_picture(noise(20, 20))["id"]
    first, second = (client.start(picture, page=page) for page in ("a", "b"))
    assert first["id"] == second["id"]
    gate.open.set()
    assert client.events(first["id"])[-1][1]["state"] == "done"
    assert client.start(picture, page="c")["state"] == "done"
    assert len(gate.layers) == 5


def test_a_page_s_next_run_ends_its_last(gate: Gate) -> None:
    client = Client(desk_with())
    first = client.start(client.add_picture(noise(20, 20))["id"])
    assert gate.reached.wait(10)
    second = client.start(client.add_picture(noise(20, 20, seed=1))["id"])
    gate.open.set()
    assert client.events(first["id"])[-1][1]["state"] == "cancelled"
    assert client.events(second["id"])[-1][1]["state"] == "done"
    assert len(gate.layers) == 5


def test_but_not_while_another_page_waits_for_it(gate: Gate) -> None:
    client = Client(desk_with())
    first = client.add_picture(noise(20, 20))["id"]
    shared = client.start(first, page="a")
    client.start(first, page="b")
    client.start(client.add_picture(noise(20, 20, seed=1))["id"], page="a")
    gate.open.set()
    assert client.events(shared["id"])[-1][1]["state"] == "done"


def test_a_run_that_is_left_stops_and_can_be_asked_for_again(gate: Gate) -> None:
    client = Client(desk_with())
    picture = client.add_picture(noise(20, 20))["id"]
    run = client.start(picture, page="a")
    assert gate.reached.wait(10)
    assert client.ask("DELETE", f"/api/runs/{run['id']}", params={"page": "a"}).status_code == 200
    again = client.start(picture, page="a")
    gate.open.set()
    assert again["id"] == run["id"]
    assert client.events(run["id"])[-1][1]["state"] == "done"


def test_a_run_that_was_let_go_is_gone_until_it_is_asked_for_again() -> None:
    pixels = [noise(64, 64, seed=seed) for seed in range(4)]
    one = lens.sketch(SKETCH).estimate(pixels[0]).total
    client = Client(desk_with(budget=one * 5 // 2))
    pictures = [client.add_picture(one)["id"] for one in pixels]
    runs = [client.run(picture)["id"] for picture in pictures]
    gone = client.get(f"/api/runs/{runs[0]}/values.npy", layer="conv")
    assert gone.status_code == 410
    assert "again" in gone.json()["hint"]
    assert client.get(f"/api/runs/{runs[-1]}/values.npy", layer="conv").status_code == 200
    assert client.run(pictures[0])["id"] == runs[0]
    assert client.get(f"/api/runs/{runs[0]}/values.npy", layer="conv").status_code == 200


def test_a_run_larger_than_the_budget_says_so() -> None:
    client = Client(desk_with(budget=1000))
    ended = client.run(client.add_picture(noise(64, 64))["id"])
    assert ended["state"] == "failed"
    assert ended["problem"]["problem"] == "The feature maps don't fit the memory budget"
    assert "--memory" in ended["problem"]["hint"]


def test_memory_stays_bounded_however_many_pictures_come() -> None:
    """What runs hold counts the picture too, which is larger than the maps of a network that scales it down."""
    desk = Desk(budget=3_000_000)
    desk.add_model("small", lambda: lens.sketch("conv 2 3x3", input_shape=(3, 32, 32)), id="0")
    client = Client(desk)
    most = 0
    for seed in range(50):
        client.run(client.add_picture(noise(400, 500, seed))["id"])
        most = max(most, sum(run.bytes for run in desk._runs.values()))
    assert 1_200_000 < most < 3_000_000 + 700_000  # the newest stands beside what fitted before it
    assert len(desk.session()["pictures"]) == 24


def test_a_picture_that_was_let_go_is_unknown() -> None:
    client = Client(desk_with())
    first = client.add_picture(noise(8, 8))["id"]
    for seed in range(1, 26):
        client.add_picture(noise(8, 8, seed))
    answer = client.ask("POST", "/api/runs", json={"model": "0", "picture": first})
    assert answer.status_code == 404
    assert answer.json()["hint"]


def test_two_pages_ask_one_model_at_once_and_get_their_own_numbers() -> None:
    client = Client(desk_with())
    pixels = [noise(40, 40, seed=seed) for seed in range(6)]
    pictures = [client.add_picture(one)["id"] for one in pixels]
    found: dict[int, Any] = {}

    def page(number: int) -> None:
        run = client.run(pictures[number], page=f"page {number}")
        found[number] = client.numbers(f"/api/runs/{run['id']}/values.npy", layer="relu2")

    threads = [threading.Thread(target=page, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    here = lens.sketch(SKETCH, seed=3)
    for number, one in enumerate(pixels):
        assert_array_equal(found[number], here.feature_maps(one)["relu2"].array)


def test_maps_can_be_looked_at_while_the_run_goes_on(gate: Gate) -> None:
    client = Client(desk_with())
    run = client.start(client.add_picture(noise(20, 20))["id"])
    assert gate.reached.wait(10)
    assert client.get(f"/api/runs/{run['id']}").json()["state"] == "running"
    early = client.get(f"/api/runs/{run['id']}/values.npy", layer="relu2")
    assert early.status_code == 404
    gate.open.set()
    client.events(run["id"])
    assert client.get(f"/api/runs/{run['id']}/values.npy", layer="relu2").status_code == 200


def test_maps_that_were_made_elsewhere_are_there_from_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    from convlens.hosts.server import launching

    served: list[Desk] = []
    monkeypatch.setattr(launching, "serve", lambda desk, **_: served.append(desk))
    array = np.random.default_rng(0).normal(size=(1, 1, 12, 9)).astype(np.float32)
    maps = lens.sketch("conv 2 3x3 | relu", input_shape=(1, 12, 9)).feature_maps(array)
    maps.serve()
    client = Client(served[0])
    session = client.fact("/api/session")
    run = client.start(session["picture"], model=session["model"])
    assert run["state"] == "done"
    assert run["caption"] == "fed untouched"
    assert_array_equal(client.numbers(f"/api/runs/{run['id']}/values.npy", layer="relu"), maps["relu"].array)
    assert client.fact(f"/api/runs/{run['id']}/explanation", layer="conv", index="0,1,1")["agrees"] is True
    assert client.get(f"/api/runs/{run['id']}/picture.png").headers["content-type"] == "image/png"
