"""Where a tensor comes from: an input, a layer in the making, or constants and parameters."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.modules import Owner
from convlens.engines.torch.reordering import Reordering
from convlens.network import Kind, Layer, Operation, Shape

MARK = "_convlens_origin"
"""The attribute of a tensor that says where its values come from."""

Weight = torch.Tensor | Reordering | float
"""What a layer computes with beside its inputs: a tensor, a number, or the order that it copies values in."""


@dataclass(slots=True, eq=False)
class Given:
    """A network input: a value that no layer made."""

    name: str
    shape: Shape
    order: int = 0


@dataclass(slots=True, eq=False)
class Constant:
    """A tensor that no input can change, and the parameters that it was computed from (by weight norm, say).

    ``drawn``: numbers that this run drew at random, or that were computed from such.
    """

    parameters: tuple[Owner, ...] = ()
    drawn: bool = False


@dataclass(slots=True, eq=False)
class Node:
    """A layer in the making: all but its name is known when its operator has run.

    ``shape`` is whole, batch included if ``batched``. ``order`` counts operators. ``siblings`` are all results of the
    same call, itself included. ``drawn``: see :class:`~convlens.network.Layer`.
    """

    op: str
    kind: Kind
    operation: Operation | None
    inputs: tuple[Origin, ...]
    shape: Shape
    batched: bool
    dtype: str
    order: int
    notes: tuple[str, ...] = ()
    parameters: tuple[Owner, ...] = ()
    weights: dict[str, Weight] = field(default_factory=dict)
    sums_in: str | None = None
    suffix: str = ""
    siblings: list[Node] = field(default_factory=list)
    name: str | None = None
    scope: tuple[str, ...] = ()
    tensor: torch.Tensor | None = None
    told: Layer | None = None
    drawn: bool = False

    def layer(self, counted: dict[Owner, str]) -> Layer:
        """The finished layer. ``counted``: the layer that each parameter was counted in; it is brought up to date."""
        if self.name is None:
            raise ValueError("a layer can't be told before it has a name")
        fresh = [parameter for parameter in self.parameters if parameter not in counted]
        shares = None if fresh else next((counted[parameter] for parameter in self.parameters), None)
        counted.update(dict.fromkeys(fresh, self.name))
        return Layer(
            name=self.name,
            op=self.op,
            kind=self.kind,
            inputs=tuple(source.name or "" for source in self.inputs),
            output_shape=self.shape[1:] if self.batched else self.shape,
            operation=self.operation,
            parameters=sum(parameter.numel for parameter in fresh),
            dtype=self.dtype,
            scope=self.scope,
            shares=shares,
            notes=self.notes,
            sums_in=self.sums_in,
            drawn=self.drawn,
        )


Origin = Given | Node


def batch_note(shape: Shape, batch: int) -> str:
    """Why a value is shown whole, when its first axis isn't the batch axis."""
    if batch > 1 and shape and shape[0] and shape[0] % batch == 0:
        return "The batch is folded into the first axis; the value is shown whole."
    return "The first axis isn't the batch; the value is shown whole."
