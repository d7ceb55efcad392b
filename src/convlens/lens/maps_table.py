"""The maps of a run as an HTML table, for notebooks that show no viewer: a row a layer, with its strongest map."""

from __future__ import annotations

from base64 import b64encode
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from convlens import draw

if TYPE_CHECKING:
    from convlens.lens.feature_map import FeatureMap
    from convlens.lens.maps import FeatureMaps

_LARGEST = 96  # pixels of a thumbnail's longer side


def html(maps: FeatureMaps) -> str:
    """The whole table, with a line about the run above it."""
    rows = "".join(_row(one) for one in maps.values())
    head = "<tr><th>layer</th><th>op</th><th>shape</th><th>strongest map</th></tr>"
    return f"<p>{escape(repr(maps))}</p><table><thead>{head}</thead><tbody>{rows}</tbody></table>"


def _row(layer: FeatureMap) -> str:
    shape = " x ".join(str(n) for n in layer.shape)
    cells = (escape(layer.name), escape(layer.layer.op), shape, _thumbnail(layer))
    return "<tr>" + "".join(f"<td style='text-align:left'>{cell}</td>" for cell in cells) + "</tr>"


def _thumbnail(layer: FeatureMap) -> str:
    """The channel of the largest mean magnitude, every n-th value, as an inline picture."""
    if len(layer.shape) != 3 or 0 in layer.shape:
        return ""
    strength = np.nan_to_num(np.abs(layer.array)).mean(axis=(1, 2))
    strongest = int(strength.argmax())
    step = -(-max(layer.shape[1:]) // _LARGEST)
    picture = draw.map_png(layer.array[strongest][::step, ::step], legend=False)
    return (
        f"<img alt='channel {strongest} of {escape(layer.name)}' style='height:{_LARGEST}px;image-rendering:pixelated' "
        f"src='data:image/png;base64,{b64encode(picture).decode()}'>"
    )
