"""Weights of a PyTorch model, taken out while it trains and put into a copy of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ModelError

if TYPE_CHECKING:
    import torch  # noqa: TID251


def weights_of(model: torch.nn.Module) -> dict[str, Array]:
    """Parameters and buffers by their names in ``state_dict``, copied; bfloat16 as float32, which holds all of it."""
    import torch  # noqa: TID251

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
        copied = copy.deepcopy(model)
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
