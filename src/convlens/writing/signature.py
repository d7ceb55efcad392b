"""The signature by which convlens knows its own files again: the SHA-256 of all else that is in them.

A file is ours if it is, byte for byte, what convlens wrote. One that merely names convlens isn't, nor is one of ours
that somebody has edited since: its digest no longer fits. The signature stands where the format has a place for a word
of the writer, so that every other program reads the file as before.
"""

from __future__ import annotations

import re
import stat
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

_DIGITS = 64  # of a SHA-256 in hexadecimal
_LONGEST = 200
"""The most bytes that a signature and what follows it take."""
_MOST_BYTES = 2**31
"""Of a file that is read to be held against its signature; what convlens writes from memory is far smaller."""

_PNG_END = struct.pack(">I", 0) + b"IEND" + struct.pack(">I", zlib.crc32(b"IEND"))
_ZIP_END = b"PK\5\6"
_ZIP_END_BYTES = 22


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a format's signature stands: ``block`` holds it, before the last ``after(data)`` bytes of the file.

    ``after`` is -1 for data that isn't of this format. ``grown`` says in the file's own head or end how much longer it
    has become.
    """

    block: Callable[[bytes], bytes]
    after: Callable[[bytes], int]
    grown: Callable[[bytes, int], bytes] = lambda data, _more: data

    def put(self, data: bytes) -> bytes:
        at = len(data) - self.after(data)
        block = self.block(sha256(data).hexdigest().encode())
        grown = self.grown(data, len(block))
        return grown[:at] + block + grown[at:]

    def taken(self, data: bytes) -> bytes:
        """The data as it was before :meth:`put`, if it was put in at all."""
        length = len(self.block(b"0" * _DIGITS))
        at = len(data) - max(self.after(data), 0)
        return self.grown(data[: max(at - length, 0)] + data[at:], -length)


def _ends(*endings: bytes) -> Callable[[bytes], int]:
    """Before this ending of the file."""
    return lambda data: next((len(end) for end in endings if data.endswith(end)), -1)


def _at_end(*beginnings: bytes) -> Callable[[bytes], int]:
    """At the very end of a file that begins so."""
    return lambda data: 0 if data.startswith(beginnings) else -1


def _chunk(digest: bytes) -> bytes:
    body = b"tEXtconvlens\0" + digest
    return struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))


def _before_startxref(data: bytes) -> int:
    found = re.search(rb"startxref\n\d+\n%%EOF\n\Z", data[-64:])
    return -1 if found is None or not data.startswith(b"%PDF-") else len(found.group())


def _riff_grown(data: bytes, more: int) -> bytes:
    if len(data) < 8:
        return data
    (size,) = struct.unpack("<I", data[4:8])
    return data[:4] + struct.pack("<I", (size + more) % 2**32) + data[8:]


def _zip_grown(data: bytes, more: int) -> bytes:
    """A zip ends with the length of its comment, and the comment."""
    if len(data) < _ZIP_END_BYTES:
        return data
    return data[:-2] + struct.pack("<H", max(more, 0))


def _zip_comment(digest: bytes) -> bytes:
    return b"convlens " + digest


def _after_zip(data: bytes) -> int:
    ends = (data[-_ZIP_END_BYTES - length :] for length in (0, len(_zip_comment(b"0" * _DIGITS))))
    return 0 if data.startswith(b"PK") and any(end.startswith(_ZIP_END) for end in ends) else -1


def _field(number: int, body: bytes) -> bytes:
    """A field of bytes of a protocol buffer; both its number and its length take one byte."""
    return bytes([number << 3 | 2, len(body)]) + body


_TEXT = _Place(lambda digest: b"<!-- convlens " + digest + b" -->\n", _at_end(b"<"))
_GIF = _Place(lambda digest: b"\x21\xfe" + bytes([9 + _DIGITS]) + b"convlens " + digest + b"\0", _ends(b"\x3b"))
_PNG = _Place(_chunk, _ends(_PNG_END))


def _film(data: bytes) -> int:
    return 0 if data[4:8] == b"ftyp" else -1


_MODEL_PROPERTY = 14  # of ONNX's ModelProto: metadata_props, each a key (1) and a value (2)

_PLACES = {
    ".png": _PNG,
    ".apng": _PNG,
    ".gif": _GIF,
    ".webp": _Place(
        lambda digest: b"CVLS" + struct.pack("<I", 8 + _DIGITS) + b"convlens" + digest, _at_end(b"RIFF"), _riff_grown
    ),
    ".svg": _TEXT,
    ".html": _TEXT,
    ".htm": _TEXT,
    ".pdf": _Place(lambda digest: b"%convlens " + digest + b"\n", _before_startxref),
    ".json": _Place(lambda digest: b',\n  "convlens": "' + digest + b'"', _ends(b"\n}", b"\n}\n")),
    ".txt": _Place(lambda digest: b"convlens " + digest + b"\n", _ends(b"")),
    ".npz": _Place(_zip_comment, _after_zip, _zip_grown),
    ".onnx": _Place(
        lambda digest: _field(_MODEL_PROPERTY, _field(1, b"convlens.signature") + _field(2, digest)), _ends(b"")
    ),
    # a free box, an element Void: players pass over both
    ".mp4": _Place(lambda digest: struct.pack(">I", 16 + _DIGITS) + b"freeconvlens" + digest, _film),
    ".webm": _Place(
        lambda digest: b"\xec" + bytes([0x80 | 8 + _DIGITS]) + b"convlens" + digest, _at_end(b"\x1a\x45\xdf\xa3")
    ),
}


def signed(data: bytes, ending: str) -> bytes:
    """The data with convlens' signature, once; as it is where the format of this ending has no place for one.

    >>> once = signed(b"<svg/>", ".svg")
    >>> once[:21], once[-5:], signed(once, ".svg") == once
    (b'<svg/><!-- convlens d', b' -->\\n', True)
    """
    place = _PLACES.get(ending.lower())
    if place is None or is_signed(data, ending) or place.after(data) < 0:
        return data
    return place.put(data)


def is_signed(data: bytes, ending: str) -> bool:
    """Whether this is what :func:`signed` gave for some data, to the last byte.

    >>> ours = signed(b"<svg><!-- a picture --></svg>", ".svg")
    >>> is_signed(ours, ".svg"), is_signed(ours.replace(b"a picture", b"my notes "), ".svg")
    (True, False)
    """
    place = _PLACES.get(ending.lower())
    if place is None or place.after(data) < 0 or b"convlens" not in data[-_LONGEST:]:
        return False
    before = place.taken(data)
    return place.after(before) >= 0 and place.put(before) == data


def is_ours(path: Path) -> bool:
    """Whether this file bears our signature, and nothing in it was changed since; its format follows from its name."""
    if path.suffix.lower() not in _PLACES:
        return False
    try:
        facts = path.stat()
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST_BYTES:
            return False
        with path.open("rb") as file:
            file.seek(max(0, facts.st_size - _LONGEST))
            if b"convlens" not in file.read(_LONGEST):  # most files of others are settled without reading them whole
                return False
            file.seek(0)
            return is_signed(file.read(_MOST_BYTES), path.suffix)
    except OSError:
        return False
