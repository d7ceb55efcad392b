"""Routes about runs: begin one, follow it, ask its maps, values and why they are so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
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
_POLL = 0.015  # seconds between two looks at a run that is followed


class RunRequest(BaseModel):
    """What to run on what; ``page`` is a name that the page has given itself: its next run ends this one."""

    model: str = Field(max_length=100)
    picture: str = Field(max_length=100)
    recipe: dict[str, Any] | None = None
    page: str = Field(default="", max_length=100)


def routes(desk: Desk) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(prefix="/api/runs", tags=["runs"])

    @router.post("", response_model=schema.RunFact, status_code=202)
    def start(asked: RunRequest) -> Response:
        """Run a model on a picture. The same run is made once, whoever asks; follow it at ``/events``."""
        recipe = None if asked.recipe is None else Recipe.from_dict(asked.recipe)
        return answers.fact(desk.start(asked.model, asked.picture, recipe, asked.page).fact(), 202)

    @router.get("/{run}", response_model=schema.RunFact)
    def state(run: str) -> Response:
        """How far the run is, and the maps that have arrived."""
        return answers.fact(desk.run(run).fact())

    @router.delete("/{run}", response_model=schema.RunFact)
    def leave(run: str, page: Annotated[str, Query(max_length=100)] = "") -> Response:
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

    @router.get("/{run}/channels", response_model=schema.ChannelsFact)
    def channels(request: Request, run: str, layer: Layer) -> Response:
        """Minimum, maximum, mean, variance of every channel, and the layer's histogram."""
        found = desk.run(run)
        return answers.unchanged(request, run) or answers.fact(found.channels(layer), headers=answers.etag(run))

    @router.get("/{run}/values.npy", response_class=Response)
    def values(request: Request, run: str, layer: Layer, channel: Number | None = None) -> Response:
        """The framework's values in float32: the whole layer, channels first, or one channel of it."""
        found = desk.run(run)
        array = found.array(layer)
        if channel is not None:
            tiles.check(tiles.as_planes(array), 0, [channel], 0)
            array = array[channel] if array.ndim else array
        name = layer if channel is None else f"{layer}-channel-{channel}"
        same = answers.unchanged(request, run)
        return same or answers.npy(np.asarray(array), answers.etag(run), f"{name}.npy")

    @router.get("/{run}/maps.npy", response_class=Response)
    def maps(
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
        if (same := answers.unchanged(request, run)) is not None:
            return same
        chosen = [int(one) for one in channels.split(",")]
        return answers.npy(answering.maps(found, layer, level, chosen, slice), answers.etag(run))

    @router.get("/{run}/tile.npy", response_class=Response)
    def tile(
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
        if (same := answers.unchanged(request, run)) is not None:
            return same
        return answers.npy(answering.tile(found, layer, level, channel, slice, row, column), answers.etag(run))

    @router.get("/{run}/explanation", response_model=schema.ExplanationFact | schema.PictureValueFact)
    def explanation(
        run: str, layer: Layer, index: Index = "", groups: Annotated[int, Query(ge=0, le=4096)] = 24
    ) -> Response:
        """Why is this value what it is? The window, the kernel, the products, their sums, the framework's own value.

        ``groups``: how many input channels to list, those of the largest sums; the others are folded. A network input's
        name gives its own value.
        """
        return answers.fact(answering.explanation(desk, desk.run(run), layer, _place(index), groups))

    @router.get("/{run}/field", response_model=schema.BoxFact | None)
    def field(run: str, layer: Layer, index: Index = "") -> Response:
        """The pixels that can reach this value; null where the layer doesn't read the picture."""
        return answers.fact(answering.field(desk, desk.run(run), layer, _place(index)))

    @router.get("/{run}/effective", response_model=schema.EffectiveFact)
    def effective(run: str, layer: Layer, index: Index = "") -> Response:
        """How the effective receptive field of this value was measured."""
        return answers.fact(answering.effective(desk, desk.run(run), layer, _place(index))[0])

    @router.get("/{run}/effective.npy", response_class=Response)
    def effective_values(run: str, layer: Layer, index: Index = "") -> Response:
        """How much each pixel moves this value: float32 (rows, columns)."""
        heat = answering.effective(desk, desk.run(run), layer, _place(index))[1]
        return answers.npy(heat, {"Cache-Control": "no-store"})

    @router.get("/{run}/picture.png", response_class=Response)
    def picture(request: Request, run: str) -> Response:
        """The picture as the network reads it, before its values are scaled; receptive fields count in its pixels."""
        found = desk.run(run)
        if (same := answers.unchanged(request, run)) is not None:
            return same
        try:
            pixels = answering.picture(found)
        except ConvlensError:
            if found.state != "cancelled":
                raise
            return Response(status_code=204)  # a page that has gone on to another run: no error, and no picture
        return Response(pixels, headers=answers.etag(run), media_type="image/png")

    @router.get("/{run}/drawing.{kind}", response_class=Response)
    def drawing(
        run: str,
        kind: Literal["png", "svg", "webp"],
        layer: Layer,
        channel: Number | None = None,
        mode: Literal["auto", "diverging", "sequential"] = "auto",
        scale: Literal["layer", "map"] = "layer",
    ) -> Response:
        """The maps as a figure with its legend: all channels (the first page of them), or one."""
        shown = desk.run(run).finished()
        data = next(iter(shown[layer].pages(channel, scale=scale, mode=mode, format=kind)))
        name = f"{layer}.{kind}" if channel is None else f"{layer}-channel-{channel}.{kind}"
        types = {"png": "image/png", "svg": "image/svg+xml", "webp": "image/webp"}
        return Response(data, headers=answers.download(name), media_type=types[kind])

    return router


async def _told(run: Run) -> AsyncIterator[str]:
    """The run's events, from its first layer on."""
    sent = 0
    while True:
        ended = run.ended.is_set()
        for map in run.facts[sent:]:
            sent += 1
            yield _event("map", {"map": map, "done": sent, "total": max(sent, run.total)})
        if ended:
            yield _event("end", run.fact())
            return
        await asyncio.sleep(_POLL)


def _event(name: str, value: Any) -> str:
    return f"event: {name}\ndata: {dumps(value, allow_nan=False, separators=(',', ':'))}\n\n"


def _place(index: str) -> Shape:
    return tuple(int(one) for one in index.split(",")) if index else ()
