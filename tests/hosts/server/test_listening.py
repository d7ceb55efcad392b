"""The listening socket: answers leave at once."""

import asyncio
import socket

from convlens.hosts.server.launching import bound


def test_answers_are_not_held_back() -> None:
    """Each connection that is accepted has Nagle's algorithm off, which else costs every answer 40 ms."""
    listening = bound("127.0.0.1", 0)
    held_back: list[int] = []

    async def accept_one() -> None:
        async def met(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            held_back.append(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        server = await asyncio.start_server(met, sock=listening)
        reader, writer = await asyncio.open_connection(*listening.getsockname()[:2])
        await reader.read()
        writer.close()
        server.close()

    asyncio.run(accept_one())
    assert held_back
    assert all(held_back)
