"""Arrays become pictures: maps, kernels and the network itself, in colours that tell the truth."""

from convlens.draw.colours import Mode, Scale, scale_for
from convlens.draw.diagram import diagram_svg
from convlens.draw.figures import plot_kernels, plot_map, plot_maps
from convlens.draw.kernels import kernels_pages, kernels_png
from convlens.draw.layers import layer_pages, layer_png
from convlens.draw.mosaic import map_png, mosaic_pages, mosaic_png
from convlens.draw.saving import save
from convlens.draw.scaling import ScaleChoice

__all__ = [
    "Mode",
    "Scale",
    "ScaleChoice",
    "diagram_svg",
    "kernels_pages",
    "kernels_png",
    "layer_pages",
    "layer_png",
    "map_png",
    "mosaic_pages",
    "mosaic_png",
    "plot_kernels",
    "plot_map",
    "plot_maps",
    "save",
    "scale_for",
]
