"""Which axis of each value is the batch and which holds the channels: inferred from the whole graph.

**Channels.** Operators with windows (convolutions, poolings, normalisations over maps, ...) state the axes of what they
read and make. All other operators pass axes on, transposes in another order. Axes that are passed on to one another
form one class, whichever way the data flow, and what an operator states of an axis holds for its class. Two partitions
are made: one along operators that leave the axes in their order, and a coarser one along all. What the finer one says
of a value counts first; where it says nothing, the coarser one is asked. A value has its channels where exactly one
axis is stated to be channels and nothing else; where that is contradictory, the value is in doubt.

**Batch.** The first axis of what the network is fed is the batch. It is followed forwards, along axes whose places
don't meet on the way. A reshape may fold other axes into it; folded, it is no batch axis, but a later reshape can take
it out again.

A value that is in doubt, and one of which nothing is known, keeps its axes in the order of the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Flag, auto
from math import prod

from convlens.engines.onnx.axis_rules import links
from convlens.engines.onnx.operator_axes import Link, Operator, Plane, planes, turns
from convlens.engines.onnx.presentation import Presentation
from convlens.network import Shape

_Axis = tuple[str, int]


class Role(Flag):
    """What an operator states an axis to be."""

    NONE = 0
    ITEMS = auto()
    CHANNELS = auto()
    SPACE = auto()


@dataclass(frozen=True, slots=True)
class Layout:
    """How a value is to be shown; ``doubtful`` where what makes and reads it disagrees on which axis holds channels."""

    presentation: Presentation
    doubtful: bool = False


class _Classes:
    """Axes that are passed on to one another, and what is stated of them."""

    def __init__(self) -> None:
        self._parents: dict[_Axis, _Axis] = {}
        self._roles: dict[_Axis, Role] = {}

    def root(self, axis: _Axis) -> _Axis:
        parents = self._parents
        path = []
        while (above := parents.get(axis, axis)) != axis:
            path.append(axis)
            axis = above
        for below in path:
            parents[below] = axis
        return axis

    def join(self, one: _Axis, other: _Axis) -> None:
        one, other = self.root(one), self.root(other)
        if one != other:
            self._parents[one] = other
            self._roles[other] = self._roles.get(one, Role.NONE) | self._roles.get(other, Role.NONE)

    def state(self, axis: _Axis, role: Role) -> None:
        root = self.root(axis)
        self._roles[root] = self._roles.get(root, Role.NONE) | role

    def roles(self, name: str, rank: int) -> list[Role]:
        return [self._roles.get(self.root((name, axis)), Role.NONE) for axis in range(rank)]


class ChannelAxes:
    """What is known of the channels of every value of a graph. Needs the number of axes alone, no sizes."""

    def __init__(self, operators: Iterable[Operator], given: Sequence[Plane] = ()) -> None:
        """``given``: values whose axes are known beforehand."""
        self._unturned, self._all = _Classes(), _Classes()
        self._stated: dict[str, set[Plane]] = {}
        self._state(given)
        for operator in operators:
            self._state(planes(operator))
            turning = turns(operator)
            for link in links(operator) or ():
                read, made = operator.node.input[link.place], operator.node.output[link.output]
                if read and made and operator.varies[link.place]:
                    self._all.join((read, link.axis), (made, link.becomes))
                    if not turning:
                        self._unturned.join((read, link.axis), (made, link.becomes))

    def _state(self, stated: Sequence[Plane]) -> None:
        for plane in stated:
            self._stated.setdefault(plane.name, set()).add(plane)
            for axis in range(plane.rank):
                role = Role.CHANNELS if axis == plane.channels else Role.SPACE if axis else Role.ITEMS
                self._unturned.state((plane.name, axis), role)
                self._all.state((plane.name, axis), role)

    def stated(self, name: str) -> bool:
        """Whether an operator that reads or makes the value itself says what its axes are."""
        return name in self._stated

    def holds_items(self, name: str, rank: int) -> bool:
        """Whether the value's first axis is where operators with windows have the items of a batch."""
        return rank > 0 and Role.ITEMS in self._unturned.roles(name, rank)[0]

    def layout(self, name: str, rank: int, batch: int | None) -> Layout:
        """How a value of so many axes is shown, the ``batch`` axis left out."""
        stated = self._stated.get(name, set())
        if stated and batch is None:
            return Layout(Presentation.as_filed(rank))
        if len(stated) == 1:
            (plane,) = stated
            return Layout(Presentation.channels_at(plane.channels, rank, batch))
        roles = self._unturned.roles(name, rank)
        if not any(Role.CHANNELS in role for role in roles):
            roles = self._all.roles(name, rank)
        held = [axis for axis, role in enumerate(roles) if Role.CHANNELS in role and axis != batch]
        clear = [axis for axis in held if roles[axis] == Role.CHANNELS]
        items_too = any(Role.ITEMS in role for axis, role in enumerate(roles) if axis != batch)
        filed = Presentation.as_filed(rank, batch)
        if len(clear) == 1 and not stated and not items_too:
            last = clear[0] == filed.axes[-1]  # between other axes they stay where they are, as in an input
            return Layout(Presentation.channels_at(clear[0], rank, batch) if last else filed)
        return Layout(filed, doubtful=bool(held) and len(clear) != 1 and len(filed.axes) > 1)


def batch_axes(operators: Iterable[Operator], given: Mapping[str, Shape], batch: int) -> dict[str, int]:
    """The axis of each value along which the items of the batch lie, possibly with other axes folded into it.

    ``given``: what the network is fed, by name, with its shape; ``batch``: how many items.
    """
    found = {name: 0 for name, shape in given.items() if shape[:1] == (batch,)}
    for operator in operators:
        reads = {place: found[name] for place, name in enumerate(operator.node.input) if name in found}
        inner = [found[name] for name in operator.captured if name in found]
        if inner:
            reads[_INNER] = max(inner)
        if not reads and not _reads_unseen(operator):
            continue
        passed = links(operator)
        for output, name in enumerate(operator.node.output):
            after = operator.makes[output]
            if not name or after is None or None in after:
                continue
            sizes: Shape = tuple(size or 0 for size in after)
            axis = _through(operator, passed, reads, output, sizes, batch)
            if axis is not None:
                found[name] = axis
    return found


_INNER = -1
"""Stands for the place of what the inner graphs of a node read."""


def _reads_unseen(operator: Operator) -> bool:
    """Whether a node reads what is no tensor: a sequence, say."""
    return any(
        name and operator.reads[place] is None and operator.constant(place) is None
        for place, name in enumerate(operator.node.input)
    )


def _through(
    operator: Operator,
    passed: list[Link] | None,
    reads: Mapping[int, int],
    output: int,
    after: Shape,
    batch: int,
) -> int | None:
    """The batch axis of an output, of a node that reads items along these axes of its inputs."""
    alone = batch == 1
    if passed is None:  # an operator that isn't known: where the first axis still is as long, it is taken for the batch
        known = alone or all(axis == 0 for axis in reads.values())
        return 0 if known and after[:1] == (batch,) else None
    found: set[int] = set()
    for place, axis in reads.items():
        before = tuple(size or 0 for size in operator.reads[place] or ())
        if axis >= len(before):
            continue  # its size was another before the run
        goes = [
            link
            for link in passed
            if (link.place, link.output, link.axis) == (place, output, axis) and link.becomes < len(after)
        ]
        # what is a single item stays one, whatever an operator does along its axis of length 1
        kept = {n.becomes for n in goes if n.apart or (alone and before[axis] == 1 == after[n.becomes])}
        if operator.node.op_type in _REFOLDING and all(after[becomes] != batch for becomes in kept):
            again = _refolded(before, axis, after, batch)
            kept = kept if again is None else {again}
        if not kept and not alone:
            return None
        found |= kept
    if alone:
        return min(found, key=lambda axis: (after[axis] != 1, axis), default=None)
    if len(found) != 1 or _varies_otherwise(operator, passed, reads, output, *found):
        return None
    return found.pop()


def _varies_otherwise(operator: Operator, passed: list[Link], reads: Mapping[int, int], output: int, axis: int) -> bool:
    """Whether an input that is made of all items together is spread along the batch axis of an output."""
    return any(
        operator.varies[link.place] and link.place not in reads and (operator.reads[link.place] or ())[link.axis] != 1
        for link in passed
        if (link.output, link.becomes) == (output, axis)
    )


_REFOLDING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze")


def _refolded(before: Shape, axis: int, after: Shape, batch: int) -> int | None:
    """Where the batch is after a reshape: the axis with as many numbers before it, if whole items lie along it.

    >>> _refolded((2, 6, 5), 0, (12, 5), 2), _refolded((12, 5), 0, (2, 3, 10), 2), _refolded((7, 2, 5), 1, (14, 5), 2)
    (0, 0, None)
    >>> _refolded((1, 6, 5), 0, (6, 5), 1), _refolded((6, 5), 0, (1, 6, 5), 1)
    (0, 0)
    """
    if 0 in before:
        return axis if after[: axis + 1] == before[: axis + 1] else None
    outside = prod(before[:axis])
    fitting = [n for n, size in enumerate(after) if prod(after[:n]) == outside and size >= batch and size % batch == 0]
    if batch > 1:
        return fitting[0] if fitting else None
    # a single item lies along every axis of length 1
    ones = [n for n in fitting if after[n] == 1] or [n for n, size in enumerate(after[:1]) if size == 1]
    return next(iter(ones or fitting), None)


def presentations(
    operators: Sequence[Operator],
    shapes: Mapping[str, Shape],
    given: Mapping[str, Shape],
    batch: int,
    planes: Sequence[Plane] = (),
) -> dict[str, Layout]:
    """How every value of these shapes is shown.

    Args:
        operators: the nodes in the order of the file.
        shapes: every value that the network makes, in the file's own layout.
        given: what the network is fed.
        batch: how many items.
        planes: what of the axes of the values is known beforehand.

    Example:
        >>> from onnx import helper
        >>> turn = helper.make_node("Transpose", ["x"], ["t"], perm=[0, 3, 1, 2])
        >>> conv = helper.make_node("Conv", ["t", "w"], ["c"])
        >>> nodes = [
        ...     Operator(turn, ((1, 5, 7, 3),), ((1, 3, 5, 7),), (True,), lambda place: None, 18),
        ...     Operator(conv, ((1, 3, 5, 7), (4, 3, 1, 1)), ((1, 4, 5, 7),), (True, False), lambda place: None, 18),
        ... ]
        >>> shapes = {"x": (1, 5, 7, 3), "t": (1, 3, 5, 7), "c": (1, 4, 5, 7)}
        >>> for name, layout in presentations(nodes, shapes, {"x": (1, 5, 7, 3)}, 1).items():
        ...     print(name, layout.presentation.axes)
        x (3, 1, 2)
        t (1, 2, 3)
        c (1, 2, 3)
    """
    channels, items = ChannelAxes(operators, planes), batch_axes(operators, given, batch)
    found = {}
    for name, shape in shapes.items():
        rank = len(shape)
        axis = items.get(name)
        if axis is not None and shape[axis : axis + 1] != (batch,):
            axis = None  # other axes are folded into it
        if axis is None and batch == 1 and shape[:1] == (1,) and channels.holds_items(name, rank):
            axis = 0  # a single item, and this is where what reads or makes it has items
        if axis and channels.stated(name):
            axis = None  # an operator has something else than the batch where the batch belongs
        found[name] = channels.layout(name, rank, axis)
    return found
