"""Parts of the graph as models of their own, run by ONNX Runtime, or by ONNX's reference evaluator where that can't.

What was measured on a 2-core machine (ONNX Runtime 1.32, a run that gives out every value, against the plain session):
the outputs are views of the runtime's own memory, so nothing is copied; the arena grows to twice the maps and more,
without it the peak stays at the maps plus one layer's working memory; the memory pattern allots a second block of the
size of all maps; large arrays that NumPy allots come in huge pages, which spares a fifth of VGG-16's time at batch 16.
Of the time that giving out every value takes, for ResNet-18 a quarter more than the plain run, two thirds go into
turning maps out of the runtime's blocked layout, the rest into activations and sums that are fused otherwise; memory
that is allotted beforehand or in one block changes nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any, TypeVar

import numpy as np
import onnx
import onnxruntime as ort  # noqa: TID251  # this package is the ONNX engine
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from convlens.engines.base import Array
from convlens.engines.onnx.graph import Graph
from convlens.engines.onnx.reading import Source
from convlens.engines.onnx.shapes import Value
from convlens.errors import ModelError

ort.set_default_logger_severity(4)  # what goes wrong is said once, by our own error

Result = TypeVar("Result")

_BLOCK = 16
"""Filters that ONNX Runtime's blocked layout computes at a time; fewer are filled up with zeros."""
_HUGE_PAGES = 4 << 20
"""Bytes from which on NumPy asks for huge pages."""
_SLEEPING = 64 << 20
"""Bytes of maps from which on threads sleep between operators. Measured with both processors in use by others: 0.7x to
0.9x the time of spinning ones for ResNet-18 at batch 16 (368 MB); alone, 1.2x at batch 1 (23 MB)."""
_NUMPY_TYPES = frozenset(
    ["float32", "float64", "float16", "int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool"]
)


class RefusedError(Exception):
    """ONNX Runtime doesn't take this model: too new, or an operator or type that it hasn't."""


def piece_model(
    graph: Graph, nodes: Sequence[int], given: Mapping[str, Value], outputs: Sequence[str], casts: Mapping[str, str]
) -> onnx.ModelProto:
    """The nodes (indices, in order) as a model that reads ``given`` and the initializers, and makes ``outputs``.

    ``casts`` maps a value of a type that NumPy lacks to the name of its float32 copy, which becomes an output.
    """
    model = onnx.ModelProto(ir_version=graph.proto.ir_version)
    model.opset_import.extend(graph.proto.opset_import)
    inner = model.graph
    inner.name = "piece"
    inner.node.extend(graph.nodes[i] for i in nodes)
    inner.input.extend(helper.make_tensor_value_info(n, v.element, v.shape) for n, v in given.items())
    read = {r for i in nodes for r in graph.reads[i]}
    inner.initializer.extend(t for n, t in graph.initializers.items() if n in read and n not in given)
    inner.sparse_initializer.extend(t for n, t in graph.sparse.items() if n in read and n not in given)
    inner.node.extend(helper.make_node("Cast", [value], [name], to=TensorProto.FLOAT) for value, name in casts.items())
    inner.output.extend(onnx.ValueInfoProto(name=name) for name in outputs)
    return model


class Runner:
    """One model, ready to run, with its weights lent or read from their files by the runtime itself."""

    def __init__(
        self,
        model: onnx.ModelProto | str,
        source: Source,
        *,
        reference: bool = False,
        plain: bool = False,
        made: int = 0,
    ) -> None:
        """``made``: how many bytes it is going to give out."""
        self.reference = reference
        if reference:
            self._evaluator = _evaluator(source.proto if plain else model, source)
            return
        self._lent: list[Any] = []
        options = ort.SessionOptions()
        options.log_severity_level = 4
        options.graph_optimization_level = ort.GraphOptimizationLevel(_level(source.proto, model))
        # A thread pool goes on spinning after its run, while the next piece's, or another session's, works. For large
        # maps sleeping costs nothing; between small operators, waking up does.
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if made >= _SLEEPING:
            options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if plain:
            self._session = _session(model if isinstance(model, str) else serialised(model), options)
            return
        assert not isinstance(model, str)
        # Between DequantizeLinear and QuantizeLinear the runtime would round weights that the file has as real numbers.
        options.add_session_config_entry("session.disable_quant_qdq", "1")
        options.enable_cpu_mem_arena = False
        options.enable_mem_pattern = False
        options.add_session_config_entry("session.model_external_initializers_file_folder_path", str(source.folder))
        lent = {t.name: a for t in model.graph.initializer if (a := source.lent(t.name)) is not None}
        if lent:
            self._lent = [
                ort.OrtValue.ortvalue_from_numpy_with_onnx_type(_plain(a), _element(model, n)) for n, a in lent.items()
            ]
            options.add_external_initializers(list(lent), self._lent)
        self._session = _session(model.SerializeToString(), options)

    def run(self, feed: Mapping[str, Any], outputs: Sequence[str], sizes: Mapping[str, Value]) -> list[Any]:
        """Run once: one ``OrtValue`` or array an output, in order.

        ``sizes``: what is known of the outputs beforehand; large float32 ones are allotted by NumPy.
        """
        if self.reference:
            given = {n: to_array(v) for n, v in feed.items()}
            found = self._evaluator.run(list(outputs), given)
            return list(found) if isinstance(found, (list, tuple)) else [found]
        binding = self._session.io_binding()
        for name, value in feed.items():
            if isinstance(value, np.ndarray) and value.dtype.name in _NUMPY_TYPES:
                binding.bind_cpu_input(name, np.ascontiguousarray(value))
            elif isinstance(value, np.ndarray):
                element = helper.np_dtype_to_tensor_dtype(value.dtype)
                binding.bind_ortvalue_input(
                    name, ort.OrtValue.ortvalue_from_numpy_with_onnx_type(_plain(value), element)
                )
            else:
                binding.bind_ortvalue_input(name, value)
        ours: dict[str, Array] = {}
        for name in outputs:
            size = sizes.get(name)
            if size and size.element == TensorProto.FLOAT and 4 * prod(size.shape) >= _HUGE_PAGES:
                ours[name] = array = np.empty(size.shape, np.float32)
                binding.bind_output(name, "cpu", 0, np.float32, array.shape, array.ctypes.data)
            else:
                binding.bind_output(name, "cpu")
        _interruptible(self._session, binding)
        made = binding.get_outputs()
        return [ours.get(name, value) for name, value in zip(outputs, made, strict=True)]

    def run_plain(self, feed: Mapping[str, Array], outputs: Sequence[str]) -> Iterator[tuple[str, Array]]:
        """The plain forward pass: each output with its array."""
        made = self.run(feed, outputs, {}) if self.reference else self._session.run(list(outputs), dict(feed))
        yield from zip(outputs, map(np.asarray, made), strict=True)


def serialised(model: onnx.ModelProto) -> bytes:
    """The model's bytes.

    Raises:
        ModelError: over 2 GB, which protobuf can't write.
    """
    try:
        written: bytes = model.SerializeToString()
        return written
    except Exception:
        raise ModelError(
            "This live model is too large to be run",
            expected="at most 2 GB, or a path",
            received=f"{model.ByteSize() / 1e9:.1f} GB",
            hint="Save it with onnx.save(..., save_as_external_data=True) and open the path.",
        ) from None


def _session(model: bytes | str, options: ort.SessionOptions) -> ort.InferenceSession:
    """Load a model; large ones take seconds, in which Ctrl-C stops the runtime too."""

    def load() -> ort.InferenceSession:
        return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    try:
        return _stoppable(load, lambda: options.set_load_cancellation_flag(True))
    except Exception as error:
        text = reason(error)
        lacking = type(error).__name__ in ("NotImplemented", "RuntimeException")
        if lacking or any(word in text for word in ("opset", "Opset", "IR version", "during initialization")):
            raise RefusedError(text) from None
        raise ModelError("ONNX Runtime refuses this model", expected="a valid ONNX model", received=text) from None


def _evaluator(model: onnx.ModelProto | str, source: Source) -> ReferenceEvaluator:
    whole = onnx.ModelProto()
    whole.CopyFrom(model)
    for tensor in whole.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            tensor.CopyFrom(onnx.numpy_helper.from_array(source.array(tensor), tensor.name))
    try:
        return ReferenceEvaluator(whole)
    except Exception as error:
        raise RefusedError(str(error)) from None


def _interruptible(session: ort.InferenceSession, binding: ort.IOBinding) -> None:
    """Run so that Ctrl-C stops the runtime at its next node and not after the last one."""
    options = ort.RunOptions()
    _stoppable(lambda: session.run_with_iobinding(binding, options), lambda: setattr(options, "terminate", True))


def _stoppable(work: Callable[[], Result], stop: Callable[[], None]) -> Result:
    """Work in a second thread, so that Ctrl-C in the first reaches the runtime."""
    if threading.current_thread() is not threading.main_thread():
        return work()
    made: list[Result] = []
    failure: list[BaseException] = []

    def worker() -> None:
        try:
            made.append(work())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=worker, name="convlens-onnx")
    try:
        thread.start()
        thread.join()
    except BaseException:
        stop()
        if thread.is_alive():
            thread.join()
        raise
    if failure:
        raise failure[0]
    return made[0]


def _level(proto: onnx.ModelProto, model: onnx.ModelProto | str) -> int:
    """The graph optimisation that is fastest: all, but for convolutions of few filters no blocked layout.

    Measured: 3x3 convolutions of 1, 3, 8, 16, 64 filters take 5.9x, 3.8x, 1.1x, 1.1x, 0.7x the time in blocks of 16.
    """
    graph = proto.graph if isinstance(model, str) else model.graph
    sizes = {t.name: t.dims for t in proto.graph.initializer}
    true = padded = 0
    for node in graph.node:
        dims = sizes.get(node.input[1]) if node.op_type == "Conv" and len(node.input) > 1 else None
        if dims:
            each = prod(dims[1:])
            true += each * dims[0]
            padded += each * -(-dims[0] // _BLOCK) * _BLOCK
    level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    if padded > 2.5 * true:
        level = ort.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    return int(level)


def _plain(array: Array) -> Array:
    array = np.ascontiguousarray(array)
    if array.dtype.name in _NUMPY_TYPES:
        return array
    return array.view({1: np.uint8, 2: np.uint16}[array.dtype.itemsize])


def _element(model: onnx.ModelProto, name: str) -> int:
    return next(int(t.data_type) for t in model.graph.initializer if t.name == name)


def needs_cast(element: int) -> bool:
    """Whether NumPy lacks this ONNX type, so that the runtime itself has to turn it into float32."""
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(element)).name not in _NUMPY_TYPES
    except (KeyError, TypeError):
        return False


def to_array(value: Any) -> Array:
    """An output as NumPy: a view of the runtime's memory, which nobody else writes to."""
    found: Array = (
        value if isinstance(value, np.ndarray) else np.asarray(value.numpy() if hasattr(value, "numpy") else value)
    )
    return found


def reason(error: BaseException) -> str:
    """What the runtime said, without its code names and source paths, in one line.

    >>> reason(RuntimeError("[ONNXRuntimeError] : 1 : FAIL : Node (a) has no input"))
    'Node (a) has no input'
    """
    text = " ".join(str(error).split())
    if text.startswith("[ONNXRuntimeError]"):
        text = text.split(" : ", 3)[-1]
    words = [w for w in text.split(" ") if not (w.startswith("/") and (".cc" in w or ".h" in w))]
    return " ".join(words)[:300] or type(error).__name__


def ancestors(graph: Graph, values: Iterable[str], known: Iterable[str]) -> list[int]:
    """The nodes that are needed to make ``values`` from ``known`` and the initializers, in the order of the file."""
    found: set[int] = set()
    known = set(known)
    open_values = [v for v in values if v not in known]
    while open_values:
        index = graph.maker.get(open_values.pop())
        if index is not None and index not in found:
            found.add(index)
            open_values.extend(r for r in graph.reads[index] if r not in known)
    return sorted(found)
