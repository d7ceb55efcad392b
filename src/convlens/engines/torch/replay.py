"""The next run at the same sizes: its operators are checked against those of the run before, not looked into again.

What each operator is, its layer and its name were found out by :class:`~convlens.engines.torch.capture.Capture`. As
long as the model calls the same operators on the same values, all that is left to do is to hand out the maps: for the
69 layers of a ResNet-18 that takes 2.0 ms beside the pass, where looking into everything takes 4.7 ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch  # noqa: TID251  # this package is the PyTorch engine
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID251

from convlens.engines.base import Sink
from convlens.engines.torch.aliasing import sole_owner
from convlens.engines.torch.graph import MARK, Constant, Given, Node, Origin
from convlens.engines.torch.memory import as_array, kept
from convlens.engines.torch.operators import Operator
from convlens.engines.torch.performing import Plainly, perform, plainly
from convlens.engines.torch.refusals import Failure
from convlens.network import Network, Shape


@dataclass(slots=True)
class Step:
    """One operator of a run.

    ``key`` is what it was called with, ``told`` how many layers had been told by then. For each tensor that it made:
    its shape, and where its values come from (``None`` for what was given to it); ``nodes`` of those are layers.
    ``alias``: it handed back its input, in whose place the model got a view.
    """

    func: Any
    made_by: Operator
    key: list[Any]
    told: int
    alias: bool = False
    shapes: tuple[Shape, ...] = ()
    origins: tuple[Origin | Constant | None, ...] = ()
    nodes: tuple[Node, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A run that can be run again: ``circumstances`` are what it depends on beside its operators."""

    circumstances: object
    batch: int
    steps: Sequence[Step]
    given: Mapping[str, Given]
    network: Network
    held: Sequence[torch.Tensor]
    """Tensors that a key knows by their identity, which must not pass to others."""


def key_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
    """What a call works on: where its tensors come from, and its settings as they are."""
    found = [_what(value) for value in args]
    if kwargs:
        found += [(name, _what(value)) for name, value in kwargs.items()]
    return found


def _what(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        origin = getattr(value, MARK, None)
        return id(value) if origin is None else origin
    if isinstance(value, (list, tuple)):
        return [_what(item) for item in value]
    return id(value) if isinstance(value, torch.ScriptObject) else value


class DivergedError(Exception):
    """The model went another way than the last time."""


class Replay(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The mode. ``stopped`` is what ended the run early: the sink's own error, or :class:`DivergedError`."""

    def __init__(self, plan: Plan, keep: frozenset[str] | None, sink: Sink) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.stopped: BaseException | None = None
        self.failed: Failure | None = None
        self.told = 0
        self._plan = plan
        self._steps = plan.steps
        self._keep = keep
        self._sink = sink
        self._at = 0
        self._made: deque[tuple[Node, torch.Tensor | None]] = deque()
        self._settings: Plainly | None = None

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """See :class:`~convlens.engines.torch.capture.Capture`."""
        return False

    def __enter__(self) -> Self:
        """Begin to watch, in inference mode."""
        self._settings = plainly()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def give(self, name: str, tensor: torch.Tensor) -> None:
        """Declare a network input."""
        setattr(tensor, MARK, self._plan.given[name])

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Check the operator, run it, and hand out its layers."""
        if self.stopped is not None:  # the model has an `except` that caught it
            raise self.stopped
        kwargs = kwargs or {}
        step = self._steps[self._at] if self._at < len(self._steps) else None
        if step is None or func is not step.func or key_of(args, kwargs) != step.key:
            raise self._diverged()
        if self.told < step.told:
            self._tell(step.told)
        self._at += 1
        try:
            result, aside = perform(func, step.made_by, args, kwargs, self._settings)
        except Exception:
            shapes = tuple(tuple(value.shape) for value in args if isinstance(value, torch.Tensor))
            self.failed = Failure(step.made_by.word, shapes)
            raise
        if step.alias:
            result = result.detach()
        made = (result,) if isinstance(result, torch.Tensor) else tensors_of(result)
        if tuple([tensor.shape for tensor in made]) != step.shapes:
            raise self._diverged()
        for tensor, origin in zip(made, step.origins, strict=True):
            if origin is not None:
                setattr(tensor, MARK, origin)
        for node, tensor in zip(step.nodes, made, strict=False):
            if step.made_by.writes and not aside and not sole_owner(tensor):
                raise self._diverged()
            if node.told is not None:
                wanted = self._keep is None or node.name in self._keep
                self._made.append((node, kept(tensor) if wanted else None))
        return result

    def origin(self, tensor: torch.Tensor) -> object:
        """Where the tensor's values come from; ``None`` if nothing is known about it."""
        return getattr(tensor, MARK, None)

    def output(self, tensor: torch.Tensor) -> object:
        """What a result of the model comes from."""
        return self.origin(tensor)

    def finish(self) -> None:
        """The forward pass is over: tell the rest.

        Raises:
            DivergedError: it should have gone on.
        """
        if self._at != len(self._steps):
            raise self._diverged()
        self._tell(len(self._plan.network.layers))

    def _diverged(self) -> DivergedError:
        self.stopped = DivergedError()
        return self.stopped

    def _tell(self, count: int) -> None:
        while self.told < count:
            node, tensor = self._made.popleft()
            self.told += 1
            if tensor is None or node.told is None:
                continue
            array = as_array(tensor)
            try:
                self._sink(node.told, array[0] if node.batched and self._plan.batch == 1 else array)
            except BaseException as error:
                self.stopped = error
                raise


def tensors_of(values: Any) -> list[torch.Tensor]:
    """The tensors among an operator's arguments or results, lists of tensors included."""
    found: list[torch.Tensor] = []
    for value in values if isinstance(values, (list, tuple)) else (values,):
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found.extend(item for item in value if isinstance(item, torch.Tensor))
    return found
