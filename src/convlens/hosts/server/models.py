"""Routes about models: the network, its kernels, how its numbers come about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from convlens.errors import ModelError
from convlens.hosts import answering
from convlens.hosts.desk import Desk
from convlens.hosts.server import answers
from convlens.hosts.server.receiving import opened, received
from convlens.hosts.server.scheduling import Schedule
from convlens.hosts.wire import schema

Layer = Annotated[str, Query(description="The layer's name.", max_length=1000)]
Name = Annotated[str, Query(description="The file's name, to be shown.", max_length=300)]
UPLOADABLE = (".onnx",)
"""What may be uploaded: no format that can hold a pickle or code of its own."""


def routes(desk: Desk, schedule: Schedule) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(prefix="/api", tags=["models"])

    @router.get("/session", response_model=schema.SessionFact)
    async def session(request: Request) -> Response:
        """What there is: models, pictures, presets, limits; and what to open first."""
        return answers.kept_fact(request, desk.session())

    @router.get("/models/{model}/network", response_model=schema.NetworkFact)
    async def network(request: Request, model: str) -> Response:
        """The network as data: layers in execution order, shapes, parameters, receptive fields."""
        return answers.kept_fact(request, await schedule.of_model(model, answering.network, desk, model))

    @router.get("/models/{model}/derivation", response_model=schema.DerivationFact)
    async def derivation(request: Request, model: str, layer: Layer) -> Response:
        """How the numbers of a layer come about, formula by formula, as text and LaTeX."""
        return answers.kept_fact(request, await schedule.of_model(model, answering.derivation, desk, model, layer))

    @router.get("/models/{model}/kernels", response_model=schema.KernelsFact)
    async def kernels(request: Request, model: str, layer: Layer) -> Response:
        """The kernels of a layer: shape, bias, norms."""
        return answers.kept_fact(request, await schedule.of_model(model, answering.kernels, desk, model, layer))

    @router.get("/models/{model}/kernels.npy", response_class=Response)
    async def kernel_values(
        model: str,
        layer: Layer,
        first: Annotated[int, Query(ge=0, description="The first filter.")] = 0,
        count: Annotated[int | None, Query(ge=1, description="How many filters; all by default.")] = None,
    ) -> Response:
        """The kernels' numbers: float32 (filters, channels per group, rows, columns)."""
        array = await schedule.of_model(model, answering.kernel_values, desk, model, layer, first, count)
        return answers.npy(array, {"Cache-Control": "no-store"}, f"{layer}-kernels.npy")

    @router.post("/models", response_model=schema.ModelFact, status_code=201)
    async def add(request: Request, name: Name) -> Response:
        """Open another model: the body is an ONNX file. Only where the server was started with --allow-upload-model."""
        if not desk.limits["upload_model"]:
            raise answers.ForbiddenError(
                "This server doesn't take models", hint="Start it with --allow-upload-model, or open the file there."
            )
        if Path(name).suffix.lower() not in UPLOADABLE:
            raise ModelError("Only ONNX models can be sent", expected="a file ending in .onnx", received=name[:120])
        with schedule.upload():
            data = await received(request, desk.limits["upload_bytes"])
            fact = await schedule.file(desk.add_sent, Path(name).name, data, lambda: opened(data))
            return answers.fact(fact, 201)

    return router
