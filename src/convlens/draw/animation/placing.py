"""Where the grids of an animation stand, what is written above and below them, and how large all of it is."""

from __future__ import annotations

from dataclasses import dataclass

from convlens.draw.animation import telling
from convlens.draw.animation.looks import Look
from convlens.draw.animation.signs import text_width
from convlens.draw.animation.sliding import Slide
from convlens.draw.animation.staging import Measures, weights_of


@dataclass
class Plan:
    """Places in pixels, worked out from left to right and from top to bottom.

    ``sums``: whether there is a column with what each channel adds, and the bias; ``beyond``: how many channels have no
    grid of their own; ``block_y``: where the input of each shown channel begins, ``block_rows`` how tall its row is.
    """

    slide: Slide
    look: Look

    def __post_init__(self) -> None:
        slide = self.slide
        self.measures = Measures(self.look.cell)
        self.kernel = weights_of(slide)
        self.bias = slide.workings[0].bias
        self.sums = self.kernel is not None and (len(slide.workings[0].window) > 1 or bool(self.bias))
        self.beyond = len(slide.workings[0].window) - len(slide.planes) if self.sums else 0
        self.rows, self.columns = len(slide.rows.cells), len(slide.columns.cells)
        self.made = (len(slide.rows.outputs), len(slide.columns.outputs))
        self._place()

    def _place(self) -> None:
        slide, look = self.slide, self.look
        measures, cell = self.measures, look.cell
        margin, line = measures.of(0.7), round(measures.text * 1.5)
        about = [telling.title(slide), telling.part(slide), telling.settings(slide)]
        self.lines = [*filter(None, about), *telling.formulas(slide)]
        sizes = [round(measures.text * 1.25)] + [measures.small] * (len(self.lines) - 1)
        caption = round(measures.small * 1.9)
        between = measures.of(1.1 if self.kernel is not None else 1.9)
        kernel: tuple[int, ...] = self.kernel.shape[1:] if self.kernel is not None else (0, 0)
        block = max(self.rows, kernel[0]) * cell + caption
        planes = len(slide.planes) * block + (len(slide.planes) - 1) * measures.of(0.3)
        under = cell + measures.of(0.9)
        grids = planes
        planes += under * ((self.beyond > 0) + (self.sums and self.bias is not None))
        tall = max(planes, self.made[0] * cell + caption)
        x = margin
        self.kernel_x = self.sums_x = 0
        self.input_x, x = x, x + self._wide(self.columns, self.input_captions) + between
        if self.kernel is not None:
            self.kernel_x, x = x, x + self._wide(kernel[1], self.kernel_captions) + between
        if self.sums:
            self.sums_x, x = x, x + measures.of(1.4) + between
        self.output_x, x = x, x + self.made[1] * cell
        captions = self.output_x + text_width(self.output_caption, measures.small)
        widths = [text_width(text, size) for text, size in zip(self.lines, sizes, strict=True)]
        width = max(x, captions, margin + max(widths), 9 * cell) + margin
        shift = (width - margin - max(x, captions)) // 2
        self.input_x, self.output_x = self.input_x + shift, self.output_x + shift
        self.kernel_x, self.sums_x = self.kernel_x + shift, self.sums_x + shift
        self.margin, self.sizes = margin, sizes
        top = margin + sizes[0] + (len(self.lines) - 1) * round(measures.small * 1.6) + measures.of(0.55)
        first = top + (tall - planes) // 2
        self.block_y = [first + number * (block + measures.of(0.3)) + caption for number in range(len(slide.planes))]
        self.block_rows = block - caption
        self.beyond_y = first + grids + under - cell
        self.bias_y = self.beyond_y + (under if self.beyond else 0)
        self.output_y = top + (tall - self.made[0] * cell - caption) // 2 + caption
        self.foot = top + tall + measures.of(0.4)
        self.told: list[list[str]] = []
        if look.numbers:
            room = width - 2 * margin
            frames = range(len(slide))
            self.told = [telling.arithmetic(slide, frame, room, measures.text) for frame in frames]
        most = max(map(len, self.told), default=0)
        self.width = width
        self.height = self.foot + (most * line + line if most else 0) + margin - measures.of(0.3)

    def _wide(self, cells: int, captions: list[str]) -> int:
        """How wide a grid is, or what stands over it, where that is longer."""
        words = max((text_width(caption, self.measures.small) for caption in captions), default=0)
        return max(cells * self.look.cell, words - self.measures.of(0.5))

    @property
    def input_captions(self) -> list[str]:
        """What stands over the input of each shown channel: its size, or which part of it is shown."""
        slide = self.slide
        names = [f"input, channel {plane}" if len(slide.source) > 1 else "input" for plane in slide.planes]
        spread = " with zeros between" if slide.transposed and max(slide.operation.stride) > 1 else ""
        return [telling.grid(name, (slide.rows, slide.columns)) + spread for name in names]

    @property
    def kernel_captions(self) -> list[str]:
        """What stands over the kernel of each shown channel."""
        turned = ", turned by 180°" if self.slide.transposed else ""
        planes = self.slide.planes
        return [f"kernel {plane}{turned}" if len(planes) > 1 else f"kernel{turned}" for plane in planes]

    @property
    def output_caption(self) -> str:
        """The size of the output, or which part of it is made."""
        slide = self.slide
        full = slide.layer.output_shape[1:] or (1, 1)
        if self.made == tuple(full):
            return "output " + " × ".join(map(str, full))
        rows, columns = slide.rows.outputs, slide.columns.outputs
        return f"output, {telling.span('row', rows[0], rows[-1])}, {telling.span('column', columns[0], columns[-1])}"
