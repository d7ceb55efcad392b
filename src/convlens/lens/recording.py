"""Facts as plain data and back, exactly: a network, a prediction, anything made of frozen dataclasses.

What JSON knows stays as it is; a fraction is ``{"fraction": [1, 3]}``, an infinity ``{"float": "inf"}``, a tuple a
list, a dataclass a dict with its class under ``is``. Reading goes by the type hints of the classes, so that a file can
name nothing but what belongs there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import StrEnum
from fractions import Fraction
from functools import cache
from numbers import Integral, Real
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

Plain = Any
"""What JSON can hold."""

T = TypeVar("T")


class NotAsWrittenError(ValueError):
    """Data that :func:`plain` can't have written; ``where`` it stands in it."""

    def __init__(self, where: str, expected: str, received: object) -> None:
        super().__init__(f"{where or 'it'} is {repr(received)[:60]}, not {expected}")


def plain(value: object) -> Plain:
    """``value`` as what JSON can hold, nothing lost.

    >>> from convlens.network import Activation
    >>> plain(Activation("leaky_relu", (("slope", float("inf")),)))["constants"]
    [['slope', {'float': 'inf'}]]
    >>> plain(Fraction(1, 3))
    {'fraction': [1, 3]}
    """
    match value:
        case None | bool():
            return value
        case StrEnum() | str():
            return str(value)
        case Fraction():
            return {"fraction": [value.numerator, value.denominator]}
        case Integral():
            return int(value)
        case Real():
            number = float(value)
            return number if math.isfinite(number) else {"float": repr(number)}
        case tuple() | list():
            return [plain(one) for one in value]
    if is_dataclass(value):
        told = {one.name: plain(getattr(value, one.name)) for one in fields(value) if one.init}
        return {"is": type(value).__name__, **told}
    if type(value).__name__ in ("bool", "bool_"):  # NumPy's own
        return bool(value)
    raise TypeError(f"a {type(value).__name__} can't be written as a fact: {value!r}")


def read(kind: type[T], told: Plain, where: str = "") -> T:
    """The ``kind`` that :func:`plain` wrote as ``told``.

    Raises:
        NotAsWrittenError: it didn't write that.

    >>> from convlens.network import Dense
    >>> read(Dense, plain(Dense(64, 10)))
    Dense(in_features=64, out_features=10, bias=True, per_position=False, features_axis=None)
    """
    found: T = _read(kind, told, where)
    return found


def _read(hint: Any, told: Plain, where: str) -> Any:
    if get_origin(hint) in (Union, UnionType):
        return _one_of(get_args(hint), told, where)
    if get_origin(hint) is tuple:
        return _tuple(get_args(hint), told, where)
    if hint is NoneType and told is None:
        return None
    if hint is Fraction:
        return _fraction(told, where)
    if hint is float:
        return _float(told, where)
    if hint in (bool, int, str) and type(told) is hint:
        return told
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        try:
            return hint(told)
        except ValueError:
            raise NotAsWrittenError(where, f"one of {', '.join(hint)}", told) from None
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint, told, where)
    raise NotAsWrittenError(where, getattr(hint, "__name__", str(hint)), told)


def _one_of(hints: tuple[Any, ...], told: Plain, where: str) -> Any:
    named = told.get("is") if isinstance(told, Mapping) else None
    if named is not None:
        chosen = next((hint for hint in hints if getattr(hint, "__name__", "") == named), None)
        if chosen is None:
            raise NotAsWrittenError(where, "a class that this convlens knows", named)
        return _read(chosen, told, where)
    for hint in hints:
        try:
            return _read(hint, told, where)
        except NotAsWrittenError:
            continue
    raise NotAsWrittenError(where, " or ".join(getattr(hint, "__name__", str(hint)) for hint in hints), told)


def _tuple(hints: tuple[Any, ...], told: Plain, where: str) -> tuple[Any, ...]:
    if not isinstance(told, list):
        raise NotAsWrittenError(where, "a list", told)
    each = [hints[0]] * len(told) if hints[-1:] == (...,) else list(hints)
    if len(each) != len(told):
        raise NotAsWrittenError(where, f"a list of {len(each)}", told)
    return tuple(_read(hint, one, f"{where}[{n}]") for n, (hint, one) in enumerate(zip(each, told, strict=True)))


def _fraction(told: Plain, where: str) -> Any:
    match told:
        case {"fraction": [int(above), int(below)]} if below != 0:
            return Fraction(above, below)
        case int() | float() if not isinstance(told, bool):
            return told  # a plain number stands where a fraction may
    raise NotAsWrittenError(where, "a fraction", told)


def _float(told: Plain, where: str) -> Any:
    match told:
        case {"float": "inf" | "-inf" | "nan" as text}:
            return float(text)
        case {"fraction": _}:
            return _fraction(told, where)
        case float() | int() if not isinstance(told, bool):
            return told
    raise NotAsWrittenError(where, "a number", told)


def _dataclass(kind: type, told: Plain, where: str) -> Any:
    if not isinstance(told, Mapping) or told.get("is") != kind.__name__:
        raise NotAsWrittenError(where, f"a {kind.__name__}", told)
    hints = _hints(kind)
    strange = [key for key in told if key != "is" and key not in hints]
    if strange:
        raise NotAsWrittenError(f"{where}.{strange[0]}", f"a part of a {kind.__name__}", told[strange[0]])
    values = {key: _read(hints[key], one, f"{where}.{key}") for key, one in told.items() if key != "is"}
    try:
        return kind(**values)
    except (TypeError, ValueError) as error:
        raise NotAsWrittenError(where, f"a whole {kind.__name__} ({error})", "something else") from None


@cache
def _hints(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {one.name: hints[one.name] for one in fields(kind) if one.init}
