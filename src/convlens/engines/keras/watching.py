"""What becomes of the calls of a real run, on any backend. Three kinds of layer are told apart:

- a leaf (any layer whose ``call`` is Keras's own): runs as always, its output is written down;
- a composite of Keras's own (functional, sequential): runs as always, the calls inside it are seen;
- a composite with a ``call`` of its own: runs on :class:`Watched` values. They look symbolic, so that ``x + y`` and
  ``keras.ops.relu(x)`` become operations that can be seen, yet each carries its real value and is computed on the spot.
  Code that can't run on them (a framework's native functions, say) is run again on the plain values; what it makes by
  itself then shows as one step.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import keras  # noqa: TID251
from keras.src.ops.core import Cast  # noqa: TID251
from keras.src.ops.numpy import ExpandDims  # noqa: TID251

from convlens.engines.keras import backend
from convlens.engines.keras.calls import Call, operands_of, snake_case
from convlens.engines.keras.fused import activated, name_of, observed_activation, without_activation
from convlens.engines.keras.natures import autocast, constants_of, is_composite, is_keras_own, weights_of
from convlens.engines.keras.recording import Recorder, Step
from convlens.engines.keras.watched import Watched, any_watched, mapped, unwatched

layer_call = keras.layers.Layer.__call__
operation_call = keras.Operation.__call__


@dataclass
class Frame:
    """A composite that is running, what it was given, and which values its code can have got at without being seen.

    ``converted`` left the watched world since the last unseen step, ``loose`` were handed out plain; with ``plain`` all
    values are. ``drew``: its own code has drawn at random.
    """

    layer: Any
    given: tuple[tuple[Any, ...], dict[str, Any]]
    entering: list[Step] = field(default_factory=list)
    converted: list[Step] = field(default_factory=list)
    loose: list[Step] = field(default_factory=list)
    plain: bool = True
    drew: bool = False


class Watch:
    """Turns the calls of one run into steps of a recorder."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.frames: list[Frame] = []
        self.quiet = False
        self.draws = 0
        self._unwatchable: set[int] = set()

    def drawn(self) -> None:
        """A generator of Keras's is asked for a seed: by the layer that runs, or by a composite's own code."""
        self.draws += 1
        if self.frames and not self.quiet:
            self.frames[-1].drew = True

    def _may_vary(self, before: tuple[int, Any]) -> str:
        """What is random of a value made just now; ``before`` says how many seeds had been asked for, and where the
        framework's own random numbers stood."""
        if before != (self.draws, backend.random_state()):
            return "drawn"
        return "behind" if any(frame.drew for frame in self.frames) else ""

    @property
    def scope(self) -> tuple[str, ...]:
        """The path of the composite that is running, without the model itself."""
        return tuple(frame.layer.name for frame in self.frames[1:])

    def layer(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A layer is called: run it, and write down what it makes."""
        watched = any_watched((args, kwargs))
        args, kwargs = unwatched((args, kwargs), self._sourced)
        if not isinstance(layer, keras.Model) or not is_keras_own(layer):
            args, kwargs = mapped((args, kwargs), lambda value: self._narrowed(layer, value))
        if is_composite(layer):
            frame = Frame(layer, (args, kwargs))
            frame.entering = self._sources((args, kwargs))
            self.frames.append(frame)
            try:
                output = layer_call(layer, *args, **kwargs)
            finally:
                self.frames.pop()
        else:
            output = self._leaf(layer, args, kwargs)
        return self._handed(output, watched)

    def enter(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """A composite's own ``call`` begins, with inputs that Keras has converted."""
        frame = self.frames[-1]
        self._follow_conversions(frame, args, kwargs)
        if is_keras_own(layer):
            return operation_call(layer, *args, **kwargs)
        mark = self.recorder.mark()
        try:
            output = self._through(frame, args, kwargs, mark)
            self._leave(frame, mark[0])
            output = self._claim(frame, output, mark[0])
        except BaseException:
            self.recorder.abandon()
            raise
        self.recorder.proven()
        return output

    def _through(self, frame: Frame, args: tuple[Any, ...], kwargs: dict[str, Any], mark: Any) -> Any:
        layer, depth = frame.layer, len(self.frames)
        if id(layer) not in self._unwatchable:
            frame.plain = False
            try:
                output = layer.call(*self._watched(args), **self._watched(kwargs))
                return unwatched(output, self._sourced)
            except Exception:  # whatever it was, the plain run below meets it again if it is the model's own fault
                del self.frames[depth:]
                self.recorder.rewind(mark)
                self._unwatchable.add(id(layer))
                frame.converted, frame.loose, frame.plain = [], [], True
        args, kwargs = mapped((args, kwargs), self._guarded)
        return operation_call(layer, *args, **kwargs)

    def _guarded(self, value: Any) -> Any:
        """The value for code that may write into it; what such code has changed is no longer recognised."""
        source = self.recorder.source(value) if backend.is_tensor(value) else None
        if source is None:
            return value
        copy = backend.guarded(value)
        self.recorder.recognise(copy, source)
        return copy

    def _leave(self, frame: Frame, first: int) -> None:
        """A composite has ended: its own weights, and the name of a layer that turned out to be one operation."""
        inside, layer = self.recorder.steps[first:], frame.layer
        children = list(layer._flatten_layers(include_self=False, recursive=False))
        if len(inside) == 1 and not children and len(self.frames) > 1:
            self.recorder.rename(inside[0], self.scope[:-1], layer.name)
            inside[0].owner = inside[0].owner or layer
        of_children = {id(weight) for child in children for weight in child.weights}
        own = tuple(w for w in layer.weights if id(w) not in of_children and not self.recorder.owned(w))
        if inside and own:
            self.recorder.own(inside[-1], own)

    def _claim(self, frame: Frame, output: Any, first: int) -> Any:
        """Every tensor that a composite returns has a step that made it, inside this composite."""
        nothing_seen = len(self.recorder.steps) == first
        children = list(frame.layer._flatten_layers(include_self=False, recursive=False))

        def claim(value: Any) -> Any:
            if not backend.is_tensor(value):
                return value
            source = self.recorder.source(value)
            if nothing_seen and not children and len(self.frames) > 1:
                if source is None:
                    step = self._unseen(frame, value, frame.layer.name, type(frame.layer).__name__, self.scope[:-1])
                    self.recorder.own(step, tuple(frame.layer.weights))
                    return value
                call = Call(frame.layer, (source,), (), {}, weights=tuple(frame.layer.weights))
                return self.recorder.record(call, frame.layer.name, self.scope[:-1], value)[1]
            if source is None:
                self._unseen(frame, value)
            return value

        return mapped(output, claim)

    def operation(self, op: Any, args: tuple[Any, ...], kwargs: dict[str, Any], *, named: bool) -> Any:
        """A function of ``keras.ops`` is called."""
        watched = any_watched((args, kwargs))
        sources, constants = self._operands(op, args, kwargs)
        plain_args, plain_kwargs = unwatched((args, kwargs), self._sourced)
        before = self.draws, backend.random_state()
        with self._silence():
            output = operation_call(op, *plain_args, **plain_kwargs)
        variables = tuple(v for v in keras.tree.flatten((args, kwargs)) if isinstance(v, keras.Variable))
        call = Call(op, sources, plain_args, plain_kwargs, weights=variables, constants=constants)
        call = replace(call, random=self._may_vary(before))
        output = self._record(call, op.name if named else snake_case(type(op).__name__), output)
        return self._handed(output, watched)

    def _operands(
        self, op: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
    ) -> tuple[tuple[Step, ...], dict[int, Any]]:
        """The steps that a call reads, in order, and the constants among its operands, by their places."""
        operands = operands_of(op, args, kwargs)
        if not operands:
            return tuple(self._sources((args, kwargs))), {}
        placed = [(value, self._source(value)) for value in operands]
        constants = {place: value for place, (value, source) in enumerate(placed) if source is None}
        steps = tuple(source for _, source in placed if source is not None)
        return steps, constants if steps else {}

    def _narrowed(self, layer: Any, value: Any) -> Any:
        """What a layer reads in a coarser type than it was made in is rounded first: a step of its own."""
        coarse = layer.input_dtype if layer.autocast and layer._convert_input_args else ""
        if coarse not in ("float16", "bfloat16") or not backend.is_tensor(value):
            return value
        made, source = keras.backend.standardize_dtype(value.dtype), self.recorder.source(value)
        if source is None or made == coarse or not made.startswith("float"):
            return value
        with self._silence():
            rounded = keras.ops.cast(value, coarse)
        return self.recorder.record(Call(Cast(coarse), (source,), (), {}), f"{layer.name}/cast", self.scope, rounded)[1]

    def _expanded(self, layer: Any, values: Any) -> Any:
        """Keras gives values of lower rank new axes behind the batch before it merges them."""
        sources = [self.recorder.source(value) for value in values]
        rank = max(len(value.shape) for value in values)
        layouts = {source.layout for source in sources if source is not None and len(source.shape) > 2}

        def expand(value: Any, source: Step | None) -> Any:
            if source is None or len(value.shape) == rank or not layouts <= {source.layout}:
                return value
            with self._silence():
                wide = keras.ops.reshape(value, (value.shape[0], *(1,) * (rank - len(value.shape)), *value.shape[1:]))
            call = Call(ExpandDims(1), (source,), (), {})
            return self.recorder.record(call, f"{layer.name}/expand_dims", self.scope, wide)[1]

        return [expand(value, source) for value, source in zip(values, sources, strict=True)]

    def _leaf(self, layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if getattr(layer, "_reshape_required", False):
            args = (self._expanded(layer, args[0]), *args[1:])
        sources, constants = self._operands(layer, args, kwargs)
        inner = activated(layer)
        if inner is not None and isinstance(layer, keras.layers.TimeDistributed):
            return self._in_time(Call(layer, sources, args, kwargs, weights=weights_of(layer)), inner)
        before = self.draws, backend.random_state()
        with self._silence(), observed_activation(inner) as observed:
            output = layer_call(layer, *args, **kwargs)
        random = self._may_vary(before)
        call = Call(layer, sources, args, kwargs, weights=weights_of(layer), constants=constants, random=random)
        if getattr(layer, "depthwise_kernel", None) is not None:
            with self._silence():
                call = self._depthwise_step(call)
        if inner is None or not observed:
            return self._record(call, layer.name, output)
        return self._activation_step(call, inner.activation, observed[0], output)

    def _in_time(self, call: Call, inner: Any) -> Any:
        """A layer with a built-in activation at every time step. Keras maps over the steps, where nothing is seen: the
        values before the activation are computed by themselves."""
        with self._silence():
            with without_activation(inner):
                before = layer_call(call.op, *call.args, **call.kwargs)
            output = layer_call(call.op, *call.args, **call.kwargs)
        return self._activation_step(call, inner.activation, before, output)

    def _activation_step(self, call: Call, function: Any, before: Any, output: Any) -> Any:
        step, _ = self.recorder.record(call, call.op.name, self.scope, before)
        weights = tuple(function.weights) if isinstance(function, keras.layers.Layer) else ()
        activation = Call(function, (step,), (), {}, weights, part="activation")
        return self._record(activation, f"{call.op.name}/{name_of(function)}", output)

    def _depthwise_step(self, call: Call) -> Call:
        """The first half of a separable convolution, which Keras computes in one go with the second."""
        layer = call.op
        if not hasattr(layer, "pointwise_kernel"):
            return call
        inputs = layer.dtype_policy.convert_input(call.args[0], layer.autocast, layer.input_dtype)
        with autocast(layer):
            value = keras.ops.depthwise_conv(
                inputs,
                layer.depthwise_kernel,
                strides=layer.strides,
                padding=layer.padding,
                dilation_rate=layer.dilation_rate,
                data_format=layer.data_format,
            )
        first = Call(layer, call.inputs, call.args, call.kwargs, (layer.depthwise_kernel,), part="depthwise")
        step, _ = self.recorder.record(first, f"{layer.name}/depthwise", self.scope, value)
        rest = tuple(w for w in call.weights if w is not layer.depthwise_kernel)
        return Call(layer, (step,), (value,), {}, rest, part="pointwise")

    def _record(self, call: Call, name: str, output: Any) -> Any:
        tensors = [value for value in keras.tree.flatten(output) if backend.is_tensor(value)]
        count = 0

        def write(value: Any) -> Any:
            nonlocal count, call
            if not backend.is_tensor(value):
                return value
            count += 1
            own = name if count == 1 else f"{name}.{count}"
            return self.recorder.record(call.number(count - 1, len(tensors)), own, self.scope, value)[1]

        return mapped(output, write)

    def _sources(self, arguments: Any) -> list[Step]:
        """The steps that the tensors among ``arguments`` come from, in order."""
        found = (self._source(value) for value in keras.tree.flatten(arguments))
        return [source for source in found if source is not None]

    def _source(self, value: Any) -> Step | None:
        """The step that a value comes from; ``None`` for a constant."""
        if isinstance(value, Watched):
            return value.source
        return (self.recorder.source(value) or self._unknown(value)) if backend.is_tensor(value) else None

    def _unknown(self, value: Any) -> Step | None:
        """A tensor of unknown origin is read: an input that Keras converted, a constant, or the work of native code."""
        if not self.frames:
            return None
        frame, shape = self.frames[-1], tuple(value.shape)
        if is_keras_own(frame.layer):
            if id(value) in constants_of(frame.layer):
                return None
            alike = [step for step in frame.entering if step.shape == shape] or frame.entering[:1]
            return alike[0] if alike else None
        made_here = frame.plain or frame.converted or frame.loose
        if not made_here or len(shape) < 2 or shape[0] != self.recorder.batch or value.dtype == bool:
            return None
        return self._unseen(frame, value)

    def _unseen(
        self, frame: Frame, value: Any, name: str = "", op: str = "", scope: tuple[str, ...] | None = None
    ) -> Step:
        known = [*(frame.entering if frame.plain else ()), *frame.converted, *frame.loose]
        inputs = tuple({id(step): step for step in known}.values())
        note = f"computed by {backend.TITLE} code that can't be followed"
        step = self.recorder.record_unseen(
            name or backend.NAME,
            op or f"{backend.TITLE} code",
            note,
            self.scope if scope is None else scope,
            inputs,
            value,
            frame.layer,
            self._may_vary((self.draws, backend.random_state())),
        )
        frame.converted = []
        frame.loose.append(step)
        return step

    def _follow_conversions(self, frame: Frame, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Keras casts a layer's inputs to its own type: the new tensors come from where the old ones came from."""
        pairs = [(frame.given[0], args), *((frame.given[1][k], kwargs[k]) for k in frame.given[1] if k in kwargs)]
        for before, after in pairs:
            for old, new in zip(keras.tree.flatten(before), keras.tree.flatten(after), strict=False):
                source = self.recorder.source(old) if new is not old and backend.is_tensor(new) else None
                if source is not None:
                    self.recorder.recognise(new, source)

    def _watched(self, structure: Any) -> Any:
        def watch(value: Any) -> Any:
            source = self.recorder.source(value) if backend.is_tensor(value) else None
            return value if source is None else Watched(value, source, self)

        return mapped(structure, watch)

    def _handed(self, output: Any, watched: bool) -> Any:
        """What a call gives back to the code around it: watched values for watched ones, else plain ones."""
        if watched:
            return self._watched(output)
        if self.frames and not is_keras_own(self.frames[-1].layer):
            sources = (self.recorder.source(v) for v in keras.tree.flatten(output) if backend.is_tensor(v))
            self.frames[-1].loose += [source for source in sources if source is not None]
            return mapped(output, self._guarded)
        return output

    def _sourced(self, watched: Watched) -> Any:
        """The plain value of a watched one; its own source wins, since plain values can be shared."""
        self.recorder.recognise(watched.value, watched.source)
        return watched.value

    @contextmanager
    def _silence(self) -> Iterator[None]:
        before, self.quiet = self.quiet, True
        try:
            yield
        finally:
            self.quiet = before
