"""An opened model and what a person can ask of it: what every host calls."""

from convlens.lens.kernels import Kernels
from convlens.lens.maps import FeatureMap, FeatureMaps, Statistics
from convlens.lens.memory import Estimate
from convlens.lens.opened import Lens, open, sketch
from convlens.lens.prediction import Prediction
from convlens.lens.summary import Summary
from convlens.lens.walking import Walk

__all__ = [
    "Estimate",
    "FeatureMap",
    "FeatureMaps",
    "Kernels",
    "Lens",
    "Prediction",
    "Statistics",
    "Summary",
    "Walk",
    "open",
    "sketch",
]
