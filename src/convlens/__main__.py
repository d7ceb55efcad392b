"""The command line, as ``python -m convlens`` and as ``convlens``.

Only the beginning stands here: whoever presses Ctrl-C while Python still imports the rest ends a process that has done
nothing yet, as every other program would end, and not with a traceback.
"""

import sys


def main() -> int:
    """Run the command line of this process; see :func:`convlens.hosts.cli.main`."""
    import _signal as signal  # what lies under the module signal, and needs no file to be read

    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from convlens.hosts import cli

    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
