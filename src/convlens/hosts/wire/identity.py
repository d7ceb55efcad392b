"""What a thing is called between server and page: a hash of its content, so that no two things share a name."""

from __future__ import annotations

from hashlib import sha256


def content_id(*parts: bytes | bytearray | memoryview | str) -> str:
    """The name of what consists of these parts: 32 hexadecimal digits of a SHA-256.

    Each part goes in with its length, so that no other division of the same bytes has the same name.

    >>> content_id("ab", "c") == content_id("a", "bc")
    False
    >>> len(content_id(b"a model's file"))
    32
    """
    digest = sha256()
    for part in parts:
        data = part.encode("utf-8", "surrogatepass") if isinstance(part, str) else part
        digest.update(memoryview(data).nbytes.to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()[:32]
