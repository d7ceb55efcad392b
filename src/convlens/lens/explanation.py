"""Why is this value what it is? Its terms, their sum, the framework's own value, and the difference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, isnan
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens.arithmetic import Step, Working, agreement
from convlens.arithmetic.working import Array
from convlens.network import RANDOM, Layer, Shape

if TYPE_CHECKING:
    from convlens.lens.maps import FeatureMaps


@dataclass(frozen=True, slots=True)
class PictureValue:
    """Where a trace ends: one value of the network's input. ``index`` is (channel, row, column)."""

    input: str
    index: Shape
    value: float

    def __str__(self) -> str:
        return f"{self.input} at {place_in_words(self.index)}: {self.value:.9g} (the network's own input)"


@dataclass(frozen=True)
class Term:
    """One value that entered: from which layer (or network input) and where, with what weight, and what it contributed.

    ``contribution`` is ``None`` where the values aren't added up (a maximum, a softmax).
    """

    layer: str
    index: Shape
    value: float
    weight: float | None
    contribution: float | None
    _maps: FeatureMaps

    def explain(self) -> Explanation | PictureValue:
        """How this value came about in turn: an explanation, or at the end of the way the picture's own value."""
        return self._maps.explain(self.layer, self.index, anywhere=True)

    def __str__(self) -> str:
        weight = "" if self.weight is None else f" x {self.weight:.9g}"
        made = "" if self.contribution is None else f" = {self.contribution:.9g}"
        return f"{self.layer} at {place_in_words(self.index)}: {self.value:.9g}{weight}{made}"


class Explanation:
    """How one value of one layer came about.

    ``framework_value`` is what the framework computed, ``total`` what the terms add up to in float64, ``residual``
    their difference, ``tolerance`` the most that rounding can explain, ``agrees`` whether it does. ``window``,
    ``kernel`` and ``products`` have one shape: (channels, rows, columns) for a convolution; ``None`` where there are
    none.

    Where a layer's arithmetic isn't known, or not for the values that it reads (NaN in a maximum, say, of which the
    framework makes one thing or another), ``explained`` is false, ``total`` is NaN and ``agrees`` false: nothing is
    guessed.
    """

    def __init__(
        self, maps: FeatureMaps, layer: Layer, index: Shape, framework_value: float, working: Working | None
    ) -> None:
        self.layer = layer
        self.index = index
        self.framework_value = framework_value
        self.working = working
        self._maps = maps

    @property
    def explained(self) -> bool:
        """Whether the layer's arithmetic is known."""
        return self.working is not None

    @property
    def total(self) -> float:
        """What the terms give, in float64."""
        return self.working.total if self.working is not None else float("nan")

    @property
    def residual(self) -> float:
        """``framework_value - total``; 0 where both are the same infinity or both NaN; NaN where nothing is
        explained."""
        if not self.explained:
            return float("nan")
        same = self.framework_value == self.total or (isnan(self.framework_value) and isnan(self.total))
        return 0.0 if same else self.framework_value - self.total

    @property
    def tolerance(self) -> float:
        """The largest difference that rounding in the layer's own type can make."""
        return self.working.tolerance(self.layer.dtype, self.layer.sums_in) if self.working is not None else 0.0

    @property
    def overflows(self) -> bool:
        """Whether the layer's type may be too small for this value or a sum on the way to it: it has then no bound."""
        return self.working is not None and self.working.overflows(self.layer.dtype, self.layer.sums_in)

    @property
    def agrees(self) -> bool:
        """Whether the framework's value and ours differ by no more than rounding can explain.

        Two NaN agree, and the same infinity; so does an infinity or NaN where the layer's type can overflow.
        """
        return self.explained and bool(agreement(self.framework_value, self.total, self.tolerance, self.overflows))

    @property
    def window(self) -> Array | None:
        """The input values under the kernel, padding included."""
        return self.working.window if self.working is not None else None

    @property
    def kernel(self) -> Array | None:
        """The weight of each value of the window."""
        return self.working.kernel if self.working is not None else None

    @property
    def products(self) -> Array | None:
        """Window x kernel."""
        return self.working.products if self.working is not None else None

    @property
    def channel_sums(self) -> Array | None:
        """The products added up for each input channel."""
        return self.working.channel_sums if self.working is not None else None

    @property
    def bias(self) -> float | None:
        """The number added after the sum; ``None`` without one."""
        return self.working.bias if self.working is not None else None

    @property
    def activation(self) -> str | None:
        """The function's name, where the layer is an activation."""
        return self.working.activation if self.working is not None else None

    @property
    def steps(self) -> tuple[Step, ...]:
        """The arithmetic line by line, each with the value after it."""
        return self.working.steps if self.working is not None else ()

    @property
    def inputs(self) -> Sequence[Term]:
        """The values that entered, the largest contribution first.

        Where nothing is added up: what won, or the value that is measured against the others, then the largest.
        """
        return _Terms(self)

    def leading(self, share: float = 0.8) -> int:
        """How many of the largest terms hold ``share`` of the magnitude of all terms."""
        if self.working is None:
            return 0
        shown = self.working.products if self.working.products is not None else self.working.window
        sizes = np.sort(np.abs(shown[self.working.inside]))[::-1]
        if sizes.size == 0 or sizes.sum() == 0:
            return 0
        return int(np.searchsorted(np.cumsum(sizes), share * sizes.sum() * (1 - 1e-12)) + 1)

    def trace(self) -> Iterator[Explanation | PictureValue]:
        """The way back: this value, its largest term, that one's largest term, until a pixel of the picture.

        Ends earlier at a layer whose arithmetic isn't known, or where nothing but padding entered.

        >>> import convlens, numpy as np
        >>> lens = convlens.sketch("conv 1 3x3 | maxpool 2x2", input_shape=(3, 8, 8))
        >>> maps = lens.feature_maps(np.full((8, 8, 3), 100, np.uint8))
        >>> [type(step).__name__ for step in maps["maxpool"].explain(channel=0, row=0, column=0).trace()]
        ['Explanation', 'Explanation', 'PictureValue']
        """
        found: Explanation | PictureValue = self
        while isinstance(found, Explanation):
            yield found
            if not found.inputs:
                return
            found = found.inputs[0].explain()
        yield found

    @property
    def verdict(self) -> str:
        """One sentence: does the explanation hold?"""
        if not self.explained and getattr(self.layer.operation, "function", None) == RANDOM:
            return f"{self.layer.op} draws its values at random: no arithmetic explains them, another run draws others."
        if not self.explained:
            return (
                f"convlens doesn't know the arithmetic of {self.layer.op} for these values, so it shows them and "
                "explains nothing."
            )
        if self.agrees and not isfinite(self.framework_value):
            if self.residual != 0:
                return f"agrees: numbers on the way are too large for {self.layer.sums_in or self.layer.dtype}"
            return "agrees: both are the same, and no finite number"
        if self.agrees:
            return f"agrees: the difference is within what {self.layer.dtype} rounding can make of it"
        return (
            "DISAGREES: the difference is larger than rounding can explain; the weights have changed since the run, "
            "or the layer does something else than its description says"
        )

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data, for ``--json``; what isn't a finite number is ``None`` there."""
        working = self.working

        def listed(array: Array | None) -> Any:
            return None if array is None else array.tolist()

        facts = {
            "layer": self.layer.name,
            "op": self.layer.op,
            "index": list(self.index),
            "framework_value": self.framework_value,
            "explained": self.explained,
            "rule": working.rule if working is not None else None,
            "formula": working.formula if working is not None else None,
            "total": self.total if working is not None else None,
            "residual": self.residual if working is not None else None,
            "tolerance": self.tolerance,
            "agrees": self.agrees,
            "verdict": self.verdict,
            "window": listed(self.window),
            "inside": listed(working.inside) if working is not None else None,
            "kernel": listed(self.kernel),
            "products": listed(self.products),
            "channel_sums": listed(self.channel_sums),
            "bias": self.bias,
            "activation": self.activation,
            "steps": [{"words": step.words, "value": step.value} for step in self.steps],
            "terms": [
                {
                    "layer": term.layer,
                    "index": list(term.index),
                    "value": term.value,
                    "weight": term.weight,
                    "contribution": term.contribution,
                }
                for term in self.inputs[:20]
            ],
        }
        return {name: _finite(value) for name, value in facts.items()}

    def __repr__(self) -> str:
        state = "agrees" if self.agrees else ("disagrees" if self.explained else "not explained")
        where = f"{self.layer.name!r} at {place_in_words(self.index)}"
        return f"Explanation({where}: {self.framework_value:.9g}, {state}, residual {self.residual:.2g})"

    def __str__(self) -> str:
        from convlens.lens.telling import explanation_text

        return explanation_text(self)


class _Terms(Sequence[Term]):
    """The terms in falling order of size, made only as far as they are looked at."""

    def __init__(self, explanation: Explanation) -> None:
        self._explanation = explanation
        working = explanation.working
        if working is None:
            self._order: list[int] = []
            return
        inside = working.inside.ravel()
        sizes = np.abs(working.products if working.products is not None else working.window).ravel()
        if working.rule in ("softmax", "log_softmax"):  # what takes a large share is large, not far from 0
            sizes = np.exp(working.window.ravel() - working.window.max())
        if working.winners is not None:
            sizes[working.winners.ravel()] = np.inf
        if working.focus is not None:
            sizes[working.focus] = np.inf
        order = np.argsort(-sizes, kind="stable")
        self._order = [int(entry) for entry in order[inside[order]]]

    def __len__(self) -> int:
        return len(self._order)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self._term(entry) for entry in self._order[number]]
        return self._term(self._order[number])

    def _term(self, flat: int) -> Term:
        explanation, working = self._explanation, self._explanation.working
        assert working is not None
        entry = tuple(int(n) for n in np.unravel_index(flat, working.window.shape))
        origin = working.origin(entry)
        assert origin is not None
        number, index = origin
        return Term(
            explanation.layer.inputs[number],
            index,
            float(working.window[entry]),
            None if working.kernel is None else float(working.kernel[entry]),
            None if working.products is None else float(working.products[entry]),
            explanation._maps,
        )


def _finite(value: Any) -> Any:
    """Plain data that JSON can hold."""
    if isinstance(value, dict):
        return {name: _finite(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_finite(inner) for inner in value]
    return None if isinstance(value, float) and not isfinite(value) else value


def place_in_words(index: Shape) -> str:
    """An index as a reader says it.

    >>> place_in_words((0, 10, 20)), place_in_words((282,)), place_in_words((3, 5))
    ('channel 0, row 10, column 20', 'feature 282', 'channel 3, position 5')
    """
    names = {
        1: ("feature",),
        2: ("channel", "position"),
        3: ("channel", "row", "column"),
        4: ("channel", "depth", "row", "column"),
    }.get(len(index), tuple(f"axis {n}" for n in range(len(index))))
    return ", ".join(f"{name} {place}" for name, place in zip(names, index, strict=True))
