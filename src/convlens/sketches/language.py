"""The language of sketches: one line of text, blocks between bars -> frozen data. Every mistake gets a caret.

::

    conv FILTERS KERNEL    stride N|NxM, dilation N|NxM, same|valid|pad N|NxM, groups N, nobias
    conv NAME [KERNEL]     one filter with a named kernel, which reads the mean of the channels; no bias
    dwconv KERNEL          depthwise, each filter reads one channel; multiplier N makes it N filters a channel
    dwconv NAME [KERNEL]   a named kernel on each channel
    tconv FILTERS KERNEL   transposed; also output_padding N|NxM
    maxpool, avgpool       KERNEL, stride N|NxM (the kernel's size unless given), same|valid|pad N|NxM
    dense N                nobias
    leakyrelu [SLOPE]      0.3 unless given, as in Keras
    relu, sigmoid, tanh, silu, gelu, softmax, batchnorm, globalavgpool, flatten

KERNEL is rows x columns, ``3x5``, or ``3`` for ``3x3``; NAME one of :data:`convlens.sketches.kernels.NAMES`. Without a
word on padding there is none (``valid``). Capitals and spaces don't matter.
"""

from __future__ import annotations

from collections import Counter

from convlens.errors import InputError, SketchError
from convlens.sketches.blocks import Sketch
from convlens.sketches.grammar import read_block
from convlens.sketches.reader import Reader

MOST_CHARACTERS = 10_000


def parse(text: str) -> Sketch:
    """What the sketch ``text`` says, one block a layer.

    Raises:
        SketchError: a mistake in the line; it says what was expected, with a caret under the wrong word.
        InputError: ``text`` isn't text.

    >>> [block.name for block in parse("conv 3 3x3 | relu | maxpool 5x5 | conv 1 3x3").blocks]
    ['conv', 'relu', 'maxpool', 'conv2']
    """
    if not isinstance(text, str):
        raise InputError(
            "A sketch is one line of text", expected="such as 'conv 3 3x3 | relu'", received=repr(text)[:60]
        )
    line = "".join(letter if letter.isprintable() else " " for letter in text)  # a tab would move the caret
    if len(line) > MOST_CHARACTERS:
        raise SketchError(
            "This sketch is too long",
            sketch=line[:60] + "...",
            column=0,
            expected=f"at most {MOST_CHARACTERS:,} characters",
            received=f"{len(line):,}",
        )
    counts: Counter[str] = Counter()
    blocks = []
    start = 0
    for part in line.split("|"):
        reader = Reader(line, start, start + len(part))
        if not reader.words:
            raise _nothing(line, start + len(part))
        blocks.append(read_block(reader, counts))
        start += len(part) + 1
    return Sketch(line, tuple(blocks))


def _nothing(line: str, end: int) -> SketchError:
    """The error for an empty block: its caret is under the bar that comes too early, or the one with nothing behind."""
    expected = "a layer, such as conv 8 3x3, relu or maxpool 2x2"
    if not line.strip():
        return SketchError("This sketch is empty", sketch=line, column=0, expected=expected)
    bar = end if end < len(line) else line.rindex("|")
    return SketchError("There is no layer here", sketch=line, column=bar, expected=expected, hint="Leave out this bar.")
