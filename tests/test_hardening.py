"""What goes wrong around a run: full disks, disks that are read only, signals at any moment, memory over many pictures.

Whatever happens, an old drawing is there whole or a new one is, and nothing half-written beside it.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from pictures import confetti

from layervec import Settings, image, vectorize
from layervec.errors import InputError

COMMAND = (sys.executable, "-c", "import sys; from layervec.cli import main; sys.exit(main())")
QUICK = ("--quality", "draft", "--size", "80", "--paths", "96", "--quiet")
SMALL = 256  # KiB of the small disk
MOMENTS = 2  # at which a run is ended
MOST_GROWTH = 1.05  # of memory, from the 20th picture to the last

LEAKS = """
import resource, sys
import numpy as np
from layervec import Settings, vectorize
def held():
    return int(open("/proc/self/statm").read().split()[1]) * resource.getpagesize()
rng = np.random.default_rng(0)
settings = Settings(quality="draft", paths=12, size=48)
for number in range(int(sys.argv[1])):
    height, width = rng.integers(24, 64, 2)
    y, x = np.mgrid[:height, :width]
    pixels = np.ones((height, width, 4), np.float32)
    for _ in range(6):
        pixels[np.hypot(x - rng.random() * width, y - rng.random() * height) < 12 * rng.random(), :3] = rng.random(3)
    pixels[:6, :6, 3] = number % 2
    vectorize(pixels, settings, threads=2)
    if number == 19:
        early = held()
print(held() / early)
"""


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(image.png_bytes(confetti().repeat(4, 0).repeat(4, 1)))
    return path


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """Hand out a small disk of its own, which takes a system that lets us mount one."""
    path = tmp_path / "disk"
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL}k", "tmpfs", str(path)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    yield path
    subprocess.run(["umount", "--lazy", str(path)], check=True)


def run(*words: object, **environment: str) -> tuple[int, str]:
    """Return exit code and what the command says."""
    command = [*COMMAND, *map(str, words)]
    found = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    return found.returncode, found.stderr


def fill(disk: Path, left: int) -> None:
    """Leave so many KiB of a disk."""
    with open(disk / "filler", "wb") as file:
        file.write(bytes(shutil.disk_usage(disk).free - left * 1024))


@pytest.mark.parametrize("left", [0, 4])
def test_a_full_disk_costs_no_drawing(left: int, disk: Path, picture: Path) -> None:
    target = disk / "out.svg"
    target.write_text("old")
    fill(disk, left)
    code, told = run("vectorize", picture, "-o", target, *QUICK)
    assert (code, told) == (2, f"layervec: {target} cannot be written: no space left on device.\n")
    assert target.read_text() == "old"
    assert sorted(path.name for path in disk.iterdir()) == ["filler", "out.svg"]


@pytest.mark.parametrize("flags", [["--png"], ["--report"], ["--workdir"]])
def test_what_is_written_beside_a_drawing_may_find_no_room(flags: list[str], disk: Path, picture: Path) -> None:
    fill(disk, 16)
    flags = [*flags, str(disk / "work")] if flags == ["--workdir"] else flags
    code, told = run("vectorize", picture, "-o", disk / "out.svg", *QUICK, *flags, TMPDIR=str(disk))
    assert code == 2
    assert told.endswith("cannot be written: no space left on device.\n")
    assert not [path for path in disk.rglob("*") if path.suffix == ".tmp" or path.name == "out.html"]


def test_kernels_need_no_room(disk: Path) -> None:
    fill(disk, 0)
    compile_one = "import numpy; from layervec.curves import fit; print(fit(numpy.ones((3, 4), bool), 1.0).segments)"
    surroundings = {**os.environ, "NUMBA_CACHE_DIR": str(disk / "kernels")}
    found = subprocess.run([sys.executable, "-c", compile_one], env=surroundings, capture_output=True, check=False)
    assert (found.stdout, found.stderr) == (b"4\n", b"")
    assert not list(disk.rglob("*.nbc"))


def test_a_disk_that_is_read_only_is_told_of_before_the_work(disk: Path, picture: Path) -> None:
    target = disk / "out.svg"
    target.write_text("old")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    for words in (("-o", target), ("-o", picture.with_suffix(".svg"), "--workdir", disk / "work")):
        code, told = run("vectorize", picture, *words, *QUICK)
        assert code == 2
        assert told.endswith(": read-only file system.\n")
    assert [path.name for path in disk.iterdir()] == ["out.svg"]
    assert not picture.with_suffix(".svg").exists()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system ends processes in another way")
def test_a_run_that_is_ended_at_any_moment_leaves_old_or_new(picture: Path, tmp_path: Path) -> None:
    target = tmp_path / "out.svg"
    command = [
        *COMMAND,
        "vectorize",
        str(picture),
        "-o",
        str(target),
        *QUICK,
        "--png",
        "--report",
    ]
    start = time.monotonic()
    subprocess.run(command, check=True)
    whole, seconds = target.read_bytes(), time.monotonic() - start
    moments = random.Random(0)
    for _ in range(MOMENTS):
        target.write_text("old")
        with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True) as process:
            time.sleep(moments.uniform(0.1, seconds))
            process.send_signal(signal.SIGTERM)
            told = process.stderr.read()
        # Before our own code runs, Python ends as the system has it.
        assert (process.returncode, told) in ((130, b"layervec: interrupted.\n"), (0, b""), (-signal.SIGTERM, b""))
        assert target.read_bytes() in (b"old", whole)
        assert not list(tmp_path.glob("*.tmp"))


def test_memory_stays_as_it_is_over_many_pictures() -> None:
    if not Path("/proc/self/statm").exists():
        pytest.skip("this system does not say how much memory a process has")
    found = subprocess.run([sys.executable, "-c", LEAKS, "60"], capture_output=True, text=True, check=True)
    assert float(found.stdout) < MOST_GROWTH


def test_a_failed_write_is_not_hidden_by_its_clean_up(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    replace: Callable[..., None] = os.replace
    monkeypatch.setattr(os, "replace", full)
    result = vectorize(np.ones((4, 4)), Settings(quality="draft", paths=2))
    with pytest.raises(InputError, match="no space left on device"):
        result.save(tmp_path / "out.svg")
    monkeypatch.setattr(os, "replace", replace)
    assert not list(tmp_path.glob("*.tmp"))
    assert not (tmp_path / "out.svg").exists()
