"""The first run of all: compile the rasteriser in a second process while the first one compiles everything else.

Numba compiles one kernel at a time in a process, but keeps machine code on disk, where the first process finds it
when it comes to fitting. So there is none where nothing is kept, nor for pixel art, which is not fitted. Knows events
and the door of the rasteriser; never fails, as the first process compiles what it does not find. Only the command line
uses it: a library has no business with processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, suppress

from layervec import kernel_cache
from layervec.events import Event

LONGEST_WAIT = 60.0  # s; the kernels take about 20 s on a core that is busy otherwise
LONGEST_END = 5.0  # s; to finish the file that is being written, which takes less than one
# Not from the working folder (-P): who knows what modules lie there.
COMMAND = (sys.executable, "-P", "-m", "layervec.precompile")


class Precompiler:
    """While entered, watches for the first kernel that has to be compiled, and then has the rasteriser's made too.

    threads: most threads that may be used, as for `vectorize`; with one, nothing happens.
    """

    def __init__(self, threads: int | None) -> None:
        self._allowed = (threads or os.cpu_count() or 1) > 1
        self._stack = ExitStack()
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Precompiler:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()
        self._end()

    def on_event(self, event: Event) -> None:
        """Begin to watch once the picture is loaded, as Numba is slow to load; wait before the fitting begins."""
        if event.stage == "load" and event.done == 1.0 and self._allowed and event.kind != "pixel":
            self._watch_compiler()
        if event.stage == "refine" and event.done == 0.0:
            self._wait()

    def _watch_compiler(self) -> None:
        from numba.core import event as numba_event

        start = self._start

        class Listener(numba_event.Listener):
            def on_start(self, event: object) -> None:
                start()

            def on_end(self, event: object) -> None:
                pass

        self._stack.enter_context(numba_event.install_listener("numba:compile", Listener()))

    def _start(self) -> None:
        """Start the second process, once. Its stdin stays open as long as this process lives."""
        if not self._allowed or kernel_cache.place().trouble:
            return
        self._allowed = False
        hidden = getattr(subprocess, "CREATE_NO_WINDOW", 0)  # Windows
        with suppress(OSError, ValueError):
            self._process = subprocess.Popen(
                COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                creationflags=hidden,
            )

    def _wait(self) -> None:
        self._allowed = False
        if self._process is not None:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LONGEST_WAIT)
            self._end()

    def _end(self) -> None:
        """End the second process if it still runs; the end of its stdin tells it so, and leaves no half file."""
        process, self._process = self._process, None
        if process is not None:
            if process.stdin is not None:
                process.stdin.close()
            with suppress(subprocess.TimeoutExpired):
                process.wait(LONGEST_END)
            process.kill()
            process.wait()


def compile_raster() -> None:
    """Compile every kernel of the rasteriser and of fine pixels that fitting needs, by using each once."""
    import numpy as np

    from layervec import raster
    from layervec.fine import Fine
    from layervec.optimize import Fit, optimize
    from layervec.types import Outline

    square = np.array([[2.0, 2], [4, 2], [6, 2], [6, 4], [6, 6], [4, 6]])
    fit = Fit((Outline(square, np.array([0, 6]), np.zeros(2, np.bool_)),), np.ones((1, 4)))
    scene = fit.scene()
    target = np.ones((3, 8, 8), np.float32)
    optimize(fit, target, 1, threads=1)
    raster.survey(scene, target, threads=1)
    raster.render(scene, 8, 8, threads=1)
    Fine.of(fit, target).look()


def _end_with_parent() -> None:
    """End this process when the one that started it has gone, however it went."""
    with suppress(OSError, ValueError):
        sys.stdin.buffer.read()
    kernel_cache.writing.acquire()
    os._exit(1)


def main() -> None:
    """What the second process does. Signals that a terminal sends to all are for the first one to act on."""
    for name in ("SIGINT", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    compile_raster()


if __name__ == "__main__":
    main()
