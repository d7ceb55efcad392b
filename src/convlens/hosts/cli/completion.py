"""What the Tab key offers: the layers of the model that stands on the line already, presets of the recipe."""

from __future__ import annotations

import typer


def layers(context: typer.Context, incomplete: str) -> list[str]:
    """Layer names of an ONNX model; other frameworks take too long to start for a key press."""
    model = context.params.get("model")
    if not isinstance(model, str) or not model.lower().endswith(".onnx"):
        return []
    from convlens import lens
    from convlens.errors import ConvlensError

    try:
        names = [layer.name for layer in lens.open(model).network]
    except ConvlensError:
        return []
    return [name for name in names if name.startswith(incomplete)]


def presets(incomplete: str) -> list[str]:
    """Names of recipes."""
    from convlens.pictures import PRESETS

    return [name for name in PRESETS if name.startswith(incomplete)]
