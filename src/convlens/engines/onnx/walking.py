"""One forward pass in pieces, so that what has been handed over can be forgotten before the next piece runs.

Short networks are one piece. A piece ends once the maps that it makes reach :data:`PIECE`; each cut costs the runtime a
change of its inner layout and forbids nothing else, since every map is an output anyhow.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from typing import Any

import onnx

from convlens import memory
from convlens.engines.base import Array
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.reading import Source
from convlens.engines.onnx.running import Runner, ancestors, needs_cast, piece_model, to_array
from convlens.engines.onnx.shapes import Value

PIECE = 256 << 20
"""Bytes of maps that one piece makes at least, unless it is the last."""


@dataclass(frozen=True, slots=True)
class Piece:
    """Some consecutive nodes: what they read from before, what they make for the reader, what for later pieces."""

    nodes: tuple[int, ...]
    given: tuple[str, ...]
    shown: tuple[str, ...]
    passed: tuple[str, ...]


def plan(graph: Graph, wanted: Sequence[str], values: Mapping[str, Value], limit: int) -> list[Piece]:
    """Cut what is needed for ``wanted`` into pieces; a cut crosses only values whose type and size are known."""
    feed = [i.name for i in graph.inputs]
    moving = [i for i in ancestors(graph, wanted, feed) if not _is_constant(graph, i)]
    last_use = {r: place for place, index in enumerate(moving) for r in graph.reads[index]}
    first_of = {o: place for place, index in enumerate(moving) for o in graph.nodes[index].output if o}
    chosen = frozenset(wanted)
    cuts, made = [0], 0
    for place, index in enumerate(moving):
        made += sum(_size(values[o]) for o in graph.nodes[index].output if o in chosen and o in values)
        crossing = (o for o, first in first_of.items() if first <= place < last_use.get(o, -1))
        if made >= limit and place + 1 < len(moving) and all(o in values for o in crossing):
            cuts.append(place + 1)
            made = 0
    cuts.append(len(moving))
    return [
        _piece(graph, moving, (begin, end), chosen, last_use, first_of) for begin, end in pairwise(cuts) if begin < end
    ] + _constants(graph, wanted)


def _piece(
    graph: Graph,
    moving: Sequence[int],
    span: tuple[int, int],
    wanted: Collection[str],
    last_use: Mapping[str, int],
    first_of: Mapping[str, int],
) -> Piece:
    begin, end = span
    inside = moving[begin:end]
    made = [o for i in inside for o in graph.nodes[i].output if o]
    reads = dict.fromkeys(r for i in inside for r in graph.reads[i])
    feed = {i.name for i in graph.inputs}
    given = [r for r in reads if r in feed or first_of.get(r, end) < begin]
    constants = ancestors(graph, [r for r in reads if r in graph.constant_values], ())
    return Piece(
        nodes=tuple(sorted({*inside, *constants})),
        given=tuple(given),
        shown=tuple(o for o in made if o in wanted),
        passed=tuple(o for o in made if last_use.get(o, -1) >= end),
    )


def _constants(graph: Graph, wanted: Sequence[str]) -> list[Piece]:
    """The wanted values that are constants, which some networks give out."""
    shown = [w for w in wanted if w in graph.constant_values]
    return [Piece(tuple(ancestors(graph, shown, ())), (), tuple(shown), ())] if shown else []


def _is_constant(graph: Graph, index: int) -> bool:
    return all(o in graph.constant_values for o in graph.nodes[index].output if o)


def _size(value: Value) -> int:
    return 4 * prod(value.shape)


class Walker:
    """A planned walk with its pieces loaded."""

    def __init__(
        self,
        source: Source,
        graph: Graph,
        wanted: Sequence[str],
        values: Mapping[str, Value],
        *,
        reference: bool = False,
        limit: int = PIECE,
    ) -> None:
        self._pieces = plan(graph, wanted, values, limit)
        self._values = values
        self._casts = {w: f"{w}__float32" for w in wanted if w in values and needs_cast(values[w].element)}
        if reference:
            self._casts = {}
        self._runners = [
            Runner(self._model(graph, piece), source, reference=reference, made=self._made(piece))
            for piece in self._pieces
        ]

    def _made(self, piece: Piece) -> int:
        return sum(_size(self._values[o]) for o in {*piece.shown, *piece.passed} if o in self._values)

    def _model(self, graph: Graph, piece: Piece) -> onnx.ModelProto:
        casts = {s: self._casts[s] for s in piece.shown if s in self._casts}
        given = {n: self._values[n] for n in piece.given}
        return piece_model(graph, piece.nodes, given, self._outputs(piece), casts)

    def _outputs(self, piece: Piece) -> list[str]:
        return list(dict.fromkeys((*(self._casts.get(s, s) for s in piece.shown), *piece.passed)))

    def walk(self, feed: Mapping[str, Array]) -> Iterator[tuple[str, Array]]:
        """Each wanted value with its array, in the order of the file; no piece runs before its turn."""
        for shown, value in self.raw(feed):
            array = to_array(value)
            del value
            yield shown, array

    def raw(self, feed: Mapping[str, Array]) -> Iterator[tuple[str, Any]]:
        """As :meth:`walk`, with what the runtime gave: a tensor of its own or an array."""
        alive: dict[str, Any] = dict(feed)
        for number, (piece, runner) in enumerate(zip(self._pieces, self._runners, strict=True)):
            if number and memory.present() is not None:
                memory.release()
            outputs = self._outputs(piece)
            made = dict(
                zip(outputs, runner.run({n: alive[n] for n in piece.given}, outputs, self._values), strict=True)
            )
            later = {n for p in self._pieces[number + 1 :] for n in p.given}
            alive = {n: v for n, v in (alive | made).items() if n in later}
            for shown in piece.shown:
                name = self._casts.get(shown, shown)
                value = made[name] if name in alive else made.pop(name)
                yield shown, value
                del value
