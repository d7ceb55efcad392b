"""The application: the guard in front, the routes behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from convlens import __version__
from convlens.hosts.desk import Desk
from convlens.hosts.server import answers, models, pictures, runs, site
from convlens.hosts.server.guard import Guard
from convlens.hosts.server.receiving import Bodies
from convlens.hosts.server.scheduling import Schedule


def create(desk: Desk, *, token: str, hosts: frozenset[str], port: int) -> FastAPI:
    """The application for what lies on the desk. ``hosts`` and ``port`` are what it is reached by; see ``Guard``."""

    @asynccontextmanager
    async def life(_app: FastAPI) -> AsyncIterator[None]:
        yield
        desk.close()

    app = FastAPI(
        title="convlens",
        version=__version__,
        summary="See inside a convolutional network",
        docs_url=None,  # FastAPI's own pages come from another host; ours are made of the schema
        redoc_url=None,
        lifespan=life,
    )
    answers.install(app)
    schedule = Schedule(desk)
    for router in (models.routes(desk, schedule), pictures.routes(desk, schedule), runs.routes(desk, schedule)):
        app.include_router(router)
    site.add_documentation(app, f"http://127.0.0.1:{port}")
    app.include_router(site.routes())
    app.add_middleware(Bodies)
    app.add_middleware(Guard, token=token, hosts=hosts, port=port)
    return app
