"""The network of a model before any picture: at the sizes that it states, or at sizes that are guessed and say so."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from convlens.engines.base import Trace
from convlens.errors import ConvlensError, InputError, ModelError
from convlens.lens.intake import Intake
from convlens.lens.traced import TracedNetwork
from convlens.network import Shape

FREE_SIZES = (224, 256, 299, 128, 64, 32, 28, 100, 96, 112, 150, 160, 192, 227, 240, 48, 320, 331, 384, 512, 640)
"""Pixels that free spatial axes get, in the order in which they are tried: 224 where that fits, said in the notes."""


def described(
    intake: Intake, trace: Callable[[Mapping[str, Shape]], TracedNetwork], without_sizes: Callable[[], Trace] | None
) -> TracedNetwork:
    """The network that a blank picture's trace gives; without any shape where the model runs at no guessed size and
    the engine can tell its network ``without_sizes``.

    Raises:
        InputError: the model doesn't say its input shape; or it leaves sizes free, and runs at none of those that are
            tried.
        ModelError: the model can't run at all.
    """
    if not intake.sizes_are_free:
        return trace(intake.blank_shapes(FREE_SIZES[0]))
    first: ConvlensError | None = None
    for size in FREE_SIZES:
        try:
            traced = trace(intake.blank_shapes(size))
        except (InputError, ModelError) as error:
            first = first or error
            if not intake.shape_is_stated:
                raise
            continue
        return traced.noted(
            f"free sizes are taken as {size}; choose others with input_shape=(channels, rows, columns), or look at the "
            "network of a picture's own maps"
        )
    assert first is not None
    received = f"{first.problem} ({first.received})" if first.received else first.problem
    if without_sizes is not None:
        untraced = without_sizes()
        return TracedNetwork(untraced, untraced.network, {}).noted(
            "the model leaves the size of its input free and runs at none of those that were tried; at "
            f"{FREE_SIZES[0]}: {received}. Sizes, MACs and receptive fields need input_shape=(channels, rows, columns) "
            "or a picture"
        )
    raise InputError(
        "This network leaves the size of its input free, and runs at none of the sizes that convlens guessed",
        expected="the size of its input",
        received=f"{', '.join(map(str, FREE_SIZES))} pixels; at {FREE_SIZES[0]}: {received}",
        hint="Type convlens.open(model, input_shape=(channels, rows, columns)), or --input-shape C,ROWS,COLUMNS.",
    ) from first
