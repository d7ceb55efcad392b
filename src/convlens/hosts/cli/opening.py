"""From the words on the line to an opened lens."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from convlens.errors import ConvlensError, InputError
from convlens.hosts.cli import terminal
from convlens.reading import read_text

if TYPE_CHECKING:
    from collections.abc import Container

    from convlens.lens import Lens, Walk
    from convlens.lens.traced import TracedNetwork
    from convlens.pictures import Picture


def open_lens(model: str, *, input_shape: str | None, trust: bool, labels: Path | None = None) -> Lens:
    """Open a model file, with a sign that something goes on."""
    from convlens import lens

    names = read_labels(labels) if labels is not None else None
    with terminal.working(f"Opening {Path(model).name} ..."):
        return lens.open(model, input_shape=read_shape(input_shape), labels=names, trust=trust)


def network_for(lens: Lens, picture: str | None) -> TracedNetwork:
    """The network for this picture; without one, at the sizes that the model states."""
    return lens.stated if picture is None else lens.traced(picture)


def read_picture(path: str, max_pixels: int | None) -> Picture | str:
    """The picture of this path, read here where its size has a limit of the user's own; arrays pass by."""
    from convlens import pictures
    from convlens.lens import feeding

    if max_pixels is None or feeding.is_arrays(path):
        return path
    return pictures.read(path, max_pixels=max_pixels)


def picture_line(walk: Walk) -> str:
    """How the picture became the input; and that this is a guess, where nobody has said it."""
    if walk.recipe is None or walk.recipe_source != "default":
        return f"Picture: {walk.caption}"
    return f"Picture: {walk.caption} (default: the model states none; --preset imagenet, for example, to change it)"


def split_layers(names: list[str], known: Container[object]) -> list[str]:
    """The layers that were named, one an option or several with commas between.

    >>> split_layers(["conv1,relu1", "a,b"], {"a,b"})
    ['conv1', 'relu1', 'a,b']
    """
    found = []
    for name in names:
        found += [name] if name in known else [part.strip() for part in name.split(",") if part.strip()]
    return found


def read_shape(text: str | None) -> tuple[int, ...] | None:
    """A shape from ``3,224,224`` or ``3x224x224``.

    >>> read_shape("3,224,224"), read_shape(None)
    ((3, 224, 224), None)
    """
    if text is None:
        return None
    shape = _sizes(text)
    if not shape or None in shape:
        raise InputError(
            "This is not an input shape",
            expected="channels, rows and columns, such as 3,224,224",
            received=repr(text),
            hint="Type --input-shape 3,224,224, for example.",
        )
    return tuple(size for size in shape if size is not None)


def read_free_shape(text: str) -> tuple[int | None, ...]:
    """The shape of a sketch's input, where ``?`` leaves a size open.

    >>> read_free_shape("3,?,?")
    (3, None, None)
    """
    shape = _sizes(text)
    if shape is None:
        raise InputError(
            "This is not an input shape",
            expected="channels, rows and columns, such as 3,224,224 or 3,?,?",
            received=repr(text),
            hint="Type --input-shape 3,224,224, for example.",
        )
    return shape


def _sizes(text: str) -> tuple[int | None, ...] | None:
    sizes = re.split(r"\s*[x,]\s*|\s+", text.strip().lower()) if text.strip() else []
    if not all(word == "?" or (word.isdecimal() and 0 < int(word) < 10**6) for word in sizes):
        return None
    return tuple(None if word == "?" else int(word) for word in sizes)


def read_labels(path: Path) -> list[str]:
    """Class names, one a line."""
    try:
        return read_text(path, ConvlensError, "a text file in UTF-8, one class name a line").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConvlensError(
            "The labels can't be read",
            expected="a text file in UTF-8, one class name a line",
            received=f"{path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}",
            hint=_labels_hint(path),
        ) from None


def _labels_hint(path: Path) -> str:
    from convlens.errors import closest

    try:
        names = [place.name for place in path.parent.iterdir()]
    except OSError:
        names = []
    close = closest(path.name, names, n=1)
    return f"Did you mean {path.parent / close[0]}?" if close else "Type --labels FILE with an existing text file."
