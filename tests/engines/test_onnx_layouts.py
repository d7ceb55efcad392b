"""Which axis is shown as channels, and which is left out as the batch: ONNX Runtime's arrays decide, on random graphs.

Whatever layout is inferred, a map is ONNX Runtime's array with its axes in the order that was stated, and every value
that is explained agrees.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper
from tests.arithmetic.harness import Checked, Run, as_read, check_same, check_working, examples, sweep
from tests.engines import onnx_models as models
from tests.engines.onnx_layout_graphs import Growing, session
from tests.engines.onnx_models import Array, node, numbers

from convlens import derivation, geometry
from convlens.arithmetic import explain
from convlens.engines.onnx import OnnxEngine
from convlens.engines.onnx.axis_inference import Layout
from convlens.engines.onnx.layers import DOUBT, WHOLE
from convlens.engines.onnx.layouts import layouts
from convlens.engines.onnx.presentation import Presentation
from convlens.engines.onnx.trace import OnnxTrace
from convlens.network import Layer, Network

WINDOWS = frozenset(
    (
        *("Conv", "ConvTranspose", "MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LRN"),
        *("BatchNormalization", "InstanceNormalization", "DepthToSpace", "SpaceToDepth"),
    )
)
"""Operators that say themselves where the channels are."""
UNARY = frozenset(("Relu", "Sigmoid", "Tanh", "Neg", "Elu", "Abs", "Identity"))
ALWAYS = WINDOWS | UNARY | {"Transpose", "Pad"}
"""Operators that are explained wherever the batch is an axis of what they read and make."""


@dataclass
class Seen:
    """A run on one item, and what ONNX Runtime made."""

    engine: OnnxEngine
    run: Run
    theirs: dict[str, Array]

    @property
    def trace(self) -> OnnxTrace:
        assert isinstance(self.run.trace, OnnxTrace)
        return self.run.trace

    @property
    def network(self) -> Network:
        return self.run.network

    def layer(self, value: str) -> Layer:
        return self.network[self.trace.graph.layers[value]]


def see(model: onnx.ModelProto, feed: dict[str, Array]) -> Seen:
    engine = OnnxEngine.open(model)
    run, whole = Run.of(engine, feed), session(model)
    names = [o.name for o in whole.get_outputs()]
    return Seen(engine, run, dict(zip(names, whole.run(names, feed), strict=True)))


def check_layout(seen: Seen) -> None:
    """Each map is the file's array with its axes in another order, and without the batch axis where there is one."""
    for value, array in seen.theirs.items():
        layer, shown = seen.layer(value), seen.trace.presentations[value]
        rank = array.ndim
        assert sorted(shown.order) == list(range(rank)), value
        moved = array.transpose(shown.order).astype(np.float32)
        if shown.batch is not None:
            assert array.shape[shown.batch] == 1, value
            moved = moved[0]
        np.testing.assert_allclose(seen.run.arrays[layer.name], moved, rtol=1e-4, atol=1e-5, err_msg=value)
        assert layer.output_shape == moved.shape, value
        assert (WHOLE in layer.notes) == (shown.batch is None), value
        if DOUBT in layer.notes:
            assert list(shown.axes) == sorted(shown.axes), value


def check_windows(graph: Growing, seen: Seen) -> None:
    """What an operator with a window reads and makes is shown as it reads it: channels first, rows, columns."""
    for one in graph.nodes:
        if one.op_type in WINDOWS:
            for value in (one.input[0], one.output[0]):
                shown = seen.trace.presentations.get(value)
                if shown is not None:
                    assert list(shown.axes) == sorted(shown.axes), value
                    assert shown.batch in (None, 0), value


def check_values(
    seen: Seen, random: np.random.Generator, always: Collection[str] = ALWAYS
) -> Counter[tuple[str, bool]]:
    """Every value that is explained agrees; what must be explained is. How many layers of each operator are."""
    counted: Counter[tuple[str, bool]] = Counter()
    for layer in geometry.annotate(seen.network):
        weights, sources = seen.trace.weights(layer.name), seen.run.sources(layer)
        found = sweep(layer, seen.run.arrays[layer.name], sources, weights, Checked())
        index = tuple(int(random.integers(size)) for size in layer.output_shape)
        working = explain(layer, index, sources, weights)
        assert (found is None) == (working is None), f"{layer.name} is explained by halves"
        if working is not None and found is not None:
            check_working(working, layer, sources)
            check_same(working, found[index[0]] if index else found[0], layer, index)
        else:
            assert not (layer.op in always and is_of_one_item(layer, seen.network)), (
                f"{layer.name} ({layer.op}) isn't explained"
            )
        counted[layer.op, working is not None] += 1
    assert len(list(derivation.derive_all(seen.network))) == len(seen.network)
    return counted


def is_of_one_item(layer: Layer, network: Network) -> bool:
    """Whether the batch is an axis of what the layer makes and of all that it reads."""
    read = [network.get(name) for name in layer.inputs]
    return all(WHOLE not in one.notes for one in (layer, *read) if one is not None)


def part(layer: Layer, array: Array, item: int) -> Array:
    """What a batch of several made of one item; what has no batch axis is every item's."""
    return array if WHOLE in layer.notes else array[item]


def check_items(graph: Growing, seen: Seen, several: int) -> None:
    """In a batch of several, each item's map is the one that it has alone, unless the graph brings items together."""
    feed = np.concatenate([graph.values["image"], graph.numbers(several - 1, *graph.given[1:])])
    try:
        session(graph.model(all_outputs=True)).run(None, {"image": feed})
    except Exception:
        return  # a reshape to a batch of one, say: this graph takes no other
    maps: dict[str, Array] = {}
    trace = seen.engine.run({"image": feed}, None, lambda one, array: maps.update({one.name: np.array(array)}))
    for item in (0, several - 1):
        own_maps = {layer.name: part(layer, maps[layer.name], item) for layer in trace.network}
        of_one = Seen(seen.engine, Run(trace, own_maps | {"image": as_read(trace.network.inputs[0], feed[item:])}), {})
        check_values(of_one, np.random.default_rng(item), ())
        alone = Run.of(seen.engine, {"image": feed[item : item + 1]})
        for layer in trace.network:
            if WHOLE in layer.notes:
                assert maps[layer.name].ndim == len(layer.output_shape), layer.name
                continue
            assert len(maps[layer.name]) == several, layer.name
            if any(WHOLE in trace.network[name].notes for name in trace.network.upstream(layer.name)):
                continue
            if WHOLE in alone.network[layer.name].notes:
                continue  # one item, stretched to as many as there happen to be here
            own, other = maps[layer.name][item], alone.arrays[layer.name]
            np.testing.assert_allclose(own.reshape(other.shape), other, rtol=1e-3, atol=1e-3, err_msg=layer.name)


def check(seed: int, length: int) -> Counter[tuple[str, bool]]:
    graph = Growing(seed, length)
    if not graph.nodes:
        return Counter()
    seen = see(graph.model(all_outputs=True), {"image": graph.values["image"]})
    check_layout(seen)
    check_windows(graph, seen)
    counted = check_values(seen, np.random.default_rng(seed))
    if graph.free:
        check_items(graph, seen, 3)
    return counted


def test_random_graphs_are_shown_and_explained_in_whatever_layout_follows() -> None:
    counted: Counter[tuple[str, bool]] = Counter()

    @examples(100)
    @given(seed=st.integers(0, 2**32 - 1), length=st.integers(2, 10))
    def held(seed: int, length: int) -> None:
        counted.update(check(seed, length))

    held()
    explained = sum(count for (_, known), count in counted.items() if known)
    assert explained > 0.8 * counted.total(), counted


def in_any_layout(graph: Growing, seed: int) -> Callable[..., dict[str, Layout]]:
    """What infers layouts, but for values whose axes no operator states: those get any axis as channels."""
    stated = {name for one in graph.nodes if one.op_type in WINDOWS for name in (one.input[0], *one.output)}
    random = np.random.default_rng(seed)

    def infer(*given: Any) -> dict[str, Layout]:
        found = layouts(*given)
        for name, layout in found.items():
            shown = layout.presentation
            if name not in stated and name != "image" and shown.axes and random.random() < 0.5:
                axis = int(random.choice(shown.axes))
                found[name] = Layout(Presentation.channels_at(axis, len(shown.order), shown.batch))
        return found

    return infer


def test_no_explanation_depends_on_the_right_layout(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is taken for channels: what is explained agrees, and what can't be paired up isn't explained."""

    @examples(60)
    @given(seed=st.integers(0, 2**32 - 1), length=st.integers(2, 10))
    def held(seed: int, length: int) -> None:
        graph = Growing(seed, length)
        if graph.nodes:
            monkeypatch.setattr("convlens.engines.onnx.layers.layouts", in_any_layout(graph, seed))
            seen = see(graph.model(all_outputs=True), {"image": graph.values["image"]})
            check_layout(seen)
            check_values(seen, np.random.default_rng(seed), ALWAYS - {"Pad", *UNARY})

    held()


READERS = {
    **{
        f"sum over {axes}, {'kept' if kept else 'gone'}": node("ReduceSum", f"relu {axes}", "end", keepdims=kept)
        for axes in ("one", "two", "three", "one_two")
        for kept in (0, 1)
    },
    "softmax": node("Softmax", "relu", "end", axis=2),
    "layer norm": node("LayerNormalization", "relu scale shift", "end", axis=2),
    "dense": node("MatMul", "relu dense", "end"),
    "rows": node("MatMul", "rows relu", "end"),
    "rows of a matrix": node("Gemm", "relu dense", "end"),
    "columns of a matrix": node("Gemm", "relu dense", "end", transA=1),
    "concat": node("Concat", "relu relu", "end", axis=3),
    "add": node("Add", "relu row", "end"),
    "slope": node("PRelu", "relu row", "end"),
    "transpose": node("Transpose", "relu", "end", perm=[0, 2, 3, 1]),
    "reshape": node("Reshape", "relu sizes", "end"),
    "flatten": node("Flatten", "relu", "end"),
    "unsqueeze": node("Unsqueeze", "relu two", "end"),
    "gather": node("Gather", "relu two", "end", axis=3),
    "slice": node("Slice", "relu one two three", "end"),
    "pad": node("Pad", "relu around", "end"),
    "resize": node("Resize", "relu - scales", "end", coordinate_transformation_mode="asymmetric", nearest_mode="floor"),
}
CONSTANTS: dict[str, Array] = {
    **{name: np.array([n], np.int64) for n, name in enumerate(("zero", "one", "two", "three"))},
    "one_two": np.array([1, 2], np.int64),
    "scale": numbers(3, 3),
    "shift": numbers(3, 3, seed=1),
    "dense": numbers(3, 3),
    "rows": numbers(3, 3),
    "row": numbers(3, 1),
    "sizes": np.array([0, 9, 3], np.int64),
    "around": np.array([0, 0, 1, 0, 0, 1, 0, 0], np.int64),
    "scales": np.array([1, 1, 2, 1], np.float32),
}


@pytest.mark.parametrize("reader", [*READERS])
def test_an_operator_is_explained_truly_between_any_two_layouts(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All axes are of one length here, so that nothing but their order tells them apart."""
    sizes: tuple[int, ...] = (1, 3, 3, 3)
    first = node("Relu", "image", "relu")
    if READERS[reader].op_type == "Gemm":  # a matrix without batch
        sizes, first = (1, 3, 3), node("ReduceSum", "image zero", "relu", keepdims=0)
    model = models.model([first, READERS[reader]], {"image": sizes}, ["relu", "end"], CONSTANTS)
    explained = 0
    for read, made in itertools.product(range(3), repeat=2):

        def forced(*given: Any, read: int = read, made: int = made) -> dict[str, Layout]:
            found = layouts(*given)
            for name, place in (("relu", read), ("end", made)):
                shown = found[name].presentation
                if place < len(shown.axes):
                    channels = shown.axes[place]
                    found[name] = Layout(Presentation.channels_at(channels, len(shown.order), shown.batch))
            return found

        monkeypatch.setattr("convlens.engines.onnx.layers.layouts", forced)
        seen = see(model, {"image": numbers(*sizes)})
        check_layout(seen)
        explained += check_values(seen, np.random.default_rng(1), ())[READERS[reader].op_type, True]
    assert explained >= 1


def test_operands_whose_batches_stand_across_one_another_are_not_paired_up() -> None:
    """With a batch as long as the other axis, only the graph tells which is which."""
    nodes = [
        node("Transpose", "image", "turned", perm=[1, 0]),
        node("MatMul", "image turned", "products"),
        node("Max", "image products", "largest"),
    ]
    engine = OnnxEngine.open(models.model(nodes, {"image": ("batch", 4)}, ["largest"]))
    several, maps = numbers(4, 4), {}
    trace = engine.run({"image": several}, None, lambda one, array: maps.update({one.name: array}))
    for item in range(4):
        arrays = {"image": several[item]} | {one.name: part(one, maps[one.name], item) for one in trace.network}
        check_values(Seen(engine, Run(trace, arrays), {}), np.random.default_rng(item), ())


@pytest.mark.parametrize(("places", "known"), [([[0, 2], [0, 2]], True), ([[0, 2], [2, 1]], False)])
def test_an_order_of_copying_that_differs_from_item_to_item_is_not_told(places: list[list[int]], known: bool) -> None:
    nodes = [node("GatherElements", "image places", "chosen", axis=1)]
    engine = OnnxEngine.open(models.model(nodes, {"image": ("batch", 3)}, ["chosen"], {"places": np.array(places)}))
    trace = engine.run({"image": numbers(2, 3)}, None, lambda one, array: None)
    assert trace.network["chosen"].output_shape == (2,)
    assert ("origin" in trace.weights("chosen")) == known


def turned(order: Sequence[int], *behind: onnx.NodeProto) -> onnx.ModelProto:
    """image -> turned -> ... -> end."""
    given = (1, 3, 6, 7)
    channels = given[order[1]]
    weights = {"w": numbers(2, channels, 2, 1), "scale": numbers(channels), "shift": numbers(channels)}
    nodes = [node("Transpose", "image", "turned", perm=list(order)), *behind]
    return models.model(nodes, {"image": given}, ["end"], weights)


@pytest.mark.parametrize("order", [(0, 2, 3, 1), (0, 3, 1, 2), (0, 3, 2, 1), (0, 2, 1, 3)])
@pytest.mark.parametrize(
    "reader",
    [
        node("Conv", "between w", "end"),
        node("MaxPool", "between", "end", kernel_shape=[2, 1]),
        node("InstanceNormalization", "between scale shift", "end"),
        node("GlobalAveragePool", "between", "end"),
    ],
    ids=lambda reader: reader.op_type,
)
def test_what_reads_channels_first_is_shown_what_it_reads(order: tuple[int, ...], reader: onnx.NodeProto) -> None:
    """Whatever turned the value before."""
    image = numbers(1, 3, 6, 7)
    seen = see(turned(order, node("Sigmoid", "turned", "between"), reader), {"image": image})
    for name in ("turned", "between"):
        assert seen.network[name].output_shape == image.transpose(order)[0].shape
    np.testing.assert_array_equal(seen.run.arrays["turned"], image.transpose(order)[0])
    counted = check_values(seen, np.random.default_rng(1))
    assert all(known for (_, known) in counted), counted


def test_a_batch_that_is_moved_is_followed() -> None:
    """Also where another axis is as long as the batch by chance."""
    several = numbers(3, 3, 6, 7)
    nodes = [node("Transpose", "image", "turned", perm=[1, 0, 2, 3]), node("Relu", "turned", "end")]
    engine = OnnxEngine.open(models.model(nodes, {"image": ("batch", 3, 6, 7)}, ["end"]))
    maps: dict[str, Array] = {}
    engine.run({"image": several}, None, lambda layer, array: maps.update({layer.name: array}))
    np.testing.assert_array_equal(maps["turned"], several)
    np.testing.assert_array_equal(maps["end"], np.maximum(several, 0))


MIXING = {
    "summed": [node("ReduceSum", "image first", "mixed", keepdims=0)],
    "multiplied": [node("MatMul", "image image", "mixed")],
    "joined": [node("Concat", "image image", "mixed", axis=0)],
    "rolled": [node("Slice", "image start end first back", "mixed")],
    "padded": [node("Pad", "image around", "mixed")],
    "met again": [
        node("Transpose", "image", "turned", perm=[1, 0]),
        node("MatMul", "image turned", "products"),
        node("Add", "image products", "mixed"),
    ],
}


@pytest.mark.parametrize("how", [*MIXING])
def test_what_is_made_of_all_items_is_shown_whole_though_it_is_as_long_as_the_batch(how: str) -> None:
    weights = {
        "first": np.array([0], np.int64),
        "start": np.array([-1], np.int64),
        "end": np.array([-9], np.int64),
        "back": np.array([-1], np.int64),
        "around": np.array([1, 0, -1, 0], np.int64),
    }
    model = models.model([*MIXING[how], node("Relu", "mixed", "end_")], {"image": ("batch", 3)}, ["end_"], weights)
    maps: dict[str, Array] = {}
    several = numbers(3, 3)
    trace = OnnxEngine.open(model).run({"image": several}, None, lambda one, array: maps.update({one.name: array}))
    whole = session(model).run(None, {"image": several})[0]
    for name in ("mixed", "end_"):
        assert trace.network[name].notes == (WHOLE,)
        assert trace.network[name].output_shape == whole.shape
    np.testing.assert_allclose(maps["end_"], whole, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("batch", [1, 2])
def test_a_batch_that_is_folded_into_another_axis_is_found_again(batch: int) -> None:
    weights = {
        "fold": np.array([-1, 5], np.int64),
        "unfold": np.array([-1, 4, 5], np.int64),
    }
    nodes = [
        node("Reshape", "image fold", "folded"),
        node("Relu", "folded", "between"),
        node("Reshape", "between unfold", "unfolded"),
    ]
    model = models.model(nodes, {"image": ("batch", 4, 5)}, ["unfolded"], weights)
    maps: dict[str, Array] = {}
    several = numbers(batch, 4, 5)
    trace = OnnxEngine.open(model).run({"image": several}, None, lambda one, array: maps.update({one.name: array}))
    assert trace.network["between"].notes == (WHOLE,)
    assert trace.network["unfolded"].output_shape == (4, 5)
    np.testing.assert_array_equal(maps["unfolded"], np.maximum(several, 0)[0 if batch == 1 else slice(None)])


@pytest.mark.parametrize(
    ("fold", "window", "sizes"),
    [((-1, 2, 5, 6), "Conv", (2, 3, 4, 5)), ((-1, 6), "BatchNormalization", (20, 6))],
    ids=["maps", "vectors"],
)
def test_where_other_axes_are_folded_into_the_batch_all_axes_are_shown(
    fold: tuple[int, ...], window: str, sizes: tuple[int, ...]
) -> None:
    weights: dict[str, Array] = {"fold": np.array(fold), "w": numbers(3, 2, 2, 2), "one": np.ones(6, np.float32)}
    more = "w" if window == "Conv" else "one one one one"
    nodes = [
        node("Reshape", "image fold", "folded"),
        node(window, f"folded {more}", "made"),
        node("Relu", "made", "end"),
    ]
    seen = see(models.model(nodes, {"image": ("batch", 4, 5, 6)}, ["end"], weights), {"image": numbers(1, 4, 5, 6)})
    assert seen.network["made"].output_shape == seen.network["end"].output_shape == sizes
    assert all(layer.notes == (WHOLE,) for layer in seen.network)
    check_layout(seen)
    counted = check_values(seen, np.random.default_rng(1))
    assert counted["Relu", True]


def test_where_readers_disagree_axes_are_as_in_the_file_and_the_layer_says_so() -> None:
    """One reader takes the last axis for channels, another, behind another transpose, the second."""
    weights = {"rows": numbers(2, 5, 1, 1), "w": numbers(2, 3, 1, 1), "back": numbers(3, 2, 1, 1)}
    nodes = [
        node("Transpose", "image", "first", perm=[0, 3, 1, 2]),
        node("Conv", "first w", "conv"),
        node("Conv", "conv back", "wide"),
        node("Transpose", "wide", "last", perm=[0, 2, 3, 1]),
        node("Relu", "last", "relu"),
        node("Transpose", "relu", "other", perm=[0, 1, 3, 2]),
        node("Conv", "other rows", "mixed"),
    ]
    feed = {"image": numbers(1, 5, 4, 3)}
    seen = see(models.model(nodes, {"image": (1, 5, 4, 3)}, ["mixed"], weights), feed)
    assert seen.network["relu"].notes == (DOUBT,)
    assert seen.network["relu"].output_shape == (5, 4, 3)
    assert not seen.network["wide"].notes
    counted = check_values(seen, np.random.default_rng(1))
    assert all(known for (_, known) in counted), counted


def test_what_is_read_unturned_counts_before_what_lies_behind_a_transpose() -> None:
    """A mixer: one convolution reads rows as channels, yet the others leave no doubt."""
    weights: dict[str, Array] = {"w": numbers(3, 3, 1, 1), "rows": numbers(5, 5, 1, 1)}
    nodes = [
        node("Conv", "image w", "conv"),
        node("Relu", "conv", "relu"),
        node("Transpose", "relu", "turned", perm=[0, 2, 1, 3]),
        node("Conv", "turned rows", "mixed"),
        node("Transpose", "mixed", "back", perm=[0, 2, 1, 3]),
        node("Add", "back relu", "added"),
        node("MaxPool", "added", "pool", kernel_shape=[2, 2]),
    ]
    feed = {"image": numbers(1, 3, 5, 4)}
    seen = see(models.model(nodes, {"image": (1, 3, 5, 4)}, ["pool"], weights), feed)
    assert not any(layer.notes for layer in seen.network)
    assert seen.network["added"].output_shape == (3, 5, 4)
    assert all(known for _, known in check_values(seen, np.random.default_rng(1)))


def test_an_operator_that_states_channels_last_is_shown_channels_first() -> None:
    quantised: dict[str, Array] = {"step": np.array(0.05, np.float32), "zero": np.array(3, np.uint8)}
    settings: dict[str, Any] = {"kernel_shape": [2, 3], "channels_last": 1, "domain": "com.microsoft"}
    nodes = [
        node("QuantizeLinear", "image step zero", "integers"),
        node("QLinearAveragePool", "integers step zero step zero", "pool", **settings),
        node("DequantizeLinear", "pool step zero", "real"),
    ]
    model = models.model(nodes, {"image": (1, 6, 7, 2)}, ["real"], quantised)
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    seen = see(model, {"image": numbers(1, 6, 7, 2)})
    assert [layer.output_shape for layer in seen.network] == [(2, 6, 7), (2, 5, 5), (2, 5, 5)]
    assert seen.engine.inputs[0].layout == "channels_last"
    assert not any(DOUBT in layer.notes for layer in seen.network)
    check_values(seen, np.random.default_rng(1))


def test_files_from_tensorflow_are_shown_channels_first_throughout() -> None:
    seen = see(models.channels_last(), {"image": numbers(1, 9, 11, 3)})
    assert [layer.output_shape for layer in seen.network] == [(3, 9, 11), (3, 9, 11), *[(4, 4, 5)] * 4]
    assert not any(layer.notes for layer in seen.network)
