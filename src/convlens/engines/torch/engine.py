"""The engine itself: one opened PyTorch model."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any, Self

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Array, Feed, Sink
from convlens.engines.torch import drawing
from convlens.engines.torch.capture import Capture, tensors_in
from convlens.engines.torch.exported import Program, filled, filled_shapes
from convlens.engines.torch.feeding import Signature, prepared
from convlens.engines.torch.gradient import Followed
from convlens.engines.torch.graph import Given, Node
from convlens.engines.torch.memory import as_array, kept
from convlens.engines.torch.modules import Structure, attention_in_steps, untouched
from convlens.engines.torch.naming import Namer, followed
from convlens.engines.torch.opening import opened
from convlens.engines.torch.reading import shape_read
from convlens.engines.torch.refusals import asked_for_integers, refusal, unready
from convlens.engines.torch.replay import DivergedError, Plan, Replay
from convlens.engines.torch.trace import TorchTrace
from convlens.engines.torch.tracing import Fakes, blank, small
from convlens.errors import InputError, LayerNotFoundError, ModelError
from convlens.network import FreeShape, Input, Layer, Network, Shape


class TorchEngine:
    """One PyTorch model: a live ``torch.nn.Module``, a ``torch.export.ExportedProgram``, or a file of either.

    >>> import torch
    >>> engine = TorchEngine.open(torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.ReLU()))
    >>> [(layer.name, layer.op, layer.output_shape) for layer in engine.trace({"input": (1, 3, 8, 8)}).network]
    [('0', 'conv2d', (8, 6, 6)), ('1', 'relu', (8, 6, 6))]
    """

    name = "torch"

    def __init__(self, program: Program, input_shape: Shape | None) -> None:
        self._program = program
        self._model = program.module
        self._signature = program.signature or Signature.of(program.module)
        self._input_shape = input_shape
        self._replayable: tuple[Plan, TorchTrace] | None = None
        self._read: tuple[object, FreeShape | None] | None = (
            None  # what the first convolution says, and of which weights
        )
        self._repeats = True  # until the model goes two ways at the same sizes

    @classmethod
    def open(cls, model: object, *, trust: bool = False, input_shape: Shape | None = None) -> Self:
        """Open a live model, a ``.pt2`` (exported program), or a ``.pt``/``.pth`` that is TorchScript.

        A pickled model is opened only with ``trust``, since that runs code from the file.

        Raises:
            ModelError: not a model of these kinds; broken; weights without a model; weights that aren't there yet.
            UntrustedModelError: a pickle, and ``trust`` is false.
        """
        program = opened(model, trust=trust)
        problem = unready(program.module)
        if problem is not None:
            raise problem
        return cls(program, input_shape)

    @property
    def inputs(self) -> tuple[Input, ...]:
        """The parameters of ``forward``; their shapes where ``input_shape`` or an exported program says them.

        Of a model with one input the first convolution says the number of channels and axes, if it reads the input.
        """
        structure = Structure.of(self._model)
        if self._program.inputs or self._input_shape is not None:
            return self._stated_inputs(structure, self._input_shape)
        weights = [(id(tensor), tensor.shape) for tensor in structure.tensors]
        if self._read is None or self._read[0] != weights:
            self._read = weights, shape_read(self._model, self._signature, structure)
        return self._stated_inputs(structure, self._read[1])

    def _stated_inputs(self, structure: Structure, given: FreeShape | None) -> tuple[Input, ...]:
        if self._program.inputs:
            return self._program.inputs
        dtype = str(structure.dtype).removeprefix("torch.")
        return tuple(
            Input(name, given, dtype) if given is not None and place == 0 else Input(name, (), dtype, rank_known=False)
            for place, name in enumerate(self._signature.required)
        )

    @property
    def metadata(self) -> Mapping[str, str]:
        """What made the model."""
        return self._program.metadata

    def trace(self, shapes: Mapping[str, Shape]) -> TorchTrace:
        """The network for inputs of these shapes, (batch, channels, rows, columns) each; keeps no maps.

        Small inputs are run for real, on zeros. Larger ones are run on tensors that have shapes and no values, and
        on zeros where the model looks at the values.

        Raises:
            InputError: an input is missing, or the model can't take such a shape.
        """
        self._signature.check(shapes)
        shapes = filled_shapes(self._program.inputs, shapes)
        self._check_sizes(shapes)
        structure = Structure.of(self._model)
        kinds = [structure.dtype, torch.int64] if asked_for_integers(self._model) else [structure.dtype]
        problem: Exception | None = None
        for dtype in kinds:
            for pretend in [False] if small(shapes) else [True, False]:
                try:
                    return self._traced(structure, shapes, dtype, pretend)
                except Exception as error:
                    problem = problem if problem is not None and dtype is not kinds[0] else error
        raise problem if problem is not None else ModelError("The model has no inputs")

    def _traced(
        self, structure: Structure, shapes: Mapping[str, Shape], dtype: torch.dtype, pretend: bool
    ) -> TorchTrace:
        fakes = Fakes() if pretend else None
        with torch.inference_mode(), fakes.mode() if fakes else nullcontext():
            # Pretended tensors keep channels last where real operators put them back, and then refuse a `view`.
            feed = {
                name: torch.zeros(shape, device=structure.device, dtype=dtype)
                if pretend
                else blank(shape, structure.device, dtype)
                for name, shape in shapes.items()
            }
        return self._watched(structure, feed, frozenset(), _ignore, fakes)

    def run(self, feed: Feed, keep: frozenset[str] | None, sink: Sink) -> TorchTrace:
        """One forward pass in evaluation mode; each layer in ``keep`` goes to ``sink`` as soon as its name is certain.

        Arrays come without the batch axis for a batch of one, as (batch, ...) for more. They are views of the
        framework's own memory, in its layout, wherever that is float32 on the CPU; in-place operators leave them.

        Raises:
            InputError: an input is missing, or the model can't take such a shape.
            ModelError: the model's own code failed.
        """
        self._signature.check(feed)
        feed, copied = filled(self._program.inputs, feed)
        sink = _only_the_first(sink) if copied else sink
        structure = Structure.of(self._model)
        circumstances, tensors = self._circumstances(structure, feed)
        if self._replayable is None or self._replayable[0].circumstances != circumstances:
            return self._watched(structure, tensors, keep, sink, None, circumstances)
        plan, trace = self._replayable
        replay = Replay(plan, keep, sink)
        if self._passed(structure, tensors, replay, Namer(_ignore_node), plan.network.inputs):
            return trace
        # The model went another way: what was told stays told, the rest is told by a run that looks into everything.
        self._repeats = False
        told = {layer.name for layer in plan.network.layers[: replay.told]}
        circumstances, tensors = self._circumstances(structure, feed)

        def rest(layer: Layer, array: Array) -> None:
            if layer.name not in told:
                sink(layer, array)

        return self._watched(structure, tensors, keep, rest, None, circumstances)

    def _circumstances(self, structure: Structure, feed: Feed) -> tuple[object, dict[str, torch.Tensor]]:
        """What a run depends on beside its operators: the modules, and the inputs' shapes, types and layouts."""
        with torch.inference_mode():  # or a view of an input would be an autograd view, which no mode can hand out
            tensors = prepared(feed, structure.device, structure.own_dtype)
        self._check_sizes({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        modules = [(path, id(module)) for path, module in structure.paths.items()]
        inputs = [(name, tensor.shape, tensor.dtype, tensor.stride()) for name, tensor in tensors.items()]
        return (modules, inputs), tensors

    def _watched(
        self,
        structure: Structure,
        tensors: dict[str, torch.Tensor],
        keep: frozenset[str] | None,
        sink: Sink,
        pretence: Fakes | None,
        circumstances: object = None,
    ) -> TorchTrace:
        batch = int(next(iter(tensors.values())).shape[0])
        capture = Capture(structure, batch, keep, sink, pretence)
        inputs = self._actual_inputs(structure, tensors)
        origins = self._passed(structure, tensors, capture, capture.namer, inputs, pretence)
        outputs = tuple(origin.name if isinstance(origin, (Given, Node)) else None for origin in origins or ())
        shown = tuple(dict.fromkeys(name for name in outputs if name is not None))
        if not shown:
            raise ModelError(
                "The model's result doesn't come from its input",
                expected="a forward that computes on the input with torch",
                received="a result that no operator made from the input",
                hint="A forward that leaves torch (through NumPy, say) can't be followed.",
            )
        unseen = bool(capture.drew - {"torch"}) or ("torch" in capture.drew and not capture.draws_seen)
        network = Network(
            name=type(self._model).__name__ if self._program.name is None else self._program.name,
            engine=self.name,
            inputs=inputs,
            layers=tuple([replace(one, drawn=True) for one in capture.layers] if unseen else capture.layers),
            outputs=shown,
            parameters=structure.total,
            notes=(drawing.UNSEEN_NOTE,) if unseen else (),
        )
        trace = TorchTrace(network, outputs, capture.weights)
        repeatable = self._repeats and circumstances is not None
        plan = capture.plan(circumstances, network) if repeatable else None
        self._replayable = None if plan is None else (plan, trace)
        return trace

    def _passed(
        self,
        structure: Structure,
        tensors: dict[str, torch.Tensor],
        mode: Capture | Replay,
        namer: Namer,
        inputs: tuple[Input, ...],
        pretence: Fakes | None = None,
    ) -> list[object] | None:
        """One forward pass under a mode: the origins of its results, or ``None`` where a replay diverged.

        Errors of the model become ours; what the sink raised comes out as it was, come what may.
        """
        for name, tensor in tensors.items():
            mode.give(name, tensor)
        positional, named = self._signature.arrange(tensors)
        tensors.clear()  # or the picture would stay in memory until the end
        try:
            with (
                untouched(structure) as drawn,
                attention_in_steps(),
                torch.inference_mode(),
                pretence.mode() if pretence else nullcontext(),
                followed(structure, namer) if isinstance(mode, Capture) else nullcontext(),
            ):
                with mode:
                    result = self._program.call(namer, positional, named)
                    if isinstance(mode, Replay):
                        mode.finish()
                if isinstance(mode, Capture):
                    mode.drew = drawn()
                # Not under the mode, which would watch what is done to keep a value that was written in place.
                origins: list[object] = [mode.output(tensor) for tensor in tensors_in(result)]
        except Exception as error:
            if isinstance(mode.stopped, DivergedError):
                return None
            if mode.stopped is not None:
                raise mode.stopped from None
            raise refusal(error, mode.failed, inputs) from error
        if mode.stopped is not None:
            raise mode.stopped
        return origins

    def _check_sizes(self, shapes: Mapping[str, Shape]) -> None:
        """An exported program fixes sizes, and a graph run at others could give wrong numbers without a word."""
        for given in self._program.inputs:
            stated, shape = (given.batch, *given.shape), tuple(shapes[given.name])
            if len(stated) != len(shape) or any(s not in (None, n) for s, n in zip(stated, shape, strict=True)):
                wanted = ", ".join("any" if size is None else str(size) for size in stated)
                raise InputError(
                    f"The exported program can't take this {given.name!r}",
                    expected=f"the shape ({wanted}), batch first",
                    received=str(shape),
                    hint="Export it again with dynamic_shapes, or feed it what it was exported for.",
                )

    def _actual_inputs(self, structure: Structure, tensors: Mapping[str, torch.Tensor]) -> tuple[Input, ...]:
        stated = {given.name: given for given in self._stated_inputs(structure, None)}
        return tuple(
            replace(
                stated.get(name, Input(name, ())),
                shape=tuple(tensor.shape[1:]),
                dtype=str(tensor.dtype).removeprefix("torch."),
                rank_known=True,
            )
            for name, tensor in tensors.items()
        )

    def predict(self, feed: Feed) -> dict[str, Array]:
        """The plain forward pass in evaluation mode: output layer name -> float32 array, shaped as in :meth:`run`.

        Raises:
            InputError: an input is missing, or the model can't take such a shape.
        """
        self._signature.check(feed)
        feed, copied = filled(self._program.inputs, feed)
        structure = Structure.of(self._model)
        tensors = prepared(feed, structure.device, structure.own_dtype)
        self._check_sizes({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        batch = int(next(iter(tensors.values())).shape[0])
        inputs = self._actual_inputs(structure, tensors)
        with untouched(structure), torch.inference_mode():
            try:
                result = self._forward(tensors)
            except Exception as error:
                raise refusal(error, None, inputs) from error
            made = list(tensors_in(result))
            names = self.run(feed, frozenset(), _ignore).outputs  # of the path that this very input takes
            arrays: dict[str, Array] = {}
            for name, tensor in zip(names, made, strict=True):
                if name is not None:
                    array = as_array(kept(tensor))
                    batched = tensor.ndim > 0 and tensor.shape[0] == batch and (batch == 1 or copied)
                    arrays[name] = array[0] if batched else array
        return arrays

    def _forward(self, tensors: dict[str, torch.Tensor]) -> Any:
        saved = {name: tensor.clone() for name, tensor in tensors.items()}
        positional, named = self._signature.arrange(tensors)
        try:
            return self._model(*positional, **named)
        except RuntimeError as error:
            if "view" not in str(error) or all(tensor.is_contiguous() for tensor in saved.values()):
                raise
        # The model views its values flat, which it can't do with a picture that is laid out channels last.
        positional, named = self._signature.arrange({n: t.contiguous() for n, t in saved.items()})
        return self._model(*positional, **named)

    def gradient(self, feed: Feed, layer: str, index: Shape) -> dict[str, Array] | None:
        """By how much each value of the inputs moves one value of a layer; see
        :meth:`convlens.engines.base.Engine.gradient`. One more pass, in evaluation mode, by autograd.

        Raises:
            InputError: an input is missing, or the model can't take such a shape.
            LayerNotFoundError: this run makes no such layer.
        """
        self._signature.check(feed)
        given, (feed, _) = feed, filled(self._program.inputs, feed)
        structure = Structure.of(self._model)
        tensors = prepared(feed, structure.device, structure.own_dtype)
        self._check_sizes({name: tuple(tensor.shape) for name, tensor in tensors.items()})
        inputs = self._actual_inputs(structure, tensors)
        capture = Followed(structure, int(next(iter(tensors.values())).shape[0]), layer)
        with torch.inference_mode():
            for name, tensor in tensors.items():
                capture.give(name, tensor)
        positional, named = self._signature.arrange(tensors)
        try:
            with (
                untouched(structure),
                attention_in_steps(),
                torch.inference_mode(),
                followed(structure, capture.namer),
                capture,
            ):
                self._program.call(capture.namer, positional, named)
        except Exception as error:
            if not capture.found:
                raise refusal(error, capture.failed, inputs) from error
        if not capture.found:
            raise LayerNotFoundError.among(layer, [one.name for one in capture.layers])
        found = capture.gradient(index)
        return found if found is None else {name: part[: len(given[name])] for name, part in found.items()}


def _only_the_first(sink: Sink) -> Sink:
    """The sink for a batch of copies: it gets one of them."""

    def first(layer: Layer, array: Array) -> None:
        sink(layer, array[0] if array.ndim > len(layer.output_shape) else array)

    return first


def _ignore(layer: object, array: object) -> None:
    """Keeps nothing."""


def _ignore_node(node: object) -> None:
    """Tells nothing."""
