"""The one exception that users see: bad input or usage, told in one sentence. And how text quotes input.

Anything else that escapes is our own fault and keeps its traceback.
"""

from __future__ import annotations

import reprlib
import unicodedata

JOINERS = "\u200c\u200d"  # invisible, but names in Persian or with composed emoji need them


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


def printable(text: str) -> str:
    """Return text as one line that a terminal only shows: what would steer it is escaped as Python does.

    Names of files may hold anything, such as escape sequences, line breaks and marks that turn the direction of text.
    """
    return "".join(map(_shown, text))


def _shown(character: str) -> str:
    # Control, format and surrogate characters; separators of lines and of paragraphs.
    steers = unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp") and character not in JOINERS
    return character.encode("unicode_escape").decode() if steers else character


def quoted(value: object) -> str:
    """Return a value as a sentence quotes it: as Python writes it, but short."""
    return _Quotes().repr(value)
