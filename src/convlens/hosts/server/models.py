"""Routes about models: the network, its kernels, how its numbers come about."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from convlens.errors import ModelError
from convlens.hosts import answering
from convlens.hosts.desk import Desk
from convlens.hosts.server import answers
from convlens.hosts.server.receiving import check_alone, received
from convlens.hosts.wire import schema

Layer = Annotated[str, Query(description="The layer's name.", max_length=1000)]
Name = Annotated[str, Query(description="The file's name, to be shown.", max_length=300)]
UPLOADABLE = (".onnx",)
"""What may be uploaded: no format that can hold a pickle or code of its own."""


def routes(desk: Desk) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(prefix="/api", tags=["models"])
    private = TemporaryDirectory(prefix="convlens-", ignore_cleanup_errors=True)

    @router.get("/session", response_model=schema.SessionFact)
    def session() -> Response:
        """What there is: models, pictures, presets, limits; and what to open first."""
        return answers.fact(desk.session())

    @router.get("/models/{model}/network", response_model=schema.NetworkFact)
    def network(request: Request, model: str) -> Response:
        """The network as data: layers in execution order, shapes, parameters, receptive fields."""
        tag = f"network-{model[:40]}"
        return answers.unchanged(request, tag) or answers.fact(desk.model(model).network(), headers=answers.etag(tag))

    @router.get("/models/{model}/derivation", response_model=schema.DerivationFact)
    def derivation(model: str, layer: Layer) -> Response:
        """How the numbers of a layer come about, formula by formula, as text and LaTeX."""
        return answers.fact(answering.derivation(desk, model, layer))

    @router.get("/models/{model}/kernels", response_model=schema.KernelsFact)
    def kernels(model: str, layer: Layer) -> Response:
        """The kernels of a layer: shape, bias, norms."""
        return answers.fact(answering.kernels(desk, model, layer))

    @router.get("/models/{model}/kernels.npy", response_class=Response)
    def kernel_values(
        model: str,
        layer: Layer,
        first: Annotated[int, Query(ge=0, description="The first filter.")] = 0,
        count: Annotated[int | None, Query(ge=1, description="How many filters; all by default.")] = None,
    ) -> Response:
        """The kernels' numbers: float32 (filters, channels per group, rows, columns)."""
        array = answering.kernel_values(desk, model, layer, first, count)
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
        if desk.models_left <= 0:
            raise answers.TooLargeError("There is no room for another model", hint="Start the server again.")
        data = await received(request, desk.limits["upload_bytes"])

        def opened() -> Any:
            import convlens

            check_alone(data)
            number = len(list(Path(private.name).iterdir()))
            path = Path(private.name, f"{number}.onnx")  # a name of our own: the one that was sent reaches no disk
            path.write_bytes(data)
            try:
                lens = convlens.open(path)
                _ = lens.network
            except Exception:
                path.unlink()
                raise
            return desk.add_model(Path(name).name, lambda: lens, engine=lens.engine).fact

        return answers.fact(await run_in_threadpool(opened), 201)

    return router
