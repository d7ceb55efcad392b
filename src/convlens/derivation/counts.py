"""What a layer costs: parameters, multiply-accumulates, memory; and what a dense layer in its place would have."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

from convlens import geometry
from convlens.derivation.line import Derivation, times
from convlens.derivation.sizes import axes
from convlens.network import Convolution, Dense, Layer, Shape

_MEASURED = ("mean", "variance")
"""Weights that are measured, not learned: Keras counts them as parameters, PyTorch and many papers don't."""

_NOT_WEIGHTS = ("origin",)


def parameters(layer: Layer, weights: Mapping[str, Shape]) -> list[Derivation]:
    """How many parameters the layer has, by the formula of its kind or as the sum of its ``weights``.

    Nothing where the layer has none, where another layer has them already (``layer.shares``), or where they can't be
    told apart. Where a kernel is computed from other parameters (a normalised weight), the line counts its ``weights``.

    >>> from convlens.network import Kind, Normalisation
    >>> norm = Layer("bn", "BatchNorm", Kind.NORMALISATION, ("x",), (64, 7, 7), Normalisation("batch"), 128)
    >>> print(*parameters(norm, {"mean": (64,), "variance": (64,), "scale": (64,), "shift": (64,)}))
    parameters: 64 + 64 = 128
    """
    operation = layer.operation
    if layer.shares is not None:
        return []
    if isinstance(operation, (Convolution, Dense)):
        line = of_operation(operation)
        counted = line.value == layer.parameters
        return [line if counted else Derivation("weights", line.formula, line.worked, line.value)]
    if not layer.parameters:
        return []
    roles = {role: shape for role, shape in weights.items() if role not in _NOT_WEIGHTS}
    learned = {role: shape for role, shape in roles.items() if role not in _MEASURED}
    for chosen in (roles, learned):
        counts = {role: prod(shape) for role, shape in chosen.items()}
        if sum(counts.values()) == layer.parameters:
            terms = " + ".join(times(*(shape or (1,))) for shape in chosen.values())
            return [Derivation.of("parameters", " + ".join(chosen), terms, layer.parameters)]
    return []


def of_operation(operation: Convolution | Dense) -> Derivation:
    """How many weights and biases a convolution or a dense layer has.

    >>> print(of_operation(Convolution(32, 64, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)), groups=32, bias=False)))
    parameters: 3*3*1*64 = 576
    >>> print(of_operation(Dense(1280, 1000)))
    parameters: 1280*1000 + 1000 = 1281000
    """
    if isinstance(operation, Convolution):
        count, factors = operation.filters, (*operation.kernel_size, operation.in_channels // operation.groups)
        names = [f"kernel_{axis.replace(' ', '_')}" for axis in axes((1, *operation.kernel_size))[1:]]
        names += ["channels" if operation.groups == 1 else "channels_of_a_group", "filters"]
        formula = " * ".join(names)
    else:
        count, factors, formula = operation.out_features, (operation.in_features,), "inputs * outputs"
    biases = (" + biases", f" + {count}") if operation.bias else ("", "")
    terms = times(*factors, count) + biases[1]
    return Derivation.of("parameters", formula + biases[0], terms, geometry.parameters(operation))


def multiply_accumulates(layer: Layer, reads: Shape | None) -> list[Derivation]:
    """How many multiplications, each with its addition, one run takes; nothing where there are none to count."""
    operation = layer.operation
    value = geometry.multiply_accumulates(layer, reads)
    if not value or not isinstance(operation, (Convolution, Dense)):
        return []
    outputs = times(*layer.output_shape)
    if isinstance(operation, Dense):
        return [Derivation.of("MACs", "outputs * inputs", f"({outputs}) * {operation.in_features}", value)]
    taps = times(*operation.kernel_size)
    if operation.transposed and reads is not None:
        filters = operation.filters // operation.groups
        formula = f"input_values * (filters{'' if operation.groups == 1 else '_of_a_group'} * kernel)"
        return [Derivation.of("MACs", formula, f"({times(*reads)}) * ({filters}*{taps})", value)]
    channels = operation.in_channels // operation.groups
    formula = f"output_values * (channels{'' if operation.groups == 1 else '_of_a_group'} * kernel)"
    return [Derivation.of("MACs", formula, f"({outputs}) * ({channels}*{taps})", value)]


def memory(layer: Layer) -> Derivation:
    """How many bytes the layer's maps take, four a value: float32, as convlens keeps them.

    >>> from convlens.network import Kind
    >>> print(memory(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (64, 112, 112))))
    bytes of the maps: 64*112*112 * 4 = 3211264
    """
    shape = layer.output_shape or (1,)
    formula = " * ".join(name.replace(" ", "_") for name in axes(shape)) + " * bytes_of_a_value"
    return Derivation.of("bytes of the maps", formula, f"{times(*shape)} * 4", geometry.map_bytes(layer))


def dense_instead(layer: Layer, reads: Shape | None) -> list[Derivation]:
    """How many parameters a dense layer would have that does what a convolution does: what one small kernel saves.

    >>> from convlens.network import Kind
    >>> conv = Convolution(3, 1, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    >>> print(*dense_instead(Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (1, 6, 6), conv), (3, 8, 8)))
    a dense layer instead: (3*8*8) * (1*6*6) + (1*6*6) = 6948
    """
    operation = layer.operation
    if not isinstance(operation, Convolution) or reads is None:
        return []
    before, after = times(*reads), times(*layer.output_shape)
    value = geometry.parameters(Dense(prod(reads), prod(layer.output_shape), operation.bias))
    biases = (" + biases", f" + ({after})") if operation.bias else ("", "")
    formula = f"inputs * outputs{biases[0]}"
    return [Derivation.of("a dense layer instead", formula, f"({before}) * ({after}){biases[1]}", value)]
