"""What a layer does, as plain data: the arithmetic that the page does by itself starts from it."""

from __future__ import annotations

from dataclasses import fields
from enum import Enum
from fractions import Fraction
from math import isfinite, isnan
from typing import Any

from convlens.network import Operation


def operation_fact(operation: Operation | None) -> dict[str, Any] | None:
    """An operation's fields by name, and its class as ``type``; a fraction becomes [numerator, denominator].

    >>> from convlens.network import Activation, Pooling
    >>> operation_fact(Activation("relu"))
    {'type': 'Activation', 'function': 'relu', 'constants': [], 'axis': None}
    >>> operation_fact(Pooling("max", (2, 2), (2, 2), (1, 1), ((0, 0), (0, 0))))["least"]
    '-Infinity'
    """
    if operation is None:
        return None
    values = {field.name: _plain(getattr(operation, field.name)) for field in fields(operation)}
    return {"type": type(operation).__name__, **values}


def _plain(value: Any) -> Any:
    match value:
        case Enum():
            return value.value
        case Fraction():
            return [value.numerator, value.denominator]
        case float() if not isfinite(value):
            return "NaN" if isnan(value) else ("Infinity" if value > 0 else "-Infinity")
        case tuple() | list():
            return [_plain(one) for one in value]
        case _:
            return value
