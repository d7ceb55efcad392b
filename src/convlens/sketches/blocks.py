"""What a sketch says, as data: one block a layer, each word with its place in the line. No arrays, no ONNX."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from convlens.errors import SketchError

Pair = tuple[int, int]
"""Rows and columns."""


@dataclass(frozen=True, slots=True)
class Word:
    """A word of the line, in small letters, and the column at which it begins."""

    text: str
    column: int
    width: int

    @property
    def end(self) -> int:
        """The column just after the word."""
        return self.column + self.width


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One layer of a sketch; by itself one without settings, such as ``relu`` or ``flatten``.

    ``name`` is the layer's name in the model: ``conv``, then ``conv2``. ``places`` has the word behind each setting,
    for the caret of mistakes that only show once sizes are known.
    """

    word: Word
    name: str
    places: Mapping[str, Word] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False, hash=False
    )

    @property
    def kind(self) -> str:
        """The word that the block begins with."""
        return self.word.text

    def place(self, setting: str) -> Word:
        """The word that gave ``setting``, or the block's first word."""
        return self.places.get(setting, self.word)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sliding(Block):
    """A block whose window slides. ``padding`` is the same on both sides of an axis, or ``None`` for "same"."""

    kernel: Pair
    stride: Pair
    padding: Pair | None
    dilation: Pair = (1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution(Sliding):
    """``conv``. ``named`` is the named kernel, whose single filter reads the mean of the channels."""

    filters: int
    groups: int = 1
    bias: bool = True
    named: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Depthwise(Sliding):
    """``dwconv``: ``multiplier`` filters a channel, each reading that channel alone."""

    multiplier: int = 1
    bias: bool = True
    named: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Transposed(Sliding):
    """``tconv``: the convolution that undoes the size of a convolution."""

    filters: int
    output_padding: Pair = (0, 0)
    bias: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Sliding):
    """``maxpool`` or ``avgpool``; averages never count the padding."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dense(Block):
    """``dense``: every output reads every value of a vector."""

    units: int
    bias: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class LeakyReLU(Block):
    """``leakyrelu``: negative values are multiplied by ``slope``."""

    slope: float


@dataclass(frozen=True, slots=True)
class Sketch:
    """A parsed line: ``text`` as it was written, and its blocks from input to output."""

    text: str
    blocks: tuple[Block, ...]

    def mistake(self, at: Word, problem: str, *, expected: str = "", received: str = "", hint: str = "") -> SketchError:
        """The error for ``problem``, with its caret under the word ``at``."""
        return SketchError(
            problem, sketch=self.text, column=at.column, width=at.width, expected=expected, received=received, hint=hint
        )
