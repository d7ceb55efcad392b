"""The conformance suite that every engine must pass, ours or a stranger's.

Subclass :class:`EngineTests` in a test module, name the engine, and give it cases::

    class TestOnnx(EngineTests):
        engine = OnnxEngine

        @pytest.fixture(params=["conv", "residual"])
        def case(self, request):
            return EngineCase(model=..., feed={"image": ...})

Every test takes one case. A case's network must not depend on the values of the picture, only on its shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import product
from math import prod
from typing import Any, ClassVar

import numpy as np
import pytest

from convlens import geometry
from convlens.engines.base import Array, Engine
from convlens.errors import ConvlensError, LayerNotFoundError
from convlens.lens import Lens
from convlens.network import Convolution, Kind, Layer, Network, Shape


@dataclass(frozen=True)
class EngineCase:
    """One model with one feed.

    ``feed`` is in the framework's own layout, batch axis included. ``fingerprint`` returns something that compares
    equal as long as the model is as it was: weights, buffers, train/eval mode, hooks, random state. ``tolerance`` is
    relative to the largest value of a map. ``batchable``: whether the model takes two items at once.
    """

    model: object
    feed: Mapping[str, Any]
    input_shape: Shape | None = None
    fingerprint: Callable[[], object] = field(default=lambda: None)
    tolerance: float = 2e-5
    trust: bool = False
    batchable: bool = True


@dataclass(frozen=True)
class Captured:
    """What one run gave: the network, and each kept layer's array in the order of arrival."""

    network: Network
    maps: dict[str, Array]


class _StoppedError(Exception):
    """Raised by a sink in the middle of a run."""


class EngineTests:
    """What holds for every engine. Each check has the framework, or a naive loop over its numbers, as its oracle."""

    engine: ClassVar[type[Engine]]

    @pytest.fixture
    def case(self) -> EngineCase:
        """Override me: a fixture that gives the cases."""
        pytest.fail("a subclass of EngineTests overrides the fixture `case`")

    def capture(self, case: EngineCase, keep: frozenset[str] | None = None) -> Captured:
        """Open the case's model and run it once."""
        engine = self.opened(case)
        maps: dict[str, Array] = {}

        def sink(layer: Layer, array: Array) -> None:
            assert layer.name not in maps, f"{layer.name} arrived twice"
            maps[layer.name] = array

        network = engine.run(case.feed, keep, sink).network
        return Captured(network, {name: np.array(array) for name, array in maps.items()})

    def opened(self, case: EngineCase) -> Engine:
        """The case's model, opened."""
        return self.engine.open(case.model, trust=case.trust, input_shape=case.input_shape)

    def test_every_layer_arrives_in_execution_order(self, case: EngineCase) -> None:
        captured = self.capture(case)
        assert list(captured.maps) == [layer.name for layer in captured.network.layers]
        assert captured.maps, "a network has at least one layer"

    def test_maps_are_float32_and_have_the_shape_that_the_network_says(self, case: EngineCase) -> None:
        captured = self.capture(case)
        for layer in captured.network.layers:
            assert captured.maps[layer.name].dtype == np.float32, layer.name
            assert captured.maps[layer.name].shape == layer.output_shape, layer.name

    def test_the_graph_is_closed_and_ordered(self, case: EngineCase) -> None:
        network = self.capture(case).network
        known = {i.name for i in network.inputs}
        for layer in network.layers:
            assert set(layer.inputs) <= known, (
                f"{layer.name} reads {set(layer.inputs) - known}, which comes later or never"
            )
            assert layer.name not in known, f"{layer.name} is not unique"
            known.add(layer.name)
        assert network.outputs
        assert set(network.outputs) <= known

    def test_the_network_states_the_actual_input_shapes(self, case: EngineCase) -> None:
        network = self.capture(case).network
        for given in network.inputs:
            array = np.asarray(case.feed[given.name])
            shape = array.shape[1:] if given.layout == "channels_first" else (array.shape[-1], *array.shape[1:-1])
            assert given.shape == shape

    def test_trace_and_run_tell_the_same_network(self, case: EngineCase) -> None:
        engine = self.opened(case)
        traced = engine.trace(_shapes(case.feed))
        ran = engine.run(case.feed, frozenset(), lambda layer, array: None)
        assert traced.network == ran.network

    def test_a_trace_belongs_to_its_run_whatever_runs_later(self, case: EngineCase) -> None:
        engine = self.opened(case)
        trace = engine.run(case.feed, frozenset(), lambda layer, array: None)
        before = {layer.name: _copied(trace.weights(layer.name)) for layer in trace.network}
        layouts = {given.name: given.layout for given in trace.network.inputs}
        backwards = {name: np.asarray(value)[..., ::-1].copy() for name, value in case.feed.items()}
        for feed in (backwards, _grown(case.feed, layouts)):
            with suppress(ConvlensError):  # a model that takes one size alone
                engine.run(feed, None, lambda layer, array: None)
        for layer in trace.network:
            again = trace.weights(layer.name)
            assert list(again) == list(before[layer.name]), layer.name
            for role, array in again.items():
                np.testing.assert_array_equal(array, before[layer.name][role], err_msg=f"{role} of {layer.name}")
        with pytest.raises(LayerNotFoundError):
            trace.weights("no such layer")

    def test_only_what_is_kept_arrives(self, case: EngineCase) -> None:
        whole = self.capture(case)
        names = [layer.name for layer in whole.network.layers]
        chosen = frozenset(names[:: max(1, len(names) // 3)])
        part = self.capture(case, chosen)
        assert list(part.maps) == [name for name in names if name in chosen]
        for name, array in part.maps.items():
            self.assert_close(array, whole.maps[name], case.tolerance, name)

    def test_the_outputs_are_those_of_the_untouched_model(self, case: EngineCase) -> None:
        captured = self.capture(case)
        plain = self.opened(case).predict(case.feed)
        assert set(plain) == set(captured.network.outputs)
        for name, array in plain.items():
            if name in captured.maps:
                self.assert_close(captured.maps[name], array, case.tolerance, name)

    def test_every_convolution_is_its_window_times_its_kernel(self, case: EngineCase) -> None:
        """Kernels, padding, stride, dilation, groups and graph edges at once: a naive sum gives the map's value."""
        engine = self.opened(case)
        maps: dict[str, Array] = {}
        trace = engine.run(case.feed, None, lambda layer, array: maps.update({layer.name: np.array(array)}))
        network = trace.network
        for given in network.inputs:
            array = np.asarray(case.feed[given.name])[0]
            maps[given.name] = array if given.layout == "channels_first" else np.moveaxis(array, -1, 0)
        random = np.random.default_rng(0)
        for layer in network.layers:
            if not isinstance(layer.operation, Convolution) or layer.operation.padding_mode != "zeros":
                continue
            if len(layer.output_shape) != 1 + len(layer.operation.kernel_size):
                continue  # batch folded into the first axis: said in the layer's notes
            weights, source = trace.weights(layer.name), maps[layer.inputs[0]]
            assert weights["kernel"].dtype == np.float32
            size = maps[layer.name].size
            for flat in random.choice(size, min(size, 12), replace=False):
                index = np.unravel_index(int(flat), layer.output_shape)
                value = naive_convolution(layer.operation, source, weights, tuple(int(i) for i in index))
                scale = max(1.0, float(np.abs(maps[layer.name]).max()))
                limit = max(case.tolerance, 1e-4) * scale
                assert abs(value - float(maps[layer.name][index])) <= limit, f"{layer.name} at {index}"

    def test_output_sizes_follow_from_the_explicit_padding(self, case: EngineCase) -> None:
        network = self.capture(case).network
        shapes = {i.name: i.shape for i in network.inputs} | {
            layer.name: layer.output_shape for layer in network.layers
        }
        for layer in network.layers:
            operation, before = layer.operation, shapes[layer.inputs[0]] if layer.inputs else ()
            if not isinstance(operation, Convolution) or len(before) != 1 + len(operation.kernel_size):
                continue
            for axis, size in enumerate(before[1:]):
                assert size is not None
                settings = (operation.kernel_size[axis], operation.stride[axis], operation.dilation[axis])
                if operation.transposed:
                    extra = operation.output_padding[axis] if operation.output_padding else 0
                    expected = geometry.transposed_output_size(size, *settings, operation.padding[axis], extra)
                else:
                    expected = geometry.output_size(size, *settings, operation.padding[axis])
                assert layer.output_shape[1 + axis] == expected, layer.name

    def test_parameters_add_up(self, case: EngineCase) -> None:
        network = self.capture(case).network
        assert sum(layer.parameters for layer in network.layers) <= network.parameters
        for layer in network.layers:
            if isinstance(layer.operation, Convolution) and layer.parameters and layer.shares is None:
                least = layer.operation.filters * prod(layer.operation.kernel_size)
                assert layer.parameters >= least * (layer.operation.in_channels // layer.operation.groups), layer.name

    def test_the_model_is_left_as_it_was(self, case: EngineCase) -> None:
        before = case.fingerprint()
        engine = self.opened(case)
        engine.trace(_shapes(case.feed))
        engine.run(case.feed, None, lambda layer, array: None)
        engine.predict(case.feed)
        assert case.fingerprint() == before

    def test_a_sink_can_stop_the_run_and_nothing_is_left_behind(self, case: EngineCase) -> None:
        before = case.fingerprint()
        engine = self.opened(case)

        def sink(layer: Layer, array: Array) -> None:
            raise _StoppedError

        with pytest.raises(_StoppedError):
            engine.run(case.feed, None, sink)
        assert case.fingerprint() == before
        again: list[str] = []
        network = engine.run(case.feed, None, lambda layer, array: again.append(layer.name)).network
        assert again == [layer.name for layer in network.layers]

    def test_a_batch_of_two_keeps_both_and_each_is_as_it_would_be_alone(self, case: EngineCase) -> None:
        if not case.batchable or any(given.batch is not None for given in self.opened(case).inputs):
            return  # the model itself says how many it takes
        doubled = {name: np.repeat(np.asarray(value)[:1], 2, axis=0) for name, value in case.feed.items()}
        for value in doubled.values():
            value[1] = value[1][..., ::-1] if value.dtype.kind == "f" else value[1]
        first = {name: value[:1] for name, value in doubled.items()}
        second = {name: value[1:] for name, value in doubled.items()}
        maps: dict[str, Array] = {}
        trace = self.opened(case).run(doubled, None, lambda layer, array: maps.update({layer.name: np.array(array)}))
        network = trace.network
        singles = [self.capture(replace(case, feed=feed)) for feed in (first, second)]
        for layer in network.layers:
            if layer.notes or layer.kind == Kind.PLUMBING:
                continue  # a value without a batch axis
            assert maps[layer.name].shape == (2, *layer.output_shape), layer.name
            for item, alone in enumerate(singles):
                self.assert_close(maps[layer.name][item], alone.maps[layer.name], case.tolerance, layer.name)

    def test_the_batch_axis_is_optional(self, case: EngineCase) -> None:
        lens = Lens(self.opened(case), case.model)
        if len(lens.inputs) != 1 or not lens.inputs[0].rank_known or (lens.inputs[0].batch or 1) != 1:
            return  # nobody but the model knows how many axes an item has
        whole = np.asarray(next(iter(case.feed.values())))[:1]
        if whole.dtype.kind != "f":
            return  # integers may be a picture's pixels, which are read in another way
        batched, alone = lens.feature_maps(whole), lens.feature_maps(whole[0])
        assert [layer.name for layer in alone.network] == [layer.name for layer in batched.network]
        for layer in batched.network:
            self.assert_close(alone[layer.name].array, batched[layer.name].array, case.tolerance, layer.name)

    def test_the_gradient_is_what_a_small_step_shows(self, case: EngineCase) -> None:
        captured, engine, before = self.capture(case), self.opened(case), case.fingerprint()
        feed = {name: np.asarray(value) for name, value in case.feed.items()}
        layers = [
            layer for layer in captured.network.layers if "float" in layer.dtype and captured.maps[layer.name].size
        ]
        for layer in dict.fromkeys(sorted(layers, key=lambda one: not one.has_kernels)[:1] + layers[-1:]):
            array = captured.maps[layer.name]
            index = tuple(int(n) for n in np.unravel_index(np.abs(np.nan_to_num(array)).argmax(), array.shape))
            gradient = engine.gradient(feed, layer.name, index)
            assert case.fingerprint() == before
            if gradient is None:
                continue
            assert all(part.shape == feed[name].shape and part.dtype == np.float32 for name, part in gradient.items())
            steepest = max((float(np.abs(part).max()) for part in gradient.values()), default=0.0)
            expected = sum(float((part.astype(np.float64) ** 2).sum()) for part in gradient.values()) / (
                steepest or 1.0
            )
            shown = []
            for step in (1e-1, 1e-2, 1e-3, 1e-4):
                ends = []
                for sign in (1, -1):
                    moved = dict(feed)
                    for name, part in gradient.items():
                        moved[name] = (feed[name] + sign * step / (steepest or 1.0) * part).astype(feed[name].dtype)
                    ends.append(_value(engine, moved, layer.name, index))
                shown.append((ends[0] - ends[1]) / (2 * step))
            assert min(abs(one - expected) for one in shown) <= 0.02 * abs(expected) + 1e-6, (
                layer.name,
                expected,
                shown,
            )

    def test_a_missing_input_is_named(self, case: EngineCase) -> None:
        name = next(iter(case.feed))
        feed = {other: value for other, value in case.feed.items() if other != name}
        with pytest.raises(ConvlensError, match=name):
            self.opened(case).run(feed, None, lambda layer, array: None)

    def assert_close(self, ours: Array, theirs: Array, tolerance: float, name: str) -> None:
        """Equal within ``tolerance`` of the largest magnitude; NaN and infinities in the same places."""
        assert ours.shape == theirs.shape, name
        finite = np.isfinite(theirs)
        np.testing.assert_array_equal(np.isfinite(ours), finite, err_msg=name)
        if finite.any():
            scale = max(1.0, float(np.abs(theirs[finite]).max()))
            assert float(np.abs(ours[finite] - theirs[finite]).max()) <= tolerance * scale, name


def _shapes(feed: Mapping[str, Any]) -> dict[str, Shape]:
    return {name: tuple(np.asarray(value).shape) for name, value in feed.items()}


def _copied(weights: Mapping[str, Array]) -> dict[str, Array]:
    return {role: np.array(array) for role, array in weights.items()}


def _grown(feed: Mapping[str, Any], layouts: Mapping[str, str]) -> dict[str, Array]:
    """The feed with two values more along every spatial axis."""
    grown = {}
    for name, value in feed.items():
        array = np.asarray(value)
        spatial = range(2, array.ndim) if layouts[name] == "channels_first" else range(1, array.ndim - 1)
        grown[name] = np.pad(array, [(0, 2 * (axis in spatial)) for axis in range(array.ndim)], mode="edge")
    return grown


def _value(engine: Engine, feed: Mapping[str, Any], layer: str, index: Shape) -> float:
    """One value of one layer."""
    made: list[Array] = []
    engine.run(feed, frozenset({layer}), lambda _, array: made.append(array))
    return float(made[0][index])


def naive_convolution(operation: Convolution, source: Array, weights: Mapping[str, Array], index: Shape) -> float:
    """One output value by the definition: ``source`` (channels, *spatial), ``index`` (filter, *place), in float64."""
    kernel = weights["kernel"]
    group = index[0] // (operation.filters // operation.groups)
    per_group = operation.in_channels // operation.groups
    total = float(weights["bias"][index[0]]) if "bias" in weights else 0.0
    taps: list[list[tuple[int, int]]] = []
    for axis, place in enumerate(index[1:]):
        size, kernel_size = source.shape[1 + axis], operation.kernel_size[axis]
        stride, dilation, padding = operation.stride[axis], operation.dilation[axis], operation.padding[axis]
        if operation.transposed:
            taps.append(list(geometry.transposed_window(place, size, kernel_size, stride, dilation, padding)))
        else:
            positions = geometry.window(place, kernel_size, stride, dilation, padding)
            taps.append([(position, tap) for tap, position in enumerate(positions) if 0 <= position < size])
    for channel in range(per_group):
        for places in product(*taps):
            at = tuple(position for position, _ in places)
            with_tap = tuple(tap for _, tap in places)
            weight = float(kernel[(index[0], channel, *with_tap)])
            total += float(source[(group * per_group + channel, *at)]) * weight
    return total
