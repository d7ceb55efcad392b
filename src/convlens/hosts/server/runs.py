"""Routes about runs: begin one, follow it, ask its maps, values and why they are so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from json import dumps
from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response, StreamingResponse

from convlens.errors import ConvlensError
from convlens.hosts import answering
from convlens.hosts.desk import Desk
from convlens.hosts.running import Run
from convlens.hosts.server import answers
from convlens.hosts.server.scheduling import Schedule, changes
from convlens.hosts.wire import schema
from convlens.lens import tiles
from convlens.network import Shape
from convlens.pictures import Recipe

Layer = Annotated[str, Query(description="The layer's name.", max_length=1000)]
Index = Annotated[
    str,
    Query(
        description="Where the value stands, channels first: 0,10,20.",
        pattern=r"^([0-9]{1,9}(,[0-9]{1,9})*)?$",
        max_length=80,
    ),
]
Number = Annotated[int, Query(ge=0, le=10**9)]


class RunRequest(BaseModel):
    """What to run on what; ``page`` is a name that the page has given itself: its next run ends this one."""

    model: str = Field(max_length=100)
    picture: str = Field(max_length=100)
    recipe: dict[str, Any] | None = None
    page: str = Field(default="", max_length=100)


def routes(desk: Desk, schedule: Schedule) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(prefix="/api/runs", tags=["runs"])

    @router.post("", response_model=schema.RunFact, status_code=202)
    async def start(asked: RunRequest) -> Response:
        """Run a model on a picture. The same run is made once, whoever asks; follow it at ``/events``."""
        recipe = None if asked.recipe is None else Recipe.from_dict(asked.recipe)
        return answers.fact(desk.start(asked.model, asked.picture, recipe, asked.page).fact(), 202)

    @router.get("/{run}", response_model=schema.RunFact)
    async def state(request: Request, run: str) -> Response:
        """How far the run is, and the maps that have arrived."""
        return answers.kept_fact(request, desk.run(run).fact())

    @router.delete("/{run}", response_model=schema.RunFact)
    async def leave(run: str, page: Annotated[str, Query(max_length=100)] = "") -> Response:
        """This page waits no more; the run stops at its next layer where no other page waits."""
        found = desk.run(run)
        found.leave(page)
        return answers.fact(found.fact())

    @router.get("/{run}/events", response_class=StreamingResponse)
    async def events(run: str) -> Response:
        """Server-sent events: ``map`` for every layer as it is known, ``end`` when the run has ended."""
        return StreamingResponse(
            _told(desk.run(run)), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    @router.get("/{run}/network", response_model=schema.NetworkFact)
    async def network(request: Request, run: str) -> Response:
        """The network of this run: the sizes that it has, and in the end the path that it took."""
        found = desk.run(run)
        return answers.kept_fact(request, await schedule.of_running(found, answering.run_network, desk, found))

    @router.get("/{run}/derivation", response_model=schema.DerivationFact)
    async def derivation(request: Request, run: str, layer: Layer) -> Response:
        """How the numbers of a layer come about at the sizes of this run, as text and LaTeX."""
        found = desk.run(run)
        return answers.kept_fact(request, await schedule.of_run(found, answering.run_derivation, desk, found, layer))

    @router.get("/{run}/kernels", response_model=schema.KernelsFact)
    async def kernels(request: Request, run: str, layer: Layer) -> Response:
        """The kernels of a layer of this run: shape, bias, norms."""
        found = desk.run(run)
        return answers.kept_fact(request, await schedule.of_run(found, answering.run_kernels, desk, found, layer))

    @router.get("/{run}/kernels.npy", response_class=Response)
    async def kernel_values(
        run: str,
        layer: Layer,
        first: Annotated[int, Query(ge=0, description="The first filter.")] = 0,
        count: Annotated[int | None, Query(ge=1, description="How many filters; all by default.")] = None,
    ) -> Response:
        """The kernels' numbers: float32 (filters, channels per group, rows, columns)."""
        found = desk.run(run)
        array = await schedule.of_run(found, answering.run_kernel_values, desk, found, layer, first, count)
        return answers.npy(array, {"Cache-Control": "no-store"}, f"{layer}-kernels.npy")

    @router.get("/{run}/channels", response_model=schema.ChannelsFact)
    async def channels(request: Request, run: str, layer: Layer) -> Response:
        """Minimum, maximum, mean, variance of every channel, and the layer's histogram."""
        return answers.kept_fact(request, await schedule.numbers(desk.run(run).channels, layer))

    @router.get("/{run}/values.npy", response_class=Response)
    async def values(request: Request, run: str, layer: Layer, channel: Number | None = None) -> Response:
        """The framework's values in float32: the whole layer, channels first, or one channel of it."""
        found = desk.run(run)
        array = found.array(layer)
        if channel is not None:
            tiles.check(tiles.as_planes(array), 0, [channel], 0)
            array = array[channel] if array.ndim else array
        name = layer if channel is None else f"{layer}-channel-{channel}"
        if (same := answers.unchanged(request, found.tag)) is not None:
            return same
        return await schedule.numbers(answers.npy, np.asarray(array), answers.etag(found.tag), f"{name}.npy")

    @router.get("/{run}/maps.npy", response_class=Response)
    async def maps(
        request: Request,
        run: str,
        layer: Layer,
        channels: Annotated[
            str, Query(pattern=r"^[0-9]{1,9}(,[0-9]{1,9})*$", max_length=20_000, description="Channels: 0,5,7.")
        ],
        level: Number = 0,
        slice: Number = 0,
    ) -> Response:
        """Several whole maps at one level of detail: (channels, rows, columns); float16 above level 0 where it fits."""
        found = desk.run(run)
        found.array(layer)  # an error, where there is no such layer, comes before "unchanged"
        if (same := answers.unchanged(request, found.tag)) is not None:
            return same
        chosen = [int(one) for one in channels.split(",")]
        array = await schedule.cut(answering.maps, found, layer, level, chosen, slice)
        return await schedule.numbers(answers.npy, array, answers.etag(found.tag))

    @router.get("/{run}/tile.npy", response_class=Response)
    async def tile(
        request: Request,
        run: str,
        layer: Layer,
        channel: Number = 0,
        level: Number = 0,
        slice: Number = 0,
        row: Number = 0,
        column: Number = 0,
    ) -> Response:
        """One tile of 256 x 256 values of one map at one level; float32 at level 0, float16 above where it fits."""
        found = desk.run(run)
        found.array(layer)
        if (same := answers.unchanged(request, found.tag)) is not None:
            return same
        array = await schedule.cut(answering.tile, found, layer, level, channel, slice, row, column)
        return answers.npy(array, answers.etag(found.tag))

    @router.get("/{run}/explanation", response_model=schema.ExplanationFact | schema.PictureValueFact)
    async def explanation(
        run: str, layer: Layer, index: Index = "", groups: Annotated[int, Query(ge=0, le=4096)] = 24
    ) -> Response:
        """Why is this value what it is? The window, the kernel, the products, their sums, the framework's own value.

        ``groups``: how many input channels to list, those of the largest sums; the others are folded. A network input's
        name gives its own value.
        """
        found = desk.run(run)
        return answers.fact(
            await schedule.of_run(found, answering.explanation, desk, found, layer, _place(index), groups)
        )

    @router.get("/{run}/field", response_model=schema.BoxFact | None)
    async def field(run: str, layer: Layer, index: Index = "") -> Response:
        """The pixels that can reach this value; null where the layer doesn't read the picture."""
        found = desk.run(run)
        return answers.fact(await schedule.of_run(found, answering.field, desk, found, layer, _place(index)))

    @router.get("/{run}/effective", response_model=schema.EffectiveFact)
    async def effective(run: str, layer: Layer, index: Index = "") -> Response:
        """How the effective receptive field of this value was measured."""
        found = desk.run(run)
        return answers.fact((await schedule.of_run(found, answering.effective, desk, found, layer, _place(index)))[0])

    @router.get("/{run}/effective.npy", response_class=Response)
    async def effective_values(run: str, layer: Layer, index: Index = "") -> Response:
        """How much each pixel moves this value: float32 (rows, columns)."""
        found = desk.run(run)
        heat = (await schedule.of_run(found, answering.effective, desk, found, layer, _place(index)))[1]
        return answers.npy(heat, {"Cache-Control": "no-store"})

    @router.get("/{run}/picture.png", response_class=Response)
    async def picture(request: Request, run: str) -> Response:
        """The picture as the network reads it, before its values are scaled; receptive fields count in its pixels."""
        found = desk.run(run)
        if (same := answers.unchanged(request, found.tag)) is not None:
            return same
        try:
            pixels = await schedule.figure(found, answering.picture, found)
        except ConvlensError:
            if found.state != "cancelled":
                raise
            return Response(status_code=204)  # a page that has gone on to another run: no error, and no picture
        return Response(pixels, headers=answers.etag(found.tag), media_type="image/png")

    @router.get("/{run}/drawing.{kind}", response_class=Response)
    async def drawing(
        run: str,
        kind: Literal["png", "svg", "webp"],
        layer: Layer,
        channel: Number | None = None,
        mode: Literal["auto", "diverging", "sequential"] = "auto",
        scale: Literal["layer", "map"] = "layer",
    ) -> Response:
        """The maps as a figure with its legend: all channels (the first page of them), or one."""
        found = desk.run(run)

        def drawn() -> bytes:
            return next(iter(found.finished()[layer].pages(channel, scale=scale, mode=mode, format=kind)))

        data = await schedule.figure(found, drawn)
        name = f"{layer}.{kind}" if channel is None else f"{layer}-channel-{channel}.{kind}"
        types = {"png": "image/png", "svg": "image/svg+xml", "webp": "image/webp"}
        return Response(data, headers=answers.download(name), media_type=types[kind])

    return router


async def _told(run: Run) -> AsyncIterator[str]:
    """The run's events, from its first layer on."""
    sent = 0
    async with aclosing(changes(run)) as looks:
        async for _ in looks:
            for map in run.facts[sent:]:
                sent += 1
                yield _event("map", {"map": map, "done": sent, "total": max(sent, run.total)})
    yield _event("end", run.fact())


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {dumps(value, allow_nan=False, separators=(',', ':'))}\n\n"


def _place(index: str) -> Shape:
    return tuple(int(one) for one in index.split(",")) if index else ()
