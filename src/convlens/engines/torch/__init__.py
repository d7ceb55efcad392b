"""The PyTorch engine: live modules, exported programs, TorchScript."""

from convlens.engines.torch.engine import TorchEngine

__all__ = ["TorchEngine"]
