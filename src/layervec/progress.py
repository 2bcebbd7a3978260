"""What people read while a picture is made: a bar on a terminal, or a line for each stage, both on stderr.

Listens to events and knows the stages' names in plain words. Knows nothing of files, arguments or exit codes,
and never fails: a terminal that has gone away must not end the work.
"""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

from layervec import kernel_cache
from layervec.errors import printable
from layervec.events import Event, Kind, Stage
from layervec.settings import EFFORTS, Settings

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

WORDS: dict[Stage, str] = {
    "load": "reading the picture",
    "simplify": "simplifying",
    "segment": "finding objects",
    "tree": "finding regions",
    "arrange": "drawing shapes",
    "refine": "fitting shapes",
    "write": "writing the SVG",
}
KINDS: dict[Kind, str] = {"photo": "a photo", "art": "drawn art", "pixel": "pixel art"}
# Share of the whole time that each stage takes, roughly: photos at 512 px, 256 shapes, standard, two cores, no model.
SHARES: dict[Stage, float] = {
    "load": 0.02,
    "simplify": 0.06,
    "segment": 0.0,  # most runs have no such stage
    "tree": 0.07,
    "arrange": 0.15,
    "refine": 0.68,
    "write": 0.02,
}
MODEL_SHARE = 1.0  # of that whole for a stage that asks a model: as much as all others, and far more on a CPU
FIRST_GUESS = 0.1  # of a stage that must be done before its time left is worth showing
COMPILING = "compiling kernels, once; later runs start at once"


def say(text: str, bar: Bar | None = None) -> None:
    """Print a line on stderr, above the bar if one is drawn, or nothing where nobody can read it."""
    text = printable(text)
    with suppress(OSError, ValueError):  # closed, or a pipe without reader
        if bar is not None:
            bar.console.print(text, markup=False, highlight=False, soft_wrap=True)
            return
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


class Progress:
    """Shows events while it is entered.

    bar: draw a progress bar if stderr is a terminal. lines: print a line for each finished stage.
    """

    def __init__(self, settings: Settings, *, bar: bool = True, lines: bool = False) -> None:
        self._rounds = settings.paper.rounds if settings.preset == "paper" else EFFORTS[settings.quality].rounds
        self._shares = shares_of(settings)
        self._wants_bar, self._lines = bar, lines
        self._stack = ExitStack()
        self._bar: Bar | None = None
        self._task: Any = None
        self._start = 0.0
        self._facts = ""
        self._compiled = self._told_of_trouble = False

    def __enter__(self) -> Progress:
        if self._wants_bar and is_terminal():
            self._bar = self._stack.enter_context(new_bar())
            self._task = self._bar.add_task("starting", total=1.0, facts="")
        return self

    def __exit__(self, *exception: object) -> None:
        if self._compiled:
            self._tell_of_trouble()  # that came later: the disk was full
        self._stack.close()

    def on_event(self, event: Event) -> None:
        """Show one piece of news."""
        if event.done == 0.0:
            self._start = time.perf_counter()
        if event.psnr is not None:
            self._facts = f"{event.paths} shapes, {event.psnr:.1f} dB"
        if self._bar is not None:
            with suppress(OSError, ValueError):
                self._bar.update(
                    self._task,
                    completed=whole(event, self._shares),
                    description=self._doing(event),
                    facts=self._told(event),
                )
        if event.done == 1.0:
            self._finish(event)

    def _finish(self, event: Event) -> None:
        if self._lines:
            facts = f" ({self._facts})" if event.stage == "refine" and self._facts else ""
            facts = f" (taken for {KINDS[event.kind]})" if event.kind else facts
            say(f"{WORDS[event.stage]}: {time.perf_counter() - self._start:.2f} s{facts}", self._bar)
        # Kernels follow. Numba is slow to load, and a picture that cannot be read should be told of at once.
        if event.stage == "load" and (self._lines or self._wants_bar):
            self._watch_compiler()

    def _doing(self, event: Event) -> str:
        words = WORDS[event.stage]
        return words if not event.round else f"{words}, round {event.round} of {self._rounds}"

    def _told(self, event: Event) -> str:
        """Facts beside the bar; the time left only where it can be told from work of the same kind."""
        if not FIRST_GUESS < event.done < 1.0:
            return self._facts
        left = f"about {plain_time((time.perf_counter() - self._start) * (1.0 / event.done - 1.0))} left"
        return f"{self._facts}, {left}" if self._facts else left

    def _watch_compiler(self) -> None:
        """Tell when Numba compiles rather than loads a kernel: after an installation or an update."""
        from numba.core import event as numba_event

        tell = self._tell_of_compiling

        class Listener(numba_event.Listener):
            def on_start(self, event: object) -> None:
                tell()

            def on_end(self, event: object) -> None:
                pass

        self._stack.enter_context(numba_event.install_listener("numba:compile", Listener()))

    def _tell_of_compiling(self) -> None:
        if self._compiled:
            return
        self._compiled = True
        self._tell_of_trouble()
        if not self._told_of_trouble and (self._lines or self._bar is not None):
            say(COMPILING, self._bar)

    def _tell_of_trouble(self) -> None:
        """Tell, once, also where no bar can be drawn, that the next run will compile again."""
        told = kernel_cache.place().not_kept()
        if told and not self._told_of_trouble:
            self._told_of_trouble = True
            say(told, self._bar)


def shares_of(settings: Settings) -> dict[Stage, float]:
    """Share of the whole time that each stage takes with these settings."""
    asked: dict[Stage, bool] = {"simplify": settings.simplifier != "classic", "segment": settings.segmenter != "none"}
    shares = {stage: MODEL_SHARE if asked.get(stage) else share for stage, share in SHARES.items()}
    return {stage: share / sum(shares.values()) for stage, share in shares.items()}


def whole(event: Event, shares: dict[Stage, float]) -> float:
    """Share of the whole run that is done, 0..1."""
    stages = list(shares)
    before = sum(shares[stage] for stage in stages[: stages.index(event.stage)])
    return before + event.done * shares[event.stage]


def plain_time(seconds: float) -> str:
    """Return a time as people say it."""
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 7200 else f"{round(seconds / 3600)} h"


def is_terminal() -> bool:
    """Tell whether stderr is a terminal, where a bar can be drawn."""
    with suppress(OSError, ValueError, AttributeError):
        return sys.stderr.isatty()
    return False


def new_bar() -> Bar:
    """Return a bar that disappears when it is done and leaves stdout alone."""
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=24),
        TextColumn("{task.fields[facts]}", markup=False),
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
