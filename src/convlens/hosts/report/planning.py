"""How each layer's values get into the file: the true way first, and what is given up where the budget asks for it.

True means the framework's own float32, bit for bit. It costs nothing where the page can work the layer out by itself
(:mod:`forward`, :mod:`orders`), and is written out otherwise. Where the file would grow beyond its budget, its largest
pieces are made small, one more until it fits; then those that can be milder again are. Kernels go from float32 to
float16 and 8 bits; maps to what the page works out nearly, to float16, then to half the resolution, a quarter, and so
on. What is worked out from a piece that was made small isn't true any more; so as few as can be are made as small as
can be, and the others, the early layers where a reader begins, stay true. Where even that is too much, the largest
kernels are left out, and their layers can be looked at but not explained.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ConvlensError
from convlens.hosts.report import coding, forward, orders
from convlens.hosts.report.coding import Coded
from convlens.hosts.report.orders import Order
from convlens.lens import tiles
from convlens.network import Convolution, Layer

if TYPE_CHECKING:
    from convlens.lens import FeatureMaps

_SMALL = 48_000  # bytes: so little is written out, which is shown sooner than it is worked out
_MOST_WORK = 3_000_000_000  # multiply-accumulates of one layer that the page is asked for
_WORTH_SHRINKING = 4096  # values of a weight
_LEAST_SHARE = 1024  # bytes of a layer's maps

LEFT_OUT = 3

How = Literal["values", "formula", "ordered", "worked"]


@dataclass(slots=True, eq=False)
class Weight:
    """One layer's weights, and in which form they go into the file."""

    layer: str
    roles: Mapping[str, Array]
    at: int = 0
    forms: list[dict[str, Coded]] = field(default_factory=list)

    @property
    def exact(self) -> bool:
        """Whether every weight comes out as it went in."""
        return not self.left_out and all(coded.exact for coded in self.coded.values())

    @property
    def left_out(self) -> bool:
        """Whether nothing of it goes into the file."""
        return self.at == LEFT_OUT

    @property
    def coded(self) -> dict[str, Coded]:
        """The bytes of each role."""
        if self.left_out:
            return {}
        while len(self.forms) <= self.at:
            self.forms.append(self._form(len(self.forms)))
        return self.forms[self.at]

    @property
    def size(self) -> int:
        """Bytes in the file, before they are written as text."""
        return sum(len(coded.data) for coded in self.coded.values())

    @property
    def can_shrink(self) -> bool:
        """Whether there is a smaller form."""
        return self.at < 2 and any(array.size >= _WORTH_SHRINKING for array in self.roles.values())

    def _form(self, number: int) -> dict[str, Coded]:
        found = {}
        for role, array in self.roles.items():
            coded = coding.as_i32(array) if array.dtype.kind in "iu" else None
            if coded is None and number and array.size >= _WORTH_SHRINKING:
                coded = coding.as_f16(array) if number == 1 else coding.as_q8(array)
            found[role] = coding.as_f32(array) if coded is None else coded
        return found


@dataclass(frozen=True, slots=True)
class Plan:
    """How the page gets one layer's values; see ``frontend/src/source/embedded/contents.ts``.

    ``of_true``: of values that aren't exact, whether they are worked out from the framework's own inputs at least.
    """

    how: How
    exact: bool
    size: int
    level: int = 0
    of_true: bool = False
    order: Order | None = None
    array: Coded | None = None


@dataclass(eq=False)
class Way:
    """What is known of one layer's true values: how the page can get them, whatever its inputs turn out to be.

    ``off``: what has to be added where working it out doesn't give the framework's own bits; ``furthest``: the largest
    difference without it.
    """

    layer: Layer
    values: Array
    order: Order | None = None
    formula: bool = False
    off: Coded | None = None
    at: int = 0
    furthest: float = 0.0
    _whole: Coded | None = None
    _halves: dict[int, Coded | None] = field(default_factory=dict)

    @cached_property
    def checksum(self) -> int:
        """What the page's values are held against."""
        return coding.checksum(self.values)

    def whole(self) -> Coded:
        """The values themselves."""
        if self._whole is None:
            self._whole = coding.as_f32(self.values)
        return self._whole

    def half(self, level: int) -> Coded | None:
        """The values, or their means at a level, in float16; ``None`` where that can't be."""
        if level not in self._halves:
            self._halves[level] = coding.as_f16(at_level(self.values, level))
        return self._halves[level]

    @property
    def recomputable(self) -> bool:
        """Whether the page can work it out, given true inputs."""
        return self.order is not None or self.formula

    @property
    def coarsest(self) -> int:
        """The last form that it can take."""
        planes = tiles.as_planes(self.values)
        return 2 + (tiles.levels_of(*planes.shape[2:]) - 1 if self.values.ndim > 2 else 0)

    def plan(self, true_inputs: bool, whole_inputs: bool) -> Plan:
        """The plan in the form that it has now.

        ``true_inputs``: whether the page has the framework's own inputs and kernels; ``whole_inputs``: whether it has
        them at their full resolution at least.
        """
        works = self.recomputable
        if self.at == 0:
            if works and true_inputs and (self.off is None or len(self.off.data) < len(self.whole().data)):
                how: How = "ordered" if self.order is not None else "formula"
                return Plan(how, True, len(self.off.data) if self.off else 0, order=self.order, array=self.off)
            if self.formula and whole_inputs and self.off is None:
                return Plan("formula", False, 0)
            return Plan("values", True, len(self.whole().data), array=self.whole())
        if self.formula and whole_inputs:
            return Plan("formula", False, 0, of_true=true_inputs)
        if self.at == 1 and works and true_inputs and self.off is not None:
            return Plan("worked", False, 0, of_true=True)
        level = max(0, self.at - 2)
        half = self.half(level)
        if half is None:
            return Plan("values", True, len(self.whole().data), array=self.whole())
        return Plan("values", half.exact and level == 0, len(half.data), level, array=half)


def at_level(values: Array, level: int) -> Array:
    """A layer's values, or their means over 2^level x 2^level: (channels, slices, rows, columns) above level 0."""
    if level == 0:
        return values
    planes = tiles.as_planes(values)
    channels = range(planes.shape[0])
    return np.stack([tiles.at_level(planes, level, channels, part) for part in range(planes.shape[1])], axis=1)


def ways(maps: FeatureMaps, weights: Mapping[str, Weight]) -> Iterator[Way]:
    """For each kept layer how the page can get its true values; every claim is held against all of them."""
    known: list[Order] = []
    for name, found in maps.items():
        layer, values = found.layer, found.array
        way = Way(layer, values)
        if values.size and 4 * values.size > _SMALL:
            sources = _sources(maps, layer)
            if sources is not None:
                _look_for(way, sources, weights[name].roles if name in weights else {}, known)
        yield way


def _sources(maps: FeatureMaps, layer: Layer) -> list[Array] | None:
    """A layer's inputs, where the file holds them all."""
    inputs = {given.name for given in maps.network.inputs}
    if not layer.inputs or any(name not in inputs and name not in maps for name in layer.inputs):
        return None
    try:
        return [maps.value(name) for name in layer.inputs]
    except ConvlensError:  # a file that was loaded without what it was fed
        return None


def _look_for(way: Way, sources: list[Array], weights: Mapping[str, Array], known: list[Order]) -> None:
    operation = way.layer.operation
    if isinstance(operation, Convolution):
        biased = operation.bias and "bias" not in weights
        if "kernel" not in weights or biased or "fused" in weights or not orders.fits(operation):
            return
        if way.layer.macs > _MOST_WORK or sources[0].ndim != 1 + len(operation.kernel_size):
            return
        order, share = orders.find(operation, sources[0], weights, way.values, known[-4:])
        near = orders.added_up(operation, order, sources[0], weights, way.layer.output_shape[1:])
        way.order = order
        if share == 1:
            known.append(order)
    else:
        formula = forward.by_formula(way.layer, sources, weights)
        if formula is None:
            return
        near, way.formula = formula, True
    if coding.checksum(near) != way.checksum:
        steps = coding.steps_between(near, way.values)
        way.off = None if steps is None else coding.as_i32(steps)
        with np.errstate(all="ignore"):
            way.furthest = float(np.abs(near.astype(np.float64) - way.values).max())
        if steps is None:
            way.order, way.formula = None, False


@dataclass(slots=True)
class Plans:
    """Everything that goes into a file: the weights of each model, the ways of each run."""

    weights: dict[str, dict[str, Weight]]
    runs: list[tuple[str, dict[str, Way]]]  # model, ways by layer
    least: int = sys.maxsize
    """The fewest bytes that were reached while nothing fitted."""

    def plan(self, number: int) -> dict[str, Plan]:
        """The plans of one run, its layers in execution order."""
        model, found = self.runs[number]
        plans: dict[str, Plan] = {}
        for name, way in found.items():
            weight = self.weights[model].get(name)
            held = [plans[source] for source in way.layer.inputs if source in plans]
            plans[name] = way.plan(
                (weight is None or weight.exact) and all(plan.exact for plan in held),
                all(plan.level == 0 for plan in held) and (weight is None or not weight.left_out),
            )
        return plans

    @property
    def size(self) -> int:
        """Bytes of all weights and maps."""
        held = sum(weight.size for layers in self.weights.values() for weight in layers.values())
        return held + sum(plan.size for n in range(len(self.runs)) for plan in self.plan(n).values())

    def fit(self, room: int) -> bool:
        """Give up as much as has to be; false where even the smallest forms don't fit.

        Of several orders in which pieces can be made small the one is taken that leaves most layers true. Nothing is
        left out where smaller forms of everything do: what is nearly right explains more than what isn't there.
        """
        self._forms(0)
        if self.size <= room:
            return True
        best, kept = None, -1
        orders_of_pieces = self._orders()
        for form in (2, LEFT_OUT):
            if best is not None:
                break
            for ordered in orders_of_pieces:
                self._forms(0)
                if self._shrink(ordered, form, room):
                    self._soften(room)
                    if self.true_layers > kept:
                        best, kept = [piece.at for piece in self._pieces], self.true_layers
        if best is None:
            return self._coarsen(room)
        for piece, at in zip(self._pieces, best, strict=True):
            piece.at = at
        return True

    @property
    def true_layers(self) -> int:
        """How many layers have their true values and weights."""
        return sum(
            plan.exact and (name not in self.weights[model] or self.weights[model][name].exact)
            for number, (model, _) in enumerate(self.runs)
            for name, plan in self.plan(number).items()
        )

    @property
    def _pieces(self) -> list[Weight | Way]:
        weights = (weight for layers in self.weights.values() for weight in layers.values())
        return [*weights, *(way for _, ways in self.runs for way in ways.values())]

    def _forms(self, form: int) -> None:
        for piece in self._pieces:
            piece.at = form

    def _orders(self) -> list[list[Weight | Way]]:
        """What to make small first: the largest pieces; or the maps that can't be worked out, then the last kernels."""
        weights = [piece for piece in self._pieces if isinstance(piece, Weight) and piece.can_shrink]
        ways: list[tuple[int, Way]] = []
        for number, (_, found) in enumerate(self.runs):
            plans = self.plan(number).items()  # whatever is worked out stays: the layers behind it are worked out of it
            ways += [(plan.size, found[name]) for name, plan in plans if plan.size > _SMALL and plan.how == "values"]
        sized: list[tuple[int, Weight | Way]] = [*ways, *((weight.size, weight) for weight in weights)]
        by_size = [piece for _, piece in sorted(sized, key=lambda one: -one[0])]
        last_first: list[Weight | Way] = [way for _, way in sorted(ways, key=lambda one: -one[0])]
        return [by_size, last_first + weights[::-1]]

    def _shrink(self, pieces: list[Weight | Way], form: int, room: int) -> bool:
        """One more piece in a smaller form, until all fits."""
        for piece in pieces:
            piece.at = form if isinstance(piece, Weight) else 2
            self._follow()
            size = self.size
            if size <= room:
                return True
            self.least = min(self.least, size)
        return False

    def _follow(self) -> None:
        """Maps that lost their true inputs or kernels go into the file in float16."""
        for number, (_, ways) in enumerate(self.runs):
            for name, plan in self.plan(number).items():
                if plan.how == "values" and plan.size > _SMALL and ways[name].at == 0 and ways[name].recomputable:
                    ways[name].at = 2

    def _soften(self, room: int) -> None:
        """Milder forms where they fit, the early layers first."""
        for model, ways in self.runs:
            for name, way in ways.items():
                weight = self.weights[model].get(name)
                for piece in (way,) if weight is None else (weight, way):
                    for form in range(piece.at):
                        before, piece.at = piece.at, form
                        if self.size <= room:
                            break
                        piece.at = before

    def _coarsen(self, room: int) -> bool:
        """No kernels but the smallest; no layer's maps larger than a share, which shrinks until all fits."""
        ways = [piece for piece in self._pieces if isinstance(piece, Way)]
        share = max((2 * way.values.size for way in ways), default=0)
        self._forms(0)
        for piece in self._pieces:
            piece.at = LEFT_OUT if isinstance(piece, Weight) and piece.can_shrink else 0
        self._follow()
        while self.size > room:
            if share < _LEAST_SHARE:
                self.least = min(self.least, self.size)
                return False
            share //= 2
            for way in ways:
                while way.at < way.coarsest and 2 * way.values.size >> 2 * max(0, way.at - 2) > share:
                    way.at = max(2, way.at + 1)
        self._soften(room)
        return True
