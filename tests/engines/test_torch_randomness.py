"""Models that draw at random: what is shown is this run's, and nobody takes another run's numbers for it."""

# mypy: disable-error-code="no-any-return"
# A module returns Any to a type checker.

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import convlens
from convlens.errors import ConvlensError
from convlens.lens import FeatureMaps


class Behind(nn.Module):
    """A convolution, a step that the test chooses, and a layer behind it."""

    def __init__(self, step: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.step = step
        self.last = nn.Conv2d(4, 2, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.step(self.conv(x)))


def noise_in_place(x: Tensor) -> Tensor:
    noise = torch.empty_like(x)
    noise[:, 1:].normal_()
    noise[:, :1].zero_()
    return x + noise


def a_whole_path(x: Tensor) -> Tensor:
    """Stochastic depth: drop the branch of a picture, by a number per picture."""
    kept = x.new_empty(x.shape[0], 1, 1, 1).bernoulli_(0.6)
    return x + x.relu() * kept.div_(0.6)


def either(x: Tensor) -> Tensor:
    return x * 2 if torch.rand(1).item() > 0.5 else x * 3


ATTENTION = F.scaled_dot_product_attention
DRAWING: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout": lambda x: F.dropout(x, 0.5, True),
    "dropout of maps": lambda x: F.dropout2d(x, 0.5, True),
    "dropout in place": lambda x: F.dropout(x, 0.5, True, inplace=True),
    "alpha dropout": lambda x: F.alpha_dropout(x, 0.5, True),
    "slopes": lambda x: F.rrelu(x, training=True),
    "noise added": lambda x: x + torch.randn(1, 4, 6, 6),
    "noise of the same shape": lambda x: x * torch.rand_like(x),
    "noise in place": noise_in_place,
    "bernoulli": lambda x: torch.bernoulli(x.sigmoid()),
    "bernoulli mask": lambda x: x * torch.bernoulli(torch.full((1, 4, 1, 1), 0.5)),
    "multinomial": lambda x: x * torch.multinomial(x.flatten(2)[0].exp(), 36).reshape(1, 4, 6, 6),
    "shuffled": lambda x: x[:, torch.randperm(4)],
    "stochastic depth": a_whole_path,
    "exponential": lambda x: x.clone().exponential_(),
    "gumbel": lambda x: F.gumbel_softmax(x, dim=1),
    "either way": either,
    "attention": lambda x: ATTENTION(x, x, x, dropout_p=0.5),
    "a random weight": lambda x: F.conv2d(x, torch.randn(4, 4, 1, 1)),
}
OFF: dict[str, Callable[[Tensor], Tensor]] = {
    "dropout off": lambda x: F.dropout(x, 0.5, False),
    "dropout of nothing": lambda x: F.dropout(x, 0.0, True),
    "slopes off": lambda x: F.rrelu(x, training=False),
    "attention": lambda x: ATTENTION(x, x, x),
    "dropout module": nn.Dropout(0.5),
}


@pytest.fixture(autouse=True)
def generators() -> Iterator[None]:
    """Every test begins at numbers of its own, and leaves Python's as they were."""
    state = random.getstate()
    torch.manual_seed(int.from_bytes(random.randbytes(4), "little"))
    yield
    random.setstate(state)


def run(step: Callable[[Tensor], Tensor], **told: object) -> FeatureMaps:
    lens = convlens.open(Behind(step))
    lens.feature_maps(torch.randn(1, 3, 6, 6))  # so that the run of the test may repeat a plan
    return lens.feature_maps(torch.randn(1, 3, 6, 6), **told)  # type: ignore[arg-type]


def sure(maps: FeatureMaps) -> None:
    """No value is explained as another than it is."""
    picked = np.random.default_rng(0)
    for name, found in maps.items():
        for _ in range(6):
            index = tuple(int(picked.integers(n)) for n in found.shape)
            told = maps.explain(name, index)
            assert told.agrees or not told.explained, f"{told!r}"


def refusal(maps: FeatureMaps) -> str:
    """Why these maps can't be compared with another run; nothing where they can."""
    try:
        assert max(maps.verify().values()) == 0
    except ConvlensError as problem:
        return str(problem)
    return ""


@pytest.mark.parametrize("name", DRAWING)
def test_what_is_drawn_is_marked_and_never_explained_wrongly(name: str) -> None:
    maps = run(DRAWING[name])
    drawn = [layer for layer in maps.network if layer.drawn]
    assert drawn
    assert all("random" in " ".join(layer.notes) for layer in drawn)
    assert "last" in maps.network.varying
    assert "conv" not in maps.network.varying
    sure(maps)


@pytest.mark.parametrize("name", DRAWING)
def test_another_run_is_told_from_a_fault(name: str) -> None:
    maps = run(DRAWING[name])
    for _ in range(60):  # a coin may fall the same way several times
        torch.rand(1)
        problem = refusal(maps)
        if problem:
            assert "Two runs of this model differ" in problem
            assert "draws at random" in problem
            return
    pytest.fail("two runs never differed")


@pytest.mark.parametrize("name", OFF)
def test_what_could_draw_and_does_not_is_explained_like_anything_else(name: str) -> None:
    maps = run(OFF[name])
    assert not maps.network.varying
    torch.rand(1)
    assert max(maps.verify().values()) == 0
    sure(maps)


def test_what_a_random_draw_made_is_not_made_again() -> None:
    maps = run(lambda x: F.dropout(x, 0.5, True).relu(), layers=["last"])
    with pytest.raises(ConvlensError, match="another run would draw other values"):
        maps.explain("last", (0, 1, 1))
    with pytest.raises(ConvlensError, match="random draw"):
        maps["last"].effective_receptive_field(row=2, column=2)
    assert run(lambda x: F.dropout(x, 0.5, True), layers=["dropout"]).explain("conv", (0, 1, 1)).agrees


def test_a_layer_that_draws_says_so_where_it_is_asked_why() -> None:
    told = run(DRAWING["dropout"]).explain("dropout", (0, 1, 1))
    assert not told.explained
    assert "draws its values at random" in told.verdict
    masked = run(DRAWING["bernoulli mask"]).explain("mul", (0, 1, 1))
    assert masked.agrees, "the mask that this run drew is at hand"


@pytest.mark.parametrize("draw", [random.random, np.random.rand], ids=["Python", "NumPy"])
def test_draws_of_the_models_own_code_are_noticed(draw: Callable[[], float]) -> None:
    maps = run(lambda x: x * (1 + float(draw())))
    assert any("draws at random" in note for note in maps.network.notes)
    assert maps.network.varying == {"conv", "mul", "last"}
    draw()
    with pytest.raises(ConvlensError, match="Two runs of this model differ"):
        maps.verify()


def test_draws_that_no_generator_tells_of_are_noticed_by_a_second_plain_run() -> None:
    turns = iter(range(1, 1000))
    maps = run(lambda x: x * next(turns))
    assert not maps.network.varying
    with pytest.raises(ConvlensError, match="two runs that differ in last"):
        maps.verify()
    few = run(lambda x: x * next(turns), layers=["last"])
    with pytest.raises(ConvlensError, match="other values of last"):
        few.explain("last", (0, 1, 1))


def test_a_trained_model_is_not_asked_for_layers_of_before() -> None:
    model = Behind(torch.relu)
    maps = convlens.open(model).feature_maps(torch.randn(1, 3, 6, 6), layers=["last"])
    with torch.no_grad():
        model.conv.weight.add_(1)
    with pytest.raises(ConvlensError, match="other values of last"):
        maps.explain("last", (0, 1, 1))
