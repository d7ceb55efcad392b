"""The errors that a person can meet: each says what was expected, what was received, what to type next."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from itertools import islice

_TYPED = 200
_COMPARED = 5000
_LONGEST = 600
"""Letters of one part of an error; a name of a megabyte tells no more than its ends."""


def inert(text: str, most: int = _LONGEST) -> str:
    r"""A text that can be shown anywhere: its middle left out where it is long, and what controls a terminal or turns
    the direction of letters written as an escape.

    >>> inert("conv\x1b[31m"), inert("x" * 50, 9)
    ('conv\\x1b[31m', 'xxx...xxx')
    """
    if len(text) > most:
        half = (most - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() or c in "\n\t" or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode()
        for c in text
    )


class ConvlensError(Exception):
    """Base of every error that convlens raises for bad input.

    Its text is one line. The parts stay available as attributes, so that a page or a notebook can lay them out.

    >>> print(ConvlensError("No such picture", expected="an image file", received="cat.jgp", hint="Check the path."))
    No such picture: expected an image file, received cat.jgp. Check the path.
    """

    def __init__(self, problem: str, *, expected: str = "", received: str = "", hint: str = "") -> None:
        self.problem = inert(problem)
        self.expected = inert(expected)
        self.received = inert(received)
        self.hint = inert(hint)
        super().__init__(self._line())

    def _line(self) -> str:
        facts = [
            f"expected {self.expected}" if self.expected else "",
            f"received {self.received}" if self.received else "",
        ]
        told = ", ".join(fact for fact in facts if fact)
        line = f"{self.problem}: {told}" if told else self.problem
        if self.hint:
            line = line if line.endswith((".", "!", "?")) else line + "."
            line = f"{line} {self.hint}"
        return " ".join(line.split())


class ModelError(ConvlensError):
    """A model that can't be opened or run.

    >>> import convlens
    >>> try:
    ...     convlens.open("no_such_file.onnx")
    ... except ModelError as error:
    ...     print(error.problem, "|", error.received)
    No such model file | no_such_file.onnx
    """


class UntrustedModelError(ModelError):
    """Opening this file could run code that it carries; the user has to say ``trust=True``.

    >>> issubclass(UntrustedModelError, ModelError)  # whoever catches a bad model catches this too
    True
    """


class MissingDependencyError(ConvlensError):
    """A package that an engine or an output format needs isn't installed.

    >>> print(MissingDependencyError("Figures need matplotlib", hint="Type: pip install 'convlens[plot]'"))
    Figures need matplotlib. Type: pip install 'convlens[plot]'
    """


class PictureError(ConvlensError):
    """A picture that can't be read, or that the network can't take.

    >>> import convlens
    >>> try:
    ...     convlens.sketch("conv 3 3x3").feature_maps("no_such_picture.png")
    ... except PictureError as error:
    ...     print(error.problem, "|", error.received)
    No such picture | no_such_picture.png
    """


class InputError(ConvlensError):
    """The network's inputs don't fit what was given: a missing second input, a wrong shape, an unknown input shape.

    >>> import convlens
    >>> try:
    ...     convlens.open(convlens.sketch("conv 3 3x3").model, input_shape=(3, -8, 8))
    ... except InputError as error:
    ...     print(error.problem, "|", error.received)
    This is not an input shape | (3, -8, 8)
    """


def closest(name: str, known: Iterable[str], n: int = 1, cutoff: float = 0.6) -> list[str]:
    """The names that are most like ``name``. Comparing takes the square of a name's length, so that only what a person
    could have typed is compared, and only some thousands.

    >>> closest("cnv1", ["conv1", "relu", "x" * 10**6])
    ['conv1']
    """
    if len(name) > _TYPED:
        return []
    return get_close_matches(name, [one for one in islice(known, _COMPARED) if len(one) <= _TYPED], n=n, cutoff=cutoff)


class LayerNotFoundError(ConvlensError, KeyError):
    """A layer name that the network doesn't have. Also a ``KeyError``, since maps are a mapping.

    >>> import convlens
    >>> try:
    ...     convlens.sketch("conv 3 3x3").network["cnv"]
    ... except KeyError as error:
    ...     print(error)
    No layer 'cnv': expected one of 1 layer names, received 'cnv'. Did you mean 'conv'?
    """

    __str__ = Exception.__str__  # KeyError would print the repr of the text

    @classmethod
    def among(cls, name: str, names: Iterable[str], what: str = "layer") -> LayerNotFoundError:
        """Build the error for ``name``, with the closest of ``names`` as the remedy.

        >>> print(LayerNotFoundError.among("cnv1", ["conv1", "relu"]))
        No layer 'cnv1': expected one of 2 layer names, received 'cnv1'. Did you mean 'conv1'?
        """
        known = list(names)
        if not isinstance(name, str):
            name = repr(name)
        close = closest(name, known, n=3, cutoff=0.5)
        if not close:
            close = [k for k in known if name.lower() in k.lower()][:3]
        name = inert(name, 100)
        known = [inert(one, 100) for one in known[:5]] + known[5:]
        close = [inert(one, 100) for one in close]
        if close:
            hint = "Did you mean " + " or ".join(repr(c) for c in close) + "?"
        elif known:
            hint = "The first ones are " + ", ".join(repr(k) for k in known[:5]) + "."
        else:
            hint = f"There is no {what} to choose."
        return cls(
            f"No {what} {name!r}",
            expected=f"one of {len(known)} {what} names",
            received=repr(name),
            hint=hint,
        )


class ChannelError(ConvlensError, IndexError):
    """A channel that the layer doesn't have. Also an ``IndexError``.

    >>> import convlens, numpy as np
    >>> maps = convlens.sketch("conv 3 3x3").feature_maps(np.zeros((8, 8, 3), np.uint8))
    >>> try:
    ...     maps["conv"].channel(3)
    ... except IndexError as error:
    ...     print(type(error).__name__, error.expected)
    ChannelError a channel from 0 to 2
    """


class StepNotFoundError(ConvlensError, IndexError):
    """A step that a recorded training doesn't have. Also an ``IndexError``.

    >>> from convlens.lens import digits
    >>> try:
    ...     digits.timeline()[99]
    ... except IndexError as error:
    ...     print(type(error).__name__, error.expected)
    StepNotFoundError a place from 0 to 13
    """


class MemoryBudgetError(ConvlensError, MemoryError):
    """What was asked for needs more memory than the budget allows. Also a ``MemoryError``.

    >>> import convlens, numpy as np
    >>> try:
    ...     convlens.sketch("conv 3 3x3").feature_maps(np.zeros((99, 99, 3), np.uint8), memory="1kB")
    ... except MemoryError as error:
    ...     print(type(error).__name__, error.expected)
    MemoryBudgetError at most 1.0 kB
    """


class SketchError(ConvlensError, ValueError):
    """A mistake in a sketch, shown with a caret under the wrong word.

    ``sketch`` is the user's own line, ``column`` and ``width`` say where the wrong word stands.

    >>> print(SketchError("No such block", sketch="conv 3 3x3 | rulo", column=13, width=4, hint="Did you mean relu?"))
    No such block. Did you mean relu?
      conv 3 3x3 | rulo
                   ^^^^
    """

    def __init__(
        self,
        problem: str,
        *,
        sketch: str,
        column: int,
        width: int = 1,
        expected: str = "",
        received: str = "",
        hint: str = "",
    ) -> None:
        self.sketch = sketch
        self.column = column
        self.width = max(1, width)
        super().__init__(problem, expected=expected, received=received, hint=hint)

    def __str__(self) -> str:
        return f"{self._line()}\n  {self.sketch}\n  {' ' * self.column}{'^' * self.width}"


class DrawingError(ConvlensError, ValueError):
    """A picture that can't be drawn as it was asked for. Also a ``ValueError``.

    >>> print(DrawingError("No such channel", expected="channels 0 to 2", received="[3]"))
    No such channel: expected channels 0 to 2, received [3]
    """


class OutputError(ConvlensError, OSError):
    """A file or folder that can't be written; nothing half-written remains. Also an ``OSError``.

    >>> print(OutputError("This ending is unknown", expected=".npz, .safetensors or .zarr", received="maps.txt"))
    This ending is unknown: expected .npz, .safetensors or .zarr, received maps.txt
    """

    __str__ = Exception.__str__  # OSError would print an errno
