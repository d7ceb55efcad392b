"""What an explanation promises: it adds up, agrees, leads back to the picture, and says so when it does not hold."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

import convlens
from convlens.errors import ChannelError, ConvlensError, InputError, LayerNotFoundError
from convlens.lens.explanation import Explanation, PictureValue

SIZE = 12


class Small(nn.Module):
    """Convolution, normalisation, residual, pooling, concatenation, dense, softmax."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.act = nn.ReLU()
        self.inner = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.pool = nn.MaxPool2d(2)
        self.other = nn.Conv2d(3, 2, 2, stride=2)
        self.head = nn.Linear(6, 5)

    def forward(self, image: Tensor) -> Tensor:
        first = self.act(self.norm(self.conv(image)))
        residual = first + self.inner(first)
        both = torch.cat([self.pool(residual), self.other(image)], 1)
        scores: Tensor = self.head(both.mean((2, 3)))
        return scores.softmax(1)


def small() -> Small:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = Small().eval()
        model.norm.running_mean.normal_()  # type: ignore[union-attr]
        model.norm.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
    return model


def picture(seed: int = 0) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    return np.random.default_rng(seed).normal(size=(1, 3, SIZE, SIZE)).astype(np.float32)


def run(model: nn.Module, fed: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | None = None) -> convlens.FeatureMaps:
    return convlens.open(model, input_shape=(3, SIZE, SIZE)).feature_maps(picture() if fed is None else fed)


@pytest.fixture(scope="module")
def maps() -> convlens.FeatureMaps:
    return run(small())


def test_a_convolution_shows_all_that_it_adds_up(maps: convlens.FeatureMaps) -> None:
    model, source = small(), picture()[0]
    found = maps["conv"].explain(channel=2, row=0, column=5)
    window = np.pad(source, [(0, 0), (1, 1), (1, 1)])[:, 0:3, 5:8]
    kernel = model.conv.weight[2].detach().numpy()
    bias = float(model.get_parameter("conv.bias")[2].detach())
    assert found.window is not None
    assert found.products is not None
    assert found.channel_sums is not None
    np.testing.assert_array_equal(found.window, window)
    np.testing.assert_array_equal(found.kernel, kernel)
    np.testing.assert_array_equal(found.products, window.astype(np.float64) * kernel)
    np.testing.assert_allclose(found.channel_sums, found.products.sum(axis=(1, 2)), rtol=1e-12)
    assert found.bias == bias
    assert found.total == pytest.approx(float(found.channel_sums.sum()) + bias, abs=1e-12)
    assert found.framework_value == float(maps["conv"].array[2, 0, 5])
    assert found.residual == found.framework_value - found.total
    assert 0 < found.tolerance < 1e-5
    assert found.agrees
    assert found.explained
    assert found.activation is None
    assert [step.words for step in found.steps] == ["sum of window x kernel", "+ bias"]
    assert found.working is not None
    assert found.working.inside.sum() == 3 * 2 * 3  # one row of each channel lies in the padding


def test_an_activation_names_itself_and_its_formula(maps: convlens.FeatureMaps) -> None:
    found = maps["act"].explain(0, 3, 3)
    assert found.activation == "relu"
    assert found.steps[0].words == "max(0, x)"
    assert found.tolerance == 0, "nothing is rounded"
    assert found.kernel is None
    assert found.products is None
    assert found.channel_sums is None
    assert found.bias is None


def test_every_value_of_every_layer_agrees(maps: convlens.FeatureMaps) -> None:
    for name, one in maps.items():
        for channel in range(one.shape[0]):
            swept = one.explain_all(channel)
            assert swept.agrees, name
            assert swept.total.shape == swept.residual.shape == swept.tolerance.shape == one.shape[1:]
            np.testing.assert_allclose(swept.total + swept.residual, one.array[channel], rtol=1e-12, atol=1e-12)


def test_every_way_back_ends_at_the_pictures_own_values(maps: convlens.FeatureMaps) -> None:
    """Every term of every layer from the softmax down, through concatenation, pooling and residual."""
    source = picture()[0]
    waiting: list[Explanation] = [maps.explain("softmax", (1,))]
    seen: set[tuple[str, tuple[int, ...]]] = set()
    pixels: set[tuple[int, ...]] = set()
    layers: set[str] = set()
    while waiting:
        found = waiting.pop()
        assert found.agrees, repr(found)
        layers.add(found.layer.name)
        for term in found.inputs[:: max(1, len(found.inputs) // 6)]:
            before = term.explain()
            if isinstance(before, PictureValue):
                assert before.value == term.value == float(source[before.index])
                assert before.input == term.layer == "image"
                pixels.add(before.index)
                continue
            assert before.framework_value == term.value
            assert (before.layer.name, before.index) == (term.layer, term.index)
            if (term.layer, term.index) not in seen:
                seen.add((term.layer, term.index))
                waiting.append(before)
    assert layers == {layer.name for layer in maps.network}
    assert len(pixels) > 100


def test_terms_come_in_falling_order_and_say_what_they_contribute(maps: convlens.FeatureMaps) -> None:
    found = maps["inner"].explain(1, 4, 4)
    contributions = [term.contribution for term in found.inputs]
    assert len(contributions) == 36
    sizes = [abs(contribution) for contribution in contributions if contribution is not None]
    assert sizes == sorted(sizes, reverse=True)
    assert sum(c for c in contributions if c is not None) == pytest.approx(found.total, abs=1e-12)
    first = found.inputs[0]
    assert first.weight is not None
    assert first.contribution == first.value * first.weight
    leading = found.leading(0.8)
    assert sum(sizes[:leading]) >= 0.8 * sum(sizes) * (1 - 1e-9)
    assert sum(sizes[: leading - 1]) < 0.8 * sum(sizes)


def test_a_trace_follows_what_won_and_not_what_is_largest() -> None:
    """Minus nine is far from 0, but seven is the maximum."""
    fed = np.zeros((1, 3, SIZE, SIZE), np.float32)
    fed[0, 0, 0, 0], fed[0, 0, 1, 1] = -9, 7
    pooled = run(nn.Sequential(nn.MaxPool2d(2)), fed)
    found = pooled.explain("0", (0, 0, 0))
    assert found.total == 7
    assert found.inputs[0].index == (0, 1, 1)
    shared = run(nn.Sequential(nn.Softmax(1)), fed)
    assert shared.explain("0", (1, 0, 0)).inputs[0].index == (1, 0, 0), "the value itself comes first"
    normed = run(nn.Sequential(nn.LayerNorm([3, SIZE, SIZE])), fed)
    assert normed.explain("0", (2, 5, 5)).inputs[0].index == (2, 5, 5)


PLANTED = {
    "conv": ("conv.weight", (1, 2, 1, 1)),
    "inner": ("inner.weight", (1, 2, 1, 1)),
    "head": ("head.weight", (1, 2)),
    "norm": ("norm.weight", (1,)),
    "norm's mean": ("norm.running_mean", (1,)),
    "conv's bias": ("conv.bias", (1,)),
    "head's bias": ("head.bias", (1,)),
}


@pytest.mark.parametrize("where", [*PLANTED])
def test_a_planted_error_is_caught(where: str) -> None:
    """A weight is changed between run and explanation, so that the value would move by one and a half tolerances.

    That is always caught where the framework's own error stays below half the tolerance, as it does. Here the tolerance
    is 1e-6 (dense) to 2e-5 (convolution) of the value, and so is the smallest change that is caught.
    """
    model = small()
    maps = run(model)
    name, entry = PLANTED[where]
    layer = name.split(".")[0]
    index = (1,) if layer == "head" else (1, 4, 4)
    before = maps.explain(layer, index)
    assert before.agrees
    tensor = model.get_parameter(name) if "running" not in name else model.get_buffer(name)
    with torch.no_grad():
        kept, nudge = float(tensor[entry]), 1e-3
        tensor[entry] += nudge
        moved = abs(maps.explain(layer, index).total - before.total) / nudge
        tensor[entry] = kept
        assert maps.explain(layer, index).agrees, "the weight is as it was"
        step = 1.5 * before.tolerance / moved
        tensor[entry] += step
    after = maps.explain(layer, index)
    assert abs(after.total - before.total) > 1.4 * before.tolerance, "the change is one that float32 can hold"
    assert abs(step) < 1e-3 * max(1, abs(kept))
    assert not after.agrees
    assert after.verdict.startswith("DISAGREES")
    assert "disagrees" in repr(after)
    channel = maps[layer].explain_all(1)
    assert not channel.agrees
    assert not channel.agreeing[index[1:]]


@settings(max_examples=60)
@given(
    channels=st.integers(1, 14),
    kernel=st.integers(1, 3),
    scale=st.sampled_from([1e-6, 1e-3, 0.03, 1.0, 40.0, 1e5]),
    seed=st.integers(0, 10**6),
    dense=st.booleans(),
    biased=st.booleans(),
)
def test_printed_numbers_add_up(channels: int, kernel: int, scale: float, seed: int, dense: bool, biased: bool) -> None:
    """The printed lines above the total are, to the last printed digit, the printed total: as decimals, not floats."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model: nn.Module = nn.Conv2d(channels, 2, kernel, bias=biased)
        if dense:
            model = nn.Sequential(nn.Flatten(), nn.Linear(channels * 16, 2, bias=biased))
    fed = np.random.default_rng(seed).normal(size=(1, channels, 4, 4)).astype(np.float32) * np.float32(scale)
    maps = convlens.open(nn.Sequential(model), input_shape=(channels, 4, 4)).feature_maps(fed)
    name = list(maps)[-1]
    text = str(maps.explain(name, (1,) if dense else (1, 0, 0)))
    ledger = text.split("\n\n")[-2].splitlines()
    rows = [re.split(r"\s{2,}", line.strip()) for line in ledger]
    place = next(n for n, (words, _) in enumerate(rows) if words == "total")
    added = [Decimal(number) for _, number in rows[:place]]
    single_sum = channels == 1 and not dense and not biased
    assert len(added) >= (1 if single_sum else 2)
    assert sum(added, Decimal(0)) == Decimal(rows[place][1])
    assert [words for words, _ in rows[place:]] == [
        "total",
        "the framework's own value",
        "difference",
        "rounding can make",
    ]
    assert text.endswith("agrees: the difference is within what float32 rounding can make of it")


def test_the_text_marks_padding_and_winners() -> None:
    fed = np.zeros((1, 3, SIZE, SIZE), np.float32)
    fed[0, 0, 0, :2] = 5
    text = str(run(nn.Sequential(nn.MaxPool2d(3, padding=1)), fed).explain("0", (0, 0, 0)))
    assert "the largest value, 2 times" in text
    grid = text.split("\n\n")[1].splitlines()[1:]
    assert [line.split() for line in grid] == [
        [".", ".", "."],
        [".", "5.00000*", "5.00000*"],
        [".", "0.00000", "0.00000"],
    ]


def test_the_text_of_a_depth_names_its_planes() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv3d(2, 1, 2))
    lens = convlens.open(model, input_shape=(2, 3, 4, 5))
    maps = lens.feature_maps(np.ones((1, 2, 3, 4, 5), np.float32))
    text = str(maps["0"].explain(0, depth=1, row=2, column=3))
    assert text.startswith("0: channel 0, depth 1, row 2, column 3   (conv3d, 1 x 2 x 3 x 4, float32)")
    assert "channel 0, depth 0\n" in text
    assert "channel 1, depth 1\n" in text


def test_a_large_window_shows_its_strongest_terms_and_the_rest_together() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(64, 1, 3))
    fed = np.random.default_rng(0).normal(size=(1, 64, 5, 5)).astype(np.float32)
    text = str(convlens.open(model, input_shape=(64, 5, 5)).feature_maps(fed)["0"].explain(0, 1, 1))
    table = text.split("\n\n")[1].splitlines()
    assert re.fullmatch(r"\d+ of 576 terms hold 80 % of all magnitudes; the strongest:", table[0])
    assert len(table) == 12
    assert table[-1].strip().startswith("the other 566 terms together")
    assert len({line.rindex("=") for line in table[1:]}) == 1, "the columns stand below each other"


def test_numbers_that_are_none_agree_where_the_framework_has_them_too() -> None:
    fed = picture()
    fed[0, 1, 4, 4] = np.nan
    fed[0, 0, 8, 8] = np.inf
    maps = run(small(), fed)
    for name, one in maps.items():
        for channel in range(one.shape[0]):
            assert one.explain_all(channel).agrees, name
    found = maps["conv"].explain(0, 4, 4)
    assert math.isnan(found.framework_value)
    assert math.isnan(found.total)
    assert found.residual == 0
    assert found.agrees
    assert found.verdict == "agrees: both are the same, and no finite number"
    assert "NaN" in str(found)
    facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert facts["framework_value"] is None
    assert facts["total"] is None
    assert facts["agrees"]


def test_a_sum_too_large_for_its_type_is_told() -> None:
    model = nn.Sequential(nn.Linear(4, 1, bias=False)).half()
    with torch.no_grad():
        model[0].weight.fill_(300)  # type: ignore[operator]
    lens = convlens.open(model, input_shape=(4,))
    found = lens.feature_maps(np.full((1, 4), 100, np.float32)).explain("0", (0,))
    assert found.framework_value == math.inf
    assert found.total == 120_000
    assert found.overflows
    assert found.agrees
    assert "too large for" in found.verdict


def test_what_is_not_known_is_said_in_words_and_never_guessed() -> None:
    class Deviating(nn.Module):
        def forward(self, image: Tensor) -> Tensor:
            return image.std((2, 3))

    maps = run(Deviating())
    found = maps.explain("std", (0,))
    assert not found.explained
    assert not found.agrees
    assert math.isnan(found.total)
    assert math.isnan(found.residual)
    assert found.tolerance == 0
    assert found.window is None
    assert found.channel_sums is None
    assert list(found.inputs) == []
    assert found.leading() == 0
    assert found.verdict in str(found)
    assert "std" in found.verdict
    assert f"{found.framework_value:.9g}" in str(found)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["total"] is None
    with pytest.raises(ConvlensError, match="std"):
        maps["std"].explain_all(0)


def test_plain_data_holds_everything(maps: convlens.FeatureMaps) -> None:
    for name, index in (("conv", (0, 0, 0)), ("pool", (0, 1, 1)), ("softmax", (2,)), ("norm", (0, 1, 1))):
        found = maps.explain(name, index)
        facts = json.loads(json.dumps(found.to_dict(), allow_nan=False))
        assert facts["layer"] == name
        assert facts["index"] == list(index)
        assert facts["total"] == found.total
        assert facts["agrees"] is True
        assert len(facts["terms"]) == min(20, len(found.inputs))
        assert facts["terms"][0]["value"] == found.inputs[0].value
    facts = maps.explain("conv", (0, 0, 0)).to_dict()
    assert np.shape(facts["window"]) == np.shape(facts["products"]) == np.shape(facts["inside"]) == (3, 3, 3)


def test_wrong_addresses_are_refused_in_one_line(maps: convlens.FeatureMaps) -> None:
    with pytest.raises(ChannelError, match="channel from 0 to 3, received 4"):
        maps["conv"].explain(4, 0, 0)
    with pytest.raises(InputError, match=f"row from 0 to {SIZE - 1}, received {SIZE}"):
        maps["conv"].explain(0, SIZE, 0)
    with pytest.raises(InputError, match="expected channel, row, column, received channel, row"):
        maps["conv"].explain(0, 1)
    with pytest.raises(InputError, match="another address"):
        maps["conv"].explain(0, 1, 1, depth=1)
    with pytest.raises(InputError, match="another address"):
        maps["softmax"].explain(0, 1, 1)
    with pytest.raises(ChannelError):
        maps["conv"].explain_all(-1)
    with pytest.raises(LayerNotFoundError, match="Did you mean 'conv'"):
        maps.explain("cnv", (0, 0, 0))
    with pytest.raises(LayerNotFoundError):
        maps.explain("image", (0, 0, 0))
    end = maps.explain("image", (0, 0, 0), anywhere=True)
    assert isinstance(end, PictureValue)
    assert "the network's own input" in str(end)


def test_a_layer_that_was_not_kept_is_run_again_to_explain_one_that_was() -> None:
    lens = convlens.open(small(), input_shape=(3, SIZE, SIZE))
    kept = lens.feature_maps(picture(), layers=["add"])
    found = kept["add"].explain(0, 2, 2)
    assert found.agrees
    assert {term.layer for term in found.inputs} == {"act", "inner"}
    assert found.inputs[0].explain().agrees  # type: ignore[union-attr]


def test_a_map_that_came_alone_says_what_to_type() -> None:
    lens = convlens.open(small(), input_shape=(3, SIZE, SIZE))
    alone = next(iter(lens.walk(picture())))
    with pytest.raises(ConvlensError, match=r"lens\.feature_maps\(picture\)"):
        alone.explain(0, 0, 0)
