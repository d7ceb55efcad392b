"""What people hand to the public functions, held against their signatures: one line instead of an error from inside."""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import wraps
from operator import index
from pathlib import Path
from typing import Any, TypeVar

from convlens.draw import Scale
from convlens.errors import InputError
from convlens.pictures import Recipe

Class = TypeVar("Class", bound=type)
Function = TypeVar("Function", bound=Callable[..., Any])


def checked_methods(cls: Class) -> Class:
    """The class with every public method of its own checked."""
    for name, found in vars(cls).items():
        if not name.startswith("_") and inspect.isfunction(found):
            setattr(cls, name, checked(found))
    return cls


def checked(function: Function) -> Function:
    """The function, which refuses an argument of another type than it says.

    Raises:
        InputError: from the function, before it does anything.

    >>> @checked
    ... def channel(number: int) -> int:
    ...     return number
    >>> try:
    ...     channel("first")
    ... except InputError as error:
    ...     print(error)
    The argument 'number' of channel doesn't fit: expected a whole number, received 'first'
    """
    signature = inspect.signature(function)
    rules = {
        name: rule
        for name, parameter in signature.parameters.items()
        if (rule := _RULES.get(_annotation(parameter))) is not None
    }
    if not rules:
        return function

    @wraps(function)
    def called(*args: Any, **named: Any) -> Any:
        bound = signature.bind(*args, **named)
        for name, value in bound.arguments.items():
            if name in rules and rules[name][0] in _ONE_BY_ONE and _is_stream(value):
                bound.arguments[name] = value = _listed(value)
            if name in rules and not _fits(rules[name][0], value):
                raise InputError(
                    f"The argument {name!r} of {function.__name__} doesn't fit",
                    expected=rules[name][1],
                    received=_shortened(value),
                )
        return function(*bound.args, **bound.kwargs)

    return called  # type: ignore[return-value]  # the same signature


def whole(value: object) -> bool:
    """Whether a value is a whole number, of Python's or NumPy's; truth is none.

    >>> whole(3), whole(3.0), whole(True)
    (True, False, False)
    """
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return False
    try:
        index(value)  # type: ignore[arg-type]  # that is the question
    except TypeError:
        return False
    return getattr(value, "ndim", 0) == 0


def _annotation(parameter: inspect.Parameter) -> str:
    told = parameter.annotation
    return told if isinstance(told, str) else getattr(told, "__name__", "")


def _fits(rule: Callable[[Any], bool], value: object) -> bool:
    try:
        return rule(value)
    except Exception:  # an object whose own methods fail is none of what is wanted
        return False


def _shortened(value: object) -> str:
    try:
        said = repr(value)
    except Exception:  # an object that can't even say what it is
        said = f"a {type(value).__name__}"
    return said if len(said) <= 80 else f"{said[:77]}..."


def _text(value: object) -> bool:
    return isinstance(value, str)


def _truth(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")


def _wholes(value: Any) -> bool:
    return (
        isinstance(value, Iterable) and not isinstance(value, (str, bytes)) and _sized(value) and all(map(whole, value))
    )


def _sized(value: object) -> bool:
    return hasattr(value, "__len__") and not isinstance(value, (Mapping, set, frozenset))


def _names(value: Any) -> bool:
    some = isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping))
    return some and all(isinstance(one, str) for one in value)


def _is_stream(value: object) -> bool:
    """Whether a value can be gone through once only."""
    return isinstance(value, Iterator)


def _listed(value: Iterator[object]) -> object:
    try:
        return list(value)
    except Exception:  # it is refused as what it is
        return value


def _path(value: object) -> bool:
    return isinstance(value, (str, Path)) or (isinstance(value, os.PathLike) and isinstance(os.fspath(value), str))


def _optional(rule: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or rule(value)


_SOME_NAMES = _optional(_names)
_ONE_BY_ONE = (_names, _SOME_NAMES)
_RULES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "str": (_text, "a text"),
    "str | None": (_optional(_text), "a text or None"),
    "int": (whole, "a whole number"),
    "int | None": (_optional(whole), "a whole number or None"),
    "bool": (_truth, "True or False"),
    "bool | None": (_optional(_truth), "True, False or None"),
    "Shape": (_wholes, "whole numbers, one an axis, such as (0, 2, 3)"),
    "Sequence[int]": (_wholes, "whole numbers, such as (2, 3)"),
    "Sequence[int] | None": (_optional(_wholes), "whole numbers, such as [0, 2]"),
    "tuple[int, ...] | None": (_optional(_wholes), "whole numbers, such as (2, 3)"),
    "tuple[int, int] | None": (_optional(lambda value: _wholes(value) and len(value) == 2), "two whole numbers"),
    "Iterable[str]": (_names, "names of layers"),
    "Iterable[str] | None": (_SOME_NAMES, "names of layers, such as ['conv1', 'relu1']"),
    "str | Iterable[str] | None": (_SOME_NAMES, "names of layers, such as ['conv1', 'relu1']"),
    "Sequence[str] | None": (_optional(lambda value: _names(value) and not isinstance(value, str)), "a list of names"),
    "Recipe | str | None": (
        _optional(lambda value: isinstance(value, (Recipe, str))),
        "a Recipe or the name of a preset, such as 'imagenet'",
    ),
    "Mode": (_text, "'auto', 'diverging' or 'sequential'"),
    "ScaleChoice": (lambda value: isinstance(value, (str, Scale)), "'layer', 'map' or a Scale"),
    "Axes | None": (_optional(lambda value: hasattr(value, "get_position")), "axes of matplotlib"),
    "str | Path": (_path, "a path"),
    "str | os.PathLike[str]": (_path, "a path"),
    "Callable[[int, int], None] | None": (_optional(callable), "a function"),
    "Sink | None": (_optional(callable), "a function"),
    "Feed": (lambda value: isinstance(value, Mapping), "a dict of arrays by input name"),
    "Mapping[str, Any]": (lambda value: isinstance(value, Mapping), "a dict"),
}
"""What is checked, by the words of the annotation; everything else has its own check inside."""
