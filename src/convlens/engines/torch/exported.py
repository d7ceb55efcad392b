"""A model as the engine runs it; an exported program is run node by node, so that each operator's module is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch  # noqa: TID251  # this package is the PyTorch engine

from convlens.engines.base import Feed
from convlens.engines.torch.feeding import Signature
from convlens.engines.torch.naming import Frame, Namer
from convlens.network import Input, Shape


@dataclass(frozen=True, slots=True)
class Program:
    """Something to run: a module. ``name`` is the file's; ``inputs`` where the program states its own."""

    module: torch.nn.Module
    name: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    signature: Signature | None = None

    def call(self, namer: Namer, positional: list[Any], named: dict[str, Any]) -> Any:  # noqa: ARG002
        """Run it. A live module's calls are followed already; the namer is for programs that have none."""
        return self.module(*positional, **named)


@dataclass(frozen=True, slots=True)
class ExportedGraph(Program):
    """An exported program: a flat graph that remembers which module each operator came from."""

    def call(self, namer: Namer, positional: list[Any], named: dict[str, Any]) -> Any:
        """Run it node by node."""
        if not isinstance(self.module, torch.fx.GraphModule):
            raise TypeError("an exported program unlifts to a graph module")
        return _Interpreter(self.module, namer).run(*positional, *named.values())


class _Interpreter(torch.fx.Interpreter):
    def __init__(self, module: torch.fx.GraphModule, namer: Namer) -> None:
        super().__init__(module)
        self._namer = namer
        self._frame: Frame | None = None
        self._call = ""
        paths = {_place(node)[1] for node in module.graph.nodes}
        self._containers = {path.rsplit(".", depth)[0] for path in paths for depth in range(1, path.count(".") + 1)}

    def run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().run(*args, **kwargs)
        finally:
            self._leave()

    def run_node(self, n: torch.fx.Node) -> Any:
        if n.op == "call_function":
            call, path = _place(n)
            if call != self._call:
                self._leave()
                self._call, self._frame = call, Frame(path, None, simple=bool(path) and path not in self._containers)
                self._namer.entered(self._frame)
        return super().run_node(n)

    def _leave(self) -> None:
        if self._frame is not None:
            self._namer.left(self._frame)
        self._frame, self._call = None, ""


def _place(node: torch.fx.Node) -> tuple[str, str]:
    """Which call of which module a node belongs to: the call's key, the module's path."""
    stack = node.meta.get("nn_module_stack") or {}
    if not stack:
        return "", ""
    key, (path, _) = list(stack.items())[-1]
    return str(key), str(path)


def program_of(exported: torch.export.ExportedProgram, name: str | None) -> Program:
    """Make an exported program runnable. Its guards are code; its fixed sizes are checked by us instead."""
    module = exported.module(check_guards=False)
    placeholders = {node.name: node for node in exported.graph.nodes if node.op == "placeholder"}
    inputs = []
    for given in exported.graph_signature.user_inputs:
        value = placeholders[str(given)].meta["val"] if str(given) in placeholders else None
        if not isinstance(value, torch.Tensor):
            continue
        batch, *shape = (size if isinstance(size, int) else None for size in value.shape)
        inputs.append(Input(str(given), tuple(shape), str(value.dtype).removeprefix("torch."), batch=batch))
    return ExportedGraph(
        module,
        name=name,
        metadata={"framework": f"PyTorch {torch.__version__}", "format": "torch.export"},
        inputs=tuple(inputs),
        signature=Signature(tuple(given.name for given in inputs)),
    )


def filled_shapes(inputs: tuple[Input, ...], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes to run with: a batch of one is filled up to the batch that the program was exported for."""
    insisted = {given.name: given.batch for given in inputs}
    return {
        name: (insisted.get(name) or 1, *shape[1:]) if shape[:1] == (1,) else tuple(shape)
        for name, shape in shapes.items()
    }


def filled(inputs: tuple[Input, ...], feed: Feed) -> tuple[Feed, bool]:
    """The feed with copies of a single picture where the program insists on several, and whether there are copies."""
    given = {name: tuple(int(n) for n in np.shape(value)) for name, value in feed.items()}
    wanted = filled_shapes(inputs, given)
    if wanted == given:
        return feed, False
    return {
        name: _copies(value, wanted[name][0]) if wanted[name] != given[name] else value for name, value in feed.items()
    }, True


def _copies(value: Any, count: int) -> Any:
    if isinstance(value, torch.Tensor):
        return value.detach().repeat(count, *(1 for _ in value.shape[1:]))
    return np.repeat(np.asarray(value), count, axis=0)
