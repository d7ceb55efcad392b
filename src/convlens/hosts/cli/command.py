"""What surrounds every command: stdout kept for its facts, and two ways to stop it that aren't errors."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

from convlens.hosts.cli import terminal
from convlens.hosts.cli.noise import without_greetings


class StoppedError(BaseException):
    """The person pressed Ctrl-C."""


class PipeClosedError(Exception):
    """Whoever read the output has left, as ``head`` does."""


class Command(TyperCommand):
    """A command of convlens."""

    def invoke(self, ctx: Any) -> Any:
        """Run it, with whatever a framework prints going to stderr."""
        try:
            with terminal.stdout_for_facts():
                return super().invoke(ctx)
        except KeyboardInterrupt:
            raise StoppedError from None  # Typer would print an empty line for the interrupt itself
        except BrokenPipeError:
            raise PipeClosedError from None


class ModelCommand(Command):
    """A command that opens a model, and so wakes a framework."""

    def invoke(self, ctx: Any) -> Any:
        """Run it, without the framework's greetings."""
        with without_greetings():
            return super().invoke(ctx)
