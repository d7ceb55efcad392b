"""An opened model and what a person can ask of it: what every host calls."""

from convlens.lens.explanation import Explanation, PictureValue, Term
from convlens.lens.feature_map import Box, FeatureMap, Statistics, SweptMap
from convlens.lens.kernels import Kernels
from convlens.lens.loading import load
from convlens.lens.maps import FeatureMaps
from convlens.lens.memory import Estimate
from convlens.lens.opened import Lens
from convlens.lens.opening import open, sketch
from convlens.lens.prediction import Prediction
from convlens.lens.summary import Summary
from convlens.lens.walking import Walk

__all__ = [
    "Box",
    "Estimate",
    "Explanation",
    "FeatureMap",
    "FeatureMaps",
    "Kernels",
    "Lens",
    "PictureValue",
    "Prediction",
    "Statistics",
    "Summary",
    "SweptMap",
    "Term",
    "Walk",
    "load",
    "open",
    "sketch",
]
