"""The errors that a person can meet: each says what was expected, what was received, what to type next."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class ConvlensError(Exception):
    """Base of every error that convlens raises for bad input.

    Its text is one line. The parts stay available as attributes, so that a page or a notebook can lay them out.

    >>> print(ConvlensError("No such picture", expected="an image file", received="cat.jgp", hint="Check the path."))
    No such picture: expected an image file, received cat.jgp. Check the path.
    """

    def __init__(self, problem: str, *, expected: str = "", received: str = "", hint: str = "") -> None:
        self.problem = problem
        self.expected = expected
        self.received = received
        self.hint = hint
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
    """A model that can't be opened or run."""


class UntrustedModelError(ModelError):
    """Opening this file could run code that it carries; the user has to say ``trust=True``."""


class MissingDependencyError(ConvlensError):
    """A package that an engine or an output format needs isn't installed."""


class PictureError(ConvlensError):
    """A picture that can't be read, or that the network can't take."""


class InputError(ConvlensError):
    """The network's inputs don't fit what was given: a missing second input, a wrong shape, an unknown input shape."""


class LayerNotFoundError(ConvlensError, KeyError):
    """A layer name that the network doesn't have. Also a ``KeyError``, since maps are a mapping."""

    __str__ = Exception.__str__  # KeyError would print the repr of the text

    @classmethod
    def among(cls, name: str, names: Iterable[str], what: str = "layer") -> LayerNotFoundError:
        """Build the error for ``name``, with the closest of ``names`` as the remedy.

        >>> print(LayerNotFoundError.among("cnv1", ["conv1", "relu"]))
        No layer 'cnv1': expected one of 2 layer names, received 'cnv1'. Did you mean 'conv1'?
        """
        known = list(names)
        close = get_close_matches(name, known, n=3, cutoff=0.5)
        if not close:
            close = [k for k in known if name.lower() in k.lower()][:3]
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
    """A channel that the layer doesn't have."""


class MemoryBudgetError(ConvlensError, MemoryError):
    """What was asked for needs more memory than the budget allows."""


class SketchError(ConvlensError, ValueError):
    """A mistake in a sketch, shown with a caret under the wrong word.

    ``sketch`` is the user's own line, ``column`` and ``width`` say where the wrong word stands.
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
    """A picture that can't be drawn as it was asked for."""


class OutputError(ConvlensError, OSError):
    """A file or folder that can't be written; nothing half-written remains."""

    __str__ = Exception.__str__  # OSError would print an errno
