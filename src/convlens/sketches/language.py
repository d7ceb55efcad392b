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
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from types import MappingProxyType

from convlens.errors import InputError, SketchError
from convlens.sketches import kernels
from convlens.sketches.blocks import (
    Block,
    Convolution,
    Dense,
    Depthwise,
    LeakyReLU,
    Pair,
    Pool,
    Sketch,
    Transposed,
    Word,
)
from convlens.sketches.reader import SIZE, Reader, suggestion

MOST_CHARACTERS = 10_000
LEAKY_SLOPE = 0.3

_ELSEWHERE = {
    "adaptiveavgpool": "globalavgpool",
    "averagepool": "avgpool",
    "bn": "batchnorm",
    "convolution": "conv",
    "deconv": "tconv",
    "depthwise": "dwconv",
    "fc": "dense",
    "gap": "globalavgpool",
    "linear": "dense",
    "swish": "silu",
}
"""Words that other frameworks use, and too far from ours to be found by their letters."""


_OPTIONS_ELSEWHERE = {"padding": "pad", "strides": "stride", "use_bias=false": "nobias", "rate": "dilation"}
_KERNELS_ELSEWHERE = {"blur": "gaussian", "edges": "laplacian", "mean": "box", "sobel": "sobel-x", "unsharp": "sharpen"}
_EXAMPLES = {
    "conv": "For example: conv 8 3x3",
    "dwconv": "Each channel has its own filter; for example: dwconv 3x3",
    "tconv": "For example: tconv 8 3x3 stride 2",
    "maxpool": "For example: maxpool 2x2",
    "avgpool": "For example: avgpool 2x2",
    "dense": "For example: dense 10",
}
_NAMED_HINT = "A named kernel is one filter, without bias."


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
        blocks.append(_block(reader, counts))
        start += len(part) + 1
    return Sketch(line, tuple(blocks))


def _nothing(line: str, end: int) -> SketchError:
    """The error for an empty block: its caret is under the bar that comes too early, or the one with nothing behind."""
    expected = "a layer, such as conv 8 3x3, relu or maxpool 2x2"
    if not line.strip():
        return SketchError("This sketch is empty", sketch=line, column=0, expected=expected)
    bar = end if end < len(line) else line.rindex("|")
    return SketchError("There is no layer here", sketch=line, column=bar, expected=expected, hint="Leave out this bar.")


def _block(reader: Reader, counts: Counter[str]) -> Block:
    word = reader.take("a layer")
    if word.text not in _GRAMMAR:
        expected = "one of " + ", ".join(_GRAMMAR)
        hint = suggestion(word.text, tuple(_GRAMMAR), _ELSEWHERE)
        raise reader.mistake(word, "There is no such layer", expected=expected, hint=hint)
    counts[word.text] += 1
    count = counts[word.text]
    return _GRAMMAR[word.text](reader, word, f"{word.text}{count if count > 1 else ''}")


@dataclass(slots=True)
class _Options:
    """What the words after a block's size say; the values here are those of a block without any."""

    stride: Pair | None = None
    dilation: Pair = (1, 1)
    padding: Pair | None = (0, 0)
    output_padding: Pair = (0, 0)
    groups: int = 1
    multiplier: int = 1
    bias: bool = True
    places: dict[str, Word] = field(default_factory=dict)


def _options(reader: Reader, *allowed: str, hint: str = "") -> _Options:
    """Read options up to the end of the block, in any order, each once; ``hint`` goes with a word that is none."""
    options = _Options()
    given: dict[str, str] = {}
    while reader.peek() is not None:
        word = reader.take("an option")
        if word.text not in allowed:
            meant = suggestion(word.text, allowed, _OPTIONS_ELSEWHERE)
            raise reader.mistake(word, "This doesn't belong here", expected=_listed(allowed), hint=meant or hint)
        setting = "padding" if word.text in ("same", "valid", "pad") else word.text
        if setting in given:
            raise reader.mistake(word, f"The {setting} is given twice", expected=f"'{given[setting]}' alone")
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


def _filters(reader: Reader, word: Word, otherwise: str = "") -> int:
    following = reader.peek()
    hint = _EXAMPLES[word.text]
    if following is not None and SIZE.fullmatch(following.text):
        hint = f"Write: {word.text} 8 {following.text}, for 8 filters."
        raise reader.mistake(following, "The number of filters is missing", expected="FILTERS KERNEL", hint=hint)
    if following is not None and otherwise and following.text[0].isalpha():
        hint = suggestion(following.text, kernels.NAMES, _KERNELS_ELSEWHERE) or hint
        raise reader.mistake(
            following, "There is no such kernel", expected="a number of filters " + otherwise, hint=hint
        )
    return reader.number("a number of filters", hint=hint)


def _kernel(reader: Reader, word: Word) -> tuple[Pair, Word]:
    following = reader.peek()
    if following is not None and following.text in kernels.NAMES:
        hint = f"Write: conv {following.text}, or dwconv {following.text} for one map a channel."
        raise reader.mistake(following, "A named kernel brings its own filter", expected="a size", hint=hint)
    return reader.pair("a kernel", hint=_EXAMPLES[word.text]), reader.last


def _named(reader: Reader) -> str | None:
    following = reader.peek()
    if following is None or following.text not in kernels.NAMES:
        return None
    return reader.take("a kernel").text


def _named_size(reader: Reader, named: str) -> tuple[Pair, Word]:
    at = reader.last
    following = reader.peek()
    if following is None or not following.text[0].isdigit():
        return (3, 3), at
    size = reader.pair(f"a size for {named}")
    if named not in kernels.SCALABLE:
        if size == (3, 3):
            return size, at
        raise reader.mistake(reader.last, f"{named} has one size", expected="3x3", hint=f"Write: {named}")
    if max(size) > kernels.LARGEST:
        raise reader.mistake(
            reader.last, f"Too large for {named}", expected=f"at most {kernels.LARGEST}x{kernels.LARGEST}"
        )
    if named in kernels.CENTRED and not (size[0] % 2 and size[1] % 2):
        raise reader.mistake(
            reader.last, f"{named} needs a pixel in its middle", expected="odd numbers, such as 3x3 or 5x5"
        )
    return size, reader.last


def _check_same(reader: Reader, options: _Options) -> None:
    if options.padding is None and max(options.stride or (1, 1)) > 1 and max(options.dilation) > 1:
        raise reader.mistake(
            options.places["padding"],
            "'same' can't be had with both a stride and a dilation",
            expected="one of the two, or 'pad N'",
        )


def _listed(words: Iterable[str]) -> str:
    names = list(words)
    return (
        ", ".join(names[:-1]) + " or " + names[-1] if len(names) > 1 else names[0] if names else "the end of the layer"
    )


def _conv(reader: Reader, word: Word, name: str) -> Block:
    named = _named(reader)
    if named:
        kernel, at = _named_size(reader, named)
        options = _options(reader, *_SLIDING, "dilation", hint=_NAMED_HINT)
        filters = 1
    else:
        filters = _filters(reader, word, "or the name of a kernel, " + _listed(kernels.NAMES))
        kernel, at = _kernel(reader, word)
        options = _options(reader, *_SLIDING, "dilation", "groups", "nobias", hint=_EXAMPLES["conv"])
        if filters % options.groups:
            raise reader.mistake(
                options.places["groups"],
                f"{filters} filters can't be shared out among {options.groups} groups",
                expected=f"a divisor of {filters}",
            )
    _check_same(reader, options)
    return Convolution(
        word=word,
        name=name,
        places=MappingProxyType({"kernel": at, **options.places}),
        filters=filters,
        kernel=kernel,
        stride=options.stride or (1, 1),
        padding=options.padding,
        dilation=options.dilation,
        groups=options.groups,
        bias=options.bias and not named,
        named=named,
    )


def _dwconv(reader: Reader, word: Word, name: str) -> Block:
    named = _named(reader)
    if named:
        kernel, at = _named_size(reader, named)
        options = _options(reader, *_SLIDING, "dilation", hint=_NAMED_HINT)
    else:
        kernel, at = _kernel(reader, word)
        options = _options(reader, *_SLIDING, "dilation", "multiplier", "nobias", hint=_EXAMPLES["dwconv"])
    _check_same(reader, options)
    return Depthwise(
        word=word,
        name=name,
        places=MappingProxyType({"kernel": at, **options.places}),
        kernel=kernel,
        stride=options.stride or (1, 1),
        padding=options.padding,
        dilation=options.dilation,
        multiplier=options.multiplier,
        bias=options.bias and not named,
        named=named,
    )


def _tconv(reader: Reader, word: Word, name: str) -> Block:
    filters = _filters(reader, word)
    kernel, at = _kernel(reader, word)
    options = _options(reader, *_SLIDING, "dilation", "output_padding", "nobias", hint=_EXAMPLES["tconv"])
    stride = options.stride or (1, 1)
    if "output_padding" in options.places:
        place = options.places["output_padding"]
        if options.padding is None:
            raise reader.mistake(place, "'same' settles the output's size already", expected="no output_padding")
        least = tuple(max(sizes) for sizes in zip(stride, options.dilation, strict=True))
        if any(added >= most for added, most in zip(options.output_padding, least, strict=True)):
            raise reader.mistake(
                place,
                "The output padding is too large",
                expected=f"less than the stride or the dilation, {least[0]}x{least[1]}",
            )
    return Transposed(
        word=word,
        name=name,
        places=MappingProxyType({"kernel": at, **options.places}),
        filters=filters,
        kernel=kernel,
        stride=stride,
        padding=options.padding,
        dilation=options.dilation,
        output_padding=options.output_padding,
        bias=options.bias,
    )


def _pool(reader: Reader, word: Word, name: str) -> Block:
    kernel, at = _kernel(reader, word)
    options = _options(reader, *_SLIDING, hint=_EXAMPLES[word.text])
    if options.padding and any(pad >= size for pad, size in zip(options.padding, kernel, strict=True)):
        raise reader.mistake(
            options.places["padding"],
            "With this padding whole windows would hold no pixel",
            expected=f"less than the window, {kernel[0]}x{kernel[1]}",
        )
    return Pool(
        word=word,
        name=name,
        places=MappingProxyType({"kernel": at, **options.places}),
        kernel=kernel,
        stride=options.stride or kernel,
        padding=options.padding,
    )


def _dense(reader: Reader, word: Word, name: str) -> Block:
    units = reader.number("a number of outputs", hint=_EXAMPLES["dense"])
    at = reader.last
    options = _options(reader, "nobias", hint=_EXAMPLES["dense"])
    return Dense(word=word, name=name, places=MappingProxyType({"units": at}), units=units, bias=options.bias)


def _leakyrelu(reader: Reader, word: Word, name: str) -> Block:
    slope = LEAKY_SLOPE if reader.peek() is None else reader.decimal("a slope", most=1)
    _options(reader)
    return LeakyReLU(word=word, name=name, slope=slope)


def _plain(reader: Reader, word: Word, name: str) -> Block:
    _options(reader)
    return Block(word=word, name=name)


_SLIDING = ("stride", "same", "valid", "pad")

_GRAMMAR: dict[str, Callable[[Reader, Word, str], Block]] = {
    "conv": _conv,
    "dwconv": _dwconv,
    "tconv": _tconv,
    "maxpool": _pool,
    "avgpool": _pool,
    "globalavgpool": _plain,
    "relu": _plain,
    "leakyrelu": _leakyrelu,
    "sigmoid": _plain,
    "tanh": _plain,
    "silu": _plain,
    "gelu": _plain,
    "softmax": _plain,
    "batchnorm": _plain,
    "flatten": _plain,
    "dense": _dense,
}
