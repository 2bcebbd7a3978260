"""The threads that kernels run on: one pool for the process, started on first use.

Refuses to know what runs. A job gets (start, step) and must do every `step`-th piece from `start`, so that
how many threads there are never changes what is computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 256  # parts of one job; more than any machine has cores for only cost time

_pool: ThreadPoolExecutor | None = None


def _forget_pool() -> None:
    """Drop the pool: a forked child has none of its parent's threads."""
    global _pool
    _pool = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def _count(threads: int | None) -> int:
    return min(threads or os.cpu_count() or 1, MOST)


def parts(size: int, least: int, threads: int | None) -> int:
    """Return how many threads, of at most `threads`, should share `size` pieces of work: at least `least` each."""
    return max(1, min(_count(threads), size // least))


def run(job: Callable[[int, int], None], threads: int | None) -> None:
    """Call job(start, step) once for each thread, the first on the caller's own; None means one a core."""
    global _pool
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, not {threads}.")
    step = _count(threads)
    if step == 1:
        job(0, 1)
        return
    if _pool is None:
        _pool = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="layervec")
    others = [_pool.submit(job, start, step) for start in range(1, step)]
    try:
        job(0, step)
    finally:
        for other in others:
            other.result()


def split(job: Callable[[int, int], None], size: int, threads: int | None) -> None:
    """Call job(begin, end) for the parts of 0 .. size - 1, one a thread. Parts must not depend on each other."""

    def part(start: int, step: int) -> None:
        job(start * size // step, (start + 1) * size // step)

    run(part, threads)


def each(function: Callable[[Item], Answer], items: Sequence[Item], threads: int | None) -> list[Answer]:
    """Return function(item) of each item, in their order."""
    answers: dict[int, Answer] = {}

    def job(start: int, step: int) -> None:
        for place in range(start, len(items), step):
            answers[place] = function(items[place])

    run(job, threads)
    return [answers[place] for place in range(len(items))]
