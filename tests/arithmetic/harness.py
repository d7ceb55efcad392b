"""The oracle of every explanation: the framework itself. Whatever engine ran, each value of each layer is explained.

``check_every_value`` takes any engine and a feed, runs the model once, works out every value of every layer from the
layer's own inputs and weights, and holds it against what the framework computed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from hypothesis import settings

from convlens.arithmetic import Sweep, Working, explain, explain_all
from convlens.arithmetic.rounding import rounded
from convlens.engines.base import Array, Engine, Trace
from convlens.network import Input, Layer, Network

CLOSE = 1e-12
"""Ours against ours: both in float64, added in another order."""


def examples(count: int) -> settings:
    """So many drawn cases, ten times as many with ``pytest --thorough``."""
    return settings(max_examples=count * settings().max_examples // 100)


@dataclass
class Checked:
    """What was held against the framework: how many values, and how much of the tolerance was needed, by operator."""

    values: int = 0
    worst: dict[str, float] = field(default_factory=dict)
    unexplained: list[str] = field(default_factory=list)


@dataclass
class Run:
    """One pass: every layer's array, and the network's inputs as the layers read them."""

    trace: Trace
    arrays: dict[str, Array]

    @property
    def network(self) -> Network:
        return self.trace.network

    @classmethod
    def of(cls, engine: Engine, feed: Mapping[str, Any]) -> Run:
        arrays: dict[str, Array] = {}
        trace = engine.run(feed, None, lambda layer, array: arrays.update({layer.name: np.array(array)}))
        given = {one.name: as_read(one, feed[one.name]) for one in trace.network.inputs}
        return cls(trace, given | arrays)

    def sources(self, layer: Layer) -> list[Array]:
        return [self.arrays[name] for name in layer.inputs]


def as_read(given: Input, value: Any) -> Array:
    """An input as the first layer reads it: without batch axis, channels first, in the type that the model computes in,
    handed over as float32."""
    array = rounded(np.asarray(value)[0].astype(np.float32), given.dtype)
    return np.moveaxis(array, -1, 0) if given.layout == "channels_last" and array.ndim > 1 else array


def check_every_value(
    engine: Engine,
    feed: Mapping[str, Any],
    rng: np.random.Generator,
    *,
    unexplained: Collection[str] = (),
    says_so: Collection[str] = (),
    places: int = 3,
) -> Checked:
    """Hold every value of every layer against the framework.

    Every layer must be explained, but those whose operator or name is in ``unexplained``; and those must not be. At
    ``places`` random values of each layer the single explanation must be the same as that of the whole map, add up, and
    lead back to the input values that it names.

    ``says_so``: operators that may disagree, and say so, where they are fed infinities or NaN, since the framework
    doesn't do then what its formula says.
    """
    run, checked = Run.of(engine, feed), Checked()
    for layer in run.network.layers:
        weights, sources = run.trace.weights(layer.name), run.sources(layer)
        exempt = layer.op in unexplained or layer.name in unexplained
        sweeps = sweep(layer, run.arrays[layer.name], sources, weights, checked, odd=layer.op in says_so)
        indices = [tuple(int(rng.integers(size)) for size in layer.output_shape) for _ in range(places)]
        workings = [explain(layer, i, sources, weights) for i in (indices if run.arrays[layer.name].size else [])]
        if sweeps is None:
            assert exempt, f"{layer.name} ({layer.op}) is not explained: {layer.operation}"
            assert all(w is None for w in workings), f"{layer.name} is explained value by value, but not as a whole"
            checked.unexplained.append(layer.op)
            continue
        assert not exempt, f"{layer.name} ({layer.op}) is explained now: take it off the list"
        for index, working in zip(indices, workings, strict=False):
            whole = sweeps[index[0]] if index else sweeps[0]
            assert (working is not None) == whole.explained[index[1:]], f"{layer.name} at {index}"
            if working is not None:
                check_working(working, layer, sources)
                check_same(working, whole, layer, index)
    return checked


def sweep(
    layer: Layer,
    theirs: Array,
    sources: Sequence[Array],
    weights: Mapping[str, Array],
    checked: Checked,
    *,
    odd: bool = False,
) -> list[Sweep] | None:
    """Every channel of a layer worked out as a whole, and held against the framework's values."""
    found = []
    for channel in range(layer.output_shape[0] if layer.output_shape else 1):
        whole = explain_all(layer, channel, sources, weights)
        if whole is None:
            return None
        values = theirs[channel] if layer.output_shape else theirs
        assert whole.total.shape == values.shape == whole.tolerance.shape, f"{layer.name}: {whole.total.shape}"
        assert whole.explained.shape == values.shape, f"{layer.name}: {whole.explained.shape}"
        assert whole.explained.all() or layer.op == "Cast" or any(map(_has_odd, sources)), f"{layer.name} ({layer.op})"
        agrees = np.atleast_1d(whole.agrees(values) | ~whole.explained)
        if not agrees.all() and not (odd and not all(np.isfinite(source).all() for source in sources)):
            place = tuple(int(n) for n in np.argwhere(~agrees)[0]) if values.ndim else ()
            raise AssertionError(
                f"{layer.name} ({layer.op}, {layer.dtype}) at channel {channel}, {place}: the framework has "
                f"{values[place]!r}, we {whole.total[place]!r}, tolerance {whole.tolerance[place]!r}; "
                f"{int((~agrees).sum())} of {values.size} disagree; {layer.operation}; reads "
                f"{[source.shape for source in sources]}, makes {layer.output_shape}"
            )
        with np.errstate(all="ignore"):
            share = np.abs(values - whole.total) / whole.tolerance
        needed = float(np.max(share, initial=0.0, where=np.isfinite(share) & np.isfinite(values)))
        checked.worst[layer.op] = max(checked.worst.get(layer.op, 0.0), needed)
        checked.values += values.size
        found.append(whole)
    return found


def _has_odd(array: Array) -> bool:
    """Whether something isn't finite, or so large or small that its square has no place in float32."""
    sizes = np.abs(array.astype(np.float64))
    return bool((~np.isfinite(sizes) | (sizes > 1e17) | ((sizes > 0) & (sizes < 1e-17))).any())


def check_same(working: Working, whole: Sweep, layer: Layer, index: tuple[int, ...]) -> None:
    """One value alone is explained as it is among all."""
    total, tolerance = float(whole.total[index[1:]]), float(whole.tolerance[index[1:]])
    where = f"{layer.name} ({layer.op}) at {index}"
    if np.isfinite(total):
        size = working.magnitude if np.isfinite(working.magnitude) else 0.0
        assert abs(working.total - total) <= CLOSE * (size + abs(total)), where
        assert working.overflows(layer.dtype, layer.sums_in) == bool(whole.overflows[index[1:]]), where
    else:
        np.testing.assert_equal(working.total, total, where)
    np.testing.assert_allclose(working.tolerance(layer.dtype, layer.sums_in), tolerance, rtol=1e-6, err_msg=where)


def check_working(working: Working, layer: Layer, sources: Sequence[Array]) -> None:
    """What a working says of itself is true: its terms add up, its values are those that it points to."""
    where = f"{layer.name} ({layer.op}, {working.rule})"
    limit = CLOSE * (1 + working.magnitude + abs(working.total)) if np.isfinite(working.total) else 0.0
    if working.products is not None:
        whole = working.total if working.accumulated is None else working.accumulated
        assert working.kernel is not None, where
        assert working.window.shape == working.kernel.shape == working.products.shape, where
        with np.errstate(all="ignore"):
            np.testing.assert_array_equal(working.products, working.window * working.kernel, where)
            if np.isfinite(whole):
                terms = float(working.products.sum()) + (working.bias or 0.0)
                assert abs(terms - whole) <= limit, f"{where}: terms {terms}, total {whole}"
                assert working.channel_sums is not None
                sums = float(working.channel_sums.sum()) + (working.bias or 0.0)
                assert abs(sums - whole) <= limit, f"{where}: channels {sums}, total {whole}"
    if working.steps:
        last = working.steps[-1].value
        limit = limit if np.isfinite(limit) else 0.0
        np.testing.assert_allclose(last, working.total, rtol=1e-9, atol=limit, err_msg=where)
    inside = working.inside
    for entry in np.ndindex(working.window.shape):
        origin = working.origin(entry)
        assert (origin is not None) == bool(inside[entry]), where
        if origin is not None:
            number, index = origin
            np.testing.assert_equal(float(sources[number][index]), float(working.window[entry]), f"{where} at {entry}")
    if working.winners is not None:
        winning = working.window[working.winners]
        assert winning.size > 0, where
        assert ((winning == working.total) | (np.isnan(winning) & np.isnan(working.total))).all(), where
