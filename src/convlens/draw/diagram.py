"""The network drawn: a box a layer, shapes on the edges, scopes as quiet frames; SVG in light and dark."""

from __future__ import annotations

import math
from html import escape

import numpy as np

from convlens.draw import theme
from convlens.draw.colours import from_oklab
from convlens.draw.layered import Box, Layout, lay_out
from convlens.draw.lettering import one_line, text_width
from convlens.network import Activation, Convolution, Dense, Kind, Layer, Merge, Network, Normalisation, Pad, Pooling

_BOX_WIDTH = 232
_PAD = 14
_LINE = 17
_OP_SIZE, _NAME_SIZE, _FACT_SIZE = 13, 11, 11
_TEXT_WIDTH = _BOX_WIDTH - 2 * _PAD - 4
_WIDER = 1.1  # a reader's own font may be that much wider than the one measured here
_DEEPEST_SCOPE = 2
_BETWEEN = 50
_TIP = 8  # pixels that it runs straight down last, so that its arrowhead does too
_STEM = 18  # pixels that an edge runs straight down first, with the shape beside it

# Hues of the bar that tells a layer's kind, in degrees of OKLab; kinds that only move numbers are grey.
_HUES = {
    Kind.CONVOLUTION: 255.0,
    Kind.DENSE: 290.0,
    Kind.POOLING: 195.0,
    Kind.NORMALISATION: 105.0,
    Kind.ACTIVATION: 55.0,
    Kind.ADD: 145.0,
    Kind.MULTIPLY: 145.0,
    Kind.CONCAT: 145.0,
    Kind.ARITHMETIC: 145.0,
    Kind.ATTENTION: 350.0,
    Kind.RECURRENT: 325.0,
    Kind.QUANTISE: 25.0,
}

_Frame = tuple[int, str, float, float, float, float]  # depth, label, x, y, width, height

_STYLE = """
.page{fill:#ffffff}.box{fill:#ffffff;stroke:#d6d9de}.op{fill:#1f2430;font-weight:600}.name,.fact{fill:#5f6673}
.edge{stroke:#9aa1ad;fill:none;stroke-width:1.4}.tip{fill:#9aa1ad}.shape{fill:#5f6673;stroke:#ffffff}
.scope{fill:#7f8aa0;fill-opacity:.055;stroke:#7f8aa0;stroke-opacity:.28}.scope-name{fill:#6b7382}
@media (prefers-color-scheme:dark){.page{fill:#14171c}.box{fill:#1d2128;stroke:#363c47}.op{fill:#eceef2}
.name,.fact{fill:#a3abb8}.edge{stroke:#6d7686}.tip{fill:#6d7686}.shape{fill:#a3abb8;stroke:#14171c}
.scope-name{fill:#939cab}}
""".strip()


def diagram_svg(network: Network) -> str:
    """Return the network as an SVG document, inputs above, outputs below.

    >>> from convlens.network import Input
    >>> conv = Layer("conv", "Conv", Kind.CONVOLUTION, ("image",), (3, 1438, 1078), parameters=84)
    >>> diagram_svg(Network("tutorial", "onnx", (Input("image", (3, 1440, 1080)),), (conv,), ("conv",), 84))[:4]
    '<svg'
    """
    layers = {layer.name: layer for layer in network.layers}
    cards = {given.name: _Card("input", given.name, [], "input") for given in network.inputs}
    shapes: dict[str, tuple[int | None, ...]] = {given.name: given.shape for given in network.inputs}
    for layer in network.layers:
        cards[layer.name] = _Card(layer.op, layer.name, facts(layer), layer.kind, layer.scope, layer.kind)
        shapes[layer.name] = layer.output_shape
    outputs = [name for name in network.outputs if name in layers]
    edges = [(source, layer.name) for layer in network.layers for source in layer.inputs if source in cards]
    boxes = {name: Box(_BOX_WIDTH, card.height) for name, card in cards.items()}
    for output in outputs:
        key = f"output: {output}"  # a mark for where the network ends, under a name that nothing has
        while key in boxes:
            key += " "
        boxes[key] = Box(12, 12)
        edges.append((output, key))
    layout = lay_out(boxes, edges, between=_BETWEEN)
    scopes = _scopes(network, layout, boxes)
    return _document(network, layout, cards, shapes, scopes)


def facts(layer: Layer) -> list[str]:
    """Return what a reader wants to know of a layer beside its name: its settings, then its parameters.

    >>> conv = Convolution(3, 8, (3, 3), (2, 2), (1, 1), ((0, 0), (0, 0)))
    >>> facts(Layer("conv", "Conv", Kind.CONVOLUTION, (), (8, 4, 4), conv))
    ['3 × 3', 'stride 2']
    """
    said = []
    operation = layer.operation
    if isinstance(operation, Convolution | Pooling) and not (isinstance(operation, Pooling) and operation.whole):
        said.append(shape_text(operation.kernel_size))
        if any(stride != 1 for stride in operation.stride):
            said.append(f"stride {_same(operation.stride)}")
        if any(dilation != 1 for dilation in operation.dilation):
            said.append(f"dilation {_same(operation.dilation)}")
        if any(any(pair) for pair in operation.padding):
            said.append(f"pad {_same([_pad_text(pair) for pair in operation.padding])}")
    if isinstance(operation, Convolution) and operation.groups > 1:
        said.append(f"{operation.groups} groups")
    if isinstance(operation, Pad):
        said.append(f"pad {_same([_pad_text(pair) for pair in operation.padding])}")
    if isinstance(operation, Dense):
        said.append(f"{operation.in_features} → {operation.out_features}")
    if isinstance(operation, Normalisation) and operation.groups > 1:
        said.append(f"{operation.groups} groups")
    if isinstance(operation, Activation) and operation.function.lower() not in layer.op.lower():
        said.append(operation.function)
    if isinstance(operation, Merge) and operation.function.lower() not in layer.op.lower():
        said.append(operation.function)
    if layer.parameters:
        said.append(f"{layer.parameters:,} parameter{'s' * (layer.parameters != 1)}")
    if layer.shares:
        said.append(f"weights of {layer.shares}")
    return said


def shape_text(shape: tuple[int | None, ...]) -> str:
    """Return a shape as it is read aloud; ``?`` where a size is free.

    >>> shape_text((3, None, 1078))
    '3 × ? × 1078'
    """
    return " × ".join("?" if size is None else str(size) for size in shape) or "one value"


def _same(values: object) -> str:
    """One value where all are equal: stride 2, not stride 2 x 2."""
    parts = [str(value) for value in values]  # type: ignore[attr-defined]  # any sequence
    return parts[0] if len(set(parts)) == 1 else " × ".join(parts)


def _pad_text(pair: tuple[int, int]) -> str:
    before, after = pair
    return str(before) if before == after else f"{before} before {after} after"


_LONGEST = 2000
"""Letters of a name; what is longer is cut, since its width is measured letter by letter."""


class _Card:
    """The words of one box."""

    def __init__(
        self, op: str, name: str, facts: list[str], kind: str, scope: tuple[str, ...] = (), of: Kind | None = None
    ) -> None:
        self.op, self.name, self.kind, self.colour = (
            one_line(op[:_LONGEST]),
            one_line(name[:_LONGEST]),
            kind,
            _bar_colour(of),
        )
        self.lines = _fill_lines(facts)
        self.tooltip = " · ".join([self.op, self.name, *map(one_line, facts)])
        self.scope = scope

    @property
    def height(self) -> float:
        return 2 * 10 + _LINE * (2 + len(self.lines)) - 3


def _fill_lines(facts: list[str]) -> list[str]:
    lines: list[str] = []
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines else fact
        if lines and text_width(longer, _FACT_SIZE) * _WIDER <= _TEXT_WIDTH:
            lines[-1] = longer
        else:
            lines.append(_shortened(one_line(fact), _FACT_SIZE))
    return lines


def _shortened(text: str, size: int) -> str:
    """``text`` with its middle as an ellipsis where it is too wide; the whole stands in the box's tooltip."""
    if text_width(text, size) * _WIDER <= _TEXT_WIDTH:
        return text
    low, high = 1, len(text)
    while low < high:
        keep = (low + high + 1) // 2
        fits = text_width(_cut(text, keep), size) * _WIDER <= _TEXT_WIDTH
        low, high = (keep, high) if fits else (low, keep - 1)
    return _cut(text, low)


def _cut(text: str, keep: int) -> str:
    head = keep // 2
    return f"{text[:head]}…{text[len(text) - (keep - head) :]}"


def _bar_colour(kind: Kind | None) -> str:
    hue = _HUES.get(kind) if kind else None
    chroma = 0.0 if hue is None else 0.115
    radians = math.radians(hue or 0.0)
    lab = np.array([0.68, chroma * math.cos(radians), chroma * math.sin(radians)])
    red, green, blue = np.rint(from_oklab(lab) * 255).astype(int)
    return theme.hexadecimal((int(red), int(green), int(blue)))


def _scopes(
    network: Network, layout: Layout, boxes: dict[str, Box]
) -> list[tuple[int, str, float, float, float, float]]:
    """The frames of scopes whose layers lie together, outer ones first."""
    members: dict[tuple[str, ...], list[str]] = {}
    for layer in network.layers:
        for depth in range(1, min(len(layer.scope), _DEEPEST_SCOPE) + 1):
            members.setdefault(layer.scope[:depth], []).append(layer.name)
    in_row: dict[int, list[str]] = {}
    for name, row in layout.row_of.items():
        in_row.setdefault(row, []).append(name)
    frames = []
    for scope, names in members.items():
        if len(names) < 2:
            continue
        inside = set(names)
        margin = 14 if len(scope) == 1 else 7
        left = min(layout.x[name] - boxes[name].width / 2 for name in names) - margin
        right = max(layout.x[name] + boxes[name].width / 2 for name in names) + margin
        top = min(layout.y[name] for name in names) - margin
        bottom = max(layout.y[name] + boxes[name].height for name in names) + margin
        rows = range(min(layout.row_of[name] for name in names), max(layout.row_of[name] for name in names) + 1)
        strangers = (name for row in rows for name in in_row.get(row, []) if name not in inside)
        if not any(
            layout.x[name] + boxes[name].width / 2 > left and layout.x[name] - boxes[name].width / 2 < right
            for name in strangers
        ):
            frames.append((len(scope), one_line(scope[-1]), left, top, right - left, bottom - top))
    return sorted(frames)


def _document(
    network: Network,
    layout: Layout,
    cards: dict[str, _Card],
    shapes: dict[str, tuple[int | None, ...]],
    scopes: list[_Frame],
) -> str:
    margin = 2 * theme.MARGIN
    title = one_line(network.name[:_LONGEST])
    count, total = len(network.layers), network.parameters
    subtitle = (
        f"{count:,} layer{'s' * (count != 1)} · {total:,} parameter{'s' * (total != 1)} · {one_line(network.engine)}"
    )
    header = 56.0
    needed = max(text_width(title, 17), text_width(subtitle, 13)) * _WIDER + 2 * theme.MARGIN
    width = max(layout.right - layout.left + 2 * margin, min(needed, 720.0))
    height = layout.height + header + 2 * theme.MARGIN + theme.GAP
    shift_x = (width - layout.right - layout.left) / 2
    shift_y = header + theme.MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="{theme.SANS_SERIF}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_STYLE}</style>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path class="tip" d="M0 .5 8 4 0 7.5z"/></marker></defs>',
        f'<rect class="page" width="{width:.0f}" height="{height:.0f}"/>',
        f'<text class="op" x="{theme.MARGIN}" y="{theme.MARGIN + 17}" font-size="17">{escape(title)}</text>',
        f'<text class="name" x="{theme.MARGIN}" y="{theme.MARGIN + 38}" font-size="13">{escape(subtitle)}</text>',
        f'<g transform="translate({shift_x:.1f} {shift_y:.1f})">',
    ]
    for depth, label, x, y, frame_width, frame_height in scopes:
        # Frames that begin at the same layer have their names at opposite corners.
        label_x, anchor = (x + 8, "start") if depth == 1 else (x + frame_width - 8, "end")
        parts.append(
            f'<rect class="scope" x="{x:.1f}" y="{y:.1f}" '
            f'width="{frame_width:.1f}" height="{frame_height:.1f}" rx="10"/>'
            f'<text class="scope-name" font-size="10" text-anchor="{anchor}" '
            f'x="{label_x:.1f}" y="{y - 3:.1f}">{escape(label)}</text>'
        )
    parts += _edges(layout, cards, shapes)
    parts += [_box(name, card, layout) for name, card in cards.items()]
    for name in layout.x:
        if name not in cards:
            parts.append(f'<circle class="tip" cx="{layout.x[name]:.1f}" cy="{layout.y[name] + 6:.1f}" r="5"/>')
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _edges(layout: Layout, cards: dict[str, _Card], shapes: dict[str, tuple[int | None, ...]]) -> list[str]:
    parts = []
    for source, steps in layout.routes.items():
        if not steps:
            continue
        bottom = layout.y[source] + cards[source].height
        passing, arriving = "", []
        for x, row, to, target in steps:
            start = bottom if row == layout.row_of[source] else layout.bands[row][0]
            leave, arrive = layout.bands[row][1] + _STEM, layout.bands[row + 1][0] - _TIP
            half = (arrive - leave) / 2
            path = f"M{x:.1f} {start:.1f}V{leave:.1f}"
            path += f"C{x:.1f} {leave + half:.1f} {to:.1f} {leave + half:.1f} {to:.1f} {arrive:.1f}" if x != to else ""
            if target is None:
                passing += f"{path}V{layout.bands[row + 1][0]:.1f}"
            else:
                arriving.append(f"{path}V{layout.y[target]:.1f}")
        shape = shape_text(shapes[source])
        title = f"<title>{escape(f'{cards[source].name}: {shape}')}</title>"
        if passing:
            parts.append(f'<path class="edge" d="{passing}">{title}</path>')
        parts += [f'<path class="edge" marker-end="url(#tip)" d="{path}">{title}</path>' for path in arriving]
        parts.append(
            f'<text class="shape" x="{layout.x[source] + 8:.1f}" y="{bottom + 14:.1f}" font-size="{_FACT_SIZE}" '
            f'paint-order="stroke" stroke-width="4" stroke-linejoin="round">{shape}</text>'
        )
    return parts


def _box(name: str, card: _Card, layout: Layout) -> str:
    x, y = layout.x[name] - _BOX_WIDTH / 2, layout.y[name]
    text_x = x + _PAD + 4
    lines = [
        f'<text class="op" x="{text_x:.1f}" y="{y + 22:.1f}" font-size="{_OP_SIZE}">'
        f"{escape(_shortened(card.op, _OP_SIZE))}</text>",
        f'<text class="name" x="{text_x:.1f}" y="{y + 22 + _LINE:.1f}" font-size="{_NAME_SIZE}">'
        f"{escape(_shortened(card.name, _NAME_SIZE))}</text>",
    ]
    for line, fact in enumerate(card.lines):
        lines.append(
            f'<text class="fact" x="{text_x:.1f}" y="{y + 22 + _LINE * (line + 2):.1f}" '
            f'font-size="{_FACT_SIZE}">{escape(fact)}</text>'
        )
    return (
        f"<g><title>{escape(card.tooltip)}</title>"
        f'<rect class="box" x="{x:.1f}" y="{y:.1f}" width="{_BOX_WIDTH}" height="{card.height:.0f}" rx="8"/>'
        f'<rect x="{x + 6:.1f}" y="{y + 10:.1f}" width="4" height="{card.height - 20:.0f}" '
        f'rx="2" fill="{card.colour}"/>'
        f"{''.join(lines)}</g>"
    )
