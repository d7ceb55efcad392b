"""What is sent: bodies, read no further than they may be long; models, which may name no other file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from fastapi import Request

from convlens.errors import ModelError
from convlens.hosts.server.answers import TooLargeError
from convlens.lens.memory import in_words

if TYPE_CHECKING:
    from convlens.lens import Lens


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
