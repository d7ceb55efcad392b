"""The command line: ``convlens summary``, ``kernels``, ``maps``, ``explain``, ``derive``, ``export``, ``sketch``, ...

Nothing heavy is imported until a command runs, so that ``convlens --help`` answers at once.
"""

from convlens.hosts.cli.app import app, main

__all__ = ["app", "main"]
