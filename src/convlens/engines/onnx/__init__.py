"""The ONNX engine: files are read with the onnx package, run by ONNX Runtime."""

from convlens.engines.onnx.engine import OnnxEngine

__all__ = ["OnnxEngine"]
