"""A layered layout of a directed graph: boxes in rows, edges downwards, long edges in lanes of their own.

After Sugiyama, Tagawa and Toda, "Methods for visual understanding of hierarchical system structures", 1981: rows by the
longest path, order within a row by the mean place of the neighbours. Places within a row then follow by least squares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

_SWEEPS = 6
_LANE = 14.0  # pixels that an edge takes where it passes a row
_STRAIGHT = 8.0  # a box this near to straight below its main input is put straight below it
_MANY_INPUTS = 3
_BRANCH_WEIGHT = 0.005
_LANE_WEIGHT = 0.001  # beside a box: lanes give way, so that the main path runs straight


@dataclass(frozen=True, slots=True)
class Box:
    """The size of one node, in pixels."""

    width: float
    height: float


@dataclass
class Layout:
    """Where everything lies: the centre and the top of each box, the bands of the rows, the routes of the edges.

    ``routes[source]`` are the steps that the edges from ``source`` share: (x, row) to (x, row + 1), and the target when
    the step ends in one.
    """

    x: dict[str, float]
    y: dict[str, float]
    row_of: dict[str, int]
    bands: list[tuple[float, float]]
    routes: dict[str, list[tuple[float, int, float, str | None]]]
    left: float = 0.0
    right: float = 0.0
    height: float = 0.0


@dataclass
class _Slot:
    """A place in a row: a box, or the lane of a long edge that passes."""

    node: str  # the box, or the source of the edge that passes
    row: int
    width: float
    lane: bool
    weight: float = 1.0
    x: float = 0.0
    order: float = 0.0
    above: list[_Slot] = field(default_factory=list)
    below: list[_Slot] = field(default_factory=list)


def lay_out(
    boxes: Mapping[str, Box], edges: Sequence[tuple[str, str]], *, beside: float = 32, between: float = 44
) -> Layout:
    """Place ``boxes``, given in an order in which each comes after its inputs, so that all ``edges`` run downwards.

    ``beside`` and ``between`` are the least distances in pixels of boxes in a row, and of rows.

    >>> layout = lay_out({"a": Box(80, 40), "b": Box(80, 40)}, [("a", "b")], between=20)
    >>> layout.x["a"] == layout.x["b"], layout.y
    (True, {'a': 0.0, 'b': 60.0})
    """
    row_of = _rows(boxes, edges)
    rows, slots = _slots(boxes, edges, row_of)
    _order(rows)
    _place(rows, beside)
    bands = []
    top = 0.0
    for row in rows:
        height = max((boxes[slot.node].height for slot in row if not slot.lane), default=0.0)
        bands.append((top, top + height))
        top += height + between
    y = {name: bands[row][0] + (bands[row][1] - bands[row][0] - boxes[name].height) / 2 for name, row in row_of.items()}
    routes: dict[str, list[tuple[float, int, float, str | None]]] = {name: [] for name in boxes}
    for row in rows:
        for slot in row:
            steps = routes[slot.node]
            steps += [(slot.x, slot.row, below.x, None if below.lane else below.node) for below in slot.below]
    everything = [slot for row in rows for slot in row]
    return Layout(
        {name: slot.x for name, slot in slots.items()},
        y,
        row_of,
        bands,
        routes,
        min((slot.x - slot.width / 2 for slot in everything), default=0.0),
        max((slot.x + slot.width / 2 for slot in everything), default=0.0),
        bands[-1][1] if bands else 0.0,
    )


def _rows(boxes: Mapping[str, Box], edges: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest path from a start to each box; starts move down to just above their first use."""
    inputs: dict[str, list[str]] = {name: [] for name in boxes}
    outputs: dict[str, list[str]] = {name: [] for name in boxes}
    for source, target in edges:
        inputs[target].append(source)
        outputs[source].append(target)
    row_of: dict[str, int] = {}
    for name in boxes:
        row_of[name] = max((row_of[source] + 1 for source in inputs[name]), default=0)
    for name in boxes:
        if not inputs[name] and outputs[name]:
            row_of[name] = min(row_of[target] for target in outputs[name]) - 1
    return row_of


def _slots(
    boxes: Mapping[str, Box], edges: Sequence[tuple[str, str]], row_of: Mapping[str, int]
) -> tuple[list[list[_Slot]], dict[str, _Slot]]:
    rows: list[list[_Slot]] = [[] for _ in range(max(row_of.values(), default=-1) + 1)]
    slots = {name: _Slot(name, row_of[name], box.width, lane=False) for name, box in boxes.items()}
    for slot in slots.values():
        rows[slot.row].append(slot)
    lanes: dict[tuple[str, int], _Slot] = {}
    for source, target in dict.fromkeys(edges):
        at = slots[source]
        for row in range(row_of[source] + 1, row_of[target]):
            lane = lanes.get((source, row))
            if lane is None:
                lane = lanes[source, row] = _Slot(source, row, _LANE, lane=True, weight=_LANE_WEIGHT)
                rows[row].append(lane)
                at.below.append(lane)
                lane.above.append(at)
            at = lane
        at.below.append(slots[target])
        slots[target].above.append(at)
    _weigh(slots, boxes)
    for row_slots in rows:
        # Lanes to the right of the boxes, the edges that come from furthest away outermost.
        row_slots.sort(key=lambda slot: (slot.lane, -row_of[slot.node] if slot.lane else 0))
    return rows, slots


def _weigh(slots: dict[str, _Slot], boxes: Mapping[str, Box]) -> None:
    """Make the shorter of two branches give way to the longer, so that a residual block's main path runs straight."""
    to_end: dict[int, int] = {}

    def length(slot: _Slot) -> int:
        while slot.lane:
            slot = slot.below[0]
        return to_end.get(id(slot), 0)

    for name in reversed(list(boxes)):
        slot = slots[name]
        to_end[id(slot)] = 1 + max((length(below) for below in slot.below), default=0)
    for slot in slots.values():
        branches = [below for below in slot.below if not below.lane]
        if len(branches) == 2:
            shorter = min(branches, key=lambda below: to_end[id(below)])
            if to_end[id(shorter)] < max(to_end[id(below)] for below in branches):
                shorter.weight = _BRANCH_WEIGHT


def _order(rows: list[list[_Slot]]) -> None:
    for row in rows:
        for position, slot in enumerate(row):
            slot.order = position - (len(row) - 1) / 2
    for sweep in range(_SWEEPS):
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            if len(row) < 2:
                continue
            wanted = {}
            for slot in row:
                near = slot.above if downwards else slot.below
                wanted[id(slot)] = sum(other.order for other in near) / len(near) if near else slot.order
            row.sort(key=lambda slot: wanted[id(slot)])
            for position, slot in enumerate(row):
                slot.order = position - (len(row) - 1) / 2


def _place(rows: list[list[_Slot]], beside: float) -> None:
    for row in rows:
        _settle(row, [0.0] * len(row), [1.0] * len(row), beside)
    for sweep in range(2 * _SWEEPS + 1):
        downwards = sweep % 2 == 0
        for row in rows if downwards else reversed(rows):
            wanted, weights = [], []
            for slot in row:
                place, weight = _wanted(slot, downwards)
                wanted.append(place)
                weights.append(weight)
            _settle(row, wanted, weights, beside)
    for row in rows:
        for position, slot in enumerate(row):
            target, weight = _wanted(slot, downwards=True)
            if weight and 0 < abs(target - slot.x) < _STRAIGHT and _free(row, position, target, beside):
                slot.x = target


def _wanted(slot: _Slot, downwards: bool) -> tuple[float, float]:
    """Where a slot wants to be, and how much.

    A box below its main input, or in the middle of many; a lane in line with itself, or below a box all its own.
    """
    near, far = (slot.above, slot.below) if downwards else (slot.below, slot.above)
    alone = downwards and len(slot.above) == 1 and len(slot.above[0].below) == 1
    if slot.lane and not alone and not any(other.lane for other in near) and any(other.lane for other in far):
        near = far
    if not near:
        return slot.x, 0.01
    main = [other for other in near if other.lane == slot.lane]
    chosen = near if len(near) >= _MANY_INPUTS or not main else main
    return sum(other.x for other in chosen) / len(chosen), slot.weight


def _settle(row: list[_Slot], wanted: list[float], weights: list[float], beside: float) -> None:
    """Put a row's slots as near to where they want to be as their order and widths allow, by least squares.

    Pool-adjacent-violators: Barlow et al., "Statistical Inference under Order Restrictions", 1972.
    """
    offsets = [0.0]
    for before, after in pairwise(row):
        offsets.append(offsets[-1] + _distance(before, after, beside))
    pools: list[tuple[float, float, int]] = []  # (mean, weight, members)
    for place, weight, offset in zip(wanted, weights, offsets, strict=True):
        mean, total, members = place - offset, weight, 1
        while pools and pools[-1][0] > mean:
            other, other_total, other_members = pools.pop()
            mean = (mean * total + other * other_total) / (total + other_total)
            total, members = total + other_total, members + other_members
        pools.append((mean, total, members))
    position = 0
    for mean, _, members in pools:
        for _ in range(members):
            row[position].x = mean + offsets[position]
            position += 1


def _distance(before: _Slot, after: _Slot, beside: float) -> float:
    return (before.width + after.width) / 2 + (0 if before.lane and after.lane else beside)


def _free(row: list[_Slot], position: int, x: float, beside: float) -> bool:
    if position and x - row[position - 1].x < _distance(row[position - 1], row[position], beside):
        return False
    last = position + 1 == len(row)
    return last or row[position + 1].x - x >= _distance(row[position], row[position + 1], beside)
