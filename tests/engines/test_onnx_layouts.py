"""Which axis is shown as channels, and which is left out as the batch: ONNX Runtime's arrays decide, on random graphs.

Whatever layout is inferred, a map is ONNX Runtime's array with its axes in the order that was stated, and every value
that is explained agrees.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import onnx
from hypothesis import given
from hypothesis import strategies as st
from tests.arithmetic.harness import Checked, Run, check_same, check_working, examples, sweep
from tests.engines.onnx_layout_graphs import Growing, session
from tests.engines.onnx_models import Array

from convlens import derivation, geometry
from convlens.arithmetic import explain
from convlens.engines.onnx import OnnxEngine
from convlens.engines.onnx.layers import DOUBT, WHOLE
from convlens.engines.onnx.presentation import Presentation
from convlens.network import Layer, Network

WINDOWS = frozenset(
    (
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LRN"),
        *("BatchNormalization", "InstanceNormalization", "DepthToSpace", "SpaceToDepth"),
    )
)
"""Operators that say themselves where the channels are."""
ALWAYS = WINDOWS | {"Relu", "Sigmoid", "Tanh", "Neg", "Elu", "Abs", "Identity", "Transpose", "Pad"}
"""Operators that are explained wherever the batch is an axis of what they read and make."""


@dataclass
class Traced:
    """A run on one item, and where the axes of the file went."""

    engine: OnnxEngine
    run: Run
    theirs: dict[str, Array]
    axes: dict[str, Presentation]

    @property
    def network(self) -> Network:
        return self.run.network


def traced(model: onnx.ModelProto, feed: dict[str, Array]) -> Traced:
    engine = OnnxEngine.open(model)
    run = Run.of(engine, feed)
    assert engine._traced is not None
    whole = session(model)
    names = [o.name for o in whole.get_outputs()]
    theirs = dict(zip(names, whole.run(names, feed), strict=True))
    return Traced(engine, run, theirs, engine._traced.presentations)


def check_layout(seen: Traced) -> None:
    """Each map is the file's array with its axes in another order, and without the batch axis where there is one."""
    for value, array in seen.theirs.items():
        layer, shown = seen.network[seen.engine._graph.layers[value]], seen.axes[value]
        rank = array.ndim
        assert sorted(shown.order) == list(range(rank)), value
        moved = array.transpose(shown.order).astype(np.float32)
        if shown.batch is not None:
            assert array.shape[shown.batch] == 1, value
            moved = moved[0]
        np.testing.assert_array_equal(seen.run.arrays[layer.name], moved, value)
        assert layer.output_shape == moved.shape, value
        assert (WHOLE in layer.notes) == (shown.batch is None), value
        if DOUBT in layer.notes:
            assert list(shown.axes) == sorted(shown.axes), value


def check_windows(graph: Growing, seen: Traced) -> None:
    """What an operator with a window reads and makes is shown as it reads it: channels first, rows, columns."""
    for one in graph.nodes:
        if one.op_type in WINDOWS:
            for value in (one.input[0], one.output[0]):
                if value in seen.axes:
                    assert list(seen.axes[value].axes) == sorted(seen.axes[value].axes), value
                    assert seen.axes[value].batch in (None, 0), value


def check_values(seen: Traced, random: np.random.Generator) -> Counter[tuple[str, bool]]:
    """Every value that is explained agrees; what must be explained is. How many layers of each operator are."""
    counted: Counter[tuple[str, bool]] = Counter()
    for layer in geometry.annotate(seen.network):
        weights, sources = seen.engine.weights(layer.name), seen.run.sources(layer)
        found = sweep(layer, seen.run.arrays[layer.name], sources, weights, Checked())
        index = tuple(int(random.integers(size)) for size in layer.output_shape)
        working = explain(layer, index, sources, weights)
        assert (found is None) == (working is None), f"{layer.name} is explained by halves"
        if working is not None and found is not None:
            check_working(working, layer, sources)
            check_same(working, found[index[0]] if index else found[0], layer, index)
        else:
            assert not must_be_explained(layer, seen.network), f"{layer.name} ({layer.op}) isn't explained"
        counted[layer.op, working is not None] += 1
    assert len(list(derivation.derive_all(seen.network))) == len(seen.network)
    return counted


def must_be_explained(layer: Layer, network: Network) -> bool:
    read = [network.get(name) for name in layer.inputs]
    return layer.op in ALWAYS and all(WHOLE not in one.notes for one in (layer, *read) if one is not None)


def check_items(graph: Growing, seen: Traced, several: int) -> None:
    """In a batch of several, each item's map is the one that it has alone."""
    feed = np.concatenate([graph.values["image"], graph.numbers(several - 1, *graph.given[1:])])
    try:
        session(graph.model(all_outputs=True)).run(None, {"image": feed})
    except Exception:
        return  # a reshape to a batch of one, say: this graph takes no other
    maps: dict[str, Array] = {}
    network = seen.engine.run({"image": feed}, None, lambda one, array: maps.update({one.name: np.array(array)}))
    for item in range(several):
        alone = Run.of(seen.engine, {"image": feed[item : item + 1]})
        for layer in network:
            if WHOLE in layer.notes:
                assert maps[layer.name].ndim == len(layer.output_shape), layer.name
                continue
            assert len(maps[layer.name]) == several, layer.name
            own, other = maps[layer.name][item], alone.arrays[layer.name]
            np.testing.assert_allclose(own.reshape(other.shape), other, rtol=1e-3, atol=1e-3, err_msg=layer.name)


def check(seed: int, length: int) -> Counter[tuple[str, bool]]:
    graph = Growing(seed, length)
    if not graph.nodes:
        return Counter()
    seen = traced(graph.model(all_outputs=True), {"image": graph.values["image"]})
    check_layout(seen)
    check_windows(graph, seen)
    counted = check_values(seen, np.random.default_rng(seed))
    if graph.free:
        check_items(graph, seen, 3)
    return counted


def test_random_graphs_are_shown_and_explained_in_whatever_layout_follows() -> None:
    counted: Counter[tuple[str, bool]] = Counter()

    @examples(60)
    @given(seed=st.integers(0, 2**32 - 1), length=st.integers(2, 10))
    def held(seed: int, length: int) -> None:
        counted.update(check(seed, length))

    held()
    explained = sum(count for (_, known), count in counted.items() if known)
    assert explained > 0.8 * counted.total(), counted
