"""What the person hands in, checked against what the model asks for, and brought to its batch size."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import helper

from convlens.engines.base import Array
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.tensors import kind_of
from convlens.errors import InputError, ModelError
from convlens.network import Input, Shape


@dataclass(frozen=True, slots=True)
class Slot:
    """One input as the file declares it: sizes in the file's own layout, ``None`` where free or unsaid."""

    name: str
    element: int
    sizes: tuple[int | None, ...] | None
    channels_last: bool

    @property
    def batch(self) -> int | None:
        """The batch size that the model insists on."""
        return self.sizes[0] if self.sizes else None

    @property
    def smaller_than_a_byte(self) -> bool:
        """Whether several of its numbers share a byte, which NumPy has no way to say."""
        return dtype_name(self.element) in ("int4", "uint4", "int2", "uint2", "float4_e2m1fn")

    def as_input(self, shape: Shape | None = None) -> Input:
        """The input as the network states it; ``shape`` (with batch) fills in the free sizes."""
        sizes = self.sizes if shape is None else shape
        batchless = tuple(sizes[1:]) if sizes else ()
        if self.channels_last and batchless:
            batchless = (batchless[-1], *batchless[:-1])
        return Input(
            name=self.name,
            shape=batchless,
            dtype=dtype_name(self.element),
            layout="channels_last" if self.channels_last else "channels_first",
            batch=self.batch,
            rank_known=sizes is not None,
        )


def slots(graph: Graph, channels_last: Container[str]) -> tuple[Slot, ...]:
    """The network's inputs: those of the graph that have no initializer; ``channels_last`` names those that are fed so.

    Raises:
        ModelError: an input that is no tensor.
    """
    found = []
    for info in graph.inputs:
        if not info.type.HasField("tensor_type"):
            kind = info.type.WhichOneof("value") or "nothing"
            raise ModelError(
                "This model reads something that is not a tensor",
                expected="tensors as inputs",
                received=f"{info.name!r}: a {kind.removesuffix('_type')}",
            )
        tensor = info.type.tensor_type
        if not kind_of(tensor.elem_type):
            raise ModelError(
                "This model reads numbers of an unknown type",
                expected="a type of numbers that ONNX has",
                received=f"{info.name!r}: type {tensor.elem_type}",
            )
        sizes = None
        if tensor.HasField("shape"):
            sizes = tuple(
                d.dim_value if d.HasField("dim_value") and d.dim_value > 0 else None for d in tensor.shape.dim
            )
        found.append(Slot(info.name, tensor.elem_type, sizes, info.name in channels_last))
    return tuple(found)


def bind(slots: tuple[Slot, ...], shapes: Mapping[str, Shape]) -> dict[str, Shape]:
    """The shapes that the model will run with: all inputs there, right ranks and sizes, batch filled up.

    Raises:
        InputError: a missing or unknown input, a wrong rank or size.
    """
    names = [slot.name for slot in slots]
    for name in shapes:
        if name not in names:
            raise InputError(f"The network has no input {name!r}", expected=_listed(names), received=_listed(shapes))
    bound = {}
    for slot in slots:
        if slot.name not in shapes:
            raise InputError(
                f"The network's input {slot.name!r} is missing",
                expected=_listed(names),
                received=_listed(shapes) if shapes else "nothing",
                hint=f"Give every input by name: {{{', '.join(f'{n!r}: ...' for n in names)}}}.",
            )
        bound[slot.name] = _fitted(slot, tuple(shapes[slot.name]))
    return bound


def _fitted(slot: Slot, shape: Shape) -> Shape:
    if slot.sizes is None:
        return shape
    fits = len(shape) == len(slot.sizes) and all(
        want is None or want == got for want, got in zip(slot.sizes[1:], shape[1:], strict=True)
    )
    batch = slot.batch
    if not fits or (len(shape) > 1 and shape[0] == 0) or (batch is not None and shape and not 1 <= shape[0] <= batch):
        raise InputError(
            f"The network's input {slot.name!r} doesn't fit",
            expected=f"the shape ({', '.join('any' if n is None else str(n) for n in slot.sizes)})",
            received=f"({', '.join(map(str, shape))})",
            hint="The first axis is the batch."
            if len(shape) != len(slot.sizes)
            else "Feed that shape, and leave out --input-shape (input_shape=...).",
        )
    return (batch, *shape[1:]) if batch is not None and shape else shape


def arrays(slots: tuple[Slot, ...], feed: Mapping[str, Any]) -> dict[str, Array]:
    """The feed as NumPy arrays of the types that the model asks for, the batch filled up by repeating.

    Real numbers become the model's real type, integers its integer type if they fit; nothing else is converted.

    Raises:
        InputError: as :func:`bind`, or a type that doesn't fit.
    """
    given = {name: _as_array(name, value) for name, value in feed.items()}
    bound = bind(slots, {name: array.shape for name, array in given.items()})
    found = {}
    for slot in slots:
        array = _typed(slot, given[slot.name])
        if array.shape != bound[slot.name]:
            array = np.take(array, np.arange(bound[slot.name][0]) % len(array), axis=0)
        found[slot.name] = array
    return found


def _as_array(name: str, value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor that records gradients
        value = value.detach().cpu()
    array: Array = np.asarray(value)
    if array.dtype.kind not in "fiub" and not (array.dtype.kind == "V" and array.dtype.name != "void"):
        raise InputError(
            f"The input {name!r} is not numbers", expected="an array of numbers", received=str(array.dtype)
        )
    return array


def _typed(slot: Slot, array: Array) -> Array:
    wanted = np.dtype(helper.tensor_dtype_to_np_dtype(slot.element))
    if array.dtype == wanted:
        return array
    real = array.dtype.kind == "f" and (wanted.kind == "f" or wanted.name == "bfloat16")
    whole = array.dtype.kind in "iu" and wanted.kind in "iu"
    if real or (whole and np.array_equal(array.astype(wanted), array)):
        return array.astype(wanted)
    raise InputError(
        f"The network's input {slot.name!r} has another type",
        expected=dtype_name(slot.element),
        received=array.dtype.name,
        hint=f"Type: array.astype({dtype_name(slot.element)!r}), after scaling it as the network expects.",
    )


def dtype_name(element: int) -> str:
    """The name of an ONNX element type as NumPy would say it.

    >>> dtype_name(onnx.TensorProto.FLOAT), dtype_name(onnx.TensorProto.BFLOAT16)
    ('float32', 'bfloat16')
    """
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(element)).name
    except (KeyError, TypeError, ValueError):
        name: str = onnx.TensorProto.DataType.Name(element)
        return name.lower()


def _listed(names: Any) -> str:
    return "the inputs " + ", ".join(repr(n) for n in names) if names else "no input"
