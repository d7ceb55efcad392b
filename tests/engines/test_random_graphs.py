"""Whatever graph ONNX Runtime computes is shown and explained truly, or said not to be explained.

Each run draws other graphs, under CI too. To draw those of another run again, say its seed::

    CONVLENS_GRAPHS=1234 pytest tests/engines/test_random_graphs.py
"""

from __future__ import annotations

import os
import secrets
import sys
import traceback
import warnings
from collections import Counter
from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from tests.engines.random_graphs import MAKERS, Array, Drawn, draw

import convlens
from convlens.errors import InputError
from convlens.lens import FeatureMaps
from convlens.network import Layer

FIRST = int(os.environ.get("CONVLENS_GRAPHS", secrets.randbelow(10**9)))
GRAPHS = 240
PARTS = 6
MOST_TOLERANCE = 5e-3
"""Of the largest value of a layer: an explanation that allows more than this would catch nothing."""


def examine(drawn: Drawn) -> list[str]:
    """What is wrong with how a graph is shown and explained; nothing, in the end."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        try:
            return [f"graph {drawn.seed}: {line}" for line in _complaints(drawn)]
        except Exception:
            return [f"graph {drawn.seed}: {traceback.format_exc()}"]


def _complaints(drawn: Drawn) -> Iterator[str]:
    lens, random = convlens.open(drawn.model), np.random.default_rng(drawn.seed)
    try:
        maps = lens.feature_maps(drawn.picture[:1])
    except InputError as refused:
        if "The picture is too small" in str(refused):  # the runtime makes an empty map of it: refused on purpose
            return
        raise
    if len(drawn.picture) == 1 and not drawn.odd:
        yield from _captured(drawn, maps)
    for layer in maps.network:
        array = maps.value(layer.name)
        if array.size and array.shape == layer.output_shape:
            yield from _explained(drawn, maps, layer, array, random)
    if not drawn.odd and len(drawn.picture) == 1:
        yield from _reached(drawn, lens, maps, random)
    str(maps.derive_all()), maps.diagram(), str(maps.summary()), maps._repr_html_()


def _captured(drawn: Drawn, maps: FeatureMaps) -> Iterator[str]:
    """The maps are what the runtime computes where every value is an output of the file."""
    whole = onnx.ModelProto()
    whole.CopyFrom(drawn.model)
    made = [name for node in whole.graph.node if node.op_type != "Constant" for name in node.output]
    del whole.graph.output[:]
    whole.graph.output.extend(onnx.ValueInfoProto(name=name) for name in made)
    options = ort.SessionOptions()
    options.add_session_config_entry("session.disable_quant_qdq", "1")  # or it rounds weights between quantised values
    session = ort.InferenceSession(whole.SerializeToString(), options, providers=["CPUExecutionProvider"])
    values = dict(zip(made, session.run(made, {"picture": drawn.picture}), strict=True))
    for name in maps:
        if name in values:
            theirs, ours = values[name].astype(np.float32), maps.value(name)
            size = float(np.abs(theirs[np.isfinite(theirs)]).max(initial=0))
            if ours.size != theirs.size or not np.allclose(
                np.sort(ours, None), np.sort(theirs, None), 1e-3, 1e-4 * size + 1e-6, equal_nan=True
            ):
                yield f"{name} shows other numbers than the runtime computes"


def _explained(
    drawn: Drawn, maps: FeatureMaps, layer: Layer, array: Array, random: np.random.Generator
) -> Iterator[str]:
    by_evaluator = any("reference evaluator" in note for note in maps.network.notes)
    erring = (by_evaluator and layer.op in EVALUATOR_ERRS) or (drawn.odd and layer.dtype in HANDED_ON_OTHERWISE)
    size = float(np.abs(array[np.isfinite(array)]).max(initial=0))
    where = f"{layer.name} ({layer.op}, {layer.dtype}, {layer.operation})"
    for _ in range(2):
        index = tuple(int(random.integers(n)) for n in layer.output_shape)
        found = maps.explain(layer.name, index)
        str(found), found.to_dict()
        if not found.explained:
            continue
        if not found.agrees and not erring:
            yield f"{where} at {index}: {found.framework_value!r}, explained as {found.total!r}"
        coarse = "16" in layer.dtype or not np.isfinite(found.framework_value)
        size = max(size, *(abs(term.value) for term in found.inputs[:1])) if found.inputs else size
        if not coarse and found.tolerance > MOST_TOLERANCE * size + 1e-5 and layer.op not in ILL_CONDITIONED:
            yield f"{where} at {index}: a tolerance of {found.tolerance}, where {size} is the largest value"
        for term in found.inputs[:4]:
            own = float(maps.value(term.layer)[term.index])
            if own != term.value and not (np.isnan(own) and np.isnan(term.value)):
                yield f"{where} at {index}: {term.layer} at {term.index} has {own!r}, not {term.value!r}"
    if array.ndim:
        channel = int(random.integers(len(array)))
        try:
            swept = maps.explain_all(layer.name, channel)
        except convlens.ConvlensError:
            return
        wrong = ~(swept.agreeing | ~swept.explained)
        if wrong.any() and not erring:
            place = (channel, *(int(n) for n in np.argwhere(wrong)[0])) if wrong.ndim else (channel,)
            yield f"{where}: {int(wrong.sum())} values of channel {channel} disagree, as that at {place}"


EVALUATOR_ERRS = ("LRN", "Resize")
"""ONNX's reference evaluator adds up the squares of the first channels alone, and multiplies neighbours by 0."""
HANDED_ON_OTHERWISE = ("float16", "float64")
"""Of numbers beyond the range of float32, or of float16 where the runtime computes in float32, a layer reads others
than those that cross the engine border."""
ILL_CONDITIONED = (
    *("Pow", "Exp", "Sinh", "Cosh", "Log", "Sin", "Cos", "ReduceProd", "Floor", "Ceil", "Round", "Sign", "Cast"),
    *("QuantizeLinear", "QLinearConv", "InstanceNormalization", "LayerNormalization", "GroupNormalization"),
    *("Softmax", "LogSoftmax", "LRN", "ThresholdedRelu", "Shrink", "HardSigmoid", "HardSwish"),
    *("Erf", "Tanh", "Sigmoid", "Softsign", "Gelu", "Mish"),
)
"""Operators that make much of little: the rounding of what they read moves them by more."""


def _reached(drawn: Drawn, lens: convlens.Lens, maps: FeatureMaps, random: np.random.Generator) -> Iterator[str]:
    """No pixel outside a value's box moves it."""
    layers = [layer for layer in maps.network if maps.value(layer.name).size and layer.output_shape]
    if not layers:
        return
    layer = layers[int(random.integers(len(layers)))]
    index = tuple(int(random.integers(n)) for n in layer.output_shape)
    found = maps.reach.box(layer.name, index)
    inside = np.zeros(drawn.picture.shape, np.bool_)
    if found is not None:
        seen = [slice(first, last + 1) for first, last in found[0]]
        seen.insert(len(seen) if maps.network.inputs[0].layout == "channels_last" else 0, slice(None))
        inside[(slice(None), *seen)] = True
    other = np.where(inside, drawn.picture, random.normal(0, 1, drawn.picture.shape).astype(drawn.picture.dtype))
    moved = lens.feature_maps(other, layers=[layer.name])
    if moved.network[layer.name].output_shape != layer.output_shape:
        return
    before, after = (float(each.value(layer.name)[index]) for each in (maps, moved))
    size = float(np.nan_to_num(np.abs(maps.value(layer.name))).max(initial=0))
    if np.isfinite(before) and not abs(before - after) <= 1e-3 * size:
        yield f"{layer.name} ({layer.op}) at {index} is moved from {before} to {after} by pixels outside {found}"


@pytest.mark.parametrize("part", range(PARTS))
def test_random_graphs_are_shown_and_explained_truly(part: int, capsys: pytest.CaptureFixture[str]) -> None:
    with capsys.disabled():
        if part == 0:
            sys.stdout.write(f"\nrandom graphs: CONVLENS_GRAPHS={FIRST}\n")
    seeds = range(FIRST + part, FIRST + GRAPHS, PARTS)
    wrong = [line for seed in seeds for line in examine(draw(seed))]
    assert not wrong, f"\nCONVLENS_GRAPHS={FIRST}\n" + "\n".join(wrong)


def test_the_graphs_have_what_they_are_for() -> None:
    """All kinds of operators come up, of every type, with odd numbers, free sizes, several outputs."""
    drawn = [draw(seed) for seed in range(60)]
    ops = Counter(node.op_type for one in drawn for node in one.model.graph.node)
    assert len(ops) >= 2 * len(MAKERS)
    assert {one.picture.dtype.name for one in drawn} == {"float16", "float32", "float64"}
    assert {one.picture.ndim for one in drawn} == {3, 4, 5}
    assert any(one.odd for one in drawn)
    assert any(len(one.model.graph.output) > 1 for one in drawn)
    assert len({one.model.opset_import[0].version for one in drawn}) >= 12


def test_the_same_seed_draws_the_same_graph() -> None:
    assert draw(5).model == draw(5).model
