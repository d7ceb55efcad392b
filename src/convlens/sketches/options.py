"""The words after a block's size: ``stride 2 same nobias``, in any order."""

from __future__ import annotations

from dataclasses import dataclass, field

from convlens.sketches import kernels
from convlens.sketches.blocks import Pair, Word
from convlens.sketches.reader import Reader, listed, suggestion

SLIDING = ("stride", "same", "valid", "pad")
"""Options of everything that slides."""

_ELSEWHERE = {"padding": "pad", "strides": "stride", "use_bias=false": "nobias", "rate": "dilation"}


@dataclass(slots=True)
class Options:
    """What the words after a block's size say; the values here are those of a block without any."""

    stride: Pair | None = None
    dilation: Pair = (1, 1)
    padding: Pair | None = (0, 0)
    output_padding: Pair = (0, 0)
    groups: int = 1
    multiplier: int = 1
    bias: bool = True
    places: dict[str, Word] = field(default_factory=dict)


def read_options(reader: Reader, *allowed: str, hint: str = "") -> Options:
    """Read options up to the end of the block, in any order, each once; ``hint`` goes with a word that is none."""
    options = Options()
    given: dict[str, str] = {}
    while reader.peek() is not None:
        word = reader.take("an option")
        if word.text not in allowed:
            meant = _named(reader, word) or suggestion(word.text, allowed, _ELSEWHERE)
            raise reader.mistake(word, "This doesn't belong here", expected=listed(allowed), hint=meant or hint)
        setting = "padding" if word.text in ("same", "valid", "pad") else word.text
        if setting in given:
            raise reader.mistake(
                word,
                f"The {setting} is given twice",
                expected=f"'{setting}' once" if word.text == given[setting] else f"'{given[setting]}' alone",
            )
        given[setting] = word.text
        match word.text:
            case "stride":
                options.stride = reader.pair("a stride")
            case "dilation":
                options.dilation = reader.pair("a dilation")
            case "same":
                options.padding = None
            case "pad":
                options.padding = reader.pair("a padding", least=0)
            case "output_padding":
                options.output_padding = reader.pair("an output padding", least=0)
            case "groups":
                options.groups = reader.number("a number of groups")
            case "multiplier":
                options.multiplier = reader.number("a number of filters a channel")
            case "nobias":
                options.bias = False
        options.places[setting] = reader.last
    return options


def _named(reader: Reader, word: Word) -> str:
    """How the kernel that ``word`` names is written, where it names one: it stands before all else."""
    kind = "dwconv" if reader.words[0].text == "dwconv" else "conv"
    return f"Write: {kind} {word.text}" if word.text in kernels.NAMES else ""


def check_same(reader: Reader, options: Options) -> None:
    """Refuse "same" with both a stride and a dilation, as Keras does; ONNX Runtime can't run it for a free size."""
    if options.padding is None and max(options.stride or (1, 1)) > 1 and max(options.dilation) > 1:
        raise reader.mistake(
            options.places["padding"],
            "'same' can't be had with both a stride and a dilation",
            expected="one of the two, or 'pad N'",
        )
