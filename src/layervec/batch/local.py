"""The engine for one machine: a few worker processes, each with its share of the cores. Needs nothing but Python."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable
from multiprocessing.connection import wait

from layervec.batch.seat import POLL, Answer, Limits, Seat
from layervec.batch.work import Task
from layervec.batch.worker import Setup


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run(tasks: Iterable[Task], setup: Setup, workers: int, limits: Limits) -> Generator[Answer]:
    """Yield how tasks end, in whatever order they do. Workers live as long as the iterator does.

    Raises OutputError where the output cannot be written.
    """
    waiting = iter(tasks)
    seats: list[Seat] = []
    left = True
    try:
        seats.append(Seat(setup, limits))
        while left or any(seat.task is not None for seat in seats):
            for seat in seats:
                if left and seat.ready and seat.task is None:
                    task = next(waiting, None)
                    left = task is not None
                    if task is not None:
                        seat.give(task)
            if seats[0].ready:  # what the first one has compiled, the others only load
                seats += [Seat(setup, limits) for _ in range(workers - len(seats))]
            wait([seat.pipe for seat in seats], POLL)
            for seat in seats:
                answer = seat.look()
                if answer is not None:
                    yield answer
    finally:
        for seat in seats:
            seat.close()
