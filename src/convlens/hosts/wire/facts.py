"""The objects of the lens as facts."""

from __future__ import annotations

from math import isfinite, isnan
from typing import Any

import numpy as np

from convlens.errors import ConvlensError
from convlens.hosts.wire.schema import (
    BoxFact,
    ChannelsFact,
    DerivationFact,
    DerivationLineFact,
    ExplanationFact,
    GroupFact,
    HistogramFact,
    InputFact,
    KernelsFact,
    LayerFact,
    MapFact,
    ModelFact,
    NetworkFact,
    Num,
    PictureValueFact,
    PredictionFact,
    ProblemFact,
    RecipeFact,
    SaidFact,
    StepFact,
    TermFact,
)
from convlens.lens import Explanation, Kernels, Lens
from convlens.lens.channels import Channels, Counts, Floats
from convlens.lens.explanation import PictureValue
from convlens.lens.feature_map import Box
from convlens.lens.prediction import Prediction
from convlens.lens.summary import layer_facts
from convlens.lens.tiles import as_planes, levels_of
from convlens.lens.traced import TracedNetwork
from convlens.network import Convolution, Layer, Network
from convlens.pictures import Recipe
from convlens.sketches import Lesson

TERMS = 40
"""Terms that an explanation lists beside its groups."""


def num(value: float) -> Num:
    """A number as JSON can hold it.

    >>> num(1.5), num(float("-inf"))
    (1.5, '-Infinity')
    """
    if isfinite(value):
        return float(value)
    return "NaN" if isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _finite(value: float) -> float | None:
    return float(value) if isfinite(value) else None


def recipe_fact(recipe: Recipe) -> RecipeFact:
    """A recipe."""
    fact: RecipeFact = recipe.to_dict()  # type: ignore[assignment]  # the same names, which a test holds
    return fact


def layer_fact(layer: Layer) -> LayerFact:
    """A layer."""
    facts = {**layer_facts(layer), "scope": list(layer.scope), "has_kernels": layer.has_kernels}
    fact: LayerFact = facts  # type: ignore[assignment]  # the same names, which a test holds
    return fact


def lesson_fact(lesson: Lesson) -> ModelFact:
    """A model of the tutorial, as a step of a walk.

    >>> from convlens.sketches import TUTORIAL
    >>> lesson_fact(TUTORIAL[4])["title"]
    {'en': 'An activation: ReLU', 'th': 'แอกทิเวชัน: ReLU'}
    """
    return ModelFact(
        id=f"tutorial-{lesson.number}",
        name=lesson.sketch,
        engine="onnx",
        title=SaidFact(en=lesson.title, th=lesson.title_th),
        says=SaidFact(en=lesson.says, th=lesson.says_th),
        step=None,
    )


def network_fact(lens: Lens, model: ModelFact, network: Network) -> NetworkFact:
    """A network of an opened model: that of a run, or the one of the sizes that it states."""
    inputs = [InputFact(name=one.name, shape=list(one.shape), dtype=one.dtype) for one in network.inputs]
    return NetworkFact(
        model=model,
        inputs=inputs,
        outputs=list(network.outputs),
        layers=[layer_fact(layer) for layer in network],
        parameters=network.parameters,
        macs=sum(layer.macs for layer in network),
        notes=list(network.notes),
        recipe=recipe_fact(lens.recipe),
        recipe_source=lens.recipe_source,
    )


def map_fact(layer: str, array: Any, found: Channels) -> MapFact:
    """One layer's maps in a few numbers."""
    channels, slices, rows, columns = as_planes(array).shape
    whole = found.together
    return MapFact(
        layer=layer,
        shape=list(array.shape),
        channels=channels,
        slices=slices,
        rows=rows,
        columns=columns,
        levels=levels_of(rows, columns),
        minimum=whole.minimum,
        maximum=whole.maximum,
        mean=whole.mean,
        deviation=whole.deviation,
        zeros=whole.zeros,
        nan=whole.nan,
        infinite=whole.infinite,
        constant=whole.constant,
        strongest=found.strongest,
    )


def channels_fact(layer: str, found: Channels, edges: Floats, counts: Counts) -> ChannelsFact:
    """Every channel of a layer."""

    def column(values: Floats) -> list[float | None]:
        return [_finite(value) for value in values.tolist()]

    return ChannelsFact(
        layer=layer,
        minimum=column(found.minimum),
        maximum=column(found.maximum),
        mean=column(found.mean),
        variance=column(found.variance),
        zeros=found.zeros.tolist(),
        nan=found.nan.tolist(),
        infinite=found.infinite.tolist(),
        constant=found.constant.tolist(),
        histogram=HistogramFact(edges=edges.tolist(), counts=counts.tolist()),
    )


def prediction_fact(prediction: Prediction | None) -> PredictionFact | None:
    """The network's answer."""
    if prediction is None:
        return None
    told = prediction.to_dict()
    for row in told["top"]:
        row["probability"] = num(row["probability"])  # NaN where the network diverged
    fact: PredictionFact = told  # type: ignore[assignment]  # the same names, which a test holds
    return fact


def kernels_fact(kernels: Kernels) -> KernelsFact:
    """The kernels of a layer, without their numbers."""
    operation = kernels.layer.operation
    assert isinstance(operation, Convolution)
    finite = kernels.array[np.isfinite(kernels.array)]
    flat = kernels.array.reshape(kernels.array.shape[0], -1).astype(np.float64)
    return KernelsFact(
        layer=kernels.name,
        shape=list(kernels.array.shape),
        groups=operation.groups,
        transposed=operation.transposed,
        reads_colour=kernels.reads_colour,
        minimum=float(finite.min(initial=0)),
        maximum=float(finite.max(initial=0)),
        bias=None if kernels.bias is None else np.nan_to_num(kernels.bias).tolist(),
        norms=np.nan_to_num(np.linalg.norm(flat, axis=1)).tolist(),
    )


def explanation_fact(found: Explanation | PictureValue, groups: int) -> ExplanationFact | PictureValueFact:
    """How one value came about, with the ``groups`` input channels of the largest sums."""
    if isinstance(found, PictureValue):
        return PictureValueFact(input=found.input, index=list(found.index), value=num(found.value))
    working, shape = found.working, list(found.window.shape) if found.window is not None else []
    grouped = _grouped_shape(found)
    listed, folded = _groups(found, groups, grouped) if grouped else ([], None)
    inputs = found.inputs
    return ExplanationFact(
        layer=found.layer.name,
        op=found.layer.op,
        kind=str(found.layer.kind),
        index=list(found.index),
        explained=found.explained,
        framework_value=num(found.framework_value),
        total=num(found.total) if found.explained else None,
        residual=num(found.residual) if found.explained else None,
        tolerance=num(found.tolerance),
        agrees=found.agrees,
        verdict=found.verdict,
        rule=working.rule if working else None,
        formula=working.formula if working else None,
        bias=None if found.bias is None else float(found.bias),
        activation=found.activation,
        steps=[StepFact(words=step.words, value=num(step.value)) for step in found.steps],
        window_shape=shape,
        group_shape=[int(np.prod(grouped[1:-1])), grouped[-1]] if grouped else [],
        groups=listed,
        groups_total=grouped[0] if grouped else 0,
        folded_sum=folded,
        terms=[
            TermFact(
                layer=term.layer,
                index=list(term.index),
                value=num(term.value),
                weight=None if term.weight is None else num(term.weight),
                contribution=None if term.contribution is None else num(term.contribution),
            )
            for term in inputs[:TERMS]
        ],
        terms_total=len(inputs),
    )


def _grouped_shape(found: Explanation) -> tuple[int, ...]:
    """The window's shape with an axis of channels: a pooling's window, which lies in one channel, is one group.

    Empty where a window is no grid of neighbours: the features of a dense layer, the inputs of an addition.
    """
    working = found.working
    if working is None:
        return ()
    shape, has_channels = working.window.shape, working.window.ndim == len(working.places)
    if has_channels:
        return shape if len(shape) > 1 else ()
    return (1, *shape) if len(shape) > 1 or found.layer.kind == "pooling" else ()


def _groups(found: Explanation, most: int, shape: tuple[int, ...]) -> tuple[list[GroupFact], Num | None]:
    """The windows over the input channels that add most, and what the others add up to."""
    working = found.working
    assert working is not None

    def grouped(array: Any) -> Any:
        return None if array is None else array.reshape(shape)

    window = working.window.reshape(shape)
    kernel, products, winners = grouped(working.kernel), grouped(working.products), grouped(working.winners)
    sums = None if products is None else products.reshape(shape[0], -1).sum(axis=1)
    sizes = np.abs(sums) if sums is not None else np.abs(window).reshape(len(window), -1).max(axis=1, initial=0)
    order = np.argsort(-np.nan_to_num(sizes, nan=np.inf), kind="stable")
    own = working.window.shape
    numbers = np.broadcast_to(working.inputs, own).reshape(shape)
    places = [np.broadcast_to(axis, own).reshape(shape) for axis in working.places]

    def flat(array: Any, channel: int) -> list[Num] | None:
        return None if array is None else [num(value) for value in array[channel].ravel().tolist()]

    listed = []
    for channel in order[:most].tolist():
        stacked = np.stack([axis[channel].ravel() for axis in places], axis=1).tolist()
        listed.append(
            GroupFact(
                channel=channel,
                sum=None if sums is None else num(float(sums[channel])),
                window=flat(window, channel) or [],
                kernel=flat(kernel, channel),
                products=flat(products, channel),
                winners=None if winners is None else winners[channel].ravel().tolist(),
                origins=[None if -1 in place else [n for n in place if n >= 0] for place in stacked],
                source=found.layer.inputs[int(numbers[channel].ravel()[0])],
            )
        )
    rest = order[most:]
    return listed, num(float(sums[rest].sum())) if sums is not None and rest.size else None


def box_fact(box: Box) -> BoxFact:
    """The receptive field of one value."""
    return BoxFact(
        unclipped=[list(ends) for ends in box.unclipped],
        clipped=[list(ends) for ends in box.clipped],
        exact=box.exact,
    )


def derivation_fact(traced: TracedNetwork, layer: str) -> DerivationFact:
    """How the numbers of a layer of this network come about."""
    worked = next(traced.derive([layer]))
    lines = [
        DerivationLineFact(
            what=line.what, formula=line.rule, terms=line.terms, value=line.value, text=line.worked, latex=line.latex
        )
        for line in worked.derivations
    ]
    return DerivationFact(
        layer=worked.layer.name, heading=worked.heading, text=str(worked), latex=worked.latex, lines=lines
    )


def problem_fact(error: ConvlensError) -> ProblemFact:
    """An error."""
    return ProblemFact(problem=error.problem, expected=error.expected, received=error.received, hint=error.hint)
