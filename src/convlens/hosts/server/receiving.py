"""What is sent: bodies, read no further than they may be long and slow; models, which may name no other file."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from time import monotonic
from typing import TYPE_CHECKING, Any

from fastapi import HTTPException, Request
from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from convlens.errors import ModelError
from convlens.hosts.server.answers import TooLargeError
from convlens.hosts.wire.schema import ProblemFact
from convlens.lens.memory import in_words

if TYPE_CHECKING:
    from convlens.lens import Lens


FACTS = 1 << 20
"""Bytes of a body that is no file."""
PAUSE = 20.0
"""Seconds in which more of a body has to arrive."""
RATE = 4096
"""Bytes a second that a body has to come with, over all, once ``PAUSE`` has gone by."""
FILES = ("/api/pictures", "/api/models")
"""Where files are sent; how long they may be is told there."""


class Bodies:
    """Reads no body that is too long or too slow to its end, whatever it is for."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, within the limits."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = None if scope["path"] in FILES else FACTS
        began, length, whole, answering = monotonic(), 0, False, False

        async def limited() -> Message:
            nonlocal length, whole
            if whole:  # what comes now is the end of the connection, whenever that is
                return await receive()
            try:
                async with asyncio.timeout(PAUSE):
                    message = await receive()
            except TimeoutError:
                return late()
            length += len(message.get("body", b""))
            whole = not message.get("more_body", False)
            if most is not None and length > most:
                if answering:
                    return {"type": "http.disconnect"}
                raise HTTPException(413, f"The body is too large: at most {in_words(most)}")
            spent = monotonic() - began
            return late() if not whole and spent > PAUSE and length < spent * RATE else message

        def late() -> Message:
            if answering:
                return {"type": "http.disconnect"}
            raise HTTPException(408, "The body came too slowly", {"Connection": "close"})

        async def noticed(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        stated = Headers(scope=scope).get("content-length", "")
        if most is not None and stated.isdecimal() and (len(stated) > 18 or int(stated) > most):
            await _too_long(most)(scope, receive, send)
            return
        await self._app(scope, limited, noticed)


def _too_long(most: int) -> JSONResponse:
    problem = ProblemFact(problem="The body is too large", expected=f"at most {in_words(most)}", received="", hint="")
    return JSONResponse(problem, 413)  # the connection stays a while, so that whoever still sends can read this


async def received(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        TooLargeError: it says that it is longer than ``most`` bytes, or turns out to be.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated[:19]) > most:  # longer ones are too large in any case
        raise _too_large(most, in_words(int(stated[:19])))
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise _too_large(most, f"more than {in_words(most)}")
    return bytes(data)


def _too_large(most: int, size: str) -> TooLargeError:
    return TooLargeError(
        "The file is too large",
        expected=f"at most {in_words(most)}",
        received=size,
        hint="Start the server with --max-upload for more.",
    )


def opened(data: bytes) -> Lens:
    """An ONNX model that was sent. It stays in memory: no file is written, and none is read, for a model that keeps
    tensors in other files is refused: it could name any file of this machine as its weights.

    No size of a picture is guessed here: what a model needs one for fails where it is asked for.

    Raises:
        ModelError: it is no ONNX model, or not alone.
    """
    import onnx

    from convlens import lens

    try:
        model = onnx.load_from_string(data)
    except Exception:  # protobuf's own error, whose class depends on how it was built
        raise ModelError("This is no ONNX model", expected="an .onnx file", received=in_words(len(data))) from None
    if any(tensor.data_location == onnx.TensorProto.EXTERNAL for tensor in _messages(model, onnx.TensorProto)):
        raise ModelError(
            "This model keeps its weights in another file",
            expected="a model in one file",
            received="tensors with external data",
            hint="Save it with its weights inside, or open it where the server runs: convlens view MODEL.",
        )
    return lens.open(model)


def _messages(message: Any, kind: type[Any]) -> Iterator[Any]:
    """Every message of this kind within a message, however deep: in subgraphs, functions and attributes too."""
    if isinstance(message, kind):
        yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in value if hasattr(value, "__len__") else [value]:
                yield from _messages(one, kind)
