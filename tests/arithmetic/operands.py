"""Values put together, drawn by hypothesis: which function, how many operands, which of them are constants, and where.

One description serves every engine. ``x`` and ``y`` are fed, with a batch of one, and each may stand in several places;
all other operands are constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

Array = NDArray[Any]
Draw = Any  # hypothesis' draw function
Shape = tuple[int, ...]

OF_TWO = ("subtract", "divide")
OF_SEVERAL = ("add", "multiply", "maximum", "minimum")
BROADCAST = (*OF_TWO, *OF_SEVERAL)
FUNCTIONS = ("concat", "stack", "where", "matmul", *BROADCAST)


@dataclass(frozen=True)
class Together:
    """``kinds`` has ``x``, ``y`` or ``c`` for each operand; ``shapes`` are without batch. A constant of ``whole`` has a
    batch axis of length one all the same. ``axis`` is counted without batch."""

    function: str
    kinds: tuple[str, ...]
    shapes: tuple[Shape, ...]
    axis: int
    whole: tuple[bool, ...]
    way: str
    seed: int

    @property
    def moving(self) -> tuple[str, ...]:
        """The names of the fed operands, in order, each as often as it stands there."""
        return tuple(kind for kind in self.kinds if kind != "c")

    @property
    def fed(self) -> dict[str, Shape]:
        """The shapes of what is fed."""
        return {kind: shape for kind, shape in zip(self.kinds, self.shapes, strict=True) if kind != "c"}

    @property
    def constant_places(self) -> tuple[int, ...]:
        return tuple(place for place, kind in enumerate(self.kinds) if kind == "c")

    def constants(self) -> dict[int, Array]:
        """The constants by their place; a condition holds zeros and ones."""
        found = {}
        for place in self.constant_places:
            random = np.random.default_rng([self.seed, place])
            shape = (1, *self.shapes[place]) if self.whole[place] else self.shapes[place]
            if self.function == "where" and place == 0:
                found[place] = random.integers(0, 2, shape).astype(np.float32)
            else:
                found[place] = random.normal(size=shape).astype(np.float32)
        return found

    def feed(self, prefix: str = "") -> dict[str, Array]:
        """Values around 0."""
        return {
            prefix + name: np.random.default_rng([self.seed, ord(name)]).normal(size=(1, *shape)).astype(np.float32)
            for name, shape in self.fed.items()
        }


@st.composite
def together(draw: Draw, ways: tuple[str, ...], functions: tuple[str, ...] = FUNCTIONS) -> Together:
    """Any combination that a framework takes."""
    function = draw(st.sampled_from(functions))
    count = 2 if function in (*OF_TWO, "matmul") else 3 if function == "where" else draw(st.integers(2, 4))
    kinds = draw(st.lists(st.sampled_from("xycc"), min_size=count, max_size=count))
    if not set(kinds) & {"x", "y"}:
        kinds[draw(st.integers(0, count - 1))] = "x"
    rank = draw(st.integers(2 if function == "matmul" else 1, 3))
    base = tuple(draw(st.integers(1, 4)) for _ in range(rank))
    axis = draw(st.integers(0, rank if function == "stack" else rank - 1))
    shapes: list[Shape] = []
    whole = [function in ("concat", "stack") or draw(st.booleans()) for _ in kinds]
    if function == "matmul":
        inner = draw(st.integers(1, 4))
        shapes = [(*base[:-1], inner), (*base[:-2], inner, base[-1])]
        if kinds[0] == kinds[1]:  # one value in both places is a square
            shapes = [(*base[:-2], inner, inner)] * 2
    else:
        own: dict[str, Shape] = {}
        for place, kind in enumerate(kinds):
            shape = base
            if function == "concat":
                shape = (*base[:axis], draw(st.integers(1, 3)), *base[axis + 1 :])
            elif function in (*BROADCAST, "where") and kind == "c":
                shape = tuple(size if draw(st.booleans()) else 1 for size in base)
                if draw(st.booleans()):
                    shape, whole[place] = shape[draw(st.integers(0, rank)) :], False
            shapes.append(own.setdefault(kind, shape) if kind != "c" else shape)
    seed, way = draw(st.integers(0, 2**31 - 1)), draw(st.sampled_from(ways))
    return Together(function, tuple(kinds), tuple(shapes), axis, tuple(whole), way, seed)
