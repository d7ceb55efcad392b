"""convlens: see inside a convolutional network. Its kernels, its feature maps, its arithmetic.

>>> import convlens
>>> lens = convlens.sketch("conv 3 3x3 | relu | maxpool 5x5", input_shape=(3, 1440, 1080), seed=0)
>>> lens.network["conv"].output_shape, lens.network["conv"].parameters
((3, 1438, 1078), 84)
"""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # without importing typing: this module stands before the command line, which starts at once
if TYPE_CHECKING:
    from convlens.errors import ConvlensError as ConvlensError
    from convlens.lens import FeatureMap as FeatureMap
    from convlens.lens import FeatureMaps as FeatureMaps
    from convlens.lens import Kernels as Kernels
    from convlens.lens import Lens as Lens
    from convlens.lens import load as load
    from convlens.lens import open as open
    from convlens.lens import sketch as sketch
    from convlens.network import Network as Network
    from convlens.pictures import Recipe as Recipe

# Where each public name lives: imported when first asked for, so that `import convlens` costs nothing.
_HOMES = {
    "ConvlensError": "convlens.errors",
    "FeatureMap": "convlens.lens",
    "FeatureMaps": "convlens.lens",
    "Kernels": "convlens.lens",
    "Lens": "convlens.lens",
    "Network": "convlens.network",
    "Recipe": "convlens.pictures",
    "load": "convlens.lens",
    "open": "convlens.lens",
    "sketch": "convlens.lens",
}
_MODULES = ("callbacks",)

__all__ = sorted([*_HOMES, "__version__"])


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name in _MODULES:
        return import_module(f"convlens.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'convlens' has no attribute {name!r}")
    value: object = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
