"""An .onnx file without its weights: found by walking over the file's bytes, never copied.

A protobuf message is a row of fields, each a tag (number and wire type) and a payload. Skipping over the payloads of
the weights costs nothing, so a file of gigabytes opens at once.
Source: the protobuf encoding specification, and onnx.proto.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import onnx
from google.protobuf.message import DecodeError as DecodeError  # type: ignore[import-untyped]

_GRAPH = 7  # ModelProto.graph
_INITIALIZER = 5  # GraphProto.initializer
_RAW_DATA = 9  # TensorProto.raw_data
_LARGE = 4096
"""Bytes from which on a weight stays in the file."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a message: where it begins, where its payload begins and ends."""

    number: int
    wire_type: int
    begin: int
    payload: int
    end: int


def fields(data: memoryview, begin: int, end: int) -> Iterator[Field]:
    """The fields of the message in ``data[begin:end]``.

    Raises:
        DecodeError: the bytes are no protobuf message, or are cut off.
    """
    at = begin
    while at < end:
        tag, payload = _varint(data, at, end)
        match tag & 7:
            case 0:
                _, after = _varint(data, payload, end)
            case 1:
                after = payload + 8
            case 2:
                length, payload = _varint(data, payload, end)
                after = payload + length
            case 5:
                after = payload + 4
            case other:
                raise DecodeError(f"wire type {other}")
        if after > end or tag < 8:
            raise DecodeError("cut off")
        yield Field(tag >> 3, tag & 7, at, payload, after)
        at = after


def skeleton(data: memoryview, location: str) -> onnx.ModelProto:
    """The model in ``data``; its large initializers point into the file ``location`` as if it were external data.

    Raises:
        DecodeError: the bytes are no ONNX model.
    """
    model = []
    for part in fields(data, 0, len(data)):
        if part.number != _GRAPH or part.wire_type != 2:
            model.append(bytes(data[part.begin : part.end]))
            continue
        graph = b"".join(_graph_fields(data, part, location))
        model.append(_delimited(_GRAPH, graph))
    found: onnx.ModelProto = onnx.ModelProto.FromString(b"".join(model))
    return found


def _graph_fields(data: memoryview, graph: Field, location: str) -> Iterator[bytes]:
    for part in fields(data, graph.payload, graph.end):
        light = None
        if part.number == _INITIALIZER and part.wire_type == 2 and part.end - part.payload >= _LARGE:
            light = _without_data(data, part, location)
        yield bytes(data[part.begin : part.end]) if light is None else _delimited(_INITIALIZER, light)


def _without_data(data: memoryview, tensor: Field, location: str) -> bytes | None:
    kept, raw = [], None
    for part in fields(data, tensor.payload, tensor.end):
        if part.number == _RAW_DATA and part.wire_type == 2:
            raw = part
        else:
            kept.append(bytes(data[part.begin : part.end]))
    if raw is None or raw.end - raw.payload < _LARGE:
        return None
    light = onnx.TensorProto.FromString(b"".join(kept))
    light.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", raw.payload), ("length", raw.end - raw.payload)):
        light.external_data.add(key=key, value=str(value))
    written: bytes = light.SerializeToString()
    return written


def _varint(data: memoryview, at: int, end: int) -> tuple[int, int]:
    """A number of seven bits a byte, lowest first, and the place after it."""
    value = shift = 0
    while at < end and shift < 64:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise DecodeError("cut off")


def _delimited(number: int, payload: bytes) -> bytes:
    head = bytearray()
    for value in (number << 3 | 2, len(payload)):
        while value >= 0x80:
            head.append(value & 0x7F | 0x80)
            value >>= 7
        head.append(value)
    return bytes(head) + payload
