"""The arithmetic of a layer in formulas with its own numbers put in: sizes, parameters, multiply-accumulates, memory.

The numbers come from :mod:`convlens.geometry`; each line can be typed into a calculator, and is there in LaTeX too.
"""

from convlens.derivation.line import Derivation
from convlens.derivation.worked import Worked, derive, derive_all, in_words, shape_in_words

__all__ = ["Derivation", "Worked", "derive", "derive_all", "in_words", "shape_in_words"]
