"""One forward pass, watched: every operator that works on what came from the inputs becomes a layer.

The watching is done by a ``TorchDispatchMode`` under ``torch.inference_mode``, where composite operators (``conv2d``,
``batch_norm``, ``linear``, ``scaled_dot_product_attention``) arrive whole. A ``TorchFunctionMode`` costs the same (on
ResNet-18 at 224x224 the pass took 18.4 ms, with an idle dispatch mode 19.1, with an idle function mode 19.5; on VGG-16
113, 119 and 120 ms) but it doesn't see what TorchScript and exported graphs run, has no schema that says which argument
is written into, and sees ``F.relu(x, inplace=True)`` and ``x.relu_()`` as different things.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, Self

import torch  # noqa: TID251  # this package is the PyTorch engine
from torch.multiprocessing.reductions import StorageWeakRef  # noqa: TID251
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: TID251

from convlens.engines.base import Sink
from convlens.engines.torch import drawing
from convlens.engines.torch.aliasing import Writes, memory_of, sole_owner
from convlens.engines.torch.graph import MARK, Constant, Given, Node, Origin, Weight, batch_note
from convlens.engines.torch.holding import Constants, constant_operands
from convlens.engines.torch.memory import as_array, kept
from convlens.engines.torch.modules import Owner, Structure
from convlens.engines.torch.naming import Namer
from convlens.engines.torch.operators import Operator, described, dtype_name, operator
from convlens.engines.torch.performing import Plainly, perform, plainly
from convlens.engines.torch.precision import sums_in
from convlens.engines.torch.refusals import Failure
from convlens.engines.torch.reordering import REORDERING, Reordering
from convlens.engines.torch.replay import Plan, Step, key_of, tensors_of
from convlens.network import Dense, Kind, Layer, Merge, Network, Operation, Pointwise, Whole

_CALL_NUMBER = re.compile(r"(:\d+)?(\[\d+\])?$")


class Pretence(Protocol):
    """Tensors with shapes and no values, for tracing."""

    def is_fake(self, tensor: torch.Tensor) -> bool:
        """Whether this tensor has no values."""

    def suspended(self) -> AbstractContextManager[object]:
        """Real computation inside."""


class Capture(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """The mode itself. ``layers`` grows as names become certain; each kept one goes to the sink at once."""

    def __init__(
        self,
        structure: Structure,
        batch: int,
        keep: frozenset[str] | None,
        sink: Sink,
        pretence: Pretence | None = None,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.layers: list[Layer] = []
        self.weights: dict[str, dict[str, Weight]] = {}
        self.namer = Namer(self._tell)
        self.failed: Failure | None = None
        self.stopped: BaseException | None = None
        self.drew: frozenset[str] = frozenset()
        self._structure = structure
        self._batch = batch
        self._keep = keep
        self._uncounted = None if keep is None else keep | {_CALL_NUMBER.sub("", name) for name in keep}
        self._sink = sink
        self._pretence = pretence
        self._counted: dict[Owner, str] = {}
        self._order = 0
        self._writes = Writes()
        self._constants = Constants()
        # Origins of tensors that are the user's own objects (buffers written in place): nothing is hung onto those.
        self._foreign: dict[int, tuple[torch.Tensor, Origin]] = {}
        self._settings: Plainly | None = None
        self._steps: list[Step] = []
        self._held: list[torch.Tensor] = []
        self._given: dict[str, Given] = {}
        self._repeatable = pretence is None
        self._drawn_memory: set[StorageWeakRef] = set()
        self._varying: set[Origin] = set()
        self._decided = False  # whether the model's own code has looked at a random number

    @property
    def draws_seen(self) -> bool:
        """Whether a layer is known to depend on a random draw."""
        return bool(self._varying)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """Nothing compiled runs in here; asking the compiler to stand aside at each operator would import it first."""
        return False

    def __enter__(self) -> Self:
        """Begin to watch, in inference mode."""
        self._settings = None if self._pretence else plainly()
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def give(self, name: str, tensor: torch.Tensor) -> None:
        """Declare a network input."""
        self._given[name] = given = Given(name, tuple(tensor.shape))
        setattr(tensor, MARK, given)

    def plan(self, circumstances: object, network: Network) -> Plan | None:
        """This run as one that can be run again; ``None`` where more than the order of operators mattered."""
        if not self._repeatable or self._writes or self._foreign:
            return None
        return Plan(circumstances, self._batch, self._steps, self._given, network, self._held)

    def origin(self, tensor: torch.Tensor) -> Origin | Constant | None:
        """What the tensor's present values come from; ``None`` for a constant that nothing is known about."""
        found: Origin | Constant | None = getattr(tensor, MARK, None)
        if found is None and self._foreign and id(tensor) in self._foreign:
            found = self._foreign[id(tensor)][1]
        still = found is None or (isinstance(found, Constant) and not found.drawn)
        if self._drawn_memory and still and memory_of(tensor) in self._drawn_memory:
            # It was drawn into, as a tensor that was there before, or through another view of its memory.
            found = Constant(found.parameters if isinstance(found, Constant) else (), drawn=True)
        return self._as_written(tensor, found) if self._writes else found

    def output(self, tensor: torch.Tensor) -> Origin | Constant | None:
        """What a result of the model comes from; an input that is handed back becomes a layer, since outputs are."""
        origin = self.origin(tensor)
        if not isinstance(origin, Given):
            return origin
        node = self._node(tensor, "identity", (origin,), Kind.PLUMBING, Pointwise("identity"))
        node.siblings = [node]
        self._repeatable = False
        self._take_in([node], [tensor], written=False, aside=False)
        self.namer.settled()
        return node

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run the operator, and write down what it was."""
        if self.stopped is not None:  # the model has an `except` that caught what the sink raised
            raise self.stopped
        kwargs = kwargs or {}
        made_by = operator(func)
        tensors = tensors_of([*args, *kwargs.values()] if kwargs else args)
        step = Step(func, made_by, key_of(args, kwargs), len(self.layers))
        self._steps.append(step)
        self._held.extend([tensor for tensor in tensors if not hasattr(tensor, MARK)])
        owners = self._structure.parameters
        read: dict[int, Origin] = {}
        parameters: list[Owner] = []
        sources: list[Origin] = []
        drawn = made_by.random and made_by.draws(args, kwargs)
        reads_drawn = False
        taken = {name: value for name, value in kwargs.items() if name not in made_by.outs} if made_by.outs else kwargs
        overwritten = self._overwritten(made_by, args, kwargs, len(tensors))
        for tensor in tensors_of([*args, *taken.values()]) if made_by.outs else tensors:
            owner = owners.get(id(tensor))
            if owner is not None:
                parameters.append(owner)
                continue
            origin = self.origin(tensor)
            if isinstance(origin, Constant):
                parameters.extend(origin.parameters)
                reads_drawn = reads_drawn or origin.drawn
            elif origin is not None and not made_by.of_a_shape and not any(tensor is one for one in overwritten):
                sources.append(origin)
                read[id(tensor)] = origin
        refilled = not sources  # constants written over a value are its new values
        if refilled:
            before = [self.origin(one) for one in overwritten]
            sources = [origin for origin in before if isinstance(origin, (Given, Node))]
        operands = made_by.operands(args, taken) if made_by.puts_together and not refilled else []
        if made_by.writes and self._pretence is None:
            written = self._written_by(made_by, args, kwargs)
            for tensor in written:
                self._constants.overwritten(tensor)
            operands = [self._before_written(value, written, read) for value in operands]
        if not sources or made_by.only_measures(args, taken, read):
            return self._compute_constant(step, args, kwargs, tensors, parameters, drawn or reads_drawn)
        try:
            result, aside = perform(func, made_by, args, kwargs, self._settings)
        except Exception:
            place = parameters[0].module if parameters else self.namer.path
            self.failed = Failure.of(made_by, args, kwargs, tensors, place)
            raise
        if not made_by.writes and isinstance(result, torch.Tensor):
            if made_by.transparent or (made_by.casts and result.dtype == tensors[0].dtype):
                self._remember(step, [result], [None if result is tensors[0] else sources[0]])
                return result
            if any(result is tensor for tensor in tensors):
                step.alias = True
                result = result.detach()  # dropout hands back what it got: the layer's value gets an object of its own
        made = tensors_of(result)
        self._decided = self._decided or (not made and not made_by.writes and not self._varying.isdisjoint(sources))
        if made:
            shown = made[:1] if made_by.first_only else made
            if refilled:
                nodes = [self._node(one, made_by.word, tuple(sources), Kind.OTHER, Whole("refill")) for one in shown]
                for number, node in enumerate(nodes):
                    node.siblings, node.suffix = nodes, f"[{number}]" if number else ""
            else:
                nodes = self._nodes(func, made_by, args, taken, operands, read, tuple(sources), shown)
            self._note_draws(nodes, drawn, reads_drawn)
            nodes[0].parameters = tuple(dict.fromkeys(parameters)) if len(parameters) > 1 else tuple(parameters)
            step.nodes = tuple(nodes)
            self._take_in(nodes, shown, bool(made_by.writes), aside)
            self._remember(step, made, [None] * len(shown) + [nodes[0]] * (len(made) - len(shown)))
            step.origins = (*nodes, *step.origins[len(shown) :])
            self.namer.settled()
        if made_by.writes:
            self._written_beside(made_by, args, kwargs, made, tuple(dict.fromkeys(sources)))
        return result

    def _written_beside(
        self,
        made_by: Operator,
        args: Any,
        kwargs: Mapping[str, Any],
        made: list[torch.Tensor],
        sources: tuple[Origin, ...],
    ) -> None:
        """What an operator writes and doesn't hand back (``torch._foreach_add_``) has new values as well."""
        for tensor in self._written_by(made_by, args, kwargs):
            if hasattr(tensor, MARK) and not any(tensor is one for one in made):
                node = self._node(tensor, made_by.word, sources, Kind.OTHER, Whole(made_by.word))
                node.siblings = [node]
                self._repeatable = False
                self._note_draws([node], made_by.random, False)
                self._take_in([node], [tensor], written=True, aside=False)
                self.namer.settled()

    def _written_by(self, made_by: Operator, args: Any, kwargs: Mapping[str, Any]) -> list[torch.Tensor]:
        """The tensors that an operator writes into."""
        given = made_by.bind(args, kwargs)
        return tensors_of([given[name] for name in made_by.writes])

    def _before_written(self, value: Any, written: Sequence[torch.Tensor], read: Mapping[int, Origin]) -> Any:
        """A constant operand that the result takes the place of, as it is before; any other as it is."""
        constant = isinstance(value, torch.Tensor) and id(value) not in read
        return value.clone() if constant and any(value is one for one in written) else value

    def _overwritten(
        self, made_by: Operator, args: Any, kwargs: Mapping[str, Any], tensors: int
    ) -> Sequence[torch.Tensor]:
        """The tensors among the arguments whose values before don't matter: those of ``out=``, the target of a copy."""
        if made_by.outs:
            return tensors_of([kwargs[name] for name in made_by.outs if name in kwargs])
        return args[:1] if made_by.overwrites and tensors > 1 else ()

    def _note_draws(self, nodes: list[Node], draws: bool, reads_drawn: bool) -> None:
        note = drawing.DRAWN_NOTE if draws else drawing.READS_NOTE if reads_drawn else ""
        note = note or (drawing.DECIDED_NOTE if self._decided else "")
        for node in nodes:
            if note:
                node.drawn, node.notes = True, (*node.notes, note)
            if note or any(source in self._varying for source in node.inputs):
                self._varying.add(node)

    def _remember(self, step: Step, made: list[torch.Tensor], origins: Sequence[Origin | Constant | None]) -> None:
        """Hang onto each tensor where its values come from, and note the step as one that can be repeated."""
        for tensor, origin in zip(made, origins, strict=True):
            if origin is not None:
                setattr(tensor, MARK, origin)
        step.shapes, step.origins = tuple([tensor.shape for tensor in made]), tuple(origins)

    def _compute_constant(
        self, step: Step, args: Any, kwargs: Any, tensors: list[torch.Tensor], parameters: list[Owner], drawn: bool
    ) -> Any:
        """An operator on parameters and constants alone is no layer; a trace computes it for real."""
        if self._pretence is not None and not any(self._pretence.is_fake(tensor) for tensor in tensors):
            with self._pretence.suspended():
                result = step.func(*args, **kwargs)
        else:
            result, _ = perform(step.func, step.made_by, args, kwargs, self._settings)
        made = tensors_of(result)
        constant = Constant(tuple(dict.fromkeys(parameters)), drawn)
        if drawn:
            self._drawn_memory.update(memory_of(tensor) for tensor in made)
            self._decided = self._decided or not made  # a number for the model's own code
        self._remember(step, made, [None if any(m is given for given in tensors) else constant for m in made])
        return result

    def _nodes(
        self,
        func: Any,
        made_by: Operator,
        args: Any,
        kwargs: Any,
        operands: list[Any],
        read: Mapping[int, Origin],
        sources: tuple[Origin, ...],
        shown: list[torch.Tensor],
    ) -> list[Node]:
        shapes = tuple([tensor.shape for tensor in shown])
        kind, operations = described(made_by, args, kwargs, read, shapes, self._batch)
        if operands:
            sources = tuple([read[id(value)] for value in operands if id(value) in read])
        elif len(sources) > 1 and kind not in (Kind.ADD, Kind.MULTIPLY, Kind.CONCAT, Kind.ARITHMETIC):
            sources = tuple(dict.fromkeys(sources))
        nodes: list[Node] = []
        for place, (tensor, operation) in enumerate(zip(shown, operations, strict=True)):
            node = self._node(tensor, made_by.word, sources, kind, operation)
            node.siblings = nodes
            node.sums_in = sums_in(tensor, operation)
            if made_by.word in REORDERING and len(sources) == 1:
                order = Reordering.of(func, args, kwargs, place)
                node.weights = {} if order is None else {"origin": order}
                self._repeatable = self._repeatable and not tensors_of(args[1:])
            if len(shown) > 1:
                node.suffix = f"[{place}]"
            nodes.append(node)
        if made_by.roles or operands:
            if operands and not isinstance(operations[0], Dense):
                known = [None if self._pretended(value) else value for value in operands]
                weights = constant_operands(known, read)
            else:
                weights = made_by.weights(args, kwargs, read)
            # Weights that the run itself computed (by weight norm, say) are another tensor in the next.
            if any(isinstance(value, torch.Tensor) and hasattr(value, MARK) for value in weights.values()):
                self._repeatable = False
            nodes[0].weights = weights if self._pretence is not None else self._constants.hold(weights)
        return nodes

    def _pretended(self, value: Any) -> bool:
        return self._pretence is not None and isinstance(value, torch.Tensor) and self._pretence.is_fake(value)

    def _node(
        self, tensor: torch.Tensor, op: str, inputs: tuple[Origin, ...], kind: Kind, operation: Operation | None
    ) -> Node:
        self._order += 1
        shape = tuple(tensor.shape)
        batched = bool(shape) and shape[0] == self._batch
        notes = () if batched else (batch_note(shape, self._batch),)
        return Node(op, kind, operation, inputs, shape, batched, dtype_name(tensor.dtype), self._order, notes)

    def _take_in(
        self, nodes: list[Node], tensors: list[torch.Tensor], written: bool, aside: bool, behind: Node | None = None
    ) -> None:
        """Name the nodes, keep what is wanted of their values, and remember whose values the tensors have."""
        if behind is None:
            self.namer.place(nodes)
        else:
            self.namer.place_beside(nodes[0], behind)
        for node, tensor in zip(nodes, tensors, strict=True):
            ours = not written or hasattr(tensor, MARK)
            if self._uncounted is None or not self._uncounted.isdisjoint(self.namer.could_be_called(node)):
                node.tensor = kept(tensor) if ours else tensor.clone()
            if written and not aside and not sole_owner(tensor):
                self._writes.add(tensor, node)
            self._hang(tensor, node, ours)

    def _hang(self, tensor: torch.Tensor, origin: Origin, ours: bool) -> None:
        if ours:
            setattr(tensor, MARK, origin)
        else:
            self._foreign[id(tensor)] = (tensor, origin)

    def _as_written(self, tensor: torch.Tensor, origin: Origin | Constant | None) -> Origin | Constant | None:
        """Whose values a tensor has when its memory was written into, through another view, after it was made."""
        known = origin if isinstance(origin, (Given, Node)) else None
        writers, whole = self._writes.since(tensor, known.order if known else -1)
        if not writers:
            return origin
        now: Origin = writers[0]
        if not (whole and len(writers) == 1):
            sources = (known, *writers) if known and not whole else tuple(writers)
            # `x[:, :3] = a` makes x a merge of what it was and of a.
            spatial = {source.shape[2:] for source in sources}
            whole_map = Merge("scatter") if spatial == {tuple(tensor.shape[2:])} else Whole("scatter")
            now = node = self._node(tensor, "slice_scatter", tuple(dict.fromkeys(sources)), Kind.RESHAPE, whole_map)
            node.notes = ("Parts of this value were written in place.", *node.notes)
            node.siblings = [node]
            self._take_in([node], [tensor], written=False, aside=False, behind=writers[-1])
            self.namer.settled()
            return now
        self._hang(tensor, now, ours=hasattr(tensor, MARK))
        return now

    def _tell(self, node: Node) -> None:
        layer = node.told = node.layer(self._counted)
        self.layers.append(layer)
        if node.weights:
            self.weights[layer.name] = node.weights
        tensor, node.tensor = node.tensor, None
        if tensor is not None and (self._keep is None or layer.name in self._keep):
            array = as_array(tensor)
            try:
                self._sink(layer, array[0] if node.batched and self._batch == 1 else array)
            except BaseException as error:
                self.stopped = error
                raise


def tensors_in(value: Any) -> Iterator[torch.Tensor]:
    """Every tensor in nested lists, tuples, dicts and dataclasses, in order."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from tensors_in(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from tensors_in(item)
    elif hasattr(value, "__dataclass_fields__") and not isinstance(value, type):
        for name in value.__dataclass_fields__:
            yield from tensors_in(getattr(value, name))
