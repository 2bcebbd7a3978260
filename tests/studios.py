"""A studio that runs as people run it, in a process of its own, for tests by HTTP and in a browser."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import numpy as np

from layervec import image

EXAMPLE = Path(__file__).parents[1] / "examples" / "lighthouse.png"
QUICK = {"quality": "draft", "paths": 16}
STAGES = ["load", "simplify", "tree", "arrange", "refine", "write"]
LONGEST_WAIT = 120  # s; a slow machine that compiles kernels first


def squares(side=64):
    """A PNG of some coloured squares, one in another."""
    pixels = np.full((side, side, 3), 230, np.uint8)
    for i, colour in enumerate([(200, 30, 40), (30, 90, 200), (20, 160, 80)]):
        at = 4 + i * side // 3
        pixels[at : at + side // 4, 6 : side - 6] = colour
        pixels[at + 3 : at + side // 8, 12 : side // 2] = [255 - value for value in colour]
    return image.png_bytes(pixels / 255)


def command(*words):
    """Return what starts a studio, as on the command line."""
    return [sys.executable, "-c", "import sys; from layervec.cli import main; sys.exit(main())", "studio", *words]


class Running:
    """A studio's process, and a client that speaks to it as its own page does."""

    def __init__(self, folder, *words, browser=None):
        self.folder = folder
        environment = os.environ if browser is None else os.environ | {"BROWSER": str(browser)}
        self.process = subprocess.Popen(
            command("--folder", str(folder), *words, *([] if browser else ["--no-browser"])),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.process.stderr.read()
        self.url = self.address.partition("#")[0]
        self.origin = "/".join(self.url.split("/")[:3])
        self.port = int(self.origin.rpartition(":")[2])
        self.client = httpx.Client(base_url=self.url, headers={"Origin": self.origin}, timeout=LONGEST_WAIT)

    def close(self, how=signal.SIGTERM):
        """End the process and return what it said on stderr."""
        self.client.close()
        self.process.send_signal(how)
        told = self.process.communicate(timeout=30)[1]
        return told

    def upload(self, data, name="squares.png", kind="image/png"):
        """Return the id of a new work."""
        answer = self.post_file(data, name, kind)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def post_file(self, data, name="squares.png", kind="image/png"):
        from urllib.parse import quote

        return self.client.post("works", content=data, headers={"Content-Type": kind, "X-Name": quote(name)})

    def draw(self, work, **settings):
        answer = self.client.post(f"works/{work}/draw", json=QUICK | settings)
        assert answer.status_code == 202, answer.text

    def drawn(self, data=None, **settings):
        """Return the id of a new work with a finished drawing."""
        work = self.upload(data or squares())
        self.draw(work, **settings)
        state = self.finished(work)
        assert state["revision"] == 1, state
        return work

    def events(self, work):
        """Yield (kind, value) of a work's news."""
        with self.client.stream("GET", f"works/{work}/events") as answer:
            assert answer.status_code == 200
            kind = ""
            end = time.monotonic() + LONGEST_WAIT
            for line in answer.iter_lines():  # at least a heartbeat now and then
                assert time.monotonic() < end, "nothing that was waited for has come"
                if line.startswith("event: "):
                    kind = line[7:]
                elif line.startswith("data: "):
                    yield kind, json.loads(line[6:])

    def until(self, work, holds):
        """Return the first state of which `holds` is true."""
        events = self.events(work)
        try:
            for kind, value in events:
                if kind == "state" and holds(value):
                    return value
        finally:
            events.close()
        raise AssertionError("the stream has ended")

    def reached(self, work, stage):
        """Wait until a run is in this stage or, as news may be overtaken, in a later one."""
        later = STAGES[STAGES.index(stage) :]
        return self.until(work, lambda state: (state["running"] or {}).get("stage") in later)

    def finished(self, work):
        """Return the state in which nothing is done any more."""
        return self.until(work, lambda state: state["running"] is None)

    def state(self, work):
        return self.until(work, lambda state: True)

    def svg(self, work):
        answer = self.client.get(f"works/{work}/drawing.svg")
        assert answer.status_code == 200, answer.text
        return answer.text

    def edit(self, work, **wish):
        return self.client.post(f"works/{work}/edit", json={"base": self.state(work)["revision"], **wish})

    def workers(self):
        """Return the ids of the processes that draw."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):  # one that ended just now
                parent = stat.read_text().rpartition(")")[2].split()[1]
                found += [int(stat.parent.name)] if int(parent) == self.process.pid else []
        return found


@contextmanager
def studio(folder, *words, browser=None):
    """Run a studio that keeps its works in this folder. browser: a program that it opens, None: it opens none."""
    running = Running(folder, *words, browser=browser)
    try:
        yield running
    finally:
        told = running.close() if running.process.poll() is None else ""
    assert "Traceback" not in told, told


def kill(pid):
    os.kill(pid, signal.SIGKILL)
