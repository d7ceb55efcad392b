"""How the server answers: facts as JSON, numbers as ``.npy``, errors in a person's words; ETags for what is kept."""

from __future__ import annotations

from collections.abc import AsyncIterator
from hashlib import sha256
from io import BytesIO
from json import dumps
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response, StreamingResponse

from convlens.errors import ConvlensError, LayerNotFoundError, MemoryBudgetError
from convlens.hosts.desk import BusyError, FullError, GoneError, NotFoundError
from convlens.hosts.wire import facts
from convlens.hosts.wire.schema import ProblemFact

if TYPE_CHECKING:
    from convlens.engines.base import Array

_STARTED = token_hex(8)  # what one server says can't change; the next one may have other weights
_PIECE = 1 << 22


class TooLargeError(ConvlensError):
    """More was sent than is allowed."""


class ForbiddenError(ConvlensError):
    """This server was not started to do that."""


def etag(what: str) -> dict[str, str]:
    """Headers for an answer that is known by ``what`` it is; browsers ask again whether it still holds."""
    return {"ETag": f'"{what}"', "Cache-Control": "private, no-cache"}


def unchanged(request: Request, what: str) -> Response | None:
    """304 where the browser has this very answer already."""
    headers = etag(what)
    had = [one.strip().removeprefix("W/") for one in request.headers.get("if-none-match", "").split(",")]
    return Response(status_code=304, headers=headers) if headers["ETag"] in had or had == ["*"] else None


def lasting(name: str) -> str:
    """The ETag of what can't change under its name while this server runs; the next may draw it otherwise."""
    return f"{_STARTED}-{name}"


def fact(value: Any, status: int = 200) -> Response:
    """A fact as JSON, for this one time."""
    return Response(_json(value), status, {"Cache-Control": "no-store"}, "application/json")


def kept_fact(request: Request, value: Any) -> Response:
    """A fact as JSON that the browser may keep: its ETag is a hash of the very bytes, so that 304 is always true."""
    body = _json(value)
    tag = sha256(body).hexdigest()[:32]
    return unchanged(request, tag) or Response(body, 200, etag(tag), "application/json")


def _json(value: Any) -> bytes:
    return dumps(value, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


def npy(array: Array, headers: dict[str, str], name: str = "") -> Response:
    """An array as ``.npy``; large ones in pieces."""
    array = np.ascontiguousarray(array)
    head = BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(array))
    told = {**headers, "Content-Length": str(len(head.getvalue()) + array.nbytes), **(download(name) if name else {})}
    data = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]  # NumPy's stubs know no Buffer
    if array.nbytes <= _PIECE:
        return Response(head.getvalue() + bytes(data), headers=told, media_type="application/x-npy")

    async def pieces() -> AsyncIterator[bytes]:
        yield head.getvalue()
        for first in range(0, len(data), _PIECE):
            yield bytes(data[first : first + _PIECE])

    return StreamingResponse(pieces(), headers=told, media_type="application/x-npy")


def download(name: str) -> dict[str, str]:
    """The header that saves an answer as a file, under a name that is safe everywhere."""
    safe = "".join(letter if letter.isascii() and (letter.isalnum() or letter in ".-_") else "_" for letter in name)
    return {"Content-Disposition": f'attachment; filename="{safe[-120:].lstrip(".") or "file"}"'}


def status_of(error: ConvlensError) -> int:
    """The HTTP status that an error of ours has."""
    for kind, status in (
        (GoneError, 410),
        (NotFoundError, 404),
        (LayerNotFoundError, 404),
        (TooLargeError, 413),
        (FullError, 413),
        (BusyError, 503),
        (ForbiddenError, 403),
        (MemoryBudgetError, 507),
    ):
        if isinstance(error, kind):
            return status
    return 422


def install(app: FastAPI) -> None:
    """Have every error answered with a ProblemFact."""

    @app.exception_handler(ConvlensError)
    async def ours(_request: Request, error: ConvlensError) -> Response:
        answer = fact(facts.problem_fact(error), status_of(error))
        if isinstance(error, BusyError):
            answer.headers["Retry-After"] = "1"
        return answer

    @app.exception_handler(RequestValidationError)
    async def invalid(_request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        received = repr(first.get("input"))[:200]
        problem = ProblemFact(problem=f"{where}: {first['msg']}", expected="", received=received, hint="See /docs.")
        return fact(problem, 422)

    @app.exception_handler(HTTPException)
    async def http(_request: Request, error: HTTPException) -> Response:
        words = {404: "There is nothing at this address", 405: "This address doesn't take that method"}
        told = words.get(error.status_code, str(error.detail))
        problem = ProblemFact(problem=told, expected="", received="", hint="See /docs.")
        return JSONResponse(problem, error.status_code, headers=dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(_request: Request, error: Exception) -> Response:
        told = ProblemFact(problem="The server could not answer", expected="", received=str(error)[:300], hint="")
        return fact(told, 500)
