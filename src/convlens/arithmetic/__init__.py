"""How one output value came about: its terms, their sum, the total. Everything in float64.

>>> import numpy as np
>>> from convlens.network import Convolution, Kind, Layer
>>> operation = Convolution(1, 1, (3, 3), (1, 1), (1, 1), ((1, 1), (1, 1)))
>>> layer = Layer("conv", "Conv", Kind.CONVOLUTION, ("picture",), (1, 2, 2), operation)
>>> weights = {"kernel": np.ones((1, 1, 3, 3), np.float32), "bias": np.array([0.5], np.float32)}
>>> working = explain(layer, (0, 0, 0), [np.array([[[1, 2], [3, 4]]], np.float32)], weights)
>>> working.total, working.bias, working.window[0].tolist()
(10.5, 0.5, [[0.0, 0.0, 0.0], [0.0, 1.0, 2.0], [0.0, 3.0, 4.0]])
"""

from convlens.arithmetic.explaining import explain
from convlens.arithmetic.rounding import agreement
from convlens.arithmetic.sweep import Sweep, explain_all
from convlens.arithmetic.working import PADDING, Step, Working

__all__ = ["PADDING", "Step", "Sweep", "Working", "agreement", "explain", "explain_all"]
