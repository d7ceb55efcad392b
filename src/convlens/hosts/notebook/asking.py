"""The questions of the page's ``Source`` that travel through a notebook's messages, and their answers.

The page asks ``{"ask": name, "with": {...}}``, now and then with the bytes of a file; an answer is a fact, numbers with
their shape, a picture's bytes, or an error in a person's words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from convlens.errors import ConvlensError
from convlens.hosts import answering
from convlens.hosts.desk import Desk, GoneError, NotFoundError
from convlens.hosts.wire import facts
from convlens.pictures import Recipe

if TYPE_CHECKING:
    from convlens.engines.base import Array
    from convlens.hosts.wire.schema import ProblemFact

_WIDTH = 640  # pixels of a picture's longer side, as it was given


@dataclass(frozen=True, slots=True)
class Answer:
    """A fact, numbers, bytes, or a problem."""

    fact: Any = None
    values: Array | None = None
    data: bytes | None = None
    problem: ProblemFact | None = None
    status: int = 200

    def message(self) -> tuple[dict[str, Any], list[memoryview | bytes]]:
        """The JSON part and the buffers.

        >>> Answer(values=np.zeros((2, 3), np.float32)).message()[0]
        {'fact': None, 'shape': [2, 3], 'dtype': 'float32'}
        """
        if self.values is not None:
            array = np.ascontiguousarray(self.values)
            told = {"fact": self.fact, "shape": list(array.shape), "dtype": str(array.dtype)}
            return told, [array.tobytes()]
        if self.problem is not None:
            return {"problem": self.problem, "status": self.status}, []
        return {"fact": self.fact}, [] if self.data is None else [self.data]


def answer(desk: Desk, page: str, asked: str, given: dict[str, Any], file: bytes | None = None) -> Answer:
    """The answer to one question; ``page`` tells the cells apart that look at the same desk.

    >>> answer(Desk(), "", "weather", {}).problem["problem"]
    'The page asked something that this version does not know'
    """
    found = _ANSWERS.get(asked)
    try:
        if found is None:
            raise ConvlensError(
                "The page asked something that this version does not know",
                expected="one of " + ", ".join(_ANSWERS),
                received=asked[:80],
                hint="Restart the kernel, so that page and package are of one version.",
            )
        return found(desk, page, given, file)
    except ConvlensError as error:
        status = 410 if isinstance(error, GoneError) else 404 if isinstance(error, NotFoundError) else 422
        return Answer(problem=facts.problem_fact(error), status=status)
    except Exception as error:  # a framework's own error: the person gets its words, never a silent page
        problem = ConvlensError("The kernel could not answer", received=f"{type(error).__name__}: {error}"[:300])
        return Answer(problem=facts.problem_fact(problem), status=500)


_Given = dict[str, Any]


def _index(given: _Given) -> tuple[int, ...]:
    return tuple(int(at) for at in given["index"])


def _start(desk: Desk, page: str, given: _Given, _file: bytes | None) -> Answer:
    recipe = given.get("recipe")
    chosen = None if recipe is None else Recipe.from_dict(recipe)
    return Answer(desk.start(given["model"], given["picture"], chosen, page).fact())


def _progress(desk: Desk, _page: str, given: _Given, _file: bytes | None) -> Answer:
    """What has arrived since the page asked last; waits for a moment, so that a short run ends within the answer."""
    run = desk.run(given["run"])
    ended = run.ended.wait(timeout=0.05)
    fact = run.fact()
    return Answer({**fact, "maps": fact["maps"][given["sent"] :], "ended": ended})


def _leave(desk: Desk, page: str, given: _Given, _file: bytes | None) -> Answer:
    desk.run(given["run"]).leave(page)
    return Answer()


def _effective(desk: Desk, _page: str, given: _Given, _file: bytes | None) -> Answer:
    fact, heat = answering.effective(desk, desk.run(given["run"]), given["layer"], _index(given))
    return Answer(fact, np.asarray(heat, np.float32))


def _add_picture(desk: Desk, _page: str, given: _Given, file: bytes | None) -> Answer:
    most = desk.limits["upload_bytes"]
    if file is None or len(file) > most:
        raise ConvlensError("This file is too large", expected=f"up to {most:,} bytes")
    return Answer(desk.read_picture(file, given["name"][:300] or "picture"))


_ANSWERS: dict[str, Callable[[Desk, str, _Given, bytes | None], Answer]] = {
    "session": lambda desk, _p, _g, _f: Answer(desk.session()),
    "network": lambda desk, _p, g, _f: Answer(answering.network(desk, g["model"])),
    "derivation": lambda desk, _p, g, _f: Answer(answering.derivation(desk, g["model"], g["layer"])),
    "kernels": lambda desk, _p, g, _f: Answer(answering.kernels(desk, g["model"], g["layer"])),
    "kernelValues": lambda desk, _p, g, _f: Answer(
        values=answering.kernel_values(desk, g["model"], g["layer"], g["first"], g["count"])
    ),
    "runNetwork": lambda desk, _p, g, _f: Answer(answering.run_network(desk, desk.run(g["run"]))),
    "runDerivation": lambda desk, _p, g, _f: Answer(answering.run_derivation(desk, desk.run(g["run"]), g["layer"])),
    "runKernels": lambda desk, _p, g, _f: Answer(answering.run_kernels(desk, desk.run(g["run"]), g["layer"])),
    "runKernelValues": lambda desk, _p, g, _f: Answer(
        values=answering.run_kernel_values(desk, desk.run(g["run"]), g["layer"], g["first"], g["count"])
    ),
    "start": _start,
    "progress": _progress,
    "leave": _leave,
    "channels": lambda desk, _p, g, _f: Answer(desk.run(g["run"]).channels(g["layer"])),
    "maps": lambda desk, _p, g, _f: Answer(
        values=answering.maps(desk.run(g["run"]), g["layer"], g["level"], g["channels"], g["slice"])
    ),
    "tile": lambda desk, _p, g, _f: Answer(
        values=answering.tile(
            desk.run(g["run"]), g["layer"], g["level"], g["channel"], g["slice"], g["row"], g["column"]
        )
    ),
    "explanation": lambda desk, _p, g, _f: Answer(
        answering.explanation(desk, desk.run(g["run"]), g["layer"], _index(g), g["groups"])
    ),
    "field": lambda desk, _p, g, _f: Answer(answering.field(desk, desk.run(g["run"]), g["layer"], _index(g))),
    "effective": _effective,
    "picture": lambda desk, _p, g, _f: Answer(data=answering.picture(desk.run(g["run"]))),
    "original": lambda desk, _p, g, _f: Answer(data=answering.original(desk, g["picture"], _WIDTH)),
    "addPicture": _add_picture,
}
