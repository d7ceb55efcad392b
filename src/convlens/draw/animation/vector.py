"""A stage as one SVG that moves by itself: CSS, no script; still, on its last frame, where motion isn't wanted."""

from __future__ import annotations

from html import escape

from convlens.draw import theme
from convlens.draw.animation.looks import Look
from convlens.draw.animation.staging import Box, Label, Part, Shape, Stage
from convlens.draw.lettering import known, text_width

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
        self.rules: list[str] = []
        self.names: dict[str, str] = {}
        body = "\n".join(filter(None, (self._part(part) for part in stage.parts)))
        shared = f"svg *{{animation:{self.seconds:.4g}s infinite}}"
        rest = "@media(prefers-reduced-motion:reduce){svg *{animation:none!important}}"
        ink = theme.hexadecimal(stage.page)
        size = f'width="{stage.width}" height="{stage.height}" viewBox="0 0 {stage.width} {stage.height}"'
        self.text = "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" font-family="{theme.SANS_SERIF}">',
                f"<title>{escape(stage.title)}</title>",
                f"<desc>{escape(stage.description)}</desc>",
                "<metadata>convlens</metadata>",
                "<style>",
                *([shared] if self.rules else []),
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
        shapes = "".join(map(_shape, part.shapes))
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

    def _rule(self, frames: str) -> str:
        if frames not in self.names:
            name = f"a{len(self.names)}"
            self.names[frames] = name
            how = "ease-in-out" if "translate" in frames else "step-end"
            self.rules.append(
                f".{name}{{animation-name:{name};animation-timing-function:{how}}}@keyframes {name}{{{frames}}}"
            )
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


def _shape(shape: Shape) -> str:
    return _box(shape) if isinstance(shape, Box) else _label(shape)


def _box(box: Box) -> str:
    fill = theme.hexadecimal(box.fill) if box.fill is not None else "none"
    parts = [f'fill="{fill}"']
    if box.fill is not None and box.opacity < 1:
        parts.append(f'fill-opacity="{box.opacity:g}"')
    x, y, width, height = float(box.x), float(box.y), float(box.width), float(box.height)
    if box.stroke is not None:
        half = box.thickness / 2  # the stroke lies on the inside, as in the frames of pixels
        x, y, width, height = x + half, y + half, width - 2 * half, height - 2 * half
        parts.append(f'stroke="{theme.hexadecimal(box.stroke)}"')
        if box.thickness != 1:
            parts.append(f'stroke-width="{box.thickness}"')
        if box.dashed:
            dash = max(3, box.width // 9)
            parts.append(f'stroke-dasharray="{dash}"')
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f"<rect {place} {' '.join(parts)}/>"


def _label(label: Label) -> str:
    anchor = "" if label.anchor == "start" else f' text-anchor="{label.anchor}"'
    held = ""
    if len(label.string) >= _LONG and known(label.string.replace("≈", "~")):
        held = f' textLength="{text_width(label.string, label.size)}" lengthAdjust="spacingAndGlyphs"'
    return (
        f'<text x="{label.x}" y="{label.y}" font-size="{label.size}" fill="{theme.hexadecimal(label.colour)}"'
        f"{anchor}{held}>{escape(label.string, quote=False)}</text>"
    )
