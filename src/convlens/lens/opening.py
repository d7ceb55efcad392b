"""The two ways in: a model from a file or live, and a sketch of one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from convlens.engines import registry
from convlens.lens import intake, shelves
from convlens.lens.arguments import checked
from convlens.lens.opened import Lens
from convlens.pictures import Recipe


@checked
def open(  # the name that the contract gives it
    model: object,
    *,
    input_shape: Sequence[int | None] | None = None,
    recipe: Recipe | str | None = None,
    labels: Sequence[str] | None = None,
    trust: bool = False,
) -> Lens:
    """Open a model: a path (.onnx, .keras, .h5, .pt2, .pt) or a live Keras, PyTorch or ONNX model.

    Args:
        model: the path or the live model; a live model is left as it was.
        input_shape: (channels, rows, columns) for a model that doesn't state its own; ``None`` where a size is free.
        recipe: how a picture becomes the input, or the name of a preset such as ``"imagenet"``. Default: what the file
            states, else the picture's own values 0..255.
        labels: class names, in the order of the scores.
        trust: allow a file that runs its own code when opened (a pickle, a Lambda layer).

    Raises:
        ModelError, UntrustedModelError, MissingDependencyError
        InputError: ``input_shape`` is no shape, or contradicts the model.

    >>> import convlens
    >>> lens = convlens.open(convlens.sketch("conv 3 3x3", input_shape=(3, 8, 8)).model)
    >>> [layer.name for layer in lens.network]
    ['conv']
    """
    shape = None if input_shape is None else intake.checked_shape(input_shape)
    # an engine is told sizes, never that one is free: it takes what the model says, and any size where it says nothing
    told = tuple(n for n in shape if n is not None) if shape is not None and None not in shape else None
    if isinstance(model, (str, Path)):
        shelves.refuse_timeline(Path(model))
    engine = registry.open_engine(model, trust=trust, input_shape=told)
    if isinstance(recipe, str):
        recipe = Recipe.preset(recipe)
    return Lens(engine, model, input_shape=shape, recipe=recipe, labels=labels)


@checked
def sketch(text: str, *, input_shape: Sequence[int | None] = (3, None, None), seed: int = 0) -> Lens:
    """Open a small model written in one line, with random weights from ``seed`` or named kernels.

    Raises:
        SketchError: a mistake in the line, with a caret under the wrong word.

    >>> import convlens
    >>> lens = convlens.sketch("conv 1 3x3 | relu | maxpool 5x5", input_shape=(3, 1440, 1080))
    >>> [(layer.name, layer.output_shape) for layer in lens.network]
    [('conv', (1, 1438, 1078)), ('relu', (1, 1438, 1078)), ('maxpool', (1, 287, 215))]
    """
    from convlens import sketches

    return open(sketches.build(text, input_shape=intake.checked_shape(input_shape), seed=seed))
