"""Whether two printouts say the same on another processor: words alike, numbers as near as float32 sums are."""

from __future__ import annotations

import re

RELATIVE = 1e-4
"""How far a fractional number may be off, as a share of itself; or one in its last printed digit."""

SMALL = 2e-3
"""The most that a residual, a difference or a bound of rounding may be: its digits are those of the processor."""

_NUMBER = re.compile(r"((?<!\w)[-+]?\d[\d,]*(?:\.\d+)?(?:[eE][-+]?\d+)?|\d+)")
_OF_THE_PROCESSOR = re.compile(r"\b(residual|difference|rounding can make)[\s:=]*$")


def says_the_same(said: str, printed: str) -> bool:
    """Whether ``printed`` says what ``said`` does: every word, every whole number, and every fractional number nearly.

    How many blanks stand between the columns of a table isn't compared: a minus sign moves them.

    >>> says_the_same("total  0.25003 in 3 layers", "total 0.25004 in 3 layers")
    True
    >>> says_the_same("total  0.25003 in 3 layers", "total 0.25003 in 4 layers")
    False
    """
    lines = said.splitlines(), printed.splitlines()
    return len(lines[0]) == len(lines[1]) and all(map(_same_line, *lines))


def _same_line(said: str, printed: str) -> bool:
    first, second = (_NUMBER.split(_narrow(line)) for line in (said, printed))
    if first[::2] != second[::2]:
        return False
    return all(_same_number(*row) for row in zip(first[::2], first[1::2], second[1::2], strict=False))


def _narrow(line: str) -> str:
    """The line with one blank for several, except those that indent it."""
    text = line.strip()
    return line[: len(line) - len(line.lstrip())] + re.sub(r" +", " ", text)


def _same_number(before: str, said: str, printed: str) -> bool:
    if said == printed:
        return True
    ours, theirs = (float(number.replace(",", "")) for number in (said, printed))
    if _OF_THE_PROCESSOR.search(before):
        return abs(ours) <= SMALL and abs(theirs) <= SMALL
    if not (_is_fractional(said) and _is_fractional(printed)):
        return False
    return abs(ours - theirs) <= max(RELATIVE * abs(ours), 1.001 * _last_digit(said))


def _is_fractional(number: str) -> bool:
    return "." in number or "e" in number.lower()


def _last_digit(number: str) -> float:
    """What one more in the last printed digit is worth.

    >>> _last_digit("0.250"), _last_digit("3.65e-06")
    (0.001, 1e-08)
    """
    digits, _, exponent = number.lower().partition("e")
    decimals = len(digits.partition(".")[2])
    return float(f"1e{int(exponent or 0) - decimals}")
