"""A layer with all its numbers worked out, and a whole network of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from convlens.derivation import typesetting
from convlens.derivation.counts import dense_instead, memory, multiply_accumulates, parameters
from convlens.derivation.line import Derivation
from convlens.derivation.remarks import remarks
from convlens.derivation.sizes import left_out, sizes
from convlens.network import Convolution, Dense, FreeShape, Layer, Network, Shape

Weights = Callable[[str], Mapping[str, Shape]]
"""From a layer's name to the shapes of its weights, by role."""


def no_weights(_layer: str) -> Mapping[str, Shape]:
    """For a network of which only the structure is known."""
    return {}


@dataclass(frozen=True, slots=True)
class Worked:
    """A layer with how its numbers come about, line by line, and what they mean.

    Prints as text; shows itself as formulas in a notebook; ``latex`` is for a paper.
    """

    layer: Layer
    derivations: tuple[Derivation, ...]
    remarks: tuple[str, ...]

    def __getitem__(self, what: str) -> Derivation:
        """The line of this name: ``"rows"``, ``"parameters"``, ``"MACs"``, ...

        Raises:
            KeyError: there is no such line.
        """
        lines = {line.what: line for line in self.derivations}
        if what not in lines:
            raise KeyError(f"{self.layer.name} has no line {what!r}; it has " + ", ".join(map(repr, lines)))
        return lines[what]

    @property
    def heading(self) -> str:
        """One line: the layer, its op, its shape."""
        return f"{self.layer.name} ({self.layer.op}): {shape_in_words(self.layer.output_shape)}"

    @property
    def latex(self) -> str:
        """The lines as an ``align*`` environment of amsmath, under a comment that names the layer."""
        lines = [rf"{typesetting.words(line.what)} &= {line.latex} \\" for line in self.derivations]
        name = self.heading.replace("\n", " ")
        return "\n".join([f"% {name}", r"\begin{align*}", *lines, r"\end{align*}"])

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, for ``--json``."""
        return {"derivations": [line.to_dict() for line in self.derivations], "remarks": list(self.remarks)}

    def __str__(self) -> str:
        return "\n".join([self.heading, *(f"  {line}" for line in (*self.derivations, *self.remarks))])

    def _repr_latex_(self) -> str:
        lines = [
            rf"{typesetting.words(line.what)} &= {line.rule_latex} \\ &= {line.latex}" for line in self.derivations
        ]
        lines += [rf"& {typesetting.words(remark)}" for remark in self.remarks]
        body = "\\\\\n".join([rf"\mathbf{{{typesetting.words(self.heading)}}} &", *lines])
        return f"$$\\begin{{aligned}}\n{body}\n\\end{{aligned}}$$"


def derive(
    layer: Layer, reads: Sequence[Shape | None], weights: Mapping[str, Shape] | None = None
) -> tuple[Derivation, ...]:
    """How a layer's numbers come about.

    Args:
        layer: the layer.
        reads: the shape of each of its inputs, ``None`` where it isn't known.
        weights: the shapes of its weights, by role.

    >>> from convlens.network import Kind
    >>> conv = Convolution(3, 3, (3, 3), (1, 1), (1, 1), ((0, 0), (0, 0)))
    >>> layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("x",), (3, 1438, 1078), conv, 84)
    >>> for line in derive(layer, [(3, 1440, 1080)])[:3]:
    ...     print(line)
    rows: floor((1440 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1438
    columns: floor((1080 + 0 + 0 - 1*(3-1) - 1) / 1) + 1 = 1078
    parameters: 3*3*3*3 + 3 = 84
    """
    first = reads[0] if reads else None
    return (
        *sizes(layer, reads),
        *left_out(layer.operation, first),
        *parameters(layer, weights or {}),
        *multiply_accumulates(layer, first),
        memory(layer),
        *dense_instead(layer, first),
    )


def derive_all(
    network: Network,
    layers: Collection[str] | None = None,
    *,
    given: Mapping[str, Shape] | None = None,
    weights: Weights = no_weights,
) -> Iterator[Worked]:
    """Every layer of the network, worked out, in execution order; sizes that nobody knows stay out.

    Args:
        network: the network.
        layers: the names of those to work out; all by default.
        given: the shapes that its inputs had in the run, where the network leaves them open.
        weights: tells the shapes of a layer's weights, by role; asked for layers with parameters of their own.
    """
    shapes: dict[str, Shape] = {
        one.name: tuple(n for n in one.shape if n is not None) for one in network.inputs if None not in one.shape
    }
    shapes |= given or {}
    for layer in network:
        shapes[layer.name] = layer.output_shape
        if layers is not None and layer.name not in layers:
            continue
        reads = [shapes.get(name) for name in layer.inputs]
        by_formula = isinstance(layer.operation, (Convolution, Dense))
        roles = weights(layer.name) if layer.parameters and not by_formula else {}
        yield Worked(layer, derive(layer, reads, roles), remarks(layer, reads, roles))


def in_words(network: Network) -> str:
    """The arithmetic of the whole network, layer by layer, as text to read."""
    lines = [f"{given.name}: {shape_in_words(given.shape)}" for given in network.inputs]
    for worked in derive_all(network):
        lines += ["", str(worked)]
    return "\n".join([*lines, ""])


def shape_in_words(shape: FreeShape) -> str:
    """A shape as a person says it.

    >>> shape_in_words((3, None, 1080)), shape_in_words(())
    ('3 x ? x 1080', 'scalar')
    """
    return " x ".join("?" if n is None else str(n) for n in shape) or "scalar"
