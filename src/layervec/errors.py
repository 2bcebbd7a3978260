"""The one exception that users see: bad input or usage, told in one sentence. And how such a sentence quotes input.

Anything else that escapes is our own fault and keeps its traceback.
"""

from __future__ import annotations

import reprlib


class InputError(Exception):
    """Bad input or usage. The message is one clear sentence that names the file and the cause."""


class _Quotes(reprlib.Repr):
    """Writes values as Python does, but short: a few lines of YAML can hold lists of lists that would fill memory."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxstring = self.maxother = 80  # characters

    def repr_int(self, value: int, level: int) -> str:
        if abs(value) >= 10**40:
            return "a number of more than 40 digits"  # Python refuses to write out really long ones
        return repr(value)


def quoted(value: object) -> str:
    """Return a value as a sentence quotes it: as Python writes it, but short."""
    return _Quotes().repr(value)
