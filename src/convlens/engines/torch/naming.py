"""Which module an operator runs in, and the name that its layer gets from that."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.torch.graph import Node
from convlens.engines.torch.modules import Structure
from convlens.network import Convolution, Pad


@dataclass(slots=True, eq=False)
class Frame:
    """One call of a module. ``simple``: it has no modules inside, so its only operator can bear its name."""

    path: str
    module: torch.nn.Module | None
    simple: bool
    waiting: list[Node] = field(default_factory=list)


class Namer:
    """Names each layer after the module around its operator, and tells layers in the order in which they ran.

    A module that makes one operator gives that layer its own path (``layer1.0.conv1``); for several, and in modules
    that hold other modules, the operator's word follows (``layer1.0.add``). Second calls are ``relu:2``. Whether a
    module makes one operator or several is known when its forward ends, so its layers wait until then.
    """

    def __init__(self, tell: Callable[[Node], None]) -> None:
        self._tell = tell
        self._frames = [Frame("", None, simple=False)]
        self._queue: deque[Node] = deque()
        self._taken: dict[str, int] = {}

    @property
    def path(self) -> str:
        """The module that runs at the moment."""
        return self._frames[-1].path

    def entered(self, frame: Frame) -> None:
        """A module's forward begins."""
        self._frames.append(frame)

    def left(self, frame: Frame) -> None:
        """A module's forward ended."""
        self._frames.remove(frame)
        calls = {id(node.siblings) for node in frame.waiting}
        for node in frame.waiting:
            self._name(node, frame.path, own=len(calls) == 1)
        self._flush()

    def place(self, nodes: list[Node]) -> None:
        """Take in the results of one call; each is told as soon as its name is certain and all before it are told."""
        frame = self._frames[-1]
        owner = nodes[0].parameters[0].module if nodes[0].parameters else frame.path
        self._queue.extend(nodes)
        if owner != frame.path and (not frame.path or owner.startswith(frame.path + ".")):
            # Weights of a module whose forward isn't called: `F.linear(x, self.inner.weight)`, or all of TorchScript.
            for node in nodes:
                self._name(node, owner, own=True)
        elif frame.path and (frame.simple or (nodes[0].parameters and owner == frame.path)):
            self._take_in_padding(frame, nodes[0])
            frame.waiting.extend(nodes)
        else:
            for node in nodes:
                self._name(node, frame.path, own=False)

    def place_beside(self, node: Node, other: Node) -> None:
        """Take in a value that no operator of the present module made: it is named after where ``other`` ran."""
        path = ".".join(other.scope) if other.name is not None else self._frames[-1].path
        self._queue.append(node)
        self._name(node, path, own=False)

    def could_be_called(self, node: Node) -> tuple[str, ...]:
        """The name of a placed node, or both names that it can still get, without their call number."""
        if node.name is not None:
            return (node.name,)
        path = self._frames[-1].path
        return path, f"{path}.{node.op}"

    def settled(self) -> None:
        """Tell what has a name; to be called when a placed node is complete."""
        self._flush()

    def _take_in_padding(self, frame: Frame, node: Node) -> None:
        """A convolution with ``padding_mode="reflect"`` pads first; together the two are the one convolution it is."""
        if not isinstance(node.operation, Convolution) or getattr(frame.module, "padding_mode", "zeros") == "zeros":
            return
        pad = node.inputs[0]
        if frame.waiting == [pad] and isinstance(pad, Node) and isinstance(pad.operation, Pad):
            node.operation = replace(node.operation, padding=pad.operation.padding, padding_mode=pad.operation.mode)
            node.inputs = pad.inputs
            frame.waiting.clear()
            self._queue.remove(pad)

    def _name(self, node: Node, path: str, own: bool) -> None:
        first = node.siblings[0]
        if node is first or first.name is None:
            wanted = path if own and path else f"{path}.{node.op}" if path else node.op
            name = self._unique(wanted)
        else:
            name = first.name.removesuffix(first.suffix)
        node.name = name + node.suffix
        parts = tuple(path.split(".")) if path else ()
        node.scope = parts[:-1] if own else parts

    def _unique(self, wanted: str) -> str:
        count = self._taken.get(wanted, 0) + 1
        name = wanted if count == 1 else f"{wanted}:{count}"
        while count > 1 and name in self._taken:
            count += 1
            name = f"{wanted}:{count}"
        self._taken[wanted] = count
        self._taken.setdefault(name, 1)
        return name

    def _flush(self) -> None:
        while self._queue and self._queue[0].name is not None:
            self._tell(self._queue.popleft())


@contextmanager
def followed(structure: Structure, namer: Namer) -> Iterator[None]:
    """While it lasts, the namer hears of every call of a module's ``forward`` on this thread.

    The instance's ``forward`` is covered. That costs a tenth of what a pair of hooks does, sees direct calls of
    ``module.forward`` too, and leaves the user's hooks and their order alone.
    """
    thread = threading.get_ident()
    covered: list[tuple[dict[str, Any], Any]] = []
    missing = object()
    try:
        for path, module in structure.paths.items():
            if isinstance(module, torch.jit.ScriptModule):
                continue  # its calls happen inside the interpreter; its operators are named by their parameters
            own = vars(module)
            covered.append((own, own.get("forward", missing)))
            own["forward"] = _announced(path, module, thread, namer)
        yield
    finally:
        for own, before in covered:
            if before is missing:
                own.pop("forward", None)
            else:
                own["forward"] = before


def _announced(path: str, module: torch.nn.Module, thread: int, namer: Namer) -> Callable[..., Any]:
    forward: Callable[..., Any] = module.forward
    simple = all(name == "parametrizations" for name in module._modules)

    def announced(*args: Any, **kwargs: Any) -> Any:
        if threading.get_ident() != thread:
            return forward(*args, **kwargs)
        frame = Frame(path, module, simple)
        namer.entered(frame)
        try:
            return forward(*args, **kwargs)
        finally:
            namer.left(frame)

    return announced
