"""The command line: ``convlens summary``, ``kernels``, ``maps``, ``explain``, ``derive``, ``export``, ``sketch``, ...

Nothing heavy is imported until a command runs, so that ``convlens --help`` answers at once; and nothing at all before
:func:`main` watches for signals.
"""

from collections.abc import Sequence

from convlens.hosts.cli import interrupts

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 2 for bad input and for Ctrl-C, 1 for a bug in convlens.

    Without ``arguments`` it reads those of the process, which then is its own: a signal ends it at once.
    """
    alone = arguments is None
    try:
        if alone:
            interrupts.watch()
        from convlens.hosts.cli.app import run

        code = run(arguments)
        if alone:
            interrupts.rest()
            interrupts.end(code)
        return code
    except BaseException as error:
        if not isinstance(error, KeyboardInterrupt) and not interrupts.seen():
            raise
        return interrupts.leave(alone=alone)
