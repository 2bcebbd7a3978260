"""Signals that end a run: each does so as Ctrl-C does, so that the run clears up behind itself and leaves no half file.

Knows nothing of what a run is. A library has no business with signals; only the command line uses this.
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENDING = ("SIGINT", "SIGTERM", "SIGHUP")  # a system may lack some

_came = threading.Event()


def came() -> bool:
    """Tell whether a signal has asked this run to end."""
    return _came.is_set()


def check() -> None:
    """Raise KeyboardInterrupt if a signal has come: the one that it raised may have been lost in a library."""
    if came():
        raise KeyboardInterrupt


@contextmanager
def ended_as_interrupted(*, for_good: bool = False) -> Iterator[None]:
    """Let signals raise KeyboardInterrupt inside.

    Only the first one does: another must not break off the clearing up. What is ignored stays so (nohup). Where it is
    lost in a library's callback, Python says nothing of that; `check` raises it again.
    for_good: the process ends after this, so that once one has come, the others are ignored until it is gone.
    """
    _came.clear()
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before, told = _taken(), sys.unraisablehook
    for number in before:
        signal.signal(number, _interrupt)
    sys.unraisablehook = lambda lost: None if came() and lost.exc_type is KeyboardInterrupt else told(lost)
    try:
        yield
    finally:
        sys.unraisablehook = told
        for number, how in before.items():
            signal.signal(number, signal.SIG_IGN if for_good and came() else how)


@contextmanager
def ended_even_if_ignored() -> Iterator[None]:
    """Let SIGINT and SIGTERM raise KeyboardInterrupt inside whatever they did, for a library that acts on them anyway.

    Inside `ended_as_interrupted`: still only the first one does.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are the main thread's
        return
    before = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, how in before.items():
            signal.signal(number, how if how is not None else signal.SIG_DFL)


@contextmanager
def hangup_as_termination() -> Iterator[None]:
    """Let SIGHUP inside do what SIGTERM does, for a library that acts on that alone."""
    number = getattr(signal, "SIGHUP", None)
    if number is None or signal.getsignal(number) is not _interrupt:
        yield
        return
    signal.signal(number, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(number, _interrupt)


def _taken() -> dict[int, Any]:
    """Return the signals that we act on, and what they did before; not those that somebody else acts on or ignores."""
    found = {getattr(signal, name): signal.getsignal(getattr(signal, name)) for name in ENDING if hasattr(signal, name)}
    return {number: how for number, how in found.items() if how in (signal.SIG_DFL, signal.default_int_handler)}


def _interrupt(_number: int, _frame: object) -> None:
    if not came():
        _came.set()
        raise KeyboardInterrupt
