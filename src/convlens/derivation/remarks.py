"""What a layer's numbers mean, in sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

from convlens import geometry
from convlens.derivation.counts import parameters
from convlens.derivation.sizes import slides
from convlens.network import (
    Convolution,
    Dense,
    Kind,
    Layer,
    Normalisation,
    Pooling,
    ReceptiveField,
    Reshape,
    Shape,
)


def remarks(layer: Layer, reads: Sequence[Shape | None], weights: Mapping[str, Shape]) -> tuple[str, ...]:
    """What the numbers mean: where channels come from, what the border loses, what one value sees of the picture.

    >>> pool = Pooling("max", (5, 5), (5, 5), (1, 1), ((0, 0), (0, 0)))
    >>> remarks(Layer("maxpool", "MaxPool", Kind.POOLING, ("x",), (1, 287, 215), pool), [(1, 1438, 1078)], {})
    ('The last 3 rows and the last 3 columns fill no window and are left out.', 'No parameters.')
    """
    first = reads[0] if reads else None
    said = [*_shape(layer, first), *_border(layer, first), *_weights(layer, first, weights), *_compared(layer, first)]
    if layer.receptive_field is not None and layer.kind in (Kind.CONVOLUTION, Kind.POOLING):
        said.append(_seen(layer.receptive_field))
    return tuple(said)


def _shape(layer: Layer, first: Shape | None) -> list[str]:
    match layer.operation:
        case Convolution(filters=filters, groups=groups, in_channels=channels):
            said = [_one_for_each("channel", filters, "filter")]
            if groups > 1:
                said.append(f"Each filter reads {_counted(channels // groups, 'channel')} of the {channels}.")
            return said
        case Dense(out_features=features):
            return [_one_for_each("feature", features, "row") + " Each row of its matrix weights all inputs."]
        case Pooling(whole=True):
            return ["Each map becomes one value: the window is the whole map."]
        case Pooling(adaptive=True) if first is not None:
            size = " x ".join(str(n) for n in layer.output_shape[1:])
            return [f"{size} is asked for; the windows follow from it, and can differ in size and overlap."]
        case Reshape(axes=(_, *_) as order):
            moved = ", ".join(str(axis) for axis in order)
            return [f"The axes change places: the input's axes in the order {moved}. The numbers stay as they are."]
        case Reshape():
            return ["The same numbers in another shape."]
        case _:
            return []


def _border(layer: Layer, first: Shape | None) -> list[str]:
    """What no window reaches, of the map and of its padding."""
    lost, padding = [], []
    for axis, length, kernel, stride, dilation, (before, after) in slides(layer.operation, first):
        count = geometry.dropped(length, kernel, stride, dilation, (before, after))
        if count > after:
            lost.append(_last(count - after, axis))
        if count and after:
            padding.append(_last(min(count, after), axis))
    said = []
    if lost:
        ends = _verb(lost, "fill no window and are", "fills no window and is")
        said.append(f"{' and '.join(lost)} {ends} left out.")
    if padding:
        said.append(f"{' and '.join(padding)} of the padding {_verb(padding, 'fill', 'fills')} no window.")
    return [sentence[0].upper() + sentence[1:] for sentence in said]


def _weights(layer: Layer, first: Shape | None, weights: Mapping[str, Shape]) -> list[str]:
    if layer.shares is not None:
        return [f"Its weights are those of {layer.shares}, and are counted there."]
    if not layer.parameters and not isinstance(layer.operation, (Convolution, Dense)):
        stays = first == layer.output_shape
        return ["No parameters, and the shape stays as it is." if stays else "No parameters."]
    told = parameters(layer, weights)
    if not told:
        return [f"{layer.parameters:,} parameters, as the framework counts them."]
    if told[0].value != layer.parameters:
        if not layer.parameters:
            return ["The model counts no parameters here: these numbers are constants, or computed on the way."]
        return [f"The model counts {layer.parameters:,} parameters here: the weights are computed from those."]
    measured = [role for role in ("mean", "variance") if role in weights]
    if isinstance(layer.operation, Normalisation) and measured and "mean" not in told[0].formula:
        count = sum(prod(weights[role]) for role in measured)
        names = " and ".join(measured)
        return [f"Its {names}, {count:,} numbers more, are measured and not learned; the framework doesn't count them."]
    return []


def _compared(layer: Layer, first: Shape | None) -> list[str]:
    if not isinstance(layer.operation, Convolution) or first is None or not all(layer.output_shape):
        return []
    operation = layer.operation
    dense = geometry.parameters(Dense(prod(first), prod(layer.output_shape), operation.bias))
    times = dense // geometry.parameters(operation)
    return [f"A dense layer that does the same has {times:,} times as many parameters."] if times > 1 else []


def _seen(field: ReceptiveField) -> str:
    sees = " x ".join(str(n) for n in field.size)
    bound = "" if field.exact else "at most "
    if field.whole:
        return f"One value sees {bound}{sees} pixels: the whole picture."
    steps = list(dict.fromkeys(str(s) for s in field.stride))
    unit = "pixel" if steps == ["1"] else "pixels"
    step = " x ".join(steps)
    return f"One value sees {bound}{sees} pixels of the picture; its neighbour begins {step} {unit} further on."


def _one_for_each(thing: str, count: int, maker: str) -> str:
    return f"One {thing}, of its one {maker}." if count == 1 else f"One {thing} for each of its {count:,} {maker}s."


def _last(count: int, axis: str) -> str:
    return f"the last {count} {axis}" if count > 1 else f"the last {axis.removesuffix('s')}"


def _verb(parts: Sequence[str], many: str, one: str) -> str:
    return one if len(parts) == 1 and not parts[0].split()[2:3][0].isdecimal() else many


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"
