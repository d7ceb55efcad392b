"""Operators that draw at random: which they are, and when they do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.network import RANDOM, Activation, Operation, Pointwise

DRAWN_NOTE = "drawn at random: another run draws other values"
READS_NOTE = "made with numbers that this run drew at random: another run draws others"
DECIDED_NOTE = "the model's own code had looked at a random number before this ran: another run may differ"
UNSEEN_NOTE = "the model draws at random where convlens can't see it, in its own code, say: two runs can differ"

# Those that PyTorch doesn't mark, since they are composed of others, or by oversight.
_UNMARKED = frozenset(
    "feature_dropout feature_alpha_dropout rrelu random binomial multinomial _sample_dirichlet"  # noqa: SIM905
    " scaled_dot_product_attention _scaled_dot_product_attention_math lstm_cell".split()
)


def may_draw(function: Any, word: str) -> bool:
    """Whether the operator can draw, under some settings."""
    return torch.Tag.nondeterministic_seeded in function.tags or word in _UNMARKED


def draws(word: str, arguments: Mapping[str, Any]) -> bool:
    """Whether it draws under these: not where it is told that nothing is trained, or to drop nothing."""
    for name in ("train", "training"):
        if arguments.get(name) is False:
            return False
    for name in ("p", "dropout", "dropout_p"):
        if name in arguments and word not in ("bernoulli", "geometric"):
            return bool(arguments[name] != 0)
    return word not in ("lstm_cell", "_flash_attention_forward_no_dropout_inplace")


def drawn(operation: Operation | None) -> Operation | None:
    """The operation of a call that draws: no arithmetic, though it may still go position by position."""
    return Pointwise(RANDOM) if isinstance(operation, (Pointwise, Activation)) else operation
