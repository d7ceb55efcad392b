"""Who waits holds up nobody: cheap answers come while many wait for a slow run, and one too many is told to ask later.

Nothing here measures time: a run is held until all else has been answered, so that whatever stood behind it would hang.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from tests.hosts.server.asking import ADDRESS, Client, desk_with, noise

from convlens.hosts.desk import _UNFINISHED
from convlens.hosts.executor import Executor
from convlens.hosts.server.scheduling import UPLOADS, WAITING
from convlens.lens import Lens

_HANGS = 60  # seconds after which a test is given up


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Runs of the model "slow" end when it is set."""
    gate = threading.Event()
    plain = Lens.feature_maps

    def held(self: Lens, picture: object, *, each: Callable[..., None], **options: Any) -> Any:
        def slowly(layer: Any, array: Any) -> None:
            each(layer, array)
            if "maxpool" in [layer.name for layer in self.network]:
                assert gate.wait(_HANGS)

        return plain(self, picture, each=slowly, **options)

    monkeypatch.setattr(Lens, "feature_maps", held)
    yield gate
    gate.set()


def together(client: Client, asking: Callable[[httpx.AsyncClient], Any]) -> Any:
    """Ask many things in one event loop, as a server does."""

    async def main() -> Any:
        transport = httpx.ASGITransport(client.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=ADDRESS, headers=client.headers) as asked:
            return await asyncio.wait_for(asking(asked), _HANGS)

    return asyncio.run(main())


def test_cheap_answers_come_while_many_wait_for_a_slow_run(gate: threading.Event) -> None:
    client = Client(desk_with("conv 4 3x3 | maxpool 2x2", "conv 2 3x3 | relu"))
    picture = client.add_picture(noise(20, 20))["id"]
    done = client.run(picture, model="1", page="a")["id"]
    slow = client.start(picture, model="0", page="b")["id"]
    paths = [
        "/", "/docs", "/api/session", f"/api/runs/{slow}", f"/api/runs/{done}", f"/api/runs/{slow}/channels?layer=conv",
        f"/api/runs/{done}/values.npy?layer=conv", f"/api/runs/{done}/maps.npy?layer=conv&channels=0,1",
        f"/api/runs/{done}/tile.npy?layer=conv", f"/api/runs/{done}/explanation?layer=conv&index=0,1,1",
        f"/api/runs/{done}/drawing.png?layer=conv", f"/api/runs/{done}/events", f"/api/pictures/{picture}.webp",
        "/api/models/1/network", "/api/models/1/kernels?layer=conv", "/api/nothing",
    ]  # fmt: skip
    waiting = ["explanation?layer=conv&index=0,1,1", "field?layer=conv&index=0,1,1", "effective?layer=conv&index=0,1,1"]

    async def asking(asked: httpx.AsyncClient) -> None:
        many = [asyncio.create_task(asked.get(f"/api/runs/{slow}/{waiting[number % 3]}")) for number in range(WAITING)]
        many += [asyncio.create_task(asked.get(f"/api/runs/{slow}/picture.png")) for _ in range(WAITING)]
        await asyncio.sleep(0.1)
        refused = await asked.get(f"/api/runs/{slow}/{waiting[0]}")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert "too much to do" in refused.json()["problem"]
        for path in paths:
            answer = await asked.get(path)
            assert answer.status_code < 500 or path == "/", (path, answer.text)
        assert not any(one.done() for one in many)
        gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*many)} == {200}
        assert (await asked.get(f"/api/runs/{slow}/{waiting[0]}")).status_code == 200

    together(client, asking)


def test_who_has_left_makes_room_for_others(gate: threading.Event) -> None:
    client = Client(desk_with("conv 4 3x3 | maxpool 2x2"))
    slow = client.start(client.add_picture(noise(20, 20))["id"])["id"]
    path = f"/api/runs/{slow}/field?layer=conv&index=0,1,1"

    async def asking(asked: httpx.AsyncClient) -> None:
        for _ in range(3):
            many = [asyncio.create_task(asked.get(path)) for _ in range(WAITING)]
            await asyncio.sleep(0.05)
            assert (await asked.get(path)).status_code == 503
            for one in many:
                one.cancel()
            await asyncio.gather(*many, return_exceptions=True)
        gate.set()
        assert (await asked.get(path)).status_code == 200

    together(client, asking)


def test_runs_that_wait_for_their_turn_are_bounded(gate: threading.Event) -> None:
    client = Client(desk_with("conv 4 3x3 | maxpool 2x2"))
    pictures = [client.add_picture(noise(20, 20, seed))["id"] for seed in range(_UNFINISHED + 1)]
    threads = threading.active_count()
    for number, picture in enumerate(pictures[:-1]):
        client.start(picture, page=f"{number}")
    answer = client.ask("POST", "/api/runs", json={"model": "0", "picture": pictures[-1], "page": "last"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert threading.active_count() - threads <= 1 + 1  # the one that works, and one that may wait for room
    assert client.start(pictures[3], page="another")["state"] == "running"  # joining one needs no room
    gate.set()
    for number in range(_UNFINISHED):
        client.desk.run(client.start(pictures[number], page=f"{number}")["id"]).ended.wait(_HANGS)
    assert client.start(pictures[-1], page="last")["state"] == "running"


def test_files_that_are_sent_at_the_same_time_are_bounded() -> None:
    client = Client(desk_with())

    async def asking(asked: httpx.AsyncClient) -> None:
        go_on = asyncio.Event()

        async def trickle() -> Any:
            yield b"\x89PNG"
            await go_on.wait()

        many = [asyncio.create_task(asked.post("/api/pictures", content=trickle())) for _ in range(UPLOADS)]
        await asyncio.sleep(0.05)
        refused = await asked.post("/api/pictures", content=b"x")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        go_on.set()
        assert {answer.status_code for answer in await asyncio.gather(*many)} == {422}
        assert (await asked.post("/api/pictures", content=b"x")).status_code == 422

    together(client, asking)


def test_two_runs_that_need_the_memory_take_it_one_after_the_other(gate: threading.Event) -> None:
    """What a run will take counts from its beginning: two at a time would take the budget twice."""
    client = Client(desk_with("conv 4 3x3 | maxpool 2x2", "conv 4 3x3 | relu"))
    pixels = noise(20, 20)
    estimates = [client.desk.model(one).lens.estimate(pixels).total for one in ("0", "1")]
    client.desk.budget = max(estimates) + min(estimates) // 2
    picture = client.add_picture(pixels)["id"]
    first, second = (client.start(picture, model=one, page=one)["id"] for one in ("0", "1"))
    runs = [client.desk.run(one) for one in (first, second)]
    assert not runs[1].ended.wait(0.3)
    assert sum(run.bytes for run in runs) <= client.desk.budget
    gate.set()
    assert client.events(second)[-1][1]["state"] == "done"
    assert client.get(f"/api/runs/{first}").status_code == 410


def test_a_run_that_waits_for_memory_and_is_left_ends(gate: threading.Event) -> None:
    client = Client(desk_with("conv 4 3x3 | maxpool 2x2", "conv 4 3x3 | relu"))
    pixels = noise(20, 20)
    client.desk.budget = max(client.desk.model(one).lens.estimate(pixels).total for one in ("0", "1")) * 5 // 4
    picture = client.add_picture(pixels)["id"]
    client.start(picture, model="0", page="a")
    second = client.start(picture, model="1", page="b")["id"]
    client.ask("DELETE", f"/api/runs/{second}", params={"page": "b"})
    assert client.events(second)[-1][1]["state"] == "cancelled"


def test_an_executor_does_all_in_turn_and_keeps_no_thread() -> None:
    executor = Executor(1, "test")
    order: list[int] = []
    hold = threading.Event()
    first = executor.submit(hold.wait, _HANGS)
    futures = [executor.submit(order.append, number) for number in range(1000)]
    dropped = [one for number, one in enumerate(futures) if number % 3 and one.cancel()]
    failing = executor.submit(int, "no number")
    assert len(executor._waiting) < 1000  # those that were dropped aren't kept until their turn
    hold.set()
    assert first.result(_HANGS)
    with pytest.raises(ValueError, match="no number"):
        failing.result(_HANGS)
    assert order == [number for number in range(1000) if number % 3 == 0]
    assert dropped
    for _ in range(1000):
        if not executor._active:
            break
        threading.Event().wait(0.01)
    assert executor._active == 0
