"""Pooling: which input won, the mean over the real divisor, the p-norm."""

from __future__ import annotations

from dataclasses import replace
from math import isnan, prod

import numpy as np

from convlens import geometry
from convlens.arithmetic.rounding import Floats, finite_sizes
from convlens.arithmetic.windows import gather, shifts, tap_table
from convlens.arithmetic.working import PADDING, Array, Integers, Step, Swept, Working
from convlens.network import Pooling, Shape

MODES = ("max", "average", "lp")
SMALLEST = 2.0**-126
"""The least number of float32 that has all its digits."""


def pooling(operation: Pooling, outputs: Shape, index: Shape, source: Array) -> Working:
    """One value of a pooling. ``outputs``: the spatial sizes that it makes, from which adaptive windows follow."""
    axes = []
    for axis, (size, place) in enumerate(zip(source.shape[1:], index[1:], strict=True)):
        table = _table(operation, axis, size, outputs[axis] if outputs else 1, np.array([place]))[:, 0]
        axes.append(table[table != PADDING] if operation.adaptive else table)
    values, places = gather(source, [np.array(index[:1]), *axes], operation.least if operation.mode == "max" else 0.0)
    window, places = values[0], tuple(np.broadcast_to(axis, values.shape)[0] for axis in places)
    inputs = np.zeros((1,) * window.ndim, np.intp)
    if operation.mode == "max":
        compared = _without_nan(window) if operation.ignores_nan else window
        found = replace(maximum(compared, inputs, places), window=window)
        nothing = found.total < operation.least or (operation.ignores_nan and np.isnan(window[found.winners]).any())
        found = _nothing_larger(found, operation.least) if nothing else found
        return replace(found, unsettled=not operation.settles_nan and isnan(found.total))
    if operation.mode == "lp":
        return _norm(operation.power, window, places, inputs)
    counts = _divisors(operation, outputs, source.shape[1:], index[1:])
    divisor = int(counts) if operation.divisor is None else operation.divisor
    with np.errstate(all="ignore"):
        kernel = np.full(window.shape, 1.0 / divisor)
        products, summed = window * kernel, float(window.sum())
        magnitude, peak = float(finite_sizes(products).sum()), float(finite_sizes(window).sum())
    return Working(
        rule="mean",
        formula=f"sum of window / {divisor}",
        window=window,
        kernel=kernel,
        products=products,
        inputs=inputs,
        places=places,
        steps=(Step("sum of window", summed), Step(f"/ {divisor}", summed / divisor)),
        total=summed / divisor,
        roundings=window.size + 2,
        magnitude=magnitude,
        peak=peak,
    )


def maximum(window: Floats, inputs: Integers, places: tuple[Integers, ...], *, smallest: bool = False) -> Working:
    """The largest value of a window, or the smallest; NaN wins over both."""
    best = float(np.nan if np.isnan(window).any() else window.min() if smallest else window.max())
    winners = np.isnan(window) if np.isnan(best) else window == best
    ties = int(winners.sum())
    word = "smallest" if smallest else "largest"
    return Working(
        rule="minimum" if smallest else "maximum",
        formula=f"{word} value of the window",
        window=window,
        inputs=inputs,
        places=places,
        steps=(Step(f"the {word} value" + (f", {ties} times" if ties > 1 else ""), best),),
        total=best,
        winners=winners,
        roundings=0,
    )


def _without_nan(values: Floats) -> Floats:
    return np.where(np.isnan(values), -np.inf, values)


def _nothing_larger(found: Working, least: float) -> Working:
    return replace(found, total=least, winners=None, steps=(Step("nothing larger than what it begins with", least),))


def _norm(power: float, window: Floats, places: tuple[Integers, ...], inputs: Integers) -> Working:
    with np.errstate(all="ignore"):
        powers = np.abs(window) ** power
        summed = float(powers.sum())
        total = float(summed ** np.float64(1 / power))
    return Working(
        rule="norm",
        formula=f"(sum of |window|^{power:g})^(1/{power:g})",
        window=window,
        inputs=inputs,
        places=places,
        steps=(Step(f"sum of |window|^{power:g}", summed), Step(f"^(1/{power:g})", total)),
        total=total,
        roundings=window.size + 16,
        magnitude=total,
        astray=float(_vanished(np.array(summed), window.size, power)),
        peak=float(finite_sizes(powers).sum()),
    )


def _vanished(summed: Floats, count: int, power: float) -> Floats:
    """How much of a norm goes where powers are too small for their type, or lose digits to it."""
    least = count * SMALLEST
    with np.errstate(all="ignore"):
        found = (summed + least) ** (1 / power) - np.maximum(summed - least, 0.0) ** (1 / power)
    return np.where(np.isfinite(summed), found, 0.0)


def pooled(operation: Pooling, channel: int, outputs: Shape, source: Array) -> Swept:
    """Every value of one channel, all windows at once."""
    values, sizes = source[channel].astype(np.float64), source.shape[1:]
    fill = operation.least if operation.mode == "max" else 0.0
    if operation.whole:
        windows = [values.reshape(-1, *(1,) * len(outputs))]
    else:
        tables = [_table(operation, n, sizes[n], count, np.arange(count)) for n, count in enumerate(outputs)]
        windows = [
            values[mesh][None] if real is None else np.where(real, values[mesh], fill)[None]
            for mesh, real in shifts(tables)
        ]
    with np.errstate(all="ignore"):
        if operation.mode == "max":
            windows = [_without_nan(part) for part in windows] if operation.ignores_nan else windows
            total = np.maximum(np.max([part.max(axis=0) for part in windows], axis=0), operation.least)
            return Swept(total, 0, unsettled=np.isnan(total) & (not operation.settles_nan))
        power = operation.power
        terms = [np.abs(part) ** power for part in windows] if operation.mode == "lp" else windows
        total = np.sum([part.sum(axis=0) for part in terms], axis=0)
        size = np.sum([finite_sizes(part).sum(axis=0) for part in terms], axis=0)
        count = sum(len(part) for part in windows)
        if operation.mode == "lp":
            astray, total = _vanished(total, count, power), total ** (1 / power)
            return Swept(total, count + 16, total, astray=astray, peak=size)
        divisors = _divisors(operation, outputs, sizes)
        roundings = divisors.astype(np.intp) if operation.adaptive else count  # adaptive windows differ in size
        return Swept(total / divisors, roundings + 2, size / divisors, peak=size)


def _table(operation: Pooling, axis: int, size: int, count: int, places: Integers) -> Integers:
    """The input position under each tap for each place, (taps, places); ``PADDING`` outside the map or the window."""
    if operation.whole:
        return np.broadcast_to(np.arange(size)[:, None], (size, len(places)))
    if not operation.adaptive:
        return tap_table(operation, axis, size, places)
    spans = [geometry.adaptive_window(int(place), size, count) for place in places]
    table = np.full((max((len(span) for span in spans), default=0), len(spans)), PADDING)
    for number, span in enumerate(spans):
        table[: len(span), number] = span
    return table


def _divisors(operation: Pooling, outputs: Shape, sizes: Shape, index: Shape | None = None) -> Floats:
    """What an average divides by, for every place or the one at ``index``: the real values of its window.

    With ``count_include_pad`` the stated padding counts too, but not what ``ceil_mode`` lets hang over beyond it (the
    rule of PyTorch's ``avg_pool2d`` and of ONNX's AveragePool). A window of padding alone sums up to 0, which nothing
    divides.
    """
    if operation.divisor is not None:
        return np.asarray(float(operation.divisor))
    if operation.whole:
        return np.asarray(float(prod(sizes)))
    found = np.ones(())
    for axis, (size, count) in enumerate(zip(sizes, outputs, strict=True)):
        places = np.arange(count) if index is None else np.array([index[axis]])
        if operation.adaptive:
            counts = [len(geometry.adaptive_window(int(place), size, count)) for place in places]
        else:
            (before, after), dilation = operation.padding[axis], operation.dilation[axis]
            first = places * operation.stride[axis] - before
            taps = first + dilation * np.arange(operation.kernel_size[axis])[:, None]
            counted = operation.count_include_pad or operation.padding_mode != "zeros"
            low, high = (-before, size + after) if counted else (0, size)
            counts = ((taps >= low) & (taps < high)).sum(axis=0).tolist()
        found = found[..., None] * np.asarray(counts, np.float64)
    found = np.maximum(found, 1.0)
    return found if index is None else found.reshape(())
