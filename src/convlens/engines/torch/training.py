"""Weights of a PyTorch model, taken out while it trains and put into a copy of it."""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ModelError

if TYPE_CHECKING:
    import torch  # noqa: TID251

_HOOKS = ("_forward_pre_hooks", "_forward_hooks", "_backward_pre_hooks", "_backward_hooks")


def weights_of(model: torch.nn.Module) -> dict[str, Array]:
    """Parameters and buffers by their names in ``state_dict``, copied; bfloat16 as float32, which holds all of it.

    Raises:
        ModelError: the weights don't exist yet: a lazy layer, the meta device.
    """
    import torch  # noqa: TID251

    from convlens.engines.torch.refusals import unready

    reason = unready(model)
    if reason is not None:
        raise reason
    found = {}
    for name, tensor in model.state_dict().items():
        if isinstance(tensor, torch.Tensor):
            kept = tensor.detach().cpu()
            kept = kept.float() if kept.dtype == torch.bfloat16 else kept
            found[name] = np.array(kept.numpy())
    return found


def with_weights(model: torch.nn.Module, weights: Mapping[str, Array]) -> torch.nn.Module:
    """A copy of the model that holds these weights, as it is at inference; the model stays as it is.

    Raises:
        ModelError: the model can't be copied, or the weights aren't its own.
    """
    import torch  # noqa: TID251

    try:
        copied = copy.deepcopy(model, _replaced(model))
        copied.zero_grad(set_to_none=True)
        copied.load_state_dict({name: torch.as_tensor(array) for name, array in weights.items()}, strict=False)
    except Exception as error:  # whatever a model of somebody's own raises
        raise ModelError(
            "This model can't be copied, so that its steps can't be opened",
            expected="a torch.nn.Module that copy.deepcopy copies",
            received=f"{type(model).__name__}: {error}"[:300],
            hint="Record the module inside of it that you wrote yourself.",
        ) from error
    return copied.eval()


def _replaced(model: torch.nn.Module) -> dict[int, Any]:
    """What ``copy.deepcopy`` puts in place of parts of the model, by ``id``.

    An activation that ``forward`` keeps in an attribute is part of a graph, which can't be copied: its values can. The
    hooks of the person who trains would run once more in the copy; those of PyTorch itself make weights, and stay.
    """
    found: dict[int, Any] = {}
    for module in model.modules():
        for name, value in vars(module).items():
            if name in _HOOKS:
                found[id(value)] = OrderedDict((key, hook) for key, hook in value.items() if _is_pytorchs(hook))
            else:
                found |= {id(tensor): tensor.detach().clone() for tensor in _activations(value)}
    return found


def _is_pytorchs(hook: object) -> bool:
    return any(kind.__module__.startswith("torch.") for kind in type(hook).__mro__)


def _activations(value: object) -> Iterator[torch.Tensor]:
    import torch  # noqa: TID251

    if isinstance(value, torch.Tensor):
        if not value.is_leaf:
            yield value
    elif isinstance(value, Mapping):
        for held in value.values():
            yield from _activations(held)
    elif isinstance(value, (list, tuple)):
        for held in value:
            yield from _activations(held)
