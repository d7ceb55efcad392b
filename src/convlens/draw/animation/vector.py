"""A stage as one SVG that moves by itself: CSS, no script; still, on its last frame, where motion isn't wanted."""

from __future__ import annotations

from html import escape
from zlib import crc32

from convlens.draw import theme
from convlens.draw.animation.looks import Look
from convlens.draw.animation.signs import known, text_width
from convlens.draw.animation.staging import Box, Label, Part, Shape, Stage

REST = 2
"""How many more frames the last one stays, in every format."""

_GLIDE = 0.3
"""The part of a frame in which the window moves on to the next place."""

_LONG = 9
"""Letters from which on a line is held to the width that the layout measured, whatever the viewer's font is."""


def svg(stage: Stage, look: Look) -> str:
    """The SVG document.

    >>> from convlens.draw.animation.composing import compose
    >>> from convlens.draw.animation.examples import convolution
    >>> svg(compose(convolution(), Look()), Look())[:4]
    '<svg'
    """
    return _Document(stage, look).text


class _Document:
    """Collects rules and shapes; equal rules are written once."""

    def __init__(self, stage: Stage, look: Look) -> None:
        self.stage = stage
        self.steps = stage.frames + REST
        self.seconds = self.steps / look.fps
        self.own = f"c{crc32(repr(stage.parts).encode()):08x}"[:5]  # several in one page keep their styles apart
        self.rules: list[str] = []
        self.names: dict[str, str] = {}
        self.styles: dict[str, str] = {}
        body = "\n".join(filter(None, (self._part(part) for part in stage.parts)))
        rest = f"@media(prefers-reduced-motion:reduce){{.{self.own} g{{animation:none!important}}}}"
        ink = theme.hexadecimal(stage.page)
        own = f'class="{self.own}" role="img" font-family="{theme.SANS_SERIF}"'
        size = f'width="{stage.width}" height="{stage.height}" viewBox="0 0 {stage.width} {stage.height}"'
        self.text = "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {own}>',
                f"<title>{escape(stage.title)}</title>",
                f"<desc>{escape(stage.description)}</desc>",
                "<metadata>convlens</metadata>",
                "<style>",
                *(f".{name}{{{style}}}" for style, name in self.styles.items()),
                *self.rules,
                rest,
                "</style>",
                f'<rect width="{stage.width}" height="{stage.height}" fill="{ink}"/>',
                body,
                "</svg>",
                "",
            ]
        )

    def _part(self, part: Part) -> str:
        shapes = "".join(map(self._shape, part.shapes))
        last = self.stage.frames - 1
        if part.moves and len(set(part.moves)) > 1:
            right, down = part.moves[-1]
            name = self._rule(self._glide(part.moves))
            return f'<g class="{name}" transform="translate({right} {down})">{shapes}</g>'
        if part.moves:
            right, down = part.moves[0]
            return f'<g transform="translate({right} {down})">{shapes}</g>'
        if (part.first, part.last) == (0, last):
            return shapes
        name = self._rule(self._shown(part.first, part.last))
        hidden = "" if part.last == last else ' visibility="hidden"'
        return f'<g class="{name}"{hidden}>{shapes}</g>'

    def _shape(self, shape: Shape) -> str:
        place, style = _rect(shape) if isinstance(shape, Box) else _words(shape)
        name = self.styles.setdefault(style, f"{self.own}s{len(self.styles)}")
        if isinstance(shape, Box):
            return f'<rect class="{name}" {place}/>'
        return f'<text class="{name}" {place}>{escape(shape.string, quote=False)}</text>'

    def _rule(self, frames: str) -> str:
        if frames not in self.names:
            name = f"{self.own}a{len(self.names)}"
            self.names[frames] = name
            how = "ease-in-out" if "translate" in frames else "step-end"
            timing = f"{self.seconds:.4g}s {how} infinite"
            self.rules.append(f".{name}{{animation:{name} {timing}}}@keyframes {name}{{{frames}}}")
        return self.names[frames]

    def _at(self, step: float) -> str:
        return f"{100 * step / self.steps:.4g}%"

    def _shown(self, first: int, last: int) -> str:
        """Hidden, then seen from the first to the last frame; what is there at the end stays until it begins again."""
        frames = ["0%{visibility:hidden}"] if first else []
        frames.append(f"{self._at(first)}{{visibility:visible}}")
        frames.append(
            f"{self._at(last + 1)},to{{visibility:hidden}}"
            if last < self.stage.frames - 1
            else "to{visibility:visible}"
        )
        return "".join(frames)

    def _glide(self, moves: tuple[tuple[int, int], ...]) -> str:
        """Each place held, then left for the next one."""
        frames = []
        for step, (right, down) in enumerate(moves):
            end = step + 1 - _GLIDE if step < len(moves) - 1 else None
            stay = f"{self._at(step)},{self._at(end) if end is not None else 'to'}"
            frames.append(f"{stay}{{transform:translate({right}px,{down}px)}}")
        return "".join(frames)


def _rect(box: Box) -> tuple[str, str]:
    """Its place, and how it looks."""
    style = [f"fill:{theme.hexadecimal(box.fill) if box.fill is not None else 'none'}"]
    if box.fill is not None and box.opacity < 1:
        style.append(f"fill-opacity:{box.opacity:g}")
    half = 0.0
    if box.stroke is not None:
        half = box.thickness / 2  # the stroke lies on the inside, as in the frames of pixels
        style += [f"stroke:{theme.hexadecimal(box.stroke)}", f"stroke-width:{box.thickness}"]
        if box.dashed:
            style.append(f"stroke-dasharray:{max(3, box.width // 9)}")
    width, height = box.width - 2 * half, box.height - 2 * half
    return f'x="{box.x + half:g}" y="{box.y + half:g}" width="{width:g}" height="{height:g}"', ";".join(style)


def _words(label: Label) -> tuple[str, str]:
    """Its place, and how it looks."""
    style = [f"font-size:{label.size}px", f"fill:{theme.hexadecimal(label.colour)}"]
    if label.anchor != "start":
        style.append(f"text-anchor:{label.anchor}")
    held = ""
    if len(label.string) >= _LONG and known(label.string):
        held = f' textLength="{text_width(label.string, label.size)}" lengthAdjust="spacingAndGlyphs"'
    return f'x="{label.x}" y="{label.y}"{held}', ";".join(style)
