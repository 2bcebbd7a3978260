"""What runs inside a worker's process: takes tasks from a pipe, one at a time, and answers on it.

Imports next to nothing before it has told libraries how many threads they may use. Ends with its parent.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from dataclasses import dataclass
from multiprocessing import parent_process
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Literal

from layervec import kernel_cache

if TYPE_CHECKING:
    from layervec.batch.place import Spot
    from layervec.batch.record import Record
    from layervec.batch.work import Task

# Each of these libraries would take all cores for itself.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker is told at first. threads: most that its kernels may use."""

    spot: Spot
    threads: int


@dataclass(frozen=True, slots=True)
class Message:
    """What a worker says: that it is ready, what it has read, how a row ended, or that the output has failed."""

    kind: Literal["ready", "begun", "ended", "stop"]
    record: Record | None = None
    sentence: str = ""


def serve(pipe: Connection, setup: Setup, scratch: str) -> None:
    """Work until the pipe is closed. scratch: a folder for what is needed on the way, which goes with the worker."""
    for name in ("SIGINT", "SIGHUP"):  # a terminal sends them to all processes; the first one ends the others
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    kernel_cache.place()  # is found now: what is temporary from here on goes with this worker
    threading.Thread(target=_end_with_parent, args=(scratch,), daemon=True).start()
    tempfile.tempdir = scratch
    for name in THREAD_VARIABLES:
        os.environ[name] = str(setup.threads)
    _warm_up(setup.threads)
    from layervec.batch.place import OutputError
    from layervec.batch.work import work

    place = setup.spot.place()
    pipe.send(Message("ready"))
    while True:
        try:
            task: Task = pipe.recv()
        except EOFError:
            return
        try:
            ended = work(task, place, setup.spot.run, setup.threads, lambda record: pipe.send(Message("begun", record)))
        except OutputError as error:
            pipe.send(Message("stop", sentence=str(error)))
        else:
            pipe.send(Message("ended", ended))


def _warm_up(threads: int) -> None:
    """Load, or compile, what every picture needs, so that the first one's time is its own."""
    import cv2
    import numpy as np

    from layervec.models import kept
    from layervec.pipeline import vectorize
    from layervec.settings import Settings

    cv2.setNumThreads(threads)
    kept.keep()
    pixels = np.full((32, 32, 3), 230, np.uint8)
    pixels[4:20, 4:20] = (200, 30, 30)
    pixels[12:28, 10:28] = (30, 30, 200)
    vectorize(pixels, Settings(quality="draft", paths=8), threads=threads)


def _end_with_parent(scratch: str) -> None:
    """End this process when the one that started it has gone, however it went."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        shutil.rmtree(scratch, ignore_errors=True)
        os._exit(1)
