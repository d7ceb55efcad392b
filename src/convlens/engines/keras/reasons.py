"""Why Keras failed, in one line."""

from __future__ import annotations

import re

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_ELSEWHERE = ("Exception encountered when calling", "Graph execution error")


def reason(error: Exception) -> str:
    """The first line that says what happened: not where, which Keras puts first.

    >>> reason(ValueError("Exception encountered when calling Conv2D.call().\\n\\n\\x1b[1mToo small.\\x1b[0m"))
    'Too small.'
    """
    text = _COLOUR.sub("", str(error)).rpartition("Error encountered:")[2]
    lines = [line.strip() for line in text.splitlines()]
    told = [line for line in lines if line and not line.startswith(_ELSEWHERE)]
    return (told[0] if told else type(error).__name__)[:300]
