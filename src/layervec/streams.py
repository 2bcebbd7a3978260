"""Standard input and output of this process: closed, full, without a reader, or unable to show what names can hold.

Data goes through `output`, a picture comes from `read_input`; talk is progress.py's. Knows nothing of what is written.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from layervec.errors import InputError
from layervec.files import reason

DASH = "-"
INPUTS = frozenset({DASH, "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"})
OUTPUTS = frozenset({DASH, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})
INPUT, OUTPUT = "standard input", "standard output"
PLACELESS = ("/dev/", "/proc/")  # pipes of a shell, such as /dev/fd/63: nothing can lie beside them

_stand_ins: list[object] = []


def prepare() -> None:
    """Make the streams fit for anything.

    A closed one leads nowhere; else the next file to be opened would get its number, and with it what libraries print.
    What a terminal cannot show is printed as escapes; file names may hold anything.
    """
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        if getattr(sys, name) is None:
            with suppress(OSError):
                _stand_in(number, name, mode)
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]


def _stand_in(number: int, name: str, mode: str) -> None:
    opened = os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    stream = open(number, mode, encoding="utf-8", closefd=False)  # noqa: SIM115  as long as the process
    _stand_ins.append(stream)
    setattr(sys, name, stream)


@contextmanager
def output() -> Iterator[TextIO]:
    """Hand out standard output for data. Raises InputError where it is full, BrokenPipeError where nobody reads."""
    try:
        yield sys.stdout
        sys.stdout.flush()  # here, where a reader that has gone is still noticed
    except BrokenPipeError:
        raise
    except OSError as error:
        silence_output()
        raise InputError(f"{OUTPUT} cannot be written: {reason(error)}.") from error


def check_output() -> None:
    """Raise InputError where standard output is closed, before anything is made that would be lost there."""
    if sys.stdout in _stand_ins:
        raise InputError(f"{OUTPUT} cannot be written: it is closed.")


def silence_output() -> None:
    """Send what is still buffered nowhere, or Python would complain when it ends."""
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)


def read_input(most: int) -> bytes:
    """Return what comes on standard input, but no more than so many bytes. Raises InputError."""
    if sys.stdin in _stand_ins:
        raise InputError(f"{INPUT} cannot be read: it is closed.")
    try:
        return sys.stdin.buffer.read(most)
    except OSError as error:
        raise InputError(f"{INPUT} cannot be read: {reason(error)}.") from error


def is_placeless(path: Path) -> bool:
    """Tell whether a path is a stream of this process, beside which no file can lie."""
    return str(path) in INPUTS or str(path).startswith(PLACELESS)
