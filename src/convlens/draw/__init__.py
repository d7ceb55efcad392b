"""Arrays become pictures: maps, kernels and the network itself, in colours that tell the truth."""

from convlens.draw.colours import Mode, Scale, scale_for
from convlens.draw.kernels import kernels_pages, kernels_png
from convlens.draw.mosaic import ScaleChoice, map_png, mosaic_pages, mosaic_png

__all__ = [
    "Mode",
    "Scale",
    "ScaleChoice",
    "kernels_pages",
    "kernels_png",
    "map_png",
    "mosaic_pages",
    "mosaic_png",
    "scale_for",
]
