"""Routes about pictures."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from convlens.hosts import answering
from convlens.hosts.desk import Desk
from convlens.hosts.server import answers
from convlens.hosts.server.receiving import received
from convlens.hosts.server.scheduling import Schedule
from convlens.hosts.wire import schema


def routes(desk: Desk, schedule: Schedule) -> APIRouter:
    """The routes of this module."""
    router = APIRouter(prefix="/api/pictures", tags=["pictures"])

    @router.post("", response_model=schema.PictureFact, status_code=201)
    async def add(
        request: Request, name: Annotated[str, Query(description="The file's name, to be shown.", max_length=300)] = ""
    ) -> Response:
        """Send a picture: the body is a PNG, JPEG, WebP, TIFF, BMP or GIF."""
        with schedule.upload():
            data = await received(request, desk.limits["upload_bytes"])
            return answers.fact(await schedule.file(desk.read_picture, data, name or "picture"), 201)

    @router.get("/{picture}.webp", response_class=Response)
    async def original(
        request: Request,
        picture: str,
        width: Annotated[int, Query(ge=16, le=4096, description="At most so many pixels wide and high.")] = 1024,
    ) -> Response:
        """The picture as it was given, as WebP; scaled down where it is larger than ``width``."""
        desk.picture(picture)  # an error, where there is none, comes before "unchanged"
        tag = answers.lasting(f"picture-{picture}-{width}")
        if (same := answers.unchanged(request, tag)) is not None:
            return same
        data = await schedule.numbers(answering.original, desk, picture, width)
        return Response(data, headers=answers.etag(tag), media_type="image/webp")

    return router
