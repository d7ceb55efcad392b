"""The models that sketches become, run in ONNX Runtime and compared with PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from onnx import numpy_helper
from torch.nn import functional as F

from convlens.errors import SketchError
from convlens.sketches import build

Array = NDArray[np.float32]


def weights_of(model: onnx.ModelProto) -> dict[str, Array]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def run(model: onnx.ModelProto, picture: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"picture": picture})
    return np.asarray(output)


def random_picture(*shape: int, seed: int = 0) -> Array:
    return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)


Weights = dict[str, torch.Tensor]


@dataclass
class Step:
    """A block as text, and the same in PyTorch: reads a value, the block's name and all weights."""

    text: str
    reference: Callable[[torch.Tensor, str, Weights], torch.Tensor]


def padded(x: torch.Tensor, kernel: list[int], stride: list[int], dilation: list[int], value: float) -> torch.Tensor:
    """TensorFlow's SAME: ceil(size / stride) outputs, the odd pixel of padding at the end."""
    total = [
        max((-(-size // s) - 1) * s + d * (k - 1) + 1 - size, 0)
        for size, k, s, d in zip(x.shape[2:], kernel, stride, dilation, strict=True)
    ]
    (top, left), (bottom, right) = [t // 2 for t in total], [t - t // 2 for t in total]
    return F.pad(x, (left, right, top, bottom), value=value)


@st.composite
def sliding(draw: st.DrawFn, size: tuple[int, int], *, dilated: bool) -> tuple[str, dict[str, Any]]:
    pair = st.lists(st.integers(1, 3), min_size=2, max_size=2)
    same = draw(st.booleans())
    dilation = draw(pair) if dilated and draw(st.booleans()) else [1, 1]
    stride = [1, 1] if same and max(dilation) > 1 else draw(pair)
    most = [3 if same else max(1, min(4, (s - 1) // d + 1)) for s, d in zip(size, dilation, strict=True)]
    kernel = [draw(st.integers(1, m)) for m in most]
    pad = [0, 0] if same else [draw(st.integers(0, k - 1)) for k in kernel]
    words = f"{kernel[0]}x{kernel[1]} stride {stride[0]}x{stride[1]}"
    words += f" dilation {dilation[0]}x{dilation[1]}" if dilation != [1, 1] else ""
    words += " same" if same else f" pad {pad[0]}x{pad[1]}"
    return words, {"kernel": kernel, "stride": stride, "dilation": dilation, "pad": None if same else pad}


@st.composite
def convolution(draw: st.DrawFn, channels: int, size: tuple[int, int]) -> Step:
    words, how = draw(sliding(size, dilated=True))
    depthwise = draw(st.booleans())
    groups = channels if depthwise else draw(st.sampled_from([g for g in (1, 2, 3) if channels % g == 0]))
    bias = draw(st.booleans())
    if depthwise:
        text = f"dwconv {words} multiplier {draw(st.integers(1, 2))}"
    else:
        text = f"conv {groups * draw(st.integers(1, 2))} {words} groups {groups}"

    def reference(x: torch.Tensor, name: str, weights: Weights) -> torch.Tensor:
        if how["pad"] is None:
            x = padded(x, how["kernel"], how["stride"], how["dilation"], 0.0)
        weight, shift = weights[f"{name}.weight"], weights.get(f"{name}.bias")
        assert (shift is not None) == bias
        return F.conv2d(x, weight, shift, how["stride"], how["pad"] or 0, how["dilation"], groups)

    return Step(text + ("" if bias else " nobias"), reference)


@st.composite
def transposed(draw: st.DrawFn, channels: int, size: tuple[int, int]) -> Step:
    kernel, stride, dilation = ([draw(st.integers(1, 3)) for _ in range(2)] for _ in range(3))
    pad = [min(d * (k - 1) // 2, 1) for k, d in zip(kernel, dilation, strict=True)]
    extra = [draw(st.integers(0, s - 1)) for s in stride]
    text = f"tconv {draw(st.integers(1, 3))} {kernel[0]}x{kernel[1]} stride {stride[0]}x{stride[1]}"
    text += f" dilation {dilation[0]}x{dilation[1]} pad {pad[0]}x{pad[1]} output_padding {extra[0]}x{extra[1]}"

    def reference(x: torch.Tensor, name: str, weights: Weights) -> torch.Tensor:
        weight, shift = weights[f"{name}.weight"], weights[f"{name}.bias"]
        return F.conv_transpose2d(x, weight, shift, stride, pad, extra, 1, dilation)

    return Step(text, reference)


@st.composite
def pooling(draw: st.DrawFn, channels: int, size: tuple[int, int]) -> Step:
    words, how = draw(sliding(size, dilated=False))
    kind = draw(st.sampled_from(["maxpool", "avgpool"]))

    def reference(x: torch.Tensor, name: str, weights: Weights) -> torch.Tensor:
        def slide(value: torch.Tensor, outside: float, pool: Callable[..., torch.Tensor]) -> torch.Tensor:
            rows, columns = how["pad"] or (0, 0)
            value = F.pad(value, (columns, columns, rows, rows), value=outside)
            if how["pad"] is None:
                value = padded(value, how["kernel"], how["stride"], [1, 1], outside)
            return pool(value, how["kernel"], how["stride"])

        if kind == "maxpool":
            return slide(x, -torch.inf, F.max_pool2d)
        return slide(x, 0.0, F.avg_pool2d) / slide(torch.ones_like(x), 0.0, F.avg_pool2d)  # padding isn't counted

    return Step(f"{kind} {words}", reference)


ELEMENTWISE = [
    Step("relu", lambda x, *_: F.relu(x)),
    Step("leakyrelu", lambda x, *_: F.leaky_relu(x, 0.3)),
    Step("leakyrelu 0.05", lambda x, *_: F.leaky_relu(x, 0.05)),
    Step("sigmoid", lambda x, *_: torch.sigmoid(x)),
    Step("tanh", lambda x, *_: torch.tanh(x)),
    Step("silu", lambda x, *_: F.silu(x)),
    Step("gelu", lambda x, *_: F.gelu(x)),
    Step("softmax", lambda x, *_: F.softmax(x, 1)),
    Step("batchnorm", lambda x, *_: x / sqrt(1 + 1e-3)),
]


@st.composite
def sketches(draw: st.DrawFn) -> tuple[list[Step], tuple[int, int, int]]:
    """Up to four blocks that fit on one another, perhaps with a dense end."""
    shape = (draw(st.integers(1, 4)), draw(st.integers(1, 12)), draw(st.integers(1, 12)))
    channels, *size = shape
    steps: list[Step] = []
    for _ in range(draw(st.integers(1, 4))):
        kinds = [convolution, pooling, transposed]
        step = draw(st.one_of(*(kind(channels, (size[0], size[1])) for kind in kinds), st.sampled_from(ELEMENTWISE)))
        text = " | ".join(each.text for each in [*steps, step])
        output = build(text, input_shape=shape).graph.output[0].type.tensor_type.shape.dim
        channels, *size = (d.dim_value for d in output[1:])
        steps.append(step)
    ends = {
        "": [],
        "globalavgpool": [Step("globalavgpool", lambda x, *_: x.mean((2, 3), keepdim=True)), dense_step(5)],
        "flatten": [Step("flatten", lambda x, *_: x.flatten(1)), dense_step(3), *ELEMENTWISE[7:]],
    }
    return steps + ends[draw(st.sampled_from(sorted(ends)))], shape


def dense_step(units: int) -> Step:
    def reference(x: torch.Tensor, name: str, weights: Weights) -> torch.Tensor:
        return F.linear(x.flatten(1), weights[f"{name}.weight"], weights[f"{name}.bias"])

    return Step(f"dense {units}", reference)


@given(sketches(), st.integers(0, 2**64))
@settings(deadline=None, max_examples=150)
def test_any_sketch_computes_what_pytorch_computes(drawn: tuple[list[Step], tuple[int, int, int]], seed: int) -> None:
    steps, shape = drawn
    model = build(" | ".join(step.text for step in steps), input_shape=shape, seed=seed)
    onnx.checker.check_model(model, full_check=True)
    random = np.random.default_rng(0)
    for weight in model.graph.initializer:  # so that biases count
        if weight.name.endswith(".bias"):
            weight.CopyFrom(numpy_helper.from_array(random.normal(size=weight.dims).astype(np.float32), weight.name))
    weights = {name: torch.from_numpy(array.astype(np.float64)) for name, array in weights_of(model).items()}

    picture = random_picture(2, *shape)
    value = torch.from_numpy(picture.astype(np.float64))  # so that rounding is ONNX Runtime's alone
    names = [node.name for node in model.graph.node if not node.name.endswith(("_sigmoid", "_flatten"))]
    for step, name in zip(steps, names, strict=True):
        value = step.reference(value, name, weights)

    received = run(model, picture)
    declared = [d.dim_value for d in model.graph.output[0].type.tensor_type.shape.dim[1:]]
    assert list(received.shape[1:]) == declared == list(value.shape[1:])
    np.testing.assert_allclose(received, value.numpy(), rtol=1e-4, atol=5e-5)


@given(
    *[st.integers(1, 4)] * 4, st.integers(1, 13), st.integers(1, 13), st.sampled_from(["conv 2", "maxpool", "avgpool"])
)
@settings(deadline=None, max_examples=100)
def test_row_10_same_padding_is_the_same_for_free_and_fixed_sizes(
    rows: int, columns: int, down: int, across: int, height: int, width: int, word: str
) -> None:
    line = f"{word} {rows}x{columns} stride {down}x{across} same"
    picture = random_picture(1, 2, height, width)
    fixed = run(build(line, input_shape=(2, height, width)), picture)
    assert fixed.shape[2:] == (-(-height // down), -(-width // across))
    if rows < down or columns < across:
        return  # refused where it would depend on a free size; see the next test
    np.testing.assert_allclose(run(build(line, input_shape=(2, None, None)), picture), fixed, atol=1e-5)


def test_same_padding_of_a_free_size_is_refused_where_onnx_runtime_gets_it_wrong() -> None:
    with pytest.raises(SketchError, match="depends on the picture's size") as caught:
        build("relu | conv 2 2 stride 3 same", input_shape=(3, None, None))
    assert caught.value.column == len("relu | conv 2 2 stride 3 ")
    assert run(build("conv 2 1 stride 3 same"), random_picture(1, 3, 9, 8)).shape == (1, 2, 3, 3)


def test_a_free_size_runs_pictures_of_any_size_and_any_batch() -> None:
    model = build("conv 2 3 stride 2 same | maxpool 2 same | globalavgpool | dense 4")
    for shape in ((1, 3, 9, 8), (3, 3, 20, 33)):
        assert run(model, random_picture(*shape)).shape == (shape[0], 4)


def test_the_model_says_what_it_is_and_how_it_reads_a_picture() -> None:
    model = build("Conv 3 3x3 | relu | silu", input_shape=(3, 12, None), seed=4)
    assert [node.name for node in model.graph.node] == ["conv", "relu", "silu_sigmoid", "silu"]
    (entry,) = model.graph.input
    sizes = [d.dim_value or d.dim_param for d in entry.type.tensor_type.shape.dim]
    assert (entry.name, sizes) == ("picture", ["batch", 3, 12, "columns"])
    assert "Conv 3 3x3 | relu | silu" in model.doc_string
    facts = {each.key: json.loads(each.value) for each in model.metadata_props}
    assert facts["convlens.sketch"] == {"sketch": "Conv 3 3x3 | relu | silu", "seed": 4}


@pytest.mark.parametrize(
    ("shape", "resize"), [((3, 12, 10), "crop"), ((3, None, None), "none"), ((1, None, 9), "crop")]
)
def test_its_recipe_is_understood_as_raw_values(shape: tuple[int, int | None, int | None], resize: str) -> None:
    from convlens.network import Input
    from convlens.pictures.preparing import default_recipe

    model = build("conv 1 3x3", input_shape=shape)
    recipe = default_recipe(Input("picture", shape), {each.key: each.value for each in model.metadata_props})
    assert recipe.leaves_values
    assert (recipe.channels, recipe.resize) == ("rgb", resize)


def test_a_broken_sketch_builds_nothing() -> None:
    with pytest.raises(SketchError):
        build("conv 3 50x50", input_shape=(3, 30, 30))
