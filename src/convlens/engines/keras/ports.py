"""What a model reads: names, shapes and layouts of its inputs, and a person's arrays checked against them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import keras  # noqa: TID251
import numpy as np
from keras.src.models.functional import Functional  # noqa: TID251

from convlens.engines.base import Feed
from convlens.engines.keras.backend import is_tensor
from convlens.engines.keras.layout import FIRST, LAST, framework_shape
from convlens.errors import InputError
from convlens.network import Input, Shape

Specs = tuple[tuple[Shape, str], ...]


@dataclass(frozen=True)
class Port:
    """One input. ``shape`` is the framework's own, batch included; ``None`` where the model doesn't say."""

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str
    layout: str

    def described(self) -> Input:
        """The input in the words of the network."""
        if self.shape is None:
            return Input(self.name, (), self.dtype, self.layout, rank_known=False)
        batch, *rest = self.shape
        shape = (rest[-1], *rest[:-1]) if self.layout == LAST and len(rest) > 1 else tuple(rest)
        return Input(self.name, shape, self.dtype, self.layout, batch)

    def fitted(self, shape: Shape) -> Shape:
        """``shape`` as this input takes it; one picture fills up the batch that the model insists on.

        Raises:
            InputError: it doesn't fit.
        """
        wanted = self.shape
        if wanted and wanted[0] and shape[:1] == (1,):
            shape = (wanted[0], *shape[1:])
        if wanted is not None and (
            len(shape) != len(wanted) or any(w not in (None, n) for w, n in zip(wanted, shape, strict=True))
        ):
            raise InputError(
                f"The input {self.name!r} has another shape",
                expected=f"{_shown(wanted)}, {_axes(wanted, self.layout)}",
                received=_shown(shape),
                hint="The batch comes first." if len(shape) == len(wanted) else "Is the batch axis missing?",
            )
        if not shape or any(n < 1 for n in shape):
            raise InputError(f"The input {self.name!r} is empty", expected="at least one value", received=_shown(shape))
        return shape


def ports_of(model: Any, input_shape: Shape | None) -> tuple[Port, ...]:
    """The inputs of ``model``; ``input_shape`` (channels first, no batch) answers what it leaves open.

    Raises:
        InputError: ``input_shape`` contradicts the model.
    """
    layout = _layout(model)
    tensors = _symbolic_inputs(model)
    if tensors is not None:
        several = len(tensors) > 1 and isinstance(model, Functional)
        layouts = [_layout_behind(model, t) if several else layout for t in tensors]
        known = tuple(
            Port(t.name, tuple(t.shape), keras.backend.standardize_dtype(t.dtype), own if len(t.shape) > 2 else LAST)
            for t, own in zip(tensors, layouts, strict=True)
        )
    else:
        known = _ports_by_signature(model, layout)
    if input_shape is None or len(known) != 1:
        return known
    port = known[0]
    stated = (None, *framework_shape(tuple(input_shape), layout))
    if port.shape is not None:
        port.fitted((port.shape[0] or 1, *(n for n in stated[1:] if n is not None)))
    return (replace(port, shape=(port.shape[0] if port.shape else None, *stated[1:]), layout=layout),)


def _symbolic_inputs(model: Any) -> list[Any] | None:
    try:
        return list(model.inputs)
    except (AttributeError, ValueError):
        return None


def _ports_by_signature(model: Any, layout: str) -> tuple[Port, ...]:
    dtype = str(keras.config.floatx())
    if isinstance(model, keras.Sequential):
        return (Port("input", None, dtype, layout),)
    parameters = inspect.signature(model.call).parameters.values()
    names = [
        p.name
        for p in parameters
        if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
        and p.default is p.empty
        and p.name not in ("training", "mask")
    ]
    shapes = (model.get_build_config() or {}) if model.built else {}
    whole = shapes.get("input_shape")
    found: list[Port] = []
    for name in names or ["input"]:
        shape = whole if len(names) < 2 and _is_shape(whole) else shapes.get(f"{name}_shape")
        free = (None, *shape[1:]) if shape and _is_shape(shape) else None
        found.append(Port(name, free, dtype, layout))
    return tuple(found)


def _is_shape(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(n is None or isinstance(n, int) for n in value)


def _layout(model: Any) -> str:
    """How the model wants its pictures: as its first layer with an opinion says, unless axes are moved before it."""
    default = str(keras.config.image_data_format())
    for layer in model._flatten_layers(include_self=False):
        if isinstance(layer, (keras.layers.Permute, keras.layers.Reshape)):
            return default
        if getattr(layer, "data_format", None) in (LAST, FIRST):
            return str(layer.data_format)
    return default


def _layout_behind(model: Any, tensor: Any) -> str:
    """How a model of several inputs wants one of them: as the first layer with an opinion behind it says."""
    reached = {id(tensor)}
    for operation in model.operations:
        for node in operation._inbound_nodes:
            if not reached.isdisjoint(id(source) for source in node.input_tensors):
                stated = getattr(operation, "data_format", None)
                if stated in (LAST, FIRST):
                    return str(stated)
                if isinstance(operation, keras.Model):
                    return _layout(operation)
                if isinstance(operation, (keras.layers.Permute, keras.layers.Reshape)):
                    return str(keras.config.image_data_format())
                reached.update(id(made) for made in node.output_tensors)
    return str(keras.config.image_data_format())


def tensors(ports: tuple[Port, ...], feed: Feed) -> dict[str, Any]:
    """``feed`` as tensors of this backend, by input name.

    Raises:
        InputError: an input is missing, unknown, or has another shape.
    """
    _check_names(ports, feed)
    return {port.name: _tensor(port, feed[port.name]) for port in ports}


def specs(ports: tuple[Port, ...], shapes: Mapping[str, Shape]) -> Specs:
    """Shape and type of every input, for a model that is only traced.

    Raises:
        InputError: an input is missing, unknown, or has another shape.
    """
    _check_names(ports, shapes)
    return tuple((port.fitted(tuple(shapes[port.name])), effective(port.dtype)) for port in ports)


def effective(dtype: Any) -> str:
    """The type that the backend really gives: JAX makes float32 of float64 unless told otherwise."""
    return _given(keras.backend.standardize_dtype(dtype))


@cache
def _given(dtype: str) -> str:
    return str(keras.backend.standardize_dtype(keras.ops.zeros((), dtype=dtype).dtype))


def _tensor(port: Port, value: Any) -> Any:
    if not is_tensor(value):
        value = value.detach().cpu().numpy() if hasattr(value, "detach") else np.asarray(value)
        if value.dtype.kind not in "biuf" and value.dtype.name not in ("bfloat16",):
            raise InputError(f"The input {port.name!r} isn't numbers", expected=port.dtype, received=str(value.dtype))
    batch = port.fitted(tuple(value.shape))[0]
    tensor = keras.ops.convert_to_tensor(value, dtype=port.dtype)
    return keras.ops.repeat(tensor, batch, axis=0) if batch != value.shape[0] else tensor


def _check_names(ports: tuple[Port, ...], given: Mapping[str, Any]) -> None:
    names = [port.name for port in ports]
    missing = [name for name in names if name not in given]
    unknown = [name for name in given if name not in names]
    if missing or unknown:
        raise InputError(
            "The network has another input" if unknown and not missing else "An input of the network is missing",
            expected=" and ".join(repr(name) for name in names),
            received=" and ".join(repr(name) for name in given) or "nothing",
            hint=f"Give {missing[0]!r} too, by name." if missing else f"Leave {unknown[0]!r} out.",
        )


def arranged(model: Any, ports: tuple[Port, ...], values: Mapping[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """The arguments of the model's call: one tensor, or the list or dict that the model was built for."""
    if _symbolic_inputs(model) is None or len(ports) == 1:
        if len(ports) == 1:
            structure = getattr(model, "_inputs_struct", None)
            only = values[ports[0].name]
            if isinstance(structure, (dict, list, tuple)):
                return (keras.tree.map_structure(lambda _: only, structure),), {}
            return (only,), {}
        return (), dict(values)
    return (keras.tree.map_structure(lambda tensor: values[tensor.name], model.input),), {}


def _shown(shape: tuple[int | None, ...]) -> str:
    return " x ".join("any" if n is None else str(n) for n in shape)


def _axes(shape: tuple[int | None, ...], layout: str) -> str:
    spatial = {1: ["length"], 2: ["rows", "columns"], 3: ["depth", "rows", "columns"]}.get(len(shape) - 2)
    if spatial is None:
        return "batch first"
    return " x ".join(["batch", *spatial, "channels"] if layout == LAST else ["batch", "channels", *spatial])
