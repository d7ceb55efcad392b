"""Words of one block, read one after the other; each reading states what it expects."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from convlens.errors import SketchError, closest
from convlens.sketches.blocks import Pair, Word

MOST = 65_536
"""The largest number that a sketch may hold; sizes that belong together are bounded when the model is built."""

SIZE = re.compile(r"[0-9]+(?:\s*[x×]\s*[0-9]+)+(?=[\s|]|$)", re.IGNORECASE)
_WORD = re.compile(rf"{SIZE.pattern}|[^\s|]+", re.IGNORECASE)
_DECIMAL = re.compile(r"[0-9]*\.?[0-9]+")
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]+")
_WHOLE = re.compile(r"[0-9]+")


class Reader:
    """Reads the words between ``start`` and ``end`` of ``line``."""

    def __init__(self, line: str, start: int, end: int) -> None:
        self.line = line
        self.words = [
            Word(re.sub(r"\s", "", found.group()).lower().replace("×", "x"), found.start(), len(found.group()))
            for found in _WORD.finditer(line, start, end)
        ]
        self._next = 0

    def peek(self) -> Word | None:
        """The next word, without taking it; ``None`` at the end."""
        return self.words[self._next] if self._next < len(self.words) else None

    @property
    def last(self) -> Word:
        """The word that was taken last."""
        return self.words[max(self._next - 1, 0)]

    def take(self, expected: str, hint: str = "") -> Word:
        """The next word.

        Raises:
            SketchError: there is none; the caret stands where it should be.
        """
        word = self.peek()
        if word is None:
            missing = Word("", self.last.end, 1)
            raise self.mistake(missing, f"Something is missing after '{self.last.text}'", expected=expected, hint=hint)
        self._next += 1
        return word

    def number(self, what: str, *, least: int = 1, hint: str = "") -> int:
        """The next word as a whole number of at least ``least``."""
        word = self.take(f"{what}, a whole number", hint)
        return self._whole(word, word.text, what, least)

    def pair(self, what: str, *, least: int = 1, hint: str = "") -> Pair:
        """The next word as rows x columns: ``3x5``, or ``3`` for ``3x3``."""
        expected = "rows x columns, such as 3x3, or 3 for the same"
        word = self.take(f"{what}, {expected}", hint)
        sides = word.text.split("x")
        if len(sides) > 2 or not all(_NUMBER.fullmatch(side) for side in sides):
            raise self.mistake(word, f"This is not {what}", expected=expected, hint=hint)
        numbers = [self._whole(word, side, what, least) for side in sides]
        return numbers[0], numbers[-1]

    def decimal(self, what: str, *, most: float) -> float:
        """The next word as a number from 0 to ``most``."""
        word = self.take(f"{what}, a number")
        if not _DECIMAL.fullmatch(word.text) or float(word.text) > most:
            raise self.mistake(word, f"This is not {what}", expected=f"a number from 0 to {most:g}, such as 0.1")
        return float(word.text)

    def mistake(self, at: Word, problem: str, *, expected: str = "", hint: str = "") -> SketchError:
        """The error for ``problem``, with its caret under ``at``; what stands there is told as received."""
        written = self.line[at.column : at.end]
        received = f"'{written}'" if at.text else ""
        return SketchError(
            problem,
            sketch=self.line,
            column=at.column,
            width=at.width,
            expected=expected,
            received=received,
            hint=hint,
        )

    def _whole(self, word: Word, text: str, what: str, least: int) -> int:
        digits = text.lstrip("0") or "0"
        if not _WHOLE.fullmatch(text) or (least and digits == "0"):
            raise self.mistake(word, f"This is not {what}", expected=f"a whole number, {least} or more")
        if len(digits) > len(str(MOST)) or int(digits) > MOST:
            raise self.mistake(word, f"Too much for {what}", expected=f"at most {MOST:,}")
        return int(digits)


def suggestion(text: str, known: Sequence[str], elsewhere: Mapping[str, str]) -> str:
    """The question whether the closest of ``known`` was meant, or the word that ``elsewhere`` translates; or nothing.

    >>> suggestion("cnov", ["conv", "relu"], {})
    "Did you mean 'conv'?"
    """
    close = [elsewhere[text]] if text in elsewhere else closest(text, known, n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""


def listed(words: Iterable[str]) -> str:
    """The words with commas, and "or" before the last; what is expected where there are none is the end of the layer.

    >>> listed(["stride", "same", "pad"])
    'stride, same or pad'
    """
    names = list(words)
    return (
        ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0] if names else "the end of the layer"
    )
