"""The model run once more: is what it gives what was shown? And may it be asked, where values are drawn at random?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from convlens.engines.base import Array
from convlens.errors import ConvlensError
from convlens.network import Network

_COARSE = 1e-3
"""A difference, relative to the largest value, that no other order of rounding makes of the same numbers."""


def compared(
    network: Network, shown: Mapping[str, Array], plain: Callable[[], Mapping[str, Array]]
) -> dict[str, float]:
    """Each output that was kept, held against a plain run of the model: the largest difference.

    Args:
        network: the layers of the run that is ``shown``.
        shown: its arrays, by layer.
        plain: runs the untouched model.

    Raises:
        ConvlensError: there is no output to compare, or two runs of the model differ by themselves.
    """
    first = plain()
    names = [name for name in first if name in shown]
    if not names:
        wanted = ", ".join(network.outputs[:3]) or "the model's output"
        raise ConvlensError(
            "No output of the model is among the layers that were kept, so there is nothing to compare",
            expected=wanted,
            received=", ".join(list(shown)[:3]) or "no layers",
            hint=f"Run feature_maps again without layers=, or with layers=[{network.outputs[0]!r}, ...]."
            if network.outputs
            else "",
        )
    differences = {name: difference(shown[name], first[name]) for name in names}
    apart = [name for name in names if _is_coarse(differences[name], shown[name])]
    for name in (name for name in names if differences[name] and name in network.varying):
        raise _differs(network, name)
    if apart:
        second = plain()
        for name in apart:
            if name not in second or _is_coarse(difference(first[name], second[name]), shown[name]):
                raise _differs(network, name)
    return differences


def difference(ours: Array, theirs: Array) -> float:
    """The largest difference between two arrays; NaN in the same places count as equal, other shapes as infinite.

    >>> difference(np.array([1.0, np.nan]), np.array([1.5, np.nan])), difference(np.zeros(2), np.zeros(3))
    (0.5, inf)
    """
    if ours.shape != theirs.shape:
        return float("inf")
    same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
    with np.errstate(invalid="ignore"):
        return float(np.abs(np.where(same, 0, ours - theirs)).max(initial=0))


def check_repeatable(network: Network, names: Sequence[str]) -> None:
    """Refuse to make these layers once more where another run would make other values.

    Raises:
        ConvlensError: names the first one.
    """
    for name in names:
        if name in network.varying:
            raise ConvlensError(
                f"{name} comes from a random draw: another run would draw other values",
                expected="a layer that this run has kept, or that every run makes alike",
                received=f"a model in which {_drawing(network, name)} draws at random",
                hint=f"To see it explained, run feature_maps without layers=, or with {name!r} in layers=[...].",
            )


def check_same(name: str, before: Array, now: Array) -> None:
    """Refuse a second run whose values of a layer aren't those of the first.

    Raises:
        ConvlensError: more than one value in ten is another.
    """
    if before.shape == now.shape:
        scale = float(np.abs(before[np.isfinite(before)]).max(initial=0))
        if not before.size or np.isclose(before, now, rtol=0, atol=_COARSE * scale, equal_nan=True).mean() >= 0.9:
            return
    raise ConvlensError(
        f"Another run of the model gave other values of {name}, so those that weren't kept can't be had any more",
        expected="a model that is as it was, and draws nothing at random",
        received=f"{name} of other values",
        hint="Run feature_maps again, and explain before the model is trained on.",
    )


def _is_coarse(apart: float, shown: Array) -> bool:
    scale = float(np.abs(shown[np.isfinite(shown)]).max(initial=0))
    return not apart <= _COARSE * scale


def _drawing(network: Network, name: str) -> str:
    """The first layer that draws among those that ``name`` comes from."""
    return next((one for one in network.upstream(name) if network[one].drawn), name)


def _differs(network: Network, name: str) -> ConvlensError:
    cause = f"{_drawing(network, name)}, which draws at random"
    return ConvlensError(
        f"Two runs of this model differ, so that {name} can't be compared with another run",
        expected="the same values whenever the model runs on this input",
        received=cause if name in network.varying else f"two runs that differ in {name}",
        hint="What is shown is what this one run made. For a comparison, switch the randomness off in the model.",
    )
