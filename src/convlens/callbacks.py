"""Watch a network learn: its weights are kept every so many steps of a training of one's own, then shown with a slider.

The training goes on as it would without: weights, mode and random state are left alone. No framework is imported here.

    timeline = convlens.callbacks.Torch(model, every=100)
    for batch, labels in data:
        ...
        timeline.step(loss=loss)
    timeline.report("training.html", "digit.png")
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from convlens.engines import registry
from convlens.errors import InputError
from convlens.lens.timeline import Step, Timeline

__all__ = ["Keras", "Timeline", "Torch"]

MOST = 24


class _Recorder(Timeline):
    """A timeline that grows, and stays bounded: where there are too many steps, every second one is let go."""

    def _begin(self, every: int, most: int) -> None:
        if every < 1 or most < 2:
            raise InputError(
                "Nothing would be recorded",
                expected="every >= 1 and most >= 2",
                received=f"every={every}, most={most}",
            )
        self.every = every
        self.most = most
        self.number = 0

    def _record(
        self, model: object, loss: Any = None, accuracy: Any = None, *, label: str = "", asked: bool = False
    ) -> None:
        """Keep this step; one that was ``asked`` for stays even where it isn't its turn, as long as it is the last."""
        if self.steps and self.steps[-1].number == self.number:
            return
        weights = registry.training_of(model).weights_of(model)
        kept = [*self.steps, Step(self.number, _number(loss), _number(accuracy), weights, label)]
        while len(kept) > self.most:
            self.every *= 2
            kept = [step for step in kept if step.number % self.every == 0 or (asked and step is kept[-1])]
        self.steps = tuple(kept)
        self._opened.clear()  # places in the timeline have changed


class Torch(_Recorder):
    """Records a PyTorch training: call :meth:`step` after each step of the optimiser.

    Args:
        model: the module that is trained; its weights before training are kept at once.
        every: how many steps lie between two that are kept. Where they become more than ``most``, every second one is
            let go and the distance doubles, so that memory is bounded however long the training is.
        most: how many steps are kept.
        picture: what :meth:`report` and :meth:`serve` show where they are given no picture.
        name: what the page calls the training.
        options: those of :func:`convlens.open`: ``recipe``, ``input_shape``, ``labels``.

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
        self._record(model)

    def step(self, *, loss: Any = None, accuracy: Any = None, label: str = "") -> None:
        """One step was done; its weights are kept if it is its turn, or if it has a ``label``.

        ``loss`` and ``accuracy`` are numbers or tensors of one value, read only where they are kept.
        """
        self.number += 1
        if self.number % self.every == 0 or label:
            self._record(self.trained, loss, accuracy, label=label, asked=label != "")


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
        """Keep the weights before the first step."""
        self.trained = self._watched
        if not self.steps:
            self._record(self._watched)

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


def _number(value: Any) -> float | None:
    """A number, or a tensor of one value, as a number."""
    if value is None:
        return None
    return float(value.detach() if hasattr(value, "detach") else value)
