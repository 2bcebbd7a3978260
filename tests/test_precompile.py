"""The second process of a first run: when it starts, that it is waited for, and that it never outlives the first."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from layervec import precompile
from layervec.events import Event
from layervec.kernel_cache import Place

IDLE = (sys.executable, "-c", "import sys; sys.stdin.read()")


@pytest.fixture
def compiled():
    """A function that makes Numba say that it compiles something."""
    from numba.core import event

    return lambda: event.start_event("numba:compile", data={})


def loaded(precompiler):
    precompiler.on_event(Event("load", 1.0))


def test_starts_once_at_the_first_compilation_and_ends_with_the_run(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    compiled()
    with precompile.Precompiler(2) as precompiler:
        assert precompiler._process is None
        loaded(precompiler)
        assert precompiler._process is None
        compiled()
        process = precompiler._process
        assert process is not None
        assert process.poll() is None
        compiled()
        assert precompiler._process is process
    assert process.poll() is not None


def test_nothing_starts_when_nothing_compiles(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        precompiler.on_event(Event("refine", 0.0))
        compiled()  # too late to be of use
        assert precompiler._process is None


def test_nothing_starts_where_one_thread_is_allowed(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    with precompile.Precompiler(1) as precompiler:
        loaded(precompiler)
        compiled()
        assert precompiler._process is None


def test_nothing_starts_for_pixel_art(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    with precompile.Precompiler(2) as precompiler:
        precompiler.on_event(Event("load", 1.0, kind="pixel"))
        compiled()
        assert precompiler._process is None


def test_nothing_starts_where_it_could_not_hand_over_what_it_compiles(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    monkeypatch.setattr(precompile.kernel_cache, "place", lambda: Place(None, "read only"))
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        compiled()
        assert precompiler._process is None


def test_ending_it_breaks_off_no_file(monkeypatch, compiled, tmp_path):
    code = "import sys, time; sys.stdin.read(); time.sleep(0.3); open({!r}, 'w').close()"
    monkeypatch.setattr(precompile, "COMMAND", (sys.executable, "-c", code.format(str(tmp_path / "written"))))
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        compiled()
    assert (tmp_path / "written").exists()


def test_fitting_waits_for_it(monkeypatch, compiled, tmp_path):
    done = tmp_path / "done"
    code = f"import time; time.sleep(0.5); open({str(done)!r}, 'w').close()"
    monkeypatch.setattr(precompile, "COMMAND", (sys.executable, "-c", code))
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        compiled()
        precompiler.on_event(Event("refine", 0.0))
        assert done.exists()


def test_fitting_does_not_wait_for_ever(monkeypatch, compiled):
    monkeypatch.setattr(precompile, "COMMAND", IDLE)
    monkeypatch.setattr(precompile, "LONGEST_WAIT", 0.1)
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        compiled()
        process = precompiler._process
        precompiler.on_event(Event("refine", 0.0))
        assert process is not None
        assert process.poll() is not None


@pytest.mark.parametrize("command", [("/no/such/program",), (sys.executable, "-c", "raise SystemExit(3)")])
def test_failing_costs_nothing(monkeypatch, compiled, command):
    monkeypatch.setattr(precompile, "COMMAND", command)
    with precompile.Precompiler(2) as precompiler:
        loaded(precompiler)
        compiled()
        precompiler.on_event(Event("refine", 0.0))


@pytest.mark.skipif(sys.platform == "win32", reason="sends POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_dies_with_the_first_process(number):
    child = "import time; from layervec import precompile; precompile.compile_raster = lambda: time.sleep(60)"
    child += "; print('up', flush=True); precompile.main()"
    parent = f"import subprocess, sys, time; c = subprocess.Popen([sys.executable, '-c', {child!r}],"
    parent += " stdin=subprocess.PIPE, stdout=sys.stdout); print(c.pid, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        rest = process.stdout.read()  # ends when the child, too, has closed it
    assert rest == ""
    for _ in range(100):
        if not alive(pid):
            break
        time.sleep(0.05)
    assert not alive(pid)


def alive(pid):
    """Whether a process runs; one that ended and that nobody asked about is a zombie, and does not."""
    try:
        os.kill(pid, 0)
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_fitting_needs_no_other_kernel(tmp_path):
    """All that a run calls of the rasteriser is what the second process compiles."""
    code = """
import sys
import numpy as np
from numba.core.dispatcher import Dispatcher
from layervec import Settings, precompile, vectorize
def known():
    modules = [m for name, m in sys.modules.items() if name.startswith("layervec.raster")]
    kernels = {k for m in modules for k in vars(m).values() if isinstance(k, Dispatcher)}
    return {(k.py_func.__name__, str(s)) for k in kernels for s in k.signatures}
precompile.compile_raster()
before = known()
picture = np.zeros((40, 50, 4), np.uint8)
picture[..., 3] = 255
picture[10:30, 5:25] = 200, 30, 30, 255
for alpha in (255, 0):
    picture[35:, :, 3] = alpha
    vectorize(picture, Settings(quality="draft", paths=8))
print(sorted(known() - before))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.stdout.strip() == "[]", done.stderr
