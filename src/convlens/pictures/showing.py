"""An array that was fed untouched, as a picture to look at."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def as_pixels(array: NDArray[Any]) -> NDArray[np.uint8] | None:
    """An input (channels, rows, columns), its values stretched over 0..255: uint8 (rows, columns, 1 or 3).

    ``None`` where it is no picture.

    >>> as_pixels(np.array([[[-1.0, 1.0]]])).tolist(), as_pixels(np.zeros(5))
    ([[[0], [255]]], None)
    """
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        return None
    finite = array[np.isfinite(array)]
    low, high = float(finite.min(initial=0)), float(finite.max(initial=1))
    scaled = np.nan_to_num((array - low) / (high - low if high > low else 1)) * 255
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8).transpose(1, 2, 0)
