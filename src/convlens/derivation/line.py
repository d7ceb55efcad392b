"""One number of a layer, and how it comes about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from convlens.derivation import typesetting


@dataclass(frozen=True, slots=True)
class Derivation:
    r"""How one number came about: ``what`` it is, its ``formula``, and the same with its own numbers: terms = value.

    ``worked`` can be typed into a calculator as it stands; ``latex`` is the same, typeset, for math mode.

    >>> line = Derivation("parameters", "rows * columns * filters", "3*3*8 = 72", 72)
    >>> print(line), print(line.latex)
    parameters: 3*3*8 = 72
    3 \cdot 3 \cdot 8 = 72
    (None, None)
    """

    what: str
    formula: str
    worked: str
    value: int

    @classmethod
    def of(cls, what: str, formula: str, terms: str, value: int) -> Derivation:
        """The line ``terms = value``."""
        return cls(what, formula, f"{terms} = {value}", value)

    @property
    def terms(self) -> str:
        """The left side of ``worked``."""
        return self.worked.rpartition(" = ")[0]

    @property
    def rule(self) -> str:
        """The formula as a person reads it."""
        return self.formula.replace("_", " ")

    @property
    def latex(self) -> str:
        """``worked`` in LaTeX."""
        return f"{typesetting.latex(self.terms)} = {typesetting.latex(str(self.value))}"

    @property
    def rule_latex(self) -> str:
        """The formula in LaTeX."""
        return typesetting.latex(self.formula)

    def to_dict(self) -> dict[str, Any]:
        """The line as plain data, for ``--json``."""
        return {
            "what": self.what,
            "value": self.value,
            "rule": self.rule,
            "text": self.worked,
            "latex": self.latex,
        }

    def __str__(self) -> str:
        return f"{self.what}: {self.worked}"

    def _repr_latex_(self) -> str:
        return f"$${typesetting.words(self.what)} = {self.rule_latex} = {self.latex}$$"


def times(*numbers: int) -> str:
    """Numbers multiplied, as they are typed.

    >>> times(3, 3, 64)
    '3*3*64'
    """
    return "*".join(str(number) for number in numbers)
