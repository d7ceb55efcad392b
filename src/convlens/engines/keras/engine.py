"""The engine: open, trace, run, predict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

import keras  # noqa: TID251

from convlens.engines.base import Array, Feed, Sink, as_float32
from convlens.engines.keras import backend, files
from convlens.engines.keras.layout import channels_first, framework_index, to_channels_first
from convlens.engines.keras.patching import uncounted, watching
from convlens.engines.keras.ports import Specs, arranged, effective, ports_of, specs, tensors
from convlens.engines.keras.reasons import reason
from convlens.engines.keras.recording import Recorder, Step
from convlens.engines.keras.watching import Watch
from convlens.engines.keras.weights import weights
from convlens.errors import ConvlensError, LayerNotFoundError, ModelError
from convlens.network import Input, Layer, Network, Shape

_KEPT = 8  # compiled functions and traces kept at a time, each for one shape (and one choice of layers)
_NOTHING: frozenset[str] = frozenset()


@dataclass
class KerasTrace:
    """See :class:`convlens.engines.base.Trace`: the network, the step behind each layer, the layers behind the model's
    flat outputs."""

    network: Network
    steps: dict[str, Step]
    outputs: list[str]
    batch: int

    def array(self, name: str, value: Any) -> Array:
        """What a layer made, as it crosses the border."""
        return as_float32(to_channels_first(backend.to_numpy(value), self.batch, self.steps[name].layout))

    def weights(self, layer: str) -> Mapping[str, Array]:
        """The weights of a layer, float32, by role.

        Raises:
            LayerNotFoundError: this network has no such layer.
        """
        if layer not in self.network:
            raise LayerNotFoundError.among(layer, [one.name for one in self.network])
        return weights(self.steps[layer])


@dataclass
class _Plan:
    """A compiled run and the layers that its values belong to, in order."""

    function: Callable[..., Any]
    run: KerasTrace
    kept: list[str]


class KerasEngine:
    """One opened Keras model, on the backend that Keras runs on."""

    name = "keras"

    def __init__(self, model: Any, input_shape: Shape | None = None) -> None:
        self.model = model
        self._ports = ports_of(model, input_shape)
        self._plans: dict[tuple[Specs, frozenset[str] | None], _Plan] = {}
        self._forward: dict[Specs, Callable[..., Any]] = {}
        self._traces: dict[Specs, KerasTrace] = {}
        self._eager: dict[Specs, None] = {}  # those whose path depends on the values
        self._attempted: dict[Specs, None] = {}

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        """Open a ``.keras`` file, a legacy ``.h5`` file (with ``trust``), or a live ``keras.Model``.

        Raises:
            ModelError: the file isn't a Keras model, is broken, or needs classes that aren't known.
            UntrustedModelError: the file could run code and ``trust`` is false.
            InputError: ``input_shape`` contradicts the model.
        """
        if isinstance(model, (str, Path)):
            model = files.load(Path(model), trust)
        if not isinstance(model, keras.Model):
            raise ModelError("This is not a Keras model", expected="a keras.Model", received=type(model).__name__)
        return cls(model, input_shape)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """What the network reads, as far as the model says it."""
        return tuple(port.described() for port in self._ports)

    @property
    def metadata(self) -> Mapping[str, str]:
        """Who runs the model. A Keras file states no preprocessing: what it has of it are layers."""
        return {"producer": f"Keras {keras.__version__}", "backend": backend.TITLE}

    def trace(self, shapes: Mapping[str, Shape]) -> KerasTrace:
        """The network for inputs of these shapes, batch included, in Keras's own layout.

        Raises:
            InputError: an input is missing or has another shape.
            ModelError: the model doesn't run on such inputs.
        """
        return self._traced(specs(self._ports, shapes))

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> KerasTrace:
        """One forward pass in inference mode; see :meth:`convlens.engines.base.Engine.run`.

        Raises:
            InputError: an input is missing or has another shape.
            ModelError: the model doesn't run on this input.
        """
        given = list(tensors(self._ports, feed).values())
        wanted = _specs(given)
        if _filled_up(given, feed):
            sink = partial(_first_item, sink)
        self._build(wanted, given)
        plan = self._plan(wanted, keep)
        if plan is None:
            return self._run_eagerly(wanted, given, keep, sink)
        values = list(self._called(plan.function, given))
        for place, name in enumerate(plan.kept):
            value, values[place] = values[place], None
            sink(plan.run.network[name], plan.run.array(name, value))
        return plan.run

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass, compiled where the backend compiles: output layer name -> array.

        Raises:
            InputError: an input is missing or has another shape.
            ModelError: the model doesn't run on this input.
        """
        given = list(tensors(self._ports, feed).values())
        wanted = _specs(given)
        run = self._traces.get(wanted) or self._traced(wanted)
        if wanted in self._eager:  # the outputs depend on the path that this very input takes
            run = self._run_eagerly(wanted, given, _NOTHING, _ignore)
            values = self._called(lambda *plain: self._without_trace(backend.stateless(), plain), given)
        else:
            if wanted not in self._forward:
                _remember(self._forward, wanted, backend.compiled(self._plain, self.model, wanted))
            values = self._called(self._forward[wanted], given)
        outputs = {name: run.array(name, value) for name, value in zip(run.outputs, values, strict=True)}
        if _filled_up(given, feed):
            return {name: _item(run.network[name], array) for name, array in outputs.items()}
        return outputs

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:
        """By how much each value of the inputs moves one value of a layer, by the backend's own differentiation; see
        :meth:`convlens.engines.base.Engine.gradient`.

        Raises:
            InputError: an input is missing or has another shape.
            ModelError: the model doesn't run on this input.
            LayerNotFoundError: this run makes no such layer.
        """
        given = list(tensors(self._ports, feed).values())
        wanted = _specs(given)
        self._build(wanted, given)
        if backend.NAME == "jax" and wanted in self._eager:
            return None  # JAX differentiates what it can trace, and this model's path depends on the values

        def value(*inputs: Any) -> Any:
            found: list[Any] = []

            def deliver(step: Step, made: Any) -> None:
                found.append(made[framework_index(index, tuple(made.shape), inputs[0].shape[0], step.layout)])

            with backend.stateless():
                run = self._watched(inputs, Recorder(deliver, frozenset({layer}), hold=True))
            if not found:
                raise LayerNotFoundError.among(layer, [one.name for one in run.network])
            return found[0]

        floating = [place for place, tensor in enumerate(given) if "float" in effective(tensor.dtype)]
        found = self._called(lambda *plain: backend.gradients(value, plain, floating), given)
        if found is None:
            return None
        return {
            self._ports[place].name: as_float32(backend.to_numpy(part))
            for place, part in zip(floating, found, strict=True)
        }

    def _plain(self, *given: Any) -> list[Any]:
        args, kwargs = arranged(self.model, self._ports, self._named(given))
        with uncounted(), backend.random_state_kept():
            output = self.model(*args, training=False, **kwargs)
        return [value for value in keras.tree.flatten(output) if backend.is_tensor(value)]

    def _without_trace(self, scope: Any, given: tuple[Any, ...]) -> list[Any]:
        with scope, backend.without_gradients():
            return self._plain(*given)

    def _named(self, given: Any) -> dict[str, Any]:
        return {port.name: value for port, value in zip(self._ports, given, strict=True)}

    def _watched(self, given: Any, recorder: Recorder) -> KerasTrace:
        """Run the model while ``recorder`` writes down what happens."""
        inputs = []
        for port, value in zip(self._ports, given, strict=True):
            shape = channels_first(tuple(value.shape)[1:], port.layout)
            inputs.append(replace(port.described(), shape=shape, rank_known=True))
            recorder.add_input(inputs[-1], value)
        with watching(Watch(recorder)):
            values = self._plain(*given)
        outputs = [recorder.source(value) for value in values]
        network = recorder.network(self.model.name, outputs, tuple(inputs), self.model.count_params())
        steps = {step.name: step for step in (*recorder.inputs, *recorder.steps)}
        return KerasTrace(network, steps, [step.name for step in outputs if step], recorder.batch or 0)

    def _traced(self, wanted: Specs) -> KerasTrace:
        self._build(wanted, None)
        known = self._traces.get(wanted)
        if known is not None:
            return known
        if wanted not in self._eager:
            found: list[KerasTrace] = []

            def rehearsed(*given: Any) -> list[Any]:
                found.append(self._watched(given, Recorder(_discard, _NOTHING, hold=True)))
                return []

            try:
                backend.rehearse(rehearsed, self.model, wanted)
            except Exception:  # it needs real values (control flow that depends on them), or is wrong: eager tells
                _remember(self._eager, wanted, None, at_most=1024)
            else:
                return _remember(self._traces, wanted, found[-1])
        return _remember(self._traces, wanted, self._run_eagerly(wanted, _zeros(wanted), _NOTHING, _ignore))

    def _plan(self, wanted: Specs, keep: frozenset[str] | None) -> _Plan | None:
        """The compiled run that keeps these layers; ``None`` where the model has to run eagerly."""
        if not backend.COMPILES or wanted in self._eager:
            return None
        plan = self._plans.get((wanted, keep))
        if plan is not None:
            return plan
        found: list[tuple[KerasTrace, list[str]]] = []

        def kept(*given: Any) -> list[Any]:
            names: list[str] = []
            values: list[Any] = []

            def deliver(step: Step, value: Any) -> None:
                names.append(step.name)
                values.append(value)

            found.append((self._watched(given, Recorder(deliver, keep, hold=True)), names))
            return values

        try:
            function = backend.compiled(kept, self.model, wanted)
        except Exception:  # it needs real values (control flow that depends on them), or is wrong: eager tells
            _remember(self._eager, wanted, None, at_most=1024)
            return None
        run, names = found[-1]
        _remember(self._traces, wanted, run)
        return _remember(self._plans, (wanted, keep), _Plan(function, run, names))

    def _run_eagerly(self, wanted: Specs, given: list[Any], keep: frozenset[str] | None, sink: Sink) -> KerasTrace:
        batch = wanted[0][0][0]
        stopped: list[Exception] = []

        def deliver(step: Step, value: Any) -> None:
            array = as_float32(to_channels_first(backend.settled(backend.to_numpy(value)), batch, step.layout))
            try:
                sink(recorder.layer(step), array)
            except Exception as error:
                stopped.append(error)
                raise _Stopped from error

        recorder = Recorder(deliver, keep, hold=False)

        def run(*given: Any) -> KerasTrace:
            with backend.stateless(), backend.without_gradients():
                return self._watched(given, recorder)

        try:
            found: KerasTrace = self._called(run, given)
        except _Stopped:
            raise stopped[0] from None
        return found

    def _called(self, function: Callable[..., Any], given: list[Any]) -> Any:
        try:
            return function(*given)
        except (ConvlensError, MemoryError):
            raise
        except Exception as error:
            shapes = ", ".join(f"{p.name} {tuple(v.shape)}" for p, v in zip(self._ports, given, strict=True))
            raise ModelError(
                "The model doesn't run on this input",
                received=f"{shapes}: {reason(error)}",
                hint="Does it run in Keras itself, as model(input, training=False)?",
            ) from error

    def _build(self, wanted: Specs, given: list[Any] | None) -> None:
        """Call a model with unbuilt layers once, as its user would; the values of its variables stay."""
        if wanted in self._attempted:
            return
        _remember(self._attempted, wanted, None, at_most=1024)
        if all(layer.built for layer in self.model._flatten_layers()):
            return
        before = [(variable, variable.numpy()) for variable in self.model.variables]
        try:
            with backend.without_gradients():
                self._called(self._plain, given if given is not None else _zeros(wanted))
        finally:
            for variable, value in before:
                variable.assign(value)


class _Stopped(BaseException):
    """The sink has raised: out through the model's code and Keras's, which must neither swallow nor rewrite it."""


Key = TypeVar("Key")
Item = TypeVar("Item")


def _remember(cache: dict[Key, Item], key: Key, item: Item, at_most: int = _KEPT) -> Item:
    """Keep an item, and let go of the oldest beyond ``at_most``."""
    cache[key] = item
    while len(cache) > at_most:
        cache.pop(next(iter(cache)))
    return item


def _discard(step: Step, value: Any) -> None:
    """Nothing is kept."""


def _ignore(layer: Layer, array: Array) -> None:
    """Nothing is kept."""


def _zeros(wanted: Specs) -> list[Any]:
    return [keras.ops.zeros(shape, dtype=dtype) for shape, dtype in wanted]


def _specs(given: list[Any]) -> Specs:
    return tuple((tuple(value.shape), effective(value.dtype)) for value in given)


def _filled_up(given: list[Any], feed: Feed) -> bool:
    """Whether one picture was fed to a model that insists on a larger batch."""
    return any(tensor.shape[0] != len(value) for tensor, value in zip(given, feed.values(), strict=True))


def _first_item(sink: Sink, layer: Layer, array: Array) -> None:
    sink(layer, _item(layer, array))


def _item(layer: Layer, array: Array) -> Array:
    """The first of the copies that a batch was filled up with."""
    return array[0] if array.ndim > len(layer.output_shape) else array
