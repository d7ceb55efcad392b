"""From the words on the line to an opened lens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from convlens.errors import ConvlensError, InputError
from convlens.hosts.cli import terminal

if TYPE_CHECKING:
    from convlens.lens import Lens


def open_lens(model: str, *, input_shape: str | None, trust: bool, labels: Path | None = None) -> Lens:
    """Open a model file, with a sign that something goes on."""
    from convlens import lens

    names = read_labels(labels) if labels is not None else None
    with terminal.working(f"Opening {Path(model).name} ..."):
        return lens.open(model, input_shape=read_shape(input_shape), labels=names, trust=trust)


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """A shape from ``3,224,224`` or ``3x224x224``.

    >>> read_shape("3,224,224"), read_shape(None)
    ((3, 224, 224), None)
    """
    if text is None:
        return None
    try:
        shape = tuple(int(word) for word in text.lower().replace("x", ",").replace(" ", ",").split(",") if word)
        if not shape or min(shape) < 1:
            raise ValueError
    except ValueError:
        raise InputError(
            "This is not an input shape",
            expected="channels, rows and columns, such as 3,224,224",
            received=repr(text),
        ) from None
    return shape


def read_labels(path: Path) -> list[str]:
    """Class names, one a line."""
    try:
        return path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConvlensError(
            "The labels can't be read",
            expected="a text file in UTF-8, one class name a line",
            received=f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}",
        ) from None
