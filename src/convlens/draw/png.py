"""Bytes of PNG files, one a pixel with a palette or three for true colour (W3C PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

try:
    from isal.isal_zlib import compress as _deflate
except ImportError:  # no wheel for this machine: the same bytes format, only slower
    from zlib import compress as _deflate

Bytes = npt.NDArray[np.uint8]

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_INDEXED, _TRUE_COLOUR = 3, 2
_UP = 2  # each byte as its difference to the one above: an enlarged pixel's later rows become zeros
_LEVEL = 1
_MAKER = b"Software\0convlens"  # by this, convlens knows its own files again


def encode_indexed(indices: Bytes, palette: Bytes) -> bytes:
    """Return a PNG of ``indices`` (rows, columns), coloured by ``palette`` (up to 256, 3).

    >>> encode_indexed(np.zeros((2, 2), np.uint8), np.zeros((1, 3), np.uint8))[1:4]
    b'PNG'
    """
    rows, columns = indices.shape
    return _file(_INDEXED, rows, columns, indices, _chunk(b"PLTE", np.ascontiguousarray(palette, np.uint8).tobytes()))


def encode_rgb(pixels: Bytes) -> bytes:
    """Return a PNG of ``pixels`` (rows, columns, 3), red, green, blue.

    >>> encode_rgb(np.zeros((2, 2, 3), np.uint8))[1:4]
    b'PNG'
    """
    rows, columns, _ = pixels.shape
    return _file(_TRUE_COLOUR, rows, columns, pixels.reshape(rows, columns * 3), b"")


def _file(colour: int, rows: int, columns: int, lines: Bytes, palette: bytes) -> bytes:
    if not rows or not columns:
        raise ValueError(f"a PNG has at least one pixel, received {rows} rows x {columns} columns")
    filtered = np.empty((rows, lines.shape[1] + 1), np.uint8)
    filtered[:, 0] = _UP
    filtered[0, 1:] = lines[0]
    np.subtract(lines[1:], lines[:-1], out=filtered[1:, 1:])
    header = struct.pack(">IIBBBBB", columns, rows, 8, colour, 0, 0, 0)
    body = _deflate(filtered.data, _LEVEL)
    return b"".join(
        [
            _SIGNATURE,
            _chunk(b"IHDR", header),
            palette,
            _chunk(b"tEXt", _MAKER),
            _chunk(b"IDAT", body),
            _chunk(b"IEND", b""),
        ]
    )


def _chunk(kind: bytes, body: bytes) -> bytes:
    return b"".join([struct.pack(">I", len(body)), kind, body, struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))])
