"""Kernels that carry a name: what image processing used before kernels were learnt."""

from __future__ import annotations

from math import comb

import numpy as np
from numpy.typing import NDArray

FIXED: dict[str, tuple[tuple[int, ...], ...]] = {
    "sobel-x": ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1)),
    "sobel-y": ((-1, -2, -1), (0, 0, 0), (1, 2, 1)),
    "laplacian": ((0, 1, 0), (1, -4, 1), (0, 1, 0)),
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
    "emboss": ((-2, -1, 0), (-1, 1, 1), (0, 1, 2)),
}
"""Kernels of 3x3 alone, as they slide (no flip).

``sobel-x`` is positive where the picture gets brighter to the right, ``sobel-y`` where it gets brighter downwards
(I. Sobel and G. Feldman, "A 3x3 isotropic gradient operator for image processing", Stanford, 1968). ``laplacian`` is
the sum of both second differences, and ``sharpen`` the picture minus its Laplacian (R. Gonzalez and R. Woods, "Digital
Image Processing", 3rd edition, section 3.6.2). ``emboss`` adds a slope towards the lower right to the picture; even
areas keep their brightness, since its weights add up to 1.
"""

SCALABLE = ("gaussian", "box", "identity")
"""Kernels that exist in any size; 3x3 unless another is asked for."""

NAMES = (*FIXED, *SCALABLE)

CENTRED = ("gaussian", "identity")
"""Scalable kernels that need a pixel in their middle: odd sizes only."""

LARGEST = 255
"""The longest side of a named kernel."""


def named_kernel(name: str, size: tuple[int, int] = (3, 3)) -> NDArray[np.float32]:
    """The weights of the kernel called ``name``, (rows, columns), float32.

    ``gaussian`` is binomial: row ``n`` of Pascal's triangle along each axis, divided by its sum, the usual whole-number
    form of a Gaussian of variance ``(n - 1) / 4`` (B. Jähne, "Digital Image Processing", on binomial filters). ``box``
    is the mean of its window. ``identity`` is 1 in the centre.

    Raises:
        KeyError: no kernel has this name.

    >>> named_kernel("gaussian") * 16
    array([[1., 2., 1.],
           [2., 4., 2.],
           [1., 2., 1.]], dtype=float32)
    """
    rows, columns = size
    if name == "gaussian":
        return np.outer(_binomial(rows), _binomial(columns)).astype(np.float32)
    if name == "box":
        return np.full(size, 1 / (rows * columns), np.float32)
    if name == "identity":
        kernel = np.zeros(size, np.float32)
        kernel[rows // 2, columns // 2] = 1
        return kernel
    return np.array(FIXED[name], np.float32)


def _binomial(length: int) -> NDArray[np.float64]:
    total = 2 ** (length - 1)
    return np.array([comb(length - 1, k) / total for k in range(length)])
