"""Arrays as bytes in a file, as ``frontend/src/source/embedded/contents.ts`` says, and blobs, which hold them."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any, Literal, NotRequired

import numpy as np
from isal import isal_zlib
from numpy.typing import NDArray
from typing_extensions import TypedDict

from convlens.engines.base import Array

Coding = Literal["f32", "f16", "i32", "q8", "pixels"]


ArrayFact = TypedDict(
    "ArrayFact",
    {
        "coding": Coding,
        "shape": list[int],
        "blob": int,
        "exact": bool,
        "png": NotRequired[int],
        "from": NotRequired[list[int]],
    },
)
"""Where an array's numbers are, and how they are written; ``from``: which channel of the PNG each channel reads."""


@dataclass(frozen=True, slots=True)
class Coded:
    """An array as bytes that aren't in a file yet. ``exact``: whether every value comes out as it went in."""

    coding: Coding
    shape: tuple[int, ...]
    data: bytes
    exact: bool


@dataclass(slots=True)
class Blobs:
    """The bytes of a file, each piece once."""

    pieces: list[bytes] = field(default_factory=list)
    _known: dict[bytes, int] = field(default_factory=dict)

    def copy(self) -> Blobs:
        """The same pieces, to which others can be added."""
        return Blobs(list(self.pieces), dict(self._known))

    def add(self, data: bytes) -> int:
        """The number of a piece."""
        number = self._known.setdefault(data, len(self.pieces))
        if number == len(self.pieces):
            self.pieces.append(data)
        return number

    def array(self, coded: Coded) -> ArrayFact:
        """The fact of an array whose bytes are added."""
        return ArrayFact(coding=coded.coding, shape=list(coded.shape), blob=self.add(coded.data), exact=coded.exact)


def deflated(data: bytes, *, small: bool = False) -> bytes:
    """Zlib-deflated; ``small`` takes its time."""
    return zlib.compress(data, 9) if small else isal_zlib.compress(data, 3)


def in_planes(array: NDArray[Any]) -> bytes:
    """First bytes of all values, second bytes, and so on: what lies close in value lies close in the file.

    >>> in_planes(np.array([1, 258], "<i4")).hex()
    '0102000100000000'
    """
    little = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(little.size, little.itemsize).T.tobytes()


def as_f32(array: Array) -> Coded:
    """Every bit kept."""
    return Coded("f32", array.shape, deflated(in_planes(array.astype(np.float32))), True)


def as_f16(array: Array) -> Coded | None:
    """Eleven bits of each value; ``None`` where some value is too large for that."""
    with np.errstate(over="ignore"):
        half = array.astype(np.float16)
    if not (np.isfinite(half) == np.isfinite(array)).all():
        return None
    exact = bool(np.array_equal(half.astype(np.float32), array, equal_nan=True))
    return Coded("f16", array.shape, deflated(in_planes(half)), exact)


def as_i32(array: NDArray[Any]) -> Coded:
    """Whole numbers."""
    return Coded("i32", array.shape, deflated(in_planes(array.astype(np.int32)), small=array.size < 1 << 20), True)


def as_q8(array: Array) -> Coded | None:
    """Eight bits a value, a scale for each entry of the first axis; ``None`` where a value is too large for that."""
    if not array.size or not (np.abs(array) < 1e38).all():  # NaN isn't, either
        return None
    flat = array.reshape(array.shape[0], -1).astype(np.float64)
    scale = (np.abs(flat).max(axis=1) / 127).astype(np.float32)
    divisor = np.where(scale > 0, scale, 1).astype(np.float64)
    whole = np.clip(np.rint(flat / divisor[:, None]), -127, 127).astype(np.int8)
    return Coded("q8", array.shape, deflated(scale.astype("<f4").tobytes() + whole.tobytes()), False)


def checksum(array: Array) -> int:
    """CRC-32 of the float32 values, little-endian, -0 written as 0 and every NaN alike: browsers tell no more.

    >>> checksum(np.float32([0.0, -0.0])) == checksum(np.float32([0.0, 0.0]))
    True
    """
    values = np.ascontiguousarray(array.astype("<f4") + np.float32(0))
    values[np.isnan(values)] = np.float32(np.nan)
    return zlib.crc32(values.tobytes())


def steps_between(near: Array, values: Array) -> NDArray[np.int32] | None:
    """By how many float32 numbers each of ``values`` lies above its neighbour in ``near``, zig-zag.

    ``None`` where one of them is no number, or they lie too far apart.

    >>> steps_between(np.float32([1, 1, 0]), np.nextafter(np.float32([1, 1, 0]), np.float32([2, 0, -1]))).tolist()
    [2, 1, 1]
    """
    if not (np.isfinite(near).all() and np.isfinite(values).all()):
        return None
    steps = _number(values) - _number(near)
    if steps.size and int(np.abs(steps).max()) >= 1 << 30:
        return None
    return np.where(steps >= 0, 2 * steps, -2 * steps - 1).astype(np.int32)


def _number(values: Array) -> NDArray[np.int64]:
    """Where a float32 stands in the row of all float32 numbers, 0 at zero."""
    bits = np.ascontiguousarray(values, np.float32).view(np.int32).astype(np.int64)
    return np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)


def as_png(pixels: NDArray[np.uint8]) -> bytes:
    """Pixels (rows, columns, 1 or 3) as a PNG; a twentieth smaller would take six times as long."""
    from PIL import Image

    file = BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(file, "PNG", compress_level=6)
    return file.getvalue()
