"""From a Keras layer or operation to a kind and a typed operation."""

from __future__ import annotations

from dataclasses import replace

import keras  # noqa: TID251

from convlens.engines.keras import activations, shapes, sums, windows
from convlens.engines.keras.calls import Call, Reader, Reading, always, snake_case
from convlens.engines.keras.layout import FIRST, moved_layout
from convlens.network import (
    Activation,
    Convolution,
    Dense,
    Kind,
    Merge,
    Normalisation,
    Pad,
    Pointwise,
    Pooling,
    Resize,
    Shape,
    Whole,
)


def read(call: Call) -> Reading:
    """What ``call`` is. Anything unknown reads everything, which is never too little.

    A batch axis that is gone (rows folded into it, say) leaves the positions without a meaning: said in the notes.
    """
    reading = _read(call)
    notes = reading.notes
    turned = bool(call.inputs) and len(call.input) > 2 and call.layout != call.inputs[0].layout
    if turned and isinstance(reading.operation, (Convolution, Pooling, Pad, Resize)):
        reading = replace(reading, operation=Whole(snake_case(call.word)))
        notes = (*notes, "it reads its input in another layout than the one it was made in")
    if not call.output or call.output[0] != call.batch:
        notes = (*notes, "its first axis is not the batch: all of it is shown")
    return replace(reading, op=reading.op or call.word, notes=notes)


def _read(call: Call) -> Reading:
    if call.part == "activation":
        inner = isinstance(call.op, keras.layers.Layer)
        return _read(replace(call, part="")) if inner else activations.fused(call)
    if call.part:
        return windows.depthwise(call) if call.part == "depthwise" else windows.pointwise(call)
    for ancestor in type(call.op).__mro__:
        if ancestor.__module__.startswith("keras.") and ancestor.__name__ in _READERS:
            return _READERS[ancestor.__name__](call)
    return Reading(Kind.OTHER, Whole(snake_case(call.word)))


def output_layout(call: Call) -> str:
    """The layout of what ``call`` makes: its own data format or that of what it reads, moved where axes are moved."""
    moved = shapes.order(call)
    if moved is not None:
        return moved_layout(moved, call.layout)
    if call.word in ("Flatten", "Reshape") and call.inputs:
        return str(call.inputs[0].layout)
    return call.layout


def _activation(call: Call) -> Reading:
    inner = call.op.activation
    if isinstance(inner, keras.layers.Layer):
        return replace(_read(replace(call, op=inner)), op=call.word)
    return activations.READERS["Activation"](call)


def _standardisation(call: Call) -> Reading:
    return Reading(Kind.NORMALISATION, Pointwise("affine") if call.op.invert else Normalisation("batch"))


def _inactive(call: Call) -> Reading:
    """Layers that do nothing outside training."""
    same = call.output == call.input
    return Reading(Kind.DROPOUT, Pointwise("identity") if same else Whole(snake_case(call.word)))


def _wrapped(call: Call) -> Reading:
    return replace(_read(replace(call, op=call.op.layer)), op=call.word)


def _time_distributed(call: Call) -> Reading:
    """The same layer at every time step: a window of one step over time, where the layer has a window."""
    note = ("time is the first spatial axis; every step is computed by itself",)
    inner = call.op.layer
    if call.layout == FIRST or (len(call.input) < 4 and not isinstance(inner, keras.layers.Dense)):
        return Reading(Kind.OTHER, Whole("time_distributed"), notes=note)
    folded = replace(
        call,
        op=inner,
        inputs=(_Folded(call.inputs[0].name, (call.input[0], *call.input[2:]), call.layout),),
        output=(call.output[0], *call.output[2:]),
    )
    reading = _read(folded)
    operation = reading.operation
    whole = isinstance(operation, Pooling) and operation.whole
    if isinstance(operation, (Convolution, Pooling)) and len(call.output) == len(call.input) and not whole:
        operation = replace(
            operation,
            kernel_size=(1, *operation.kernel_size),
            stride=(1, *operation.stride),
            dilation=(1, *operation.dilation),
            padding=((0, 0), *operation.padding),
        )
        if isinstance(operation, Convolution) and operation.transposed:
            operation = replace(operation, output_padding=(0, *operation.output_padding))
        elif isinstance(operation, Pooling) and operation.adaptive:
            return Reading(reading.kind, Whole("time_distributed"), notes=note)
    elif isinstance(operation, Dense):
        operation = replace(operation, per_position=True, features_axis=0)
    elif isinstance(operation, Activation):
        operation = replace(operation, axis=operation.axis + 1 if operation.axis else operation.axis)
    elif not isinstance(operation, (Pointwise, Merge)):
        return Reading(reading.kind, Whole("time_distributed"), notes=note)
    return Reading(reading.kind, operation, notes=note)


class _Folded:
    """A source with its time axis taken away."""

    def __init__(self, name: str, shape: Shape, layout: str) -> None:
        self.name, self.shape, self.layout = name, shape, layout


_READERS: dict[str, Reader] = {
    **windows.READERS,
    **activations.READERS,
    **sums.READERS,
    **shapes.READERS,
    "Activation": _activation,
    **dict.fromkeys(
        (
            *("Dropout", "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D", "GaussianDropout"),
            *("GaussianNoise", "AlphaDropout", "ActivityRegularization", "BaseImagePreprocessingLayer"),
        ),
        _inactive,
    ),
    "Identity": always(Kind.RESHAPE, Pointwise("identity")),
    "Masking": always(Kind.ARITHMETIC, Pointwise("masking")),
    "Rescaling": always(Kind.ARITHMETIC, Pointwise("affine")),
    "Normalization": _standardisation,
    "Cast": always(Kind.PLUMBING, Pointwise("cast")),
    "ConvertToTensor": always(Kind.PLUMBING, Pointwise("cast")),
    "StopGradient": always(Kind.PLUMBING, Pointwise("identity")),
    "Embedding": always(Kind.OTHER, Pointwise("embedding")),
    **dict.fromkeys(
        ("MultiHeadAttention", "GroupedQueryAttention", "Attention", "DotProductAttention"),
        always(Kind.ATTENTION, Whole("attention")),
    ),
    "RNN": always(Kind.RECURRENT, Whole("recurrent")),
    "Bidirectional": always(Kind.RECURRENT, Whole("recurrent")),
    "TimeDistributed": _time_distributed,
    "SpectralNormalization": _wrapped,
    "Lambda": always(Kind.OTHER, Whole("lambda")),
}
