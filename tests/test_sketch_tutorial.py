"""The eight models of the tutorial have their true numbers."""

from __future__ import annotations

import re
from importlib import resources

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray
from onnx import numpy_helper
from PIL import Image

from convlens.sketches import TUTORIAL, build
from convlens.sketches.tutorial import INPUT_SHAPE

Array = NDArray[np.float32]


def weights_of(model: onnx.ModelProto) -> dict[str, Array]:
    return {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}


def run(model: onnx.ModelProto, picture: Array) -> Array:
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"picture": picture})
    return np.asarray(output)


TRUTH = [
    # number, parameters, output (channels, rows, columns)
    (1, 84, (3, 1438, 1078)),
    (2, 903, (3, 1431, 1071)),
    (3, 28, (1, 1438, 1078)),
    (4, 1201, (1, 1421, 1061)),
    (5, 1201, (1, 1421, 1061)),
    (6, 28, (1, 287, 215)),
    (7, 28, (1, 287, 215)),
    (8, 38, (1, 57, 42)),
]


@pytest.mark.parametrize(("number", "parameters", "shape"), TRUTH)
def test_the_tutorial_has_its_true_numbers(number: int, parameters: int, shape: tuple[int, int, int]) -> None:
    """Numbers on which Keras with TensorFlow, JAX and PyTorch agree; the weights leave both signs for each ReLU."""
    lesson = TUTORIAL[number - 1]
    assert lesson.number == number
    model = build(lesson.sketch, input_shape=INPUT_SHAPE, seed=lesson.seed)
    assert sum(array.size for array in weights_of(model).values()) == parameters

    with resources.files("convlens.data").joinpath("chelsea.png").open("rb") as file:
        cat = Image.open(file).convert("RGB").resize((INPUT_SHAPE[2], INPUT_SHAPE[1]))
    output = run(model, np.asarray(cat, np.float32).transpose(2, 0, 1)[None])
    assert output.shape == (1, *shape)
    if "relu" in lesson.sketch:
        assert 0.03 < (output == 0).mean() < 0.9
    assert all(channel.std() > 1 for channel in output[0])


def test_the_tutorial_is_told_in_order_with_something_to_say() -> None:
    assert [lesson.number for lesson in TUTORIAL] == list(range(1, 9))
    assert len({lesson.title for lesson in TUTORIAL}) == 8
    assert all(lesson.says.endswith(".") and 60 < len(lesson.says) < 300 for lesson in TUTORIAL)


def test_the_tutorial_says_the_same_in_thai() -> None:
    for lesson in TUTORIAL:
        for text in (lesson.title_th, lesson.says_th):
            assert re.search(r"[ก-๛]", text)
        assert numbers(lesson.says_th) <= numbers(lesson.says), f"lesson {lesson.number} has another number in Thai"


def numbers(text: str) -> set[str]:
    """The numbers of a text in figures; those that are written as words are left out."""
    return set(re.findall(r"\d+", text))
