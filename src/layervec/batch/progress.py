"""What people read while a batch runs: a bar with rate and time left, and a line for each row that failed, on stderr.

Never fails: a terminal that has gone away must not end the work.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from layervec.batch.record import Record
from layervec.progress import is_terminal, plain_time, say

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

MOST_TOLD = 20  # failures that get a line; the manifest has them all
LINE_EVERY = 30.0  # s between lines where no bar can be drawn


class Progress:
    """Shows rows as they end, while it is entered. quiet: nothing. lines: a line for each row."""

    def __init__(self, total: int, *, quiet: bool = False, lines: bool = False) -> None:
        self._total, self._quiet, self._lines = total, quiet, lines
        self._stack = ExitStack()
        self._bar: Bar | None = None
        self._task: Any = None
        self._start = self._told = time.monotonic()
        self._ended = self._drawn = self._failed = self._noted = 0

    def __enter__(self) -> Progress:
        if not self._quiet and is_terminal():
            from layervec.progress import new_bar

            self._bar = self._stack.enter_context(new_bar())
            self._task = self._bar.add_task("starting workers", total=self._total, facts="")
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def ended(self, record: Record, *, anew: bool) -> None:
        """Count a row. anew: it was worked on in this run."""
        self._ended += 1
        self._drawn += anew
        self._failed += record.status == "failed"
        told = record.status == "failed" and self._failed <= MOST_TOLD and not self._quiet
        if self._lines or told:
            say(_line(record, anew), self._bar)
        elif anew and record.note and not self._quiet:
            self._noted += 1
            if self._noted <= MOST_TOLD:
                say(f"note: {record.note}", self._bar)
        self._show()

    def _show(self) -> None:
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.update(self._task, completed=self._ended, description=self._count(), facts=self._pace())
        elif not self._quiet and time.monotonic() - self._told > LINE_EVERY:
            self._told = time.monotonic()
            say(", ".join(part for part in (self._count(), self._pace()) if part))

    def _count(self) -> str:
        failed = f", {self._failed} failed" if self._failed else ""
        return f"{self._ended} of {self._total}{failed}"

    def _pace(self) -> str:
        """Return rate and time left, "" before the first row is drawn."""
        if not self._drawn:
            return ""
        each = (time.monotonic() - self._start) / self._drawn
        rate = f"{1 / each:.1f} a second" if each < 1 else f"{60 / each:.1f} a minute"
        left = (self._total - self._ended) * each
        return f"{rate}, about {plain_time(left)} left" if left else rate


def _line(record: Record, anew: bool) -> str:
    if record.status == "failed":
        return f"failed{'' if anew else ' before'}: {record.reason}"
    if not anew:
        return f"{record.output}: drawn before"
    note = f"; {record.note}" if record.note else ""
    return f"{record.output}: {record.shapes} shapes, {record.psnr:.1f} dB, {record.seconds:.1f} s{note}"
