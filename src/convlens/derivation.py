"""The arithmetic of a layer in words, with the numbers put in: parameters, output sizes, multiply-accumulates.

Text only; the numbers come from :mod:`convlens.geometry`, and each line can be typed into a calculator.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod

from convlens import geometry
from convlens.network import Convolution, Dense, FreeShape, Kind, Layer, Network, Pooling, ReceptiveField, Shape

_AXES = {1: ("length",), 2: ("rows", "columns"), 3: ("depth", "rows", "columns")}


@dataclass(frozen=True, slots=True)
class Derivation:
    """How one number came about: ``what`` it is, the ``rule`` in words, and ``worked`` out: terms = value."""

    what: str
    rule: str
    worked: str
    value: int

    def __str__(self) -> str:
        return f"{self.what}: {self.worked}"


def derive(layer: Layer, reads: Shape | None) -> tuple[Derivation, ...]:
    """How a layer's numbers come about; ``reads`` is the shape of what it reads, ``None`` where it isn't known.

    Empty for layers that compute value by value: an activation changes no shape and has nothing to count.

    >>> conv = Convolution(3, 3, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    >>> layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (3, 1438, 1078), conv, 84)
    >>> for line in derive(layer, (3, 1440, 1080))[:3]:
    ...     print(line)
    parameters: 3*3*3*3 + 3 = 84
    rows: floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438
    columns: floor((1080 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1078
    """
    operation = layer.operation
    found: list[Derivation] = []
    if isinstance(operation, (Convolution, Dense)):
        found.append(parameters(operation))
    if isinstance(operation, (Convolution, Pooling)) and reads is not None and len(reads) > 1:
        found += _sizes(layer, operation, reads)
    if isinstance(operation, (Convolution, Dense)):
        macs = _multiply_accumulates(layer, operation, reads)
        found += [macs] if macs is not None else []
    if isinstance(operation, Convolution) and not operation.transposed and reads is not None:
        found.append(dense_instead(layer, reads))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Worked:
    """A layer with how its numbers come about, and what they mean."""

    layer: Layer
    derivations: tuple[Derivation, ...]
    remarks: tuple[str, ...]


def derive_all(network: Network) -> Iterator[Worked]:
    """Every layer of the network, worked out, in execution order; sizes that the network leaves open stay out."""
    shapes: dict[str, Shape] = {
        given.name: tuple(n for n in given.shape if n is not None)
        for given in network.inputs
        if None not in given.shape
    }
    for layer in network:
        reads = shapes.get(layer.inputs[0]) if layer.inputs else None
        yield Worked(layer, derive(layer, reads), remarks(layer, reads))
        shapes[layer.name] = layer.output_shape


def parameters(operation: Convolution | Dense) -> Derivation:
    """How many weights and biases a convolution or a dense layer has.

    >>> print(parameters(Convolution(32, 64, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), groups=32, bias=False)))
    parameters: 3*3*1*64 = 576
    >>> print(parameters(Dense(1280, 1000)))
    parameters: 1280*1000 + 1000 = 1281000
    """
    value = geometry.parameters(operation)
    if isinstance(operation, Convolution):
        count, factors = operation.filters, (*operation.kernel_size, operation.in_channels // operation.groups)
        axes = " * ".join(f"kernel {axis}" for axis in _AXES[len(operation.kernel_size)])
        rule = f"{axes} * channels{'' if operation.groups == 1 else ' of a group'} * filters"
    else:
        count, factors = operation.out_features, (operation.in_features,)
        rule = "inputs * outputs"
    terms = "*".join(str(n) for n in (*factors, count)) + (f" + {count}" if operation.bias else "")
    return Derivation("parameters", rule + (" + biases" if operation.bias else ""), f"{terms} = {value}", value)


def size(
    axis: str, size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int], *, ceil_mode: bool = False
) -> Derivation:
    """How many windows fit along an axis (V. Dumoulin and F. Visin, arXiv:1603.07285, relationship 6).

    >>> print(size("rows", 1438, 5, 5, 1, (0, 0)))
    rows: floor((1438 + 0 + 0 - 1*(5-1) - 1) / 5) + 1 = 287
    """
    value = geometry.output_size(size, kernel, stride, dilation, padding, ceil_mode=ceil_mode)
    rounded = "ceil" if ceil_mode else "floor"
    rule = f"{rounded}((size + before + after - dilation*(kernel-1) - 1) / stride) + 1"
    before, after = padding
    worked = f"{rounded}(({size} + {before} + {after} - {dilation}*({kernel}-1) - 1) / {stride}) + 1"
    room = size + before + after - dilation * (kernel - 1) - 1
    if ceil_mode and -(-room // stride) + 1 > value:
        rule, worked = f"{rule} - 1, since the last window would begin behind the end", f"{worked} - 1"
    return Derivation(axis, rule, f"{worked} = {value}", value)


def transposed_size(
    axis: str, size: int, kernel: int, stride: int, dilation: int, padding: tuple[int, int], output_padding: int
) -> Derivation:
    """How long a transposed convolution makes an axis.

    >>> print(transposed_size("rows", 7, 3, 2, 1, (1, 1), 1))
    rows: (7-1)*2 - 1 - 1 + 1*(3-1) + 1 + 1 = 14
    """
    value = geometry.transposed_output_size(size, kernel, stride, dilation, padding, output_padding)
    before, after = padding
    worked = f"({size}-1)*{stride} - {before} - {after} + {dilation}*({kernel}-1) + {output_padding} + 1 = {value}"
    rule = "(size-1)*stride - before - after + dilation*(kernel-1) + output padding + 1"
    return Derivation(axis, rule, worked, value)


def dense_instead(layer: Layer, reads: Shape) -> Derivation:
    """How many parameters a dense layer between the same shapes would have: what sharing one small kernel saves.

    >>> conv = Convolution(3, 1, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    >>> print(dense_instead(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (1, 6, 6), conv), (3, 8, 8)))
    a dense layer instead: (3*8*8) * (1*6*6) + (1*6*6) = 6948
    """
    before, after = ("*".join(str(n) for n in shape) for shape in (reads, layer.output_shape))
    value = geometry.parameters(Dense(prod(reads), prod(layer.output_shape)))
    return Derivation(
        "a dense layer instead", "inputs * outputs + biases", f"({before}) * ({after}) + ({after}) = {value}", value
    )


def remarks(layer: Layer, reads: Shape | None) -> tuple[str, ...]:
    """What the numbers mean: positions that no window reaches, what one value sees of the picture.

    >>> pool = Pooling("max", (5, 5), (5, 5), (1, 1), ((0, 0), (0, 0)))
    >>> remarks(Layer("maxpool", "MaxPool", Kind.POOLING, ("x",), (1, 287, 215), pool), (1, 1438, 1078))
    ('No parameters.', 'The last 3 rows and the last 3 columns fill no window and are left out.')
    """
    said = []
    operation = layer.operation
    if not layer.parameters and layer.shares is None:
        stays = reads == layer.output_shape
        said.append("No parameters, and the shape stays as it is." if stays else "No parameters.")
    if isinstance(operation, (Convolution, Pooling)) and reads is not None and len(reads) > 1:
        said += _left_out(operation, reads)
    if layer.receptive_field is not None and layer.kind in (Kind.CONVOLUTION, Kind.POOLING):
        said.append(_seen(layer.receptive_field))
    return tuple(said)


def in_words(network: Network) -> str:
    """The arithmetic of the whole network, layer by layer, as text to read."""
    lines = [f"{given.name}: {shape_in_words(given.shape)}" for given in network.inputs]
    for worked in derive_all(network):
        layer = worked.layer
        lines += ["", f"{layer.name} ({layer.op}): {shape_in_words(layer.output_shape)}"]
        lines += [f"  {line}" for line in (*worked.derivations, *worked.remarks)]
    return "\n".join([*lines, ""])


def shape_in_words(shape: FreeShape) -> str:
    """A shape as a person says it.

    >>> shape_in_words((3, None, 1080)), shape_in_words(())
    ('3 x ? x 1080', 'scalar')
    """
    return " x ".join("?" if n is None else str(n) for n in shape) or "scalar"


def _sizes(layer: Layer, operation: Convolution | Pooling, reads: Shape) -> list[Derivation]:
    axes = _AXES.get(len(reads) - 1, ())
    if isinstance(operation, Pooling) and (operation.whole or operation.adaptive):
        return []
    found = []
    settings = zip(
        axes, reads[1:], operation.kernel_size, operation.stride, operation.dilation, operation.padding, strict=True
    )
    for number, (axis, length, kernel, stride, dilation, padding) in enumerate(settings):
        if isinstance(operation, Convolution) and operation.transposed:
            extra = operation.output_padding[number] if operation.output_padding else 0
            one = transposed_size(axis, length, kernel, stride, dilation, padding, extra)
        else:
            ceil_mode = isinstance(operation, Pooling) and operation.ceil_mode
            one = size(axis, length, kernel, stride, dilation, padding, ceil_mode=ceil_mode)
        if (
            one.value == layer.output_shape[1 + number]
        ):  # else the framework has a rule of its own, which isn't ours to tell
            found.append(one)
    return found


def _multiply_accumulates(layer: Layer, operation: Convolution | Dense, reads: Shape | None) -> Derivation | None:
    value = geometry.multiply_accumulates(layer, reads)
    if not value:
        return None
    outputs = "*".join(str(n) for n in layer.output_shape)
    if isinstance(operation, Dense):
        return Derivation("MACs", "outputs * inputs", f"({outputs}) * {operation.in_features} = {value}", value)
    taps = "*".join(str(n) for n in operation.kernel_size)
    if operation.transposed and reads is not None:
        inputs, filters = "*".join(str(n) for n in reads), operation.filters // operation.groups
        return Derivation(
            "MACs", "input values * (filters * kernel)", f"({inputs}) * ({filters}*{taps}) = {value}", value
        )
    channels = operation.in_channels // operation.groups
    return Derivation(
        "MACs", "output values * (channels * kernel)", f"({outputs}) * ({channels}*{taps}) = {value}", value
    )


def _left_out(operation: Convolution | Pooling, reads: Shape) -> list[str]:
    if isinstance(operation, Convolution) and operation.transposed:
        return []
    if isinstance(operation, Pooling) and (operation.whole or operation.adaptive or operation.ceil_mode):
        return []
    axes = _AXES.get(len(reads) - 1, ())
    settings = zip(
        axes, reads[1:], operation.kernel_size, operation.stride, operation.dilation, operation.padding, strict=True
    )
    lost = [
        f"the last {count} {axis if count > 1 else axis.removesuffix('s')}"
        for axis, *setting in settings
        if (count := geometry.dropped(*setting))
    ]
    if not lost:
        return []
    one = len(lost) == 1 and lost[0].startswith("the last 1 ")
    sentence = " and ".join(lost) + (
        " fills no window and is left out." if one else " fill no window and are left out."
    )
    return [sentence[0].upper() + sentence[1:]]


def _seen(field: ReceptiveField) -> str:
    sees = " x ".join(str(n) for n in field.size)
    bound = "" if field.exact else "at most "
    if field.whole:
        return f"One value sees {bound}{sees} pixels: the whole picture."
    steps = list(dict.fromkeys(str(s) for s in field.stride))
    unit = "pixel" if steps == ["1"] else "pixels"
    step = " x ".join(steps)
    return f"One value sees {bound}{sees} pixels of the picture; its neighbour begins {step} {unit} further on."
