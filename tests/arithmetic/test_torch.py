"""PyTorch decides: every value of every layer that it computes is explained, and agrees."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from tests.arithmetic.harness import Checked, check_every_value, examples
from tests.arithmetic.torch_layers import KINDS, Applied, Drawn
from tests.engines.torch_models import CASES, seeded

from convlens.engines.torch import TorchEngine

WHERE_FOUND = ("max[1]", "min[1]")
"""The second result of ``x.max(1)``: positions, not values."""

UNEXPLAINED = {
    "in-place on a view": ("slice_scatter",),
    "filled": ("slice_scatter",),
    "attention": ("scaled_dot_product_attention",),
    "embedding": ("embedding",),
    "recurrent": ("lstm",),
}
"""The operators that real models have and whose arithmetic convlens doesn't know, or doesn't know where it was cut."""


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> None:
    """Layers of a few hundred values gain nothing from more, and the other tests run beside."""
    torch.set_num_threads(1)


def check(drawn: Drawn, feed: dict[str, torch.Tensor] | None = None, says_so: Collection[str] = ()) -> Checked:
    return check_every_value(
        TorchEngine.open(drawn.model),
        drawn.feed() if feed is None else feed,
        np.random.default_rng(drawn.seed),
        unexplained=WHERE_FOUND,
        says_so=says_so,
    )


@pytest.mark.parametrize("kind", [*KINDS])
def test_every_value_of_every_layer_is_explained(kind: str) -> None:
    @examples(200 if kind == "network" else 1000)  # each network has eight layers
    @given(drawn=KINDS[kind])
    def held(drawn: Drawn) -> None:
        check(drawn)

    held()


@pytest.mark.parametrize("name", [*CASES])
def test_every_value_of_models_as_people_write_them(name: str) -> None:
    build, shapes = CASES[name]
    random = np.random.default_rng(5)
    feed = {
        key: random.integers(0, 10, shape) if key == "tokens" else random.normal(size=shape).astype(np.float32)
        for key, shape in shapes.items()
    }
    check_every_value(TorchEngine.open(seeded(build)), feed, random, unexplained=UNEXPLAINED.get(name, ()))


ODD = torch.tensor([float("nan"), float("inf"), float("-inf"), -0.0])


AGAINST_ITS_FORMULA = {
    "gelu": "the vectorised erf makes NaN of an infinity, the other doesn't",
    **dict.fromkeys(
        ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d"),
        "along an axis that keeps its size a neighbour of weight 0 may still be multiplied",
    ),
    "pow": "x ** 0.5 is a square root, of which minus infinity has none; C's pow has",
    **dict.fromkeys(
        [f"conv{kind}{rank}d" for kind in ("", "_transpose") for rank in (1, 2, 3)],
        "oneDNN's bfloat16 kernels multiply values beside the window by 0",
    ),
}
"""Where PyTorch does something else to infinities and NaN than the formula says, and why."""


def poisoned(drawn: Drawn, share: float) -> dict[str, torch.Tensor]:
    """The feed with NaN, infinities and negative zeros strewn in."""
    generator = torch.Generator().manual_seed(drawn.seed)
    feed = {}
    for name, values in drawn.feed().items():
        odd = ODD[torch.randint(len(ODD), values.shape, generator=generator)]
        feed[name] = torch.where(torch.rand(values.shape, generator=generator) < share, odd, values)
    return feed


@pytest.mark.parametrize("kind", [*KINDS])
def test_row_19_nan_infinities_and_negative_zeros_are_explained_too(kind: str) -> None:
    """What comes of them agrees: NaN with NaN, an infinity with the same infinity."""

    @examples(100)
    @given(drawn=KINDS[kind], share=st.sampled_from([0.02, 0.1, 0.5]))
    def held(drawn: Drawn, share: float) -> None:
        check(drawn, poisoned(drawn, share), AGAINST_ITS_FORMULA)

    held()


def test_what_pytorch_does_in_two_ways_is_not_guessed() -> None:
    """A factor that leaves an axis its size: one of PyTorch's kernels copies it, the other moves it by the factor."""
    model = Applied("nearest", lambda x: F.interpolate(x, scale_factor=1.25))
    flat, square = (torch.arange(float(n)).reshape(shape) for n, shape in ((3, (1, 1, 3)), (9, (1, 1, 3, 3))))
    assert model(flat)[0, 0].tolist() == [0, 0, 1]
    assert model(square)[0, 0, 0].tolist() == [0, 1, 2]
    for source in (flat, square):
        operator = f"upsample_nearest{source.ndim - 2}d"
        found = check_every_value(
            TorchEngine.open(model), {"x0": source}, np.random.default_rng(0), unexplained=(operator,)
        )
        assert found.unexplained == [operator]
