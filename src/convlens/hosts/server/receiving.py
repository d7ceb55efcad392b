"""Bodies that are sent, read no further than they may be long."""

from __future__ import annotations

from fastapi import Request

from convlens.hosts.server.answers import TooLargeError
from convlens.lens.memory import in_words


async def received(request: Request, most: int) -> bytes:
    """The body of a request.

    Raises:
        TooLargeError: it says that it is longer than ``most`` bytes, or turns out to be.
    """
    stated = request.headers.get("content-length", "")
    if stated.isdecimal() and int(stated) > most:
        raise _too_large(most, in_words(int(stated)))
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
