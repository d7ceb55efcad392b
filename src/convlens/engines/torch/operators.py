"""What a torch operator says about itself: its word, its arguments, which of them it writes into."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch import drawing
from convlens.engines.torch.arranged import part
from convlens.engines.torch.calls import Call, Reader
from convlens.engines.torch.graph import Weight
from convlens.engines.torch.operations import OPERANDS, ROLES, describe, described_elsewhere, described_quantised
from convlens.network import Kind, Operation, Shape, Slice, Whole

# The same values again: no layer of its own.
_TRANSPARENT = frozenset(
    "detach alias contiguous clone lift_fresh lift lift_fresh_copy conj resolve_conj".split()  # noqa: SIM905
)
_CASTS = frozenset(("to", "_to_copy", "type_as"))
# Of several results only the first is a value for a reader.
_FIRST_ONLY = frozenset(
    "max_pool1d_with_indices max_pool2d_with_indices max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d"  # noqa: SIM905
    " adaptive_max_pool3d fractional_max_pool2d fractional_max_pool3d native_batch_norm native_layer_norm"
    " native_group_norm _native_batch_norm_legit _native_batch_norm_legit_no_training _batch_norm_no_update"
    " cudnn_batch_norm native_dropout log_sigmoid_forward _fused_rms_norm"
    " _scaled_dot_product_flash_attention_for_cpu _scaled_dot_product_flash_attention"
    " _scaled_dot_product_efficient_attention".split()
)
# What has the shape of its input and none of its values.
_OF_A_SHAPE = frozenset(
    "empty_like zeros_like ones_like full_like rand_like randn_like randint_like new_empty new_empty_strided new_zeros"  # noqa: SIM905
    " new_ones new_full".split()
)
# Composite operators that look at `requires_grad` to choose a kernel.
_DECIDING = frozenset(
    [
        "linear",
        "matmul",
        "einsum",
        "tensordot",
        "bilinear",
        "lstm",
        "gru",
        "rnn_tanh",
        "rnn_relu",
        "scaled_dot_product_attention",
    ]
)
_MEASURES = dict.fromkeys(("expand_as", "view_as", "reshape_as", "type_as"), "other")
# Worth computing aside: what in-place layers and residual sums are made of.
_SWAPPABLE = frozenset(
    "relu_ relu6_ hardtanh_ leaky_relu_ elu_ silu_ sigmoid_ tanh_ hardswish_ hardsigmoid_ mish_ celu_ selu_ gelu_"  # noqa: SIM905
    " add_ sub_ mul_ div_ clamp_ clamp_min_".split()
)


@dataclass(frozen=True, slots=True, eq=False)
class Operator:
    """One overload, as its schema tells it.

    ``outs``: arguments that only take the result (``out=``). ``of_a_shape``: no value of its input matters.
    ``out_of_place`` is the same operator with a result of its own. ``decides``: how it computes
    depends on what autograd would need. ``aten``: PyTorch's own; another library's operator of the same name
    (``quantized::conv2d``) has other arguments, and isn't described by them. ``measures``: the argument of which it
    reads the size or the type alone.
    """

    word: str
    names: tuple[str, ...]
    defaults: Mapping[str, Any]
    writes: tuple[str, ...]
    outs: tuple[str, ...]
    of_a_shape: bool
    aten: bool
    random: bool
    transparent: bool
    casts: bool
    first_only: bool
    pointwise: bool
    overwrites: bool
    decides: bool
    roles: tuple[tuple[int, str, str], ...]
    puts_together: tuple[tuple[int, str], ...]
    measures: str | None
    out_of_place: Callable[..., Any] | None

    def weights(self, args: Sequence[Any], kwargs: Mapping[str, Any], read: Container[int]) -> dict[str, Weight]:
        """The weights among the arguments, by role: tensors that no input can change."""
        found: dict[str, Weight] = {}
        for place, name, role in self.roles:
            value = args[place] if place < len(args) else kwargs.get(name)
            if isinstance(value, torch.Tensor) and id(value) not in read:
                found[role] = value
        return found

    def draws(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> bool:
        """Whether this very call draws at random: a dropout that is off, say, doesn't."""
        return self.random and drawing.draws(self.word, self.bind(args, kwargs))

    def operands(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> list[Any]:
        """The values that the operator puts together, tensors and numbers, in their order; empty for all others."""
        found: list[Any] = []
        for place, name in self.puts_together:
            value = args[place] if place < len(args) else kwargs.get(name, self.defaults.get(name))
            found.extend(value if isinstance(value, (list, tuple)) else [value])
        return found

    def only_measures(self, args: Sequence[Any], kwargs: Mapping[str, Any], read: Container[int]) -> bool:
        """Whether the values that the network's input can change are read for their size or type alone."""
        if self.measures is None:
            return False
        place = self.names.index(self.measures)
        others = [*args[:place], *args[place + 1 :], *(v for name, v in kwargs.items() if name != self.measures)]
        return not any(isinstance(value, torch.Tensor) and id(value) in read for value in others)

    def bind(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Every argument by its name, in the schema's order, defaults included."""
        given = {**dict(zip(self.names, args, strict=False)), **kwargs}
        return {name: given[name] if name in given else self.defaults.get(name) for name in self.names}


@cache
def operator(function: Any) -> Operator:
    """Read the schema of an overload, once."""
    schema = function._schema
    full = schema.name.split("::")[-1]
    names = tuple(a.name for a in schema.arguments)
    writes = tuple(a.name for a in schema.arguments if a.alias_info is not None and a.alias_info.is_write)
    aten = function.namespace in ("aten", "prims")
    word = full[:-1] if full.endswith("_") and not full.startswith("__") else full
    word = word.strip("_") if word.startswith("__") else word
    pointwise = torch.Tag.pointwise in function.tags
    return Operator(
        word=word,
        names=names,
        defaults={a.name: a.default_value for a in schema.arguments if a.has_default_value()},
        writes=writes,
        outs=tuple(a.name for a in schema.arguments if a.kwarg_only and a.name in writes),
        of_a_shape=aten and word in _OF_A_SHAPE,
        aten=aten,
        random=drawing.may_draw(function, word),
        transparent=aten and word in _TRANSPARENT,
        casts=aten and word in _CASTS,
        first_only=aten and word in _FIRST_ONLY,
        pointwise=pointwise,
        overwrites=full == "copy_",
        decides=word in _DECIDING,
        roles=tuple(
            (names.index(name), name, role) for name, role in ROLES.get(word, {}).items() if aten and name in names
        ),
        puts_together=tuple((names.index(name), name) for name in OPERANDS.get(word, ()) if aten and name in names),
        measures=_MEASURES.get(word) if aten else None,
        out_of_place=_out_of_place(function, full) if writes == ("self",) else None,
    )


def _out_of_place(function: Any, name: str) -> Callable[..., Any] | None:
    """``relu`` for ``relu_``: only where the operator is point by point and takes the very same arguments."""
    packet = getattr(getattr(torch.ops, function.namespace), name[:-1], None) if name.endswith("_") else None
    twin = getattr(packet, function._overloadname, None) if packet is not None else None
    if twin is None or [a.name for a in twin._schema.arguments] != [a.name for a in function._schema.arguments]:
        return None
    found: Callable[..., Any] = twin
    return found if name in _SWAPPABLE else None


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """``float32`` for ``torch.float32``."""
    return str(dtype).removeprefix("torch.")


def described(
    made_by: Operator,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    read: Container[int],
    outputs: tuple[Shape, ...],
    batch: int,
) -> tuple[Kind, tuple[Operation | None, ...]]:
    """The kind of a call and the operation of each result, remembered by all that they depend on.

    ``read``: ids of the tensors that the network's inputs can change.
    """
    facts = tuple([_fact(value, read) for value in args])
    named = tuple([(name, _fact(value, read)) for name, value in kwargs.items()]) if kwargs else ()
    try:
        return _described(made_by, facts, named, outputs, batch)
    except TypeError:  # an argument that can't be a key
        return _described.__wrapped__(made_by, facts, named, outputs, batch)


_TENSOR = object()
_OPAQUE = (torch.ScriptObject, torch.Generator)
"""Objects of C++ (packed weights of quantised layers), which may refuse to be compared."""


def _fact(value: Any, read: Container[int]) -> Any:
    """All that matters of an argument; of a tensor its shape, whether it can move, its type. Tuples hash fastest."""
    if isinstance(value, torch.Tensor):
        return _TENSOR, value.shape, id(value) in read, value.dtype
    if isinstance(value, (list, tuple)):
        return tuple([_fact(item, read) for item in value])
    return type(value) if isinstance(value, _OPAQUE) else value


def _is_tensor(fact: Any) -> bool:
    return isinstance(fact, tuple) and len(fact) == 4 and fact[0] is _TENSOR


def _reader(made_by: Operator, call: Call) -> Reader:
    if not made_by.aten:
        return described_elsewhere
    return described_quantised if call.dtype.startswith(("quint", "qint")) else describe


def _listed(fact: Any) -> tuple[Any, ...]:
    """The facts in a list of them, or the only one."""
    return fact if isinstance(fact, tuple) and not _is_tensor(fact) else (fact,)


@lru_cache(maxsize=4096)
def _described(
    made_by: Operator,
    args: tuple[Any, ...],
    kwargs: tuple[tuple[str, Any], ...],
    outputs: tuple[Shape, ...],
    batch: int,
) -> tuple[Kind, tuple[Operation | None, ...]]:
    arguments = made_by.bind(args, dict(kwargs))
    listed = [_listed(value) for value in arguments.values()]
    operands = [fact for _, name in made_by.puts_together for fact in _listed(arguments[name])]
    constant = [(n, fact) for n, fact in enumerate(operands) if not (_is_tensor(fact) and fact[2])]
    call = Call(
        op=made_by.word,
        arguments=arguments,
        shapes={name: tuple(value[1]) for name, value in arguments.items() if _is_tensor(value)},
        moving=tuple(tuple(fact[1]) for facts in listed for fact in facts if _is_tensor(fact) and fact[2]),
        output=tuple(outputs[0]),
        batch=batch,
        pointwise=made_by.pointwise,
        dtype=next(dtype_name(fact[3]) for facts in listed for fact in facts if _is_tensor(fact) and fact[2]),
        constants=tuple((n, tuple(fact[1]) if _is_tensor(fact) else ()) for n, fact in constant),
    )
    kind, operation = _reader(made_by, call)(call)
    if made_by.random and drawing.draws(made_by.word, arguments):
        operation = drawing.drawn(operation)
    if len(outputs) == 1:
        return kind, (operation,)
    if not isinstance(operation, Slice):  # indices, states: only the first result is what the operator is called after
        return kind, (operation, *(Whole(made_by.word) for _ in outputs[1:]))
    axis = int(arguments.get("dim") or 0) % len(call.before)
    starts = [sum(shape[axis] for shape in outputs[:place]) for place in range(len(outputs))]
    return kind, tuple(part(call, axis, start) for start in starts)
