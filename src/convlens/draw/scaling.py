"""Which maps share a scale: the whole layer, or each map for itself; and what that scale is called."""

from __future__ import annotations

from typing import Literal

import numpy as np

from convlens.draw.colours import Mode, Scale, scale_for
from convlens.draw.lettering import format_value
from convlens.draw.survey import Survey
from convlens.errors import DrawingError

ScaleChoice = Literal["layer", "map"] | Scale


def check_scale(scale: ScaleChoice) -> None:
    """Raise a :class:`DrawingError` for a scale that there isn't."""
    if not isinstance(scale, Scale) and scale not in ("layer", "map"):
        raise DrawingError("No such scale", expected="'layer', 'map' or a Scale", received=repr(scale))


def layer_scale(found: Survey, mode: Mode) -> Scale:
    """Return :func:`scale_for` of the surveyed values, without reading them again."""
    ends = np.concatenate([found.minimum, found.maximum])
    return scale_for(ends[np.isfinite(ends)], mode=mode)


def own_scales(found: Survey, mode: Mode) -> list[Scale]:
    """Return a scale for each surveyed map; all are diverging where one is, since a picture has one colour map."""
    scales = [scale_for(ends, mode=mode) for ends in zip(found.minimum, found.maximum, strict=True)]
    if any(scale.diverging for scale in scales):
        return [Scale(-scale.limit, scale.limit, diverging=True) for scale in scales]
    return scales


def range_texts(scales: list[Scale], found: Survey) -> list[str]:
    """Return in words the range of each map's own scale; ``found`` has as many maps, or several of each scale.

    >>> from convlens.draw.survey import survey
    >>> range_texts([Scale(-2.0, 2.0, diverging=True)], survey(np.array([[-2.0, 1.0]])))
    ['±2']
    """
    minimum = found.minimum.reshape(len(scales), -1)
    maximum = found.maximum.reshape(len(scales), -1)
    texts = []
    for scale, low, high in zip(scales, minimum, maximum, strict=True):
        if np.isnan(low).all():
            texts.append("no number")
        elif np.nanmin(low) == np.nanmax(high):
            texts.append(f"= {format_value(float(np.nanmax(high)))}")
        elif scale.diverging:
            texts.append(f"±{format_value(scale.limit)}")
        else:
            texts.append(f"{format_value(scale.minimum)} to {format_value(scale.maximum)}")
    return texts
