"""Make the moving pictures of docs/animations.md from the tool's own output: python docs/animations.py

The rows are those of V. Dumoulin's and F. Visin's collection, github.com/vdumoulin/conv_arithmetic, which goes with
their paper "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285); the pictures are our own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from convlens.draw.animation import Look, Slide, convolution, pooling, save, transposed

FOLDER = Path(__file__).parent / "animations"


@dataclass(frozen=True)
class Row:
    """One picture: its file's name, and what makes it."""

    name: str
    make: Callable[[], Slide]


def forward(size: int, kernel: int, padding: int = 0, stride: int = 1, dilation: int = 1) -> Callable[[], Slide]:
    """A convolution of squares."""
    return partial(convolution, (size, size), (kernel, kernel), padding=padding, stride=stride, dilation=dilation)


def backward(size: int, kernel: int, padding: int = 0, stride: int = 1, added: int = 0) -> Callable[[], Slide]:
    """A transposed convolution of squares."""
    return partial(transposed, (size, size), (kernel, kernel), padding=padding, stride=stride, output_padding=added)


ROWS = (
    Row("no_padding_no_strides", forward(4, 3)),
    Row("arbitrary_padding_no_strides", forward(5, 4, 2)),
    Row("same_padding_no_strides", forward(5, 3, 1)),
    Row("full_padding_no_strides", forward(5, 3, 2)),
    Row("no_padding_strides", forward(5, 3, 0, 2)),
    Row("padding_strides", forward(5, 3, 1, 2)),
    Row("padding_strides_odd", forward(6, 3, 1, 2)),
    Row("no_padding_no_strides_transposed", backward(2, 3)),
    Row("arbitrary_padding_no_strides_transposed", backward(6, 4, 2)),
    Row("same_padding_no_strides_transposed", backward(5, 3, 1)),
    Row("full_padding_no_strides_transposed", backward(7, 3, 2)),
    Row("no_padding_strides_transposed", backward(2, 3, 0, 2)),
    Row("padding_strides_transposed", backward(3, 3, 1, 2)),
    Row("padding_strides_odd_transposed", backward(3, 3, 1, 2, 1)),
    Row("dilation", forward(7, 3, 0, 1, 2)),
    Row("numerical_no_padding_no_strides", forward(5, 3)),
    Row("numerical_max_pooling", partial(pooling, stride=1)),
    Row("numerical_average_pooling", partial(pooling, mode="average", stride=1)),
    Row("multichannel", partial(convolution, (3, 5, 5), stride=2, padding=1, bias=1)),
)


def main(folder: Path = FOLDER) -> None:
    """Every picture, as an SVG that moves by itself."""
    folder.mkdir(exist_ok=True)
    for row in ROWS:
        save(row.make(), folder / f"{row.name}.svg", Look())


if __name__ == "__main__":
    main()
