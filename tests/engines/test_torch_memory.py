"""Memory that several tensors see, written in place, through views, by ``out=``: every map stays as it was made."""

# mypy: disable-error-code="no-any-return"
# A module returns Any to a type checker.

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import convlens
from convlens.errors import ConvlensError
from convlens.lens import again

Step = Callable[[Tensor], Tensor]


class Written(nn.Module):
    """What ``step`` writes into the result of a convolution, and a layer that reads all of it, or the plain result."""

    def __init__(self, step: Step, last: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.step = step
        self.last = nn.Conv2d(4, 3, 1) if last else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv(x)
        y = self.step(y)
        return y if self.last is None else self.last(y)


def writing(*lines: str) -> Step:
    """A step written out: statements on ``x``, which is returned."""
    code = compile("\n".join(lines), "step", "exec")

    def step(x: Tensor) -> Tensor:
        names = {"x": x, "torch": torch}
        exec(code, names)
        made = names["x"]
        assert isinstance(made, Tensor)
        return made

    return step


STEPS = {
    "out= of a new tensor": ["x = torch.add(x, x, out=torch.empty_like(x))"],
    "out= of a constant that was read": ["c = torch.ones_like(x)", "y = x + c", "torch.mul(x, 3, out=c)", "x = y - c"],
    "out= into itself": ["torch.mul(x, 2.0, out=x)"],
    "out= into a view": ["torch.mul(x[:, :2], 2.0, out=x[:, 2:])"],
    "out= of constants": ["torch.add(torch.ones(1, 4, 6, 6), 2, out=x)"],
    "out= with two results": [
        "v, i = torch.empty(0), torch.empty(0, dtype=torch.int64)",
        "torch.max(x, 3, keepdim=True, out=(v, i))",
        "x = x + v",
    ],
    "matmul out=": ["x = torch.matmul(x, x, out=torch.empty_like(x))"],
    "cat out=": ["y = torch.empty(1, 4, 6, 6)", "torch.cat([x[:, 2:], x[:, :2]], 1, out=y)", "x = y"],
    "half in place": ["x[:, :2].relu_()"],
    "chunk in place": ["x.chunk(2, 1)[1].sigmoid_()"],
    "split in place": ["a, b = x.split([1, 3], 1)", "b.mul_(2)", "a.add_(1)"],
    "a view of a view": ["x[:, 1:].transpose(2, 3)[..., 2:].tanh_()"],
    "transposed in place": ["x.transpose(1, 3).relu_()"],
    "turned around where only channels are": ["x = x.mean((2, 3), keepdim=True)", "x.transpose(1, 3).mul_(2)"],
    "flat in place": ["x.view(1, -1)[:, 7:50].mul_(3)"],
    "a view made before": ["v = x[:, :2]", "x.relu_()", "x = torch.cat([v, x[:, 2:]], 1)"],
    "a number assigned": ["x[:, 0] = 3.0"],
    "a constant assigned": ["x[:, 0] = torch.ones(6, 6)"],
    "a value assigned": ["x[:, 0] = x[:, 1]"],
    "a mask assigned": ["x[x < 0] = 0.5"],
    "steps assigned": ["x[:, ::2, 1::2] = x[:, 1::2, ::2] * 2"],
    "places assigned": ["x[:, [3, 1]] = x[:, [0, 2]]"],
    "all zero": ["x.zero_()"],
    "filled": ["x[..., 2].fill_(2.0)"],
    "copied": ["x.copy_(x.flip(3))"],
    "a constant copied": ["x.copy_(torch.full((1, 4, 6, 6), 0.25))"],
    "scattered": ["x.scatter_(1, torch.zeros(1, 1, 6, 6, dtype=torch.int64), x[:, 2:3].clone())"],
    "indices added": ["x.index_add_(1, torch.tensor([0, 0]), x[:, 2:].clone())"],
    "masked": ["x.masked_fill_(x > 0, -1.0)"],
    "filled at indices": ["x.index_fill_(2, torch.tensor([1]), 9.0)"],
    "set": ["y = x.clone().relu()", "x.set_(y)"],
    "resized": ["x.resize_(1, 4, 3, 12)"],
    "data": ["x.data.relu_()"],
    "for each": ["parts = list(x.unbind(1))", "torch._foreach_mul_(parts, 2.0)"],
    "put together in zeros": ["y = torch.zeros(1, 4, 6, 6)", "y[:, 1:3] = x[:, :2]", "y[:, 3] = 2.0", "x = y"],
    "written into what was a constant": ["m = torch.ones(1, 4, 1, 1)", "y = x * m", "m.add_(1)", "x = y * m"],
    "a buffer's worth of views": ["y = x.expand(2, 4, 6, 6)[:1]", "z = x.unfold(3, 2, 2)", "z.mul_(2)", "x = y + 1"],
    "swapped axes of a part": ["x[:, :, :3].permute(0, 3, 2, 1).add_(1)"],
    "diagonal": ["x.diagonal(dim1=2, dim2=3).zero_()"],
}


@pytest.mark.parametrize("last", [False, True], ids=["output", "read on"])
@pytest.mark.parametrize("name", STEPS)
def test_every_map_is_what_it_was_and_the_output_is_a_layer(name: str, last: bool) -> None:
    torch.manual_seed(1)
    model, x = Written(writing(*STEPS[name]), last), torch.randn(1, 3, 6, 6)
    with torch.no_grad():
        want, conv = model(x.clone()), model.conv(x)
    lens = convlens.open(model)
    for _ in range(2):  # the second run may repeat the first
        maps = lens.feature_maps(x)
        assert set(maps.network.outputs) <= set(maps)
        np.testing.assert_array_equal(maps[maps.network.outputs[0]].array, want[0].numpy())
        np.testing.assert_array_equal(maps["conv"].array, conv[0].numpy())
        assert list(maps.verify().values()) == [0.0]
        picked = np.random.default_rng(0)
        for layer, found in maps.items():
            for _ in range(8):
                index = tuple(int(picked.integers(n)) for n in found.shape)
                told = maps.explain(layer, index)
                assert told.agrees or not told.explained, f"{told!r}"


def test_an_input_that_is_handed_back_is_an_output_like_any() -> None:
    class Both(nn.Module):
        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return x.relu(), x

    maps = convlens.open(Both()).feature_maps(torch.randn(1, 3, 4, 4))
    assert maps.network.outputs == ("relu", "identity")
    assert maps.verify() == {"relu": 0.0, "identity": 0.0}


def test_nothing_is_never_compared_in_silence() -> None:
    maps = convlens.open(Written(torch.relu, last=True)).feature_maps(torch.randn(1, 3, 6, 6), layers=["conv"])
    assert list(maps) == ["conv"]
    assert maps.verify() == dict.fromkeys(maps.network.outputs, 0.0), "the outputs are looked up where none was kept"
    assert maps.network.outputs
    with pytest.raises(ConvlensError, match="nothing to compare"):
        again.compared(maps.network, {"conv": maps["conv"].array}, lambda: {"last": maps["conv"].array})
