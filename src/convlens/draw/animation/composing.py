"""From a sliding window to its stage: input, kernel and output side by side, the arithmetic of the window below."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from convlens.arithmetic.rounding import Floats
from convlens.draw import colours as scales
from convlens.draw.animation import telling
from convlens.draw.animation.looks import Look, mixed, readable
from convlens.draw.animation.placing import Plan
from convlens.draw.animation.sliding import Slide
from convlens.draw.animation.staging import (
    Box,
    Label,
    Shape,
    Stage,
    fitting,
    shaded,
    write_value,
    written,
)
from convlens.draw.theme import Rgb
from convlens.network import Pooling

_GLASS = 0.22
"""How much of its colour the window lays over the cells."""


def compose(slide: Slide, look: Look) -> Stage:
    """The stage of a sliding window.

    >>> from convlens.draw.animation.examples import convolution
    >>> stage = compose(convolution(stride=2), Look())
    >>> stage.frames, stage.title
    (4, 'convolution: 5 × 5 → 2 × 2')
    """
    return _Composer(slide, look).stage


@dataclass
class _Composer:
    slide: Slide
    look: Look
    stage: Stage = field(init=False)

    def __post_init__(self) -> None:
        slide, look, plan = self.slide, self.look, Plan(self.slide, self.look)
        self.plan, self.measures, self.kernel = plan, plan.measures, plan.kernel
        self.cell, self.gap = look.cell, max(1, look.cell // 20)
        said = " ".join(plan.lines[1:])
        self.stage = Stage(plan.width, plan.height, len(slide), look.colours.page, plan.lines[0], said)
        self.made = written(slide.values, self.cell - 4, self.measures.value)
        self.taps = [] if self.kernel is None else [float(weight) for weight in self.kernel.flat]
        self.weights = written(self.taps, self.cell - 4, self.measures.value)
        self.read = self._read()
        self.equals = "=" if not look.numbers or self._in_full() else "≈"
        self.tints = shaded(slide) if look.shade else {}
        self._head()
        for number in range(len(slide.planes)):
            self._input(number)
        if self.kernel is not None:
            self._kernels(self.kernel)
        self._output()
        self._window()
        self._input_numbers()
        if look.numbers:
            self._arithmetic()

    def _read(self) -> tuple[dict[tuple[int, int, int], str], int]:
        """The numbers of the input by (channel, row, column) as laid out, and the size of their letters."""
        slide, plan = self.slide, self.plan
        cells = np.ndindex(len(slide.planes), plan.rows, plan.columns)
        found = {(slide.planes[n], row, column): slide.cell(slide.planes[n], row, column) for n, row, column in cells}
        known = {place: value for place, value in found.items() if value is not None}
        texts, size = written(known.values(), self.cell - 4, self.measures.value)
        return dict(zip(known, texts, strict=True)), size

    def _in_full(self) -> bool:
        """Whether every number that is read, weighed or made stands there with all its digits."""
        read = [(text, self.slide.cell(*place) or 0.0) for place, text in self.read[0].items()]
        made = zip(self.made[0], self.slide.values, strict=True)
        taps = zip(self.weights[0], self.taps, strict=True)
        return all(telling.stands(text, value) for text, value in (*read, *made, *taps))

    def _head(self) -> None:
        measures, ink = self.measures, self.look.colours
        y = self.plan.margin + self.plan.sizes[0] - measures.of(0.1)
        for text, size in zip(self.plan.lines, self.plan.sizes, strict=True):
            colour = ink.ink if y <= self.plan.margin + self.plan.sizes[0] else ink.muted
            self.stage.still(Label(self.plan.margin, y, text, size, colour, "start"))
            y += round(measures.small * 1.6)

    def _tile(self, x: int, y: int, row: int, column: int) -> Box:
        side = self.cell - self.gap
        return Box(x + column * self.cell, y + row * self.cell, side, side)

    def _filled(self, x: int, y: int, row: int, column: int, fill: Rgb) -> Box:
        box = self._tile(x, y, row, column)
        return Box(box.x, box.y, box.width, box.height, fill)

    def _empty(self, x: int, y: int, row: int, column: int, *, dashed: bool) -> Box:
        box, colours = self._tile(x, y, row, column), self.look.colours
        line = mixed(colours.page, colours.line, 0.75) if dashed else colours.line
        return Box(box.x, box.y, box.width, box.height, None, line, 1, dashed)

    def _say(self, x: int, y: int, text: str) -> None:
        colours = self.look.colours
        self.stage.still(
            Label(x, y - round(self.measures.small * 0.6), text, self.measures.small, colours.muted, "start")
        )

    def _sign(self, left: int, right: int, y: int, text: str) -> None:
        size = round(self.measures.text * 1.15)
        colour = self.look.colours.muted
        self.stage.still(Label((left + right) // 2, y + round(size * 0.36), text, size, colour))

    def _centre(self, number: int) -> int:
        return self.plan.block_y[number] + self.plan.block_rows // 2

    def _top(self, number: int) -> int:
        return self.plan.block_y[number] + (self.plan.block_rows - self.plan.rows * self.cell) // 2

    def _input(self, number: int) -> None:
        slide, plane, y = self.slide, self.slide.planes[number], self._top(number)
        self._say(self.plan.input_x, y, self.plan.input_captions[number])
        for row, at in enumerate(slide.rows.cells):
            for column, beside in enumerate(slide.columns.cells):
                if at >= 0 and beside >= 0:
                    self.stage.still(self._filled(self.plan.input_x, y, row, column, self._ground(plane, at, beside)))
                else:
                    self.stage.still(self._empty(self.plan.input_x, y, row, column, dashed=True))

    def _ground(self, plane: int, row: int, column: int) -> Rgb:
        colours = self.look.colours
        return self.tints.get((plane, row, column), colours.tinted(colours.input))

    def _kernels(self, kernel: Floats) -> None:
        colours = self.look.colours
        fill = colours.tinted(colours.window)
        texts, size = self.weights
        left = iter(texts)
        for number, weights in enumerate(kernel):
            y = self._centre(number) - len(weights) * self.cell // 2
            self._say(self.plan.kernel_x, y, self.plan.kernel_captions[number])
            for row, line in enumerate(weights):
                for column in range(len(line)):
                    box = self._filled(self.plan.kernel_x, y, row, column, fill)
                    self.stage.still(box)
                    text = next(left)
                    if self.look.numbers and size:
                        self.stage.still(write_value(self.look, box, text, size, fill))
            self._sign(self.plan.input_x + self.plan.columns * self.cell, self.plan.kernel_x, self._centre(number), "×")
        right = self.plan.kernel_x + kernel.shape[2] * self.cell
        if self.plan.sums:
            self._sums(right)
        else:
            self._sign(right, self.plan.output_x, self._centre(0), self.equals)

    def _sums(self, left: int) -> None:
        """What each channel contributes, frame by frame, and what those that aren't shown add."""
        slide, cell, wide = self.slide, self.cell, self.measures.of(1.4)
        shown = len(slide.planes)
        places = [self._centre(number) - cell // 2 for number in range(shown)]
        found = [working.channel_sums for working in slide.workings]
        rows = [[float(part) for part in one[:shown]] for one in found if one is not None]
        if self.plan.beyond:
            places.append(self.plan.beyond_y)
            rows = [[*row, float(one[shown:].sum())] for row, one in zip(rows, found, strict=True) if one is not None]
            self._aside(
                self.plan.beyond_y,
                f"the other {self.plan.beyond:,} channels" if self.plan.beyond > 1 else "the other channel",
            )
        told, size = written((value for row in rows for value in row), wide - 6, self.measures.value)
        columns, sizes = [told[number :: len(places)] for number in range(len(places))], [size] * len(places)
        if self.plan.bias is not None:
            places.append(self.plan.bias_y)
            text = telling.number(self.plan.bias)  # with digits of its own: sums can be far larger
            columns.append([text])
            sizes.append(fitting([text], wide - 6, self.measures.value))
            self._aside(self.plan.bias_y, "bias")
        fill = self.look.colours.tinted(self.look.colours.window)
        for number, y in enumerate(places):
            if number < shown:
                self._sign(left, self.plan.sums_x, y + cell // 2, self.equals)
            if number:
                above = places[number - 1] + cell
                self._sign(self.plan.sums_x, self.plan.sums_x + wide - self.gap, (above + y) // 2, "+")
            box = Box(self.plan.sums_x, y, wide - self.gap, cell - self.gap, fill)
            self.stage.still(box)
            texts, size = columns[number], sizes[number]
            if not (self.look.numbers and size):
                continue
            if len(set(texts)) == 1:
                self.stage.still(write_value(self.look, box, texts[0], size, fill))
                continue
            for frame, text in enumerate(texts):
                self.stage.during(frame, frame, write_value(self.look, box, text, size, fill))
        self._sign(
            self.plan.sums_x + wide, self.plan.output_x, self.plan.output_y + self.plan.made[0] * cell // 2, self.equals
        )

    def _aside(self, y: int, text: str) -> None:
        """A name to the left of one of the numbers that are added up."""
        size, colour = self.measures.small, self.look.colours.muted
        x = self.plan.sums_x - self.measures.of(0.3)
        self.stage.still(Label(x, y + self.cell // 2 + round(size * 0.36), text, size, colour, "end"))

    def _output(self) -> None:
        slide, look, stage = self.slide, self.look, self.stage
        if isinstance(slide.operation, Pooling):
            word = {"max": "max", "average": "mean", "lp": "norm"}[slide.operation.mode]
            self._sign(self.plan.input_x + self.plan.columns * self.cell, self.plan.output_x, self._centre(0), word)
        self._say(self.plan.output_x, self.plan.output_y, self.plan.output_caption)
        texts, size = self.made
        scale = scales.scale_for(list(slide.values))
        for frame, (row, column) in enumerate(slide.places):
            at, beside = row - slide.rows.outputs[0], column - slide.columns.outputs[0]
            stage.still(self._empty(self.plan.output_x, self.plan.output_y, at, beside, dashed=False))
            fill = look.colours.tinted(look.colours.output)
            if look.shade:
                red, green, blue = scales.palette(scale.diverging)[scales.index(slide.values[frame], scale)]
                fill = (int(red), int(green), int(blue))
            box = self._filled(self.plan.output_x, self.plan.output_y, at, beside, fill)
            label = [write_value(look, box, texts[frame], size, fill)] if look.numbers and size else []
            stage.during(frame, stage.frames - 1, box, *label)
        mark = self._outline(self.plan.output_x, self.plan.output_y, 1, 1, look.colours.output)
        moves = [
            ((column - slide.columns.outputs[0]) * self.cell, (row - slide.rows.outputs[0]) * self.cell)
            for row, column in slide.places
        ]
        stage.moving([mark], moves)

    def _outline(self, x: int, y: int, rows: int, columns: int, colour: Rgb) -> Box:
        thick, reach = self.measures.bold, (self.measures.bold + 1) // 2
        width, height = columns * self.cell - self.gap + 2 * reach, rows * self.cell - self.gap + 2 * reach
        return Box(x - reach, y - reach, width, height, None, colour, thick)

    def _window(self) -> None:
        """The window over every shown channel, with the weights in its corners; what won in it, where that is asked."""
        slide = self.slide
        frames = [
            (slide.rows.windows[row - slide.rows.outputs[0]], slide.columns.windows[column - slide.columns.outputs[0]])
            for row, column in slide.places
        ]
        starts = [(min(rows), min(columns)) for rows, columns in frames]
        shapes = [
            (tuple(sorted(r - first for r in rows)), tuple(sorted(c - second for c in columns)))
            for (rows, columns), (first, second) in zip(frames, starts, strict=True)
        ]
        for frame, (rows, columns) in enumerate(frames):
            self._winners(frame, rows, columns)
        if len(set(shapes)) == 1:
            glass = [shape for number in range(len(slide.planes)) for shape in self._glass(number, (0, 0), *shapes[0])]
            moves = [(column * self.cell, row * self.cell) for row, column in starts]
            self.stage.moving(glass, moves)
            return
        for frame, (start, shape) in enumerate(zip(starts, shapes, strict=True)):
            for number in range(len(slide.planes)):
                self.stage.during(frame, frame, *self._glass(number, start, *shape))

    def _glass(
        self, number: int, start: tuple[int, int], rows: tuple[int, ...], columns: tuple[int, ...]
    ) -> list[Shape]:
        colour, top = self.look.colours.window, self._top(number)
        x, y = self.plan.input_x + start[1] * self.cell, top + start[0] * self.cell
        tall, wide = rows[-1] + 1, columns[-1] + 1
        dense = len(rows) == tall and len(columns) == wide
        thick = self._outline(x, y, tall, wide, colour)
        opacity = 0.0 if self.look.shade else _GLASS
        shapes: list[Shape] = []
        if self.look.shade:
            shapes.append(self._halo(thick))
        if dense:
            if opacity:
                shapes.append(Box(thick.x, thick.y, thick.width, thick.height, colour, opacity=opacity))
            shapes.append(thick)
        else:
            shapes.append(Box(thick.x, thick.y, thick.width, thick.height, None, colour, 1))
            for row in rows:
                for column in columns:
                    box = self._tile(x, y, row, column)
                    if opacity:
                        shapes.append(Box(box.x, box.y, box.width, box.height, colour, opacity=opacity))
                    shapes.append(Box(box.x, box.y, box.width, box.height, None, colour, self.measures.bold))
        return shapes + self._corners(number, x, y, rows, columns)

    def _under(self, colour: Rgb) -> Rgb:
        """A colour as it looks under the window."""
        return mixed(colour, self.look.colours.window, 0.0 if self.look.shade else _GLASS)

    def _halo(self, box: Box) -> Box:
        """A rim in the page's colour, wide outside and thin inside: a frame stands out from cells of any colour."""
        rim = self.measures.bold
        width, height, thick = box.width + 2 * rim, box.height + 2 * rim, box.thickness + rim + 1
        return Box(box.x - rim, box.y - rim, width, height, None, self.look.colours.page, thick)

    def _corners(self, number: int, x: int, y: int, rows: tuple[int, ...], columns: tuple[int, ...]) -> list[Shape]:
        """The weights, small, in the cells that they are multiplied with."""
        if self.kernel is None or not self.look.numbers or self.look.shade:
            return []
        colours, weights = self.look.colours, self.kernel[number]
        texts, size = written(map(float, weights.flat), self.cell - 4, max(8, self.measures.of(0.28)))
        if not size:
            return []
        ink = readable(colours.window, self._under(colours.page), colours.ink)
        ink = readable(ink, self._under(colours.tinted(colours.input)), colours.ink)
        inset = self.measures.bold
        return [
            Label(
                x + (column + 1) * self.cell - self.gap - inset,
                y + (row + 1) * self.cell - self.gap - inset - 1,
                texts[at * len(columns) + beside],
                size,
                ink,
                "end",
            )
            for at, row in enumerate(rows)
            for beside, column in enumerate(columns)
        ]

    def _winners(self, frame: int, rows: tuple[int, ...], columns: tuple[int, ...]) -> None:
        winners = self.slide.workings[frame].winners
        if winners is None or winners.shape != (len(rows), len(columns)):
            return
        colour = self.look.colours.output
        for at, row in enumerate(rows):
            for beside, column in enumerate(columns):
                if winners[at, beside]:
                    box = self._tile(self.plan.input_x, self._top(0), row, column)
                    fill = None if self.look.shade else colour
                    glow = Box(box.x, box.y, box.width, box.height, fill, colour, self.measures.bold, opacity=_GLASS)
                    self.stage.during(frame, frame, *([self._halo(glow)] if self.look.shade else []), glow)

    def _input_numbers(self) -> None:
        slide, look = self.slide, self.look
        if not look.numbers:
            return
        texts, size = self.read
        if not size:
            return
        for number, plane in enumerate(slide.planes):
            for row, at in enumerate(slide.rows.cells):
                for column, beside in enumerate(slide.columns.cells):
                    if (plane, row, column) not in texts:
                        continue
                    box = self._tile(self.plan.input_x, self._top(number), row, column)
                    real = at >= 0 and beside >= 0
                    ground = self._ground(plane, at, beside) if real else look.colours.page
                    label = write_value(look, box, texts[plane, row, column], size, ground)
                    if not real:
                        ink = readable(look.colours.muted, self._under(look.colours.page), look.colours.ink)
                        label = Label(label.x, label.y, label.string, size, ink)
                    self.stage.still(label)

    def _arithmetic(self) -> None:
        measures, colours = self.measures, self.look.colours
        line = round(measures.text * 1.5)
        for frame, (row, column) in enumerate(self.slide.places):
            y = self.plan.foot + measures.small
            place = Label(self.plan.margin, y, f"row {row}, column {column}", measures.small, colours.muted, "start")
            told = [
                Label(self.plan.margin, y + (number + 1) * line, text, measures.text, colours.ink, "start")
                for number, text in enumerate(self.plan.told[frame])
            ]
            self.stage.during(frame, frame, place, *told)
