"""Convolution, and transposed convolution in gather form: window x kernel, added up, plus the bias."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from convlens.arithmetic.rounding import Floats, finite_sizes
from convlens.arithmetic.windows import gather, shifts, tap_table
from convlens.arithmetic.working import PADDING, Array, Integers, Step, Swept, Working
from convlens.network import Convolution, Shape


def convolution(operation: Convolution, index: Shape, source: Array, weights: Mapping[str, Array]) -> Working:
    """One value of a convolution: the window's products, added up a channel at a time, plus the bias."""
    filter_number, channels = index[0], np.arange(*_group(operation, index[0]))
    kernel = weights["kernel"][filter_number].astype(np.float64)
    tables = [tap_table(operation, n, source.shape[1 + n], np.array([at])) for n, at in enumerate(index[1:])]
    window, places = gather(source, [channels, *(table[:, 0] for table in tables)])
    with np.errstate(all="ignore"):
        products = window * kernel
        summed = float(products.sum())
        magnitude = float(finite_sizes(products).sum())
    bias = float(weights["bias"][filter_number]) if "bias" in weights else None
    total = summed + (bias or 0.0)
    steps = [Step("sum of window x kernel", summed)]
    if bias is not None:
        steps.append(Step("+ bias", total))
    return Working(
        rule="transposed convolution" if operation.transposed else "convolution",
        formula="sum of window x kernel" + (" + bias" if bias is not None else ""),
        window=window,
        kernel=kernel,
        products=products,
        inputs=np.zeros((1,) * window.ndim, np.intp),
        places=places,
        bias=bias,
        steps=tuple(steps),
        total=total,
        roundings=window.size + 2,
        magnitude=magnitude + float(finite_sizes(np.array(bias or 0.0))),
        stored=abs(summed) if bias is not None else 0.0,
        unsettled=_touches_padding(kernel, places),
    )


def _touches_padding(kernel: Floats, places: tuple[Integers, ...]) -> bool:
    """Whether a weight that isn't finite lies beside the map: some frameworks multiply it by 0, others leave it out."""
    odd = ~np.isfinite(kernel)
    return bool(odd.any()) and any(bool((odd & (axis == PADDING)).any()) for axis in places)


def convolved(
    operation: Convolution, channel: int, outputs: Shape, source: Array, weights: Mapping[str, Array]
) -> Swept:
    """Every value of one filter: each tap's product with every input position, put where the taps say."""
    first, last = _group(operation, channel)
    sizes = source.shape[1:]
    values = source[first:last].reshape(last - first, -1).astype(np.float64)
    kernel = weights["kernel"][channel].reshape(last - first, -1).astype(np.float64)
    bias = float(weights["bias"][channel]) if "bias" in weights else 0.0
    tables = [tap_table(operation, n, sizes[n], np.arange(count)) for n, count in enumerate(outputs)]
    unsettled = np.zeros(outputs, np.bool_)
    odd = ~np.isfinite(kernel).all(axis=0)
    total, magnitude = np.zeros(outputs), np.full(outputs, float(finite_sizes(np.array(bias))))
    with np.errstate(all="ignore"):
        products = (kernel.T @ values).reshape(-1, *sizes)
        sizes_of_products = (finite_sizes(kernel).T @ finite_sizes(values)).reshape(-1, *sizes)
        for tap, (mesh, real) in enumerate(shifts(tables)):
            if real is None:
                total += products[tap][mesh]
                magnitude += sizes_of_products[tap][mesh]
            else:
                total += np.where(real, products[tap][mesh], 0.0)
                unsettled |= odd[tap] & ~real  # a weight that isn't finite, times the 0 of the padding, or left out
                magnitude += np.where(real, sizes_of_products[tap][mesh], 0.0)
        stored = np.abs(total) if "bias" in weights else 0.0
        return Swept(total + bias, kernel.size + 2, magnitude, stored, unsettled=unsettled)


def _group(operation: Convolution, filter_number: int) -> tuple[int, int]:
    """First input channel that a filter reads, and the one after its last."""
    per_group = operation.in_channels // operation.groups
    first = filter_number // (operation.filters // operation.groups) * per_group
    return first, first + per_group
