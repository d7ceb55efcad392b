"""One block of a sketch: its first word says which settings may follow."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from types import MappingProxyType

from convlens.sketches import kernels
from convlens.sketches.blocks import Block, Convolution, Dense, Depthwise, LeakyReLU, Pair, Pool, Transposed, Word
from convlens.sketches.options import SLIDING, check_same, read_options
from convlens.sketches.reader import SIZE, Reader, listed, suggestion

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


def read_block(reader: Reader, counts: Counter[str]) -> Block:
    """The block that ``reader`` stands before; ``counts`` has how often each kind came already, for its name.

    Raises:
        SketchError: the caret is under the word that doesn't fit.
    """
    word = reader.take("a layer")
    if word.text not in _GRAMMAR:
        expected = "one of " + ", ".join(_GRAMMAR)
        hint = suggestion(word.text, tuple(_GRAMMAR), _ELSEWHERE)
        raise reader.mistake(word, "There is no such layer", expected=expected, hint=hint)
    counts[word.text] += 1
    count = counts[word.text]
    return _GRAMMAR[word.text](reader, word, f"{word.text}{count if count > 1 else ''}")


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
    what = "a window" if word.text in ("maxpool", "avgpool") else "a kernel"
    return reader.pair(what, hint=_EXAMPLES[word.text]), reader.last


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


def _conv(reader: Reader, word: Word, name: str) -> Block:
    named = _named(reader)
    if named:
        kernel, at = _named_size(reader, named)
        options = read_options(reader, *SLIDING, "dilation", hint=_NAMED_HINT)
        filters = 1
    else:
        filters = _filters(reader, word, "or the name of a kernel, " + listed(kernels.NAMES))
        kernel, at = _kernel(reader, word)
        options = read_options(reader, *SLIDING, "dilation", "groups", "nobias", hint=_EXAMPLES["conv"])
        if filters % options.groups:
            raise reader.mistake(
                options.places["groups"],
                f"{filters} filters can't be shared out among {options.groups} groups",
                expected=f"a divisor of {filters}",
            )
    check_same(reader, options)
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
        options = read_options(reader, *SLIDING, "dilation", hint=_NAMED_HINT)
    else:
        kernel, at = _kernel(reader, word)
        options = read_options(reader, *SLIDING, "dilation", "multiplier", "nobias", hint=_EXAMPLES["dwconv"])
    check_same(reader, options)
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
    options = read_options(reader, *SLIDING, "dilation", "output_padding", "nobias", hint=_EXAMPLES["tconv"])
    stride = options.stride or (1, 1)
    if "output_padding" in options.places:
        place = options.places["output_padding"]
        if options.padding is None:
            raise reader.mistake(place, "'same' settles the output's size already", expected="no output_padding")
        # ONNX would also allow as much as the dilation, but ONNX Runtime refuses it
        if any(added >= step for added, step in zip(options.output_padding, stride, strict=True)):
            raise reader.mistake(
                place,
                "The output padding is too large",
                expected=f"less than the stride, {stride[0]}x{stride[1]}",
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
    options = read_options(reader, *SLIDING, hint=_EXAMPLES[word.text])
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
    options = read_options(reader, "nobias", hint=_EXAMPLES["dense"])
    return Dense(word=word, name=name, places=MappingProxyType({"units": at}), units=units, bias=options.bias)


def _leakyrelu(reader: Reader, word: Word, name: str) -> Block:
    slope = LEAKY_SLOPE if reader.peek() is None else reader.decimal("a slope", most=1)
    read_options(reader)
    return LeakyReLU(word=word, name=name, slope=slope)


def _plain(reader: Reader, word: Word, name: str) -> Block:
    read_options(reader)
    return Block(word=word, name=name)


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
