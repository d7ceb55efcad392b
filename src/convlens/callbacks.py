"""Watch a network learn: its weights are kept every so many steps of a training of one's own, then shown with a slider.

The training goes on as it would without: weights, mode and random state are left alone. No framework is imported here.

    timeline = convlens.callbacks.Torch(model, every=100)
    for batch, labels in data:
        ...
        timeline.step(loss=loss)
    timeline.report("training.html", "digit.png")
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import index
from typing import Any

from convlens.engines import registry
from convlens.errors import InputError, ModelError
from convlens.lens.timeline import Step, Timeline, check_fits

__all__ = ["Keras", "Timeline", "Torch"]

MOST = 24


class _Recorder(Timeline):
    """A timeline that grows, and stays bounded: where there are too many steps, every second one is let go."""

    def _begin(self, every: int, most: int) -> None:
        self.every, self.most = _whole("every", every), _whole("most", most)
        if self.every < 1 or self.most < 2:
            raise InputError(
                "Nothing would be recorded",
                expected="every >= 1 and most >= 2",
                received=f"every={every}, most={most}",
            )
        self.number = 0

    def _record(
        self, model: object, loss: Any = None, accuracy: Any = None, *, label: str = "", asked: bool = False
    ) -> None:
        """Keep this step; one that was ``asked`` for stays even where it isn't its turn, as long as it is the last."""
        if self.steps and self.steps[-1].number == self.number:
            return
        weights = registry.training_of(model).weights_of(model)
        step = Step(self.number, _number(loss, "loss"), _number(accuracy, "accuracy"), weights, label)
        kept, self.every = _thinned([*self.steps, step], self.every, self.most, step if asked else None)
        self.steps = tuple(kept)
        self._opened.clear()  # places in the timeline have changed


class Torch(_Recorder):
    """Records a PyTorch training: call :meth:`step` after each step of the optimiser.

    Args:
        model: the module that is trained; its weights before training are kept at once.
        every: how many steps lie between two that are kept. Where they become more than ``most``, every second one is
            let go and the distance doubles, so that memory is bounded however long the training is. Steps with a label
            stay until no others are left to let go.
        most: how many steps are kept.
        picture: what :meth:`report` and :meth:`serve` show where they are given no picture.
        name: what the page calls the training.
        options: those of :func:`convlens.open`: ``recipe``, ``input_shape``, ``labels``.

    :meth:`report`, :meth:`serve`, :meth:`save` and :meth:`feature_maps` keep the weights of that moment first, so that
    the timeline ends with the trained network.

    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Conv2d(1, 2, 3))
    >>> timeline = Torch(model, every=2, input_shape=(1, 8, 8))
    >>> for number in range(6):
    ...     timeline.step(loss=1 / (number + 1))
    >>> [step.number for step in timeline.steps]
    [0, 2, 4, 6]
    """

    def __init__(
        self,
        model: object,
        *,
        every: int = 100,
        most: int = MOST,
        picture: object = None,
        name: str = "training",
        **options: Any,
    ) -> None:
        super().__init__(model, [], name=name, picture=picture, **options)
        self._begin(every, most)
        self._told: tuple[Any, Any] = (None, None)
        self._record(model)

    def step(self, *, loss: Any = None, accuracy: Any = None, label: str = "") -> None:
        """One step was done; its weights are kept if it is its turn, or if it has a ``label``.

        ``loss`` and ``accuracy`` are numbers or tensors of one value, read only where they are kept.

        Raises:
            InputError: they are something else; at the first step already.
        """
        self._told = (_single(loss, "loss"), _single(accuracy, "accuracy"))
        self.number += 1
        if self.number % self.every == 0 or label:
            self._record(self.trained, *self._told, label=label)

    def _complete(self) -> None:
        if self.number > self.steps[-1].number:
            self._record(self.trained, *self._told, asked=True)


class Keras(_Recorder):
    """Records a Keras training, as one of ``model.fit(callbacks=[...])``: before it, every ``every`` batches, after it.

    It is a ``keras.callbacks.Callback``. Loss and accuracy are those that Keras reports at a batch: the means of the
    epoch so far. A second ``fit`` goes on where the first one ended. The arguments are those of :class:`Torch`, without
    the model.
    """

    def __new__(cls, **_given: Any) -> Keras:
        """Make it a callback of the installed Keras."""
        from importlib import import_module

        base = import_module("convlens.engines.keras.training").callback()
        kind = type(cls.__name__, (cls, base), {"__module__": cls.__module__, "__doc__": cls.__doc__})
        made: Keras = object.__new__(kind)
        return made

    def __init__(
        self, *, every: int = 100, most: int = MOST, picture: object = None, name: str = "training", **options: Any
    ) -> None:
        super(Timeline, self).__init__()  # what Keras's own class sets up
        super().__init__(None, [], name=name, picture=picture, **options)
        self._begin(every, most)
        self._batch = -1

    def on_train_begin(self, _logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights before the first step.

        Raises:
            ModelError: this callback holds the timeline of another model.
        """
        if self.steps:
            self._check_same(self._watched)
            return
        self.trained = self._watched
        self._record(self.trained)

    def _check_same(self, model: object) -> None:
        if model is not self.trained:
            raise ModelError(
                "This callback holds the training of another model",
                expected="the same model at each fit, or a new callback",
                received=f"another {type(model).__name__}",
                hint="Type convlens.callbacks.Keras(...) for this model; the other's timeline is as it was.",
            )
        check_fits(self.steps[-1].weights, registry.training_of(model).weights_of(model))

    def on_epoch_begin(self, _epoch: int, _logs: Mapping[str, Any] | None = None) -> None:
        """Count from here."""
        self._batch = -1

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights where it is their turn; several batches may have been one call (steps_per_execution)."""
        before, self.number, self._batch = self.number, self.number + batch - self._batch, batch
        if before // self.every != self.number // self.every:
            self._keep(logs)

    def on_train_end(self, logs: Mapping[str, Any] | None = None) -> None:
        """Keep the weights after the last step."""
        self._keep(logs, asked=True)

    def _keep(self, logs: Mapping[str, Any] | None, *, asked: bool = False) -> None:
        told = logs or {}
        accuracy = next(
            (told[name] for name in told if name.endswith(("accuracy", "acc")) and name[:4] != "val_"), None
        )
        self._record(self._watched, told.get("loss"), accuracy, asked=asked)

    @property
    def _watched(self) -> object:
        """The model, its weights up to date: Keras's own property sees to that."""
        model: object = self.model  # type: ignore[attr-defined]  # of the class that Keras gives at run time
        return model


def _thinned(kept: list[Step], every: int, most: int, last: Step | None) -> tuple[list[Step], int]:
    """At most ``most`` of the steps, and the distance between them; the first stays, and so does ``last``.

    Those without a label go first, every second one at a time. Of those with one every second goes by its place, the
    newest stays, and the distance is what it was.
    """
    while len(kept) > most:
        between = [step for step in kept[1:] if step is not last]
        loose = [step for step in between if not step.label]
        if len(loose) > 1:
            every *= 2
            staying = _one_in_each(kept[0], loose, every)
        else:
            staying = []
        named = [step for step in between if step.label]
        if not loose:
            named = named[-1::-2] if len(named) > 1 else []
        chosen = {step.number for step in (kept[0], *staying, *named)}
        kept = [step for step in kept if step.number in chosen or step is last]
    return kept, every


def _one_in_each(first: Step, steps: Sequence[Step], every: int) -> list[Step]:
    """The first step of each stretch of ``every`` steps, ``first`` having its own already."""
    held = {first.number // every}
    staying = []
    for step in steps:
        if step.number // every not in held:
            held.add(step.number // every)
            staying.append(step)
    return staying


def _whole(name: str, value: Any) -> int:
    try:
        return index(value)
    except TypeError as error:
        raise InputError(
            f"{name} is no whole number", expected="a number of steps, such as 100", received=repr(value)
        ) from error


def _single(value: Any, name: str) -> Any:
    """A number, or a tensor of one value let go of what it was computed from; a tensor isn't read here.

    Raises:
        InputError: it is something else.
    """
    shape = getattr(value, "shape", None)
    if shape is None:
        return _number(value, name)
    if any(size != 1 for size in shape):
        raise InputError(
            f"The {name} of a step is one value",
            expected="a number, or a tensor of one value",
            received=f"a {type(value).__name__} of shape {tuple(shape)}",
            hint=f"Type {name}={name}.mean(), for example.",
        )
    return value.detach() if hasattr(value, "detach") else value


def _number(value: Any, name: str) -> float | None:
    """A number, or a tensor of one value, as a number."""
    if value is None:
        return None
    try:
        if isinstance(value, str):
            raise TypeError("text")
        return float(value.item() if hasattr(value, "item") else value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InputError(
            f"The {name} of a step is one value", expected="a number, or a tensor of one value", received=repr(value)
        ) from error
