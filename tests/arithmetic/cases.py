"""The arithmetic's cases as JSON: one set that Python's arithmetic and the page's are both held to.

``frontend/tests/cases/arithmetic.json`` holds layers with what they read, what the framework made of it, and what
Python says of these values. The cases are drawn from the strategies of the tests beside this file, always the same, and
from ONNX's own operator tests. To write them anew::

    .venv/bin/python -m tests.arithmetic.cases
"""

from __future__ import annotations

import json
import sys
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cache
from math import isfinite
from pathlib import Path
from typing import Any, cast

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from convlens import network
from convlens.arithmetic import Working, explain
from convlens.engines.base import Array, Engine
from convlens.hosts.wire.facts import explanation_fact, num
from convlens.hosts.wire.operations import operation_fact
from convlens.lens import Explanation
from convlens.network import Kind, Layer, Operation, Shape

KEPT = Path(__file__).parents[2] / "frontend" / "tests" / "cases" / "arithmetic.json"
NUMBERS = KEPT.with_name("numbers.json")
GROUPS = 24
HAND = "by hand"
LARGEST = 120
"""So many numbers a case may read."""
DRAWN = 120
"""Draws a kind, of which few are kept."""
LEAST, MOST = 5, 8
"""Cases of a kind: so many in any case, and so many where each does what none before did."""
SHORT = ("index", "framework_value", "total", "tolerance", "agrees", "rule")
"""What is kept of a value beside a case's first."""
FEW = 2
"""The same of what comes on top: numbers that are none, and the operators' own tests."""


@dataclass(frozen=True)
class Seen:
    """One layer of a run: what it is, what it read, and what the framework made of it."""

    kind: str
    layer: Layer
    sources: list[Array]
    weights: Mapping[str, Array]
    made: Array

    def working(self, index: Shape) -> Working | None:
        return explain(self.layer, index, self.sources, self.weights)

    def explanation(self, index: Shape) -> Explanation:
        value, working = float(self.made[index]), self.working(index)
        return Explanation(cast(Any, None), self.layer, index, value, working)

    @property
    def numbers(self) -> int:
        return sum(array.size for array in (*self.sources, *self.weights.values()))


@dataclass
class Kept:
    """The cases so far. What a case does is its rule, its formula's form, its function or mode, and its type."""

    cases: list[dict[str, Any]] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    done: set[tuple[str, ...]] = field(default_factory=set)

    def offer(self, seen: Seen) -> None:
        if not all(array.size for array in (seen.made, *seen.sources)):
            return
        if seen.numbers > LARGEST and seen.kind != HAND:
            return
        found = _indices(seen)
        explained = [seen.explanation(index) for index in found]
        if not all(one.agrees for one in explained) and seen.kind != HAND:
            return
        does = _does(seen, explained[0])
        least = FEW if "test" in seen.kind or "NaN" in seen.kind else LEAST
        if self.kinds[seen.kind] >= (MOST if does not in self.done else least) and seen.kind != HAND:
            return
        self.done.add(does)
        self.kinds[seen.kind] += 1
        self.cases.append(_case(seen, explained))


def _indices(seen: Seen) -> list[Shape]:
    """The first value and two drawn ones, by hand four; of a vector by hand all."""
    if seen.kind == HAND and seen.made.ndim == 1:
        return [*np.ndindex(*seen.made.shape)]
    random, drawn_places = np.random.default_rng(seen.made.size), 4 if seen.kind == HAND else 2
    drawn = [tuple(int(random.integers(size)) for size in seen.made.shape) for _ in range(drawn_places)]
    return sorted({(0,) * seen.made.ndim, *drawn})


def _does(seen: Seen, found: Explanation) -> tuple[str, ...]:
    operation = seen.layer.operation
    words = [seen.layer.dtype if seen.layer.dtype.startswith("float") else "integers", type(operation).__name__]
    words += [str(getattr(operation, name, "")) for name in ("function", "mode", "padding_mode", "coordinates")]
    flags = ("transposed", "adaptive", "whole", "ceil_mode", "channels_last", "exclude_outside", "aligned", "rounding")
    words += [str(getattr(operation, name, "")) for name in flags]
    words.append(found.working.rule if found.working else "")
    return (*words, *sorted(seen.weights))


def _case(seen: Seen, explained: list[Explanation]) -> dict[str, Any]:
    layer = seen.layer
    described = {
        "name": layer.name,
        "op": layer.op,
        "kind": str(layer.kind),
        "inputs": list(layer.inputs),
        "output_shape": list(layer.output_shape),
        "dtype": layer.dtype,
        "operation": operation_fact(layer.operation),
        "sums_in": layer.sums_in,
    }
    return {
        "from": seen.kind,
        "layer": described,
        "sources": [_tensor(array) for array in seen.sources],
        "weights": {role: _tensor(array) for role, array in sorted(seen.weights.items())},
        "values": [value_of(one, whole=number == 0) for number, one in enumerate(explained)],
    }


def value_of(found: Explanation, *, whole: bool) -> dict[str, Any]:
    """What Python says of one value; the ``whole`` fact, or what is short of it."""
    fact = cast(dict[str, Any], explanation_fact(found, GROUPS))
    said: dict[str, Any] = {"fact": fact if whole else {name: fact[name] for name in SHORT}}
    working = found.working
    if working is None:
        return said
    said["magnitude"] = num(working.magnitude)
    if working.focus is not None:
        said["focus"] = working.focus
    if working.accumulated is not None:
        said["accumulated"] = num(working.accumulated)
    return said


def _tensor(array: Array) -> dict[str, Any]:
    """Numbers with their shape and type; of a float32 the fewest digits that tell it."""
    if array.dtype.kind in "iub":
        small = array.size == 0 or (int(array.min()) >= -(2**31) and int(array.max()) < 2**31)
        dtype = "int32" if small else "float64"
        return {"dtype": dtype, "shape": list(array.shape), "data": [int(one) for one in array.ravel()]}
    data = [float(str(one)) if isfinite(one) else num(float(one)) for one in array.ravel()]
    return {"dtype": str(array.dtype), "shape": list(array.shape), "data": data}


def tensor_of(fact: Mapping[str, Any]) -> Array:
    """The array of what :func:`_tensor` made of it."""
    return np.array([float(one) for one in fact["data"]]).astype(fact["dtype"]).reshape(fact["shape"])


def operation_of(fact: Mapping[str, Any] | None) -> Operation | None:
    """The operation of its fact, as :func:`convlens.hosts.wire.operations.operation_fact` gives it."""
    if fact is None:
        return None
    made = getattr(network, fact["type"])
    values = {one.name: _frozen(fact[one.name]) for one in fields(made)}
    if made is network.Resize:
        values["scale"] = tuple(Fraction(*pair) for pair in values["scale"])
    operation: Operation = made(**values)
    return operation


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(one) for one in value)
    return float(value) if value in ("NaN", "Infinity", "-Infinity") else value


def layer_of(fact: Mapping[str, Any]) -> Layer:
    """The layer of a case."""
    return Layer(
        fact["name"],
        fact["op"],
        Kind(fact["kind"]),
        tuple(fact["inputs"]),
        tuple(fact["output_shape"]),
        operation_of(fact["operation"]),
        dtype=fact["dtype"],
        sums_in=fact["sums_in"],
    )


@cache
def kept() -> list[dict[str, Any]]:
    """The cases as they are kept."""
    found: list[dict[str, Any]] = json.loads(KEPT.read_text())
    return found


def drawn(strategy: st.SearchStrategy[Any], count: int, number: int) -> list[Any]:
    """The same ``count`` examples of a strategy every time."""
    found: list[Any] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def collect(one: Any) -> None:
        found.append(one)

    collect()
    return found


def layers_of(kind: str, engine: Engine, feed: Mapping[str, Any]) -> Iterator[Seen]:
    """Every layer of a run, with what it read."""
    from tests.arithmetic.harness import Run

    run = Run.of(engine, feed)
    for layer in run.network.layers:
        made = run.arrays[layer.name]
        if made.shape == layer.output_shape:
            yield Seen(kind, layer, run.sources(layer), run.trace.weights(layer.name), made)


def of_torch() -> Iterator[Seen]:
    """Drawn PyTorch layers; every fourth reads NaN and infinities as well."""
    from tests.arithmetic.test_torch import poisoned
    from tests.arithmetic.torch_layers import KINDS

    from convlens.engines.torch import TorchEngine

    for kind, strategy in KINDS.items():
        for number, one in enumerate(drawn(strategy, DRAWN, 1)):
            feed = poisoned(one, 0.1) if number % 4 == 3 else one.feed()
            odd = ", with NaN" if number % 4 == 3 else ""
            yield from layers_of(f"torch: {kind}{odd}", TorchEngine.open(one.model), feed)


def of_onnx() -> Iterator[Seen]:
    """Drawn ONNX layers."""
    from tests.arithmetic.onnx_layers import KINDS

    from convlens.engines.onnx import OnnxEngine

    for kind, strategy in KINDS.items():
        for one in drawn(strategy, DRAWN, 2):
            yield from layers_of(f"onnx: {kind}", OnnxEngine.open(one.model()), one.feed())


def of_keras() -> Iterator[Seen]:
    """Drawn Keras layers, twenty in a model."""
    from convlens.engines.keras import KerasEngine  # isort: skip  # before keras, so that TensorFlow starts quietly

    from tests.arithmetic.keras_layers import KINDS, feed_of, model_of

    for kind, strategy in KINDS.items():
        for number, parts in enumerate(drawn(st.lists(strategy, min_size=20, max_size=20), 2, 3)):
            engine = KerasEngine.open(model_of(parts, number))
            yield from layers_of(f"keras: {kind}", engine, feed_of(parts, number))


def of_operator_tests() -> Iterator[Seen]:
    """ONNX's own tests of its operators, the smallest first."""
    from tests.arithmetic.test_onnx_backend import LISTED, of_operator, reason

    for op in LISTED:
        found = [case for case in of_operator("node", op) if reason(case) is None]
        found.sort(key=lambda case: sum(np.size(value) for value in case.feed.values()))
        for case in found[:8]:
            for batched in (True, False):
                seen = list(_of_operator_test(case, batched))
                if any(one.working((0,) * one.made.ndim) is not None for one in seen if one.made.size):
                    yield from seen
                    break


def _of_operator_test(case: Any, batched: bool) -> Iterator[Seen]:
    """A case in one of the two views of ``test_onnx_backend``: the first item of a batch, or all as one value."""
    import onnx
    from onnx import helper
    from tests.arithmetic.test_onnx_backend import _read, as_in_files

    from convlens.engines.onnx import OnnxEngine

    model, feed = as_in_files(case)
    first = next(iter(feed.values()))
    if batched and (first.ndim == 0 or first.size == 0):
        return
    if not batched:
        model.graph.input.insert(0, helper.make_tensor_value_info("apart", onnx.TensorProto.FLOAT, [997]))
        feed = {"apart": np.zeros(997, np.float32), **feed}
    engine = OnnxEngine.open(model)
    arrays: dict[str, Array] = {}
    trace = engine.run(feed, None, lambda layer, array: arrays.update({layer.name: np.array(array)}))
    whole = trace.network
    batch = len(next(iter(feed.values())))
    for layer in whole.layers:
        made, weights = arrays[layer.name], trace.weights(layer.name)
        if made.shape == (batch, *layer.output_shape) and batch > 1:
            made = made[0]
        sources = [_read(name, feed, arrays, whole, 0, batch) for name in layer.inputs]
        if layer.op == case.op and made.shape == layer.output_shape and all(s.size != 997 for s in sources):
            yield Seen(f"operator test: {case.op}", layer, sources, weights, made)


def of_hand() -> Iterator[Seen]:
    """What is seldom drawn."""
    from tests.arithmetic.cases_by_hand import made_of, of_functions, of_odd_numbers, of_settings

    for layer, sources, weights in (*of_functions(), *of_settings(), *of_odd_numbers()):
        yield Seen(HAND, layer, sources, weights, made_of(layer, sources, weights))


def write(origins: Iterable[Iterable[Seen]]) -> list[dict[str, Any]]:
    """Collect the cases and keep them."""
    found = Kept()
    for origin in origins:
        for seen in origin:
            found.offer(seen)
    KEPT.parent.mkdir(parents=True, exist_ok=True)
    lines = ",\n".join(json.dumps(case, separators=(",", ":")) for case in found.cases)
    KEPT.write_text(f"[\n{lines}\n]\n")
    from tests.arithmetic.cases_by_hand import single_numbers

    NUMBERS.write_text(json.dumps(single_numbers(), separators=(",", ":")) + "\n")
    sys.stdout.writelines(f"{count:4} {kind}\n" for kind, count in found.kinds.items())
    return found.cases


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    made = write([of_hand(), of_torch(), of_onnx(), of_keras(), of_operator_tests()])
    sys.stdout.write(f"{len(made)} cases, {KEPT.stat().st_size:,} bytes\n")
