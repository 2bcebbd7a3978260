"""Folders of pictures, good and broken, and batches run from outside, for the tests of `layervec batch`."""

from __future__ import annotations

import csv
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from PIL import Image, ImageDraw

from layervec import cli

DRAFT = ("--quality", "draft", "--paths", "8")
HIDDEN = ".layervec"


def draw(path, seed=0, size=(64, 48)):
    """Save a small picture that differs from those of other seeds."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("RGB", size, (240, 230, 200 + seed % 50))
    pen = ImageDraw.Draw(image)
    w, h = size
    pen.ellipse((w * 0.1, h * 0.1, w * 0.6, h * (0.5 + seed % 5 / 10)), fill=(200, 40 + seed % 90, 40))
    pen.rectangle((w * 0.5, h * (0.3 + seed % 4 / 10), w * 0.9, h * 0.9), fill=(40, 60, 180))
    image.save(path)
    return path


def break_some(folder):
    """Put pictures into a folder that cannot be drawn, each for a reason of its own; return how many."""
    whole = draw(folder.parent / "whole.png").read_bytes()
    (folder / "cut-off.png").write_bytes(whole[: len(whole) // 2])
    (folder / "damaged.png").write_bytes(whole[:60] + bytes(20) + whole[80:])
    (folder / "empty.png").write_bytes(b"")
    (folder / "nowhere.png").symlink_to(folder / "no such file")
    (folder / "text.jpg").write_text("not a picture")
    return 5


def batch(*words):
    """Run `layervec batch` in this process; return the exit code."""
    return cli.main(["batch", *map(str, words)])


def spawn(*words, **options):
    """Start `layervec batch` in a process of its own."""
    command = [sys.executable, "-c", "import sys; from layervec.cli import main; sys.exit(main())", "batch"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    return subprocess.Popen([*command, *map(str, words)], text=True, **pipes)


def rows(out):
    """Return the rows of a manifest by output."""
    with open(out / "manifest.csv", newline="") as file:
        return {row["output"]: row for row in csv.DictReader(file)}


def drawings(out):
    """Return the bytes of everything that rows have left, by name."""
    paths = [path for path in out.rglob("*") if path.is_file() and HIDDEN not in path.relative_to(out).parts]
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in paths
        if path.name not in ("manifest.csv", "manifest.parquet", "index.html")
    }


def times(out):
    """Return when each drawing took its name: a file that is written or renamed anew has another number."""
    return {name: ((out / name).stat().st_ino, (out / name).stat().st_mtime_ns) for name in drawings(out)}


def descendants(process):
    """Return (number, command line) of all processes that one has started, and those have; from /proc."""
    found, parents = [], {}
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    wanted = {process}
    while more := {number for number, parent in parents.items() if parent in wanted} - wanted:
        wanted |= more
    for number in wanted - {process}:
        with suppress(OSError):
            found.append((number, Path(f"/proc/{number}/cmdline").read_bytes()))
    return found


def litter(out):
    """Return what a run has left besides what it should."""
    return [path for path in (out / HIDDEN).rglob("*") if path.name not in ("journal.jsonl", "lock")]
