"""Render SVGs that mean harm for as long as one likes, while the operating system tells what is opened.

    uv run --group dev python tests/fuzz/drive_guard.py --seconds 1200

Each SVG goes through the guard; what passes is rendered as anybody's drawing is, and once more by the judge: a renderer
that may open any file, as text may (fonts). All that runs under `strace`, which shows every file that anybody even
tries to open and every socket. Files that the SVGs name lie there to be found, and a control, given to the judge past
the guard, shows that they would be. Needs Linux and strace. Exit code 1 where anything named was opened, where there
was a socket, where a process of ours crashed, or where an answer took longer than the limits allow.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

HERE = Path(__file__).parent
SECONDS = 5.0  # s that the judge gives a render; time is bounded in the end, and this leaves more for other inputs
ANSWER = 4 * SECONDS + 10  # s; starting, rendering and ending of two processes
SIZE = 64, 48  # px
FRESH = 100  # renders of a judge before a new one
CALLS = "open,openat,openat2,creat,socket,connect"
CONTROL = "control-"  # before the names of what only the control refers to
NETWORK = re.compile(r"AF_INET|AF_PACKET|AF_NETLINK")


class Judge:
    """Renders what passed the guard in a process that may open files."""

    def __init__(self) -> None:
        from layervec.render_process import RenderProcess

        self._make, self._judge, self._renders = RenderProcess, RenderProcess("the control"), 0

    def render(self, text: str) -> None:
        self._renders += 1
        if self._renders % FRESH == 0:
            self.close()
            self._judge = self._make("The SVG")
        try:
            self._judge.render(text, None, fonts=True)
        except Exception:
            self._judge = self._make("The SVG")
            raise

    def close(self) -> None:
        self._judge.close()


def baits(folder: Path) -> None:
    """Lay out what hostile SVGs refer to."""
    from hostile import BAIT
    from PIL import Image

    drawing = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><rect id="a" width="9" height="9"/></svg>'
    for before in ("", CONTROL):
        Image.new("RGB", (8, 8), (255, 0, 0)).save(folder / f"{before}{BAIT}.png")
        (folder / f"{before}{BAIT}.svg").write_text(drawing)
        (folder / f"{before}{BAIT}.css").write_text("rect{fill:red}")
        (folder / f"{before}{BAIT}.ttf").write_bytes(b"\x00\x01\x00\x00")
        (folder / f"{before}{BAIT}.zero").symlink_to("/dev/zero")


def tried(data: bytes | str, judge: Judge, *, as_users_do: bool) -> str:
    """Put an SVG through the guard and render it; return what became of it."""
    from mangle import refused

    from layervec.document import Document, text_of
    from layervec.errors import InputError

    try:
        with Document(data, "The SVG") as document:
            if as_users_do:
                document.render(*SIZE, None)
            document.root.attrib.update(width=str(SIZE[0]), height=str(SIZE[1]))
            judge.render(text_of(document.root, frozenset()))
    except InputError as error:
        refused(error)
        return "not rendered" if "cannot be rendered" in str(error) else "refused"
    return "rendered with parts left out" if document.left_out else "rendered whole"


def inside(seconds: float, folder: Path, first: int) -> int:
    """Run under the tracer: try inputs until the time is over; return how many faults there were."""
    import random

    from hostile import BAIT, hostile
    from mangle import DAMAGES, damaged

    from layervec import render_process

    render_process.MOST_SECONDS = SECONDS
    judge = Judge()
    control = f'<image width="9" height="9" href="{folder}/{CONTROL}{BAIT}.png"/>'
    judge.render(f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{control}</svg>')
    counts: collections.Counter[str] = collections.Counter()
    faults, end, seed, slowest = 0, time.monotonic() + seconds, first, 0.0
    while time.monotonic() < end:
        dice = random.Random(seed)
        data: bytes | str = hostile(seed, str(folder))
        if seed % 3 == 0:
            how = [
                (dice.choice(sorted(DAMAGES)), dice.random(), dice.randint(1, 64), dice.randrange(256))
                for _ in range(3)
            ]
            data = damaged(data.encode(), how)
        begin = time.monotonic()
        try:
            counts[tried(data, judge, as_users_do=seed % 5 == 0)] += 1
        except Exception:
            faults += 1
            print(f"== seed {seed}", flush=True)
            traceback.print_exc()
        slowest = max(slowest, time.monotonic() - begin)
        if time.monotonic() - begin > ANSWER:
            faults += 1
            print(f"== seed {seed}: took {time.monotonic() - begin:.0f} s", flush=True)
        seed += 1
        if seed % 200 == 0:
            print(f"{seed - first} inputs, {dict(counts)}, slowest {slowest:.1f} s, {faults} faults", flush=True)
    judge.close()
    print(f"{seed - first} inputs, {dict(counts)}, slowest {slowest:.1f} s, {faults} faults", flush=True)
    return faults


def opened(log: Path) -> tuple[list[str], int, list[str]]:
    """Return the traced calls that name a bait, how many name one of the control's, and those that want a network."""
    from hostile import BAIT

    named, control, network = [], 0, []
    with log.open(errors="replace") as lines:
        for line in lines:
            if BAIT in line and CONTROL in line:
                control += 1
            elif BAIT in line or "/dev/zero" in line:
                named.append(line)
            if NETWORK.search(line):
                network.append(line)
    return named, control, network


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    sys.path[:0] = [str(HERE), str(HERE.parent)]
    if asked.inside:
        os.chdir(asked.inside)  # links that are relative lead somewhere, too
        return inside(asked.seconds, asked.inside, asked.first) != 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "baits"
        folder.mkdir()
        baits(folder)
        log = Path(name) / "calls"
        words = ["--seconds", str(asked.seconds), "--first", str(asked.first), "--inside", str(folder)]
        trace = ["strace", "-f", "-qq", "-s", "4096", "-e", f"trace={CALLS}", "-o", str(log)]
        failed = subprocess.run(
            [*trace, sys.executable, str(Path(__file__).absolute()), *words], check=False
        ).returncode
        named, control, network = opened(log)
    print(f"opened by reference: {len(named)}; network: {len(network)}; opened by the control: {control}", flush=True)
    print("".join(named[:20] + network[:20]), end="")
    return 1 if failed or named or network or not control else 0


if __name__ == "__main__":
    sys.exit(main())
