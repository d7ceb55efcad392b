"""Operators that move values without computing: reshaping, transposing, slicing, splitting, joining."""

from __future__ import annotations

from convlens.engines.torch.calls import Call, Described
from convlens.network import Kind, Merge, Pointwise, Reshape, Slice, Whole


def concat(call: Call) -> Described:
    """Values side by side along an axis."""
    axis = call.batchless(int(call.arguments["dim"]), call.output)
    return Kind.CONCAT, Merge("concat", axis, constants=call.operand_constants()) if axis >= 0 else Whole("concat")


def stack(call: Call) -> Described:
    """Values side by side along a new axis."""
    axis = call.batchless(int(call.arguments["dim"]), call.output)
    constants = call.operand_constants(stacked=True)
    return Kind.CONCAT, Merge("stack", axis, constants=constants) if axis >= 0 else Whole("stack")


def slice_(call: Call) -> Described:
    """A part along one axis."""
    axis = int(call.arguments.get("dim") or 0) % len(call.before)
    size, first = call.before[axis], int(call.arguments.get("start") or 0)
    start = min(max(first + size if first < 0 else first, 0), size)
    return Kind.RESHAPE, part(call, axis, start, int(call.arguments.get("step") or 1))


def split(call: Call) -> Described:
    """The first of several parts along one axis."""
    return Kind.RESHAPE, part(call, int(call.arguments.get("dim") or 0) % len(call.before), 0)


def part(call: Call, axis: int, start: int, step: int = 1) -> Slice | Whole:
    """What begins at ``start`` along an axis of the whole shape, batch included."""
    lead = call.lead(call.before)
    if axis < lead:
        return Whole(call.op)
    starts, steps = [0] * len(call.before), [1] * len(call.before)
    starts[axis], steps[axis] = start, step
    return Slice(tuple(starts[lead + 1 :]), tuple(steps[lead + 1 :]), starts[lead], steps[lead])


def reshape(call: Call) -> Described:
    """The same numbers, read in the same order, in another shape."""
    if call.lead(call.before) != call.lead(call.output):
        return Kind.RESHAPE, Whole(call.op)
    before, after = call.before, call.output
    return Kind.RESHAPE, Reshape(call.op, aligned=len(before) > 2 and before[2:] == after[2:])


def squeeze(call: Call) -> Described:
    """An axis of length one comes or goes."""
    if call.lead(call.before) != call.lead(call.output):
        return Kind.RESHAPE, Whole(call.op)
    before = [n for n in call.before[1:] if n != 1]
    after = [n for n in call.output[1:] if n != 1]
    return Kind.RESHAPE, Reshape(call.op, aligned=before == after)


def permute(call: Call) -> Described:
    """Axes in another order."""
    order = list(range(len(call.before)))
    if call.op == "permute":
        order = [int(axis) % len(order) for axis in call.arguments["dims"]]
    elif call.op in ("transpose", "swapaxes"):
        first, second = (
            int(call.arguments[name]) for name in (("dim0", "dim1") if call.op == "transpose" else ("axis0", "axis1"))
        )
        order[first], order[second] = order[second], order[first]
    else:
        order.reverse()
    lead = call.lead(call.before)
    if order[:lead] != list(range(lead)) or lead != call.lead(call.output):
        return Kind.RESHAPE, Whole(call.op)
    axes = tuple(axis - lead for axis in order[lead:])
    spatial = [axis for axis in axes if axis >= 1]
    return Kind.RESHAPE, Reshape("transpose", aligned=spatial == sorted(spatial), axes=axes)


def copy(call: Call) -> Described:
    """A value put into another's place: ``y[:, ::2] = x``."""
    return Kind.RESHAPE, Pointwise("cast") if call.before == call.output else Whole(call.op)


def reordered(call: Call) -> Described:
    """Channels and places exchanged in blocks."""
    return Kind.RESHAPE, Reshape(call.op)
