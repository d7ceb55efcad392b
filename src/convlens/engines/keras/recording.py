"""What a run writes down: one step for each array that a reader would recognise as a layer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import keras  # noqa: TID251

from convlens.engines.keras.backend import fresh, guarded, version, weakly
from convlens.engines.keras.calls import Call, Reading
from convlens.engines.keras.copying import Copying
from convlens.engines.keras.layout import batchless, channels_first
from convlens.engines.keras.operands import turned
from convlens.engines.keras.reading import output_layout, read
from convlens.engines.keras.shapes import COPYING
from convlens.network import RANDOM, Activation, Input, Kind, Layer, Merge, Network, Operation, Pointwise, Shape, Whole


@dataclass(eq=False)
class Step:
    """One array of the run. ``shape`` is the framework's own, with batch axis. ``owner`` has the weights."""

    name: str
    shape: Shape
    layout: str
    dtype: str
    op: str = ""
    kind: Kind = Kind.OTHER
    operation: Operation | None = None
    inputs: tuple[Step, ...] = ()
    scope: tuple[str, ...] = ()
    parameters: int = 0
    shares: Step | None = None
    notes: tuple[str, ...] = ()
    owner: object = None
    part: str = ""
    variables: Mapping[str, Any] = field(default_factory=dict)
    value: Any = None
    drawn: bool = False


Deliver = Callable[[Step, Any], None]


class Recorder:
    """Writes down the steps of one run, and hands on the values that are asked for.

    ``hold`` keeps every value alive while the run lasts, as tracing needs; an eager run frees what is not kept.
    """

    def __init__(self, deliver: Deliver, keep: frozenset[str] | None, *, hold: bool) -> None:
        self.steps: list[Step] = []
        self.inputs: list[Step] = []
        self._deliver, self._keep, self._hold = deliver, keep, hold
        self._pending: list[Step] = []
        self._calls: dict[str, int] = {}
        self._taken: set[str] = set()
        self._sources: dict[int, tuple[Callable[[], Any], Step, int]] = {}
        self._owners: dict[int, Step] = {}
        self._unproven = 0

    @property
    def batch(self) -> int | None:
        """The batch size of this run."""
        return self.inputs[0].shape[0] if self.inputs and self.inputs[0].shape else None

    def add_input(self, given: Input, value: Any) -> None:
        """Make a network input known."""
        step = Step(given.name, tuple(value.shape), given.layout, keras.backend.standardize_dtype(value.dtype))
        self._taken.add(given.name)
        self.inputs.append(step)
        self.recognise(value, step)

    def recognise(self, value: Any, step: Step) -> None:
        """From now on ``value`` is known to be what ``step`` made."""
        self._sources[id(value)] = (weakly(value, self._hold), step, version(value))

    def source(self, value: Any) -> Step | None:
        """Which step made ``value``; ``None`` where it wasn't seen, or was written to since."""
        known = self._sources.get(id(value))
        return known[1] if known and known[0]() is value and known[2] == version(value) else None

    def record(self, call: Call, name: str, scope: tuple[str, ...], value: Any) -> tuple[Step, Any]:
        """Write down that ``call`` made ``value``. Returns the step, and the value to go on with.

        A layer that returns its very input (dropout at inference) gets a new handle on the same numbers, since two
        steps must be told apart.
        """
        if self.source(value) is not None:
            value = fresh(value)
        layout = output_layout(call)
        call = call.with_output(tuple(value.shape), layout, self.batch)
        reading = read(call)
        step = self._step(reading, call, name, scope, value)
        return step, value

    def record_unseen(
        self,
        name: str,
        op: str,
        note: str,
        scope: tuple[str, ...],
        inputs: tuple[Step, ...],
        value: Any,
        owner: object,
        random: str = "",
    ) -> Step:
        """Write down a value that came out of code that can't be followed."""
        call = Call(owner, inputs, (), {}, random=random)
        layout = inputs[0].layout if inputs else keras.config.image_data_format()
        call = call.with_output(tuple(value.shape), layout, self.batch)
        return self._step(Reading(Kind.OTHER, Whole(op), op, (note,)), call, name, scope, value)

    def _step(self, reading: Reading, call: Call, name: str, scope: tuple[str, ...], value: Any) -> Step:
        step = Step(
            self._unique("/".join((*scope, name))),
            tuple(value.shape),
            call.output_layout,
            keras.backend.standardize_dtype(value.dtype),
            reading.op,
            reading.kind,
            reading.operation if call.random != "drawn" else _drawn(reading.operation),
            call.inputs,
            scope,
            notes=(*reading.notes, *_NOTES.get(call.random, ())),
            owner=call.op,
            part=call.part,
            variables=_given(call, reading),
            value=guarded(value) if self._unproven else value,
            drawn=bool(call.random),
        )
        self.own(step, call.weights)
        self.steps.append(step)
        self._pending.append(step)
        self.recognise(value, step)
        if not self._unproven:
            self.flush()
        return step

    def own(self, step: Step, weights: tuple[Any, ...]) -> None:
        """Count ``weights`` where they are first used."""
        new = [weight for weight in weights if id(weight) not in self._owners]
        step.parameters += sum(_size(weight) for weight in new)
        if weights and not new and step.shares is None and self._owners[id(weights[0])] is not step:
            step.shares = self._owners[id(weights[0])]
        self._owners.update({id(weight): step for weight in new})

    def owned(self, weight: Any) -> bool:
        """Whether a step has already counted ``weight``."""
        return id(weight) in self._owners

    def rename(self, step: Step, scope: tuple[str, ...], name: str) -> None:
        """Give a step that hasn't been delivered another name."""
        self._taken.discard(step.name)
        step.name, step.scope = self._unique("/".join((*scope, name))), scope

    def mark(self) -> tuple[int, int, dict[str, int], set[str], dict[int, Step]]:
        """Remember this point of the run; from here on values are held back, in case it is run again."""
        self._unproven += 1
        return len(self.steps), len(self._pending), dict(self._calls), set(self._taken), dict(self._owners)

    def rewind(self, mark: tuple[int, int, dict[str, int], set[str], dict[int, Step]]) -> None:
        """Forget what came after ``mark``."""
        del self.steps[mark[0] :]
        del self._pending[mark[1] :]
        self._calls, self._taken, self._owners = dict(mark[2]), set(mark[3]), dict(mark[4])

    def abandon(self) -> None:
        """What came since the last mark failed for good."""
        self._unproven -= 1

    def proven(self) -> None:
        """What came since the last mark stands."""
        self._unproven -= 1
        if not self._unproven:
            self.flush()

    def flush(self) -> None:
        """Hand on the values that are asked for."""
        pending, self._pending = self._pending, []
        for step in pending:
            value, step.value = step.value, None
            if self._keep is None or step.name in self._keep:
                self._deliver(step, value)

    def _unique(self, name: str) -> str:
        while True:
            self._calls[name] = count = self._calls.get(name, 0) + 1
            candidate = name if count == 1 else f"{name}:{count}"
            if candidate not in self._taken:
                self._taken.add(candidate)
                return candidate

    def network(self, name: str, outputs: list[Step | None], inputs: tuple[Input, ...], parameters: int) -> Network:
        """The finished network; ``outputs`` are the steps that made what the model returned."""
        made = [step for step in outputs if step is not None]
        return Network(
            name,
            "keras",
            inputs,
            tuple(self.layer(step) for step in self.steps),
            tuple(dict.fromkeys(step.name for step in made)),
            parameters,
        )

    def layer(self, step: Step) -> Layer:
        """A step as a layer of the network; a merge of a value with itself reads it twice."""
        names = [source.name for source in step.inputs]
        product = step.operation == Whole("matrix_product")
        if turned(step.operation, step.layout):
            names.reverse()
        return Layer(
            step.name,
            step.op,
            step.kind,
            tuple(names if isinstance(step.operation, Merge) or product else dict.fromkeys(names)),
            channels_first(batchless(step.shape, self.batch), step.layout),
            step.operation,
            step.parameters,
            step.dtype,
            step.scope,
            step.shares.name if step.shares else None,
            step.notes,
            drawn=step.drawn,
        )


_NOTES = {
    "drawn": ("drawn at random: another run may draw other values",),
    "behind": ("made after the code around it drew at random: another run may draw other values",),
}


def _drawn(operation: Operation | None) -> Operation:
    """What draws has no arithmetic, though it may still go position by position."""
    return Pointwise(RANDOM) if isinstance(operation, (Pointwise, Activation)) else Whole(RANDOM)


def _given(call: Call, reading: Reading) -> Mapping[str, Any]:
    copying = Copying.of(call) if isinstance(reading.operation, Whole) and call.word in COPYING else None
    return call.roles if copying is None else {"origin": copying}


def _size(weight: Any) -> int:
    size = 1
    for length in weight.shape:
        size *= int(length)
    return size
