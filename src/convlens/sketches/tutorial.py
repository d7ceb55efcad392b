"""Eight small models that teach convolution, one change at a time."""

from __future__ import annotations

from dataclasses import dataclass

INPUT_SHAPE = (3, 1440, 1080)
"""The picture that the lessons are drawn for: channels, rows, columns."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """One model of the tutorial: ``sketch`` and ``seed`` build it, ``says`` tells what is new and where to look.

    The weights are random, so a seed is chosen that leaves values of both signs where a ReLU follows.
    """

    number: int
    title: str
    sketch: str
    says: str
    seed: int = 0


TUTORIAL = (
    Lesson(
        1,
        "Three filters of 3x3",
        "conv 3 3x3",
        "Each of the three filters has a kernel for red, one for green and one for blue, and makes one feature map. "
        "The maps are one pixel smaller on every side: there, a kernel would hang over the picture's edge.",
    ),
    Lesson(
        2,
        "Larger kernels: 10x10",
        "conv 3 10x10",
        "The same three filters with larger kernels: every value now mixes 100 pixels of each colour. Watch the fine "
        "hairs dissolve, and the parameters grow with the kernel's area, from 84 to 903.",
    ),
    Lesson(
        3,
        "One filter of 3x3",
        "conv 1 3x3",
        "One filter instead of three. It still has a kernel for each colour, but their results are added up into a "
        "single map: the number of filters decides how many maps there are.",
    ),
    Lesson(
        4,
        "One filter of 20x20",
        "conv 1 20x20",
        "One filter again, with kernels of 20x20: one value looks at 400 pixels of each colour. The picture melts into "
        "soft shapes, and the map loses 19 rows and 19 columns.",
        seed=8,
    ),
    Lesson(
        5,
        "An activation: ReLU",
        "conv 1 20x20 | relu",
        "ReLU turns every negative value into zero and leaves the others alone; it has nothing to learn and adds no "
        "parameters. Compare the two maps: whatever was below zero is now one even area.",
        seed=8,
    ),
    Lesson(
        6,
        "Pooling: the largest of 5x5",
        "conv 1 3x3 | maxpool 5x5",
        "Max pooling keeps the largest value of each 5x5 window, then moves on by 5. A 25th of the values is left and "
        "the cat is still a cat; the last 3 rows and 3 columns fill no window and are dropped.",
    ),
    Lesson(
        7,
        "Convolution, ReLU, pooling",
        "conv 1 3x3 | relu | maxpool 5x5",
        "The three steps that convolutional networks repeat, in their usual order. Pick one bright spot and follow it: "
        "the kernel makes it, ReLU lets it pass, pooling keeps it.",
    ),
    Lesson(
        8,
        "The same three steps, twice",
        "conv 1 3x3 | relu | maxpool 5x5 | conv 1 3x3 | relu | maxpool 5x5",
        "The second round reads the first one's map instead of the picture. Its kernel is only 3x3, and yet a value of "
        "the last map sees 37x37 pixels of the picture, 25 pixels on from what its neighbour sees.",
    ),
)
"""The lessons in their order."""
