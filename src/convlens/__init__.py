"""convlens: see inside a convolutional network. Its kernels, its feature maps, its arithmetic."""

__version__ = "0.1.0"
