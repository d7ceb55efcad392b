"""The network as a table: network -> rows -> text, HTML or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from html import escape
from typing import Any

from convlens.derivation import Worked, derive_all
from convlens.errors import inert
from convlens.network import Kind, Layer, Network, ReceptiveField

Derive = Callable[[], Iterator[Worked]]

HEADINGS = ("layer", "op", "output shape", "parameters", "MACs", "receptive field")
_NUMBERS = (2, 3, 4, 5)  # columns that stand to the right


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table. ``depth`` is how far a scope indents it; a scope's own line has no layer."""

    depth: int
    cells: tuple[str, ...]
    layer: Layer | None


class Summary:
    """Layer, op, output shape, parameters, MACs and receptive field of every layer, with totals.

    Prints as a table, shows itself as one in a notebook, and gives the same facts as :meth:`to_dict`. Pure shape
    plumbing is left out unless ``plumbing`` asks for it; the totals count it all the same.

    >>> import convlens
    >>> summary = convlens.sketch("conv 3 3x3 | relu", input_shape=(3, 1440, 1080)).summary()
    >>> summary.totals()
    '2 layers, 84 parameters, 125,563,284 MACs'
    >>> [row.cells[2] for row in summary.rows()]
    ['3 x 1438 x 1078', '3 x 1438 x 1078']
    """

    def __init__(self, network: Network, *, plumbing: bool = False, derive: Derive | None = None) -> None:
        self.network = network
        self.plumbing = plumbing
        self._derive = derive or (lambda: derive_all(network))

    @property
    def layers(self) -> tuple[Layer, ...]:
        """The layers that the table shows, in execution order."""
        return tuple(layer for layer in self.network if self.plumbing or layer.kind != Kind.PLUMBING)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one forward pass on one picture."""
        return sum(layer.macs for layer in self.network)

    def heading(self) -> str:
        """One line: the model, its engine, its inputs."""
        inputs = ", ".join(f"{i.name} {_dims(i.shape)}" for i in self.network.inputs)
        return f"{self.network.name} ({self.network.engine}), input {inputs}"

    def rows(self) -> Iterator[Row]:
        """The lines of the table: each new scope announces itself, its layers stand indented below."""
        opened: tuple[str, ...] = ()
        for layer in self.layers:
            scope = _headings(layer)
            for depth in range(_common(opened, scope), len(scope)):
                yield Row(depth, (scope[depth], "", "", "", "", ""), None)
            opened = scope
            cells = _cells(layer)
            if not self.network.sized:
                cells = (*cells[:2], "?", cells[3], "?", "?")
            yield Row(len(opened), cells, layer)

    def totals(self) -> str:
        """One line: what all layers add up to."""
        hidden = len(self.network) - len(self.layers)
        parts = [
            f"{len(self.layers)} layers",
            f"{self.network.parameters:,} parameters",
            f"{self.macs:,} MACs" if self.network.sized else "MACs by the size of the picture",
        ]
        line = ", ".join(parts)
        return f"{line} ({hidden} layers of pure shape plumbing not shown)" if hidden else line

    def notes(self) -> tuple[str, ...]:
        """What the table can't say in its cells."""
        notes = list(self.network.notes)
        unused = self.network.parameters - sum(layer.parameters for layer in self.network)
        if unused > 0:
            notes.append(f"{unused:,} parameters of the model were not used by this run")
        for layer in self.layers:
            notes += [f"{layer.name}: {note}" for note in layer.notes]
        if not any(layer.kind == Kind.CONVOLUTION for layer in self.network):
            notes.append("this network has no convolution")
        return tuple(notes)

    def to_dict(self) -> dict[str, Any]:
        """Every fact of the table as plain data, for ``--json``, and how each number comes about."""
        network = self.network
        worked = {one.layer.name: one.to_dict() for one in self._derive()} if self.network.sized else {}
        return {
            "name": network.name,
            "engine": network.engine,
            "inputs": [{"name": i.name, "shape": list(i.shape), "dtype": i.dtype} for i in network.inputs],
            "outputs": list(network.outputs),
            "layers": [{**layer_facts(layer), **worked.get(layer.name, {})} for layer in self.layers],
            "parameters": network.parameters,
            "macs": self.macs,
            "notes": list(self.notes()),
        }

    def __str__(self) -> str:
        rows = list(self.rows())
        table = [HEADINGS, *(("  " * row.depth + row.cells[0], *row.cells[1:]) for row in rows)]
        widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
        lines = [_aligned(line, widths) for line in table]
        rule = "-" * max(len(line) for line in lines)
        notes = [f"Note: {note}." for note in self.notes()]
        return "\n".join([self.heading(), "", lines[0], rule, *lines[1:], rule, self.totals(), *notes])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        def line(cells: tuple[str, ...], tag: str, depth: int = 0) -> str:
            styles = [
                "text-align:right;padding:2px 12px" if n in _NUMBERS else "text-align:left;padding:2px 12px"
                for n in range(len(cells))
            ]
            styles[0] = f"text-align:left;padding:2px 12px 2px {12 + 16 * depth}px"
            inner = "".join(f'<{tag} style="{s}">{escape(c)}</{tag}>' for s, c in zip(styles, cells, strict=True))
            return f"<tr>{inner}</tr>"

        body = "".join(line(row.cells, "td", row.depth) for row in self.rows())
        notes = "".join(f"<br>{escape(note)}." for note in self.notes())
        caption = f"<caption style='text-align:left'>{escape(f'{self.network.name} ({self.network.engine})')}</caption>"
        table = f"<table>{caption}<thead>{line(HEADINGS, 'th')}</thead><tbody>{body}</tbody></table>"
        return f"{table}<p>{escape(self.totals())}{notes}</p>"


def layer_facts(layer: Layer) -> dict[str, Any]:
    """One layer as plain data."""
    field = layer.receptive_field
    return {
        "name": layer.name,
        "op": layer.op,
        "kind": str(layer.kind),
        "inputs": list(layer.inputs),
        "output_shape": list(layer.output_shape),
        "parameters": layer.parameters,
        "macs": layer.macs,
        "dtype": layer.dtype,
        "shares": layer.shares,
        "notes": list(layer.notes),
        "receptive_field": None
        if field is None
        else {
            "size": list(field.size),
            "stride": [_number(s) for s in field.stride],
            "start": [_number(s) for s in field.start],
            "end": [_number(s) for s in field.end],
            "whole": field.whole,
            "exact": field.exact,
        },
    }


def receptive_field_in_words(field: ReceptiveField | None) -> str:
    """A receptive field for a table cell: size and stride; ``<=`` where the box is a bound.

    >>> n = Fraction
    >>> receptive_field_in_words(ReceptiveField((37, 37), (n(25), n(25)), (n(0), n(0)), (n(36), n(36))))
    '37 x 37 / 25'
    """
    if field is None:
        return "-"
    size = " x ".join(str(n) for n in field.size)
    bound = "" if field.exact else "<= "
    if field.whole:
        return f"{bound}{size} (all)"
    strides = dict.fromkeys(str(s) for s in field.stride)
    return f"{bound}{size} / {' x '.join(strides)}"


def _cells(layer: Layer) -> tuple[str, ...]:
    scope = layer.scope
    name = layer.name
    for part in scope:  # the scope's line above has said this already
        rest = name.removeprefix(part)
        if rest == name or not rest:
            break
        name = rest.lstrip("./")
    parameters = f"{layer.parameters:,}" if layer.shares is None else f"shared: {layer.shares}"
    macs = f"{layer.macs:,}" if layer.macs else "-"
    return (
        inert(name, 200),
        layer.op,
        _dims(layer.output_shape),
        parameters if layer.parameters or layer.shares else "-",
        macs,
        receptive_field_in_words(layer.receptive_field),
    )


def _headings(layer: Layer) -> tuple[str, ...]:
    """The scopes as a reader counts them: ``layer1``, ``0`` is the one scope ``layer1.0``."""
    headings: list[str] = []
    place = 0
    for part in layer.scope:
        found = layer.name.find(part, place)
        joint = layer.name[place:found] if headings and found > 0 else ""
        place = max(found, 0) + len(part)
        if part.isdigit() and headings:
            headings[-1] += (joint or ".") + part
        else:
            headings.append(part)
    return tuple(headings)


def _dims(shape: tuple[int | None, ...]) -> str:
    return " x ".join("?" if n is None else str(n) for n in shape) or "scalar"


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    placed = (
        cell.rjust(width) if n in _NUMBERS else cell.ljust(width)
        for n, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(placed).rstrip()


def _common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    count = 0
    for a, b in zip(one, other, strict=False):
        if a != b:
            break
        count += 1
    return count


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)
